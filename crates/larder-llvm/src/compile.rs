//! The way of a module: read, verify, prepare, optimise, split, generate.
//!
//! One thread takes it through the passes that look at the whole module. Then it is split, and each part is optimised and
//! generated on its own, on as many threads as asked for. Into how many parts depends on the module alone, so that the same
//! module gives the same objects on any machine; which thread takes which part changes nothing.
//!
//! Not done: unwinding a compilation that was given up. The worker serves one module and ends.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use larder_format::wire::{Diagnostic, Object, Phase, PhaseTime, Progress, Request};

use crate::error::CompileError;
use crate::ffi::{FeatureKind, Module, Partitions, Settings, Sink, Status};

/// Instructions (after the first half of the optimiser) of one partition: about half a second's work. Smaller ones balance
/// better, larger ones repeat less of what each partition has to read.
const PARTITION_SIZE: u64 = 15_000;
/// Beyond this many the repeated reading of declarations would cost more than the balance wins.
const PARTITION_COUNT_MAX: u64 = 64;
/// LLVM recurses over expressions and dominator trees; this is eight times what `opt` gets from the system.
const STACK_LEN: usize = 64 << 20;

/// Who is told what happens. Called from several threads at once.
pub trait Events: Sync {
    /// LLVM says something about the module.
    fn diagnostic(&self, diagnostic: Diagnostic);
    /// The compilation is that far.
    fn progress(&self, progress: Progress);
    /// An object is done; in no particular order, each once.
    fn object(&self, object: Object);
}

/// What there is to say about a module whose objects were all handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// Phases in the order in which they ran.
    pub timings: Vec<PhaseTime>,
    /// LLVM's names of the CPU features that were asked for or that all functions need, sorted.
    pub required_features: Vec<String>,
    /// Those that only some functions need, sorted.
    pub dispatched_features: Vec<String>,
    /// Objects that were handed over.
    pub partition_count: u32,
}

/// Compiles a module: bitcode or text. [`start`](crate::start) comes first.
///
/// Everything that LLVM says goes to `events`; the error only says what kind it was.
pub fn compile(request: &Request, module: &[u8], events: &dyn Events) -> Result<Compiled, CompileError> {
    let settings = settings(request)?;
    thread::scope(|scope| {
        let main = thread::Builder::new().stack_size(STACK_LEN).name("optimise".to_owned());
        let running = main.spawn_scoped(scope, || Compilation::new(request, &settings, events).run(module));
        let running = running.map_err(|error| CompileError::Thread(error.to_string()))?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn settings(request: &Request) -> Result<Settings, CompileError> {
    let names: Vec<String> = request.features.iter().map(|name| checked_feature(name)).collect::<Result<_, _>>()?;
    Ok(Settings {
        level: request.level,
        pipeline: request.passes.clone().unwrap_or_default(),
        features: names.join(","),
    })
}

/// LLVM only warns about a feature that it doesn't know; the closed list of the format says what is one.
fn checked_feature(name: &str) -> Result<String, CompileError> {
    match larder_format::cpu::x86_64::number(name) {
        Some(_) => Ok(format!("+{name}")),
        None => Err(CompileError::UnknownFeature(name.to_owned())),
    }
}

/// A phase's events, as the C++ side sees them.
struct PhaseSink<'a> {
    events: &'a dyn Events,
    phase: Mutex<Phase>,
}

impl Sink for PhaseSink<'_> {
    fn diagnostic(&self, diagnostic: Diagnostic) {
        self.events.diagnostic(diagnostic);
    }

    fn progress(&self, done: u32, total: u32) {
        // A percent at a time: nobody can see more, and each event is a frame on a pipe.
        let step = (total / 100).max(1);
        if done.is_multiple_of(step) {
            self.events.progress(Progress { phase: self.phase(), done, total });
        }
    }
}

impl PhaseSink<'_> {
    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = phase;
        self.events.progress(Progress { phase, done: 0, total: 1 });
    }
}

struct Compilation<'a> {
    request: &'a Request,
    settings: &'a Settings,
    sink: PhaseSink<'a>,
    timings: Mutex<Vec<PhaseTime>>,
}

impl<'a> Compilation<'a> {
    fn new(request: &'a Request, settings: &'a Settings, events: &'a dyn Events) -> Self {
        let sink = PhaseSink { events, phase: Mutex::new(Phase::Parse) };
        Compilation { request, settings, sink, timings: Mutex::default() }
    }

    fn run(&self, bytes: &[u8]) -> Result<Compiled, CompileError> {
        let mut module = self.phase(Phase::Parse, || {
            Module::read(bytes, &self.request.name, self.settings, &self.sink).ok_or(Status::Malformed)
        })?;
        self.phase(Phase::Verify, || {
            check(module.verify())?;
            check(module.prepare())
        })?;
        let part_count_max = if module.can_split() { PARTITION_COUNT_MAX } else { 1 };
        // Whether there will be parts has to be known before the pipeline is cut in two.
        let first_half = part_count(&module, part_count_max) > 1;
        self.phase(Phase::Optimise, || check(module.optimise(first_half)))?;
        let (required_features, dispatched_features) = features(&module);
        let partition_count = if first_half { self.generate_parts(&mut module)? } else { self.generate_whole(&mut module)? };
        module.leak();
        let timings = std::mem::take(&mut *self.timings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        Ok(Compiled { timings, required_features, dispatched_features, partition_count })
    }

    fn phase<T>(&self, phase: Phase, step: impl FnOnce() -> Result<T, Status>) -> Result<T, CompileError> {
        self.sink.enter(phase);
        let start = Instant::now();
        let result = step();
        let time_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.timings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(PhaseTime { phase, time_us });
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

    fn generate_whole(&self, module: &mut Module<'_, PhaseSink<'_>>) -> Result<u32, CompileError> {
        let bytes = self.phase(Phase::Generate, || module.generate())?;
        self.sink.events.object(object(0, bytes));
        Ok(1)
    }

    fn generate_parts(&self, module: &mut Module<'_, PhaseSink<'_>>) -> Result<u32, CompileError> {
        let count = part_count(module, PARTITION_COUNT_MAX);
        let parts = self.phase(Phase::Split, || Ok(module.split(count)))?;
        self.phase(Phase::Generate, || self.generate_all(&parts))?;
        Ok(parts.count())
    }

    /// Generates all parts, the longest first, so that no thread is left with a long one at the end.
    fn generate_all(&self, parts: &Partitions) -> Result<(), Status> {
        let mut order: Vec<u32> = (0..parts.count()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(parts.size(index)));
        let queue = Queue { order, next: AtomicU32::new(0), done: AtomicU32::new(0) };
        let threads = self.request.thread_count.clamp(1, parts.count());
        thread::scope(|scope| {
            let builder = || thread::Builder::new().stack_size(STACK_LEN).name("generate".to_owned());
            // A thread that can't be had is one that isn't needed: this one takes its share.
            let others: Vec<_> =
                (1..threads).map_while(|_| builder().spawn_scoped(scope, || self.serve(&queue, parts)).ok()).collect();
            let own = self.serve(&queue, parts);
            let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            joined.fold(own, Result::and)
        })
    }

    fn serve(&self, queue: &Queue, parts: &Partitions) -> Result<(), Status> {
        while let Some(index) = queue.take() {
            let bytes = parts.generate(index, self.settings, &self.sink)?;
            self.sink.events.object(object(index, bytes));
            let done = queue.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.sink.events.progress(Progress { phase: Phase::Generate, done, total: parts.count() });
        }
        Ok(())
    }
}

/// Parts that wait for a thread.
struct Queue {
    order: Vec<u32>,
    next: AtomicU32,
    done: AtomicU32,
}

impl Queue {
    fn take(&self) -> Option<u32> {
        self.order.get(self.next.fetch_add(1, Ordering::Relaxed) as usize).copied()
    }
}

fn check(status: Status) -> Result<(), Status> {
    if status == Status::Ok { Ok(()) } else { Err(status) }
}

fn object(index: u32, bytes: Vec<u8>) -> Object {
    Object { name: format!("part{index}.o"), bytes }
}

fn part_count<S: Sink>(module: &Module<'_, S>, count_max: u64) -> u32 {
    let count = (module.instruction_count() / PARTITION_SIZE).clamp(1, count_max);
    u32::try_from(count).unwrap_or(1)
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
