//! What the host says of its heap: objects that code has pointers to, conditions that code was made for, and names that come later.

use super::lock;
use larder_format::wire::Region;
use larder_runtime::{Address, Deferral, ObjectAnswer};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::{Arc, Mutex};

/// Answers objects that were not handed in by name.
pub(super) type ObjectCallback = Arc<dyn Fn(&str) -> Option<ObjectAnswer> + Send + Sync>;
/// Answers a predicate for its arguments.
pub(super) type Predicate = Arc<dyn Fn(&str) -> Option<u64> + Send + Sync>;

/// What the host says of its heap. Nothing is locked while the host's callbacks run.
#[derive(Default)]
pub(super) struct Heap(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    objects: HashMap<String, Object>,
    callbacks: Vec<ObjectCallback>,
    predicates: HashMap<String, Predicate>,
    deferred: HashMap<CString, Deferral>,
}

/// An object that was handed in by name.
#[derive(Debug, Clone, Copy)]
struct Object {
    address: usize,
    /// Length in bytes, if raw addresses in it are to be recognised.
    len: u64,
    fingerprint: u64,
}

impl Heap {
    pub(super) fn define(&self, name: &str, address: Address, len: u64, fingerprint: u64) {
        lock(&self.0).objects.insert(name.to_owned(), Object { address: address as usize, len, fingerprint });
    }

    pub(super) fn forget(&self, name: &str) -> bool {
        lock(&self.0).objects.remove(name).is_some()
    }

    /// Gives objects other addresses. Names that are not there are left alone.
    pub(super) fn relocate(&self, objects: &[(&str, Address)]) {
        let mut tables = lock(&self.0);
        for (name, address) in objects {
            if let Some(object) = tables.objects.get_mut(*name) {
                object.address = *address as usize;
            }
        }
    }

    pub(super) fn add_callback(&self, callback: ObjectCallback) {
        lock(&self.0).callbacks.push(callback);
    }

    pub(super) fn add_predicate(&self, name: &str, predicate: Predicate) {
        lock(&self.0).predicates.insert(name.to_owned(), predicate);
    }

    pub(super) fn defer(&self, name: &str, kind: Deferral) {
        // A name with a NUL is one that no image can ask for.
        if let Ok(name) = CString::new(name) {
            lock(&self.0).deferred.insert(name, kind);
        }
    }

    pub(super) fn has_deferred(&self) -> bool {
        !lock(&self.0).deferred.is_empty()
    }

    pub(super) fn deferral(&self, name: &CStr) -> Option<Deferral> {
        lock(&self.0).deferred.get(name).copied()
    }

    pub(super) fn object(&self, name: &[u8]) -> Option<ObjectAnswer> {
        let name = std::str::from_utf8(name).ok()?;
        let callbacks = {
            let tables = lock(&self.0);
            if let Some(object) = tables.objects.get(name) {
                return Some(ObjectAnswer { address: object.address as Address, fingerprint: object.fingerprint });
            }
            tables.callbacks.clone()
        };
        callbacks.iter().find_map(|callback| callback(name))
    }

    pub(super) fn predicate(&self, name: &[u8], arguments: &[u8]) -> Option<u64> {
        let (name, arguments) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(arguments).ok()?);
        let predicate = lock(&self.0).predicates.get(name).cloned();
        predicate?(arguments)
    }

    /// Where objects lie whose length is known, and what else is mapped: raw addresses in modules are compared with it.
    pub(super) fn regions(&self) -> Vec<Region> {
        let mut named: Vec<_> = {
            let tables = lock(&self.0);
            let sized = tables.objects.iter().filter(|(_, object)| object.len > 0);
            let region = |(name, object): (&String, &Object)| Region {
                name: Some(name.clone()),
                start: object.address as u64,
                len: object.len,
            };
            sized.map(region).collect()
        };
        named.sort_by(|one, other| (one.start, &one.name).cmp(&(other.start, &other.name)));
        // Of objects that overlap, the first has the bytes that both have.
        let mut end = 0;
        named.retain(|region| {
            let is_free = region.start >= end;
            if is_free {
                end = region.start.saturating_add(region.len);
            }
            is_free
        });
        let mapped = larder_runtime::mapped_ranges();
        let gaps = mapped.into_iter().flat_map(|range| gaps(range, &named)).collect::<Vec<_>>();
        named.extend(gaps);
        named.sort_by_key(|region| region.start);
        named
    }
}

/// What is left of a range without the regions, which are sorted.
fn gaps(range: std::ops::Range<usize>, regions: &[Region]) -> Vec<Region> {
    let range = range.start as u64..range.end as u64;
    let mut gaps = Vec::new();
    let mut start = range.start;
    let mut add = |start: u64, end: u64| {
        if start < end {
            gaps.push(Region { name: None, start, len: end - start });
        }
    };
    for region in regions {
        let (first, end) = (region.start, region.start.saturating_add(region.len));
        if end > start && first < range.end {
            add(start, first);
            start = start.max(end);
        }
    }
    add(start, range.end);
    gaps
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("objects", &lock(&self.0).objects.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_left_between() {
        let named = |start, len| Region { name: Some("n".to_owned()), start, len };
        let between = |regions: &[Region]| {
            gaps(100..200, regions).iter().map(|gap| (gap.start, gap.start + gap.len)).collect::<Vec<_>>()
        };
        assert_eq!(between(&[]), [(100, 200)]);
        assert_eq!(between(&[named(90, 20), named(150, 10), named(190, 20)]), [(110, 150), (160, 190)]);
        assert_eq!(between(&[named(0, 300)]), []);
        assert_eq!(between(&[named(200, 10), named(10, 90)]), [(100, 200)]);
    }

    #[test]
    fn objects_that_overlap_are_one() {
        let heap = Heap::default();
        heap.define("small", 0x1000 as Address, 0, 1);
        heap.define("one", 0x2000 as Address, 0x100, 1);
        heap.define("other", 0x2080 as Address, 0x100, 1);
        let regions = heap.regions();
        let named: Vec<_> = regions.iter().filter_map(|region| region.name.as_deref()).collect();
        assert_eq!(named, ["one"]);
        assert!(regions.iter().any(|region| region.name.is_none()), "this process has something mapped");
        assert!(regions.windows(2).all(|pair| pair[0].start + pair[0].len <= pair[1].start), "{regions:x?}");
    }
}
