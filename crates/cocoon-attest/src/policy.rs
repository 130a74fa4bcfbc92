use crate::gpu::GpuPolicy;
use crate::snp::{SnpMeasurements, SnpPolicy};
use crate::tdx::TdxPolicy;

/// What is accepted from a peer. The default refuses everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether evidence must come, and which.
    pub evidence: EvidenceRule,
    /// Which images the evidence may name.
    pub image_hashes: ImageRule,
    /// What is accepted of an Intel platform and a trust domain on it.
    pub tdx: TdxPolicy,
    /// What is accepted of an AMD machine and a guest on it. Its default leaves the launch measurement to `image_hashes`,
    /// which holds it (docs/attestation.md, section 4).
    pub snp: SnpPolicy,
    /// Which GPUs count. Its default counts none, so machines that use one are `attested` at most.
    pub gpu: GpuPolicy,
}

/// Whether a peer must present evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceRule {
    /// A peer may come without evidence and then is `open`; evidence that does come is appraised all the same.
    Optional {
        /// What becomes of simulated evidence.
        simulated: Simulated,
    },
    /// A peer without evidence is refused.
    Required {
        /// What becomes of simulated evidence.
        simulated: Simulated,
    },
}

/// What becomes of simulated evidence, which anybody can make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Simulated {
    /// The peer is refused.
    #[default]
    Refuse,
    /// The peer is `simulated`. Only for a network whose registry says that it is a test network.
    AcceptOnTestNetwork,
}

/// Which images a peer's evidence may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRule {
    /// Every image. A peer without evidence passes only under this rule, and hardware evidence is `open` under it: nobody
    /// says what the image does with a prompt.
    Any,
    /// These image hashes; an empty list refuses everybody.
    Listed(Vec<[u8; 32]>),
}

/// Which accelerators a peer's work uses (DESIGN section 2). It stands in the statement, next to the GPU's own evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accelerators {
    /// None: everything is computed by the attested processor.
    None,
    /// Some, each of them attested in confidential mode with an allowed driver and firmware.
    Attested,
    /// Some, and at least one is not attested. What is not known counts as this.
    #[default]
    NotAttested,
}

/// Which side of a connection somebody is on: it decides which purpose and name a certificate must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Opened the connection: a client or a worker.
    Dialler,
    /// Accepted it: a proxy.
    Acceptor,
}

// === impl Policy ===

impl Default for Policy {
    fn default() -> Self {
        Self {
            evidence: EvidenceRule::default(),
            image_hashes: ImageRule::default(),
            tdx: TdxPolicy::default(),
            snp: SnpPolicy {
                measurements: SnpMeasurements::ByCaller,
                ..SnpPolicy::default()
            },
            gpu: GpuPolicy::default(),
        }
    }
}

// === impl EvidenceRule ===

impl EvidenceRule {
    pub(crate) const fn simulated(self) -> Simulated {
        match self {
            Self::Optional { simulated } | Self::Required { simulated } => simulated,
        }
    }
}

impl Default for EvidenceRule {
    fn default() -> Self {
        Self::Required {
            simulated: Simulated::Refuse,
        }
    }
}

// === impl ImageRule ===

impl Default for ImageRule {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}
