use cocoon_attest::Side;

use crate::error::{Step, StreamError};
use crate::{DialError, Inbox, Link, LinkOptions, secure};

/// Dials `host:port`: TCP, proof of work, TLS, appraisal and the `tcp.connect` exchange, each with a deadline. Dropping
/// the future stops it all.
///
/// # Errors
/// [`DialError`] names the step that failed.
pub async fn dial(addr: &str, options: &LinkOptions) -> Result<(Link, Inbox), DialError> {
    let (stream, attested) = secure::connect(addr, options).await?;
    let remote = stream
        .get_ref()
        .0
        .peer_addr()
        .map_err(|error| StreamError::of(Step::Link, error))?;
    let limits = options.limits_for(&attested.peer);
    Link::establish(stream, attested, remote, Side::Dialler, limits)
        .await
        .map_err(|broken| DialError::Stream(broken.into()))
}
