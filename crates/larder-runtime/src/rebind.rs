//! Gives imports of a loaded image other addresses, while its code may run.
//!
//! A word is written only if it still holds the old address (plus its addend): slots always do, a variable may have been changed since.
//! Words at even places change at once for every thread. Relro is writable meanwhile; code that only reads it notices nothing.

use crate::os::Region;
use crate::relocate::{self, Words};
use larder_format::image::{Image, ImageHeader, PAGE, WORD};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The address that an import had and the one that it gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The address that an import's slot holds; 0 if there is none.
///
/// # Safety
/// The image is bound and mapped in the region.
pub(crate) unsafe fn bound_to(region: &Region, image: &Image<'_>, import: u32) -> usize {
    let slot = region.at(image.header().slots_offset + WORD * u64::from(import)).cast::<usize>();
    // SAFETY: slots lie in RW, each at a multiple of a word; only `rebind` writes to them.
    unsafe { AtomicUsize::from_ptr(slot) }.load(Ordering::Relaxed)
}

/// Rewrites the slots and the fixed-up words of imports, by their indices.
///
/// # Safety
/// The image is bound and mapped in the region. Nobody else changes rights in the region meanwhile.
pub(crate) unsafe fn rebind(region: &Region, image: &Image<'_>, moves: &BTreeMap<u32, Move>) -> io::Result<()> {
    let header = image.header();
    let slots = moves.iter().map(|(import, moved)| (header.slots_offset + WORD * u64::from(*import), 0, moved));
    let fixups = image.fixups().iter();
    let fixups = fixups.filter_map(|fixup| Some((fixup.place, fixup.addend, moves.get(&fixup.import)?)));
    let words: Vec<_> = slots.chain(fixups).collect();
    let relro = relro_pages(header, words.iter().map(|(place, ..)| *place));
    region.make_data(relro.clone())?;
    // SAFETY: the caller's promise, and relro is writable.
    let mut written = unsafe { Words::new(region.at(0), header) };
    for (place, addend, moved) in words {
        let word = |address: usize| (address as u64).wrapping_add_signed(addend);
        // A place outside of RW has made binding fail.
        let _ = relocate::exchange(&mut written, place, word(moved.from), word(moved.to));
    }
    region.make_read_only(relro)
}

/// The pages of relro on which words lie.
fn relro_pages(header: &ImageHeader, places: impl Iterator<Item = u64> + Clone) -> Range<u64> {
    let relro_end = header.rw.offset + header.relro_len;
    let inside = places.filter(|place| *place < relro_end);
    let (Some(first), Some(last)) = (inside.clone().min(), inside.max()) else { return 0..0 };
    first - first % PAGE..(last + WORD).next_multiple_of(PAGE).min(relro_end)
}
