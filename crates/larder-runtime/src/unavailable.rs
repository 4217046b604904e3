//! Units that can't be used as they are: what is wrong with them, and who decides what happens when one is called.
//!
//! A unit is *dropped* if one of its guards fails, and *waits* while one of its imports is deferred. Its entry then leads to a cell, and
//! the cell to the image's [`Unavailable`] until somebody has told where calls go.

use crate::resolve::Address;
use std::fmt;

/// A unit of an image, by its place in the table of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub u32);

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}", self.0)
    }
}

/// Why a guard failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardFailure {
    /// The host has no such object.
    Missing,
    /// The host's object is not what the code was made for.
    Changed {
        /// The fingerprint it had then.
        expected: u64,
        /// The fingerprint it has now.
        found: u64,
    },
    /// A condition that the code was made for does not hold.
    Predicate {
        /// The answer then.
        expected: u64,
        /// The answer now; `None` if nobody gives one.
        found: Option<u64>,
    },
}

/// A guard that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedGuard {
    /// The name of the object or the predicate.
    pub name: String,
    /// The arguments of the predicate; empty for an object.
    pub arguments: String,
    /// What is wrong.
    pub failure: GuardFailure,
}

impl fmt::Display for FailedGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedGuard { name, arguments, failure } = self;
        match failure {
            GuardFailure::Missing => write!(f, "object {name} is missing"),
            GuardFailure::Changed { expected, found } => {
                write!(f, "object {name} has changed: fingerprint {found:#x}, not {expected:#x}")
            }
            GuardFailure::Predicate { expected, found: Some(found) } => {
                write!(f, "{name}({arguments}) is {found}, not {expected}")
            }
            GuardFailure::Predicate { expected, found: None } => {
                write!(f, "{name}({arguments}) is not known, and should be {expected}")
            }
        }
    }
}

/// A unit that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The unit.
    pub unit: UnitId,
    /// The function's name.
    pub name: String,
    /// The unit that calls go to at once, if the module names one.
    pub fallback: Option<UnitId>,
    /// Its guards that failed, in the order in which they were asked.
    pub failed: Vec<FailedGuard>,
}

/// A unit that waits for names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The unit.
    pub unit: UnitId,
    /// The function's name.
    pub name: String,
    /// The names that are still deferred.
    pub imports: Vec<String>,
}

/// A call that can't go where the code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call<'a> {
    /// Of a unit that was dropped or waits.
    Unit {
        /// The unit.
        unit: UnitId,
        /// The function's name.
        name: &'a str,
        /// Its entry. A unit that waited may be usable by the time of the answer: then this is the answer.
        entry: Address,
    },
    /// Of a function that is still deferred, through a pointer or by a unit that was entered before.
    Import {
        /// The function's name.
        name: &'a str,
    },
}

/// Decides what becomes of calls to what is not there.
pub trait Unavailable: Send + Sync {
    /// Answers the function where this call and all later ones go: one of the same type, valid as long as the image. It may unwind
    /// instead, to the caller of the unit; then the next call asks again.
    ///
    /// Many threads may ask at once, for the same unit too; of several answers the first counts for later calls. All registers that the caller has
    /// put arguments into are kept meanwhile. Nothing is locked: it may load other images, call code, and be called again by that.
    fn called(&self, call: Call<'_>) -> Address;
}
