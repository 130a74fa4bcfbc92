//! TLS 1.3 with mutual Ed25519 certificates that are appraised instead of chained (spec/network.md 3.1).

use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::{Refusal, Side};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, ServerConfig, SignatureScheme,
};

use crate::appraiser::Appraiser;
use crate::identity::CurrentIdentity;

/// Both configurations, built once for a [`crate::LinkOptions`].
#[derive(Clone, Debug)]
pub(crate) struct TlsConfigs {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// Appraises the acceptor's certificate and lets rustls check that the peer holds its key.
///
/// A dialler's certificate is only looked at for its key here: it is appraised when the handshake is over
/// ([`crate::secure`]), so that the reason of a refusal can be said to it, where TLS has but an alert.
#[derive(Debug)]
struct Verifier {
    appraiser: Appraiser,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Clock(fn() -> u64);

/// The refusal of our own verifier inside a TLS error.
pub(crate) fn refusal_in(error: &Error) -> Option<Refusal> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(source))) => {
            source.downcast_ref().copied()
        }
        _ => None,
    }
}

/// A dialler that presents no certificate, for tests.
#[cfg(test)]
pub(crate) fn anonymous(appraiser: impl Into<Appraiser>, clock: fn() -> u64) -> Arc<ClientConfig> {
    let provider = provider();
    let verifier = Verifier {
        appraiser: appraiser.into(),
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_details(provider, Arc::new(Clock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("invariant: the provider has TLS 1.3 cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
}

/// The configuration of a dialler that judges the acceptor by this verifier.
pub(crate) fn dialler(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Arc<dyn ResolvesClientCert>,
    clock: fn() -> u64,
) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(Clock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("invariant: the provider has TLS 1.3 cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(identity);
    config.enable_sni = false;
    config.enable_early_data = false;
    // A resumed session would skip the appraisal.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

// === impl TlsConfigs ===

impl TlsConfigs {
    pub(crate) fn new(identity: CurrentIdentity, appraiser: Appraiser, clock: fn() -> u64) -> Self {
        let provider = provider();
        let verifier = Arc::new(Verifier {
            appraiser,
            provider: Arc::clone(&provider),
        });
        let identity = Arc::new(identity);

        let client = dialler(
            Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>,
            Arc::clone(&identity) as Arc<dyn ResolvesClientCert>,
            clock,
        );

        let mut server = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(Clock(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("invariant: the provider has TLS 1.3 cipher suites")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identity);
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.max_early_data_size = 0;

        Self {
            client,
            server: Arc::new(server),
        }
    }
}

/// aws-lc-rs without ChaCha20, which the original does not offer. The hybrid X25519MLKEM768 stays first among the groups.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_256_GCM_SHA384 | CipherSuite::TLS13_AES_128_GCM_SHA256
        )
    });
    Arc::new(provider)
}

// === impl Verifier ===

/// Whether the owner of the certificate's key has signed the handshake.
pub(crate) fn verify_signature(
    provider: &CryptoProvider,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    // With the raw key, because webpki does not read certificates like ours (spec/network.md 3.8).
    let key = cocoon_attest::public_key(certificate).map_err(refused)?;
    let key = SubjectPublicKeyInfoDer::from(cocoon_attest::public_key_info(&key));
    let algorithms = &provider.signature_verification_algorithms;
    verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
}

pub(crate) fn refused(refusal: Refusal) -> Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

pub(crate) fn tls12() -> Error {
    PeerIncompatible::Tls12NotOffered.into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The result is dropped on purpose: nobody may hold a VerifiedPeer before CertificateVerify has been checked, so
        // `secure` asks again when the handshake is over; the appraiser remembers.
        self.appraiser
            .appraise(end_entity, Side::Acceptor, now.as_secs())
            .map(|_| ServerCertVerified::assertion())
            .map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(&self.provider, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Nothing is known of this peer yet: no stream leaves `secure` before the appraisal.
        cocoon_attest::public_key(end_entity)
            .map(|_| ClientCertVerified::assertion())
            .map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(&self.provider, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

// === impl CurrentIdentity ===

impl ResolvesServerCert for CurrentIdentity {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let accepted = client_hello
            .signature_schemes()
            .contains(&SignatureScheme::ED25519);
        accepted.then(|| Arc::clone(self.get().certified()))
    }
}

impl ResolvesClientCert for CurrentIdentity {
    fn resolve(&self, _root_hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        schemes
            .contains(&SignatureScheme::ED25519)
            .then(|| Arc::clone(self.get().certified()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

// === impl Clock ===

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs((self.0)())))
    }
}
