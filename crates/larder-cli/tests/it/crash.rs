//! `kill -9` at each system call of a miss and its publish.
//!
//! strace kills the command at its first call of the given kinds, then, in a fresh store, at its second, and so on until the run
//! comes to its end: no sleeping, no luck. After each crash the store must be whole, and the next run right.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::strace;
use crate::suite::tests;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;

tests![killed_at_each_change_of_the_disk, killed_at_each_look_at_the_disk];

/// More calls than a miss makes.
const STEPS_MAX: usize = 400;

fn killed_at_each_change_of_the_disk() -> Result<()> {
    kill_at_each(
        "mkdir,mkdirat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,symlinkat,unlink,unlinkat,flock,fallocate",
    )
}

fn killed_at_each_look_at_the_disk() -> Result<()> {
    kill_at_each("openat,readlinkat,statx,newfstatat,fstat,mmap,mprotect,getdents64")
}

fn kill_at_each(calls: &str) -> Result<()> {
    for step in 1..STEPS_MAX {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("whole", 5))?;
        // Without the worker's note each run would begin with the same dozen questions to it.
        if killed(&corner, &module, calls, step)? == Ending::Exit(5) {
            ensure!(step > 5, "only {step} calls were traced: {calls}");
            return Ok(());
        }
        whole_after(&corner, &module).with_context(|| format!("killed at call {step} of {calls}"))?;
    }
    bail!("{STEPS_MAX} calls and no end: {calls}")
}

fn killed(corner: &Corner, module: &Path, calls: &str, step: usize) -> Result<Ending> {
    let inject = format!("inject={calls}:signal=KILL:when={step}");
    let traced = format!("trace={calls}");
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
