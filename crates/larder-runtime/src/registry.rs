//! Which image an address belongs to.
//!
//! The unwinder asks this for every frame, from any thread and even from a signal handler, so readers take no lock and allocate
//! nothing. There are two copies of a sorted [`directory`]. A writer changes the one that is out of use, puts it into use by
//! raising the version, whose lowest bit says which copy counts, and then changes the other in the same way; a reader that finds the version raised
//! reads again. (glibc's `dl-find_object.c` has two copies for shared libraries.) A change costs the logarithm of the number of images, and
//! the shifting of a few dozen rows.
//!
//! A reader may still look into memory that is not in use any more. So none of it is ever freed: it is used again, for the same.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, PoisonError};

mod directory;

use directory::{Directory, Spares};

/// What is known of the image at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// First address.
    pub(crate) start: usize,
    /// Address behind the last.
    pub(crate) end: usize,
    /// Address of `.eh_frame_hdr`; 0 if the image can't be unwound through.
    pub(crate) eh_frame_hdr: usize,
    /// Address of a link map that describes the image.
    pub(crate) link_map: usize,
    /// What the image is called in the C library's list of exit handlers.
    pub(crate) owner: usize,
    /// A `Weak` to the state that is shared by all who keep the image loaded, as a number.
    pub(crate) shared: usize,
}

struct Registry {
    version: AtomicUsize,
    copies: [Directory; 2],
    writer: Mutex<Spares>,
}

static REGISTRY: Registry = Registry::new();

impl Registry {
    const fn new() -> Registry {
        Registry {
            version: AtomicUsize::new(0),
            copies: [const { Directory::new() }; 2],
            writer: Mutex::new(Spares::new()),
        }
    }

    fn find(&self, address: usize) -> Option<Entry> {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let found = self.copies[version & 1].find(address);
            // Pairs with the writer's fence: whoever has seen a word of a later change sees a later version too.
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return found;
            }
        }
    }

    /// Changes the copy that is out of use, then the other one.
    fn change(&self, change: impl Fn(&Directory, &mut Spares)) {
        let mut spares = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version.load(Ordering::Relaxed);
        change(&self.copies[version.wrapping_add(1) & 1], &mut spares);
        self.version.store(version.wrapping_add(1), Ordering::Release);
        fence(Ordering::Release);
        change(&self.copies[version & 1], &mut spares);
    }

    fn insert(&self, entry: Entry) {
        self.change(|directory, spares| directory.insert(entry, spares));
    }

    fn remove(&self, start: usize) {
        self.change(|directory, spares| directory.remove(start, spares));
    }
}

/// The image at that address. Lock-free and async-signal-safe.
pub(crate) fn find(address: usize) -> Option<Entry> {
    REGISTRY.find(address)
}

/// Keeps an entry findable until dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    start: usize,
}

impl Registration {
    /// Makes an image findable. Its addresses belong to no other registered image.
    pub(crate) fn new(entry: Entry) -> Registration {
        REGISTRY.insert(entry);
        Registration { start: entry.start }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        REGISTRY.remove(self.start);
    }
}

/// The addresses of an image of that length.
pub(crate) fn addresses(base: usize, len: u64) -> Range<usize> {
    base..base.saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn entry(start: usize) -> Entry {
        Entry {
            start,
            end: start + 10,
            eh_frame_hdr: start + 1,
            link_map: start + 2,
            owner: start + 3,
            shared: start + 4,
        }
    }

    #[test]
    fn an_address_is_found_from_the_first_to_the_last_byte() {
        let registry = Registry::new();
        assert_eq!(registry.find(100), None);
        for start in [300, 100, 200, 110] {
            registry.insert(entry(start));
        }
        for (address, start) in [
            (99, None),
            (100, Some(100)),
            (109, Some(100)),
            (110, Some(110)),
            (120, None),
            (309, Some(300)),
            (310, None),
        ] {
            assert_eq!(registry.find(address), start.map(entry), "{address}");
        }
        registry.remove(110);
        assert_eq!(registry.find(110), None);
        assert_eq!(registry.find(209), Some(entry(200)));
    }

    #[test]
    fn tables_grow_and_shrink() {
        let registry = Registry::new();
        (1..=100).rev().for_each(|i| registry.insert(entry(i * 10)));
        (1..=100).for_each(|i| assert_eq!(registry.find(i * 10 + 9), Some(entry(i * 10))));
        (1..=100).step_by(2).for_each(|i| registry.remove(i * 10));
        (1..=100).for_each(|i| assert_eq!(registry.find(i * 10).is_some(), i % 2 == 0, "{i}"));
    }

    #[test]
    fn any_order_of_changes_leaves_what_was_not_removed() {
        const COUNT: usize = 1009;
        for (step_in, step_out) in [(1, 1), (1, 7), (COUNT - 1, 1), (389, 1), (389, 571), (571, COUNT - 1)] {
            let registry = Registry::new();
            let start = |step: usize, index: usize| index * step % COUNT * 10 + 10;
            (0..COUNT).for_each(|index| registry.insert(entry(start(step_in, index))));
            for index in 0..COUNT {
                registry.remove(start(step_out, index));
                if index % 100 == 0 {
                    let left: Vec<usize> = (index + 1..COUNT).map(|index| start(step_out, index)).collect();
                    let found = |start: &usize| registry.find(start + 9) == Some(entry(*start));
                    assert!(left.iter().all(found), "{step_in} {step_out} {index}");
                    assert_eq!(registry.find(start(step_out, index)), None);
                }
            }
            assert_eq!(registry.find(15), None);
            registry.insert(entry(10));
            assert_eq!(registry.find(15), Some(entry(10)), "what was emptied is used again");
        }
    }

    #[test]
    fn readers_never_see_half_an_entry() {
        let registry = Registry::new();
        let done = AtomicBool::new(false);
        registry.insert(entry(5000));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(registry.find(5005), Some(entry(5000)));
                    assert!(registry.find(4015).is_none_or(|found| found == entry(4010)));
                }
            });
            (0..200).for_each(|i| registry.insert(entry(10_000 + i * 10)));
            for round in 0..20_000 {
                let other = 2010 + round % 90 * 10;
                registry.insert(entry(other));
                if round > 40 {
                    registry.remove(2010 + (round - 40) % 90 * 10);
                }
                registry.insert(entry(4010));
                registry.insert(entry(3010));
                registry.remove(4010);
                registry.remove(3010);
            }
            done.store(true, Ordering::Relaxed);
            reader.join().expect("the reader saw whole entries");
        });
    }
}
