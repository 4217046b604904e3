//! Writes the words of RW that depend on where the image is mapped and on what it is bound to.
//!
//! Every place is compared with RW before it is written, so a damaged table can't reach other memory. Words of a RELR bitmap are
//! compared once per bitmap, since tables of pointers make up most of the work of a load.

use larder_format::image::{CpuModel, FIXUP_IMAGE, Fixup, Image, ImageError, ImageHeader, Import, WORD};
use larder_format::record::{Record as _, Rows};
use std::sync::atomic::{AtomicU64, Ordering};

/// Words that a RELR bitmap speaks of (ELF gABI, "Relative Relocation Table": all bits but the lowest).
const BITMAP_WORDS: u64 = 63;

/// The words of an image's RW, as long as they are writable.
pub(crate) struct Words {
    base: *mut u8,
    start: u64,
    end: u64,
}

impl Words {
    /// # Safety
    /// From `base`, an image of that header is mapped, what is going to be written of its RW is writable, and no reference of Rust's is to it.
    pub(crate) unsafe fn new(base: *mut u8, header: &ImageHeader) -> Words {
        Words { base, start: header.rw.offset, end: header.loaded_len() }
    }

    /// The place as a pointer, if `count` words fit there.
    #[inline]
    fn run(&self, place: u64, count: u64) -> Option<*mut u64> {
        let fits = place >= self.start && place.checked_add(count * WORD).is_some_and(|end| end <= self.end);
        fits.then(|| self.base.wrapping_add(place as usize).cast())
    }

    /// Address of the image.
    pub(crate) fn base(&self) -> u64 {
        self.base as u64
    }

    /// Writes a word.
    #[inline]
    pub(crate) fn write(&mut self, place: u64, value: u64) -> Result<(), ImageError> {
        let word = self.run(place, 1).ok_or(damaged("a relocated word lies outside of RW", place))?;
        // SAFETY: `run` has checked that the word lies in RW, which is ours to write.
        unsafe { word.write_unaligned(value) };
        Ok(())
    }

    #[inline]
    fn add_base(&mut self, place: u64) -> Result<(), ImageError> {
        let word = self.run(place, 1).ok_or(damaged("a relocated word lies outside of RW", place))?;
        // SAFETY: as in `write`.
        unsafe { add(word, self.base as u64) };
        Ok(())
    }
}

/// # Safety
/// The word may be read and written.
#[inline]
unsafe fn add(word: *mut u64, value: u64) {
    // SAFETY: the caller's promise.
    let old = unsafe { word.read_unaligned() };
    // SAFETY: the caller's promise.
    unsafe { word.write_unaligned(old.wrapping_add(value)) };
}

pub(crate) fn damaged(what: &'static str, offset: u64) -> ImageError {
    ImageError::Damaged { what, offset }
}

/// Adds the image's address to every word that the packed table names.
///
/// An even entry is the offset of a word; an odd one is a bitmap of the 63 words behind the last one spoken of.
pub(crate) fn relocate(words: &mut Words, relr: Rows<'_, u64>) -> Result<(), ImageError> {
    let mut next = 0;
    for entry in relr.iter() {
        if entry & 1 == 0 {
            words.add_base(entry)?;
            next = entry + WORD;
        } else {
            relocate_bitmap(words, next, entry >> 1)?;
            next = next.checked_add(BITMAP_WORDS * WORD).ok_or(damaged("a bitmap leaves the image", next))?;
        }
    }
    Ok(())
}

/// Where the last word ends that the table may name, as far as the table is right.
pub(crate) fn end(relr: Rows<'_, u64>) -> u64 {
    relr.iter().fold(0, |end: u64, entry| match entry & 1 {
        0 => entry.saturating_add(WORD),
        _ => end.saturating_add(BITMAP_WORDS * WORD),
    })
}

#[inline]
fn relocate_bitmap(words: &mut Words, first: u64, mut bitmap: u64) -> Result<(), ImageError> {
    let Some(run) = words.run(first, u64::from(u64::BITS - bitmap.leading_zeros())) else {
        return Err(damaged("a relocated word lies outside of RW", first));
    };
    while bitmap != 0 {
        let word = run.wrapping_add(bitmap.trailing_zeros() as usize);
        // SAFETY: `run` has checked the words up to the highest bit.
        unsafe { add(word, words.base as u64) };
        bitmap &= bitmap - 1;
    }
    Ok(())
}

/// Fills slot `i` with address `i`.
pub(crate) fn fill_slots(words: &mut Words, slots_offset: u64, addresses: &[usize]) -> Result<(), ImageError> {
    let slots = words.run(slots_offset, addresses.len() as u64);
    let slots = slots.ok_or(damaged("the slots lie outside of RW", slots_offset))?;
    for (index, &address) in addresses.iter().enumerate() {
        // SAFETY: `run` has checked all slots.
        unsafe { slots.wrapping_add(index).write_unaligned(address as u64) };
    }
    Ok(())
}

/// Writes what the code learns of the processor.
pub(crate) fn fill_cpu_model(words: &mut Words, place: u64, model: &CpuModel) -> Result<(), ImageError> {
    let mut bytes = Vec::with_capacity(CpuModel::SIZE);
    model.encode(&mut bytes);
    for (word, place) in bytes.chunks_exact(WORD as usize).zip((place..).step_by(WORD as usize)) {
        words.write(place, u64::decode(word).unwrap_or_default())?;
    }
    Ok(())
}

/// Fills the words that hold an import's address plus an addend.
pub(crate) fn fill_fixups(words: &mut Words, fixups: Rows<'_, Fixup>, addresses: &[usize]) -> Result<(), ImageError> {
    for fixup in fixups.iter() {
        let address = match fixup.import {
            FIXUP_IMAGE => Some(words.base as u64),
            import => addresses.get(import as usize).map(|&address| address as u64),
        };
        let address = address.ok_or(damaged("a fix-up names no import", fixup.place))?;
        words.write(fixup.place, address.wrapping_add_signed(fixup.addend))?;
    }
    Ok(())
}

/// Writes `new` to a word that holds `old`, while others may read and write it. Answers whether it held that.
pub(crate) fn exchange(words: &mut Words, place: u64, old: u64, new: u64) -> Result<bool, ImageError> {
    let word = words.run(place, 1).ok_or(damaged("a relocated word lies outside of RW", place))?;
    if word.is_aligned() {
        // SAFETY: `run` has checked that the word lies in RW; code of the image accesses it as the processor does, a word at once.
        let word = unsafe { AtomicU64::from_ptr(word) };
        return Ok(word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok());
    }
    // SAFETY: as above.
    let holds = unsafe { word.read_unaligned() } == old;
    if holds {
        // SAFETY: as above.
        unsafe { word.write_unaligned(new) };
    }
    Ok(holds)
}

/// Checks what [`crate::resolve`] is going to take for granted of an import.
pub(crate) fn import_name<'a>(image: &Image<'a>, import: &Import) -> Result<&'a std::ffi::CStr, ImageError> {
    let offset = u64::from(import.name.offset);
    image.c_text(import.name).ok_or(damaged("the name of an import leaves the strings", offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_format::image::{PAGE, Span};

    /// RW of 128 words at image offset `PAGE`, filled with the numbers of the words.
    fn on_words(run: impl FnOnce(&mut Words)) -> Vec<u64> {
        let mut memory: Vec<u64> = (0..512 + 128).map(|i: u64| i.wrapping_sub(512)).collect();
        let header = ImageHeader { rw: Span { offset: PAGE, len: 1024 }, ..ImageHeader::default() };
        // SAFETY: the header's RW is the second part of `memory`.
        let mut words = unsafe { Words::new(memory.as_mut_ptr().cast(), &header) };
        run(&mut words);
        memory.split_off(512)
    }

    fn relr(entries: &[u64]) -> Vec<u8> {
        entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
    }

    fn changed(entries: &[u64]) -> Vec<u64> {
        let mut base = 0;
        let memory = on_words(|words| {
            base = words.base as u64;
            relocate(words, Rows::new(&relr(entries))).expect("the table is right");
        });
        let changed = |&(index, value): &(u64, u64)| value == index + base;
        (0..).zip(memory).filter(changed).map(|(index, _)| index).collect()
    }

    #[test]
    fn relr_entries_name_words() {
        let cases: &[(&[u64], &[u64])] = &[
            (&[], &[]),
            (&[PAGE], &[0]),
            (&[PAGE + 8, 0b1011], &[1, 2, 4]),
            (&[PAGE, 1 | 1 << 63, 0b11], &[0, 63, 64]),
            (&[PAGE, 1, 1 | 1 << 2], &[0, 65]),
            (&[PAGE + 1016], &[127]),
            (&[PAGE + 1008, 0b11], &[126, 127]),
        ];
        for (entries, expected) in cases {
            assert_eq!(changed(entries), *expected, "{entries:x?}");
        }
    }

    #[test]
    fn the_end_is_never_before_the_last_word() {
        for (entries, expected) in
            [(&[][..], 0), (&[PAGE], PAGE + 8), (&[PAGE, 3], PAGE + 64 * 8), (&[u64::MAX - 1, 1], u64::MAX)]
        {
            assert_eq!(end(Rows::new(&relr(entries))), expected, "{entries:x?}");
        }
    }

    #[test]
    fn places_outside_of_rw_are_damage_and_nothing_is_written_there() {
        let cases: &[&[u64]] = &[
            &[0],
            &[PAGE - 8],
            &[PAGE + 1024],
            &[PAGE + 1018],
            &[u64::MAX - 1],
            &[PAGE + 1016, 0b11],
            &[0b11],
            &[PAGE, 1, 1, u64::MAX],
        ];
        for entries in cases {
            on_words(|words| {
                let result = relocate(words, Rows::new(&relr(entries)));
                assert!(matches!(result, Err(ImageError::Damaged { .. })), "{entries:x?}: {result:?}");
            });
        }
    }

    #[test]
    fn slots_and_fixups_take_addresses() {
        let row = |place, addend, import| {
            let mut bytes = Vec::new();
            larder_format::record::Record::encode(&Fixup { place, addend, import, reserved: 0 }, &mut bytes);
            bytes
        };
        let memory = on_words(|words| {
            fill_slots(words, PAGE + 16, &[1000, 2000]).expect("they fit");
            let rows = [row(PAGE, -1, 1), row(PAGE + 11, 0, 0), row(PAGE + 1015, 5, FIXUP_IMAGE)].concat();
            fill_fixups(words, Rows::new(&rows), &[0, 3000]).expect("they fit");
            let itself = words.run(PAGE + 1015, 1).expect("it is inside");
            // SAFETY: `run` has checked the word.
            assert_eq!(unsafe { itself.read_unaligned() }, words.base as u64 + 5);
            let outside = row(PAGE + 1017, 0, 0);
            assert!(fill_fixups(words, Rows::new(&outside), &[0]).is_err());
            let unknown = row(PAGE, 0, 1);
            assert!(fill_fixups(words, Rows::new(&unknown), &[0]).is_err());
            assert!(fill_slots(words, PAGE + 1016, &[1, 2]).is_err());
        });
        assert_eq!(memory[..4], [2999, 1, 0, 2000]);
    }
}
