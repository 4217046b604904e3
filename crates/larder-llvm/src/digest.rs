//! What stands for a part's object: a digest of everything that the object is made from.
//!
//! An object that is taken for another is the worst bug this product can have. A part is made in a context of its own from its
//! bitcode, so the digest is of that bitcode (target, data layout, module flags, names, attributes, metadata and debug
//! information are in it), of the settings, which are taken apart exhaustively, and of the toolchain, which names libLLVM's build
//! and the sources of what drives it. BLAKE3 throughout: LLVM's own structural hashes are made to be fast, not to keep things apart.
//!
//! What isn't in it: the part's number, the module's name, threads, limits. None of them reaches the object.

use larder_format::wire::VERSION;

use crate::ffi::Settings;

/// Separates these digests from any other use of BLAKE3.
const CONTEXT: &str = "larder 2026 digest of a part";

/// Everything that an object is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartDigest<'a> {
    /// The part as a module.
    pub(crate) bitcode: &'a [u8],
    /// Whether it gets the whole pipeline, or only what is left of it.
    pub(crate) is_group: bool,
    pub(crate) settings: &'a Settings,
    /// See [`Toolchain::name`](crate::Toolchain::name).
    pub(crate) toolchain: &'a str,
}

impl PartDigest<'_> {
    /// The digest of all fields.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let PartDigest { bitcode, is_group, settings, toolchain } = *self;
        let Settings { level, pipeline, features, static_tls_len } = settings;
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        let fields: [&[u8]; 8] = [
            &VERSION.to_le_bytes(),
            &[u8::from(is_group)],
            level.letter().as_bytes(),
            pipeline.as_bytes(),
            features.as_bytes(),
            &static_tls_len.to_le_bytes(),
            toolchain.as_bytes(),
            bitcode,
        ];
        for field in fields {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use larder_format::wire::OptLevel;

    use super::*;

    #[test]
    fn every_field_changes_the_digest() {
        let settings = |level, pipeline: &str, features: &str| Settings {
            level,
            pipeline: pipeline.to_owned(),
            features: features.to_owned(),
            static_tls_len: 0,
        };
        let base = settings(OptLevel::O2, "", "");
        let part = PartDigest { bitcode: b"BC", is_group: false, settings: &base, toolchain: "LLVM" };
        let mut digests = HashSet::from([
            part.digest(),
            PartDigest { bitcode: b"BC ", ..part }.digest(),
            PartDigest { is_group: true, ..part }.digest(),
            PartDigest { bitcode: b"C", toolchain: "LLVMB", ..part }.digest(),
        ]);
        for settings in [
            settings(OptLevel::O3, "", ""),
            settings(OptLevel::Os, "", ""),
            settings(OptLevel::O2, "sroa", ""),
            settings(OptLevel::O2, "", "sroa"),
            settings(OptLevel::O2, "s", "roa"),
        ] {
            digests.insert(PartDigest { settings: &settings, ..part }.digest());
        }
        assert_eq!(digests.len(), 9);
        assert_eq!(part.digest(), PartDigest { settings: &base.clone(), ..part }.digest());
    }
}
