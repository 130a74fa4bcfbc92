use super::product::SnpProduct;

/// A TCB version: the security version of each part of the platform that the guest has to trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SnpTcb {
    /// Firmware of the first mutable code; 0 before Turin, which has none.
    pub fmc: u8,
    /// Boot loader of the secure processor.
    pub bootloader: u8,
    /// Operating system of the secure processor.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Lowest microcode patch of all cores.
    pub microcode: u8,
}

/// Part of a TCB version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in `SnpTcb`")]
pub enum SnpTcbPart {
    Fmc,
    Bootloader,
    Tee,
    Snp,
    Microcode,
}

/// Which of the four TCB versions of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnpTcbKind {
    /// What runs now.
    Current,
    /// What the signing key is derived from; the host may set it lower than what runs.
    Reported,
    /// What the platform can no longer be rolled back below.
    Committed,
    /// What ran when the guest was launched or migrated in.
    Launch,
}

// === impl SnpTcb ===

impl SnpTcb {
    /// From the eight bytes in a report, whose order is the product's.
    pub(super) const fn read(raw: [u8; 8], product: SnpProduct) -> Self {
        match (product, raw) {
            (SnpProduct::Turin, [fmc, bootloader, tee, snp, _, _, _, microcode]) => Self {
                fmc,
                bootloader,
                tee,
                snp,
                microcode,
            },
            (_, [bootloader, tee, _, _, _, _, snp, microcode]) => Self {
                fmc: 0,
                bootloader,
                tee,
                snp,
                microcode,
            },
        }
    }

    /// One part.
    pub const fn part(&self, part: SnpTcbPart) -> u8 {
        match part {
            SnpTcbPart::Fmc => self.fmc,
            SnpTcbPart::Bootloader => self.bootloader,
            SnpTcbPart::Tee => self.tee,
            SnpTcbPart::Snp => self.snp,
            SnpTcbPart::Microcode => self.microcode,
        }
    }

    /// The first part in which this is lower than `minimum`.
    pub fn first_below(&self, minimum: &Self) -> Option<SnpTcbPart> {
        [
            SnpTcbPart::Fmc,
            SnpTcbPart::Bootloader,
            SnpTcbPart::Tee,
            SnpTcbPart::Snp,
            SnpTcbPart::Microcode,
        ]
        .into_iter()
        .find(|&part| self.part(part) < minimum.part(part))
    }
}
