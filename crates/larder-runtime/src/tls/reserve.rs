//! The reserve for a static block: bytes of every thread at a distance from the thread pointer that the linker knows.
//!
//! A static executable's thread-local variables are reached without any look-up, since their distance from the thread pointer is
//! fixed when it is linked. An image can have that too if the bytes are there before it is: so the runtime brings along thread-local
//! bytes of its own, in the executable that it is part of. The block of an executable ends at the thread pointer; what stands behind the reserve in
//! it is the host's, and may be up to [`STATIC_TLS_DISTANCE`] bytes. The reserve is so much longer than an image's [`STATIC_TLS_LEN`] that it
//! covers the image's place whatever the host has there.
//!
//! To give the place to an image is to write its template to two places: to the calling thread's bytes, and to where the C library
//! fills the blocks of new threads from. The threads that exist already can't be reached. So there must be none, or the template
//! must be zeros, as the reserve is.

use super::Template;
use super::x86_64::{MARK, MARK_LEN, reserve, thread_pointer};
use crate::os::{self, ThreadLocalModule};
use larder_format::image::{STATIC_TLS_DISTANCE, STATIC_TLS_LEN};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Bytes of the reserve, behind its mark.
pub(super) const LEN: usize = (STATIC_TLS_DISTANCE + STATIC_TLS_LEN) as usize;

/// Why an image can't have a thread-local block at a fixed distance from the thread pointer. To have the image all the same, build it
/// with dynamic thread-local variables: objects with `-fPIC`, modules as it is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StaticTlsError {
    /// There is one such place in a process.
    #[error("another image has the place for them")]
    Taken,
    /// The C library has started threads, whose variables would not be initialised.
    #[error("threads were started before it was loaded")]
    OtherThreads,
    /// The runtime is part of a shared library, whose thread-local storage has no fixed place.
    #[error("the runtime is not part of the executable, but of a library")]
    NotInExecutable,
    /// The executable's own thread-local variables stand where the image's would.
    #[error("the executable has more than {STATIC_TLS_DISTANCE} bytes of thread-local variables of its own")]
    HostTooLarge,
    /// The system does not let the executable's template be changed.
    #[error("the executable's initial thread-local bytes can't be written")]
    Protected,
}

/// Where the reserve is.
#[derive(Debug)]
struct Reserve {
    program: ThreadLocalModule,
    /// Address in the program's template of the byte that [`STATIC_TLS_DISTANCE`] + [`STATIC_TLS_LEN`] bytes in front of the thread
    /// pointer are filled from.
    template: usize,
}

/// Who has the place.
#[derive(Debug, Default)]
struct State {
    taken: bool,
    /// Threads may still hold bytes of an image that is gone.
    dirty: bool,
}

static STATE: Mutex<State> = Mutex::new(State { taken: false, dirty: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find() -> Result<&'static Reserve, StaticTlsError> {
    static RESERVE: OnceLock<Result<Reserve, StaticTlsError>> = OnceLock::new();
    RESERVE.get_or_init(look).as_ref().map_err(|error| *error)
}

fn look() -> Result<Reserve, StaticTlsError> {
    let start = reserve();
    let program = os::thread_local_modules().into_iter().find(|module| module.is_program);
    let program = program.filter(|module| module.block.contains(&start)).ok_or(StaticTlsError::NotInExecutable)?;
    let mark = program.template.start + (start - program.block.start);
    if mark + MARK_LEN + LEN > program.template.end {
        return Err(StaticTlsError::NotInExecutable);
    }
    for place in [mark, start] {
        // SAFETY: both lie in the executable's data, for which `template` and `block` stand; nobody writes to the mark.
        let found = unsafe { std::slice::from_raw_parts(place as *const u8, MARK.len()) };
        if found != MARK {
            return Err(StaticTlsError::NotInExecutable);
        }
    }
    // The place may begin no earlier than the reserve does, behind its mark, and end no later.
    let place = thread_pointer() - LEN;
    let reserve = start + MARK_LEN;
    if place < reserve || place + STATIC_TLS_LEN as usize > reserve + LEN {
        return Err(StaticTlsError::HostTooLarge);
    }
    let template = mark + (place - start);
    Ok(Reserve { program, template })
}

/// Whether an image could have the place now.
pub(crate) fn check() -> Result<(), StaticTlsError> {
    find()?;
    if state().taken { Err(StaticTlsError::Taken) } else { Ok(()) }
}

/// Whether an image could have a static block here and now, whatever its variables are initialised with.
///
/// # Errors
/// Why not.
pub fn has_place_for_static_tls() -> Result<(), StaticTlsError> {
    check()?;
    if os::has_other_threads() { Err(StaticTlsError::OtherThreads) } else { Ok(()) }
}

/// The place, for the image that holds this.
#[derive(Debug)]
pub(super) struct Claim {
    reserve: &'static Reserve,
    filled: bool,
}

impl Claim {
    /// Takes the place.
    pub(super) fn new() -> Result<Claim, StaticTlsError> {
        let reserve = find()?;
        let mut state = state();
        if std::mem::replace(&mut state.taken, true) {
            Err(StaticTlsError::Taken)
        } else {
            Ok(Claim { reserve, filled: false })
        }
    }

    /// Initialises the block that begins so far in front of the thread pointer, for this thread and all that are started from now on.
    ///
    /// # Safety
    /// The block is one that [`larder_format::image`] accepts, the template is no longer than it, and nobody refers to the block.
    pub(super) unsafe fn fill(&mut self, distance: u64, template: &Template) -> Result<(), StaticTlsError> {
        // SAFETY: the template is mapped while the image is, and nobody changes it now.
        let bytes = unsafe { template.bytes() };
        let as_it_is = bytes.iter().all(|byte| *byte == 0) && !state().dirty;
        if !as_it_is && has_lasting_threads() {
            return Err(StaticTlsError::OtherThreads);
        }
        self.filled = true;
        state().dirty = false;
        if as_it_is {
            return Ok(());
        }
        let mut whole = [0; STATIC_TLS_LEN as usize];
        let start = LEN - distance as usize;
        whole[start..start + bytes.len()].copy_from_slice(bytes);
        // SAFETY: there is no other thread, so none is being started.
        unsafe { self.write(&whole) }
    }

    /// Writes this thread's bytes and those that new threads begin with.
    ///
    /// # Safety
    /// No thread is being started whose bytes matter, and nobody refers to the places.
    unsafe fn write(&self, bytes: &[u8; STATIC_TLS_LEN as usize]) -> Result<(), StaticTlsError> {
        // SAFETY: `look` has found the place in the program's template; the rest is the caller's promise.
        let written = unsafe { self.reserve.program.write_template(self.reserve.template, bytes) };
        written.map_err(|_| StaticTlsError::Protected)?;
        let place = (thread_pointer() - LEN) as *mut u8;
        // SAFETY: as `look` has found, this thread's bytes are there.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }
}

/// Whether there are other threads, even when those that are at their end have had a moment to be gone. (The C library counts a thread until
/// the system has it back, which is after a scope of Rust's standard library has seen it end.)
fn has_lasting_threads() -> bool {
    const PATIENCE: Duration = Duration::from_millis(20);
    let start = Instant::now();
    while os::has_other_threads() {
        if start.elapsed() > PATIENCE {
            return true;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    false
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.filled {
            state().taken = false;
            return;
        }
        let zeros = [0; STATIC_TLS_LEN as usize];
        // SAFETY: the place has this length; the image is gone, so what a thread's bytes begin with matters to nobody.
        let cleared = unsafe { self.write(&zeros) };
        let mut state = state();
        state.dirty = os::has_other_threads();
        // A place that can't be cleared is not given away again.
        state.taken = cleared.is_err();
    }
}
