//! The header of a case: comment lines of the form `name: value`.
//!
//! The header ends with the first line that is no comment. A comment line whose first word is no directive's name is prose, unless it
//! ends in a colon: then it is a spelling mistake, and an error.

use super::extras::Extra;
use crate::process::{Ending, Ran};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// What a case's header says.
#[derive(Debug, Clone, Default)]
pub(super) struct Directives {
    /// `flags: -O2 | -O0`: alternatives for the compiler, each a case of its own.
    pub(super) flags: Vec<Vec<String>>,
    /// `larder-flags: -O 0 --entry start`: options of `larder run`.
    pub(super) larder_flags: Vec<String>,
    /// `arg: text`: one argument of the program.
    pub(super) args: Vec<String>,
    /// `env: NAME=value`.
    pub(super) env: Vec<(String, String)>,
    /// `stdin: line`.
    pub(super) stdin: String,
    /// `stdout: line`: what must come out. Without any, that all ways agree is enough.
    pub(super) stdout: Option<String>,
    /// `exit: 3`, 0 if not given.
    pub(super) exit: Option<i32>,
    /// `signal: 6`.
    pub(super) signal: Option<i32>,
    /// `cpu: avx512f avx512bw`: what the processor must have, by the names of `/proc/cpuinfo`.
    pub(super) cpu: Vec<String>,
    /// `extra-module: a.c`, `extra-object: b.c gcc -O2`, `extra-archive: c.c d.c`: what is linked in, in this order.
    pub(super) extras: Vec<Extra>,
    /// `skip-lli: reason`.
    pub(super) skip_lli: Option<String>,
    /// `skip-dlopen: reason`.
    pub(super) skip_dlopen: Option<String>,
    /// `larder-only: reason`: the other ways can't run it, and the header alone says what it shows.
    pub(super) larder_only: Option<String>,
    /// `larder-error: text`: `larder` refuses, and says this among other things. Nothing else is run.
    pub(super) larder_errors: Vec<String>,
}

/// Sources of the case at `path`, and the directives of the one whose stem is `main` or that stands alone.
pub(super) fn read(path: &Path) -> Result<(Vec<PathBuf>, Directives)> {
    let sources = sources(path)?;
    let head =
        sources.iter().find(|source| sources.len() == 1 || source.file_stem().is_some_and(|stem| stem == "main"));
    let head = head.with_context(|| format!("{}: no file of the folder is named main", path.display()))?;
    let directives = parse(&fs::read(head)?).with_context(|| head.display().to_string())?;
    Ok((sources, directives))
}

fn sources(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let files = path.read_dir()?.flatten().map(|entry| entry.path());
    let is_header = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "h");
    let mut sources: Vec<PathBuf> = files.filter(|file| !is_header(file)).collect();
    sources.sort();
    Ok(sources)
}

fn parse(bytes: &[u8]) -> Result<Directives> {
    let text = String::from_utf8_lossy(bytes);
    let mut directives = Directives::default();
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("//").or_else(|| line.strip_prefix(';')) else { break };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        let Some((name, value)) = comment.split_once(':') else { continue };
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            directives.set(name, value.strip_prefix(' ').unwrap_or(value))?;
        }
    }
    if directives.flags.is_empty() {
        directives.flags = vec![words("-O1")];
    }
    ensure!(directives.exit.is_none() || directives.signal.is_none(), "both exit and signal");
    Ok(directives)
}

impl Directives {
    /// Whether the ways that aren't ours take part.
    pub(super) fn has_oracles(&self) -> bool {
        self.larder_only.is_none() && self.larder_errors.is_empty()
    }

    /// What the header promises, as if a program had shown it.
    pub(super) fn promised(&self) -> Ran {
        let ending = match self.signal {
            Some(signal) => Ending::Signal(signal),
            None => Ending::Exit(self.exit.unwrap_or_default()),
        };
        Ran { ending, stdout: self.stdout.clone().unwrap_or_default().into_bytes(), stderr: Vec::new() }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || value.parse().with_context(|| format!("{name}: {value} is no number"));
        match name {
            "flags" => self.flags = value.split(" | ").map(words).collect(),
            "larder-flags" => self.larder_flags = words(value),
            "arg" => self.args.push(value.to_owned()),
            "env" => {
                let (name, value) = value.split_once('=').context("env: no =")?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "stdin" => self.stdin += &format!("{value}\n"),
            "stdout" => *self.stdout.get_or_insert_default() += &format!("{value}\n"),
            "exit" => self.exit = Some(number()?),
            "signal" => self.signal = Some(number()?),
            "cpu" => self.cpu = words(value),
            "extra-module" | "extra-object" | "extra-archive" => self.extras.push(Extra::parse(name, words(value))?),
            "skip-lli" => self.skip_lli = Some(value.to_owned()),
            "skip-dlopen" => self.skip_dlopen = Some(value.to_owned()),
            "larder-only" => self.larder_only = Some(value.to_owned()),
            "larder-error" => self.larder_errors.push(value.to_owned()),
            _ => bail!("no directive is named {name}"),
        }
        Ok(())
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
