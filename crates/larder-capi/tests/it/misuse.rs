//! Objects that are NULL, freed, or of another type, and arguments that are wrong.

use crate::programs::{Linking, build, compare, run};

#[test]
fn misuse_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "misuse.c", Linking::Shared, &["-std=c11"]);
    let expected = ["NULL", "arguments", "freed", "foreign", "other type: error 1: larder is NULL", "five: 5"];
    compare(&run(&program, &dir.path().join("store"), &[]), &expected);
}
