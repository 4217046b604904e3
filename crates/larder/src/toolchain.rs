//! Which program would generate the code, learnt without starting it.
//!
//! The toolchain's version is part of every key, so a hit must know it; starting the worker to ask would cost more than the hit. The
//! answer is remembered as a note in the store, under the state of the worker's file and together with the state of the library
//! that holds LLVM: two `stat`s and one `readlink` tell that neither has changed.
//!
//! Where only images are shipped there is no worker. Then the store's last known toolchain is taken: what is in the store was made
//! by it.

use crate::worker::{CompileError, Identity, Worker};
use larder_store::{FileIdentity, Store};
use std::path::Path;

/// The note that holds the toolchain which last compiled something.
const LAST: &str = "toolchain";

/// The toolchain's name and version.
pub(crate) fn toolchain(worker: &Result<Worker, CompileError>, store: Option<&Store>) -> Result<String, CompileError> {
    let found = worker
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|worker| remembered(worker, store).map_or_else(|| ask(worker, store), Ok));
    found.or_else(|why| store.and_then(|store| store.recall_note(LAST).ok().flatten()).ok_or(why))
}

fn remembered(worker: &Worker, store: Option<&Store>) -> Option<String> {
    let note = store?.recall_note(&note_of(worker)?).ok()??;
    let mut parts = note.splitn(3, '\n');
    let (toolchain, state, library) = (parts.next()?, parts.next()?, parts.next()?);
    let now = FileIdentity::at(Path::new(library)).ok()?;
    (digest_of(&now) == state).then(|| toolchain.to_owned())
}

fn ask(worker: &Worker, store: Option<&Store>) -> Result<String, CompileError> {
    let identity = worker.identity()?;
    if let Some(store) = store {
        // A note that can't be written costs the next start a question to the worker.
        let _ = remember(store, worker, &identity);
    }
    Ok(identity.toolchain)
}

fn remember(store: &Store, worker: &Worker, identity: &Identity) -> Option<()> {
    let Identity { toolchain, library } = identity;
    let state = digest_of(&FileIdentity::at(library).ok()?);
    store.note(&note_of(worker)?, &format!("{toolchain}\n{state}\n{}", library.to_str()?)).ok()?;
    store.note(LAST, toolchain).ok()
}

fn note_of(worker: &Worker) -> Option<String> {
    Some(format!("worker-{}", digest_of(&FileIdentity::at(worker.path()).ok()?)))
}

fn digest_of(identity: &FileIdentity) -> String {
    let FileIdentity { dev, ino, size, mtime_ns, ctime_ns } = identity;
    let text = format!("{dev}.{ino}.{size}.{mtime_ns}.{ctime_ns}");
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
