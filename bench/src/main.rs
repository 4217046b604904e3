//! Larder against its peers, side by side in one run.
//!
//! Times on a shared machine drift by more than the differences that matter here. So all sides of a work are run in turn,
//! round after round, and medians with quartiles are compared: noise hits all sides alike. Every run's output is compared
//! with the native program's, because a fast wrong answer is no answer; a peer that fails stands in the table with its reason.
//!
//! Each measure is a module that gives rows; `targets` judges the rows, `report` prints and writes them.
//!
//! Not done: nothing here is a test. A target that is missed is reported as missed and the bench still ends well.

mod calls;
mod cold;
mod edit;
mod embedding;
mod inside;
mod machine;
mod memory;
mod operations;
mod places;
mod process;
mod report;
mod rows;
mod sides;
mod size;
mod start;
mod targets;
mod works;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use larder_programs::Programs;

use crate::places::Places;
use crate::rows::{Measure, Row};
use crate::sides::Peers;
use crate::works::Work;

/// Measure Larder against its peers.
#[derive(Parser)]
struct Arguments {
    /// Fewer runs, and none of the modules and peers that take minutes.
    #[arg(long)]
    quick: bool,
    /// Only this work, such as sqlite or generated_1000; may be given again.
    #[arg(long, value_name = "WORK")]
    only: Vec<String>,
    /// Only this measure; may be given again.
    #[arg(long, value_name = "MEASURE")]
    measure: Vec<Measure>,
    /// Runs of each side, if its share of time lasts.
    #[arg(long, value_name = "N", default_value_t = 101)]
    runs: usize,
    /// Seconds that each side of a work may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    seconds: u64,
    /// Seconds after which a single run is ended and counts as failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    patience: u64,
    /// Directory for the results; given, they are written even if the bench is not a complete one.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// How long and how often things are run.
#[derive(Clone, Copy)]
struct Limits {
    runs: usize,
    /// After this time a side isn't run again.
    share: Duration,
    /// After this time a single run is ended and counts as failed.
    run: Duration,
    /// Leave out what takes minutes.
    quick: bool,
}

impl Arguments {
    fn limits(&self) -> Limits {
        let (runs, seconds) =
            if self.quick { (self.runs.min(21), self.seconds.min(3)) } else { (self.runs, self.seconds) };
        Limits { runs, share: Duration::from_secs(seconds), run: Duration::from_secs(self.patience), quick: self.quick }
    }

    fn wants(&self, measure: Measure) -> bool {
        self.measure.is_empty() || self.measure.contains(&measure)
    }

    /// Only a complete bench is worth keeping.
    fn is_complete(&self) -> bool {
        !self.quick && self.only.is_empty() && self.measure.is_empty()
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let programs = Programs::open()?;
    let peers = Peers::build(&programs)?;
    let works = works::works(&programs, &arguments.only, arguments.quick)?;
    let rows = measure(&arguments, &programs, &peers, &works)?;
    let verdicts = targets::judge(&rows);
    let machine = machine::describe(&programs)?;
    let works = works.into_iter().map(|work| (work.name, work.title)).collect();
    let report = report::Report { machine, works, rows, verdicts };
    report.print();
    let results = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results"));
    let output = arguments.output.clone().or_else(|| arguments.is_complete().then(results));
    if let Some(directory) = output {
        report.write(&directory)?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, programs: &Programs, peers: &Peers, works: &[Work]) -> Result<Vec<Row>> {
    let limits = arguments.limits();
    let mut rows = Vec::new();
    for work in works {
        if work.name == works::EDIT {
            if arguments.wants(Measure::Edit) || arguments.wants(Measure::EditProcessor) {
                rows.extend(edit::measure(programs, peers, &limits)?);
            }
            continue;
        }
        if work.name == works::EMBEDDING {
            rows.extend(embedding::measure(programs, peers, &limits, |measure| arguments.wants(measure))?);
            continue;
        }
        let places = Places::new()?;
        if works::OPERATIONS.iter().any(|(name, _)| *name == work.name) {
            if arguments.wants(Measure::Operation) {
                rows.extend(operations::measure(work, peers, &places, &limits)?);
            }
            continue;
        }
        if arguments.wants(Measure::Start) {
            rows.extend(start::measure(work, peers, &places, &limits)?);
        }
        if arguments.wants(Measure::Inside) {
            rows.extend(inside::measure(work, peers, &places, &limits)?);
        }
        if arguments.wants(Measure::Memory) && work.name == "generated_10000" {
            rows.extend(memory::measure(work, peers, &places, &limits)?);
        }
        if arguments.wants(Measure::Size) && work.name == "duckdb" {
            rows.extend(size::measure(work, peers, &places, &limits)?);
        }
        let is_compiled_alone = ["sqlite", "duckdb"].contains(&work.name.as_str());
        if (arguments.wants(Measure::Cold) || arguments.wants(Measure::Peak)) && is_compiled_alone {
            rows.extend(cold::measure(work, peers, &limits)?);
        }
        if arguments.wants(Measure::Calls) && work.name == "sqlite" {
            rows.extend(calls::measure(work, peers, &places, &limits)?);
        }
    }
    Ok(rows)
}
