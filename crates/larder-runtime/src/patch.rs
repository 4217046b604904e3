//! Leads calls of units elsewhere.
//!
//! The entry of a unit becomes a jump to a *stub*, which jumps to wherever its *cell* leads. Stubs and cells lie beside the image, near enough
//! for the jump, and are made only if an image needs any. A cell leads to [`answer`] until somebody has told where calls go.
//!
//! Entries are patched before anything of the image runs: their pages can't be executed while they are written to. They are restored while
//! threads run them: a page that has no patch left is given back to the file, any other is replaced by a copy as a whole. A thread
//! that runs such a page is never between two instructions of what is restored, since that unit has not run yet.

use crate::availability::Availability;
use crate::os::{self, Region};
use larder_format::image::{PAGE, WORD};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

/// Words in front of the cells: the context of [`answer`], and the function that calls it.
const WORDS_BEFORE_CELLS: u64 = 2;

/// Stubs of one image and their cells.
#[derive(Debug)]
pub(crate) struct Stubs {
    area: Region,
    /// Offset of the words in the area.
    words: u64,
}

impl Stubs {
    /// Makes `count` of them that the code at those addresses of an image can jump to. `None` if no addresses are free near it.
    pub(crate) fn new(code: &Range<usize>, image: &Range<usize>, count: u32) -> io::Result<Option<Stubs>> {
        let code_len = (u64::from(count) + 1) * arch::STUB_LEN as u64;
        let words = code_len.next_multiple_of(PAGE);
        let len = words + (WORDS_BEFORE_CELLS + u64::from(count)) * WORD;
        let Some(area) = os::map_zeros_near(code, image, len, arch::REACH)? else { return Ok(None) };
        let stubs = Stubs { area, words };
        let header = stubs.area.base();
        stubs.write(0, &arch::header(header, stubs.word(0)));
        for number in 0..count {
            let stub = stubs.stub(number);
            stubs.write(stub - header, &arch::stub(stub, number, stubs.cell_address(number), header));
            stubs.cell(number).store(arch::lazy(stub), Ordering::Relaxed);
        }
        stubs.atomic(1).store(arch::entry_of_asking(), Ordering::Relaxed);
        stubs.area.make_code(0..words)?;
        Ok(Some(stubs))
    }

    fn write(&self, offset: usize, code: &[u8]) {
        let place = self.area.at(offset as u64);
        // SAFETY: `new` has made the area so long, and it is still writable and nobody else's.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), place, code.len()) };
    }

    fn word(&self, index: u64) -> usize {
        self.area.at(self.words + index * WORD) as usize
    }

    fn atomic(&self, index: u64) -> &AtomicUsize {
        // SAFETY: it is an aligned word of the area's writable part, which is only used as such.
        unsafe { AtomicUsize::from_ptr(self.word(index) as *mut usize) }
    }

    fn cell_address(&self, number: u32) -> usize {
        self.word(WORDS_BEFORE_CELLS + u64::from(number))
    }

    fn cell(&self, number: u32) -> &AtomicUsize {
        self.atomic(WORDS_BEFORE_CELLS + u64::from(number))
    }

    /// Address of a stub: a function that may be called and pointed to.
    pub(crate) fn stub(&self, number: u32) -> usize {
        self.area.at((u64::from(number) + 1) * arch::STUB_LEN as u64) as usize
    }

    /// Has a stub lead to that address from now on.
    pub(crate) fn lead(&self, number: u32, address: usize) {
        self.cell(number).store(address, Ordering::Release);
    }

    /// The same, if it leads to [`answer`] yet; answers where it leads now.
    pub(crate) fn lead_first(&self, number: u32, address: usize) -> usize {
        let lazy = arch::lazy(self.stub(number));
        match self.cell(number).compare_exchange(lazy, address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => address,
            Err(now) => now,
        }
    }

    /// Says who answers. Nothing leads to the stubs before.
    ///
    /// # Safety
    /// The context stays where it is as long as the stubs are called.
    pub(crate) unsafe fn set_context(&self, context: *const Availability) {
        self.atomic(0).store(context as usize, Ordering::Release);
    }
}

/// Tells where a call through that stub goes; the stub's registers are saved meanwhile. It may unwind to the caller of the stub.
///
/// # Safety
/// The context is that of the stubs.
unsafe extern "C-unwind" fn answer(context: *const Availability, number: u32) -> usize {
    // SAFETY: the caller's promise.
    unsafe { &*context }.called(number)
}

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
