//! Stubs: functions that jump to wherever their *cell* leads.
//!
//! A cell leads to [`answer`] until somebody has told where calls go. Stubs and cells lie in *areas*, near the code that jumps to them. An image
//! that needs a few shares an area with others, so that it needs no mapping; such areas stay. One that needs many has an area of its own, beside
//! it. Nothing is made before an image needs any.

use super::arch;
use crate::availability::Availability;
use crate::os::{self, Region};
use larder_format::image::{PAGE, WORD};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Words in front of the cells: the address of the contexts, which stand behind the cells, and the function that calls [`answer`].
const WORDS_BEFORE_CELLS: u64 = 2;
/// Stubs of a shared area: a page of them and the header.
const SHARED_CAPACITY: u32 = (PAGE as usize / arch::STUB_LEN - 1) as u32;
/// Stubs that an image may have in a shared area.
const SHARED_COUNT_MAX: u32 = 32;

const _: () = assert!(SHARED_CAPACITY < u128::BITS, "a bit for each stub");

/// Stubs of one image.
#[derive(Debug)]
pub(crate) struct Stubs {
    area: Arc<Area>,
    /// Number of the first in the area.
    first: u32,
    count: u32,
}

impl Stubs {
    /// Makes `count` of them that the code at those addresses of an image can jump to. `None` if no addresses are free near it.
    pub(crate) fn new(code: &Range<usize>, image: &Range<usize>, count: u32) -> io::Result<Option<Stubs>> {
        if count > SHARED_COUNT_MAX {
            let area = Area::new(code, image, count)?;
            return Ok(area.map(|area| Stubs { area: Arc::new(area), first: 0, count }));
        }
        let mut all = shared();
        let found = all.iter_mut().filter(|shared| shared.area.is_near(code)).find_map(|shared| shared.take(count));
        if found.is_some() {
            return Ok(found);
        }
        let Some(area) = Area::new(code, image, SHARED_CAPACITY)? else { return Ok(None) };
        all.push(SharedArea { area: Arc::new(area), used: 0 });
        Ok(all.last_mut().and_then(|shared| shared.take(count)))
    }

    /// Address of a stub: a function that may be called and pointed to.
    pub(crate) fn stub(&self, number: u32) -> usize {
        self.area.stub(self.first + number)
    }

    /// Has a stub lead to that address from now on.
    pub(crate) fn lead(&self, number: u32, address: usize) {
        self.area.cell(self.first + number).store(address, Ordering::Release);
    }

    /// The same, if it leads to [`answer`] yet; answers where it leads now.
    pub(crate) fn lead_first(&self, number: u32, address: usize) -> usize {
        let lazy = arch::lazy(self.stub(number));
        let cell = self.area.cell(self.first + number);
        match cell.compare_exchange(lazy, address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => address,
            Err(now) => now,
        }
    }

    /// Says who answers. Nothing leads to the stubs before.
    ///
    /// # Safety
    /// The context stays where it is as long as the stubs are called.
    pub(crate) unsafe fn set_context(&self, context: *const Availability) {
        for number in 0..self.count {
            self.area.context(self.first + number).store(context as usize, Ordering::Release);
        }
    }

    /// The number that a stub of the area has among these.
    pub(crate) fn number(&self, in_area: u32) -> u32 {
        in_area.wrapping_sub(self.first)
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        let mut all = shared();
        if let Some(shared) = all.iter_mut().find(|shared| Arc::ptr_eq(&shared.area, &self.area)) {
            shared.used &= !run(self.first, self.count);
        }
    }
}

/// An area that images share. It is never given back.
struct SharedArea {
    area: Arc<Area>,
    /// A bit for each stub that an image has.
    used: u128,
}

static SHARED: Mutex<Vec<SharedArea>> = Mutex::new(Vec::new());

fn shared() -> MutexGuard<'static, Vec<SharedArea>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bits of `count` stubs, of which there are at most [`SHARED_COUNT_MAX`].
fn run(first: u32, count: u32) -> u128 {
    ((1 << count) - 1) << first
}

impl SharedArea {
    fn take(&mut self, count: u32) -> Option<Stubs> {
        let first = (0..=SHARED_CAPACITY - count).find(|first| self.used & run(*first, count) == 0)?;
        self.used |= run(first, count);
        let area = Arc::clone(&self.area);
        (first..first + count)
            .for_each(|number| area.cell(number).store(arch::lazy(area.stub(number)), Ordering::Release));
        Some(Stubs { area, first, count })
    }
}

/// Stubs, their cells and the contexts of these.
#[derive(Debug)]
struct Area {
    region: Region,
    /// Offset of the words in the region.
    words: u64,
    capacity: u32,
}

impl Area {
    fn new(code: &Range<usize>, image: &Range<usize>, capacity: u32) -> io::Result<Option<Area>> {
        let code_len = (u64::from(capacity) + 1) * arch::STUB_LEN as u64;
        let words = code_len.next_multiple_of(PAGE);
        let len = words + (WORDS_BEFORE_CELLS + 2 * u64::from(capacity)) * WORD;
        let Some(region) = os::map_zeros_near(code, image, len, arch::REACH)? else { return Ok(None) };
        let area = Area { region, words, capacity };
        let header = area.region.base();
        area.write(0, &arch::header(header, area.word(0)));
        for number in 0..capacity {
            let stub = area.stub(number);
            area.write(stub - header, &arch::stub(stub, number, area.cell_address(number), header));
            area.cell(number).store(arch::lazy(stub), Ordering::Relaxed);
        }
        area.atomic(0).store(std::ptr::from_ref(area.context(0)) as usize, Ordering::Relaxed);
        area.atomic(1).store(arch::entry_of_asking(), Ordering::Relaxed);
        area.region.make_code(0..words)?;
        Ok(Some(area))
    }

    /// Whether code at those addresses can jump to all stubs.
    fn is_near(&self, code: &Range<usize>) -> bool {
        let (start, end) = (self.region.base(), self.word(0));
        end.max(code.end) - start.min(code.start) < arch::REACH
    }

    fn write(&self, offset: usize, code: &[u8]) {
        let place = self.region.at(offset as u64);
        // SAFETY: `new` has made the region so long, and it is still writable and nobody else's.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), place, code.len()) };
    }

    fn word(&self, index: u64) -> usize {
        self.region.at(self.words + index * WORD) as usize
    }

    fn atomic(&self, index: u64) -> &AtomicUsize {
        // SAFETY: it is an aligned word of the region's writable part, which is only used as such.
        unsafe { AtomicUsize::from_ptr(self.word(index) as *mut usize) }
    }

    fn stub(&self, number: u32) -> usize {
        self.region.at((u64::from(number) + 1) * arch::STUB_LEN as u64) as usize
    }

    fn cell_address(&self, number: u32) -> usize {
        self.word(WORDS_BEFORE_CELLS + u64::from(number))
    }

    fn cell(&self, number: u32) -> &AtomicUsize {
        self.atomic(WORDS_BEFORE_CELLS + u64::from(number))
    }

    fn context(&self, number: u32) -> &AtomicUsize {
        self.atomic(WORDS_BEFORE_CELLS + u64::from(self.capacity) + u64::from(number))
    }
}

/// Tells where a call through that stub goes; the stub's registers are saved meanwhile. It may unwind to the caller of the stub.
///
/// # Safety
/// The contexts are those of the stub's area, and the stub is one of an image that is there.
pub(super) unsafe extern "C-unwind" fn answer(contexts: *const AtomicUsize, number: u32) -> usize {
    // SAFETY: there is one for each stub.
    let context = unsafe { contexts.add(number as usize) };
    // SAFETY: as above.
    let availability = unsafe { &*context }.load(Ordering::Acquire) as *const Availability;
    // SAFETY: the image's, which `set_context` has said.
    unsafe { &*availability }.called(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Range<usize> {
        let here = here as fn() -> Range<usize> as usize;
        here..here + 10
    }

    fn stubs(count: u32) -> Stubs {
        let code = here();
        let around = code.start - code.start % PAGE as usize..code.end;
        Stubs::new(&code, &around, count).expect("the system allows it").expect("some addresses are free")
    }

    #[test]
    fn no_two_images_have_the_same_stub() {
        let mut all: Vec<Stubs> = (0..100).map(|index| stubs(index % SHARED_COUNT_MAX + 1)).collect();
        for removed in [0, 50, 7] {
            drop(all.remove(removed));
            all.push(stubs(20));
            let mut places: Vec<usize> =
                all.iter().flat_map(|stubs| (0..stubs.count).map(|number| stubs.stub(number))).collect();
            let count = places.len();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), count);
            assert!(places.iter().all(|place| place.abs_diff(here().start) < arch::REACH - PAGE as usize));
        }
    }

    #[test]
    fn a_stub_that_is_used_again_asks_again() {
        let first = stubs(1);
        let place = first.stub(0);
        let asks = arch::lazy(place);
        first.lead(0, 1);
        assert_eq!(first.lead_first(0, 2), 1);
        drop(first);
        let held: Vec<Stubs> = std::iter::repeat_with(|| stubs(1)).take(400).collect();
        let again = held.iter().find(|stubs| stubs.stub(0) == place);
        // Another test may have it.
        assert!(again.is_none_or(|again| again.area.cell(again.first).load(Ordering::Relaxed) == asks));
    }

    #[test]
    fn many_have_an_area_of_their_own() {
        let many = stubs(SHARED_COUNT_MAX + 1);
        assert!(shared().iter().all(|shared| !Arc::ptr_eq(&shared.area, &many.area)));
        assert_eq!(many.number(many.first + 3), 3);
    }
}
