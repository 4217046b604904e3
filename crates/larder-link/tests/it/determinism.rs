//! Same input, same bytes.

use crate::image::{link_all, link_with};
use crate::tools::{clang, gcc};
use larder_link::LinkOptions;
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

#[test]
fn the_order_of_the_objects_decides_between_equals() {
    let objects = objects();
    let (forward, backward) = (link_all(&[&objects[0], &objects[1]]), link_all(&[&objects[1], &objects[0]]));
    assert_eq!(forward.signed(forward.address("shared")), 0);
    assert_eq!(backward.signed(backward.address("shared")), 1);
    assert_eq!(forward.exports(), backward.exports());
}
