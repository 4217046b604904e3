//! What `__cpu_model` and `__cpu_features2` hold: `__builtin_cpu_is`, `__builtin_cpu_supports` and resolvers of `target_clones` read them.
//!
//! The numbers are an ABI that libgcc (`gcc/common/config/i386/i386-cpuinfo.h`), compiler-rt (`lib/builtins/cpu_model/x86.c`) and the
//! compilers share (LLVM: `X86TargetParser.def`). A processor or feature without a row is one that code does not know of, which is
//! what an older libgcc answers too.
//!
//! To add one: a row in [`INTEL`], [`amd`] or [`NUMBERS`], with the number that the compilers use.

use super::{Answer, has};
use larder_format::cpu::CpuFeatures;
use larder_format::cpu::x86_64::{Feature, Register, level, number};
use larder_format::image::CpuModel;

/// Vendors.
const INTEL_VENDOR: u32 = 1;
const AMD_VENDOR: u32 = 2;
const OTHER_VENDOR: u32 = 3;

/// Processors.
const BONNELL: u32 = 1;
const CORE2: u32 = 2;
const COREI7: u32 = 3;
const SILVERMONT: u32 = 6;
const GOLDMONT: u32 = 12;
const GOLDMONT_PLUS: u32 = 13;
const TREMONT: u32 = 14;

/// Processors of Intel's family 6: models, processor, subprocessor.
const INTEL: [(&[u32], u32, u32); 31] = [
    (&[0x0f, 0x16, 0x17, 0x1d], CORE2, 0),
    (&[0x1a, 0x1e, 0x1f, 0x2e], COREI7, 1),
    (&[0x25, 0x2c, 0x2f], COREI7, 2),
    (&[0x2a, 0x2d], COREI7, 3),
    (&[0x3a, 0x3e], COREI7, 12),
    (&[0x3c, 0x3f, 0x45, 0x46], COREI7, 13),
    (&[0x3d, 0x47, 0x4f, 0x56], COREI7, 14),
    (&[0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6], COREI7, 15),
    (&[0x66], COREI7, 17),
    (&[0x7d, 0x7e], COREI7, 18),
    (&[0x6a, 0x6c], COREI7, 19),
    (&[0x8c, 0x8d], COREI7, 22),
    (&[0x8f, 0xcf], COREI7, 24),
    (&[0x97, 0x9a, 0xaa, 0xac, 0xb7, 0xba, 0xbe, 0xbf], COREI7, 25),
    (&[0xa7], COREI7, 27),
    (&[0xad], COREI7, 30),
    (&[0xae], COREI7, 31),
    (&[0xc5], COREI7, 32),
    (&[0xbd, 0xc6], COREI7, 33),
    (&[0xcc], COREI7, 34),
    (&[0x1c, 0x26, 0x27, 0x35, 0x36], BONNELL, 0),
    (&[0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5d], SILVERMONT, 0),
    (&[0x57], 7, 0),
    (&[0x85], 11, 0),
    (&[0x5c, 0x5f], GOLDMONT, 0),
    (&[0x7a], GOLDMONT_PLUS, 0),
    (&[0x86, 0x8a, 0x96, 0x9c], TREMONT, 0),
    (&[0xaf], 17, 0),
    (&[0xb6], 18, 0),
    (&[0xdd], 19, 0),
    (&[0x55], COREI7, 16),
];

/// Model 0x55 is three processors, which features tell apart.
const SKYLAKE_AVX512: u32 = 16;
const CASCADELAKE: u32 = 21;
const COOPERLAKE: u32 = 23;

fn intel(family: u32, model: u32, features: &CpuFeatures) -> (u32, u32) {
    let row = INTEL.iter().find(|(models, ..)| family == 6 && models.contains(&model));
    let (processor, subprocessor) = row.map_or((0, 0), |&(_, processor, subprocessor)| (processor, subprocessor));
    let has = |name| number(name).is_some_and(|number| features.contains(number));
    match subprocessor {
        SKYLAKE_AVX512 if has("avx512bf16") => (processor, COOPERLAKE),
        SKYLAKE_AVX512 if has("avx512vnni") => (processor, CASCADELAKE),
        _ => (processor, subprocessor),
    }
}

fn amd(family: u32, model: u32) -> (u32, u32) {
    match (family, model) {
        (0x10, 2) => (4, 4),
        (0x10, 4) => (4, 5),
        (0x10, 8) => (4, 6),
        (0x10, _) => (4, 0),
        (0x14, _) => (8, 0),
        (0x15, 0x60..=0x7f) => (5, 10),
        (0x15, 0x30..=0x3f) => (5, 9),
        (0x15, 0x02 | 0x10..=0x1f) => (5, 8),
        (0x15, 0x00..=0x0f) => (5, 7),
        (0x15, _) => (5, 0),
        (0x16, _) => (9, 0),
        (0x17, 0x30..=0x3f | 0x47 | 0x60..=0x7f | 0x84..=0x87 | 0x90..=0xaf) => (10, 20),
        (0x17, 0x00..=0x2f | 0x50..=0x5f) => (10, 11),
        (0x17, _) => (10, 0),
        (0x19, 0x00..=0x0f | 0x20..=0x5f) => (15, 26),
        (0x19, 0x10..=0x1f | 0x60..=0x7f | 0xa0..=0xaf) => (15, 29),
        (0x19, _) => (15, 0),
        (0x1a, 0x00..=0x77) => (20, 35),
        (0x1a, _) => (20, 0),
        _ => (0, 0),
    }
}

/// Features that images know by name, with their numbers.
#[rustfmt::skip]
const NUMBERS: [(&str, u32); 86] = [
    ("cmov", 0), ("mmx", 1), ("popcnt", 2), ("sse", 3), ("sse2", 4), ("sse3", 5), ("ssse3", 6), ("sse4.1", 7),
    ("sse4.2", 8), ("avx", 9), ("avx2", 10), ("sse4a", 11), ("fma4", 12), ("xop", 13), ("fma", 14), ("avx512f", 15),
    ("bmi", 16), ("bmi2", 17), ("aes", 18), ("pclmul", 19), ("avx512vl", 20), ("avx512bw", 21), ("avx512dq", 22),
    ("avx512cd", 23), ("avx512vbmi", 26), ("avx512ifma", 27), ("avx512vpopcntdq", 30), ("avx512vbmi2", 31),
    ("gfni", 32), ("vpclmulqdq", 33), ("avx512vnni", 34), ("avx512bitalg", 35), ("avx512bf16", 36),
    ("avx512vp2intersect", 37), ("adx", 40), ("lzcnt", 41), ("cldemote", 42), ("clflushopt", 43), ("clwb", 44),
    ("clzero", 45), ("cx16", 46), ("cx8", 47), ("enqcmd", 48), ("f16c", 49), ("fsgsbase", 50), ("fxsr", 51),
    ("sahf", 54), ("64bit", 55), ("lwp", 56), ("lzcnt", 57), ("movbe", 58), ("movdir64b", 59), ("movdiri", 60),
    ("mwaitx", 61), ("pconfig", 63), ("prfchw", 66), ("ptwrite", 67), ("rdpid", 68), ("rdrnd", 69), ("rdseed", 70),
    ("rtm", 71), ("serialize", 72), ("sha", 74), ("tbm", 76), ("tsxldtrk", 77), ("vaes", 78), ("waitpkg", 79),
    ("wbnoinvd", 80), ("xsave", 81), ("xsavec", 82), ("xsaveopt", 83), ("xsaves", 84), ("amx-tile", 85),
    ("amx-int8", 86), ("amx-bf16", 87), ("uintr", 88), ("hreset", 89), ("avxvnni", 93), ("avx512fp16", 94),
    ("avxifma", 99), ("avxvnniint8", 100), ("avxneconvert", 101), ("cmpccxadd", 102), ("amx-fp16", 103),
    ("prefetchi", 104), ("raoint", 105),
];

/// The same, of those that came later.
const LATER_NUMBERS: [(&str, u32); 6] =
    [("amx-complex", 106), ("avxvnniint16", 107), ("sm3", 108), ("sha512", 109), ("sm4", 110), ("usermsr", 112)];

/// Micro-architecture levels, with their numbers.
const LEVELS: [(&str, u32); 4] = [("x86-64", 95), ("x86-64-v2", 96), ("x86-64-v3", 97), ("x86-64-v4", 98)];

const fn row(leaf: u32, register: Register, bit: u32, xcr0: u64) -> Feature {
    Feature { name: "", leaf, subleaf: 0, register, bit, xcr0 }
}

const AVX512: u64 = 0b1110_0110;

/// Features that no code generator asks for, with their numbers.
const OTHERS: [(Feature, u32); 13] = [
    (row(7, Register::Ebx, 27, AVX512), 24),
    (row(7, Register::Ebx, 26, AVX512), 25),
    (row(7, Register::Edx, 2, AVX512), 28),
    (row(7, Register::Edx, 3, AVX512), 29),
    (row(0x8000_0001, Register::Edx, 31, 0), 38),
    (row(0x8000_0001, Register::Edx, 30, 0), 39),
    (row(7, Register::Ebx, 4, 0), 52),
    (row(7, Register::Edx, 20, 0), 53),
    (row(1, Register::Ecx, 27, 0), 62),
    (row(7, Register::Ecx, 3, 0), 64),
    (row(7, Register::Ecx, 0, 0), 65),
    (row(7, Register::Ebx, 2, 0), 73),
    (row(7, Register::Ecx, 7, 0), 75),
];

pub(super) fn cpu_model(features: &CpuFeatures, xcr0: u64, ask: impl Fn(u32, u32) -> Answer) -> CpuModel {
    let [_, b, c, d] = ask(0, 0);
    let (family, model) = family_and_model(ask(1, 0)[0]);
    let vendor = [b, d, c].map(u32::to_le_bytes).concat();
    let (vendor, (processor, subprocessor)) = match vendor.as_slice() {
        b"GenuineIntel" => (INTEL_VENDOR, intel(family, model, features)),
        b"AuthenticAMD" => (AMD_VENDOR, amd(family, model)),
        _ => (OTHER_VENDOR, (0, 0)),
    };
    let bits = feature_bits(features, |feature| has(feature, ask(feature.leaf, feature.subleaf), xcr0));
    let features2 = <[u8; 16]>::try_from(&bits[4..]).unwrap_or_default();
    let features = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
    CpuModel { vendor, processor, subprocessor, features, features2 }
}

/// SDM volume 2A, "CPUID", leaf 1, EAX.
fn family_and_model(signature: u32) -> (u32, u32) {
    let (family, model) = (signature >> 8 & 0xf, signature >> 4 & 0xf);
    let high_model = (signature >> 16 & 0xf) << 4;
    match family {
        6 => (family, model + high_model),
        0xf => (family + (signature >> 20 & 0xff), model + high_model),
        _ => (family, model),
    }
}

fn feature_bits(features: &CpuFeatures, has: impl Fn(&Feature) -> bool) -> [u8; 20] {
    let mut bits = [0; 20];
    let mut set = |number: u32| bits[number as usize / 8] |= 1 << (number % 8);
    let known = NUMBERS.iter().chain(&LATER_NUMBERS);
    known.filter(|(name, _)| number(name).is_some_and(|number| features.contains(number))).for_each(|row| set(row.1));
    OTHERS.iter().filter(|(feature, _)| has(feature)).for_each(|row| set(row.1));
    let reached = |name| level(name).is_some_and(|needed| needed.without(features).is_empty());
    LEVELS.iter().filter(|(name, _)| reached(name)).for_each(|row| set(row.1));
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_that_images_know() {
        for (name, _) in NUMBERS.iter().chain(&LATER_NUMBERS) {
            assert!(number(name).is_some(), "{name}");
        }
    }

    #[test]
    fn signatures_are_families_and_models() {
        for (signature, expected) in [(0x000c_06f2, (6, 0xcf)), (0x00a2_0f12, (0x19, 0x21)), (0x0000_0543, (5, 4))] {
            assert_eq!(family_and_model(signature), expected, "{signature:#x}");
        }
    }

    #[test]
    fn models_that_are_several_processors_are_told_apart_by_features() {
        for (names, expected) in [(&[][..], 16), (&["avx512vnni"], 21), (&["avx512vnni", "avx512bf16"], 23)] {
            let features = CpuFeatures::from_names(names.iter().copied()).expect("they exist");
            assert_eq!(intel(6, 0x55, &features), (COREI7, expected), "{names:?}");
        }
    }
}
