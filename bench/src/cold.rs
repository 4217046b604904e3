//! From bitcode to native code: `larder run` in an empty store against `opt -O2` and `llc -O2`.
//!
//! The peer only makes an object; ours also links, verifies, publishes and runs. Both are given one core, then two; a large work is
//! compiled once, on two. What either side's largest process had in memory at most is a measure of its own.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Limits;
use crate::process::{Ending, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// The peer's name in tables.
pub(crate) const THEIRS: &str = "opt -O2 + llc -O2";

/// Rows of both sides on one core and on two.
pub(crate) fn measure(work: &Work, peers: &Peers, limits: &Limits) -> Result<Vec<Row>> {
    on_cores(if work.is_large { &[2] } else { &[1, 2] }, |cores| measure_both(work, peers, limits, cores))
}

/// Measures on so many cores, for each number of which there are enough.
pub(crate) fn on_cores(counts: &[u32], measure: impl Fn(u32) -> Result<Vec<Row>>) -> Result<Vec<Row>> {
    let all = sched_getaffinity(None)?;
    let mut rows = Vec::new();
    for &cores in counts.iter().filter(|&&cores| cores <= all.count()) {
        // Children inherit it.
        sched_setaffinity(None, &first_cores(&all, cores))?;
        let measured = measure(cores);
        sched_setaffinity(None, &all)?;
        rows.extend(measured?);
    }
    Ok(rows)
}

/// The work's name in the rows of this measure.
pub(crate) fn work_name(work: &str, cores: u32) -> String {
    format!("{work} on {cores} core{}", if cores == 1 { "" } else { "s" })
}

fn first_cores(all: &CpuSet, count: u32) -> CpuSet {
    let mut chosen = CpuSet::new();
    let present = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core));
    present.take(count as usize).for_each(|core| chosen.set(core));
    chosen
}

fn measure_both(work: &Work, peers: &Peers, limits: &Limits, cores: u32) -> Result<Vec<Row>> {
    let mut ours = Ok(Vec::new());
    let mut theirs = Ok(Vec::new());
    for _ in 0..if limits.quick || work.is_large { 1 } else { 5 } {
        let place = tempfile::tempdir()?;
        let cold = Side::Keeping(Keeper::Larder, Temperature::Cold);
        note(&mut ours, run_all(&mut [peers.command(cold, work, place.path())], limits)?);
        note(&mut theirs, run_all(&mut opt_and_llc(&work.module, peers, place.path()), limits)?);
    }
    Ok(rows_of_both(&work_name(&work.name, cores), ours, theirs))
}

/// The rows of a measure stand together: they are a table of the report.
fn rows_of_both(work: &str, ours: Sample, theirs: Sample) -> Vec<Row> {
    let mut rows = [rows(work, crate::sides::LARDER_COLD, ours), rows(work, THEIRS, theirs)].concat();
    rows.sort_by_key(|row| row.measure);
    rows
}

/// The peer's two steps from a module to an object, in that directory.
pub(crate) fn opt_and_llc(module: &Path, peers: &Peers, place: &Path) -> [Command; 2] {
    let (bitcode, object) = (place.join("optimised.bc"), place.join("object.o"));
    let mut opt = peers.tools.command("opt");
    opt.args(["-passes=default<O2>", "-mcpu=native", "-o"]).arg(&bitcode).arg(module);
    let mut llc = peers.tools.command("llc");
    llc.args(["-O2", "-mcpu=native", "-relocation-model=pic", "-filetype=obj", "-o"]).arg(&object).arg(&bitcode);
    [opt, llc]
}

/// What it took from bitcode to native code.
struct Cost {
    time_ms: f64,
    peak_mb: f64,
}

type Sample = Result<Vec<Cost>, String>;

/// Milliseconds of all commands one after the other, or why one of them failed.
pub(crate) fn time_ms(mut commands: [Command; 2], limits: &Limits) -> Result<Result<f64, String>> {
    Ok(run_all(&mut commands, limits)?.map(|cost| cost.time_ms))
}

/// The cost of all commands one after the other, or why one of them failed.
fn run_all(commands: &mut [Command], limits: &Limits) -> Result<Result<Cost, String>> {
    let mut cost = Cost { time_ms: 0.0, peak_mb: 0.0 };
    for command in commands {
        let ran = run(command, limits.run)?;
        if ran.ending != Ending::Code(0) {
            return Ok(Err(format!("{:?}: {}", ran.ending, ran.complaint())));
        }
        cost.time_ms += ran.time.as_secs_f64() * 1e3;
        cost.peak_mb = cost.peak_mb.max(ran.peak_len as f64 / 1e6);
    }
    Ok(Ok(cost))
}

fn note(sample: &mut Sample, cost: Result<Cost, String>) {
    match (sample.as_mut(), cost) {
        (Ok(costs), Ok(cost)) => costs.push(cost),
        (_, Err(failure)) => *sample = Err(failure),
        (Err(_), Ok(_)) => {}
    }
}

/// One row for the time, one for the memory.
fn rows(work: &str, side: &str, sample: Sample) -> Vec<Row> {
    let row = |measure, of: fn(&Cost) -> f64| {
        let (numbers, note) = match &sample {
            Ok(costs) => (Numbers::of(costs.iter().map(of).collect()), String::new()),
            Err(failure) => (None, failure.clone()),
        };
        Row { measure, work: work.to_owned(), side: side.to_owned(), numbers, note }
    };
    vec![row(Measure::Cold, |cost| cost.time_ms), row(Measure::Peak, |cost| cost.peak_mb)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_measure_stand_together() {
        let sample = || Ok(vec![Cost { time_ms: 1.0, peak_mb: 2.0 }]);
        let rows = rows_of_both("lua", sample(), sample());
        let order: Vec<_> = rows.iter().map(|row| (row.measure, row.side.as_str())).collect();
        let ours = crate::sides::LARDER_COLD;
        let expected = [(Measure::Cold, ours), (Measure::Cold, THEIRS), (Measure::Peak, ours), (Measure::Peak, THEIRS)];
        assert_eq!(order, expected);
    }
}
