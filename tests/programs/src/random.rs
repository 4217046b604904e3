//! Random programs: what nobody would think of writing, run natively and by `larder`, cold and warm.
//!
//! A seed decides everything: the program, how the front end compiles it, how `larder` is called. There are two kinds:
//!
//! * [`csmith`](https://github.com/csmith-project/csmith) writes C programs without undefined behaviour that print a
//!   checksum of all they have computed. Several of them are linked into one module, so that the worker splits it and
//!   generates parts ahead; their variables are sometimes thread-local, their functions sometimes visible to each other.
//! * `llvm-stress` writes functions of odd types and operations, which can only be compiled: what `llc` can, `larder`
//!   must, to the same bytes each time.
//!
//! Assumption: a program that runs differently at two levels of LLVM's own programs shows a bug of LLVM or of csmith, not
//! one of ours, and is passed over.
//!
//! Not done: nothing is reduced. What disagreed is kept with the command that shows it, and `llvm-reduce` can go on from there.

mod agreement;
mod csmith;
mod stress;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::numbers::Random;
use crate::tools::Tools;

pub(crate) use agreement::Judge;
use csmith::Plan;

/// The programs that a check starts.
#[derive(Clone, Debug)]
pub struct Checker {
    /// LLVM's own programs.
    pub tools: Tools,
    /// The command under test.
    pub larder: PathBuf,
    /// The worker of the same build.
    pub worker: PathBuf,
}

/// How large programs may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few seconds for each, for tests.
    Small,
    /// Up to dozens of programs in one module.
    Any,
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All ways agree.
    Agrees,
    /// There is nothing to compare, and why.
    Skipped(String),
}

impl Checker {
    /// Makes the program of `seed` in `directory`, which is empty, and runs it in all ways. An error is a finding: it says what
    /// differs, and the directory holds everything that is needed to see it again.
    pub fn check(&self, seed: u64, size: Size, directory: &Path) -> Result<Outcome> {
        let mut random = Random::of_seed(seed);
        let judge = Judge { checker: self, directory };
        if random.one_in(4) {
            return stress::check(&mut random, size, &judge);
        }
        let plan = Plan::new(&mut random, size);
        match plan.write(&self.tools, directory)? {
            Some(module) => judge.runs_agree(&module, &plan),
            None => Ok(Outcome::Skipped("csmith or clang gave up".to_owned())),
        }
    }
}
