//! A few random programs, the same at every run. `cargo xtask soak` goes on from there for as long as it is let.

use crate::larder::Corner;
use crate::suite::{Skip, trial};
use crate::tools;
use anyhow::{Context, Result, ensure};
use larder_programs::{Checker, Outcome, Size, Tools};
use libtest_mimic::Trial;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Numbers of programs that are worth their time: none is passed over, and together they take about half a minute on two cores.
const SEEDS: [u64; 12] = [2, 7, 8, 12, 13, 14, 15, 16, 17, 18, 21, 22];

/// The tests: `random::number`, and `random::canary`.
pub(crate) fn trials() -> Vec<Trial> {
    let canary = trial("random::canary", a_wrong_checksum_is_found);
    std::iter::once(canary).chain(agreements()).collect()
}

fn agreements() -> impl Iterator<Item = Trial> {
    SEEDS.iter().map(|&seed| trial(format!("random::{seed}"), move || agrees(seed)))
}

/// A command that changes one letter of what the program prints.
fn a_wrong_checksum_is_found() -> Result<()> {
    let corner = Corner::new()?;
    let script = format!("#!/bin/sh\n{} \"$@\" | sed s/checksum/checksun/\n", tools::larder().display());
    let liar = corner.write("liar", script)?;
    fs::set_permissions(&liar, Permissions::from_mode(0o755))?;
    let checker = Checker { tools: Tools::find()?, larder: liar, worker: tools::worker()? };
    let outcome = checker.check(SEEDS[0], Size::Small, &corner.work());
    let said = outcome.as_ref().map_or_else(ToString::to_string, |outcome| format!("{outcome:?}"));
    ensure!(said.starts_with("larder run -O"), "a wrong checksum went unseen: {said}");
    Ok(())
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
