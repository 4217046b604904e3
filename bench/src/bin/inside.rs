//! `inside dlopen LIBRARY NEEDED…`, `inside larder IMAGE OTHER NEEDED…` or `inside larder-first IMAGE OTHER NEEDED…`: loads one thing, finds
//! its `main`, and prints how many nanoseconds that took.
//!
//! Before the clock starts, all ways are given what a process that has been running for a while has anyway: what
//! the thing needs is loaded and the CPU's features are known. So the dynamic linker has loaded something before, and its own code is in
//! memory; `larder` loads the image OTHER first to be its equal, `larder-first` doesn't. The image counts as verified, as it is
//! for every load after the first.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::hint::black_box;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use larder_runtime::{Arguments, Expectations, ImageFile, Integrity, Mapped, ProcessSymbols, cpu};

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args_os().collect();
    let [_, way, file, needed @ ..] = arguments.as_slice() else { bail!("usage: inside WAY FILE [OTHER] NEEDED…") };
    let features = cpu::host_features();
    let expected = Expectations { features, key: None, integrity: Integrity::AlreadyVerified };
    let time = match (way.to_str(), needed) {
        (Some("dlopen"), needed) => {
            open_libraries(needed)?;
            time_dlopen(file)?
        }
        (Some("larder"), [other, needed @ ..]) => {
            open_libraries(needed)?;
            time_larder(Path::new(other), &expected)?;
            time_larder(Path::new(file), &expected)?
        }
        (Some("larder-first"), [_, needed @ ..]) => {
            open_libraries(needed)?;
            time_larder(Path::new(file), &expected)?
        }
        _ => bail!("unknown way {}", way.display()),
    };
    writeln!(std::io::stdout(), "{}", time.as_nanos())?;
    Ok(())
}

fn open_libraries(paths: &[OsString]) -> Result<()> {
    paths.iter().try_for_each(|path| open_library(path).map(drop))
}

fn open_library(path: &OsStr) -> Result<*mut libc::c_void> {
    let path = CString::new(path.as_bytes())?;
    // SAFETY: the path is a C string. The library's initialisers run; the bench made the library itself.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    ensure!(!handle.is_null(), "dlopen fails");
    Ok(handle)
}

fn time_dlopen(path: &OsStr) -> Result<Duration> {
    let start = Instant::now();
    let handle = open_library(path)?;
    // SAFETY: the handle is open and the name is a C string.
    let entry = unsafe { libc::dlsym(handle, c"main".as_ptr()) };
    let time = start.elapsed();
    ensure!(!black_box(entry).is_null(), "no main");
    Ok(time)
}

fn time_larder(path: &Path, expected: &Expectations<'_>) -> Result<Duration> {
    let start = Instant::now();
    // SAFETY: the bench made the image in a directory of its own, and writes to it no more.
    let file = unsafe { ImageFile::open(path) }?;
    let sealed = Mapped::map(&file, expected)?.bind(&ProcessSymbols)?.seal()?;
    // SAFETY: the image is the bench's own program, bound to the symbols of this process as `larder run` does it.
    let loaded = unsafe { sealed.initialise(&Arguments::none()) }?;
    let entry = loaded.symbol("main").context("no main")?;
    let time = start.elapsed();
    black_box(entry);
    loaded.leak();
    Ok(time)
}
