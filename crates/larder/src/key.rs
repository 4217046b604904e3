//! The key: a digest over everything that affects generated code.
//!
//! A wrong hit is the worst bug this product can have, so the fields are taken apart exhaustively: a new option that is not hashed
//! doesn't compile. Each field enters with its number and its length, so that no two lists of fields give the same bytes.
//!
//! What is deliberately not in the key: tuning flags (there are none), the number of threads, limits of time and memory, and the
//! name and place of the module. None of them reaches the code.

use crate::options::{CompileOptions, Cpu, Exports};
use larder_format::cpu::CpuFeatures;
use larder_format::image::{ABI_VERSION, FORMAT_VERSION};
use larder_format::record::Record;
use larder_store::Key;

/// Separates these digests from any other use of BLAKE3.
const CONTEXT: &str = "larder 2026 key of an image";

/// What names the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleId<'a> {
    /// BLAKE3 of its bytes.
    Digest([u8; 32]),
    /// A name that the caller answers for: equal names mean equal modules.
    Caller(&'a [u8]),
}

/// Everything that affects generated code.
#[derive(Debug, Clone, Copy)]
pub struct KeyFields<'a> {
    /// The module.
    pub module: ModuleId<'a>,
    /// What the caller chose.
    pub options: &'a CompileOptions,
    /// Features of this machine.
    pub host: &'a CpuFeatures,
    /// The target, as LLVM names it.
    pub triple: &'a str,
    /// The program that generates the code, with its version.
    pub toolchain: &'a str,
}

impl KeyFields<'_> {
    /// The digest of all fields and of the versions of format and ABI.
    pub fn key(&self) -> Key {
        let KeyFields { module, options, host, triple, toolchain } = *self;
        let CompileOptions { level, passes, cpu, exports, keep_source } = options;
        // The set that results is what matters, not how it was asked for.
        let Cpu { base: _, add: _, remove: _ } = cpu;
        let mut fields = Fields(blake3::Hasher::new_derive_key(CONTEXT));
        match module {
            ModuleId::Digest(digest) => fields.add(1, &digest),
            ModuleId::Caller(name) => fields.add(2, name),
        }
        fields.add(3, level.letter().as_bytes());
        if let Some(passes) = passes {
            fields.add(4, passes.as_bytes());
        }
        let mut features = Vec::with_capacity(CpuFeatures::SIZE);
        cpu.features(host).encode(&mut features);
        fields.add(5, &features);
        match exports {
            Exports::All => fields.add(6, b""),
            Exports::Only(names) => names.iter().for_each(|name| fields.add(7, name.as_bytes())),
        }
        fields.add(8, &[u8::from(*keep_source)]);
        fields.add(9, triple.as_bytes());
        fields.add(10, toolchain.as_bytes());
        fields.add(11, &FORMAT_VERSION.to_le_bytes());
        fields.add(12, &ABI_VERSION.to_le_bytes());
        fields.add(13, env!("CARGO_PKG_VERSION").as_bytes());
        Key(*fields.0.finalize().as_bytes())
    }
}

struct Fields(blake3::Hasher);

impl Fields {
    fn add(&mut self, number: u32, bytes: &[u8]) {
        self.0.update(&number.to_le_bytes());
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{CpuBase, Level};
    use std::collections::HashSet;

    fn set(names: &[&'static str]) -> CpuFeatures {
        CpuFeatures::from_names(names.iter().copied()).expect("known")
    }

    #[test]
    fn every_field_changes_the_key() {
        let base = CompileOptions::default();
        let with = |change: fn(&mut CompileOptions)| {
            let mut options = CompileOptions::default();
            change(&mut options);
            options
        };
        let options = [
            with(|o| o.level = Level::O0),
            with(|o| o.level = Level::O1),
            with(|o| o.level = Level::O3),
            with(|o| o.level = Level::Os),
            with(|o| o.level = Level::Oz),
            with(|o| o.passes = Some(String::new())),
            with(|o| o.passes = Some("mem2reg".into())),
            with(|o| o.cpu.base = CpuBase::Level(set(&["avx2"]))),
            with(|o| o.cpu.add = CpuFeatures::from_names(["avx512f"]).expect("known")),
            with(|o| o.cpu.remove = CpuFeatures::from_names(["sse2"]).expect("known")),
            with(|o| o.exports = Exports::Only(vec![])),
            with(|o| o.exports = Exports::Only(vec!["main".into()])),
            with(|o| o.exports = Exports::Only(vec!["main".into(), "f".into()])),
            with(|o| o.exports = Exports::Only(vec!["mainf".into()])),
            with(|o| o.keep_source = false),
        ];
        let (host, other) = (set(&["sse2"]), set(&["sse2", "avx"]));
        let fields = KeyFields {
            module: ModuleId::Digest([1; 32]),
            options: &base,
            host: &host,
            triple: "x86_64-pc-linux-gnu",
            toolchain: "LLVM 22.1.8",
        };
        let mut keys = vec![
            fields.key(),
            KeyFields { module: ModuleId::Digest([2; 32]), ..fields }.key(),
            KeyFields { module: ModuleId::Caller(&[1; 32]), ..fields }.key(),
            KeyFields { module: ModuleId::Caller(b""), ..fields }.key(),
            KeyFields { host: &other, ..fields }.key(),
            KeyFields { triple: "aarch64-linux-gnu", ..fields }.key(),
            KeyFields { toolchain: "LLVM 22.1.9", ..fields }.key(),
        ];
        keys.extend(options.iter().map(|options| KeyFields { options, ..fields }.key()));
        let distinct: HashSet<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn the_same_fields_give_the_same_key_however_they_were_asked_for() {
        let host = set(&["sse2", "avx"]);
        let native = CompileOptions::default();
        let named = CompileOptions {
            cpu: Cpu { base: CpuBase::Level(set(&["sse2"])), add: set(&["avx"]), remove: CpuFeatures::NONE },
            ..CompileOptions::default()
        };
        let key = |options| {
            KeyFields { module: ModuleId::Caller(b"m"), options, host: &host, triple: "t", toolchain: "l" }.key()
        };
        assert_eq!(key(&native), key(&named));
    }
}
