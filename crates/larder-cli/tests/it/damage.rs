//! Bytes that aren't what they were: in an entry of the store, and in an image that the user names.
//!
//! An entry is a convenience: whatever happened to it, the program runs with the right output. An image is what the user asked for:
//! if a byte of it is wrong, it is refused. Every byte in memory is the runtime's own test; here it is every byte through
//! `larder verify`, and a sample of them through the whole command.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

tests![
    flipped_entries,
    flipped_images,
    every_flipped_byte_is_found,
    truncated_entries,
    entry_of_another_key,
    things_that_are_no_entries,
    cache_verify_finds_and_removes,
];

/// Positions of the file that are flipped by a sampling test: many in the headers, where a byte has most meaning.
fn sample(len: usize) -> impl Iterator<Item = usize> {
    let head = (0..len.min(0x600)).step_by(43);
    let rest = (0x600..len).step_by((len / 40).max(1));
    head.chain(rest)
}

/// An entry that was published and never changed, with what its program shows.
struct Kept {
    corner: Corner,
    module: PathBuf,
    entry: PathBuf,
    bytes: Vec<u8>,
}

impl Kept {
    fn new() -> Result<Self> {
        let corner = Corner::new()?;
        let module = corner.write("kept.ll", ir::saying("kept", 3))?;
        let (ran, report) = corner.run(&[], &module)?;
        report.must_miss()?;
        shows(&ran)?;
        let entry = report.image()?.to_path_buf();
        let bytes = fs::read(&entry)?;
        Ok(Self { corner, module, entry, bytes })
    }

    /// Puts `bytes` in the entry's place, as a disk or another program would.
    fn replace(&self, bytes: &[u8]) -> Result<()> {
        fs::set_permissions(&self.entry, Permissions::from_mode(0o600))?;
        fs::write(&self.entry, bytes)?;
        Ok(fs::set_permissions(&self.entry, Permissions::from_mode(0o400))?)
    }

    /// Runs the program: it must be compiled again, for a reason of that name, and be a hit after that.
    fn recovers(&self, reason: &str) -> Result<()> {
        let (ran, report) = self.corner.run(&["--explain"], &self.module)?;
        shows(&ran)?;
        report.must_miss()?;
        ensure!(report.reason == reason, "expected {reason}: {}", report.text);
        ensure!(ran.err().contains(reason), "--explain doesn't name {reason}: {}", ran.err());
        let (ran, report) = self.corner.run(&[], &self.module)?;
        shows(&ran)?;
        report.must_hit()?;
        ensure!(fs::read(&self.entry)? == self.bytes, "the new entry has other bytes");
        Ok(())
    }
}

fn shows(ran: &Ran) -> Result<()> {
    ensure!(ran.ending == Ending::Exit(3) && ran.out() == "kept\n", "{}: {}{}", ran.ending, ran.out(), ran.err());
    Ok(())
}

fn flipped_entries() -> Result<()> {
    let kept = Kept::new()?;
    for position in sample(kept.bytes.len()) {
        let mut bytes = kept.bytes.clone();
        bytes[position] ^= 1 << (position % 8);
        kept.replace(&bytes)?;
        let (ran, report) = kept.corner.run(&[], &kept.module)?;
        shows(&ran).with_context(|| format!("byte {position} flipped"))?;
        report.must_miss().with_context(|| format!("byte {position} flipped"))?;
        ensure!(fs::read(&kept.entry)? == kept.bytes, "byte {position}: the new entry has other bytes");
    }
    Ok(())
}

fn flipped_images() -> Result<()> {
    let corner = Corner::new()?;
    let image = build(&corner)?;
    let bytes = fs::read(&image)?;
    for position in sample(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&image, &flipped)?;
        let ran = process::run(corner.larder()?.arg("run").arg(&image), b"")?;
        refused(&ran).with_context(|| format!("byte {position} flipped"))?;
    }
    Ok(())
}

fn refused(ran: &Ran) -> Result<()> {
    ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{}: {}{}", ran.ending, ran.out(), ran.err());
    ensure!(ran.err().starts_with("larder: "), "doesn't begin with larder: {}", ran.err());
    Ok(())
}

fn build(corner: &Corner) -> Result<PathBuf> {
    let module = corner.write("small.ll", ir::saying("kept", 3))?;
    let image = corner.work().join("small.image");
    process::run(corner.larder()?.args(["build", "--no-source"]).arg(&module).arg("-o").arg(&image), b"")?
        .success("larder build")?;
    Ok(image)
}

/// Copies that `larder verify` is given at a time.
const BATCH: usize = 512;

fn every_flipped_byte_is_found() -> Result<()> {
    let corner = Corner::new()?;
    let image = build(&corner)?;
    process::run(corner.larder()?.arg("verify").arg(&image), b"")?.success("larder verify")?;
    let bytes = fs::read(&image)?;
    let positions: Vec<usize> = (0..bytes.len()).collect();
    for batch in positions.chunks(BATCH) {
        let files = flipped_copies(&corner, &bytes, batch)?;
        let ran = process::run(corner.larder()?.arg("verify").args(&files), b"")?;
        ensure!(ran.ending == Ending::Exit(125) || ran.ending == Ending::Exit(1), "{}: {}", ran.ending, ran.err());
        let said = ran.out() + &ran.err();
        for file in &files {
            let lines = said.lines().filter(|line| line.contains(file.as_str()));
            let good = lines.clone().any(|line| line.ends_with(": good"));
            ensure!(lines.count() > 0 && !good, "{file}: not found to be bad:\n{said}");
        }
    }
    Ok(())
}

/// Writes a copy for each position; the names say which.
fn flipped_copies(corner: &Corner, bytes: &[u8], positions: &[usize]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for (place, position) in positions.iter().enumerate() {
        let mut flipped = bytes.to_vec();
        flipped[*position] ^= 1 << (position % 8);
        // The same few files each time: what counts is their number, not that they are new.
        let name = format!("flipped-{place:03}.image");
        corner.write(&name, flipped)?;
        files.push(name);
    }
    Ok(files)
}

fn truncated_entries() -> Result<()> {
    let kept = Kept::new()?;
    let len = kept.bytes.len();
    for shorter in [0, 1, 4, 63, 64, 0x200, 0x201, 0x400, 0x1000, len / 2, len - 1] {
        kept.replace(&kept.bytes[..shorter])?;
        kept.recovers("damaged").with_context(|| format!("{shorter} bytes of {len}"))?;
    }
    kept.replace(&[kept.bytes.as_slice(), b"\0"].concat())?;
    kept.recovers("damaged").context("a byte more")?;
    kept.replace(b"#!/bin/sh\necho gotcha\n")?;
    kept.recovers("damaged").context("a script")
}

fn entry_of_another_key() -> Result<()> {
    let kept = Kept::new()?;
    let other = kept.corner.write("other.ll", ir::saying("other", 4))?;
    let (_, report) = kept.corner.run(&[], &other)?;
    kept.replace(&fs::read(report.image()?)?)?;
    kept.recovers("other-key")
}

/// A folder, a dangling link, a link to a whole image: nothing there is followed or run.
fn things_that_are_no_entries() -> Result<()> {
    let kept = Kept::new()?;
    let elsewhere = kept.corner.write("elsewhere", ir::saying("gotcha", 9))?;
    type Put = fn(&Path, &Path) -> std::io::Result<()>;
    let puts: [(&str, Put); 3] = [
        ("a folder", |place, _| fs::create_dir(place)),
        ("a link to nothing", |place, _| std::os::unix::fs::symlink("/nonexistent", place)),
        ("a link to a file", |place, elsewhere| std::os::unix::fs::symlink(elsewhere, place)),
    ];
    for (what, put) in puts {
        fs::remove_file(&kept.entry)?;
        put(&kept.entry, &elsewhere)?;
        let (ran, report) = kept.corner.run(&[], &kept.module).context(what)?;
        shows(&ran).context(what)?;
        report.must_miss().context(what)?;
        let _ = fs::remove_dir(&kept.entry);
        let _ = fs::remove_file(&kept.entry);
        shows(&kept.corner.run(&[], &kept.module)?.0)?;
    }
    Ok(())
}

fn cache_verify_finds_and_removes() -> Result<()> {
    let kept = Kept::new()?;
    let verify = |options: &[&str]| process::run(kept.corner.larder()?.args(["cache", "verify"]).args(options), b"");
    verify(&[])?.success("verify of a whole store")?;
    let mut bytes = kept.bytes.clone();
    bytes[0x1000] ^= 1;
    kept.replace(&bytes)?;
    let ran = verify(&[])?;
    ensure!(ran.ending != Ending::Exit(0), "a bad entry passed: {}{}", ran.out(), ran.err());
    let name = kept.entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ensure!((ran.out() + &ran.err()).contains(&name), "doesn't name the entry: {}{}", ran.out(), ran.err());
    verify(&["--remove"])?;
    ensure!(!kept.entry.exists(), "the bad entry is still there");
    verify(&[])?.success("verify after --remove")?;
    Ok(())
}
