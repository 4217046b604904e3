//! What objects tell the linker of guards: the rows of `.larder.uses` and `.larder.fallbacks`, and the names of symbols.
//!
//! Rows are two addresses, so an assembler makes relocations of them. They say something of the code they point at, and keep nothing alive but
//! fallbacks.

use crate::error::{LinkError, text};
use crate::input::{Inputs, Place, Reloc, Role, Section, SectionId, SymbolId, Visibility, sh};
use crate::live::Live;
use crate::resolve::Symbols;
use larder_format::guard::{GuardSymbol, OBJECT_PREFIX, PREDICATE_PREFIX};
use object::elf::R_X86_64_64;
use std::collections::HashMap;

/// The section that says which code counts on what.
pub(crate) const USES: &[u8] = b".larder.uses";
/// The section that says what is called in place of a dropped function.
pub(crate) const FALLBACKS: &[u8] = b".larder.fallbacks";

const WORD_LEN: u64 = 8;

/// A place in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CodePlace {
    pub(crate) section: SectionId,
    /// Offset in the section.
    pub(crate) offset: u64,
}

/// The code around the place counts on the guard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) place: CodePlace,
    /// Definition of the guard's symbol.
    pub(super) guard: SymbolId,
}

/// What is called in place of a function, if that is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fallback {
    pub(super) function: CodePlace,
    pub(super) fallback: CodePlace,
}

/// All that the objects tell.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Definitions of symbols that are guards.
    pub(super) symbols: HashMap<SymbolId, GuardSymbol>,
    /// Sorted by place.
    pub(super) uses: Vec<Mark>,
    pub(super) fallbacks: Vec<Fallback>,
}

/// Whether a name begins like a guard's.
pub(crate) fn has_prefix(name: &[u8]) -> bool {
    is_object(name) || name.starts_with(PREDICATE_PREFIX.as_bytes())
}

/// Whether a name begins like a heap object's.
pub(crate) fn is_object(name: &[u8]) -> bool {
    name.starts_with(OBJECT_PREFIX.as_bytes())
}

/// Reads the names of guards and the rows of both sections.
pub(crate) fn read_marks(inputs: &Inputs<'_>, symbols: &Symbols<'_>) -> Result<Marks, LinkError> {
    let mut marks = Marks::default();
    for id in symbols.guards() {
        marks.symbols.insert(id, read_symbol(inputs, id)?);
    }
    for (id, section) in inputs.sections() {
        if section.role == Role::Guards && !symbols.is_discarded(id) {
            check_rows(inputs, section)?;
            marks.read_section(inputs, symbols, section)?;
        }
    }
    marks.uses.sort_by_key(|mark| mark.place);
    Ok(marks)
}

fn read_symbol(inputs: &Inputs<'_>, id: SymbolId) -> Result<GuardSymbol, LinkError> {
    let symbol = inputs.symbol(id);
    let refuse = |what: &str| {
        let (object, subject) = (inputs.object_name(symbol.object).into(), text(symbol.name));
        Err(LinkError::Guard { object, subject, what: what.into() })
    };
    let guard = match GuardSymbol::parse(symbol.name) {
        Some(Ok(guard)) => guard,
        Some(Err(error)) => return refuse(&format!("no guard is named so: {error}")),
        None => return refuse("no guard is named so"),
    };
    match symbol.place {
        Place::Undefined | Place::Null if symbol.visibility != Visibility::Default => {
            refuse("guards are the host's: declare it with default visibility")
        }
        Place::Undefined if symbol.is_thread_local() => refuse("a guard is no thread-local variable"),
        Place::Undefined => Ok(guard),
        _ => refuse("guards are the host's: declare it, and don't define it"),
    }
}

/// Every word of the section has one relocation that makes it an address.
fn check_rows(inputs: &Inputs<'_>, section: &Section<'_>) -> Result<(), LinkError> {
    let words = (0..section.len).step_by(WORD_LEN as usize);
    let is_address = |(reloc, at): (Reloc, u64)| reloc.offset == at && reloc.kind == R_X86_64_64.0;
    let is_whole = section.len.is_multiple_of(2 * WORD_LEN) && section.relocs.len() as u64 == section.len / WORD_LEN;
    if !section.is_zeros() && is_whole && section.relocs().zip(words).all(is_address) {
        return Ok(());
    }
    let what = format!("{}: its rows are not two addresses each", text(section.name));
    Err(LinkError::Damaged { object: inputs.object_name(section.object).into(), what })
}

impl Marks {
    fn read_section(
        &mut self,
        inputs: &Inputs<'_>,
        symbols: &Symbols<'_>,
        section: &Section<'_>,
    ) -> Result<(), LinkError> {
        let count = section.relocs.len() / 2;
        for (first, second) in (0..count).map(|row| 2 * row).filter_map(|at| pair(section, at)) {
            let refuse = |what: &str| {
                let subject = format!("{}+{:#x}", text(section.name), first.offset);
                let what = format!("{}: {what}", inputs.symbol_name(second.symbol));
                LinkError::Guard { object: inputs.object_name(section.object).into(), subject, what }
            };
            let Some(place) = code_place(inputs, first.symbol, first.addend) else {
                return Err(refuse("it is said of a place that is no code of this object"));
            };
            let second_definition = symbols.definition(second.symbol).symbol;
            if section.name == USES {
                if !self.symbols.contains_key(&second_definition) || second.addend != 0 {
                    return Err(refuse("it is no guard, and code is said to count on it"));
                }
                self.uses.push(Mark { place, guard: second_definition });
                continue;
            }
            let fallback = code_place(inputs, second_definition, second.addend).ok_or_else(|| {
                refuse("it is to replace a function, and no function of the image: define it beside the function")
            })?;
            self.fallbacks.push(Fallback { function: place, fallback });
        }
        Ok(())
    }

    /// Sections whose functions replace those of a section.
    pub(crate) fn fallbacks_by_section(&self) -> HashMap<SectionId, Vec<SectionId>> {
        let mut by_section: HashMap<SectionId, Vec<SectionId>> = HashMap::new();
        for row in &self.fallbacks {
            by_section.entry(row.function.section).or_default().push(row.fallback.section);
        }
        by_section
    }

    /// What live code is said to count on.
    pub(super) fn live_uses(&self, live: &Live) -> impl Iterator<Item = &Mark> {
        self.uses.iter().filter(|mark| live.contains(mark.place.section))
    }

    /// Heap objects that live code is said to count on.
    pub(crate) fn live_objects(&self, live: &Live) -> impl Iterator<Item = SymbolId> {
        let is_object = |mark: &&Mark| matches!(self.symbols.get(&mark.guard), Some(GuardSymbol::Object { .. }));
        self.live_uses(live).filter(is_object).map(|mark| mark.guard)
    }
}

fn pair(section: &Section<'_>, at: usize) -> Option<(Reloc, Reloc)> {
    let mut relocs = section.relocs_in(at..at + 2);
    Some((relocs.next()?, relocs.next()?))
}

fn code_place(inputs: &Inputs<'_>, id: SymbolId, addend: i64) -> Option<CodePlace> {
    let symbol = inputs.symbol(id);
    let Place::Section(id) = symbol.place else { return None };
    let section = inputs.section(id);
    let offset = symbol.value.checked_add_signed(addend).filter(|&offset| offset <= section.len)?;
    (section.role == Role::Loaded && section.is(sh::EXECINSTR)).then_some(CodePlace { section: id, offset })
}
