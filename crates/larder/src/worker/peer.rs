//! The other side of a conversation: as a rule a process, and where the application asks for it a thread of its own process.
//!
//! What a worker reads is a socket: writing to a pipe that nobody reads any more would raise SIGPIPE, which ends a program that left
//! it at its default, and changing that default is the application's affair.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::conversation::Verdict;
#[cfg(feature = "in-process")]
use super::in_process::Service;
use super::{CompileError, Place, Worker};

/// How long a worker may take to end after it closed its pipe, and how often it is looked after meanwhile.
pub(super) const GRACE: Duration = Duration::from_secs(2);
const GRACE_STEP: Duration = Duration::from_millis(2);

/// Who answers.
#[derive(Debug)]
pub(super) enum Peer {
    Program(Child),
    #[cfg(feature = "in-process")]
    Thread(Service),
}

/// The streams of a conversation.
pub(super) struct Pipes {
    pub(super) stdin: UnixStream,
    pub(super) stdout: Box<dyn Read + Send>,
    /// What is printed meanwhile.
    pub(super) stderr: Box<dyn Read + Send>,
}

impl Peer {
    pub(super) fn start(worker: &Worker) -> Result<(Peer, Pipes), CompileError> {
        let started = match &worker.place {
            Place::Program(path) => start_program(Command::new(path)),
            #[cfg(feature = "in-process")]
            Place::Here => Service::start().map(|(service, pipes)| (Peer::Thread(service), pipes)),
        };
        started.map_err(|error| worker.start_error(&error))
    }

    /// The number of the process that compiles.
    pub(super) fn id(&self) -> u32 {
        match self {
            Peer::Program(child) => child.id(),
            #[cfg(feature = "in-process")]
            Peer::Thread(_) => std::process::id(),
        }
    }

    /// Waits for its end, and says by which signal, if it was one. One that has no reason to live on is killed; a thread can't be.
    pub(super) fn end(&mut self, verdict: &Verdict) -> Option<i32> {
        match self {
            Peer::Program(child) => bury(child, verdict).ok()?.signal(),
            #[cfg(feature = "in-process")]
            Peer::Thread(service) => {
                service.end();
                None
            }
        }
    }
}

fn start_program(mut command: Command) -> std::io::Result<(Peer, Pipes)> {
    let (stdin, theirs) = UnixStream::pair()?;
    let command = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both were asked for")
    };
    Ok((Peer::Program(child), Pipes { stdin, stdout: Box::new(stdout), stderr: Box::new(stderr) }))
}

fn bury(child: &mut Child, verdict: &Verdict) -> std::io::Result<ExitStatus> {
    // A worker whose pipe is closed is about to end by itself, by a signal worth knowing; but perhaps it only closed it.
    if matches!(verdict, Verdict::Silence(_)) {
        let patience = Instant::now() + GRACE;
        while Instant::now() < patience {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(GRACE_STEP);
        }
    }
    let _ = child.kill();
    child.wait()
}

/// Writes all of it, or says that nobody reads on.
pub(super) fn send_all(socket: &UnixStream, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
