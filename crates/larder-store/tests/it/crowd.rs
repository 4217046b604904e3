//! Several processes want one key: one compiles, the others wait, and a dead one is replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_store::{Attempt, Store};

use super::scene::*;

const CROWD: usize = 8;
const LEN: usize = 300_000;

/// Adds one byte to a file, atomically, and so counts.
fn count(path: &Path) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(b".").unwrap();
}

fn counted(path: &Path) -> usize {
    fs::metadata(path).map_or(0, |found| found.len() as usize)
}

/// In the child: misses, takes the lease, looks up again, "compiles" if it must. The compiler waits until all have missed.
pub(crate) fn member(dir: &Path) {
    let store = open(&dir.join("store"));
    assert!(store.lookup(&key(1)).unwrap().is_none());
    count(&dir.join("missed"));
    let lease = lease(&store, &key(1));
    let entry = match lease.lookup().unwrap() {
        Some(entry) => entry,
        None => {
            count(&dir.join("compiled"));
            while counted(&dir.join("missed")) < CROWD {
                std::thread::yield_now();
            }
            lease.publish(&[&content(1, LEN)]).unwrap()
        }
    };
    assert!(entry.is_verified());
    assert_eq!(bytes_of(&entry), content(1, LEN));
}

#[test]
fn eight_processes_that_miss_at_once_compile_once() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..CROWD).map(|_| child("member", dir.path(), 0).spawn().unwrap()).collect();
    for member in children {
        let output = member.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(counted(&dir.path().join("missed")), CROWD);
    assert_eq!(counted(&dir.path().join("compiled")), 1);
    assert_nothing_stale(&dir.path().join("store"), "after the crowd");
}

/// The parent reads this line among those of the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\nsaid {line}").unwrap();
    out.flush().unwrap();
}

fn hear(child: &mut Child) -> String {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut said = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("said ").map(str::to_owned));
    said.next().expect("the child says something before it ends")
}

/// In the child: takes the lease and keeps it until it is killed.
pub(crate) fn holder(dir: &Path) {
    let store = open(dir);
    let _lease = lease(&store, &key(1));
    say("leased");
    // Ends when the parent does, should it fail.
    let _ = std::io::stdin().read(&mut [0]);
}

/// In the child: finds the lease busy, says who has it, and waits.
pub(crate) fn waiter(dir: &Path) {
    let store = open(dir);
    match store.try_lease(&key(1)).unwrap() {
        Attempt::Busy { holder } => say(&format!("busy {}", holder.unwrap())),
        Attempt::Taken(_) => panic!("the holder has it"),
    }
    let lease = lease(&store, &key(1));
    assert!(lease.lookup().unwrap().is_none());
    lease.publish(&[b"code"]).unwrap();
}

#[test]
fn when_the_holder_dies_a_waiter_takes_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = child("holder", dir.path(), 0).spawn().unwrap();
    assert_eq!(hear(&mut first), "leased");
    let mut second = child("waiter", dir.path(), 0).spawn().unwrap();
    assert_eq!(hear(&mut second), format!("busy {}", first.id()));
    first.kill().unwrap();
    first.wait().unwrap();
    let output = second.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bytes_of(&open(dir.path()).lookup(&key(1)).unwrap().unwrap()), b"code");
    assert_nothing_stale(dir.path(), "after the takeover");
}

#[test]
fn a_wait_can_be_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let held = lease(&store, &key(1));
    let mut asked_count = 0;
    let given_up = store.lease_while(&key(1), |waiting| {
        assert_eq!(waiting.holder, Some(std::process::id()));
        asked_count += 1;
        asked_count < 3
    });
    assert!(given_up.unwrap().is_none());
    assert_eq!(asked_count, 3);
    let mut held = Some(held);
    let taken = store.lease_while(&key(1), |_| held.take().is_some());
    assert!(taken.unwrap().is_some(), "the lease is taken once it is free");
    assert!(store.lease_while(&key(2), |_| false).unwrap().is_some(), "a free lease needs no wait");
}

/// Threads that publish, look up, remove and collect as fast as they can: each hit is whole.
#[test]
fn a_hit_is_whole_whatever_others_do() {
    let dir = tempfile::tempdir().unwrap();
    let hit_count = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (dir, hit_count) = (dir.path(), &hit_count);
            scope.spawn(move || churn(&open(dir), thread, hit_count));
        }
    });
    assert!(hit_count.into_inner() > 0);
    open(dir.path()).gc(u64::MAX).unwrap();
    assert_nothing_stale(dir.path(), "after the churn");
}

fn churn(store: &Store, thread: u8, hit_count: &AtomicU32) {
    for round in 0..40_u8 {
        let n = (round.wrapping_mul(7) ^ thread) % 4;
        match store.lookup(&key(n)).unwrap() {
            Some(entry) => {
                assert_eq!(bytes_of(&entry), content(n, 5000));
                hit_count.fetch_add(1, Ordering::Relaxed);
            }
            None => drop(publish(store, n, &content(n, 5000))),
        }
        match round % 8 {
            3 => drop(store.remove(&key(n)).unwrap()),
            5 => drop(store.gc(10_000).unwrap()),
            6 => drop(store.list().unwrap()),
            _ => {}
        }
    }
}

#[test]
fn the_canary_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("count");
    assert_eq!(counted(&path), 0);
    count(&path);
    count(&path);
    assert_eq!(counted(&path), 2);
    assert!(File::open(&path).is_ok());
}
