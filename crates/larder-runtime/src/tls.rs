//! Thread-local variables of images.
//!
//! Generated code asks for the address of a variable by calling [`get_addr`] with the image's module number and the variable's offset,
//! as code of shared libraries calls `__tls_get_addr`. A thread gets its block of an image when it first asks for it, so threads that
//! were started before the image was loaded are served like all others. Blocks are freed when their thread ends or the image goes,
//! whichever comes first.
//!
//! Each thread has a table of its blocks. Module numbers are used again, with another generation: what a thread still has
//! of an image that is gone can't be taken for a block of a later one.
//!
//! As with glibc's dynamic TLS, the first access in a thread allocates, and is therefore not for signal handlers.

use larder_format::image::{Image, PAGE};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What generated code passes: two words of the image's RW (psABI x86-64, "TLS", `tls_index`).
#[repr(C)]
#[derive(Debug)]
pub(crate) struct TlsIndex {
    module: u64,
    offset: u64,
}

/// A thread's block of one image.
#[derive(Clone, Copy, Default)]
struct Block {
    module: u64,
    address: usize,
}

thread_local! {
    /// The thread's table: null, or a box that [`end_thread`] takes back. A plain pointer, so that it is usable at any time.
    static TABLE: Cell<*mut Vec<Block>> = const { Cell::new(std::ptr::null_mut()) };
}

/// An image that has thread-local variables.
struct Live {
    template: &'static [u8],
    layout: Layout,
    blocks: HashSet<usize>,
}

/// A place in the list of modules.
#[derive(Default)]
struct Place {
    generation: u32,
    live: Option<Live>,
}

static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

fn places() -> MutexGuard<'static, Vec<Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Module numbers hold the place in the low half and its generation, which is never 0, in the high half.
fn place_of(module: u64) -> usize {
    (module & 0xffff_ffff) as usize
}

fn live(places: &mut [Place], module: u64) -> Option<&mut Live> {
    let place = places.get_mut(place_of(module))?;
    if u64::from(place.generation) == module >> 32 { place.live.as_mut() } else { None }
}

/// The number under which an image's thread-local variables are known, until dropped.
#[derive(Debug)]
pub(crate) struct Module {
    number: u64,
}

impl Module {
    /// Gives the image a number; `None` if it has no thread-local variables.
    ///
    /// # Safety
    /// The image stays mapped until the module is dropped.
    pub(crate) unsafe fn new(image: &Image<'_>, template: &'static [u8]) -> Option<Module> {
        let header = image.header();
        let (len, align) = (usize::try_from(header.tls_mem_len).ok()?, header.tls_align.clamp(1, PAGE) as usize);
        let layout = Layout::from_size_align(len, align).ok().filter(|layout| layout.size() > 0)?;
        let mut places = places();
        let free = places.iter().position(|place| place.live.is_none());
        let index = free.unwrap_or_else(|| {
            places.push(Place::default());
            places.len() - 1
        });
        let place = &mut places[index];
        place.generation = place.generation.wrapping_add(1).max(1);
        place.live = Some(Live { template, layout, blocks: HashSet::new() });
        Some(Module { number: u64::from(place.generation) << 32 | index as u64 })
    }

    /// The number that generated code passes.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Address of the calling thread's variable at `offset` of the block.
    pub(crate) fn address(&self, offset: u64) -> *mut u8 {
        let index = TlsIndex { module: self.number, offset };
        // SAFETY: the index is valid, the module live.
        unsafe { get_addr(&raw const index) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let mut places = places();
        let place = &mut places[place_of(self.number)];
        let Some(live) = place.live.take() else { return };
        drop(places);
        for block in live.blocks {
            // SAFETY: the block was allocated with this layout, and threads recognise by its generation that it is gone.
            unsafe { dealloc(block as *mut u8, live.layout) };
        }
    }
}

/// Built-in import: the address of the calling thread's variable.
///
/// # Safety
/// `index` is a valid pointer to the number of a live module and an offset in its block.
pub(crate) unsafe extern "C" fn get_addr(index: *const TlsIndex) -> *mut u8 {
    // SAFETY: the caller's promise.
    let index = unsafe { &*index };
    // SAFETY: null or this thread's own table, which nobody else refers to now.
    let table = unsafe { TABLE.get().as_ref() };
    let block = table.and_then(|blocks| blocks.get(place_of(index.module)));
    let address = match block {
        Some(block) if block.module == index.module => block.address,
        _ => first_access(index.module),
    };
    (address as *mut u8).wrapping_add(index.offset as usize)
}

/// Makes the calling thread's block.
#[cold]
fn first_access(module: u64) -> usize {
    let address = allocate(module);
    let mut table = TABLE.get();
    if table.is_null() {
        table = Box::into_raw(Box::default());
        TABLE.set(table);
        at_thread_end(table);
    }
    // SAFETY: it is this thread's own table, and nobody else refers to it now.
    let blocks = unsafe { &mut *table };
    let place = place_of(module);
    if blocks.len() <= place {
        blocks.resize(place + 1, Block::default());
    }
    blocks[place] = Block { module, address };
    address
}

fn allocate(module: u64) -> usize {
    let mut places = places();
    let Some(live) = live(&mut places, module) else {
        // Code that runs belongs to an image that is loaded, so its number is live; anything else is memory that was overwritten.
        std::process::abort();
    };
    // SAFETY: the layout's size is not 0.
    let block = unsafe { alloc_zeroed(live.layout) };
    if block.is_null() {
        handle_alloc_error(live.layout);
    }
    // SAFETY: the template is no longer than the block (checked with the header), which is new.
    unsafe { block.copy_from_nonoverlapping(live.template.as_ptr(), live.template.len()) };
    live.blocks.insert(block as usize);
    block as usize
}

/// Has the table freed when the thread ends. Keys are used since their destructors run after those of C++ and Rust thread-locals,
/// which may still use blocks.
fn at_thread_end(table: *mut Vec<Block>) {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: there is room for the key; the destructor takes what `pthread_setspecific` is given below.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(end_thread)) };
        assert_eq!(error, 0, "there is a free key for thread-local data");
        key
    });
    // SAFETY: the key exists. If there is no memory for it, the table outlives the thread, which harms nobody.
    unsafe { libc::pthread_setspecific(key, table.cast::<c_void>()) };
}

unsafe extern "C" fn end_thread(table: *mut c_void) {
    TABLE.set(std::ptr::null_mut());
    // SAFETY: it is the box that `first_access` made for this thread.
    let blocks = unsafe { Box::from_raw(table.cast::<Vec<Block>>()) };
    let mut places = places();
    for block in *blocks {
        let Some(live) = live(&mut places, block.module) else { continue };
        if live.blocks.remove(&block.address) {
            // SAFETY: the block was allocated with this layout, and its thread is at its end.
            unsafe { dealloc(block.address as *mut u8, live.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Module {
        let layout = Layout::from_size_align(64, 32).expect("a layout");
        let mut places = places();
        let index = places.iter().position(|place| place.live.is_none()).unwrap_or_else(|| {
            places.push(Place::default());
            places.len() - 1
        });
        places[index].generation += 1;
        places[index].live = Some(Live { template: &[1, 2, 3], layout, blocks: HashSet::new() });
        Module { number: u64::from(places[index].generation) << 32 | index as u64 }
    }

    fn block_count(module: &Module) -> usize {
        live(&mut places(), module.number).map_or(0, |live| live.blocks.len())
    }

    #[test]
    fn each_thread_has_its_own_block_and_frees_it() {
        let module = module();
        let mine = module.address(0);
        assert_eq!(mine as usize % 32, 0);
        // SAFETY: the block has 64 bytes.
        assert_eq!(unsafe { std::slice::from_raw_parts(mine, 5) }, [1, 2, 3, 0, 0]);
        let other = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                assert_eq!(module.address(4) as usize, module.address(0) as usize + 4);
                assert_eq!(block_count(&module), 2);
                module.address(0) as usize
            });
            thread.join().expect("the thread is well")
        });
        assert_ne!(other, mine as usize);
        assert_eq!(block_count(&module), 1);
        assert_eq!(module.address(0), mine);
    }

    #[test]
    fn what_a_thread_has_of_an_image_that_is_gone_is_no_block_of_a_later_one() {
        let first = module();
        let number = first.number();
        first.address(0);
        drop(first);
        for _ in 0..10 {
            let next = module();
            assert_ne!(next.number(), number);
            assert!(live(&mut places(), number).is_none());
            let block = next.address(0);
            assert!(live(&mut places(), next.number()).is_some_and(|live| live.blocks.contains(&(block as usize))));
        }
    }
}
