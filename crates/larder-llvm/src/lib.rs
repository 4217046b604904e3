//! LLVM IR to relocatable objects.
//!
//! The only crate that sees LLVM, and as a rule it does so in the program `larder-worker`: LLVM may crash, loop or end the process,
//! and an application must survive that. What an application uses instead is the `worker` module of crate `larder`, which can have the same
//! on a thread of the application (its feature `in-process`).
//!
//! A conversation with a client is [`serve`], the pipeline is `compile.rs`; the border to C++ is one file, `ffi.rs`, and all of `cpp/` behind it.
//!
//! Not done here: linking objects, keys, looking at what an IR convention of Larder's means.

mod compile;
mod digest;
mod error;
mod ffi;
mod modules;
mod queue;
mod serve;
mod toolchain;

pub use ffi::{OnFatal, register, start};
pub use serve::{Host, ServeError, serve};
pub use toolchain::{Toolchain, ToolchainError};
