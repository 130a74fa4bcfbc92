use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{
    chain::ChainError,
    ledger::{GetMethodError, LedgerError},
};

/// A call that was not done.
#[derive(Debug)]
pub(crate) struct CallError {
    status: StatusCode,
    message: String,
    /// An external message was refused, with this exit code if its code ran. Not toncenter's; our own client reads it.
    refused: Option<Option<i32>>,
}

/// An answer in toncenter's form.
pub(super) struct Envelope {
    status: StatusCode,
    pub(super) body: Map<String, Value>,
}

pub(super) fn envelope(result: Result<Value, CallError>) -> Envelope {
    match result {
        Ok(result) => Envelope {
            status: StatusCode::OK,
            body: Map::from_iter([("ok".into(), true.into()), ("result".into(), result)]),
        },
        Err(error) => {
            let mut body = Map::from_iter([
                ("ok".into(), false.into()),
                ("error".into(), error.message.into()),
                ("code".into(), error.status.as_u16().into()),
            ]);
            if let Some(exit_code) = error.refused {
                body.insert("refused".into(), json!({ "exit_code": exit_code }));
            }
            Envelope {
                status: error.status,
                body,
            }
        }
    }
}

// === impl Envelope ===

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        (self.status, Json(Value::Object(self.body))).into_response()
    }
}

// === impl CallError ===

impl CallError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            refused: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        envelope(Err(self)).into_response()
    }
}

impl From<ChainError> for CallError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Unreachable(message) => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
            ChainError::NotFound(message) => Self::unknown(message),
            ChainError::Invalid(message) => Self::invalid(message),
            // As toncenter words it, since tools look for these words.
            ChainError::Refused { exit_code, reason } => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                message: format!(
                    "LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not \
                     accepted: {reason}"
                ),
                refused: Some(exit_code),
            },
        }
    }
}

impl From<LedgerError> for CallError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotATestNetwork => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            LedgerError::FaucetEmpty | LedgerError::Clock => Self::invalid(error.to_string()),
            _ => ChainError::from(error).into(),
        }
    }
}

impl From<GetMethodError> for CallError {
    fn from(error: GetMethodError) -> Self {
        match error {
            GetMethodError::Chain(error) => error.into(),
            _ => Self::invalid(error.to_string()),
        }
    }
}
