//! A case's bitcode, and what the native program made of it shows.

use super::Case;
use crate::larder::Corner;
use crate::process::{self, Ran};
use crate::tools;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A case, compiled.
pub(super) struct Built {
    /// Where everything of the case stands, for as long as a test of it runs.
    pub(super) corner: Corner,
    /// The module: bitcode, or the case's own file if that is IR already.
    pub(super) module: PathBuf,
    /// What is linked in: the option's name, and the file.
    pub(super) extras: Vec<(String, PathBuf)>,
    /// What the native program showed, or the header promises if there can be none.
    pub(super) native: Ran,
}

impl Built {
    /// Compiles `case` and runs it natively.
    pub(super) fn new(case: &Case) -> Result<Self> {
        let corner = Corner::new()?;
        let module = module(case, &corner)?;
        let extras = extras(case, &corner)?;
        let native = match case.directives.has_oracles() {
            true => native(case, &corner, &module, &extras)?,
            false => case.directives.promised(),
        };
        Ok(Self { corner, module, extras, native })
    }

    /// The options that link the rest in, each as one word: `lli` wants them so.
    pub(super) fn extra_options(&self) -> impl Iterator<Item = String> + '_ {
        self.extras.iter().map(|(option, file)| format!("--{option}={}", file.display()))
    }
}

fn extras(case: &Case, corner: &Corner) -> Result<Vec<(String, PathBuf)>> {
    let extras = case.directives.extras.iter().enumerate();
    extras.map(|(number, extra)| Ok((extra.kind.clone(), extra.make(case, corner, number)?))).collect()
}

fn module(case: &Case, corner: &Corner) -> Result<PathBuf> {
    let mut parts = Vec::new();
    for source in case.sources.iter().filter(|source| !case.is_extra(source)) {
        parts.push(if is_ir(source) { source.clone() } else { compile(case, corner, source)? });
    }
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        many => {
            let linked = corner.work().join("linked.bc");
            let mut command = corner.command(tools::llvm("llvm-link")?);
            process::run(command.args(many).arg("-o").arg(&linked), b"")?.success("llvm-link")?;
            Ok(linked)
        }
    }
}

pub(super) fn is_ir(source: &Path) -> bool {
    source.extension().is_some_and(|extension| extension == "ll" || extension == "bc")
}

pub(super) fn compile(case: &Case, corner: &Corner, source: &Path) -> Result<PathBuf> {
    let bitcode = corner.work().join(source.file_name().unwrap_or_default()).with_extension("bc");
    let mut command = clang(case, corner)?;
    command.args(["-c", "-emit-llvm"]).arg(source).arg("-o").arg(&bitcode);
    process::run(&mut command, b"")?.success("clang")?;
    Ok(bitcode)
}

/// The compiler with the case's flags, for its language.
pub(super) fn clang(case: &Case, corner: &Corner) -> Result<Command> {
    let mut command = corner.command(tools::llvm(if case.is_cxx() { "clang++" } else { "clang" })?);
    command.args(["-Wno-override-module", "-Wno-unused-command-line-argument"]).args(&case.flags);
    Ok(command)
}

fn native(case: &Case, corner: &Corner, module: &Path, extras: &[(String, PathBuf)]) -> Result<Ran> {
    let program = corner.work().join("native");
    let mut command = clang(case, corner)?;
    if case.flags.iter().any(|flag| flag == "-fno-pic") {
        command.arg("-no-pie");
    }
    if case.directives.extras.iter().any(|extra| extra.is_bitcode()) {
        command.args(["-flto", "-fuse-ld=lld"]);
    }
    command.arg(module).args(extras.iter().map(|(_, file)| file)).arg("-o").arg(&program).arg("-lm");
    process::run(&mut command, b"")?.success("linking the native program")?;
    let ran = run_program(case, &mut corner.command(program))?;
    as_promised(case, &ran)?;
    Ok(ran)
}

/// Runs a command that needs only the case's arguments, environment and input.
pub(super) fn run_program(case: &Case, command: &mut Command) -> Result<Ran> {
    process::run(with_case(case, command), case.directives.stdin.as_bytes())
}

/// Adds the case's arguments and environment.
pub(super) fn with_case<'a>(case: &Case, command: &'a mut Command) -> &'a mut Command {
    command.args(&case.directives.args).envs(case.directives.env.iter().map(|(name, value)| (name, value)))
}

/// The header's promises, held against the native program: what the other ways show is compared with that.
fn as_promised(case: &Case, ran: &Ran) -> Result<()> {
    let promised = case.directives.promised();
    ensure!(
        ran.ending == promised.ending,
        "native: {}, the header says {}\n{}{}",
        ran.ending,
        promised.ending,
        ran.out(),
        ran.err()
    );
    if case.directives.stdout.is_some() {
        ensure!(ran.stdout == promised.stdout, "native printed\n{}the header says\n{}", ran.out(), promised.out());
    }
    Ok(())
}
