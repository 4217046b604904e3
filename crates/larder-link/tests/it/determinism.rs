//! Same input, same bytes.

use crate::image::{link_all, link_with};
use crate::tools::{clang, gcc};
use larder_link::LinkOptions;
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _};
use std::num::NonZeroUsize;

fn objects() -> Vec<Vec<u8>> {
    let source = |number: usize| {
        format!(
            "#include <string>
            #include <vector>
            extern \"C\" int host{number}(const char *);
            std::vector<std::string> list{number};
            __attribute__((weak)) int shared = {number};
            int run{number}(int x) {{ list{number}.push_back(\"s{number}\"); try {{ return host{number}(list{number}[x].c_str()) + shared; }} catch (...) {{ return 0; }} }}"
        )
    };
    let flags = &["-O1", "-g", "-fPIC", "-ffunction-sections"];
    vec![clang("a.cpp", &source(0), flags), gcc("b.cpp", &source(1), flags), clang("c.cpp", &source(2), flags)]
}

#[test]
fn neither_runs_nor_threads_nor_names_nor_alignment_change_a_byte() {
    let objects = objects();
    let slices: Vec<&[u8]> = objects.iter().map(Vec::as_slice).collect();
    let expected = link_all(&slices).file;
    for threads in [1, 2, 3, 7, 64] {
        let threads = NonZeroUsize::new(threads).expect("it is not zero");
        assert!(
            link_with(&slices, &LinkOptions { threads, ..LinkOptions::default() }).file == expected,
            "{threads} threads"
        );
    }
    // Another address for every object, and an odd one.
    let moved: Vec<Vec<u8>> = objects.iter().map(|bytes| [&[0][..], bytes].concat()).collect();
    let moved: Vec<&[u8]> = moved.iter().map(|bytes| &bytes[1..]).collect();
    assert!(link_all(&moved).file == expected);
}

/// Nothing says that relocations are sorted, and passes search them as if they were.
#[test]
fn the_order_of_relocations_in_an_object_changes_nothing() {
    let object = objects().remove(0);
    let mut turned = object.clone();
    let elf = ElfFile64::<LittleEndian>::parse(object.as_slice()).expect("it is ELF");
    let tables = elf.sections().filter(|section| section.name().is_ok_and(|name| name.starts_with(".rela.text")));
    let mut turned_count = 0;
    for (start, len) in tables.filter_map(|table| table.file_range()) {
        let table = &mut turned[start as usize..(start + len) as usize];
        let rows: Vec<u8> = table.chunks_exact(24).rev().flatten().copied().collect();
        turned_count += rows.len() / 24;
        table.copy_from_slice(&rows);
    }
    assert!(turned_count > 20);
    assert!(link_all(&[&turned]).file == link_all(&[&object]).file);
}

#[test]
fn the_order_of_the_objects_decides_between_equals() {
    let objects = objects();
    let (forward, backward) = (link_all(&[&objects[0], &objects[1]]), link_all(&[&objects[1], &objects[0]]));
    assert_eq!(forward.signed(forward.address("shared")), 0);
    assert_eq!(backward.signed(backward.address("shared")), 1);
    assert_eq!(forward.exports(), backward.exports());
}
