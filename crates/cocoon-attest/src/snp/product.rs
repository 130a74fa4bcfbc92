/// A product line: one root, one layout of TCB versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnpProduct {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004, 8004 and 4004: Genoa, Bergamo, Siena.
    Genoa,
    /// EPYC 9005.
    Turin,
}

/// A kind of processor, as CPUID names it, with the extended parts added in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SnpCpu {
    /// 0x19 is Zen 3 and 4, 0x1a is Zen 5.
    pub family: u8,
    /// Within the family.
    pub model: u8,
    /// Revision of the model.
    pub stepping: u8,
}

// === impl SnpProduct ===

impl SnpProduct {
    /// From the common name of an intermediate (`SEV-Milan`, `SEV-VLEK-Milan`), and whether it issues loaded keys.
    pub(super) fn of_intermediate(name: &str) -> Option<(Self, bool)> {
        let rest = name.strip_prefix("SEV-")?;
        let (line, is_vlek) = match rest.strip_prefix("VLEK-") {
            Some(line) => (line, true),
            None => (rest, false),
        };
        let product = match line {
            "Milan" => Self::Milan,
            "Genoa" => Self::Genoa,
            "Turin" => Self::Turin,
            _ => return None,
        };
        Some((product, is_vlek))
    }

    /// Whether a name in a key's certificate (`Milan-B0`, `Turin`) is of this line.
    pub(super) fn has_name(self, name: &str) -> bool {
        let line = name.split('-').next().unwrap_or(name);
        match self {
            Self::Milan => line == "Milan",
            // One root serves all of Zen 4.
            Self::Genoa => matches!(line, "Genoa" | "Bergamo" | "Siena"),
            Self::Turin => line == "Turin",
        }
    }

    /// Whether this processor is of this line.
    pub(super) const fn has_cpu(self, cpu: SnpCpu) -> bool {
        match self {
            Self::Milan => matches!((cpu.family, cpu.model), (0x19, 0x00..=0x0f)),
            Self::Genoa => matches!((cpu.family, cpu.model), (0x19, 0x10..=0x1f | 0xa0..=0xaf)),
            Self::Turin => matches!((cpu.family, cpu.model), (0x1a, 0x00..=0x11)),
        }
    }
}
