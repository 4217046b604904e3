//! LLVM IR to relocatable objects.
//!
//! The only crate that sees LLVM, and it sees it only in the program `larder-worker`: LLVM may crash, loop or end the process,
//! and an application must survive that. What an application uses instead is the `worker` module of crate `larder`.
//!
//! The pipeline is [`compile`]; the border to C++ is one file, `ffi.rs`, and all of `cpp/` behind it.
//!
//! Not done here: linking objects, keys, looking at what an IR convention of Larder's means.

mod compile;
mod digest;
mod error;
mod ffi;
mod modules;
mod queue;
mod toolchain;

pub use compile::{Compiled, Events, compile};
pub use error::CompileError;
pub use ffi::{OnFatal, start};
pub use modules::about_modules;
pub use toolchain::{Toolchain, ToolchainError};
