use std::fmt;

use bytes::Bytes;
use cocoon_types::Fault;
use serde_json::json;

/// A request that is not served: fault, the member at fault, one sentence for the caller.
///
/// The sentence may name a member of the body, so `Debug` and `Display` leave it out; only [`Self::to_body`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) fault: Fault,
    pub(crate) param: Option<String>,
    message: String,
}

// === impl Problem ===

impl Problem {
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            param: None,
            message: message.into(),
        }
    }

    /// A member with a wrong value.
    pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::InvalidRequest, message).at(param)
    }

    /// A member that this engine does not serve.
    pub(crate) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::UnsupportedField, message).at(param)
    }

    /// A defect of ours or of llama.cpp.
    pub(crate) fn internal() -> Self {
        Self::new(Fault::EngineFailed, "the engine could not compute the answer")
    }

    fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// HTTP status. What the network calls a failed engine (502) is the engine's own 500.
    pub(crate) fn status(&self) -> u16 {
        match self.fault {
            Fault::EngineFailed => 500,
            fault => fault.http_status(),
        }
    }

    fn to_value(&self) -> serde_json::Value {
        json!({"error": {
            "message": self.message,
            "type": self.fault.openai_type(),
            "param": self.param,
            "code": self.fault.code(),
        }})
    }

    /// The body of an error answer.
    pub(crate) fn to_body(&self) -> Bytes {
        self.to_value().to_string().into()
    }

    /// The event that ends a stream which had begun; no `[DONE]` follows it.
    pub(crate) fn to_event(&self) -> Bytes {
        format!("data: {}\n\n", self.to_value()).into()
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)
    }
}
