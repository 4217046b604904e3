//! What was built once, found again: files named by the digest of everything that went into them.
//!
//! Tests of several processes ask for the same program at the same time. One builds it and the others wait, by a lock
//! on a file beside it; a file appears under its name only when it is whole. Old artefacts are left for `cargo clean`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

/// Everything that decides an artefact's bytes, digested.
pub(crate) struct Recipe(blake3::Hasher);

impl Recipe {
    pub(crate) fn new(step: &str) -> Recipe {
        let mut recipe = Recipe(blake3::Hasher::new());
        recipe.word(step);
        recipe
    }

    /// A word of a command line, a version. Its length keeps `ab, c` apart from `a, bc`.
    pub(crate) fn word(&mut self, word: &str) -> &mut Recipe {
        self.0.update(&word.len().to_le_bytes()).update(word.as_bytes());
        self
    }

    pub(crate) fn words(&mut self, words: &[&str]) -> &mut Recipe {
        words.iter().fold(self, |recipe, word| recipe.word(word))
    }

    /// A file's content; its place doesn't matter.
    pub(crate) fn file(&mut self, path: &Path) -> Result<&mut Recipe> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let digest = *blake3::Hasher::new().update_reader(file)?.finalize().as_bytes();
        self.0.update(&digest);
        Ok(self)
    }

    fn name(&self) -> String {
        self.0.finalize().to_hex()[..16].to_owned()
    }
}

/// The artefact `<name>-<digest>.<extension>` in `directory`; `make` writes it to the path it is given if it isn't there.
pub(crate) fn artefact(
    directory: &Path,
    (name, extension): (&str, &str),
    recipe: &Recipe,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let stem = format!("{name}-{}", recipe.name());
    let path = directory.join(format!("{stem}.{extension}"));
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(directory)?;
    let lock = File::create(directory.join(format!("{stem}.lock")))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if !path.exists() {
        let unfinished = directory.join(format!("{stem}.unfinished.{extension}"));
        make(&unfinished).with_context(|| format!("cannot build {}", path.display()))?;
        fs::rename(&unfinished, &path)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_keeps_words_apart() {
        let names = [["ab", "c"], ["a", "bc"], ["", "abc"]].map(|words| Recipe::new("x").words(&words).name());
        assert_ne!(names[0], names[1]);
        assert_ne!(names[0], names[2]);
        assert_ne!(names[1], names[2]);
    }
}
