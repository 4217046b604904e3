//! A few random programs, the same at every run. `cargo xtask soak` goes on from there for as long as it is let.

use crate::suite::{Skip, trial};
use crate::tools;
use anyhow::{Context, Result};
use larder_programs::{Checker, Outcome, Size, Tools};
use libtest_mimic::Trial;

/// Numbers of programs that are worth their time: none is passed over, and together they take about half a minute on two cores.
const SEEDS: [u64; 12] = [2, 7, 8, 12, 13, 14, 15, 16, 17, 18, 21, 22];

/// The tests: `random::number`.
pub(crate) fn trials() -> Vec<Trial> {
    SEEDS.iter().map(|&seed| trial(format!("random::{seed}"), move || agrees(seed))).collect()
}

fn agrees(seed: u64) -> Result<()> {
    let checker = Checker { tools: Tools::find()?, larder: tools::larder().to_path_buf(), worker: tools::worker()? };
    let directory = tempfile::tempdir()?;
    let outcome = checker.check(seed, Size::Small, directory.path());
    match outcome.with_context(|| {
        format!("random program {seed}, kept by: cargo xtask soak --small --seed {seed} --programs 1")
    })? {
        Outcome::Agrees => Ok(()),
        Outcome::Skipped(reason) => Err(Skip(reason).into()),
    }
}
