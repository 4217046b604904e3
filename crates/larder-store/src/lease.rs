//! The right to make an entry: one process at a time has it for a key, and loses it when it dies.
//!
//! Who misses takes the lease, **looks up again** (the former holder may just have published), and only then compiles.
//! The others wait; when the holder publishes they find the entry, when it dies or gives up one of them takes over.

use std::time::{Duration, Instant};

use crate::disk::DiskError;
use crate::error::StoreError;
use crate::key::Key;
use crate::layout;
use crate::lock::{self, Lock};
use crate::store::{Entry, Store};

/// The steps of a wait that can be given up: from the first to the last, doubling.
const POLL_FIRST: Duration = Duration::from_millis(1);
const POLL_LAST: Duration = Duration::from_millis(32);

/// The right to make the entry of a key. Dropping it gives it up.
#[derive(Debug)]
#[must_use = "dropping a lease gives it up"]
pub struct Lease<'s> {
    pub(crate) store: &'s Store,
    pub(crate) key: Key,
    _lock: Lock<'s>,
}

/// What came of [`Store::try_lease`].
#[derive(Debug)]
pub enum Attempt<'s> {
    /// The lease is the caller's.
    Taken(Lease<'s>),
    /// Another process, or another thread of this one, has it.
    Busy {
        /// The holder's process id, if it has written it down yet; one of another pid namespace means nothing here.
        holder: Option<u32>,
    },
}

/// How a wait for a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The holder's process id, if it has written it down yet.
    pub holder: Option<u32>,
    /// How long the wait has lasted.
    pub waited: Duration,
}

impl Lease<'_> {
    /// The key that may be published.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Looks up again: what was a miss before the lease was taken can be a hit now.
    ///
    /// # Errors
    /// Those of [`Store::lookup`].
    pub fn lookup(&self) -> Result<Option<Entry>, StoreError> {
        self.store.lookup(&self.key)
    }
}

impl Store {
    /// Takes the lease of a key if it is free. The first call of a store also removes what dead processes left there.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] if the store is read-only or full: the caller compiles without it. [`StoreError::Io`] else.
    pub fn try_lease(&self, key: &Key) -> Result<Attempt<'_>, StoreError> {
        self.prepare()?;
        let name = layout::lock(key);
        let taken = Lock::try_take(&self.disk, &name)?;
        Ok(match taken {
            Some(lock) => Attempt::Taken(self.lease_of(key, lock)),
            None => Attempt::Busy { holder: lock::holder(&self.disk, &name) },
        })
    }

    /// Waits for the lease of a key, for as long as it takes: the kernel wakes the waiter when the holder is done or dead.
    ///
    /// # Errors
    /// Those of [`Store::try_lease`].
    pub fn lease(&self, key: &Key) -> Result<Lease<'_>, StoreError> {
        self.prepare()?;
        let lock = Lock::take(&self.disk, &layout::lock(key))?;
        Ok(self.lease_of(key, lock))
    }

    /// Waits for the lease of a key while `go_on` says so; `None` if it said no. It is asked first when the lease is found
    /// busy and then about every 30 ms: the place for a time-out, a cancelled run or a line "waiting for process 123".
    ///
    /// # Errors
    /// Those of [`Store::try_lease`].
    pub fn lease_while(
        &self,
        key: &Key,
        mut go_on: impl FnMut(Waiting) -> bool,
    ) -> Result<Option<Lease<'_>>, StoreError> {
        let since = Instant::now();
        let mut pause = POLL_FIRST;
        loop {
            let holder = match self.try_lease(key)? {
                Attempt::Taken(lease) => return Ok(Some(lease)),
                Attempt::Busy { holder } => holder,
            };
            if !go_on(Waiting { holder, waited: since.elapsed() }) {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = POLL_LAST.min(pause * 2);
        }
    }

    /// The lease of a key if nobody has it, for eviction: no sweep, no holder.
    pub(crate) fn lease_for_removal(&self, key: &Key) -> Result<Option<Lease<'_>>, DiskError> {
        let lock = Lock::try_take(&self.disk, &layout::lock(key))?;
        Ok(lock.map(|lock| self.lease_of(key, lock)))
    }

    fn lease_of<'s>(&'s self, key: &Key, lock: Lock<'s>) -> Lease<'s> {
        Lease { store: self, key: *key, _lock: lock }
    }
}
