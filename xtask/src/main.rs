//! The chores of this repository, each one command on a fresh machine: `cargo xtask setup | demo | install | test | soak | ci | bench`.
//!
//! A newcomer has Rust and gcc and nothing else; what is missing is installed before it is needed. The chores are
//! programs rather than scripts, so that they are checked and formatted like the rest.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod demo;
mod install;
mod say;
mod setup;
mod soak;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The chores of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what building and testing need: LLVM 22 and a few tools, through apt.
    Setup(setup::Arguments),
    /// Build, then run a real program twice: compiled the first time, started from the store the second.
    Demo,
    /// Build everything as users have it and put it below a prefix: the command, the worker, the C library.
    Install(install::Arguments),
    /// Run every test.
    Test(test::Arguments),
    /// Random programs, natively against cold and warm, until time is over.
    Soak(soak::Arguments),
    /// The gate: formatting, lints, documentation and every test.
    Ci,
    /// Measure Larder against its peers and write the table to bench/results.
    Bench(bench::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Setup(arguments) => setup::setup(&arguments),
        Chore::Demo => demo::demo(),
        Chore::Install(arguments) => install::install(&arguments),
        Chore::Test(arguments) => test::test(&arguments),
        Chore::Soak(arguments) => soak::soak(&arguments),
        Chore::Ci => test::ci(),
        Chore::Bench(arguments) => bench::bench(&arguments),
    }
}
