//! Code that is mapped and checked, and waits for the addresses of its imports.

use crate::error::Error;
use crate::outcome::{ModuleOutcome, Outcome};
use crate::parts::PartCounts;
use crate::phases::{Detail, Phase, Phases};
use larder_format::image::Table;
use larder_runtime::{Arguments, Bound, Libraries, LoadError, Loaded, Mapped, Resolve, Sealed};
use larder_store::Key;
use std::ffi::CStr;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What there is to say about code, beside the code.
#[derive(Debug)]
pub(crate) struct Told {
    /// What diagnostics call it.
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) key: Option<Key>,
    pub(crate) path: PathBuf,
    pub(crate) phases: Phases,
    pub(crate) modules: Vec<ModuleOutcome>,
    pub(crate) warnings: Vec<String>,
    /// The image's file, if functions may be dropped.
    pub(crate) file: Option<File>,
}

/// An image that is mapped and checked. Nothing of it has run.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) mapped: Mapped,
    pub(crate) told: Told,
}

impl Prepared {
    /// Whether saved code is used, or why not.
    pub fn outcome(&self) -> &Outcome {
        &self.told.outcome
    }

    /// The key; `None` for a saved image that was loaded by its name.
    pub fn key(&self) -> Option<&Key> {
        self.told.key.as_ref()
    }

    /// The image's file.
    pub fn path(&self) -> &Path {
        &self.told.path
    }

    /// Where the time went so far.
    pub fn phases(&self) -> &Phases {
        &self.told.phases
    }

    /// What became of each module of a program that was not found whole: those whose objects were kept, and those that were compiled.
    pub fn modules(&self) -> &[ModuleOutcome] {
        &self.told.modules
    }

    /// How many parts of modules were generated, and how many of an earlier compilation were used; nothing of either for a hit.
    pub fn parts(&self) -> PartCounts {
        self.told.modules.iter().map(|module| module.parts).sum()
    }

    /// What went wrong without harm, in sentences for the user.
    pub fn warnings(&self) -> &[String] {
        &self.told.warnings
    }

    /// Whether the code counts on a fixed place of its thread-local variables: see [`larder_runtime::has_place_for_static_tls`].
    pub fn has_fixed_thread_locals(&self) -> bool {
        self.mapped.image().header().tls_distance != 0
    }

    /// Makes the image the process's program: see [`Mapped::stay`].
    ///
    /// # Safety
    /// As there.
    ///
    /// # Errors
    /// Another image has a variable that this one has to have.
    pub unsafe fn stay(&mut self) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        Ok(unsafe { self.mapped.stay() }?)
    }

    /// Binds the imports and seals the image. Nothing of it has run yet.
    ///
    /// # Errors
    /// Imports that nobody answers to, all of them named; a variable of a library that has to have its place in the image, and
    /// can't ([`larder_runtime::CopyError`]).
    pub fn bind(mut self, symbols: &dyn Resolve) -> Result<Ready, Error> {
        let mapped = self.mapped;
        let phases = &mut self.told.phases;
        let counts = |bound: &Result<Bound, LoadError>| {
            let count = |table: Table| Detail::Number(table.count.into());
            let header = bound.as_ref().map(|bound| *bound.image().header());
            header
                .map_or(Vec::new(), |header| vec![("imports", count(header.imports)), ("guards", count(header.guards))])
        };
        let bound = phases.time_steps("bind", |ended| mapped.bind_in_steps(symbols, ended), counts)?;
        let sealed = phases.time("seal", || bound.seal())?;
        Ok(Ready { sealed, told: self.told })
    }
}

/// An image that is bound and sealed. Its initialisers have not run.
#[derive(Debug)]
pub struct Ready {
    sealed: Sealed,
    told: Told,
}

impl Ready {
    /// Where the time went so far.
    pub fn phases(&self) -> &Phases {
        &self.told.phases
    }

    /// What diagnostics call it.
    pub(crate) fn name(&self) -> &str {
        &self.told.name
    }

    /// The image itself, which may be described to tools before it runs.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Adds a step of the caller's own to the phases.
    pub fn add_phase(&mut self, phase: Phase) {
        self.told.phases.add(phase.name, phase.time);
    }

    /// Lets the dynamic linker's answers include the image's exports: see [`Sealed::offer_exports`].
    pub fn offer_exports(&self, name: &CStr, libraries: &Libraries) {
        self.sealed.offer_exports(name, libraries);
    }

    /// Gives libraries the program's definitions: see [`Sealed::preempt_libraries`].
    ///
    /// # Safety
    /// As there.
    pub unsafe fn preempt_libraries(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.sealed.preempt_libraries() };
    }

    /// Runs the initialisers.
    ///
    /// # Safety
    /// This runs the module's code: the module is trusted, and the symbols it was bound to are what it takes them for.
    ///
    /// # Errors
    /// No memory is left to note the finalisers; then nothing has run.
    pub unsafe fn initialise(self, arguments: &Arguments) -> Result<Loaded, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.initialise_told(arguments) }.map(|(loaded, _)| loaded)
    }

    /// # Safety
    /// As for [`Ready::initialise`].
    pub(crate) unsafe fn initialise_told(self, arguments: &Arguments) -> Result<(Loaded, Told), Error> {
        let Ready { sealed, mut told } = self;
        // SAFETY: the caller's promise.
        let initialise = || unsafe { sealed.initialise(arguments) };
        let constructors = |loaded: &Result<Loaded, LoadError>| {
            let count = loaded.as_ref().map_or(0, |loaded| loaded.image().header().init.count);
            vec![("constructors", Detail::Number(count.into()))]
        };
        let loaded = told.phases.time_with("initialise", initialise, constructors)?;
        Ok((loaded, told))
    }
}
