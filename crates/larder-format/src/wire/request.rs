//! What a client asks of the worker.
//!
//! Fields that reach generated code are part of the key; `name`, `thread_count`, `memory_max` and `asks` must not change a byte. `regions`
//! change one only where the module holds addresses of the client's process.

use serde::{Deserialize, Serialize};

use super::{FrameHead, FrameKind, HEAD_LEN, RawPointers, Region, WireError, from_json, json_frame};

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

/// When a module is taken apart for several threads, and for the next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Split {
    /// Large modules before they are optimised, others after.
    #[default]
    Auto,
    /// After it was optimised as a whole: the best code, and an edit costs a whole optimisation.
    Whole,
    /// Before it is optimised, where the module allows: groups of functions are optimised by themselves, and an edit costs the groups
    /// that it is about.
    Groups,
}

/// No way to take a module apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown way to split \"{0}\"; there are auto, whole and groups")]
pub struct UnknownSplit(pub String);

impl std::str::FromStr for Split {
    type Err = UnknownSplit;

    /// The way of that name.
    fn from_str(name: &str) -> Result<Self, UnknownSplit> {
        let found = Self::NAMES.iter().find(|(_, own)| *own == name);
        found.map(|(split, _)| *split).ok_or_else(|| UnknownSplit(name.to_owned()))
    }
}

impl Split {
    /// All of them, with their names.
    const NAMES: [(Split, &'static str); 3] =
        [(Split::Auto, "auto"), (Split::Whole, "whole"), (Split::Groups, "groups")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

/// A request to compile one module, whose bytes follow in a frame of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What diagnostics call the module.
    pub name: String,
    /// How many modules of the program have the same bytes and stand before this one: names that are local to each must differ.
    pub repetition: u32,
    /// Level of the code generator and, without `passes`, of the optimiser.
    pub level: OptLevel,
    /// What the optimiser does instead, in LLVM's textual form ("function(sroa,instcombine)").
    pub passes: Option<String>,
    /// CPU features that code may use beyond the baseline, by LLVM's names, without `+`. A function with a
    /// `target-cpu` or `target-features` attribute keeps its own.
    pub features: Vec<String>,
    /// When the module is taken apart.
    pub split: Split,
    /// Whether the module's thread-local variables are to have a fixed distance from the thread pointer, if they fit.
    pub static_tls: bool,
    /// What is done about integers that are used as addresses.
    pub raw_pointers: RawPointers,
    /// What the client's process has in its address space, as far as the module may speak of it.
    pub regions: Vec<Region>,
    /// What of the module is wanted; `None` for all of it.
    pub unit: Option<UnitRequest>,
    /// Threads that generate code, at least 1.
    pub thread_count: u32,
    /// The most address space that the worker may have, in bytes.
    pub memory_max: Option<u64>,
    /// Whether the worker asks for objects of parts before it makes them. If not, no [`Answer`] comes.
    pub asks: bool,
}

/// Functions of a module that are compiled by themselves, to take the place of those in an image of the whole module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitRequest {
    /// Functions by the names that the image's symbol table has for them.
    pub names: Vec<String>,
    /// Names of everything that the image has: it is used and not compiled again.
    pub present: Vec<String>,
    /// Objects of which the contents that stand in the module are no longer right.
    pub loosened: Vec<String>,
}

/// Meets a [`Question`](super::Question).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The part in question.
    pub part: u32,
    /// Whether the client has its object, which is then not to be made.
    pub is_kept: bool,
}

impl Answer {
    /// The answer's frame.
    pub fn encode(&self) -> Vec<u8> {
        json_frame(FrameKind::Answer, self)
    }

    /// The answer in a payload of [`FrameKind::Answer`].
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        from_json(FrameKind::Answer, payload)
    }
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
            repetition: 1,
            level: OptLevel::Oz,
            passes: Some("function(sroa)".to_owned()),
            features: vec!["avx2".to_owned()],
            split: Split::Groups,
            static_tls: true,
            raw_pointers: RawPointers::Strict,
            regions: vec![
                Region { name: Some("heap".to_owned()), start: 1 << 40, len: 1 << 20 },
                Region { name: None, start: 1 << 44, len: 4096 },
            ],
            unit: Some(UnitRequest {
                names: vec!["f".to_owned()],
                present: vec!["f".to_owned(), "g".to_owned()],
                loosened: vec!["table".to_owned()],
            }),
            thread_count: 2,
            memory_max: Some(1 << 30),
            asks: true,
        }
    }

    pub(in crate::wire) const ANSWER: Answer = Answer { part: 3, is_kept: true };

    #[test]
    fn comes_back_as_it_was() {
        let frame = sample().encode();
        let (kind, payload, rest) = split_frame(&frame).expect("a frame");
        assert_eq!((kind, rest), (FrameKind::Request, &[][..]));
        assert_eq!(Request::decode(payload), Ok(sample()));
    }

    #[test]
    fn answers_come_back_as_they_were() {
        let frame = ANSWER.encode();
        let (kind, payload, rest) = split_frame(&frame).expect("a frame");
        assert_eq!((kind, rest), (FrameKind::Answer, &[][..]));
        assert_eq!(Answer::decode(payload), Ok(ANSWER));
    }

    #[test]
    fn levels_are_letters() {
        assert_eq!("s".parse(), Ok(OptLevel::Os));
        assert_eq!("4".parse::<OptLevel>(), Err(UnknownLevel("4".to_owned())));
        assert_eq!("groups".parse(), Ok(Split::Groups));
        assert_eq!("half".parse::<Split>(), Err(UnknownSplit("half".to_owned())));
        assert!(Split::NAMES.iter().all(|(split, name)| split.name() == *name));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = String::from_utf8(sample().encode()[HEAD_LEN..].to_vec()).expect("JSON");
        let odd = json.replacen('{', "{\"later\":1,", 1);
        assert!(matches!(Request::decode(odd.as_bytes()), Err(WireError::Payload { .. })));
    }
}
