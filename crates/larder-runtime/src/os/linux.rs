//! Linux with glibc: address space, symbols of the process, exit handlers.
//!
//! This is the only file that makes executable mappings. [`Region`] owns a range of addresses and keeps two promises: a page is never
//! writable and executable, and the whole range is given back when the region is dropped.

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_format::image::PAGE;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mm::{Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags};

mod near;
mod objects;
mod scope;
mod threads;

pub(crate) use near::{map_zeros_near, mapped_ranges};
pub(crate) use objects::{Dynamic, Object, Symbol, dt, file_at, loaded_objects};
pub(crate) use threads::{
    ThreadLocalModule, has_other_threads, hold_at_fork, is_static, map_zeroed, thread_local_address,
    thread_local_modules, unmap,
};

/// What a path turned out to be.
pub(crate) enum Status {
    Regular { len: u64 },
    Other,
}

/// Opens without waiting (a FIFO would make `open` wait for a writer).
pub(crate) fn open_for_reading(path: &Path) -> io::Result<(OwnedFd, Status)> {
    let fd =
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?;
    let status = rustix::fs::fstat(&fd)?;
    let regular = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
    let len = u64::try_from(status.st_size).unwrap_or(0);
    Ok((fd, if regular { Status::Regular { len } } else { Status::Other }))
}

/// Fills `buffer` with the file's first bytes; answers how many there are.
pub(crate) fn read_start(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match rustix::io::pread(fd, &mut buffer[len..], len as u64) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(len)
}

/// An owned range of addresses, whole pages long.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    /// Somebody refers to it to the end of the process.
    stays: bool,
}

// SAFETY: the region is a range of addresses; what is reached through them is guarded by whoever hands them out.
unsafe impl Send for Region {}
// SAFETY: as for Send; no method with `&self` changes the region's own fields.
unsafe impl Sync for Region {}

fn whole_pages(len: u64) -> io::Result<usize> {
    let len = len.checked_next_multiple_of(PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
    usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Without a reservation of memory, pages that were written to are one mapping with their neighbours, once they have the same rights.
const FILE_FLAGS: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);

impl Region {
    fn new(base: *mut c_void, len: usize) -> io::Result<Region> {
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Region { base, len, stays: false })
    }

    /// Maps a file from its start, read-only and private. What lies behind the end of the file must be mapped over before it is touched.
    pub(crate) fn of_file(fd: BorrowedFd<'_>, len: u64) -> io::Result<Region> {
        let len = whole_pages(len)?;
        // SAFETY: a new mapping at an address that the system chooses.
        let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ, FILE_FLAGS, fd, 0) }?;
        Region::new(base, len)
    }

    /// The same, with the byte at `at`, a whole number of pages, at a multiple of `align`.
    pub(crate) fn of_file_aligned(fd: BorrowedFd<'_>, len: u64, align: u64, at: u64) -> io::Result<Region> {
        if align <= PAGE {
            return Region::of_file(fd, len);
        }
        let reserve = Region::reserve(len.checked_add(align).ok_or(io::ErrorKind::OutOfMemory)?)?;
        let len = whole_pages(len)?;
        let aligned = (reserve.base() as u64).saturating_add(at).checked_next_multiple_of(align);
        let start = aligned.ok_or(io::ErrorKind::OutOfMemory)? - at - reserve.base() as u64;
        let region = reserve.keep(start as usize, len);
        let (rights, flags) = (ProtFlags::READ, FILE_FLAGS | MapFlags::FIXED);
        // SAFETY: the range is our own, and nobody refers to it.
        unsafe { rustix::mm::mmap(region.base.as_ptr().cast(), len, rights, flags, fd, 0) }?;
        Ok(region)
    }

    /// Addresses without rights, which cost nothing.
    fn reserve(len: u64) -> io::Result<Region> {
        let len = whole_pages(len)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address that the system chooses.
        let base = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::empty(), flags) }?;
        Region::new(base, len)
    }

    /// Gives back all but `len` bytes from `start` on: whole pages of addresses that nobody refers to.
    fn keep(self, start: usize, len: usize) -> Region {
        let whole = ManuallyDrop::new(self);
        let part =
            |start, len| Region { base: whole.base.map_addr(|base| base.saturating_add(start)), len, stays: false };
        let kept = part(start, len);
        drop(part(0, start));
        drop(part(start + len, whole.len - start - len));
        kept
    }

    /// Leaves it mapped to the end of the process.
    pub(crate) fn stay(&mut self) {
        self.stays = true;
    }

    /// Address of the first byte.
    pub(crate) fn base(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// Address of the byte at `offset`, which must lie in the region.
    pub(crate) fn at(&self, offset: u64) -> *mut u8 {
        assert!(offset <= self.len as u64, "offset {offset:#x} lies in the region");
        self.base.as_ptr().wrapping_add(offset as usize)
    }

    /// The bytes of `range`.
    ///
    /// # Safety
    /// The range is readable and nothing writes to it for as long as `'a`, nor is the region dropped.
    pub(crate) unsafe fn bytes<'a>(&self, range: Range<u64>) -> &'a [u8] {
        let (start, len) = self.part(range);
        // SAFETY: the range lies in the region; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    fn part(&self, range: Range<u64>) -> (*mut u8, usize) {
        assert!(range.start <= range.end && range.end <= self.len as u64, "{range:x?} lies in the region");
        (self.at(range.start), (range.end - range.start) as usize)
    }

    /// Makes pages executable, and takes the right to write to them away.
    pub(crate) fn make_code(&self, range: Range<u64>) -> io::Result<()> {
        self.protect(range, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    /// Makes pages writable, and takes the right to execute them away; what is written stays private.
    pub(crate) fn make_data(&self, range: Range<u64>) -> io::Result<()> {
        self.protect(range, MprotectFlags::READ | MprotectFlags::WRITE)
    }

    /// Takes the right to write away.
    pub(crate) fn make_read_only(&self, range: Range<u64>) -> io::Result<()> {
        self.protect(range, MprotectFlags::READ)
    }

    fn protect(&self, range: Range<u64>, rights: MprotectFlags) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let (start, len) = self.part(range);
        // SAFETY: the range is part of our own region; who uses a right that is gone gets a fault, not undefined behaviour.
        Ok(unsafe { rustix::mm::mprotect(start.cast(), len, rights) }?)
    }

    /// Replaces whole pages of code by a copy that `change` has changed, while threads run them: each sees all old bytes or all new ones.
    ///
    /// # Safety
    /// The pages are readable, and threads may go on from old bytes to new ones wherever they are.
    pub(crate) unsafe fn replace_code(&self, range: Range<u64>, change: impl FnOnce(&mut [u8])) -> io::Result<()> {
        let (start, len) = self.part(range);
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the system chooses.
        let copy = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, rights, MapFlags::PRIVATE) }?;
        let copy = Region::new(copy, len)?;
        // SAFETY: both are so long, and the copy is nobody else's.
        unsafe { std::ptr::copy_nonoverlapping(start, copy.at(0), len) };
        // SAFETY: as above.
        change(unsafe { std::slice::from_raw_parts_mut(copy.at(0), len) });
        copy.make_code(0..len as u64)?;
        // SAFETY: the target is part of our own region, and other threads wait in the kernel until it is replaced as a whole.
        unsafe { rustix::mm::mremap_fixed(copy.at(0).cast(), len, len, MremapFlags::MAYMOVE, start.cast()) }?;
        // Its addresses have no pages any more.
        let _ = ManuallyDrop::new(copy);
        Ok(())
    }

    /// Gives private pages of the file back: what was written to them is gone, also for threads that run them.
    ///
    /// # Safety
    /// The pages are those of the file, and threads may go on from written bytes to the file's wherever they are.
    pub(crate) unsafe fn discard_written(&self, range: Range<u64>) -> io::Result<()> {
        let (start, len) = self.part(range);
        // SAFETY: the range is part of our own region; the rest is the caller's promise.
        Ok(unsafe { rustix::mm::madvise(start.cast(), len, Advice::LinuxDontNeed) }?)
    }

    /// Maps writable zeros, which take no memory before they are written to, however many they are.
    ///
    /// # Safety
    /// Nobody refers to what lies there now.
    pub(crate) unsafe fn map_zeros(&mut self, range: Range<u64>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let (start, len) = self.part(range);
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: the range is part of our own region, and the caller says that nobody refers to it.
        unsafe { rustix::mm::mmap_anonymous(start.cast(), len, rights, flags) }?;
        Ok(())
    }

    /// Makes writable pages present in one go, which costs half of a fault for each. A kernel that can't (before 5.14) leaves
    /// it to the faults.
    pub(crate) fn make_present(&mut self, range: Range<u64>) {
        let (start, len) = self.part(range);
        if len <= PAGE as usize {
            return;
        }
        // SAFETY: the range is part of our own region, and what it holds stays the same.
        let _ = unsafe { rustix::mm::madvise(start.cast(), len, Advice::LinuxPopulateWrite) };
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.len == 0 || self.stays {
            return;
        }
        // SAFETY: the range is ours, and whoever was given an address in it has promised to be done with it.
        let done = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(done.is_ok(), "munmap of an own range: {done:?}");
    }
}

/// Maps a file's first page executable, and leaves it so to the end of the process: a sign for perf, not code.
pub(crate) fn map_marker(file: impl AsFd) -> io::Result<()> {
    let rights = ProtFlags::READ | ProtFlags::EXEC;
    // SAFETY: a new mapping at an address that the system chooses, which nobody refers to.
    unsafe { rustix::mm::mmap(std::ptr::null_mut(), PAGE as usize, rights, MapFlags::PRIVATE, file, 0) }?;
    Ok(())
}

/// Bytes that suffice for all registers of a thread beyond the general ones, as `xsave` writes them: the kernel puts them on the stack of signal
/// handlers, and tells how much it needs there. `None` from kernels before 5.14.
pub(crate) fn state_len_max() -> Option<usize> {
    const AT_MINSIGSTKSZ: libc::c_ulong = 51;
    // SAFETY: the call has no conditions.
    let len = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    (len > 0).then_some(len)
}

/// Nanoseconds of the clock that `perf record -k mono` stamps with.
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The calling thread, as the system numbers threads.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: the call has no conditions.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// Changes the right to write to whole pages of a library.
pub(crate) fn set_writable(addresses: Range<usize>, writable: bool) -> io::Result<()> {
    let rights = if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
    // SAFETY: pages of data, which are only read by others; who writes to them without the right gets a fault.
    Ok(unsafe { rustix::mm::mprotect(addresses.start as *mut c_void, addresses.len(), rights) }?)
}

/// The process's symbol of that name, in the order in which the dynamic linker searches.
pub(crate) fn process_symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name ends in NUL.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// The same, where the hash of the name is known ([`larder_format::image::gnu_hash`]): much faster for most of the C library's names. With another
/// hash it is as slow as without.
pub(crate) fn process_symbol_by_hash(name: &CStr, hash: u32) -> Option<NonNull<c_void>> {
    let found = scope::find(name, hash).and_then(|address| NonNull::new(address as *mut c_void));
    found.or_else(|| process_symbol(name))
}

/// The process's symbol of that name and version, which may be one that a library keeps for old programs only.
pub(crate) fn process_symbol_of_version(name: &CStr, version: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: both names end in NUL.
    NonNull::new(unsafe { libc::dlvsym(libc::RTLD_DEFAULT, name.as_ptr(), version.as_ptr()) })
}

/// What another object defines by that name, behind the one this code is part of.
pub(crate) fn next_symbol(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name ends in NUL.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) })
}

/// A library that stays loaded to the end of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library(NonNull<c_void>);

// SAFETY: the handle is a number to the dynamic linker, which takes its own locks.
unsafe impl Send for Library {}
// SAFETY: the same.
unsafe impl Sync for Library {}

impl Library {
    /// Loads it, or finds it loaded. Its symbols become part of the process's, as those of a program's own libraries are.
    ///
    /// # Errors
    /// The dynamic linker's words.
    ///
    /// # Safety
    /// The library's initialisers may run in this process.
    pub(crate) unsafe fn open(name: &CStr) -> Result<Library, String> {
        // SAFETY: the name ends in NUL; initialisers are the caller's promise.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
        NonNull::new(handle).map(Library).ok_or_else(dynamic_linker_error)
    }

    /// What [`crate::unwind::library_at`] calls it.
    pub(crate) fn link_map(self) -> Option<usize> {
        let mut map: usize = 0;
        // SAFETY: the handle is never closed; `RTLD_DI_LINKMAP` writes one pointer.
        let status = unsafe { libc::dlinfo(self.0.as_ptr(), libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
        (status == 0).then_some(map)
    }

    /// Its symbol of that name, or one of the libraries it needs.
    pub(crate) fn symbol(self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: the handle is never closed, the name ends in NUL.
        NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }
}

/// Steps on the spot, another number of them in another order each time: the dynamic linker knows libraries by their paths, and takes a path that
/// it has seen for the library that it had then, though the descriptor is another file by now.
fn unheard_of_prefix() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let bits = u64::BITS - count.leading_zeros();
    (0..bits).map(|bit| if count >> bit & 1 == 0 { "./" } else { ".//" }).collect()
}

/// Loads a shared library without code from memory. Its symbols become part of the process's.
pub(crate) fn load_from_memory(bytes: &[u8]) -> io::Result<Library> {
    let file = rustix::fs::memfd_create(c"larder-exports", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    io::Write::write_all(&mut file, bytes)?;
    let path = format!("/proc/self/fd/{}{}\0", unheard_of_prefix(), file.as_raw_fd());
    let path = CStr::from_bytes_with_nul(path.as_bytes()).map_err(io::Error::other)?;
    // SAFETY: there is nothing to initialise in it.
    unsafe { Library::open(path) }.map_err(io::Error::other)
}

/// What the dynamic linker says of this thread's last failure.
fn dynamic_linker_error() -> String {
    // SAFETY: it takes nothing.
    let words = unsafe { libc::dlerror() };
    if words.is_null() {
        return "the dynamic linker gives no reason".to_owned();
    }
    // SAFETY: it is a string that ends in NUL, valid until this thread's next call to the dynamic linker.
    unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
}

/// A handler of the C library's exit list.
pub(crate) type ExitHandler = unsafe extern "C-unwind" fn(*mut c_void);

unsafe extern "C" {
    fn __cxa_atexit(handler: ExitHandler, argument: *mut c_void, owner: *mut c_void) -> c_int;
    fn __cxa_finalize(owner: *mut c_void);
    static mut environ: *mut *mut libc::c_char;
}

/// Has `handler(argument)` called when the owner is finalised or the process exits, whichever comes first, after all that are
/// registered later.
///
/// # Safety
/// The handler may be called with the argument, on any thread, until then.
pub(crate) unsafe fn at_exit(handler: ExitHandler, argument: *mut c_void, owner: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { __cxa_atexit(handler, argument, owner as *mut c_void) == 0 }
}

/// Calls what is registered for the owner, last first, each once.
///
/// # Safety
/// Those handlers may be called now.
pub(crate) unsafe fn finalise(owner: usize) {
    // SAFETY: the caller's promise.
    unsafe { __cxa_finalize(owner as *mut c_void) }
}

/// Sets `errno` of this thread to 0, as a new process begins.
pub(crate) fn clear_errno() {
    // SAFETY: the C library answers the address of this thread's variable.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is valid while the thread lives.
    unsafe { errno.write(0) };
}

/// The environment as initialisers and `main` get it.
pub(crate) fn environment() -> *mut *mut libc::c_char {
    // SAFETY: reading the pointer; whoever changes the environment from another thread breaks that function's own contract.
    unsafe { environ }
}
