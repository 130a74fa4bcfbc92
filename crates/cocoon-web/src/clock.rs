//! The one place that reads the wall clock; everything below takes the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the Unix epoch, UTC; 0 if the machine's clock stands before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that the ban on the system clock points to"
)]
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
