//! Functions that can't be used as they are: those that wait for a name, and those whose guard failed.
//!
//! A call of one comes here, from whatever thread and however deep in other code. What waits is armed if its names are there by now; what was
//! dropped is compiled again (see [`super::recompile`]). Otherwise the host decides; if it doesn't, the call unwinds with a [`CallError`],
//! through the frames of the code, to [`catch`].

use super::Shared;
use super::code::Image;
use super::lock;
use larder_runtime::{Address, Call, Dropped, FailedGuard, Unavailable, UnitId};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::{self, ThreadId};

/// Why a function can't be called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// It uses names that were deferred and are not defined yet.
    Waiting {
        /// These.
        names: Vec<String>,
    },
    /// Its guards failed, and it could not be compiled again.
    Dropped {
        /// The guards.
        failed: Vec<FailedGuard>,
        /// What is in the way of compiling it again.
        why: String,
    },
}

/// A call that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function} of {code} can't be called: {reason}")]
pub struct CallError {
    /// What diagnostics call the code.
    pub code: String,
    /// The function.
    pub function: String,
    /// Why not.
    pub reason: Unusable,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Waiting { names } => write!(f, "it waits for {}", names.join(", ")),
            Unusable::Dropped { failed, why } => {
                let failed: Vec<_> = failed.iter().map(ToString::to_string).collect();
                write!(f, "{}; {why}", failed.join("; "))
            }
        }
    }
}

/// Calls code, and answers a [`CallError`] if it comes to a function that can't be called. Other panics go on.
///
/// The frames between are unwound, so destructors of theirs run. Functions without unwind information (`nounwind` without `uwtable` in IR) can't be
/// unwound through; the process ends then. The error is no panic that a hook hears of: nothing is printed.
///
/// # Errors
/// The function, and why it can't be called.
pub fn catch<R>(call: impl FnOnce() -> R) -> Result<R, CallError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| match panic.downcast::<CallError>() {
        Ok(error) => *error,
        Err(other) => resume_unwind(other),
    })
}

/// Decides about calls that can't be made.
pub(super) type Handler = Arc<dyn Fn(&CallError) -> Option<Address> + Send + Sync>;

/// Answers calls of one image's units.
pub(super) struct Keeper {
    session: Weak<Shared>,
    name: String,
    image: OnceLock<Weak<Image>>,
    units: Mutex<HashMap<UnitId, Arc<Unit>>>,
}

/// A unit that was dropped, while and after it is compiled again.
#[derive(Default)]
struct Unit {
    /// The thread that is at it. Its own code may call the unit, and must not wait for itself.
    by: Mutex<Option<ThreadId>>,
    done: Mutex<Option<usize>>,
}

impl Keeper {
    pub(super) fn new(session: Weak<Shared>, name: String) -> Keeper {
        Keeper { session, name, image: OnceLock::new(), units: Mutex::default() }
    }

    /// Says which image it is about. Before, nothing can be armed nor compiled again.
    pub(super) fn serve(&self, image: &Arc<Image>) {
        // It is said once.
        let _ = self.image.set(Arc::downgrade(image));
    }

    /// The address of a unit that was dropped, compiled again once, whichever thread is first.
    pub(super) fn replace(&self, dropped: &Dropped) -> Result<Address, Unusable> {
        let unit = Arc::clone(lock(&self.units).entry(dropped.unit).or_default());
        let fail = |why: String| Unusable::Dropped { failed: dropped.failed.clone(), why };
        let me = thread::current().id();
        if *lock(&unit.by) == Some(me) {
            return Err(fail("it is called while it is compiled again".to_owned()));
        }
        let mut done = lock(&unit.done);
        if let Some(address) = *done {
            return Ok(address as Address);
        }
        let image = self.image.get().and_then(Weak::upgrade);
        let (Some(session), Some(image)) = (self.session.upgrade(), image) else {
            return Err(fail("it is called before the code is initialised, or after its session has ended".to_owned()));
        };
        *lock(&unit.by) = Some(me);
        let replaced = catch_unwind(AssertUnwindSafe(|| session.recompile(&image, dropped)));
        *lock(&unit.by) = None;
        let address = replaced.unwrap_or_else(|panic| resume_unwind(panic)).map_err(|error| fail(error.to_string()))?;
        *done = Some(address as usize);
        Ok(address)
    }

    fn wait_over(&self, unit: UnitId, entry: Address) -> Result<Address, Unusable> {
        let image = self.image.get().and_then(Weak::upgrade);
        let (Some(session), Some(image)) = (self.session.upgrade(), image) else {
            return Err(Unusable::Waiting { names: Vec::new() });
        };
        session.arm(&image);
        match image.loaded().waiting().into_iter().find(|waiting| waiting.unit == unit) {
            Some(waiting) => Err(Unusable::Waiting { names: waiting.imports }),
            None => Ok(entry),
        }
    }

    /// What the host decides; if it doesn't, the call ends here.
    fn give_up(&self, function: &str, reason: Unusable) -> Address {
        let error = CallError { code: self.name.clone(), function: function.to_owned(), reason };
        let handler = self.session.upgrade().and_then(|session| lock(&session.policy).handler.clone());
        match handler.and_then(|handler| handler(&error)) {
            Some(address) => address,
            // Nothing is printed: who catches it decides about that.
            None => resume_unwind(Box::new(error)),
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Unavailable for Keeper {
    fn called(&self, call: Call<'_>) -> Address {
        match call {
            Call::Unit { unit, name, entry } => {
                let image = self.image.get().and_then(Weak::upgrade);
                let dropped =
                    image.and_then(|image| image.loaded().dropped().iter().find(|other| other.unit == unit).cloned());
                let answer = dropped.map_or_else(|| self.wait_over(unit, entry), |dropped| self.replace(&dropped));
                answer.unwrap_or_else(|reason| self.give_up(name, reason))
            }
            Call::Import { name } => {
                let found = self.session.upgrade().and_then(|session| session.find_function(name));
                found.unwrap_or_else(|| self.give_up(name, Unusable::Waiting { names: vec![name.to_owned()] }))
            }
        }
    }
}
