//! What an acceptor presents, for a person to look at: its certificate, and the proof that it holds the key.
//!
//! Nothing is appraised here, so nothing that comes out of here is a [`crate::VerifiedPeer`] or a link: the connection is closed
//! as soon as the certificate is there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::error::{DialError, Step, StreamError};
use crate::identity::CurrentIdentity;
use crate::{Identity, secure, tls};

/// What came, and from where.
#[derive(Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The certificate in DER. Whoever answered holds its private key; nothing else about it is known.
    pub certificate: Vec<u8>,
}

/// Accepts whoever holds the key of an Ed25519 certificate.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
}

/// Dials `host:port` as a client does (TCP, proof of work, TLS), and gives what was presented.
///
/// `identity` is presented in turn; TLS 1.3 shows the acceptor's certificate before it judges ours, so even a proxy that
/// refuses us is seen.
///
/// # Errors
/// [`DialError`] names the step that failed.
pub async fn inspect(
    addr: &str,
    identity: Identity,
    max_difficulty: u8,
    deadline: Duration,
) -> Result<Inspection, DialError> {
    let deadline = Instant::now() + deadline;
    let mut tcp = timeout_at(deadline, TcpStream::connect(addr))
        .await
        .map_err(|_| StreamError::Deadline(Step::Tcp))?
        .map_err(DialError::Tcp)?;
    timeout_at(deadline, secure::do_work(&mut tcp, max_difficulty))
        .await
        .map_err(|_| StreamError::Deadline(Step::Pow))??;
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    let witness = Witness {
        provider: tls::provider(),
    };
    let identity = CurrentIdentity::from(identity);
    // No time is judged here.
    let connector = TlsConnector::from(tls::dialler(Arc::new(witness), Arc::new(identity), || 0));
    let stream = secure::within(deadline, Step::Tls, connector.connect(name, tcp)).await?;
    let presented = stream.get_ref().1.peer_certificates();
    // The acceptor always has one; without it the handshake would have failed.
    let certificate = presented.and_then(|chain| chain.first());
    Ok(Inspection {
        certificate: certificate.map_or_else(Vec::new, |certificate| certificate.to_vec()),
    })
}

// === impl Inspection ===

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("certificate_bytes", &self.certificate.len())
            .finish()
    }
}

// === impl Witness ===

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        cocoon_attest::public_key(end_entity)
            .map(|_| ServerCertVerified::assertion())
            .map_err(tls::refused)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls::tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls::verify_signature(&self.provider, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests;
