//! Real programs as LLVM bitcode: what the demo, the tests and the bench run.
//!
//! Toy modules don't find what real ones do: computed gotos, tables of a thousand pointers, `setjmp`, weak symbols, a
//! function of three thousand basic blocks. So the work here is Lua 5.4, SQLite and zstd, from the C sources that the crates
//! `lua-src`, `libsqlite3-sys` and `zstd-sys` carry, modules of any size that a generator writes, a large C program with
//! edits; and, for those who have an hour, DuckDB.
//!
//! Every program is given as optimisable but unoptimised bitcode (what a front end hands to a JIT), and the same
//! bitcode as object, shared library and executable, made by LLVM's own programs, for comparison. What was built once
//! is found again under `target/programs`, named by the digest of all that went into it.
//!
//! Not done: no program is downloaded by anything but cargo, and none is built for another machine than this one.

#![forbid(unsafe_code)]

mod artefacts;
mod bitcode;
mod duckdb;
mod edited;
mod embedded;
mod generated;
mod native;
mod numbers;
mod parallel;
mod process;
mod random;
mod scripts;
mod sources;
mod tools;
mod transcript;

pub use bitcode::Programs;
pub use edited::Edit;
pub use embedded::SMALL_NAME;
pub use generated::write_generated;
pub use random::{Checker, Outcome, Size};
pub use scripts::{DUCKDB_SCRIPTS, LUA_SCRIPTS, SQL_SCRIPTS, duckdb_script, lua_script, sql_script};
pub use tools::{Tools, run};
pub use transcript::{check_transcripts, commands, masked};
