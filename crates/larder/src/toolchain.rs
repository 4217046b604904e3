//! Which program would generate the code, learnt without starting it.
//!
//! The toolchain's version is part of every key, so a hit must know it; starting the worker to ask would cost more than the hit. The
//! answer is remembered as a note in the store, under the state of the worker's file and together with the state of the library
//! that holds LLVM: two `stat`s and one `readlink` tell that neither has changed.
//!
//! A process that has asked once looks for hits under that answer, which is right whatever was installed since: code that such a toolchain made. Only
//! before something is compiled it asks again. A process that compiles by itself knows what it is, and asks no note.
//!
//! Where only images are shipped there is no worker. Then the store's last known toolchain is taken: what is in the store was made
//! by it.

use crate::worker::{CompileError, Identity, Worker};
use larder_store::{FileIdentity, Store};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The note that holds the toolchain which last compiled something.
const LAST: &str = "toolchain";

/// What this process knows of the toolchain.
#[derive(Debug, Default)]
pub(crate) struct Toolchain(Mutex<Option<String>>);

impl Toolchain {
    /// Whether this process has asked.
    pub(crate) fn is_known(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The toolchain's name and version, as they were when this process asked last.
    pub(crate) fn known(
        &self,
        worker: &Result<Worker, CompileError>,
        store: Option<&Store>,
    ) -> Result<String, CompileError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(|| self.now(worker, store), Ok)
    }

    /// The toolchain's name and version, as they are now.
    pub(crate) fn now(
        &self,
        worker: &Result<Worker, CompileError>,
        store: Option<&Store>,
    ) -> Result<String, CompileError> {
        let now = toolchain(worker, store)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.clone());
        Ok(now)
    }
}

fn toolchain(worker: &Result<Worker, CompileError>, store: Option<&Store>) -> Result<String, CompileError> {
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
    if store.recall_note(LAST).ok()?.as_ref() != Some(toolchain) {
        store.note(LAST, toolchain).ok()?;
    }
    let state = digest_of(&FileIdentity::at(library).ok()?);
    store.note(&note_of(worker)?, &format!("{toolchain}\n{state}\n{}", library.to_str()?)).ok()
}

fn note_of(worker: &Worker) -> Option<String> {
    Some(format!("worker-{}", digest_of(&FileIdentity::at(worker.path()?).ok()?)))
}

fn digest_of(identity: &FileIdentity) -> String {
    let FileIdentity { dev, ino, size, mtime_ns, ctime_ns } = identity;
    let text = format!("{dev}.{ino}.{size}.{mtime_ns}.{ctime_ns}");
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
