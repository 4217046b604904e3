//! Compiling in this process: the same images as from the worker program, the same errors, and nothing that one module leaves behind for the next.
//!
//! With the feature `in-process`, all other tests here compile in this process, too.

use crate::{MODULE, settings};
use larder::worker::{CompileError, Worker};
use larder::{Built, CompileOptions, Error, Larder, Level, Module};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Counts on the contents of an object: LLVM must not specialise functions for it.
const GUARDED: &str = r#"
@codes = available_externally constant [2 x i64] [i64 3, i64 4], !larder.object !0
!0 = !{!"codes", i64 42}
define i64 @sum() {
  %one = load i64, ptr @codes
  %place = getelementptr i64, ptr @codes, i64 1
  %other = load i64, ptr %place
  %sum = add i64 %one, %other
  ret i64 %sum
}
"#;

/// LLVM makes two functions of `fold`, one for each function that it is given: it needs to be long.
fn specialised() -> String {
    let mut ir =
        "define internal i64 @fold(ptr %step, i64 %n) noinline {\nentry:\n  br label %loop\nloop:\n".to_owned();
    ir += "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n  %v0 = phi i64 [ 0, %entry ], [ %v600, %loop ]\n";
    for step in 1..=600 {
        let _ = writeln!(ir, "  %v{step} = call i64 %step(i64 %v{})", step - 1);
    }
    ir += "  %next = add i64 %i, 1\n  %again = icmp slt i64 %next, %n\n  br i1 %again, label %loop, label %end\n";
    ir += "end:\n  ret i64 %v600\n}\n";
    for (name, operation) in [("sums", "add"), ("products", "mul")] {
        let _ = writeln!(ir, "define internal i64 @one_of_{name}(i64 %x) {{ %y = {operation} i64 %x, 3 ret i64 %y }}");
        let _ = writeln!(ir, "define i64 @{name}(i64 %n) {{");
        let _ = writeln!(ir, "  %v = call i64 @fold(ptr @one_of_{name}, i64 %n)\n  ret i64 %v\n}}");
    }
    ir
}

/// Enough for several parts.
fn in_parts() -> String {
    let mut ir = String::new();
    for index in 0..500 {
        let _ = writeln!(ir, "define i64 @f{index}(i64 %x0) {{");
        for step in 1..60 {
            let operation = ["urem", "mul", "xor"][step % 3];
            let _ = writeln!(ir, "  %x{step} = {operation} i64 %x{}, {}", step - 1, 1_000_003 * step + index);
        }
        ir += "  ret i64 %x59\n}\n";
    }
    ir
}

fn build(dir: &Path, worker: Worker, ir: &str, options: &CompileOptions) -> Result<Built, Error> {
    let mut settings = settings(&dir.join("build"));
    settings.worker = Some(worker);
    Larder::open(settings).build(Module::bytes("module", ir.as_bytes()), options, &mut |_| {})
}

/// By the program, then here; neither finds what the other has kept.
fn both_ways(ir: &str, options: &CompileOptions) -> [Result<Built, Error>; 2] {
    [Worker::locate().expect("a worker"), Worker::in_process()].map(|worker| {
        let dir = tempfile::tempdir().expect("a directory");
        build(dir.path(), worker, ir, options)
    })
}

#[test]
fn images_and_keys_are_those_of_the_worker_program() -> Result<(), Error> {
    let small = CompileOptions { level: Level::Os, ..CompileOptions::default() };
    // One after the other: what LLVM does for one module must not change what it does for the next.
    for (ir, options) in [
        (MODULE, &CompileOptions::default()),
        (GUARDED, &CompileOptions::default()),
        (&specialised(), &CompileOptions::default()),
        (&in_parts(), &CompileOptions::default()),
        (&in_parts(), &small),
    ] {
        let [program, here] = both_ways(ir, options);
        let (program, here) = (program?, here?);
        assert_eq!(program.key, here.key);
        assert!(program.bytes == here.bytes, "{:.60}: the images differ", ir.trim());
    }
    Ok(())
}

#[test]
fn errors_are_those_of_the_worker_program() {
    let broken = CompileOptions { passes: Some("no-such-pass".to_owned()), ..CompileOptions::default() };
    for (ir, options) in [
        ("define nothing", &CompileOptions::default()),
        ("define i32 @f() { ret i64 0 }", &CompileOptions::default()),
        ("target triple = \"aarch64-linux-gnu\"\ndefine void @f() { ret void }", &CompileOptions::default()),
        ("module asm \"no instruction\"", &CompileOptions::default()),
        (MODULE, &broken),
    ] {
        let [program, here] = both_ways(ir, options).map(|built| built.expect_err(ir).to_string());
        assert_eq!(program, here);
    }
}

/// Set where a test has a process to itself.
const ALONE: &str = "LARDER_TEST_ALONE";

#[test]
fn memory_is_given_back() -> Result<(), Error> {
    if std::env::var_os(ALONE).is_none() {
        let mut alone = Command::new(std::env::current_exe().expect("it runs"));
        let output = alone.args(["in_process::memory_is_given_back", "--exact"]).env(ALONE, "").output();
        let output = output.expect("it runs again");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return Ok(());
    }
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says it");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
    };
    let dir = tempfile::tempdir().expect("a directory");
    let ir = in_parts();
    let mut after = Vec::new();
    for _ in 0..8 {
        build(
            dir.path(),
            Worker::in_process(),
            &ir,
            &CompileOptions { level: Level::O0, ..CompileOptions::default() },
        )?;
        after.push(resident());
    }
    // Each takes 30 MB while it lasts.
    assert!(after[7] < after[3] + (40 << 20), "{after:?}");
    Ok(())
}

#[test]
fn the_worker_program_is_told_from_this_process() {
    let (program, here) = (Worker::locate().expect("a worker"), Worker::in_process());
    assert!(program.path().is_some() && here.path().is_none());
    assert_eq!(program.identity(), here.identity());
    assert!(matches!(Worker::at("/nonexistent").identity(), Err(CompileError::Start { .. })));
}
