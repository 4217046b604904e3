//! x86-64: the answers of CPUID, and of XCR0 for what needs the operating system's consent.
//!
//! CPUID traps to the hypervisor in virtual machines (8.6 µs each where this was measured, for seven leaves), and glibc has asked already:
//! since 2.33, `__x86_get_cpuid_feature_leaf` hands out its copy. The instruction is what remains without it.

use crate::os;
use larder_format::cpu::CpuFeatures;
use larder_format::cpu::x86_64::{FEATURES, Feature, Register};
use larder_format::image::CpuModel;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::ffi::c_uint;

/// EAX, EBX, ECX, EDX.
type Answer = [u32; 4];

/// Leaves and subleaves in the order of glibc's `<sys/platform/x86.h>` (`CPUID_INDEX_1` and following).
const GLIBC_LEAVES: [(u32, u32); 9] =
    [(1, 0), (7, 0), (0x8000_0001, 0), (0xd, 1), (0x8000_0007, 0), (0x8000_0008, 0), (7, 1), (0x19, 0), (0x14, 0)];

/// `struct cpuid_feature` of the same header.
#[repr(C)]
struct GlibcFeature {
    cpuid: Answer,
    active: Answer,
}

mod model;
pub(crate) mod state;

type GetLeaf = unsafe extern "C" fn(c_uint) -> *const GlibcFeature;

pub(super) fn host_features() -> CpuFeatures {
    features(asker())
}

pub(super) fn cpu_model(features: &CpuFeatures) -> CpuModel {
    let ask = asker();
    model::cpu_model(features, xcr0(ask(1, 0)), ask)
}

/// Answers as glibc has them, or the processor's own.
fn asker() -> impl Fn(u32, u32) -> Answer {
    let get_leaf = glibc_leaf_function();
    move |leaf, subleaf| {
        let known = get_leaf.and_then(|get_leaf| ask_glibc(get_leaf, leaf, subleaf));
        known.unwrap_or_else(|| ask_cpu(leaf, subleaf))
    }
}

fn features(ask: impl Fn(u32, u32) -> Answer) -> CpuFeatures {
    let mut answers: Vec<((u32, u32), Answer)> = Vec::with_capacity(GLIBC_LEAVES.len());
    let mut set = CpuFeatures::NONE;
    let xcr0 = xcr0(ask(1, 0));
    for (number, feature) in FEATURES.iter().enumerate() {
        let place = (feature.leaf, feature.subleaf);
        let known = answers.iter().find(|(known, _)| *known == place).map(|(_, answer)| *answer);
        let answer = known.unwrap_or_else(|| {
            let answer = ask(place.0, place.1);
            answers.push((place, answer));
            answer
        });
        if has(feature, answer, xcr0) {
            set.insert(number);
        }
    }
    set
}

fn has(feature: &Feature, answer: Answer, xcr0: u64) -> bool {
    let register = match feature.register {
        Register::Eax => 0,
        Register::Ebx => 1,
        Register::Ecx => 2,
        Register::Edx => 3,
    };
    answer[register] >> feature.bit & 1 == 1 && xcr0 & feature.xcr0 == feature.xcr0
}

/// The states that the operating system saves; 0 if it saves none by XSAVE (bit OSXSAVE of leaf 1).
fn xcr0(leaf_1: Answer) -> u64 {
    const OSXSAVE: u32 = 1 << 27;
    // SAFETY: OSXSAVE says that the instruction exists and that register 0 may be read.
    if leaf_1[2] & OSXSAVE != 0 { unsafe { read_xcr0() } } else { 0 }
}

#[target_feature(enable = "xsave")]
unsafe fn read_xcr0() -> u64 {
    // SAFETY: the caller has checked OSXSAVE.
    unsafe { _xgetbv(0) }
}

fn glibc_leaf_function() -> Option<GetLeaf> {
    let address = os::process_symbol(c"__x86_get_cpuid_feature_leaf")?;
    // SAFETY: the type is that of glibc's header.
    Some(unsafe { std::mem::transmute::<*mut std::ffi::c_void, GetLeaf>(address.as_ptr()) })
}

fn ask_glibc(get_leaf: GetLeaf, leaf: u32, subleaf: u32) -> Option<Answer> {
    let index = GLIBC_LEAVES.iter().position(|&known| known == (leaf, subleaf))?;
    // SAFETY: any number may be asked for; what glibc does not know is zeros.
    let answer = unsafe { get_leaf(index as c_uint) };
    // SAFETY: null, or a pointer to glibc's own table.
    unsafe { answer.as_ref() }.map(|feature| feature.cpuid)
}

/// Zeros for a leaf that the processor does not have.
fn ask_cpu(leaf: u32, subleaf: u32) -> Answer {
    let highest = __cpuid(leaf & 0x8000_0000).eax;
    let highest_subleaf = if leaf == 7 { __cpuid_count(7, 0).eax } else { u32::MAX };
    if leaf > highest || subleaf > highest_subleaf {
        return [0; 4];
    }
    let answer = __cpuid_count(leaf, subleaf);
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_and_the_cpu_give_the_same_features() {
        assert!(glibc_leaf_function().is_some());
        assert_eq!(host_features(), features(ask_cpu));
    }

    #[test]
    fn vectors_need_the_operating_systems_consent() {
        let all = [u32::MAX; 4];
        let avx = FEATURES.iter().find(|feature| feature.name == "avx").expect("it exists");
        let sse = FEATURES.iter().find(|feature| feature.name == "sse").expect("it exists");
        for (xcr0, has_avx) in [(0, false), (0b010, false), (0b110, true), (0b111, true)] {
            assert_eq!(has(avx, all, xcr0), has_avx, "{xcr0:b}");
            assert!(has(sse, all, xcr0));
        }
        assert!(!has(sse, [0; 4], u64::MAX));
    }

    /// The kernel's names of features, where they differ from LLVM's.
    fn kernel_name(name: &str) -> Option<&str> {
        Some(match name {
            "x87" => "fpu",
            "cx8" | "cmov" | "mmx" | "fxsr" | "sse" | "sse2" | "ssse3" | "cx16" | "movbe" | "popcnt" | "aes"
            | "xsave" | "fma" | "avx" | "f16c" | "fsgsbase" | "bmi2" | "invpcid" | "adx" | "avx2" | "avx512f"
            | "avx512vl" | "gfni" | "vaes" | "rdpid" | "xsaveopt" | "xsavec" | "xsaves" | "clflushopt" | "clwb" => name,
            "64bit" => "lm",
            "sse3" => "pni",
            "pclmul" => "pclmulqdq",
            "sse4.1" => "sse4_1",
            "sse4.2" | "crc32" => "sse4_2",
            "rdrnd" => "rdrand",
            "bmi" => "bmi1",
            "lzcnt" => "abm",
            "sahf" => "lahf_lm",
            "sha" => "sha_ni",
            "avx512bf16" => "avx512_bf16",
            "avxvnni" => "avx_vnni",
            _ => return None,
        })
    }

    #[test]
    fn the_kernel_agrees() {
        let text = std::fs::read_to_string("/proc/cpuinfo").expect("Linux has it");
        let flags = text.lines().find_map(|line| line.strip_prefix("flags")).expect("there is a CPU");
        let flags: Vec<_> = flags.split_whitespace().collect();
        let host = host_features();
        for (number, feature) in FEATURES.iter().enumerate() {
            if let Some(name) = kernel_name(feature.name) {
                assert_eq!(host.contains(number), flags.contains(&name), "{}", feature.name);
            }
        }
    }
}
