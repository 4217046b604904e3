//! The program's own time in a trace: from its constructors to its last exit handler.
//!
//! It is begun before anything of the program runs, so a program that ends in another way than by `exit` is seen to have run.

use larder::TraceFile;
use std::sync::OnceLock;

/// What the span is called.
const NAME: &str = "program";

static TRACE: OnceLock<TraceFile> = OnceLock::new();

/// Notes that the program begins, and that it has ended once its exit handlers have run.
pub(crate) fn begin(trace: TraceFile) {
    trace.begin(NAME);
    if TRACE.set(trace).is_ok() {
        // SAFETY: the function is there to the end of the process. Without room for it the span stays open.
        unsafe { libc::atexit(end) };
    }
}

extern "C" fn end() {
    if let Some(trace) = TRACE.get() {
        trace.end(NAME);
    }
}
