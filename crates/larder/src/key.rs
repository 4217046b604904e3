//! The key: a digest over everything that affects generated code.
//!
//! A wrong hit is the worst bug this product can have, so the fields are taken apart exhaustively: a new option that is not hashed
//! doesn't compile. Each field enters with its number and its length, so that no two lists of fields give the same bytes.
//!
//! There are two kinds of key: of an image, over all inputs of a program, and of the objects of one module, which don't depend on the
//! others nor on what the image offers.
//!
//! What is deliberately not in a key: tuning flags (there are none), the number of threads, limits of time and memory, and the
//! names and places of the inputs. None of them reaches the code. Nor is it said which input is a module, an object or an archive: that is in
//! its bytes.

use crate::options::{CompileOptions, Cpu, Exports, ThreadLocals};
use larder_format::cpu::CpuFeatures;
use larder_format::image::{ABI_VERSION, FORMAT_VERSION};
use larder_format::objects::OBJECTS_VERSION;
use larder_format::record::Record;
use larder_store::Key;

/// Separates these digests from each other and from any other use of BLAKE3.
const IMAGE_CONTEXT: &str = "larder 2026 key of an image";
const OBJECTS_CONTEXT: &str = "larder 2026 key of a module's objects";

/// What names an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleId<'a> {
    /// BLAKE3 of its bytes.
    Digest([u8; 32]),
    /// A name that the caller answers for: equal names mean equal bytes.
    Caller(&'a [u8]),
}

/// Everything that affects generated code, but for the inputs.
#[derive(Debug, Clone, Copy)]
pub struct CodeFields<'a> {
    /// What the caller chose.
    pub options: &'a CompileOptions,
    /// Features of this machine.
    pub host: &'a CpuFeatures,
    /// The target, as LLVM names it.
    pub triple: &'a str,
    /// The program that generates the code, with its version.
    pub toolchain: &'a str,
}

/// Everything that affects an image.
#[derive(Debug, Clone, Copy)]
pub struct KeyFields<'a> {
    /// The inputs, in their order.
    pub inputs: &'a [ModuleId<'a>],
    /// What else there is.
    pub code: CodeFields<'a>,
}

impl KeyFields<'_> {
    /// The digest of all fields and of the versions of format and ABI.
    pub fn key(&self) -> Key {
        let KeyFields { inputs, code } = *self;
        let CompileOptions { level: _, passes: _, cpu: _, exports, keep_source, lto, split: _, thread_locals: _ } =
            code.options;
        let mut fields = Fields(blake3::Hasher::new_derive_key(IMAGE_CONTEXT));
        inputs.iter().for_each(|input| fields.add_input(input));
        match exports {
            Exports::All => fields.add(6, b""),
            Exports::Only(names) => names.iter().for_each(|name| fields.add(7, name.as_bytes())),
        }
        fields.add(8, &[u8::from(*keep_source)]);
        fields.add(15, &[u8::from(*lto)]);
        fields.add_code(&code);
        fields.add(11, &FORMAT_VERSION.to_le_bytes());
        Key(*fields.0.finalize().as_bytes())
    }
}

impl CodeFields<'_> {
    /// The key of the objects of one module.
    pub fn objects_key(&self, module: &ModuleId<'_>) -> Key {
        let mut fields = Fields(blake3::Hasher::new_derive_key(OBJECTS_CONTEXT));
        fields.add_input(module);
        fields.add_code(self);
        fields.add(11, &OBJECTS_VERSION.to_le_bytes());
        Key(*fields.0.finalize().as_bytes())
    }
}

struct Fields(blake3::Hasher);

impl Fields {
    fn add_input(&mut self, input: &ModuleId<'_>) {
        match input {
            ModuleId::Digest(digest) => self.add(1, digest),
            ModuleId::Caller(name) => self.add(2, name),
        }
    }

    fn add_code(&mut self, code: &CodeFields<'_>) {
        let CodeFields { options, host, triple, toolchain } = *code;
        // What an image offers and carries is the linker's affair: it does not reach a module's objects. Modules that are optimised as one
        // are one module.
        let CompileOptions { level, passes, cpu, exports: _, keep_source: _, lto: _, split, thread_locals } = options;
        // The set that results is what matters, not how it was asked for.
        let Cpu { base: _, add: _, remove: _ } = cpu;
        self.add(3, level.letter().as_bytes());
        if let Some(passes) = passes {
            self.add(4, passes.as_bytes());
        }
        let mut features = Vec::with_capacity(CpuFeatures::SIZE);
        cpu.features(host).encode(&mut features);
        self.add(5, &features);
        self.add(9, triple.as_bytes());
        self.add(10, toolchain.as_bytes());
        self.add(12, &ABI_VERSION.to_le_bytes());
        self.add(13, env!("CARGO_PKG_VERSION").as_bytes());
        self.add(14, split.name().as_bytes());
        self.add(15, &[u8::from(*thread_locals == ThreadLocals::Static)]);
    }

    fn add(&mut self, number: u32, bytes: &[u8]) {
        self.0.update(&number.to_le_bytes());
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{CpuBase, Level, Split};
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
            with(|o| o.lto = true),
            with(|o| o.split = Split::Whole),
            with(|o| o.split = Split::Groups),
            with(|o| o.thread_locals = ThreadLocals::Static),
        ];
        let (host, other) = (set(&["sse2"]), set(&["sse2", "avx"]));
        let code = CodeFields { options: &base, host: &host, triple: "x86_64-pc-linux-gnu", toolchain: "LLVM 22.1.8" };
        let (one, two) = (ModuleId::Digest([1; 32]), ModuleId::Digest([2; 32]));
        let of = |inputs: &[ModuleId<'_>]| KeyFields { inputs, code }.key();
        let mut keys = vec![
            of(&[one]),
            of(&[two]),
            of(&[ModuleId::Caller(&[1; 32])]),
            of(&[ModuleId::Caller(b"")]),
            of(&[]),
            of(&[one, two]),
            of(&[two, one]),
            of(&[one, one]),
        ];
        let codes = [
            CodeFields { host: &other, ..code },
            CodeFields { triple: "aarch64-linux-gnu", ..code },
            CodeFields { toolchain: "LLVM 22.1.9", ..code },
        ];
        keys.extend(codes.iter().map(|&code| KeyFields { inputs: &[one], code }.key()));
        keys.extend(codes.iter().map(|code| code.objects_key(&one)));
        keys.extend([code.objects_key(&one), code.objects_key(&two)]);
        keys.extend(options.iter().map(|options| {
            let code = CodeFields { options, ..code };
            KeyFields { inputs: &[one], code }.key()
        }));
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
        let code = |options| CodeFields { options, host: &host, triple: "t", toolchain: "l" };
        let key = |options| KeyFields { inputs: &[ModuleId::Caller(b"m")], code: code(options) }.key();
        assert_eq!(key(&native), key(&named));
        let objects_key = |options| code(options).objects_key(&ModuleId::Caller(b"m"));
        assert_eq!(objects_key(&native), objects_key(&named));
    }

    #[test]
    fn objects_have_another_key_if_their_code_is_another() {
        let host = set(&["sse2", "avx"]);
        let base = CompileOptions::default();
        let key = |options: &CompileOptions| {
            CodeFields { options, host: &host, triple: "t", toolchain: "l" }.objects_key(&ModuleId::Digest([1; 32]))
        };
        let with = |change: fn(&mut CompileOptions)| {
            let mut options = CompileOptions::default();
            change(&mut options);
            key(&options)
        };
        let other = [
            with(|o| o.level = Level::O0),
            with(|o| o.passes = Some("mem2reg".into())),
            with(|o| o.cpu.base = CpuBase::Level(set(&["avx2"]))),
            with(|o| o.cpu.remove = set(&["sse2"])),
        ];
        assert!(!other.contains(&key(&base)));
        let same = [with(|o| o.exports = Exports::Only(vec!["main".into()])), with(|o| o.keep_source = false)];
        assert_eq!(same, [key(&base); 2]);
    }
}
