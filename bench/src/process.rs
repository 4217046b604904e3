//! One run of a program: how long, how it ended, what it printed.
//!
//! Time is taken from before the program is spawned until the system says that it is gone. Output goes to files, so that
//! nothing is read while the clock runs. A run that lasts too long is killed.

use std::fs::File;
use std::io::{Read, Seek};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// What became of one run.
pub(crate) struct Ran {
    pub(crate) time: Duration,
    /// Of all processors, by it and the processes that it waited for.
    pub(crate) processor_time: Duration,
    /// The most memory that it, or any one process that it waited for, had in use: resident bytes.
    pub(crate) peak_len: u64,
    pub(crate) ending: Ending,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(i32),
    Signal(i32),
    TimedOut,
}

impl Ran {
    /// Whether two runs did the same; if not, how this one differs.
    pub(crate) fn differs_from(&self, expected: &Ran) -> Option<String> {
        if self.ending != expected.ending {
            return Some(format!("{:?}: {}", self.ending, self.complaint()));
        }
        (self.stdout != expected.stdout).then(|| "wrong output".to_owned())
    }

    /// The first line on standard error, which usually names the reason. Directories are left out: they say where the bench
    /// was run, not what happened.
    pub(crate) fn complaint(&self) -> String {
        let said = String::from_utf8_lossy(&self.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let words = line
            .split(' ')
            .map(|word| if word.starts_with('/') { word.rsplit('/').next().unwrap_or(word) } else { word });
        words.collect::<Vec<_>>().join(" ").chars().take(160).collect()
    }
}

/// Runs a program to its end with nothing on standard input, at most `limit` long.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ran> {
    let [mut stdout, mut stderr] = [tempfile::tempfile()?, tempfile::tempfile()?];
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let pid = Pid::from_raw(child.id().cast_signed()).context("a process without an id")?;
    let timed_out = !ends_within(pid, limit)?;
    if timed_out {
        kill_process(pid, Signal::KILL)?;
    }
    let (ending, peak_len, processor_time) = wait(pid)?;
    let time = start.elapsed();
    let ending = if timed_out { Ending::TimedOut } else { ending };
    Ok(Ran { time, processor_time, peak_len, ending, stdout: content(&mut stdout)?, stderr: content(&mut stderr)? })
}

fn ends_within(pid: Pid, limit: Duration) -> Result<bool> {
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ends = [PollFd::new(&handle, PollFlags::IN)];
    Ok(poll(&mut ends, Some(&Timespec::try_from(limit)?))? > 0)
}

/// How it ended, its peak of memory in bytes, and its processor time.
fn wait(pid: Pid) -> Result<(Ending, u64, Duration)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: both places are ours and large enough; the child is ours, so its id can't have been given to another process.
    let waited = unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, usage.as_mut_ptr()) };
    if waited < 0 {
        bail!(std::io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it has filled this in.
    let usage = unsafe { usage.assume_init() };
    let ending = match (libc::WIFEXITED(status), libc::WIFSIGNALED(status)) {
        (true, _) => Ending::Code(libc::WEXITSTATUS(status)),
        (_, true) => Ending::Signal(libc::WTERMSIG(status)),
        _ => bail!("a process that neither exited nor was killed"),
    };
    let processor_time = duration(usage.ru_utime)? + duration(usage.ru_stime)?;
    Ok((ending, u64::try_from(usage.ru_maxrss)? * 1024, processor_time))
}

fn duration(time: libc::timeval) -> Result<Duration> {
    Ok(Duration::from_secs(time.tv_sec.try_into()?) + Duration::from_micros(time.tv_usec.try_into()?))
}

fn content(file: &mut File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Ran> {
        run(Command::new("sh").args(["-c", script]), Duration::from_secs(2))
    }

    #[test]
    fn endings_are_told_apart() -> Result<()> {
        for (script, expected) in
            [("exit 3", Ending::Code(3)), ("kill -9 $$", Ending::Signal(9)), ("while :; do :; done", Ending::TimedOut)]
        {
            assert_eq!(shell(script)?.ending, expected, "{script}");
        }
        Ok(())
    }

    #[test]
    fn the_peak_is_that_of_the_largest_process() -> Result<()> {
        let hungry = "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c";
        let small = shell("true")?.peak_len;
        let large = shell(hungry)?.peak_len;
        assert!(small < 50_000_000 && large > 90_000_000, "{small} {large}");
        Ok(())
    }

    #[test]
    fn differences_are_named() -> Result<()> {
        let expected = shell("echo one")?;
        assert_eq!(shell("echo one; echo aside >&2")?.differs_from(&expected), None);
        assert_eq!(shell("echo two")?.differs_from(&expected), Some("wrong output".into()));
        let failed = shell("echo one; echo no such /tmp/thing >&2; exit 1")?;
        assert_eq!(failed.differs_from(&expected), Some("Code(1): no such thing".into()));
        Ok(())
    }
}
