//! Which entries go when the store is full.

use std::time::{Duration, UNIX_EPOCH};

use larder_store::{Key, Op, Store, StoreError, StoreOptions};

use super::scene::*;

const LEN: usize = 1000;

fn kept(store: &Store) -> Vec<Key> {
    store.list().unwrap().into_iter().map(|entry| entry.key).collect()
}

#[test]
fn the_least_recently_used_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let seam = Script::clock(HOUR_MS);
    let store = open_behind(dir.path(), &seam);
    for n in 1..=10 {
        seam.set_clock(u64::from(n) * HOUR_MS);
        publish(&store, n, &content(n, LEN));
    }
    seam.set_clock(20 * HOUR_MS);
    store.lookup(&key(1)).unwrap().unwrap();
    assert_eq!(store.gc(10_000).unwrap().evicted_count, 0, "at the limit nothing goes");
    let collected = store.gc(9_000).unwrap();
    assert_eq!(
        (collected.evicted_count, collected.evicted_len, collected.kept_count, collected.kept_len),
        (2, 2000, 8, 8000)
    );
    assert_eq!(kept(&store), [1, 4, 5, 6, 7, 8, 9, 10].map(key), "down to nine tenths");
    assert_eq!(store.list().unwrap()[0].used_at, UNIX_EPOCH + Duration::from_millis(20 * HOUR_MS));
}

#[test]
fn a_use_is_noted_once_in_ten_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let seam = Script::clock(HOUR_MS);
    let store = open_behind(dir.path(), &seam);
    publish(&store, 1, b"code");
    let minute_ms = HOUR_MS / 60;
    // (minutes since the publish, whether the lookup writes)
    for (minutes, writes) in [(0, false), (9, false), (10, true), (11, false), (19, false), (20, true), (0, true)] {
        seam.set_clock(HOUR_MS + minutes * minute_ms);
        seam.take_log();
        assert!(store.lookup(&key(1)).unwrap().unwrap().is_verified());
        let expected: &[Op] = if writes {
            &[Op::Open, Op::Stat, Op::ReadLink, Op::Symlink, Op::Rename]
        } else {
            &[Op::Open, Op::Stat, Op::ReadLink]
        };
        assert_eq!(seam.take_log(), expected, "after {minutes} minutes");
    }
}

#[test]
fn looking_at_the_store_is_no_use() {
    let dir = tempfile::tempdir().unwrap();
    let seam = Script::clock(HOUR_MS);
    let store = open_behind(dir.path(), &seam);
    publish(&store, 1, b"code");
    seam.set_clock(9 * HOUR_MS);
    store.stats().unwrap();
    store.verify(false, |_| Ok::<(), ()>(())).unwrap().for_each(drop);
    assert_eq!(store.list().unwrap()[0].used_at, UNIX_EPOCH + Duration::from_millis(HOUR_MS));
}

#[test]
fn what_is_leased_is_never_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=3 {
        publish(&store, n, &content(n, LEN));
    }
    let held = lease(&store, &key(2));
    let collected = store.gc(0).unwrap();
    assert_eq!((collected.evicted_count, collected.kept_count), (2, 1));
    assert_eq!(kept(&store), [key(2)]);
    drop(held);
    assert_eq!(store.gc(0).unwrap().evicted_count, 1);
}

#[test]
fn a_publish_keeps_the_store_within_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let seam = Script::clock(HOUR_MS);
    let options = StoreOptions::new(dir.path()).size_max(Some(5 * LEN as u64)).seam(seam.clone());
    let store = Store::open(options).unwrap();
    for n in 1..=20 {
        seam.set_clock(u64::from(n) * HOUR_MS);
        seam.take_log();
        publish(&store, n, &content(n, LEN));
        let listed = seam.take_log().contains(&Op::List);
        assert!(store.stats().unwrap().entries_len <= 5 * LEN as u64, "after publish {n}");
        assert!(kept(&store).contains(&key(n)), "what was just published stays");
        assert!(!(3..=5).contains(&n) || !listed, "publish {n} is under the limit and lists nothing");
    }
}

#[test]
fn an_entry_larger_than_the_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(dir.path()).size_max(Some(100))).unwrap();
    publish(&store, 1, &content(1, 100));
    let refused = lease(&store, &key(2)).publish(&[&content(2, 60), &content(2, 41)]);
    assert!(matches!(refused, Err(StoreError::TooLarge { len_max: 100 })), "{refused:?}");
    assert_eq!(kept(&store), [key(1)]);
    assert_nothing_stale(dir.path(), "after the refusal");
}

#[test]
fn clear_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=3 {
        publish(&store, n, &content(n, LEN));
    }
    store.note("n", "v").unwrap();
    let cleared = store.clear().unwrap();
    assert_eq!((cleared.entry_count, cleared.entries_len), (3, 3000));
    for inner in ["entries", "receipts", "inputs", "notes", "locks", "temp"] {
        assert_eq!(names(dir.path(), inner), [""; 0], "{inner}");
    }
    assert!(publish(&store, 1, b"code").is_verified(), "a cleared store works");
}

#[test]
fn a_store_that_was_emptied_behind_a_process_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, 1, b"code");
    std::fs::remove_dir_all(dir.path().join("v1")).unwrap();
    assert!(store.lookup(&key(1)).unwrap().is_none());
    assert_eq!(store.list().unwrap(), []);
    assert!(publish(&store, 1, b"code").is_verified());
}

#[test]
fn a_tally_that_lost_additions_is_put_right_after_256_publishes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(dir.path()).size_max(Some(2 * LEN as u64))).unwrap();
    for n in 1..=2 {
        publish(&store, n, &content(n, LEN));
    }
    std::fs::write(dir.path().join("v1/tally"), format!("{:016x} {:016x}\n", 0, 256)).unwrap();
    publish(&store, 3, &content(3, LEN));
    assert!(store.stats().unwrap().entries_len <= 2 * LEN as u64);
}

#[test]
fn a_receipt_without_an_entry_goes_with_the_next_gc() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entry = publish(&store, 1, b"code");
    publish(&store, 2, b"code");
    std::fs::remove_file(entry.path()).unwrap();
    assert_eq!(store.gc(u64::MAX).unwrap().swept_count, 1);
    assert_nothing_stale(dir.path(), "after the gc");
    assert!(store.lookup(&key(2)).unwrap().unwrap().is_verified());
}

#[test]
fn a_tally_that_makes_no_sense_costs_a_look_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(dir.path()).size_max(Some(2 * LEN as u64))).unwrap();
    for (n, nonsense) in [(1, ""), (2, "x"), (3, "ffffffffffffffff ffffffffffffffff\n"), (4, "zz")] {
        publish(&store, 9, b"makes the directory");
        std::fs::write(dir.path().join("v1/tally"), nonsense).unwrap();
        publish(&store, n, &content(n, LEN));
        assert!(store.stats().unwrap().entries_len <= 2 * LEN as u64, "{nonsense}");
    }
}
