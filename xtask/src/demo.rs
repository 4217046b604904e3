//! `cargo xtask demo`: the main job on a real program, twice, for someone who sees it for the first time.
//!
//! SQLite's bitcode is run in a store that is empty and private to the demo. The first run compiles; the second finds
//! the image. What is shown is what the command itself prints, then both runs' phases side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use larder_programs::Programs;
use serde_json::Value;
use tempfile::TempDir;

use crate::cargo::{build_command, built, program};
use crate::say;
use crate::setup::{Scope, ensure as ensure_installed};

const SQL: &str = "\
CREATE TABLE fruit(name TEXT, price REAL);
INSERT INTO fruit VALUES ('apple', 0.5), ('pear', 0.75), ('quince', 2);
SELECT name, printf('%.2f', price), sum(price) OVER (ORDER BY price) FROM fruit;
SELECT 'SQLite ' || sqlite_version() || ', compiled from LLVM IR';";

/// One run of the command and what it said about itself.
struct Run {
    output: Output,
    time: Duration,
    report: Value,
}

/// The chore.
pub(crate) fn demo() -> Result<()> {
    ensure_installed(Scope::Build)?;
    say::step("Building the command and its worker");
    build_command()?;
    say::step("Compiling SQLite's C code to bitcode, with clang");
    let module = Programs::open()?.sqlite()?;
    say::line(format_args!("{} ({} of LLVM IR)", module.display(), megabytes(&module)?));
    let place = tempfile::tempdir()?;
    let cold = show_run("First run: the store is empty, so the module is compiled", &module, &place)?;
    let warm = show_run("Second run: the image is in the store", &module, &place)?;
    show_comparison(&cold, &warm);
    check(&cold, &warm)?;
    show_next(&module);
    Ok(())
}

fn show_run(title: &str, module: &Path, place: &TempDir) -> Result<Run> {
    say::step(title);
    say::line(say::faint(&format!("$ larder run --time --explain {} :memory: \"CREATE TABLE …\"", module.display())));
    let run = run_once(module, place)?;
    say::line(String::from_utf8_lossy(&run.output.stdout).trim_end());
    say::line(say::faint(String::from_utf8_lossy(&run.output.stderr).trim_end()));
    ensure!(run.output.status.success(), "larder: {}", run.output.status);
    Ok(run)
}

fn run_once(module: &Path, place: &TempDir) -> Result<Run> {
    let report = place.path().join("report.json");
    let mut command = larder();
    command.args(["run", "--time", "--explain", "--report"]).arg(&report);
    command.arg("--dir").arg(place.path().join("store")).arg(module).args([":memory:", SQL]);
    let start = Instant::now();
    let output = command.output().context("cannot start larder")?;
    let time = start.elapsed();
    let report = std::fs::read(&report).unwrap_or_default();
    Ok(Run { output, time, report: serde_json::from_slice(&report).unwrap_or_default() })
}

fn larder() -> Command {
    program(command_path())
}

fn command_path() -> PathBuf {
    built("release").join("larder")
}

fn show_comparison(cold: &Run, warm: &Run) {
    say::step("Where the time went");
    say::line(format_args!("{:<24}{:>14}{:>14}", "phase", "first run", "second run"));
    for name in phase_names(&cold.report, &warm.report) {
        let [cold, warm] = [cold, warm].map(|run| phase_time(&run.report, &name).map_or("–".into(), milliseconds));
        say::line(format_args!("{name:<24}{cold:>14}{warm:>14}"));
    }
    let total = format!("{:<24}{:>14}{:>14}", "start to exit", milliseconds(cold.time), milliseconds(warm.time));
    say::line(say::bold(&total));
    let factor = cold.time.as_secs_f64() / warm.time.as_secs_f64();
    say::line(say::green(&format!("The second start took a {factor:.0}th of the first.")));
}

/// The phases of both runs, in the order in which they happened.
fn phase_names(cold: &Value, warm: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for phase in [cold, warm].into_iter().filter_map(|report| report["phases"].as_array()).flatten() {
        let name = phase["name"].as_str().unwrap_or_default();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn phase_time(report: &Value, name: &str) -> Option<Duration> {
    let phases = report["phases"].as_array()?;
    let phase = phases.iter().find(|phase| phase["name"] == name)?;
    Some(Duration::from_secs_f64(phase["us"].as_f64()?.max(0.0) / 1e6))
}

/// The demo is a promise, so it fails if the promise isn't kept.
fn check(cold: &Run, warm: &Run) -> Result<()> {
    ensure!(cold.output.stdout == warm.output.stdout, "the two runs printed different things");
    ensure!(warm.report["outcome"] == "hit", "the second run was not a hit: {}", warm.report["reason"]);
    Ok(())
}

fn show_next(module: &Path) {
    let larder = command_path();
    say::step("Go on from here");
    for (words, why) in [
        ("run", "again, in your own store; add --time, --explain"),
        ("inspect", "what a saved image needs and offers"),
        ("cache list", "what is in your store"),
        ("doctor", "what this machine has and lacks"),
    ] {
        let operand =
            if words == "run" { format!(" {} :memory: 'SELECT 6 * 7'", module.display()) } else { String::new() };
        say::line(format_args!("{} {words}{operand}\n    {}", larder.display(), say::faint(why)));
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn megabytes(path: &Path) -> Result<String> {
    Ok(format!("{:.1} MB", std::fs::metadata(path)?.len() as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_both_runs_are_named_once_and_in_order() {
        let report = |names: &[&str]| -> Value {
            let phases: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "us": 1500})).collect();
            serde_json::json!({ "phases": phases })
        };
        let (cold, warm) = (report(&["key", "compile", "map"]), report(&["key", "find", "map"]));
        assert_eq!(phase_names(&cold, &warm), ["key", "compile", "map", "find"]);
        assert_eq!(phase_time(&cold, "map"), Some(Duration::from_micros(1500)));
        assert_eq!(phase_time(&cold, "find"), None);
    }
}
