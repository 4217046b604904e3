//! Every operation of a scenario fails in turn; afterwards the store is consistent and works.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use larder_store::{Observed, Op, Seam, Store, StoreError, StoreOptions};
use rustix::io::Errno;

use super::scene::*;

/// More than two writes long, so that there are torn files to be found.
pub(crate) const LEN: usize = 600_000;

/// A miss, a publish, a hit and everything that is remembered.
pub(crate) fn scenario(dir: &Path, seam: &Arc<Script>) -> Result<(), StoreError> {
    let store = Store::open(StoreOptions::new(dir).seam(seam.clone()).size_max(Some(10 * LEN as u64)))?;
    store.lookup(&key(2))?;
    store.lease(&key(2))?.publish(&[&content(2, LEN)])?;
    if let Some(entry) = store.lookup(&key(2))? {
        store.record_verified(&entry)?;
    }
    store.note("toolchain", "llvm 22")?;
    let input = File::open(dir.join("input")).unwrap();
    store.remember(&input, &Observed::settle(&input).unwrap(), &[7; 32])?;
    store.gc(5 * LEN as u64)?;
    Ok(())
}

/// A store with one entry, and an input beside it.
pub(crate) fn stage(dir: &Path) {
    std::fs::write(dir.join("input"), "bytes").unwrap();
    publish(&open(dir), 1, &content(1, 1000));
}

pub(crate) fn assert_consistent(dir: &Path, when: &str) {
    let store = open(dir);
    let old = store.lookup(&key(1)).unwrap().unwrap();
    assert!(old.is_verified() && bytes_of(&old) == content(1, 1000), "{when}");
    if let Some(new) = store.lookup(&key(2)).unwrap() {
        assert!(bytes_of(&new) == content(2, LEN), "{when}: a part of the entry is visible");
    }
    assert!(matches!(store.recall_note("toolchain").unwrap().as_deref(), None | Some("llvm 22")), "{when}");
    let input = larder_store::FileIdentity::at(&dir.join("input")).unwrap();
    assert!(matches!(store.recall(&input).unwrap(), None | Some([7, ..])), "{when}");
    store.gc(u64::MAX).unwrap();
    assert_nothing_stale(dir, when);
    assert!(publish(&store, 2, &content(2, LEN)).is_verified(), "{when}");
    let collected = store.gc(0).unwrap();
    assert_eq!((collected.evicted_count, collected.kept_len), (2, 0), "{when}");
    assert_nothing_stale(dir, when);
}

#[test]
fn any_operation_may_fail() {
    for then in [Then::FailOnce(Errno::IO), Then::FailOnce(Errno::NOSPC), Then::FailFromNowOn(Errno::ROFS)] {
        let fault_count = fail_each_in_turn(then);
        assert!(fault_count > 50, "{then:?}: only {fault_count} operations");
    }
}

/// Fails the first operation, then the second, until the scenario has no more; returns how many it had.
fn fail_each_in_turn(then: Then) -> u64 {
    for n in 1.. {
        let dir = tempfile::tempdir().unwrap();
        stage(dir.path());
        let seam = Script::new(n, then);
        let outcome = scenario(dir.path(), &seam);
        let log = seam.take_log();
        let when = format!("{then:?} at operation {n} ({:?}): {outcome:?}", log.get(n as usize - 1));
        if (log.len() as u64) < n {
            assert!(outcome.is_ok(), "{when}");
            return n - 1;
        }
        assert!(matches!(outcome, Ok(()) | Err(StoreError::Io { .. } | StoreError::CannotWrite { .. })), "{when}");
        assert_consistent(dir.path(), &when);
    }
    unreachable!("a scenario ends")
}

#[test]
fn a_publish_makes_durable_before_it_makes_visible() {
    let dir = tempfile::tempdir().unwrap();
    stage(dir.path());
    let seam = Script::clock(0);
    let store = open_behind(dir.path(), &seam);
    let lease = lease(&store, &key(2));
    seam.take_log();
    lease.publish(&[&content(2, LEN)]).unwrap();
    let log = seam.take_log();
    let kept: Vec<_> =
        log.into_iter().filter(|op| matches!(op, Op::Write | Op::Sync | Op::Rename | Op::Symlink)).collect();
    use Op::{Rename, Symlink, Sync, Write};
    // The entry in writes of 64 KiB, its sync, the tally, its name, the directory's sync; then the receipt.
    let expected = [vec![Write; LEN.div_ceil(64 << 10)], vec![Sync, Write, Rename, Sync, Symlink, Rename]].concat();
    assert_eq!(kept, expected);
}

#[test]
fn an_entry_whose_name_cannot_be_made_durable_is_not_published() {
    let script = |n, then| {
        let dir = tempfile::tempdir().unwrap();
        stage(dir.path());
        let seam = Script::new(n, then);
        let published = open_behind(dir.path(), &seam).lease(&key(2)).unwrap().publish(&[b"code"]).map(drop);
        (published, seam.take_log(), open(dir.path()).lookup(&key(2)).unwrap().is_some())
    };
    let (published, log, is_there) = script(u64::MAX, Then::Go);
    assert!(published.is_ok() && is_there);
    let last_sync = log.iter().rposition(|op| *op == Op::Sync).unwrap() as u64 + 1;
    let (published, _, is_there) = script(last_sync, Then::FailOnce(Errno::IO));
    assert!(matches!(published, Err(StoreError::Io { op: Op::Sync, .. })), "{published:?}");
    assert!(!is_there);
}

#[test]
fn an_input_is_durable_before_its_digest_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    stage(dir.path());
    let (seam, input) = (Script::clock(0), File::open(dir.path().join("input")).unwrap());
    let store = open_behind(dir.path(), &seam);
    seam.take_log();
    assert!(store.remember(&input, &Observed::settle(&input).unwrap(), &[1; 32]).unwrap());
    assert_eq!(seam.take_log(), [Op::StatFs, Op::Sync, Op::Symlink, Op::Rename]);
}

/// Has another process sweep the store right before each operation of a kind, a few times.
#[derive(Debug)]
struct Meddler {
    dir: PathBuf,
    before: Op,
    left: AtomicU32,
}

impl Seam for Meddler {
    fn before(&self, op: Op) -> Result<(), Errno> {
        let is_due = op == self.before && !names(&self.dir, "temp").is_empty();
        if is_due && self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            open(&self.dir).gc(u64::MAX).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_sweep_at_the_worst_moment_harms_no_publish() {
    // Between creating and locking a file, and between making and renaming a link or a file.
    for before in [Op::Lock, Op::Rename] {
        let dir = tempfile::tempdir().unwrap();
        let meddler = Arc::new(Meddler { dir: dir.path().into(), before, left: 2.into() });
        let store = Store::open(StoreOptions::new(dir.path()).seam(meddler.clone())).unwrap();
        let entry = publish(&store, 1, &content(1, LEN));
        assert!(entry.is_verified() && bytes_of(&entry) == content(1, LEN), "{before:?}");
        assert_eq!(meddler.left.load(Relaxed), 0, "{before:?}: the canary");
    }
}

#[test]
fn a_note_or_digest_that_cannot_be_written_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    stage(dir.path());
    let store = open_behind(dir.path(), &Script::new(0, Then::FailWrites(Errno::NOSPC)));
    let input = File::open(dir.path().join("input")).unwrap();
    let remembered = store.remember(&input, &Observed::settle(&input).unwrap(), &[1; 32]);
    assert!(matches!(remembered, Err(StoreError::CannotWrite { .. })), "{remembered:?}");
    let noted = store.note("a", "b");
    assert!(matches!(noted, Err(StoreError::CannotWrite { .. })), "{noted:?}");
}
