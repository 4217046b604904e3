//! Load or compile: the policy between a module and an image that is mapped and checked.
//!
//! ```text
//! module ─▶ key ─▶ look up ──hit──▶ map, check ─▶ Prepared
//!                     │miss(reason)                  ▲
//!                     ▼                              │
//!                   lease ▶ compile ▶ link ▶ publish ┘
//! ```
//!
//! The store is a convenience: where it can't be used, the module is compiled into memory and a [warning](Prepared::warnings) says
//! so. Several processes that miss the same key at once take turns by its lease, and all but the first find the entry then.

use crate::compile::{Compilation, compile};
use crate::error::Error;
use crate::key::{KeyFields, ModuleId};
use crate::module::{From, Module};
use crate::options::CompileOptions;
use crate::outcome::{MissReason, Outcome, chain};
use crate::phases::Phases;
use crate::prepared::Prepared;
use crate::toolchain::toolchain;
use crate::worker::{CompileError, Limits, Worker};
use larder_format::cpu::CpuFeatures;
use larder_format::image::verify_digest;
use larder_runtime::{Expectations, ImageFile, Integrity, LoadError, Mapped};
use larder_store::{Entry, FileIdentity, Key, Lease, Observed, Store, StoreOptions, Waiting};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// LLVM's name of the platform that code is made for.
pub const TRIPLE: &str = "x86_64-pc-linux-gnu";

/// Where things are and how far they may go. Nothing here affects generated code.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Where the store is.
    pub store: StorePlace,
    /// Bytes above which the store drops what was not used for longest; `None` for the default.
    pub store_size_max: Option<u64>,
    /// The worker program; `None` to look for it.
    pub worker: Option<PathBuf>,
    /// Features of this machine; `None` to ask it. Tests of other machines set it.
    pub host: Option<CpuFeatures>,
    /// Limits of a compilation.
    pub limits: Limits,
    /// Threads that generate code; `None` for one on each core.
    pub thread_count: Option<u32>,
    /// A directory that gets what a compilation makes: objects and image.
    pub save_temps: Option<PathBuf>,
}

/// Where the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StorePlace {
    /// `LARDER_DIR`, or `larder` in the user's cache directory (XDG base directory specification).
    #[default]
    Default,
    /// This directory.
    Dir(PathBuf),
    /// There is none: everything is compiled, nothing is kept.
    Off,
}

/// What happens while the caller waits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The worker is at it.
    Compiling {
        /// What it does.
        phase: &'a str,
        /// How much of the whole is done, from 0 to 1.
        fraction: f32,
    },
    /// Another process compiles the same module.
    Waiting {
        /// Its process id, if known.
        holder: Option<u32>,
        /// For how long already.
        waited: Duration,
    },
}

/// Keeps code: a store, a worker and this machine's features.
#[derive(Debug)]
pub struct Larder {
    pub(crate) settings: Settings,
    pub(crate) host: CpuFeatures,
    pub(crate) worker: Result<Worker, CompileError>,
    store: Result<Store, MissReason>,
}

impl Larder {
    /// Opens the store. A store that can't be used is no error: see [`Prepared::warnings`].
    pub fn open(settings: Settings) -> Larder {
        let store = open_store(&settings);
        let host = settings.host.unwrap_or_else(|| *larder_runtime::cpu::host_features());
        let worker = settings.worker.clone().map_or_else(Worker::locate, |path| Ok(Worker::at(path)));
        Larder { settings, host, worker, store }
    }

    /// The store, or why it can't be used.
    ///
    /// # Errors
    /// [`MissReason::StoreOff`] if the caller wants none, [`MissReason::Store`] if there is something wrong with it.
    pub fn store(&self) -> Result<&Store, &MissReason> {
        self.store.as_ref()
    }

    /// The worker program, or why there is none. Saved code runs without it.
    ///
    /// # Errors
    /// [`CompileError::NotFound`], with what to do.
    pub fn worker(&self) -> Result<&Worker, &CompileError> {
        self.worker.as_ref()
    }

    /// Features of the machine that code is prepared for.
    pub fn host(&self) -> &CpuFeatures {
        &self.host
    }

    /// Finds the module's code, or compiles it.
    ///
    /// # Errors
    /// Only what keeps the program from starting: the module is unreadable or wrong, or LLVM or the linker refuse it.
    pub fn prepare(
        &self,
        module: Module<'_>,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let mut start = Start { larder: self, options, phases: Phases::default(), warnings: Vec::new() };
        start.prepare(module, progress)
    }

    /// Compiles the module to an image's bytes, whatever the store holds, and keeps nothing.
    ///
    /// # Errors
    /// As [`Larder::prepare`].
    pub fn build(
        &self,
        module: Module<'_>,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Built, Error> {
        let mut start = Start { larder: self, options, phases: Phases::default(), warnings: Vec::new() };
        let known = start.know(&module)?;
        let bytes = start.compile(module, &known, progress)?;
        Ok(Built { bytes, key: known.key, phases: start.phases })
    }

    /// Maps a saved image. One that can't be used here is rebuilt from the module that it holds.
    ///
    /// # Safety
    /// Nobody may write to the file while the image is loaded.
    ///
    /// # Errors
    /// As [`Larder::prepare`]; [`Error::ForeignImage`] if it can't be used and holds no module.
    pub unsafe fn prepare_image(
        &self,
        path: &Path,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let mut start = Start { larder: self, options, phases: Phases::default(), warnings: Vec::new() };
        // SAFETY: the caller's promise.
        match unsafe { start.saved_image(path) } {
            Ok(mapped) => Ok(start.finish(mapped, Outcome::Hit, None, path.to_owned())),
            Err(error) => {
                let Some(reason) = MissReason::of_load(&error) else { return Err(error.into()) };
                let Some(module) = saved_module(path, &reason) else {
                    return Err(Error::ForeignImage { path: path.to_owned(), reason });
                };
                let name = path.display().to_string();
                let mut prepared = start.prepare(Module::bytes(&name, module), progress)?;
                prepared.warnings.insert(0, format!("{name}: {reason}; using the module in it"));
                Ok(prepared)
            }
        }
    }
}

/// An image that was compiled and not loaded.
#[derive(Debug)]
pub struct Built {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its key.
    pub key: Key,
    /// Where the time went.
    pub phases: Phases,
}

fn open_store(settings: &Settings) -> Result<Store, MissReason> {
    let dir = match &settings.store {
        StorePlace::Off => return Err(MissReason::StoreOff),
        StorePlace::Dir(dir) => dir.clone(),
        StorePlace::Default => {
            larder_store::default_dir(|name| std::env::var_os(name)).map_err(|error| MissReason::of_store(&error))?
        }
    };
    let mut options = StoreOptions::new(dir);
    if let Some(size_max) = settings.store_size_max {
        options = options.size_max(Some(size_max));
    }
    Store::open(options).map_err(|error| MissReason::of_store(&error))
}

/// The module inside a saved image, if the image's own bytes can be trusted.
fn saved_module(path: &Path, reason: &MissReason) -> Option<Vec<u8>> {
    if matches!(reason, MissReason::Damaged { .. } | MissReason::Unreadable { .. }) {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    verify_digest(&bytes).ok()?;
    crate::inspect::source(&bytes)
}

/// What the store remembers in place of a module's digest for a saved image whose bytes were verified. No module has it, as far as BLAKE3
/// can be trusted.
const GOOD_IMAGE: [u8; 32] = *b"this file is an image, and whole";

/// What is known of a module before it is read.
struct Known {
    key: Key,
    digest: [u8; 32],
}

/// One start, under way.
struct Start<'l> {
    larder: &'l Larder,
    options: &'l CompileOptions,
    phases: Phases,
    warnings: Vec<String>,
}

impl Start<'_> {
    fn prepare(&mut self, module: Module<'_>, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Prepared, Error> {
        let known = self.know(&module)?;
        let reason = match self.look_up(&known.key) {
            Ok((mapped, path)) => return Ok(self.finish(mapped, Outcome::Hit, Some(known.key), path)),
            Err(reason) => reason,
        };
        let larder = self.larder;
        let lease = match larder.store.as_ref() {
            Ok(store) => self.lease(store, &known.key, progress),
            Err(why) => {
                if *why != MissReason::StoreOff {
                    self.warnings.push(format!("{why}; what is compiled is not kept"));
                }
                None
            }
        };
        if lease.is_some() {
            // Another process may have published it since we looked.
            if let Ok((mapped, path)) = self.look_up(&known.key) {
                return Ok(self.finish(mapped, Outcome::Hit, Some(known.key), path));
            }
        }
        let image = self.compile(module, &known, progress)?;
        let (mapped, path) = self.keep(lease, &image, &known.key)?;
        Ok(self.finish(mapped, Outcome::Miss(reason), Some(known.key), path))
    }

    fn finish(&mut self, mapped: Mapped, outcome: Outcome, key: Option<Key>, path: PathBuf) -> Prepared {
        Prepared {
            mapped,
            outcome,
            key,
            path,
            phases: std::mem::take(&mut self.phases),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    /// The module's key, without reading the module if that can be helped.
    fn know(&mut self, module: &Module<'_>) -> Result<Known, Error> {
        let Larder { host, worker, store, .. } = self.larder;
        let store = store.as_ref().ok();
        let (id, digest) = match &module.from {
            From::Key { key, .. } => (ModuleId::Caller(key), [0; 32]),
            From::Bytes(bytes) => {
                let digest = self.phases.time("digest", || *blake3::hash(bytes).as_bytes());
                (ModuleId::Digest(digest), digest)
            }
            From::File(path) => {
                let digest = self.phases.time("digest", || file_digest(path, store));
                let digest = digest.map_err(|source| Error::Module { path: path.clone(), source })?;
                let digest = digest.ok_or_else(|| Error::Elf { path: path.clone() })?;
                (ModuleId::Digest(digest), digest)
            }
        };
        let toolchain = self.phases.time("toolchain", || toolchain(worker, store))?;
        let fields = KeyFields { module: id, options: self.options, host, triple: TRIPLE, toolchain: &toolchain };
        Ok(Known { key: fields.key(), digest })
    }

    /// The entry of that key, mapped and checked; or why there is none. A bad entry is removed.
    fn look_up(&mut self, key: &Key) -> Result<(Mapped, PathBuf), MissReason> {
        let store = self.larder.store.as_ref().map_err(Clone::clone)?;
        let entry = self.phases.time("look up", || store.lookup(key)).map_err(|error| MissReason::of_store(&error))?;
        let entry = entry.ok_or(MissReason::Absent)?;
        self.map_entry(store, entry)
    }

    fn map_entry(&mut self, store: &Store, entry: Entry) -> Result<(Mapped, PathBuf), MissReason> {
        let path = entry.path();
        let integrity = if entry.is_verified() { Integrity::AlreadyVerified } else { Integrity::Verify };
        let expectations = Expectations { features: &self.larder.host, key: Some(&entry.key().0), integrity };
        let file = entry.file().try_clone().map_err(|error| MissReason::Unreadable { why: error.to_string() })?;
        // SAFETY: entries are private to the user and never written again once they are published, which is the store's contract.
        let file = unsafe { ImageFile::new(file.into(), entry.len(), path.clone()) };
        match self.phases.time("map", || Mapped::map(&file, &expectations)) {
            Ok(mapped) => {
                if integrity == Integrity::Verify {
                    // Without a receipt the next start verifies again; nothing else is lost.
                    let _ = store.record_verified(&entry);
                }
                Ok((mapped, path))
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
                true
            })
        });
        lease.unwrap_or_else(|error| {
            self.warnings.push(format!("{}; what is compiled is not kept", chain(&error)));
            None
        })
    }

    fn compile(
        &mut self,
        module: Module<'_>,
        known: &Known,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<u8>, Error> {
        let name = module.name().to_owned();
        let bytes = self.phases.time("read", || module.into_bytes())?;
        let digest = if known.digest == [0; 32] { *blake3::hash(&bytes).as_bytes() } else { known.digest };
        if digest != *blake3::hash(&bytes).as_bytes() {
            return Err(Error::Module {
                path: name.into(),
                source: std::io::Error::other("the file was changed while it was read"),
            });
        }
        compile(
            &Compilation {
                larder: self.larder,
                name: &name,
                module: &bytes,
                digest,
                key: known.key,
                options: self.options,
            },
            &mut self.phases,
            progress,
        )
    }

    /// Publishes the image and maps it; without a store, or if it refuses, maps it from memory.
    fn keep(&mut self, lease: Option<Lease<'_>>, image: &[u8], key: &Key) -> Result<(Mapped, PathBuf), Error> {
        let larder = self.larder;
        if let (Some(lease), Ok(store)) = (lease, &larder.store) {
            match self.phases.time("publish", || lease.publish(&[image])) {
                Ok(entry) => match self.map_entry(store, entry) {
                    Ok(kept) => return Ok(kept),
                    Err(reason) => self.warnings.push(format!("the new entry was not usable: {reason}")),
                },
                Err(error) => self.warnings.push(format!("{}; what was compiled is not kept", chain(&error))),
            }
        }
        let path = PathBuf::from("(memory)");
        let file = in_memory(image).map_err(|source| Error::Write { path: path.clone(), source })?;
        // SAFETY: nobody else has this file.
        let file = unsafe { ImageFile::new(file.into(), image.len() as u64, path.clone()) };
        let expectations =
            Expectations { features: &larder.host, key: Some(&key.0), integrity: Integrity::AlreadyVerified };
        match self.phases.time("map", || Mapped::map(&file, &expectations)) {
            Ok(mapped) => Ok((mapped, path)),
            Err(LoadError::MissingFeatures { names, .. }) => Err(Error::MissingFeatures { missing: names }),
            Err(error) => Err(error.into()),
        }
    }

    /// Maps an image by its name. Its bytes are verified once for each state of the file, which the store remembers.
    ///
    /// # Safety
    /// Nobody writes to the file while it is loaded.
    unsafe fn saved_image(&mut self, path: &Path) -> Result<Mapped, LoadError> {
        let store = self.larder.store().ok();
        let os = |operation| move |source| LoadError::Os { path: path.to_owned(), operation, source };
        let file = File::open(path).map_err(os("open"))?;
        let metadata = file.metadata().map_err(os("read the length of"))?;
        if !metadata.is_file() {
            return Err(LoadError::NotAFile { path: path.to_owned() });
        }
        let recalled = store.and_then(|store| store.recall(&FileIdentity::of(&file).ok()?).ok().flatten());
        let (integrity, observed) = match recalled {
            Some(GOOD_IMAGE) => (Integrity::AlreadyVerified, None),
            _ => (Integrity::Verify, Observed::settle(&file).ok()),
        };
        let expectations = Expectations { features: &self.larder.host, key: None, integrity };
        let descriptor = file.try_clone().map_err(os("open"))?.into();
        // SAFETY: the caller's promise; it is a regular file of that length.
        let image = unsafe { ImageFile::new(descriptor, metadata.len(), path.to_owned()) };
        let mapped = self.phases.time("map", || Mapped::map(&image, &expectations))?;
        if let (Some(store), Some(observed)) = (store, observed) {
            // What is not remembered is verified again.
            let _ = store.remember(&file, &observed, &GOOD_IMAGE);
        }
        Ok(mapped)
    }
}

fn in_memory(image: &[u8]) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create("larder", MemfdFlags::CLOEXEC)?);
    std::io::Write::write_all(&mut file, image)?;
    Ok(file)
}

/// The digest of a file's bytes, remembered by the store for the file's state; `None` for an ELF file, which is no module.
fn file_digest(path: &Path, store: Option<&Store>) -> std::io::Result<Option<[u8; 32]>> {
    if let Some(store) = store {
        if let Ok(Some(digest)) = store.recall(&FileIdentity::at(path)?) {
            return Ok((digest != GOOD_IMAGE).then_some(digest));
        }
    }
    let mut file = File::open(path)?;
    let observed = Observed::settle(&file)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if bytes.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let digest = *blake3::hash(&bytes).as_bytes();
    if let Some(store) = store {
        // A digest that is not remembered is computed again.
        let _ = store.remember(&file, &observed, &digest);
    }
    Ok(Some(digest))
}
