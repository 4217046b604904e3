//! Lua and SQLite, with scripts of their own, and zstd, with those scripts, in all the ways.

use crate::cases::{self, Stderr};
use crate::larder::{Corner, Report};
use crate::process::{self, Ran};
use crate::suite::trial;
use crate::tools;
use anyhow::{Context, Result, ensure};
use larder_programs::{LUA_SCRIPTS, Programs, SQL_SCRIPTS, lua_script, sql_script};
use libtest_mimic::Trial;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The tests: `programs::lua::script`, `programs::sqlite::script` and so on.
pub(crate) fn trials() -> Vec<Trial> {
    let lua = Arc::new(Kept::new(Programs::lua));
    let sqlite = Arc::new(Kept::new(Programs::sqlite));
    let mut trials = Vec::new();
    for name in LUA_SCRIPTS {
        let kept = Arc::clone(&lua);
        trials.push(trial(format!("programs::lua::{name}"), move || kept.agrees(&[lua_script(name).into()])));
    }
    for name in SQL_SCRIPTS {
        let kept = Arc::clone(&sqlite);
        trials.push(trial(format!("programs::sqlite::{name}"), move || {
            kept.agrees(&[":memory:".into(), "-f".into(), sql_script(name).into()])
        }));
    }
    for (name, kept, args) in [("lua", lua, ["-e", "print(6 * 7)"]), ("sqlite", sqlite, [":memory:", "select 6 * 7"])] {
        let again = Arc::clone(&kept);
        trials.push(trial(format!("programs::{name}::lli"), move || kept.lli_agrees(&args)));
        trials.push(trial(format!("programs::{name}::image"), move || again.image_is_good()));
    }
    let zstd = Arc::new(Kept::new(Programs::zstd));
    let again = Arc::clone(&zstd);
    trials.push(trial("programs::zstd::corpus", move || zstd.agrees(&corpus())));
    trials.push(trial("programs::zstd::image", move || again.image_is_good()));
    trials
}

/// Text for a compressor: the scripts of the other programs.
fn corpus() -> Vec<OsString> {
    LUA_SCRIPTS
        .iter()
        .map(|name| lua_script(name))
        .chain(SQL_SCRIPTS.iter().map(|name| sql_script(name)))
        .map(Into::into)
        .collect()
}

/// A program, compiled by whichever test comes first, and the store that it is kept in.
struct Kept {
    build: fn(&Programs) -> Result<PathBuf>,
    cold: OnceLock<Result<Cold, String>>,
}

/// What the first run made.
struct Cold {
    corner: Corner,
    programs: Programs,
    module: PathBuf,
    image: PathBuf,
}

/// One at a time: two tests that find a program not yet built would build it twice.
static BUILDING: Mutex<()> = Mutex::new(());

impl Kept {
    fn new(build: fn(&Programs) -> Result<PathBuf>) -> Self {
        Self { build, cold: OnceLock::new() }
    }

    fn cold(&self) -> Result<&Cold> {
        let cold = self.cold.get_or_init(|| self.run_cold().map_err(|error| format!("{error:#}")));
        cold.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn run_cold(&self) -> Result<Cold> {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let corner = Corner::new()?;
        let programs = Programs::open()?;
        let module = (self.build)(&programs)?;
        let report = compile(&corner, &module, "1")?;
        Ok(Cold { image: report.image()?.to_path_buf(), corner, programs, module })
    }

    fn agrees(&self, args: &[OsString]) -> Result<()> {
        let Cold { corner, programs, module, .. } = self.cold()?;
        let native = process::run(corner.command(programs.executable(module)?).args(args), b"")?
            .success("the native program")?;
        let mut dlopen = corner.command(cases::dlopen_host()?);
        let ran = process::run(dlopen.arg(programs.shared_library(module)?).args(args), b"")?;
        cases::same("the shared library", &native, &ran, Stderr::Same)?;
        // Tests of one program share its store, and each has a report of its own.
        let own = Corner::new()?;
        let mut command = own.larder_run()?;
        let (ran, report) = own.reported(command.env("LARDER_DIR", corner.store()).arg(module).args(args), b"")?;
        cases::same("larder, warm,", &native, &ran, Stderr::Same)?;
        report.must_hit()
    }

    /// On a small input: lli compiles all of the program again each time.
    fn lli_agrees(&self, args: &[&str]) -> Result<()> {
        let Cold { corner, programs, module, .. } = self.cold()?;
        let native = process::run(corner.command(programs.executable(module)?).args(args), b"")?
            .success("the native program")?;
        let ran: Ran = process::run(corner.command(tools::llvm("lli")?).arg(module).args(args), b"")?;
        cases::same("lli", &native, &ran, Stderr::Same)
    }

    /// The same bytes with another number of threads and from another place, and readable by everyone's tools.
    fn image_is_good(&self) -> Result<()> {
        let Cold { corner, module, image, .. } = self.cold()?;
        let other = Corner::new()?;
        let copy = other.work().join("under-another-name.bc");
        fs::copy(module, &copy)?;
        let report = compile(&other, &copy, "2")?;
        ensure!(fs::read(image)? == fs::read(report.image()?)?, "two cold runs made two images");
        cases::readable(corner, image)
    }
}

/// A cold run that only asks the program to do nothing.
fn compile(corner: &Corner, module: &Path, threads: &str) -> Result<Report> {
    let mut command = corner.larder_run()?;
    let (_, report) = corner.reported(command.args(["--threads", threads]).arg(module), b"").context("the cold run")?;
    report.must_miss()?;
    Ok(report)
}
