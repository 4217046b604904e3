//! Where the time went.
//!
//! Phases are always noted: they are few. Who wants to see each as it ends, with what it was about, and what went on in the worker, hears of
//! [`Span`]s; for everybody else none is made.

use crate::observe::{Event, Observer};
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
#[derive(Debug, Clone, Default)]
pub struct Phases {
    all: Vec<Phase>,
    observer: Observer,
}

/// Something that took time: a phase, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// What was done, in a word or two.
    pub name: &'a str,
    /// When it began.
    pub since: Instant,
    /// How long it took.
    pub time: Duration,
    /// Where it was done.
    pub place: Place,
    /// What there is to know of it.
    pub details: &'a [(&'static str, Detail)],
}

/// Where something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the thread that hears of it.
    Here,
    /// In a worker.
    Worker {
        /// Its process id.
        process: u32,
        /// The number of its thread: 0 is the one that takes the whole module through.
        thread: u32,
    },
}

/// Something to know of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A number, of bytes or things.
    Number(u64),
    /// A name.
    Text(String),
}

impl Phases {
    /// None yet; `observer` hears of each.
    pub(crate) fn heard_by(observer: &Observer) -> Phases {
        Phases { all: Vec::new(), observer: observer.clone() }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Phase> {
        self.all.iter()
    }

    /// Does a step and notes how long it took.
    pub(crate) fn time<T>(&mut self, name: &'static str, step: impl FnOnce() -> T) -> T {
        self.time_with(name, step, |_| Vec::new())
    }

    /// The same; `details` are asked for if somebody wants them.
    pub(crate) fn time_with<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> T,
        details: impl FnOnce(&T) -> Vec<(&'static str, Detail)>,
    ) -> T {
        let since = Instant::now();
        let result = step();
        let time = since.elapsed();
        self.add(name, time);
        if self.observer.hears_spans() {
            let details = details(&result);
            let span = Span { name, since, time, place: Place::Here, details: &details };
            self.observer.hear(&Event::Span { span: &span });
        }
        result
    }

    /// Adds a step that was measured elsewhere.
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, time: Duration) {
        self.all.push(Phase { name: name.into(), time });
    }

    /// The same for something that consists of steps and says when each has ended.
    pub(crate) fn time_steps<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce(&mut dyn FnMut(&'static str)) -> T,
        details: impl FnOnce(&T) -> Vec<(&'static str, Detail)>,
    ) -> T {
        let observer = self.observer.clone();
        let in_steps = || {
            let mut last = observer.hears_spans().then(Instant::now);
            step(&mut |name| {
                if let Some(since) = last {
                    let span = Span { name, since, time: since.elapsed(), place: Place::Here, details: &[] };
                    observer.hear(&Event::Span { span: &span });
                    last = Some(Instant::now());
                }
            })
        };
        self.time_with(name, in_steps, details)
    }
}
