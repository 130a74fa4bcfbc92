use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA384, digest};

use super::{MachineError, files};

/// A runtime register that belongs to the guest's software; the firmware has the two before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Register {
    /// Kernel, command line, initial file system.
    Rtmr2,
    /// What runs on top.
    Rtmr3,
}

// === impl Register ===

impl Register {
    const fn file(self) -> &'static str {
        match self {
            Self::Rtmr2 => "rtmr2:sha384",
            Self::Rtmr3 => "rtmr3:sha384",
        }
    }
}

/// Extends it, and looks whether it holds what it must then.
pub(super) fn extend(place: &Path, register: Register, value: &[u8; 48]) -> Result<[u8; 48], MachineError> {
    let before = read(place, register)?;
    let expected = digest(&SHA384, &[before, *value].concat());
    files::write(place, register.file(), value, MachineError::NoRegister)?;
    let after = read(place, register)?;
    if expected.as_ref() == after {
        Ok(after)
    } else {
        Err(MachineError::NotExtended)
    }
}

fn read(place: &Path, register: Register) -> Result<[u8; 48], MachineError> {
    let absent: fn(PathBuf) -> MachineError = MachineError::NoRegister;
    let bytes = files::read(place, register.file(), 48, absent)?;
    bytes.try_into().map_err(|_| MachineError::NotExtended)
}
