//! Why an image was not loaded.

use larder_format::image::ImageError;
use std::path::PathBuf;
use thiserror::Error;

/// Why an image was not loaded. Nothing of it has run and nothing of it is left in memory.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is no usable image: foreign, of another version, damaged, or changed since it was published.
    #[error("{}: {source}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// The path names a directory, a device or something else that can't be mapped.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused something: no such file, no permission, no address space.
    #[error("{}: cannot {operation}: {source}", path.display())]
    Os {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The code uses instructions that this machine lacks.
    #[error("{}: this CPU lacks {}", path.display(), names.join(", "))]
    MissingFeatures {
        /// The file.
        path: PathBuf,
        /// LLVM's names of the missing features.
        names: Vec<String>,
    },
    /// It is an image, but of another key than the caller asked for.
    #[error("{}: made for another key", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// Names that nobody answered to.
    #[error("{}: unresolved: {}{}", path.display(), names.join(", "), more(*.more_count))]
    Unresolved {
        /// The file.
        path: PathBuf,
        /// The first of them, in the order of the imports.
        names: Vec<String>,
        /// How many there are besides.
        more_count: usize,
    },
    /// A shared library can't be loaded.
    #[error("cannot load a library: {reason}")]
    Library {
        /// As the caller named it.
        name: String,
        /// What the dynamic linker says: the library, and what is wrong with it.
        reason: String,
    },
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}
