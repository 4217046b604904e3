//! What every module of tests needs to be listed, and to be skipped with a reason.

use anyhow::{Error, Result};
use libtest_mimic::{Completion, Failed, Trial};
use std::fmt;

/// Why a test can't be run on this machine: returned as an error, printed as a skipped test.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// A test that is skipped if it fails with [`Skip`].
pub(crate) fn trial(name: impl Into<String>, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || completion(test()))
}

fn completion(result: Result<()>) -> Result<Completion, Failed> {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(skip) => Ok(Completion::ignored_with(skip)),
            None => Err(message(&error).into()),
        },
    }
}

fn message(error: &Error) -> String {
    format!("{error:#}")
}

/// The tests of one module: `module::name` for each function.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// The tests of this module.
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().split_once("::").map_or("", |(_, module)| module);
            vec![$($crate::suite::trial(format!("{module}::{}", stringify!($name)), $name)),*]
        }
    };
}
pub(crate) use tests;
