//! Thread-local variables of images.
//!
//! An image's variables form one block, which each thread has for itself. There are two kinds:
//!
//! - *Dynamic* blocks, for any number of images. Generated code asks for the address of a variable by calling [`get_addr`] with the image's
//!   module number and the variable's offset, as code of shared libraries calls `__tls_get_addr`. A thread gets its block of an image when it first
//!   asks for it, so threads that were started before the image was loaded are served like all others. Blocks are freed when their
//!   thread ends or the image goes, whichever comes first. As with glibc's dynamic TLS, the first access in a thread allocates, and is
//!   therefore not for signal handlers.
//! - The *static* block, which one image at a time can have. It lies at a distance from the thread pointer that its code knows, so that reaching
//!   a variable costs what it costs in an executable: see `tls/reserve.rs`.
//!
//! Each thread has a table of its blocks. Module numbers are used again, with another generation: what a thread still has
//! of an image that is gone can't be taken for a block of a later one.
//!
//! Variables of the process are reached too: see `tls/variable.rs`. Their module numbers are glibc's, which are smaller than any of an image.

use crate::os;
use larder_format::image::Image;
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

mod memory;
mod reserve;
mod slots;
mod variable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use memory::Memory;
use reserve::Claim;
pub(crate) use reserve::check as check_static_block;
pub use reserve::{StaticTlsError, has_place_for_static_tls};
pub(crate) use slots::{SlotError, fill_thread_slots};
pub(crate) use variable::Variable;
pub(crate) use x86_64::get_addr_entry;
use x86_64::{dynamic_descriptor, static_descriptor};

/// What generated code passes: two words of the image's RW (psABI x86-64, "TLS", `tls_index`).
#[repr(C)]
#[derive(Debug)]
pub(crate) struct TlsIndex {
    module: u64,
    offset: u64,
}

/// A thread's block of one image. The architecture's file knows where the fields stand.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Block {
    module: u64,
    address: usize,
}

/// A thread's table: nulls, or a boxed slice that [`end_thread`] takes back. The architecture's file knows where the fields stand.
#[repr(C)]
struct RawTable {
    blocks: *mut Block,
    count: usize,
}

/// The image's initial bytes of a block. An address and a length, since the loader still writes to them when this is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    address: usize,
    len: usize,
}

impl Template {
    /// `len` bytes from that address on.
    pub(crate) fn new(address: *const u8, len: usize) -> Template {
        Template { address: address as usize, len }
    }

    /// # Safety
    /// The bytes are mapped, and nobody writes to them, as long as the slice is used.
    unsafe fn bytes<'a>(&self) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.len) }
    }
}

/// Where an image's blocks are.
enum Blocks {
    /// One for each thread that has asked, by its address.
    Dynamic(HashMap<usize, Memory>),
    /// So far in front of the thread pointer.
    Static { distance: usize },
}

/// An image that has thread-local variables.
struct Live {
    template: Template,
    layout: Layout,
    blocks: Blocks,
}

/// A place in the list of modules.
#[derive(Default)]
struct Place {
    generation: u32,
    live: Option<Live>,
}

static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

fn places() -> MutexGuard<'static, Vec<Place>> {
    static HELD_AT_FORK: OnceLock<()> = OnceLock::new();
    // SAFETY: they take and give back the lock of the list, on one thread.
    HELD_AT_FORK.get_or_init(|| unsafe { os::hold_at_fork(take_places, give_places_back) });
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The list's lock while this thread forks.
    static AT_FORK: Cell<Option<ManuallyDrop<MutexGuard<'static, Vec<Place>>>>> = const { Cell::new(None) };
}

unsafe extern "C" fn take_places() {
    AT_FORK.set(Some(ManuallyDrop::new(PLACES.lock().unwrap_or_else(PoisonError::into_inner))));
}

unsafe extern "C" fn give_places_back() {
    AT_FORK.take().map(ManuallyDrop::into_inner);
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
    distance: u64,
    template: Template,
    /// Given back behind the number.
    claim: Option<Claim>,
}

impl Module {
    /// Gives the image a number, and the static block if it needs that; `None` if it has no thread-local variables.
    ///
    /// # Safety
    /// The template is no longer than the image's block, and both stay mapped until the module is dropped.
    pub(crate) unsafe fn new(image: &Image<'_>, template: Template) -> Result<Option<Module>, StaticTlsError> {
        let header = image.header();
        let (len, align) = (usize::try_from(header.tls_mem_len), usize::try_from(header.tls_align));
        let layout = len.ok().zip(align.ok()).and_then(|(len, align)| Layout::from_size_align(len, align).ok());
        let Some(layout) = layout.filter(|layout| layout.size() > 0) else { return Ok(None) };
        let distance = header.tls_distance;
        let claim = if distance == 0 { None } else { Some(Claim::new()?) };
        let blocks = match claim {
            None => Blocks::Dynamic(HashMap::new()),
            Some(_) => Blocks::Static { distance: distance as usize },
        };
        let number = add(Live { template, layout, blocks });
        Ok(Some(Module { number, distance, template, claim }))
    }

    /// Initialises the static block, if the image has it. The template is complete now.
    ///
    /// # Safety
    /// Nothing of the image has run, and nobody writes to its template any more.
    pub(crate) unsafe fn fill_static_block(&mut self) -> Result<(), StaticTlsError> {
        match &mut self.claim {
            // SAFETY: the caller's promise, and that of `new`; the format makes sure that such a block fits.
            Some(claim) => unsafe { claim.fill(self.distance, &self.template) },
            None => Ok(()),
        }
    }

    /// How a variable of the image is found.
    pub(crate) fn variable(&self, offset: u64) -> Variable {
        let distance = self.claim.as_ref().map(|_| offset.wrapping_sub(self.distance) as i64);
        Variable { module: self.number, offset, distance }
    }

    /// Address of the calling thread's variable at `offset` of the block.
    pub(crate) fn address(&self, offset: u64) -> *mut u8 {
        let index = TlsIndex { module: self.number, offset };
        // SAFETY: the index is valid, the module live.
        unsafe { x86_64::get_addr(&raw const index) }
    }
}

/// Puts an image on the list and answers its number.
fn add(live: Live) -> u64 {
    let mut places = places();
    let free = places.iter().position(|place| place.live.is_none());
    let index = free.unwrap_or_else(|| {
        places.push(Place::default());
        places.len() - 1
    });
    let place = &mut places[index];
    place.generation = place.generation.wrapping_add(1).max(1);
    place.live = Some(live);
    u64::from(place.generation) << 32 | index as u64
}

impl Drop for Module {
    fn drop(&mut self) {
        let live = places()[place_of(self.number)].live.take();
        let Some(Live { layout, blocks: Blocks::Dynamic(blocks), .. }) = live else { return };
        for memory in blocks.into_values() {
            // SAFETY: the block was made for this layout, and threads recognise by its generation that it is gone.
            unsafe { memory.free(layout) };
        }
    }
}

/// What generated code gets where the thread's table has no block of the module.
///
/// # Safety
/// `index` points at the number of a live module, of an image or of the process, and an offset in its block; or at zeros, for null.
#[cold]
unsafe extern "C" fn get_addr_slow(index: *const TlsIndex) -> *mut u8 {
    // SAFETY: the caller's promise.
    let TlsIndex { module, offset } = unsafe { index.read() };
    if module == Variable::NULL.module {
        return offset as *mut u8;
    }
    if module >> 32 == 0 {
        // SAFETY: the caller's promise.
        return unsafe { os::thread_local_address(module, offset) };
    }
    (first_access(module) as *mut u8).wrapping_add(offset as usize)
}

/// Makes the calling thread's block.
fn first_access(module: u64) -> usize {
    let address = allocate(module);
    let place = place_of(module);
    let mut blocks = take_table();
    if blocks.len() <= place {
        let mut longer = blocks.into_vec();
        longer.resize((place + 1).next_power_of_two(), Block::default());
        blocks = longer.into_boxed_slice();
    }
    blocks[place] = Block { module, address };
    set_table(blocks);
    address
}

fn allocate(module: u64) -> usize {
    let mut places = places();
    let Some(live) = live(&mut places, module) else {
        // Code that runs belongs to an image that is loaded, so its number is live; anything else is memory that was overwritten.
        std::process::abort();
    };
    let blocks = match &mut live.blocks {
        Blocks::Static { distance } => return x86_64::thread_pointer() - *distance,
        Blocks::Dynamic(blocks) => blocks,
    };
    let Some(memory) = Memory::zeroed(live.layout) else { handle_alloc_error(live.layout) };
    // SAFETY: code of the image runs, so it is loaded and its template complete.
    let template = unsafe { live.template.bytes() };
    // SAFETY: the template is no longer than the block (checked with the header), which is new.
    unsafe { (memory.address as *mut u8).copy_from_nonoverlapping(template.as_ptr(), template.len()) };
    blocks.insert(memory.address, memory);
    memory.address
}

/// The calling thread's block around an address.
struct Found {
    module: u64,
    address: usize,
    is_static: bool,
}

fn block_at(address: usize) -> Option<Found> {
    let mut places = places();
    places.iter_mut().zip(0..).find_map(|(place, index)| {
        let module = u64::from(place.generation) << 32 | index;
        let live = place.live.as_ref()?;
        let (start, is_static) = match &live.blocks {
            Blocks::Static { distance } => (x86_64::thread_pointer() - *distance, true),
            Blocks::Dynamic(_) => (own_block(module)?, false),
        };
        let found = (start..start + live.layout.size()).contains(&address);
        found.then_some(Found { module, address: start, is_static })
    })
}

/// The calling thread's block of an image, if it has one.
fn own_block(module: u64) -> Option<usize> {
    // SAFETY: it is this thread's own table, and nobody changes it now.
    let RawTable { blocks, count } = unsafe { x86_64::table().read() };
    if place_of(module) >= count {
        return None;
    }
    let row = blocks.wrapping_add(place_of(module));
    // SAFETY: the table has that many rows.
    let block = unsafe { row.read() };
    (block.module == module).then_some(block.address)
}

/// Takes the calling thread's table out of use.
fn take_table() -> Box<[Block]> {
    let empty = RawTable { blocks: std::ptr::null_mut(), count: 0 };
    // SAFETY: it is this thread's own table.
    let RawTable { blocks, count } = unsafe { x86_64::table().replace(empty) };
    if blocks.is_null() {
        return Box::default();
    }
    // SAFETY: `set_table` has made it of a box of that many rows, and it is out of use.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(blocks, count)) }
}

/// Puts a table into use, and has it freed when the thread ends.
fn set_table(blocks: Box<[Block]>) {
    let table = RawTable { count: blocks.len(), blocks: Box::into_raw(blocks).cast() };
    at_thread_end();
    // SAFETY: it is this thread's own table.
    unsafe { x86_64::table().write(table) };
}

/// Has [`end_thread`] called when the thread ends. A key is used since the destructors of keys run after those of C++ and Rust thread-locals,
/// which may still use blocks.
fn at_thread_end() {
    let key = key();
    // SAFETY: the key exists.
    if unsafe { libc::pthread_getspecific(key) }.is_null() {
        // SAFETY: the same. If there is no memory for it, the table outlives the thread, which harms nobody.
        unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
    }
}

/// The key's value counts the rounds of destructors at a thread's end.
fn key() -> libc::pthread_key_t {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: there is room for the key; the destructor takes numbers.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(end_thread)) };
        assert_eq!(error, 0, "there is a free key for thread-local data");
        key
    })
}

/// Rounds of destructors: each may set values again, and then there is another one (glibc's `PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUND_LAST: usize = 4;

/// Frees the thread's blocks, in the last round: destructors of other keys may use them before.
unsafe extern "C" fn end_thread(round: *mut c_void) {
    let round = round.addr();
    if round < ROUND_LAST {
        // SAFETY: the key exists; values of it are numbers.
        unsafe { libc::pthread_setspecific(key(), std::ptr::without_provenance(round + 1)) };
        return;
    }
    let blocks = take_table();
    let mut places = places();
    for block in blocks {
        let Some(live) = live(&mut places, block.module) else { continue };
        let Blocks::Dynamic(blocks) = &mut live.blocks else { continue };
        if let Some(memory) = blocks.remove(&block.address) {
            // SAFETY: the block was made for this layout, and its thread is at its end.
            unsafe { memory.free(live.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Module {
        static TEMPLATE: [u8; 3] = [1, 2, 3];
        let layout = Layout::from_size_align(64, 32).expect("a layout");
        let template = Template::new(TEMPLATE.as_ptr(), TEMPLATE.len());
        let number = add(Live { template, layout, blocks: Blocks::Dynamic(HashMap::new()) });
        Module { number, distance: 0, template, claim: None }
    }

    fn blocks(module: &Module) -> Vec<usize> {
        match live(&mut places(), module.number).map(|live| &live.blocks) {
            Some(Blocks::Dynamic(blocks)) => blocks.keys().copied().collect(),
            _ => Vec::new(),
        }
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
                assert_eq!(blocks(&module).len(), 2);
                module.address(0) as usize
            });
            thread.join().expect("the thread is well")
        });
        assert_ne!(other, mine as usize);
        assert_eq!(blocks(&module).len(), 1);
        assert_eq!(module.address(0), mine);
    }

    #[test]
    fn what_a_thread_has_of_an_image_that_is_gone_is_no_block_of_a_later_one() {
        let first = module();
        let number = first.number;
        first.address(0);
        drop(first);
        for _ in 0..10 {
            let next = module();
            assert_ne!(next.number, number);
            assert!(live(&mut places(), number).is_none());
            let block = next.address(0);
            assert!(blocks(&next).contains(&(block as usize)));
        }
    }

    #[test]
    fn a_table_of_many_images_keeps_what_was_in_it() {
        let modules: Vec<Module> = (0..50).map(|_| module()).collect();
        let addresses: Vec<_> = modules.iter().map(|module| module.address(0)).collect();
        let again: Vec<_> = modules.iter().map(|module| module.address(0)).collect();
        assert_eq!(again, addresses);
        for (module, address) in modules.iter().zip(addresses) {
            let found = Variable::at(address as usize + 5).expect("it is in a block");
            assert_eq!(found, Variable { module: module.number, offset: 5, distance: None });
        }
    }

    #[test]
    fn nothing_is_null_in_every_thread() {
        let index = TlsIndex { module: 0, offset: 0 };
        // SAFETY: zeros are allowed.
        assert!(unsafe { x86_64::get_addr(&raw const index) }.is_null());
    }

    /// A descriptor as generated code calls it, with registers that the compiler is told stay as they are.
    fn through_descriptor(descriptor: (u64, u64)) -> usize {
        let words = [descriptor.0, descriptor.1];
        let mut distance = words.as_ptr() as usize;
        let vector = [0x1234_5678_9abc_def0_u64, 0x0fed_cba9_8765_4321];
        let mut after = [0_u64; 2];
        let (mut rdi, mut rsi, mut rcx, mut rdx) = (1_u64, 2_u64, 3_u64, 4_u64);
        let (mut r8, mut r9, mut r10, mut r11) = (5_u64, 6_u64, 7_u64, 8_u64);
        // SAFETY: the function at the descriptor's start takes its address in rax.
        unsafe {
            std::arch::asm!(
                "movups xmm9, [{vector}]",
                "call [rax]",
                "movups [{after}], xmm9",
                vector = in(reg) &raw const vector,
                after = in(reg) &raw mut after,
                inout("rax") distance,
                inout("rdi") rdi, inout("rsi") rsi, inout("rcx") rcx, inout("rdx") rdx,
                inout("r8") r8, inout("r9") r9, inout("r10") r10, inout("r11") r11,
                out("xmm9") _,
            );
        }
        assert_eq!([rdi, rsi, rcx, rdx, r8, r9, r10, r11], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(after, vector);
        x86_64::thread_pointer().wrapping_add(distance)
    }

    #[test]
    fn descriptors_answer_distances_and_change_no_register() {
        let module = module();
        let index = TlsIndex { module: module.number, offset: 4 };
        let descriptor = dynamic_descriptor(&raw const index as u64);
        let first = through_descriptor(descriptor);
        assert_eq!(first, module.address(4) as usize, "the first access makes the block");
        assert_eq!(through_descriptor(descriptor), first);
        assert_eq!(through_descriptor(static_descriptor(-8)), x86_64::thread_pointer() - 8);
    }
}
