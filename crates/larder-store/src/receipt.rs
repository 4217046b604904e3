//! What is remembered of an entry: that its bytes were verified, and when it was last used.
//!
//! **Problem.** A digest of the whole image costs forty times the load. It is owed once per change of the file, and who
//! pays it must be able to say so to later processes, at no more than one system call for each of them.
//!
//! **Idea.** A receipt is a symbolic link named by the key, whose target is text: `KIND.USED.IDENTITY`. `readlink` reads it
//! whole without opening anything, and a rename replaces it whole. It is believed only if `IDENTITY` is that of the entry
//! as it is now, so a receipt that is stale, torn off by a crash or displaced by another process is merely of no use.
//!
//! **Recency** stands in the same text, so reading it is free. Writing it isn't: a hit renews it only if it is older than
//! [`RENEW_MS`]. The order of eviction is therefore exact to ten minutes, and a program that starts every second costs a
//! write every ten minutes. (Times of access would cost nothing, but listing the store would change them.)
//!
//! **Assumptions** and the argument against clock ticks: `identity.rs`.

use std::ffi::CStr;

use crate::disk::{Disk, DiskResult};
use crate::identity::FileIdentity;
use crate::key::Key;
use crate::{layout, temp};

/// A hit renews a receipt that says the entry was last used longer ago than this.
pub(crate) const RENEW_MS: u64 = 10 * 60 * 1000;

/// Longer than any receipt: its longest identity has five numbers of up to 32 digits.
const LEN_MAX: usize = 200;

/// The text's first field if the entry's bytes were verified.
const VERIFIED: &str = "v";
/// The text's first field if only the use is recorded.
const USED: &str = "u";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) is_verified: bool,
    pub(crate) used_ms: u64,
    identity: String,
}

impl Receipt {
    pub(crate) fn new(is_verified: bool, used_ms: u64, identity: &FileIdentity) -> Receipt {
        Receipt { is_verified, used_ms, identity: identity.text() }
    }

    /// The entry's receipt, if there is one for the file as it is now. One that can't be read counts as none.
    pub(crate) fn read(disk: &Disk, key: &Key, identity: &FileIdentity) -> Option<Receipt> {
        let target = disk.read_link(&layout::receipt(key), LEN_MAX).ok()??;
        Receipt::parse(&target).filter(|receipt| receipt.identity == identity.text())
    }

    pub(crate) fn write(&self, disk: &Disk, key: &Key) -> DiskResult<()> {
        temp::put_link(disk, &layout::receipt(key), &self.target())
    }

    /// Whether a use at `now_ms` has to be written down: the last one is long ago, or the clock was set back.
    pub(crate) fn is_old(&self, now_ms: u64) -> bool {
        self.used_ms.abs_diff(now_ms) >= RENEW_MS
    }

    /// The same receipt with another time of use.
    pub(crate) fn used_at(&self, used_ms: u64) -> Receipt {
        Receipt { used_ms, ..self.clone() }
    }

    fn target(&self) -> String {
        let kind = if self.is_verified { VERIFIED } else { USED };
        format!("{kind}.{:x}.{}", self.used_ms, self.identity)
    }

    fn parse(target: &CStr) -> Option<Receipt> {
        let (kind, rest) = target.to_str().ok()?.split_once('.')?;
        let (used, identity) = rest.split_once('.')?;
        let is_verified = match kind {
            VERIFIED => true,
            USED => false,
            _ => return None,
        };
        Some(Receipt { is_verified, used_ms: u64::from_str_radix(used, 16).ok()?, identity: identity.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    const IDENTITY: FileIdentity = FileIdentity {
        dev: 0xfe00,
        ino: 0x7_ffff,
        size: 12 << 20,
        mtime_ns: 1_790_000_000_123_456_789,
        ctime_ns: 1_790_000_000_135_456_789,
    };

    #[test]
    fn a_receipt_reads_back_and_fits_into_an_inode() {
        for is_verified in [true, false] {
            let receipt = Receipt::new(is_verified, 1_790_000_000_123, &IDENTITY);
            let target = CString::new(receipt.target()).unwrap();
            assert_eq!(Receipt::parse(&target), Some(receipt));
            assert!(target.count_bytes() <= 59, "{target:?}");
        }
    }

    #[test]
    fn what_is_no_receipt_is_none() {
        for text in ["", "v", "v.1", "x.1.2", "v.g.2", "v..2", ".1.2", "V.1.2"] {
            assert_eq!(Receipt::parse(&CString::new(text).unwrap()), None, "{text}");
        }
    }
}
