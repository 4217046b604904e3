//! Objects that are kept are not made again, and nobody can tell from the result.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use larder::worker::{CompileError, Compiled, KeptObjects, Limits, Request, Worker};
use larder_format::wire::Split;

use crate::tools::{WORKER, bitcode, request, run, try_compile};

/// Objects in memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<[u8; 32], Vec<u8>>>);

impl Memory {
    fn digests(&self) -> Vec<[u8; 32]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

impl KeptObjects for Memory {
    fn get(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn put(&self, digest: &[u8; 32], object: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, object.to_vec());
    }
}

pub(crate) fn keeping(request: &Request, module: &[u8], kept: &dyn KeptObjects) -> Result<Compiled, CompileError> {
    Worker::at(WORKER).compile_keeping(
        request,
        module,
        &Limits::default(),
        Some(kept),
        &AtomicBool::new(false),
        &mut |_| (),
    )
}

#[test]
fn what_is_kept_is_not_made_again() {
    for (name, flags) in [("parts.c", &[][..]), ("parts.c", &["-g"]), ("parts.cpp", &[])] {
        let module = bitcode(name, flags);
        let expected = try_compile(&request("2", 1), &module).expect(name).objects;
        let kept = Memory::default();
        let first = keeping(&request("2", 2), &module, &kept).expect(name);
        assert_eq!((first.kept_count, first.objects.len()), (0, expected.len()), "{name} {flags:?}");
        let second = keeping(&request("2", 3), &module, &kept).expect(name);
        assert_eq!(second.kept_count as usize, expected.len(), "{name} {flags:?}");
        assert!(first.objects == expected && second.objects == expected, "{name} {flags:?}");
    }
}

#[test]
fn other_settings_have_other_digests() {
    let module = bitcode("parts.c", &[]);
    let requests = [
        request("2", 2),
        request("3", 2),
        request("1", 2),
        Request { features: vec!["avx2".to_owned()], ..request("2", 2) },
        Request { split: Split::Groups, ..request("2", 2) },
        Request { passes: Some("mem2reg".to_owned()), ..request("2", 2) },
        Request { passes: Some("function(mem2reg)".to_owned()), ..request("2", 2) },
    ];
    let kept = Memory::default();
    let mut count = 0;
    for request in requests {
        let compiled = keeping(&request, &module, &kept).expect("compiled");
        assert_eq!(compiled.kept_count, 0, "{request:?}");
        count += compiled.objects.len();
    }
    assert_eq!(kept.digests().len(), count);
}

/// A worker that notes its process id.
fn noting(directory: &tempfile::TempDir) -> (Worker, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let (script, id) = (directory.path().join("worker"), directory.path().join("id"));
    std::fs::write(&script, format!("#!/bin/sh\necho $$ >{}\nexec {WORKER}\n", id.display())).expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("made executable");
    (Worker::at(script), id)
}

/// Sends the worker a signal when it asks for the third object.
struct Killer {
    kept: Memory,
    id: PathBuf,
    signal: &'static str,
    asked: AtomicUsize,
}

impl Killer {
    /// What becomes of a compilation whose worker gets that signal, and what is kept by then.
    fn compile(signal: &'static str, request: &Request, module: &[u8]) -> (Result<Compiled, CompileError>, Memory) {
        let directory = tempfile::tempdir().expect("a directory");
        let (worker, id) = noting(&directory);
        let killer = Killer { kept: Memory::default(), id, signal, asked: AtomicUsize::new(0) };
        let result = worker.compile_keeping(
            request,
            module,
            &Limits::default(),
            Some(&killer),
            &AtomicBool::new(false),
            &mut |_| (),
        );
        (result, killer.kept)
    }
}

impl KeptObjects for Killer {
    fn get(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 2 {
            let id = std::fs::read_to_string(&self.id).expect("a process id");
            run(Command::new("kill").arg(self.signal).arg(id.trim()));
        }
        self.kept.get(digest)
    }

    fn put(&self, digest: &[u8; 32], object: &[u8]) {
        self.kept.put(digest, object);
    }
}

#[test]
fn work_done_before_a_crash_is_not_done_again() {
    let module = bitcode("parts.c", &[]);
    for split in [Split::Whole, Split::Groups] {
        let request = Request { split, ..request("2", 1) };
        let expected = try_compile(&request, &module).expect("compiled").objects;
        assert!(expected.len() > 2, "{}", expected.len());
        let (crashed, kept) = Killer::compile("-KILL", &request, &module);
        assert!(matches!(crashed, Err(CompileError::Crashed { signal: libc::SIGKILL, .. })), "{crashed:?}");
        assert_eq!(kept.digests().len(), 2);
        let repeated = keeping(&request, &module, &kept).expect("compiled");
        assert_eq!(repeated.kept_count, 2);
        assert!(repeated.objects == expected);
    }
}

#[test]
fn an_interrupt_from_the_keyboard_is_the_applications_affair() {
    let module = bitcode("parts.c", &[]);
    let expected = try_compile(&request("2", 1), &module).expect("compiled").objects;
    let (compiled, _) = Killer::compile("-INT", &request("2", 1), &module);
    assert!(compiled.expect("it goes on").objects == expected);
}
