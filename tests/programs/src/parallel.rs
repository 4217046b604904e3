//! The same work for many things, on all cores that this process may use.

use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;

/// Does `work` for each of the things, which the threads take in their order. The first failure ends it.
pub(crate) fn for_each<T: Sync>(things: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let waiting = Mutex::new(things.iter());
    let serve = || {
        loop {
            // Taken in a statement of its own: the lock must not be held while the work is done.
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(thing) = next else { return Ok(()) };
            if let Err(failure) = work(thing) {
                *waiting.lock().unwrap_or_else(PoisonError::into_inner) = [].iter();
                return Err(failure);
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(serve)).collect();
        // A panic of a thread is a bug of ours, and stays one.
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn everything_is_done_once() -> Result<()> {
        let counts: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        for_each(&counts, |count| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })?;
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        Ok(())
    }

    #[test]
    fn a_failure_ends_it() {
        let done = AtomicUsize::new(0);
        let things: Vec<_> = (0..10_000).collect();
        let result = for_each(&things, |_| match done.fetch_add(1, Ordering::Relaxed) {
            0 => bail!("the first"),
            // So that the failure is heard of before the rest is done, whoever is slow.
            _ => {
                thread::sleep(Duration::from_millis(1));
                Ok(())
            }
        });
        assert!(result.is_err());
        assert!(done.into_inner() < things.len());
    }
}
