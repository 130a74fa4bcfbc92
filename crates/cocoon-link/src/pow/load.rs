//! How much work a listener asks for, and how many handshakes it runs at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::options::HandshakeOptions;

/// Load never raises the difficulty above this: at 24 bits an honest dialler works for about 8 s of one core, and the
/// original gives up after 20 s. A higher configured difficulty stays as it is.
const MAX_UNDER_LOAD: u8 = 24;

/// New connections in a second from which on a listener asks for more; each doubling asks for another bit.
const CALM_RATE: u32 = 50;

/// Handshakes in flight at one listener: admits, counts and prices them.
#[derive(Debug)]
pub struct PowLoad {
    options: HandshakeOptions,
    state: Mutex<State>,
}

/// One admitted handshake; dropping it makes room for another.
#[derive(Debug)]
pub struct Admission<'a> {
    load: &'a PowLoad,
    source: IpAddr,
    seen: Load,
}

/// What the difficulty depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Handshakes that are running.
    pub in_flight: usize,
    /// How many may run.
    pub at_once: usize,
    /// New connections in about the last second, refused ones included.
    pub per_second: u32,
}

/// No room for another handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    /// All places are taken.
    #[error("too many handshakes are running")]
    Total,
    /// All places of this source are taken.
    #[error("too many handshakes are running with this address")]
    Source,
}

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    // At most `at_once` entries: a source leaves when its last handshake ends.
    sources: HashMap<IpAddr, usize>,
    rate: Rate,
}

/// Events of the running second and of the one before it.
#[derive(Debug, Default)]
struct Rate {
    began: Option<Instant>,
    previous: u32,
    current: u32,
}

/// Zero bits to ask for at this load, when `base` is asked for at rest.
///
/// A quarter, half and three quarters of the places taken, or 50, 100, 200, … new connections a second: one bit more each,
/// so twice the work; whichever is more counts. A base of 0 means that no work is wanted at all.
pub fn difficulty(base: u8, load: Load) -> u8 {
    if base == 0 {
        return 0;
    }
    let quarters = load.in_flight.saturating_mul(4) / load.at_once.max(1);
    let by_places = u8::try_from(quarters.min(3)).unwrap_or(3);
    let by_rate = (load.per_second / CALM_RATE)
        .checked_ilog2()
        .map_or(0, |doublings| doublings.saturating_add(1));
    let rise = by_places.max(u8::try_from(by_rate).unwrap_or(u8::MAX));
    base.saturating_add(rise).min(base.max(MAX_UNDER_LOAD))
}

// === impl PowLoad ===

impl PowLoad {
    /// For one listener.
    pub fn new(options: HandshakeOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
        }
    }

    /// Takes a place for a connection from this address.
    ///
    /// # Errors
    /// [`Overload`] when there is none; the connection is then closed without a word.
    pub fn admit(&self, address: IpAddr) -> Result<Admission<'_>, Overload> {
        let source = source(address);
        let mut state = self.state();
        if state.in_flight >= self.options.at_once {
            return Err(Overload::Total);
        }
        let of_source = state.sources.entry(source).or_default();
        if *of_source >= self.options.at_once_per_source {
            if *of_source == 0 {
                state.sources.remove(&source);
            }
            return Err(Overload::Source);
        }
        *of_source += 1;
        state.in_flight += 1;
        // What was turned away above costs next to nothing, so it must not make everybody else's work dearer.
        let per_second = state.rate.count(Instant::now());
        let seen = Load {
            in_flight: state.in_flight,
            at_once: self.options.at_once,
            per_second,
        };
        Ok(Admission {
            load: self,
            source,
            seen,
        })
    }

    /// Handshakes that are running.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below can leave the counts half changed, so a poisoned lock is as good as another.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Admission ===

impl Admission<'_> {
    /// The load when it was admitted, itself included.
    pub const fn load(&self) -> Load {
        self.seen
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let mut state = self.load.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(count) = state.sources.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.sources.remove(&self.source);
            }
        }
    }
}

// === impl Rate ===

impl Rate {
    /// Counts one event and tells how many there were in about the last second.
    fn count(&mut self, now: Instant) -> u32 {
        let began = *self.began.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began).as_millis();
        if elapsed >= 1000 {
            self.previous = if elapsed < 2000 { self.current } else { 0 };
            self.current = 0;
            self.began = Some(now);
        }
        self.current = self.current.saturating_add(1);
        // The second before fades as the running one passes.
        let into = u64::try_from(elapsed).map_or(0, |millis| if millis >= 1000 { 0 } else { millis });
        let faded = u64::from(self.previous) * (1000 - into) / 1000;
        self.current
            .saturating_add(u32::try_from(faded).unwrap_or(u32::MAX))
    }
}

/// An IPv4 address, or the /64 that one IPv6 host usually has to itself.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
