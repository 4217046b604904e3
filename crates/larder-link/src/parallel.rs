//! Work that several threads may share, with results in the order of the items.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More threads than this never help: the work is bound by memory.
const THREADS_MAX: usize = 64;

/// Does the work on every item, with up to so many threads. A system that gives fewer costs time and nothing else.
pub(crate) fn map_in_order<T: Send, R: Send>(
    threads: NonZeroUsize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let queue = Mutex::new(items.into_iter().enumerate());
    let results = Mutex::new(Vec::new());
    let next = || lock(&queue).next();
    let run = || {
        while let Some((index, item)) = next() {
            let result = work(item);
            lock(&results).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(THREADS_MAX) {
            if std::thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A thread that panics takes all others down at the end of the scope, so no lock is met poisoned with something at stake.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let expected: Vec<usize> = (0..1000).map(|item| item * item).collect();
        for threads in [1, 2, 5, 64, usize::MAX] {
            let threads = NonZeroUsize::new(threads).expect("it is not zero");
            assert_eq!(map_in_order(threads, (0..1000).collect(), |item| item * item), expected, "{threads} threads");
            assert_eq!(map_in_order(threads, Vec::new(), |item: usize| item), Vec::<usize>::new());
        }
    }
}
