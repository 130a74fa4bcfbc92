//! How much room a directory has.

use std::path::Path;

/// Room that is left over after the largest download, in bytes: logs and the rest of the system need some.
const MARGIN: u64 = 64 * 1024 * 1024;

/// There is not enough room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    pub(crate) needed: u64,
    pub(crate) free: u64,
}

/// Refuses when `bytes` more would not fit beside [`MARGIN`]. A file system that does not say how much it has is
/// taken at its word later, when a write fails.
pub(crate) fn room_for(dir: &Path, bytes: u64) -> Result<(), NoRoom> {
    let Some(free) = free(dir) else { return Ok(()) };
    let needed = bytes.saturating_add(MARGIN);
    if bytes > 0 && free < needed {
        Err(NoRoom { needed, free })
    } else {
        Ok(())
    }
}

/// Bytes that an unprivileged process may still write below `dir`.
pub(crate) fn free(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_disk_holds_everything() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(room_for(dir.path(), 0), Ok(()));
        assert!(room_for(dir.path(), u64::MAX / 2).is_err());
        assert_eq!(room_for(Path::new("/nonexistent/anywhere"), 1), Ok(()));
    }
}
