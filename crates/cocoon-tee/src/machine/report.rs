use std::fs;
use std::io;
use std::path::Path;

use super::{MachineError, MachineReport, Provider, files};

/// Largest report: what a certificate of the network carries (spec/network.md 3.7).
const MAX_REPORT: usize = cocoon_attest::MAX_QUOTE_BYTES;

/// Largest table of certificates beside a report. AMD's three have 5 KiB; hosts add a page or two.
const MAX_CERTIFICATES: usize = 65_536;

/// Longest text of the small files.
const MAX_TEXT: usize = 64;

/// Our request directory; leaves nothing behind.
struct Request<'a> {
    place: &'a Path,
}

/// Who gives reports here.
pub(super) fn provider(place: &Path) -> Result<Provider, MachineError> {
    Request::open(place)?.provider()
}

/// Asks for one report.
pub(super) fn ask(place: &Path, report_data: &[u8; 64]) -> Result<MachineReport, MachineError> {
    let request = Request::open(place)?;
    let provider = request.provider()?;
    let before = request.generation()?;
    files::write(place, "inblob", report_data, MachineError::NoReports)?;
    let report = request.read("outblob", MAX_REPORT)?;
    let certificates = match provider {
        Provider::Tdx => Vec::new(),
        Provider::SevSnp => request.certificates()?,
    };
    // Our one write, and nobody else's: else the report may be over somebody else's bytes.
    if request.generation()? != before.wrapping_add(1) {
        return Err(MachineError::Overtaken);
    }
    if report.is_empty() {
        return Err(MachineError::Empty);
    }
    Ok(MachineReport {
        provider,
        report,
        certificates,
    })
}

// === impl Request ===

impl<'a> Request<'a> {
    fn open(place: &'a Path) -> Result<Self, MachineError> {
        match fs::create_dir(place) {
            Ok(()) => Ok(Self { place }),
            // Left over by a process that was killed; the counter tells whether somebody still uses it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self { place }),
            Err(error) => {
                let parent = place.parent().unwrap_or(place).to_owned();
                Err(MachineError::at(parent, error, MachineError::NoReports))
            }
        }
    }

    fn read(&self, file: &'static str, limit: usize) -> Result<Vec<u8>, MachineError> {
        files::read(self.place, file, limit, MachineError::NoReports)
    }

    fn text(&self, file: &'static str) -> Result<String, MachineError> {
        let bytes = self.read(file, MAX_TEXT)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn provider(&self) -> Result<Provider, MachineError> {
        let name = self.text("provider")?;
        match name.as_str() {
            "tdx_guest" => Ok(Provider::Tdx),
            "sev_guest" => Ok(Provider::SevSnp),
            _ => Err(MachineError::Provider(name)),
        }
    }

    fn generation(&self) -> Result<u64, MachineError> {
        self.text("generation")?
            .parse()
            .map_err(|_| MachineError::Generation)
    }

    /// The host's certificates; a host or kernel without any is no error.
    fn certificates(&self) -> Result<Vec<u8>, MachineError> {
        match self.read("auxblob", MAX_CERTIFICATES) {
            Err(MachineError::NoReports(_) | MachineError::Io { .. }) => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        // The kernel removes the files in it with it. What cannot be removed now is taken over by the next request.
        let _ = fs::remove_dir(self.place);
    }
}
