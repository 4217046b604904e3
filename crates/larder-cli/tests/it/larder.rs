//! One user's corner of the machine: a home, a store, a folder for temporary files, and the command called in it.

use crate::process::{self, Ran};
use crate::tools;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A place with nothing in it but what the test puts there.
pub(crate) struct Corner {
    root: TempDir,
}

/// What `--report` says of a run.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// `hit` or `miss`.
    pub(crate) outcome: String,
    /// Why it missed; empty for a hit.
    pub(crate) reason: String,
    /// The key, in hexadecimal.
    pub(crate) key: String,
    /// The image that ran; `None` if it was kept nowhere.
    pub(crate) image: Option<PathBuf>,
    /// All of it.
    pub(crate) text: String,
}

impl Report {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("no report at {}", path.display()))?;
        let json: Value = serde_json::from_str(&text).with_context(|| format!("report is no JSON: {text}"))?;
        let field = |name: &str| match &json[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let image = json["image"].as_str().map(PathBuf::from);
        Ok(Self { outcome: field("outcome"), reason: field("reason"), key: field("key"), image, text })
    }

    /// The image's path, or an error that quotes the report.
    pub(crate) fn image(&self) -> Result<&Path> {
        self.image.as_deref().with_context(|| format!("the report names no image: {}", self.text))
    }

    /// Fails unless this was a hit.
    pub(crate) fn must_hit(&self) -> Result<()> {
        ensure!(self.outcome == "hit", "expected a hit: {}", self.text);
        Ok(())
    }

    /// Fails unless this was a miss.
    pub(crate) fn must_miss(&self) -> Result<()> {
        ensure!(self.outcome == "miss", "expected a miss: {}", self.text);
        Ok(())
    }
}

impl Corner {
    /// An empty place: folders `home`, `tmp` and `work`; the store makes its own.
    pub(crate) fn new() -> Result<Self> {
        let root = tempfile::Builder::new().prefix("larder-it-").tempdir()?;
        for folder in ["home", "tmp", "work"] {
            fs::create_dir(root.path().join(folder))?;
        }
        Ok(Self { root })
    }

    /// The store's directory.
    pub(crate) fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// `TMPDIR` of everything that is started here.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// The current directory of everything that is started here.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Writes a file into the current directory.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.work().join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// A program in this place, with nothing of the environment of the tests but `PATH`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.work()).env("TMPDIR", self.tmp());
        command.env("HOME", self.root.path().join("home")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// `larder`, with its store and its worker.
    pub(crate) fn larder(&self) -> Result<Command> {
        let mut command = self.command(tools::larder());
        command.env("LARDER_DIR", self.store()).env("LARDER_WORKER", tools::worker()?);
        Ok(command)
    }

    /// `larder run`, with a report asked for.
    pub(crate) fn larder_run(&self) -> Result<Command> {
        let mut command = self.larder()?;
        command.arg("run").arg("--report").arg(self.report_path());
        Ok(command)
    }

    /// Runs what [`Corner::larder_run`] began.
    pub(crate) fn reported(&self, command: &mut Command, input: &[u8]) -> Result<(Ran, Report)> {
        // An old report must not speak for a run that wrote none.
        let _ = fs::remove_file(self.report_path());
        let ran = process::run(command, input)?;
        let report = Report::read(&self.report_path()).with_context(|| format!("{}\n{}", ran.ending, ran.err()))?;
        Ok((ran, report))
    }

    /// Runs `file` with the given options.
    pub(crate) fn run(&self, options: &[&str], file: &Path) -> Result<(Ran, Report)> {
        let mut command = self.larder_run()?;
        self.reported(command.args(options).arg(file), b"")
    }

    /// Every file below this place.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut folders = vec![self.root.path().to_path_buf()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
                list.push(entry.path());
            }
        }
        files.retain(|path| *path != self.report_path());
        Ok(files)
    }

    fn report_path(&self) -> PathBuf {
        self.root.path().join("report.json")
    }
}
