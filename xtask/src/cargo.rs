//! cargo, called from a chore that cargo itself started.
//!
//! `cargo run` puts its own library directories into `LD_LIBRARY_PATH`. They would make every program started from here
//! search them first, which is both slower and not what users have, so they are taken out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds with a profile, such as `debug`.
pub(crate) fn built(profile_directory: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(target).join(profile_directory)
}

/// A cargo command in the root of the repository.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// A command in the environment that a user would start it in.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs a command that speaks for itself on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        bail!("{name} {}: {status}", arguments.join(" "));
    }
    Ok(())
}

/// Builds the command and its worker as users have them.
pub(crate) fn build_command() -> Result<()> {
    run(&mut cargo(["build", "--release", "--bins", "-p", "larder-cli", "-p", "larder-llvm"]))
}
