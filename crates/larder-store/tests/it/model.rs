//! The store against a map: whatever is done in whatever order, they agree.

use std::collections::BTreeMap;
use std::path::Path;

use larder_store::{Key, Store};
use proptest::prelude::*;

use super::scene::*;

#[derive(Debug, Clone)]
enum Step {
    Publish { n: u8, len: usize },
    Lookup { n: u8 },
    Remove { n: u8 },
    Collect { size_max: u64 },
    Verify,
    Clear,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..5_u8;
    prop_oneof![
        6 => (n(), 0..400_usize).prop_map(|(n, len)| Step::Publish { n, len }),
        5 => n().prop_map(|n| Step::Lookup { n }),
        2 => n().prop_map(|n| Step::Remove { n }),
        3 => (0..1200_u64).prop_map(|size_max| Step::Collect { size_max }),
        1 => Just(Step::Verify),
        1 => Just(Step::Clear),
        1 => Just(Step::Reopen),
    ]
}

/// What the store should hold: content and last use, by key. Each step is an hour after the one before.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Key, (Vec<u8>, u64)>,
}

impl Model {
    fn len(&self) -> u64 {
        self.entries.values().map(|entry| entry.0.len() as u64).sum()
    }

    fn collect(&mut self, size_max: u64) {
        let mut by_use: Vec<_> = self.entries.iter().map(|(key, entry)| (entry.1, *key)).collect();
        by_use.sort();
        let is_over = self.len() > size_max;
        for (_, key) in by_use {
            if is_over && self.len() > size_max - size_max / 10 {
                self.entries.remove(&key);
            }
        }
    }

    fn apply(&mut self, store: &Store, step: &Step, now: u64) {
        match *step {
            Step::Publish { n, len } => {
                publish(store, n, &content(n, len));
                self.entries.insert(key(n), (content(n, len), now));
            }
            Step::Lookup { n } => {
                let found = store.lookup(&key(n)).unwrap().map(|entry| bytes_of(&entry));
                assert_eq!(found.as_ref(), self.entries.get(&key(n)).map(|entry| &entry.0));
                self.entries.entry(key(n)).and_modify(|entry| entry.1 = now);
            }
            Step::Remove { n } => assert_eq!(store.remove(&key(n)).unwrap(), self.entries.remove(&key(n)).is_some()),
            Step::Collect { size_max } => {
                store.gc(size_max).unwrap();
                self.collect(size_max);
            }
            Step::Verify => {
                let good =
                    store.verify(
                        true,
                        |entry| {
                            if bytes_of(entry) == self.entries[entry.key()].0 { Ok(()) } else { Err(()) }
                        },
                    );
                assert_eq!(good.unwrap().count(), self.entries.len());
            }
            Step::Clear => {
                assert_eq!(store.clear().unwrap().entry_count, self.entries.len() as u64);
                self.entries.clear();
            }
            Step::Reopen => {}
        }
    }

    fn assert_agrees(&self, store: &Store, dir: &Path) {
        let listed: Vec<_> = store.list().unwrap().into_iter().map(|entry| (entry.key, entry.len)).collect();
        let expected: Vec<_> = self.entries.iter().map(|(key, entry)| (*key, entry.0.len() as u64)).collect();
        assert_eq!(listed, expected);
        assert_eq!(names(dir, "temp"), [""; 0]);
        assert_eq!(names(dir, "locks"), [""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(steps in proptest::collection::vec(step(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let seam = Script::clock(HOUR_MS);
        let mut store = open_behind(dir.path(), &seam);
        let mut model = Model::default();
        for (hour, step) in (1..).zip(&steps) {
            seam.set_clock(hour * HOUR_MS);
            if matches!(step, Step::Reopen) {
                store = open_behind(dir.path(), &seam);
            }
            model.apply(&store, step, hour);
            model.assert_agrees(&store, dir.path());
        }
    }
}
