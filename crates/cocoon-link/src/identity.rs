use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use cocoon_attest::tdx::{CollateralError, TdxRefusal};
use cocoon_attest::{Draft, DraftError, report_data};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::attester::{Attester, Presented};

/// Validity of our certificates, in seconds (spec/network.md 3.2).
const LIFETIME_SECONDS: u64 = 86_400;

/// How far before its making a certificate becomes valid: a peer whose clock is a little slow must not refuse it.
const CLOCK_TOLERANCE_SECONDS: u64 = 60;

/// A key pair and the self-signed certificate that a node presents for it. The private key never leaves it.
pub struct Identity {
    public_key: [u8; 32],
    expires_at: u64,
    made_at: u64,
    kind: Kind,
    certified: Arc<CertifiedKey>,
}

/// The identity that new connections present. Clones share it, so that it can be replaced on a running node.
#[derive(Clone)]
pub struct CurrentIdentity {
    identity: watch::Sender<Arc<Identity>>,
    renewal: Arc<tokio::sync::Mutex<()>>,
}

/// An identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The secure source or the signature failed.
    #[error("the crypto library failed")]
    Crypto,
    /// The certificate does not fit its format.
    #[error("the certificate cannot be written")]
    Certificate(#[from] DraftError),
    /// There is no quote.
    #[error("no evidence can be made")]
    Evidence(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The maker's collateral does not fit into a certificate.
    #[error("the collateral for this node's quote cannot travel")]
    Collateral(#[from] CollateralError),
    /// The maker's collateral cannot be read.
    #[error("the collateral for this node's quote cannot be read")]
    Unreadable(#[source] TdxRefusal),
    /// The maker's collateral has ended.
    #[error("the collateral for this node's quote ended at {0} (Unix seconds)")]
    Ended(u64),
}

#[derive(Clone, Debug)]
enum Kind {
    Attested(Arc<dyn Attester>),
    Simulated,
    WithoutEvidence,
    /// Simulated, and then changed by a test; it never heals itself by a renewal.
    Altered,
}

// === impl Identity ===

impl Identity {
    /// A fresh key with simulated evidence, valid for a day from the Unix second `now`. For test networks.
    ///
    /// # Errors
    /// [`IdentityError`] when key or certificate cannot be made.
    pub fn simulated(now: u64) -> Result<Self, IdentityError> {
        Self::generate(Kind::Simulated, now, |_| {})
    }

    /// A fresh key with evidence by this attester, from the Unix second `now` for a day, or until its collateral ends. Blocks as
    /// the attester does; see [`CurrentIdentity::renew_if_due`] for a running node.
    ///
    /// # Errors
    /// [`IdentityError`] when evidence, key or certificate cannot be made.
    pub fn attested(attester: Arc<dyn Attester>, now: u64) -> Result<Self, IdentityError> {
        Self::generate(Kind::Attested(attester), now, |_| {})
    }

    /// A fresh key without evidence, valid for a day from the Unix second `now`.
    ///
    /// # Errors
    /// [`IdentityError`] when key or certificate cannot be made.
    pub fn without_evidence(now: u64) -> Result<Self, IdentityError> {
        Self::generate(Kind::WithoutEvidence, now, |_| {})
    }

    /// As [`Identity::simulated`], with changes to the certificate before it is signed. For tests that play a hostile or an
    /// old peer: what they change is what honest peers refuse or tolerate.
    ///
    /// # Errors
    /// [`IdentityError`] when key or certificate cannot be made.
    pub fn altered(now: u64, alter: impl FnOnce(&mut Draft)) -> Result<Self, IdentityError> {
        Self::generate(Kind::Altered, now, alter)
    }

    /// A fresh identity of the same kind; of an altered one, without the changes. Blocks as [`Identity::attested`] does.
    ///
    /// # Errors
    /// [`IdentityError`] when key or certificate cannot be made.
    pub fn renewed(&self, now: u64) -> Result<Self, IdentityError> {
        Self::generate(self.kind.clone(), now, |_| {})
    }

    /// Evidence over other 64 bytes than the certificate's, from where its own came; nothing for an identity that has none.
    /// Blocks as [`Identity::attested`] does.
    ///
    /// # Errors
    /// [`IdentityError::Evidence`].
    pub fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Option<Presented>, IdentityError> {
        self.kind.evidence(report_data, now)
    }

    /// Whether it shows evidence.
    pub const fn has_evidence(&self) -> bool {
        !matches!(self.kind, Kind::WithoutEvidence)
    }

    /// The Ed25519 public key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The certificate.
    pub fn certificate_der(&self) -> &[u8] {
        // There is exactly one; see `generate`.
        self.certified
            .cert
            .first()
            .map_or(&[], |certificate| certificate.as_ref())
    }

    /// Last Unix second of its validity.
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The Unix second from which it should be replaced: with a third of its life left. Never for an altered one.
    pub const fn renew_at(&self) -> u64 {
        match self.kind {
            Kind::Attested(_) | Kind::Simulated | Kind::WithoutEvidence => {
                let life = self.expires_at.saturating_sub(self.made_at);
                self.expires_at.saturating_sub(life / 3)
            }
            Kind::Altered => u64::MAX,
        }
    }

    fn generate(kind: Kind, now: u64, alter: impl FnOnce(&mut Draft)) -> Result<Self, IdentityError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| IdentityError::Crypto)?;
        let public_key: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| IdentityError::Crypto)?;
        let mut serial = [0; 16];
        aws_lc_rs::rand::fill(&mut serial).map_err(|_| IdentityError::Crypto)?;
        let report_data = report_data(&public_key);
        let presented = kind.evidence(&report_data, now)?;
        let collateral = presented
            .as_ref()
            .and_then(|presented| presented.collateral.as_ref());
        let holds_until = match collateral {
            Some(collateral) => collateral.expires_at().map_err(IdentityError::Unreadable)?,
            None => u64::MAX,
        };
        if holds_until <= now {
            return Err(IdentityError::Ended(holds_until));
        }
        let not_before = now.saturating_sub(CLOCK_TOLERANCE_SECONDS);
        let expires_at = now.saturating_add(LIFETIME_SECONDS).min(holds_until);
        let mut draft = Draft::new(
            &public_key,
            presented.as_ref().map(|presented| presented.quote.as_slice()),
            serial,
            not_before..=expires_at,
        )?;
        if let Some(collateral) = collateral {
            draft = draft.with_collateral(collateral.to_compact()?);
        }
        alter(&mut draft);
        let to_be_signed = draft.to_be_signed()?;
        let signature = pair.try_sign(&to_be_signed).map_err(|_| IdentityError::Crypto)?;
        let certificate = Draft::finish(&to_be_signed, signature.as_ref())?;
        // The document wipes itself when it is dropped; rustls gets its own copy inside the crypto library.
        let private = pair.to_pkcs8().map_err(|_| IdentityError::Crypto)?;
        let key =
            any_eddsa_type(&PrivatePkcs8KeyDer::from(private.as_ref())).map_err(|_| IdentityError::Crypto)?;
        Ok(Self {
            public_key,
            expires_at: draft.not_after,
            made_at: now,
            kind,
            // Not `from_der`: it reads the certificate with webpki, which refuses the quote's critical extension.
            certified: Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate)], key)),
        })
    }

    /// This one's key under another one's certificate, as a thief would present it.
    #[cfg(test)]
    pub(crate) fn under_stolen_certificate(self, victim: &Self) -> Self {
        let stolen = CertifiedKey::new(victim.certified.cert.clone(), Arc::clone(&self.certified.key));
        Self {
            certified: Arc::new(stolen),
            ..self
        }
    }

    pub(crate) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

// === impl Kind ===

impl Kind {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Option<Presented>, IdentityError> {
        match self {
            Self::Attested(attester) => attester
                .evidence(report_data, now)
                .map(Some)
                .map_err(IdentityError::Evidence),
            Self::Simulated | Self::Altered => Ok(Some(Presented {
                quote: report_data.to_vec(),
                collateral: None,
            })),
            Self::WithoutEvidence => Ok(None),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("kind", &self.kind)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

// === impl CurrentIdentity ===

impl CurrentIdentity {
    /// Starts with this one.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: watch::Sender::new(Arc::new(identity)),
            renewal: Arc::default(),
        }
    }

    /// Starts with evidence by this attester, made off the runtime's threads.
    ///
    /// # Errors
    /// As [`Identity::attested`].
    pub async fn attested(attester: Arc<dyn Attester>, now: u64) -> Result<Self, IdentityError> {
        in_background(move || Identity::attested(attester, now))
            .await
            .map(Self::new)
    }

    /// The identity of connections that begin now.
    pub fn get(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.borrow())
    }

    /// Sees every identity that comes: whoever keeps links should then have one that presents it.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Identity>> {
        self.identity.subscribe()
    }

    /// Connections that begin from now on present this one; running ones keep theirs.
    pub fn replace(&self, identity: Identity) {
        self.identity.send_replace(Arc::new(identity));
    }

    /// Replaces the identity by a fresh one of its kind if it is time to; says whether it was. The work is done off the
    /// runtime's threads: a quote takes up to seconds.
    ///
    /// # Errors
    /// [`IdentityError`] when the new one cannot be made; the old one stays.
    pub async fn renew_if_due(&self, now: u64) -> Result<bool, IdentityError> {
        if now < self.get().renew_at() {
            return Ok(false);
        }
        // One at a time: several links may find out together.
        let _turn = self.renewal.lock().await;
        let current = self.get();
        if now < current.renew_at() {
            return Ok(false);
        }
        self.replace(in_background(move || current.renewed(now)).await?);
        Ok(true)
    }

    /// Replaces the identity by a fresh one of its kind, due or not: what it presents beside its key has changed.
    ///
    /// # Errors
    /// As [`CurrentIdentity::renew_if_due`].
    pub async fn renew(&self, now: u64) -> Result<(), IdentityError> {
        let _turn = self.renewal.lock().await;
        let current = self.get();
        self.replace(in_background(move || current.renewed(now)).await?);
        Ok(())
    }
}

impl fmt::Debug for CurrentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentIdentity").field(&self.get()).finish()
    }
}

async fn in_background(
    make: impl FnOnce() -> Result<Identity, IdentityError> + Send + 'static,
) -> Result<Identity, IdentityError> {
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down; nothing that waits here will run again.
            Err(_) => std::future::pending().await,
        },
    }
}

impl From<Identity> for CurrentIdentity {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}

#[cfg(test)]
mod tests;
