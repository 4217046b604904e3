//! A host as the bench needs one: `embed WHAT ARGUMENTS…` does one thing and prints what it took, in nanoseconds, a `name number` on each line.
//!
//! Before a clock starts, all sides have what a host has that has been running for a while: libraries are loaded, the session is open and knows
//! its names, and something else was loaded before.

mod calls;
mod drops;
mod hits;
mod host;
mod small;

use std::env;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["fill", store, ref modules @ ..] => hits::fill(store.as_ref(), modules),
        ["hit", store, libraries, key] => hits::hit(store.as_ref(), libraries, key),
        ["dlopen", libraries, library] => hits::dlopen(libraries, library),
        ["calls", store, libraries, key, library] => calls::calls(store.as_ref(), libraries, key, library),
        ["drop", store, libraries, rounds] => drops::load_in_turn(store.as_ref(), libraries, rounds.parse()?),
        ["recompile", store, libraries] => drops::first_call(store.as_ref(), libraries),
        ["fill_small", store, object, count] => small::fill(store.as_ref(), object.as_ref(), count.parse()?),
        ["small", store, libraries, count, entries] => {
            small::load_all(store.as_ref(), libraries, count.parse()?, entries.parse()?)
        }
        _ => bail!("bench/src/embedding.rs says what there is"),
    }
}
