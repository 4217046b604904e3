//! `larder cache`: what is kept is listed, counted, checked, and removed when asked; who runs meanwhile isn't disturbed.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

tests![
    what_is_kept_is_listed,
    gc_keeps_what_was_used_last,
    clear_removes_everything,
    clearing_disturbs_nobody,
    an_empty_store
];

/// A store with three entries, made in this order.
fn three() -> Result<(Corner, Vec<PathBuf>, Vec<String>)> {
    let corner = Corner::new()?;
    let (mut modules, mut keys) = (Vec::new(), Vec::new());
    for code in 11..14 {
        let module = corner.write(&format!("{code}.ll"), ir::saying("x", code))?;
        let (_, report) = corner.run(&[], &module)?;
        modules.push(module);
        keys.push(report.key);
    }
    Ok((corner, modules, keys))
}

fn cache(corner: &Corner, words: &[&str]) -> Result<Ran> {
    process::run(corner.larder()?.arg("cache").args(words), b"")?.success(&words.join(" "))
}

fn what_is_kept_is_listed() -> Result<()> {
    let (corner, _, keys) = three()?;
    let list = cache(&corner, &["list"])?.out();
    ensure!(list.lines().count() == 3 && keys.iter().all(|key| list.contains(key)), "{keys:?}: {list}");
    let json: Value = serde_json::from_slice(&cache(&corner, &["list", "--json"])?.stdout)?;
    ensure!(json.as_array().is_some_and(|entries| entries.len() == 3), "{json:#}");
    let stats: Value = serde_json::from_slice(&cache(&corner, &["stats", "--json"])?.stdout)?;
    let entries = fs::read_dir(corner.store().join("v1/entries"))?.flatten();
    let len: u64 = entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum();
    ensure!(stats["entry_count"] == 3 && stats["entries_len"] == len, "{len} bytes: {stats:#}");
    ensure!(cache(&corner, &["stats"])?.out().contains("entries     3"), "stats for people");
    let verified = cache(&corner, &["verify"])?.out();
    ensure!(keys.iter().all(|key| verified.contains(&format!("{key}: good"))), "{verified}");
    Ok(())
}

/// Nothing fits into a store of 0 MiB, everything into one of many.
fn gc_keeps_what_was_used_last() -> Result<()> {
    let (corner, modules, _) = three()?;
    // The second is 2^44 MiB, whose bytes have no number.
    for size in ["100000", "17592186044416"] {
        cache(&corner, &["gc", "--size", size])?;
    }
    for module in &modules {
        corner.run(&[], module)?.1.must_hit()?;
    }
    cache(&corner, &["gc", "--size", "0"])?;
    ensure!(cache(&corner, &["list"])?.stdout.is_empty(), "something is left");
    corner.run(&[], &modules[0])?.1.must_miss()
}

fn clear_removes_everything() -> Result<()> {
    let (corner, modules, _) = three()?;
    ensure!(cache(&corner, &["clear"])?.out().contains("3 entries"), "clear doesn't count");
    let left: Vec<_> =
        corner.files()?.into_iter().filter(|path| path.starts_with(corner.store().join("v1/entries"))).collect();
    ensure!(left.is_empty(), "{left:?}");
    corner.run(&[], &modules[0])?.1.must_miss()
}

const RUNNERS: usize = 4;
const ROUNDS: usize = 12;

/// Four run programs while a fifth clears the store again and again.
fn clearing_disturbs_nobody() -> Result<()> {
    let (corner, modules, _) = three()?;
    std::thread::scope(|scope| {
        let runners: Vec<_> = (0..RUNNERS)
            .map(|runner| {
                let (corner, modules) = (&corner, &modules);
                scope.spawn(move || (0..ROUNDS).try_for_each(|round| run_one(corner, modules, runner + round)))
            })
            .collect();
        while runners.iter().any(|runner| !runner.is_finished()) {
            cache(&corner, &["clear"])?;
            cache(&corner, &["gc"])?;
        }
        runners
            .into_iter()
            .try_for_each(|runner| runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    cache(&corner, &["verify"]).context("afterwards")?;
    Ok(())
}

fn run_one(corner: &Corner, modules: &[PathBuf], turn: usize) -> Result<()> {
    let which = turn % modules.len();
    let ran = process::run(corner.larder()?.arg("run").arg(&modules[which]), b"")?;
    ensure!(ran.ending == Ending::Exit(11 + which as i32) && ran.stderr.is_empty(), "{} {}", ran.ending, ran.err());
    Ok(())
}

fn an_empty_store() -> Result<()> {
    let corner = Corner::new()?;
    for words in [&["list"][..], &["list", "--json"], &["stats"], &["gc"], &["clear"], &["verify"], &["path"]] {
        cache(&corner, words)?;
    }
    Ok(())
}
