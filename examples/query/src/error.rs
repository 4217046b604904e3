//! What can be wrong.

use larder::CallError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Of the text of queries, at a line and column from 1.
    #[error("{line}:{column}: {message}")]
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was expected there.
        message: String,
    },
    /// A query that doesn't fit the tables.
    #[error("query {query}: {message}")]
    Meaning {
        /// Its number, from 1.
        query: usize,
        /// What is wrong.
        message: String,
    },
    /// A table that can't be read.
    #[error("{path}: {message}")]
    Table {
        /// Its file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Larder's own.
    #[error(transparent)]
    Larder(#[from] larder::Error),
    /// A query that can't be made to fit tables that have changed.
    #[error(transparent)]
    Call(#[from] CallError),
}
