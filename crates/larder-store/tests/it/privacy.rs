//! What isn't this user's alone is refused, and what isn't a file is no entry.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use larder_store::{Store, StoreError, StoreOptions, Unwritable};
use rustix::io::Errno;

use super::scene::*;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn open_again(dir: &Path) -> Result<Store, StoreError> {
    Store::open(StoreOptions::new(dir))
}

#[test]
fn all_that_is_made_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a/b");
    publish(&open(&place), 1, b"code");
    let inner = ["", "v1", "v1/entries", "v1/receipts", "v1/inputs", "v1/notes", "v1/locks", "v1/temp"];
    for made in inner.map(|name| place.join(name)).iter().chain([&dir.path().join("a")]) {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o7777, 0o700, "{}", made.display());
    }
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    publish(&open(dir.path()), 1, b"code");
    // (mode of the directory, of v1, of v1/entries, refused): below a directory nobody else passes, modes don't matter.
    let cases = [
        (0o777, 0o700, 0o700, true),
        (0o720, 0o700, 0o700, true),
        (0o702, 0o700, 0o700, true),
        (0o755, 0o700, 0o700, false),
        (0o755, 0o777, 0o700, true),
        (0o755, 0o755, 0o777, true),
        (0o755, 0o755, 0o755, false),
        (0o755, 0o700, 0o777, false),
        (0o700, 0o777, 0o777, false),
    ];
    for (outer, version, entries, is_refused) in cases {
        chmod(&dir.path().join("v1/entries"), entries);
        chmod(&dir.path().join("v1"), version);
        chmod(dir.path(), outer);
        let opened = open_again(dir.path());
        let case = format!("{outer:o} {version:o} {entries:o}: {opened:?}");
        assert_eq!(matches!(opened, Err(StoreError::NotPrivate { .. })), is_refused, "{case}");
        assert_eq!(opened.is_ok(), !is_refused, "{case}");
    }
}

#[test]
fn an_entry_that_others_can_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let path = publish(&store, 1, b"code").path();
    for (mode, is_refused) in [(0o644, false), (0o620, true), (0o602, true), (0o400, false)] {
        chmod(&path, mode);
        let found = store.lookup(&key(1));
        assert_eq!(
            matches!(&found, Err(StoreError::NotPrivate { path: refused, .. }) if *refused == path),
            is_refused,
            "{mode:o}: {found:?}"
        );
        assert_eq!(found.is_ok(), !is_refused, "{mode:o}");
    }
}

#[test]
fn what_somebody_else_owns_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let path = publish(&store, 1, b"code").path();
    // Only root can give files away; for others there is nothing to test.
    if chown(&path, Some(12345), None).is_err() {
        return;
    }
    let found = store.lookup(&key(1));
    assert!(matches!(found, Err(StoreError::NotPrivate { owner: 12345, .. })), "{found:?}");
    chown(dir.path(), Some(12345), None).unwrap();
    let opened = open_again(dir.path());
    assert!(matches!(opened, Err(StoreError::NotPrivate { owner: 12345, .. })), "{opened:?}");
}

#[test]
fn what_is_no_regular_file_is_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let code = publish(&store, 9, b"code").path();
    let name = |n| dir.path().join("v1/entries").join(key(n).to_string());
    symlink(code, name(1)).unwrap();
    fs::create_dir(name(2)).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, name(3), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for n in 1..=3 {
        let found = store.lookup(&key(n));
        assert!(matches!(&found, Err(StoreError::NotAFile { path }) if *path == name(n)), "{n}: {found:?}");
    }
}

#[test]
fn a_store_that_cannot_be_written_is_read_and_says_why_it_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    publish(&open(dir.path()), 1, b"code");
    let cases = [
        (Errno::ROFS, Unwritable::ReadOnly),
        (Errno::ACCESS, Unwritable::Denied),
        (Errno::NOSPC, Unwritable::Full),
        (Errno::DQUOT, Unwritable::Quota),
    ];
    for (errno, expected) in cases {
        let store = open_behind(dir.path(), &Script::new(0, Then::FailWrites(errno)));
        assert!(store.lookup(&key(1)).unwrap().unwrap().is_verified());
        assert_eq!(store.list().unwrap().len(), 1);
        let refused = store.lease(&key(2));
        assert!(matches!(&refused, Err(StoreError::CannotWrite { why, .. }) if *why == expected), "{refused:?}");
    }
}

#[test]
fn a_place_that_is_no_directory_is_an_error_with_its_path() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for place in [file.path().to_path_buf(), file.path().join("below")] {
        let error = open_again(&place).unwrap_err();
        assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
    }
}
