use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::MachineError;

/// All of a file of the kernel's, if it is within the limit.
pub(super) fn read(
    directory: &Path,
    file: &'static str,
    limit: usize,
    absent: fn(PathBuf) -> MachineError,
) -> Result<Vec<u8>, MachineError> {
    let path = directory.join(file);
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(&path)
        .and_then(|opened| opened.take(bound).read_to_end(&mut bytes))
        .map_err(|error| MachineError::at(path, error, absent))?;
    if bytes.len() > limit {
        return Err(MachineError::TooLong { file, limit });
    }
    Ok(bytes)
}

/// Writes at once: the kernel takes each write as a whole value. It never creates a file.
pub(super) fn write(
    directory: &Path,
    file: &str,
    value: &[u8],
    absent: fn(PathBuf) -> MachineError,
) -> Result<(), MachineError> {
    let path = directory.join(file);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut opened| opened.write_all(value))
        .map_err(|error| MachineError::at(path, error, absent))
}
