//! The command as its users meet it: programs in, output and exit status out.
//!
//! Problem: a cache of native code is only worth having if nobody can tell it from no cache, except by the clock.
//!
//! Idea: the main oracle is agreement. Every program of `tests/cases` is run natively, by `lli`, as a shared library, and by
//! `larder` cold and warm; whatever one of them shows, all must show. The other modules then damage, share, fill and forge the
//! store, and expect the same agreement. Cases are files, so the list of tests is made at run time, and each has a name of its own.
//!
//! Assumptions: LLVM 22's programs are found through `llvm-config-22`; `larder-worker` is built (`cargo xtask test` does both).
//! What one machine lacks (strace, gdb, the right to mount) is skipped, and the reason printed.
//!
//! Not done here: what needs no process (every byte flipped in memory, every fault of a disk) is tested in the crate that owns it.

mod builtins;
mod cache;
mod cases;
mod copies;
mod crash;
mod crowd;
mod damage;
mod debugging;
mod help;
mod inputs;
mod ir;
mod languages;
mod larder;
mod libraries;
mod lli;
mod options;
mod places;
mod platforms;
mod plugins;
mod process;
mod processors;
mod profiles;
mod programs;
mod random;
mod sanitizers;
mod stale;
mod strace;
mod streams;
mod suite;
mod syscalls;
mod tools;
mod trace;
mod unwritable;
mod worker;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let modules = [
        builtins::trials(),
        cache::trials(),
        cases::trials(),
        copies::trials(),
        crash::trials(),
        crowd::trials(),
        damage::trials(),
        debugging::trials(),
        help::trials(),
        languages::trials(),
        libraries::trials(),
        lli::trials(),
        inputs::trials(),
        options::trials(),
        places::trials(),
        platforms::trials(),
        plugins::trials(),
        processors::trials(),
        profiles::trials(),
        programs::trials(),
        random::trials(),
        sanitizers::trials(),
        stale::trials(),
        streams::trials(),
        syscalls::trials(),
        trace::trials(),
        unwritable::trials(),
        worker::trials(),
    ];
    let trials: Vec<Trial> = modules.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
