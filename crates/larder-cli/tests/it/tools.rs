//! Where the programs are that the tests start.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program of LLVM 22, from the directory that `llvm-config-22` names.
pub(crate) fn llvm(program: &str) -> Result<PathBuf> {
    static BINDIR: OnceLock<Option<PathBuf>> = OnceLock::new();
    let bindir = BINDIR.get_or_init(|| {
        let output = Command::new("llvm-config-22").arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
    });
    let path = bindir.as_ref().context("llvm-config-22 isn't there; `cargo xtask test` installs it")?.join(program);
    ensure!(path.exists(), "{} isn't there; `cargo xtask test` installs it", path.display());
    Ok(path)
}

/// The command under test.
pub(crate) fn larder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_larder"))
}

/// The worker: `LARDER_WORKER`, else the one of the same build.
pub(crate) fn worker() -> Result<PathBuf> {
    let path = match std::env::var_os("LARDER_WORKER") {
        Some(path) => PathBuf::from(path),
        None => larder().with_file_name("larder-worker"),
    };
    ensure!(path.exists(), "{} isn't there; build it: cargo build -p larder-llvm", path.display());
    Ok(path)
}

/// A program of the system, if it is installed.
pub(crate) fn system(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
