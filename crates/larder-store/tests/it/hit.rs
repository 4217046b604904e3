//! What a hit costs and says; what a miss is; what is believed and what isn't.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use larder_store::{Entry, Op, Outcome, StoreError};

use super::scene::*;

#[test]
fn a_published_entry_is_found_whole_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("deep/er"));
    assert!(store.lookup(&key(1)).unwrap().is_none());
    for (n, len) in [(1, 0), (2, 1), (3, 700_000)] {
        let made = publish(&store, n, &content(n, len));
        let found = store.lookup(&key(n)).unwrap().unwrap();
        for entry in [made, found] {
            assert_eq!((bytes_of(&entry), entry.len(), entry.key()), (content(n, len), len as u64, &key(n)));
            assert!(entry.is_verified());
            assert_eq!(fs::read(entry.path()).unwrap(), content(n, len));
            assert_eq!(entry.file().metadata().unwrap().permissions().mode() & 0o7777, 0o400);
        }
    }
    let others = open(store.dir());
    let listed = others.list().unwrap();
    assert_eq!(
        listed.iter().map(|entry| (entry.key, entry.len, entry.is_verified)).collect::<Vec<_>>(),
        [(key(1), 0, true), (key(2), 1, true), (key(3), 700_000, true)]
    );
    let stats = others.stats().unwrap();
    assert_eq!((stats.entry_count, stats.entries_len, stats.verified_count), (3, 700_001, 3));
    assert_nothing_stale(store.dir(), "after three publishes");
}

#[test]
fn a_hit_is_five_operations_and_a_miss_three() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    publish(&open(&place), 1, b"code");
    let seam = Script::clock(0);
    assert!(open_behind(&place, &seam).lookup(&key(1)).unwrap().unwrap().is_verified());
    assert_eq!(seam.take_log(), [Op::Open, Op::Stat, Op::Open, Op::Stat, Op::ReadLink]);
    assert!(open_behind(&place, &seam).lookup(&key(2)).unwrap().is_none());
    assert_eq!(seam.take_log(), [Op::Open, Op::Stat, Op::Open]);
}

#[test]
fn parts_and_writers_make_the_same_entry() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bytes = content(1, 200_000);
    let (head, tail) = bytes.split_at(70_001);
    let from_parts = lease(&store, &key(1)).publish(&[head, b"", tail]).unwrap();
    let by_bytes =
        lease(&store, &key(2)).publish_with(|to| bytes.chunks(7).try_for_each(|few| to.write_all(few))).unwrap();
    assert_eq!(bytes_of(&from_parts), bytes);
    assert_eq!(bytes_of(&by_bytes), bytes);
}

#[test]
fn a_writer_that_gives_up_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let given_up = lease(&store, &key(1)).publish_with(|to| {
        to.write_all(b"half")?;
        Err(std::io::Error::other("no more"))
    });
    assert!(matches!(given_up, Err(StoreError::Content(_))), "{given_up:?}");
    assert!(store.lookup(&key(1)).unwrap().is_none());
    assert_nothing_stale(dir.path(), "after giving up");
}

/// Writes one byte of a published entry, as the owner could.
fn flip(path: &Path, at: u64) {
    let writable = OpenOptions::new().write(true).open(path).or_else(|_| {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        OpenOptions::new().write(true).open(path)
    });
    writable.unwrap().write_at(b"!", at).unwrap();
}

#[test]
fn a_byte_flipped_right_after_publish_makes_the_entry_unverified() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Often, because what is hunted here is two changes within one tick of the clock.
    for n in 0..20 {
        let entry = publish(&store, n, b"code");
        flip(&entry.path(), 2);
        assert!(!store.lookup(&key(n)).unwrap().unwrap().is_verified(), "round {n}");
    }
}

/// Looks up until the file is old enough for its verification to be recorded; the clock ticks within milliseconds.
fn record_when_settled(store: &larder_store::Store, n: u8) -> Entry {
    loop {
        let entry = store.lookup(&key(n)).unwrap().unwrap();
        if store.record_verified(&entry).unwrap() {
            return store.lookup(&key(n)).unwrap().unwrap();
        }
    }
}

#[test]
fn a_change_is_verified_once_and_then_believed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entry = publish(&store, 1, b"code");
    flip(&entry.path(), 0);
    assert!(!store.lookup(&key(1)).unwrap().unwrap().is_verified());
    assert!(record_when_settled(&store, 1).is_verified());
    flip(&entry.path(), 1);
    assert!(!store.lookup(&key(1)).unwrap().unwrap().is_verified());
}

#[test]
fn what_was_read_while_the_file_was_fresh_is_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entry = publish(&store, 1, b"code");
    // A future time stands for a file that is changed in this very tick.
    flip(&entry.path(), 0);
    let file = OpenOptions::new().write(true).open(entry.path()).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(3600)).unwrap();
    let fresh = store.lookup(&key(1)).unwrap().unwrap();
    assert!(!store.record_verified(&fresh).unwrap());
    assert!(!store.lookup(&key(1)).unwrap().unwrap().is_verified());
}

#[test]
fn a_bad_entry_is_discarded_and_its_successor_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bad = publish(&store, 1, b"bad");
    assert!(store.discard(&bad).unwrap());
    assert!(store.lookup(&key(1)).unwrap().is_none());
    publish(&store, 1, b"good");
    assert!(!store.discard(&bad).unwrap());
    assert_eq!(bytes_of(&store.lookup(&key(1)).unwrap().unwrap()), b"good");
    assert_eq!(bytes_of(&bad), b"bad", "who has an entry open keeps it");
    assert!(store.remove(&key(1)).unwrap());
    assert!(!store.remove(&key(1)).unwrap());
    assert_eq!(names(dir.path(), "receipts"), [""; 0]);
}

#[test]
fn verify_checks_all_and_removes_what_is_bad_if_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=3 {
        publish(&store, n, &content(n, 100));
    }
    flip(&store.lookup(&key(2)).unwrap().unwrap().path(), 50);
    let check = |entry: &Entry| {
        if bytes_of(entry) == content(entry.key().0[0], 100) { Ok(()) } else { Err("digest") }
    };
    for (remove_bad, bad_after) in [(false, true), (true, false)] {
        let outcomes: Vec<_> = store.verify(remove_bad, check).unwrap().collect();
        assert_eq!(outcomes.iter().map(|one| one.key).collect::<Vec<_>>(), [key(1), key(2), key(3)]);
        assert!(matches!(outcomes[0].outcome, Outcome::Good));
        assert!(
            matches!(outcomes[1].outcome, Outcome::Bad { reason: "digest", is_removed } if is_removed == remove_bad)
        );
        assert_eq!(store.lookup(&key(2)).unwrap().is_some(), bad_after);
    }
    assert_eq!(store.verify(false, check).unwrap().count(), 2);
}

#[test]
fn other_layouts_and_strangers_in_the_directory_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, 1, b"code");
    let files = ["v0", "v2", "notes.txt", "v1/entries/README"];
    let dirs = ["v1/temp/dir".into(), "v1/locks/dir".into(), format!("v1/entries/{}", key(2))];
    for file in files {
        fs::write(dir.path().join(file), "mine").unwrap();
    }
    for stranger in &dirs {
        fs::create_dir(dir.path().join(stranger)).unwrap();
    }
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(open(dir.path()).gc(0).unwrap().evicted_count, 1);
    publish(&open(dir.path()), 3, b"code");
    assert_eq!(store.clear().unwrap().entry_count, 1);
    for stranger in files.into_iter().chain(dirs.iter().map(String::as_str)) {
        assert!(dir.path().join(stranger).exists(), "{stranger}");
    }
}
