use std::fmt;

use serde::{Deserialize, Serialize};

/// A model's name as workers announce and callers ask for it.
///
/// The original's form is `name@commit:verity_hash`; callers ask for the part before `@` (spec/network.md 6.4).
/// Between 1 and 256 bytes of printable ASCII without quotes or backslash, so that it is safe in JSON, logs and headers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// The text is not a model name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelNameError {
    /// Empty, or nothing before the `@`.
    #[error("the model name is empty")]
    Empty,
    /// Over 256 bytes.
    #[error("the model name is longer than 256 bytes")]
    TooLong,
    /// Something else than printable ASCII, or a quote or backslash.
    #[error("the model name holds a character other than letters, digits and plain punctuation")]
    Character,
}

// === impl ModelName ===

impl ModelName {
    /// The most bytes that a name may have.
    pub const MAX_BYTES: usize = 256;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`ModelNameError`] says which rule is broken.
    pub fn new(name: impl Into<String>) -> Result<Self, ModelNameError> {
        let name = name.into();
        if name.is_empty() || name.starts_with('@') {
            return Err(ModelNameError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(ModelNameError::TooLong);
        }
        if name
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\\' | b'\''))
        {
            return Err(ModelNameError::Character);
        }
        Ok(Self(name))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that callers ask for: everything before the first `@`.
    pub fn base(&self) -> &str {
        self.0.split('@').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ModelName {
    type Error = ModelNameError;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl std::str::FromStr for ModelName {
    type Err = ModelNameError;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests;
