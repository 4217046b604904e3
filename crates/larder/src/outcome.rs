//! Hit or miss, and why.
//!
//! A fault of the cache is never a fault of the program: whatever is wrong with an entry or with the store becomes a
//! [`MissReason`], in [`MissReason::of_load`], [`MissReason::of_objects`] and [`MissReason::of_store`] and nowhere else, and the module is compiled again.

use crate::parts::PartCounts;
use larder_format::image::ImageError;
use larder_format::objects::ObjectsError;
use larder_format::wire::{PointerUse, SessionObject};
use larder_runtime::LoadError;
use larder_store::StoreError;
use std::fmt;

/// What became of a request for code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Saved code was used.
    Hit,
    /// The module was compiled.
    Miss(MissReason),
}

impl Outcome {
    /// Whether saved code was used.
    pub fn is_hit(&self) -> bool {
        *self == Outcome::Hit
    }
}

/// What became of one module of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleOutcome {
    /// The module's name.
    pub name: String,
    /// Whether its objects were kept, or why it was compiled.
    pub outcome: Outcome,
    /// How much was generated, and how much of an earlier compilation was used; nothing of either for a hit.
    pub parts: PartCounts,
    /// Where addresses of this process were found in it; nothing for a hit.
    pub pointers: Vec<PointerUse>,
    /// Objects by which its code asks for addresses that only this process has.
    pub session_objects: Vec<SessionObject>,
}

/// Why saved code was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissReason {
    /// There is no entry of that key.
    Absent,
    /// The caller wants no store.
    StoreOff,
    /// The store can't be used.
    Store {
        /// The store's own words.
        why: String,
    },
    /// The entry can't be opened or mapped.
    Unreadable {
        /// The system's words.
        why: String,
    },
    /// The entry's bytes are not those it was published with, or contradict each other.
    Damaged {
        /// What is wrong, and where.
        why: String,
    },
    /// The entry is of another version of the format or ABI.
    OtherVersion {
        /// Which one.
        why: String,
    },
    /// The entry is for another machine, word size, byte order or operating system.
    OtherPlatform {
        /// Which one.
        why: String,
    },
    /// The entry's code uses instructions that this machine lacks; or there is none for this machine, but one for another that has them.
    CpuFeatures {
        /// LLVM's names of the missing features.
        missing: Vec<String>,
    },
    /// The entry is of another key than its name says.
    OtherKey,
}

impl MissReason {
    /// A short name that scripts and counters can rely on.
    pub fn name(&self) -> &'static str {
        match self {
            MissReason::Absent => "absent",
            MissReason::StoreOff => "store-off",
            MissReason::Store { .. } => "store",
            MissReason::Unreadable { .. } => "unreadable",
            MissReason::Damaged { .. } => "damaged",
            MissReason::OtherVersion { .. } => "other-version",
            MissReason::OtherPlatform { .. } => "other-platform",
            MissReason::CpuFeatures { .. } => "cpu-features",
            MissReason::OtherKey => "other-key",
        }
    }

    /// The reason that a failed load stands for; `None` if compiling again would fail alike.
    pub(crate) fn of_load(error: &LoadError) -> Option<MissReason> {
        Some(match error {
            LoadError::Image { source, .. } => of_image(source),
            LoadError::NotAFile { .. } | LoadError::Os { .. } => MissReason::Unreadable { why: chain(error) },
            LoadError::MissingFeatures { names, .. } => MissReason::CpuFeatures { missing: names.clone() },
            LoadError::OtherKey { .. } => MissReason::OtherKey,
            _ => return None,
        })
    }

    /// The reason that a module's damaged objects stand for.
    pub(crate) fn of_objects(error: &ObjectsError) -> MissReason {
        let why = error.to_string();
        match error {
            ObjectsError::Version(_) => MissReason::OtherVersion { why },
            ObjectsError::Magic | ObjectsError::Digest | ObjectsError::Table => MissReason::Damaged { why },
        }
    }

    /// The reason that a failed look-up stands for.
    pub(crate) fn of_store(error: &StoreError) -> MissReason {
        MissReason::Store { why: chain(error) }
    }

    /// Whether the entry itself is bad: then it is removed before it is made again.
    pub(crate) fn condemns_entry(&self) -> bool {
        match self {
            MissReason::Damaged { .. }
            | MissReason::OtherVersion { .. }
            | MissReason::OtherPlatform { .. }
            | MissReason::OtherKey => true,
            MissReason::Absent
            | MissReason::StoreOff
            | MissReason::Store { .. }
            | MissReason::Unreadable { .. }
            | MissReason::CpuFeatures { .. } => false,
        }
    }
}

fn of_image(error: &ImageError) -> MissReason {
    let why = error.to_string();
    match error {
        ImageError::WrongPlatform { .. } => MissReason::OtherPlatform { why },
        ImageError::WrongVersion { .. } => MissReason::OtherVersion { why },
        _ => MissReason::Damaged { why },
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some messages repeat their cause.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissReason::Absent => f.write_str("no entry of this key yet"),
            MissReason::StoreOff => f.write_str("the store is switched off"),
            MissReason::Store { why } => write!(f, "the store can't be used: {why}"),
            MissReason::Unreadable { why } => write!(f, "the entry can't be read: {why}"),
            MissReason::Damaged { why } => write!(f, "the entry is damaged: {why}"),
            MissReason::OtherVersion { why } => write!(f, "the entry is of another version: {why}"),
            MissReason::OtherPlatform { why } => write!(f, "the entry is for another platform: {why}"),
            MissReason::CpuFeatures { missing } => {
                write!(f, "the code needs CPU features that this machine lacks: {}", missing.join(", "))
            }
            MissReason::OtherKey => f.write_str("the entry is of another key than its name says"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Hit => f.write_str("hit"),
            Outcome::Miss(reason) => write!(f, "miss ({}): {reason}", reason.name()),
        }
    }
}
