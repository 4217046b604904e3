//! What the command says of itself.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::fs::File;

tests![
    help_has_examples,
    wrong_usage_is_our_fault_not_the_programs,
    completions_are_accepted_by_their_shells,
    version,
    output_that_is_full,
    doctor
];

fn help_has_examples() -> Result<()> {
    let corner = Corner::new()?;
    let commands: &[(&[&str], &[&str])] = &[
        (&["--help"], &["Examples:", "larder run ", "larder build ", "larder doctor"]),
        (&["run", "--help"], &["Examples:", "larder run ", "exit code", "--explain", "-O"]),
        (&["build", "--help"], &["--no-source", "--export"]),
        (&["cache", "--help"], &["list", "stats", "gc", "clear", "verify", "path"]),
        (&["inspect", "--help"], &["--json", "--disassemble"]),
        (&["help", "run"], &["Examples:"]),
    ];
    for (command, expected) in commands {
        let ran = process::run(corner.larder()?.args(*command), b"")?.success("help")?;
        for words in *expected {
            ensure!(ran.out().contains(words), "{command:?} doesn't say {words:?}:\n{}", ran.out());
        }
        let widest = ran.out().lines().map(|line| line.chars().count()).max().unwrap_or_default();
        ensure!(widest <= 120, "{command:?}: a line of {widest} characters");
    }
    Ok(())
}

fn wrong_usage_is_our_fault_not_the_programs() -> Result<()> {
    let corner = Corner::new()?;
    let lines: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["run"],
        &["run", "--frobnicate", "x"],
        &["run", "-O7", "x"],
        &["run", "--cpu", "z80", "x"],
    ];
    for line in lines {
        let ran = process::run(corner.larder()?.args(*line), b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{line:?}: {}", ran.ending);
        ensure!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{line:?}: {}{}", ran.out(), ran.err());
    }
    Ok(())
}

fn completions_are_accepted_by_their_shells() -> Result<()> {
    let corner = Corner::new()?;
    for shell in ["bash", "zsh", "fish"] {
        let ran = process::run(corner.larder()?.args(["completions", shell]), b"")?.success(shell)?;
        ensure!(ran.out().contains("larder") && ran.out().contains("disassemble"), "{shell}: {}", ran.out());
        let script = corner.write(shell, &ran.stdout)?;
        if let Some(program) = tools::system(shell) {
            process::run(corner.command(program).arg("-n").arg(script), b"")?.success(shell).context("syntax")?;
        }
    }
    Ok(())
}

fn version() -> Result<()> {
    let corner = Corner::new()?;
    let ran = process::run(corner.larder()?.arg("--version"), b"")?.success("--version")?;
    ensure!(ran.out() == format!("larder {}\n", env!("CARGO_PKG_VERSION")), "{}", ran.out());
    Ok(())
}

/// What can't be printed is an error and not a panic.
fn output_that_is_full() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 0))?;
    let (_, report) = corner.run(&[], &module)?;
    let image = report.image()?.display().to_string();
    let lines: &[&[&str]] = &[
        &["cache", "list"],
        &["cache", "stats"],
        &["doctor"],
        &["completions", "bash"],
        &["inspect", &image],
        &["verify", &image],
    ];
    for line in lines {
        let mut command = corner.larder()?;
        let output = command.args(*line).stdout(File::create("/dev/full")?).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(125), "{line:?}: {}: {said}", output.status);
        ensure!(said.starts_with("larder: ") && said.lines().count() == 1, "{line:?}: {said}");
    }
    Ok(())
}

fn doctor() -> Result<()> {
    let corner = Corner::new()?;
    let ran = process::run(corner.larder()?.arg("doctor"), b"")?.success("doctor")?;
    ensure!(ran.out().contains("22.") && ran.out().contains(&corner.store().display().to_string()), "{}", ran.out());
    let mut command = corner.larder()?;
    let ran = process::run(command.env("LARDER_WORKER", "/nonexistent/larder-worker").arg("doctor"), b"")?;
    ensure!(ran.ending != Ending::Exit(0), "all is well without a worker? {}", ran.out());
    ensure!((ran.out() + &ran.err()).contains("/nonexistent/larder-worker"), "{}{}", ran.out(), ran.err());
    let ran = process::run(corner.larder()?.args(["doctor", "--json"]), b"")?.success("doctor --json")?;
    serde_json::from_slice::<serde_json::Value>(&ran.stdout).context("no JSON")?;
    Ok(())
}
