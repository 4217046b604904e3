//! The frames that a client and the worker exchange over the worker's standard input and output.
//!
//! The problem: two programs, perhaps of different builds, and one of them may be killed, run wild or run out of memory between
//! any two bytes. So every frame says what it is and how long, nothing is believed before it was checked, and a reader never
//! allocates what it was merely promised.
//!
//! A conversation: the client sends [`Request`] and the module's bytes; the worker answers any number of [`Progress`],
//! [`Diagnostic`], [`Question`] and [`Object`] frames, then exactly one [`Done`] or [`Failed`], and ends. The client meets each
//! [`Question`], whether it has the object of a part already, with one [`Answer`], in any order; the worker goes on with other
//! parts meanwhile. An object that the client has isn't sent. A module in which addresses of the client's process were found comes back
//! without them, in a frame of its own kind.
//!
//! Another conversation is about several modules: the client sends [`ModulesRequest`] and the bytes of each; the worker answers with a
//! [`Symbols`] frame for each, or with one [`Object`] frame, and ends as above.
//!
//! | bytes | frame head |
//! |---|---|
//! | 0..4 | [`MAGIC`] |
//! | 4..6 | [`VERSION`], little endian |
//! | 6..8 | [`FrameKind`], little endian |
//! | 8..16 | length of the payload in bytes, little endian |
//!
//! Payloads are JSON, except those of [`FrameKind::Module`] (the bytes themselves) and [`FrameKind::Object`] (length of the name
//! as a little-endian `u32`, the name, the bytes).
//!
//! Assumption: both ends are of one release. A frame of another version is an error and not a negotiation, since a worker that
//! doesn't match can't be trusted to mean the same by an option.

mod modules;
mod pointers;
mod reply;
mod request;

pub use modules::{ModulesRequest, ModulesTask, SymbolKind, Symbols};
pub use pointers::{PointerFate, PointerUse, RawPointers, Region, SessionObject, UnknownRawPointers};
pub use reply::{
    Diagnostic, Done, Failed, FailureKind, Object, PartTime, Phase, PhaseTime, Progress, Question, Reply, Severity,
    WorkerVersion,
};
pub use request::{Answer, OptLevel, Request, Split, UnitRequest, UnknownLevel, UnknownSplit};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// First bytes of each frame.
pub const MAGIC: [u8; 4] = *b"LDRW";
/// Version of the frames and of all payloads.
pub const VERSION: u16 = 6;
/// Length of a frame's head in bytes.
pub const HEAD_LEN: usize = 16;
/// The longest JSON payload in bytes.
pub const JSON_LEN_MAX: u64 = 16 << 20;
/// The longest module or object in bytes.
pub const BLOB_LEN_MAX: u64 = 16 << 30;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// [`Request`], to the worker.
    Request,
    /// The module's bytes: to the worker, or from it without the addresses that were in them.
    Module,
    /// [`Progress`], from the worker.
    Progress,
    /// [`Diagnostic`], from the worker.
    Diagnostic,
    /// [`Object`], from the worker.
    Object,
    /// [`Done`], from the worker: the last frame.
    Done,
    /// [`Failed`], from the worker: the last frame.
    Failed,
    /// [`ModulesRequest`], to the worker.
    ModulesRequest,
    /// [`Symbols`], from the worker.
    Symbols,
    /// [`Question`], from the worker.
    Question,
    /// [`Answer`], to the worker.
    Answer,
}

/// Every kind; its number in a frame is its place here, counted from 1.
const KINDS: [FrameKind; 11] = [
    FrameKind::Request,
    FrameKind::Module,
    FrameKind::Progress,
    FrameKind::Diagnostic,
    FrameKind::Object,
    FrameKind::Done,
    FrameKind::Failed,
    FrameKind::ModulesRequest,
    FrameKind::Symbols,
    FrameKind::Question,
    FrameKind::Answer,
];

impl FrameKind {
    /// The longest payload of that kind in bytes.
    pub const fn payload_len_max(self) -> u64 {
        match self {
            FrameKind::Module | FrameKind::Object => BLOB_LEN_MAX,
            _ => JSON_LEN_MAX,
        }
    }

    const fn number(self) -> u16 {
        self as u16 + 1
    }
}

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// What the payload is.
    pub kind: FrameKind,
    /// Length of the payload in bytes, at most [`FrameKind::payload_len_max`].
    pub payload_len: u64,
}

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a frame.
    #[error("the frame ends after {have} of {need} bytes")]
    Truncated {
        /// Bytes that are there.
        have: u64,
        /// Bytes that the frame needs.
        need: u64,
    },
    /// Something else than a frame, such as text that a library printed.
    #[error("no frame starts with {0:02x?}")]
    Magic([u8; 4]),
    /// The other end is of another release.
    #[error("the frame is of version {0}, this program speaks version {VERSION}")]
    Version(u16),
    /// No such kind, or one that has no place in this direction.
    #[error("a frame of kind {0} has no place here")]
    Kind(u16),
    /// Longer than any frame of that kind may be.
    #[error("{kind:?} frame of {payload_len} bytes is longer than allowed")]
    TooLong {
        /// Kind of the frame.
        kind: FrameKind,
        /// Length that its head claims.
        payload_len: u64,
    },
    /// The payload isn't what its kind says.
    #[error("{kind:?} frame: {message}")]
    Payload {
        /// Kind of the frame.
        kind: FrameKind,
        /// What is wrong with it.
        message: String,
    },
}

impl FrameHead {
    /// The head's bytes.
    pub fn encode(self) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.kind.number().to_le_bytes());
        bytes[8..].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes
    }

    /// The head in those bytes.
    pub fn decode(bytes: &[u8; HEAD_LEN]) -> Result<Self, WireError> {
        let [m0, m1, m2, m3, v0, v1, k0, k1, length @ ..] = *bytes;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(WireError::Magic([m0, m1, m2, m3]));
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        let number = u16::from_le_bytes([k0, k1]);
        let index = usize::from(number).checked_sub(1).ok_or(WireError::Kind(number))?;
        let kind = *KINDS.get(index).ok_or(WireError::Kind(number))?;
        let payload_len = u64::from_le_bytes(length);
        if payload_len > kind.payload_len_max() {
            return Err(WireError::TooLong { kind, payload_len });
        }
        Ok(FrameHead { kind, payload_len })
    }
}

/// Takes one whole frame from the front of `bytes`: its kind, its payload, and what follows.
///
/// For readers that have all bytes at hand. A reader of a pipe decodes the [`FrameHead`] and reads on.
pub fn split_frame(bytes: &[u8]) -> Result<(FrameKind, &[u8], &[u8]), WireError> {
    let truncated = |need: u64| WireError::Truncated { have: bytes.len() as u64, need };
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>().ok_or(truncated(HEAD_LEN as u64))?;
    let head = FrameHead::decode(head)?;
    let payload_len = usize::try_from(head.payload_len).unwrap_or(usize::MAX);
    let (payload, rest) =
        rest.split_at_checked(payload_len).ok_or(truncated(head.payload_len.saturating_add(HEAD_LEN as u64)))?;
    Ok((head.kind, payload, rest))
}

/// A whole frame with a JSON payload.
fn json_frame(kind: FrameKind, payload: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(payload).expect("frames have string keys and no failing field");
    let mut frame = FrameHead { kind, payload_len: json.len() as u64 }.encode().to_vec();
    frame.extend(json);
    frame
}

fn from_json<T: DeserializeOwned>(kind: FrameKind, payload: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(payload).map_err(|error| WireError::Payload { kind, message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kinds_are_their_places() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(usize::from(kind.number()), index + 1);
            let head = FrameHead { kind, payload_len: 7 };
            assert_eq!(FrameHead::decode(&head.encode()), Ok(head));
        }
    }

    #[test]
    fn heads_that_lie_are_refused() {
        let good = FrameHead { kind: FrameKind::Done, payload_len: 0 }.encode();
        let change = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            FrameHead::decode(&bytes)
        };
        assert_eq!(change(0, b'X'), Err(WireError::Magic(*b"XDRW")));
        assert_eq!(change(4, 9), Err(WireError::Version(9)));
        assert_eq!(change(6, 0), Err(WireError::Kind(0)));
        assert_eq!(change(6, 99), Err(WireError::Kind(99)));
        assert_eq!(change(15, 1), Err(WireError::TooLong { kind: FrameKind::Done, payload_len: 1 << 56 }));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let frames =
            [request::tests::sample().encode(), Request::module_head(3).to_vec(), request::tests::ANSWER.encode()]
                .into_iter()
                .chain(reply::tests::samples().into_iter().map(|reply| reply.encode()));
        for frame in frames {
            let whole = split_frame(&frame);
            for length in 0..frame.len() {
                let result = split_frame(&frame[..length]);
                assert!(matches!(result, Err(WireError::Truncated { .. })), "{length} of {whole:?}");
            }
        }
    }

    #[test]
    fn payloads_cut_short_are_errors() {
        for reply in reply::tests::samples() {
            let frame = reply.encode();
            let (kind, payload, _) = split_frame(&frame).expect("a frame");
            for length in 0..payload.len() {
                let decoded = Reply::decode(kind, payload[..length].to_vec());
                // An object may be as short as its name, a module may be anything.
                let is_blob = matches!(kind, FrameKind::Object | FrameKind::Module);
                assert!(decoded.is_err() || is_blob, "{length} of {kind:?}");
            }
        }
    }
}
