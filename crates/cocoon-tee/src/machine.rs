//! Evidence of this machine through the kernel: configfs-tsm for reports (Linux 6.7), sysfs for registers (Linux 6.16).
//!
//! The kernel's interface is files: one directory per asker, `inblob` takes the report data, `outblob` gives the report,
//! `generation` counts writes so that two askers of one directory notice each other. The paths are arguments, so tests act
//! as the kernel.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

mod accelerators;
mod error;
mod files;
mod register;
mod report;

pub use accelerators::accelerators;
pub use error::MachineError;
pub use register::Register;

/// Where the kernel's interface is and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOptions {
    /// Directory of report requests.
    pub reports: PathBuf,
    /// Directory of the TDX guest's registers.
    pub registers: PathBuf,
    /// A TDX quote goes through the host's quoting enclave, which takes up to seconds when it is cold.
    pub timeout: Duration,
}

/// The TEE of this machine.
#[derive(Debug)]
pub struct Machine {
    options: MachineOptions,
    /// Name of our directory: the process, and a number that no other process guesses.
    entry: String,
    /// The driver does one request at a time; a second one would wait for no known time.
    busy: Arc<AtomicBool>,
}

/// Who gives reports here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Intel TDX.
    Tdx,
    /// AMD SEV-SNP.
    SevSnp,
}

/// What the kernel gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineReport {
    /// Who gave it.
    pub provider: Provider,
    /// The quote (TDX) or report (SEV-SNP).
    pub report: Vec<u8>,
    /// Certificates that the host put beside it; SEV-SNP only, often empty.
    pub certificates: Vec<u8>,
}

// === impl Machine ===

impl Machine {
    /// The machine behind these paths; nothing is touched yet.
    ///
    /// # Errors
    /// The secure source failed.
    pub fn new(options: MachineOptions) -> Result<Self, MachineError> {
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| MachineError::Randomness)?;
        let mut entry = String::from("cocoon-");
        for byte in random {
            // Writing to a string does not fail.
            let _ = write!(entry, "{byte:02x}");
        }
        Ok(Self {
            options,
            entry,
            busy: Arc::default(),
        })
    }

    /// The same under a name of the caller's choice.
    #[cfg(test)]
    fn named(options: MachineOptions, entry: &str) -> Self {
        Self {
            options,
            entry: entry.to_owned(),
            busy: Arc::default(),
        }
    }

    /// Who gives reports here: creates and removes a request directory, asks for nothing.
    ///
    /// # Errors
    /// [`MachineError`] with a hint: most machines have no TEE.
    pub fn provider(&self) -> Result<Provider, MachineError> {
        let place = self.options.reports.join(&self.entry);
        self.bounded(move || report::provider(&place))
    }

    /// A report over these 64 bytes.
    ///
    /// # Errors
    /// [`MachineError`] with a hint, at the latest after the timeout.
    pub fn report(&self, report_data: &[u8; 64]) -> Result<MachineReport, MachineError> {
        let place = self.options.reports.join(&self.entry);
        let report_data = *report_data;
        self.bounded(move || report::ask(&place, &report_data))
    }

    /// Extends a runtime register: its new value is SHA-384(old value ‖ digest), which is checked.
    ///
    /// # Errors
    /// [`MachineError`] with a hint: only TDX guests with a new kernel have registers.
    pub fn extend(&self, register: Register, digest: &[u8; 48]) -> Result<[u8; 48], MachineError> {
        let place = self.options.registers.clone();
        let digest = *digest;
        self.bounded(move || register::extend(&place, register, &digest))
    }

    /// Runs on a thread of its own: the kernel may keep a reader for as long as the host likes.
    fn bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, MachineError> + Send + 'static,
    ) -> Result<T, MachineError> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(MachineError::Busy);
        }
        let (send, receive) = sync_channel(1);
        let busy = Arc::clone(&self.busy);
        let thread = std::thread::Builder::new().name("tee".to_owned());
        let started = thread.spawn(move || {
            let result = work();
            busy.store(false, Ordering::Release);
            // Nobody listens after the timeout.
            let _ = send.send(result);
        });
        if let Err(error) = started {
            self.busy.store(false, Ordering::Release);
            return Err(MachineError::Thread(error));
        }
        match receive.recv_timeout(self.options.timeout) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(MachineError::Timeout(self.options.timeout))
            }
        }
    }
}

// === impl MachineOptions ===

impl Default for MachineOptions {
    /// Where Linux has them; 10 s, which is twice what the slowest quoting enclaves took.
    fn default() -> Self {
        Self {
            reports: PathBuf::from("/sys/kernel/config/tsm/report"),
            registers: PathBuf::from("/sys/devices/virtual/misc/tdx_guest/measurements"),
            timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
