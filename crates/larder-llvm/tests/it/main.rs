//! The worker, asked as an application asks it: through the client in crate `larder`.
//!
//! What the objects must be is checked on the objects themselves (relocations, symbols) and by running them, linked by the
//! system's linker. LLVM's own tools, found through `llvm-config-22`, make the inputs and are the measure for the code.

mod diagnostics;
mod features;
mod groups;
mod guards;
mod kept;
mod options;
mod parts;
mod pointers;
mod position;
mod program;
mod survival;
mod tools;
