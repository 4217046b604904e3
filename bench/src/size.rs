//! How large the files are: the image against the system's executable and shared library of the same code.
//!
//! The image also holds the module, from which it can be made again, and all names of functions; its own tools say how much that is.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::Limits;
use crate::places::Places;
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// Rows of the native executable, of the shared library and of the image.
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    let warm = Side::Keeping(Keeper::Larder, Temperature::Warm);
    places.fill(Keeper::Larder, work, peers, limits)?;
    let image = peers.image(work, &places.directory(warm))?;
    let files = [(Side::Native, &work.native.executable), (Side::Dlopen, &work.native.library), (warm, &image)];
    files.into_iter().map(|(side, file)| row(work, side, file)).collect()
}

fn row(work: &Work, side: Side, file: &Path) -> Result<Row> {
    let numbers = Numbers::of(vec![fs::metadata(file)?.len() as f64 / 1e6]);
    let (work, side) = (work.name.clone(), side.name().to_owned());
    Ok(Row { measure: Measure::Size, work, side, numbers, note: String::new() })
}
