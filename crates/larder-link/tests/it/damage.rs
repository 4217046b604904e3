//! Objects that end early or have changed bytes: an error or an image, never a panic, and soon.

use crate::guards;
use crate::tools::{clang, gcc};
use larder_link::{LinkOptions, Object, link};

const SOURCE: &str = "
    extern int host(const char *);
    static __thread int t;
    int common;
    const char *list[] = { \"a\", \"b\" };
    template <class T> T twice(T x) { return x + x; }
    __attribute__((constructor)) static void start() { t = host(\"start\"); }
    int run(int x) { try { return host(list[x & 1]) + twice(x) + t; } catch (int y) { return y; } }
";

fn objects() -> [Vec<u8>; 3] {
    [
        clang("a.cpp", SOURCE, &["-O1", "-fPIC", "-g", "-ffunction-sections"]),
        gcc("a.cpp", SOURCE, &["-O1", "-fPIC", "-g1", "-fcommon"]),
        guards::sample(),
    ]
}

/// Links, and looks at what came out as a loader would.
pub(crate) fn survive(bytes: &[u8]) -> bool {
    match link(&[Object { name: "damaged.o", bytes, ..Object::default() }], &LinkOptions::default()) {
        Ok(linked) => {
            let len = linked.bytes.len() as u64;
            let image = larder_format::image::Image::parse(&linked.bytes, len).expect("what is linked can be read");
            assert!(image.guards().iter().all(|row| image.guard_question(&row).is_ok()));
            assert!(image.droppable().iter().all(|row| image.droppable_unit(&row).is_ok()));
            true
        }
        Err(_) => false,
    }
}

#[test]
fn no_length_panics() {
    for object in objects() {
        assert!(survive(&object));
        for len in 0..object.len() {
            survive(&object[..len]);
        }
    }
}

#[test]
fn no_changed_byte_panics() {
    for object in objects() {
        let (mut linked_count, mut refused_count) = (0, 0);
        for at in 0..object.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = object.clone();
                bytes[at] ^= change;
                if survive(&bytes) { linked_count += 1 } else { refused_count += 1 }
            }
        }
        assert!(linked_count > 100 && refused_count > 100, "{linked_count} linked, {refused_count} refused");
    }
}

/// Numbers that lie about sizes, in every field of every section header, symbol and relocation.
#[test]
fn no_extreme_number_panics() {
    for object in objects() {
        for at in (0..object.len() - 8).step_by(8) {
            for number in [u64::MAX, i64::MAX as u64, 1 << 40, 1 << 32, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000_0000_0000]
            {
                let mut bytes = object.clone();
                bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
                survive(&bytes);
            }
        }
    }
}
