//! Functions that are chosen when an image is loaded, and what tells resolvers of the processor.

use crate::compiled::{image_of, load, sealed};
use crate::small::{file_of, strictly};
use larder_format::image::{HEADER_OFFSET, Image, ImageError, IndirectFunction};
use larder_format::record::Record;
use larder_runtime::{Arguments, LoadError, Loaded, Mapped, ProcessSymbols};
use std::ffi::c_int;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of("processor.cpp"));

fn call(image: &Loaded, name: &str, argument: c_int) -> c_int {
    // SAFETY: the case's functions have this type.
    let function = unsafe { image.function::<extern "C" fn(c_int) -> c_int>(name) };
    function.unwrap_or_else(|| panic!("{name} is exported"))(argument)
}

#[test]
fn a_function_is_chosen_and_called() {
    let image = load(&IMAGE, &ProcessSymbols);
    assert!(!image.image().indirect_functions().is_empty());
    assert_eq!(call(&image, "sum_up_to", 100), 2 * 4950);
}

/// What a native program learns, from the static libgcc.
fn native() -> Vec<c_int> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/processor.cpp");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processor-{}", std::process::id()));
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let status = Command::new(compiler).arg("-DMAIN").arg(source).arg("-o").arg(&program).status();
    assert!(status.expect("there is a C++ compiler").success());
    let output = Command::new(&program).output().expect("it is a program");
    std::fs::remove_file(&program).expect("it was just written");
    output.stdout.iter().map(|&digit| c_int::from(digit - b'0')).collect()
}

#[test]
fn code_learns_of_the_processor_what_a_native_program_learns() {
    let image = load(&IMAGE, &ProcessSymbols);
    let answers = (0..).map(|number| call(&image, "has_feature", number)).take_while(|&answer| answer >= 0);
    assert_eq!(answers.collect::<Vec<_>>(), native());
}

#[test]
fn slots_are_read_only_before_and_behind_the_choice() {
    let image = sealed(&IMAGE, &ProcessSymbols);
    let slot = image.image().indirect_functions().get(0).expect("there is one").slot;
    // SAFETY: the tests' own code.
    let image = unsafe { image.initialise(&Arguments::none()) }.expect("there is memory");
    let function = image.symbol("sum").expect("it is exported") as usize;
    let export = image.image().exports().find(b"sum").expect("it is exported").offset as usize;
    let address = function - export + slot as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let line = maps.lines().find(|line| {
        let (start, end) = line.split_once(' ').expect("a range").0.split_once('-').expect("a range");
        let number = |hex| usize::from_str_radix(hex, 16).expect("a number");
        (number(start)..number(end)).contains(&address)
    });
    assert!(line.is_some_and(|line| line.contains(" r--p ")), "{line:?}");
}

#[test]
fn rows_that_lead_elsewhere_are_damage() {
    let image = Image::parse(&IMAGE, IMAGE.len() as u64).expect("it is an image");
    let header = *image.header();
    let good = image.indirect_functions().get(0).expect("there is one");
    let cases = [
        ("resolver in data", IndirectFunction { resolver: header.rw.offset, ..good }),
        ("resolver nowhere", IndirectFunction { resolver: u64::MAX, ..good }),
        ("slot in code", IndirectFunction { slot: header.rx.offset, ..good }),
        ("slot at the end of relro", IndirectFunction { slot: header.rw.offset + header.relro_len - 4, ..good }),
        ("slot behind relro", IndirectFunction { slot: header.rw.offset + header.relro_len, ..good }),
        ("slot nowhere", IndirectFunction { slot: u64::MAX - 7, ..good }),
    ];
    for (name, row) in cases {
        let (mut file, mut bytes) = (IMAGE.clone(), Vec::new());
        row.encode(&mut bytes);
        assert!(header.indirect_functions.offset as usize > HEADER_OFFSET);
        file[header.indirect_functions.offset as usize..][..bytes.len()].copy_from_slice(&bytes);
        let trusting =
            larder_runtime::Expectations { integrity: larder_runtime::Integrity::AlreadyVerified, ..strictly() };
        let result = Mapped::map(&file_of("indirect", &file), &trusting);
        let damaged = matches!(result, Err(LoadError::Image { source: ImageError::Damaged { .. }, .. }));
        assert!(damaged, "{name}: {result:?}");
    }
}
