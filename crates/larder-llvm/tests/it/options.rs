//! Each level and each pipeline is LLVM's own.

use larder::worker::{CompileError, Request};

use crate::tools::{bitcode, llvm, request, run, section, try_compile};

/// What `opt` and `llc` make of a module at a level.
fn by_llvm(module: &[u8], opt: &str, llc: &str) -> Vec<(String, Vec<u8>)> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("in.bc"), module).expect("written");
    run(llvm("opt").arg(opt).arg(path("in.bc")).arg("-o").arg(path("opt.bc")));
    let flags = ["-filetype=obj", "-relocation-model=pic", "-function-sections", "-data-sections"];
    run(llvm("llc").arg(llc).args(flags).arg(path("opt.bc")).arg("-o").arg(path("out.o")));
    vec![("out.o".to_owned(), std::fs::read(path("out.o")).expect("an object"))]
}

#[test]
fn levels_are_those_of_opt_and_llc() {
    let module = bitcode("kernels.c", &[]);
    let sized = bitcode("kernels.c", &["-Os"]);
    // All of its functions are marked `optnone`.
    let unoptimised = bitcode("kernels.c", &["-O0"]);
    for (level, opt, llc, module) in [
        ("0", "-O0", "-O0", &module),
        ("1", "-O1", "-O1", &module),
        ("2", "-O2", "-O2", &module),
        ("2", "-O2", "-O2", &unoptimised),
        ("3", "-O3", "-O3", &module),
        ("s", "-Os", "-O2", &sized),
        ("z", "-Oz", "-O2", &sized),
    ] {
        let ours = try_compile(&request(level, 2), module).unwrap_or_else(|error| panic!("-O{level}: {error}"));
        let theirs = by_llvm(module, opt, llc);
        for function in ["saxpy", "checksum", "count_words", "classify"] {
            let name = format!(".text.{function}");
            let code = section(&ours.objects, &name);
            assert!(code.as_ref().is_some_and(|code| !code.is_empty()), "{name} at -O{level}");
            assert!(code == section(&theirs, &name), "{name} differs at -O{level}");
        }
    }
}

#[test]
fn levels_differ() {
    let module = bitcode("kernels.c", &[]);
    let code =
        |level: &str| section(&try_compile(&request(level, 1), &module).expect("compiled").objects, ".text.saxpy");
    let codes = ["0", "1", "2", "z"].map(code);
    for (index, one) in codes.iter().enumerate() {
        assert!(codes[index + 1..].iter().all(|other| one != other), "{index}");
    }
}

#[test]
fn a_pipeline_replaces_the_level() {
    let module = bitcode("kernels.c", &[]);
    let with = |passes: &str| {
        let request = Request { passes: Some(passes.to_owned()), ..request("2", 1) };
        section(&try_compile(&request, &module).expect(passes).objects, ".text.saxpy")
    };
    assert_eq!(with("default<O2>"), section(&by_llvm(&module, "-O2", "-O2"), ".text.saxpy"));
    let theirs = by_llvm(&module, "-passes=function(sroa,instcombine)", "-O2");
    assert_eq!(with("function(sroa,instcombine)"), section(&theirs, ".text.saxpy"));
}

#[test]
fn a_pipeline_that_is_none_is_named() {
    for (passes, said) in
        [("function(nosuchpass)", "nosuchpass"), ("function(sroa", "function(sroa"), ("default<O9>", "O9")]
    {
        let request = Request { passes: Some(passes.to_owned()), ..request("2", 1) };
        let error = try_compile(&request, b"define void @f() { ret void }").expect_err(passes);
        assert!(matches!(error, CompileError::Request { .. }), "{passes}: {error:?}");
        assert!(error.to_string().contains(said), "{passes}: {error}");
    }
}

#[test]
fn text_and_bitcode_are_the_same_module() {
    let module = bitcode("kernels.c", &[]);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("in.bc");
    std::fs::write(&path, &module).expect("written");
    let text = run(llvm("llvm-dis").arg(&path).args(["-o", "-"])).stdout;
    let compiled = [module, text].map(|module| try_compile(&request("2", 1), &module).expect("compiled"));
    assert_eq!(compiled[0].objects, compiled[1].objects);
}

#[test]
fn a_module_without_definitions_is_an_object() {
    for module in ["", "declare void @f()\n"] {
        let module = format!("target triple = \"x86_64-unknown-linux-gnu\"\n{module}");
        let compiled = try_compile(&request("2", 2), module.as_bytes()).expect("compiled");
        assert_eq!(compiled.objects.len(), 1);
    }
}

#[test]
fn modules_may_name_no_target() {
    let compiled = try_compile(&request("2", 1), b"define i32 @f() { ret i32 7 }").expect("compiled");
    assert!(section(&compiled.objects, ".text.f").is_some());
}

#[test]
fn the_name_of_a_module_reaches_no_byte() {
    let module = b"@x = global i32 1\ndefine i32 @f() { %v = load i32, ptr @x ret i32 %v }";
    let named =
        |name: &str| try_compile(&Request { name: name.to_owned(), ..request("2", 1) }, module).expect("compiled");
    assert_eq!(named("one").objects, named("/another/place").objects);
}
