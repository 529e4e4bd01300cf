//! How much room is left on the disks of this machine.

use std::{os::unix::fs::MetadataExt as _, path::Path};

/// Less than this is low on any disk.
const LEAST: u64 = 1 << 30;

/// The twentieth part is low as well, unless it is more than this.
const PLENTY: u64 = 20 << 30;

/// The room of the file system that holds a path, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What may still be written by anybody.
    pub free: u64,
    /// All of it.
    pub total: u64,
    /// Tells file systems apart.
    pub device: u64,
}

impl Room {
    /// The room around a path; `None` where there is no such path on this machine, or it cannot be told.
    ///
    /// It may block for as long as the file system does.
    pub fn around(path: &Path) -> Option<Self> {
        let device = std::fs::metadata(path).ok()?.dev();
        let known = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(known.f_frsize);
        Some(Self { free: bytes(known.f_bavail), total: bytes(known.f_blocks), device })
    }

    /// Whether somebody should make room before it ends.
    pub const fn is_low(self) -> bool {
        self.free < LEAST || (self.free < PLENTY && self.free < self.total / 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_low_by_its_part_and_by_its_bytes() {
        let is_low = |free: u64, total: u64| Room { free: free << 20, total: total << 20, device: 0 }.is_low();

        assert!(is_low(900, 8_000) && is_low(4_000, 100_000));
        assert!(!is_low(1_500, 8_000) && !is_low(30_000, 4_000_000));
    }

    #[test]
    fn the_room_of_a_folder_is_known_and_that_of_none_is_not() {
        let room = Room::around(Path::new("/")).expect("there is a root");

        assert!(room.total > 0 && room.free <= room.total);
        assert_eq!(Room::around(Path::new("/no/such/folder")), None);
    }
}
