//! Why a module didn't become objects.

use larder_format::wire::FailureKind;
use thiserror::Error;

/// Why a module didn't become objects. LLVM's own words went to [`Events::diagnostic`](crate::compile::Events::diagnostic) before.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CompileError {
    /// The module is no valid IR.
    #[error("{name} is not a valid module")]
    Malformed {
        /// The module.
        name: String,
    },
    /// The module is valid, but nothing that an image can hold.
    #[error("{name} can't be compiled here")]
    Unsupported {
        /// The module.
        name: String,
    },
    /// No such feature of the instruction set, or one that isn't a plain name.
    #[error("unknown CPU feature \"{0}\"")]
    UnknownFeature(String),
    /// LLVM can't read the pass pipeline.
    #[error("the pass pipeline \"{pipeline}\" isn't one")]
    Pipeline {
        /// The pipeline.
        pipeline: String,
    },
    /// LLVM failed in a way that is nobody's fault but its own.
    #[error("LLVM failed on {name}")]
    Internal {
        /// The module.
        name: String,
    },
    /// Nobody waits for it any more.
    #[error("the compilation of {name} was given up")]
    GivenUp {
        /// The module.
        name: String,
    },
    /// A thread couldn't be started.
    #[error("no memory for another thread: {0}")]
    Thread(String),
}

impl CompileError {
    /// How the worker says it to its client.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            CompileError::Malformed { .. } => FailureKind::Malformed,
            CompileError::Unsupported { .. } => FailureKind::Unsupported,
            CompileError::UnknownFeature(_) | CompileError::Pipeline { .. } => FailureKind::Request,
            CompileError::Internal { .. } | CompileError::GivenUp { .. } => FailureKind::Fatal,
            CompileError::Thread(_) => FailureKind::Memory,
        }
    }
}
