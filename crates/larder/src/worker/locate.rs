//! Where the worker is.
//!
//! A program that embeds Larder is installed by its own rules, so several places are tried, nearest first. The answer is a path
//! and not a promise: whether it is a worker shows when it is started.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::CompileError;

const PROGRAM: &str = "larder-worker";

/// The worker's path.
pub(super) fn locate() -> Result<PathBuf, CompileError> {
    if let Some(path) = env::var_os("LARDER_WORKER").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let program = env::current_exe().unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    let found = candidates(&program, larder_runtime::own_file, &path).find(|candidate| candidate.is_file());
    found.ok_or(CompileError::NotFound { beside: program })
}

/// Places for the worker of `program`. Tests run one folder below the programs that cargo builds. The library that this code is in lies in `lib`, or in a
/// directory of `lib` for its platform; it is asked for only where the program has no worker near.
fn candidates<'a>(
    program: &'a Path,
    library: impl FnOnce() -> Option<PathBuf> + 'a,
    path: &'a OsStr,
) -> impl Iterator<Item = PathBuf> + 'a {
    let near = beside(program, &["", "../libexec/larder", ".."]);
    let of_library = std::iter::once_with(library).flatten();
    let of_library = of_library.flat_map(|library| beside(&library, &["../libexec/larder", "../../libexec/larder"]));
    near.into_iter().chain(of_library).chain(env::split_paths(path).map(|directory| directory.join(PROGRAM)))
}

fn beside(file: &Path, places: &[&str]) -> Vec<PathBuf> {
    let directory = file.parent().unwrap_or(Path::new(""));
    places.iter().map(|place| directory.join(place).join(PROGRAM)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_places_come_first() {
        let library = || Some("/usr/local/lib/liblarder.so.0".into());
        let found: Vec<_> = candidates(Path::new("/opt/bin/prog"), library, OsStr::new("/usr/bin")).collect();
        let expected = [
            "/opt/bin/larder-worker",
            "/opt/bin/../libexec/larder/larder-worker",
            "/opt/bin/../larder-worker",
            "/usr/local/lib/../libexec/larder/larder-worker",
            "/usr/local/lib/../../libexec/larder/larder-worker",
            "/usr/bin/larder-worker",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
