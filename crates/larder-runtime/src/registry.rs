//! Which image an address belongs to.
//!
//! The unwinder asks this for every frame, from any thread and even from a signal handler, so readers take no lock and allocate
//! nothing. There are two copies of a sorted table. A writer changes the one that is out of use and then puts it into use by
//! raising the version, whose lowest bit says which copy counts; a reader that finds the version raised reads again. (glibc's
//! `dl-find_object.c` does the same for shared libraries.)
//!
//! A reader may still look into a table that has been replaced by a larger one. So tables that were outgrown are never freed; as they
//! double in size, they add up to less than the table in use.

use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, PoisonError};

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

const WORDS: usize = 6;
type Row = [AtomicUsize; WORDS];

impl Entry {
    fn words(self) -> [usize; WORDS] {
        [self.start, self.end, self.eh_frame_hdr, self.link_map, self.owner, self.shared]
    }

    fn read(row: &Row) -> Entry {
        let [start, end, eh_frame_hdr, link_map, owner, shared] =
            std::array::from_fn(|word| row[word].load(Ordering::Relaxed));
        Entry { start, end, eh_frame_hdr, link_map, owner, shared }
    }

    fn write(self, row: &Row) {
        row.iter().zip(self.words()).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
    }
}

struct Table {
    count: AtomicUsize,
    rows: Box<[Row]>,
}

impl Table {
    fn leaked(capacity: usize) -> &'static Table {
        let rows = (0..capacity).map(|_| Row::default()).collect();
        Box::leak(Box::new(Table { count: AtomicUsize::new(0), rows }))
    }

    /// The rows in use. A reader that comes too late may see any number here, but never one beyond the table.
    fn rows(&self) -> &[Row] {
        &self.rows[..self.count.load(Ordering::Relaxed).min(self.rows.len())]
    }

    fn find(&self, address: usize) -> Option<Entry> {
        let rows = self.rows();
        let behind = rows.partition_point(|row| row[0].load(Ordering::Relaxed) <= address);
        let entry = Entry::read(rows.get(behind.checked_sub(1)?)?);
        (address < entry.end).then_some(entry)
    }

    fn fill(&self, entries: impl Iterator<Item = Entry>) {
        let count = entries.zip(&self.rows).map(|(entry, row)| entry.write(row)).count();
        self.count.store(count, Ordering::Relaxed);
    }
}

struct Registry {
    version: AtomicUsize,
    copies: [AtomicPtr<Table>; 2],
    writer: Mutex<()>,
}

static REGISTRY: Registry = Registry::new();

impl Registry {
    const fn new() -> Registry {
        Registry {
            version: AtomicUsize::new(0),
            copies: [const { AtomicPtr::new(std::ptr::null_mut()) }; 2],
            writer: Mutex::new(()),
        }
    }

    fn table(&self, version: usize) -> Option<&'static Table> {
        let table = self.copies[version & 1].load(Ordering::Acquire);
        // SAFETY: it is null or was leaked by `Table::leaked`.
        unsafe { table.as_ref() }
    }

    fn find(&self, address: usize) -> Option<Entry> {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let found = self.table(version).and_then(|table| table.find(address));
            // Pairs with the writer's fence: whoever has seen a word of a later change sees a later version too.
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return found;
            }
        }
    }

    /// Replaces the entries by what `change` makes of them: at most one more, still sorted.
    fn change<I: Iterator<Item = Entry>>(&self, change: impl FnOnce(&'static [Row]) -> I) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version.load(Ordering::Relaxed);
        let now = self.table(version).map_or(&[][..], Table::rows);
        let next = self.room_for(version.wrapping_add(1), now.len() + 1);
        fence(Ordering::Release);
        next.fill(change(now));
        self.version.store(version.wrapping_add(1), Ordering::Release);
    }

    fn room_for(&self, version: usize, count: usize) -> &'static Table {
        if let Some(table) = self.table(version).filter(|table| table.rows.len() >= count) {
            return table;
        }
        let table = Table::leaked(count.next_power_of_two().max(8));
        self.copies[version & 1].store(std::ptr::from_ref(table).cast_mut(), Ordering::Release);
        table
    }

    fn insert(&self, entry: Entry) {
        self.change(|rows| {
            let place = rows.partition_point(|row| row[0].load(Ordering::Relaxed) < entry.start);
            let (before, behind) = rows.split_at(place);
            before.iter().map(Entry::read).chain([entry]).chain(behind.iter().map(Entry::read))
        });
    }

    fn remove(&self, start: usize) {
        self.change(|rows| rows.iter().map(Entry::read).filter(move |entry| entry.start != start));
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
            for _ in 0..20_000 {
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
