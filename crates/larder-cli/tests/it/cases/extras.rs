//! What is linked in beside a case's module: modules, objects and archives, made from the files that the header names.

use super::Case;
use super::build::{clang, compile};
use crate::larder::Corner;
use crate::process;
use crate::suite::Skip;
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One directive.
#[derive(Debug, Clone)]
pub(crate) struct Extra {
    /// `extra-module`, `extra-object` or `extra-archive`: also the name of the option, of `larder` as of `lli`.
    pub(crate) kind: String,
    /// Files of the case.
    pub(crate) sources: Vec<String>,
    /// The compiler, if it is not the case's own.
    pub(crate) compiler: Option<String>,
    /// Flags beyond those of the case, or all flags of another compiler.
    pub(crate) flags: Vec<String>,
}

impl Extra {
    /// Reads a directive's value: sources, perhaps a compiler, perhaps flags.
    pub(crate) fn parse(kind: &str, words: Vec<String>) -> Result<Extra> {
        let (flags, words): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.starts_with('-'));
        let (sources, compilers): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.contains('.'));
        ensure!(!sources.is_empty() && compilers.len() <= 1, "{kind}: sources, then at most one compiler");
        Ok(Extra { kind: kind.to_owned(), sources, compiler: compilers.into_iter().next(), flags })
    }

    /// Whether it is an archive whose members are bitcode: a native linker compiles them at link time.
    pub(crate) fn is_bitcode(&self) -> bool {
        self.flags.iter().any(|flag| flag == "-emit-llvm")
    }

    /// Makes the file that the option names.
    pub(crate) fn make(&self, case: &Case, corner: &Corner, number: usize) -> Result<PathBuf> {
        let sources = self.sources.iter().map(|source| case.source(source)).collect::<Result<Vec<_>>>()?;
        match (self.kind.as_str(), sources.as_slice()) {
            ("extra-module", [source]) if super::build::is_ir(source) => Ok(source.clone()),
            ("extra-module", [source]) => compile(case, corner, source),
            ("extra-object", [source]) => self.object(case, corner, source),
            ("extra-archive", sources) => self.archive(case, corner, sources, number),
            _ => anyhow::bail!("{}: one source", self.kind),
        }
    }

    fn object(&self, case: &Case, corner: &Corner, source: &Path) -> Result<PathBuf> {
        let object = corner.work().join(source.file_name().unwrap_or_default()).with_extension("o");
        let mut command = match &self.compiler {
            None => clang(case, corner)?,
            Some(compiler) => {
                let program = tools::system(compiler).or_else(|| tools::llvm(compiler).ok());
                corner.command(program.ok_or_else(|| Skip(format!("no {compiler}")))?)
            }
        };
        command.args(&self.flags).arg("-c").arg(source).arg("-o").arg(&object);
        process::run(&mut command, b"")?.success("compiling an object")?;
        Ok(object)
    }

    fn archive(&self, case: &Case, corner: &Corner, sources: &[PathBuf], number: usize) -> Result<PathBuf> {
        let archive = corner.work().join(format!("libextra{number}.a"));
        let members = sources.iter().map(|source| self.object(case, corner, source)).collect::<Result<Vec<_>>>()?;
        let mut command: Command = corner.command(tools::llvm("llvm-ar")?);
        process::run(command.arg("rcs").arg(&archive).args(members), b"")?.success("llvm-ar")?;
        Ok(archive)
    }
}

impl Case {
    fn source(&self, name: &str) -> Result<PathBuf> {
        let found = self.sources.iter().find(|source| source.file_name().is_some_and(|file| file == name));
        found.cloned().with_context(|| format!("the case has no file {name}"))
    }

    /// Whether a directive speaks of the file, so that it is no part of the main module.
    pub(crate) fn is_extra(&self, source: &Path) -> bool {
        let extras = self.directives.extras.iter().flat_map(|extra| &extra.sources);
        source.file_name().is_some_and(|file| extras.clone().any(|name| **name == *file))
    }
}
