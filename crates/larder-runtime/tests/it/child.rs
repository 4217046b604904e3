//! Tests that look at, or end, a whole process run in a child of their own.
//!
//! The child is this test program again, told by a variable to run one test only, on its main thread.

use std::process::{Command, Output};

const VARIABLE: &str = "LARDER_TEST_CHILD";

/// In the parent, runs the test again in a child and answers what became of it; in the child, `None`.
pub(crate) fn fork(test: &str) -> Option<Output> {
    if std::env::var_os(VARIABLE).is_some() {
        return None;
    }
    let program = std::env::current_exe().expect("Linux tells");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, "1")
        .output()
        .expect("the program starts");
    Some(output)
}

/// As [`fork`], for tests that must end well; `true` in the child.
pub(crate) fn in_child(test: &str) -> bool {
    let Some(output) = fork(test) else { return true };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}: {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Runs the body in a process that has no thread but the body's: a fork of the child.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if !in_child(test) {
        return;
    }
    // SAFETY: of the threads that are missing in the fork, none holds a lock that the body needs: they wait for this test.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            std::process::exit(if done.is_ok() { 0 } else { 1 });
        }
        child => {
            let mut status = 0;
            // SAFETY: the place for the status is writable.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child, "the fork is there");
            assert_eq!(status, 0, "the fork has ended well");
        }
    }
}
