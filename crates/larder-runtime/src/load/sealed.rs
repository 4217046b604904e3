//! An image that is ready to run, and its start.

use super::shared::Shared;
use super::{Arguments, Loaded, span};
use crate::dynamic;
use crate::error::LoadError;
use crate::exit;
use crate::os;
use crate::resolve::Libraries;
use crate::unavailable::{Dropped, Unavailable, Waiting};
use larder_format::image::{Image, export_flags};
use std::ffi::{CStr, c_char, c_int};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::Arc;

/// An image that is ready to run: bound, protected, known to the unwinder.
#[derive(Debug)]
pub struct Sealed(pub(super) Arc<Shared>);

impl Sealed {
    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.0.parts.image
    }

    /// Bytes of the image's code; `None` if the range leaves it.
    pub(crate) fn code(&self, range: Range<u64>) -> Option<&[u8]> {
        let code = span(self.0.parts.header().rx);
        let inside = range.start >= code.start && range.start <= range.end && range.end <= code.end;
        // SAFETY: code is mapped as long as `self` and not written to; a unit that is armed meanwhile gets its page replaced.
        inside.then(|| unsafe { self.0.parts.region.bytes(range) })
    }

    /// Units that were dropped, as [`Loaded::dropped`].
    pub fn dropped(&self) -> &[Dropped] {
        self.0.dropped()
    }

    /// Units that wait, as [`Loaded::waiting`].
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0.waiting()
    }

    /// Says who decides about calls of units that were dropped or wait: to be done before anything runs.
    pub fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        self.0.set_unavailable(handler);
    }

    /// Lets the dynamic linker's answers include the image's exports, as a native program's: what the image asks by `dlsym` and its kin, and
    /// what libraries refer to. `name` is what the program is called; `libraries` are those it was started with. The image
    /// stays to the end of the process.
    pub fn offer_exports(&self, name: &CStr, libraries: &Libraries) {
        dynamic::offer(Arc::clone(&self.0), name);
        if !libraries.is_empty() {
            dynamic::prepare_for_libraries();
        }
    }

    /// Gives the libraries of the process the image's exports instead of the definitions that they are bound to, as if the image were
    /// the process's program: its own `malloc` and `operator new` are everybody's. An image that exports nothing but its entry changes nothing.
    ///
    /// # Safety
    /// The image stays to the end of the process. Its exports are what libraries take them for. Libraries are neither loaded nor unloaded meanwhile,
    /// and nothing that they have got from a definition that is replaced is handed to the new one (no memory of another `malloc`).
    pub unsafe fn preempt_libraries(&self) {
        let exports = self.image().exports();
        if exports.rows().len() <= 1 {
            return;
        }
        let find = |name: &CStr| {
            let export = exports.find(name.to_bytes()).filter(|export| export.flags & export_flags::TLS == 0)?;
            self.0.at(export.offset).map(|address| address as usize)
        };
        // SAFETY: the caller's promise.
        unsafe { dynamic::preempt(&find) };
    }

    /// Has resolvers choose the indirect functions, then runs the initialisers in order. The finalisers are going to run when the image
    /// is dropped, or when the process exits.
    ///
    /// Slots of indirect functions are written here, not when the image is bound, since nothing of it may run then: their pages of relro
    /// become writable once more, until the last resolver has answered.
    ///
    /// If a resolver or an initialiser throws, the exception passes through and the image stays in memory, since the exception may refer to it.
    ///
    /// # Errors
    /// [`LoadError::Os`] if there is no memory left to note the finalisers, or the rights to the slots can't be changed; then none of the
    /// initialisers has run.
    ///
    /// # Safety
    /// The image's code is what the caller wants to run: made by a tool chain that it trusts, from source that it trusts as its own.
    /// What the imports were bound to has the types that the code takes it to have, and stays valid until the image is gone. Finalisers and
    /// exit handlers of the image may run on the thread that drops it.
    pub unsafe fn initialise(self, arguments: &Arguments) -> Result<Loaded, LoadError> {
        let shared = &self.0;
        let finalisers = shared.parts.image.fini().iter().map(|offset| {
            // SAFETY: `check_calls` has checked that it lies in RX; that code is there is the caller's promise.
            unsafe { std::mem::transmute::<*const (), exit::Handler>(shared.address(offset)) }
        });
        // SAFETY: they run before the image goes, or at exit; the caller allows it.
        if !unsafe { exit::finalise_later(finalisers.collect(), shared.owner) } {
            let source = std::io::ErrorKind::OutOfMemory.into();
            return Err(LoadError::Os { path: shared.parts.path.clone(), operation: "note finalisers of", source });
        }
        // What the loading left there is not the image's affair.
        os::clear_errno();
        let image = ManuallyDrop::new(self);
        // SAFETY: the caller's promise.
        if let Err(source) = unsafe { image.0.choose_functions() } {
            let path = image.0.parts.path.clone();
            drop(ManuallyDrop::into_inner(image));
            return Err(LoadError::Os { path, operation: "protect", source });
        }
        for offset in image.0.parts.image.init().iter() {
            type Initialiser = unsafe extern "C-unwind" fn(c_int, *mut *mut c_char, *mut *mut c_char);
            // SAFETY: as for the finalisers.
            let initialiser = unsafe { std::mem::transmute::<*const (), Initialiser>(image.0.address(offset)) };
            // SAFETY: the caller's promise.
            unsafe { initialiser(arguments.argc, arguments.argv, arguments.envp) };
        }
        Ok(Loaded(ManuallyDrop::into_inner(image).0))
    }
}
