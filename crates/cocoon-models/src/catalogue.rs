//! The list of known models: built in, and extended by a file of the user's own.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Sha256, Source};

/// Known models, in the order of their files; the user's own come first.
#[derive(Clone, Debug)]
pub struct Catalogue {
    models: Vec<ModelEntry>,
    default: String,
}

/// One model: what it is, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Name that people type: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// SPDX expression, or the name of the licence.
    pub licence: String,
    /// Size of the file in bytes; `None` for a model that was named by address.
    pub size: Option<u64>,
    /// Digest of the file. Decides.
    pub sha256: Sha256,
    /// Tokens that the model was trained for; `None` where nobody said.
    pub context_length: Option<u32>,
    /// Whether the file holds a chat template.
    pub chat: bool,
    /// Where to get it, in order.
    pub sources: Vec<Source>,
}

/// What a name, path or address stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// A model that a [`crate::Store`] fetches and checks.
    Entry(Box<ModelEntry>),
    /// A file of the user's own; nobody checks its digest.
    File(PathBuf),
}

/// A catalogue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the catalogue {} cannot be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the catalogue is larger than {MAX_FILE} bytes")]
    TooLarge,
    #[error("the catalogue is not valid: {0}")]
    Syntax(String),
    #[error("the catalogue lists more than {MAX_MODELS} models")]
    TooManyModels,
    #[error("model `{model}`: {reason}")]
    Model { model: String, reason: String },
    #[error("two models are called `{0}`")]
    Twice(String),
    #[error("two models are marked as the default")]
    TwoDefaults,
}

/// The text names no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("there is no model called `{name}`; known are {known}")]
    Unknown { name: String, known: String },
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    #[error("an address needs the digest of its file: ADDRESS#sha256=HEX")]
    NoDigest,
    #[error("the digest after #sha256= is not 64 hexadecimal digits")]
    Digest,
    #[error("the address cannot be used: {0}")]
    Source(#[from] crate::SourceSyntaxError),
}

/// Largest catalogue file in bytes: some thousand models.
const MAX_FILE: u64 = 1024 * 1024;
/// Most models: a list for people.
const MAX_MODELS: usize = 1000;
/// Most sources of one model: each costs a failed connection.
const MAX_SOURCES: usize = 16;
/// Longest name: it becomes part of a file name, which may have 255 bytes with what is added to it.
const MAX_NAME: usize = 100;
/// Longest line for people.
const MAX_TEXT: usize = 300;
/// Largest model file in bytes, 1 TiB: beyond it the number is a mistake.
const MAX_SIZE: u64 = 1 << 40;

const BUILT_IN: &str = include_str!("catalogue.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    #[serde(default)]
    model: Vec<RawModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    name: String,
    #[serde(default)]
    title: String,
    licence: String,
    size: u64,
    sha256: String,
    #[serde(default)]
    context_length: Option<u32>,
    #[serde(default)]
    chat: bool,
    #[serde(default)]
    default: bool,
    sources: Vec<String>,
}

// === impl Catalogue ===

impl Catalogue {
    /// The models that this build knows.
    pub fn built_in() -> Self {
        let (models, default) = parse(BUILT_IN).expect("invariant: a test parses the built-in catalogue");
        let default = default.expect("invariant: a test finds a default in the built-in catalogue");
        Self { models, default }
    }

    /// The built-in models and those of `path`. A model of the file takes the place of a built-in one of the same
    /// name, and a default of the file the place of the built-in default.
    ///
    /// # Errors
    /// [`CatalogueError`] when the file cannot be read or says something that it may not.
    pub fn with_file(path: &Path) -> Result<Self, CatalogueError> {
        let fault = |source| CatalogueError::Read {
            path: path.into(),
            source,
        };
        if std::fs::metadata(path).map_err(fault)?.len() > MAX_FILE {
            return Err(CatalogueError::TooLarge);
        }
        Self::with_text(&std::fs::read_to_string(path).map_err(fault)?)
    }

    /// The same from text.
    ///
    /// # Errors
    /// [`CatalogueError`] as above.
    pub fn with_text(text: &str) -> Result<Self, CatalogueError> {
        if text.len() as u64 > MAX_FILE {
            return Err(CatalogueError::TooLarge);
        }
        let (mut models, default) = parse(text)?;
        let built_in = Self::built_in();
        let own = models.len();
        for model in built_in.models {
            if !models.iter().take(own).any(|mine| same(&mine.name, &model.name)) {
                models.push(model);
            }
        }
        Ok(Self {
            models,
            default: default.unwrap_or(built_in.default),
        })
    }

    /// All models.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The model that is used when nobody names one.
    pub fn default_model(&self) -> &ModelEntry {
        self.find(&self.default)
            .expect("invariant: the default is one of the models")
    }

    /// The model of this name; upper and lower case are the same.
    pub fn find(&self, name: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|model| same(&model.name, name))
    }

    /// What `text` stands for: a name of this catalogue, a path of a file, or a source with a digest behind it
    /// (`https://host/x.gguf#sha256=HEX`, `pypi:NAME==VERSION!PATH#sha256=HEX`).
    ///
    /// # Errors
    /// [`ResolveError`] says what is missing.
    pub fn resolve(&self, text: &str) -> Result<Model, ResolveError> {
        if let Some(model) = self.find(text) {
            return Ok(Model::Entry(Box::new(model.clone())));
        }
        if ["https://", "http://", "pypi:"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return by_address(text).map(|entry| Model::Entry(Box::new(entry)));
        }
        let path = Path::new(text);
        if path.is_file() {
            return Ok(Model::File(path.into()));
        }
        if text.contains('/') || text.ends_with(".gguf") {
            return Err(ResolveError::NoFile(path.into()));
        }
        let known: Vec<_> = self.models.iter().map(|model| model.name.as_str()).collect();
        Err(ResolveError::Unknown {
            name: shown(text),
            known: known.join(", "),
        })
    }
}

fn by_address(text: &str) -> Result<ModelEntry, ResolveError> {
    let (address, digest) = text.rsplit_once("#sha256=").ok_or(ResolveError::NoDigest)?;
    let sha256: Sha256 = digest.parse().map_err(|_| ResolveError::Digest)?;
    let source: Source = address.parse()?;
    let path = match &source {
        Source::Web(url) => url.path(),
        Source::Package(parts) => parts.first().map_or("", |part| part.path.as_str()),
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".gguf").unwrap_or(file);
    let mut name: String = stem
        .chars()
        .filter(|&c| name_character(c))
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .collect();
    name.truncate(MAX_NAME);
    if name.is_empty() {
        name = "model".into();
    }
    Ok(ModelEntry {
        name,
        title: source.to_string(),
        licence: "not stated".into(),
        size: None,
        sha256,
        context_length: None,
        chat: false,
        sources: vec![source],
    })
}

/// The models of one file in order, and the name of the one marked as default.
fn parse(text: &str) -> Result<(Vec<ModelEntry>, Option<String>), CatalogueError> {
    let raw: RawCatalogue = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let place = line.map_or(String::new(), |line| format!("line {line}: "));
        CatalogueError::Syntax(format!("{place}{}", error.message()))
    })?;
    if raw.model.len() > MAX_MODELS {
        return Err(CatalogueError::TooManyModels);
    }
    let mut models: Vec<ModelEntry> = Vec::with_capacity(raw.model.len());
    let mut default = None;
    for model in raw.model {
        if models.iter().any(|other| same(&other.name, &model.name)) {
            return Err(CatalogueError::Twice(shown(&model.name)));
        }
        if model.default && default.replace(model.name.clone()).is_some() {
            return Err(CatalogueError::TwoDefaults);
        }
        let name = shown(&model.name);
        models.push(entry(model).map_err(|reason| CatalogueError::Model { model: name, reason })?);
    }
    Ok((models, default))
}

fn entry(raw: RawModel) -> Result<ModelEntry, String> {
    let named = raw.name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !named || raw.name.len() > MAX_NAME || !raw.name.chars().all(name_character) {
        return Err(format!(
            "a name has 1 to {MAX_NAME} letters, digits, `.`, `_` or `-`, a letter or digit first"
        ));
    }
    for (what, text) in [("title", &raw.title), ("licence", &raw.licence)] {
        if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(format!("the {what} is one line of at most {MAX_TEXT} bytes"));
        }
    }
    if raw.licence.is_empty() {
        return Err("the licence is missing".into());
    }
    if raw.size == 0 || raw.size > MAX_SIZE {
        return Err(format!("the size is between 1 and {MAX_SIZE} bytes"));
    }
    if raw.sources.is_empty() || raw.sources.len() > MAX_SOURCES {
        return Err(format!("a model has 1 to {MAX_SOURCES} sources"));
    }
    let sha256 = raw
        .sha256
        .parse()
        .map_err(|error: crate::Sha256Error| error.to_string())?;
    let mut sources = Vec::with_capacity(raw.sources.len());
    for (index, text) in raw.sources.iter().enumerate() {
        sources.push(
            text.parse()
                .map_err(|error| format!("source {}: {error}", index + 1))?,
        );
    }
    Ok(ModelEntry {
        name: raw.name,
        title: raw.title,
        licence: raw.licence,
        size: Some(raw.size),
        sha256,
        context_length: raw.context_length,
        chat: raw.chat,
        sources,
    })
}

fn name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Somebody's text, cut and cleaned for a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests;
