//! What a call costs, into an image and into a shared library, each through a pointer.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::host::{Function, function, load, median, open_libraries, open_library, session, symbol, tell};

const CALL_COUNT: u32 = 2_000_000;
const ROUND_COUNT: usize = 31;

/// Nanoseconds of one call each.
pub(crate) fn calls(store: &Path, libraries: &str, key: &str, library: &str) -> Result<()> {
    open_libraries(libraries)?;
    let session = session(store);
    let code = load(&session, key)?;
    let image = function(&code, "main")?;
    let handle = open_library(library, libc::RTLD_NOW | libc::RTLD_LOCAL)?;
    let native = symbol(handle, "main").context("no main")?;
    // SAFETY: the bench's function has this type.
    let native = unsafe { std::mem::transmute::<*const (), Function>(native) };
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..ROUND_COUNT {
        samples[0].push(time(|x| image(x)));
        samples[1].push(time(|x| native(x)));
    }
    let [image, native] = samples.map(median);
    tell("image", image)?;
    tell("library", native)
}

/// Each call waits for the one before.
fn time(call: impl Fn(i64) -> i64) -> f64 {
    let start = Instant::now();
    let mut x = 1;
    for _ in 0..CALL_COUNT {
        x = call(x) & 0xff;
    }
    black_box(x);
    start.elapsed().as_nanos() as f64 / f64::from(CALL_COUNT)
}
