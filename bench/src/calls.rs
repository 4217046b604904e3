//! System calls of one warm run, and whether it touches what it must not: libLLVM and the module.
//!
//! Counted by strace; without strace the rows say so.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::Limits;
use crate::places::Places;
use crate::process::run;
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// Rows of the native program, of `dlopen` and of a warm run.
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    let warm = Side::Keeping(Keeper::Larder, Temperature::Warm);
    places.fill(Keeper::Larder, work, peers, limits)?;
    // The second run may still note what it has verified.
    run(&mut peers.command(warm, work, &places.directory(warm)), limits.run)?;
    [Side::Native, Side::Dlopen, warm].into_iter().map(|side| count(side, work, peers, places, limits)).collect()
}

fn count(side: Side, work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Row> {
    let trace = places.directory(Side::Native).join("trace");
    let mut strace = Command::new("strace");
    let traced = peers.command(side, work, &places.directory(side));
    strace.args(["-f", "-o"]).arg(&trace).arg(traced.get_program()).args(traced.get_args());
    strace.env_remove("LD_LIBRARY_PATH");
    let (numbers, note) = match run(&mut strace, limits.run) {
        Err(_) => (None, "strace isn't installed".to_owned()),
        Ok(_) => {
            let text = fs::read_to_string(&trace)?;
            let calls = calls(&text);
            (Numbers::of(vec![calls.values().sum::<usize>() as f64]), describe(&text, &calls, work))
        }
    };
    Ok(Row { measure: Measure::Calls, work: work.name.clone(), side: side.name().to_owned(), numbers, note })
}

/// How often each call was made. A call that strace shows in two halves is counted at its start.
fn calls(trace: &str) -> BTreeMap<&str, usize> {
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let name = line.split('(').next().unwrap_or_default();
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            *calls.entry(name).or_default() += 1;
        }
    }
    calls
}

fn describe(trace: &str, calls: &BTreeMap<&str, usize>, work: &Work) -> String {
    let opened = |path: &str| trace.lines().any(|line| line.contains("open") && line.contains(path));
    let module = work.module.file_name().unwrap_or_default().to_string_lossy();
    let mut words = Vec::new();
    if opened("libLLVM") {
        words.push("opens libLLVM".to_owned());
    }
    if opened(&module) {
        words.push("opens the module".to_owned());
    }
    let mut counts: Vec<_> = calls.iter().collect();
    counts.sort_by_key(|(name, count)| (usize::MAX - **count, **name));
    words.extend(counts.iter().map(|(name, count)| format!("{count} {name}")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once() {
        let trace = "12 execve(\"/bin/a\", [\"a\"], 0x7 /* 3 vars */) = 0\n\
            12 read(0,  <unfinished ...>\n13 getpid() = 13\n12 <... read resumed>\"\", 10) = 0\n\
            12 --- SIGCHLD {si_signo=SIGCHLD} ---\n12 exit_group(0) = ?\n12 +++ exited with 0 +++\n";
        let counted: Vec<_> = calls(trace).into_iter().collect();
        assert_eq!(counted, [("execve", 1), ("exit_group", 1), ("getpid", 1), ("read", 1)]);
    }
}
