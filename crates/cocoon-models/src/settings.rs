//! What this machine says about caches and package indexes.
//!
//! The package index is the one that the user's pip uses: `PIP_INDEX_URL` and `PIP_EXTRA_INDEX_URL`, else pip's
//! configuration files in pip's order, else PyPI. pip's `cert` is honoured. What pip has and this has not: netrc,
//! client certificates, `find-links`, index addresses other than `http` and `https`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

pub(crate) mod ini;

/// How a [`crate::Store`] reaches the world.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Package indexes for `pypi:` sources.
    pub indexes: Indexes,
    /// Deadlines and bounds.
    pub limits: Limits,
}

/// The user's package indexes, asked in order. An empty list means that pip was told to use none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Addresses of "simple" indexes. May hold a name and password.
    pub urls: Vec<Url>,
    /// Further certificate roots for these indexes, a PEM file.
    pub certificates: Option<PathBuf>,
}

/// Deadlines and bounds of a download.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection to stand, TLS included.
    pub connect: Duration,
    /// A stream that brings less than [`Limits::stall_bytes`] in this time has stalled; so has one that does not answer.
    pub stall: Duration,
    /// See [`Limits::stall`].
    pub stall_bytes: u64,
    /// For one page of a package index.
    pub page: Duration,
    /// First pause before a source is asked again; doubles each time.
    pub pause: Duration,
    /// How long to wait for another process that fetches the same model.
    pub wait_for_other: Duration,
}

/// There is no directory to keep models in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither COCOON_CACHE nor XDG_CACHE_HOME nor HOME is set")]
pub struct NoHome;

/// Looks a variable of the environment up.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where everybody's packages are.
const PYPI: &str = "https://pypi.org/simple";
/// Largest pip configuration file that is read, in bytes; real ones have a few lines.
const MAX_CONFIGURATION: u64 = 1024 * 1024;
/// Most indexes that are asked.
const MAX_INDEXES: usize = 16;

// === impl Settings ===

impl Settings {
    /// As this process finds them.
    pub fn of_process() -> Self {
        let global = [PathBuf::from("/etc/pip.conf")];
        Self {
            indexes: Indexes::find(&variable, &global),
            limits: Limits::default(),
        }
    }
}

/// `$COCOON_CACHE/models`, `$XDG_CACHE_HOME/cocoon/models` or `~/.cache/cocoon/models`.
///
/// # Errors
/// [`NoHome`] when none of the three variables is set.
pub fn default_dir() -> Result<PathBuf, NoHome> {
    dir_from(&variable)
}

fn dir_from(lookup: Lookup<'_>) -> Result<PathBuf, NoHome> {
    if let Some(own) = lookup("COCOON_CACHE") {
        return Ok(Path::new(&own).join("models"));
    }
    // The XDG specification tells to ignore a relative path.
    let xdg = lookup("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = xdg
        .or_else(|| Some(Path::new(&lookup("HOME")?).join(".cache")))
        .ok_or(NoHome)?;
    Ok(cache.join("cocoon").join("models"))
}

/// Empty counts as unset, as pip and XDG have it.
fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "pip and XDG define these variables; no Options could carry them"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

// === impl Indexes ===

impl Indexes {
    /// Reads pip's configuration: files first, variables over them.
    fn find(lookup: Lookup<'_>, global: &[PathBuf]) -> Self {
        let mut options = ini::Options::default();
        for path in files(lookup, global) {
            let small =
                std::fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= MAX_CONFIGURATION);
            if let Some(text) = small.then(|| std::fs::read_to_string(&path).ok()).flatten() {
                options.read(&text);
            }
        }
        for (variable, option) in [
            ("PIP_INDEX_URL", "index-url"),
            ("PIP_EXTRA_INDEX_URL", "extra-index-url"),
            ("PIP_NO_INDEX", "no-index"),
            ("PIP_CERT", "cert"),
        ] {
            if let Some(value) = lookup(variable) {
                options.set(option, value);
            }
        }
        let certificates = options.get("cert").map(PathBuf::from);
        if options
            .get("no-index")
            .is_some_and(|value| matches!(value, "1" | "true" | "yes" | "on" | "True"))
        {
            return Self {
                urls: Vec::new(),
                certificates,
            };
        }
        let main = options.get("index-url").unwrap_or(PYPI);
        let extra = options.get("extra-index-url").unwrap_or_default();
        let urls = std::iter::once(main)
            .chain(extra.split_whitespace())
            .filter_map(index)
            .take(MAX_INDEXES);
        Self {
            urls: urls.collect(),
            certificates,
        }
    }

    /// Only these, whatever the machine says. For tests and for callers with settings of their own.
    pub fn only(urls: impl IntoIterator<Item = Url>) -> Self {
        Self {
            urls: urls.into_iter().map(with_slash).collect(),
            certificates: None,
        }
    }
}

/// Addresses may hold passwords, so only hosts are shown.
impl std::fmt::Debug for Indexes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<_> = self.urls.iter().filter_map(Url::host_str).collect();
        f.debug_struct("Indexes")
            .field("hosts", &hosts)
            .field("certificates", &self.certificates)
            .finish()
    }
}

fn index(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| with_slash(url))
}

/// So that joining a project's name adds to the path instead of replacing its last part.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// pip's configuration files, weakest first (pip's documentation, "Configuration").
fn files(lookup: Lookup<'_>, global: &[PathBuf]) -> Vec<PathBuf> {
    let named = lookup("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let mut files = Vec::new();
    for dir in lookup("XDG_CONFIG_DIRS")
        .unwrap_or_default()
        .split(':')
        .filter(|dir| !dir.is_empty())
    {
        files.push(Path::new(dir).join("pip/pip.conf"));
    }
    files.extend_from_slice(global);
    if !named.as_deref().is_some_and(Path::exists) {
        if let Some(home) = lookup("HOME").map(PathBuf::from) {
            files.push(home.join(".pip/pip.conf"));
            if cfg!(target_os = "macos") {
                files.push(home.join("Library/Application Support/pip/pip.conf"));
            }
            if lookup("XDG_CONFIG_HOME").is_none() {
                files.push(home.join(".config/pip/pip.conf"));
            }
        }
        files.extend(lookup("XDG_CONFIG_HOME").map(|dir| Path::new(&dir).join("pip/pip.conf")));
    }
    files.extend(lookup("VIRTUAL_ENV").map(|dir| Path::new(&dir).join("pip.conf")));
    files.extend(named);
    files
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Long enough for a far host on a slow line, short enough that an unreachable hub is no annoyance.
            connect: Duration::from_secs(5),
            // A person gives up on a stuck download at about this time; a slow line still brings 1 KiB a second.
            stall: Duration::from_secs(30),
            stall_bytes: 32 * 1024,
            page: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            // The largest model of the catalogue over 2 Mbit/s.
            wait_for_other: Duration::from_secs(6 * 3600),
        }
    }
}

#[cfg(test)]
mod tests;
