//! Questions about several modules at once: what their symbols are, and what they are as one.

use serde::{Deserialize, Serialize};

use super::{FrameKind, WireError, from_json, json_frame};

/// A request about several modules. The bytes of each follow in a frame of their own, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulesRequest {
    /// What to do with them.
    pub task: ModulesTask,
    /// What diagnostics call them.
    pub names: Vec<String>,
    /// The most address space that the worker may have, in bytes.
    pub memory_max: Option<u64>,
}

/// What to do with several modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModulesTask {
    /// Answer with [`Symbols`] of each.
    Symbols,
    /// Answer with one module, as bitcode, in an [`Object`](super::Object) frame.
    Link {
        /// Names that others use, or may look for; everything else becomes internal. `None`: nothing does.
        keep: Option<Vec<String>>,
        /// Names whose definition is somebody else's: those of the modules give way.
        give_way: Vec<String>,
    },
}

impl ModulesRequest {
    /// The request's frame.
    pub fn encode(&self) -> Vec<u8> {
        json_frame(FrameKind::ModulesRequest, self)
    }

    /// The request in a payload of [`FrameKind::ModulesRequest`].
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        from_json(FrameKind::ModulesRequest, payload)
    }
}

/// What a module says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SymbolKind {
    /// It would use it, and can do without.
    WeaklyUndefined,
    /// It needs it.
    Undefined,
    /// It has zeros of that name, unless somebody has more.
    Common,
    /// It defines it, and gives way to a strong definition.
    Weak,
    /// It defines it.
    Strong,
}

/// What linkers see of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbols {
    /// Names, in the order of the module.
    pub symbols: Vec<(String, SymbolKind)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Reply, split_frame};

    #[test]
    fn requests_come_back_as_they_were() {
        for task in [
            ModulesTask::Symbols,
            ModulesTask::Link { keep: None, give_way: Vec::new() },
            ModulesTask::Link { keep: Some(vec!["main".to_owned()]), give_way: vec!["f".to_owned()] },
        ] {
            let request = ModulesRequest { task, names: vec!["a.bc".to_owned(), "b.bc".to_owned()], memory_max: None };
            let frame = request.encode();
            let (kind, payload, rest) = split_frame(&frame).expect("a frame");
            assert_eq!((kind, rest), (FrameKind::ModulesRequest, &[][..]));
            assert_eq!(ModulesRequest::decode(payload), Ok(request));
        }
    }

    #[test]
    fn symbols_come_back_as_they_were() {
        let symbols = vec![("f".to_owned(), SymbolKind::Strong), ("g".to_owned(), SymbolKind::WeaklyUndefined)];
        let reply = Reply::Symbols(Symbols { symbols });
        let frame = reply.encode();
        let (kind, payload, _) = split_frame(&frame).expect("a frame");
        assert_eq!(Reply::decode(kind, payload.to_vec()), Ok(reply));
    }
}
