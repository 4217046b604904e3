//! The key: a digest over everything that affects generated code.
//!
//! A wrong hit is the worst bug this product can have, so the fields are taken apart exhaustively: a new option that is not hashed
//! doesn't compile. Each field enters with its number and its length, so that no two lists of fields give the same bytes.
//!
//! There are two kinds of key: of an image, over all inputs of a program, and of the objects of one module, which don't depend on the
//! others nor on what the image offers.
//!
//! Where things lie in this process (regions) enters with the digest of an input: bytes that hold addresses mean something else
//! where other things lie. A caller's own key names what is meant, wherever it lies. Unless the host says that there are such bytes, they are compiled as if they
//! held none, and what is made of them is not kept if they do: so they have no regions in their keys.
//!
//! What is deliberately not in a key: tuning flags (there are none), the number of threads, limits of time and memory, and the
//! names and places of the inputs. None of them reaches the code. Nor is it said which input is a module, an object or an archive: that is in
//! its bytes.

use crate::options::{CompileOptions, Cpu, Exports, RawPointers, ThreadLocals};
use larder_format::cpu::CpuFeatures;
use larder_format::image::{ABI_VERSION, FORMAT_VERSION};
use larder_format::objects::OBJECTS_VERSION;
use larder_format::record::Record;
use larder_format::wire::{Region, UnitRequest};
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
    /// What this process has in its address space, as far as a module may speak of it.
    pub regions: &'a [Region],
    /// What of the module is wanted; `None` for all of it.
    pub unit: Option<&'a UnitRequest>,
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
        let CompileOptions {
            level: _,
            passes: _,
            cpu: _,
            exports,
            keep_source,
            lto,
            split: _,
            thread_locals: _,
            raw_pointers: _,
        } = code.options;
        let mut fields = Fields(blake3::Hasher::new_derive_key(IMAGE_CONTEXT));
        inputs.iter().for_each(|input| fields.add_input(input, &code));
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
    /// The key of the objects of one module, of which the program has had so many before.
    pub fn objects_key(&self, module: &ModuleId<'_>, repetition: u32) -> Key {
        let mut fields = Fields(blake3::Hasher::new_derive_key(OBJECTS_CONTEXT));
        fields.add_input(module, self);
        fields.add_code(self);
        fields.add(11, &OBJECTS_VERSION.to_le_bytes());
        fields.add(24, &repetition.to_le_bytes());
        Key(*fields.0.finalize().as_bytes())
    }
}

struct Fields(blake3::Hasher);

impl Fields {
    fn add_input(&mut self, input: &ModuleId<'_>, code: &CodeFields<'_>) {
        match input {
            ModuleId::Digest(digest) => {
                self.add(1, digest);
                if matches!(code.options.raw_pointers, RawPointers::Rescue | RawPointers::Strict) {
                    code.regions.iter().for_each(|region| self.add_region(region));
                }
            }
            ModuleId::Caller(name) => self.add(2, name),
        }
    }

    fn add_region(&mut self, region: &Region) {
        let Region { name, start, len } = region;
        self.add(17, &start.to_le_bytes());
        self.add(18, &len.to_le_bytes());
        if let Some(name) = name {
            self.add(19, name.as_bytes());
        }
    }

    fn add_unit(&mut self, unit: &UnitRequest) {
        let UnitRequest { names, present, loosened } = unit;
        self.add(20, b"");
        for (number, list) in [(21, names), (22, present), (23, loosened)] {
            list.iter().for_each(|name| self.add(number, name.as_bytes()));
        }
    }

    fn add_code(&mut self, code: &CodeFields<'_>) {
        // Regions stand beside the inputs.
        let CodeFields { options, host, triple, toolchain, regions: _, unit } = *code;
        // What an image offers and carries is the linker's affair: it does not reach a module's objects. Modules that are optimised as one
        // are one module.
        let CompileOptions {
            level,
            passes,
            cpu,
            exports: _,
            keep_source: _,
            lto: _,
            split,
            thread_locals,
            raw_pointers,
        } = options;
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
        self.add(16, raw_pointers.name().as_bytes());
        if let Some(unit) = unit {
            self.add_unit(unit);
        }
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
            with(|o| o.raw_pointers = RawPointers::Ignore),
            with(|o| o.raw_pointers = RawPointers::Rescue),
            with(|o| o.raw_pointers = RawPointers::Strict),
        ];
        let (host, other) = (set(&["sse2"]), set(&["sse2", "avx"]));
        let code = CodeFields {
            options: &base,
            host: &host,
            triple: "x86_64-pc-linux-gnu",
            toolchain: "LLVM 22.1.8",
            regions: &[],
            unit: None,
        };
        let (one, two) = (ModuleId::Digest([1; 32]), ModuleId::Digest([2; 32]));
        let of = |inputs: &[ModuleId<'_>]| KeyFields { inputs, code }.key();
        let unit = |names: &[&str], present: &[&str], loosened: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            UnitRequest { names: list(names), present: list(present), loosened: list(loosened) }
        };
        let units = [unit(&[], &[], &[]), unit(&["f"], &[], &[]), unit(&["f"], &["f"], &[]), unit(&["f"], &[], &["f"])];
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
            CodeFields { unit: Some(&units[0]), ..code },
            CodeFields { unit: Some(&units[1]), ..code },
            CodeFields { unit: Some(&units[2]), ..code },
            CodeFields { unit: Some(&units[3]), ..code },
        ];
        keys.extend(codes.iter().map(|&code| KeyFields { inputs: &[one], code }.key()));
        keys.extend(codes.iter().map(|code| code.objects_key(&one, 0)));
        keys.extend([(&one, 0), (&one, 1), (&two, 0)].map(|(module, number)| code.objects_key(module, number)));
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
        let code = |options| CodeFields { options, host: &host, triple: "t", toolchain: "l", regions: &[], unit: None };
        let key = |options| KeyFields { inputs: &[ModuleId::Caller(b"m")], code: code(options) }.key();
        assert_eq!(key(&native), key(&named));
        let objects_key = |options| code(options).objects_key(&ModuleId::Caller(b"m"), 0);
        assert_eq!(objects_key(&native), objects_key(&named));
    }

    #[test]
    fn regions_are_in_the_keys_of_bytes_that_may_speak_of_them() {
        let host = set(&[]);
        let rescuing = CompileOptions { raw_pointers: RawPointers::Rescue, ..CompileOptions::default() };
        let region = |name: Option<&str>, start, len| [Region { name: name.map(str::to_owned), start, len }];
        let key = |options, input, regions: &[Region]| {
            let code = CodeFields { options, host: &host, triple: "t", toolchain: "l", regions, unit: None };
            (code.objects_key(&input, 0).to_string(), KeyFields { inputs: &[input], code }.key().to_string())
        };
        let heaps = [
            region(Some("heap"), 1 << 40, 4096),
            region(Some("heap"), 1 << 41, 4096),
            region(Some("heap"), 1 << 40, 8192),
            region(Some("other"), 1 << 40, 4096),
            region(None, 1 << 40, 4096),
        ];
        let of = |options, input| heaps.iter().map(|heap| key(options, input, heap)).collect::<HashSet<_>>().len();
        assert_eq!(of(&rescuing, ModuleId::Digest([1; 32])), heaps.len());
        assert_eq!(of(&rescuing, ModuleId::Caller(b"m")), 1);
        assert_eq!(of(&CompileOptions::default(), ModuleId::Digest([1; 32])), 1);
    }

    #[test]
    fn objects_have_another_key_if_their_code_is_another() {
        let host = set(&["sse2", "avx"]);
        let base = CompileOptions::default();
        let key = |options: &CompileOptions| {
            CodeFields { options, host: &host, triple: "t", toolchain: "l", regions: &[], unit: None }
                .objects_key(&ModuleId::Digest([1; 32]), 0)
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
