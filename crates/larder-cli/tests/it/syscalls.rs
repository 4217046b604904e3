//! What a warm run asks of the kernel.
//!
//! Each call below is counted from `execve` to `exit_group`, the C library's own start and the program's single `write` among
//! them, so that the bound is one that a user can check with `strace -c`.

use crate::ir;
use crate::larder::Corner;
use crate::process::Ending;
use crate::strace;
use crate::suite::tests;
use anyhow::{Result, ensure};
use std::fs;
use std::path::PathBuf;

tests![
    a_hit_is_bounded,
    a_hit_of_a_large_module_asks_no_more,
    a_hit_maps_no_llvm_and_reads_no_module,
    the_unwinder_is_opened_when_something_unwinds,
    never_writable_and_executable
];

/// System calls of a hit, the C library's start and end among them.
const CALLS_MAX: usize = 110;

/// Bytes of the image that may be read before it is mapped.
const HEADER_MAX: usize = 4096;

/// A corner with a module that is kept, and how it ends.
fn kept(text: String) -> Result<(Corner, PathBuf)> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", text)?;
    for _ in 0..2 {
        corner.run(&[], &module)?;
    }
    Ok((corner, module))
}

fn warm_trace(corner: &Corner, module: &PathBuf) -> Result<Vec<String>> {
    let mut command = strace::larder(corner, &["-f", "-y"])?;
    let (ran, trace) = strace::trace(corner, command.arg("run").arg(module))?;
    ensure!(ran.ending == Ending::Exit(0), "{} {}", ran.ending, ran.err());
    Ok(trace)
}

fn a_hit_is_bounded() -> Result<()> {
    let (corner, module) = kept(ir::saying("x", 0))?;
    let trace = warm_trace(&corner, &module)?;
    ensure!(trace.len() <= CALLS_MAX, "{} calls, {CALLS_MAX} are allowed:\n{}", trace.len(), trace.join("\n"));
    Ok(())
}

fn a_hit_of_a_large_module_asks_no_more() -> Result<()> {
    let (corner, module) = kept(ir::laborious(5))?;
    let small = warm_trace(&corner, &module)?.len();
    let (corner, module) = kept(ir::laborious(200))?;
    let large = warm_trace(&corner, &module)?;
    ensure!(large.len() <= small, "{} calls instead of {small}:\n{}", large.len(), large.join("\n"));
    Ok(())
}

fn a_hit_maps_no_llvm_and_reads_no_module() -> Result<()> {
    let (corner, module) = kept(ir::saying("x", 0))?;
    let trace = warm_trace(&corner, &module)?;
    let llvm: Vec<&String> = trace
        .iter()
        .filter(|line| line.contains("libLLVM") && (line.contains("open") || line.contains("mmap")))
        .collect();
    ensure!(llvm.is_empty(), "libLLVM is opened: {llvm:#?}");
    let touched = strace::naming(&trace, &module);
    let read: Vec<_> =
        touched.iter().filter(|line| ["read(", "pread64(", "mmap("].iter().any(|call| line.contains(call))).collect();
    ensure!(read.is_empty(), "the module is read: {read:#?}");
    let read: usize = strace::naming(&trace, &corner.store().join("v1/entries")).into_iter().map(bytes_read).sum();
    ensure!(read <= HEADER_MAX, "{read} bytes of the image are read, not mapped");
    ensure!(
        !trace.iter().any(|line| ["clone(", "clone3(", "fork("].iter().any(|call| line.contains(call))),
        "a process or thread is started"
    );
    Ok(())
}

/// What a traced call says it has read; 0 for calls that don't read.
fn bytes_read(line: &str) -> usize {
    let is_read = line.contains("read(") || line.contains("pread64(") || line.contains("readv(");
    let count = line.rsplit(" = ").next().and_then(|count| count.parse().ok());
    if is_read { count.unwrap_or_default() } else { 0 }
}

fn the_unwinder_is_opened_when_something_unwinds() -> Result<()> {
    let opens = |trace: &[String]| trace.iter().any(|line| line.contains("open") && line.contains("libgcc_s"));
    let (corner, module) = kept(ir::saying("x", 0))?;
    ensure!(!opens(&warm_trace(&corner, &module)?), "a program that unwinds nothing pays for it");
    // A backtrace of an error's place is taken by unwinding.
    let mut command = strace::larder(&corner, &["-f", "-y"])?;
    command.env("RUST_BACKTRACE", "1").arg("run").arg(corner.work().join("missing.ll"));
    let (ran, trace) = strace::trace(&corner, &mut command)?;
    ensure!(ran.ending == Ending::Exit(125) && ran.err().contains("missing.ll"), "{} {}", ran.ending, ran.err());
    ensure!(opens(&trace), "{trace:#?}");
    Ok(())
}

fn never_writable_and_executable() -> Result<()> {
    let (corner, module) = kept(ir::saying("x", 0))?;
    let mut traces = warm_trace(&corner, &module)?;
    fs::remove_dir_all(corner.store())?;
    traces.extend(warm_trace(&corner, &module)?);
    let both: Vec<&String> = traces.iter().filter(|line| line.contains("PROT_WRITE|PROT_EXEC")).collect();
    ensure!(both.is_empty(), "{both:#?}");
    Ok(())
}
