//! What the host tells a session beside names: what is going to be known later, where its objects are, what its conditions are, and what is to become
//! of functions that can't be used as they are.

use super::recompile::{self, DroppedUnit, Recompile};
use super::unavailable::{CallError, Handler};
use super::{Code, Session, lock};
use crate::error::Error;
use crate::program::Program;
use larder_runtime::{Address, Deferral, ObjectAnswer};
use std::fmt;
use std::sync::Arc;

/// What becomes of functions that can't be used as they are.
#[derive(Clone, Default)]
pub(super) struct Policy {
    /// Makes IR for functions that were dropped.
    pub(super) recompile: Option<recompile::Callback>,
    pub(super) when: Recompile,
    /// Decides about calls that can't be made.
    pub(super) handler: Option<Handler>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("when", &self.when).finish_non_exhaustive()
    }
}

impl Session {
    /// Says that a name is going to be [defined](Session::define) later, by the host or by an image. Images that are loaded meanwhile are loaded without
    /// it: their functions that use it wait. To call one that waits is a [`CallError`]: see [`catch`](crate::catch).
    ///
    /// A name that is data can't be deferred for an image whose own data points to it: such a load is an error.
    pub fn defer(&self, name: &str, kind: Deferral) -> &Self {
        self.0.heap.defer(name, kind);
        self
    }

    /// Hands in a heap object: `!larder.object` in IR asks for it by this name. Where the fingerprint is another than code was made for, the functions
    /// that use the object are dropped from images that are loaded from now on.
    pub fn define_object(&self, name: &str, address: Address, fingerprint: u64) -> &Self {
        self.0.heap.define(name, address, 0, fingerprint);
        self
    }

    /// The same for an object of `len` bytes. Raw addresses of these bytes in a module that is compiled with
    /// [`RawPointers::Rescue`](crate::RawPointers) become the object and an offset.
    pub fn define_region(&self, name: &str, address: Address, len: u64, fingerprint: u64) -> &Self {
        self.0.heap.define(name, address, len, fingerprint);
        self
    }

    /// Takes an object back, for images that are loaded later. Says whether there was one.
    pub fn forget_object(&self, name: &str) -> bool {
        self.0.heap.forget(name)
    }

    /// Asks `answer` for objects that were not handed in by name. Of several callbacks, the first that knows one answers.
    pub fn resolve_objects_with(&self, answer: impl Fn(&str) -> Option<ObjectAnswer> + Send + Sync + 'static) -> &Self {
        self.0.heap.add_callback(Arc::new(answer));
        self
    }

    /// Hands in a condition that code may have been made for: `!larder.guard` in IR names it, with arguments and the answer it had.
    pub fn define_predicate(&self, name: &str, answer: impl Fn(&str) -> Option<u64> + Send + Sync + 'static) -> &Self {
        self.0.heap.add_predicate(name, Arc::new(answer));
        self
    }

    /// Says that objects have moved: a collector's. All images that use them use them where they are now, and so do images that are loaded later. Threads may be
    /// running code; what they have loaded from the old places, they still use, so the collector sees to it that none does.
    ///
    /// # Safety
    /// The objects are at these addresses, as long as code uses them.
    ///
    /// # Errors
    /// The system refuses to change rights of memory: then some images may use the old places.
    pub unsafe fn move_objects(&self, objects: &[(&str, Address)]) -> Result<(), Error> {
        self.0.heap.relocate(objects);
        for code in self.images() {
            // SAFETY: the caller's promise.
            unsafe { code.loaded().rebind(objects) }?;
        }
        Ok(())
    }

    /// Asks `make` for IR or objects when a function was dropped: a program that defines a function of that name and type, made for what the host's objects
    /// are now. It may have a key, so that a later start needs no IR. Where `make` has none, the module that the image carries is used, if all that
    /// failed is that objects have changed whose contents stand in it.
    pub fn recompile_with<P: Into<Program<'static>>>(
        &self,
        make: impl Fn(&DroppedUnit<'_>) -> Option<P> + Send + Sync + 'static,
    ) -> &Self {
        lock(&self.0.policy).recompile = Some(Arc::new(move |unit| make(unit).map(Into::into)));
        self
    }

    /// Says when dropped functions are compiled again, for images that are loaded from now on.
    pub fn recompile_when(&self, when: Recompile) -> &Self {
        lock(&self.0.policy).when = when;
        self
    }

    /// Asks `decide` where a call goes that can't be made: to a function of the same type, which stays as long as the image. If it answers `None`, or there is no
    /// such callback, the call unwinds with a [`CallError`].
    pub fn on_unusable(&self, decide: impl Fn(&CallError) -> Option<Address> + Send + Sync + 'static) -> &Self {
        lock(&self.0.policy).handler = Some(Arc::new(decide));
        self
    }

    /// Compiles again what was dropped from an image that was just loaded, if the session is to do that now.
    pub(super) fn recompile_dropped(&self, code: &Code) -> Result<(), Error> {
        let image = &code.image;
        let dropped = code.dropped().iter().filter(|dropped| dropped.fallback.is_none());
        let dropped: Vec<_> = dropped.cloned().collect();
        let when = lock(&self.0.policy).when;
        if dropped.is_empty() || when == Recompile::Lazily {
            return Ok(());
        }
        if when == Recompile::Eagerly {
            for dropped in dropped {
                image.keeper.replace(&dropped).map_err(|reason| {
                    let (code, function) = (code.name().to_owned(), dropped.name.clone());
                    Error::Dropped(CallError { code, function, reason })
                })?;
            }
            return Ok(());
        }
        let code = code.clone();
        let all = move || {
            // What fails here fails again when it is called, where somebody hears of it.
            dropped.iter().for_each(|dropped| drop(code.image.keeper.replace(dropped)));
        };
        let spawned = std::thread::Builder::new().name("larder".to_owned()).spawn(all);
        spawned.map(drop).map_err(|source| Error::Thread { source })
    }
}
