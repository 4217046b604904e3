//! What is wrong with a module is said with its place, and is never more than an error.

use larder::worker::CompileError;

use crate::tools::{bitcode, request, try_compile};

fn error(module: &[u8]) -> CompileError {
    try_compile(&request("2", 2), module).expect_err("not a module")
}

#[test]
fn text_errors_have_line_and_column() {
    let text = "define i32 @f(i32 %x) {\n  %y = add i32 %x, %nope\n  ret i32 %y\n}\n";
    let CompileError::Malformed { diagnostics, .. } = error(text.as_bytes()) else { panic!("not malformed") };
    let [diagnostic] = &diagnostics[..] else { panic!("{diagnostics:?}") };
    assert_eq!((diagnostic.file.as_str(), diagnostic.line, diagnostic.column), ("module", 2, 20));
    assert!(diagnostic.message.contains("use of undefined value '%nope'"), "{diagnostic}");
    assert_eq!(diagnostic.to_string(), "module:2:20: error: use of undefined value '%nope'");
}

#[test]
fn modules_that_do_not_verify_are_refused() {
    let unplaced = "define i32 @f(ptr %p) {\n  %y = load i32, ptr %p\n  call void @llvm.lifetime.start.p0(ptr %p)\n  ret i32 %y\n}\ndeclare void @llvm.lifetime.start.p0(ptr)\n";
    let flags = "!llvm.module.flags = !{!0}\n!0 = !{i32 2, !\"Debug Info Version\", i32 3}\n";
    // With debug information, LLVM's reader verifies by itself, and ends the process.
    for module in [unplaced.to_owned(), format!("{unplaced}{flags}")] {
        let error = error(module.as_bytes());
        assert!(matches!(error, CompileError::Malformed { .. }), "{error:?}");
        assert!(error.to_string().contains("lifetime"), "{error}");
    }
}

#[test]
fn bitcode_cut_short_is_an_error() {
    let module = bitcode("kernels.c", &[]);
    for sixteenth in 0..16 {
        let error = error(&module[..module.len() * sixteenth / 16]);
        let is_typed = matches!(error, CompileError::Malformed { .. } | CompileError::FatalError { .. });
        assert!(is_typed, "{sixteenth}: {error:?}");
    }
}

#[test]
fn what_is_no_module_is_an_error() {
    for bytes in [&b"\x7fELF\x02\x01\x01"[..], b"hello", b"\0", b"BC\xc0\xde", b"\xff\xfe"] {
        let error = error(bytes);
        assert!(matches!(error, CompileError::Malformed { .. }), "{bytes:?}: {error:?}");
    }
}

#[test]
fn other_targets_are_named() {
    for triple in
        ["aarch64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "i386-unknown-linux-gnu", "x86_64-linux-gnux32"]
    {
        let error = error(format!("target triple = \"{triple}\"\ndefine void @f() {{ ret void }}\n").as_bytes());
        assert!(matches!(error, CompileError::Unsupported { .. }), "{triple}: {error:?}");
        assert!(error.to_string().contains(triple), "{error}");
    }
}

#[test]
fn a_target_without_a_vendor_is_the_usual_one() {
    let module = |triple| format!("target triple = \"{triple}\"\ndefine void @f() {{ ret void }}\n");
    let [short, long] = ["x86_64-linux-gnu", "x86_64-unknown-linux-gnu"].map(|triple| {
        try_compile(&request("2", 1), module(triple).as_bytes()).unwrap_or_else(|error| panic!("{error}"))
    });
    assert_eq!(short.objects, long.objects);
}

#[test]
fn other_data_layouts_are_refused() {
    let module = "target datalayout = \"e-p:32:32\"\ntarget triple = \"x86_64-unknown-linux-gnu\"\n";
    let error = error(module.as_bytes());
    assert!(matches!(error, CompileError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("e-p:32:32"), "{error}");
}

#[test]
fn old_data_layouts_are_upgraded() {
    // As written by LLVM 17, before i128 was aligned.
    let old = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128";
    let module = format!("target datalayout = \"{old}\"\ntarget triple = \"x86_64-pc-linux-gnu\"\n");
    try_compile(&request("2", 1), module.as_bytes()).expect("upgraded");
}

#[test]
fn assembly_that_is_none_is_an_error() {
    let inside = "define void @f() {\n  call void asm sideeffect \"frobnicate %rax\", \"\"()\n  ret void\n}\n";
    let outside = "module asm \"frobnicate %rax\"\n";
    let constraint =
        "define void @f(i64 %x) {\n  call void asm sideeffect \"nop\", \"{nosuch}\"(i64 %x)\n  ret void\n}\n";
    for (module, said) in [(inside, "frobnicate"), (outside, "frobnicate"), (constraint, "nosuch")] {
        let error = error(module.as_bytes());
        assert!(matches!(error, CompileError::Malformed { .. }), "{module}: {error:?}");
        assert!(error.to_string().contains(said) || error.to_string().contains("invalid instruction"), "{error}");
    }
}

#[test]
fn broken_debug_information_is_dropped_with_a_warning() {
    let module = "define void @f() !dbg !3 { ret void }\n!llvm.dbg.cu = !{!0}\n!llvm.module.flags = !{!9}\n\
        !0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: FullDebug)\n\
        !1 = !DIFile(filename: \"a.c\", directory: \"/\")\n\
        !3 = distinct !DISubprogram(name: \"f\", unit: !0, type: !1)\n\
        !9 = !{i32 2, !\"Debug Info Version\", i32 3}\n";
    let compiled = try_compile(&request("2", 1), module.as_bytes()).expect("compiled");
    assert!(compiled.warnings.iter().any(|warning| warning.message.contains("debug info")), "{:?}", compiled.warnings);
}
