//! One file over HTTP, continued where it stopped.
//!
//! Beside the partial file stands a sidecar that says which address and which version of the file its bytes are
//! of. A continued download asks with `Range` and `If-Range`; whatever the server then does (whole file, another
//! version, wrong range), the partial file either goes on rightly or starts anew. The caller checks the digest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::settings::Limits;
use crate::{Sha256, disk};

/// Why a source did not deliver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Name not known, refused, no answer in time, or a certificate that is not trusted.
    #[error("could not connect ({0})")]
    Connect(String),
    #[error("answered with HTTP status {0}")]
    Status(u16),
    #[error("redirects without end, or from https to http")]
    Redirects,
    #[error("stopped sending")]
    Stalled,
    #[error("the connection broke ({0})")]
    Cut(String),
    #[error("sent {got} bytes and ended; the file has {expected}")]
    Short { got: u64, expected: u64 },
    #[error("offers a file of {offered} bytes; the right one has {expected}")]
    WrongLength { expected: u64, offered: u64 },
    #[error("sends more than the {limit} bytes that the file may have")]
    TooLong { limit: u64 },
    #[error("does not say how long the file is")]
    NoLength,
    #[error("sent a file with the wrong digest: expected {expected}, got {found}; it was removed")]
    WrongDigest { expected: Sha256, found: Sha256 },
    /// The package index or what it says.
    #[error("the package index cannot be used: {0}")]
    Index(&'static str),
    #[error("the package index has no wheel of {name} {version}")]
    NoWheel { name: String, version: String },
    #[error("the wheel has no file {0}")]
    NoMember(String),
    #[error("the wheel is damaged: {0}")]
    BadWheel(String),
    #[error("no certificate roots: {0}")]
    Certificates(String),
    /// Not the source's fault; ends the pull.
    #[error("the disk is too small: {needed} bytes are needed, {free} are free")]
    NoRoom { needed: u64, free: u64 },
    /// Not the source's fault; ends the pull.
    #[error("{} cannot be written", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
}

/// How many bytes a file may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// Exactly so many.
    Exactly(u64),
    /// At most so many; the server says how many.
    AtMost(u64),
}

/// What to fetch, and to where.
#[derive(Debug)]
pub(crate) struct Fetch<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: &'a Url,
    /// The partial file; `path + ".json"` is its sidecar.
    pub(crate) path: &'a Path,
    pub(crate) size: Size,
    pub(crate) limits: &'a Limits,
}

/// What a fetch tells its caller on the way.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Bytes { done: u64, total: Option<u64> },
    Unpacking { done: u64 },
    Retrying(&'a SourceError),
}

pub(crate) type OnStep<'a> = &'a mut (dyn FnMut(Step<'_>) + Send);

/// What the bytes of a partial file are of.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sidecar {
    /// Digest of the address; the address itself may hold a secret.
    address: String,
    etag: Option<String>,
    total: Option<u64>,
}

/// Attempts in a row without progress after which a source is given up.
const FRUITLESS: u32 = 3;
/// Attempts altogether: a line that breaks every few megabytes still gets a large model through.
const ATTEMPTS: u32 = 200;
/// Bytes that make an attempt count as progress.
const PROGRESS: u64 = 64 * 1024;
/// Bytes that are gathered before they are written.
const BUFFER: usize = 1024 * 1024;
/// Largest sidecar that is read, in bytes.
const MAX_SIDECAR: u64 = 16 * 1024;
/// Longest pause between attempts.
const MAX_PAUSE: Duration = Duration::from_secs(8);

// === impl Fetch ===

impl Fetch<'_> {
    /// Fetches the file. True when it began with bytes of an earlier attempt, so that a wrong digest may be an old
    /// version's fault and one more try from the start is worth it.
    pub(crate) async fn run(&self, on: OnStep<'_>) -> Result<bool, SourceError> {
        let resumed = self.have() > 0;
        let mut fruitless = 0;
        let mut gained_ever = false;
        for attempt in 1.. {
            let before = self.have();
            let error = match self.attempt(on).await {
                Ok(()) => return Ok(resumed),
                Err(error) => error,
            };
            let gained = self.have().saturating_sub(before) >= PROGRESS;
            gained_ever |= gained;
            fruitless = if gained { 0 } else { fruitless + 1 };
            if !error.may_pass(gained, gained_ever) || fruitless >= FRUITLESS || attempt >= ATTEMPTS {
                return Err(error);
            }
            on(Step::Retrying(&error));
            let pause = self
                .limits
                .pause
                .saturating_mul(1 << fruitless.min(4))
                .min(MAX_PAUSE);
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
        Err(SourceError::Stalled)
    }

    /// Removes the partial file and its sidecar.
    pub(crate) fn forget(path: &Path) {
        let _ = std::fs::remove_file(path);
        let _ = std::fs::remove_file(sidecar_path(path));
    }

    /// Bytes of this very address that are on disk already.
    fn have(&self) -> u64 {
        match self.sidecar() {
            Some(sidecar) if sidecar.address == self.address() => {
                std::fs::metadata(self.path).map_or(0, |data| data.len())
            }
            _ => 0,
        }
    }

    async fn attempt(&self, on: OnStep<'_>) -> Result<(), SourceError> {
        let have = self.have();
        let sidecar = self.sidecar().unwrap_or_default();
        let whole = match self.size {
            Size::Exactly(size) => Some(size),
            Size::AtMost(_) => sidecar.total,
        };
        if have > 0 && whole == Some(have) {
            return Ok(());
        }
        let have = if whole.is_some_and(|whole| have > whole) {
            0
        } else {
            have
        };

        let mut request = self
            .client
            .get(self.url.clone())
            .header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
            if let Some(etag) = sidecar.etag.as_deref().filter(|etag| strong(etag)) {
                request = request.header(header::IF_RANGE, etag);
            }
        }
        let response = match tokio::time::timeout(self.limits.stall, request.send()).await {
            Ok(response) => response.map_err(|error| SourceError::from_client(&error))?,
            Err(_) => return Err(SourceError::Stalled),
        };
        let etag = text_of(response.headers(), &header::ETAG);
        let (start, total) = match response.status() {
            StatusCode::OK => (0, response.content_length()),
            StatusCode::PARTIAL_CONTENT if have > 0 => {
                let changed = sidecar.etag.is_some() && etag.is_some() && sidecar.etag != etag;
                match content_range(response.headers()) {
                    Some((start, total)) if start == have && !changed => (have, Some(total)),
                    _ => return Err(self.start_anew("it continued at the wrong place")),
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                return Err(self.start_anew("it could not continue"));
            }
            other => return Err(SourceError::Status(other.as_u16())),
        };
        self.check_total(start, total)?;
        self.save(&Sidecar {
            address: self.address(),
            etag,
            total,
        })?;
        self.receive(response, start, total, on).await
    }

    fn check_total(&self, start: u64, total: Option<u64>) -> Result<(), SourceError> {
        match (self.size, total) {
            (Size::Exactly(expected), Some(offered)) if offered != expected => {
                return Err(SourceError::WrongLength { expected, offered });
            }
            (Size::AtMost(limit), Some(offered)) if offered > limit => {
                return Err(SourceError::TooLong { limit });
            }
            (Size::AtMost(_), None) => return Err(SourceError::NoLength),
            _ => {}
        }
        let dir = self.path.parent().unwrap_or(self.path);
        let rest = total.or(self.size.exact()).unwrap_or(0).saturating_sub(start);
        disk::room_for(dir, rest).map_err(|no| SourceError::NoRoom {
            needed: no.needed,
            free: no.free,
        })
    }

    async fn receive(
        &self,
        mut response: Response,
        start: u64,
        total: Option<u64>,
        on: OnStep<'_>,
    ) -> Result<(), SourceError> {
        let fault = |source| disk_fault(self.path, source);
        let mut options = tokio::fs::OpenOptions::new();
        options
            .create(true)
            .append(start > 0)
            .write(true)
            .truncate(start == 0);
        let file = options.open(self.path).await.map_err(fault)?;
        let mut file = tokio::io::BufWriter::with_capacity(BUFFER, file);
        let total = total.or(self.size.exact());
        let mut done = start;
        on(Step::Bytes { done, total });
        let mut window = Window::new(self.limits);
        let end = loop {
            let piece = match tokio::time::timeout_at(window.deadline, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => break Ok(()),
                Ok(Err(error)) => break Err(SourceError::from_client(&error)),
                Err(_) => break Err(SourceError::Stalled),
            };
            done += piece.len() as u64;
            if done > self.size.limit() {
                break Err(SourceError::TooLong {
                    limit: self.size.limit(),
                });
            }
            if let Err(error) = file.write_all(&piece).await {
                break Err(fault(error));
            }
            if !window.goes_on(piece.len() as u64) {
                break Err(SourceError::Stalled);
            }
            on(Step::Bytes { done, total });
        };
        // What arrived is kept whatever happened: the next attempt goes on from there.
        let flushed = file.flush().await.map_err(fault);
        if matches!(end, Err(SourceError::TooLong { .. })) {
            Self::forget(self.path);
        }
        end?;
        flushed?;
        match total {
            Some(expected) if done != expected => Err(SourceError::Short { got: done, expected }),
            _ => Ok(()),
        }
    }

    fn start_anew(&self, why: &str) -> SourceError {
        Self::forget(self.path);
        SourceError::Cut(why.into())
    }

    fn address(&self) -> String {
        Sha256::of(self.url.as_str().as_bytes()).to_string()
    }

    fn sidecar(&self) -> Option<Sidecar> {
        let path = sidecar_path(self.path);
        let small = std::fs::metadata(&path).is_ok_and(|data| data.len() <= MAX_SIDECAR);
        small
            .then(|| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
            .flatten()
    }

    fn save(&self, sidecar: &Sidecar) -> Result<(), SourceError> {
        if self.sidecar().as_ref() == Some(sidecar) {
            return Ok(());
        }
        let path = sidecar_path(self.path);
        let text = serde_json::to_vec(sidecar).expect("invariant: a struct of texts and numbers is JSON");
        std::fs::write(&path, text).map_err(|source| disk_fault(&path, source))
    }
}

// === impl Size ===

impl Size {
    pub(crate) fn limit(self) -> u64 {
        match self {
            Self::Exactly(size) | Self::AtMost(size) => size,
        }
    }

    fn exact(self) -> Option<u64> {
        match self {
            Self::Exactly(size) => Some(size),
            Self::AtMost(_) => None,
        }
    }
}

// === impl SourceError ===

impl SourceError {
    /// True when the same source may do better a moment later.
    fn may_pass(&self, gained: bool, gained_ever: bool) -> bool {
        match self {
            Self::Cut(_) | Self::Short { .. } => true,
            Self::Status(code) => matches!(code, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Stalled => gained,
            Self::Connect(_) => gained_ever,
            _ => false,
        }
    }

    /// True when no other source could help.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Disk { .. })
    }
}

/// A write that failed: for want of room, or otherwise.
pub(crate) fn disk_fault(path: &Path, source: std::io::Error) -> SourceError {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            let free = path.parent().and_then(disk::free).unwrap_or(0);
            SourceError::NoRoom {
                needed: free.saturating_add(1),
                free,
            }
        }
        _ => SourceError::Disk {
            path: path.into(),
            source,
        },
    }
}

/// Watches that bytes come at a decent rate.
struct Window {
    deadline: Instant,
    bytes: u64,
    length: Duration,
    least: u64,
}

impl Window {
    fn new(limits: &Limits) -> Self {
        let (length, least) = (limits.stall, limits.stall_bytes);
        Self {
            deadline: Instant::now() + length,
            bytes: 0,
            length,
            least,
        }
    }

    /// False when the window that ends now brought too little.
    fn goes_on(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        if self.bytes >= self.least {
            self.deadline = Instant::now() + self.length;
            self.bytes = 0;
        }
        Instant::now() < self.deadline
    }
}

fn sidecar_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn strong(etag: &str) -> bool {
    etag.starts_with('"') && etag.len() <= 512 && HeaderValue::from_str(etag).is_ok()
}

fn text_of(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 512).then(|| value.to_owned())
}

/// `bytes FIRST-LAST/TOTAL` as (first, total).
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, total))
}
