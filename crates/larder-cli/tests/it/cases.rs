//! Cases: small programs, each for one behaviour, that must behave alike whichever way they are run.
//!
//! A case is a file of `tests/cases`, or a folder whose files are linked into one module. `tests/cases/README.md` explains the
//! directives of its header. Each case is two tests: `oracles` asks whether the ways that aren't ours agree, so that a case is
//! never blamed on the product; `larder` asks whether ours agree with the native program.

use crate::suite::{Skip, trial};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

mod build;
mod compare;
mod directives;
mod extras;
mod image;
mod oracles;
mod ours;

pub(crate) use compare::{Stderr, same};
pub(crate) use image::readable;
pub(crate) use oracles::host as dlopen_host;

use build::Built;
use directives::Directives;

/// A program and how it is to be run.
struct Case {
    sources: Vec<PathBuf>,
    directives: Directives,
    /// Flags of the compiler: one of the directive's alternatives.
    flags: Vec<String>,
    built: OnceLock<Result<Built, String>>,
}

impl Case {
    fn is_cxx(&self) -> bool {
        self.sources.iter().any(|source| source.extension().is_some_and(|extension| extension == "cpp"))
    }

    /// An error that skips the case if this processor can't run it.
    fn runs_here(&self) -> anyhow::Result<()> {
        let known = fs::read_to_string("/proc/cpuinfo")?;
        let known = known.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let missing = self.directives.cpu.iter().find(|&name| !known.split(' ').any(|word| word == name));
        missing.map_or(Ok(()), |name| Err(Skip(format!("this processor has no {name}")).into()))
    }

    /// The case's bitcode and its native ending, made by whichever test comes first.
    fn built(&self) -> anyhow::Result<&Built> {
        self.runs_here()?;
        let built = self.built.get_or_init(|| Built::new(self).map_err(|error| format!("{error:#}")));
        built.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }
}

/// The tests of every case, in the order of their names.
pub(crate) fn trials() -> Vec<Trial> {
    let folder = crate::tools::repository().join("tests/cases");
    let mut paths: Vec<PathBuf> =
        folder.read_dir().map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    paths.sort();
    paths
        .iter()
        .filter(|path| path.extension().is_none_or(|extension| extension != "md"))
        .flat_map(|path| of_path(path))
        .collect()
}

fn of_path(path: &Path) -> Vec<Trial> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match directives::read(path) {
        Err(error) => vec![trial(format!("cases::{name}"), move || Err(error))],
        Ok((sources, directives)) => directives
            .flags
            .clone()
            .into_iter()
            .flat_map(|flags| {
                let variant =
                    if directives.flags.len() > 1 { format!("{name}@{}", flags.join(",")) } else { name.clone() };
                let (sources, directives) = (sources.clone(), directives.clone());
                of_case(&variant, Case { sources, directives, flags, built: OnceLock::new() })
            })
            .collect(),
    }
}

fn of_case(name: &str, case: Case) -> Vec<Trial> {
    let case = Arc::new(case);
    let mut trials = Vec::new();
    if case.directives.has_oracles() {
        let case = Arc::clone(&case);
        trials.push(trial(format!("cases::{name}::oracles"), move || oracles::agree(&case)));
    }
    trials.push(trial(format!("cases::{name}::larder"), move || ours::agree(&case)));
    trials
}
