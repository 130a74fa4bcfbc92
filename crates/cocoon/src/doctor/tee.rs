//! Which tier a worker on this machine can serve, and what is missing for the next one. Pure: facts in, words out.

use cocoon_types::Tier;

use super::Finding;
use super::facts::{Facts, Gpu, Mode, Vendor};

/// What the facts come to.
#[derive(Debug)]
pub(super) struct Advice {
    /// The best tier of a network that lists this machine's image.
    pub(super) tier: Tier,
    pub(super) reason: String,
    /// One finding for each thing that is looked at, with a fix where something is missing for the next tier.
    pub(super) findings: Vec<Finding>,
}

/// First kernel with the report interface (configfs-tsm).
const REPORT_KERNEL: (u32, u32) = (6, 7);
/// First kernels whose KVM starts such guests without patches.
const TDX_HOST_KERNEL: (u32, u32) = (6, 16);
const SNP_HOST_KERNEL: (u32, u32) = (6, 11);

/// What the words about evidence end in, as far as a worker of this build (`tee = "machine"`) can present it.
const PRESENTED: &str = "a worker presents it with tee = \"machine\"";
/// WHEN CHANGING: goes as soon as AMD's certificates and lists are fetched for a machine's own reports.
const SNP_NOT_PRESENTED: &str = "a worker of this build does not present an SEV-SNP guest's evidence to a proxy yet, and serves tier `open`";
/// WHEN CHANGING: goes as soon as NVIDIA's driver is asked for reports.
const GPU_NOT_PRESENTED: &str =
    "a worker of this build does not present its GPUs' evidence yet, and serves tier `attested`";

/// Where this machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    TdxGuest,
    SnpGuest,
    /// A virtual machine whose memory its host can read.
    PlainGuest,
    /// The host can start confidential guests.
    Host(Vendor),
    /// It could, as its processor says, but is not set up.
    Promising(Vendor),
    /// A processor without any of it, as far as can be seen.
    Plain,
}

pub(super) fn advise(facts: &Facts) -> Advice {
    let place = Place::of(facts);
    let mut findings = vec![place.finding(facts)];
    let has_reports = match place {
        Place::TdxGuest | Place::SnpGuest => {
            let finding = reports(facts, place);
            let is_there = facts.report_interface;
            findings.push(finding);
            is_there
        }
        _ => false,
    };
    let gpus = gpus(facts, has_reports);
    let is_confidential = facts.gpus.iter().all(|gpu| gpu.mode == Mode::On);
    findings.extend(gpus);
    let presented = match place {
        Place::SnpGuest => SNP_NOT_PRESENTED,
        _ if is_confidential && !facts.gpus.is_empty() => GPU_NOT_PRESENTED,
        _ => PRESENTED,
    };
    let (tier, reason) = match (has_reports, is_confidential) {
        (false, _) => (
            Tier::Open,
            "nothing here proves to a stranger what runs: this machine's owner could read prompts".to_owned(),
        ),
        (true, false) => (
            Tier::Attested,
            format!(
                "this guest can prove what runs in it; a GPU in it is not in confidential mode; {presented}"
            ),
        ),
        (true, true) if facts.gpus.is_empty() => (
            Tier::Confidential,
            format!(
                "this guest can prove what runs in it and uses no GPU; the network must list its image; {presented}"
            ),
        ),
        (true, true) => (
            Tier::Confidential,
            format!(
                "this guest can prove what runs in it and its GPUs are in confidential mode; the network must list image, driver and \
                 firmware; {presented}"
            ),
        ),
    };
    Advice {
        tier,
        reason,
        findings,
    }
}

// === impl Place ===

impl Place {
    fn of(facts: &Facts) -> Self {
        if facts.tdx_guest_device || facts.has("tdx_guest") {
            Self::TdxGuest
        } else if facts.sev_guest_device || (facts.has("sev_snp") && facts.has("hypervisor")) {
            Self::SnpGuest
        } else if facts.has("hypervisor") {
            Self::PlainGuest
        } else if facts.kvm_tdx == Some(true) {
            Self::Host(Vendor::Intel)
        } else if facts.kvm_snp == Some(true) {
            Self::Host(Vendor::Amd)
        } else if facts.has("tdx_host_platform") || is_tdx_server(&facts.processor) {
            Self::Promising(Vendor::Intel)
        } else if facts.has("sev_snp") || is_snp_server(&facts.processor) {
            Self::Promising(Vendor::Amd)
        } else {
            Self::Plain
        }
    }

    fn finding(self, facts: &Facts) -> Finding {
        const WHAT: &str = "confidential VM";
        match self {
            Self::TdxGuest => Finding::good(WHAT, "this is an Intel TDX guest"),
            Self::SnpGuest => Finding::good(WHAT, "this is an AMD SEV-SNP guest"),
            Self::PlainGuest => Finding::absent(
                WHAT,
                "an ordinary virtual machine: its host can read its memory",
                "for tier `attested`: rent or start a confidential one (Intel TDX or AMD SEV-SNP) and run the worker in it",
            ),
            Self::Host(vendor) => {
                let name = match vendor {
                    Vendor::Amd => "AMD SEV-SNP",
                    _ => "Intel TDX",
                };
                Finding::absent(
                    WHAT,
                    format!("this host can start {name} guests, and is none itself"),
                    "for tier `attested`: run the worker in such a guest, started from an image that the network lists",
                )
            }
            Self::Promising(Vendor::Amd) => Finding::absent(
                WHAT,
                format!("{} has SEV-SNP, and it is not on", facts.processor),
                kernel_first(
                    facts,
                    SNP_HOST_KERNEL,
                    "for tier `attested`: in the BIOS set SMEE, SEV-SNP support, SNP memory coverage and IOMMU on and SEV-ES ASID space \
                     above 1; load kvm_amd with sev_snp=1; then run the worker in such a guest",
                ),
            ),
            Self::Promising(_) => Finding::absent(
                WHAT,
                format!("{} has TDX, and it is not on", facts.processor),
                kernel_first(
                    facts,
                    TDX_HOST_KERNEL,
                    "for tier `attested`: in the BIOS set memory encryption (TME, TME-MT), TDX, the SEAM loader and SGX on; load kvm_intel \
                     with tdx=1; then run the worker in such a guest",
                ),
            ),
            Self::Plain => Finding::absent(
                WHAT,
                "no sign of Intel TDX or AMD SEV-SNP",
                "for tier `attested` it takes a server: Intel Xeon of the 5th generation or newer, or AMD EPYC 9004 or newer; tier `open` \
                 needs nothing",
            ),
        }
    }
}

/// Xeons that every one of them has TDX: 5th generation and Xeon 6. Of the 4th, only some cloud parts do.
fn is_tdx_server(processor: &str) -> bool {
    let xeon_5th = ["85", "65", "55", "45"];
    let mut words = processor.split(|c: char| !c.is_ascii_alphanumeric());
    processor.contains("Xeon")
        && words.any(|word| {
            let number: String = word.chars().take_while(char::is_ascii_digit).collect();
            number.len() == 4
                && (xeon_5th.contains(&&number[..2]) || number.starts_with("67") || number.starts_with("69"))
        })
}

/// EPYC 7003 and newer. The 7003 is too weak for the default policy, which the words do not hide.
fn is_snp_server(processor: &str) -> bool {
    let mut words = processor.split_whitespace();
    processor.contains("EPYC")
        && words.any(|word| {
            let number: String = word.chars().take_while(char::is_ascii_digit).collect();
            number.len() == 4
                && match number.as_bytes() {
                    [b'7', .., last] => *last >= b'3',
                    [b'8' | b'9', ..] => true,
                    _ => false,
                }
        })
}

fn kernel_first(facts: &Facts, needed: (u32, u32), rest: &str) -> String {
    match facts.kernel {
        Some(kernel) if kernel < needed => {
            format!(
                "Linux {}.{} or newer first (this is {}.{}); {rest}",
                needed.0, needed.1, kernel.0, kernel.1
            )
        }
        _ => rest.to_owned(),
    }
}

/// The kernel's report interface in a guest.
fn reports(facts: &Facts, place: Place) -> Finding {
    const WHAT: &str = "evidence";
    let (module, device) = match place {
        Place::SnpGuest => ("sev-guest", facts.sev_guest_device),
        _ => ("tdx_guest", facts.tdx_guest_device),
    };
    if facts.report_interface {
        return Finding::good(
            WHAT,
            "the kernel gives quotes or reports; `cocoon attest show` asks for one",
        );
    }
    let fix = match facts.kernel {
        Some(kernel) if kernel < REPORT_KERNEL => format!(
            "for tier `attested`: Linux {}.{} or newer in this guest (this is {}.{})",
            REPORT_KERNEL.0, REPORT_KERNEL.1, kernel.0, kernel.1
        ),
        _ if !device => format!("for tier `attested`: modprobe {module}"),
        _ if !facts.configfs => "for tier `attested`: mount -t configfs none /sys/kernel/config".to_owned(),
        _ => format!("for tier `attested`: a kernel built with CONFIG_TSM_REPORTS, and the module {module}"),
    };
    Finding::absent(
        WHAT,
        "the kernel's report interface (configfs-tsm) is not there",
        fix,
    )
}

/// One finding for all GPUs of a kind and mode; modes matter inside a guest that gives evidence.
fn gpus(facts: &Facts, has_reports: bool) -> Vec<Finding> {
    const WHAT: &str = "GPU mode";
    let Some(worst) = facts.gpus.iter().find(|gpu| gpu.mode != Mode::On) else {
        return match facts.gpus.len() {
            0 => Vec::new(),
            count => vec![Finding::good(WHAT, format!("{count} in confidential mode"))],
        };
    };
    let found = match worst.mode {
        Mode::On => "in confidential mode",
        Mode::DevTools => "in confidential mode with developer tools, where the host may look in",
        Mode::Off => "not in confidential mode",
        Mode::Unknown => "the driver does not say whether it is in confidential mode",
    };
    let found = format!("{}: {found}", worst.model);
    let fix = if !is_confidential_model(worst) {
        "for tier `confidential`: a GPU with confidential computing (NVIDIA H100, H200, B200, RTX PRO 6000 Blackwell Server); this model has \
         none"
    } else if !has_reports {
        "for tier `confidential`: first the confidential VM; the GPU's mode is set by its host (nvidia_gpu_admin_tools --set-cc-mode=on)"
    } else {
        match worst.mode {
            Mode::DevTools => {
                "for tier `confidential`: nvidia_gpu_admin_tools --set-cc-mode=on on the host, instead of devtools"
            }
            Mode::Unknown => {
                "for tier `confidential`: NVIDIA's open kernel driver 550 or newer with nvidia-smi, and nvidia-persistenced with UVM persistence"
            }
            Mode::On | Mode::Off => {
                "for tier `confidential`: nvidia_gpu_admin_tools --set-cc-mode=on --reset-after-cc-mode-switch on the host"
            }
        }
    };
    vec![Finding::absent(WHAT, found, fix)]
}

fn is_confidential_model(gpu: &Gpu) -> bool {
    const MODELS: [&str; 8] = ["H100", "H200", "H800", "H20", "GH200", "B100", "B200", "B300"];
    let mut words = gpu.model.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| MODELS.contains(&word))
        || (gpu.model.contains("RTX PRO 6000") && gpu.model.contains("Server"))
}

#[cfg(test)]
mod tests;
