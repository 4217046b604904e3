//! Questions about several modules: what linkers see of each, and all of them as one.

use larder_format::wire::{ModulesRequest, Reply, Request};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use super::conversation::{End, Heard, LONG, Verdict, read_replies, read_tail};
use super::peer::{Peer, send_all};
use super::{CompileError, Compiled, Limits, Symbols, Worker};

/// What a worker answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Of each module.
    pub(super) symbols: Vec<Symbols>,
    /// Bitcode.
    pub(super) linked: Vec<Vec<u8>>,
}

/// Asks a worker of its own.
pub(super) fn ask(
    worker: &Worker,
    request: &ModulesRequest,
    modules: &[(&str, &[u8])],
    limits: &Limits,
) -> Result<Answers, CompileError> {
    let deadline = Instant::now() + limits.timeout.unwrap_or(LONG);
    let (mut peer, pipes) = Peer::start(worker)?;
    let mut answers = Answers::default();
    let end = thread::scope(|scope| {
        let (sender, replies) = channel();
        scope.spawn(|| write(pipes.stdin, request, modules));
        scope.spawn(move || read_replies(pipes.stdout, &sender));
        let stderr = scope.spawn(|| read_tail(pipes.stderr));
        let mut compiled = Compiled::default();
        let heard = listen(&replies, deadline, &mut answers, &mut compiled);
        drop(replies);
        let signal = peer.end(&heard);
        let stderr = stderr.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        End { heard, signal, stderr, compiled }
    });
    end.judge(worker, limits)?;
    Ok(answers)
}

/// A worker that doesn't read on has failed, and its last frame or its signal says why: errors here say less.
fn write(socket: UnixStream, request: &ModulesRequest, modules: &[(&str, &[u8])]) {
    let sent = send_all(&socket, &request.encode());
    let _ = sent.and_then(|()| {
        modules.iter().try_for_each(|(_, bytes)| {
            send_all(&socket, &Request::module_head(bytes.len()))?;
            send_all(&socket, bytes)
        })
    });
}

fn listen(replies: &Receiver<Heard>, deadline: Instant, answers: &mut Answers, compiled: &mut Compiled) -> Verdict {
    loop {
        match replies.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(Reply::Symbols(symbols))) => answers.symbols.push(Symbols(symbols.symbols)),
            Ok(Ok(Reply::Object(object))) => answers.linked.push(object.bytes),
            Ok(Ok(Reply::Diagnostic(diagnostic))) => compiled.warnings.push(diagnostic),
            Ok(Ok(Reply::Done(done))) => return Verdict::Done(done),
            Ok(Ok(Reply::Failed(failed))) => return Verdict::Failed(failed),
            Ok(Ok(_)) => return Verdict::Silence("it answers another question".to_owned()),
            Ok(Err(why)) => return Verdict::Silence(why),
            Err(RecvTimeoutError::Timeout) => return Verdict::TimedOut,
            Err(RecvTimeoutError::Disconnected) => return Verdict::Silence("it was cut off".to_owned()),
        }
    }
}
