//! The store as its callers see it, and under faults.
//!
//! `scene.rs` has what the tests share: a store in a directory of its own, the seam that counts, fails and kills, and
//! child processes (this very program, started again with a role in its environment).

mod crash;
mod crowd;
mod fault;
mod hit;
mod memory;
mod model;
mod privacy;
mod recency;
mod scene;
