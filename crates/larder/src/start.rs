//! One start: from a program's inputs to an image that is mapped and checked.
//!
//! ```text
//! inputs ─▶ key ─▶ look up ──hit──▶ map, check ─▶ Prepared
//!                     │miss(reason)                  ▲
//!                     ▼                              │
//!                   lease ▶ compile ▶ link ▶ publish ┘
//! ```
//!
//! The store is a convenience: where it can't be used, the module is compiled into memory and a [warning](Prepared::warnings) says
//! so. Several processes that miss the same key at once take turns by its lease, and all but the first find the entry then.

use crate::compile::{Compilation, Content, compile};
use crate::error::Error;
use crate::key::{CodeFields, KeyFields, ModuleId};
use crate::larder::{Larder, Progress, TRIPLE, Trust};
use crate::module::{From, Module};
use crate::observe::Event;
use crate::options::{CompileOptions, Cpu, RawPointers, ThreadLocals};
use crate::outcome::{MissReason, ModuleOutcome, Outcome, chain};
use crate::phases::{Detail, Phases};
use crate::prepared::{Prepared, Told};
use crate::program::Program;
use crate::saved::{GOOD_IMAGE, is_linked_elf};
use crate::sibling::{self, Sibling};
use larder_format::cpu::CpuFeatures;
use larder_format::wire::{Region, UnitRequest};
use larder_runtime::{Expectations, ImageFile, Integrity, LoadError, Mapped, has_place_for_static_tls};
use larder_store::{Entry, FileIdentity, Key, Lease, Observed, Store, Waiting};
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What is known of a program before its inputs are read.
pub(crate) struct Known {
    pub(crate) key: Key,
    /// Of each input; `None` for those under a key of the caller's.
    digests: Vec<Option<[u8; 32]>>,
    toolchain: String,
}

/// What a start takes for the toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// What this process knows, which is enough for a hit.
    Known,
    /// What there is now: something may be compiled.
    Now,
}

/// One start, under way.
pub(crate) struct Start<'l> {
    pub(crate) larder: &'l Larder,
    pub(crate) options: CompileOptions,
    pub(crate) phases: Phases,
    /// What became of each module, if something was compiled.
    pub(crate) modules: Vec<ModuleOutcome>,
    warnings: Vec<String>,
    cancelled: &'l AtomicBool,
    regions: Regions<'l>,
    /// What of the module is wanted; `None` for all of it.
    unit: Option<UnitRequest>,
}

/// Where things lie in this process that a module may speak of, found out when the first module is asked for that may.
struct Regions<'l> {
    find: Option<&'l dyn Fn() -> Vec<Region>>,
    found: OnceCell<Vec<Region>>,
}

impl Regions<'_> {
    fn all(&self) -> &[Region] {
        self.found.get_or_init(|| self.find.map_or_else(mapped, |find| find()))
    }
}

/// What this process has mapped.
fn mapped() -> Vec<Region> {
    let region = |range: Range<usize>| Region { name: None, start: range.start as u64, len: range.len() as u64 };
    larder_runtime::mapped_ranges().into_iter().map(region).collect()
}

/// An image that was found, or made.
pub(crate) struct Found {
    pub(crate) mapped: Mapped,
    pub(crate) path: PathBuf,
    /// Its file, if functions may be dropped, which are then compiled from what stands there.
    pub(crate) file: Option<File>,
}

impl Found {
    pub(crate) fn new(mapped: Mapped, file: &ImageFile<'_>) -> Found {
        let may_drop = !mapped.image().droppable().is_empty();
        // Without it, the host's own module is all that a dropped function can be compiled from.
        let kept = may_drop.then(|| file.as_fd().try_clone_to_owned().ok().map(File::from)).flatten();
        Found { mapped, path: file.path().to_owned(), file: kept }
    }
}

/// Functions and variables that a warning names.
const TOLD_MAX: usize = 4;

/// What gives up nothing.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

impl<'l> Start<'l> {
    /// Thread-local variables become dynamic where there is no place for static ones now. What waits or compiles ends once `cancelled` is set.
    pub(crate) fn new(larder: &'l Larder, options: &CompileOptions, cancelled: &'l AtomicBool) -> Start<'l> {
        let mut options = options.clone();
        if options.thread_locals == ThreadLocals::Static && has_place_for_static_tls().is_err() {
            options.thread_locals = ThreadLocals::Dynamic;
        }
        Start {
            larder,
            options,
            phases: Phases::heard_by(larder.observer.callback()),
            modules: Vec::new(),
            warnings: Vec::new(),
            cancelled,
            regions: Regions { find: None, found: OnceCell::new() },
            unit: None,
        }
    }

    /// The same, with places in this process that raw addresses in modules are compared with.
    pub(crate) fn with_regions(mut self, find: &'l dyn Fn() -> Vec<Region>) -> Start<'l> {
        self.regions.find = Some(find);
        self
    }

    /// The same for some functions of the module, all if there is no request.
    pub(crate) fn with_unit(mut self, unit: Option<UnitRequest>) -> Start<'l> {
        self.unit = unit;
        self
    }

    /// Finds the program's code, or compiles it.
    pub(crate) fn prepare(
        &mut self,
        program: Program<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let observer = self.larder.observer.callback();
        let details = observer.wanted(|| vec![("program", Detail::Text(program.name().to_owned()))]);
        observer.span("prepare", &details, || self.find_or_compile(program, progress))
    }

    fn find_or_compile(
        &mut self,
        mut program: Program<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let Larder { settings, toolchain, .. } = self.larder;
        let is_enough = toolchain.is_known() && settings.trust != Trust::Check;
        let asks = if is_enough { Asks::Known } else { Asks::Now };
        let mut known = self.know(&mut program, asks)?;
        let name = program.name().to_owned();
        let observer = &self.larder.observer;
        let mut found = self.look_up(&known.key);
        if found.is_err() && asks == Asks::Known {
            let before = known.key;
            known = self.know(&mut program, Asks::Now)?;
            if known.key != before {
                found = self.look_up(&known.key);
            }
        }
        let reason = match found {
            Ok(found) => {
                observer.tell(&Event::Hit { name: &name, key: &known.key });
                self.compare(program, &known, &found.path, progress)?;
                return Ok(self.finish(found, name, Outcome::Hit, Some(known.key)));
            }
            Err(reason) => reason,
        };
        let sibling = if reason == MissReason::Absent { self.sibling(&program, &known) } else { None };
        let reason = sibling.as_ref().and_then(|sibling| sibling.reason(&self.larder.host)).unwrap_or(reason);
        observer.tell(&Event::Miss { name: &name, key: &known.key, reason: &reason });
        if self.larder.settings.trust == Trust::MustHit {
            return Err(Error::MustHit { program: name, reason });
        }
        let lease = match self.larder.store() {
            Ok(store) => self.lease(store, &known.key, progress),
            Err(why) => {
                if *why != MissReason::StoreOff {
                    self.warnings.push(format!("{why}; what is compiled is not kept"));
                }
                None
            }
        };
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if lease.is_some() {
            // Another process may have published it since we looked.
            if let Ok(found) = self.look_up(&known.key) {
                return Ok(self.finish(found, name, Outcome::Hit, Some(known.key)));
            }
        }
        // Whoever checks keys wants to see what the caller builds.
        if let Some(sibling) = sibling.filter(|_| self.larder.settings.trust != Trust::Check) {
            program.take_keyed(&sibling);
        }
        let image = self.compile(program, &known, progress)?;
        let lease = if self.holds_for_now(&known) { None } else { lease };
        let kept = self.keep(lease, &image, &known.key)?;
        Ok(self.finish(kept, name, Outcome::Miss(reason), Some(known.key)))
    }

    /// If the caller doesn't trust saved code: makes it once more, and compares every byte.
    fn compare(
        &mut self,
        program: Program<'_>,
        known: &Known,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        if self.larder.settings.trust != Trust::Check {
            return Ok(());
        }
        let name = program.name().to_owned();
        let made = self.compile(program, known, progress)?;
        let saved = std::fs::read(path).map_err(|source| Error::Module { path: path.to_owned(), source })?;
        if saved == made {
            return Ok(());
        }
        let offset = saved.iter().zip(&made).take_while(|(one, other)| one == other).count() as u64;
        Err(Error::Different { program: name, path: path.to_owned(), offset })
    }

    pub(crate) fn finish(&mut self, found: Found, name: String, outcome: Outcome, key: Option<Key>) -> Prepared {
        let Found { mapped, path, file } = found;
        let told = Told {
            name,
            outcome,
            key,
            path,
            phases: std::mem::take(&mut self.phases),
            modules: std::mem::take(&mut self.modules),
            warnings: std::mem::take(&mut self.warnings),
            file,
        };
        Prepared { mapped, told }
    }

    /// The program's key, without reading its inputs if that can be helped.
    pub(crate) fn know(&mut self, program: &mut Program<'_>, asks: Asks) -> Result<Known, Error> {
        let digests = program.inputs.iter_mut().map(|input| self.digest(input)).collect::<Result<Vec<_>, _>>()?;
        let (Larder { worker, toolchain, .. }, store) = (self.larder, self.larder.store().ok());
        let toolchain = self.phases.time("toolchain", || match asks {
            Asks::Known => toolchain.known(worker, store),
            Asks::Now => toolchain.now(worker, store),
        })?;
        let key = self.key(program, &digests, &toolchain, &self.options);
        Ok(Known { key, digests, toolchain })
    }

    /// The key of a program whose inputs have those digests, if it is compiled with these options.
    fn key(
        &self,
        program: &Program<'_>,
        digests: &[Option<[u8; 32]>],
        toolchain: &str,
        options: &CompileOptions,
    ) -> Key {
        let inputs: Vec<_> = program.inputs.iter().zip(digests).map(|(input, digest)| id(input, digest)).collect();
        let has_bytes = digests.iter().any(Option::is_some);
        let has_regions = matches!(options.raw_pointers, RawPointers::Rescue | RawPointers::Strict);
        let code = CodeFields {
            options,
            host: &self.larder.host,
            triple: TRIPLE,
            toolchain,
            regions: if has_bytes && has_regions { self.regions.all() } else { &[] },
            unit: self.unit.as_ref(),
        };
        KeyFields { inputs: &inputs, code }.key()
    }

    /// Features that code may use.
    fn features(&self) -> CpuFeatures {
        self.options.cpu.features(&self.larder.host)
    }

    /// What the store has of the program for another processor.
    fn sibling(&self, program: &Program<'_>, known: &Known) -> Option<Sibling> {
        let store = self.larder.store().ok()?;
        Sibling::find(store, &self.features(), |features| {
            let options = CompileOptions { cpu: Cpu::exactly(*features), ..self.options.clone() };
            self.key(program, &known.digests, &known.toolchain, &options)
        })
    }

    /// The digest of an input's bytes; `None` if the caller has a key for them. What can be read only once is kept.
    fn digest(&mut self, input: &mut Module<'_>) -> Result<Option<[u8; 32]>, Error> {
        let store = self.larder.store().ok();
        if let From::File(path) = &input.from {
            let read = self.phases.time("digest", || file_digest(path, store));
            match read.map_err(|source| Error::Module { path: path.clone(), source })? {
                Contents::Input(digest) => return Ok(Some(digest)),
                Contents::LinkedElf => return Err(Error::Elf { path: path.clone() }),
                Contents::Stream(bytes) => input.from = From::Bytes(bytes.into()),
            }
        }
        match &input.from {
            From::Key { .. } => Ok(None),
            From::File(_) => unreachable!("a file was answered above"),
            From::Bytes(bytes) if is_linked_elf(bytes) => Err(Error::Elf { path: input.name().into() }),
            From::Bytes(bytes) => Ok(Some(self.phases.time("digest", || *blake3::hash(bytes).as_bytes()))),
        }
    }

    /// The entry of that key, mapped and checked; or why there is none. A bad entry is removed.
    fn look_up(&mut self, key: &Key) -> Result<Found, MissReason> {
        let store = self.larder.store().map_err(Clone::clone)?;
        let lookup = self.phases.time_with(
            "look up",
            || store.lookup(key),
            |found| {
                let bytes = found.as_ref().ok().and_then(Option::as_ref).map_or(0, Entry::len);
                vec![("key", Detail::Text(key.to_string())), ("bytes", Detail::Number(bytes))]
            },
        );
        let entry = lookup.map_err(|error| MissReason::of_store(&error))?;
        let entry = entry.ok_or(MissReason::Absent)?;
        self.map_entry(store, entry)
    }

    fn map_entry(&mut self, store: &Store, entry: Entry) -> Result<Found, MissReason> {
        let integrity = if entry.is_verified() { Integrity::AlreadyVerified } else { Integrity::Verify };
        let expectations = Expectations { features: &self.larder.host, key: Some(&entry.key().0), integrity };
        let path = entry.path();
        let file = entry.file().as_fd();
        // SAFETY: entries are private to the user and never written again once they are published, which is the store's contract.
        let file = unsafe { ImageFile::borrowed(file, entry.len(), path) };
        let details = |_: &_| {
            let verified = u64::from(integrity == Integrity::AlreadyVerified);
            let path = Detail::Text(entry.path().display().to_string());
            vec![("path", path), ("bytes", Detail::Number(entry.len())), ("already verified", Detail::Number(verified))]
        };
        match self.phases.time_with("map", || Mapped::map(&file, &expectations), details) {
            Ok(mapped) => {
                if integrity == Integrity::Verify {
                    // Without a receipt the next start verifies again; nothing else is lost.
                    let _ = store.record_verified(&entry);
                }
                Ok(Found::new(mapped, &file))
            }
            Err(error) => {
                let reason = MissReason::of_load(&error).unwrap_or(MissReason::Unreadable { why: error.to_string() });
                if reason.condemns_entry() {
                    // What stays is found to be bad again.
                    let _ = store.discard(&entry);
                }
                Err(reason)
            }
        }
    }

    /// The right to make the entry: waits while another process makes it.
    fn lease<'s>(&mut self, store: &'s Store, key: &Key, progress: &mut dyn FnMut(Progress<'_>)) -> Option<Lease<'s>> {
        let lease = self.phases.time("lease", || {
            store.lease_while(key, |Waiting { holder, waited }| {
                progress(Progress::Waiting { holder, waited });
                !self.cancelled.load(Ordering::Relaxed)
            })
        });
        lease.unwrap_or_else(|error| {
            self.warnings.push(format!("{}; what is compiled is not kept", chain(&error)));
            None
        })
    }

    pub(crate) fn compile(
        &mut self,
        program: Program<'_>,
        known: &Known,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<u8>, Error> {
        let read = |(input, digest)| read(input, digest);
        let inputs = self
            .phases
            .time("read", || program.inputs.into_iter().zip(&known.digests).map(read).collect::<Result<Vec<_>, _>>())?;
        let Larder { host, .. } = self.larder;
        let code = CodeFields {
            options: &self.options,
            host,
            triple: TRIPLE,
            toolchain: &known.toolchain,
            regions: if self.options.raw_pointers == RawPointers::Ignore { &[] } else { self.regions.all() },
            unit: self.unit.as_ref(),
        };
        let cancelled = self.cancelled;
        let what = Compilation { larder: self.larder, inputs: &inputs, key: known.key, code, cancelled };
        let since = Instant::now();
        let compiled = compile(&what, &mut self.phases, progress)?;
        let name = inputs.first().map_or("", |input| &input.name);
        self.larder.observer.tell(&Event::Compiled { name, key: &known.key, time: since.elapsed() });
        self.modules = compiled.modules;
        Ok(compiled.image)
    }

    /// Whether what was just compiled is of no use to another process: bytes that hold addresses of this one, under no key of the caller's. Whoever
    /// wants them kept all the same has said so.
    fn holds_for_now(&mut self, known: &Known) -> bool {
        let has_bytes = known.digests.iter().any(Option::is_some);
        let names: Vec<_> =
            self.modules.iter().flat_map(|module| &module.pointers).map(|found| found.function.as_str()).collect();
        if self.options.raw_pointers != RawPointers::Mapped || !has_bytes || names.is_empty() {
            return false;
        }
        let (some, more) =
            (&names[..names.len().min(TOLD_MAX)], if names.len() > TOLD_MAX { " and others" } else { "" });
        let warning = format!(
            "{}{more} hold addresses of this process, so what is compiled is not kept; under a key of the host's it is",
            some.join(", ")
        );
        self.warnings.push(warning);
        true
    }

    /// Publishes the image and maps it; without a store, or if it refuses, maps it from memory.
    fn keep(&mut self, lease: Option<Lease<'_>>, image: &[u8], key: &Key) -> Result<Found, Error> {
        let larder = self.larder;
        if let (Some(lease), Ok(store)) = (lease, larder.store()) {
            let bytes = |_: &_| vec![("bytes", Detail::Number(image.len() as u64))];
            match self.phases.time_with("publish", || lease.publish(&[image]), bytes) {
                Ok(entry) => {
                    sibling::note(store, &self.features());
                    match self.map_entry(store, entry) {
                        Ok(kept) => return Ok(kept),
                        Err(reason) => self.warnings.push(format!("the new entry was not usable: {reason}")),
                    }
                }
                Err(error) => self.warnings.push(format!("{}; what was compiled is not kept", chain(&error))),
            }
        }
        let path = PathBuf::from("(memory)");
        let file = in_memory(image).map_err(|source| Error::Write { path: path.clone(), source })?;
        // SAFETY: nobody else has this file.
        let file = unsafe { ImageFile::new(file.into(), image.len() as u64, path) };
        let expectations =
            Expectations { features: &larder.host, key: Some(&key.0), integrity: Integrity::AlreadyVerified };
        match self.phases.time("map", || Mapped::map(&file, &expectations)) {
            Ok(mapped) => Ok(Found::new(mapped, &file)),
            Err(LoadError::MissingFeatures { names, .. }) => Err(Error::MissingFeatures { missing: names }),
            Err(error) => Err(error.into()),
        }
    }
}

pub(crate) fn in_memory(image: &[u8]) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create("larder", MemfdFlags::CLOEXEC)?);
    std::io::Write::write_all(&mut file, image)?;
    Ok(file)
}

/// What names an input in a key.
fn id<'a>(input: &'a Module<'_>, digest: &Option<[u8; 32]>) -> ModuleId<'a> {
    match (&input.from, digest) {
        (From::Key { key, .. }, _) => ModuleId::Caller(key),
        (_, digest) => ModuleId::Digest(digest.unwrap_or_default()),
    }
}

/// The bytes of an input, which are still those that its digest was taken of.
fn read<'a>(input: Module<'a>, digest: &Option<[u8; 32]>) -> Result<Content<'a>, Error> {
    let name = input.name().to_owned();
    let bytes = input.into_bytes()?;
    let now = *blake3::hash(&bytes).as_bytes();
    if digest.is_some_and(|digest| digest != now) {
        let source = std::io::Error::other("the file was changed while it was read");
        return Err(Error::Module { path: name.into(), source });
    }
    Ok(Content { name, bytes, digest: now })
}

/// What is in a file that should hold an input.
enum Contents {
    /// An input of that digest.
    Input([u8; 32]),
    /// An ELF file that a linker made: no input, perhaps a saved image.
    LinkedElf,
    /// It is a pipe or the like, which can be read once: these bytes.
    Stream(Vec<u8>),
}

/// Looks at a file, unless the store remembers what it holds in its present state.
fn file_digest(path: &Path, store: Option<&Store>) -> std::io::Result<Contents> {
    let identity = FileIdentity::at(path)?;
    if let Some(digest) = store.and_then(|store| store.recall(&identity).ok().flatten()) {
        return Ok(if digest == GOOD_IMAGE { Contents::LinkedElf } else { Contents::Input(digest) });
    }
    let mut file = File::open(path)?;
    let is_file = file.metadata()?.is_file();
    let observed = is_file.then(|| Observed::settle(&file)).transpose()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Some(observed) = observed else { return Ok(Contents::Stream(bytes)) };
    if is_linked_elf(&bytes) {
        return Ok(Contents::LinkedElf);
    }
    let digest = *blake3::hash(&bytes).as_bytes();
    if let Some(store) = store {
        // A digest that is not remembered is computed again.
        let _ = store.remember(&file, &observed, &digest);
    }
    Ok(Contents::Input(digest))
}
