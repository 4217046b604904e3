//! One function of 10 000 edited: `larder run` on what the store has of the program as it was, against an empty store.
//!
//! Each round compiles the program as it was into an empty store, and then each edit several times, each time in a copy of that store.
//! Every run's output is compared with that of the native executable of the same bitcode. What the front end takes isn't in it.

use std::fs;
use std::iter;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use larder_programs::{Edit, Programs};

use crate::Limits;
use crate::cold::{on_cores, work_name};
use crate::process::{Ran, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::{Work, edited};

/// The program as it was, in tables.
pub(crate) const FULL: &str = "in full";
/// The edits, in tables.
pub(crate) const SIDES: [(Edit, &str); 4] = [
    (Edit::Body, "a body edited"),
    (Edit::Constant, "a constant edited"),
    (Edit::Call, "a call added"),
    (Edit::Function, "a function added"),
];

/// Runs after each edit for one in full.
const EDITED_COUNT: usize = 3;

/// Rows of the program in full and of all edits, on one core and on two.
pub(crate) fn measure(programs: &Programs, peers: &Peers, limits: &Limits) -> Result<Vec<Row>> {
    let mut variants = Vec::new();
    for (edit, side) in iter::once((Edit::None, FULL)).chain(SIDES) {
        variants.push(Variant::new(side, edited(programs, edit)?, peers, limits)?);
    }
    on_cores(&[1, 2], |cores| {
        let mut samples: Vec<_> = variants.iter().map(Sample::new).collect();
        for _ in 0..if limits.quick { 1 } else { 5 } {
            round(&mut samples, peers, limits)?;
        }
        let rows = |measure| samples.iter().map(move |sample| sample.row(measure, cores));
        Ok(rows(Measure::Edit).chain(rows(Measure::EditProcessor)).collect())
    })
}

/// Compiles everything, the program as it was first.
fn round(samples: &mut [Sample<'_>], peers: &Peers, limits: &Limits) -> Result<()> {
    let kept = tempfile::tempdir()?;
    for (number, sample) in samples.iter_mut().enumerate() {
        if number == 0 {
            sample.step(kept.path(), peers, limits)?;
            continue;
        }
        for _ in 0..EDITED_COUNT {
            let place = tempfile::tempdir()?;
            copy(kept.path(), place.path())?;
            sample.step(place.path(), peers, limits)?;
        }
    }
    Ok(())
}

/// Copies what is in a directory to another.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            // What the store remembers stands in links that lead nowhere.
            symlink(fs::read_link(entry.path())?, &to)?;
        } else if kind.is_dir() {
            fs::create_dir(&to)?;
            fs::set_permissions(&to, entry.metadata()?.permissions())?;
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

/// The program as it was, or after an edit.
struct Variant {
    side: &'static str,
    work: Work,
    /// What the native executable did.
    expected: Ran,
}

impl Variant {
    fn new(side: &'static str, work: Work, peers: &Peers, limits: &Limits) -> Result<Variant> {
        let expected = run(&mut peers.command(Side::Native, &work, Path::new("")), limits.run)?;
        Ok(Variant { side, work, expected })
    }
}

/// What its compilations took, in milliseconds.
struct Sample<'v> {
    variant: &'v Variant,
    times: Vec<f64>,
    processor_times: Vec<f64>,
    /// How a run differed from the native one.
    failure: Option<String>,
}

impl<'v> Sample<'v> {
    fn new(variant: &'v Variant) -> Sample<'v> {
        Sample { variant, times: Vec::new(), processor_times: Vec::new(), failure: None }
    }

    /// Compiles and runs with the store in that directory.
    fn step(&mut self, directory: &Path, peers: &Peers, limits: &Limits) -> Result<()> {
        let Variant { work, expected, .. } = self.variant;
        let side = Side::Keeping(Keeper::Larder, Temperature::Cold);
        let ran = run(&mut peers.command(side, work, directory), limits.run)?;
        self.times.push(ran.time.as_secs_f64() * 1e3);
        self.processor_times.push(ran.processor_time.as_secs_f64() * 1e3);
        self.failure = self.failure.take().or_else(|| ran.differs_from(expected));
        Ok(())
    }

    fn row(&self, measure: Measure, cores: u32) -> Row {
        let sample = if measure == Measure::Edit { &self.times } else { &self.processor_times };
        let numbers = if self.failure.is_some() { None } else { Numbers::of(sample.clone()) };
        let Variant { side, work, .. } = self.variant;
        let note = self.failure.clone().unwrap_or_default();
        Row { measure, work: work_name(&work.name, cores), side: (*side).to_owned(), numbers, note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_files_directories_and_links() -> Result<()> {
        let [from, to] = [tempfile::tempdir()?, tempfile::tempdir()?];
        fs::create_dir(from.path().join("notes"))?;
        fs::write(from.path().join("entry"), "bytes")?;
        symlink("a note", from.path().join("notes/of"))?;
        copy(from.path(), to.path())?;
        assert_eq!(fs::read(to.path().join("entry"))?, b"bytes");
        assert_eq!(fs::read_link(to.path().join("notes/of"))?, Path::new("a note"));
        Ok(())
    }
}
