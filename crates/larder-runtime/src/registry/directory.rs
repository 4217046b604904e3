//! A sorted table of entries, in chunks, that one thread changes while others may be looking.
//!
//! Who looks while it changes gets any answer, but always one, and touches nothing that is not the table's; whether the answer counts is
//! found out by the registry's version.

use super::Entry;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

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
}

/// Rows of a chunk: what is shifted at most is half of one and the places of all.
const CHUNK_ROWS: usize = 32;

/// Entries that follow each other.
pub(super) struct Chunk {
    rows: [Row; CHUNK_ROWS],
    count: AtomicUsize,
}

/// An address that is not behind the first entry of a chunk nor before the last of the chunk in front, and the chunk.
type Place = (AtomicUsize, AtomicPtr<Chunk>);

/// The chunks, in order.
struct Places {
    places: Box<[Place]>,
    count: AtomicUsize,
}

/// Chunks that were emptied.
pub(super) struct Spares(Vec<&'static Chunk>);

impl Spares {
    pub(super) const fn new() -> Spares {
        Spares(Vec::new())
    }

    fn take(&mut self) -> &'static Chunk {
        self.0.pop().unwrap_or_else(|| {
            let rows = std::array::from_fn(|_| Row::default());
            Box::leak(Box::new(Chunk { rows, count: AtomicUsize::new(0) }))
        })
    }
}

/// One copy of the table.
pub(super) struct Directory(AtomicPtr<Places>);

fn store_row(row: &Row, words: [usize; WORDS]) {
    row.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
}

/// The number of rows in use. Who comes too late may find any number, but gets none beyond the rows.
fn used<T>(rows: &[T], count: &AtomicUsize) -> usize {
    count.load(Ordering::Relaxed).min(rows.len())
}

impl Chunk {
    fn rows(&self) -> &[Row] {
        &self.rows[..used(&self.rows, &self.count)]
    }

    /// Number of entries up to that address.
    fn count_to(&self, address: usize) -> usize {
        self.rows().partition_point(|row| row[0].load(Ordering::Relaxed) <= address)
    }

    fn first(&self) -> usize {
        self.rows[0][0].load(Ordering::Relaxed)
    }

    /// There is room.
    fn insert(&self, entry: Entry) {
        let (at, count) = (self.count_to(entry.start), self.rows().len());
        (at..count).rev().for_each(|row| store_row(&self.rows[row + 1], Entry::read(&self.rows[row]).words()));
        store_row(&self.rows[at], entry.words());
        self.count.store(count + 1, Ordering::Relaxed);
    }

    fn remove(&self, at: usize) {
        let count = self.rows().len();
        (at + 1..count).for_each(|row| store_row(&self.rows[row - 1], Entry::read(&self.rows[row]).words()));
        self.count.store(count - 1, Ordering::Relaxed);
    }

    /// Moves the second half to an empty chunk.
    fn split_to(&self, other: &Chunk) {
        let (_, second) = self.rows().split_at(CHUNK_ROWS / 2);
        second.iter().zip(&other.rows).for_each(|(from, to)| store_row(to, Entry::read(from).words()));
        other.count.store(second.len(), Ordering::Relaxed);
        self.count.store(CHUNK_ROWS / 2, Ordering::Relaxed);
    }
}

fn chunk_of(place: &Place) -> Option<&'static Chunk> {
    // SAFETY: it is null or was leaked by `Spares::take`.
    unsafe { place.1.load(Ordering::Acquire).as_ref() }
}

fn set_place(place: &Place, first: usize, chunk: *mut Chunk) {
    place.0.store(first, Ordering::Relaxed);
    place.1.store(chunk, Ordering::Release);
}

impl Places {
    fn leaked(capacity: usize) -> &'static Places {
        let places = (0..capacity).map(|_| Place::default()).collect();
        Box::leak(Box::new(Places { places, count: AtomicUsize::new(0) }))
    }

    fn used(&self) -> &[Place] {
        &self.places[..used(&self.places, &self.count)]
    }

    /// The chunk that an address belongs to, if it isn't in front of all.
    fn index_of(&self, address: usize) -> Option<usize> {
        self.used().partition_point(|place| place.0.load(Ordering::Relaxed) <= address).checked_sub(1)
    }

    fn move_place(&self, from: usize, to: usize) {
        let (first, chunk) = &self.places[from];
        set_place(&self.places[to], first.load(Ordering::Relaxed), chunk.load(Ordering::Relaxed));
    }

    /// There is room.
    fn insert(&self, at: usize, chunk: &'static Chunk) {
        let count = self.used().len();
        (at..count).rev().for_each(|place| self.move_place(place, place + 1));
        set_place(&self.places[at], chunk.first(), std::ptr::from_ref(chunk).cast_mut());
        self.count.store(count + 1, Ordering::Relaxed);
    }

    fn remove(&self, at: usize) {
        let count = self.used().len();
        (at + 1..count).for_each(|place| self.move_place(place, place - 1));
        self.count.store(count - 1, Ordering::Relaxed);
    }
}

impl Directory {
    pub(super) const fn new() -> Directory {
        Directory(AtomicPtr::new(std::ptr::null_mut()))
    }

    fn places(&self) -> Option<&'static Places> {
        // SAFETY: it is null or was leaked by `Places::leaked`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// The entry at that address.
    pub(super) fn find(&self, address: usize) -> Option<Entry> {
        let places = self.places()?;
        let chunk = chunk_of(places.used().get(places.index_of(address)?)?)?;
        let entry = Entry::read(chunk.rows().get(chunk.count_to(address).checked_sub(1)?)?);
        (address < entry.end).then_some(entry)
    }

    /// Places with room for one more chunk. What was outgrown adds up to less than what is in use, as it doubles.
    fn with_room(&self) -> &'static Places {
        let now = self.places();
        if let Some(places) = now.filter(|places| places.used().len() < places.places.len()) {
            return places;
        }
        let old = now.map_or(&[][..], Places::used);
        let places = Places::leaked((2 * old.len()).max(4));
        for (at, chunk) in old.iter().filter_map(chunk_of).enumerate() {
            places.insert(at, chunk);
        }
        self.0.store(std::ptr::from_ref(places).cast_mut(), Ordering::Release);
        places
    }

    /// Adds an entry, whose addresses no other has.
    pub(super) fn insert(&self, entry: Entry, spares: &mut Spares) {
        let places = self.with_room();
        let at = places.index_of(entry.start).unwrap_or(0);
        let Some(chunk) = places.used().get(at).and_then(chunk_of) else {
            let chunk = spares.take();
            chunk.insert(entry);
            return places.insert(0, chunk);
        };
        if chunk.rows().len() < CHUNK_ROWS {
            chunk.insert(entry);
            return places.places[at].0.store(chunk.first(), Ordering::Relaxed);
        }
        let second = spares.take();
        chunk.split_to(second);
        places.insert(at + 1, second);
        self.insert(entry, spares);
    }

    /// Takes an entry away.
    pub(super) fn remove(&self, start: usize, spares: &mut Spares) {
        let Some(places) = self.places() else { return };
        let Some(at) = places.index_of(start) else { return };
        let Some(chunk) = chunk_of(&places.places[at]) else { return };
        let row = chunk.count_to(start).checked_sub(1);
        let Some(row) = row.filter(|row| chunk.rows()[*row][0].load(Ordering::Relaxed) == start) else { return };
        chunk.remove(row);
        if chunk.rows().is_empty() {
            places.remove(at);
            spares.0.push(chunk);
        }
    }
}
