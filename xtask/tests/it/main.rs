//! What the documents say and what the walls keep apart, compared with the repository as it is.

#![forbid(unsafe_code)]

mod documents;
mod walls;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A file of the repository as text; nothing if it isn't text.
fn text_of(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// All files below a directory of the repository, without what is built and what git keeps.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name != ".git" && name != "target" && !name.starts_with("target-")
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.filter(is_ours).partition(|path| path.is_dir());
    directories.iter().flat_map(|directory| files_below(directory)).chain(files).collect()
}

/// All Rust files of the crates but their tests.
fn sources() -> Vec<PathBuf> {
    let is_source = |path: &PathBuf| {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        !is_test && path.extension().is_some_and(|extension| extension == "rs")
    };
    files_below(&root().join("crates")).into_iter().filter(is_source).collect()
}
