//! Where the store is, if nobody says so: the XDG base directory rules, with one variable of our own before them.
//!
//! A pure function of the environment: the caller hands in the lookup, so that tests need no process-wide state.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::StoreError;

/// The environment variable that names the store's directory and goes before the XDG rules.
pub const DIR_VAR: &str = "LARDER_DIR";

/// The directory to use when none is given: `$LARDER_DIR`, else `$XDG_CACHE_HOME/larder`, else `$HOME/.cache/larder`.
///
/// An empty variable counts as unset, and so do a relative `XDG_CACHE_HOME` (the specification says to ignore it) and a
/// relative `HOME`. `LARDER_DIR` may be relative: whoever sets it knows where they stand.
///
/// # Errors
/// [`StoreError::NoPlace`] if no variable gives a directory.
pub fn default_dir(env: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StoreError> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |name| set(name).filter(|path| path.is_absolute());
    set(DIR_VAR)
        .or_else(|| absolute("XDG_CACHE_HOME").map(|cache| cache.join("larder")))
        .or_else(|| absolute("HOME").map(|home| home.join(".cache/larder")))
        .ok_or(StoreError::NoPlace)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables that are set, and the directory that follows.
    type Case = (&'static [(&'static str, &'static str)], Option<&'static str>);

    #[test]
    fn the_first_variable_that_is_fit_decides() {
        let cases: [Case; 8] = [
            (&[("LARDER_DIR", "/l"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], Some("/l")),
            (&[("LARDER_DIR", "here"), ("HOME", "/h")], Some("here")),
            (&[("LARDER_DIR", ""), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], Some("/x/larder")),
            (&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")], Some("/h/.cache/larder")),
            (&[("XDG_CACHE_HOME", ""), ("HOME", "/h")], Some("/h/.cache/larder")),
            (&[("HOME", "h")], None),
            (&[("HOME", "")], None),
            (&[], None),
        ];
        for (vars, expected) in cases {
            let env = |name: &str| vars.iter().find(|var| var.0 == name).map(|var| OsString::from(var.1));
            assert_eq!(default_dir(env).ok(), expected.map(PathBuf::from), "{vars:?}");
        }
    }
}
