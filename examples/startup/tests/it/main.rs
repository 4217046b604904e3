//! The example as its README shows it, with fewer rules: a start that is stopped, one that goes on, one that compiles nothing.

use larder::{Larder, Settings, StorePlace};
use larder_programs::{commands, masked};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const RULES: &str = "1000";

/// Where cargo puts the worker: beside the example.
fn worker() -> PathBuf {
    std::env::var_os("LARDER_WORKER")
        .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_startup")).with_file_name("larder-worker"), PathBuf::from)
}

fn start(store: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_startup"));
    command.arg(RULES).env("LARDER_DIR", store).env("LARDER_WORKER", worker()).env_remove("LARDER_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the example")
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("its output")
}

/// What the README says that the example prints, start by start.
fn promised() -> Vec<Vec<String>> {
    commands(include_str!("../../README.md")).into_iter().map(|(_, printed)| masked(printed)).collect()
}

fn printed(output: &Output) -> Vec<String> {
    masked(&String::from_utf8_lossy(&output.stdout))
}

/// Whether the store has the object of some part by now.
fn has_begun(store: &Path) -> bool {
    let mut settings = Settings::default();
    settings.store = StorePlace::Dir(store.to_owned());
    Larder::open(settings).store().is_ok_and(|store| store.list().is_ok_and(|entries| !entries.is_empty()))
}

#[test]
fn a_start_that_is_stopped_one_that_goes_on_and_one_that_compiles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut stopped = start(dir.path());
    while !has_begun(dir.path()) {
        assert!(stopped.try_wait().expect("its state").is_none(), "it ended before it was stopped");
        std::thread::yield_now();
    }
    let interrupt = Command::new("kill").args(["-INT", &stopped.id().to_string()]).status();
    assert!(interrupt.expect("kill").success());
    let (stopped, first, second) = (end(stopped), end(start(dir.path())), end(start(dir.path())));
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    assert!(first.status.success() && second.status.success(), "{first:?}\n{second:?}");
    assert_eq!([&stopped, &first, &second].map(printed).to_vec(), promised());

    let words = String::from_utf8_lossy(&first.stdout).into_owned();
    let parts = words.lines().find(|line| line.contains("parts")).expect("a line about parts");
    assert!(!parts.contains(", 0 before"), "what was compiled before it was stopped was lost: {parts}");
    for output in [&first, &second] {
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        let says = words.lines().last().expect("a line about a rule");
        let (applied, interpreted) = says.split_once(", and interpreted ").expect("both");
        assert!(applied.ends_with(&format!(" {interpreted}")), "{says}");
    }
}
