//! The HTTP client: bounded answers, a deadline, a few attempts.

use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::tdx::{Collateral, CollateralParts, PlatformId};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::wire::{self, MAX_BODY, Part};
use super::{CollateralOptions, CollateralServiceError, FetchError, INTEL_PCS};

/// Where Intel publishes the root's revocation list; its service for the rest does not have it.
const INTEL_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// Longest pause between attempts.
const MAX_PAUSE: Duration = Duration::from_secs(8);

const AGENT: &str = concat!("cocoon/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct Source {
    client: Client,
    base: Url,
    root_crl: Url,
    deadline: Duration,
    attempts: u32,
    pause: Duration,
}

/// What came for one question.
struct Answer {
    chain: String,
    body: Vec<u8>,
}

// === impl Source ===

impl Source {
    pub(super) fn new(options: &CollateralOptions) -> Result<Self, CollateralServiceError> {
        let base = format!("{}/", options.url.trim_end_matches('/'));
        let root_crl = match &options.root_crl_url {
            Some(url) => url.clone(),
            None if options.url.trim_end_matches('/') == INTEL_PCS => INTEL_ROOT_CRL.to_owned(),
            None => format!("{base}sgx/certification/v4/rootcacrl"),
        };
        Ok(Self {
            client: client(options)?,
            base: address(&base)?,
            root_crl: address(&root_crl)?,
            deadline: options.deadline,
            attempts: options.attempts.max(1),
            pause: options.pause,
        })
    }

    /// The four answers, put together. Nothing is verified.
    pub(super) async fn fetch(&self, platform: PlatformId) -> Result<Collateral, FetchError> {
        let pck_crl = self.ask(Part::PckCrl, platform).await?;
        let tcb_info = self.ask(Part::TcbInfo, platform).await?;
        let qe_identity = self.ask(Part::QeIdentity, platform).await?;
        let root_crl = self.ask(Part::RootCrl, platform).await?;
        let tcb_text = wire::signed_text(&tcb_info.body, Part::TcbInfo)?;
        let qe_text = wire::signed_text(&qe_identity.body, Part::QeIdentity)?;
        Ok(Collateral::new(CollateralParts {
            pck_crl_issuer_chain: pck_crl.chain,
            root_ca_crl: wire::list(root_crl.body),
            pck_crl: wire::list(pck_crl.body),
            tcb_info_issuer_chain: tcb_info.chain,
            tcb_info: tcb_text.text,
            tcb_info_signature: tcb_text.signature,
            qe_identity_issuer_chain: qe_identity.chain,
            qe_identity: qe_text.text,
            qe_identity_signature: qe_text.signature,
            pck_certificate_chain: None,
        })?)
    }

    /// One question, asked again when that may help.
    async fn ask(&self, part: Part, platform: PlatformId) -> Result<Answer, FetchError> {
        let url = match part {
            Part::RootCrl => self.root_crl.clone(),
            _ => {
                let joined = self.base.join(&part.path(platform));
                joined.map_err(|_| FetchError::Form(part.name()))?
            }
        };
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let once = tokio::time::timeout(self.deadline, self.ask_once(part, url.clone()));
            let error = match once.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => FetchError::Cut {
                    part: part.name(),
                    reason: "no answer in time".to_owned(),
                },
            };
            if attempt >= self.attempts || !error.may_pass() {
                return Err(error);
            }
            attempt += 1;
            // Half of it by chance: machines that started together do not ask together.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    async fn ask_once(&self, part: Part, url: Url) -> Result<Answer, FetchError> {
        let cut = |error: &reqwest::Error| FetchError::Cut {
            part: part.name(),
            reason: innermost(error),
        };
        let sent = self.client.get(url).send().await;
        let mut response = sent.map_err(|error| {
            if error.is_connect() {
                FetchError::Connect(innermost(&error))
            } else {
                cut(&error)
            }
        })?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status {
                part: part.name(),
                status: response.status().as_u16(),
            });
        }
        let headers = response.headers();
        let names = part.chain_headers();
        let chain = match names.iter().find_map(|name| headers.get(*name)) {
            Some(value) => wire::chain(value.as_bytes(), part)?,
            None if names.is_empty() => String::new(),
            None => return Err(FetchError::Form(part.name())),
        };
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| cut(&error))? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(FetchError::TooLarge(part.name()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { chain, body })
    }
}

fn address(text: &str) -> Result<Url, CollateralServiceError> {
    let refused = || CollateralServiceError::Url(without_password(text));
    let url = Url::parse(text).map_err(|_| refused())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(refused())
    }
}

/// What stands before an `@` may be a secret.
fn without_password(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().to_owned()
}

/// Trusts the roots of this machine. Redirects are not followed: no service of Intel's sends any.
fn client(options: &CollateralOptions) -> Result<Client, CollateralServiceError> {
    let fault = |error: rustls::Error| CollateralServiceError::Certificates(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(fault)?;
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(AGENT)
        .connect_timeout(options.connect)
        .redirect(Policy::none())
        .build()
        .map_err(|error| CollateralServiceError::Certificates(innermost(&error)))
}

/// The operating system's or the TLS library's word, which names no address.
fn innermost(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if std::ptr::addr_eq(inner, error) {
        return "the exchange failed".to_owned();
    }
    inner.to_string().chars().take(200).collect()
}
