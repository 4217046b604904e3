//! Where the time went.

use std::borrow::Cow;
use std::time::{Duration, Instant};

/// One step of a start, with how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What was done, in a word or two.
    pub name: Cow<'static, str>,
    /// How long it took.
    pub time: Duration,
}

/// The steps of a start, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phases(Vec<Phase>);

impl Phases {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Phase> {
        self.0.iter()
    }

    /// Does a step and notes how long it took.
    pub(crate) fn time<T>(&mut self, name: &'static str, step: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let result = step();
        self.add(name, since.elapsed());
        result
    }

    /// Adds a step that was measured elsewhere.
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, time: Duration) {
        self.0.push(Phase { name: name.into(), time });
    }
}
