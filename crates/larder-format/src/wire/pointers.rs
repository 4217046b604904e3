//! Addresses of the client's process that stand in a module as integers: what is to be done about them, and what was.

use serde::{Deserialize, Serialize};

/// What the worker does about integers that are used as addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawPointers {
    /// Nothing: they mean the same in every process, or the module has none.
    #[default]
    Ignore,
    /// Those in a named region become an object and an offset, others an object of this process.
    Rescue,
    /// As `Rescue`; a function with one that is in no named region is an error.
    Strict,
    /// As `Rescue`, of what lies in a region. What lies in none means the same in every process, as device memory does; and so does an integer that
    /// isn't seen to become a pointer, if it is less than 2^32.
    Mapped,
}

/// No way to treat raw addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown way to treat raw addresses \"{0}\"; there are ignore, rescue, strict and mapped")]
pub struct UnknownRawPointers(pub String);

impl std::str::FromStr for RawPointers {
    type Err = UnknownRawPointers;

    /// The way of that name.
    fn from_str(name: &str) -> Result<Self, UnknownRawPointers> {
        let found = Self::NAMES.iter().find(|(_, own)| *own == name);
        found.map(|(way, _)| *way).ok_or_else(|| UnknownRawPointers(name.to_owned()))
    }
}

impl RawPointers {
    /// All of them, with their names.
    const NAMES: [(RawPointers, &'static str); 4] = [
        (RawPointers::Ignore, "ignore"),
        (RawPointers::Rescue, "rescue"),
        (RawPointers::Strict, "strict"),
        (RawPointers::Mapped, "mapped"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

/// Addresses of the client's process, `start` to `start + len`. Regions don't overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The object that lies there, by which a later process finds it; `None`: something that is mapped now.
    pub name: Option<String>,
    /// Its first address.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// An object that only this process has, since nobody gave its region a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionObject {
    /// The name by which the code asks for it, unlike that of any other module's.
    pub name: String,
    /// Where it is.
    pub address: u64,
}

/// What became of a function's raw addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointerFate {
    /// All are in named regions.
    Rescued,
    /// Some aren't: the function runs in this process only.
    SessionOnly,
}

/// A function, or a variable with an initial value, in which raw addresses were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointerUse {
    /// Its name.
    pub function: String,
    /// What became of it.
    pub fate: PointerFate,
    /// Which addresses, and how they are used.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_have_names() {
        assert!(RawPointers::NAMES.iter().all(|(way, name)| way.name() == *name && name.parse() == Ok(*way)));
        assert_eq!("save".parse::<RawPointers>(), Err(UnknownRawPointers("save".to_owned())));
    }
}
