//! Guards: which functions count on which heap objects of the host and on which of its predicates.
//!
//! A function counts on an object that its own relocations name, or that data names which it refers to; not on what functions that it calls
//! count on. And it counts on what a *mark* in its code says ([`Marks`]): compilers leave marks, since code that was inlined or folded away
//! names nothing any more.
//!
//! A function that is dropped becomes a jump, whose bytes must be its own: [`Guards::make_room`].

use crate::error::{LinkError, text};
use crate::input::{Inputs, ObjectId, Place, Role, SectionId, SymbolId, sh, stt};
use crate::live::Live;
use crate::resolve::Symbols;
use crate::scan::Needs;
use crate::units::{Function, Units, WORK_MAX};
use crate::unwind::{BEGIN_OFFSET, Unwind};
use larder_format::guard::GuardSymbol;
use larder_format::image::{DROP_LEN, ENDBR64};
use reach::Reached;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

mod marks;
mod reach;

use marks::CodePlace;
pub(crate) use marks::{FALLBACKS, Marks, USES, has_prefix, is_object, read_marks};

/// All that the index says of guards.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// In the order they are asked.
    pub(crate) rows: Vec<GuardRow>,
    /// Indices of rows, in runs that droppable functions have.
    pub(crate) unit_guards: Vec<u32>,
    /// In the order of [`Units::functions`].
    pub(crate) droppable: Vec<Droppable>,
    /// Sections that end before there is room for a jump, and the length that they must have.
    short: Vec<(SectionId, u64)>,
}

/// One guard.
#[derive(Debug, Clone)]
pub(crate) struct GuardRow {
    pub(crate) symbol: GuardSymbol,
    /// Index of the import that an object is.
    pub(crate) import: Option<u32>,
}

/// A function that has guards.
#[derive(Debug)]
pub(crate) struct Droppable {
    /// Index in [`Units::functions`].
    pub(crate) function: usize,
    /// The same of what is called instead.
    pub(crate) fallback: Option<usize>,
    /// Its run in [`Guards::unit_guards`].
    pub(crate) guards: Range<u32>,
}

/// Finds out which functions have which guards.
pub(crate) fn collect_guards(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    live: &Live,
    unwind: &Unwind,
    needs: &Needs,
    units: &Units,
    marks: &Marks,
) -> Result<Guards, LinkError> {
    check_predicates(inputs, needs, marks)?;
    let numbers = Numbers::new(inputs, live, needs, marks);
    let reached = Reached::new(inputs, symbols, live, &numbers.objects)?;
    let collector = Collector { inputs, symbols, live, units, reached: &reached };
    let fallbacks = collector.fallbacks(marks)?;
    let mut guards = Guards { rows: numbers.rows, ..Guards::default() };
    if guards.rows.is_empty() {
        return Ok(guards);
    }
    let mut sets = collector.sets(unwind, numbers.marks)?;
    collector.check_code()?;
    collector.give_to_wholes(&mut sets);
    guards.add_droppable(&sets, &fallbacks);
    guards.short = collector.short_sections(&guards.droppable)?;
    Ok(guards)
}

impl Guards {
    /// Functions that count on the same share a run.
    fn add_droppable(&mut self, sets: &[Vec<u32>], fallbacks: &HashMap<usize, usize>) {
        let mut runs: HashMap<&[u32], Range<u32>> = HashMap::new();
        for (function, set) in sets.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
            let unit_guards = &mut self.unit_guards;
            let run = runs.entry(set).or_insert_with(|| {
                let first = unit_guards.len() as u32;
                unit_guards.extend_from_slice(set);
                first..unit_guards.len() as u32
            });
            let fallback = fallbacks.get(&function).copied();
            self.droppable.push(Droppable { function, fallback, guards: run.clone() });
        }
    }

    /// Lengthens sections that end before there is room for a jump. What is added becomes traps, as between sections.
    pub(crate) fn make_room(&self, inputs: &mut Inputs<'_>) {
        for &(section, len) in &self.short {
            inputs.sections[section.index()].len = len;
        }
    }
}

/// A predicate has no address.
fn check_predicates(inputs: &Inputs<'_>, needs: &Needs, marks: &Marks) -> Result<(), LinkError> {
    let is_predicate = |id| matches!(marks.symbols.get(&id), Some(GuardSymbol::Predicate { .. }));
    match needs.imports.iter().find(|import| is_predicate(import.symbol)) {
        None => Ok(()),
        Some(import) => Err(LinkError::Guard {
            object: inputs.object_name(inputs.symbol(import.symbol).object).into(),
            subject: inputs.symbol_name(import.symbol),
            what: "a predicate has no address that code or data could use: name it in .larder.uses only".into(),
        }),
    }
}

/// Guards in their order.
struct Numbers {
    rows: Vec<GuardRow>,
    /// Symbols of objects with their rows, in ascending order of rows.
    objects: Vec<(SymbolId, u32)>,
    /// Marks in live code with their rows, sorted by place.
    marks: Vec<(CodePlace, u32)>,
}

impl Numbers {
    /// Predicates stand in front, by module and in its order, as their answers may be about what others hold; then objects by name.
    fn new(inputs: &Inputs<'_>, live: &Live, needs: &Needs, marks: &Marks) -> Self {
        let module = |place: CodePlace| {
            let object: ObjectId = inputs.section(place.section).object;
            inputs.objects.get(object.index()).map_or(0, |object| object.module)
        };
        let mut predicates: BTreeMap<(u32, &GuardSymbol), u32> = BTreeMap::new();
        for mark in marks.live_uses(live) {
            if let Some(guard @ GuardSymbol::Predicate { .. }) = marks.symbols.get(&mark.guard) {
                predicates.insert((module(mark.place), guard), 0);
            }
        }
        predicates.values_mut().zip(0..).for_each(|(row, number)| *row = number);
        let imports = needs.imports.iter().zip(0..);
        let object = |(import, index): (&crate::scan::Import, u32)| {
            Some((marks.symbols.get(&import.symbol)?, import.symbol, index))
        };
        let mut objects: Vec<(&GuardSymbol, SymbolId, u32)> = imports.filter_map(object).collect();
        objects.sort();
        let predicate_rows = predicates.keys().map(|&(_, guard)| GuardRow { symbol: guard.clone(), import: None });
        let object_rows =
            objects.iter().map(|&(guard, _, import)| GuardRow { symbol: guard.clone(), import: Some(import) });
        let rows: Vec<GuardRow> = predicate_rows.chain(object_rows).collect();
        let objects: Vec<_> =
            objects.iter().zip(predicates.len() as u32..).map(|(object, row)| (object.1, row)).collect();
        let by_symbol: HashMap<SymbolId, u32> = objects.iter().copied().collect();
        let row = |mark: &marks::Mark| {
            let guard = marks.symbols.get(&mark.guard)?;
            let row = by_symbol.get(&mark.guard).or_else(|| predicates.get(&(module(mark.place), guard)));
            row.map(|&row| (mark.place, row))
        };
        let marks = marks.live_uses(live).filter_map(row).collect();
        Numbers { rows, objects, marks }
    }
}

struct Collector<'x, 'a> {
    inputs: &'x Inputs<'a>,
    symbols: &'x Symbols<'a>,
    live: &'x Live,
    units: &'x Units,
    reached: &'x Reached,
}

impl Collector<'_, '_> {
    /// Sorted rows of guards for each function.
    fn sets(&self, unwind: &Unwind, marks: Vec<(CodePlace, u32)>) -> Result<Vec<Vec<u32>>, LinkError> {
        let described = self.described(unwind);
        let mut in_function = vec![false; marks.len()];
        let mut work = 0;
        let mut sets = Vec::with_capacity(self.units.functions.len());
        for function in &self.units.functions {
            let mut set = self.set_of_code(function);
            set.extend(described.get(&start_of(function)).into_iter().flatten());
            let marked = self.marks_in(function, &marks);
            in_function[marked.clone()].fill(true);
            set.extend(marks[marked].iter().map(|&(_, row)| row));
            work += set.len() as u64;
            if work > WORK_MAX {
                let what = "guards of functions that overlap or refer to much data";
                return Err(LinkError::TooLarge { what, len: work, max: WORK_MAX });
            }
            set.sort_unstable();
            set.dedup();
            sets.push(set);
        }
        let stray = marks.iter().zip(in_function).find(|((place, _), found)| !found && !self.is_behind_code(*place));
        match stray {
            None => Ok(sets),
            Some(((place, _), _)) => Err(self.in_no_function(*place, "code counts on a guard")),
        }
    }

    fn set_of_code(&self, function: &Function) -> Vec<u32> {
        if self.reached.is_empty() {
            return Vec::new();
        }
        let section = self.inputs.section(function.section);
        let relocs = section.relocs_in(section.reloc_range(function.start, end_of(function)));
        let mut set: Vec<u32> = Vec::new();
        for reloc in relocs {
            set.extend_from_slice(self.reached.of(self.inputs, self.symbols.definition(reloc.symbol)));
            if set.len() > 2 * self.reached.rows_count() {
                set.sort_unstable();
                set.dedup();
            }
        }
        set
    }

    /// What the unwind records of functions lead to: tables of types that landing pads catch.
    fn described(&self, unwind: &Unwind) -> HashMap<CodePlace, Vec<u32>> {
        let mut described: HashMap<CodePlace, Vec<u32>> = HashMap::new();
        if self.reached.is_empty() {
            return described;
        }
        for fde in unwind.live_fdes(self.live) {
            let begin = fde.record.bytes.start as u64 + BEGIN_OFFSET;
            for reloc in fde.record.relocs(self.inputs).filter(|reloc| reloc.offset != begin) {
                let rows = self.reached.of(self.inputs, self.symbols.definition(reloc.symbol));
                if !rows.is_empty() {
                    let (symbol, addend) = fde.begin;
                    let offset = self.inputs.symbol(symbol).value.wrapping_add_signed(addend);
                    described.entry(CodePlace { section: fde.function, offset }).or_default().extend(rows);
                }
            }
        }
        described
    }

    /// A mark just behind a function is its own, unless another begins there: a compiler knew that nothing behind the mark is reached.
    fn marks_in(&self, function: &Function, marks: &[(CodePlace, u32)]) -> Range<usize> {
        let end = CodePlace { section: function.section, offset: end_of(function) };
        let is_shared = self.units.at(end.section, end.offset).is_some();
        let first = marks.partition_point(|(place, _)| *place < start_of(function));
        let count = marks[first..].partition_point(|(place, _)| *place < end || (*place == end && !is_shared));
        first..first + count
    }

    /// Whether there is no code at the place that could count on anything: functions that are never run may have no byte.
    fn is_behind_code(&self, place: CodePlace) -> bool {
        place.offset == self.inputs.section(place.section).len
    }

    /// All code that uses objects lies in functions, so that it is dropped with one.
    fn check_code(&self) -> Result<(), LinkError> {
        if self.reached.is_empty() {
            return Ok(());
        }
        let code = |id, section: &crate::input::Section<'_>| {
            section.role == Role::Loaded && section.is(sh::EXECINSTR) && self.live.contains(id)
        };
        for (id, section) in self.inputs.sections().filter(|&(id, section)| code(id, section)) {
            let first = self.units.functions.partition_point(|function| function.section < id);
            let mut functions =
                self.units.functions[first..].iter().take_while(|function| function.section == id).peekable();
            let mut end = 0;
            for reloc in section.relocs() {
                while let Some(function) = functions.next_if(|function| function.start <= reloc.offset) {
                    end = end.max(end_of(function));
                }
                let uses = || !self.reached.of(self.inputs, self.symbols.definition(reloc.symbol)).is_empty();
                if reloc.offset >= end && uses() {
                    let place = CodePlace { section: id, offset: reloc.offset };
                    return Err(self.in_no_function(place, "code uses a heap object"));
                }
            }
        }
        Ok(())
    }

    fn in_no_function(&self, place: CodePlace, what: &str) -> LinkError {
        let section = self.inputs.section(place.section);
        LinkError::Guard {
            object: self.inputs.object_name(section.object).into(),
            subject: format!("{}+{:#x}", text(section.name), place.offset),
            what: format!("{what} and lies in no function: give the function its type and size (.type, .size)"),
        }
    }

    /// A part of a function is jumped into, so it is the whole function that is dropped.
    fn give_to_wholes(&self, sets: &mut [Vec<u32>]) {
        for (part, function) in self.units.functions.iter().enumerate() {
            if let Some(whole) = function.part_of {
                let set = std::mem::take(&mut sets[part]);
                sets[whole].extend(set);
                sets[whole].sort_unstable();
                sets[whole].dedup();
            }
        }
    }

    /// What is called in place of functions, by their indices.
    fn fallbacks(&self, marks: &Marks) -> Result<HashMap<usize, usize>, LinkError> {
        let mut fallbacks: HashMap<usize, usize> = HashMap::new();
        for row in marks.fallbacks.iter().filter(|row| self.live.contains(row.function.section)) {
            let function = self.function_at(row.function, "something is to replace it")?;
            let fallback = self.function_at(row.fallback, "it is to replace a function")?;
            if fallbacks.insert(function, fallback).is_some_and(|before| before != fallback) {
                return Err(self.refuse(function, "two functions are to replace it: name one"));
            }
        }
        let mut done = HashSet::new();
        for &function in fallbacks.keys().collect::<BTreeSet<_>>() {
            let mut chain = HashSet::new();
            let mut next = Some(function);
            while let Some(function) = next.filter(|function| !done.contains(function)) {
                if !chain.insert(function) {
                    return Err(self.refuse(function, "it is to replace itself, directly or through others"));
                }
                next = fallbacks.get(&function).copied();
            }
            done.extend(chain);
        }
        Ok(fallbacks)
    }

    fn function_at(&self, place: CodePlace, what: &str) -> Result<usize, LinkError> {
        self.units.at(place.section, place.offset).ok_or_else(|| {
            let section = self.inputs.section(place.section);
            LinkError::Guard {
                object: self.inputs.object_name(section.object).into(),
                subject: format!("{}+{:#x}", text(section.name), place.offset),
                what: format!("{what}, and no function begins there: give it its type and size (.type, .size)"),
            }
        })
    }

    fn refuse(&self, function: usize, what: &str) -> LinkError {
        let symbol = self.units.functions[function].symbol;
        LinkError::Guard {
            object: self.inputs.object_name(self.inputs.symbol(symbol).object).into(),
            subject: self.inputs.symbol_name(symbol),
            what: what.into(),
        }
    }

    /// Makes sure that the first bytes of functions that may be dropped are their own, and finds the sections that lack some.
    fn short_sections(&self, droppable: &[Droppable]) -> Result<Vec<(SectionId, u64)>, LinkError> {
        let functions = || droppable.iter().map(|row| (row.function, &self.units.functions[row.function]));
        let short: HashSet<SectionId> = functions()
            .filter(|(_, function)| u64::from(function.len) < self.jump_len(function))
            .map(|(_, function)| function.section)
            .collect();
        let labels = self.labels(&short);
        let mut lacking = Vec::new();
        for (index, function) in functions() {
            let jump_end = function.start + self.jump_len(function);
            let next = self.units.functions.get(index + 1).filter(|next| next.section == function.section);
            let first_behind = CodePlace { section: function.section, offset: end_of(function) };
            let label = labels.range(first_behind..).next().filter(|label| label.section == function.section);
            let others = [next.map(|next| next.start), label.map(|label| label.offset)];
            if others.into_iter().flatten().any(|other| other < jump_end) {
                return Err(self.refuse(
                    index,
                    "it counts on a guard and has too few bytes to itself for a jump: compile with -ffunction-sections",
                ));
            }
            if jump_end > self.inputs.section(function.section).len {
                lacking.push((function.section, jump_end));
            }
        }
        Ok(lacking)
    }

    /// Bytes at the function's start that a jump takes, with the mark in front of it that indirect branches look for.
    fn jump_len(&self, function: &Function) -> u64 {
        let code = self.inputs.section(function.section).data.get(function.start as usize..).unwrap_or_default();
        if code.starts_with(&ENDBR64) { ENDBR64.len() as u64 + DROP_LEN } else { DROP_LEN }
    }

    /// Everything that has a name in some sections, their ends aside.
    fn labels(&self, sections: &HashSet<SectionId>) -> BTreeSet<CodePlace> {
        let label = |symbol: &crate::input::Symbol<'_>| match symbol.place {
            Place::Section(section) if symbol.kind != stt::SECTION && sections.contains(&section) => {
                Some(CodePlace { section, offset: symbol.value })
            }
            _ => None,
        };
        let labels = self.inputs.symbols.iter().filter_map(label);
        labels.filter(|place| !self.is_behind_code(*place)).collect()
    }
}

fn start_of(function: &Function) -> CodePlace {
    CodePlace { section: function.section, offset: function.start }
}

fn end_of(function: &Function) -> u64 {
    function.start + u64::from(function.len)
}
