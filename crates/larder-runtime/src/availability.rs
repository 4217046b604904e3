//! Which units of an image can't be used as they are, and what becomes of calls to them.
//!
//! [`Plan`] is made while the image is bound: it says how many stubs are needed. [`Availability`] has them, as long as the image is loaded.
//! An image all of whose units can be used has neither.

use crate::error::LoadError;
use crate::os::Region;
use crate::patch::{Entries, Entry, Stubs};
use crate::rebind::Move;
use crate::registry;
use crate::relocate::damaged;
use crate::resolve::{self, Address, Deferral};
use crate::unavailable::{Call, Dropped, FailedGuard, Unavailable, UnitId, Waiting};
use larder_format::image::{Image, ImageError, PAGE, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What a stub stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// A unit, by its row.
    Unit(u32),
    /// A deferred function, by its import.
    Import(u32),
}

/// What is going to be dropped and what has to wait.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    dropped: BTreeMap<u32, Dropped>,
    /// The deferred imports of units that wait; none of those is dropped.
    waiting: BTreeMap<u32, BTreeSet<u32>>,
    deferred: BTreeMap<u32, Deferral>,
}

impl Plan {
    /// Finds the units that have a guard which failed, and those that use deferred imports.
    pub(crate) fn new(
        image: &Image<'_>,
        failed: &BTreeMap<u32, FailedGuard>,
        deferred: BTreeMap<u32, Deferral>,
    ) -> Result<Plan, ImageError> {
        let mut plan = Plan { deferred, ..Plan::default() };
        let dropped = (!failed.is_empty()).then(|| image.droppable_by(|guard| failed.contains_key(&guard)));
        for row in dropped.into_iter().flatten() {
            let droppable = image.droppable_unit(&row)?;
            let failed = droppable.guards.iter().filter_map(|guard| failed.get(&guard).cloned()).collect();
            let name = name_of(image, Target::Unit(row.unit));
            let fallback = droppable.fallback.map(|fallback| UnitId(fallback as u32));
            plan.dropped.insert(row.unit, Dropped { unit: UnitId(row.unit), name, fallback, failed });
        }
        let units = if plan.deferred.is_empty() { 0 } else { image.units().len() };
        for (unit, row) in image.units().iter().take(units).zip(0..) {
            let imports = imports_of(image, &unit)?.filter(|import| plan.deferred.contains_key(import));
            let imports: BTreeSet<u32> = imports.collect();
            if !imports.is_empty() && !plan.dropped.contains_key(&row) {
                plan.waiting.insert(row, imports);
            }
        }
        Ok(plan)
    }

    /// Whether an import has been deferred.
    pub(crate) fn deferral(&self, import: u32) -> Option<Deferral> {
        self.deferred.get(&import).copied()
    }

    fn targets(&self) -> Vec<Target> {
        let units: BTreeSet<u32> = self.dropped.keys().chain(self.waiting.keys()).copied().collect();
        let functions = self.deferred.iter().filter(|(_, deferral)| **deferral == Deferral::Function);
        units.into_iter().map(Target::Unit).chain(functions.map(|(import, _)| Target::Import(*import))).collect()
    }
}

fn imports_of<'a>(image: &Image<'a>, unit: &Unit) -> Result<impl Iterator<Item = u32> + use<'a>, ImageError> {
    let rows = image.unit_imports();
    let first = unit.imports_first as usize;
    match first.checked_add(unit.imports_count as usize) {
        Some(end) if end <= rows.len() => Ok((first..end).filter_map(move |row| rows.get(row))),
        _ => Err(damaged("the imports of a unit leave their table", unit.offset)),
    }
}

/// What changes while the image is loaded.
#[derive(Debug)]
struct State {
    entries: Entries,
    waiting: BTreeMap<u32, BTreeSet<u32>>,
    deferred: BTreeMap<u32, Deferral>,
}

/// The units of a bound image that can't be used as they are.
pub(crate) struct Availability {
    image: Image<'static>,
    base: usize,
    stubs: Stubs,
    /// What the stubs stand for, sorted.
    targets: Vec<Target>,
    dropped: Vec<Dropped>,
    state: Mutex<State>,
    handler: RwLock<Option<Arc<dyn Unavailable>>>,
}

impl fmt::Debug for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Availability")
            .field("targets", &self.targets)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Availability {
    /// Makes stubs for what the plan names, patches the entries of units, and answers deferred functions with their stubs.
    ///
    /// # Safety
    /// The image is the one that is mapped in the region, which outlives the answer; nothing of it runs yet.
    pub(crate) unsafe fn new(
        plan: Plan,
        image: &Image<'static>,
        region: &Region,
        path: &Path,
        addresses: &mut [usize],
    ) -> Result<Option<Box<Availability>>, LoadError> {
        let targets = plan.targets();
        if targets.is_empty() && plan.deferred.is_empty() {
            return Ok(None);
        }
        let os = |operation| move |source| LoadError::Os { path: path.to_owned(), operation, source };
        let entries = entries(image, &targets).map_err(|source| LoadError::Image { path: path.to_owned(), source })?;
        let code = image.header().rx;
        let patched = entries.iter().map(|entry| entry.offset);
        let first = patched.clone().min().unwrap_or(code.offset);
        let last = patched.max().unwrap_or(code.offset);
        let near = region.at(first) as usize..region.at((last + PAGE).min(code.offset + code.len)) as usize;
        let around = registry::addresses(region.base(), image.header().mem_len);
        let stubs = Stubs::new(&near, &around, targets.len() as u32).map_err(os("map stubs of"))?;
        let stubs = stubs.ok_or_else(|| LoadError::NoPlaceForStubs { path: path.to_owned() })?;
        // SAFETY: nobody writes to the code yet.
        let patches = unsafe { Entries::plan(region, &entries, &stubs) }.map_err(|stub| LoadError::TooShort {
            path: path.to_owned(),
            name: targets.get(stub as usize).map_or_else(String::new, |target| name_of(image, *target)),
        })?;
        for (target, number) in targets.iter().zip(0..) {
            if let Target::Import(import) = target {
                addresses[*import as usize] = stubs.stub(number);
            }
        }
        // SAFETY: the caller says that nothing runs yet.
        let entries = unsafe { Entries::patch(region, patches) }.map_err(os("patch code of"))?;
        let Plan { dropped, waiting, deferred } = plan;
        let dropped: Vec<Dropped> = dropped.into_values().collect();
        let state = Mutex::new(State { entries, waiting, deferred });
        let (image, base, handler) = (*image, region.base(), RwLock::new(None));
        let availability = Box::new(Availability { image, base, stubs, targets, dropped, state, handler });
        // SAFETY: it is in a box, and has the stubs.
        unsafe { availability.stubs.set_context(&raw const *availability) };
        availability.call_fallbacks();
        Ok(Some(availability))
    }

    /// Has the fallbacks of dropped units called in their place.
    fn call_fallbacks(&self) {
        for dropped in &self.dropped {
            if let Some(fallback) = dropped.fallback {
                self.redirect(dropped.unit, self.entry(fallback) as Address);
            }
        }
    }

    /// Address of a unit.
    fn entry(&self, unit: UnitId) -> usize {
        self.base + self.image.units().get(unit.0 as usize).map_or(0, |unit| unit.offset as usize)
    }

    /// Says who decides about calls from now on.
    pub(crate) fn set_handler(&self, handler: Arc<dyn Unavailable>) {
        *self.handler.write().unwrap_or_else(PoisonError::into_inner) = Some(handler);
    }

    /// The address where a call through that stub of the area goes.
    pub(crate) fn called(&self, in_area: u32) -> usize {
        let number = self.stubs.number(in_area);
        let Some(&target) = self.targets.get(number as usize) else { unreachable!("a stub has a target") };
        let name = name_of(&self.image, target);
        let entry = match target {
            Target::Unit(unit) => {
                self.base + self.image.units().get(unit as usize).map_or(0, |unit| unit.offset as usize)
            }
            Target::Import(_) => 0,
        };
        let call = match target {
            Target::Unit(unit) => Call::Unit { unit: UnitId(unit), name: &name, entry: entry as Address },
            Target::Import(_) => Call::Import { name: &name },
        };
        let handler = self.handler.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(handler) = handler else {
            panic!("{name} was called, which can't be used, and nobody decides what to do")
        };
        let answer = handler.called(call) as usize;
        assert!(answer != 0, "{name} was answered with null");
        if answer == entry { entry } else { self.stubs.lead_first(number, answer) }
    }

    fn number(&self, target: Target) -> Option<u32> {
        self.targets.binary_search(&target).ok().map(|number| number as u32)
    }

    /// Leads calls of a unit to that address; `false` if it isn't one that was dropped or had to wait.
    pub(crate) fn redirect(&self, unit: UnitId, address: Address) -> bool {
        let number = self.number(Target::Unit(unit.0));
        number.map(|number| self.stubs.lead(number, address as usize)).is_some()
    }

    /// Units that were dropped.
    pub(crate) fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// Units that still wait.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let imports =
            |imports: &BTreeSet<u32>| imports.iter().map(|import| resolve::name_of(&self.image, *import)).collect();
        let waiting = &self.state().waiting;
        let unit = |(unit, names): (&u32, &BTreeSet<u32>)| Waiting {
            unit: UnitId(*unit),
            name: name_of(&self.image, Target::Unit(*unit)),
            imports: imports(names),
        };
        waiting.iter().map(unit).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deferred imports for whose names there is an address now. Their words hold the address of a stub, or null.
    pub(crate) fn deferred(&self, address: impl Fn(&str) -> Option<usize>) -> Vec<(u32, Move)> {
        let from = |import| self.number(Target::Import(import)).map_or(0, |number| self.stubs.stub(number));
        let imports = self.state().deferred.keys().copied().collect::<Vec<u32>>();
        let found =
            imports.into_iter().filter_map(|import| Some((import, address(&resolve::name_of(&self.image, import))?)));
        found.map(|(import, to)| (import, Move { from: from(import), to })).collect()
    }

    /// Takes note that deferred imports have their addresses, which stand in the image's words; arms the units that wait for nothing else,
    /// and answers them.
    ///
    /// # Safety
    /// The region is the image's. The addresses are what the code takes them for.
    pub(crate) unsafe fn arm(&self, region: &Region, defined: &BTreeMap<u32, usize>) -> std::io::Result<Vec<UnitId>> {
        let mut state = self.state();
        for (import, &address) in defined {
            state.deferred.remove(import);
            if let Some(number) = self.number(Target::Import(*import)) {
                self.stubs.lead(number, address);
            }
        }
        state.waiting.values_mut().for_each(|imports| imports.retain(|import| !defined.contains_key(import)));
        let units = self.image.units();
        let ready = state.waiting.iter().filter(|(_, imports)| imports.is_empty());
        let ready: Vec<(u32, u64)> =
            ready.filter_map(|(unit, _)| Some((*unit, units.get(*unit as usize)?.offset))).collect();
        let offsets = ready.iter().map(|(_, offset)| *offset).collect();
        // SAFETY: the caller's promise.
        unsafe { state.entries.restore(region, &offsets) }?;
        for (unit, offset) in &ready {
            state.waiting.remove(unit);
            self.redirect(UnitId(*unit), (self.base + *offset as usize) as Address);
        }
        Ok(ready.into_iter().map(|(unit, _)| UnitId(unit)).collect())
    }
}

fn name_of(image: &Image<'_>, target: Target) -> String {
    match target {
        Target::Unit(unit) => {
            let name = image.units().get(unit as usize).and_then(|unit| image.text(unit.name));
            name.map_or_else(String::new, |name| String::from_utf8_lossy(name).into_owned())
        }
        Target::Import(import) => resolve::name_of(image, import),
    }
}

/// The entries of units, each up to where the next unit begins.
fn entries(image: &Image<'_>, targets: &[Target]) -> Result<Vec<Entry>, ImageError> {
    let code = image.header().rx;
    let code_end = code.offset + code.len;
    let units = image.units();
    let mut entries = Vec::new();
    for (target, stub) in targets.iter().zip(0..) {
        let Target::Unit(row) = *target else { continue };
        let row = row as usize;
        let offset = units.get(row).map_or(0, |unit| unit.offset);
        let limit = units.get(row + 1).map_or(code_end, |next| next.offset);
        if offset < code.offset || limit < offset || limit > code_end {
            return Err(damaged("a unit lies outside of RX", offset));
        }
        entries.push(Entry { offset, limit, stub });
    }
    Ok(entries)
}
