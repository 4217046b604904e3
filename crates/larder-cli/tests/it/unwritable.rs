//! Stores that can't be used: each costs a warning, not the run; and those that must not be trusted.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::{Skip, tests};
use anyhow::{Context, Result, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

tests![no_place, read_only, full, full_but_for_the_name, writable_by_others, of_another_user, entry_writable_by_others];

/// Runs a program with its store at `dir`: it must do its work, and `larder` must warn of the store.
fn runs_with_warning(corner: &Corner, dir: &Path) -> Result<Ran> {
    let module = corner.write("p.ll", ir::saying("done", 5))?;
    let mut command = corner.larder_run()?;
    let (ran, report) = corner.reported(command.env("LARDER_DIR", dir).arg(&module), b"")?;
    ensure!(ran.ending == Ending::Exit(5) && ran.out() == "done\n", "{}: {}{}", ran.ending, ran.out(), ran.err());
    report.must_miss()?;
    ensure!(ran.err().starts_with("larder: warning: "), "no warning: {:?}", ran.err());
    ensure!(ran.err().lines().count() == 1, "more than a line: {}", ran.err());
    Ok(ran)
}

/// Places where nobody can make a directory, not even root.
fn no_place() -> Result<()> {
    let corner = Corner::new()?;
    for dir in ["/dev/null/store", "/proc/larder-store", "/sys/larder-store"] {
        let ran = runs_with_warning(&corner, Path::new(dir)).context(dir)?;
        ensure!(ran.err().contains(dir), "{dir} isn't named: {}", ran.err());
    }
    Ok(())
}

/// A mounted file system, unmounted when dropped.
struct Mounted {
    at: PathBuf,
}

impl Mounted {
    fn tmpfs(corner: &Corner, options: &str) -> Result<Self> {
        let at = corner.work().join("mounted");
        fs::create_dir_all(&at)?;
        let ran = process::run(corner.command("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at), b"")?;
        if ran.ending != Ending::Exit(0) {
            return Err(Skip(format!("can't mount a tmpfs here: {}", ran.err().trim_end())).into());
        }
        Ok(Self { at })
    }

    fn remount(&self, corner: &Corner, options: &str) -> Result<()> {
        process::run(corner.command("mount").args(["-o", options]).arg(&self.at), b"")?.success("mount")?;
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.at).status();
    }
}

fn read_only() -> Result<()> {
    let corner = Corner::new()?;
    let mounted = Mounted::tmpfs(&corner, "size=8m,mode=0700")?;
    let store = mounted.at.join("store");
    let module = corner.write("kept.ll", ir::saying("kept", 5))?;
    let mut command = corner.larder_run()?;
    corner.reported(command.env("LARDER_DIR", &store).arg(&module), b"")?.1.must_miss()?;
    mounted.remount(&corner, "remount,ro")?;
    runs_with_warning(&corner, &store)?;
    // What is kept there is used all the same, and there is nothing to warn of.
    let mut command = corner.larder_run()?;
    let (ran, report) = corner.reported(command.env("LARDER_DIR", &store).arg(&module), b"")?;
    report.must_hit()?;
    ensure!(ran.ending == Ending::Exit(5) && ran.stderr.is_empty(), "{} {}", ran.ending, ran.err());
    Ok(())
}

fn full() -> Result<()> {
    let corner = Corner::new()?;
    let mounted = Mounted::tmpfs(&corner, "size=4k,mode=0700")?;
    runs_with_warning(&corner, &mounted.at.join("store"))?;
    nothing_half(&mounted.at.join("store"))
}

/// There is room for the store's directories and a part of the entry.
fn full_but_for_the_name() -> Result<()> {
    let corner = Corner::new()?;
    let mounted = Mounted::tmpfs(&corner, "size=12k,mode=0700")?;
    runs_with_warning(&corner, &mounted.at.join("store"))?;
    nothing_half(&mounted.at.join("store"))
}

fn nothing_half(store: &Path) -> Result<()> {
    for folder in ["v1/entries", "v1/temp"] {
        let Ok(mut entries) = fs::read_dir(store.join(folder)) else { continue };
        ensure!(entries.next().is_none(), "something is left in {folder}");
    }
    Ok(())
}

fn writable_by_others() -> Result<()> {
    let corner = Corner::new()?;
    for mode in [0o777, 0o770, 0o702, 0o1777] {
        let dir = corner.work().join(format!("store-{mode:o}"));
        fs::create_dir(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(mode))?;
        let ran = runs_with_warning(&corner, &dir).with_context(|| format!("mode {mode:o}"))?;
        ensure!(ran.err().contains(&format!("{mode:o}")), "the mode isn't named: {}", ran.err());
        ensure!(fs::read_dir(&dir)?.next().is_none(), "mode {mode:o}: it was used");
    }
    Ok(())
}

fn of_another_user() -> Result<()> {
    let corner = Corner::new()?;
    let dir = corner.work().join("store");
    fs::create_dir(&dir)?;
    fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
    chown(&dir, Some(12345), None).map_err(|error| Skip(format!("can't give a directory away: {error}")))?;
    let ran = runs_with_warning(&corner, &dir)?;
    ensure!(ran.err().contains("12345"), "the owner isn't named: {}", ran.err());
    Ok(())
}

/// An entry that others may have written isn't run.
fn entry_writable_by_others() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("done", 5))?;
    let (_, report) = corner.run(&[], &module)?;
    fs::set_permissions(report.image()?, Permissions::from_mode(0o666))?;
    let (ran, report) = corner.run(&[], &module)?;
    ensure!(ran.ending == Ending::Exit(5), "{} {}", ran.ending, ran.err());
    report.must_miss()
}
