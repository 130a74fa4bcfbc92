//! Our faults as the original's codes (spec/network.md 0), and back.

use cocoon_tl::TlString;
use cocoon_types::{Fault, Refusal};

/// An ordinary refusal.
const ERROR: i32 = 602;
/// Malformed or disallowed input.
const VIOLATION: i32 = 621;
/// Not now.
const NOT_READY: i32 = 651;
/// Any deadline.
const TIMEOUT: i32 = 652;
/// Given up.
const CANCELLED: i32 = 653;
/// Most bytes of a peer's own words that go on.
const WORDS: usize = 300;

/// The code for a fault.
pub(crate) fn code(fault: Fault) -> i32 {
    match fault {
        Fault::InvalidRequest
        | Fault::UnsupportedField
        | Fault::ContextTooLong
        | Fault::BodyTooLarge
        | Fault::UnknownModel
        | Fault::NotFound
        | Fault::MethodNotAllowed
        | Fault::ProtocolViolation => VIOLATION,
        Fault::NoWorker
        | Fault::TierUnavailable
        | Fault::PriceTooLow
        | Fault::PaymentsUnavailable
        | Fault::Draining => NOT_READY,
        Fault::Timeout => TIMEOUT,
        Fault::Cancelled => CANCELLED,
        _ => ERROR,
    }
}

/// What a peer's error means for the request.
///
/// 602 before an answer is a worker's "too many active queries" (spec/network.md 6.5.3), or a proxy's ordinary refusal,
/// most often of a balance that is too low.
pub(crate) fn refusal(leg: crate::Leg, code: i32, words: &TlString) -> Refusal {
    let fault = match (code, leg) {
        (ERROR, crate::Leg::Worker) => Fault::Busy,
        (ERROR, crate::Leg::Client) => Fault::PaymentRequired,
        (VIOLATION, _) => Fault::InvalidRequest,
        (NOT_READY, _) => Fault::NoWorker,
        (TIMEOUT, _) => Fault::Timeout,
        (CANCELLED, crate::Leg::Worker) => Fault::WorkerLost,
        (CANCELLED, crate::Leg::Client) => Fault::ProxyLost,
        _ => Fault::EngineFailed,
    };
    Refusal::new(fault, format!("{} (code {code})", words.lossy(WORDS)))
}
