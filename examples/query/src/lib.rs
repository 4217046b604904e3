//! A small query compiler: statements become machine code that has pointers to the columns in it, and counts on what they are.
//!
//! `queries.rs` is what the example is about; `codegen.rs` shows what code says it counts on. How it is used stands in the README.

mod answer;
mod codegen;
mod error;
mod queries;
mod sql;
mod table;

pub use answer::{Answer, Value};
pub use error::Error;
pub use queries::Queries;
pub use sql::{Expression, Operator, Output, Statement, parse};
pub use table::{Column, Table, Tables};
