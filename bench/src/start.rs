//! Start to exit of the whole process, all sides in turn.
//!
//! Sides that keep something are run once beforehand to fill their directory; that run is the first of the cold sample.
//! In each round every side runs once, until it has its runs or has used up its share of time.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::Limits;
use crate::places::Places;
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
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    let expected = run(&mut peers.command(Side::Native, work, &places.directory(Side::Native)), limits.run)?;
    let mut runners = runners(work, peers, places, limits, &expected)?;
    for _ in 0..limits.runs {
        for runner in &mut runners {
            runner.step(work, peers, limits, &expected)?;
        }
    }
    Ok(runners.into_iter().map(|runner| runner.row(work)).collect())
}

/// All sides; those that keep something have filled their directories, which is a cold side's first run.
fn runners(work: &Work, peers: &Peers, places: &Places, limits: &Limits, expected: &Ran) -> Result<Vec<Runner>> {
    let new = |side| Runner::new(side, places);
    let mut runners: Vec<_> = [Side::Native, Side::Dlopen, Side::Lljit].map(new).into();
    for keeper in Keeper::ALL {
        if limits.quick && keeper != Keeper::Larder && work.is_large {
            continue;
        }
        let [mut cold, mut warm] = [Temperature::Cold, Temperature::Warm].map(|t| new(Side::Keeping(keeper, t)));
        cold.note(places.fill(keeper, work, peers, limits)?, expected);
        warm.failure.clone_from(&cold.failure);
        runners.extend([cold, warm]);
    }
    Ok(runners)
}

impl Runner {
    fn new(side: Side, places: &Places) -> Runner {
        Runner { side, directory: places.directory(side), times_ms: Vec::new(), spent: Duration::ZERO, failure: None }
    }

    /// One run, if the side still has time.
    fn step(&mut self, work: &Work, peers: &Peers, limits: &Limits, expected: &Ran) -> Result<()> {
        let has_enough = !self.times_ms.is_empty() && self.spent >= limits.share;
        if self.failure.is_some() || has_enough {
            return Ok(());
        }
        let fresh = tempfile::tempdir()?;
        let is_cold = matches!(self.side, Side::Keeping(_, Temperature::Cold));
        let directory = if is_cold { fresh.path() } else { &self.directory };
        let ran = run(&mut peers.command(self.side, work, directory), limits.run)?;
        self.note(&ran, expected);
        Ok(())
    }

    fn note(&mut self, ran: &Ran, expected: &Ran) {
        self.spent += ran.time;
        self.times_ms.push(ran.time.as_secs_f64() * 1e3);
        self.failure = ran.differs_from(expected);
    }

    fn row(self, work: &Work) -> Row {
        let numbers = if self.failure.is_some() { None } else { Numbers::of(self.times_ms) };
        let side = self.side.name().to_owned();
        Row { measure: Measure::Start, work: work.name.clone(), side, numbers, note: self.failure.unwrap_or_default() }
    }
}
