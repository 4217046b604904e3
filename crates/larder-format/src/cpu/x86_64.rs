//! The features of x86-64, by LLVM's names.
//!
//! Places are those of Intel's SDM volume 2A ("CPUID") and AMD's APM volume 3, appendix E. A feature with vector or tile state also
//! needs the operating system's consent, read from XCR0 (SDM volume 1, section 13.3).
//!
//! To add a feature: append a row. If its leaf is new, teach `larder-runtime`'s `cpu` module to read it.

/// Which register of a CPUID leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// EAX.
    Eax,
    /// EBX.
    Ebx,
    /// ECX.
    Ecx,
    /// EDX.
    Edx,
}

/// One feature, and the bit that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// LLVM's name.
    pub name: &'static str,
    /// CPUID leaf (EAX).
    pub leaf: u32,
    /// CPUID subleaf (ECX).
    pub subleaf: u32,
    /// Register of the answer.
    pub register: Register,
    /// Bit in it.
    pub bit: u32,
    /// Bits that XCR0 must have.
    pub xcr0: u64,
}

const NONE: u64 = 0;
const AVX: u64 = 0b110;
const AVX512: u64 = 0b1110_0110;
const AMX: u64 = 0b11 << 17;

const fn row(name: &'static str, leaf: u32, subleaf: u32, register: Register, bit: u32, xcr0: u64) -> Feature {
    Feature { name, leaf, subleaf, register, bit, xcr0 }
}

/// Number of a feature, by LLVM's name.
pub fn number(name: &str) -> Option<usize> {
    FEATURES.iter().position(|feature| feature.name == name)
}

/// What every x86-64 processor has (psABI x86-64, "micro-architecture levels", baseline).
pub const BASELINE: &[&str] = &["64bit", "cmov", "cx8", "fxsr", "mmx", "sse", "sse2", "x87"];
/// x86-64-v2, without the baseline.
pub const V2: &[&str] = &["cx16", "crc32", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"];
/// x86-64-v3, without v2.
pub const V3: &[&str] = &["avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"];
/// x86-64-v4, without v3.
pub const V4: &[&str] = &["avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"];

/// Every feature; the row's index is the feature's number in an image.
#[rustfmt::skip]
pub const FEATURES: &[Feature] = &[
    row("x87", 1, 0, Register::Edx, 0, NONE),
    row("cx8", 1, 0, Register::Edx, 8, NONE),
    row("cmov", 1, 0, Register::Edx, 15, NONE),
    row("mmx", 1, 0, Register::Edx, 23, NONE),
    row("fxsr", 1, 0, Register::Edx, 24, NONE),
    row("sse", 1, 0, Register::Edx, 25, NONE),
    row("sse2", 1, 0, Register::Edx, 26, NONE),
    row("64bit", 0x8000_0001, 0, Register::Edx, 29, NONE),
    row("sse3", 1, 0, Register::Ecx, 0, NONE),
    row("pclmul", 1, 0, Register::Ecx, 1, NONE),
    row("ssse3", 1, 0, Register::Ecx, 9, NONE),
    row("cx16", 1, 0, Register::Ecx, 13, NONE),
    row("sse4.1", 1, 0, Register::Ecx, 19, NONE),
    row("sse4.2", 1, 0, Register::Ecx, 20, NONE),
    row("crc32", 1, 0, Register::Ecx, 20, NONE),
    row("movbe", 1, 0, Register::Ecx, 22, NONE),
    row("popcnt", 1, 0, Register::Ecx, 23, NONE),
    row("aes", 1, 0, Register::Ecx, 25, NONE),
    row("xsave", 1, 0, Register::Ecx, 26, NONE),
    row("rdrnd", 1, 0, Register::Ecx, 30, NONE),
    row("fma", 1, 0, Register::Ecx, 12, AVX),
    row("avx", 1, 0, Register::Ecx, 28, AVX),
    row("f16c", 1, 0, Register::Ecx, 29, AVX),
    row("fsgsbase", 7, 0, Register::Ebx, 0, NONE),
    row("bmi", 7, 0, Register::Ebx, 3, NONE),
    row("bmi2", 7, 0, Register::Ebx, 8, NONE),
    row("invpcid", 7, 0, Register::Ebx, 10, NONE),
    row("rtm", 7, 0, Register::Ebx, 11, NONE),
    row("rdseed", 7, 0, Register::Ebx, 18, NONE),
    row("adx", 7, 0, Register::Ebx, 19, NONE),
    row("clflushopt", 7, 0, Register::Ebx, 23, NONE),
    row("clwb", 7, 0, Register::Ebx, 24, NONE),
    row("sha", 7, 0, Register::Ebx, 29, NONE),
    row("avx2", 7, 0, Register::Ebx, 5, AVX),
    row("avx512f", 7, 0, Register::Ebx, 16, AVX512),
    row("avx512dq", 7, 0, Register::Ebx, 17, AVX512),
    row("avx512ifma", 7, 0, Register::Ebx, 21, AVX512),
    row("avx512cd", 7, 0, Register::Ebx, 28, AVX512),
    row("avx512bw", 7, 0, Register::Ebx, 30, AVX512),
    row("avx512vl", 7, 0, Register::Ebx, 31, AVX512),
    row("waitpkg", 7, 0, Register::Ecx, 5, NONE),
    row("gfni", 7, 0, Register::Ecx, 8, NONE),
    row("rdpid", 7, 0, Register::Ecx, 22, NONE),
    row("cldemote", 7, 0, Register::Ecx, 25, NONE),
    row("movdiri", 7, 0, Register::Ecx, 27, NONE),
    row("movdir64b", 7, 0, Register::Ecx, 28, NONE),
    row("enqcmd", 7, 0, Register::Ecx, 29, NONE),
    row("vaes", 7, 0, Register::Ecx, 9, AVX),
    row("vpclmulqdq", 7, 0, Register::Ecx, 10, AVX),
    row("avx512vbmi", 7, 0, Register::Ecx, 1, AVX512),
    row("avx512vbmi2", 7, 0, Register::Ecx, 6, AVX512),
    row("avx512vnni", 7, 0, Register::Ecx, 11, AVX512),
    row("avx512bitalg", 7, 0, Register::Ecx, 12, AVX512),
    row("avx512vpopcntdq", 7, 0, Register::Ecx, 14, AVX512),
    row("uintr", 7, 0, Register::Edx, 5, NONE),
    row("serialize", 7, 0, Register::Edx, 14, NONE),
    row("tsxldtrk", 7, 0, Register::Edx, 16, NONE),
    row("pconfig", 7, 0, Register::Edx, 18, NONE),
    row("avx512vp2intersect", 7, 0, Register::Edx, 8, AVX512),
    row("avx512fp16", 7, 0, Register::Edx, 23, AVX512),
    row("amx-bf16", 7, 0, Register::Edx, 22, AMX),
    row("amx-tile", 7, 0, Register::Edx, 24, AMX),
    row("amx-int8", 7, 0, Register::Edx, 25, AMX),
    row("sha512", 7, 1, Register::Eax, 0, AVX),
    row("sm3", 7, 1, Register::Eax, 1, AVX),
    row("sm4", 7, 1, Register::Eax, 2, AVX),
    row("avxvnni", 7, 1, Register::Eax, 4, AVX),
    row("avxifma", 7, 1, Register::Eax, 23, AVX),
    row("raoint", 7, 1, Register::Eax, 3, NONE),
    row("cmpccxadd", 7, 1, Register::Eax, 7, NONE),
    row("hreset", 7, 1, Register::Eax, 22, NONE),
    row("avx512bf16", 7, 1, Register::Eax, 5, AVX512),
    row("amx-fp16", 7, 1, Register::Eax, 21, AMX),
    row("avxvnniint8", 7, 1, Register::Edx, 4, AVX),
    row("avxneconvert", 7, 1, Register::Edx, 5, AVX),
    row("avxvnniint16", 7, 1, Register::Edx, 10, AVX),
    row("amx-complex", 7, 1, Register::Edx, 8, AMX),
    row("prefetchi", 7, 1, Register::Edx, 14, NONE),
    row("usermsr", 7, 1, Register::Edx, 15, NONE),
    row("sahf", 0x8000_0001, 0, Register::Ecx, 0, NONE),
    row("lzcnt", 0x8000_0001, 0, Register::Ecx, 5, NONE),
    row("sse4a", 0x8000_0001, 0, Register::Ecx, 6, NONE),
    row("prfchw", 0x8000_0001, 0, Register::Ecx, 8, NONE),
    row("lwp", 0x8000_0001, 0, Register::Ecx, 15, NONE),
    row("tbm", 0x8000_0001, 0, Register::Ecx, 21, NONE),
    row("mwaitx", 0x8000_0001, 0, Register::Ecx, 29, NONE),
    row("xop", 0x8000_0001, 0, Register::Ecx, 11, AVX),
    row("fma4", 0x8000_0001, 0, Register::Ecx, 16, AVX),
    row("xsaveopt", 0xd, 1, Register::Eax, 0, NONE),
    row("xsavec", 0xd, 1, Register::Eax, 1, NONE),
    row("xsaves", 0xd, 1, Register::Eax, 3, NONE),
    row("clzero", 0x8000_0008, 0, Register::Ebx, 0, NONE),
    row("rdpru", 0x8000_0008, 0, Register::Ebx, 4, NONE),
    row("wbnoinvd", 0x8000_0008, 0, Register::Ebx, 9, NONE),
    row("ptwrite", 0x14, 0, Register::Ebx, 4, NONE),
];

/// The features of a micro-architecture level: `x86-64`, `x86-64-v2`, `-v3` or `-v4`.
pub fn level(name: &str) -> Option<super::CpuFeatures> {
    let groups: &[&[&str]] = match name {
        "x86-64" => &[BASELINE],
        "x86-64-v2" => &[BASELINE, V2],
        "x86-64-v3" => &[BASELINE, V2, V3],
        "x86-64-v4" => &[BASELINE, V2, V3, V4],
        _ => return None,
    };
    super::CpuFeatures::from_names(groups.concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_and_fit_the_set() {
        let mut names: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FEATURES.len());
        assert!(FEATURES.len() <= 256);
    }

    #[test]
    fn levels_grow() {
        let levels = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"].map(|name| level(name).expect("a level"));
        for pair in levels.windows(2) {
            assert!(pair[0].without(&pair[1]).is_empty());
            assert!(!pair[1].without(&pair[0]).is_empty());
        }
        assert_eq!(level("x86-64-v9"), None);
    }
}
