//! What an entry of the store is: its first bytes say so.

use crate::verify;
use anyhow::ensure;
use larder::format::objects::{OBJECTS_MAGIC, Objects};
use larder::store::{Key, Store};
use serde::Serialize;
use std::fmt;
use std::io::Read;

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// An image.
    Image,
    /// Objects of a module, from which images are linked.
    Objects,
    /// It can't be read, or is neither.
    Unknown,
}

impl Kind {
    /// The kind of the entry of that key.
    pub(crate) fn of(store: &Store, key: &Key) -> Kind {
        let Ok(Some(entry)) = store.peek(key) else { return Kind::Unknown };
        let mut head = [0; OBJECTS_MAGIC.len()];
        match entry.file().read_exact(&mut head) {
            Ok(()) => Kind::of_bytes(&head),
            Err(_) => Kind::Unknown,
        }
    }

    /// The kind of those bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Kind {
        match bytes {
            _ if bytes.starts_with(b"\x7fELF") => Kind::Image,
            _ if bytes.starts_with(&OBJECTS_MAGIC) => Kind::Objects,
            _ => Kind::Unknown,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Image => "image",
            Kind::Objects => "objects",
            Kind::Unknown => "unknown",
        })
    }
}

/// Checks every byte of an entry.
pub(crate) fn check(bytes: &[u8], key: &Key) -> anyhow::Result<()> {
    if Kind::of_bytes(bytes) == Kind::Objects {
        let objects = Objects::decode(bytes)?;
        ensure!(objects.key == key.0, "the objects are of another key than their name says");
        return Ok(());
    }
    Ok(verify::image(bytes)?)
}
