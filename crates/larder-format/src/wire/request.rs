//! What a client asks of the worker.
//!
//! Fields that reach generated code are part of the key; `name`, `thread_count` and `memory_max` must not change a byte.

use serde::{Deserialize, Serialize};

use super::{FrameHead, FrameKind, HEAD_LEN, WireError, from_json, json_frame};

/// How hard to optimise, as `opt` and `llc` mean it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum OptLevel {
    /// Only what the language needs.
    O0,
    /// Fast to compile.
    O1,
    /// The usual one.
    #[default]
    O2,
    /// Code may grow.
    O3,
    /// As `O2`, without growing.
    Os,
    /// As small as possible.
    Oz,
}

/// Not the letter of a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown optimisation level \"{0}\"; there are 0, 1, 2, 3, s and z")]
pub struct UnknownLevel(pub String);

impl std::str::FromStr for OptLevel {
    type Err = UnknownLevel;

    /// The level of the letter behind `-O`.
    fn from_str(letter: &str) -> Result<Self, UnknownLevel> {
        let found = Self::LETTERS.iter().find(|(_, own)| *own == letter);
        found.map(|(level, _)| *level).ok_or_else(|| UnknownLevel(letter.to_owned()))
    }
}

impl OptLevel {
    /// All of them, with the letter behind `-O`.
    const LETTERS: [(OptLevel, &'static str); 6] = [
        (OptLevel::O0, "0"),
        (OptLevel::O1, "1"),
        (OptLevel::O2, "2"),
        (OptLevel::O3, "3"),
        (OptLevel::Os, "s"),
        (OptLevel::Oz, "z"),
    ];

    /// The letter behind `-O`.
    pub fn letter(self) -> &'static str {
        Self::LETTERS[self as usize].1
    }
}

/// A request to compile one module, whose bytes follow in a frame of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What diagnostics call the module.
    pub name: String,
    /// Level of the code generator and, without `passes`, of the optimiser.
    pub level: OptLevel,
    /// What the optimiser does instead, in LLVM's textual form ("function(sroa,instcombine)").
    pub passes: Option<String>,
    /// CPU features that code may use beyond the baseline, by LLVM's names, without `+`. A function with a
    /// `target-cpu` or `target-features` attribute keeps its own.
    pub features: Vec<String>,
    /// Threads that generate code, at least 1.
    pub thread_count: u32,
    /// The most address space that the worker may have, in bytes.
    pub memory_max: Option<u64>,
}

impl Request {
    /// The request's frame.
    pub fn encode(&self) -> Vec<u8> {
        json_frame(FrameKind::Request, self)
    }

    /// The request in a payload of [`FrameKind::Request`].
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        from_json(FrameKind::Request, payload)
    }

    /// Head of the frame that carries the module; its bytes follow as they are.
    pub fn module_head(module_len: usize) -> [u8; HEAD_LEN] {
        FrameHead { kind: FrameKind::Module, payload_len: module_len as u64 }.encode()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::split_frame;

    pub(in crate::wire) fn sample() -> Request {
        Request {
            name: "prog.bc".to_owned(),
            level: OptLevel::Oz,
            passes: Some("function(sroa)".to_owned()),
            features: vec!["avx2".to_owned()],
            thread_count: 2,
            memory_max: Some(1 << 30),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let frame = sample().encode();
        let (kind, payload, rest) = split_frame(&frame).expect("a frame");
        assert_eq!((kind, rest), (FrameKind::Request, &[][..]));
        assert_eq!(Request::decode(payload), Ok(sample()));
    }

    #[test]
    fn levels_are_letters() {
        assert_eq!("s".parse(), Ok(OptLevel::Os));
        assert_eq!("4".parse::<OptLevel>(), Err(UnknownLevel("4".to_owned())));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = String::from_utf8(sample().encode()[HEAD_LEN..].to_vec()).expect("JSON");
        let odd = json.replacen('{', "{\"later\":1,", 1);
        assert!(matches!(Request::decode(odd.as_bytes()), Err(WireError::Payload { .. })));
    }
}
