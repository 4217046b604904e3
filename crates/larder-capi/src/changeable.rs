//! Objects that C changes until it hands them over: settings, options, programs.

use crate::border::{ErrorPlace, Result, done};
use crate::handle::Handle;
use std::any::Any;
use std::sync::{Mutex, PoisonError};

/// An object that functions of C change.
#[derive(Debug, Default)]
pub struct Changeable<T>(Mutex<T>);

impl<T: Default + Any + Send> Changeable<T> {
    /// A new one.
    pub(crate) fn make() -> Handle<Changeable<T>> {
        Handle::give(Changeable::default())
    }

    /// What it has become.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&mut T) -> R) -> R {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Changes an object, or says why not; `name` is what the header calls the argument.
pub(crate) fn change<T: Default + Any + Send>(
    handle: Handle<Changeable<T>>,
    name: &str,
    error: ErrorPlace,
    change: impl FnOnce(&mut T) -> Result<()>,
) -> bool {
    done(error, || handle.get(name)?.with(change))
}
