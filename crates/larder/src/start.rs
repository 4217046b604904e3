//! One start: from a module to an image that is mapped and checked.
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
use crate::larder::{Larder, Progress, TRIPLE};
use crate::module::{From, Module};
use crate::options::CompileOptions;
use crate::outcome::{MissReason, Outcome, chain};
use crate::phases::Phases;
use crate::prepared::Prepared;
use crate::saved::{GOOD_IMAGE, is_elf};
use crate::toolchain::toolchain;
use larder_runtime::{Expectations, ImageFile, Integrity, LoadError, Mapped};
use larder_store::{Entry, FileIdentity, Key, Lease, Observed, Store, Waiting};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is known of a module before it is read.
pub(crate) struct Known {
    pub(crate) key: Key,
    digest: [u8; 32],
}

/// One start, under way.
pub(crate) struct Start<'l> {
    pub(crate) larder: &'l Larder,
    pub(crate) options: &'l CompileOptions,
    pub(crate) phases: Phases,
    warnings: Vec<String>,
}

impl<'l> Start<'l> {
    pub(crate) fn new(larder: &'l Larder, options: &'l CompileOptions) -> Start<'l> {
        Start { larder, options, phases: Phases::default(), warnings: Vec::new() }
    }

    pub(crate) fn prepare(
        &mut self,
        mut module: Module<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let known = self.know(&mut module)?;
        let reason = match self.look_up(&known.key) {
            Ok((mapped, path)) => return Ok(self.finish(mapped, Outcome::Hit, Some(known.key), path)),
            Err(reason) => reason,
        };
        let larder = self.larder;
        let lease = match larder.store() {
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

    pub(crate) fn finish(&mut self, mapped: Mapped, outcome: Outcome, key: Option<Key>, path: PathBuf) -> Prepared {
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
    pub(crate) fn know(&mut self, module: &mut Module<'_>) -> Result<Known, Error> {
        let store = self.larder.store().ok();
        if let From::File(path) = &module.from {
            let read = self.phases.time("digest", || file_digest(path, store));
            match read.map_err(|source| Error::Module { path: path.clone(), source })? {
                Contents::Module(digest) => return self.known(ModuleId::Digest(digest), digest),
                Contents::Elf => return Err(Error::Elf { path: path.clone() }),
                Contents::Stream(bytes) => module.from = From::Bytes(bytes.into()),
            }
        }
        let (id, digest) = match &module.from {
            From::Key { key, .. } => (ModuleId::Caller(key), [0; 32]),
            From::File(_) => unreachable!("a file was answered above"),
            From::Bytes(bytes) if is_elf(bytes) => return Err(Error::Elf { path: module.name().into() }),
            From::Bytes(bytes) => {
                let digest = self.phases.time("digest", || *blake3::hash(bytes).as_bytes());
                (ModuleId::Digest(digest), digest)
            }
        };
        self.known(id, digest)
    }

    fn known(&mut self, module: ModuleId<'_>, digest: [u8; 32]) -> Result<Known, Error> {
        let Larder { host, worker, .. } = self.larder;
        let store = self.larder.store().ok();
        let toolchain = self.phases.time("toolchain", || toolchain(worker, store))?;
        let fields = KeyFields { module, options: self.options, host, triple: TRIPLE, toolchain: &toolchain };
        Ok(Known { key: fields.key(), digest })
    }

    /// The entry of that key, mapped and checked; or why there is none. A bad entry is removed.
    fn look_up(&mut self, key: &Key) -> Result<(Mapped, PathBuf), MissReason> {
        let store = self.larder.store().map_err(Clone::clone)?;
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

    pub(crate) fn compile(
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
        if let (Some(lease), Ok(store)) = (lease, larder.store()) {
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
}

pub(crate) fn in_memory(image: &[u8]) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create("larder", MemfdFlags::CLOEXEC)?);
    std::io::Write::write_all(&mut file, image)?;
    Ok(file)
}

/// What is in a file that should hold a module.
enum Contents {
    /// A module of that digest.
    Module([u8; 32]),
    /// An ELF file: no module, perhaps a saved image.
    Elf,
    /// It is a pipe or the like, which can be read once: these bytes.
    Stream(Vec<u8>),
}

/// Looks at a file, unless the store remembers what it holds in its present state.
fn file_digest(path: &Path, store: Option<&Store>) -> std::io::Result<Contents> {
    let identity = FileIdentity::at(path)?;
    if let Some(digest) = store.and_then(|store| store.recall(&identity).ok().flatten()) {
        return Ok(if digest == GOOD_IMAGE { Contents::Elf } else { Contents::Module(digest) });
    }
    let mut file = File::open(path)?;
    let is_file = file.metadata()?.is_file();
    let observed = is_file.then(|| Observed::settle(&file)).transpose()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Some(observed) = observed else { return Ok(Contents::Stream(bytes)) };
    if is_elf(&bytes) {
        return Ok(Contents::Elf);
    }
    let digest = *blake3::hash(&bytes).as_bytes();
    if let Some(store) = store {
        // A digest that is not remembered is computed again.
        let _ = store.remember(&file, &observed, &digest);
    }
    Ok(Contents::Module(digest))
}
