//! Parts of a module that wait for a thread.
//!
//! Parts come from two sides: single ones while the optimiser is at work, then what the split makes of the rest; or groups, if the
//! module is taken apart before. The longest that
//! waits is taken first, so that no thread is left with a long one at the end. A part's number is the order in which it came,
//! which is the same on any machine.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::ffi::{Partitions, Sink, Status};

/// One part.
pub(crate) enum Part {
    /// Handed out by the optimiser, as bitcode of its own.
    Ahead(Vec<u8>),
    /// A group of functions that wasn't optimised yet, as bitcode of its own.
    Group(Vec<u8>),
    /// One of what the rest was split into.
    Split(Arc<Partitions>, u32),
}

impl Part {
    /// Whether the whole pipeline is before it.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self, Part::Group(_))
    }

    /// The part as a module of its own, which is all that its object is made from.
    pub(crate) fn into_bitcode<S: Sink>(self, sink: &S) -> Result<Vec<u8>, Status> {
        match self {
            Part::Ahead(bitcode) | Part::Group(bitcode) => Ok(bitcode),
            Part::Split(parts, index) => parts.bitcode(index, sink),
        }
    }
}

struct Waiting {
    index: u32,
    size: u64,
    part: Part,
}

struct State {
    waiting: Vec<Waiting>,
    count: u32,
    done: u32,
    closed: bool,
    result: Result<(), Status>,
}

/// Parts that wait, and how many there were.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Default for Queue {
    fn default() -> Self {
        let state = State { waiting: Vec::new(), count: 0, done: 0, closed: false, result: Ok(()) };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a part of that many instructions.
    pub(crate) fn push(&self, part: Part, size: u64) {
        let mut state = self.lock();
        let index = state.count;
        state.count += 1;
        state.waiting.push(Waiting { index, size, part });
        self.changed.notify_one();
    }

    /// Adds all parts of a split.
    pub(crate) fn push_all(&self, parts: Partitions) {
        let parts = Arc::new(parts);
        for index in 0..parts.count() {
            self.push(Part::Split(Arc::clone(&parts), index), parts.size(index));
        }
    }

    /// No part comes any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nothing that waits is wanted any more.
    pub(crate) fn give_up(&self) {
        self.lock().waiting.clear();
        self.close();
    }

    /// The longest part and its number; waits for one if need be. `None` when there will be none, or when one has failed.
    pub(crate) fn take(&self) -> Option<(u32, Part)> {
        let mut state = self.lock();
        loop {
            let longest = (0..state.waiting.len()).max_by_key(|&at| state.waiting[at].size);
            if state.result.is_err() || (longest.is_none() && state.closed) {
                return None;
            }
            if let Some(at) = longest {
                let Waiting { index, part, .. } = state.waiting.swap_remove(at);
                return Some((index, part));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A part that was taken is an object, or never will be. Returns how many are done, and of how many.
    pub(crate) fn finish(&self, result: Result<(), Status>) -> (u32, u32) {
        let mut state = self.lock();
        state.done += 1;
        state.result = state.result.and(result);
        self.changed.notify_all();
        (state.done, state.count)
    }

    /// Waits until every part is done or one has failed.
    pub(crate) fn wait(&self) -> Result<(), Status> {
        let mut state = self.lock();
        while state.result.is_ok() && state.done < state.count {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.result
    }

    /// How many parts there were.
    pub(crate) fn count(&self) -> u32 {
        self.lock().count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(queue: &Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.take().map(|(index, _)| index)).collect()
    }

    #[test]
    fn the_longest_comes_first() {
        let queue = Queue::default();
        for size in [2, 9, 5] {
            queue.push(Part::Ahead(vec![]), size);
        }
        queue.close();
        assert_eq!(indices(&queue), [1, 2, 0]);
        assert_eq!(queue.count(), 3);
    }

    #[test]
    fn a_failure_ends_it() {
        let queue = Queue::default();
        queue.push(Part::Ahead(vec![]), 1);
        queue.push(Part::Ahead(vec![]), 1);
        assert!(queue.take().is_some());
        queue.finish(Err(Status::Malformed));
        queue.finish(Ok(()));
        assert!(queue.take().is_none());
        assert_eq!(queue.wait(), Err(Status::Malformed));
    }
}
