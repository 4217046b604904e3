//! What a host with a JIT pays that keeps its code in Larder: hits by a key of its own, calls, functions that are dropped, small images.
//!
//! The host is a program of the bench (`bench/src/bin/embed/main.rs`), a process for each sample. It says itself what things took; sides take
//! turns, in one process where both can be in one.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use larder_programs::{Programs, SMALL_NAME};
use tempfile::TempDir;

use crate::process::{Ending, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Peers, build_lljit_program};
use crate::works::{self, Work};
use crate::{Limits, cold, edit};

/// Works whose hits are measured.
pub(crate) const HITS: [&str; 4] = ["one_function", "generated_1000", "lua", "sqlite"];
/// A function that calls so many of the host's.
pub(crate) const IMPORTING: &str = "importing_1000";
/// Callers of functions, and a function that reads through a pointer.
pub(crate) const CALLS: [&str; 3] = ["call from Rust", "call from C", "read through a pointer"];
/// So many functions that count on objects of the host.
pub(crate) const GUARDED: &str = "guarded_10000";
/// Images of one function each.
pub(crate) const SMALL: &str = "small_10000";
/// Twice as many.
const MANY: &str = "small_20000";

/// Our side in tables.
pub(crate) const OURS: &str = "larder";
pub(crate) const DLOPEN: &str = "dlopen + dlsym";
pub(crate) const LIBRARY: &str = "shared library";
pub(crate) const ONE_DROPPED: &str = "one function dropped";
pub(crate) const NONE_DROPPED: &str = "none dropped";
pub(crate) const LLJIT: &str = "LLJIT + objects";

const IMPORT_COUNT: usize = 1000;
const GUARDED_COUNT: usize = 10_000;
const SMALL_COUNT: usize = 10_000;
/// Different ones among them: each is made durable when it is saved, which takes milliseconds.
const SMALL_ENTRY_COUNT: usize = 1000;
const KEY_OF_GUARDED: &str = "guarded";
/// Loaded before a clock starts.
const KEY_OF_WARM_UP: &str = "warm_up";

/// Rows of what is wanted of all that is measured of embedding.
pub(crate) fn measure(
    programs: &Programs,
    peers: &Peers,
    limits: &Limits,
    wants: impl Fn(Measure) -> bool,
) -> Result<Vec<Row>> {
    let bench = Bench::new(programs, peers, limits)?;
    let mut rows = Vec::new();
    if wants(Measure::Hit) {
        rows.extend(bench.hits()?);
    }
    if wants(Measure::Operation) {
        rows.extend(bench.calls()?);
    }
    if wants(Measure::Drop) {
        rows.extend(bench.drops()?);
    }
    if wants(Measure::FirstCall) {
        rows.extend(bench.first_call()?);
    }
    if wants(Measure::Small) || wants(Measure::Mappings) {
        rows.extend(bench.small()?);
    }
    Ok(rows)
}

/// What a program has said: numbers by their names; or how it failed.
type Told = Result<BTreeMap<String, f64>, String>;
/// Numbers of one side, or how it failed.
type Sample = Result<Vec<f64>, String>;

struct Bench<'b> {
    programs: &'b Programs,
    peers: &'b Peers,
    limits: &'b Limits,
    place: TempDir,
    /// Libraries that the host has, with commas between them.
    libraries: String,
}

impl<'b> Bench<'b> {
    fn new(programs: &'b Programs, peers: &'b Peers, limits: &'b Limits) -> Result<Bench<'b>> {
        let libraries = format!("libm.so.6,{}", text(&programs.imported(IMPORT_COUNT)?)?);
        let bench = Bench { programs, peers, limits, place: tempfile::tempdir()?, libraries };
        bench.fill(KEY_OF_WARM_UP, &programs.one_function())?;
        Ok(bench)
    }

    fn store(&self) -> PathBuf {
        self.place.path().join("store")
    }

    fn embed(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.peers.embed);
        command.args(arguments).env_remove("LD_LIBRARY_PATH").env_remove("LARDER_DIR");
        command
    }

    /// Runs the host on that store.
    fn host(&self, what: &str, store: &Path, arguments: &[&str]) -> Result<Told> {
        self.told(&mut self.embed(&[&[what, text(store)?], arguments].concat()))
    }

    fn told(&self, command: &mut Command) -> Result<Told> {
        let ran = run(command.env_remove("LARDER_DIR"), self.limits.run)?;
        if ran.ending != Ending::Code(0) {
            return Ok(Err(format!("{:?}: {}", ran.ending, ran.complaint())));
        }
        let said = String::from_utf8(ran.stdout)?;
        let number = |line: &str| Some((line.split_once(' ')?.0.to_owned(), line.split_once(' ')?.1.parse().ok()?));
        Ok(Ok(said.lines().filter_map(number).collect()))
    }

    /// Compiles a module under a key.
    fn fill(&self, key: &str, module: &Path) -> Result<()> {
        let filled = self.host("fill", &self.store(), &[&format!("{key}={}", text(module)?)])?;
        ensure!(filled.is_ok(), "{key}: {filled:?}");
        Ok(())
    }

    /// Loads by key against `dlopen`: programs, and a function with a thousand imports.
    fn hits(&self) -> Result<Vec<Row>> {
        let works = works::works(self.programs, &HITS.map(str::to_owned), false)?;
        let of = |Work { name, module, native, .. }: Work| (name, module, native.library);
        let mut pairs: Vec<_> = works.into_iter().map(of).collect();
        let importing = self.programs.importing(IMPORT_COUNT)?;
        let library = self.programs.shared_library(&importing)?;
        pairs.push((IMPORTING.to_owned(), importing, library));
        let mut rows = Vec::new();
        for (work, module, library) in pairs {
            self.fill(&work, &module)?;
            rows.extend(self.hit(&work, text(&library)?)?);
        }
        Ok(rows)
    }

    fn hit(&self, work: &str, library: &str) -> Result<[Row; 2]> {
        let [mut ours, mut theirs] = [Ok(Vec::new()), Ok(Vec::new())];
        // The first round notes what it has verified, and brings everything into the page cache.
        for round in 0..=self.limits.runs {
            let hit = self.host("hit", &self.store(), &[&self.libraries, work])?;
            let dlopen = self.told(&mut self.embed(&["dlopen", &self.libraries, library]))?;
            if round > 0 {
                note(&mut ours, &hit, "hit", 1e3);
                note(&mut theirs, &dlopen, "dlopen", 1e3);
            }
        }
        Ok([row(Measure::Hit, work, DLOPEN, theirs), row(Measure::Hit, work, OURS, ours)])
    }

    /// Calls from Rust and from C, and of a function that reads through a pointer.
    fn calls(&self) -> Result<Vec<Row>> {
        let adding = self.programs.importing(0)?;
        let (object, pointer) = (self.programs.reading_object()?, self.programs.reading_pointer()?);
        self.fill("adding", &adding)?;
        self.fill("object", &object)?;
        let adding = self.programs.shared_library(&adding)?;
        let pointer = self.programs.shared_library(&pointer)?;
        let (adding, pointer) = (text(&adding)?, text(&pointer)?);
        let c_library = self.c_library()?;
        let c_host = self.c_host(c_library.path())?;
        let store = self.store();
        let store = text(&store)?;
        let from_c = || {
            let mut command = Command::new(&c_host);
            command.args([store, "adding", adding]).env("LD_LIBRARY_PATH", c_library.path());
            command
        };
        let [rust, c, reading] = CALLS;
        let from_rust = || self.embed(&["calls", store, &self.libraries, "adding", adding]);
        let through_pointer = || self.embed(&["calls", store, &self.libraries, "object", pointer]);
        let mut rows = Vec::new();
        rows.extend(self.call(rust, &from_rust)?);
        rows.extend(self.call(c, &from_c)?);
        rows.extend(self.call(reading, &through_pointer)?);
        Ok(rows)
    }

    fn call(&self, work: &str, command: &dyn Fn() -> Command) -> Result<[Row; 2]> {
        let [mut ours, mut theirs] = [Ok(Vec::new()), Ok(Vec::new())];
        for _ in 0..self.limits.runs.min(11) {
            let told = self.told(&mut command())?;
            note(&mut ours, &told, "image", 1.0);
            note(&mut theirs, &told, "library", 1.0);
        }
        Ok([row(Measure::Operation, work, LIBRARY, theirs), row(Measure::Operation, work, OURS, ours)])
    }

    /// A directory with the C library under the name that programs look for.
    fn c_library(&self) -> Result<TempDir> {
        let directory = tempfile::tempdir()?;
        let library = self.peers.larder.with_file_name("liblarder_capi.so");
        ensure!(library.exists(), "{} isn't there; `cargo xtask bench` builds it", library.display());
        symlink(&library, directory.path().join("liblarder.so.0"))?;
        symlink(&library, directory.path().join("liblarder.so"))?;
        Ok(directory)
    }

    fn c_host(&self, library: &Path) -> Result<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/calls_host.c");
        let built = self.place.path().join("calls_host");
        let mut clang = self.peers.tools.command("clang");
        clang.arg("-O2").arg("-o").arg(&built).arg(source).arg("-L").arg(library).arg("-llarder");
        larder_programs::run(&mut clang)?;
        Ok(built)
    }

    fn fill_guarded(&self) -> Result<()> {
        self.fill(KEY_OF_GUARDED, &self.programs.guarded(GUARDED_COUNT)?)
    }

    /// A load of which one function is dropped, against one of which none is.
    fn drops(&self) -> Result<[Row; 2]> {
        self.fill_guarded()?;
        let [mut one, mut none] = [Ok(Vec::new()), Ok(Vec::new())];
        for round in 0..=self.limits.runs.min(21) {
            let told = self.host("drop", &self.store(), &[&self.libraries, "50"])?;
            if round > 0 {
                note(&mut one, &told, "one", 1e3);
                note(&mut none, &told, "none", 1e3);
            }
        }
        Ok([row(Measure::Drop, GUARDED, NONE_DROPPED, none), row(Measure::Drop, GUARDED, ONE_DROPPED, one)])
    }

    /// The first call of a dropped function, each time in a copy of a store that doesn't have it, against LLVM's programs on that function alone.
    fn first_call(&self) -> Result<[Row; 2]> {
        self.fill_guarded()?;
        let alone = self.programs.guarded_middle(GUARDED_COUNT)?;
        let [mut ours, mut theirs] = [Ok(Vec::new()), Ok(Vec::new())];
        for _ in 0..self.limits.runs.min(15) {
            let copy = tempfile::tempdir()?;
            edit::copy(&self.store(), copy.path())?;
            // The copy is verified once, and then it is as the original.
            let verified = self.host("drop", copy.path(), &[&self.libraries, "1"])?;
            let told = verified.and(self.host("recompile", copy.path(), &[&self.libraries])?);
            note(&mut ours, &told, "first_call", 1e6);
            let made = cold::opt_and_llc(&alone, self.peers, copy.path());
            match cold::time_ms(made, self.limits)? {
                Ok(time) => theirs.iter_mut().for_each(|times| times.push(time)),
                Err(failure) => theirs = Err(failure),
            }
        }
        let row = |side, sample| row(Measure::FirstCall, GUARDED, side, sample);
        Ok([row(cold::THEIRS, theirs), row(OURS, ours)])
    }

    /// Ten thousand images of one function each, and twenty thousand, in one process. Some are the same file, but each is an image of its own.
    fn small(&self) -> Result<Vec<Row>> {
        let object = self.programs.small_object()?;
        let object = text(&object)?;
        let lljit = build_lljit_program(self.programs, "lljit_small.cpp")?;
        let store = self.place.path().join("small");
        let entries = SMALL_ENTRY_COUNT.to_string();
        let filled = self.told(&mut self.embed(&["fill_small", text(&store)?, object, &entries]))?;
        ensure!(filled.is_ok(), "{filled:?}");
        let mut rows = Vec::new();
        for (work, times) in [(SMALL, 1), (MANY, 2)] {
            let each = (times * SMALL_COUNT).to_string();
            let ours = || self.host("small", &store, &[&self.libraries, &each, &entries]);
            let theirs = || self.told(Command::new(&lljit).args([object, SMALL_NAME, &each]));
            // The first run notes what it has verified.
            let _ = ours()?;
            let rounds = if times > 1 { 1 } else { self.limits.runs.min(5) };
            let told = (0..rounds).map(|_| Ok((ours()?, theirs()?))).collect::<Result<Vec<_>>>()?;
            for (measure, name, unit) in [(Measure::Small, "both", 1e3), (Measure::Mappings, "mappings", 1.0)] {
                let [mut ours, mut theirs] = [Ok(Vec::new()), Ok(Vec::new())];
                for (our, their) in &told {
                    note(&mut ours, our, name, unit);
                    note(&mut theirs, their, name, unit);
                }
                rows.extend([row(measure, work, LLJIT, theirs), row(measure, work, OURS, ours)]);
            }
        }
        Ok(rows)
    }
}

/// Adds what a program said under that name, in units of so many of its own.
fn note(sample: &mut Sample, told: &Told, name: &str, unit: f64) {
    let number = told.as_ref().map_err(Clone::clone).and_then(|told| {
        told.get(name).map(|number| number / unit).ok_or_else(|| format!("it says nothing of {name}"))
    });
    match (sample.as_mut(), number) {
        (Ok(sample), Ok(number)) => sample.push(number),
        (Ok(_), Err(failure)) => *sample = Err(failure),
        (Err(_), _) => {}
    }
}

fn row(measure: Measure, work: &str, side: &str, sample: Sample) -> Row {
    let (numbers, note) = match sample {
        Ok(sample) => (Numbers::of(sample), String::new()),
        Err(failure) => (None, failure),
    };
    Row { measure, work: work.to_owned(), side: side.to_owned(), numbers, note }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_fails_once_has_no_numbers() {
        let told = |number| Ok(BTreeMap::from([("hit".to_owned(), number)]));
        let mut sample = Ok(Vec::new());
        note(&mut sample, &told(2000.0), "hit", 1e3);
        assert_eq!(sample, Ok(vec![2.0]));
        note(&mut sample, &told(2000.0), "dlopen", 1e3);
        note(&mut sample, &Err("ended".to_owned()), "hit", 1e3);
        assert_eq!(sample, Err("it says nothing of dlopen".to_owned()));
        let row = row(Measure::Hit, "lua", OURS, sample);
        assert!(row.numbers.is_none() && row.note.contains("dlopen"));
    }
}
