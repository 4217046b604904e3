//! An image that has started: its exports, and what can become of its units.

use super::shared::Shared;
use super::span;
use crate::error::LoadError;
use crate::resolve::Address;
use crate::symbol::{FnPointer, Function};
use crate::unavailable::{Dropped, Unavailable, UnitId, Waiting};
use larder_format::image::{Image, export_flags};
use std::path::Path;
use std::sync::Arc;

/// An image whose functions may be called. Dropping it runs its finalisers and unmaps it, once no thread has destructors of its
/// thread-local objects left to run.
#[derive(Debug)]
pub struct Loaded(pub(super) Arc<Shared>);

impl Loaded {
    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.0.parts.image
    }

    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.0.parts.path
    }

    /// Address of an export (of the calling thread's variable, for a thread-local one); `None` if there is no export of that name.
    pub fn symbol(&self, name: impl AsRef<[u8]>) -> Option<Address> {
        self.0.symbol(name.as_ref())
    }

    /// Address of an image offset; `None` behind the image's end.
    pub fn at(&self, offset: u64) -> Option<Address> {
        self.0.at(offset)
    }

    /// The exported function of that name; `None` if there is none, or if the export is not code.
    ///
    /// # Safety
    /// The function has the type `F`. The pointer is not called after the image is dropped, even if it was copied out of the handle.
    pub unsafe fn function<F: FnPointer>(&self, name: impl AsRef<[u8]>) -> Option<Function<'_, F>> {
        let export = self.image().exports().find(name.as_ref())?;
        let is_code =
            export.flags & export_flags::FUNCTION != 0 && span(self.image().header().rx).contains(&export.offset);
        // SAFETY: the type is the caller's promise, and the handle borrows the image.
        is_code.then(|| unsafe { Function::new(self.0.address(export.offset)) })
    }

    /// Units that were dropped when the image was bound, each with its guards that failed.
    pub fn dropped(&self) -> &[Dropped] {
        self.0.dropped()
    }

    /// Units that wait for names which are not defined yet.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0.waiting()
    }

    /// Says who decides about calls of units that were dropped or wait, in place of who was said before.
    pub fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        self.0.set_unavailable(handler);
    }

    /// Has calls of a unit go to another function from now on, pointers to it that were taken before included. Threads may be calling it.
    /// `false`, and nothing is changed, if the unit was neither dropped nor had to wait.
    ///
    /// # Safety
    /// At the address is a function of the same type, which is there as long as the image.
    pub unsafe fn redirect(&self, unit: UnitId, address: Address) -> bool {
        self.0.availability.as_ref().is_some_and(|availability| availability.redirect(unit, address))
    }

    /// Gives deferred names their addresses, and arms the units that wait for no other name: answers which. Names that the image doesn't
    /// wait for are left alone. Threads may be running the image.
    ///
    /// # Errors
    /// [`LoadError::Os`] if the system refuses to change rights; then the same may be tried again.
    ///
    /// # Safety
    /// What is defined has the type that the code takes it to have, and stays valid until the image is gone.
    pub unsafe fn define<N: AsRef<str>>(&self, definitions: &[(N, Address)]) -> Result<Vec<UnitId>, LoadError> {
        let definitions = definitions.iter().map(|(name, address)| (name.as_ref(), *address)).collect();
        // SAFETY: the caller's promise.
        unsafe { self.0.define(&definitions) }
    }

    /// Has the code use the host's objects of those names at other addresses from now on. Threads may be running the image: what they have
    /// loaded from a slot before, they still use. Names that the image doesn't use, and objects whose guard failed, are left alone; so are
    /// words of data that the code has changed, and thread-local variables of threads that have theirs.
    ///
    /// # Errors
    /// [`LoadError::Os`] if the system refuses to change rights; then the same may be tried again.
    ///
    /// # Safety
    /// At the addresses are the objects, for as long as the code may use them.
    pub unsafe fn rebind<N: AsRef<[u8]>>(&self, objects: &[(N, Address)]) -> Result<(), LoadError> {
        let objects = objects.iter().map(|(name, address)| (name.as_ref(), *address)).collect();
        // SAFETY: the caller's promise.
        unsafe { self.0.rebind(&objects) }
    }

    /// Keeps the image to the end of the process. Its finalisers run at exit.
    pub fn leak(self) -> &'static Loaded {
        Box::leak(Box::new(self))
    }
}
