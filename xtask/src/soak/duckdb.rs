//! DuckDB with all of its scripts: the native executable against the saved code, cold once and warm ever after.
//!
//! Scripts write files into the directory that they are run in, so each run has a new one. What is printed holds the errors, too. The
//! native executable is made by `opt`, `llc` and lld of the same bitcode at the same level.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use larder_programs::{DUCKDB_SCRIPTS, Programs, duckdb_script};

use crate::cargo::{build_command, built, program};
use crate::say;

/// Builds DuckDB, which takes an hour the first time, and compares.
pub(super) fn soak() -> Result<()> {
    build_command()?;
    let programs = Programs::open()?;
    say::step("DuckDB to bitcode, and natively to an executable");
    let module = programs.duckdb()?;
    let native = programs.executable(&module)?;
    let store = tempfile::tempdir()?;
    let kept = Kept { larder: built("release").join("larder"), store: store.path().to_owned(), module };
    say::step("DuckDB's scripts, natively, then from saved code");
    let differing: Vec<_> = DUCKDB_SCRIPTS.into_iter().filter(|name| !agrees(name, &native, &kept)).collect();
    ensure!(differing.is_empty(), "{} differ: {}", differing.len(), differing.join(", "));
    Ok(())
}

/// The module, and where its native code is kept.
struct Kept {
    larder: PathBuf,
    store: PathBuf,
    module: PathBuf,
}

impl Kept {
    fn command(&self) -> Command {
        let mut command = program(&self.larder);
        command.arg("run").arg("--dir").arg(&self.store).arg(&self.module);
        command
    }
}

/// Whether a script does the same in both ways, twice; what differs is said.
fn agrees(name: &str, native: &Path, kept: &Kept) -> bool {
    let compared = (|| {
        let (expected, native_s) = run(program(native), name)?;
        let mut times = format!("native {native_s:.2} s");
        for _ in 0..2 {
            let (output, time_s) = run(kept.command(), name)?;
            compare(&expected, &output)?;
            times += &format!(", saved {time_s:.2} s");
        }
        anyhow::Ok(times)
    })();
    match &compared {
        Ok(times) => say::line(format_args!("{name}: the same ({times})")),
        Err(difference) => say::line(format_args!("{name}: {difference:#}")),
    }
    compared.is_ok()
}

/// Runs a script on an empty database, in an empty directory; gives the time in seconds, too.
fn run(mut command: Command, script: &str) -> Result<(Output, f64)> {
    let directory = tempfile::tempdir()?;
    command.args([":memory:", "-f"]).arg(duckdb_script(script)).current_dir(directory.path());
    let start = Instant::now();
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok((output, start.elapsed().as_secs_f64()))
}

fn compare(expected: &Output, output: &Output) -> Result<()> {
    if output.status != expected.status {
        bail!("{} instead of {}\n{}", output.status, expected.status, String::from_utf8_lossy(&output.stderr));
    }
    let [wanted, printed] = [expected, output].map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let differing = wanted.lines().zip(printed.lines()).find(|(wanted, printed)| wanted != printed);
    if let Some((wanted, printed)) = differing {
        bail!("prints\n  {printed}\ninstead of\n  {wanted}");
    }
    ensure!(wanted.len() == printed.len(), "prints {} bytes instead of {}", printed.len(), wanted.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_seen() -> Result<()> {
        let ran = |script: &str| Command::new("sh").args(["-c", script]).output();
        let expected = ran("echo one; echo two")?;
        assert!(compare(&expected, &ran("echo one; echo two")?).is_ok());
        for other in
            ["echo one; echo three", "echo one", "echo one; echo two; echo three", "echo one; echo two; exit 1"]
        {
            assert!(compare(&expected, &ran(other)?).is_err(), "{other}");
        }
        Ok(())
    }
}
