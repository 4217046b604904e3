//! Unwind records and the table that finds them.

use crate::image::{BASE, Case, link_all, link_with};
use crate::tools::{clang, gcc};
use larder_link::{Exports, LinkOptions};

/// Rows of `.eh_frame_hdr`: image offsets of function and record, checked for order and for what they point to.
pub(crate) fn described_functions(case: &Case) -> Vec<(u64, u64)> {
    let header = *case.image().header();
    let table = BASE + header.eh_frame_hdr.offset;
    assert_eq!(case.bytes(table, 4), [1, 0x1b, 0x03, 0x3b]);
    assert_eq!((table + 4).wrapping_add_signed(case.signed(table + 4)), BASE + header.eh_frame.offset);
    let count = case.signed(table + 8) as u64;
    assert_eq!(header.eh_frame_hdr.len, 12 + 8 * count);
    let row = |index: u64| {
        let at = table + 12 + 8 * index;
        let distance = |at| table.wrapping_add_signed(case.signed(at)) - BASE;
        (distance(at), distance(at + 4))
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    assert!(rows.is_sorted(), "{rows:x?}");
    for (function, record) in &rows {
        let begin = BASE + record + 8;
        assert_eq!(
            begin.wrapping_add_signed(case.signed(begin)),
            BASE + function,
            "a row leads to the record of its function"
        );
        let cie_field = record + 4;
        let cie = cie_field - case.signed(BASE + cie_field) as u64;
        assert_eq!(case.signed(BASE + cie + 4), 0, "a record leads to a CIE");
    }
    let end = BASE + header.eh_frame.offset + header.eh_frame.len;
    assert_eq!(case.bytes(end - 4, 4), [0; 4], "a zero ends the records");
    rows
}

fn cie_count(case: &Case) -> usize {
    let header = *case.image().header();
    let (mut at, end) = (BASE + header.eh_frame.offset, BASE + header.eh_frame.offset + header.eh_frame.len - 4);
    let mut count = 0;
    while at < end {
        count += usize::from(case.signed(at + 4) == 0);
        at += 4 + case.signed(at) as u64;
    }
    assert_eq!(at, end, "records fill the section");
    count
}

const SOURCE: &str = "
    void host(void);
    static __attribute__((noinline)) int inner(int x) { host(); return x; }
    int NAME(int x) { try { return inner(x); } catch (int y) { return y; } }
    __attribute__((visibility(\"hidden\"))) int NAME2(int x) { host(); return x + 1; }
";

#[test]
fn every_function_is_found_and_equal_descriptions_are_shared() {
    for flags in [&["-O1", "-fPIC", "-ffunction-sections"][..], &["-O0", "-fPIC"], &["-O1", "-fPIC", "-mcmodel=large"]]
    {
        let compile = |name: &str| clang("a.cpp", &SOURCE.replace("NAME", name), flags);
        if flags.contains(&"-mcmodel=large") {
            // Distances of 64 bits: the rows' own check reads 32, so only the number counts here.
            assert_eq!(link_all(&[&compile("one")]).image().header().eh_frame_hdr.len, 12 + 8 * 3);
            continue;
        }
        let case = link_all(&[&compile("one"), &compile("two")]);
        let units: Vec<u64> = case.image().units().iter().map(|unit| unit.offset).collect();
        let functions: Vec<u64> = described_functions(&case).into_iter().map(|(function, _)| function).collect();
        assert!(units.iter().all(|unit| functions.contains(unit)), "{units:x?} in {functions:x?}");
        assert_eq!(cie_count(&case), 2, "one with a personality routine and one without");
        assert!(case.has_section(".gcc_except_table"));
    }
}

#[test]
fn records_of_dead_functions_are_dropped() {
    let object = gcc("a.cpp", &SOURCE.replace("NAME", "one"), &["-O1", "-fPIC", "-ffunction-sections"]);
    let all = described_functions(&link_all(&[&object])).len();
    let only = LinkOptions { exports: Exports::Only(&[b"_Z4one2i"]), ..LinkOptions::default() };
    let case = link_with(&[&object], &only);
    assert_eq!(described_functions(&case).len(), 1);
    assert_eq!(all, 2);
    assert!(!case.has_section(".gcc_except_table"), "and so is their language-specific data");
    assert_eq!(case.imports(), ["_Z4hostv"], "and their personality routine");
}

#[test]
fn images_without_code_have_no_records() {
    let header = *link_all(&[&clang("a.c", "int x;", &["-fPIC"])]).image().header();
    assert_eq!((header.eh_frame.len, header.eh_frame_hdr.len), (0, 0));
}
