use std::fmt;

/// What Intel says of a platform's firmware, from its TCB info and QE identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcbStatus {
    /// Nothing is known to be missing.
    UpToDate,
    /// Software in the domain must harden itself against an advisory.
    SwHardeningNeeded,
    /// A setting of the platform opens an advisory.
    ConfigurationNeeded,
    /// Both.
    ConfigurationAndSwHardeningNeeded,
    /// An update is missing.
    OutOfDate,
    /// An update and a setting are missing.
    OutOfDateConfigurationNeeded,
    /// The domain was started before an update that the platform has now.
    RelaunchAdvised,
    /// The same, and a setting is missing.
    RelaunchAdvisedConfigurationNeeded,
}

/// A set of statuses. Revoked is no status here: nothing can allow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcbStatuses(u8);

/// Which advisories a platform may be affected by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advisories {
    /// These alone, by name as `INTEL-SA-00837`.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

/// What is accepted of a platform and of a trust domain. Every field is a decision with its reason in docs/attestation.md.
///
/// The default refuses whatever Intel calls less than perfect. Two things no policy can allow, so they have no field:
/// migratable domains and domains without SEPT_VE_DISABLE; nor can any allow a revoked TCB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdxPolicy {
    /// Statuses that are allowed.
    pub tcb_statuses: TcbStatuses,
    /// Advisories that may be open, whatever the status.
    pub advisories: Advisories,
    /// How long after the date of its TCB level an out-of-date platform is taken, in seconds, if its status is allowed.
    pub out_of_date_grace: u64,
    /// Least TCB evaluation number of the collateral.
    pub min_tcb_evaluation: u32,
    /// Whether the domain may be in debug mode, where the host reads all of it. Never outside a laboratory.
    pub allow_debug: bool,
    /// Whether service domains may be bound to the domain.
    pub allow_service_td: bool,
    /// Further attributes of the domain that may be set; see [`TdxPolicy::HARMLESS_ATTRIBUTES`].
    pub attributes: u64,
    /// Whether the platform may run with SMT, so that a stranger's thread may share a core.
    pub allow_smt: bool,
    /// Whether packages may be added to the platform after its registration.
    pub allow_dynamic_platform: bool,
    /// Whether Intel's registration service may keep the platform's root keys.
    pub allow_cached_keys: bool,
}

// === impl TcbStatus ===

impl TcbStatus {
    /// Intel's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::RelaunchAdvised => "TDRelaunchAdvised",
            Self::RelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::UpToDate => 1,
            Self::SwHardeningNeeded => 2,
            Self::ConfigurationNeeded => 4,
            Self::ConfigurationAndSwHardeningNeeded => 8,
            Self::OutOfDate => 16,
            Self::OutOfDateConfigurationNeeded => 32,
            Self::RelaunchAdvised => 64,
            Self::RelaunchAdvisedConfigurationNeeded => 128,
        }
    }

    /// Whether grace in time applies to it.
    pub(super) const fn is_out_of_date(self) -> bool {
        matches!(self, Self::OutOfDate | Self::OutOfDateConfigurationNeeded)
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl TcbStatuses ===

impl TcbStatuses {
    /// None: refuses every platform.
    pub const NONE: Self = Self(0);

    /// This set and one more.
    #[must_use]
    pub const fn and(self, status: TcbStatus) -> Self {
        Self(self.0 | status.bit())
    }

    /// Whether it is in the set.
    pub const fn contains(self, status: TcbStatus) -> bool {
        self.0 & status.bit() != 0
    }
}

// === impl Advisories ===

impl Advisories {
    /// Whether this advisory may be open. Case does not matter.
    pub fn accept(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|one| one.eq_ignore_ascii_case(name));
        match self {
            Self::Only(list) => listed(list),
            Self::AllBut(list) => !listed(list),
        }
    }
}

// === impl TdxPolicy ===

impl TdxPolicy {
    /// Attributes that give the guest a feature and the host nothing: ICSSD (16), LASS (27) and PKS (30).
    pub const HARMLESS_ATTRIBUTES: u64 = (1 << 16) | (1 << 27) | (1 << 30);

    /// What servers with several packages need, and therefore nearly every machine that can be rented: SMT, packages that
    /// can be added, root keys that Intel keeps. docs/attestation.md says what each of them costs.
    pub fn server() -> Self {
        Self {
            allow_smt: true,
            allow_dynamic_platform: true,
            allow_cached_keys: true,
            ..Self::default()
        }
    }
}

impl Default for TdxPolicy {
    fn default() -> Self {
        Self {
            tcb_statuses: TcbStatuses::NONE.and(TcbStatus::UpToDate),
            advisories: Advisories::Only(Vec::new()),
            out_of_date_grace: 0,
            min_tcb_evaluation: 0,
            allow_debug: false,
            allow_service_td: false,
            attributes: Self::HARMLESS_ATTRIBUTES,
            allow_smt: false,
            allow_dynamic_platform: false,
            allow_cached_keys: false,
        }
    }
}
