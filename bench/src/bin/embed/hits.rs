//! A load through the API, with a key of the host's, and `dlopen` of the same code.

use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use larder::Module;

use crate::host::{WARM_UP, function, load, open_libraries, open_library, session, symbol, tell};

/// Compiles modules into a store: `KEY=FILE` each.
pub(crate) fn fill(store: &Path, modules: &[&str]) -> Result<()> {
    let session = session(store);
    for module in modules {
        let (key, file) = module.split_once('=').context("KEY=FILE")?;
        let bytes = fs::read(file)?;
        let prepared = session.larder().prepare(
            Module::keyed(key, key.as_bytes(), || Ok::<_, Infallible>(bytes)),
            &larder::CompileOptions::default(),
            &mut |_| {},
        );
        drop(prepared?);
    }
    Ok(())
}

/// From the key to the address of `main`.
pub(crate) fn hit(store: &Path, libraries: &str, key: &str) -> Result<()> {
    open_libraries(libraries)?;
    let session = session(store);
    let _warm = load(&session, WARM_UP)?;
    let start = Instant::now();
    let code = load(&session, key)?;
    let entry = *function(&code, "main")?;
    let time = start.elapsed();
    black_box(entry);
    tell("hit", time.as_nanos() as f64)
}

/// From the path to the address of `main`.
pub(crate) fn dlopen(libraries: &str, library: &str) -> Result<()> {
    open_libraries(libraries)?;
    let start = Instant::now();
    let handle = open_library(library, libc::RTLD_NOW | libc::RTLD_LOCAL)?;
    let entry = symbol(handle, "main").context("no main")?;
    let time = start.elapsed();
    black_box(entry);
    tell("dlopen", time.as_nanos() as f64)
}
