//! Digests of inputs, and small named notes.
//!
//! **Problem.** A key that is made from an input's digest asks for the input's bytes at each start, though they rarely change.
//!
//! **Idea.** The digest is remembered for the input's identity (device, inode, size and both times), so that a start costs a
//! `stat` of the input and one `readlink` here. The link's name is a slot that device and inode choose, and its target is
//! `DIGEST.IDENTITY`: a changed input displaces its own former digest, and there are never more than 4096 links. Two inputs
//! that share a slot displace each other, at the price of one digest.
//!
//! **Argument.** `identity.rs` has it: what is remembered was read after a settled observation, so a write that raced with
//! the reading changed the identity. One thing is added for power cuts: the input is synced before its digest is
//! remembered, else a cut could bring back old bytes under the new change time.

use std::fs::File;

use crate::disk::DiskResult;
use crate::error::StoreError;
use crate::identity::{FileIdentity, Observed, is_stamped};
use crate::key::{from_hex, to_hex};
use crate::store::Store;
use crate::{layout, temp};

/// A digest of an input's bytes. Which digest is the caller's affair.
pub type Digest = [u8; 32];

/// The longest name of a note.
pub const NOTE_NAME_LEN_MAX: usize = 64;
/// The longest value of a note, in bytes: with its mark it fits into a link on every file system (xfs has 1024).
pub const NOTE_VALUE_LEN_MAX: usize = 1000;

/// A link can't be empty, so a note's value stands after this mark.
const NOTE_MARK: &str = "=";
/// 64 digits, a dot, and five numbers of up to 32 digits with dots between.
const INPUT_LEN_MAX: usize = 250;

impl Store {
    /// Remembers the digest of what was read through `file` after it was `observed`. Returns whether it will be recalled:
    /// not if the file wasn't settled, was changed since, or lies on a file system whose times can't be relied on.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`] for the store. Trouble with the input itself is `false`.
    pub fn remember(&self, file: &File, observed: &Observed, digest: &Digest) -> Result<bool, StoreError> {
        if !observed.is_settled() || !self.can_vouch(file, observed.identity()) {
            return Ok(false);
        }
        let identity = observed.identity();
        let target = format!("{}.{}", to_hex(digest), identity.text());
        temp::put_link(&self.disk, &layout::input(identity.dev, identity.ino), &target)?;
        Ok(true)
    }

    /// The digest that is remembered for exactly that state of a file. One system call.
    ///
    /// # Errors
    /// [`StoreError::Io`]; as good as `None`.
    pub fn recall(&self, identity: &FileIdentity) -> Result<Option<Digest>, StoreError> {
        let name = layout::input(identity.dev, identity.ino);
        let Some(target) = self.disk.read_link(&name, INPUT_LEN_MAX)? else {
            return Ok(None);
        };
        let told = target.to_str().ok().and_then(|target| target.split_once('.'));
        Ok(told.filter(|told| told.1 == identity.text()).and_then(|told| from_hex(told.0)))
    }

    /// Writes a note: a short text under a name, for facts that are cheap to check and dear to find out. It replaces the
    /// former value whole.
    ///
    /// # Errors
    /// [`StoreError::BadNote`] if the name isn't 1 to 64 of `a`–`z`, `0`–`9`, `-` and `_`, or if the value has a NUL or more
    /// than 1000 bytes; [`StoreError::CannotWrite`] or [`StoreError::Io`].
    pub fn note(&self, name: &str, value: &str) -> Result<(), StoreError> {
        check_note_name(name)?;
        if value.len() > NOTE_VALUE_LEN_MAX || value.contains('\0') {
            return Err(bad_note(name, "a value has at most 1000 bytes and no NUL"));
        }
        Ok(temp::put_link(&self.disk, &layout::note(name), &format!("{NOTE_MARK}{value}"))?)
    }

    /// The value of a note. Notes are hints: whoever relies on one checks that it still holds. One system call.
    ///
    /// # Errors
    /// [`StoreError::BadNote`] for a name that can't be; [`StoreError::Io`].
    pub fn recall_note(&self, name: &str) -> Result<Option<String>, StoreError> {
        check_note_name(name)?;
        let target = self.disk.read_link(&layout::note(name), NOTE_MARK.len() + NOTE_VALUE_LEN_MAX)?;
        let text = target.and_then(|target| target.into_string().ok());
        Ok(text.and_then(|text| text.strip_prefix(NOTE_MARK).map(str::to_owned)))
    }

    fn can_vouch(&self, file: &File, identity: &FileIdentity) -> bool {
        let is_same = FileIdentity::of(file).is_ok_and(|now| now == *identity);
        let stamped = || -> DiskResult<bool> { Ok(is_stamped(self.disk.file_system(file, "")?)) };
        is_same && stamped().unwrap_or(false) && self.disk.sync(file, "").is_ok()
    }
}

fn check_note_name(name: &str) -> Result<(), StoreError> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    if name.is_empty() || name.len() > NOTE_NAME_LEN_MAX || !name.bytes().all(is_plain) {
        return Err(bad_note(name, "a name is 1 to 64 of a-z, 0-9, - and _"));
    }
    Ok(())
}

fn bad_note(name: &str, rule: &'static str) -> StoreError {
    StoreError::BadNote { name: name.to_owned(), rule }
}
