//! Who answers to a name: the host's definitions, the exports of images, the process, and at last the host's callbacks.
//!
//! A name has as many definitions as were given; the latest that is still there counts. So a later definition replaces an earlier one, and
//! when the image with the later one goes, the earlier one is back.
//!
//! Locks are held for single look-ups only, never while code of the host or of an image runs.

use super::code::Image;
use super::heap::Heap;
use crate::outcome::ModuleOutcome;
use larder_runtime::{Address, Deferral, ObjectAnswer, ProcessSymbols, Resolve, Wanted};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// Answers names that nobody else knows.
pub(super) type Callback = Arc<dyn Fn(&Wanted<'_>) -> Option<Address> + Send + Sync>;

/// One meaning of a name.
#[derive(Debug)]
enum Definition {
    Host(usize),
    Image { id: u64, image: Weak<Image> },
}

/// The symbols of a session.
#[derive(Default)]
pub(super) struct Symbols(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    /// The latest definition is the last.
    names: HashMap<CString, Vec<Definition>>,
    callbacks: Vec<Callback>,
    process: bool,
}

/// An answer, and the image that it is about, which stays as long as who asked.
pub(super) struct Found {
    pub(super) address: Address,
    pub(super) image: Option<Arc<Image>>,
}

impl Symbols {
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives names addresses of the host's.
    pub(super) fn define<'a>(&self, names: impl IntoIterator<Item = (&'a str, Address)>) {
        let mut tables = self.write();
        for (name, address) in names {
            // A name with a NUL is one that no image can ask for.
            let Ok(name) = CString::new(name) else { continue };
            let definitions = tables.names.entry(name).or_default();
            // The host's own earlier one can never come back.
            definitions.retain(|definition| !matches!(definition, Definition::Host(_)));
            definitions.push(Definition::Host(address as usize));
        }
    }

    /// Takes the host's definition of a name back. Says whether there was one.
    pub(super) fn undefine(&self, name: &str) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        let mut tables = self.write();
        let Some(definitions) = tables.names.get_mut(&name) else { return false };
        let count = definitions.len();
        definitions.retain(|definition| !matches!(definition, Definition::Host(_)));
        let removed = definitions.len() < count;
        if definitions.is_empty() {
            tables.names.remove(&name);
        }
        removed
    }

    /// Adds the exports of an image.
    pub(super) fn offer(&self, image: &Arc<Image>) {
        let mut tables = self.write();
        for name in image.export_names() {
            let definition = Definition::Image { id: image.id, image: Arc::downgrade(image) };
            tables.names.entry(name).or_default().push(definition);
        }
    }

    /// Takes the exports of an image away.
    pub(super) fn withdraw(&self, image: &Image) {
        let mut tables = self.write();
        for name in image.export_names() {
            let Some(definitions) = tables.names.get_mut(&name) else { continue };
            definitions.retain(|definition| !matches!(definition, Definition::Image { id, .. } if *id == image.id));
            if definitions.is_empty() {
                tables.names.remove(&name);
            }
        }
    }

    pub(super) fn use_process(&self) {
        self.write().process = true;
    }

    pub(super) fn add_callback(&self, callback: Callback) {
        self.write().callbacks.push(callback);
    }

    /// What a name means now, and the image that it is in.
    pub(super) fn find(&self, name: &CStr) -> Option<Found> {
        // An image that goes takes its exports away, which needs the lock: so none may be the last to let go of one while it is held.
        let mut gone = Vec::new();
        let tables = self.read();
        let found = tables.names.get(name)?.iter().rev().find_map(|definition| match definition {
            Definition::Host(address) => Some(Found { address: *address as Address, image: None }),
            Definition::Image { image, .. } => {
                let image = image.upgrade()?;
                match image.loaded().symbol(name.to_bytes()) {
                    Some(address) => Some(Found { address, image: Some(image) }),
                    None => {
                        gone.push(image);
                        None
                    }
                }
            }
        });
        drop(tables);
        found
    }

    fn callbacks(&self) -> (bool, Vec<Callback>) {
        let tables = self.read();
        (tables.process, tables.callbacks.clone())
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.read();
        f.debug_struct("Symbols").field("names", &tables.names.len()).field("process", &tables.process).finish()
    }
}

/// The answers for one image, and which images were among them.
pub(super) struct Answers<'s> {
    symbols: &'s Symbols,
    heap: &'s Heap,
    /// Who is asked before all others.
    first: Option<&'s dyn Resolve>,
    /// Objects that only this image asks for.
    own_objects: HashMap<&'s str, u64>,
    process: bool,
    callbacks: Vec<Callback>,
    used: RefCell<Vec<Arc<Image>>>,
}

impl<'s> Answers<'s> {
    pub(super) fn new(symbols: &'s Symbols, heap: &'s Heap) -> Answers<'s> {
        let (process, callbacks) = symbols.callbacks();
        let used = RefCell::default();
        Answers { symbols, heap, first: None, own_objects: HashMap::new(), process, callbacks, used }
    }

    /// The same for one image: with somebody who is asked before all others, and addresses that only its code was told.
    pub(super) fn of(mut self, first: Option<&'s dyn Resolve>, modules: &'s [ModuleOutcome]) -> Answers<'s> {
        self.first = first;
        let own = modules.iter().flat_map(|module| &module.session_objects);
        self.own_objects = own.map(|object| (object.name.as_str(), object.address)).collect();
        self
    }

    /// The images whose addresses were given away: they have to stay as long as who got them.
    pub(super) fn into_used(self) -> Vec<Arc<Image>> {
        let mut used = self.used.into_inner();
        used.sort_by_key(|image| image.id);
        used.dedup_by_key(|image| image.id);
        used
    }
}

impl Resolve for Answers<'_> {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        if let Some(address) = self.first.and_then(|first| first.resolve(wanted)) {
            return Some(address);
        }
        if let Some(found) = self.symbols.find(wanted.name) {
            self.used.borrow_mut().extend(found.image);
            return Some(found.address);
        }
        let of_process = if self.process { ProcessSymbols.resolve(wanted) } else { None };
        of_process.or_else(|| self.callbacks.iter().find_map(|callback| callback(wanted)))
    }

    fn defers(&self, wanted: &Wanted<'_>) -> Option<Deferral> {
        self.heap.deferral(wanted.name)
    }

    fn object(&self, name: &[u8]) -> Option<ObjectAnswer> {
        let own = std::str::from_utf8(name).ok().and_then(|name| self.own_objects.get(name));
        let of_process = own.map(|&address| ObjectAnswer { address: address as Address, fingerprint: 0 });
        of_process.or_else(|| self.heap.object(name))
    }

    fn predicate(&self, name: &[u8], arguments: &[u8]) -> Option<u64> {
        self.heap.predicate(name, arguments)
    }
}
