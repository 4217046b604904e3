//! An image is an ordinary ELF file to the tools that people have.

use crate::image::{Case, link_all, link_with};
use crate::tools::{clang, gcc, llvm, read_image};
use larder_link::{LinkOptions, Source};
use std::path::Path;

const EVERYTHING: &str = "
    #include <stdio.h>
    #include <stdexcept>
    #include <string>
    #include <vector>
    thread_local int counter = 5;
    thread_local std::string *per_thread;
    std::vector<std::string> strings;
    static int zeros[1000];
    struct Base { virtual ~Base() {} virtual int run(int) = 0; };
    struct Derived : Base { int run(int x) override { if (x > 9) throw std::runtime_error(\"large\"); return x + zeros[x]; } };
    extern \"C\" int host(Base &);
    extern \"C\" int entry(int x) {
        Derived derived;
        try { counter++; strings.push_back(\"x\"); return host(derived) + derived.run(x); }
        catch (std::exception &e) { puts(e.what()); return counter; }
    }
";

fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for (name, compile) in [("clang", clang as fn(&str, &str, &[&str]) -> Vec<u8>), ("gcc", gcc)] {
        for flags in [&["-O0", "-fPIC"][..], &["-O2", "-fPIC", "-g", "-ffunction-sections", "-fdata-sections"]] {
            cases.push((format!("{name} {flags:?}"), link_all(&[&compile("a.cpp", EVERYTHING, flags)])));
        }
        cases.push((format!("{name}, little"), link_all(&[&compile("a.c", "int x = 1;", &["-fPIC"])])));
    }
    let source = Source { compressed: b"not really zstd", raw_len: 1000 };
    let object = clang("a.c", "int f(void) { return 1; }", &["-fPIC", "-O1"]);
    cases.push((
        "with its module".into(),
        link_with(&[&object], &LinkOptions { source: Some(source), ..LinkOptions::default() }),
    ));
    cases.push(("empty".into(), link_all(&[])));
    cases
}

#[test]
fn readers_read_it_without_a_warning() {
    let programs: [(std::path::PathBuf, &[&str]); 6] = [
        (Path::new("readelf").into(), &["-aW"]),
        (Path::new("readelf").into(), &["--debug-dump=frames"]),
        (Path::new("objdump").into(), &["-dx"]),
        (llvm("llvm-readelf"), &["-a"]),
        (llvm("llvm-objdump"), &["-d", "-x"]),
        (llvm("llvm-nm"), &[]),
    ];
    for (name, case) in cases() {
        for (program, flags) in &programs {
            let (text, errors) = read_image(&case.file, program, flags);
            let quiet =
                |text: &str| !text.to_lowercase().contains("warning") && !text.to_lowercase().contains("error:");
            let silent = errors.is_empty() || errors.trim_end().ends_with("no symbols");
            assert!(silent && quiet(&text), "{name}: {program:?} {flags:?}: {errors}");
        }
    }
}

#[test]
fn segments_have_one_protection_each_and_sections_lie_in_them() {
    for (name, case) in cases() {
        let (text, _) = read_image(&case.file, Path::new("readelf"), &["-lW"]);
        let loads: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("LOAD")).collect();
        assert!(!loads.is_empty() && loads.iter().all(|line| !line.contains("RWE")), "{name}: {text}");
        assert!(text.contains("GNU_STACK") && !text.contains("RWE"), "{name}");
    }
}

#[test]
fn the_module_is_carried_in_a_section_that_is_not_loaded() {
    let bytes = b"a compressed module";
    let source = Source { compressed: bytes, raw_len: 77 };
    let case = link_with(&[], &LinkOptions { source: Some(source), ..LinkOptions::default() });
    let header = *case.image().header();
    let span = header.source.offset as usize..(header.source.offset + header.source.len) as usize;
    assert_eq!((&case.file[span.clone()], header.source_len), (&bytes[..], 77));
    assert!(span.start as u64 >= header.rw.offset + header.rw.len);
    assert_eq!(case.section_data(".larder.source"), bytes);
}

#[test]
fn what_is_handed_in_stands_in_the_header() {
    let features = larder_format::cpu::CpuFeatures::from_names(["avx2"]).expect("it exists");
    let options = LinkOptions {
        key: [1; 32],
        module_digest: [2; 32],
        features,
        producer: "clang 22",
        triple: "x86_64-pc-linux-gnu",
        ..LinkOptions::default()
    };
    let case = link_with(&[], &options);
    let (image, header) = (case.image(), *case.image().header());
    assert_eq!((header.key, header.module_digest, header.features), ([1; 32], [2; 32], features));
    assert_eq!((image.producer(), image.triple()), ("clang 22".into(), "x86_64-pc-linux-gnu".into()));
}

#[test]
fn symbols_outside_of_the_exports_are_local() {
    let source = "static __attribute__((noinline)) int inner(int x) { return x * 3; } int outer(int x) { return inner(x) + host(); }
        __attribute__((visibility(\"hidden\"), weak)) int secret; int *get(void) { return &secret; } __attribute__((weak)) int loose = 1;";
    let source = format!("int host(void); {source}");
    let case = link_all(&[&clang("a.c", &source, &["-fPIC", "-O1"])]);
    let (text, _) = read_image(&case.file, Path::new("readelf"), &["-sW"]);
    for (name, binding) in
        [("inner", "LOCAL"), ("secret", "LOCAL"), ("host@plt", "LOCAL"), ("outer", "GLOBAL"), ("loose", "WEAK")]
    {
        let line = text.lines().find(|line| line.split_whitespace().last() == Some(name));
        assert!(line.is_some_and(|line| line.contains(binding)), "{name} is {binding}: {text}");
    }
}

#[test]
fn the_build_id_follows_the_content() {
    let id = |value: u32| {
        link_all(&[&clang("a.c", &format!("int x = {value};"), &["-fPIC"])]).section_data(".note.gnu.build-id")
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert_eq!(id(1)[..16], [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0]);
}
