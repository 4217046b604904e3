//! `cargo xtask test` and `cargo xtask ci`: all tests, and the gate around them.
//!
//! Tests of several crates start the command and the worker, which cargo builds only for the crate that owns them. So
//! both are built first, with the profile of the tests (everything is compiled once), and their places are passed on in
//! `LARDER_COMMAND` and `LARDER_WORKER`. The bench is built by nothing here: it needs peers that tests don't.

use anyhow::Result;

use crate::cargo::{built, cargo, run};
use crate::say;
use crate::setup::{Scope, ensure};

/// What `test` was asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to `cargo test`, such as `-p larder-link` or a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

const EVERYTHING: [&str; 3] = ["--workspace", "--exclude", "larder-bench"];

/// The library, as applications have it that hold LLVM themselves.
const IN_PROCESS: [&str; 4] = ["-p", "larder", "--features", "in-process"];

/// The chore `test`.
pub(crate) fn test(arguments: &Arguments) -> Result<()> {
    ensure(Scope::Test)?;
    run_tests(&arguments.rest)
}

/// The chore `ci`.
pub(crate) fn ci() -> Result<()> {
    ensure(Scope::Test)?;
    say::step("formatting");
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    say::step("lints");
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo(["clippy"]).args(IN_PROCESS).args(["--all-targets", "--", "-D", "warnings"]))?;
    say::step("documentation");
    run(cargo(["doc", "--no-deps"]).args(EVERYTHING).env("RUSTDOCFLAGS", "-D warnings"))?;
    run_tests(&[])
}

fn run_tests(rest: &[String]) -> Result<()> {
    say::step("the command and the worker");
    // Of the same packages as the tests: with fewer, cargo would choose other features and compile much of it twice.
    run(cargo(["build", "--bins"]).args(EVERYTHING))?;
    say::step("tests");
    // Without a choice of packages, all of them.
    let chosen = rest.iter().any(|word| word == "-p" || word.starts_with("--package"));
    let packages: &[&str] = if chosen { &[] } else { &EVERYTHING };
    let mut tests = cargo(["test"]);
    tests.args(packages).args(rest);
    tests.env("LARDER_COMMAND", built("debug").join("larder"));
    tests.env("LARDER_WORKER", built("debug").join("larder-worker"));
    run(&mut tests)?;
    if rest.is_empty() { run_tests_in_process() } else { Ok(()) }
}

/// The library's tests once more, with LLVM in their own process. By itself: features count for all packages that are built at once.
fn run_tests_in_process() -> Result<()> {
    say::step("tests of compiling in the application's process");
    let mut tests = cargo(["test"]);
    tests.args(IN_PROCESS).args(["--test", "it"]).env("LARDER_WORKER", built("debug").join("larder-worker"));
    run(&mut tests)
}
