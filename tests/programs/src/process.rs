//! One run of a program that may never end.
//!
//! What is limited is processor time, which doesn't depend on what else the machine does: a random program is passed over
//! everywhere or nowhere. A program that waits for ever is ended too, much later.

use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

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

/// How much longer than its processor time a program may be there, on a machine with a lot to do.
const WAIT_FACTOR: u32 = 20;

/// Runs a program with nothing on standard input. It, and each process that it starts, may use that much processor time.
pub(crate) fn finish(command: &Command, patience: Duration) -> Result<Ran> {
    let mut command = limited(command, patience);
    // Files and not pipes: a program that is never read from would stand still.
    let [mut stdout, mut stderr] = [tempfile::tempfile()?, tempfile::tempfile()?];
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let has_ended =
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&Timespec::try_from(patience * WAIT_FACTOR)?))? > 0;
    if !has_ended {
        child.kill()?;
    }
    let status = child.wait()?;
    let ending = match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
        (Some(code), _) => Ending::Exit(code),
        (None, Some(Signal::XCPU | Signal::KILL)) => Ending::TimedOut,
        (None, _) => Ending::Signal(status.signal().unwrap_or_default()),
    };
    let mut content = [Vec::new(), Vec::new()];
    for (file, content) in [&mut stdout, &mut stderr].into_iter().zip(&mut content) {
        file.rewind()?;
        file.read_to_end(content)?;
    }
    let [stdout, stderr] = content;
    Ok(Ran { ending, stdout, stderr })
}

/// The command, started by a shell that sets the limit.
fn limited(command: &Command, patience: Duration) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -t \"$0\" && exec \"$@\"", &patience.as_secs().to_string()]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_apart() -> Result<()> {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            finish(command.args(["-c", script]), Duration::from_secs(1)).map(|ran| ran.ending)
        };
        assert_eq!(shell("exit 3")?, Ending::Exit(3));
        assert_eq!(shell("kill -11 $$")?, Ending::Signal(11));
        assert_eq!(shell("while :; do :; done")?, Ending::TimedOut);
        Ok(())
    }

    #[test]
    fn a_run_shows_what_was_printed_where_it_was_told_to() -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "pwd; echo $WORD >&2"]).current_dir("/").env("WORD", "said");
        let ran = finish(&command, Duration::from_secs(1))?;
        assert_eq!((&ran.stdout[..], ran.complaint()), (&b"/\n"[..], "said".to_owned()));
        Ok(())
    }
}
