use std::time::Duration;

use cocoon_attest::VerifiedPeer;

use crate::appraiser::Appraiser;
use crate::identity::CurrentIdentity;
use crate::tls::TlsConfigs;

/// What every link of one port, or to one kind of peer, has in common. Built once, shared by reference.
///
/// Identity, appraiser and clock are fixed here because the TLS configurations are built from them, once and not for each
/// connection. Identity and policy can still be replaced on a running node: keep a clone of the [`CurrentIdentity`] and of
/// the [`Appraiser`].
#[derive(Debug)]
pub struct LinkOptions {
    identity: CurrentIdentity,
    appraiser: Appraiser,
    clock: fn() -> u64,
    tls: TlsConfigs,
    simulated_beyond_loopback: bool,
    /// Proof of work, asked for and answered.
    pub pow: PowOptions,
    /// How long and how many handshakes may run.
    pub handshakes: HandshakeOptions,
    /// When a finished link is taken for dead, and what it may carry.
    pub limits: LinkLimits,
}

/// Proof of work before TLS (spec/network.md 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowOptions {
    /// Leading zero bits that a listener asks for when it is idle; it asks for more under load. 0 asks for no work, ever.
    pub difficulty: u8,
    /// Most bits that a dialler answers; a challenge above it is refused.
    pub max_difficulty: u8,
}

/// Bounds on connections that are not links yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeOptions {
    /// TCP, proof of work and TLS together. The original gives up after 20 s (spec/network.md 1.6).
    pub deadline: Duration,
    /// Handshakes that a listener runs at once. Each holds about 40 KiB, so the default stays below 64 MiB.
    pub at_once: usize,
    /// Of these, how many may come from one source: an IPv4 address or an IPv6 /64. Many clients share an address behind
    /// a NAT, and all come at once after a proxy's restart.
    pub at_once_per_source: usize,
}

/// Keep-alive of a finished link (spec/network.md 1.6), and how much it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// `tcp.connected` must arrive within this time after the stream stands.
    pub connected: Duration,
    /// The dialler asks for a sign of life after this silence.
    pub ping_after: Duration,
    /// The dialler takes the link for dead after this silence.
    pub dialler_death: Duration,
    /// The acceptor takes the link for dead after this silence.
    pub acceptor_death: Duration,
    /// No link lives longer; the evidence behind one may end it earlier.
    pub longest_life: Duration,
    /// Largest frame that the peer may send, in bytes of payload. A link holds up to one frame that is not complete, so
    /// this times the number of links is what peers can make a listener hold.
    pub largest_frame: usize,
}

// === impl LinkOptions ===

impl LinkOptions {
    /// Options with default bounds.
    ///
    /// `clock` tells Unix seconds: certificates are judged by it. The appraiser is what a peer must fulfil, or a
    /// [`cocoon_attest::Policy`] alone, which then stays as it is; the default policy refuses everybody.
    pub fn new(
        identity: impl Into<CurrentIdentity>,
        appraiser: impl Into<Appraiser>,
        clock: fn() -> u64,
    ) -> Self {
        let identity = identity.into();
        let appraiser = appraiser.into();
        Self {
            tls: TlsConfigs::new(identity.clone(), appraiser.clone(), clock),
            identity,
            appraiser,
            clock,
            simulated_beyond_loopback: true,
            pow: PowOptions::default(),
            handshakes: HandshakeOptions::default(),
            limits: LinkLimits::default(),
        }
    }

    /// The same with other proof of work.
    #[must_use]
    pub fn with_pow(self, pow: PowOptions) -> Self {
        Self { pow, ..self }
    }

    /// The same with another bound on what a peer may send in one frame.
    #[must_use]
    pub fn with_largest_frame(mut self, bytes: usize) -> Self {
        self.limits.largest_frame = bytes;
        self
    }

    /// The same, but peers with simulated evidence are taken from this machine only, whatever the policy says: where no
    /// registry says that the network is a test network, nobody else has to be deceived by it.
    #[must_use]
    pub fn with_simulated_on_loopback_only(self) -> Self {
        Self {
            simulated_beyond_loopback: false,
            ..self
        }
    }

    /// What this node presents.
    pub const fn identity(&self) -> &CurrentIdentity {
        &self.identity
    }

    /// What a peer must fulfil.
    pub const fn appraiser(&self) -> &Appraiser {
        &self.appraiser
    }

    /// Now, in Unix seconds.
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    pub(crate) const fn clock(&self) -> fn() -> u64 {
        self.clock
    }

    pub(crate) const fn simulated_beyond_loopback(&self) -> bool {
        self.simulated_beyond_loopback
    }

    /// The limits of a link to this peer: it ends when the peer's evidence does (DESIGN section 2).
    pub(crate) fn limits_for(&self, peer: &VerifiedPeer) -> LinkLimits {
        let evidence_left = Duration::from_secs(peer.expires_at().saturating_sub(self.now()));
        LinkLimits {
            longest_life: self.limits.longest_life.min(evidence_left),
            ..self.limits
        }
    }

    pub(crate) const fn tls(&self) -> &TlsConfigs {
        &self.tls
    }
}

// === impl PowOptions ===

impl PowOptions {
    /// Asks for no work; for tests.
    pub const NONE: Self = Self {
        difficulty: 0,
        max_difficulty: 28,
    };
}

impl Default for PowOptions {
    /// The original's numbers: about half a second of one core, and at most two minutes of it.
    fn default() -> Self {
        Self {
            difficulty: 20,
            max_difficulty: 28,
        }
    }
}

// === impl HandshakeOptions ===

impl Default for HandshakeOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
            at_once: 1024,
            at_once_per_source: 64,
        }
    }
}

// === impl LinkLimits ===

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            connected: Duration::from_secs(20),
            ping_after: Duration::from_secs(10),
            dialler_death: Duration::from_secs(20),
            acceptor_death: Duration::from_secs(60),
            longest_life: Duration::MAX,
            largest_frame: cocoon_tl::frame::MAX_PAYLOAD,
        }
    }
}
