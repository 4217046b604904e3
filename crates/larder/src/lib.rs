//! Keeps a JIT's native code and gives it back at the next start.
//!
//! Applications that embed LLVM optimise and generate the same code again at every start. Larder saves it **before its externals are
//! resolved**, and a later process maps it and binds the externals then: no linker, no import library, no LLVM in the process.
//!
//! ```no_run
//! use larder::{CompileOptions, Larder, Module, Session, Settings};
//!
//! extern "C" fn print_row(row: u64) {
//!     println!("{row}");
//! }
//!
//! fn build_ir() -> Result<Vec<u8>, std::io::Error> {
//!     std::fs::read("query.bc") // or whatever makes bitcode or textual IR
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Session::new(Larder::open(Settings::default()));
//! session.define("print_row", print_row as *const ());
//!
//! // The closure runs on a miss only: a hit needs no IR at all.
//! let module = Module::keyed("query 17", b"query 17, schema 3", build_ir);
//! // SAFETY: the module is ours, and it declares print_row as it is.
//! let code = unsafe { session.load_or_compile(module, &CompileOptions::default()) }?;
//! println!("{}", code.outcome());
//!
//! // SAFETY: the module defines `i32 @run(i32)`.
//! let run = unsafe { code.function::<extern "C" fn(i32) -> i32>("run") }?;
//! println!("{}", run(42));
//! # Ok(())
//! # }
//! ```
//!
//! What happens between the lines is told in the project's `ARCHITECTURE.md`. Three promises matter to a caller:
//!
//! * A hit compiles nothing, parses nothing, reads neither the module nor libLLVM, and costs the same for any size of code.
//! * A fault of the cache is never a fault of the program: a bad, stale or foreign entry is a [`MissReason`].
//! * LLVM runs in another process. Its crash, its endless loop or its hunger for memory is an [`Error`].

// The examples of the guide are compiled with the crate's.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Guide;

mod compile;
mod error;
mod gather;
mod generate;
pub mod inspect;
mod kept;
pub mod key;
mod larder;
mod module;
mod observe;
mod options;
mod outcome;
mod parts;
mod phases;
mod prepared;
mod program;
mod saved;
mod session;
mod sibling;
mod start;
mod toolchain;
mod trace;
pub mod worker;

pub use error::Error;
pub use larder::{Built, Larder, Progress, Settings, StorePlace, TRIPLE, Trust};
pub use larder_format as format;
pub use larder_runtime as runtime;
pub use larder_store as store;
pub use module::{BuildError, Module};
pub use observe::{Counts, Event, Observer};
pub use options::{CompileOptions, Cpu, CpuBase, Exports, Level, OptionError, RawPointers, Split, ThreadLocals};
pub use outcome::{MissReason, ModuleOutcome, Outcome};
pub use parts::PartCounts;
pub use phases::{Detail, Phase, Phases, Place, Span};
pub use prepared::{Prepared, Ready};
pub use program::{Input, Program};
pub use session::{CallError, Code, DroppedUnit, Loading, OwnedFunction, Recompile, Session, Status, Unusable, catch};
pub use trace::TraceFile;
