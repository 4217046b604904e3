//! What the command says about a start: for people on standard error, for programs as JSON.

use crate::lli;
use larder::{MissReason, ModuleOutcome, Outcome, PartCounts, Phases, Prepared};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Prints an error with its causes, and what to do next if that is known.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain() {
        let words = cause.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
    }
    let bold = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (red, plain) = if bold { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    eprintln!("{}: {red}error:{plain} {text}", name());
}

/// What messages begin with: the name that the command was called by.
fn name() -> String {
    lli::called_as_lli().unwrap_or_else(|| "larder".to_owned())
}

/// Prints what went wrong without harm.
pub(crate) fn warnings(warnings: &[String]) {
    for warning in warnings {
        eprintln!("{}: warning: {warning}", name());
    }
}

/// Says whether saved code is used, or why not.
pub(crate) fn explain(prepared: &Prepared) {
    let key = prepared.key().map_or_else(String::new, |key| format!("larder: key {key}\n"));
    let image = prepared.path().display();
    let modules: String = several(prepared).iter().map(|m| format!("larder: {}: {}\n", m.name, m.outcome)).collect();
    let PartCounts { generated, kept } = prepared.parts();
    let parts = if generated + kept == 0 {
        String::new()
    } else {
        format!("larder: {generated} parts generated, {kept} of an earlier compilation\n")
    };
    // One write: a program that shares the terminal can't come between.
    let _ = write!(std::io::stderr(), "larder: {}\n{modules}{parts}{key}larder: image {image}\n", prepared.outcome());
}

/// What became of each module, if there are several to tell apart.
fn several(prepared: &Prepared) -> &[ModuleOutcome] {
    match prepared.modules() {
        [_] => &[],
        several => several,
    }
}

/// Prints the phases as a table.
pub(crate) fn time(phases: &Phases) {
    let total: f64 = phases.iter().filter(|phase| !phase.name.starts_with(' ')).map(|p| p.time.as_secs_f64()).sum();
    let mut text = String::new();
    for phase in phases.iter() {
        text.push_str(&format!("larder: {:<24} {:>12.3} ms\n", phase.name, phase.time.as_secs_f64() * 1e3));
    }
    text.push_str(&format!("larder: {:<24} {:>12.3} ms\n", "before the program", total * 1e3));
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[derive(Serialize)]
struct Report<'a> {
    outcome: &'static str,
    reason: Option<&'static str>,
    explanation: String,
    key: Option<String>,
    image: &'a Path,
    modules: Vec<ReportModule<'a>>,
    warnings: &'a [String],
    phases: Vec<ReportPhase<'a>>,
    parts_generated: u32,
    parts_kept: u32,
}

#[derive(Serialize)]
struct ReportModule<'a> {
    name: &'a str,
    outcome: &'static str,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct ReportPhase<'a> {
    name: &'a str,
    us: f64,
}

fn words(outcome: &Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Hit => ("hit", None),
        Outcome::Miss(reason) => ("miss", Some(MissReason::name(reason))),
    }
}

/// Writes what happened as JSON.
pub(crate) fn write(path: &Path, prepared: &Prepared) -> anyhow::Result<()> {
    let (outcome, reason) = words(prepared.outcome());
    let modules = prepared.modules().iter().map(|module| {
        let (outcome, reason) = words(&module.outcome);
        ReportModule { name: &module.name, outcome, reason }
    });
    let phases = prepared.phases().iter();
    let report = Report {
        outcome,
        reason,
        explanation: prepared.outcome().to_string(),
        key: prepared.key().map(ToString::to_string),
        image: prepared.path(),
        modules: modules.collect(),
        warnings: prepared.warnings(),
        phases: phases.map(|p| ReportPhase { name: p.name.trim(), us: p.time.as_secs_f64() * 1e6 }).collect(),
        parts_generated: prepared.parts().generated,
        parts_kept: prepared.parts().kept,
    };
    anyhow::Context::context(
        std::fs::write(path, serde_json::to_vec_pretty(&report)?),
        format!("cannot write {}", path.display()),
    )
}
