//! A session: the symbols that images of one process see, and the way from a module to a function in one call.
//!
//! The process's own symbols are opt-in: an image sees what the host hands in by name, and libc only if the host says so.

use crate::error::Error;
use crate::larder::{Larder, Progress};
use crate::options::CompileOptions;
use crate::prepared::Code;
use crate::program::Program;
use larder_runtime::{Address, Arguments, Chain, Names, ProcessSymbols, Resolve};

/// Symbols by name, for images that are loaded with them.
#[derive(Debug)]
pub struct Session<'l> {
    larder: &'l Larder,
    names: Names,
    process_symbols: bool,
}

impl Larder {
    /// A session without symbols.
    pub fn session(&self) -> Session<'_> {
        Session { larder: self, names: Names::new(), process_symbols: false }
    }
}

impl Session<'_> {
    /// Hands in a name. A later definition replaces an earlier one, for images that are loaded after it.
    ///
    /// Nothing is called or read until an image is loaded; [`Session::load_or_compile`] has the contract.
    pub fn define(&mut self, name: &str, address: Address) -> &mut Self {
        // A name with a NUL is one that no image can ask for.
        let _ = self.names.insert(name, address);
        self
    }

    /// Lets images see what `dlsym` sees: the C library and whatever else the process has loaded.
    pub fn use_process_symbols(&mut self) -> &mut Self {
        self.process_symbols = true;
        self
    }

    /// Takes the program's code from the store, or compiles it; binds it to the session's symbols and runs its initialisers.
    ///
    /// # Safety
    /// This runs the program's code: its inputs are trusted. Each symbol that was handed in has the type which they declare it with,
    /// and stays valid while the code is loaded. Under a key of the caller's, equal keys mean equal inputs.
    ///
    /// # Errors
    /// An input can't be read, compiled or linked, or asks for names that the session does not have.
    pub unsafe fn load_or_compile<'a>(
        &self,
        program: impl Into<Program<'a>>,
        options: &CompileOptions,
    ) -> Result<Code, Error> {
        let prepared = self.larder.prepare(program, options, &mut |_: Progress<'_>| {})?;
        let process: &dyn Resolve = &ProcessSymbols;
        let nothing = Names::new();
        let ready = prepared.bind(&Chain(&[&self.names, if self.process_symbols { process } else { &nothing }]))?;
        // SAFETY: the caller's promise.
        unsafe { ready.initialise(&Arguments::none()) }
    }
}
