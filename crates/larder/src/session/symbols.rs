//! Who answers to a name: the host's definitions, the exports of images, the process, and at last the host's callbacks.
//!
//! A name has as many definitions as were given; the latest that is still there counts. So a later definition replaces an earlier one, and
//! when the image with the later one goes, the earlier one is back.
//!
//! Names of images with many exports are not entered when these are loaded, which would cost more than all the rest of the load: the few such
//! images that came last are asked themselves.
//!
//! Locks are held for single look-ups only, never while code of the host or of an image runs.

use super::code::Image;
use super::hash::BuildNameHasher;
use super::heap::Heap;
use crate::outcome::ModuleOutcome;
use larder_runtime::{Address, Deferral, ObjectAnswer, ProcessSymbols, Resolve, Wanted};
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// Answers names that nobody else knows.
pub(super) type Callback = Arc<dyn Fn(&Wanted<'_>) -> Option<Address> + Send + Sync>;

/// Exports up to which the names of an image are entered when it is loaded.
const ENTERED_COUNT_MAX: usize = 8;
/// Images that are asked themselves. Each of them costs every look-up a question.
const ASKED_COUNT_MAX: usize = 8;

/// One meaning of a name.
#[derive(Debug)]
struct Definition {
    /// Later ones have larger numbers.
    order: u64,
    by: By,
}

/// All meanings of a name.
#[derive(Debug)]
struct Definitions {
    latest: Definition,
    /// The others, the latest of them last.
    earlier: Vec<Definition>,
}

/// Who defines a name.
#[derive(Debug)]
enum By {
    Host(usize),
    Image(Exporter),
}

/// An image that exports names.
#[derive(Debug, Clone)]
struct Exporter {
    id: u64,
    image: Weak<Image>,
}

/// The symbols of a session.
#[derive(Default)]
pub(super) struct Symbols(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    names: HashMap<CString, Definitions, BuildNameHasher>,
    /// Images that are asked themselves, with the order of their definitions; the latest is the last.
    asked: VecDeque<(u64, Exporter)>,
    /// The order of the latest definition.
    order: u64,
    callbacks: Vec<Callback>,
    process: bool,
}

/// An answer, and the image that it is about, which stays as long as who asked.
pub(super) struct Found {
    pub(super) address: Address,
    pub(super) image: Option<Arc<Image>>,
}

impl By {
    fn is_host(&self) -> bool {
        matches!(self, By::Host(_))
    }
}

impl Definitions {
    fn new(latest: Definition) -> Definitions {
        Definitions { latest, earlier: Vec::new() }
    }

    fn latest_first(&self) -> impl Iterator<Item = &Definition> {
        std::iter::once(&self.latest).chain(self.earlier.iter().rev())
    }

    /// Adds one, which is not later than all others if it is that of an image which was asked itself for a while.
    fn add(&mut self, definition: Definition) {
        if definition.order > self.latest.order {
            return self.earlier.push(std::mem::replace(&mut self.latest, definition));
        }
        let at = self.earlier.partition_point(|earlier| earlier.order < definition.order);
        self.earlier.insert(at, definition);
    }

    /// Adds the latest, which is the host's: its own earlier one can never come back.
    fn replace_host(&mut self, definition: Definition) {
        self.earlier.retain(|earlier| !earlier.by.is_host());
        let before = std::mem::replace(&mut self.latest, definition);
        if !before.by.is_host() {
            self.earlier.push(before);
        }
    }
}

impl Exporter {
    fn find(&self, name: &CStr, held: &mut Vec<Arc<Image>>) -> Option<Found> {
        let image = self.image.upgrade()?;
        match image.loaded().symbol(name.to_bytes()) {
            Some(address) => Some(Found { address, image: Some(image) }),
            None => {
                held.push(image);
                None
            }
        }
    }
}

impl Tables {
    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// Enters the names that an image exports. Definitions that are later may have been entered before.
    fn enter(&mut self, order: u64, exporter: &Exporter, image: &Image) {
        for name in image.export_names() {
            let definition = Definition { order, by: By::Image(exporter.clone()) };
            match self.names.get_mut(name) {
                Some(definitions) => definitions.add(definition),
                None => drop(self.names.insert(name.to_owned(), Definitions::new(definition))),
            }
        }
    }

    /// What a name means. Images that were asked and don't know it are held.
    fn find(&self, name: &CStr, held: &mut Vec<Arc<Image>>) -> Option<Found> {
        let mut left = self.asked.len();
        let mut ask_down_to = |order: u64, held: &mut Vec<Arc<Image>>| {
            while let Some((later, exporter)) = left.checked_sub(1).and_then(|last| self.asked.get(last))
                && *later > order
            {
                left -= 1;
                if let Some(found) = exporter.find(name, held) {
                    return Some(found);
                }
            }
            None
        };
        for definition in self.names.get(name).into_iter().flat_map(Definitions::latest_first) {
            let found = ask_down_to(definition.order, held).or_else(|| match &definition.by {
                By::Host(address) => Some(Found { address: *address as Address, image: None }),
                By::Image(exporter) => exporter.find(name, held),
            });
            if found.is_some() {
                return found;
            }
        }
        ask_down_to(0, held)
    }

    /// Takes definitions of a name away. Says whether there were any.
    fn take_back(&mut self, name: &CStr, is_taken: impl Fn(&By) -> bool) -> bool {
        let Some(definitions) = self.names.get_mut(name) else { return false };
        let count = definitions.earlier.len();
        definitions.earlier.retain(|definition| !is_taken(&definition.by));
        let is_changed = definitions.earlier.len() < count;
        if !is_taken(&definitions.latest.by) {
            return is_changed;
        }
        match definitions.earlier.pop() {
            Some(earlier) => definitions.latest = earlier,
            None => drop(self.names.remove(name)),
        }
        true
    }
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
        let order = tables.next_order();
        for (name, address) in names {
            // A name with a NUL is one that no image can ask for.
            let Ok(name) = CString::new(name) else { continue };
            let definition = Definition { order, by: By::Host(address as usize) };
            match tables.names.entry(name) {
                Entry::Vacant(vacant) => drop(vacant.insert(Definitions::new(definition))),
                Entry::Occupied(mut occupied) => occupied.get_mut().replace_host(definition),
            }
        }
    }

    /// Takes the host's definition of a name back. Says whether there was one.
    pub(super) fn undefine(&self, name: &str) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        let mut tables = self.write();
        tables.take_back(&name, By::is_host)
    }

    /// Adds the exports of an image.
    pub(super) fn offer(&self, image: &Arc<Image>) {
        // None may be the last to let go of an image while the lock is held.
        let mut held = None;
        let mut tables = self.write();
        let order = tables.next_order();
        let exporter = Exporter { id: image.id, image: Arc::downgrade(image) };
        if image.export_count() <= ENTERED_COUNT_MAX {
            return tables.enter(order, &exporter, image);
        }
        tables.asked.push_back((order, exporter));
        if tables.asked.len() > ASKED_COUNT_MAX
            && let Some((order, exporter)) = tables.asked.pop_front()
        {
            held = exporter.image.upgrade();
            held.iter().for_each(|image| tables.enter(order, &exporter, image));
        }
        drop(tables);
        drop(held);
    }

    /// Takes the exports of an image away.
    pub(super) fn withdraw(&self, image: &Image) {
        let mut tables = self.write();
        let asked_count = tables.asked.len();
        tables.asked.retain(|(_, exporter)| exporter.id != image.id);
        if tables.asked.len() < asked_count {
            return;
        }
        for name in image.export_names() {
            tables.take_back(name, |by| matches!(by, By::Image(exporter) if exporter.id == image.id));
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
        let mut held = Vec::new();
        let tables = self.read();
        tables.find(name, &mut held)
    }

    /// The addresses of many names at once, and the images that they are in.
    fn find_all(&self, wanted: &[Wanted<'_>], used: &mut Vec<Arc<Image>>) -> Vec<Option<Address>> {
        let mut held = Vec::new();
        let tables = self.read();
        let find = |wanted: &Wanted<'_>| {
            let Found { address, image } = tables.find(wanted.name, &mut held)?;
            used.extend(image);
            Some(address)
        };
        wanted.iter().map(find).collect()
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

    /// What the process or a callback knows by that name.
    fn resolve_beyond(&self, wanted: &Wanted<'_>) -> Option<Address> {
        let of_process = if self.process { ProcessSymbols.resolve(wanted) } else { None };
        of_process.or_else(|| self.callbacks.iter().find_map(|callback| callback(wanted)))
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
        self.resolve_beyond(wanted)
    }

    fn resolve_all(&self, wanted: &[Wanted<'_>]) -> Vec<Option<Address>> {
        if self.first.is_some() {
            return wanted.iter().map(|wanted| self.resolve(wanted)).collect();
        }
        let mut found = self.symbols.find_all(wanted, &mut self.used.borrow_mut());
        for (wanted, address) in wanted.iter().zip(&mut found) {
            *address = address.or_else(|| self.resolve_beyond(wanted));
        }
        found
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
