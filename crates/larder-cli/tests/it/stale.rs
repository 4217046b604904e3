//! An edited module: what runs is always what the file holds now.
//!
//! `lli`'s cache names objects by the module's path and runs the old code after an edit; a cache that trusts size and time of
//! modification is fooled by an edit that keeps both. The first test shows that the trap is real, the others that we aren't in it.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt;
use std::path::Path;

tests![
    lli_runs_the_old_code,
    edits_within_a_tick,
    edits_while_it_is_read,
    edit_with_size_and_time_restored,
    replaced_by_rename,
    touched_and_copied_are_hits,
    edit_through_another_name,
];

const ROUNDS: usize = 60;
const EDITS: usize = 300;

fn ends_with(corner: &Corner, module: &Path, code: u8) -> Result<()> {
    let (ran, report) = corner.run(&[], module)?;
    ensure!(ran.ending == Ending::Exit(code.into()), "ran stale code: {}, not {code}: {}", ran.ending, report.text);
    Ok(())
}

fn lli_runs_the_old_code() -> Result<()> {
    let corner = Corner::new()?;
    let cache = format!("--object-cache-dir={}", corner.work().join("cache").display());
    let lli = || {
        let mut command = corner.command(tools::llvm("lli")?);
        process::run(command.args(["--jit-kind=mcjit", "--enable-cache-manager", &cache, "p.bc"]), b"")
    };
    for (code, expected) in [(10, 10), (20, 10)] {
        let text = corner.write("p.ll", ir::saying("x", code))?;
        process::run(corner.command(tools::llvm("llvm-as")?).arg(text).args(["-o", "p.bc"]), b"")?
            .success("llvm-as")?;
        let ran = lli()?;
        ensure!(ran.ending == Ending::Exit(expected), "lli is better than its name: {} {}", ran.ending, ran.err());
    }
    Ok(())
}

fn edits_within_a_tick() -> Result<()> {
    let corner = Corner::new()?;
    for code in 10..40 {
        let module = corner.write("p.ll", ir::saying("x", code))?;
        ends_with(&corner, &module, code)?;
    }
    // All are known now, so that runs are fast and edits follow each other more closely than the clock ticks.
    for code in (10..40).rev() {
        let module = corner.write("p.ll", ir::saying("x", code))?;
        ends_with(&corner, &module, code)?;
    }
    Ok(())
}

/// Edits follow each other while `larder` reads: the last of them often falls into the tick in which the digest was taken, and
/// must count all the same. Each edit changes one byte by one write, so that what is read is always one of two programs.
fn edits_while_it_is_read() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 30))?;
    ends_with(&corner, &module, 30)?;
    corner.write("p.ll", ir::saying("x", 31))?;
    ends_with(&corner, &module, 31)?;
    let digit = ir::saying("x", 30).rfind("30").context("no digits")? as u64 + 1;
    for round in 0..ROUNDS {
        let file = File::options().write(true).open(&module)?;
        let mut larder = process::start(corner.larder()?.arg("run").arg(&module))?;
        // Each round's burst of edits is longer than the one before: one of them ends just after the digest was taken.
        for edit in 0..(round + 1) * EDITS {
            file.write_all_at(if edit % 2 == 0 { b"0" } else { b"1" }, digit)?;
        }
        file.write_all_at(b"1", digit)?;
        let ending = Ending::from(larder.wait()?);
        // It may find that the file is changed under its hands, but only if it had to compile.
        ensure!(matches!(ending, Ending::Exit(30 | 31 | 125)), "round {round}: {ending}");
        ends_with(&corner, &module, 31).with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

fn edit_with_size_and_time_restored() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 11))?;
    ends_with(&corner, &module, 11)?;
    ends_with(&corner, &module, 11)?;
    let before = fs::metadata(&module)?;
    for code in 12..20 {
        corner.write("p.ll", ir::saying("x", code))?;
        let times = FileTimes::new().set_modified(before.modified()?).set_accessed(before.accessed()?);
        File::options().write(true).open(&module)?.set_times(times)?;
        let after = fs::metadata(&module)?;
        ensure!(after.len() == before.len() && after.modified()? == before.modified()?, "the edit shows");
        ends_with(&corner, &module, code)?;
    }
    Ok(())
}

fn replaced_by_rename() -> Result<()> {
    let corner = Corner::new()?;
    for code in 10..20 {
        let new = corner.write("new.ll", ir::saying("x", code))?;
        let module = corner.work().join("p.ll");
        fs::rename(&new, &module)?;
        ends_with(&corner, &module, code)?;
    }
    Ok(())
}

fn touched_and_copied_are_hits() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 7))?;
    let (_, first) = corner.run(&[], &module)?;
    File::options()
        .write(true)
        .open(&module)?
        .set_times(FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH))?;
    let copy = corner.work().join("copy.ll");
    fs::copy(&module, &copy)?;
    for path in [&module, &copy] {
        let (ran, report) = corner.run(&[], path)?;
        ensure!(ran.ending == Ending::Exit(7), "{}", ran.ending);
        report.must_hit().with_context(|| path.display().to_string())?;
        ensure!(report.key == first.key, "{}: another key", path.display());
    }
    Ok(())
}

/// The digest is remembered by inode, and one inode may have two names.
fn edit_through_another_name() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 21))?;
    let link = corner.work().join("link.ll");
    fs::hard_link(&module, &link)?;
    ends_with(&corner, &module, 21)?;
    ends_with(&corner, &link, 21)?;
    fs::write(&link, ir::saying("x", 22))?;
    ends_with(&corner, &module, 22)
}
