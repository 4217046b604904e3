//! What a loaded image sees: its data, its imports, its arguments.

use crate::small::*;
use larder_format::cpu::{CpuFeatures, x86_64};
use larder_runtime::{Address, Arguments, Chain, Expectations, LoadError, Mapped, ProcessSymbols, Wanted, cpu};
use std::ffi::{CStr, CString, c_char, c_int};

#[test]
fn data_is_relocated_and_imports_are_bound() {
    let image = load(&sample(), &host_names());
    let base = image.symbol("answer").expect("it is exported") as u64 - CODE;
    let host = image.symbol("variable").map(|variable| variable as u64 - base);
    assert_eq!(host, Some(DATA + 8));
    let (host, _) = (call(&image, "call_host"), ());
    let cases =
        [("answer", 42), ("call_host", host), ("word", base + DATA), ("absent_slot", 0), ("where", base + DATA)];
    for (name, value) in cases {
        assert_eq!(call(&image, name), value, "{name}");
    }
    assert_eq!(host, 4711);
    assert_ne!(call(&image, "plus"), 5, "the fix-up holds an address plus 5");
}

#[test]
fn what_the_file_holds_behind_the_image_is_zero_in_memory() {
    let image = load(&sample(), &host_names());
    assert_eq!(call(&image, "tail"), 0);
    assert_eq!(call(&image, "zero"), 0);
}

#[test]
fn only_exports_are_found_and_only_code_is_a_function() {
    let image = load(&sample(), &host_names());
    for name in ["", "answe", "answer\0", "absent", "host"] {
        assert_eq!(image.symbol(name), None, "{name:?}");
    }
    // SAFETY: nothing is called.
    assert!(unsafe { image.function::<extern "C" fn()>("variable") }.is_none());
}

#[test]
fn all_missing_names_are_told_and_weak_ones_are_not_missing() {
    let imports = (0..40).map(|i| (&*format!("name{i:02}").leak(), 0)).chain([("weak", 1)]).collect();
    let image = Small { imports, ..sample() };
    let mut image = Small { fixups: Vec::new(), ..image };
    match sealed(&image.build(), &nobody()) {
        Err(LoadError::Unresolved { names, more_count, .. }) => {
            assert_eq!((names.len(), more_count), (32, 8));
            assert_eq!(names[0], "name00");
        }
        other => panic!("{other:?}"),
    }
    image.imports = vec![("weak", 1)];
    sealed(&image.build(), &nobody()).expect("weak names may be absent");
}

#[test]
fn the_process_is_opt_in() {
    let image = Small { imports: vec![("getpid", 2)], fixups: Vec::new(), ..sample() };
    assert!(matches!(sealed(&image.build(), &nobody()), Err(LoadError::Unresolved { .. })));
    sealed(&image.build(), &ProcessSymbols).expect("libc has it");
    let own = |wanted: &Wanted<'_>| (wanted.name == c"getpid").then_some(1 as Address);
    sealed(&image.build(), &Chain(&[&nobody(), &own])).expect("the closure has it");
}

#[test]
fn missing_features_are_named_and_an_unexpected_key_is_refused() {
    let needs = CpuFeatures::from_names(["sse2", "avx512f", "amx-tile"]).expect("they exist");
    let image = Small { features: needs, key: [7; 32], ..sample() };
    let file = file_of("small", &image.build());
    let v3 = x86_64::level("x86-64-v3").expect("a level");
    match Mapped::map(&file, &Expectations { features: &v3, ..strictly() }) {
        Err(LoadError::MissingFeatures { names, .. }) => assert_eq!(names, ["avx512f", "amx-tile"]),
        other => panic!("{other:?}"),
    }
    let both = v3.with(&needs);
    for (key, fits) in [(None, true), (Some(&[7; 32]), true), (Some(&[8; 32]), false)] {
        let result = Mapped::map(&file, &Expectations { features: &both, key, ..strictly() });
        assert_eq!(result.is_ok(), fits, "{key:?}");
        assert!(fits || matches!(result, Err(LoadError::OtherKey { .. })));
    }
}

#[test]
fn the_host_has_what_every_processor_has() {
    let baseline = x86_64::level("x86-64").expect("a level");
    assert!(baseline.without(cpu::host_features()).is_empty());
}

#[test]
fn initialisers_get_the_arguments_of_the_program() {
    extern "C" fn host(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) {
        assert_eq!(argc, 2);
        // SAFETY: `argv` has two strings and a null.
        let argv = unsafe { std::slice::from_raw_parts(argv, 3) };
        // SAFETY: the second is a string.
        assert_eq!(unsafe { CStr::from_ptr(argv[1]) }, c"-x");
        assert!(argv[2].is_null());
        assert!(!envp.is_null());
    }
    let mut image = Small { imports: vec![("host", 2)], ..Small::default() };
    let at = image.next_function();
    image.init = vec![image.function("init", &jumping_to_slot(at, 0))];
    let names: larder_runtime::Names = [("host", host as *const ())].into_iter().collect();
    let sealed = sealed(&image.build(), &names).expect("the image is right");
    let arguments = Arguments::new(vec![CString::from(c"program"), CString::from(c"-x")]);
    // SAFETY: the test's own code.
    unsafe { sealed.initialise(&arguments) }.expect("there is memory");
}

#[test]
fn main_runs_and_its_value_is_answered() {
    let mut image = sample();
    // lea eax, [rdi + 40]; ret
    image.function("main", &[0x8d, 0x47, 0x28, 0xc3]);
    let image = load(&image, &host_names());
    let arguments = Arguments::new(vec![CString::from(c"a"), CString::from(c"b")]);
    // SAFETY: the test's own code.
    assert_eq!(unsafe { larder_runtime::program::run_main(&image, "main", &arguments) }, Some(42));
}
