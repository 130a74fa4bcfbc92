use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// This machine gives no evidence, or not now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// There is no report interface.
    #[error("this machine has no report interface at {}", .0.display())]
    NoReports(PathBuf),
    /// There are no registers to extend.
    #[error("this machine has no runtime register at {}", .0.display())]
    NoRegister(PathBuf),
    /// Not allowed.
    #[error("no permission to use {}", .path.display())]
    Permission {
        /// What.
        path: PathBuf,
        /// How the kernel says it.
        #[source]
        error: io::Error,
    },
    /// Reading or writing failed.
    #[error("the kernel's {} cannot be used", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A report interface of another kind.
    #[error("the kernel's report provider is {0:?}, which is neither TDX nor SEV-SNP")]
    Provider(String),
    /// More than any report has.
    #[error("the kernel's {file} is longer than {limit} bytes")]
    TooLong {
        /// Name of the file.
        file: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// Nothing came.
    #[error("the kernel gave an empty report")]
    Empty,
    /// Somebody else wrote into our request while it was made.
    #[error("another process used the same report request at the same time")]
    Overtaken,
    /// What the kernel counts is not a number.
    #[error("the kernel's generation counter is not a number")]
    Generation,
    /// The register does not hold what it must after an extension.
    #[error("the register does not hold the extended value")]
    NotExtended,
    /// It took too long; it may still come to its end.
    #[error("the machine gave no report within {0:?}")]
    Timeout(Duration),
    /// A request of before is still running.
    #[error("an earlier request to the machine is still running")]
    Busy,
    /// No thread could be started.
    #[error("no thread could be started to ask the machine")]
    Thread(#[source] io::Error),
    /// The secure source failed.
    #[error("the secure source of random numbers failed")]
    Randomness,
}

// === impl MachineError ===

impl MachineError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoReports(_) => {
                "evidence needs a confidential virtual machine (Intel TDX or AMD SEV-SNP) with Linux 6.7 or newer, configfs \
                 mounted at /sys/kernel/config, and the module tdx_guest or sev-guest loaded"
            }
            Self::NoRegister(_) => {
                "runtime registers need a TDX guest with Linux 6.16 or newer and the module tdx_guest loaded"
            }
            Self::Permission { .. } => "run it as root, or let the service's user write there",
            Self::Provider(_) => "only tdx_guest and sev_guest give evidence that Cocoon verifies",
            Self::Timeout(_) => {
                "the host's quoting service does not answer; its operator has to look at qgsd and its registration (PCCS)"
            }
            Self::Busy | Self::Overtaken => "try again in a moment",
            Self::Empty | Self::TooLong { .. } | Self::Generation | Self::NotExtended | Self::Io { .. } => {
                "the kernel's log (dmesg) says more; the host's firmware or quoting service may be at fault"
            }
            Self::Thread(_) | Self::Randomness => "the machine is out of resources",
        }
    }

    /// A failure at this path; `absent` when it is not there.
    pub(super) fn at(path: PathBuf, error: io::Error, absent: fn(PathBuf) -> Self) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => absent(path),
            io::ErrorKind::PermissionDenied => Self::Permission { path, error },
            _ => Self::Io { path, error },
        }
    }
}
