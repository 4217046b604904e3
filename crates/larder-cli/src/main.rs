//! The `larder` command: what `lli` is for people at a shell, with code that is kept.
//!
//! What was typed ([`args`]) is kept apart from what is done about it: each subcommand is a module of its own. Standard output belongs
//! to the program that runs, or to what a subcommand prints as its result; everything that the command itself has to say goes to
//! standard error and begins with `larder:`.
//!
//! The command takes the C library's `main` instead of Rust's, so that a program that it runs finds the process as a native
//! program would: SIGPIPE as it was inherited, no signal stack, no handlers.

#![cfg_attr(not(test), no_main)]
#![deny(unsafe_code)]
#![expect(clippy::print_stderr, reason = "this is the command line")]

use anyhow::Context;
use args::{Args, Command};
use std::ffi::{c_char, c_int};
use std::io::Write;

mod args;
mod build;
mod builtins;
mod cache;
mod doctor;
mod entry;
mod inputs;
mod inspect;
mod libraries;
mod lli;
mod progress;
mod report;
mod run;
#[expect(unsafe_code, reason = "an exit handler is registered")]
mod running;
#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "functions of the unwinder are defined, and the library that has them is opened")]
mod unwinder;
mod verify;

/// Exit code of a failure of `larder` itself, as `env`, `timeout` and container tools have it: programs seldom use it.
const EXIT_LARDER: c_int = 125;

/// The same when the command is called as `lli`.
const EXIT_LLI: c_int = 1;

/// Where the C library starts the program.
#[cfg_attr(
    not(test),
    expect(unsafe_code, reason = "the name is the C library's; there is no other main in this program")
)]
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    // A bug of ours is a message (std has printed it by then) and an exit code; a panic may not pass through C.
    std::panic::catch_unwind(command).unwrap_or_else(|_| exit_of_failure())
}

fn command() -> c_int {
    // The arguments are those that the C library has handed to std as well.
    match Args::of_process() {
        Ok(args) => finish(dispatch(args)),
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(error) => {
                let printed = error.print();
                if error.use_stderr() || printed.is_err() { exit_of_failure() } else { 0 }
            }
            Err(error) => finish(Err(error)),
        },
    }
}

fn exit_of_failure() -> c_int {
    if lli::called_as_lli().is_some() { EXIT_LLI } else { EXIT_LARDER }
}

fn dispatch(args: Args) -> anyhow::Result<c_int> {
    let store = args.store;
    // The program that runs has standard output for itself.
    if let Command::Run(run) = &args.command {
        return run::run(&store, run);
    }
    let mut out = Vec::new();
    let code = match args.command {
        Command::Run(_) => 0,
        Command::Build(build) => build::build(&store, &build)?,
        Command::Inspect(inspect) => inspect::inspect(&inspect, &mut out)?,
        Command::Verify(verify) => verify::verify(&verify, &mut out)?,
        Command::Cache(cache) => cache::cache(&store, &cache, &mut out)?,
        Command::Doctor(doctor) => doctor::doctor(&store, &doctor, &mut out)?,
        Command::LliOptions => {
            out = lli::options();
            0
        }
        Command::Completions { shell } => {
            out = args::completions(shell);
            0
        }
    };
    std::io::stdout().lock().write_all(&out).context("cannot write to standard output")?;
    Ok(code)
}

fn finish(result: anyhow::Result<c_int>) -> c_int {
    match result {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            exit_of_failure()
        }
    }
}
