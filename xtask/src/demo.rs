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
    let [cold_phases, warm_phases] = [cold, warm].map(|run| phases(&run.report));
    for (name, times) in side_by_side(&cold_phases, &warm_phases) {
        let [cold, warm] = times.map(|time| time.map_or("–".into(), milliseconds));
        say::line(format_args!("{name:<24}{cold:>14}{warm:>14}"));
    }
    let total = format!("{:<24}{:>14}{:>14}", "start to exit", milliseconds(cold.time), milliseconds(warm.time));
    say::line(say::bold(&total));
    let factor = cold.time.as_secs_f64() / warm.time.as_secs_f64();
    say::line(say::green(&format!("The second start was {factor:.0} times as fast as the first.")));
}

/// A run's phases in their order. A name may occur twice: the module is verified, and later the image.
fn phases(report: &Value) -> Vec<(String, Duration)> {
    let phases = report["phases"].as_array().into_iter().flatten();
    let of = |phase: &Value| {
        let time = Duration::from_secs_f64(phase["us"].as_f64().unwrap_or(0.0).max(0.0) / 1e6);
        (phase["name"].as_str().unwrap_or_default().to_owned(), time)
    };
    phases.map(of).collect()
}

/// All phases of the first run, each beside the second run's phase of the same name if there is one.
fn side_by_side(cold: &[(String, Duration)], warm: &[(String, Duration)]) -> Vec<(String, [Option<Duration>; 2])> {
    let mut left: Vec<_> = warm.iter().collect();
    let mut rows = Vec::new();
    for (name, time) in cold {
        let same = left.iter().position(|(other, _)| other == name);
        rows.push((name.clone(), [Some(*time), same.map(|index| left.remove(index).1)]));
    }
    rows.extend(left.into_iter().map(|(name, time)| (name.clone(), [None, Some(*time)])));
    rows
}

/// The demo is a promise, so it fails if the promise isn't kept.
fn check(cold: &Run, warm: &Run) -> Result<()> {
    ensure!(cold.output.stdout == warm.output.stdout, "the two runs printed different things");
    ensure!(warm.report["outcome"] == "hit", "the second run was not a hit: {}", warm.report["reason"]);
    Ok(())
}

fn show_next(module: &Path) {
    let larder = command_path().display().to_string();
    let module = module.display();
    say::step("Go on from here");
    for (words, why) in [
        (format!("run {module} :memory: 'SELECT 6 * 7'"), "again, in your own store; add --time, --explain"),
        (format!("build {module} -o sqlite.image"), "the native code as a file of its own"),
        ("inspect sqlite.image".to_owned(), "what it needs and offers; add --disassemble"),
        ("cache list".to_owned(), "what is in your store"),
        ("doctor".to_owned(), "what this machine has and lacks"),
    ] {
        say::line(format_args!("{larder} {words}\n    {}", say::faint(why)));
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
    fn phases_stand_beside_those_of_the_same_name() {
        let ms = Duration::from_millis;
        let report = |times: &[(&str, u64)]| {
            let times = times.iter().map(|(name, time)| serde_json::json!({"name": name, "us": time * 1000}));
            phases(&serde_json::json!({ "phases": times.collect::<Vec<_>>() }))
        };
        let cold = report(&[("key", 1), ("verify", 2), ("map", 3), ("verify", 4)]);
        let warm = report(&[("key", 5), ("find", 6), ("map", 7)]);
        let rows = side_by_side(&cold, &warm);
        let expected = [
            ("key", [Some(ms(1)), Some(ms(5))]),
            ("verify", [Some(ms(2)), None]),
            ("map", [Some(ms(3)), Some(ms(7))]),
            ("verify", [Some(ms(4)), None]),
            ("find", [None, Some(ms(6))]),
        ];
        assert_eq!(rows, expected.map(|(name, times)| (name.to_owned(), times)));
    }
}
