//! One run of a program that may never end.

use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
    TimedOut,
}

/// What a program showed of itself.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    /// Whether two runs ended alike and printed the same.
    pub(crate) fn shows_the_same(&self, other: &Ran) -> bool {
        self.ending == other.ending && self.stdout == other.stdout
    }

    /// The first line on standard error, which usually names the reason.
    pub(crate) fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).lines().next().unwrap_or_default().to_owned()
    }
}

/// Runs a program with nothing on standard input, and ends it after `patience`.
pub(crate) fn finish(command: &mut Command, patience: Duration) -> Result<Ran> {
    // Files and not pipes: a program that is never read from would stand still.
    let [mut stdout, mut stderr] = [tempfile::tempfile()?, tempfile::tempfile()?];
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let has_ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&Timespec::try_from(patience)?))? > 0;
    if !has_ended {
        child.kill()?;
    }
    let status = child.wait()?;
    let ending = match (has_ended, status.code()) {
        (false, _) => Ending::TimedOut,
        (true, Some(code)) => Ending::Exit(code),
        (true, None) => Ending::Signal(status.signal().unwrap_or_default()),
    };
    let mut content = [Vec::new(), Vec::new()];
    for (file, content) in [&mut stdout, &mut stderr].into_iter().zip(&mut content) {
        file.rewind()?;
        file.read_to_end(content)?;
    }
    let [stdout, stderr] = content;
    Ok(Ran { ending, stdout, stderr })
}
