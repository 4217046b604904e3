//! The process is killed before each operation of the scenario in turn, as by `kill -9`.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::fault;
use super::scene::*;

/// In the child: the scenario, with death before operation `n`.
pub(crate) fn scenario(dir: &Path, n: u64) {
    fault::scenario(dir, &Script::new(n, Then::Die)).unwrap();
}

#[test]
fn a_process_may_be_killed_before_any_operation() {
    for n in 1.. {
        let dir = tempfile::tempdir().unwrap();
        fault::stage(dir.path());
        let output = child("crash", dir.path(), n).output().unwrap();
        let when = format!("killed at operation {n}: {}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            assert!(n > 50, "only {n} operations");
            fault::assert_consistent(dir.path(), &when);
            return;
        }
        assert_eq!(output.status.signal(), Some(9), "{when}");
        fault::assert_consistent(dir.path(), &when);
    }
}

#[test]
fn what_a_killed_writer_left_is_gone_after_the_next_lease() {
    // Deaths in the midst of writing leave a file in `temp/` and a lock file.
    let mut left_count = 0;
    for n in 20..40 {
        let dir = tempfile::tempdir().unwrap();
        fault::stage(dir.path());
        child("crash", dir.path(), n).output().unwrap();
        left_count += names(dir.path(), "temp").len();
        drop(lease(&open(dir.path()), &key(3)));
        assert_nothing_stale(dir.path(), &format!("killed at operation {n}"));
    }
    assert!(left_count > 0, "no death left anything: the canary");
}
