//! What the tests share: a place, a seam, children, and the check that a store is consistent.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use larder_store::{Entry, Key, Lease, Op, Seam, Store, StoreOptions};
use rustix::io::Errno;

pub(crate) const HOUR_MS: u64 = 3_600_000;

pub(crate) fn key(n: u8) -> Key {
    Key([n; 32])
}

/// Content that tells its key, length and position: a mixture of two entries, or half of one, is no entry's content.
pub(crate) fn content(n: u8, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    for at in 0..=len as u64 / 8 {
        bytes.extend_from_slice(&(at << 8 | u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn open(dir: &Path) -> Store {
    Store::open(StoreOptions::new(dir)).unwrap()
}

pub(crate) fn open_behind(dir: &Path, seam: &Arc<Script>) -> Store {
    Store::open(StoreOptions::new(dir).seam(seam.clone())).unwrap()
}

pub(crate) fn lease<'s>(store: &'s Store, key: &Key) -> Lease<'s> {
    store.lease(key).unwrap()
}

pub(crate) fn publish(store: &Store, n: u8, bytes: &[u8]) -> Entry {
    lease(store, &key(n)).publish(&[bytes]).unwrap()
}

pub(crate) fn bytes_of(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.file().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The names in one of the store's directories.
pub(crate) fn names(dir: &Path, inner: &str) -> Vec<String> {
    let Ok(found) = fs::read_dir(dir.join("v1").join(inner)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = found.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// After a `gc` nothing is left but entries, and receipts of entries.
pub(crate) fn assert_nothing_stale(dir: &Path, when: &str) {
    assert_eq!(names(dir, "temp"), [""; 0], "{when}");
    assert_eq!(names(dir, "locks"), [""; 0], "{when}");
    let entries = names(dir, "entries");
    assert!(names(dir, "receipts").iter().all(|receipt| entries.contains(receipt)), "{when}");
}

/// What a [`Script`] does when its countdown ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Go,
    FailOnce(Errno),
    FailFromNowOn(Errno),
    FailWrites(Errno),
    Die,
}

/// A seam that lets `left` operations pass, and then acts; it also keeps a log and a clock.
#[derive(Debug)]
pub(crate) struct Script {
    left: AtomicU64,
    then: Then,
    now_ms: AtomicU64,
    log: Mutex<Vec<Op>>,
}

impl Script {
    pub(crate) fn new(left: u64, then: Then) -> Arc<Script> {
        Arc::new(Script { left: left.into(), then, now_ms: 0.into(), log: Mutex::default() })
    }

    /// A seam that only logs and tells the time.
    pub(crate) fn clock(now_ms: u64) -> Arc<Script> {
        let script = Script::new(u64::MAX, Then::Go);
        script.set_clock(now_ms);
        script
    }

    pub(crate) fn set_clock(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn take_log(&self) -> Vec<Op> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Seam for Script {
    fn before(&self, op: Op) -> Result<(), Errno> {
        self.log.lock().unwrap().push(op);
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        let writes = matches!(op, Op::Create | Op::Write | Op::Rename | Op::Symlink | Op::Unlink | Op::MakeDir);
        match self.then {
            Then::FailOnce(errno) if left == 1 => Err(errno),
            Then::FailFromNowOn(errno) if left <= 1 => Err(errno),
            Then::FailWrites(errno) if left <= 1 && writes => Err(errno),
            Then::Die if left == 1 => die(),
            _ => Ok(()),
        }
    }

    fn now_ms(&self) -> Option<u64> {
        Some(self.now_ms.load(Ordering::Relaxed)).filter(|now| *now > 0)
    }
}

/// As `kill -9` would have it: no destructor, no flush.
fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    unreachable!("the signal ends this process before the call returns");
}

const ROLE: &str = "LARDER_STORE_TEST_ROLE";
const PLACE: &str = "LARDER_STORE_TEST_PLACE";
const STEP: &str = "LARDER_STORE_TEST_STEP";

/// This program again, as a child that plays `role` in the store at `dir`. Its standard streams are pipes.
pub(crate) fn child(role: &str, dir: &Path, step: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "scene::play", "--nocapture", "--quiet"]);
    command.env(ROLE, role).env(PLACE, dir).env(STEP, step.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// In a child: plays its role. In the parent: passes.
#[test]
fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let dir = std::env::var(PLACE).unwrap();
    let step = std::env::var(STEP).unwrap().parse().unwrap();
    match role.as_str() {
        "crash" => super::crash::scenario(Path::new(&dir), step),
        "member" => super::crowd::member(Path::new(&dir)),
        "holder" => super::crowd::holder(Path::new(&dir)),
        "waiter" => super::crowd::waiter(Path::new(&dir)),
        other => panic!("no such role: {other}"),
    }
}
