//! What can be seen of this machine without changing it or asking for rights. Reading only; what it means, `tee` says.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

/// What decides which tier a worker on this machine can serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) vendor: Vendor,
    /// As the processor names itself.
    pub(super) processor: String,
    /// Flags of `/proc/cpuinfo` that are looked at: `hypervisor`, `tdx_host_platform`, `tdx_guest`, `sev_snp`.
    pub(super) flags: Vec<String>,
    /// Kernel, major and minor.
    pub(super) kernel: Option<(u32, u32)>,
    /// Whether the KVM of this host can start TDX guests, as its module says (`kvm_intel.tdx`).
    pub(super) kvm_tdx: Option<bool>,
    /// The same for SEV-SNP (`kvm_amd.sev_snp`).
    pub(super) kvm_snp: Option<bool>,
    /// `/dev/tdx_guest`.
    pub(super) tdx_guest_device: bool,
    /// `/dev/sev-guest`.
    pub(super) sev_guest_device: bool,
    /// configfs is mounted.
    pub(super) configfs: bool,
    /// The kernel's report interface.
    pub(super) report_interface: bool,
    pub(super) gpus: Vec<Gpu>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Vendor {
    Intel,
    Amd,
    #[default]
    Other,
}

/// A GPU with NVIDIA's driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gpu {
    /// As the driver names it.
    pub(super) model: String,
    pub(super) mode: Mode,
}

/// Confidential mode, as the driver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    On,
    /// With the developer tools on, so that the host may look in.
    DevTools,
    Off,
    /// Nobody could be asked.
    Unknown,
}

/// Files below /proc and /sys that are read are short.
const MAX_TEXT: usize = 64 * 1024;
/// `nvidia-smi` takes a second on a large machine.
const DRIVER_DEADLINE: Duration = Duration::from_secs(10);

const FLAGS: [&str; 4] = ["hypervisor", "tdx_host_platform", "tdx_guest", "sev_snp"];

impl Facts {
    pub(super) async fn probe() -> Self {
        let cpuinfo = text("/proc/cpuinfo").unwrap_or_default();
        let exists = |path: &str| Path::new(path).exists();
        Self {
            vendor: Vendor::of(&cpuinfo),
            processor: field(&cpuinfo, "model name").unwrap_or_default().to_owned(),
            flags: flags(&cpuinfo),
            kernel: text("/proc/sys/kernel/osrelease").and_then(|release| kernel(&release)),
            kvm_tdx: text("/sys/module/kvm_intel/parameters/tdx").map(|value| is_on(&value)),
            kvm_snp: text("/sys/module/kvm_amd/parameters/sev_snp").map(|value| is_on(&value)),
            tdx_guest_device: exists("/dev/tdx_guest"),
            sev_guest_device: exists("/dev/sev-guest"),
            configfs: text("/proc/mounts").is_some_and(|mounts| mounts.contains(" configfs ")),
            report_interface: exists("/sys/kernel/config/tsm/report"),
            gpus: gpus().await,
        }
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|one| one == flag)
    }
}

impl Vendor {
    fn of(cpuinfo: &str) -> Self {
        match field(cpuinfo, "vendor_id") {
            Some("GenuineIntel") => Self::Intel,
            Some("AuthenticAMD") => Self::Amd,
            _ => Self::Other,
        }
    }
}

fn text(path: &str) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let short = bytes.get(..MAX_TEXT).unwrap_or(&bytes);
    Some(String::from_utf8_lossy(short).into_owned())
}

/// Value of the first `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then_some(value.trim())
    })
}

fn flags(cpuinfo: &str) -> Vec<String> {
    let all = field(cpuinfo, "flags").unwrap_or_default();
    let known = all.split_whitespace().filter(|flag| FLAGS.contains(flag));
    known.map(str::to_owned).collect()
}

/// `6.11.0-21-generic`.
fn kernel(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn is_on(value: &str) -> bool {
    matches!(value.trim(), "Y" | "1")
}

/// The GPUs that NVIDIA's driver lists, all in the mode that the driver says for the machine.
async fn gpus() -> Vec<Gpu> {
    let Ok(entries) = std::fs::read_dir("/proc/driver/nvidia/gpus") else {
        return Vec::new();
    };
    let models: Vec<String> = entries
        .flatten()
        .map(|entry| {
            let information = entry.path().join("information");
            let information = information.to_str().and_then(text).unwrap_or_default();
            field(&information, "Model").unwrap_or("NVIDIA GPU").to_owned()
        })
        .collect();
    if models.is_empty() {
        return Vec::new();
    }
    let mode = mode().await;
    models.into_iter().map(|model| Gpu { model, mode }).collect()
}

async fn mode() -> Mode {
    let asked = |flag: &'static str| async move {
        let mut command = Command::new("nvidia-smi");
        command.args(["conf-compute", flag]).kill_on_drop(true);
        let output = tokio::time::timeout(DRIVER_DEADLINE, command.output()).await;
        let output = output.ok()?.ok()?;
        let text = String::from_utf8_lossy(&output.stdout).to_ascii_uppercase();
        output.status.success().then_some(text)
    };
    match (asked("-f").await, asked("-d").await) {
        (Some(feature), tools) => mode_of(&feature, tools.as_deref()),
        (None, _) => Mode::Unknown,
    }
}

/// `CC status: ON`, `DevTools Mode: OFF`, in capitals.
fn mode_of(feature: &str, tools: Option<&str>) -> Mode {
    let says = |text: &str, word: &str| {
        let mut lines = text.lines();
        lines.any(|line| line.rsplit(':').next().is_some_and(|value| value.trim() == word))
    };
    if says(feature, "ON") {
        match tools {
            Some(tools) if says(tools, "ON") => Mode::DevTools,
            _ => Mode::On,
        }
    } else if says(feature, "OFF") {
        Mode::Off
    } else {
        Mode::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read() {
        let cpuinfo = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9554\nflags\t\t: fpu sev sev_es sev_snp \
                       hypervisor\n";
        assert_eq!(Vendor::of(cpuinfo), Vendor::Amd);
        assert_eq!(field(cpuinfo, "model name"), Some("AMD EPYC 9554"));
        assert_eq!(flags(cpuinfo), ["sev_snp", "hypervisor"]);
        assert_eq!(Vendor::of(""), Vendor::Other);
        for (text, version) in [
            ("6.11.0-21-generic\n", Some((6, 11))),
            ("5.15.0", Some((5, 15))),
            ("6.7-rc1", Some((6, 7))),
            ("", None),
            ("six", None),
        ] {
            assert_eq!(kernel(text), version, "{text}");
        }
        assert!(is_on("Y\n") && is_on("1") && !is_on("N\n") && !is_on(""));
    }

    #[test]
    fn modes_are_read() {
        assert_eq!(mode_of("CC STATUS: ON\n", Some("DEVTOOLS MODE: OFF\n")), Mode::On);
        assert_eq!(
            mode_of("CC STATUS: ON\n", Some("DEVTOOLS MODE: ON\n")),
            Mode::DevTools
        );
        assert_eq!(mode_of("CC STATUS: OFF\n", None), Mode::Off);
        assert_eq!(mode_of("NO DEVICES WERE FOUND\n", None), Mode::Unknown);
    }
}
