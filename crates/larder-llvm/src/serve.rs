//! The compiler's side of a conversation: one request is read, and answered in frames.
//!
//! The same conversation is held in two places: by the program `larder-worker` over its standard streams, and by a thread of an application that
//! has LLVM in its own process and wants no other, over sockets. What differs is the process around it, which is a [`Host`].
//!
//! After the request, what is read are answers to questions: whether the client has the object of a part already.
//!
//! Not done: time limits, which are the client's to enforce.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use larder_format::wire::{
    Answer, Diagnostic, Done, Failed, FrameHead, FrameKind, HEAD_LEN, ModulesRequest, Object, Progress, Question,
    Reply, Request, WireError,
};
use thiserror::Error;

use crate::compile::{Events, STACK_LEN, compile};
use crate::error::CompileError;
use crate::modules::about_modules;
use crate::toolchain::{Toolchain, ToolchainError};

/// The process around a conversation.
pub trait Host: Sync {
    /// Sends a reply, whole. Called from several threads at once.
    fn send(&self, reply: &Reply);
    /// Whether somebody still waits for replies. If not, what can be left out of the work is.
    fn is_awaited(&self) -> bool;
    /// Keeps what this process takes of its address space below `max` bytes, if that can be asked of it.
    fn limit_memory(&self, max: u64) -> io::Result<()>;
    /// Whether the process ends with the conversation: then there is no use in giving memory back.
    fn ends(&self) -> bool;
}

/// Why there was no conversation.
#[derive(Debug, Error)]
pub enum ServeError {
    /// What was read isn't a frame.
    #[error("no request: {0}")]
    Frame(#[from] WireError),
    /// It is a frame that doesn't belong there.
    #[error("a {found:?} frame instead of {expected}")]
    Unexpected {
        /// What was read.
        found: FrameKind,
        /// What should have been.
        expected: &'static str,
    },
    /// Reading failed, or the host can't limit memory, or there can't be one more thread.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nobody knows what generates the code.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
}

/// Reads a request and answers it. [`start`](crate::start) or [`register`](crate::register) comes first. A thread goes on reading until `input`
/// ends, if the request says that answers are going to come.
///
/// # Errors
/// There is no request, or not all of it. What is wrong with its module is told to the client instead.
pub fn serve(mut input: impl Read + Send + 'static, host: &dyn Host) -> Result<(), ServeError> {
    let reply = match read_any_frame(&mut input)? {
        (FrameKind::Request, payload) => {
            let request = Request::decode(&payload)?;
            request.memory_max.map_or(Ok(()), |max| host.limit_memory(max))?;
            let module = read_module(&mut input)?;
            let answers = Arc::new(Answers::default());
            if request.asks {
                answers.start(input);
            }
            answer(&request, &module, &Conversation { host, answers: &answers })?
        }
        (FrameKind::ModulesRequest, payload) => {
            let request = ModulesRequest::decode(&payload)?;
            request.memory_max.map_or(Ok(()), |max| host.limit_memory(max))?;
            let modules = request.names.iter().map(|_| read_module(&mut input)).collect::<Result<Vec<_>, _>>()?;
            answer_about_modules(&request, &modules, &Conversation { host, answers: &Answers::default() })?
        }
        (found, _) => return Err(ServeError::Unexpected { found, expected: "a request" }),
    };
    host.send(&reply);
    Ok(())
}

fn answer(request: &Request, module: &[u8], client: &Conversation<'_>) -> Result<Reply, ServeError> {
    let toolchain = Toolchain::current()?.name;
    Ok(match compile(request, module, &toolchain, client) {
        Ok(compiled) => Reply::Done(Done {
            timings: compiled.timings,
            parts: compiled.parts,
            toolchain,
            required_features: compiled.required_features,
            dispatched_features: compiled.dispatched_features,
            partition_count: compiled.partition_count,
            session_objects: compiled.session_objects,
            pointers: compiled.pointers,
        }),
        Err(error) => failed(&error),
    })
}

fn answer_about_modules(
    request: &ModulesRequest,
    modules: &[Vec<u8>],
    client: &Conversation<'_>,
) -> Result<Reply, ServeError> {
    // LLVM recurses over what it reads.
    let builder = thread::Builder::new().stack_size(STACK_LEN);
    let answered = thread::scope(|scope| -> io::Result<_> {
        let answering = builder
            .spawn_scoped(scope, || about_modules(request, modules, client, &|reply| client.host.send(&reply)))?;
        Ok(answering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(match answered {
        Ok(()) => Reply::Done(Done {
            timings: Vec::new(),
            parts: Vec::new(),
            toolchain: Toolchain::current()?.name,
            required_features: Vec::new(),
            dispatched_features: Vec::new(),
            partition_count: 0,
            session_objects: Vec::new(),
            pointers: Vec::new(),
        }),
        Err(error) => failed(&error),
    })
}

fn failed(error: &CompileError) -> Reply {
    Reply::Failed(Failed { kind: error.kind(), message: error.to_string() })
}

fn read_module(input: &mut impl Read) -> Result<Vec<u8>, ServeError> {
    match read_any_frame(input)? {
        (FrameKind::Module, payload) => Ok(payload),
        (found, _) => Err(ServeError::Unexpected { found, expected: "a module" }),
    }
}

/// Reads one frame. Memory is taken as bytes arrive, never because a head promises them.
fn read_any_frame(input: &mut impl Read) -> Result<(FrameKind, Vec<u8>), ServeError> {
    let mut head = [0; HEAD_LEN];
    input.read_exact(&mut head)?;
    let head = FrameHead::decode(&head)?;
    let mut payload = Vec::new();
    input.take(head.payload_len).read_to_end(&mut payload)?;
    let have = payload.len() as u64;
    if have < head.payload_len {
        return Err(WireError::Truncated { have, need: head.payload_len }.into());
    }
    Ok((head.kind, payload))
}

/// The client, as the compiler sees it.
struct Conversation<'a> {
    host: &'a dyn Host,
    answers: &'a Answers,
}

impl Events for Conversation<'_> {
    fn diagnostic(&self, diagnostic: Diagnostic) {
        self.host.send(&Reply::Diagnostic(diagnostic));
    }

    fn progress(&self, progress: Progress) {
        self.host.send(&Reply::Progress(progress));
    }

    fn object(&self, object: Object) {
        self.host.send(&Reply::Object(object));
    }

    fn rescued(&self, bitcode: &[u8]) {
        self.host.send(&Reply::Module(bitcode.to_vec()));
    }

    fn is_kept(&self, question: Question) -> bool {
        let part = question.part;
        self.host.send(&Reply::Question(question));
        self.answers.wait(part)
    }

    fn is_awaited(&self) -> bool {
        self.host.is_awaited()
    }

    fn is_last(&self) -> bool {
        self.host.ends()
    }
}

/// What the client said of parts.
#[derive(Default)]
struct Answers {
    state: Mutex<AnswerState>,
    changed: Condvar,
}

#[derive(Default)]
struct AnswerState {
    is_kept: HashMap<u32, bool>,
    /// No answer will come any more.
    is_over: bool,
}

impl Answers {
    /// Begins to take answers. Without a thread for that, none comes.
    fn start(self: &Arc<Self>, input: impl Read + Send + 'static) {
        let answers = Arc::clone(self);
        let listener = thread::Builder::new().name("answers".to_owned());
        if listener.spawn(move || answers.listen(input)).is_err() {
            self.note(|state| state.is_over = true);
        }
    }

    /// Takes answers until there are no more.
    fn listen(&self, mut input: impl Read) {
        while let Ok((FrameKind::Answer, payload)) = read_any_frame(&mut input) {
            let Ok(answer) = Answer::decode(&payload) else { break };
            self.note(|state| state.is_kept.insert(answer.part, answer.is_kept));
        }
        self.note(|state| state.is_over = true);
    }

    fn lock(&self) -> MutexGuard<'_, AnswerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, change: impl FnOnce(&mut AnswerState) -> T) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Whether the client has the part's object. One that doesn't say so, hasn't.
    fn wait(&self, part: u32) -> bool {
        let mut state = self.lock();
        loop {
            if let Some(is_kept) = state.is_kept.remove(&part) {
                return is_kept;
            }
            if state.is_over {
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
