//! Leads calls of units elsewhere.
//!
//! The entry of a unit becomes a jump to a [*stub*](stubs), near enough for the jump, which leads to wherever somebody has told that calls go.
//!
//! Entries are patched before anything of the image runs: their pages can't be executed while they are written to. They are restored while
//! threads run them: a page that has no patch left is given back to the file, any other is replaced by a copy as a whole. A thread
//! that runs such a page is never between two instructions of what is restored, since that unit has not run yet.

use crate::os::Region;
use larder_format::image::PAGE;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

mod stubs;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub(crate) use stubs::Stubs;

/// An entry and the stub that it is going to lead to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Image offset.
    pub(crate) offset: u64,
    /// Image offset up to which there is nothing but this unit and padding.
    pub(crate) limit: u64,
    /// The stub's number.
    pub(crate) stub: u32,
}

/// What an entry becomes.
#[derive(Debug)]
pub(crate) struct Patch {
    offset: u64,
    original: Vec<u8>,
    patch: Vec<u8>,
}

/// Entries that lead to stubs, with the bytes that stood there.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    patched: BTreeMap<u64, Vec<u8>>,
    /// Pages that are not the file's any more, by the image offsets.
    copied: BTreeSet<u64>,
}

/// Bytes of a patch at most.
const PATCH_LEN_MAX: u64 = 16;
/// Pages between two patches that are made writable with them rather than by calls of their own.
const PAGES_BETWEEN_MAX: u64 = 64;

impl Entries {
    /// The patches of entries. The error is the stub's number of an entry that has no room for one.
    ///
    /// # Safety
    /// The code is mapped, and not written to meanwhile.
    pub(crate) unsafe fn plan(code: &Region, entries: &[Entry], stubs: &Stubs) -> Result<Vec<Patch>, u32> {
        let patch = |entry: &Entry| {
            // SAFETY: the caller's promise.
            let bytes = unsafe { code.bytes(entry.offset..entry.limit) };
            let patch = arch::patch(bytes, code.at(entry.offset) as usize, stubs.stub(entry.stub)).ok_or(entry.stub)?;
            Ok(Patch { offset: entry.offset, original: bytes[..patch.len()].to_vec(), patch })
        };
        entries.iter().map(patch).collect()
    }

    /// Patches entries.
    ///
    /// # Safety
    /// They were planned for this code. Nothing of it runs yet, and nobody refers to it.
    pub(crate) unsafe fn patch(code: &Region, mut patches: Vec<Patch>) -> io::Result<Entries> {
        patches.sort_unstable_by_key(|patch| patch.offset);
        let near = |a: &Patch, b: &Patch| b.offset - a.offset <= PAGES_BETWEEN_MAX * PAGE;
        for run in patches.chunk_by(near) {
            let last = &run[run.len() - 1];
            let pages = page_of(run[0].offset)..(last.offset + last.patch.len() as u64).next_multiple_of(PAGE);
            code.make_data(pages.clone())?;
            for Patch { offset, patch, .. } in run {
                // SAFETY: the entry has room for it, its page is writable, and the caller says that nobody refers to it.
                unsafe { std::ptr::copy_nonoverlapping(patch.as_ptr(), code.at(*offset), patch.len()) };
            }
            code.make_code(pages)?;
        }
        let patched = patches.into_iter().map(|patch| (patch.offset, patch.original)).collect();
        Ok(Entries { patched, copied: BTreeSet::new() })
    }

    /// Restores entries, while threads may run other code of their pages, and jump to the entries.
    ///
    /// # Safety
    /// The code is the one they were patched in. What they begin may run now.
    pub(crate) unsafe fn restore(&mut self, code: &Region, offsets: &BTreeSet<u64>) -> io::Result<()> {
        let pages: BTreeSet<u64> = offsets.iter().flat_map(|offset| self.pages_of(*offset)).collect();
        let pages: Vec<(u64, bool)> =
            pages.into_iter().map(|page| (page, self.returns_to_file(page, offsets))).collect();
        for run in pages.chunk_by(|a, b| a.1 == b.1 && b.0 == a.0 + PAGE) {
            let range = run[0].0..run[run.len() - 1].0 + PAGE;
            // SAFETY: the pages are the file's, and each patch lies on one of them; the rest is the caller's promise.
            let discarded = run[0].1 && unsafe { code.discard_written(range.clone()) }.is_ok();
            if !discarded {
                // SAFETY: the caller's promise.
                unsafe { code.replace_code(range.clone(), |bytes| self.write_back(range.start, bytes, offsets)) }?;
                self.copied.extend(run.iter().map(|(page, _)| page));
            }
        }
        self.patched.retain(|offset, _| !offsets.contains(offset));
        Ok(())
    }

    /// Pages on which the patch of that entry lies.
    fn pages_of(&self, offset: u64) -> impl Iterator<Item = u64> + use<> {
        let end = self.patched.get(&offset).map_or(offset, |bytes| offset + bytes.len() as u64);
        (page_of(offset)..end).step_by(PAGE as usize)
    }

    /// Whether a page is like the file's once these entries are restored. One whose patch goes on on another page is copied with it, since two
    /// pages don't return to the file at once.
    fn returns_to_file(&self, page: u64, restored: &BTreeSet<u64>) -> bool {
        let first = page.saturating_sub(PATCH_LEN_MAX);
        let mut on_page =
            self.patched.range(first..page + PAGE).filter(|(offset, bytes)| *offset + bytes.len() as u64 > page);
        !self.copied.contains(&page)
            && on_page.all(|(offset, bytes)| {
                let whole = page_of(*offset) == page && offset + bytes.len() as u64 <= page + PAGE;
                whole && restored.contains(offset)
            })
    }

    /// Writes the bytes that stood at entries into a copy of pages that begin at that image offset.
    fn write_back(&self, start: u64, pages: &mut [u8], restored: &BTreeSet<u64>) {
        for (offset, bytes) in restored.iter().filter_map(|offset| self.patched.get_key_value(offset)) {
            let inside =
                offset.checked_sub(start).and_then(|first| pages.get_mut(first as usize..)?.get_mut(..bytes.len()));
            if let Some(place) = inside {
                place.copy_from_slice(bytes);
            }
        }
    }
}

fn page_of(offset: u64) -> u64 {
    offset - offset % PAGE
}
