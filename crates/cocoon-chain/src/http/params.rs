use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cocoon_contracts::{Cell, boc};
use cocoon_types::Address;
use serde_json::{Map, Value};

use super::CallError;

/// The parameters of a call. Numbers may be written as text, as they are in a query.
pub(super) struct Params(Map<String, Value>);

// === impl Params ===

impl Params {
    pub(super) fn new(params: Map<String, Value>) -> Self {
        Self(params)
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, CallError> {
        self.value(name)
            .and_then(Value::as_str)
            .ok_or_else(|| CallError::invalid(format!("{name} must be text")))
    }

    pub(super) fn address(&self, name: &str) -> Result<Address, CallError> {
        let address = self.text(name)?.parse();
        address.map_err(|error| CallError::invalid(format!("{name}: {error}")))
    }

    pub(super) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, CallError> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(Value::Number(number)) => number.to_string().parse().ok(),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| CallError::invalid(format!("{name} must be a number in range")))?;
        Ok(Some(number))
    }

    pub(super) fn needed<N: FromStr>(&self, name: &str) -> Result<N, CallError> {
        self.number(name)?
            .ok_or_else(|| CallError::invalid(format!("{name} is missing")))
    }

    /// A hash in hex or base64.
    pub(super) fn hash(&self, name: &str) -> Result<Option<[u8; 32]>, CallError> {
        if self.value(name).is_none() {
            return Ok(None);
        }
        let text = self.text(name)?;
        let bytes = match text.len() {
            64 => hex::decode(text).ok(),
            _ => STANDARD.decode(text).ok(),
        };
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        let hash =
            hash.ok_or_else(|| CallError::invalid(format!("{name} must be a hash in hex or base64")))?;
        Ok(Some(hash))
    }

    pub(super) fn cell(&self, name: &str) -> Result<Cell, CallError> {
        cell(self.text(name)?).map_err(|error| CallError::invalid(format!("{name}: {error}")))
    }
}

/// A bag of cells in base64, standard or for URLs.
pub(super) fn cell(text: &str) -> Result<Cell, String> {
    let text = text.replace('-', "+").replace('_', "/");
    let bytes = STANDARD.decode(text).map_err(|_| "not base64".to_owned())?;
    boc::decode(&bytes).map_err(|error| error.to_string())
}
