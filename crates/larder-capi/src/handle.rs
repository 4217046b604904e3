//! The objects that C has handles of.
//!
//! A handle looks like a pointer and is none: it is a number that is never given twice, and the object stands here. So one that was freed, or is of another
//! type, is found out and not followed, and an object that one thread frees while another uses it stays until that is done.

use crate::border::Result;
use crate::error::{Kind, larder_error};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, RwLockReadGuard};

/// Every object of this library that C has a handle of.
static OBJECTS: LazyLock<RwLock<HashMap<usize, Arc<dyn Any + Send + Sync>>>> = LazyLock::new(RwLock::default);
/// The next handle. All are odd, unlike addresses of objects.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// An object as C has it: `TYPE *`.
#[repr(transparent)]
pub struct Handle<T>(usize, PhantomData<fn() -> T>);

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<T> Default for Handle<T> {
    fn default() -> Self {
        Handle::NULL
    }
}

fn objects() -> RwLockReadGuard<'static, HashMap<usize, Arc<dyn Any + Send + Sync>>> {
    OBJECTS.read().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Handle<T> {
    /// What C takes for no object.
    pub(crate) const NULL: Handle<T> = Handle(0, PhantomData);
}

impl<T: Any + Send + Sync> Handle<T> {
    /// A handle of an object, which stays until it is freed.
    pub(crate) fn give(object: T) -> Handle<T> {
        let number = NEXT.fetch_add(2, Ordering::Relaxed);
        OBJECTS.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(object));
        Handle(number, PhantomData)
    }

    fn find(self) -> Option<Arc<T>> {
        let object = objects().get(&self.0).cloned();
        object.and_then(|object| object.downcast().ok())
    }

    /// The object; `name` is what the header calls the argument.
    pub(crate) fn get(self, name: &str) -> Result<Arc<T>> {
        if self.0 == 0 {
            return Err(larder_error::new(Kind::Argument, format!("{name} is NULL")));
        }
        let words = || format!("{name} is not what it should be: it was freed, or is an object of another type");
        self.find().ok_or_else(|| larder_error::new(Kind::Argument, words()))
    }

    /// The same for one that may be left out.
    pub(crate) fn optional(self, name: &str) -> Result<Option<Arc<T>>> {
        if self.0 == 0 { Ok(None) } else { self.get(name).map(Some) }
    }

    /// The object, of which C has no handle from now on.
    pub(crate) fn take(self, name: &str) -> Result<Arc<T>> {
        let object = self.get(name)?;
        let removed = OBJECTS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        drop(removed);
        Ok(object)
    }

    /// What a property of the object is; of none, what says nothing.
    pub(crate) fn read<R: Default>(self, read: impl FnOnce(&T) -> R) -> R {
        self.find().map(|object| read(&object)).unwrap_or_default()
    }
}

/// A handle that is good while a callback runs.
pub(crate) struct Lent<T: Any + Send + Sync>(Handle<T>);

impl<T: Any + Send + Sync> Lent<T> {
    pub(crate) fn new(object: T) -> Lent<T> {
        Lent(Handle::give(object))
    }

    pub(crate) fn handle(&self) -> Handle<T> {
        self.0
    }
}

impl<T: Any + Send + Sync> Drop for Lent<T> {
    fn drop(&mut self) {
        // The callback may have freed it, to no effect but this.
        let _ = self.0.take("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_good_until_they_are_freed_and_for_their_type_only() {
        let number = Handle::give(5_u32);
        assert_eq!(number.get("number").map(|number| *number).ok(), Some(5));
        let as_text: Handle<String> = Handle(number.0, PhantomData);
        assert!(as_text.get("text").is_err());
        assert!(as_text.take("text").is_err());
        let held = number.take("number").ok();
        assert!(number.get("number").is_err());
        assert!(number.take("number").is_err());
        assert_eq!(held.as_deref(), Some(&5));
        assert_ne!(Handle::give(6_u32).0, number.0);
        assert!(Handle::<u32>::NULL.get("number").is_err());
    }

    #[test]
    fn what_is_lent_is_taken_back() {
        let lent = Lent::new(5_u32);
        let handle = lent.handle();
        assert_eq!(handle.read(|number| *number), 5);
        drop(lent);
        assert_eq!(handle.read(|number| *number), 0);
    }
}
