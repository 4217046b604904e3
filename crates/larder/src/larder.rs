//! What a host opens once: the store, the worker, and what is known of this machine.

use crate::error::Error;
use crate::observe::{Counts, Observer, Observing};
use crate::options::CompileOptions;
use crate::outcome::{MissReason, ModuleOutcome};
use crate::phases::{Detail, Phases};
use crate::prepared::Prepared;
use crate::program::Program;
use crate::start::{Asks, NEVER, Start};
use crate::toolchain::Toolchain;
use crate::worker::{CompileError, Limits, Worker};
use larder_format::cpu::CpuFeatures;
use larder_store::{Key, Store, StoreOptions};
use std::path::PathBuf;
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
    /// What compiles; `None` to look for the worker program.
    pub worker: Option<Worker>,
    /// Features of this machine; `None` to ask it. Tests of other machines set it.
    pub host: Option<CpuFeatures>,
    /// Limits of a compilation.
    pub limits: Limits,
    /// Threads that generate code; `None` for one on each core.
    pub thread_count: Option<u32>,
    /// Whether saved code is believed, and whether it is made.
    pub trust: Trust,
    /// Hears what happens: see [`Event`](crate::Event).
    pub observer: Observer,
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

/// Whether saved code is believed, and whether it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// What is saved is used, what isn't is compiled.
    #[default]
    Usual,
    /// What isn't saved is an error ([`Error::MustHit`]): for starts that must not wait.
    MustHit,
    /// On a hit, the program is compiled all the same and every byte compared ([`Error::Different`]): for tests of the host's keys. Closures that
    /// build modules run each time.
    Check,
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
        /// The number of the module, from 1, among those that are to be compiled; of several at once, the lowest.
        module: usize,
        /// How many modules are to be compiled.
        module_count: usize,
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
    pub(crate) observer: Observing,
    pub(crate) toolchain: Toolchain,
    store: Result<Store, MissReason>,
}

impl Larder {
    /// Opens the store. A store that can't be used is no error: see [`Prepared::warnings`].
    pub fn open(settings: Settings) -> Larder {
        let store = Phases::heard_by(&settings.observer).time_with(
            "open store",
            || open_store(&settings),
            |store| {
                let told = store.as_ref().map_or_else(ToString::to_string, |store| store.dir().display().to_string());
                vec![("store", Detail::Text(told))]
            },
        );
        let host = settings.host.unwrap_or_else(|| *larder_runtime::cpu::host_features());
        let worker = settings.worker.clone().map_or_else(Worker::locate, Ok);
        let observer = Observing::new(&settings.observer);
        Larder { settings, host, worker, observer, toolchain: Toolchain::default(), store }
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

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.observer.counts()
    }

    /// Finds the program's code, or compiles it. A single module is a program, too.
    ///
    /// # Errors
    /// Only what keeps the program from starting: the module is unreadable or wrong, or LLVM or the linker refuse it.
    pub fn prepare<'a>(
        &self,
        program: impl Into<Program<'a>>,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        Start::new(self, options, &NEVER).prepare(program.into(), progress)
    }

    /// Makes an image's bytes of the program, whatever images the store holds, and keeps no image. Objects of modules are kept, and taken
    /// from the store, if there are several.
    ///
    /// # Errors
    /// As [`Larder::prepare`].
    pub fn build<'a>(
        &self,
        program: impl Into<Program<'a>>,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Built, Error> {
        let mut program = program.into();
        let mut start = Start::new(self, options, &NEVER);
        let known = start.know(&mut program, Asks::Now)?;
        let bytes = start.compile(program, &known, progress)?;
        Ok(Built { bytes, key: known.key, phases: start.phases, modules: start.modules })
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
    /// What became of each module.
    pub modules: Vec<ModuleOutcome>,
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
