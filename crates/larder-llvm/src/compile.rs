//! The way of a module: read, verify, prepare, optimise, split, generate.
//!
//! One thread takes it through the passes that look at the whole module. Everything after that (vectorising, machine code) is
//! done in parts, on as many threads as asked for. Most parts are ready long before the whole module is: the optimiser hands
//! them out as it goes (see `cpp/ahead.cpp`), and the other threads take them at once. What is left is split at the end.
//!
//! A large module is taken apart before all that instead (see `cpp/groups.cpp`): each group of functions goes through the whole pipeline
//! by itself, so that an edit later costs the groups that it is about.
//!
//! A part's object is made from the part's bitcode and from nothing else that could differ, whether or not anybody keeps objects. So
//! a digest of that bitcode stands for the object (see `digest.rs`), and a part whose object the client has isn't made again.
//!
//! Into which parts depends on the module alone, so that the same module gives the same objects on any machine; which thread
//! takes which part changes nothing.
//!
//! A compilation that nobody waits for any more leaves out passes and parts, and ends between two steps: LLVM itself can't be interrupted.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

use rustix::time::{ClockId, clock_gettime};

use larder_format::image::STATIC_TLS_LEN;
use larder_format::wire::{
    Diagnostic, Object, PartTime, Phase, PhaseTime, PointerUse, Progress, Question, Request, SessionObject, Split,
};

use crate::digest::PartDigest;
use crate::error::CompileError;
use crate::ffi::{FeatureKind, Module, Settings, Sink, Status, Wanted, generate_part};
use crate::queue::{Part, Queue};

/// Instructions of one part: less than half a second's work. Smaller ones balance better, larger ones repeat less of what each
/// part has to set up.
const PART_SIZE: u64 = 10_000;
/// Beyond about this many, what each part repeats would cost more than the balance wins.
const PART_COUNT_MAX: u64 = 64;
/// Instructions from which on a module is taken apart before it is optimised, unless the request says otherwise: more than SQLite
/// has. Below, optimising it as a whole takes little enough.
const GROUPED_SIZE_MIN: u64 = 450_000;
/// LLVM recurses over expressions and dominator trees; this is eight times what `opt` gets from the system.
pub(crate) const STACK_LEN: usize = 64 << 20;

/// Who is told what happens. Called from several threads at once.
pub(crate) trait Events: Sync {
    /// LLVM says something about the module.
    fn diagnostic(&self, diagnostic: Diagnostic);
    /// The compilation is that far.
    fn progress(&self, progress: Progress);
    /// An object is done; in no particular order, each once.
    fn object(&self, object: Object);
    /// The module without the addresses of the client's process that were in it, as bitcode.
    fn rescued(&self, bitcode: &[u8]);
    /// Whether somebody has this object already and takes it as handed over. Waits for the answer; asked only if
    /// [`Request::asks`].
    fn is_kept(&self, question: Question) -> bool;
    /// Whether somebody still waits for the objects. If not, the compilation ends as soon as LLVM lets it.
    fn is_awaited(&self) -> bool;
    /// Whether nothing comes after this compilation, so that its memory need not be given back.
    fn is_last(&self) -> bool;
}

/// What there is to say about a module whose objects were all handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// Phases in the order in which they ran.
    pub(crate) timings: Vec<PhaseTime>,
    /// Parts whose objects were made, in the order in which they were done.
    pub(crate) parts: Vec<PartTime>,
    /// LLVM's names of the CPU features that all functions need, and those of the request if any code was made for it. Sorted.
    pub(crate) required_features: Vec<String>,
    /// Those that only some functions need, sorted.
    pub(crate) dispatched_features: Vec<String>,
    /// Objects that were handed over, or that somebody had.
    pub(crate) partition_count: u32,
    /// Objects that only the client's process has.
    pub(crate) session_objects: Vec<SessionObject>,
    /// Where addresses of the client's process were found.
    pub(crate) pointers: Vec<PointerUse>,
}

/// Compiles a module: bitcode or text. [`start`](crate::start) comes first. `toolchain` is the name of
/// [`Toolchain::current`](crate::Toolchain::current).
///
/// Everything that LLVM says goes to `events`; the error only says what kind it was.
pub(crate) fn compile(
    request: &Request,
    module: &[u8],
    toolchain: &str,
    events: &dyn Events,
) -> Result<Compiled, CompileError> {
    let settings = settings(request)?;
    let compilation = Compilation {
        request,
        settings: &settings,
        toolchain,
        events,
        queue: Queue::default(),
        phase: Mutex::new(Phase::Parse),
        timings: Mutex::default(),
        parts: Mutex::default(),
    };
    thread::scope(|scope| {
        let main = thread::Builder::new().stack_size(STACK_LEN).name("optimise".to_owned());
        let running = main.spawn_scoped(scope, || compilation.run(scope, module));
        let running = running.map_err(|error| CompileError::Thread(error.to_string()))?;
        let result = running.join();
        // The other threads end when nothing waits, or nothing is worth doing.
        compilation.queue.give_up();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn settings(request: &Request) -> Result<Settings, CompileError> {
    let names: Vec<String> = request.features.iter().map(|name| checked_feature(name)).collect::<Result<_, _>>()?;
    Ok(Settings {
        level: request.level,
        pipeline: request.passes.clone().unwrap_or_default(),
        features: names.join(","),
        static_tls_len: if request.static_tls { STATIC_TLS_LEN } else { 0 },
    })
}

/// LLVM only warns about a feature that it doesn't know; the closed list of the format says what is one.
fn checked_feature(name: &str) -> Result<String, CompileError> {
    match larder_format::cpu::x86_64::number(name) {
        Some(_) => Ok(format!("+{name}")),
        None => Err(CompileError::UnknownFeature(name.to_owned())),
    }
}

/// One module's compilation, shared by its threads.
struct Compilation<'a> {
    request: &'a Request,
    settings: &'a Settings,
    toolchain: &'a str,
    events: &'a dyn Events,
    queue: Queue,
    phase: Mutex<Phase>,
    timings: Mutex<Vec<PhaseTime>>,
    parts: Mutex<Vec<PartTime>>,
}

impl Sink for Compilation<'_> {
    fn diagnostic(&self, diagnostic: Diagnostic) {
        self.events.diagnostic(diagnostic);
    }

    fn progress(&self, done: u32, total: u32) {
        // A percent at a time: nobody can see more, and each event is a frame on a pipe.
        if done.is_multiple_of((total / 100).max(1)) {
            self.events.progress(Progress { phase: *lock(&self.phase), done, total });
        }
    }

    fn part(&self, bitcode: &[u8], size: u64) {
        let is_group = *lock(&self.phase) == Phase::Group;
        let part = if is_group { Part::Group } else { Part::Ahead };
        self.queue.push(part(bitcode.to_vec()), size);
    }

    fn can_be_given_up(&self) -> bool {
        !self.events.is_last()
    }

    fn is_awaited(&self) -> bool {
        self.events.is_awaited()
    }
}

impl Compilation<'_> {
    fn run<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, bytes: &[u8]) -> Result<Compiled, CompileError> {
        let mut module = self.phase(Phase::Parse, || {
            let Request { name, repetition, .. } = self.request;
            Module::read(bytes, name, *repetition, self.settings, self).ok_or(Status::Malformed)
        })?;
        self.phase(Phase::Verify, || {
            check(module.verify())?;
            let Request { raw_pointers, regions, unit, .. } = self.request;
            check(module.prepare(&Wanted { raw_pointers: *raw_pointers, regions, unit: unit.as_ref() }))
        })?;
        if let Some(rescued) = module.rescued() {
            self.events.rescued(rescued);
        }
        let (pointers, session_objects) = (module.pointers(), module.session_objects());
        let way = self.way(&module);
        if way != Way::Whole {
            self.start_threads(scope);
        }
        let (required_features, dispatched_features) = match way {
            Way::Groups => {
                let features = features(&module);
                self.generate_groups(&mut module)?;
                features
            }
            Way::Parts(size) => {
                self.phase(Phase::Optimise, || check(module.optimise(Some(size))))?;
                let features = features(&module);
                self.generate_parts(&mut module, size)?;
                features
            }
            Way::Whole => {
                self.phase(Phase::Optimise, || check(module.optimise(None)))?;
                let features = features(&module);
                self.generate_whole(&mut module)?;
                features
            }
        };
        if self.events.is_last() {
            module.leak();
        }
        let partition_count = self.queue.count().max(1);
        Ok(Compiled {
            timings: std::mem::take(&mut *lock(&self.timings)),
            parts: std::mem::take(&mut *lock(&self.parts)),
            required_features,
            dispatched_features,
            partition_count,
            session_objects,
            pointers,
        })
    }

    /// What becomes of the module: a matter of the module and of what was asked for.
    fn way<S: Sink>(&self, module: &Module<'_, S>) -> Way {
        let wants_groups = match self.request.split {
            Split::Auto => module.instruction_count() >= GROUPED_SIZE_MIN,
            Split::Whole => false,
            Split::Groups => true,
        };
        if wants_groups && module.can_group() {
            return Way::Groups;
        }
        part_size(module).map_or(Way::Whole, Way::Parts)
    }

    fn phase<T>(&self, phase: Phase, step: impl FnOnce() -> Result<T, Status>) -> Result<T, CompileError> {
        *lock(&self.phase) = phase;
        self.events.progress(Progress { phase, done: 0, total: 1 });
        let since_ns = now_ns();
        let result = step();
        lock(&self.timings).push(PhaseTime { phase, since_ns, time_us: (now_ns() - since_ns) / 1000 });
        // What passes were left out of is no module that anything may be made of.
        if !self.events.is_awaited() {
            return Err(CompileError::GivenUp { name: self.request.name.clone() });
        }
        result.map_err(|status| self.error(status))
    }

    fn error(&self, status: Status) -> CompileError {
        let name = self.request.name.clone();
        match status {
            Status::Malformed => CompileError::Malformed { name },
            Status::Unsupported => CompileError::Unsupported { name },
            Status::BadRequest => CompileError::Pipeline { pipeline: self.settings.pipeline.clone() },
            Status::Ok | Status::Failed => CompileError::Internal { name },
        }
    }

    /// Starts the threads beside this one. One that can't be had is one that isn't needed: this thread serves the queue, too.
    fn start_threads<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        for number in 1..self.request.thread_count.max(1) {
            let builder = thread::Builder::new().stack_size(STACK_LEN).name("generate".to_owned());
            if builder.spawn_scoped(scope, move || self.serve(number)).is_err() {
                return;
            }
        }
    }

    fn generate_whole<S: Sink>(&self, module: &mut Module<'_, S>) -> Result<(), CompileError> {
        let bytes = self.phase(Phase::Generate, || module.generate())?;
        self.events.object(object(0, bytes));
        Ok(())
    }

    /// Takes the module apart, and returns when all groups are objects. The other threads begin with the first group.
    fn generate_groups<S: Sink>(&self, module: &mut Module<'_, S>) -> Result<(), CompileError> {
        self.phase(Phase::Group, || {
            module.group();
            self.queue.close();
            Ok(())
        })?;
        self.generate_queue()
    }

    /// Splits what wasn't handed out, and returns when all parts are objects.
    fn generate_parts<S: Sink>(&self, module: &mut Module<'_, S>, part_size: NonZeroU64) -> Result<(), CompileError> {
        self.phase(Phase::Split, || {
            let parts = module.split(u32::try_from(module.size_left() / part_size).unwrap_or(u32::MAX).max(1));
            self.queue.push_all(parts);
            self.queue.close();
            Ok(())
        })?;
        self.generate_queue()
    }

    fn generate_queue(&self) -> Result<(), CompileError> {
        self.phase(Phase::Generate, || {
            self.serve(0);
            self.queue.wait()
        })
    }

    /// Makes objects of parts until there are no more, and none to come.
    fn serve(&self, thread: u32) {
        while let Some((index, part)) = self.queue.take() {
            let result = self.make(index, part, thread);
            let (done, total) = self.queue.finish(result);
            if *lock(&self.phase) == Phase::Generate {
                self.events.progress(Progress { phase: Phase::Generate, done, total });
            }
        }
    }

    /// Hands the object of a part over, unless somebody has it.
    fn make(&self, index: u32, part: Part, thread: u32) -> Result<(), Status> {
        if !self.events.is_awaited() {
            return Err(Status::Failed);
        }
        let since_ns = now_ns();
        let is_group = part.is_group();
        let bitcode = part.into_bitcode(self)?;
        if !self.is_kept(index, &bitcode, is_group) {
            let bytes = generate_part(&bitcode, is_group, self.settings, self)?;
            lock(&self.parts).push(PartTime {
                name: object_name(index),
                len: bytes.len() as u64,
                thread,
                since_ns,
                time_us: (now_ns() - since_ns) / 1000,
            });
            self.events.object(object(index, bytes));
        }
        Ok(())
    }

    fn is_kept(&self, part: u32, bitcode: &[u8], is_group: bool) -> bool {
        if !self.request.asks {
            return false;
        }
        let digest = PartDigest { bitcode, is_group, settings: self.settings, toolchain: self.toolchain }.digest();
        self.events.is_kept(Question { part, name: object_name(part), digest })
    }
}

/// How a module becomes objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In one piece.
    Whole,
    /// Optimised as a whole as far as that matters, then in parts of that many instructions.
    Parts(NonZeroU64),
    /// In groups from the start.
    Groups,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system's monotonic clock, which all of its processes share.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

fn check(status: Status) -> Result<(), Status> {
    if status == Status::Ok { Ok(()) } else { Err(status) }
}

fn object(index: u32, bytes: Vec<u8>) -> Object {
    Object { name: object_name(index), bytes }
}

fn object_name(index: u32) -> String {
    format!("part{index}.o")
}

/// Instructions of each part; `None` for a module that is to stay whole.
fn part_size<S: Sink>(module: &Module<'_, S>) -> Option<NonZeroU64> {
    let size = module.instruction_count();
    let wanted = PART_SIZE.max(size / PART_COUNT_MAX);
    if size < 2 * wanted || !module.can_split() { None } else { NonZeroU64::new(wanted) }
}

/// Required and dispatched features, sorted.
fn features<S: Sink>(module: &Module<'_, S>) -> (Vec<String>, Vec<String>) {
    let (mut required, mut some) = (BTreeSet::new(), BTreeSet::new());
    for (kind, name) in module.features() {
        match kind {
            FeatureKind::Every | FeatureKind::Requested => required.insert(name),
            FeatureKind::Some => some.insert(name),
        };
    }
    let dispatched = some.difference(&required).cloned().collect();
    (required.into_iter().collect(), dispatched)
}
