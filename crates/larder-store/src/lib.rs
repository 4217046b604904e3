//! A crash-safe directory of opaque entries.
//!
//! **Problem.** Compiled code outlives the process that made it. Many processes look for the same key at once, any of
//! them can be killed at any instruction, the disk can be full or read-only, and a hit must cost next to nothing.
//!
//! **Idea.** One entry is one file, named by its key, that appears by a rename and is never written again. What is only
//! worth remembering (that an entry's bytes were verified, when it was used, the digest of an input) is the target of a
//! symbolic link: one `readlink` reads it, one `rename` replaces it, and losing it costs time, never truth.
//! Who compiles is decided by a lock on a file per key, which the kernel frees when its holder dies.
//!
//! **Assumptions.** Those of `docs/store.md`, which also lists every name and byte of the directory: a local file
//! system's `rename` is atomic, `fsync` means it, and a write stamps the file's change time from the clock.
//!
//! **Not done here.** Knowing what an entry holds: verifying bytes is the caller's, this crate remembers that it was
//! done. Nothing is repaired in place; a bad entry is removed and made again. There is no index file that could disagree
//! with the directory.
//!
//! A hit costs six system calls, all told: open, stat and one `geteuid` for [`Store::open`]; open, stat and one
//! `readlink` for [`Store::lookup`].

#![forbid(unsafe_code)]

mod contents;
mod disk;
mod error;
mod gc;
mod identity;
mod key;
mod layout;
mod lease;
mod lock;
mod place;
mod publish;
mod receipt;
mod remember;
mod store;
mod tally;
mod temp;
mod verify;

pub use contents::{EntryInfo, Stats};
pub use disk::{Op, Seam};
pub use error::{StoreError, Unwritable};
pub use gc::{Cleared, Collected};
pub use identity::{FileIdentity, Observed};
pub use key::{BadKey, Key};
pub use lease::{Attempt, Lease, Waiting};
pub use place::{DIR_VAR, default_dir};
pub use remember::{Digest, NOTE_NAME_LEN_MAX, NOTE_VALUE_LEN_MAX};
pub use store::{Entry, SIZE_MAX_DEFAULT, Store, StoreOptions};
pub use verify::{Outcome, Verified};
