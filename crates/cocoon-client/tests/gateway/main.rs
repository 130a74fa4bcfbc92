//! The gateway from outside: HTTP in, attested links out, proxies that do what a test says.

// `cfg(test)` is always true here; it tells clippy that unwrap is fine outside of test functions too.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod door;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod support;
