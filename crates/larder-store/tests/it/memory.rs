//! Remembered digests and notes: what is recalled was true of exactly that file.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use larder_store::{FileIdentity, NOTE_VALUE_LEN_MAX, Observed, StoreError};

use super::scene::*;

const DIGEST: [u8; 32] = [0xd1; 32];

fn recalled(dir: &Path, input: &Path) -> Option<[u8; 32]> {
    open(dir).recall(&FileIdentity::at(input).unwrap()).unwrap()
}

#[test]
fn an_unchanged_input_is_recalled_and_a_changed_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("input");
    let store = open(&dir.path().join("store"));
    for round in 0..20_u8 {
        // Same length, same inode, at once after the last look: only the stamps differ.
        fs::write(&input, [round; 100]).unwrap();
        assert_eq!(recalled(store.dir(), &input), None, "round {round}");
        let file = File::open(&input).unwrap();
        let observed = Observed::settle(&file).unwrap();
        assert!(observed.is_settled());
        assert!(store.remember(&file, &observed, &DIGEST).unwrap());
        assert_eq!(recalled(store.dir(), &input), Some(DIGEST));
    }
    assert_eq!(store.stats().unwrap().input_count, 1, "an input displaces its own past");
}

#[test]
fn an_edit_that_races_with_the_reading_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (input, store) = (dir.path().join("input"), open(&dir.path().join("store")));
    fs::write(&input, "first").unwrap();
    let file = File::open(&input).unwrap();
    let observed = Observed::settle(&file).unwrap();
    fs::write(&input, "other").unwrap();
    assert!(!store.remember(&file, &observed, &DIGEST).unwrap());
    assert_eq!(recalled(store.dir(), &input), None);
}

#[test]
fn what_has_no_past_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (input, store) = (dir.path().join("input"), open(&dir.path().join("store")));
    fs::write(&input, "bytes").unwrap();
    let future = SystemTime::now() + Duration::from_secs(3600);
    File::options().write(true).open(&input).unwrap().set_modified(future).unwrap();
    for path in [input.as_path(), dir.path(), Path::new("/dev/null")] {
        let file = File::open(path).unwrap();
        let observed = Observed::settle(&file).unwrap();
        assert!(!observed.is_settled(), "{}", path.display());
        assert!(!store.remember(&file, &observed, &DIGEST).unwrap(), "{}", path.display());
    }
}

#[test]
fn a_file_on_a_file_system_without_true_stamps_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // proc stamps a file when somebody first looks at it.
    let file = File::open("/proc/version").unwrap();
    let observed = Observed::settle(&file).unwrap();
    assert!(!store.remember(&file, &observed, &DIGEST).unwrap());
}

#[test]
fn notes_read_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.recall_note("a").unwrap(), None);
    let longest = "ä".repeat(NOTE_VALUE_LEN_MAX / 2);
    for value in ["", "=", "llvm 22.1.8 /usr/lib", "two\nlines", longest.as_str(), "last"] {
        store.note("tool-chain_0", value).unwrap();
        assert_eq!(store.recall_note("tool-chain_0").unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.stats().unwrap().note_count, 1);
}

#[test]
fn notes_that_no_link_can_hold_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let long = "x".repeat(NOTE_VALUE_LEN_MAX + 1);
    let cases =
        [("", "v"), ("..", "v"), ("a/b", "v"), ("A", "v"), (&long[..65], "v"), ("a", long.as_str()), ("a", "nul\0")];
    for (name, value) in cases {
        let noted = store.note(name, value);
        assert!(matches!(noted, Err(StoreError::BadNote { .. })), "{name} {value}: {noted:?}");
    }
    assert!(matches!(store.recall_note("../entries/x"), Err(StoreError::BadNote { .. })));
}

#[test]
fn links_that_say_something_else_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let (input, store) = (dir.path().join("input"), open(&dir.path().join("store")));
    fs::write(&input, "bytes").unwrap();
    let file = File::open(&input).unwrap();
    let observed = Observed::settle(&file).unwrap();
    store.remember(&file, &observed, &DIGEST).unwrap();
    store.note("n", "v").unwrap();
    let entry = publish(&store, 1, b"code");
    let slot = names(store.dir(), "inputs").remove(0);
    let places = [format!("inputs/{slot}"), "notes/n".into(), format!("receipts/{}", entry.key())];
    for nonsense in ["x", "v.1.2", "deadbeef.1.2.3.4.5", &"y".repeat(900)] {
        for place in &places {
            let path = store.dir().join("v1").join(place);
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink(nonsense, &path).unwrap();
        }
        assert_eq!(store.recall(observed.identity()).unwrap(), None);
        assert_eq!(store.recall_note("n").unwrap(), None);
        assert!(!store.lookup(&key(1)).unwrap().unwrap().is_verified());
    }
}
