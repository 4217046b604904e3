//! The sides of a comparison: the ways to run the same program.
//!
//! `lli` doesn't optimise IR, so it is given the module after `opt -O2`: it runs the same code as the others, and the
//! time for that isn't counted against it. A side that keeps something between runs has a directory for it; its first run
//! fills the directory, and that run is what "cold" means.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use larder_programs::{Programs, Tools};

use crate::works::Work;

/// A way to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Native,
    Dlopen,
    Lljit,
    /// With a directory that an earlier run has filled, or that it fills itself.
    Keeping(Keeper, Temperature),
}

/// Sides that keep native code between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    Larder,
    LliMcjit,
    LliOrc,
}

impl Keeper {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Keeper; 3] = [Keeper::Larder, Keeper::LliMcjit, Keeper::LliOrc];
}

/// Whether the directory is empty at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temperature {
    Cold,
    Warm,
}

/// Names of the sides that targets speak of.
pub(crate) const LARDER_WARM: &str = "larder run, warm";
pub(crate) const LARDER_COLD: &str = "larder run, cold";
pub(crate) const NATIVE: &str = "native executable";
pub(crate) const DLOPEN: &str = "host + dlopen";

impl Side {
    /// What the side is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Native => NATIVE,
            Side::Dlopen => DLOPEN,
            Side::Lljit => "LLJIT + object",
            Side::Keeping(Keeper::Larder, Temperature::Cold) => LARDER_COLD,
            Side::Keeping(Keeper::Larder, Temperature::Warm) => LARDER_WARM,
            Side::Keeping(Keeper::LliMcjit, Temperature::Cold) => "lli mcjit, cold",
            Side::Keeping(Keeper::LliMcjit, Temperature::Warm) => "lli mcjit, its cache",
            Side::Keeping(Keeper::LliOrc, Temperature::Cold) => "lli orc, cold",
            Side::Keeping(Keeper::LliOrc, Temperature::Warm) => "lli orc, its cache",
        }
    }
}

/// The programs of all sides.
pub(crate) struct Peers {
    pub(crate) tools: Tools,
    pub(crate) larder: PathBuf,
    /// The bench's own program that loads one thing and says how long it took.
    pub(crate) inside: PathBuf,
    /// The bench's own host with a session.
    pub(crate) embed: PathBuf,
    dlopen_host: PathBuf,
    lljit_host: PathBuf,
}

impl Peers {
    /// Builds what isn't built yet. The command and its worker must lie beside this program, as cargo puts them.
    pub(crate) fn build(programs: &Programs) -> Result<Peers> {
        let own = env::current_exe()?;
        let beside = |name: &str| own.with_file_name(name);
        let larder = beside("larder");
        ensure!(larder.exists(), "{} isn't there; `cargo xtask bench` builds it", larder.display());
        Ok(Peers {
            tools: programs.tools().clone(),
            larder,
            inside: beside("inside"),
            embed: beside("embed"),
            dlopen_host: programs.dlopen_host()?,
            lljit_host: build_lljit_program(programs, "lljit_host.cpp")?,
        })
    }

    /// The command that runs a work on a side; `directory` is for sides that keep something.
    pub(crate) fn command(&self, side: Side, work: &Work, directory: &Path) -> Command {
        let mut command = match side {
            Side::Native => command(&work.native.executable, &[]),
            Side::Dlopen => command(&self.dlopen_host, &[&work.native.library]),
            Side::Lljit => command(&self.lljit_host, &[&work.native.object]),
            Side::Keeping(Keeper::Larder, _) => self.larder_run(work, directory),
            Side::Keeping(Keeper::LliMcjit, _) => self.lli("--jit-kind=mcjit", work, directory),
            Side::Keeping(Keeper::LliOrc, _) => self.lli("--jit-kind=orc", work, directory),
        };
        command.args(&work.arguments);
        command
    }

    fn larder_run(&self, work: &Work, directory: &Path) -> Command {
        let mut larder = command(&self.larder, &[]);
        larder.arg("run").arg("--dir").arg(directory.join("store")).arg(&work.module);
        larder
    }

    fn lli(&self, kind: &str, work: &Work, directory: &Path) -> Command {
        let mut lli = command(&self.tools.path("lli"), &[]);
        lli.args([kind, "--enable-cache-manager"]);
        lli.arg(format!("--object-cache-dir={}", directory.display())).arg(&work.native.optimised);
        lli
    }

    /// The image that a work's runs from this directory use.
    pub(crate) fn image(&self, work: &Work, directory: &Path) -> Result<PathBuf> {
        let report = directory.join("report.json");
        let mut larder = command(&self.larder, &[]);
        larder.arg("run").arg("--dir").arg(directory.join("store"));
        larder.arg("--report").arg(&report).arg(&work.module).args(&work.arguments);
        larder.output().context("cannot start larder")?;
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&report)?)?;
        Ok(report["image"].as_str().context("larder reports no image")?.into())
    }

    /// Compiles a module into an image file, in no store.
    pub(crate) fn build_image(&self, module: &Path, image: &Path) -> Result<()> {
        let mut larder = command(&self.larder, &[]);
        let output = larder.args(["build", "--no-store", "-o"]).args([image, module]).output()?;
        ensure!(output.status.success(), "larder build fails: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// A command as a user's shell would start it: cargo's own library directories would be searched by every program.
fn command(program: &Path, arguments: &[&Path]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("LD_LIBRARY_PATH").env_remove("LARDER_DIR");
    command
}

/// A program of the peers' that is built against LLVM.
pub(crate) fn build_lljit_program(programs: &Programs, source: &str) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(source);
    let include = format!("-I{}", programs.tools().headers()?.display());
    let library = format!("-L{}", programs.tools().libraries()?.display());
    programs.host_program(&source, &["-std=c++17", "-fno-rtti", "-fno-exceptions", &include, &library, "-lLLVM-22"])
}
