//! Objects with more sections than 16 bits can count.

use crate::image::{link_all, link_with};
use crate::tools::assemble;
use larder_link::{Exports, LinkOptions};
use std::fmt::Write as _;

const COUNT: usize = 70_000;

/// Functions in sections of their own, each calling the next; a section's number beyond 65 279 stands in a table of its own.
fn chain() -> Vec<u8> {
    let mut source = String::new();
    for number in 0..COUNT {
        let next = (number + 1) % COUNT;
        let _ =
            writeln!(source, ".section .text.f{number},\"ax\",@progbits\n.globl f{number}\nf{number}: call f{next}");
    }
    assemble(&source)
}

#[test]
fn seventy_thousand_sections_are_linked_in_order() {
    let object = chain();
    let case = link_all(&[&object]);
    assert_eq!(case.image().exports().rows().len(), COUNT);
    for number in [0, 1, 65_278, 65_279, 65_280, 65_535, 65_536, COUNT - 1] {
        let next = (number + 1) % COUNT;
        let (this, next) = (case.address(&format!("f{number}")), case.address(&format!("f{next}")));
        assert_eq!(case.branch_target(this + 1), next, "f{number}");
    }
    let only = link_with(&[&object], &LinkOptions { exports: Exports::Only(&[b"f66000"]), ..LinkOptions::default() });
    assert_eq!(
        only.report.dropped_count,
        only.report.sections_count - COUNT,
        "each calls the next, around to the first"
    );
}
