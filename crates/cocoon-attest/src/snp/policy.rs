use super::product::{SnpCpu, SnpProduct};
use super::report::SnpFirmware;
use super::tcb::SnpTcb;

mod check;

/// What is accepted of an SEV-SNP machine and guest.
///
/// The default is for machines that strangers run, with today's firmware, and refuses every measurement. Each field says
/// why its default is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpPolicy {
    /// The product lines, each with the TCB version that is needed; a line that is not listed is refused.
    ///
    /// Default: Genoa and Turin. Milan is left out: a published attack (arXiv 2605.12990, May 2026) reads the secret
    /// behind a Milan chip's key by software, after which its owner can sign any report, whatever the TCB version in it.
    /// The minima are the microcode of AMD-SB-3019, the first that checks patches' signatures rightly; see
    /// [`SnpProductRule`]. Whoever runs a network raises them with AMD's bulletins.
    pub products: Vec<SnpProductRule>,
    /// Whether a revocation list signed by AMD's root must be there. Default: yes. AMD's live about six weeks, and what they
    /// support ends with them.
    pub require_revocation_list: bool,
    /// Whether a provider's loaded key may sign. Default: no. It hides which chip speaks, and one that leaks speaks
    /// for all machines of the provider.
    pub allow_vlek: bool,
    /// Whether firmware may run that is not committed, so that its older version could come back. Default: no.
    pub allow_provisional_firmware: bool,
    /// Lowest firmware that may run. Default: 1.55, which checks for aliased memory (see `platform`).
    pub minimum_firmware: SnpFirmware,
    /// How the guest was launched.
    pub guest: SnpGuestRules,
    /// How the machine is set up.
    pub platform: SnpPlatformRules,
    /// Highest VMPL that may ask for a report. Default: 0, the guest's most privileged level; anything less privileged
    /// speaks only for a part of the guest.
    pub maximum_vmpl: u32,
    /// Lowest security version of the guest. Default: 0; the measurement says more.
    pub minimum_guest_svn: u32,
    /// SHA-384 of the allowed ID keys; `None` asks for none. Default: `None`, because the measurement is listed.
    pub id_keys: Option<Vec<[u8; 48]>>,
    /// SHA-384 of the allowed author keys; `None` asks for none. Default: `None`, as for `id_keys`.
    pub author_keys: Option<Vec<[u8; 48]>>,
    /// The allowed launch measurements. Default: an empty list, which refuses everybody.
    pub measurements: SnpMeasurements,
    /// What the host data must be; `None` leaves them to the caller. Default: `None`: the host chooses them.
    pub host_data: Option<[u8; 32]>,
    /// What the report data must be; `None` leaves them to the caller, who **must** compare the claims' then: without
    /// that, a report says nothing about who presents it. Default: `None`, because they differ from peer to peer.
    pub report_data: Option<[u8; 64]>,
}

/// One allowed product line.
///
/// The defaults ask for nothing of boot loader, TEE and SNP parts: AMD's bulletins name firmware by its version, which is
/// [`SnpPolicy::minimum_firmware`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpProductRule {
    /// The line.
    pub product: SnpProduct,
    /// What each of the four TCB versions must reach, part by part.
    pub minimum: SnpTcb,
    /// What the microcode must reach on each kind of processor; kinds that are not listed, and reports that do not say
    /// their kind, are refused. Empty: only `minimum` counts.
    pub microcode: Vec<SnpMicrocode>,
}

/// Lowest microcode of one kind of processor: levels of two kinds cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpMicrocode {
    /// The kind.
    pub cpu: SnpCpu,
    /// Last byte of the patch level.
    pub least: u8,
}

/// Which launch measurements are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnpMeasurements {
    /// Every one; the caller judges the claims'.
    ByCaller,
    /// These; an empty list refuses everybody.
    Listed(Vec<[u8; 48]>),
}

/// What the guest's launch policy may be (56860, table "Guest policy").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpGuestRules {
    /// The host may read and write the guest's memory. Default: no, this is the end of all confidence.
    pub allow_debug: bool,
    /// A migration agent may hand the guest to another machine. Default: no, its measurement is not judged here.
    pub allow_migration_agent: bool,
    /// Two threads of a core may belong to two owners. Default: yes: nearly every machine is set up so. It leaves side
    /// channels between threads to the guest's kernel.
    pub allow_smt: bool,
    /// CXL memory and devices may be there. Default: no, it lies outside the package.
    pub allow_cxl: bool,
    /// The guest must have asked for one socket. Default: no; a guest may span two.
    pub require_single_socket: bool,
    /// The guest must have asked for AES-256-XTS. Default: no; Genoa's DDR encryption is AES-128 unless set up otherwise.
    pub require_aes_256: bool,
    /// The guest must have asked for RAPL to be off. Default: no; energy readings are a weak side channel.
    pub require_rapl_disabled: bool,
    /// The guest must have asked for ciphertext hiding. Default: no; only Turin has it.
    pub require_ciphertext_hiding: bool,
    /// The guest must have forbidden that its pages are moved and swapped. Default: no; those commands keep the pages
    /// encrypted and authenticated.
    pub require_page_swap_disabled: bool,
    /// Lowest ABI version (major, minor) that the guest asked for. Default: 0.0; the firmware that runs is judged instead.
    pub minimum_abi: (u8, u8),
}

/// What the platform must be like (56860, table "PLATFORM_INFO").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpPlatformRules {
    /// SMT may be on. Default: yes, as in the guest's rules.
    pub allow_smt: bool,
    /// All memory must be encrypted, not only the guests'. Default: no; it adds nothing to a guest's own encryption.
    pub require_tsme: bool,
    /// Memory must have error correction. Default: no; it hinders Rowhammer, but SNP's page table is what protects.
    pub require_ecc: bool,
    /// RAPL must be off. Default: no, as in the guest's rules.
    pub require_rapl_disabled: bool,
    /// Ciphertext hiding must be on. Default: no; only Turin has it.
    pub require_ciphertext_hiding: bool,
    /// The firmware must have checked that no two addresses mean the same memory. Default: yes. It stops memory modules
    /// that lie about their size (BadRAM, CVE-2024-21944). Reports of version 2 cannot say it.
    pub require_alias_check: bool,
}

/// The launch policy of a guest, as its owner asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpGuestPolicy(pub u64);

/// How a platform is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpPlatform(pub u64);

// === impl SnpPolicy ===

impl Default for SnpPolicy {
    fn default() -> Self {
        Self {
            products: vec![SnpProductRule::genoa(), SnpProductRule::turin()],
            require_revocation_list: true,
            allow_vlek: false,
            allow_provisional_firmware: false,
            minimum_firmware: SnpFirmware {
                major: 1,
                minor: 55,
                build: 0,
            },
            guest: SnpGuestRules::default(),
            platform: SnpPlatformRules::default(),
            maximum_vmpl: 0,
            minimum_guest_svn: 0,
            id_keys: None,
            author_keys: None,
            measurements: SnpMeasurements::Listed(Vec::new()),
            host_data: None,
            report_data: None,
        }
    }
}

// === impl SnpProductRule ===

/// The patch levels are those from which on Linux trusts a processor to check signatures itself (AMD-SB-3019).
impl SnpProductRule {
    /// Milan and Milan-X. Not in the default policy.
    pub fn milan() -> Self {
        let kinds = [(0x01, 0, 0x7b), (0x01, 1, 0xdb), (0x01, 2, 0x44)];
        Self::with_microcode(SnpProduct::Milan, 0x19, &kinds)
    }

    /// Genoa and Genoa-X, then Bergamo and Siena.
    pub fn genoa() -> Self {
        let kinds = [(0x11, 1, 0x54), (0x11, 2, 0x4f), (0xa0, 1, 0x17), (0xa0, 2, 0x19)];
        Self::with_microcode(SnpProduct::Genoa, 0x19, &kinds)
    }

    /// Turin and Turin Dense.
    pub fn turin() -> Self {
        let kinds = [(0x02, 1, 0x47), (0x11, 0, 0x47)];
        Self::with_microcode(SnpProduct::Turin, 0x1a, &kinds)
    }

    /// Model, stepping and microcode.
    fn with_microcode(product: SnpProduct, family: u8, kinds: &[(u8, u8, u8)]) -> Self {
        let microcode = |&(model, stepping, least): &(u8, u8, u8)| SnpMicrocode {
            cpu: SnpCpu {
                family,
                model,
                stepping,
            },
            least,
        };
        Self {
            product,
            minimum: SnpTcb::default(),
            microcode: kinds.iter().map(microcode).collect(),
        }
    }
}

// === impl SnpGuestRules ===

impl Default for SnpGuestRules {
    fn default() -> Self {
        Self {
            allow_debug: false,
            allow_migration_agent: false,
            allow_smt: true,
            allow_cxl: false,
            require_single_socket: false,
            require_aes_256: false,
            require_rapl_disabled: false,
            require_ciphertext_hiding: false,
            require_page_swap_disabled: false,
            minimum_abi: (0, 0),
        }
    }
}

// === impl SnpPlatformRules ===

impl Default for SnpPlatformRules {
    fn default() -> Self {
        Self {
            allow_smt: true,
            require_tsme: false,
            require_ecc: false,
            require_rapl_disabled: false,
            require_ciphertext_hiding: false,
            require_alias_check: true,
        }
    }
}

// === impl SnpGuestPolicy ===

#[expect(missing_docs, reason = "named as in 56860, table \"Guest policy\"")]
impl SnpGuestPolicy {
    /// Lowest ABI version that the guest asked for: major, minor.
    pub const fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }

    pub const fn smt(self) -> bool {
        self.bit(16)
    }
    /// Must be one in every report.
    pub const fn reserved_one(self) -> bool {
        self.bit(17)
    }
    pub const fn migration_agent(self) -> bool {
        self.bit(18)
    }
    pub const fn debug(self) -> bool {
        self.bit(19)
    }
    pub const fn single_socket(self) -> bool {
        self.bit(20)
    }
    pub const fn cxl(self) -> bool {
        self.bit(21)
    }
    pub const fn aes_256(self) -> bool {
        self.bit(22)
    }
    pub const fn rapl_disabled(self) -> bool {
        self.bit(23)
    }
    pub const fn ciphertext_hiding(self) -> bool {
        self.bit(24)
    }
    pub const fn page_swap_disabled(self) -> bool {
        self.bit(25)
    }

    const fn bit(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }
}

// === impl SnpPlatform ===

#[expect(missing_docs, reason = "named as in 56860, table \"PLATFORM_INFO\"")]
impl SnpPlatform {
    pub const fn smt(self) -> bool {
        self.bit(0)
    }
    pub const fn tsme(self) -> bool {
        self.bit(1)
    }
    pub const fn ecc(self) -> bool {
        self.bit(2)
    }
    pub const fn rapl_disabled(self) -> bool {
        self.bit(3)
    }
    pub const fn ciphertext_hiding(self) -> bool {
        self.bit(4)
    }
    pub const fn alias_check(self) -> bool {
        self.bit(5)
    }

    const fn bit(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }
}
