//! What loading costs inside a process that is already running: map, bind and find `main`, against the system's loader.
//!
//! Each sample is a process of its own (`bench/src/bin/inside.rs`), because a loader that loads the same thing again has
//! an easier job. libm is there beforehand on both sides (for C++ the C++ library, too): finding and loading it costs more than all the rest.
//! That is also why the dynamic linker has run before; so has our loader, but for the side that says so.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::Limits;
use crate::places::Places;
use crate::process::{Ending, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// The side of this measure that targets speak of.
pub(crate) const OURS: &str = "larder-runtime";
/// The same where nothing was loaded before.
const OURS_FIRST: &str = "larder-runtime, first image of the process";
/// Their peer.
pub(crate) const THEIRS: &str = "dlopen + dlsym";

/// Rows of both sides for one work.
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    places.fill(Keeper::Larder, work, peers, limits)?;
    let image = peers.image(work, &places.directory(Side::Keeping(Keeper::Larder, Temperature::Warm)))?;
    let other = places.other_image(peers)?;
    let library = [work.native.library.as_path()];
    let images = [image.as_path(), other];
    let sides =
        [(THEIRS, "dlopen", &library[..]), (OURS, "larder", &images[..]), (OURS_FIRST, "larder-first", &images[..])];
    let mut samples: [Result<Vec<f64>, String>; 3] = [const { Ok(Vec::new()) }; 3];
    // The first round brings everything into the page cache and counts for nothing.
    for round in 0..=limits.runs {
        for ((_, way, files), sample) in sides.iter().zip(&mut samples) {
            let time = once(peers, way, files, work.libraries, limits)?;
            match (sample.as_mut(), time) {
                (Ok(times), Ok(time)) if round > 0 => times.push(time),
                (Ok(_), Err(failure)) => *sample = Err(failure),
                _ => {}
            }
        }
    }
    let rows = sides.iter().zip(samples);
    Ok(rows.map(|((side, ..), sample)| row(work, side, sample)).collect())
}

/// Microseconds of one load, or why there was none.
fn once(peers: &Peers, way: &str, files: &[&Path], libraries: &[&str], limits: &Limits) -> Result<Result<f64, String>> {
    let mut command = Command::new(&peers.inside);
    let ran = run(command.arg(way).args(files).args(libraries).env_remove("LD_LIBRARY_PATH"), limits.run)?;
    if ran.ending != Ending::Code(0) {
        return Ok(Err(format!("{:?}: {}", ran.ending, ran.complaint())));
    }
    let nanoseconds: f64 = String::from_utf8(ran.stdout)?.trim().parse()?;
    Ok(Ok(nanoseconds / 1e3))
}

fn row(work: &Work, side: &str, sample: Result<Vec<f64>, String>) -> Row {
    let (numbers, note) = match sample {
        Ok(times) => (Numbers::of(times), String::new()),
        Err(failure) => (None, failure),
    };
    Row { measure: Measure::Inside, work: work.name.clone(), side: side.to_owned(), numbers, note }
}
