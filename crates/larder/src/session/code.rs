//! Loaded code, and the handles that keep it.

use super::unavailable::{CallError, Keeper, Unusable};
use super::{Shared, lock};
use crate::error::Error;
use crate::options::CompileOptions;
use crate::outcome::{ModuleOutcome, Outcome};
use crate::phases::Phases;
use crate::prepared::Told;
use larder_format::wire::PointerUse;
use larder_runtime::{Address, Dropped, FnPointer, Function, Loaded, Waiting};
use larder_store::Key;
use std::ffi::CStr;
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

/// An image of a session. The order of the fields is the order of the undoing: its finalisers may still call the images it uses.
#[derive(Debug)]
pub(super) struct Image {
    loaded: Loaded,
    /// Images whose addresses it was bound to: they were there before it.
    _used: Vec<Arc<Image>>,
    /// Images that hold functions in the place of its own, and use its names.
    replacements: Mutex<Vec<Arc<Image>>>,
    pub(super) keeper: Arc<Keeper>,
    /// How it was compiled.
    pub(super) options: CompileOptions,
    pub(super) told: Told,
    /// Its number in the process.
    pub(super) id: u64,
    session: Weak<Shared>,
}

impl Image {
    pub(super) fn new(
        (loaded, told): (Loaded, Told),
        used: Vec<Arc<Image>>,
        keeper: Arc<Keeper>,
        options: CompileOptions,
        id: u64,
        session: Weak<Shared>,
    ) -> Image {
        Image { loaded, _used: used, replacements: Mutex::default(), keeper, options, told, id, session }
    }

    /// Keeps an image that holds functions in the place of this one's.
    pub(super) fn replace_by(&self, replacement: Arc<Image>) {
        lock(&self.replacements).push(replacement);
    }

    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    pub(super) fn export_count(&self) -> usize {
        self.loaded.image().exports().rows().len()
    }

    pub(super) fn export_names(&self) -> impl Iterator<Item = &CStr> {
        let image = self.loaded.image();
        image.exports().rows().iter().filter_map(|export| image.c_text(export.name))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Some(session) = self.session.upgrade() {
            session.symbols.withdraw(self);
        }
    }
}

/// Code that runs: one image of a [`Session`](crate::Session), and a handle that keeps it loaded. Clones keep the same image.
///
/// When the last handle goes, and no other image is bound to it, its finalisers run, on the thread that drops it, and it is unmapped.
#[derive(Debug, Clone)]
pub struct Code {
    pub(super) image: Arc<Image>,
    /// Stays as long as somebody has a handle, since what it keeps may be used by the image.
    pub(super) _session: Arc<Shared>,
}

impl Code {
    /// What diagnostics call it: the name of its first input.
    pub fn name(&self) -> &str {
        &self.image.told.name
    }

    /// Whether saved code is used, or why not.
    pub fn outcome(&self) -> &Outcome {
        &self.image.told.outcome
    }

    /// The key; `None` for a saved image that was loaded by its name.
    pub fn key(&self) -> Option<&Key> {
        self.image.told.key.as_ref()
    }

    /// The image's file.
    pub fn path(&self) -> &Path {
        &self.image.told.path
    }

    /// Where the time went.
    pub fn phases(&self) -> &Phases {
        &self.image.told.phases
    }

    /// What went wrong without harm, in sentences for the user.
    pub fn warnings(&self) -> &[String] {
        &self.image.told.warnings
    }

    /// The loaded image itself.
    pub fn loaded(&self) -> &Loaded {
        &self.image.loaded
    }

    /// Address of an export: a function or a variable (the calling thread's, for a thread-local one). It is good for as long as the
    /// image is loaded.
    pub fn symbol(&self, name: &str) -> Option<Address> {
        self.image.loaded.symbol(name)
    }

    /// The function of that name, for as long as this handle is borrowed. A call costs what a call through a pointer costs.
    ///
    /// # Safety
    /// `F` is the function's type: no check of it is possible.
    ///
    /// # Errors
    /// [`Error::NoFunction`] if the image offers no such function; [`Error::Unusable`] if it waits for names that are not defined yet.
    pub unsafe fn function<F: FnPointer>(&self, name: &str) -> Result<Function<'_, F>, Error> {
        if let Some(waiting) = self.waiting().into_iter().find(|waiting| waiting.name == name) {
            let reason = Unusable::Waiting { names: waiting.imports };
            return Err(CallError { code: self.name().to_owned(), function: name.to_owned(), reason }.into());
        }
        // SAFETY: the caller's promise.
        let function = unsafe { self.image.loaded.function(name) };
        function.ok_or_else(|| Error::NoFunction { image: self.name().to_owned(), name: name.to_owned() })
    }

    /// The same, in a handle of its own, which keeps the image loaded.
    ///
    /// # Safety
    /// As for [`Code::function`].
    ///
    /// # Errors
    /// As for [`Code::function`].
    pub unsafe fn owned_function<F: FnPointer>(&self, name: &str) -> Result<OwnedFunction<F>, Error> {
        // SAFETY: the caller's promise.
        let pointer = *unsafe { self.function::<F>(name) }?;
        Ok(OwnedFunction { pointer, code: self.clone() })
    }

    /// Functions that wait for names which are [deferred](crate::Session::defer).
    pub fn waiting(&self) -> Vec<Waiting> {
        self.image.loaded.waiting()
    }

    /// Functions that were dropped when the code was loaded, with their guards that failed.
    pub fn dropped(&self) -> &[Dropped] {
        self.image.loaded.dropped()
    }

    /// What became of each module when the code was made; nothing for a hit.
    pub fn modules(&self) -> &[ModuleOutcome] {
        &self.image.told.modules
    }

    /// Where addresses of this process were found in the modules, and what became of the functions that have them; nothing for a hit.
    pub fn raw_pointers(&self) -> impl Iterator<Item = &PointerUse> {
        self.image.told.modules.iter().flat_map(|module| &module.pointers)
    }

    /// Lets go of this handle. Says whether the image is gone; if other handles, functions or images still use it, it goes with the last
    /// of them.
    pub fn unload(self) -> bool {
        let image = Arc::downgrade(&self.image);
        drop(self);
        image.strong_count() == 0
    }

    /// Keeps the image to the end of the process; its finalisers run at exit.
    pub fn leak(self) -> &'static Loaded {
        let code: &'static Code = Box::leak(Box::new(self));
        code.loaded()
    }
}

/// A function that keeps its image loaded. It can be sent to other threads and kept in structures.
#[derive(Clone)]
pub struct OwnedFunction<F> {
    pointer: F,
    code: Code,
}

impl<F> OwnedFunction<F> {
    /// The image that it belongs to.
    pub fn code(&self) -> &Code {
        &self.code
    }
}

impl<F> Deref for OwnedFunction<F> {
    type Target = F;
    fn deref(&self) -> &F {
        &self.pointer
    }
}

impl<F: fmt::Debug> fmt::Debug for OwnedFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedFunction").field(&self.pointer).finish()
    }
}
