//! The ways that aren't ours: `lli`, and a shared library by lld that a C program opens.

use super::Case;
use super::build::{self, Built};
use super::compare::{Stderr, same};
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::tools;
use anyhow::{Result, anyhow};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Fails unless `lli` and the shared library show what the native program shows.
pub(super) fn agree(case: &Case) -> Result<()> {
    let built = case.built()?;
    if case.directives.skip_lli.is_none() {
        by_lli(case, built)?;
    }
    // A shared library of the sources would not be linked from the same things.
    if case.directives.skip_dlopen.is_none() && case.directives.extras.is_empty() {
        by_dlopen(case, built)?;
    }
    Ok(())
}

fn by_lli(case: &Case, built: &Built) -> Result<()> {
    let mut command = built.corner.command(tools::llvm("lli")?);
    let ran = build::run_program(case, command.args(built.extra_options()).arg(&built.module))?;
    // Before a signal ends it, lli prints its own stack.
    let stderr = if matches!(ran.ending, Ending::Signal(_)) { Stderr::Free } else { Stderr::Same };
    same("lli", &built.native, &ran, stderr)
}

/// From the sources and not from the module: a module made for programs may not be linked into a library by anyone but us.
fn by_dlopen(case: &Case, built: &Built) -> Result<()> {
    let library = built.corner.work().join("case.so");
    let mut command = build::clang(case, &built.corner)?;
    command
        .args(["-fPIC", "-shared", "-fuse-ld=lld", "-Wl,-Bsymbolic"])
        .args(&case.sources)
        .arg("-o")
        .arg(&library)
        .arg("-lm");
    process::run(&mut command, b"")?.success("linking the shared library")?;
    let mut command = built.corner.command(host()?);
    let ran = build::run_program(case, command.arg(&library))?;
    same("the shared library", &built.native, &ran, Stderr::Same)
}

/// The C program that opens a library and calls its `main`, compiled once.
pub(crate) fn host() -> Result<&'static Path> {
    static HOST: OnceLock<Result<(Corner, PathBuf), String>> = OnceLock::new();
    let host = HOST.get_or_init(|| compile_host().map_err(|error| format!("{error:#}")));
    host.as_ref().map(|(_, path)| path.as_path()).map_err(|error| anyhow!("{error}"))
}

fn compile_host() -> Result<(Corner, PathBuf)> {
    let corner = Corner::new()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/dlopen_host.c");
    let program = corner.work().join("dlopen_host");
    let mut command = corner.command(tools::llvm("clang")?);
    process::run(command.arg("-O1").arg(source).arg("-o").arg(&program), b"")?.success("compiling the host")?;
    Ok((corner, program))
}
