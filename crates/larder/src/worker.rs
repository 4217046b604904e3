//! Compiling in another process: finding the worker, talking to it, and surviving it.
//!
//! The problem: LLVM may crash, loop, eat all memory or end its process. The idea: one short-lived process per module, spoken to
//! over pipes in the frames of [`larder_format::wire`]; whatever becomes of it is a [`CompileError`].
//!
//! * Three threads serve the three pipes, so that neither side ever waits for the other with a full pipe. They end when the worker
//!   does, and a worker that doesn't end in time is killed.
//! * Nothing touches the disk, unless the caller gives [kept objects](KeptObjects): then the worker asks for each part's object
//!   before it makes it, and each object is kept as it comes, so that a compilation that is interrupted is not begun anew.
//! * The worker dies with the thread that called [`Worker::compile`] (Linux signals the death of the parent *thread*), so the
//!   call stays on that thread until the worker is gone.
//!
//! An application that holds LLVM anyway can have the other side of the conversation on a thread of its own process (the feature
//! `in-process`). Then nothing survives LLVM's faults.
//!
//! Assumption: the worker is of the same release. Another one is found out by its first frame.

mod conversation;
#[cfg(feature = "in-process")]
mod in_process;
mod locate;
mod modules;
mod peer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use larder_format::wire::{
    self, Diagnostic, ModulesRequest, ModulesTask, OptLevel, Phase, PointerUse, RawPointers, Region, SessionObject,
    Split, SymbolKind, UnitRequest, VERSION, WireError, WorkerVersion,
};
use larder_link::{Mention, MentionKind};
use thiserror::Error;

/// What to compile a module into. All of it reaches generated code, except the name and the number of threads; the regions only that of
/// modules with addresses of this process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// What diagnostics call the module.
    pub name: String,
    /// How many modules of the program have the same bytes and stand before this one.
    pub repetition: u32,
    /// The letter behind `-O`: 0, 1, 2, 3, s or z; empty for 2.
    pub level: String,
    /// Passes to run instead of the level's own, in the syntax of `opt -passes=`.
    pub passes: Option<String>,
    /// CPU features beyond the baseline, by LLVM's names, with or without `+`.
    pub features: Vec<String>,
    /// When the module is taken apart.
    pub split: Split,
    /// Whether the module's thread-local variables are to have a fixed distance from the thread pointer, if they fit.
    pub static_tls: bool,
    /// What is done about integers that are used as addresses.
    pub raw_pointers: RawPointers,
    /// What this process has in its address space, as far as the module may speak of it.
    pub regions: Vec<Region>,
    /// What of the module is wanted; `None` for all of it.
    pub unit: Option<UnitRequest>,
    /// Threads that generate code; `None` for as many as this process may use.
    pub thread_count: Option<u32>,
}

/// How far a compilation may go. Nothing here affects generated code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The longest time that a compilation may take; `None` for as long as it takes.
    pub timeout: Option<Duration>,
    /// The most address space that the worker may have, in bytes. LLVM's library alone takes 200 MB of it.
    pub memory_max: Option<u64>,
}

/// How far the worker is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// What it does: "parse", "verify", "optimise", "split", "group" or "generate".
    pub phase: &'static str,
    /// How much of the whole is done, from 0 to 1; never falls.
    pub fraction: f32,
}

/// Objects of parts that earlier compilations made. What can't be kept or found is made again: neither call has a way to fail.
pub trait KeptObjects: Sync {
    /// The object of this digest, exactly as it was kept. Called on the thread that compiles.
    fn get(&self, digest: &[u8; 32]) -> Option<Vec<u8>>;
    /// Keeps an object. Called on a thread of its own, as objects come.
    fn put(&self, digest: &[u8; 32], object: &[u8]);
}

/// A module's objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compiled {
    /// Relocatable ELF objects with their names, in an order that depends on the module alone.
    pub objects: Vec<(String, Vec<u8>)>,
    /// How many of them were kept and therefore not made.
    pub kept_count: u32,
    /// What LLVM said of the module without refusing it. Of a part whose object was kept, LLVM saw nothing; so that a program shows the same
    /// whether or not its code was kept, nobody is shown these.
    pub warnings: Vec<Diagnostic>,
    /// The worker's phases and how long each took, in microseconds.
    pub phases: Vec<(String, u64)>,
    /// Its process id.
    pub process: u32,
    /// What it did when: its phases, and parts whose objects it made.
    pub times: Vec<WorkerTime>,
    /// What generated the code.
    pub toolchain: String,
    /// CPU features that every machine must have, by LLVM's names, sorted.
    pub required_features: Vec<String>,
    /// Features that only some functions need, which the module is to choose at run time. Sorted.
    pub dispatched_features: Vec<String>,
    /// Objects that only this process has, with their addresses.
    pub session_objects: Vec<SessionObject>,
    /// Where raw addresses were found.
    pub pointers: Vec<PointerUse>,
    /// The module without them, as bitcode; `None` if there were none.
    pub rescued: Option<Vec<u8>>,
}

/// Something that a worker did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerTime {
    /// A phase, or the name of an object.
    pub name: String,
    /// The thread that did it: 0 is the one of the phases.
    pub thread: u32,
    /// When it began.
    pub since: Instant,
    /// How long it took.
    pub time: Duration,
    /// Length of the object in bytes; `None` for a phase.
    pub len: Option<u64>,
}

/// What linkers see of a module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols(Vec<(String, SymbolKind)>);

impl Symbols {
    /// The same as the linker takes it.
    pub(crate) fn mentions(&self) -> Vec<Mention<'_>> {
        let kind = |kind| match kind {
            SymbolKind::WeaklyUndefined => MentionKind::WeaklyUndefined,
            SymbolKind::Undefined => MentionKind::Undefined,
            SymbolKind::Common => MentionKind::Common,
            SymbolKind::Weak => MentionKind::Weak,
            SymbolKind::Strong => MentionKind::Strong,
        };
        self.0.iter().map(|(name, said)| Mention { name: name.as_bytes(), kind: kind(*said) }).collect()
    }
}

/// What a worker is, and where the library with LLVM lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// All that reaches generated code apart from the request, in one line.
    pub toolchain: String,
    /// The libLLVM file that the worker runs on. As long as neither it nor the worker's file changes, the toolchain doesn't.
    pub library: PathBuf,
}

/// Why a module has no objects.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The module is no valid IR.
    #[error("{}", malformed(message, diagnostics))]
    Malformed {
        /// The worker's summary.
        message: String,
        /// LLVM's diagnostics: errors, and the warnings among them.
        diagnostics: Vec<Diagnostic>,
    },
    /// The module is for another machine, or holds something that no image can.
    #[error("{}", malformed(message, diagnostics))]
    Unsupported {
        /// The worker's summary.
        message: String,
        /// What exactly.
        diagnostics: Vec<Diagnostic>,
    },
    /// The request asks for a level, a feature or a pipeline that doesn't exist.
    #[error("{}", malformed(message, diagnostics))]
    Request {
        /// What doesn't exist.
        message: String,
        /// LLVM's words about it.
        diagnostics: Vec<Diagnostic>,
    },
    /// LLVM gave up on the module.
    #[error("LLVM gave up: {message}")]
    FatalError {
        /// LLVM's words.
        message: String,
    },
    /// The worker crashed.
    #[error("the worker was ended by signal {signal}{}", told(stderr))]
    Crashed {
        /// The signal's number.
        signal: i32,
        /// The end of what it printed.
        stderr: String,
    },
    /// The worker was stopped.
    #[error("the compilation took longer than {} s", limit.as_secs_f32())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// The memory limit was too low, or the machine's memory was.
    #[error("out of memory{}", memory_max.map_or(String::new(), |max| format!(": the limit is {} MiB", max >> 20)))]
    OutOfMemory {
        /// The limit in bytes, if there was one.
        memory_max: Option<u64>,
    },
    /// Nobody waits for it any more, so the worker was stopped.
    #[error("the compilation was given up")]
    Cancelled,
    /// There is no worker.
    #[error(
        "larder-worker was found neither beside {} nor in PATH; install it there, or name it in LARDER_WORKER",
        beside.display()
    )]
    NotFound {
        /// The program that looked for it.
        beside: PathBuf,
    },
    /// The worker can't be started.
    #[error(
        "cannot start the worker {}: {message}; name another in LARDER_WORKER, and see `larder doctor`",
        path.display()
    )]
    Start {
        /// The worker.
        path: PathBuf,
        /// The system's answer.
        message: String,
    },
    /// This process was asked to compile, and can't: for lack of threads or files, or because of a fault of this library.
    #[cfg(feature = "in-process")]
    #[error("cannot compile in this process: {message}")]
    Here {
        /// What it lacks.
        message: String,
    },
    /// The worker is of another release, or isn't one.
    #[error("{} doesn't answer as a worker of this release: {message}{}", path.display(), told(stderr))]
    Protocol {
        /// The worker.
        path: PathBuf,
        /// What is wrong with its answer.
        message: String,
        /// The end of what it printed.
        stderr: String,
    },
}

fn malformed(message: &str, diagnostics: &[Diagnostic]) -> String {
    let mut lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push(message.to_owned());
    }
    lines.join("\n")
}

fn told(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it printed:\n{stderr}") }
}

/// What compiles: the worker program, or this process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Program(PathBuf),
    #[cfg(feature = "in-process")]
    Here,
}

impl Worker {
    /// The worker at that path; whether it is one shows when it is asked.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Worker { place: Place::Program(path.into()) }
    }

    /// No program: threads of this process compile, with the LLVM 22 that it is linked with. The same modules get the same keys and the same
    /// images as from the worker program of this release. There is no program to ship, and no process to start for a module; but:
    ///
    /// * A crash of LLVM is a crash of the application. So is what LLVM calls a fatal error, for which it ends the process: IR that its code
    ///   generator can't handle, a broken module with debug information, lack of memory.
    /// * A thread can't be stopped. A compilation that is cancelled or out of time is answered after two seconds at the latest; its thread leaves out
    ///   what it can and ends by itself, but for an endless loop inside LLVM. An application that ends meanwhile may crash in ending.
    /// * [`Limits::memory_max`] doesn't count: a limit would be the application's. What LLVM prints, it prints to the application's standard error.
    /// * LLVM's options are the process's. What the application changes of them (`cl::opt`, a command line handed to LLVM) reaches the code, and no
    ///   key knows it: change none that concern optimisation or code generation.
    #[cfg(feature = "in-process")]
    pub fn in_process() -> Self {
        Worker { place: Place::Here }
    }

    /// Looks for the worker: `LARDER_WORKER`, beside the current program, in `../libexec/larder` from there or from the
    /// shared library that this code is in, in `PATH`.
    pub fn locate() -> Result<Self, CompileError> {
        locate::locate().map(Worker::at)
    }

    /// The program; `None` if it is this process.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Program(path) => Some(path),
            #[cfg(feature = "in-process")]
            Place::Here => None,
        }
    }

    /// Asks the worker what it is. Starts it, which costs about 15 ms: remember the answer along with the state of both files.
    pub fn identity(&self) -> Result<Identity, CompileError> {
        match &self.place {
            Place::Program(path) => self.identity_of(path),
            #[cfg(feature = "in-process")]
            Place::Here => in_process::identity(),
        }
    }

    fn identity_of(&self, program: &Path) -> Result<Identity, CompileError> {
        let printed = conversation::ask(self, program, "--version-json")?;
        let version: WorkerVersion = serde_json::from_slice(&printed).map_err(|error| self.protocol(error, b""))?;
        if version.wire_version != VERSION {
            return Err(self.protocol(WireError::Version(version.wire_version), b""));
        }
        Ok(Identity { toolchain: version.toolchain, library: version.libllvm.into() })
    }

    /// Compiles a module: bitcode or textual IR. Returns when the worker is gone.
    /// `progress` hears of each step, on this thread.
    pub fn compile(
        &self,
        request: &Request,
        module: &[u8],
        limits: &Limits,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Compiled, CompileError> {
        self.compile_keeping(request, module, limits, None, &AtomicBool::new(false), progress)
    }

    /// As [`compile`](Self::compile); parts whose objects are kept already are not made. The result is the same. Ends with
    /// [`CompileError::Cancelled`] soon after `cancelled` is set.
    pub fn compile_keeping(
        &self,
        request: &Request,
        module: &[u8],
        limits: &Limits,
        kept: Option<&dyn KeptObjects>,
        cancelled: &AtomicBool,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Compiled, CompileError> {
        let wire_request = wire_request(request, limits, kept.is_some())?;
        conversation::hold(self, &wire_request, module, limits, kept, cancelled, progress)
    }

    /// What linkers see of each module; `modules` are names and bytes.
    pub fn list_symbols(&self, modules: &[(&str, &[u8])], limits: &Limits) -> Result<Vec<Symbols>, CompileError> {
        let answers = self.about_modules(ModulesTask::Symbols, modules, limits)?;
        if answers.symbols.len() != modules.len() {
            return Err(self.protocol("it left modules out", b""));
        }
        Ok(answers.symbols)
    }

    /// Links modules into one, as bitcode. `keep` are names that others use, or may look for: everything else becomes internal (`None`:
    /// nothing does). The definitions of `give_way` are somebody else's.
    pub fn link_modules(
        &self,
        modules: &[(&str, &[u8])],
        keep: Option<Vec<String>>,
        give_way: Vec<String>,
        limits: &Limits,
    ) -> Result<Vec<u8>, CompileError> {
        let mut answers = self.about_modules(ModulesTask::Link { keep, give_way }, modules, limits)?;
        answers.linked.pop().ok_or_else(|| self.protocol("it answers without a module", b""))
    }

    fn about_modules(
        &self,
        task: ModulesTask,
        modules: &[(&str, &[u8])],
        limits: &Limits,
    ) -> Result<modules::Answers, CompileError> {
        let names = modules.iter().map(|(name, _)| (*name).to_owned()).collect();
        let request = ModulesRequest { task, names, memory_max: limits.memory_max };
        modules::ask(self, &request, modules, limits)
    }

    fn start_error(&self, error: &std::io::Error) -> CompileError {
        let message = error.to_string();
        match &self.place {
            Place::Program(path) => CompileError::Start { path: path.clone(), message },
            #[cfg(feature = "in-process")]
            Place::Here => CompileError::Here { message },
        }
    }

    fn protocol(&self, error: impl ToString, stderr: &[u8]) -> CompileError {
        let message = error.to_string();
        let stderr = String::from_utf8_lossy(stderr).trim_end().to_owned();
        match &self.place {
            Place::Program(path) => CompileError::Protocol { path: path.clone(), message, stderr },
            #[cfg(feature = "in-process")]
            Place::Here => CompileError::Here { message },
        }
    }
}

fn wire_request(request: &Request, limits: &Limits, asks: bool) -> Result<wire::Request, CompileError> {
    let Request {
        name,
        repetition,
        level,
        passes,
        features,
        split,
        static_tls,
        raw_pointers,
        regions,
        unit,
        thread_count,
    } = request;
    let level = match level.as_str() {
        "" => OptLevel::default(),
        letter => letter.parse().map_err(|unknown: wire::UnknownLevel| CompileError::Request {
            message: unknown.to_string(),
            diagnostics: Vec::new(),
        })?,
    };
    Ok(wire::Request {
        name: name.clone(),
        repetition: *repetition,
        level,
        passes: passes.clone(),
        features: features.iter().map(|name| name.trim_start_matches('+').to_owned()).collect(),
        split: *split,
        static_tls: *static_tls,
        raw_pointers: *raw_pointers,
        regions: regions.clone(),
        unit: unit.clone(),
        thread_count: thread_count.unwrap_or_else(cores),
        memory_max: limits.memory_max,
        asks,
    })
}

/// Processors that this process may use.
pub(crate) fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX)
}

/// A phase's name, where in the whole it begins, and how much of the whole it is: shares of what SQLite takes on two cores. Taking
/// groups apart stands in the place of splitting.
fn share(phase: Phase) -> (&'static str, f32, f32) {
    match phase {
        Phase::Parse => ("parse", 0.0, 0.02),
        Phase::Verify => ("verify", 0.02, 0.01),
        Phase::Optimise => ("optimise", 0.03, 0.60),
        Phase::Split => ("split", 0.63, 0.02),
        Phase::Group => ("group", 0.03, 0.62),
        Phase::Generate => ("generate", 0.65, 0.35),
    }
}

impl From<wire::Progress> for Step {
    fn from(progress: wire::Progress) -> Self {
        let (phase, start, length) = share(progress.phase);
        let done = progress.done as f32 / progress.total.max(1) as f32;
        Step { phase, fraction: start + length * done.clamp(0.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other() {
        let phases = [Phase::Parse, Phase::Verify, Phase::Optimise, Phase::Split, Phase::Generate];
        let mut end = 0.0;
        for phase in phases {
            let (_, start, length) = share(phase);
            assert!((start - end).abs() < 1e-6, "{phase:?}");
            end = start + length;
        }
        assert!((end - 1.0).abs() < 1e-6);
    }

    #[test]
    fn progress_that_makes_no_sense_stays_in_its_phase() {
        let step = Step::from(wire::Progress { phase: Phase::Optimise, done: 9, total: 0 });
        assert!((0.03..=0.63).contains(&step.fraction), "{step:?}");
    }

    #[test]
    fn unknown_levels_are_errors() {
        let request = Request { level: "9".to_owned(), ..Request::default() };
        assert!(matches!(wire_request(&request, &Limits::default(), false), Err(CompileError::Request { .. })));
    }

    #[test]
    fn a_program_that_is_no_worker_is_found_out() {
        let worker = Worker::at("/bin/echo");
        let identity = worker.identity();
        assert!(matches!(identity, Err(CompileError::Protocol { .. })), "{identity:?}");
        let missing = Worker::at("/nonexistent/larder-worker").identity();
        assert!(matches!(missing, Err(CompileError::Start { .. })), "{missing:?}");
    }
}
