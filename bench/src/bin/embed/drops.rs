//! A load of which one function is dropped, and the first call of that function.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use larder::Session;

use crate::host::{CELL, function, load, median, open_libraries, session, tell};

const KEY: &str = "guarded";
/// The function in the middle.
const DROPPED: &str = "f5000";

/// Says in which state the object is that one function counts on.
fn set_lonely(session: &Session, fingerprint: u64) {
    session.define_object("lonely", std::ptr::from_ref(&CELL).cast(), fingerprint);
}

/// With nothing dropped and with one function dropped, in turn.
pub(crate) fn load_in_turn(store: &Path, libraries: &str, rounds: usize) -> Result<()> {
    open_libraries(libraries)?;
    let session = session(store);
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (sample, dropped) in samples.iter_mut().zip([0, 1]) {
            set_lonely(&session, 1 + dropped as u64);
            let start = Instant::now();
            let code = load(&session, KEY)?;
            black_box(*function(&code, "f17")?);
            let time = start.elapsed();
            ensure!(code.dropped().len() == dropped, "{:?}", code.dropped());
            if round > 0 {
                sample.push(time.as_nanos() as f64);
            }
        }
    }
    let [none, one] = samples.map(median);
    tell("none", none)?;
    tell("one", one)
}

/// From the call to its answer, of a function that has to be compiled again.
pub(crate) fn first_call(store: &Path, libraries: &str) -> Result<()> {
    open_libraries(libraries)?;
    let session = session(store);
    set_lonely(&session, 2);
    let code = load(&session, KEY)?;
    let dropped = function(&code, DROPPED)?;
    let start = Instant::now();
    black_box(dropped(3));
    tell("first_call", start.elapsed().as_nanos() as f64)
}
