//! Threads and thread-local storage as glibc keeps them.
//!
//! Modules are numbered by the dynamic linker, which tells for each where the calling thread's block is (`dl_iterate_phdr(3)`). Blocks of
//! modules that were there at the start, and of a few others, lie in front of the thread pointer, at the same distance in every thread
//! (*ELF Handling For Thread-Local Storage*, section 3.4.6, variant II). glibc fills the blocks of a new thread from the modules' PT_TLS
//! segments in memory.

use super::objects::loaded_objects;
use super::process_symbol;
use larder_format::image::PAGE;
use rustix::mm::MprotectFlags;
use std::ffi::c_void;
use std::io;
use std::ops::Range;

/// A program or library with thread-local variables.
#[derive(Debug, Clone)]
pub(crate) struct ThreadLocalModule {
    /// glibc's number for it.
    pub(crate) number: u64,
    /// Whether it is the program itself.
    pub(crate) is_program: bool,
    /// Addresses of the calling thread's block; empty if it has none yet.
    pub(crate) block: Range<usize>,
    /// Addresses of the bytes that blocks of new threads are filled from; zeros follow.
    pub(crate) template: Range<usize>,
    /// Addresses that were made read-only once the module was relocated.
    relro: Range<usize>,
}

/// The modules of the process, the program first.
pub(crate) fn thread_local_modules() -> Vec<ThreadLocalModule> {
    let objects = loaded_objects();
    let modules = objects.iter().enumerate().filter_map(|(place, object)| {
        let tls = object.header(libc::PT_TLS)?;
        let block = object.thread_local_block;
        let len = if block == 0 { 0 } else { tls.p_memsz as usize };
        let template = object.start(tls);
        Some(ThreadLocalModule {
            number: object.thread_local_number,
            is_program: place == 0,
            block: block..block + len,
            template: template..template + tls.p_filesz as usize,
            relro: object.relro(),
        })
    });
    modules.collect()
}

impl ThreadLocalModule {
    /// Changes the bytes that blocks of new threads are filled from.
    ///
    /// # Safety
    /// The places from `start` on are part of the template, and nobody else reads or writes them meanwhile: no thread is being started.
    pub(crate) unsafe fn write_template(&self, start: usize, bytes: &[u8]) -> io::Result<()> {
        let page = PAGE as usize;
        let pages = (start & !(page - 1)..start + bytes.len()).step_by(page);
        let sealed: Vec<usize> = pages.filter(|page| self.relro.contains(page)).collect();
        let protect = |rights| {
            sealed.iter().try_for_each(|&address| {
                // SAFETY: it is a page of initialised data of a loaded object; whoever reads it may go on reading.
                unsafe { rustix::mm::mprotect(address as *mut c_void, page, rights) }
            })
        };
        protect(MprotectFlags::READ | MprotectFlags::WRITE)?;
        // SAFETY: the places are writable now; the rest is the caller's promise.
        unsafe { (start as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(protect(MprotectFlags::READ)?)
    }
}

/// Whether the process has threads beside the calling one. Threads that nobody will ever see again don't count; a thread that was not
/// started through the C library does not either.
pub(crate) fn has_other_threads() -> bool {
    // `__nptl_nthreads`, which glibc keeps for debuggers: exact at once when a thread is joined, unlike the kernel's number.
    if let Some(count) = process_symbol(c"__nptl_nthreads") {
        // SAFETY: it is an `unsigned int` (glibc, nptl_db's "structs.def").
        return unsafe { count.cast::<u32>().read_volatile() } > 1;
    }
    std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() > 1)
}

/// Whether the calling thread's byte at that address, which is part of some module's block, has the same distance from the thread pointer
/// in every thread. `false` if glibc does not tell.
pub(crate) fn is_static(address: usize, thread_pointer: usize) -> bool {
    type Info = unsafe extern "C" fn(*mut usize, *mut usize);
    let Some(info) = process_symbol(c"_dl_get_tls_static_info") else { return false };
    let Some(descriptor_len) = process_symbol(c"_thread_db_sizeof_pthread") else { return false };
    // SAFETY: glibc has had this function, of this type, for sanitizers since 2.0.
    let info = unsafe { std::mem::transmute::<*mut c_void, Info>(info.as_ptr()) };
    let (mut len, mut align) = (0, 0);
    // SAFETY: both places are writable.
    unsafe { info(&raw mut len, &raw mut align) };
    // SAFETY: it is an `uint32_t` (glibc, nptl_db's "db_info.c").
    let descriptor_len = unsafe { descriptor_len.cast::<u32>().read() } as usize;
    // The length covers blocks and the thread's descriptor, at whose start the thread pointer points.
    let blocks_len = len.saturating_sub(descriptor_len);
    (thread_pointer.saturating_sub(blocks_len)..thread_pointer).contains(&address)
}

/// `__tls_get_addr` of glibc: the address of the calling thread's variable.
///
/// # Safety
/// The module number is one of glibc's, and the offset lies in its block.
pub(crate) unsafe fn thread_local_address(number: u64, offset: u64) -> *mut u8 {
    unsafe extern "C" {
        fn __tls_get_addr(index: *const [u64; 2]) -> *mut c_void;
    }
    // SAFETY: the caller's promise; two words are what the psABI passes.
    unsafe { __tls_get_addr(&[number, offset]) }.cast()
}

/// Has something taken before the process is forked and given back in both, so that the child does not find it half changed by a thread
/// that it lacks.
///
/// # Safety
/// `take` and `give_back` may be called at any fork, on the forking thread, in pairs.
pub(crate) unsafe fn hold_at_fork(take: unsafe extern "C" fn(), give_back: unsafe extern "C" fn()) {
    // SAFETY: the caller's promise. Without memory for it, forking is as it was.
    unsafe { libc::pthread_atfork(Some(take), Some(give_back), Some(give_back)) };
}

/// Zeroed memory of its own, which takes no room until it is touched.
pub(crate) fn map_zeroed(len: usize) -> io::Result<*mut u8> {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the system chooses a place where nothing is.
    let place = unsafe { mmap_anonymous(std::ptr::null_mut(), len, rights, MapFlags::PRIVATE | MapFlags::NORESERVE) };
    Ok(place?.cast())
}

/// Gives memory of [`map_zeroed`] back.
///
/// # Safety
/// Nobody refers to it any more.
pub(crate) unsafe fn unmap(place: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let done = unsafe { rustix::mm::munmap(place.cast(), len) };
    debug_assert!(done.is_ok(), "munmap of an own range: {done:?}");
}
