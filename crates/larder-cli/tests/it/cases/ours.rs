//! The ways that are ours: cold, warm in a second process, cold elsewhere with other thread counts, and as a saved image.

use super::Case;
use super::build::{self, Built};
use super::compare::{Stderr, same};
use super::image;
use crate::larder::{Corner, Report};
use crate::process::{self, Ending, Ran};
use anyhow::{Context, Result, ensure};
use std::fs;

/// Fails unless `larder` shows what the native program shows, cold and warm, and makes the same image every time.
pub(super) fn agree(case: &Case) -> Result<()> {
    let built = case.built()?;
    if !case.directives.larder_errors.is_empty() {
        return refused(case, built);
    }
    let first = Corner::new()?;
    let cold = in_store(case, built, &first, "cold", "miss", "1")?;
    let warm = in_store(case, built, &first, "warm", "hit", "1")?;
    ensure!(cold.key == warm.key, "cold and warm have two keys: {} and {}", cold.key, warm.key);
    let second = Corner::new()?;
    let again = in_store(case, built, &second, "cold on two threads", "miss", "2")?;
    let (one, two) = (cold.image()?, again.image()?);
    ensure!(fs::read(one)? == fs::read(two)?, "two cold runs made two images of {}", built.module.display());
    image::readable(&first, one)?;
    saved(case, built)
}

fn in_store(case: &Case, built: &Built, corner: &Corner, way: &str, outcome: &str, threads: &str) -> Result<Report> {
    let mut command = corner.larder_run()?;
    command
        .args(["--threads", threads])
        .args(&case.directives.larder_flags)
        .args(built.extra_options())
        .arg(&built.module);
    let input = case.directives.stdin.as_bytes();
    let (ran, report) = corner.reported(build::with_case(case, &mut command), input).with_context(|| way.to_owned())?;
    same(&format!("larder, {way},"), &built.native, &ran, Stderr::Same)?;
    ensure!(report.outcome == outcome, "{way}: expected a {outcome}: {}", report.text);
    Ok(report)
}

/// The image that `larder build` makes, run as a file, without worker or store.
fn saved(case: &Case, built: &Built) -> Result<()> {
    let corner = Corner::new()?;
    let image = corner.work().join("saved.image");
    let (options, start) = split_options(&case.directives.larder_flags);
    let mut command = corner.larder()?;
    command.arg("build").args(options).args(built.extra_options()).arg(&built.module).arg("-o").arg(&image);
    process::run(&mut command, b"")?.success("larder build")?;
    let mut command = corner.larder()?;
    command.env("LARDER_WORKER", "/nonexistent").arg("run").args(start).arg(&image);
    let ran = build::run_program(case, &mut command)?;
    same("the saved image", &built.native, &ran, Stderr::Same)?;
    image::readable(&corner, &image)
}

/// Options of a run, split into those of the compilation and those that belong to the start.
fn split_options(flags: &[String]) -> (Vec<&str>, Vec<&str>) {
    let (mut compilation, mut start) = (Vec::new(), Vec::new());
    let mut words = flags.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--entry" | "--load" => start.extend([Some(word), words.next()].into_iter().flatten()),
            _ => compilation.push(word),
        }
    }
    (compilation, start)
}

/// A refusal: exit code 125, the message, no output, and nothing left behind.
fn refused(case: &Case, built: &Built) -> Result<()> {
    let corner = Corner::new()?;
    let mut command = corner.larder()?;
    command.arg("run").args(&case.directives.larder_flags).args(built.extra_options()).arg(&built.module);
    let ran: Ran = build::run_program(case, &mut command)?;
    ensure!(ran.ending == Ending::Exit(125), "{}, not exit code 125\n{}{}", ran.ending, ran.out(), ran.err());
    ensure!(ran.stdout.is_empty(), "a refusal prints nothing on stdout: {}", ran.out());
    ensure!(ran.err().starts_with("larder: "), "doesn't begin with larder: {}", ran.err());
    for message in &case.directives.larder_errors {
        ensure!(ran.err().contains(message), "doesn't say {message:?}:\n{}", ran.err());
    }
    ensure!(fs::read_dir(corner.tmp())?.next().is_none(), "a temporary file is left in {}", corner.tmp().display());
    Ok(())
}
