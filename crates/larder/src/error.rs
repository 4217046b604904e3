//! What can keep a program from starting. A fault of the cache is not among it: that is a [`MissReason`](crate::MissReason).

use crate::module::BuildError;
use crate::worker::CompileError;
use larder_link::LinkError;
use larder_runtime::LoadError;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no code to run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The module can't be read.
    #[error("{}: {source}", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is an ELF file that a linker made, where an input was expected: perhaps a saved image.
    #[error("{}: a shared library, an executable or a saved image, not a module, object or archive", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
    },
    /// The closure that makes the module failed.
    #[error("the module could not be built: {source}")]
    Build {
        /// The closure's error.
        source: BuildError,
    },
    /// There is no worker that answers.
    #[error(transparent)]
    Worker(#[from] CompileError),
    /// A module did not become objects.
    #[error("{}", named(module, source))]
    Compile {
        /// The module.
        module: String,
        /// What is in the way.
        source: CompileError,
    },
    /// The objects did not become an image.
    #[error("cannot link {program}: {source}")]
    Link {
        /// The program: its first input.
        program: String,
        /// What is in the way.
        source: Box<LinkError>,
    },
    /// The image did not become code: as a rule because names are unresolved.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The code needs features that no version of this program knows.
    #[error("{module} needs a CPU feature that this version does not know: {name}")]
    UnknownFeature {
        /// The module.
        module: String,
        /// LLVM's name of the feature.
        name: String,
    },
    /// The code was made for another machine than this, because an option or the module itself says so.
    #[error("the code needs CPU features that this machine lacks: {}", missing.join(", "))]
    MissingFeatures {
        /// LLVM's names of the features.
        missing: Vec<String>,
    },
    /// The file is an image that can't be used here, and no module can be taken from it: it was left out, or is damaged like the rest.
    #[error("{}: {reason}; no module can be taken from it, so build it again from its source", path.display())]
    ForeignImage {
        /// The file.
        path: PathBuf,
        /// Why it can't be used.
        reason: crate::MissReason,
    },
    /// The image offers no such function.
    #[error("{image} has no function named {name}")]
    NoFunction {
        /// The image.
        image: String,
        /// The name that was asked for.
        name: String,
    },
    /// An image can't be written or kept in memory.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// There is no saved code, and [`Trust::MustHit`](crate::Trust::MustHit) forbids to compile.
    #[error("{program}: {reason}, and compiling is not allowed; start it once where it is, to fill the store")]
    MustHit {
        /// The program.
        program: String,
        /// Why there is none.
        reason: crate::MissReason,
    },
    /// Saved code isn't what compiling it makes now, which [`Trust::Check`](crate::Trust::Check) found out. Something that affects code is not in
    /// the key: an input under a key of the caller's that changed without it, or a fault of this library.
    #[error(
        "{program}: the saved code in {} differs, from byte {offset} on, from what is compiled now; a key of the caller's must change \
         with whatever the module depends on", path.display()
    )]
    Different {
        /// The program.
        program: String,
        /// The saved image.
        path: PathBuf,
        /// File offset of the first byte that differs.
        offset: u64,
    },
    /// Functions whose guards failed could not be compiled again, and the session asks for all of them
    /// ([`Recompile::Eagerly`](crate::Recompile::Eagerly)).
    #[error(transparent)]
    Dropped(crate::CallError),
    /// A function can't be called now.
    #[error(transparent)]
    Unusable(#[from] crate::CallError),
    /// An initialiser of the code threw an exception. The code stays in memory, and can't be used.
    #[error("an initialiser of {image} threw {exception}")]
    Initialiser {
        /// The image.
        image: String,
        /// The exception's type, if it was C++'s.
        exception: String,
    },
    /// A function that was dropped can't be compiled again.
    #[error("{function} can't be compiled again: {why}")]
    NotRecompiled {
        /// The function.
        function: String,
        /// What is in the way.
        why: String,
    },
    /// Nobody waits for the code any more: see [`Loading::cancel`](crate::Loading::cancel).
    #[error("the compilation was given up")]
    Cancelled,
    /// There can't be one more thread.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// The system's answer.
        source: std::io::Error,
    },
}

/// An error with the name of its module, unless the error's own words have it.
fn named(module: &str, error: &CompileError) -> String {
    let words = error.to_string();
    if words.contains(module) { words } else { format!("{module}: {words}") }
}
