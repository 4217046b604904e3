//! The objects of a module, kept in the store between the programs that are linked from them.
//!
//! An entry is checked whole each time it is read, since it is read whole anyway. A bad one is removed and made again.

use crate::outcome::MissReason;
use larder_format::cpu::CpuFeatures;
use larder_format::objects::Objects;
use larder_store::{Entry, Key, Lease, Store, StoreError};
use std::io::Read;

/// The objects of one module, or of a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleObjects {
    /// Relocatable ELF objects, in the order of the module.
    pub(crate) objects: Vec<Vec<u8>>,
    /// What the code needs.
    pub(crate) features: CpuFeatures,
    /// What generated it.
    pub(crate) producer: String,
}

impl ModuleObjects {
    /// The objects of that key, or why there are none.
    pub(crate) fn look_up(store: &Store, key: &Key) -> Result<Self, MissReason> {
        let entry = store.lookup(key).map_err(|error| MissReason::of_store(&error))?;
        let entry = entry.ok_or(MissReason::Absent)?;
        let read = Self::read(&entry);
        match &read {
            Ok(_) => {
                // A receipt tells that the entry is used; without one it is evicted early.
                let _ = store.record_verified(&entry);
            }
            Err(reason) if reason.condemns_entry() => {
                // What stays is found to be bad again.
                let _ = store.discard(&entry);
            }
            Err(_) => {}
        }
        read
    }

    fn read(entry: &Entry) -> Result<Self, MissReason> {
        let mut bytes = Vec::new();
        let read = entry.file().read_to_end(&mut bytes);
        read.map_err(|error| MissReason::Unreadable { why: error.to_string() })?;
        let Objects { key, features, producer, objects } =
            Objects::decode(&bytes).map_err(|error| MissReason::of_objects(&error))?;
        if key != entry.key().0 {
            return Err(MissReason::OtherKey);
        }
        let objects = objects.into_iter().map(<[u8]>::to_vec).collect();
        Ok(ModuleObjects { objects, features, producer: producer.to_owned() })
    }

    /// Publishes the objects under the key of the lease.
    pub(crate) fn publish(&self, lease: Lease<'_>) -> Result<(), StoreError> {
        let objects = self.objects.iter().map(Vec::as_slice).collect();
        let entry = Objects { key: lease.key().0, features: self.features, producer: &self.producer, objects };
        lease.publish(&[&entry.encode()]).map(drop)
    }
}
