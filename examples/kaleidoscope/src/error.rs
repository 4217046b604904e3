//! What can be wrong with a program, and where.

use larder::CallError;
use thiserror::Error;

/// A place in the source, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    pub(crate) fn error(self, message: impl Into<String>) -> Error {
        Error::Source { line: self.line, column: self.column, message: message.into() }
    }
}

/// Why something was not done.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("{line}:{column}: {message}")]
    Source { line: usize, column: usize, message: String },
    #[error(transparent)]
    Larder(#[from] larder::Error),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    /// Of what was defined before.
    #[error("{path}:{error}")]
    Definitions { path: String, error: Box<Error> },
}
