//! LLVM 22's own programs: clang, opt, llc, lli and the rest.
//!
//! Distributions install several LLVM versions side by side; the wrong one reads our bitcode badly or not at all. So a
//! program is taken from the directory that LLVM 22's `llvm-config` names, and `PATH` is only the second choice.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The major version of LLVM that Larder is built with.
const LLVM_MAJOR: &str = "22";

/// Where LLVM's programs are, and which release they are of.
#[derive(Clone, Debug)]
pub struct Tools {
    directory: PathBuf,
    version: String,
}

impl Tools {
    /// Finds LLVM 22 by `llvm-config-22`, then by an `llvm-config` in `PATH` that says it is version 22.
    pub fn find() -> Result<Tools> {
        for program in ["llvm-config-22", "llvm-config"] {
            let Ok(version) = ask(program, "--version") else {
                continue;
            };
            if version.split('.').next() == Some(LLVM_MAJOR) {
                return Ok(Tools { directory: ask(program, "--bindir")?.into(), version });
            }
        }
        bail!("no llvm-config of LLVM {LLVM_MAJOR} in PATH (`cargo xtask setup` installs it)")
    }

    /// LLVM's full version, such as `22.1.8`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of one of LLVM's programs, such as `opt`. It need not exist.
    pub fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    /// A command that starts one of LLVM's programs.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.path(program))
    }

    /// The directory of LLVM's headers, for programs that are built against it.
    pub fn headers(&self) -> Result<PathBuf> {
        Ok(ask(self.path("llvm-config"), "--includedir")?.into())
    }

    /// The directory of libLLVM.
    pub fn libraries(&self) -> Result<PathBuf> {
        Ok(ask(self.path("llvm-config"), "--libdir")?.into())
    }
}

fn ask(program: impl AsRef<OsStr>, question: &str) -> Result<String> {
    let output = Command::new(program).arg(question).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Runs a command to its end; failure carries the command and what it printed on standard error.
pub fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}\n{}", output.status, message.trim_end());
    }
    Ok(())
}
