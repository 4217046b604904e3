//! The worker as a program: what it prints, and what it does with input that no client sends.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use larder::worker::Worker;
use larder_format::wire::{FrameHead, FrameKind, OptLevel, Reply, Request, WorkerVersion, split_frame};

use crate::tools::{WORKER, run};

fn feed(input: &[u8], directory: &std::path::Path) -> Output {
    let mut command = Command::new(WORKER);
    command.current_dir(directory).env("TMPDIR", directory);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a worker");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // A worker that refuses what it reads closes the pipe.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("an end")
    })
}

fn conversation(passes: Option<&str>, module: &[u8]) -> Vec<u8> {
    let request = Request {
        name: "module".to_owned(),
        repetition: 0,
        level: OptLevel::O2,
        passes: passes.map(str::to_owned),
        features: vec![],
        split: larder_format::wire::Split::Auto,
        static_tls: false,
        raw_pointers: larder_format::wire::RawPointers::Ignore,
        regions: vec![],
        unit: None,
        thread_count: 2,
        memory_max: None,
        asks: false,
    };
    [&request.encode(), &Request::module_head(module.len())[..], module].concat()
}

#[test]
fn it_says_what_it_is() {
    let printed = run(Command::new(WORKER).arg("--version-json")).stdout;
    let version: WorkerVersion = serde_json::from_slice(&printed).expect("a version");
    assert!(version.toolchain.starts_with("LLVM 22."), "{version:?}");
    assert!(version.toolchain.contains(" build ") && !version.toolchain.contains("unknown"), "{version:?}");
    let identity = Worker::at(WORKER).identity().expect("an identity");
    assert_eq!((identity.toolchain, identity.library), (version.toolchain, version.libllvm.into()));
}

#[test]
fn its_help_sends_people_elsewhere() {
    let help = String::from_utf8(run(Command::new(WORKER).arg("--help")).stdout).expect("text");
    assert!(help.contains("larder build"), "{help}");
    let output = Command::new(WORKER).arg("--frobnicate").output().expect("an end");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

#[test]
fn only_frames_are_on_its_output_and_nothing_is_on_the_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let module = b"define i32 @f(i32 %x) { ret i32 %x }";
    let output = feed(&conversation(Some("print<domtree>"), module), directory.path());
    let mut rest = &output.stdout[..];
    let mut last = None;
    while !rest.is_empty() {
        let (kind, payload, after) = split_frame(rest).expect("only frames");
        last = Some(Reply::decode(kind, payload.to_vec()).expect("a reply"));
        rest = after;
    }
    assert!(matches!(last, Some(Reply::Done(_))), "{last:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("DominatorTree"), "the passes print: {stderr}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0);
}

#[test]
fn conversations_that_are_none_end_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = conversation(None, b"define void @f() { ret void }");
    let backwards = FrameHead { kind: FrameKind::Module, payload_len: 0 }.encode();
    let endless = FrameHead { kind: FrameKind::Request, payload_len: 1 << 60 }.encode();
    let promised = [&whole[..whole.len() - 40], &[0; 4][..]].concat();
    for input in [&b""[..], b"hello, worker! how are you?", &backwards, &endless, &promised] {
        let output = feed(input, directory.path());
        assert_eq!(output.status.code(), Some(2), "{:?}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty());
        assert!(!output.stderr.is_empty());
    }
}
