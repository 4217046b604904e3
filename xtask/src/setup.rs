//! What a machine needs for building and testing, found or installed.
//!
//! What is looked for is the thing itself (a program, a header), not the package that usually brings it: a machine with
//! LLVM 22 from elsewhere needs no package. Only what isn't found is installed, through apt, and nothing is asked of the
//! network or of a package manager while nothing is missing.
//!
//! Not done: other package managers, and adding a package source. Both are said, not done behind the user's back.

mod apt;

use std::path::Path;

use anyhow::{Result, bail};
use larder_programs::Tools;

use crate::say;

/// What `setup` was asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say what is missing; fail if anything is.
    #[arg(long)]
    check: bool,
}

/// What building the command needs, or what only tests and the bench need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Build,
    Test,
}

/// One thing that must be there.
struct Need {
    what: &'static str,
    why: &'static str,
    package: &'static str,
    scope: Scope,
    place: Place,
}

/// Where a thing is looked for.
enum Place {
    /// A program in `PATH`; any of these names.
    Program(&'static [&'static str]),
    /// A program in LLVM's own directory.
    LlvmProgram(&'static str),
    /// A header in the system's directory of headers.
    Header(&'static str),
    /// A header in LLVM's directory of headers.
    LlvmHeader(&'static str),
    /// A library in LLVM's directory of libraries.
    LlvmLibrary(&'static str),
}

/// To need something more, add a line: the thing, the reason, and the package of Debian and Ubuntu.
const NEEDS: &[Need] = {
    use Place::{Header, LlvmHeader, LlvmLibrary, LlvmProgram, Program};
    use Scope::{Build, Test};
    const fn need(what: &'static str, why: &'static str, package: &'static str, scope: Scope, place: Place) -> Need {
        Need { what, why, package, scope, place }
    }
    &[
        need("a C++ compiler", "builds the shim around LLVM", "g++", Build, Program(&["c++", "g++"])),
        need("llvm-config 22", "says where LLVM is", "llvm-22-dev", Build, LlvmProgram("llvm-config")),
        need("LLVM's headers", "the worker is built with them", "llvm-22-dev", Build, LlvmHeader("llvm-c/Core.h")),
        need("libLLVM 22", "the worker is linked with it", "llvm-22-dev", Build, LlvmLibrary("libLLVM-22.so")),
        need("clang 22", "compiles the programs to bitcode", "clang-22", Build, LlvmProgram("clang")),
        need("llvm-link 22", "links bitcode", "llvm-22", Build, LlvmProgram("llvm-link")),
        need("lli 22", "what Larder is compared with", "llvm-22-runtime", Test, LlvmProgram("lli")),
        need("opt and llc 22", "what Larder is compared with", "llvm-22", Test, LlvmProgram("llc")),
        need("lld 22", "what Larder is compared with", "lld-22", Test, LlvmProgram("ld.lld")),
        need("binutils", "tests read images with it", "binutils", Test, Program(&["readelf"])),
        need("gdb", "tests debug images with it", "gdb", Test, Program(&["gdb"])),
        need("perf", "tests profile saved code with it", "linux-perf", Test, Program(&["perf"])),
        need(
            "compiler-rt 22",
            "programs of the tests take their profiles and conversions from it",
            "libclang-rt-22-dev",
            Test,
            LlvmLibrary("clang/22/lib/linux/libclang_rt.profile-x86_64.a"),
        ),
        need("csmith", "random programs are written by it", "csmith", Test, Program(&["csmith"])),
        need("csmith's headers", "random programs include them", "libcsmith-dev", Test, Header("csmith/csmith.h")),
        need(
            "LLVM 14",
            "a program with another LLVM uses the C API",
            "llvm-14-dev",
            Test,
            Program(&["llvm-config-14"]),
        ),
        need(
            "pkg-config",
            "a test builds a program with an installed library",
            "pkg-config",
            Test,
            Program(&["pkg-config"]),
        ),
        need("strace", "tests count system calls with it", "strace", Test, Program(&["strace"])),
    ]
};

/// The chore.
pub(crate) fn setup(arguments: &Arguments) -> Result<()> {
    let missing = missing(Scope::Test);
    if arguments.check && !missing.is_empty() {
        missing.iter().for_each(|need| say::line(describe(need)));
        bail!("{} of {} needs are missing; `cargo xtask setup` installs them", missing.len(), NEEDS.len());
    }
    install(&missing)?;
    say::line(format_args!("Everything is there: LLVM {}.", Tools::find()?.version()));
    Ok(())
}

/// What other chores do first: silent when nothing is missing.
pub(crate) fn ensure(scope: Scope) -> Result<()> {
    install(&missing(scope))
}

fn missing(scope: Scope) -> Vec<&'static Need> {
    let llvm = Tools::find().ok();
    NEEDS.iter().filter(|need| need.scope <= scope && !is_there(need, llvm.as_ref())).collect()
}

fn is_there(need: &Need, llvm: Option<&Tools>) -> bool {
    let in_llvm = |check: &dyn Fn(&Tools) -> bool| llvm.is_some_and(check);
    match need.place {
        Place::Program(names) => names.iter().any(|name| in_path(name)),
        Place::Header(name) => Path::new("/usr/include").join(name).exists(),
        Place::LlvmProgram(name) => in_llvm(&|llvm| llvm.path(name).exists()),
        Place::LlvmHeader(name) => in_llvm(&|llvm| llvm.headers().is_ok_and(|directory| directory.join(name).exists())),
        Place::LlvmLibrary(name) => {
            in_llvm(&|llvm| llvm.libraries().is_ok_and(|directory| directory.join(name).exists()))
        }
    }
}

fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

fn describe(need: &Need) -> String {
    format!("missing: {} ({}; package {})", need.what, need.why, need.package)
}

fn install(missing: &[&Need]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    missing.iter().for_each(|need| say::line(describe(need)));
    let mut packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this system has no apt: install LLVM 22 with its headers, clang 22, lld 22, a C++ compiler, binutils, gdb, strace and csmith, with llvm-config-22 (or an llvm-config of that version) in PATH"
        );
    }
    apt::install(&packages)?;
    still_missing(&packages)
}

/// A package can be installed and still not bring what was looked for; then it is better to stop here.
fn still_missing(packages: &[&str]) -> Result<()> {
    let left: Vec<_> = missing(Scope::Test).into_iter().filter(|need| packages.contains(&need.package)).collect();
    match left.first() {
        None => Ok(()),
        Some(need) => bail!("{} is installed, but {} isn't found", need.package, need.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_path_and_nonsense_is_not() {
        assert!(in_path("sh"));
        assert!(!in_path("no-such-program-anywhere"));
    }

    #[test]
    fn without_llvm_everything_of_llvm_is_missing() {
        for need in NEEDS {
            let of_llvm = !matches!(need.place, Place::Program(_) | Place::Header(_));
            assert!(!of_llvm || !is_there(need, None), "{}", need.what);
        }
    }
}
