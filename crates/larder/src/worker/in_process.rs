//! Compiling on threads of this process, for applications that hold LLVM anyway and ship no worker.
//!
//! The conversation is the same, word for word; only the other side is a thread. What that costs stands in
//! [`Worker::in_process`](super::Worker::in_process): LLVM's faults are the application's, and nobody can kill a thread. One that nobody
//! waits for any more learns of it, leaves out what can be left out, and ends by itself.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use larder_format::wire::{Failed, FailureKind, Reply};
use larder_llvm::{Host, Toolchain};

use super::peer::{GRACE, Pipes, send_all};
use super::{CompileError, Identity};

/// What this process compiles with.
pub(super) fn identity() -> Result<Identity, CompileError> {
    let toolchain = Toolchain::current().map_err(|error| CompileError::Here { message: error.to_string() })?;
    Ok(Identity { toolchain: toolchain.name, library: toolchain.libllvm })
}

/// The thread of a conversation, as its client sees it.
#[derive(Debug)]
pub(super) struct Service {
    /// The client's end of the stream of replies.
    replies: UnixStream,
    is_awaited: Arc<AtomicBool>,
    /// Disconnected when the thread is done.
    done: Receiver<()>,
}

impl Service {
    pub(super) fn start() -> io::Result<(Service, Pipes)> {
        let (stdin, requests) = UnixStream::pair()?;
        let (stdout, theirs) = UnixStream::pair()?;
        let (replies, is_awaited) = (stdout.try_clone()?, Arc::new(AtomicBool::new(true)));
        let here = Here { replies: Mutex::new(theirs), is_awaited: Arc::clone(&is_awaited) };
        let (alive, done) = channel::<()>();
        let serve = move || {
            let _alive = alive;
            larder_llvm::register();
            if let Err(error) = larder_llvm::serve(requests, &here) {
                here.send(&Reply::Failed(Failed { kind: FailureKind::Fatal, message: error.to_string() }));
            }
        };
        Builder::new().name("larder-llvm".to_owned()).spawn(serve)?;
        let pipes = Pipes { stdin, stdout: Box::new(stdout), stderr: Box::new(io::empty()) };
        Ok((Service { replies, is_awaited, done }, pipes))
    }

    /// Says that nobody waits any more, and waits a while until the thread has taken notice. After that it is left alone.
    pub(super) fn end(&self) {
        self.is_awaited.store(false, Ordering::Relaxed);
        // A stream that is closed already needs no closing.
        let _ = self.replies.shutdown(Shutdown::Both);
        // It is never sent to: what comes is the end of the thread, or of the patience.
        let _ = self.done.recv_timeout(GRACE);
    }
}

/// This process, as the thread sees it.
struct Here {
    replies: Mutex<UnixStream>,
    is_awaited: Arc<AtomicBool>,
}

impl Host for Here {
    fn send(&self, reply: &Reply) {
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if send_all(&replies, &reply.encode()).is_err() {
            self.is_awaited.store(false, Ordering::Relaxed);
        }
    }

    fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    /// A limit would be the whole application's.
    fn limit_memory(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn ends(&self) -> bool {
        false
    }
}
