//! Names that come later, heap objects, guards, and functions that are compiled again.

use crate::programs::{Linking, build, compare, own, run, succeed};
use std::process::Command;

#[test]
fn code_counts_on_what_the_host_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "heap.c", Linking::Shared, &["-std=c11"]);
    let object = dir.path().join("anew.o");
    succeed(Command::new("cc").args(["-O1", "-fPIC", "-c", "-o"]).arg(&object).arg(own("tests/c/anew.c")));
    let store = dir.path().join("store");
    let lines = run(&program, &store, &[&object]);
    let (lines, raw): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| !line.starts_with("raw "));
    let expected = [
        "waiting of later: 1",
        "  calls_it: cause 1, later(), 0 not 0: calls_it waits for later",
        "calls_it: error 14: calls_it of later can't be called: it waits for later",
        "through_pointer: error 14: later of later can't be called: it waits for later",
        "decide: later: later of later can't be called: it waits for later",
        "through_pointer: error 14: ",
        "decide: later: later of later can't be called: it waits for later",
        "through_pointer: -1",
        "calls_it: 77",
        "through_pointer: 77",
        "waiting of later: 0",
        "dropped of tables: 0",
        "use_table: 40",
        "use_other: 60",
        "use_table: 50",
        "asked: 1, hit: 1",
        "dropped of tables: 3",
        "  use_table: cause 3, table(), 9 not 7: object table has changed: fingerprint 0x9, not 0x7",
        "  use_other: cause 2, other(), 0 not 0: object other is missing",
        "  use_layout: cause 4, layout(point, 2), 24 not 16: layout(point, 2) is 24, not 16",
        "free: 5",
        "use_layout: error 14: use_layout of tables can't be called: layout(point, 2) is 24, not 16",
        "forgotten: 1 0",
    ];
    compare(&lines[..expected.len()], &expected);
    let expected = [
        "when 0",
        "loaded",
        "make use_table: cause 3 of table",
        "use_table: 1005",
        "make use_other: cause 2 of other",
        "use_other: 600",
        "use_table: 1005",
        "when 1",
        "make use_table: cause 3 of table",
        "make use_other: cause 2 of other",
        "loaded",
        "use_table: 1005",
        "use_other: 600",
        "use_table: 1005",
        "make use_table: cause 3 of table",
        "make use_other: cause 2 of other",
        "make use_layout: cause 4 of layout",
        "eagerly: error 14: use_layout of tables can't be called: layout(point, 2) is 17, not 16",
        "product: 12",
        "product: 30",
        "known: 30",
        "unknown: 99",
        "strict: error 3",
        "counted: dropped 11, recompiled 7",
    ];
    compare(&lines[23..], &expected);
    assert_eq!(raw, ["raw known: cause 5", "raw unknown: cause 6"]);
}
