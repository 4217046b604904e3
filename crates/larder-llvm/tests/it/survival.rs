//! Whatever LLVM does to its process, the client gets an error that says what.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use larder::worker::{CompileError, Limits, Worker};

use crate::tools::{WORKER, bitcode, request, try_compile};

/// An assembler that repeats a repetition: some hours' work.
const ENDLESS: &[u8] = b"module asm \".rept 1000000\\0A.rept 1000000\\0A.endr\\0A.endr\"\n";
const MODULE: &[u8] = b"define i32 @f(i32 %x) { ret i32 %x }";

#[test]
fn a_fatal_error_has_llvms_words() {
    // An intrinsic of another architecture: the code generator can't select it, and gives up.
    let module = "declare void @llvm.aarch64.clrex()\ndefine void @f() { call void @llvm.aarch64.clrex() ret void }\n";
    let error = try_compile(&request("2", 1), module.as_bytes()).expect_err("no such instruction");
    let CompileError::FatalError { message } = &error else { panic!("{error:?}") };
    assert!(message.contains("aarch64.clrex") || message.contains("Cannot select"), "{message}");
}

#[test]
fn a_crash_has_its_signal() {
    // A million nested types: the parser recurses until the stack is used up.
    let depth = 1_000_000;
    let module = format!("@x = external global {}i32{}", "{".repeat(depth), "}".repeat(depth));
    let error = try_compile(&request("2", 1), module.as_bytes()).expect_err("too deep");
    let CompileError::Crashed { signal, .. } = error else { panic!("{error:?}") };
    assert!([libc::SIGSEGV, libc::SIGABRT, libc::SIGBUS].contains(&signal), "{signal}");
}

#[test]
fn a_compilation_without_end_is_ended() {
    let limits = Limits { timeout: Some(Duration::from_millis(300)), memory_max: None };
    let error = Worker::at(WORKER).compile(&request("2", 1), ENDLESS, &limits, &mut |_| ()).expect_err("endless");
    assert_eq!(error, CompileError::TimedOut { limit: Duration::from_millis(300) });
}

#[test]
fn too_little_memory_is_told() {
    let module = bitcode("parts.c", &[]);
    let compile = |memory_max| {
        let limits = Limits { timeout: None, memory_max: Some(memory_max) };
        Worker::at(WORKER).compile(&request("2", 2), &module, &limits, &mut |_| ())
    };
    for memory_max in [1 << 20, 1 << 25] {
        assert_eq!(compile(memory_max), Err(CompileError::OutOfMemory { memory_max: Some(memory_max) }));
    }
    compile(16 << 30).expect("enough");
}

#[test]
fn programs_that_are_no_workers_are_told_from_workers() {
    for program in ["/bin/true", "/bin/cat", "/bin/false"] {
        let error = Worker::at(program).compile(&request("2", 1), MODULE, &Limits::default(), &mut |_| ());
        assert!(matches!(error, Err(CompileError::Protocol { .. })), "{program}: {error:?}");
    }
    let error = Worker::at("/nonexistent/worker").compile(&request("2", 1), MODULE, &Limits::default(), &mut |_| ());
    assert!(matches!(error, Err(CompileError::Start { .. })), "{error:?}");
}

#[test]
fn progress_never_falls_and_ends_at_the_end() {
    let mut steps = Vec::new();
    let module = bitcode("parts.c", &[]);
    Worker::at(WORKER)
        .compile(&request("2", 2), &module, &Limits::default(), &mut |step| steps.push(step))
        .expect("compiled");
    assert!(steps.windows(2).all(|pair| pair[0].fraction <= pair[1].fraction));
    assert!(steps.last().is_some_and(|last| (0.999..=1.001).contains(&last.fraction)), "{:?}", steps.last());
    assert!(steps.len() > 50, "the bar moves: {}", steps.len());
}

#[test]
fn a_worker_dies_with_its_client() {
    let request = larder_format::wire::Request {
        name: String::new(),
        repetition: 0,
        level: larder_format::wire::OptLevel::O2,
        passes: None,
        features: vec![],
        split: larder_format::wire::Split::Auto,
        static_tls: false,
        raw_pointers: larder_format::wire::RawPointers::Ignore,
        regions: vec![],
        unit: None,
        thread_count: 1,
        memory_max: None,
        asks: false,
    };
    let input = [&request.encode(), &larder_format::wire::Request::module_head(ENDLESS.len())[..], ENDLESS].concat();
    // To Linux, the parent is the thread; here it ends once the worker is busy.
    let client = std::thread::spawn(move || {
        let mut child = Command::new(WORKER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a worker");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, &input).expect("written");
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut first = [0; larder_format::wire::HEAD_LEN];
        std::io::Read::read_exact(&mut stdout, &mut first).expect("it is at work");
        (child, stdout)
    });
    let (mut child, _stdout) = client.join().expect("an end");
    assert_eq!(child.wait().expect("an end").signal(), Some(libc::SIGKILL));
}
