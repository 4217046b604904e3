//! DWARF, as debuggers read it out of the image.

use crate::image::{Case, link_all, link_with};
use crate::tools::{assemble, clang, gcc, llvm, read_image};
use larder_link::{Exports, LinkOptions};
use std::path::Path;

const SOURCE: &str = "int add(int a, int b)
{
    return a + b;
}
int global = 3;
int twice(int x)
{
    return add(x, global);
}
";

fn line_of(case: &Case, name: &str) -> String {
    let offset = format!("{:#x}", case.export(name).offset);
    let symbolizer = llvm("llvm-symbolizer");
    let text = read_image(&case.file, &symbolizer, &["--no-inlines", &offset, "-e"]).0;
    text.lines().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn functions_have_lines() {
    for compile in [clang, gcc] {
        for flags in [&["-g", "-O0", "-fPIC"][..], &["-gdwarf-4", "-O0", "-fPIC", "-ffunction-sections"]] {
            let other = SOURCE.replace("add", "sum").replace("twice", "double_it").replace("global", "other");
            let case = link_all(&[&compile("a.c", SOURCE, flags), &compile("b.c", &other, flags)]);
            for (name, line) in [("add", "a.c:2"), ("twice", "a.c:7"), ("sum", "b.c:2"), ("double_it", "b.c:7")] {
                let found = line_of(&case, name);
                assert!(found.starts_with(name) && found.contains(line), "{flags:?}: {name}: {found}");
            }
        }
    }
}

#[test]
fn debuggers_and_verifiers_do_not_complain() {
    for flags in [&["-g", "-O1", "-fPIC"][..], &["-gdwarf-4", "-O1", "-fPIC"]] {
        let case = link_all(&[&clang("a.c", SOURCE, flags)]);
        let (text, errors) = read_image(&case.file, &llvm("llvm-dwarfdump"), &["--verify"]);
        assert!(text.contains("No errors.") && errors.is_empty(), "{text}{errors}");
        let gdb = ["-nx", "-batch", "-ex", "info line twice", "-ex", "info address add", "-ex", "ptype global"];
        let (text, errors) = read_image(&case.file, Path::new("gdb"), &gdb);
        assert!(text.contains("Line 7 of \"a.c\"") && text.contains("type = int"), "{text}");
        assert_eq!(errors, "");
    }
}

#[test]
fn what_was_dropped_has_no_address() {
    let object = assemble(
        ".section .text.live,\"ax\",@progbits\n.globl live\nlive: ret
        .section .text.dead,\"ax\",@progbits\ndead: ret
        .section .debug_info,\"\",@progbits\n.quad live, dead, ext\n.long .debug_str+4
        .section .debug_ranges,\"\",@progbits\n.quad live, dead
        .section .debug_loc,\"\",@progbits\n.quad dead
        .section .debug_names,\"\",@progbits\n.quad dead
        .section .debug_str,\"MS\",@progbits,1\n.asciz \"abc\"\n.asciz \"def\"",
    );
    let case = link_with(&[&object], &LinkOptions { exports: Exports::Only(&[b"live"]), ..LinkOptions::default() });
    let words = |section: &str| {
        let data = case.section_data(section);
        data.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes"))).collect::<Vec<_>>()
    };
    let live = case.export("live").offset;
    assert_eq!(words(".debug_info"), [live, 0, 0]);
    assert_eq!(words(".debug_ranges"), [live, 1]);
    assert_eq!(words(".debug_loc"), [1]);
    assert_eq!(words(".debug_names"), [u64::MAX]);
    assert_eq!(case.section_data(".debug_info")[24..], [4, 0, 0, 0]);
}

#[test]
fn debug_information_can_be_left_out() {
    let object = clang("a.c", SOURCE, &["-g", "-O1", "-fPIC"]);
    let case = link_with(&[&object], &LinkOptions { keep_debug: false, ..LinkOptions::default() });
    assert!(!case.has_section(".debug_info") && !case.has_section(".comment") && case.has_section(".symtab"));
}

#[test]
fn compressed_debug_information_is_left_out_as_a_whole() {
    let compressed = gcc("a.c", SOURCE, &["-g", "-O1", "-fPIC", "-gz"]);
    let plain = gcc("b.c", "int other(void) { return 1; }", &["-g", "-O1", "-fPIC"]);
    let case = link_all(&[&compressed, &plain]);
    assert!(case.report.compressed_debug_count > 0);
    let found = line_of(&case, "other");
    assert!(found.contains("b.c:1"), "{found}");
    assert!(line_of(&case, "add").contains("??"));
}
