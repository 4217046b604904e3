//! The objects of one module, as a store keeps them beside images.
//!
//! A program of several modules is linked anew when one of them changes; the objects of the others are taken from the store. Such an
//! entry is read whole and checked whole: [`ObjectsHeader`], then a [`bundle`] of the producer's name and the objects.
//!
//! To change a byte: raise [`OBJECTS_VERSION`], and bring `docs/format.md` along.

use crate::bundle;
use crate::cpu::CpuFeatures;
use crate::record::{Record, record};
use std::ops::Range;
use thiserror::Error;

/// First bytes of a module's objects.
pub const OBJECTS_MAGIC: [u8; 8] = *b"LARDOBJ\n";
/// Version of everything this module describes.
pub const OBJECTS_VERSION: u32 = 1;

record! {
    /// What stands before the objects.
    pub struct ObjectsHeader {
        /// `OBJECTS_MAGIC`.
        pub magic: [u8; 8],
        /// `OBJECTS_VERSION`.
        pub version: u32,
        /// Zero.
        pub reserved: u32,
        /// BLAKE3 of the whole entry with these 32 bytes as zeros.
        pub content_digest: [u8; 32],
        /// The key they were made for.
        pub key: [u8; 32],
        /// CPU features that the code needs (`CpuFeatures`).
        pub features: CpuFeatures,
    }
}

/// Where the digest stands.
const DIGEST: Range<usize> = 16..48;

/// The digest of an entry, whose header is whole.
fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..DIGEST.start]).update(&[0; 32]).update(&bytes[DIGEST.end..]);
    *hasher.finalize().as_bytes()
}

/// A module's objects, and what there is to say of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects<'a> {
    /// The key they were made for.
    pub key: [u8; 32],
    /// CPU features that the code needs.
    pub features: CpuFeatures,
    /// The program that generated the code, in words.
    pub producer: &'a str,
    /// Relocatable ELF objects, in the order of the module.
    pub objects: Vec<&'a [u8]>,
}

/// Bytes that are no whole set of objects.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectsError {
    /// They don't begin as objects do.
    #[error("these are no objects of a module")]
    Magic,
    /// They are of another version.
    #[error("the objects are of format version {0}, this program reads version {OBJECTS_VERSION}")]
    Version(u32),
    /// They are not those that were written.
    #[error("the objects' bytes are not those that were written")]
    Digest,
    /// They contradict themselves.
    #[error("the objects' table is damaged")]
    Table,
}

impl<'a> Objects<'a> {
    /// The bytes of an entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = vec![self.producer.as_bytes()];
        items.extend(&self.objects);
        let header = ObjectsHeader {
            magic: OBJECTS_MAGIC,
            version: OBJECTS_VERSION,
            reserved: 0,
            content_digest: [0; 32],
            key: self.key,
            features: self.features,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        bundle::encode(&items, &mut bytes);
        let digest = blake3::hash(&bytes);
        bytes[DIGEST].copy_from_slice(digest.as_bytes());
        bytes
    }

    /// Takes an entry apart, with every byte of the objects checked.
    ///
    /// # Errors
    /// The bytes are something else, of another version, or damaged.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ObjectsError> {
        if !bytes.starts_with(&OBJECTS_MAGIC) {
            return Err(ObjectsError::Magic);
        }
        let header = ObjectsHeader::decode(bytes).ok_or(ObjectsError::Table)?;
        if header.version != OBJECTS_VERSION {
            return Err(ObjectsError::Version(header.version));
        }
        if digest(bytes) != header.content_digest {
            return Err(ObjectsError::Digest);
        }
        let items = bundle::decode(&bytes[ObjectsHeader::SIZE..]).ok_or(ObjectsError::Table)?;
        let (producer, objects) = items.split_first().ok_or(ObjectsError::Table)?;
        Ok(Objects {
            key: header.key,
            features: header.features,
            producer: str::from_utf8(producer).map_err(|_| ObjectsError::Table)?,
            objects: objects.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Objects<'static> {
        let features = CpuFeatures::from_names(["sse2", "avx"]).expect("known");
        Objects { key: [7; 32], features, producer: "LLVM 22", objects: vec![b"first", b"", b"third"] }
    }

    #[test]
    fn the_digest_stands_where_the_header_says() {
        let field = ObjectsHeader::FIELDS.iter().find(|field| field.name == "content_digest").expect("a digest");
        assert_eq!(field.offset..field.offset + field.size, DIGEST);
    }

    #[test]
    fn come_back_as_they_were() {
        let bytes = sample().encode();
        assert_eq!(Objects::decode(&bytes), Ok(sample()));
    }

    #[test]
    fn every_changed_byte_shows() {
        let whole = sample().encode();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(Objects::decode(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = sample().encode();
        for len in 0..whole.len() {
            assert!(Objects::decode(&whole[..len]).is_err(), "{len}");
        }
    }
}
