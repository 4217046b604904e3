//! Modules to objects: each by a worker of its own, several workers at a time, as far as the threads go.
//!
//! With more than one module, the objects of each are kept as soon as they are there. So a program whose compilation ended early, by
//! whatever cause, goes on where it ended, and a changed module is all that is compiled anew.
//!
//! Threads: each worker is served by the thread that started it, since it dies with that thread (see [`crate::worker`]). They report to the
//! caller's thread, where the progress is shown.
//!
//! Within a module, the object of each part is kept as well (see `parts.rs`), however many modules there are.

use crate::error::Error;
use crate::kept::ModuleObjects;
use crate::key::{CodeFields, ModuleId};
use crate::larder::{Larder, Progress};
use crate::observe::{Event, Observer};
use crate::options::{CompileOptions, ThreadLocals};
use crate::outcome::{MissReason, Outcome};
use crate::parts::{PartCounts, StoredParts};
use crate::phases::{Detail, Place, Span};
use crate::worker::{CompileError, Compiled, KeptObjects, Limits, Request, Step, Symbols, Worker, WorkerTime};
use larder_format::cpu::CpuFeatures;
use larder_format::wire::{PointerUse, SessionObject};
use larder_store::{Key, Lease};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// LLVM IR, as bitcode or text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ir<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) digest: [u8; 32],
    /// How many modules of the program have the same bytes and stand before this one.
    pub(crate) repetition: u32,
}

/// What became of one module.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) outcome: Outcome,
    pub(crate) objects: ModuleObjects,
    /// The worker's phases; none if the objects were kept.
    pub(crate) phases: Vec<(String, Duration)>,
    /// How much the worker generated; nothing if the objects were kept.
    pub(crate) parts: PartCounts,
    /// What was found of addresses of this process; nothing if the objects were kept.
    pub(crate) raw: RawAddresses,
}

/// Addresses of this process in a module.
#[derive(Debug, Default)]
pub(crate) struct RawAddresses {
    pub(crate) session_objects: Vec<SessionObject>,
    pub(crate) pointers: Vec<PointerUse>,
    /// The module without them, as bitcode; `None` if there were none.
    pub(crate) rescued: Option<Vec<u8>>,
}

impl Generated {
    /// A module whose objects were kept.
    fn kept(objects: ModuleObjects) -> Self {
        Generated {
            outcome: Outcome::Hit,
            objects,
            phases: Vec::new(),
            parts: PartCounts::default(),
            raw: RawAddresses::default(),
        }
    }
}

/// Makes objects of modules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generator<'a> {
    pub(crate) larder: &'a Larder,
    pub(crate) code: CodeFields<'a>,
    /// Whether objects are kept.
    pub(crate) keep: bool,
    /// Set when nobody waits for them any more.
    pub(crate) cancelled: &'a AtomicBool,
}

/// A module that is to be compiled, on one of the threads.
struct Job<'a> {
    /// Its place among all modules.
    index: usize,
    module: &'a Ir<'a>,
    /// Why there are no objects of it.
    reason: &'a MissReason,
    /// Threads that the worker may have.
    threads: u32,
    /// Where the caller's thread listens.
    told: &'a Sender<Told>,
}

/// What the threads tell the caller's.
enum Told {
    Step { index: usize, step: Step },
    Waiting { holder: Option<u32>, waited: Duration },
    Done { index: usize, result: Box<Result<Generated, Error>> },
}

impl Generator<'_> {
    /// The objects of all modules, in their order.
    pub(crate) fn generate(
        &self,
        modules: &[Ir<'_>],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Generated>, Error> {
        let mut done: Vec<Option<Result<Generated, Error>>> = Vec::new();
        let mut missing = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            match self.look_up(&self.key(module)) {
                Ok(objects) => done.push(Some(Ok(Generated::kept(objects)))),
                Err(reason) => {
                    done.push(None);
                    missing.push((index, reason));
                }
            }
        }
        self.compile_all(modules, missing, &mut done, progress);
        // Of several errors, the first in the order of the inputs: those behind it may not have been tried.
        let mut generated = Vec::with_capacity(modules.len());
        for result in done.into_iter().flatten() {
            generated.push(result?);
        }
        Ok(generated)
    }

    /// What the modules define and need, as linkers see it.
    pub(crate) fn list_symbols(&self, modules: &[Ir<'_>]) -> Result<Vec<Symbols>, Error> {
        if modules.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(modules, |worker, modules, limits| worker.list_symbols(modules, limits))
    }

    /// The modules as one, as bitcode.
    pub(crate) fn link_modules(
        &self,
        modules: &[Ir<'_>],
        keep: Option<Vec<String>>,
        give_way: Vec<String>,
    ) -> Result<Vec<u8>, Error> {
        self.ask(modules, |worker, modules, limits| worker.link_modules(modules, keep, give_way, limits))
    }

    /// Asks a worker about several modules. What is wrong is said of the first.
    fn ask<T>(
        &self,
        modules: &[Ir<'_>],
        question: impl FnOnce(&Worker, &[(&str, &[u8])], &Limits) -> Result<T, CompileError>,
    ) -> Result<T, Error> {
        let worker = self.larder.worker.as_ref().map_err(Clone::clone)?;
        let named: Vec<_> = modules.iter().map(|module| (module.name, module.bytes)).collect();
        question(worker, &named, &self.larder.settings.limits).map_err(|source| {
            let module = modules.first().map_or(String::new(), |module| module.name.to_owned());
            Error::Compile { module, source }
        })
    }

    fn key(&self, module: &Ir<'_>) -> Key {
        self.code.objects_key(&ModuleId::Digest(module.digest), module.repetition)
    }

    fn look_up(&self, key: &Key) -> Result<ModuleObjects, MissReason> {
        if !self.keep {
            return Err(MissReason::Absent);
        }
        ModuleObjects::look_up(self.larder.store().map_err(Clone::clone)?, key)
    }

    /// Compiles what is missing. After an error, what is under way is ended and kept, and nothing else begun.
    fn compile_all(
        &self,
        modules: &[Ir<'_>],
        missing: Vec<(usize, MissReason)>,
        done: &mut [Option<Result<Generated, Error>>],
        progress: &mut dyn FnMut(Progress<'_>),
    ) {
        let threads = self.larder.settings.thread_count.unwrap_or_else(crate::worker::cores).max(1);
        let workers = missing.len().min(threads as usize);
        let threads_each = threads / u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let mut overview = Overview::new(missing.iter().map(|(index, _)| *index));
        std::thread::scope(|scope| {
            let (sender, told) = channel();
            for _ in 0..workers {
                let sender = sender.clone();
                let (next, failed, missing) = (&next, &failed, &missing);
                scope.spawn(move || {
                    while let Some((index, reason)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if failed.load(Ordering::Relaxed) {
                            return;
                        }
                        let (module, told) = (&modules[*index], &sender);
                        let result = self.make(&Job { index: *index, module, reason, threads: threads_each, told });
                        failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        // The caller's thread listens until all of these are gone.
                        let _ = sender.send(Told::Done { index: *index, result: Box::new(result) });
                    }
                });
            }
            drop(sender);
            for told in told {
                match told {
                    Told::Step { index, step } => progress(overview.step(index, &step)),
                    Told::Waiting { holder, waited } => progress(Progress::Waiting { holder, waited }),
                    Told::Done { index, result } => {
                        overview.done(index);
                        done[index] = Some(*result);
                    }
                }
            }
        });
    }

    /// One module: unless another process makes its objects meanwhile, this one does, and keeps them.
    fn make(&self, job: &Job<'_>) -> Result<Generated, Error> {
        let key = self.key(job.module);
        let lease = self.lease(&key, job.told);
        if lease.is_some()
            && let Ok(objects) = self.look_up(&key)
        {
            return Ok(Generated::kept(objects));
        }
        let generated = self.compile(job)?;
        // Objects that hold for this process only are no good to another.
        if let Some(lease) = lease.filter(|_| generated.raw.rescued.is_none()) {
            // Objects that can't be kept are compiled again, the next time; the image's own publishing says what is wrong.
            let _ = generated.objects.publish(lease);
        }
        Ok(generated)
    }

    fn lease(&self, key: &Key, told: &Sender<Told>) -> Option<Lease<'_>> {
        let store = self.larder.store().ok().filter(|_| self.keep)?;
        let lease = store.lease_while(key, |waiting| {
            let _ = told.send(Told::Waiting { holder: waiting.holder, waited: waiting.waited });
            !self.cancelled.load(Ordering::Relaxed)
        });
        lease.ok().flatten()
    }

    fn compile(&self, job: &Job<'_>) -> Result<Generated, Error> {
        let Job { index, module, reason, threads, told } = *job;
        let CompileOptions {
            level,
            passes,
            cpu,
            exports: _,
            keep_source: _,
            lto: _,
            split,
            thread_locals,
            raw_pointers,
        } = self.code.options;
        let request = Request {
            name: module.name.to_owned(),
            repetition: module.repetition,
            level: level.letter().to_owned(),
            passes: passes.clone(),
            features: cpu.features(self.code.host).names().collect(),
            split: *split,
            static_tls: *thread_locals == ThreadLocals::Static,
            raw_pointers: *raw_pointers,
            regions: self.code.regions.to_vec(),
            unit: self.code.unit.cloned(),
            thread_count: Some(threads),
        };
        let worker = self.larder.worker.as_ref().map_err(Clone::clone)?;
        let (observer, since) = (self.larder.observer.callback(), Instant::now());
        let stored = self.larder.store().ok().map(StoredParts);
        let kept = stored.as_ref().map(|stored| -> &dyn KeptObjects { stored });
        let compiled = worker
            .compile_keeping(&request, module.bytes, &self.larder.settings.limits, kept, self.cancelled, &mut |step| {
                let _ = told.send(Told::Step { index, step });
            })
            .map_err(|source| match source {
                CompileError::Cancelled => Error::Cancelled,
                source => Error::Compile { module: module.name.to_owned(), source },
            })?;
        // What the image needs: as the worker found it in the code. Code that this machine can't run is no image for it.
        let features = CpuFeatures::from_names(compiled.required_features.iter().map(String::as_str))
            .map_err(|unknown| Error::UnknownFeature { module: module.name.to_owned(), name: unknown.0 })?;
        if observer.hears_spans() {
            tell_of_worker(observer, &compiled, module, since);
        }
        let parts = PartCounts::of(&compiled);
        let objects = compiled.objects.into_iter().map(|(_, bytes)| bytes).collect();
        let phases = compiled.phases.into_iter().map(|(name, time_us)| (name, Duration::from_micros(time_us)));
        let objects = ModuleObjects { objects, features, producer: compiled.toolchain };
        let raw = RawAddresses {
            session_objects: compiled.session_objects,
            pointers: compiled.pointers,
            rescued: compiled.rescued,
        };
        Ok(Generated { outcome: Outcome::Miss(reason.clone()), objects, phases: phases.collect(), parts, raw })
    }
}

/// Tells what a worker did, and how long it was until it began.
fn tell_of_worker(observer: &Observer, compiled: &Compiled, module: &Ir<'_>, since: Instant) {
    let tell = |span: &Span<'_>| observer.hear(&Event::Span { span });
    let begun = compiled.times.first().map_or(since, |first| first.since.max(since));
    let name = ("module", Detail::Text(module.name.to_owned()));
    let started = [name.clone(), ("process", Detail::Number(compiled.process.into()))];
    let bytes = [name, ("bytes", Detail::Number(module.bytes.len() as u64))];
    let here = |name, time, details| Span { name, since, time, place: Place::Here, details };
    tell(&here("compile", since.elapsed(), &bytes));
    tell(&here("start worker", begun - since, &started));
    for done in &compiled.times {
        let WorkerTime { name, thread, since, time, len } = done;
        let details: Vec<_> = len.iter().map(|len| ("bytes", Detail::Number(*len))).collect();
        let place = Place::Worker { process: compiled.process, thread: *thread };
        tell(&Span { name, since: *since, time: *time, place, details: &details });
    }
}

/// How far all modules are that are to be compiled.
struct Overview {
    /// Index and fraction of each, in their order.
    fractions: Vec<(usize, f32)>,
}

impl Overview {
    fn new(modules: impl Iterator<Item = usize>) -> Overview {
        Overview { fractions: modules.map(|index| (index, 0.0)).collect() }
    }

    fn set(&mut self, index: usize, fraction: f32) {
        if let Ok(at) = self.fractions.binary_search_by_key(&index, |&(index, _)| index) {
            self.fractions[at].1 = fraction;
        }
    }

    fn done(&mut self, index: usize) {
        self.set(index, 1.0);
    }

    fn step<'a>(&mut self, index: usize, step: &Step) -> Progress<'a> {
        self.set(index, step.fraction);
        let sum: f32 = self.fractions.iter().map(|(_, fraction)| fraction).sum();
        let unfinished = self.fractions.iter().position(|&(_, fraction)| fraction < 1.0);
        Progress::Compiling {
            phase: step.phase,
            fraction: sum / self.fractions.len() as f32,
            module: unfinished.unwrap_or_default() + 1,
            module_count: self.fractions.len(),
        }
    }
}
