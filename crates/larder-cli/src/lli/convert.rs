//! Values that are said differently here.
//!
//! Larder makes code for sets of instructions, never for models of processors: the name of a model becomes the level of the x86-64 psABI that
//! the model has. That is less than the model can do in places, and never more.

use std::fmt::Write;

/// What larder generates code for, as a triple's parts: architectures, systems and environments.
const ARCHITECTURES: [&str; 3] = ["x86_64", "amd64", "x86-64"];
const ENVIRONMENTS: [&str; 4] = ["", "gnu", "elf", "gnu-elf"];

/// Words of `larder run`, or why there are none.
pub(super) type Converted = Result<Vec<String>, String>;

/// `-compile-threads`: 0 means none beside the first.
pub(super) fn compile_threads(value: &str) -> Converted {
    match value.parse::<u32>() {
        Ok(0) => Ok(Vec::new()),
        Ok(count) => Ok(vec!["--threads".to_owned(), count.to_string()]),
        Err(_) => Err(format!("\"{value}\" is no number of threads")),
    }
}

/// `-mattr`: a feature without a sign is added.
pub(super) fn attributes(value: &str) -> Converted {
    let signed = value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| if item.starts_with(['+', '-']) { item.to_owned() } else { format!("+{item}") });
    let list = signed.collect::<Vec<_>>().join(",");
    Ok(if list.is_empty() { Vec::new() } else { vec!["--features".to_owned(), list] })
}

/// `-march`: this architecture or none.
pub(super) fn architecture(value: &str) -> Converted {
    if value.is_empty() || ARCHITECTURES.contains(&value) {
        return Ok(Vec::new());
    }
    Err(format!("larder generates code for x86-64 only, not for {value}"))
}

/// `-mtriple`: this platform, however it is spelt.
pub(super) fn triple(value: &str) -> Converted {
    let mut parts = value.split('-');
    let architecture = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let system = rest.iter().position(|part| part.starts_with("linux"));
    let environment = system.map(|at| rest[at + 1..].join("-"));
    let is_host = ARCHITECTURES.contains(&architecture)
        && system.is_some_and(|at| at <= 1)
        && environment.is_some_and(|environment| ENVIRONMENTS.contains(&environment.as_str()));
    if value.is_empty() || is_host {
        return Ok(Vec::new());
    }
    Err(format!("larder generates code for {} only, not for {value}", larder::TRIPLE))
}

/// `-mcpu`.
pub(super) fn processor(value: &str) -> Converted {
    let level = if value == "native" { Some("native") } else { level(value) };
    match level {
        _ if value.is_empty() => Ok(Vec::new()),
        Some(level) => Ok(vec!["--cpu".to_owned(), level.to_owned()]),
        None => Err(unknown_processor(value)),
    }
}

fn unknown_processor(value: &str) -> String {
    let mut text = format!("unknown CPU \"{value}\"; there are native, generic");
    for name in LEVELS.iter().flat_map(|(level, names)| std::iter::once(level).chain(*names)) {
        // Writing to a string can't fail.
        let _ = write!(text, ", {name}");
    }
    text
}

fn level(value: &str) -> Option<&'static str> {
    let row = LEVELS.iter().find(|(level, names)| *level == value || names.contains(&value));
    row.map(|(level, _)| *level)
}

/// LLVM 22's names of 64-bit processors, by the highest level that each has. A test compares them with clang's own list.
const LEVELS: [(&str, &[&str]); 4] = [
    (
        "x86-64",
        &[
            "generic",
            "amdfam10",
            "athlon-fx",
            "athlon64",
            "athlon64-sse3",
            "atom",
            "barcelona",
            "bonnell",
            "btver1",
            "core2",
            "k8",
            "k8-sse3",
            "nocona",
            "opteron",
            "opteron-sse3",
            "penryn",
        ],
    ),
    (
        "x86-64-v2",
        &[
            "bdver1",
            "bdver2",
            "bdver3",
            "btver2",
            "core-avx-i",
            "corei7",
            "corei7-avx",
            "goldmont",
            "goldmont-plus",
            "ivybridge",
            "nehalem",
            "sandybridge",
            "silvermont",
            "slm",
            "tremont",
            "westmere",
        ],
    ),
    (
        "x86-64-v3",
        &[
            "alderlake",
            "arrowlake",
            "arrowlake-s",
            "bdver4",
            "broadwell",
            "clearwaterforest",
            "core-avx2",
            "gracemont",
            "grandridge",
            "haswell",
            "knl",
            "knm",
            "lunarlake",
            "meteorlake",
            "pantherlake",
            "raptorlake",
            "sierraforest",
            "skylake",
            "wildcatlake",
            "znver1",
            "znver2",
            "znver3",
        ],
    ),
    (
        "x86-64-v4",
        &[
            "cannonlake",
            "cascadelake",
            "cooperlake",
            "diamondrapids",
            "emeraldrapids",
            "graniterapids",
            "graniterapids-d",
            "icelake-client",
            "icelake-server",
            "novalake",
            "rocketlake",
            "sapphirerapids",
            "skx",
            "skylake-avx512",
            "tigerlake",
            "znver4",
            "znver5",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_platform_has_many_names() {
        for name in [
            "",
            "x86_64-pc-linux-gnu",
            "x86_64-unknown-linux-gnu",
            "x86_64-linux-gnu",
            "x86_64-linux",
            "x86_64--linux-gnu-elf",
            "amd64-unknown-linux",
        ] {
            assert_eq!(triple(name), Ok(Vec::new()), "{name}");
        }
        for name in [
            "aarch64-linux-gnu",
            "x86_64-pc-windows-msvc",
            "x86_64-apple-darwin",
            "x86_64-linux-gnux32",
            "x86_64",
            "i686-linux-gnu",
        ] {
            assert!(triple(name).is_err(), "{name}");
        }
    }

    /// The features of each processor, as clang's macros tell them, include those of its level.
    #[test]
    fn processors_have_what_their_level_asks_for() {
        let features = |name: &str| {
            let output = std::process::Command::new("clang-22")
                .arg(format!("-march={name}"))
                .args(["-dM", "-E", "-x", "c", "/dev/null"])
                .output()
                .expect("clang is there");
            assert!(output.status.success(), "{name}");
            let text = String::from_utf8(output.stdout).expect("text");
            let names = [
                "__SSE3__",
                "__SSSE3__",
                "__SSE4_1__",
                "__SSE4_2__",
                "__POPCNT__",
                "__AVX__",
                "__AVX2__",
                "__FMA__",
                "__BMI__",
            ];
            let more = [
                "__BMI2__",
                "__LZCNT__",
                "__MOVBE__",
                "__F16C__",
                "__AVX512F__",
                "__AVX512BW__",
                "__AVX512VL__",
                "__AVX512DQ__",
            ];
            let all = names.into_iter().chain(more).chain([
                "__AVX512CD__",
                "__LAHF_SAHF__",
                "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16",
            ]);
            all.filter(|name| text.contains(&format!("#define {name} 1\n"))).collect::<Vec<_>>()
        };
        for (level, names) in LEVELS {
            let least = features(level);
            for name in names.iter().filter(|name| **name != "generic") {
                let has = features(name);
                let missing: Vec<_> = least.iter().filter(|feature| !has.contains(feature)).collect();
                assert!(missing.is_empty(), "{name} is below {level}: {missing:?}");
            }
        }
    }
}
