//! Every byte of Larder that outlives a process or leaves one.
//!
//! Five things live here: the [image] (what is saved), the [objects] of a module that images are linked from again, the
//! names of [guards](guard) in objects, the set of [CPU features](cpu) that code needs, and the [frames](wire) that the worker speaks. All of it is pure: no I/O, no unsafe, and no input that makes it panic.
//! `docs/format.md` describes the same bytes for people; a test compares the two.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod cpu;
pub mod guard;
pub mod image;
pub mod objects;
pub mod record;
pub mod wire;
