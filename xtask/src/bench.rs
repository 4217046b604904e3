//! `cargo xtask bench`: builds the command and the bench as users would, and starts the bench.

use anyhow::Result;

use crate::cargo::{build_command, built, cargo, program, run};
use crate::setup::{Scope, ensure};

/// What `bench` was asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the bench: --quick, --only WORK, --runs N; `--help` explains.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// The chore.
pub(crate) fn bench(arguments: &Arguments) -> Result<()> {
    ensure(Scope::Test)?;
    build_command()?;
    run(&mut cargo(["build", "--release", "-p", "larder-capi"]))?;
    // By itself: cargo would build the command anew with the union of both sets of features.
    run(&mut cargo(["build", "--release", "-p", "larder-bench"]))?;
    run(program(built("release").join("larder-bench")).args(&arguments.rest))
}
