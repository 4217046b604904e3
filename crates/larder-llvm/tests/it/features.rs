//! Which CPU features the code needs is asked of each function.

use larder::worker::{CompileError, Compiled, Request};
use larder_format::cpu::x86_64::{BASELINE, V2, V3};

use crate::tools::{bitcode, request, section, try_compile};

const PLAIN: &str = "define void @plain(ptr %p) { store i32 1, ptr %p ret void }\n";
const NAMED: &str = "define void @named(ptr %p) #0 { store i32 1, ptr %p ret void }\nattributes #0 = { \"target-cpu\"=\"x86-64-v3\" }\n";

fn compile(module: &str, features: &[&str]) -> Compiled {
    let features = features.iter().map(|&name| name.to_owned()).collect();
    try_compile(&Request { features, ..request("2", 1) }, module.as_bytes()).expect("compiled")
}

fn sorted(groups: &[&[&str]]) -> Vec<String> {
    let mut names: Vec<String> = groups.concat().into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_baseline_is_what_everybody_has() {
    let compiled = compile(PLAIN, &[]);
    assert_eq!(compiled.required_features, sorted(&[BASELINE]));
    assert_eq!(compiled.dispatched_features, [""; 0]);
}

#[test]
fn what_is_asked_for_is_required_with_all_it_implies() {
    let compiled = compile(PLAIN, &["+avx2"]);
    for name in ["avx2", "avx", "sse4.2", "sse2", "x87"] {
        assert!(
            compiled.required_features.iter().any(|feature| feature == name),
            "{name}: {:?}",
            compiled.required_features
        );
    }
    assert_eq!(compiled.dispatched_features, [""; 0]);
}

#[test]
fn what_is_asked_for_is_required_only_by_code_that_it_was_made_for() {
    let own = NAMED.replace("x86-64-v3", "x86-64");
    let features = NAMED.replace("\"target-cpu\"=\"x86-64-v3\"", "\"target-features\"=\"+sse3\"");
    for module in [&own, "@data = global i32 5\n"] {
        assert_eq!(compile(module, &["avx2"]).required_features, compile(module, &[]).required_features, "{module}");
    }
    assert_eq!(compile(&own, &["avx2"]).required_features, sorted(&[BASELINE]));
    assert_eq!(compile(&features, &["avx2"]).required_features, sorted(&[BASELINE, &["sse3"]]));
    let assembly = format!("module asm \"vaddps %ymm0, %ymm0, %ymm0\"\n{own}");
    for module in [&format!("{PLAIN}{own}"), &assembly] {
        let required = compile(module, &["avx2"]).required_features;
        assert!(required.iter().any(|feature| feature == "avx2"), "{module}: {required:?}");
    }
}

#[test]
fn what_every_function_has_is_required() {
    let compiled = compile(NAMED, &[]);
    assert_eq!(compiled.required_features, sorted(&[BASELINE, V2, V3]));
    assert_eq!(compiled.dispatched_features, [""; 0]);
}

#[test]
fn what_code_has_only_by_its_own_wish_is_not_required() {
    for (cpu, needed) in [
        ("skylake-avx512", "avx512vl"),
        ("icelake-server", "avx512vbmi2"),
        ("sapphirerapids", "amx-tile"),
        ("alderlake", "avxvnni"),
        ("znver5", "avx512vp2intersect"),
    ] {
        let required = compile(&NAMED.replace("x86-64-v3", cpu), &[]).required_features;
        assert!(required.iter().any(|feature| feature == needed), "{cpu}: {required:?}");
        let unknown = required.iter().find(|name| larder_format::cpu::x86_64::number(name).is_none());
        assert_eq!(unknown, None, "{cpu}");
    }
}

#[test]
fn what_some_functions_have_is_dispatched() {
    let compiled = compile(&format!("{PLAIN}{NAMED}"), &[]);
    assert_eq!(compiled.required_features, sorted(&[BASELINE]));
    assert_eq!(compiled.dispatched_features, sorted(&[V2, V3]));
}

#[test]
fn a_function_that_names_its_cpu_keeps_it() {
    let module = "define <8 x i32> @f(<8 x i32> %x) #0 { %y = add <8 x i32> %x, %x ret <8 x i32> %y }\n";
    let code = |attributes: &str| {
        let module = format!("{module}attributes #0 = {{ {attributes} }}\n");
        section(&compile(&module, &["avx2"]).objects, ".text.f").expect("code")
    };
    let chosen = code("nounwind");
    // One `vpaddd` and a return against two `paddd`s.
    assert_eq!(chosen, [0xc5, 0xfd, 0xfe, 0xc0, 0xc3]);
    for attributes in ["nounwind \"target-cpu\"=\"x86-64\"", "nounwind \"target-features\"=\"+sse2\""] {
        assert_ne!(code(attributes), chosen, "{attributes}");
    }
}

#[test]
fn functions_that_were_generated_ahead_count() {
    let module = bitcode("parts.c", &["-march=x86-64-v3"]);
    let compiled = try_compile(&request("2", 1), &module).expect("compiled");
    assert!(compiled.objects.len() > 1);
    assert_eq!(compiled.required_features, sorted(&[BASELINE, V2, V3]));
    assert_eq!(compiled.dispatched_features, [""; 0]);
}

#[test]
fn names_that_are_no_features_are_refused() {
    for name in ["fast-hops", "nosuch", "avx2,+fma", "-sse2", ""] {
        let features = vec![name.to_owned()];
        let error = try_compile(&Request { features, ..request("2", 1) }, PLAIN.as_bytes()).expect_err(name);
        assert!(matches!(error, CompileError::Request { .. }), "{name}: {error:?}");
    }
}
