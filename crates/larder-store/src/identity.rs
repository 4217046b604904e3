//! Which file, in which state: the facts that change whenever a file's bytes do.
//!
//! **Problem.** Reading a hundred megabytes to learn that nothing changed is what a cache is for avoiding. The change
//! time says so for the price of a `stat`, but it ticks: local file systems stamp with the kernel's coarse clock, which
//! moves every 1 to 10 ms, so two writes within a tick can leave one stamp.
//!
//! **Argument.** Let the coarse clock show `c` at some moment, and let the file's change time then be `t < c`. The clock
//! doesn't go back, so every write that begins later is stamped `≥ c > t`. Hence: whoever sees `t` again sees the bytes of
//! that moment. A state with `t < c` is called *settled*; what was learnt from bytes read **after** a settled observation
//! may be remembered for that identity, and nothing else may. A write that races with the reading changes `t`, so
//! what is then remembered is never found again.
//!
//! **Assumptions.** A `write` call that had begun when the file was observed has ended when the reading starts (the stamp
//! is set before the bytes are copied), and nobody changes the file through a shared writable mapping that was dirty
//! before (the kernel stamps such a page when it first becomes dirty). The clock isn't set back to the very nanosecond
//! of an earlier stamp. The stamps have nanoseconds: a change time of a whole second is never settled, and neither is
//! anything on a file system that isn't in [`STAMPED`]. There, bytes are read each time.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Stat};
use rustix::time::ClockId;

/// Local file systems that stamp each change in nanoseconds from this kernel's clock, by `statfs` magic number
/// (`linux/magic.h` and the file systems' own headers).
const STAMPED: [(u64, &str); 9] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0xf2f5_2010, "f2fs"),
    (0x2fc1_2fc1, "zfs"),
    (0xca45_1a4e, "bcachefs"),
    // Hands on the stamps of its layers, of which the one that can be written is never a network file system.
    (0x794c_7630, "overlayfs"),
];

/// How long [`Observed::settle`] waits for the clock: several ticks of the slowest kernel (100 Hz).
const SETTLE_TRIES: u32 = 50;
const SETTLE_STEP: Duration = Duration::from_millis(1);

/// A file in one state. Equal identities mean equal bytes, if the state was settled when the bytes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
    /// The length in bytes.
    pub size: u64,
    /// The time of the last change of the bytes, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// The time of the last change of the bytes or the inode, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

impl FileIdentity {
    /// The identity of the file at `path`, links followed: one system call.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    pub fn at(path: &Path) -> io::Result<FileIdentity> {
        Ok(FileIdentity::from_stat(&rustix::fs::stat(path)?))
    }

    /// The identity of an open file: one system call.
    ///
    /// # Errors
    /// Those of `fstat(2)`.
    pub fn of(file: impl AsFd) -> io::Result<FileIdentity> {
        Ok(FileIdentity::from_stat(&rustix::fs::fstat(file)?))
    }

    #[expect(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
    pub(crate) fn from_stat(stat: &Stat) -> FileIdentity {
        let ns = |seconds: i64, ns: i128| i128::from(seconds) * NS_PER_S + ns;
        FileIdentity {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            size: stat.st_size as u64,
            mtime_ns: ns(stat.st_mtime as i64, stat.st_mtime_nsec as i128),
            ctime_ns: ns(stat.st_ctime as i64, stat.st_ctime_nsec as i128),
        }
    }

    /// The text that stands in links. It is compared and never parsed. The modification time is told as its distance from
    /// the change time, which is small: ext4 keeps a link of up to 59 bytes in the inode.
    pub(crate) fn text(&self) -> String {
        let FileIdentity { dev, ino, size, mtime_ns, ctime_ns } = *self;
        format!("{dev:x}.{ino:x}.{size:x}.{ctime_ns:x}.{:x}", ctime_ns - mtime_ns)
    }

    /// Whether any later write must change this identity. Ask before the bytes are read.
    pub(crate) fn is_settled(&self) -> bool {
        !self.lacks_ns() && self.ctime_ns.max(self.mtime_ns) < coarse_now_ns()
    }

    fn lacks_ns(&self) -> bool {
        self.ctime_ns % NS_PER_S == 0
    }
}

const NS_PER_S: i128 = 1_000_000_000;

/// A file's identity, and whether what is read from now on may be remembered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    identity: FileIdentity,
    is_settled: bool,
}

impl Observed {
    /// Observes an open file, right before its bytes are read **through that descriptor**.
    ///
    /// If the file was changed in the clock's present tick, waits for the next one: 10 ms or less, as a rule, and never
    /// more than 50 ms. A file that isn't settled then (its time lies in the future, or it is still being written) is
    /// observed all the same, but nothing is remembered for it.
    ///
    /// # Errors
    /// Those of `fstat(2)`.
    pub fn settle(file: &File) -> io::Result<Observed> {
        let mut tries = SETTLE_TRIES;
        loop {
            let stat = rustix::fs::fstat(file)?;
            let identity = FileIdentity::from_stat(&stat);
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            let is_settled = is_file && identity.is_settled();
            if is_settled || !is_file || identity.lacks_ns() || tries == 0 {
                return Ok(Observed { identity, is_settled });
            }
            tries -= 1;
            std::thread::sleep(SETTLE_STEP);
        }
    }

    /// The identity that was seen.
    pub fn identity(&self) -> &FileIdentity {
        &self.identity
    }

    /// Whether what is read after this observation may be remembered.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }
}

/// Whether a file system of that magic number stamps every change so that [`FileIdentity`] can be believed.
pub(crate) fn is_stamped(file_system: u64) -> bool {
    STAMPED.iter().any(|(magic, _)| *magic == file_system)
}

fn coarse_now_ns() -> i128 {
    let now = rustix::time::clock_gettime(ClockId::RealtimeCoarse);
    i128::from(now.tv_sec) * NS_PER_S + i128::from(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAST: FileIdentity =
        FileIdentity { dev: 1, ino: 2, size: 3, mtime_ns: 1_000_000_001, ctime_ns: 1_000_000_009 };

    #[test]
    fn every_field_changes_the_text() {
        let texts = [
            PAST,
            FileIdentity { dev: 9, ..PAST },
            FileIdentity { ino: 9, ..PAST },
            FileIdentity { size: 9, ..PAST },
            FileIdentity { mtime_ns: 9, ..PAST },
            FileIdentity { ctime_ns: 9, ..PAST },
        ]
        .map(|identity| identity.text());
        let distinct: std::collections::HashSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "{texts:?}");
    }

    #[test]
    fn only_the_past_with_nanoseconds_is_settled() {
        let future = coarse_now_ns() + 60 * NS_PER_S + 1;
        let cases = [
            (PAST, true),
            (FileIdentity { ctime_ns: future, ..PAST }, false),
            (FileIdentity { mtime_ns: future, ..PAST }, false),
            (FileIdentity { ctime_ns: 5 * NS_PER_S, ..PAST }, false),
        ];
        for (identity, expected) in cases {
            assert_eq!(identity.is_settled(), expected, "{identity:?}");
        }
    }

    #[test]
    fn network_file_systems_are_not_believed() {
        for (magic, name) in
            [(0x6969, "nfs"), (0xff53_4d42, "cifs"), (0x6573_5546, "fuse"), (0x0102_1997, "9p"), (0x4d44, "vfat")]
        {
            assert!(!is_stamped(magic), "{name}");
        }
        assert!(is_stamped(0xef53));
    }
}
