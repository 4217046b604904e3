//! What all code promises is what the image promises.

use crate::image::{BASE, link_all};
use crate::tools::{assemble, clang, gcc, read_image};
use std::path::Path;

const SOURCE: &str = "int f(void); int g(void) { return f() + 1; }";

fn object(protection: &str) -> Vec<u8> {
    // Without this option, calls of externals need no stub.
    gcc("a.c", SOURCE, &["-O1", "-fPIC", &format!("-fcf-protection={protection}"), &format!("-Dg=g_{protection}")])
}

#[test]
fn protections_that_all_objects_have_are_kept() {
    let none = assemble(".globl h\nh: ret");
    let (full, branch, returns) = (object("full"), object("branch"), object("return"));
    /// Objects, what the image promises, and whether its stubs are marked.
    type Row<'a> = (&'a [&'a [u8]], Option<&'a str>, bool);
    let rows: &[Row<'_>] = &[
        (&[&full], Some("x86 feature: IBT, SHSTK"), true),
        (&[&full, &branch], Some("x86 feature: IBT"), true),
        (&[&full, &returns], Some("x86 feature: SHSTK"), false),
        (&[&branch, &returns], None, false),
        (&[&full, &none], None, false),
        (&[&none], None, false),
    ];
    for (number, (objects, promise, marked)) in rows.iter().enumerate() {
        let case = link_all(objects);
        let (text, errors) = read_image(&case.file, Path::new("readelf"), &["-nlW"]);
        assert_eq!(errors, "", "row {number}");
        match promise {
            Some(promise) => {
                assert!(
                    text.lines().any(|line| line.trim().ends_with(&format!("Properties: {promise}"))),
                    "{number}: {text}"
                );
                assert!(text.contains("GNU_PROPERTY"), "{number}: {text}");
            }
            None => assert!(!text.contains("x86 feature") && !text.contains("GNU_PROPERTY"), "{number}: {text}"),
        }
        if case.imports().contains(&"f".to_owned()) {
            let stubs = case.section_range(".larder.stubs").start + BASE;
            assert_eq!(
                case.bytes(stubs, 4) == [0xf3, 0x0f, 0x1e, 0xfa],
                *marked,
                "row {number}: stubs begin with endbr64"
            );
        }
    }
}

#[test]
fn clang_and_gcc_agree() {
    let case =
        link_all(&[&clang("b.c", "int h(void) { return 1; }", &["-O1", "-fcf-protection=full"]), &object("full")]);
    let (text, _) = read_image(&case.file, Path::new("llvm-readelf-22"), &["-n"]);
    assert!(text.contains("IBT, SHSTK"), "{text}");
}
