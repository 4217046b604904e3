//! `larder cache`: a look into the store.

use crate::args::{CacheArgs, CacheCommand, StoreArgs};
use crate::entry::{self, Kind};
use anyhow::{Context, anyhow};
use larder::store::{Outcome, Store};
use serde::Serialize;
use std::ffi::c_int;
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// Does what was asked of the store.
pub(crate) fn cache(args: &StoreArgs, cache: &CacheArgs, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let larder = args.open(None, None)?;
    let store = larder.store().map_err(|why| anyhow!("{why}"))?;
    match &cache.command {
        CacheCommand::List { json } => list(store, *json, out),
        CacheCommand::Stats { json } => stats(store, *json, out),
        CacheCommand::Gc { size } => gc(store, *size, out),
        CacheCommand::Clear => clear(store, out),
        CacheCommand::Verify { remove } => verify_entries(store, *remove, out),
        CacheCommand::Path => {
            writeln!(out, "{}", store.dir().display())?;
            Ok(0)
        }
    }
}

#[derive(Serialize)]
struct Entry {
    key: String,
    kind: Kind,
    len: u64,
    used_at: u64,
    is_verified: bool,
}

fn list(store: &Store, json: bool, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let entries: Vec<_> = store
        .list()?
        .into_iter()
        .map(|entry| Entry {
            key: entry.key.to_string(),
            kind: Kind::of(store, &entry.key),
            len: entry.len,
            used_at: seconds(entry.used_at),
            is_verified: entry.is_verified,
        })
        .collect();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
        return Ok(0);
    }
    let now = seconds(SystemTime::now());
    for entry in &entries {
        let (kind, age) = (entry.kind, age(now.saturating_sub(entry.used_at)));
        writeln!(out, "{}  {kind:<7}  {:>10}  used {age} ago", entry.key, size(entry.len))?;
    }
    Ok(0)
}

#[derive(Serialize)]
struct StoreStats {
    dir: String,
    entry_count: u64,
    image_count: usize,
    objects_count: usize,
    entries_len: u64,
    verified_count: u64,
    size_max: Option<u64>,
    input_count: u64,
    note_count: u64,
}

fn stats(store: &Store, json: bool, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let stats = store.stats()?;
    let kinds: Vec<_> = store.list()?.iter().map(|entry| Kind::of(store, &entry.key)).collect();
    let count = |wanted| kinds.iter().filter(|&&kind| kind == wanted).count();
    let stats = StoreStats {
        dir: stats.dir.display().to_string(),
        entry_count: stats.entry_count,
        image_count: count(Kind::Image),
        objects_count: count(Kind::Objects),
        entries_len: stats.entries_len,
        verified_count: stats.verified_count,
        size_max: stats.size_max,
        input_count: stats.input_count,
        note_count: stats.note_count,
    };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&stats)?)?;
        return Ok(0);
    }
    writeln!(out, "directory   {}", stats.dir)?;
    writeln!(out, "entries     {} ({} verified)", stats.entry_count, stats.verified_count)?;
    writeln!(out, "images      {}", stats.image_count)?;
    writeln!(out, "objects     of {} modules", stats.objects_count)?;
    writeln!(out, "size        {}", size(stats.entries_len))?;
    writeln!(out, "limit       {}", stats.size_max.map_or_else(|| "none".to_owned(), size))?;
    writeln!(out, "inputs      {} whose digest is remembered", stats.input_count)?;
    Ok(0)
}

fn gc(store: &Store, mib: Option<u64>, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let limit = mib.map(|mib| mib.saturating_mul(1 << 20)).or(store.stats()?.size_max).unwrap_or(u64::MAX);
    let collected = store.gc(limit)?;
    writeln!(out, "removed {} entries ({})", collected.evicted_count, size(collected.evicted_len))?;
    writeln!(out, "kept    {} entries ({})", collected.kept_count, size(collected.kept_len))?;
    Ok(0)
}

fn clear(store: &Store, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let cleared = store.clear()?;
    writeln!(out, "removed {} entries ({})", cleared.entry_count, size(cleared.entries_len))?;
    Ok(0)
}

fn verify_entries(store: &Store, remove: bool, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let verified = store.verify(remove, |entry| -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        entry.file().read_to_end(&mut bytes)?;
        entry::check(&bytes, entry.key()).context("bad entry")
    })?;
    let mut code = 0;
    for entry in verified {
        match entry.outcome {
            Outcome::Good => writeln!(out, "{}: good", entry.key)?,
            other => {
                code = 1;
                writeln!(out, "{}: {}", entry.key, bad(&other))?;
            }
        }
    }
    Ok(code)
}

fn bad(outcome: &Outcome<anyhow::Error>) -> String {
    match outcome {
        Outcome::Bad { reason, is_removed } => {
            let removed = if *is_removed { " (removed)" } else { "" };
            format!("{reason:#}{removed}")
        }
        Outcome::Unopened(error) => error.to_string(),
        Outcome::Good => "good".to_owned(),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A length as people read it.
pub(crate) fn size(len: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = len as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{len} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
