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
