//! Runs a program to its end and keeps what it showed.
//!
//! A program that hangs is killed after [`PATIENCE`], which shows as an ending by `SIGKILL`: a limit for the person who waits, not
//! a measure of anything.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long a program may take, on a machine that has better to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exit(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// What a program showed of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    /// Standard output as text.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Itself, if it ended with exit code 0; otherwise an error that quotes its standard error.
    pub(crate) fn success(self, what: &str) -> Result<Self> {
        if self.ending != Ending::Exit(0) {
            bail!("{what}: {}\n{}", self.ending, self.err());
        }
        Ok(self)
    }
}

/// Runs `command` with `input` on its standard input, which is then closed.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<Ran> {
    let mut child = start(command)?;
    let watchdog = watch(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = thread::scope(|scope| {
        // A program that ends without reading its input is in its right.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
        let stderr = scope.spawn(|| drain(stderr));
        (drain(stdout), stderr.join())
    });
    let ending = child.wait()?.into();
    drop(watchdog);
    Ok(Ran { ending, stdout, stderr: stderr.unwrap_or_default() })
}

/// Starts `command` with its three standard streams piped.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is what the comparison is about.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Kills `child` if the sender isn't dropped in time.
fn watch(child: &Child) -> Sender<()> {
    let (sender, receiver) = channel();
    let pid = Pid::from_child(child);
    thread::spawn(move || {
        if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    sender
}
