//! Images of one function each, by the thousand, in one session.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use larder::{Code, CompileOptions, Input, Session};
use larder_programs::SMALL_NAME;

use crate::host::{Function, function, load, open_libraries, session, tell};

/// The name of a function, as long as that in the object.
fn name(index: usize) -> String {
    format!("function_{index:06}")
}

/// Makes so many entries of an object, each with another name in it.
pub(crate) fn fill(store: &Path, object: &Path, count: usize) -> Result<()> {
    let object = fs::read(object)?;
    let places: Vec<usize> = (0..object.len()).filter(|&at| object[at..].starts_with(SMALL_NAME.as_bytes())).collect();
    ensure!(!places.is_empty(), "the object has no function {SMALL_NAME}");
    let session = session(store);
    for index in 0..count {
        let name = name(index);
        let named = || {
            let mut object = object.clone();
            places.iter().for_each(|&at| object[at..at + name.len()].copy_from_slice(name.as_bytes()));
            Ok::<_, std::convert::Infallible>(object)
        };
        let input = Input::keyed(name.as_str(), name.as_bytes(), named);
        drop(session.larder().prepare(input, &CompileOptions::default(), &mut |_| {})?);
    }
    Ok(())
}

/// Loads, calls and unloads them. Those that are loaded were compared with their digests by an earlier run.
pub(crate) fn load_all(store: &Path, libraries: &str, count: usize, entries: usize) -> Result<()> {
    open_libraries(libraries)?;
    let session = session(store);
    let before = mapping_count()?;
    let start = Instant::now();
    let images = (0..count).map(|index| use_one(&session, index % entries)).collect::<Result<Vec<_>>>()?;
    let loading = start.elapsed();
    let mappings = mapping_count()? - before;
    let start = Instant::now();
    drop(images);
    let unloading = start.elapsed();
    let each = |total: f64| total / count as f64;
    tell("load", each(loading.as_nanos() as f64))?;
    tell("unload", each(unloading.as_nanos() as f64))?;
    tell("both", each((loading + unloading).as_nanos() as f64))?;
    tell("mappings", each(mappings as f64))
}

fn use_one(session: &Session, index: usize) -> Result<Code> {
    let name = name(index);
    let code = load(session, &name)?;
    let function: Function = *function(&code, &name)?;
    ensure!(function(4) == 13, "{name} answers {}", function(4));
    Ok(code)
}

fn mapping_count() -> Result<usize> {
    Ok(fs::read_to_string("/proc/self/maps")?.lines().count())
}
