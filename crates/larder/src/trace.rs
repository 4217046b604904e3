//! A trace of what happens, for Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing`: a file in the *Trace Event Format*.
//!
//! The file is whole after each event, however the process ends: an event is written over the brackets that end the file, together with new
//! ones, in one call. It is opened by its name each time, so that the process has no file open for it.

use crate::observe::{Event, Observer};
use crate::phases::{Detail, Place, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What stands before all events, and behind them.
const HEAD: &str = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
const TAIL: &str = "\n]}\n";

/// A file that gets a trace. Clones write to the same one; forked processes write nothing.
#[derive(Debug, Clone)]
pub struct TraceFile(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Where the next event goes.
    end: u64,
    is_first: bool,
    process: u32,
    /// Workers that were given a name.
    workers: BTreeSet<u32>,
    /// A moment, and what the system's monotonic clock said then.
    clock: (Instant, Duration),
}

impl TraceFile {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn create(path: impl AsRef<Path>) -> std::io::Result<TraceFile> {
        let path = std::path::absolute(path)?;
        let clock = (Instant::now(), monotonic());
        let inner = Inner {
            end: HEAD.len() as u64,
            is_first: true,
            process: std::process::id(),
            workers: BTreeSet::new(),
            clock,
            path,
        };
        let file = File::create(&inner.path)?;
        file.write_all_at(format!("{HEAD}{TAIL}").as_bytes(), 0)?;
        let trace = TraceFile(Arc::new(Mutex::new(inner)));
        trace.lock().name_process(std::process::id(), "larder");
        Ok(trace)
    }

    /// An observer that writes all there is to hear.
    pub fn observer(&self) -> Observer {
        let trace = self.clone();
        Observer::with_spans(move |event| trace.note(event))
    }

    /// Writes an event: for hosts whose observer does more than that. What can't be written is left out.
    pub fn note(&self, event: &Event<'_>) {
        match event {
            Event::Span { span } => self.lock().span(span),
            other => {
                let name = other.kind();
                self.lock().instant(name, &other.to_string());
            }
        }
    }

    /// Notes that something begins on this thread, which [`TraceFile::end`] ends; if the process ends before, the trace shows it open.
    pub fn begin(&self, name: &str) {
        self.lock().mark("B", name);
    }

    /// Notes that what was begun last on this thread has ended.
    pub fn end(&self, name: &str) {
        self.lock().mark("E", name);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn span(&mut self, span: &Span<'_>) {
        let (process, thread) = match span.place {
            Place::Here => (self.process, thread()),
            Place::Worker { process, thread } => (process, u64::from(thread)),
        };
        if process != self.process && self.workers.insert(process) {
            self.name_process(process, "larder-worker");
        }
        let details: Map<String, Value> =
            span.details.iter().map(|(name, detail)| ((*name).to_owned(), value(detail))).collect();
        self.write(&json!({
            "name": span.name, "cat": "larder", "ph": "X", "pid": process, "tid": thread,
            "ts": self.microseconds(span.since), "dur": nanoseconds(span.time), "args": details,
        }));
    }

    fn instant(&mut self, name: &str, text: &str) {
        self.write(&json!({
            "name": name, "cat": "larder", "ph": "i", "s": "t", "pid": self.process, "tid": thread(),
            "ts": self.microseconds(Instant::now()), "args": {"text": text},
        }));
    }

    fn mark(&mut self, kind: &str, name: &str) {
        let ts = self.microseconds(Instant::now());
        self.write(&json!({
            "name": name, "cat": "larder", "ph": kind, "pid": self.process, "tid": thread(), "ts": ts,
        }));
    }

    fn name_process(&mut self, process: u32, name: &str) {
        self.write(&json!({"name": "process_name", "ph": "M", "pid": process, "args": {"name": name}}));
    }

    /// Microseconds since the system's monotonic clock began, which all of its processes share.
    fn microseconds(&self, moment: Instant) -> f64 {
        let (then, clock) = self.clock;
        nanoseconds(if moment >= then { clock + (moment - then) } else { clock.saturating_sub(then - moment) })
    }

    fn write(&mut self, event: &Value) {
        if std::process::id() != self.process {
            return;
        }
        let text = if self.is_first { event.to_string() } else { format!(",\n{event}") };
        let file = OpenOptions::new().write(true).open(&self.path);
        if file.and_then(|file| file.write_all_at(format!("{text}{TAIL}").as_bytes(), self.end)).is_ok() {
            self.end += text.len() as u64;
            self.is_first = false;
        }
    }
}

fn value(detail: &Detail) -> Value {
    match detail {
        Detail::Number(number) => json!(number),
        Detail::Text(text) => json!(text),
    }
}

/// Microseconds, with what is left below.
fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

/// What the system calls this thread.
fn thread() -> u64 {
    u64::from(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs())
}

fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
