//! Start to exit of the whole process, all sides in turn.
//!
//! Sides that keep something are run once beforehand to fill their directory; that run is the first of the cold sample.
//! In each round every side runs once, until it has its runs or has used up its share of time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::Limits;
use crate::process::{Ran, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// A side with what it has done so far.
struct Runner {
    side: Side,
    /// Where a warm side finds what an earlier run has kept.
    directory: PathBuf,
    times_ms: Vec<f64>,
    spent: Duration,
    /// Why it isn't run any more.
    failure: Option<String>,
}

/// Rows of all sides for one work.
pub(crate) fn measure(work: &Work, peers: &Peers, limits: &Limits) -> Result<Vec<Row>> {
    let place = tempfile::tempdir()?;
    let expected = run(&mut peers.command(Side::Native, work, place.path()), limits.run)?;
    let mut runners = runners(work, peers, limits, &place, &expected)?;
    for _ in 0..limits.runs {
        for runner in &mut runners {
            runner.step(work, peers, limits, &expected)?;
        }
    }
    Ok(runners.into_iter().map(|runner| runner.row(work)).collect())
}

/// All sides, warmed up: one run each that counts for nothing but a cold side's first.
fn runners(work: &Work, peers: &Peers, limits: &Limits, place: &TempDir, expected: &Ran) -> Result<Vec<Runner>> {
    let mut runners = Vec::new();
    for side in [Side::Native, Side::Dlopen, Side::Lljit] {
        runners.push(Runner::new(side, place.path()));
    }
    for keeper in [Keeper::Larder, Keeper::LliMcjit, Keeper::LliOrc] {
        if limits.quick && keeper != Keeper::Larder && work.name.ends_with("0000") {
            continue;
        }
        let directory = place.path().join(format!("{keeper:?}"));
        std::fs::create_dir_all(&directory)?;
        let mut cold = Runner::new(Side::Keeping(keeper, Temperature::Cold), &directory);
        let mut warm = Runner::new(Side::Keeping(keeper, Temperature::Warm), &directory);
        cold.run_in(&directory, work, peers, limits, expected)?;
        warm.failure.clone_from(&cold.failure);
        runners.extend([cold, warm]);
    }
    Ok(runners)
}

impl Runner {
    fn new(side: Side, directory: &Path) -> Runner {
        Runner { side, directory: directory.to_owned(), times_ms: Vec::new(), spent: Duration::ZERO, failure: None }
    }

    /// One run, if the side still has time.
    fn step(&mut self, work: &Work, peers: &Peers, limits: &Limits, expected: &Ran) -> Result<()> {
        let has_enough = !self.times_ms.is_empty() && self.spent >= limits.share;
        if self.failure.is_some() || has_enough {
            return Ok(());
        }
        if matches!(self.side, Side::Keeping(_, Temperature::Cold)) {
            let fresh = tempfile::tempdir()?;
            return self.run_in(fresh.path(), work, peers, limits, expected);
        }
        let directory = self.directory.clone();
        self.run_in(&directory, work, peers, limits, expected)
    }

    fn run_in(&mut self, directory: &Path, work: &Work, peers: &Peers, limits: &Limits, expected: &Ran) -> Result<()> {
        let ran = run(&mut peers.command(self.side, work, directory), limits.run)?;
        self.spent += ran.time;
        self.times_ms.push(ran.time.as_secs_f64() * 1e3);
        self.failure = ran.differs_from(expected);
        Ok(())
    }

    fn row(self, work: &Work) -> Row {
        let numbers = if self.failure.is_some() { None } else { Numbers::of(self.times_ms) };
        let side = self.side.name().to_owned();
        Row { measure: Measure::Start, work: work.name.clone(), side, numbers, note: self.failure.unwrap_or_default() }
    }
}
