//! `kill -9` at each system call of a miss and its publish.
//!
//! strace kills the command at its first call of a kind, then, in a fresh store, at its second, and so on until the run comes to
//! its end: no sleeping, no luck. After each crash the store must be whole, and the next run right.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::strace;
use crate::suite::tests;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;

tests![killed_at_each_change_of_the_disk, killed_at_each_look_at_the_disk];

/// More calls of one kind than a miss makes.
const STEPS_MAX: usize = 200;

/// Every kind of call by which a run changes the disk, each with the fewest of them that a miss makes.
const CHANGES: [(&str, usize); 9] = [
    ("mkdir", 1),
    ("write", 1),
    ("mkdirat", 6),
    ("pwrite64", 2),
    ("fsync", 3),
    ("symlinkat", 3),
    ("renameat", 3),
    ("flock", 3),
    ("unlinkat", 1),
];

/// Kinds by which it looks at the disk.
const LOOKS: [(&str, usize); 3] = [("openat", 10), ("readlinkat", 1), ("getdents64", 2)];

fn killed_at_each_change_of_the_disk() -> Result<()> {
    CHANGES.iter().try_for_each(|(call, least)| kill_at_each(call, *least))
}

fn killed_at_each_look_at_the_disk() -> Result<()> {
    LOOKS.iter().try_for_each(|(call, least)| kill_at_each(call, *least))
}

fn kill_at_each(call: &str, least: usize) -> Result<()> {
    for step in 1..STEPS_MAX {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("whole", 5))?;
        if killed(&corner, &module, call, step)? == Ending::Exit(5) {
            ensure!(step > least, "only {} calls of {call}: is it still the one that is used?", step - 1);
            return Ok(());
        }
        whole_after(&corner, &module).with_context(|| format!("killed at {call}, call {step}"))?;
    }
    bail!("{STEPS_MAX} calls of {call} and no end")
}

fn killed(corner: &Corner, module: &Path, call: &str, step: usize) -> Result<Ending> {
    let inject = format!("inject={call}:signal=KILL:when={step}");
    let traced = format!("trace={call}");
    let mut command = strace::larder(corner, &["-e", &traced, "-e", &inject])?;
    let (ran, _) = strace::trace(corner, command.arg("run").arg(module))?;
    ensure!(matches!(ran.ending, Ending::Signal(9) | Ending::Exit(5)), "step {step}: {} {}", ran.ending, ran.err());
    Ok(ran.ending)
}

fn whole_after(corner: &Corner, module: &Path) -> Result<()> {
    process::run(corner.larder()?.args(["cache", "verify"]), b"")?.success("cache verify")?;
    for _ in 0..2 {
        let (ran, report) = corner.run(&[], module)?;
        ensure!(ran.ending == Ending::Exit(5) && ran.out() == "whole\n", "{} {}{}", ran.ending, ran.out(), ran.err());
        ensure!(ran.stderr.is_empty(), "it complains: {}", ran.err());
        report.image()?;
    }
    corner.run(&[], module)?.1.must_hit()?;
    process::run(corner.larder()?.args(["cache", "gc"]), b"")?.success("cache gc")?;
    for folder in ["v1/temp", "v1/locks"] {
        let left: Vec<_> = fs::read_dir(corner.store().join(folder))?.flatten().map(|entry| entry.path()).collect();
        ensure!(left.is_empty(), "left in {folder}: {left:?}");
    }
    let left: Vec<_> = fs::read_dir(corner.tmp())?.flatten().map(|entry| entry.path()).collect();
    ensure!(left.is_empty(), "left among the temporary files: {left:?}");
    Ok(())
}
