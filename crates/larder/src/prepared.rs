//! Code that is mapped and checked, and waits for the addresses of its imports.

use crate::error::Error;
use crate::outcome::{ModuleOutcome, Outcome};
use crate::parts::PartCounts;
use crate::phases::{Phase, Phases};
use larder_runtime::{Arguments, FnPointer, Function, Libraries, Loaded, Mapped, Resolve, Sealed};
use larder_store::Key;
use std::ffi::CStr;
use std::path::{Path, PathBuf};

/// An image that is mapped and checked. Nothing of it has run.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) mapped: Mapped,
    pub(crate) outcome: Outcome,
    pub(crate) key: Option<Key>,
    pub(crate) path: PathBuf,
    pub(crate) phases: Phases,
    pub(crate) modules: Vec<ModuleOutcome>,
    pub(crate) warnings: Vec<String>,
}

impl Prepared {
    /// Whether saved code is used, or why not.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The key; `None` for a saved image that was loaded by its name.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The image's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the time went so far.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// What became of each module of a program that was not found whole: those whose objects were kept, and those that were compiled.
    pub fn modules(&self) -> &[ModuleOutcome] {
        &self.modules
    }

    /// How many parts of modules were generated, and how many of an earlier compilation were used; nothing of either for a hit.
    pub fn parts(&self) -> PartCounts {
        self.modules.iter().map(|module| module.parts).sum()
    }

    /// What went wrong without harm, in sentences for the user.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Binds the imports and seals the image. Nothing of it has run yet.
    ///
    /// # Errors
    /// Imports that nobody answers to, all of them named.
    pub fn bind(mut self, symbols: &dyn Resolve) -> Result<Ready, Error> {
        let mapped = self.mapped;
        let bound = self.phases.time("bind", || mapped.bind(symbols))?;
        let sealed = self.phases.time("seal", || bound.seal())?;
        let image = self.path.display().to_string();
        Ok(Ready { sealed, outcome: self.outcome, key: self.key, image, phases: self.phases })
    }
}

/// An image that is bound and sealed. Its initialisers have not run.
#[derive(Debug)]
pub struct Ready {
    sealed: Sealed,
    outcome: Outcome,
    key: Option<Key>,
    image: String,
    phases: Phases,
}

impl Ready {
    /// Where the time went so far.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// The image itself, which may be described to tools before it runs.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Adds a step of the caller's own to the phases.
    pub fn add_phase(&mut self, phase: Phase) {
        self.phases.add(phase.name, phase.time);
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
    pub unsafe fn initialise(self, arguments: &Arguments) -> Result<Code, Error> {
        // SAFETY: the caller's promise.
        let loaded = unsafe { self.sealed.initialise(arguments) }?;
        Ok(Code { loaded, outcome: self.outcome, key: self.key, image: self.image, phases: self.phases })
    }
}

/// Code that runs. Dropping it runs its finalisers and unmaps it.
#[derive(Debug)]
pub struct Code {
    loaded: Loaded,
    outcome: Outcome,
    key: Option<Key>,
    image: String,
    phases: Phases,
}

impl Code {
    /// Whether saved code is used, or why not.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The key; `None` for a saved image that was loaded by its name.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Where the time went.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// The loaded image itself.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Keeps the code to the end of the process; its finalisers run at exit.
    pub fn leak(self) -> &'static Loaded {
        self.loaded.leak()
    }

    /// The function of that name.
    ///
    /// # Safety
    /// `F` is the function's type: no check of it is possible.
    ///
    /// # Errors
    /// [`Error::NoFunction`] if the image offers no such function.
    pub unsafe fn function<F: FnPointer>(&self, name: &str) -> Result<Function<'_, F>, Error> {
        // SAFETY: the caller's promise.
        let function = unsafe { self.loaded.function(name) };
        function.ok_or_else(|| Error::NoFunction { image: self.image.clone(), name: name.to_owned() })
    }
}
