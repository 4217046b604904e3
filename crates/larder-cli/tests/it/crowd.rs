//! Several processes that want the same code at the same time.

use crate::ir;
use crate::larder::Corner;
use crate::process;
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;

tests![eight_compile_once, a_waiter_takes_over];

const CROWD: usize = 8;

/// All wait for the module on their standard input, so all look for it at the same time.
fn eight_compile_once() -> Result<()> {
    let corner = Corner::new()?;
    let module = ir::laborious(60);
    let mut children = Vec::new();
    for number in 0..CROWD {
        let mut command = corner.larder()?;
        command.args(["run", "--report"]).arg(report(&corner, number)).arg("-");
        children.push(process::start(&mut command)?);
    }
    for child in &mut children {
        child.stdin.take().context("no pipe")?.write_all(module.as_bytes())?;
    }
    let mut compiled = 0;
    for (number, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(report(&corner, number))?;
        let json: serde_json::Value = serde_json::from_str(&text)?;
        compiled += usize::from(json["outcome"] == "miss");
    }
    ensure!(compiled == 1, "{compiled} of {CROWD} compiled");
    let entries = fs::read_dir(corner.store().join("v1/entries"))?.count();
    ensure!(entries == 1, "{entries} entries");
    Ok(())
}

fn report(corner: &Corner, number: usize) -> PathBuf {
    corner.work().join(format!("report-{number}.json"))
}

/// The first has a worker that never answers and is killed; whoever came after it compiles.
fn a_waiter_takes_over() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("taken over", 0))?;
    let (mut stuck, worker) = stuck_run(&corner, &module)?;
    let mut waiter = process::start(corner.larder()?.arg("run").arg(&module))?;
    kill_process(Pid::from_child(&stuck), Signal::KILL)?;
    stuck.wait()?;
    kill_process(worker, Signal::KILL)?;
    let mut said = String::new();
    waiter.stdout.take().context("no pipe")?.read_to_string(&mut said)?;
    ensure!(waiter.wait()?.success() && said == "taken over\n", "the waiter said {said:?}");
    Ok(())
}

/// A run that has the lease and waits for its worker, for ever; and that worker.
fn stuck_run(corner: &Corner, module: &PathBuf) -> Result<(Child, Pid)> {
    let fifo = corner.work().join("fifo");
    process::run(corner.command("mkfifo").arg(&fifo), b"")?.success("mkfifo")?;
    // The first run's question for the toolchain is answered by the real worker, the compilation by nobody.
    let real = crate::tools::worker()?;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--version-json*) exec {} \"$@\";;\nesac\necho $$ > {}\nexec sleep 1000\n",
        real.display(),
        fifo.display()
    );
    // Open for both, so that neither end waits for the other.
    let signs = File::options().read(true).write(true).open(&fifo)?;
    let worker = corner.write("stuck-worker", script)?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700))?;
    let child = process::start(corner.larder()?.env("LARDER_WORKER", worker).arg("run").arg(module))?;
    ensure!(is_readable(&signs)?, "the worker was never started");
    let mut line = String::new();
    BufReader::new(signs).read_line(&mut line)?;
    let pid = Pid::from_raw(line.trim_end().parse()?).context("no process id")?;
    Ok((child, pid))
}

/// Waits until there is something to read: for as long as a person would.
fn is_readable(file: &File) -> Result<bool> {
    let mut events = [PollFd::new(file, PollFlags::IN)];
    let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
    Ok(poll(&mut events, Some(&patience))? > 0)
}
