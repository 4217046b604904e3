//! The program that holds LLVM: reads one request from standard input, writes frames to standard output, ends. What it reads
//! after the request are answers to its own questions.
//!
//! The problem: LLVM may crash, loop, or end the process on an error of its own, and it must not take an application with it. So
//! it lives here, one process per module. The client is the `worker` module of crate `larder`, the frames are those of
//! `larder_format::wire`.
//!
//! What this program does about its own end:
//!
//! * Dies with its client (`PR_SET_PDEATHSIG`), leaves no core file, writes no file at all.
//! * Obeys the memory limit of the request, and says so when it was too low, without needing memory to say it.
//! * Keeps standard output for frames: what LLVM prints there by itself goes to standard error.
//!
//! Not done: time limits, which are the client's to enforce.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, bail};
use larder_format::wire::{
    Answer, Diagnostic, Done, Failed, FailureKind, FrameHead, FrameKind, HEAD_LEN, ModulesRequest, Object, Progress,
    Question, Reply, Request, VERSION, WireError, WorkerVersion,
};
use larder_llvm::{CompileError, Events, Toolchain, about_modules, compile, start};
use mimalloc::MiMalloc;
use rustix::process::{Resource, Rlimit, Signal};

const HELP: &str = "\
larder-worker compiles LLVM IR for larder, which starts it. It isn't meant for people: it reads a request in frames from
standard input and answers in frames on standard output. Use `larder build` or `larder run` instead.

    larder-worker --version-json    print the toolchain and the libLLVM file, as JSON
    larder-worker --help            print this
";

/// Eight times what `opt` gets from the system.
const STACK_LEN: usize = 64 << 20;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => serve(),
        [option] if option == "--version-json" => print_version(),
        [option] if option == "--help" || option == "-h" => print(HELP),
        _ => Err(anyhow::anyhow!("unknown arguments; see larder-worker --help")),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    // Standard error may be gone with the client.
    let _ = writeln!(io::stderr(), "larder-worker: {error:#}");
    ExitCode::from(2)
}

fn print(text: &str) -> Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn print_version() -> Result<()> {
    let toolchain = Toolchain::current()?;
    let libllvm = toolchain.libllvm.into_os_string().into_string();
    let libllvm = libllvm.map_err(|path| anyhow::anyhow!("{} is no UTF-8", path.display()))?;
    let version = WorkerVersion { wire_version: VERSION, toolchain: toolchain.name, libllvm };
    print(&format!("{}\n", serde_json::to_string(&version)?))
}

fn serve() -> Result<()> {
    let output = Output::take()?;
    end_with_client()?;
    start(on_fatal);
    let mut input = io::stdin().lock();
    let reply = match read_any_frame(&mut input)? {
        (FrameKind::Request, payload) => {
            let request = Request::decode(&payload)?;
            limit_memory(request.memory_max)?;
            let module = read_frame(&mut input, FrameKind::Module)?;
            drop(input);
            if request.asks {
                output.answers.start();
            }
            answer(&request, &module, output)?
        }
        (FrameKind::ModulesRequest, payload) => {
            let request = ModulesRequest::decode(&payload)?;
            limit_memory(request.memory_max)?;
            let modules = request.names.iter().map(|_| read_frame(&mut input, FrameKind::Module));
            answer_about_modules(&request, &modules.collect::<Result<Vec<_>>>()?, output)?
        }
        (other, _) => bail!("a {other:?} frame instead of a request"),
    };
    output.send(&reply);
    // Nothing is left to save, and taking LLVM down would only cost time.
    std::process::exit(0)
}

fn answer(request: &Request, module: &[u8], output: &Output) -> Result<Reply> {
    let toolchain = Toolchain::current()?.name;
    Ok(match compile(request, module, &toolchain, output) {
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

fn answer_about_modules(request: &ModulesRequest, modules: &[Vec<u8>], output: &'static Output) -> Result<Reply> {
    // LLVM recurses over what it reads.
    let builder = std::thread::Builder::new().stack_size(STACK_LEN);
    let answered = std::thread::scope(|scope| -> Result<_> {
        let answering =
            builder.spawn_scoped(scope, || about_modules(request, modules, output, &|reply| output.send(&reply)))?;
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

/// Reads one frame of that kind.
fn read_frame(input: &mut impl Read, expected: FrameKind) -> Result<Vec<u8>> {
    let (kind, payload) = read_any_frame(input).with_context(|| format!("no {expected:?} frame"))?;
    if kind != expected {
        bail!("a {kind:?} frame instead of a {expected:?} frame");
    }
    Ok(payload)
}

/// Reads one frame. Memory is taken as bytes arrive, never because a head promises them.
fn read_any_frame(input: &mut impl Read) -> Result<(FrameKind, Vec<u8>)> {
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

fn end_with_client() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}

fn limit_memory(memory_max: Option<u64>) -> Result<()> {
    let Some(limit) = memory_max else { return Ok(()) };
    // A limit of the system that is lower already stays.
    let maximum = rustix::process::getrlimit(Resource::As).maximum;
    let limit = Some(maximum.map_or(limit, |maximum| maximum.min(limit)));
    Ok(rustix::process::setrlimit(Resource::As, Rlimit { current: limit, maximum })?)
}

/// What was standard output, and the frame to send when there is no memory to make one.
struct Output {
    pipe: Mutex<File>,
    out_of_memory: Vec<u8>,
    answers: Answers,
}

static OUTPUT: OnceLock<Output> = OnceLock::new();

impl Output {
    /// Takes standard output away from everything else in this process; once.
    fn take() -> Result<&'static Output> {
        let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).context("standard output")?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr()).context("standard error")?;
        let message = "out of memory".to_owned();
        let out_of_memory = Reply::Failed(Failed { kind: FailureKind::Memory, message }).encode();
        Ok(OUTPUT.get_or_init(|| Output { pipe: Mutex::new(pipe.into()), out_of_memory, answers: Answers::default() }))
    }

    fn send(&self, reply: &Reply) {
        self.write(&reply.encode());
    }

    /// Writes a whole frame. A client that is gone has no use for the rest.
    fn write(&self, frame: &[u8]) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.write_all(frame).is_err() {
            end(1);
        }
    }
}

impl Events for Output {
    fn diagnostic(&self, diagnostic: Diagnostic) {
        self.send(&Reply::Diagnostic(diagnostic));
    }

    fn progress(&self, progress: Progress) {
        self.send(&Reply::Progress(progress));
    }

    fn object(&self, object: Object) {
        self.send(&Reply::Object(object));
    }

    fn rescued(&self, bitcode: &[u8]) {
        self.send(&Reply::Module(bitcode.to_vec()));
    }

    fn is_kept(&self, question: Question) -> bool {
        let part = question.part;
        self.send(&Reply::Question(question));
        self.answers.wait(part)
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
    fn start(&'static self) {
        let listener = std::thread::Builder::new().name("answers".to_owned());
        if listener.spawn(|| self.listen(&mut io::stdin().lock())).is_err() {
            self.note(|state| state.is_over = true);
        }
    }

    /// Takes answers until there are no more.
    fn listen(&self, input: &mut impl Read) {
        while let Ok(answer) = read_frame(input, FrameKind::Answer).and_then(|frame| Ok(Answer::decode(&frame)?)) {
            self.note(|state| state.is_kept.insert(answer.part, answer.is_kept));
        }
        self.note(|state| state.is_over = true);
    }

    fn note<T>(&self, change: impl FnOnce(&mut AnswerState) -> T) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Whether the client has the part's object. One that doesn't say so, hasn't.
    fn wait(&self, part: u32) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Ends at once: no destructor of LLVM runs while other threads are inside it.
fn end(code: i32) -> ! {
    // SAFETY: ends the process and touches nothing.
    unsafe { libc::_exit(code) }
}

/// The reader of bitcode and of text verifies before it touches debug information, and gives up with these words.
const BROKEN: &[u8] = b"Broken module found";

fn on_fatal(out_of_memory: bool, message: &[u8]) -> ! {
    if out_of_memory {
        on_memory_exhausted();
    }
    let kind = if message.starts_with(BROKEN) { FailureKind::Malformed } else { FailureKind::Fatal };
    if let Some(output) = OUTPUT.get() {
        output.send(&Reply::Failed(Failed { kind, message: String::from_utf8_lossy(message).into_owned() }));
    }
    end(3)
}

fn on_memory_exhausted() -> ! {
    if let Some(output) = OUTPUT.get() {
        output.write(&output.out_of_memory);
    }
    end(3)
}

/// mimalloc, except that its end is told to the client as LLVM's is. It also takes the place of `malloc` for libLLVM, whose work
/// is to a good part allocation.
struct Reporting;

#[global_allocator]
static ALLOCATOR: Reporting = Reporting;

fn reported(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        on_memory_exhausted();
    }
    pointer
}

// SAFETY: everything is mimalloc's, and null is never returned.
unsafe impl GlobalAlloc for Reporting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that mimalloc asks for.
        reported(unsafe { MiMalloc.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        reported(unsafe { MiMalloc.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        reported(unsafe { MiMalloc.realloc(pointer, layout, new_size) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}
