//! Many threads that use the same objects.

use crate::programs::{Linking, build, compare, run};

#[test]
fn threads_share_sessions_and_code() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "threads.c", Linking::Shared, &["-std=c11", "-pthread"]);
    let expected = ["1005 1005 1005 1005 1005 1005 1005 1005 made: 1", "0 3 6 9 12 15 18 21 ", "use_table: 1005"];
    compare(&run(&program, &dir.path().join("store"), &[]), &expected);
}
