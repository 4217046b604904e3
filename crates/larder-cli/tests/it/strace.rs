//! The command under strace: what it asks of the kernel, and what becomes of it if it is killed at one of those questions.

use crate::larder::Corner;
use crate::process::{self, Ran};
use crate::suite::Skip;
use crate::tools;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// `larder` as [`Corner::larder`] has it, traced with `options`; the trace goes to the file `trace` of the current directory.
pub(crate) fn larder(corner: &Corner, options: &[&str]) -> Result<Command> {
    let strace = tools::system("strace").ok_or_else(|| Skip("strace isn't installed".to_owned()))?;
    let traced = corner.larder()?;
    let mut command = corner.command(strace);
    command.args(["-o", "trace"]).args(options).arg(traced.get_program());
    for (name, value) in traced.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Ok(command)
}

/// Runs a traced command and returns its trace, line by line.
pub(crate) fn trace(corner: &Corner, command: &mut Command) -> Result<(Ran, Vec<String>)> {
    let ran = process::run(command, b"")?;
    if ran.err().contains("ptrace") && ran.err().contains("not permitted") {
        return Err(Skip("strace may not trace here".to_owned()).into());
    }
    let text = fs::read_to_string(corner.work().join("trace"))
        .with_context(|| format!("strace left no trace: {}", ran.err()))?;
    Ok((ran, text.lines().map(str::to_owned).collect()))
}

/// The traced calls that name `path` or something below it.
pub(crate) fn naming<'t>(trace: &'t [String], path: &Path) -> Vec<&'t str> {
    let path = path.display().to_string();
    trace.iter().map(String::as_str).filter(|line| line.contains(&path)).collect()
}
