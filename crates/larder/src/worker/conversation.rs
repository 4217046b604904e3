//! One conversation with one worker.
//!
//! Each pipe has a thread: one writes the request, the module and answers, one reads frames, one keeps the end of what the worker
//! prints. Another keeps objects, since a disk takes its time. The calling thread waits for frames with a deadline. At the end, of whatever
//! kind, the other side is ended, so that the pipes close and the threads end.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use larder_format::wire::{
    Answer, Diagnostic, Done, Failed, FailureKind, FrameHead, HEAD_LEN, Object, PartTime, PhaseTime, Question, Reply,
    Request, Severity,
};

use rustix::time::{ClockId, clock_gettime};

use super::peer::{Peer, send_all};
use super::{CompileError, Compiled, KeptObjects, Limits, Step, Worker, WorkerTime};

/// How much of what the worker prints is kept, in bytes.
const STDERR_LEN_MAX: usize = 16 << 10;
/// How long a worker may take to say what it is: a hundred times what it needs. More than this it has no reason to say.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const ANSWER_LEN_MAX: u64 = 1 << 20;
/// How soon a compilation ends that nobody waits for any more.
const ATTENTION: Duration = Duration::from_millis(50);
/// As good as no deadline, and still a point in time.
pub(super) const LONG: Duration = Duration::from_secs(1 << 30);

/// Compiles one module with a worker of its own.
pub(super) fn hold(
    worker: &Worker,
    request: &Request,
    module: &[u8],
    limits: &Limits,
    kept: Option<&dyn KeptObjects>,
    cancelled: &AtomicBool,
    progress: &mut dyn FnMut(Step),
) -> Result<Compiled, CompileError> {
    let deadline = Instant::now() + limits.timeout.unwrap_or(LONG);
    let (mut peer, pipes) = Peer::start(worker)?;
    let process = peer.id();
    let end = thread::scope(|scope| {
        let (sender, replies) = channel();
        let (answers, to_answer) = channel();
        scope.spawn(|| write_frames(pipes.stdin, request, module, to_answer));
        scope.spawn(move || read_replies(pipes.stdout, &sender));
        let stderr = scope.spawn(|| read_tail(pipes.stderr));
        let store = kept.map(|kept| {
            let (objects, to_keep) = channel();
            scope.spawn(move || keep_all(kept, &to_keep));
            Kept { kept, objects, digests: HashMap::new() }
        });
        let compiled = Compiled { process, ..Compiled::default() };
        let mut listener = Listener { replies, answers, deadline, cancelled, store, compiled, progress };
        let heard = listener.listen();
        let compiled = listener.end();
        let signal = peer.end(&heard);
        let stderr = stderr.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        End { heard, signal, stderr, compiled }
    });
    end.judge(worker, limits)
}

/// Writes the request, then answers as they come. A worker that doesn't read on has failed, and its last frame or its signal says
/// why: errors here say less.
fn write_frames(socket: UnixStream, request: &Request, module: &[u8], answers: Receiver<Answer>) {
    let parts = [&request.encode()[..], &Request::module_head(module.len()), module];
    let sent = parts.into_iter().try_for_each(|part| send_all(&socket, part));
    let _ = sent.and_then(|()| answers.into_iter().try_for_each(|answer| send_all(&socket, &answer.encode())));
}

/// Keeps objects as they come, until there are no more.
fn keep_all(kept: &dyn KeptObjects, objects: &Receiver<([u8; 32], Vec<u8>)>) {
    objects.iter().for_each(|(digest, object)| kept.put(&digest, &object));
}

/// What the reading thread passes on: replies, then why there are no more.
pub(super) type Heard = Result<Reply, String>;

pub(super) fn read_replies(mut pipe: impl Read, sender: &Sender<Heard>) {
    loop {
        let reply = read_reply(&mut pipe);
        let last = reply.is_err();
        // The listener leaves first only when it gave the worker up.
        if sender.send(reply).is_err() || last {
            return;
        }
    }
}

fn read_reply(pipe: &mut impl Read) -> Heard {
    let mut head = [0; HEAD_LEN];
    pipe.read_exact(&mut head).map_err(|_| "it ended without an answer".to_owned())?;
    let head = FrameHead::decode(&head).map_err(|error| error.to_string())?;
    let mut payload = Vec::new();
    let length = pipe.take(head.payload_len).read_to_end(&mut payload).map_err(|error| error.to_string())?;
    if (length as u64) < head.payload_len {
        return Err("it ended inside an answer".to_owned());
    }
    Reply::decode(head.kind, payload).map_err(|error| error.to_string())
}

/// The last bytes of what the worker prints, as text.
pub(super) fn read_tail(mut pipe: impl Read) -> String {
    let (mut tail, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..length]);
        let surplus = tail.len().saturating_sub(STDERR_LEN_MAX);
        tail.drain(..surplus);
    }
    String::from_utf8_lossy(&tail).trim_end().to_owned()
}

/// How the worker's answers ended.
pub(super) enum Verdict {
    Done(Done),
    Failed(Failed),
    /// Neither of both came, and why.
    Silence(String),
    TimedOut,
    /// Nobody waits for it any more.
    Cancelled,
}

/// The kept objects, and those of this compilation on their way to them.
struct Kept<'a> {
    kept: &'a dyn KeptObjects,
    objects: Sender<([u8; 32], Vec<u8>)>,
    /// Of objects that were asked for and will come, by their names.
    digests: HashMap<String, [u8; 32]>,
}

impl Kept<'_> {
    /// The object in question, or a note that it will come.
    fn get(&mut self, question: &Question) -> Option<Vec<u8>> {
        let found = self.kept.get(&question.digest);
        if found.is_none() {
            self.digests.insert(question.name.clone(), question.digest);
        }
        found
    }

    fn put(&mut self, object: &Object) {
        if let Some(digest) = self.digests.remove(&object.name) {
            // The thread that keeps objects listens for as long as this sender lives.
            let _ = self.objects.send((digest, object.bytes.clone()));
        }
    }
}

struct Listener<'a> {
    replies: Receiver<Heard>,
    answers: Sender<Answer>,
    deadline: Instant,
    cancelled: &'a AtomicBool,
    store: Option<Kept<'a>>,
    compiled: Compiled,
    progress: &'a mut dyn FnMut(Step),
}

impl Listener<'_> {
    fn listen(&mut self) -> Verdict {
        let mut furthest = 0.0;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.replies.recv_timeout(left.min(ATTENTION)) {
                Ok(Ok(Reply::Progress(progress))) => {
                    let step = Step::from(progress);
                    // Threads report as they come; what a person sees never goes back.
                    furthest = step.fraction.max(furthest);
                    (self.progress)(Step { fraction: furthest, ..step });
                }
                Ok(Ok(Reply::Diagnostic(diagnostic))) => self.compiled.warnings.push(diagnostic),
                Ok(Ok(Reply::Object(object))) => {
                    if let Some(store) = &mut self.store {
                        store.put(&object);
                    }
                    self.compiled.objects.push((object.name, object.bytes));
                }
                Ok(Ok(Reply::Module(bytes))) => self.compiled.rescued = Some(bytes),
                Ok(Ok(Reply::Question(question))) => self.answer(question),
                Ok(Ok(Reply::Done(done))) => return Verdict::Done(done),
                Ok(Ok(Reply::Failed(failed))) => return Verdict::Failed(failed),
                Ok(Ok(Reply::Symbols(_))) => return Verdict::Silence("it answers another question".to_owned()),
                Ok(Err(why)) => return Verdict::Silence(why),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Verdict::TimedOut,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Verdict::Silence("it was cut off".to_owned()),
            }
            if self.cancelled.load(Ordering::Relaxed) {
                return Verdict::Cancelled;
            }
        }
    }
}

impl Listener<'_> {
    fn answer(&mut self, question: Question) {
        let found = self.store.as_mut().and_then(|store| store.get(&question));
        // A worker that hears no more answers is about to be found dead.
        let _ = self.answers.send(Answer { part: question.part, is_kept: found.is_some() });
        if let Some(bytes) = found {
            self.compiled.kept_count += 1;
            self.compiled.objects.push((question.name, bytes));
        }
    }

    /// What came of it. Lets the threads end that wait for more.
    fn end(self) -> Compiled {
        self.compiled
    }
}

/// What the worker's program prints in reply to `argument`, if it says all of it in time.
pub(super) fn ask(worker: &Worker, program: &Path, argument: &str) -> Result<Vec<u8>, CompileError> {
    let mut command = Command::new(program);
    let command = command.arg(argument).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| worker.start_error(&error))?;
    let stdout = child.stdout.take();
    let (sender, printed) = channel();
    // The thread ends with the child, which is killed below.
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            // What was read until an error is judged by who asked.
            let _ = stdout.take(ANSWER_LEN_MAX).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    let answer = printed.recv_timeout(ANSWER_TIME_MAX);
    let _ = child.kill();
    let _ = child.wait();
    if answer.is_ok() {
        let _ = reader.join();
    }
    answer.map_err(|_| worker.protocol(format!("it says nothing to {argument}"), b""))
}

/// All that is known about a worker that is gone.
pub(super) struct End {
    pub(super) heard: Verdict,
    /// That ended it, if one did.
    pub(super) signal: Option<i32>,
    pub(super) stderr: String,
    pub(super) compiled: Compiled,
}

impl End {
    pub(super) fn judge(self, worker: &Worker, limits: &Limits) -> Result<Compiled, CompileError> {
        let End { heard, signal, stderr, compiled } = self;
        match heard {
            Verdict::Done(done) => finish(compiled, done).map_err(|why| worker.protocol(why, stderr.as_bytes())),
            Verdict::Failed(failed) => Err(failure(failed, compiled.warnings, &stderr, limits)),
            Verdict::Cancelled => Err(CompileError::Cancelled),
            Verdict::TimedOut => Err(CompileError::TimedOut { limit: limits.timeout.unwrap_or(LONG) }),
            Verdict::Silence(why) => Err(match signal {
                Some(signal) => CompileError::Crashed { signal, stderr },
                None => worker.protocol(why, stderr.as_bytes()),
            }),
        }
    }
}

/// Threads send objects as they finish them; their names say the order that the module gives them.
fn finish(mut compiled: Compiled, done: Done) -> Result<Compiled, String> {
    let Done {
        timings,
        parts,
        toolchain,
        required_features,
        dispatched_features,
        partition_count,
        session_objects,
        pointers,
    } = done;
    if compiled.objects.len() != partition_count as usize {
        return Err(format!("{} of {partition_count} objects came", compiled.objects.len()));
    }
    // `part2.o` comes before `part10.o`.
    compiled.objects.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
    compiled.times = times(&timings, parts);
    compiled.phases = timings.into_iter().map(|time| (super::share(time.phase).0.to_owned(), time.time_us)).collect();
    Ok(Compiled { toolchain, required_features, dispatched_features, session_objects, pointers, ..compiled })
}

/// Times of the worker as times of this process: both read one clock.
fn times(phases: &[PhaseTime], parts: Vec<PartTime>) -> Vec<WorkerTime> {
    let (now, clock) = (Instant::now(), clock_gettime(ClockId::Monotonic));
    let clock = Duration::new(clock.tv_sec.unsigned_abs(), u32::try_from(clock.tv_nsec).unwrap_or_default());
    let since = |ns| now.checked_sub(clock.saturating_sub(Duration::from_nanos(ns))).unwrap_or(now);
    let phases = phases.iter().map(|phase| WorkerTime {
        name: super::share(phase.phase).0.to_owned(),
        thread: 0,
        since: since(phase.since_ns),
        time: Duration::from_micros(phase.time_us),
        len: None,
    });
    let parts = parts.into_iter().map(|part| WorkerTime {
        name: part.name,
        thread: part.thread,
        since: since(part.since_ns),
        time: Duration::from_micros(part.time_us),
        len: Some(part.len),
    });
    phases.chain(parts).collect()
}

fn failure(failed: Failed, mut diagnostics: Vec<Diagnostic>, stderr: &str, limits: &Limits) -> CompileError {
    let message = failed.message;
    match failed.kind {
        FailureKind::Malformed => {
            // The verifier inside LLVM's readers prints its findings instead of reporting them.
            if diagnostics.is_empty() && !stderr.is_empty() {
                diagnostics.push(printed(stderr));
            }
            CompileError::Malformed { message, diagnostics }
        }
        FailureKind::Unsupported => CompileError::Unsupported { message, diagnostics },
        FailureKind::Request => CompileError::Request { message, diagnostics },
        FailureKind::Fatal => CompileError::FatalError { message },
        FailureKind::Memory => CompileError::OutOfMemory { memory_max: limits.memory_max },
    }
}

fn printed(stderr: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Error, message: stderr.to_owned(), file: String::new(), line: 0, column: 0 }
}
