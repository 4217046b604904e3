//! Command lines of `lli`, given to `lli` and to a link of that name to ours.

use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use crate::tools;
use anyhow::{Context, Result, bail, ensure};
use std::os::unix::fs::symlink;
use std::process::Command;

tests![
    lines_show_what_lli_shows,
    failures_are_failures_as_with_lli,
    lines_that_lli_22_does_not_take_or_heed,
    run_takes_the_same_options_beside_its_own,
    what_would_change_results_is_refused,
    options_of_code_have_their_own_entries,
    every_option_is_listed
];

/// Prints its arguments; another entry, and one for a thread, which `main` waits for.
const PROGRAM: &str = r#"#include <stdio.h>
#include <stdatomic.h>
atomic_int arrived;
__attribute__((destructor)) static void end(void) { puts("end"); }
int other(int argc, char **argv) { printf("other %d %s\n", argc, argv[1]); return 7; }
void on_thread(void) { puts("thread"); fflush(stdout); arrived = 1; }
int with_thread(void) { while (!arrived); puts("main"); return 5; }
int main(int argc, char **argv) { for (int i = 0; i < argc; i++) puts(argv[i]); return 3; }
"#;

/// A program that calls a library which it does not name.
const WITH_LIBRARY: &str = "#include <stdio.h>\nint from_library(int);\n\
    int main(void) { printf(\"%d\\n\", from_library(20)); return 0; }\n";
const LIBRARY: &str = "int from_library(int x) { return 2 * x + 2; }\n";

fn corner() -> Result<Corner> {
    let corner = Corner::new()?;
    symlink(tools::larder(), corner.work().join("lli"))?;
    for (name, source, flags) in [
        ("p.bc", PROGRAM, &["-c", "-emit-llvm"][..]),
        ("library.bc", WITH_LIBRARY, &["-c", "-emit-llvm"]),
        ("libx.so", LIBRARY, &["-shared", "-fPIC"]),
        ("second.bc", LIBRARY, &["-c", "-emit-llvm"]),
        ("second.o", LIBRARY, &["-c"]),
    ] {
        let source = corner.write("source.c", source)?;
        let mut clang = corner.command(tools::llvm("clang")?);
        process::run(clang.arg("-O1").args(flags).arg(source).args(["-o", name]), b"")?.success("clang")?;
    }
    let archive = ["rcs", "libsecond.a", "second.o"];
    process::run(corner.command(tools::llvm("llvm-ar")?).args(archive), b"")?.success("llvm-ar")?;
    corner.write("bad.ll", "define nothing\n")?;
    Ok(corner)
}

/// The link to the command, in the environment of [`Corner::larder`].
fn ours(corner: &Corner) -> Result<Command> {
    let larder = corner.larder()?;
    let mut command = corner.command(corner.work().join("lli"));
    command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ok(command)
}

/// What `lli` and what ours shows of a line.
fn both(corner: &Corner, line: &[&str], input: &[u8]) -> Result<(Ran, Ran)> {
    let theirs = lli(corner, line, input)?;
    let ours = process::run(ours(corner)?.args(line), input)?;
    Ok((theirs, ours))
}

/// What `lli` shows. Its lazy JIT crashes now and then when several threads call into it, which says nothing about
/// the line: it is asked again then.
fn lli(corner: &Corner, line: &[&str], input: &[u8]) -> Result<Ran> {
    const ATTEMPTS: usize = 10;
    let mut endings = Vec::new();
    for _ in 0..ATTEMPTS {
        let ran = process::run(corner.command(tools::llvm("lli")?).args(line), input)?;
        if !matches!(ran.ending, Ending::Signal(_)) {
            return Ok(ran);
        }
        endings.push(ran.ending.to_string());
    }
    bail!("{line:?}: lli crashed {ATTEMPTS} times: {}", endings.join(", "))
}

fn lines_show_what_lli_shows() -> Result<()> {
    let corner = corner()?;
    let lines = "p.bc
        p.bc a -b --c -O3 --entry-function=other
        -O0 p.bc
        -O3 p.bc
        -O=2 p.bc
        -O 1 p.bc
        -- p.bc -- a
        -entry-function=other p.bc x
        --entry-function other p.bc x
        -jit-kind=orc p.bc
        -jit-kind=orc-lazy -per-module-lazy p.bc a
        --jit-kind orc-lazy --compile-threads=2 p.bc
        -jit-kind=orc-lazy -thread-entry=on_thread -entry-function=with_thread p.bc
        -jit-kind=mcjit -fake-argv0 fake p.bc b
        -jit-kind=mcjit -enable-cache-manager=false -disable-lazy-compilation --fake-argv0=fake p.bc
        -jit-linker=rtdyld -lljit-platform=GenericIR p.bc
        -relocation-model=pic -code-model=small p.bc
        -relocation-model static -code-model large p.bc
        -mcpu=x86-64 p.bc
        -mcpu native -mattr=+sse4.2,-avx512f p.bc
        -mtriple=x86_64-unknown-linux-gnu p.bc
        -frame-pointer=all -function-sections -data-sections=false p.bc
        -disable-core-files -disable-symbolication -no-warn p.bc
        -dlopen=./libx.so library.bc
        -load ./libx.so library.bc
        -extra-module=second.bc library.bc
        -jd main --extra-object second.o library.bc
        -extra-archive=libsecond.a library.bc";
    for line in lines.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (theirs, ours) = both(&corner, &words, b"")?;
        ensure!(ours.ending == theirs.ending, "{line}: {} {}, lli: {}", ours.ending, ours.err(), theirs.ending);
        ensure!(ours.stdout == theirs.stdout, "{line}:\n{}lli:\n{}", ours.out(), theirs.out());
        ensure!(ours.stderr.is_empty(), "{line}: {}", ours.err());
        ensure!(matches!(ours.ending, Ending::Exit(0 | 3 | 5 | 7)), "{line}: {} {}", ours.ending, theirs.err());
    }
    let module = std::fs::read(corner.work().join("p.bc"))?;
    for line in [&["-"][..], &["-", "a"], &[]] {
        let (theirs, ours) = both(&corner, line, &module)?;
        ensure!((ours.ending, &ours.stdout) == (theirs.ending, &theirs.stdout), "{line:?} on stdin: {}", ours.err());
    }
    Ok(())
}

fn failures_are_failures_as_with_lli() -> Result<()> {
    let corner = corner()?;
    let lines = "nowhere.bc
        bad.ll
        -entry-function
        -frobnicate p.bc
        -entry-functoin=other p.bc
        -entry-function=nowhere p.bc
        -thread-entry=nowhere p.bc
        -jit-kind=unheard p.bc
        -per-module-lazy=perhaps p.bc
        -dlopen=/nowhere.so p.bc
        -no-process-syms p.bc
        library.bc";
    for line in lines.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (theirs, ours) = both(&corner, &words, b"")?;
        ensure!(ours.ending == Ending::Exit(1), "{line}: {} {}", ours.ending, ours.err());
        ensure!(theirs.ending == ours.ending && theirs.stdout == ours.stdout, "{line}: lli: {}", theirs.ending);
        ensure!(ours.err().starts_with("lli: error: ") && ours.err().lines().count() == 1, "{line}: {}", ours.err());
    }
    let versioned = corner.work().join("lli-22");
    symlink(tools::larder(), &versioned)?;
    let ran = process::run(corner.command(versioned).arg("nowhere.bc"), b"")?;
    ensure!(ran.ending == Ending::Exit(1) && ran.err().starts_with("lli-22: error: nowhere.bc: "), "{}", ran.err());
    Ok(())
}

/// Two options that `lli` 22 takes and does nothing with, one for which it is too strict, and what it prints instead of running.
fn lines_that_lli_22_does_not_take_or_heed() -> Result<()> {
    let corner = corner()?;
    let ran = process::run(ours(&corner)?.args(["-fake-argv0=fake", "p.bc"]), b"")?;
    ensure!(ran.out() == "fake\nend\n" && ran.ending == Ending::Exit(3), "{} {}", ran.out(), ran.err());
    let ran = process::run(ours(&corner)?.args(["-use-mcjit", "p.bc"]), b"")?;
    ensure!(ran.out() == "p.bc\nend\n", "{} {}", ran.out(), ran.err());
    let ran = process::run(ours(&corner)?.args(["-mtriple=aarch64-linux-gnu", "p.bc"]), b"")?;
    ensure!(ran.ending == Ending::Exit(1) && ran.err().contains("aarch64-linux-gnu"), "{} {}", ran.out(), ran.err());
    for (option, words) in [("-version", "larder "), ("--help", "Usage: larder run"), ("-help-list", "-entry-function")]
    {
        let ran = process::run(ours(&corner)?.arg(option), b"")?.success(option)?;
        ensure!(ran.out().contains(words), "{option}: {}", ran.out());
    }
    Ok(())
}

fn run_takes_the_same_options_beside_its_own() -> Result<()> {
    let corner = corner()?;
    let mut command = corner.larder()?;
    command.args([
        "--dir",
        "store",
        "run",
        "-explain",
        "-entry-function",
        "other",
        "--cpu",
        "x86-64",
        "-per-module-lazy",
    ]);
    let ran = process::run(command.args(["p.bc", "-explain"]), b"")?;
    ensure!(ran.ending == Ending::Exit(7) && ran.out() == "other 2 -explain\nend\n", "{} {}", ran.out(), ran.err());
    ensure!(ran.err().starts_with("larder: miss") && corner.work().join("store").exists(), "{}", ran.err());
    let ran = process::run(corner.larder()?.args(["run", "-entry-functoin=x", "p.bc"]), b"")?;
    ensure!(ran.ending == Ending::Exit(125), "{}", ran.ending);
    ensure!(ran.err().contains("did you mean -entry-function?"), "{}", ran.err());
    Ok(())
}

fn what_would_change_results_is_refused() -> Result<()> {
    let corner = corner()?;
    for (option, advice) in [
        ("-enable-no-nans-fp-math", "clang"),
        ("-fp-contract=fast", "clang"),
        ("-denormal-fp-math=positive-zero", "clang"),
        ("-soft-float", "clang"),
        ("-code-model=kernel", "small, medium, large"),
        ("-relocation-model=ropi", "pic"),
        ("-vector-library=SVML", "none"),
        ("-jd=other", "--load"),
        ("-lljit-platform=Inactive", "GenericIR"),
        ("-remote-mcjit", "this process"),
        ("-mcpu=pentium", "x86-64-v3"),
        ("-mattr=+warp", "warp"),
    ] {
        let ran = process::run(corner.larder()?.args(["run", option, "p.bc"]), b"")?;
        ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{option}: {} {}", ran.ending, ran.err());
        let name = option.split(['=', '+']).next().unwrap_or(option);
        ensure!(ran.err().contains(advice), "{option}: {}", ran.err());
        ensure!(ran.err().contains(name) || option.starts_with("-mattr"), "{option}: {}", ran.err());
    }
    Ok(())
}

fn options_of_code_have_their_own_entries() -> Result<()> {
    let corner = corner()?;
    let module = corner.work().join("p.bc");
    let key = |options: &[&str]| anyhow::Ok(corner.run(options, &module)?.1.key);
    let plain = key(&[])?;
    for same in [&["-jit-kind=mcjit"][..], &["-O2"], &["-mcpu=native"], &["-fake-argv0=x"], &["-compile-threads=2"]] {
        ensure!(key(same)? == plain, "{same:?} has an entry of its own");
    }
    for other in [&["-O1"][..], &["-mcpu=nehalem"], &["-mattr=-popcnt"], &["-entry-function=other"]] {
        ensure!(key(other)? != plain, "{other:?} shares an entry");
    }
    ensure!(key(&["-mcpu=haswell"])? == key(&["--cpu", "x86-64-v3"])?, "a processor is another than its level");
    Ok(())
}

/// Whatever `lli` prints of its own in its help, and its code generator's options, has a row.
fn every_option_is_listed() -> Result<()> {
    let corner = Corner::new()?;
    let ran = process::run(corner.larder()?.arg("lli-options"), b"")?.success("lli-options")?;
    let listed = ran.out();
    let help = process::run(corner.command(tools::llvm("lli")?).arg("--help-hidden"), b"")?.success("lli")?.out();
    let own = "force-interpreter jit-kind jit-linker orc-runtime compile-threads thread-entry per-module-lazy jd dlopen \
        remote-mcjit mcjit-remote-process mtriple entry-function extra-module extra-object extra-archive \
        enable-cache-manager object-cache-dir fake-argv0 disable-core-files disable-lazy-compilation soft-float \
        no-process-syms lljit-platform orc-lazy-debug load march mcpu mattr relocation-model code-model \
        exception-model thread-model float-abi fp-contract denormal-fp-math frame-pointer large-data-threshold \
        enable-no-infs-fp-math enable-no-nans-fp-math enable-no-signed-zeros-fp-math enable-no-trapping-fp-math \
        denormal-fp-math-f32 enable-sign-dependent-rounding-fp-math nozero-initialized-in-bss tailcallopt \
        stack-symbol-ordering stackrealign trap-func use-ctors data-sections function-sections \
        ignore-xcoff-visibility xcoff-traceback-table mxcoff-roptr basic-block-address-map basic-block-sections \
        split-machine-functions tls-size emulated-tls enable-tlsdesc unique-section-names \
        unique-basic-block-section-names separate-named-sections meabi debugger-tune vector-library \
        stack-size-section emit-call-site-info debug-entry-values force-dwarf-frame-section xray-function-index \
        strict-dwarf align-loops enable-jmc-instrument disable-tail-calls swift-async-fp mc-relax-all \
        incremental-linker-compatible fdpic dwarf-version dwarf64 emit-dwarf-unwind \
        emit-compact-unwind-non-canonical gsframe fatal-warnings no-warn no-deprecated-warn no-type-check \
        save-temp-labels crel implicit-mapsyms x86-relax-relocations x86-sse2avx target-abi as-secure-log-file \
        asm-show-inst x86-align-branch x86-align-branch-boundary x86-branches-within-32B-boundaries \
        x86-pad-for-align x86-pad-max-prefix-size x86-asm-syntax color disable-symbolication \
        verify-machineinstrs fast-isel global-isel regalloc pre-RA-sched time-passes stats filetype";
    for name in own.split_whitespace() {
        let row = |text: &str, dashes: &str| {
            let starts = |line: &str| {
                let rest = line.trim_start().strip_prefix(dashes).and_then(|line| line.strip_prefix(name));
                rest.is_some_and(|rest| rest.starts_with(['=', ' ']))
            };
            text.lines().any(starts)
        };
        ensure!(row(&help, "--"), "lli 22 has no -{name}");
        ensure!(row(&listed, "-"), "-{name} is not listed");
    }
    let widest = listed.lines().map(|line| line.chars().count()).max().context("nothing is listed")?;
    ensure!(widest <= 240, "a line of {widest} characters");
    Ok(())
}
