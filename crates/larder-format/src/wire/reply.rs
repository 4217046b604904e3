//! What the worker answers.

use serde::{Deserialize, Serialize};

use super::{FrameHead, FrameKind, PointerUse, Request, SessionObject, Symbols, WireError, from_json, json_frame};

/// A step of the worker, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Bytes to a module.
    Parse,
    /// Is it valid, and can it become an image?
    Verify,
    /// The pass pipeline, as far as it looks at the whole module.
    Optimise,
    /// The module to partitions.
    Split,
    /// The module to groups of functions, instead of the two before.
    Group,
    /// What is left of the pipeline, and machine code.
    Generate,
}

/// How far the worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The step it is in.
    pub phase: Phase,
    /// How many of `total` are done: functions, or partitions.
    pub done: u32,
    /// At least `done`.
    pub total: u32,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The module can't be compiled.
    Error,
    /// It can.
    Warning,
    /// What the optimiser did.
    Remark,
    /// Explains the one before.
    Note,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Remark => "remark",
            Severity::Note => "note",
        })
    }
}

/// What LLVM says of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// LLVM's words.
    pub message: String,
    /// Name of the module or of a source file; empty if unknown.
    pub file: String,
    /// Line, from 1; 0 if unknown.
    pub line: u32,
    /// Column, from 1; 0 if unknown.
    pub column: u32,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if self.line != 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        let gap = if self.file.is_empty() && self.line == 0 { "" } else { " " };
        write!(f, "{gap}{}: {}", self.severity, self.message)
    }
}

/// One relocatable ELF object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What errors call it; the same for the same input.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Whether the client has the object of a part already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The part's number, which its answer repeats.
    pub part: u32,
    /// What the object will be called.
    pub name: String,
    /// BLAKE3 of everything that the object is made from: equal digests, equal objects.
    pub digest: [u8; 32],
}

/// How long a phase took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// When it began: what the system's monotonic clock said, in nanoseconds.
    pub since_ns: u64,
    /// Wall-clock time in microseconds.
    pub time_us: u64,
}

/// How long it took to make the object of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTime {
    /// What the object is called.
    pub name: String,
    /// Length of the object in bytes.
    pub len: u64,
    /// The thread that made it: 0 is the one of the phases.
    pub thread: u32,
    /// As in [`PhaseTime`].
    pub since_ns: u64,
    /// Wall-clock time in microseconds.
    pub time_us: u64,
}

/// All objects were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Phases in the order in which they ran.
    pub timings: Vec<PhaseTime>,
    /// Parts whose objects were made, in the order in which they were done.
    pub parts: Vec<PartTime>,
    /// See [`WorkerVersion::toolchain`].
    pub toolchain: String,
    /// CPU features that every machine must have: what was asked for, if code was made for it, and what all functions need. LLVM's names, sorted.
    pub required_features: Vec<String>,
    /// Features that only some functions need: the module chooses at run time. LLVM's names, sorted.
    pub dispatched_features: Vec<String>,
    /// Objects that were sent, or that the client had.
    pub partition_count: u32,
    /// Objects that only the client's process has.
    pub session_objects: Vec<SessionObject>,
    /// Where raw addresses were found.
    pub pointers: Vec<PointerUse>,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The module's: diagnostics say where.
    Malformed,
    /// The module's: valid, but for another machine.
    Unsupported,
    /// The request's: a feature or a pipeline that isn't one.
    Request,
    /// LLVM gave up.
    Fatal,
    /// The limit was too low.
    Memory,
}

/// There will be no objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What happened; for [`FailureKind::Malformed`] the diagnostics say more.
    pub message: String,
}

/// What `larder-worker --version-json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerVersion {
    /// Version of the frames it speaks.
    pub wire_version: u16,
    /// Everything that reaches generated code apart from the request: LLVM's version and build, the worker's own behaviour.
    pub toolchain: String,
    /// The libLLVM file that the worker runs on.
    pub libllvm: String,
}

/// Any frame from the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// How far it is.
    Progress(Progress),
    /// What LLVM says.
    Diagnostic(Diagnostic),
    /// A result.
    Object(Object),
    /// What a module defines and needs.
    Symbols(Symbols),
    /// The module without the addresses that were in it, as bitcode.
    Module(Vec<u8>),
    /// Perhaps there is no need to make one.
    Question(Question),
    /// The end, with all objects sent.
    Done(Done),
    /// The end, without.
    Failed(Failed),
}

impl Reply {
    /// The reply's frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Reply::Progress(progress) => json_frame(FrameKind::Progress, progress),
            Reply::Diagnostic(diagnostic) => json_frame(FrameKind::Diagnostic, diagnostic),
            Reply::Object(object) => object.encode(),
            Reply::Symbols(symbols) => json_frame(FrameKind::Symbols, symbols),
            Reply::Module(bytes) => [&Request::module_head(bytes.len())[..], bytes].concat(),
            Reply::Question(question) => json_frame(FrameKind::Question, question),
            Reply::Done(done) => json_frame(FrameKind::Done, done),
            Reply::Failed(failed) => json_frame(FrameKind::Failed, failed),
        }
    }

    /// The reply in a payload of that kind.
    pub fn decode(kind: FrameKind, payload: Vec<u8>) -> Result<Self, WireError> {
        Ok(match kind {
            FrameKind::Progress => Reply::Progress(from_json(kind, &payload)?),
            FrameKind::Diagnostic => Reply::Diagnostic(from_json(kind, &payload)?),
            FrameKind::Object => Reply::Object(Object::decode(payload)?),
            FrameKind::Symbols => Reply::Symbols(from_json(kind, &payload)?),
            FrameKind::Done => Reply::Done(from_json(kind, &payload)?),
            FrameKind::Failed => Reply::Failed(from_json(kind, &payload)?),
            FrameKind::Question => Reply::Question(from_json(kind, &payload)?),
            FrameKind::Module => Reply::Module(payload),
            FrameKind::Request | FrameKind::ModulesRequest | FrameKind::Answer => {
                return Err(WireError::Kind(kind.number()));
            }
        })
    }
}

impl Object {
    fn encode(&self) -> Vec<u8> {
        let payload_len = (4 + self.name.len() + self.bytes.len()) as u64;
        let mut frame = FrameHead { kind: FrameKind::Object, payload_len }.encode().to_vec();
        frame.extend((self.name.len() as u32).to_le_bytes());
        frame.extend(self.name.as_bytes());
        frame.extend(&self.bytes);
        frame
    }

    fn decode(mut payload: Vec<u8>) -> Result<Self, WireError> {
        let wrong = |message: &str| WireError::Payload { kind: FrameKind::Object, message: message.to_owned() };
        let (length, rest) = payload.split_first_chunk::<4>().ok_or_else(|| wrong("no length of the name"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let name = rest.get(..length).ok_or_else(|| wrong("the name is cut short"))?;
        let name = str::from_utf8(name).map_err(|_| wrong("the name isn't UTF-8"))?.to_owned();
        payload.drain(..4 + length);
        Ok(Object { name, bytes: payload })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::{PointerFate, split_frame};

    pub(in crate::wire) fn samples() -> Vec<Reply> {
        vec![
            Reply::Progress(Progress { phase: Phase::Generate, done: 1, total: 3 }),
            Reply::Diagnostic(Diagnostic {
                severity: Severity::Error,
                message: "expected type".to_owned(),
                file: "prog.ll".to_owned(),
                line: 3,
                column: 9,
            }),
            Reply::Object(Object { name: "part 1".to_owned(), bytes: vec![1, 2, 3] }),
            Reply::Question(Question { part: 3, name: "part3.o".to_owned(), digest: [7; 32] }),
            Reply::Done(Done {
                timings: vec![PhaseTime { phase: Phase::Parse, since_ns: 9, time_us: 12 }],
                parts: vec![PartTime { name: "part0.o".to_owned(), len: 7, thread: 1, since_ns: 9, time_us: 12 }],
                toolchain: "LLVM 22".to_owned(),
                required_features: vec!["sse2".to_owned()],
                dispatched_features: vec![],
                partition_count: 1,
                session_objects: vec![SessionObject { name: "session.0".to_owned(), address: 1 << 46 }],
                pointers: vec![PointerUse {
                    function: "f".to_owned(),
                    fate: PointerFate::SessionOnly,
                    why: "0x400000000000 is in no named region".to_owned(),
                }],
            }),
            Reply::Module(b"BC".to_vec()),
            Reply::Failed(Failed { kind: FailureKind::Fatal, message: "Cannot select".to_owned() }),
        ]
    }

    #[test]
    fn come_back_as_they_were() {
        for reply in samples() {
            let frame = reply.encode();
            let (kind, payload, rest) = split_frame(&frame).expect("a frame");
            assert!(rest.is_empty());
            assert_eq!(Reply::decode(kind, payload.to_vec()), Ok(reply));
        }
    }

    #[test]
    fn requests_are_no_replies() {
        assert_eq!(Reply::decode(FrameKind::Request, vec![]), Err(WireError::Kind(1)));
    }

    #[test]
    fn a_diagnostic_says_where() {
        let Reply::Diagnostic(mut diagnostic) = samples().swap_remove(1) else { panic!("a diagnostic") };
        assert_eq!(diagnostic.to_string(), "prog.ll:3:9: error: expected type");
        diagnostic.line = 0;
        assert_eq!(diagnostic.to_string(), "prog.ll: error: expected type");
        diagnostic.file.clear();
        assert_eq!(diagnostic.to_string(), "error: expected type");
    }
}
