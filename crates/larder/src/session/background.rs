//! Compiling while the host goes on.

use super::{Code, Session};
use crate::error::Error;
use crate::larder::Progress;
use crate::options::CompileOptions;
use crate::program::Program;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How far a load in the background is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// What is done, in a word: "look up" at first, then the worker's phases.
    pub phase: String,
    /// How much of the compilation is done, from 0 to 1.
    pub fraction: f32,
    /// For how long another process has been compiling the same, if it does.
    pub waiting: Option<Duration>,
}

#[derive(Debug)]
struct Watched {
    status: Mutex<Status>,
    cancelled: AtomicBool,
}

/// Code on its way. Dropping it gives the load up, as [`Loading::cancel`] does.
#[derive(Debug)]
pub struct Loading {
    watched: Arc<Watched>,
    /// There until somebody waits for it.
    thread: Option<JoinHandle<Result<Code, Error>>>,
}

impl Session {
    /// As [`Session::load_or_compile`], on a thread of its own. `program` runs on that thread, too, and so do closures of what it returns and
    /// the initialisers of the code.
    ///
    /// # Safety
    /// As for [`Session::load_or_compile`].
    ///
    /// # Errors
    /// [`Error::Thread`] if there can't be one more thread.
    pub unsafe fn load_in_background(
        &self,
        program: impl FnOnce() -> Program<'static> + Send + 'static,
        options: &CompileOptions,
    ) -> Result<Loading, Error> {
        let status = Status { phase: "look up".to_owned(), ..Status::default() };
        let watched = Arc::new(Watched { status: Mutex::new(status), cancelled: AtomicBool::new(false) });
        let (session, options, seen) = (self.clone(), options.clone(), Arc::clone(&watched));
        let load = move || {
            let mut progress = |progress: Progress<'_>| seen.note(&progress);
            // SAFETY: the caller's promise.
            unsafe { session.load(program(), &options, &seen.cancelled, &mut progress) }
        };
        let thread = Builder::new().name("larder".to_owned()).spawn(load).map_err(|source| Error::Thread { source })?;
        Ok(Loading { watched, thread: Some(thread) })
    }
}

impl Watched {
    fn note(&self, progress: &Progress<'_>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        *status = match progress {
            Progress::Compiling { phase, fraction, .. } => {
                Status { phase: (*phase).to_owned(), fraction: *fraction, waiting: None }
            }
            Progress::Waiting { waited, .. } => Status { waiting: Some(*waited), ..status.clone() },
        };
    }
}

impl Loading {
    /// How far it is.
    pub fn status(&self) -> Status {
        self.watched.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether [`Loading::wait`] answers at once.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Gives it up: a worker that compiles for it is ended, and [`Loading::wait`] answers [`Error::Cancelled`], unless the code was done already.
    /// What was compiled so far is kept, and the next start goes on from there.
    pub fn cancel(&self) {
        self.watched.cancelled.store(true, Ordering::Relaxed);
    }

    /// The code, once it is there.
    ///
    /// # Errors
    /// As [`Session::load_or_compile`]; [`Error::Cancelled`].
    ///
    /// # Panics
    /// If a closure or an initialiser panicked: goes on with that panic.
    pub fn wait(mut self) -> Result<Code, Error> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Error::Cancelled),
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.cancel();
    }
}
