//! What can go wrong, sorted by what the caller can do about it.
//!
//! A caller that runs programs treats all of these as a miss and goes on; [`StoreError::CannotWrite`] is the one that is
//! worth a warning, [`StoreError::NotPrivate`] the one that its user must settle.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::disk::{DiskError, Op};

/// Why the store can't do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The place can be written by somebody else, or is somebody else's: code from there would be theirs. Nothing is read.
    #[error("{}: owned by user {owner}, mode {mode:04o}; a store must be owned by user {user} and writable by nobody else: {}", path.display(), advice(*owner, *user))]
    NotPrivate {
        /// The directory or entry that was refused.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// The effective user of this process.
        user: u32,
    },
    /// The store can't be changed, now or ever; looking up may still work. Go on without it.
    #[error("{}: cannot {op}: {}", path.display(), why)]
    CannotWrite {
        /// The file or directory that the operation was for.
        path: PathBuf,
        /// The operation that failed.
        op: Op,
        /// The reason.
        why: Unwritable,
    },
    /// An operation failed for another reason.
    #[error("{}: cannot {op}", path.display())]
    Io {
        /// The file or directory that the operation was for.
        path: PathBuf,
        /// The operation that failed.
        op: Op,
        /// What the system said.
        source: io::Error,
    },
    /// The entry's name is taken by something that is no regular file.
    #[error("{}: not a regular file; remove it", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The entry alone is larger than the store may become.
    #[error("an entry of more than {len_max} bytes does not fit into a store of {len_max}")]
    TooLarge {
        /// The store's size limit.
        len_max: u64,
    },
    /// The closure that writes an entry's bytes gave up; nothing was published.
    #[error("the entry's bytes could not be produced")]
    Content(#[source] io::Error),
    /// A note's name or value breaks the rules of [`Store::note`](crate::Store::note).
    #[error("`{name}` cannot be noted: {rule}")]
    BadNote {
        /// The note's name.
        name: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Neither `LARDER_DIR` nor `XDG_CACHE_HOME` nor `HOME` says where the store is.
    #[error("no place for the store: set LARDER_DIR, XDG_CACHE_HOME or HOME to an absolute path")]
    NoPlace,
}

/// Why a store can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The file system is mounted read-only (`EROFS`).
    #[error("the file system is read-only")]
    ReadOnly,
    /// Permission is missing (`EACCES`, `EPERM`).
    #[error("permission denied")]
    Denied,
    /// The file system is full (`ENOSPC`).
    #[error("no space left on the file system")]
    Full,
    /// The user's quota is used up (`EDQUOT`).
    #[error("the disk quota is used up")]
    Quota,
}

fn advice(owner: u32, user: u32) -> &'static str {
    if owner == user {
        "take the permission away with `chmod go-w`"
    } else {
        "choose a directory of your own with LARDER_DIR"
    }
}

impl Unwritable {
    fn of(errno: Errno) -> Option<Unwritable> {
        match errno {
            Errno::ROFS => Some(Unwritable::ReadOnly),
            Errno::ACCESS | Errno::PERM => Some(Unwritable::Denied),
            Errno::NOSPC => Some(Unwritable::Full),
            Errno::DQUOT => Some(Unwritable::Quota),
            _ => None,
        }
    }
}

impl From<DiskError> for StoreError {
    fn from(DiskError { op, path, errno }: DiskError) -> StoreError {
        match Unwritable::of(errno) {
            Some(why) if op.writes() => StoreError::CannotWrite { path, op, why },
            _ => StoreError::Io { path, op, source: errno.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forbids_writing_is_told_apart_from_what_fails() {
        let cases = [
            (Op::Create, Errno::ROFS, Some(Unwritable::ReadOnly)),
            (Op::Rename, Errno::ACCESS, Some(Unwritable::Denied)),
            (Op::Write, Errno::NOSPC, Some(Unwritable::Full)),
            (Op::Sync, Errno::DQUOT, Some(Unwritable::Quota)),
            (Op::Write, Errno::IO, None),
            (Op::Open, Errno::ACCESS, None),
        ];
        for (op, errno, expected) in cases {
            let path = PathBuf::from("/s");
            match StoreError::from(DiskError { op, path, errno }) {
                StoreError::CannotWrite { why, .. } => assert_eq!(Some(why), expected, "{op} {errno}"),
                other => assert!(expected.is_none(), "{op} {errno}: {other}"),
            }
        }
    }

    #[test]
    fn a_refusal_names_path_owner_mode_and_what_to_do() {
        let refuse = |owner| StoreError::NotPrivate { path: "/s".into(), owner, mode: 0o777, user: 5 }.to_string();
        for part in ["/s", "user 5", "0777", "chmod go-w"] {
            assert!(refuse(5).contains(part), "{}", refuse(5));
        }
        assert!(refuse(6).contains("user 6") && refuse(6).contains("LARDER_DIR"), "{}", refuse(6));
    }
}
