use std::fmt;

/// Why a request was not served: the one list that the wire, the HTTP status and the OpenAI `code` come from.
///
/// The message beside it is for a person and never holds anything of a prompt or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The body is not JSON, or a member has the wrong type or value.
    InvalidRequest,
    /// A member that no engine of this network may receive (remote URLs, custom templates and the like).
    UnsupportedField,
    /// Prompt and limit do not fit the model's context.
    ContextTooLong,
    /// The body is larger than [`crate::MAX_BODY_BYTES`] or the configured limit.
    BodyTooLarge,
    /// No worker serves a model of this name.
    UnknownModel,
    /// The path does not exist.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The API key is missing or wrong.
    Unauthorized,
    /// Host or Origin is not one that this listener serves.
    Forbidden,
    /// The same idempotency key came with another body, or while the first is still running.
    IdempotencyConflict,
    /// Workers for the model exist, none at the tier that was asked for.
    TierUnavailable,
    /// Workers for the model exist, none within the price limit.
    PriceTooLow,
    /// The client's account, or the budget of its API key, does not cover what the request may cost.
    PaymentRequired,
    /// Nothing more can be secured on the chain just now: it stalls or cannot be reached.
    PaymentsUnavailable,
    /// All workers are busy and the waiting line is full.
    Busy,
    /// No proxy is reachable, or the proxy has no worker for the model just now.
    NoWorker,
    /// The deadline passed.
    Timeout,
    /// The caller went away.
    Cancelled,
    /// The engine failed or sent something that is not an answer.
    EngineFailed,
    /// The link to the worker broke.
    WorkerLost,
    /// The link to the proxy broke.
    ProxyLost,
    /// A peer broke the protocol.
    ProtocolViolation,
    /// The node is shutting down.
    Draining,
    /// A defect of ours.
    Internal,
}

/// A request that was not served: the fault and one sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of fault.
    pub fault: Fault,
    /// One sentence for a person; no content of the request.
    pub message: String,
    /// OpenAI's `error.param`: the member of the body that is meant. It does not travel on the wire; the message names it too.
    pub param: Option<&'static str>,
}

// === impl Fault ===

impl Fault {
    /// Every fault with its wire code (protocol 3), HTTP status, OpenAI `type` and OpenAI `code`.
    const TABLE: &'static [(Self, i32, u16, &'static str, &'static str)] = &[
        (
            Self::InvalidRequest,
            1,
            400,
            "invalid_request_error",
            "invalid_value",
        ),
        (
            Self::UnsupportedField,
            2,
            400,
            "invalid_request_error",
            "unsupported_parameter",
        ),
        (
            Self::ContextTooLong,
            3,
            400,
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            Self::BodyTooLarge,
            4,
            413,
            "invalid_request_error",
            "request_too_large",
        ),
        (
            Self::UnknownModel,
            5,
            404,
            "invalid_request_error",
            "model_not_found",
        ),
        (Self::NotFound, 6, 404, "invalid_request_error", "unknown_url"),
        (
            Self::MethodNotAllowed,
            7,
            405,
            "invalid_request_error",
            "method_not_allowed",
        ),
        (
            Self::Unauthorized,
            8,
            401,
            "authentication_error",
            "invalid_api_key",
        ),
        (Self::Forbidden, 9, 403, "permission_error", "forbidden_origin"),
        (
            Self::IdempotencyConflict,
            10,
            409,
            "invalid_request_error",
            "idempotency_conflict",
        ),
        (Self::TierUnavailable, 11, 503, "server_error", "tier_unavailable"),
        (Self::PriceTooLow, 12, 503, "server_error", "price_too_low"),
        (Self::Busy, 13, 503, "server_error", "workers_busy"),
        (Self::NoWorker, 14, 503, "server_error", "no_worker"),
        (Self::Timeout, 15, 504, "server_error", "timeout"),
        (Self::Cancelled, 16, 499, "server_error", "cancelled"),
        (Self::EngineFailed, 17, 502, "server_error", "engine_failed"),
        (Self::WorkerLost, 18, 502, "server_error", "worker_lost"),
        (Self::ProxyLost, 19, 502, "server_error", "proxy_lost"),
        (
            Self::ProtocolViolation,
            20,
            502,
            "server_error",
            "protocol_violation",
        ),
        (Self::Draining, 21, 503, "server_error", "shutting_down"),
        (
            Self::PaymentRequired,
            23,
            402,
            "billing_error",
            "insufficient_balance",
        ),
        (
            Self::PaymentsUnavailable,
            24,
            503,
            "server_error",
            "payments_unavailable",
        ),
        // The last row stands for a fault without one.
        (Self::Internal, 22, 500, "server_error", "internal_error"),
    ];

    fn row(self) -> &'static (Self, i32, u16, &'static str, &'static str) {
        // A fault without a row would be a defect of the table; the test below walks every variant.
        Self::TABLE
            .iter()
            .find(|row| row.0 == self)
            .unwrap_or(&Self::TABLE[Self::TABLE.len() - 1])
    }

    /// The code that protocol 3 carries.
    pub fn wire_code(self) -> i32 {
        self.row().1
    }

    /// The fault with this wire code; an unknown code (a newer peer) is [`Fault::Internal`].
    pub fn from_wire_code(code: i32) -> Self {
        Self::TABLE
            .iter()
            .find(|row| row.1 == code)
            .map_or(Self::Internal, |row| row.0)
    }

    /// The HTTP status that a caller of the gateway sees.
    pub fn http_status(self) -> u16 {
        self.row().2
    }

    /// OpenAI's `error.type`.
    pub fn openai_type(self) -> &'static str {
        self.row().3
    }

    /// OpenAI's `error.code`; also the value of the metrics label `fault`.
    pub fn code(self) -> &'static str {
        self.row().4
    }

    /// Whether the same request, before its first byte of answer, may be tried on another worker or proxy.
    pub fn is_retryable_elsewhere(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::NoWorker | Self::WorkerLost | Self::ProxyLost | Self::Draining
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal with a sentence of its own.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
            param: None,
        }
    }

    /// The same refusal, naming the member of the body that is meant.
    #[must_use]
    pub fn about(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.fault)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
