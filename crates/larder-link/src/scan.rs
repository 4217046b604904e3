//! What the relocations of the live sections need beside their symbols: imports, slots, call stubs, words for the loader.
//!
//! Each relocation is decided once here and once more when it is applied, by the same function
//! ([`x86_64::action`]): this pass counts what has to have a place, that one fills it in. Behind this pass no import, slot or stub is added.

use crate::error::{LinkError, text};
use crate::guards::{self, Marks};
use crate::init;
use crate::input::{
    Binding, Inputs, LinkerSymbol, Place, Reloc, Role, Section, SectionId, Symbol, SymbolId, Visibility, sh,
};
use crate::live::Live;
use crate::resolve::{Definition, Symbols};
use crate::unwind::{BEGIN_OFFSET, Record, Unwind, UnwindPlan};
use crate::x86_64::{self, Action, Ground, Reach, Relaxation, Site};
use std::collections::HashMap;

/// Images whose loaded sections, large data aside, are smaller than this have no distance between those that does not fit 32 bits.
const SMALL_LEN: u64 = 1 << 30;

/// A symbol's place in the tables that this pass makes; [`NONE`] if it has none.
#[derive(Debug, Clone, Copy)]
struct Uses {
    import: u32,
    stub: u32,
    slot: u32,
    pair: u32,
    distance: u32,
    descriptor: u32,
    called: bool,
}

const NONE: u32 = u32::MAX;
const WANTED: u32 = u32::MAX - 1;

/// A word in RW that the loader writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub(crate) section: SectionId,
    pub(crate) offset: u64,
}

/// A word that becomes an import's address plus an addend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundWord {
    pub(crate) word: Word,
    pub(crate) symbol: SymbolId,
    pub(crate) addend: i64,
}

/// A name the image needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Import {
    pub(crate) symbol: SymbolId,
    pub(crate) called: bool,
}

/// Everything the image needs for its relocations.
#[derive(Debug)]
pub(crate) struct Needs {
    uses: Vec<Uses>,
    /// Sorted by name.
    pub(crate) imports: Vec<Import>,
    /// Imports that have a call stub.
    pub(crate) stubs: Vec<SymbolId>,
    /// Symbols of the image that are reached through a slot all the same.
    pub(crate) own_slots: Vec<SymbolId>,
    /// Functions of the image that are chosen when it is loaded: each has a slot and a call stub, whose address is the function's.
    pub(crate) indirect: Vec<SymbolId>,
    /// Their numbers by the place of the resolver, so that aliases have the same address.
    indirect_numbers: HashMap<(SectionId, u64), u32>,
    /// Thread-local variables that have a module and offset pair.
    pub(crate) pairs: Vec<SymbolId>,
    /// Whether there is a pair for the thread's block itself.
    pub(crate) block_pair: bool,
    /// Thread-local variables whose distance from the thread pointer stands in a slot.
    pub(crate) distances: Vec<SymbolId>,
    /// Thread-local variables that have a descriptor.
    pub(crate) descriptors: Vec<SymbolId>,
    /// Whether the image's thread-local block has a fixed distance from the thread pointer.
    pub(crate) static_block: bool,
    /// Variables of others that code reaches by their distance, as far as they have no place in the image yet.
    pub(crate) lacking_copies: Vec<SymbolId>,
    pub(crate) rebased: Vec<Word>,
    pub(crate) bound: Vec<BoundWord>,
    moved: Vec<bool>,
    /// Whether instructions may be rewritten to do without slots.
    pub(crate) relax: bool,
    pub(crate) relaxed_count: usize,
}

impl Needs {
    /// Index of the import that the symbol is.
    pub(crate) fn import(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].import)
    }

    /// Index of the symbol's call stub.
    pub(crate) fn stub(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].stub)
    }

    /// Index of the symbol's own slot.
    pub(crate) fn own_slot(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].slot)
    }

    /// Number of the indirect function that the symbol is.
    pub(crate) fn indirect(&self, symbol: &Symbol<'_>) -> Option<u32> {
        match symbol.place {
            Place::Section(section) if symbol.is_indirect() => {
                self.indirect_numbers.get(&(section, symbol.value)).copied()
            }
            _ => None,
        }
    }

    /// Index of the variable's pair.
    pub(crate) fn pair(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].pair)
    }

    /// Index of the slot with the variable's distance from the thread pointer.
    pub(crate) fn distance(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].distance)
    }

    /// Index of the variable's descriptor.
    pub(crate) fn descriptor(&self, symbol: SymbolId) -> Option<u32> {
        present(self.uses[symbol.index()].descriptor)
    }

    /// Whether a read-only section has words for the loader, so that it has to lie where the loader can write.
    pub(crate) fn is_moved(&self, section: SectionId) -> bool {
        self.moved.get(section.index()).copied().unwrap_or(false)
    }
}

fn present(index: u32) -> Option<u32> {
    (index < WANTED).then_some(index)
}

/// Goes through all relocations of what is live; again, if they ask for a static thread-local block that nobody has promised.
pub(crate) fn scan_relocations(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    live: &Live,
    unwind: &Unwind,
    plan: &UnwindPlan,
    marks: &Marks,
    static_block: bool,
) -> Result<Needs, LinkError> {
    let scan = |static_block| {
        let mut scan = Scan::new(inputs, symbols, live, static_block);
        scan.all(unwind, plan)?;
        Ok(scan)
    };
    let mut done: Scan<'_, '_> = scan(static_block)?;
    if done.needs_static_block {
        done = scan(true)?;
    }
    // An object that code only counts on is an import too.
    marks.live_objects(live).for_each(|object| done.want_import(object, false));
    done.number_imports();
    Ok(done.needs)
}

fn is_small(inputs: &Inputs<'_>, live: &Live) -> bool {
    let near = inputs.sections().filter(|&(id, section)| live.contains(id) && !section.is_far());
    let lens = near.map(|(_, section)| section.len.saturating_add(section.align));
    lens.fold(0, u64::saturating_add) < SMALL_LEN
}

/// What kind of place a section is for relocations.
pub(crate) fn ground(section: &Section<'_>) -> Ground {
    match section.role {
        Role::Debug => Ground::Debug,
        Role::Unwind => Ground::Unwind,
        _ if section.is(sh::EXECINSTR) => Ground::Code,
        _ => Ground::Data,
    }
}

/// What a definition is to those that use it.
#[inline]
pub(crate) fn reach(inputs: &Inputs<'_>, live: &Live, definition: Definition) -> Reach {
    if definition.section != SectionId::NULL {
        return live.reach(definition.section);
    }
    let symbol = inputs.symbol(definition.symbol);
    match symbol.place {
        Place::Section(section) if symbol.is_indirect() && live.contains(section) => Reach::Indirect,
        Place::Section(section) => live.reach(section),
        Place::Linker(LinkerSymbol::ThreadBlock) => Reach::Thread,
        Place::Linker(_) => Reach::Image,
        Place::Absolute => Reach::Absolute,
        Place::Null => Reach::Null,
        Place::Undefined if symbol.visibility != Visibility::Default => Reach::Missing,
        Place::Undefined if symbol.is_thread_local() => Reach::ImportThread,
        Place::Undefined => Reach::Import,
        Place::Common { .. } => Reach::Gone,
    }
}

/// The relocation's surroundings.
pub(crate) fn site<'s>(
    inputs: &Inputs<'_>,
    section: &Section<'s>,
    reloc: &Reloc,
    target: Definition,
    needs: &Needs,
) -> Site<'s> {
    let relax = needs.relax && !section.is_far() && !inputs.section(target.section).is_far();
    let offset = usize::try_from(reloc.offset).unwrap_or(usize::MAX);
    let static_block = needs.static_block;
    Site { ground: ground(section), bytes: section.data, offset, addend: reloc.addend, relax, static_block }
}

/// A relocation that is refused.
pub(crate) fn refusal(inputs: &Inputs<'_>, section: &Section<'_>, reloc: &Reloc, reason: &'static str) -> LinkError {
    let kind = x86_64::kind_of(reloc.kind);
    let known = kind.name.starts_with("R_");
    LinkError::Relocation {
        object: inputs.object_name(section.object).into(),
        section: text(section.name),
        offset: reloc.offset,
        symbol: inputs.symbol_name(reloc.symbol),
        relocation: if known { kind.name.into() } else { format!("relocation {}", reloc.kind) },
        reason,
    }
}

struct Scan<'x, 'a> {
    inputs: &'x Inputs<'a>,
    symbols: &'x Symbols<'a>,
    live: &'x Live,
    needs: Needs,
    needs_static_block: bool,
}

impl<'x, 'a> Scan<'x, 'a> {
    fn new(inputs: &'x Inputs<'a>, symbols: &'x Symbols<'a>, live: &'x Live, static_block: bool) -> Self {
        let uses =
            Uses { import: NONE, stub: NONE, slot: NONE, pair: NONE, distance: NONE, descriptor: NONE, called: false };
        let needs = Needs {
            uses: vec![uses; inputs.symbols.len()],
            imports: Vec::new(),
            stubs: Vec::new(),
            own_slots: Vec::new(),
            indirect: Vec::new(),
            indirect_numbers: HashMap::new(),
            pairs: Vec::new(),
            block_pair: false,
            distances: Vec::new(),
            descriptors: Vec::new(),
            static_block,
            lacking_copies: Vec::new(),
            rebased: Vec::new(),
            bound: Vec::new(),
            moved: vec![false; inputs.sections.len()],
            relax: is_small(inputs, live),
            relaxed_count: 0,
        };
        Scan { inputs, symbols, live, needs, needs_static_block: false }
    }

    fn all(&mut self, unwind: &Unwind, plan: &UnwindPlan) -> Result<(), LinkError> {
        for &copy in &self.symbols.copies {
            self.want_import(copy, false);
        }
        for &export in self.live.exports.iter().filter(|&&export| self.inputs.symbol(export).is_indirect()) {
            self.want_indirect(export);
        }
        for (id, _) in self.inputs.sections().filter(|&(id, _)| self.live.contains(id)) {
            self.section(id)?;
        }
        for (cie, _) in plan.cies() {
            self.record(&unwind.cies[cie.index()], None)?;
        }
        for fde in unwind.live_fdes(self.live) {
            self.record(&fde.record, Some(fde.record.bytes.start as u64 + BEGIN_OFFSET))?;
        }
        Ok(())
    }

    fn section(&mut self, id: SectionId) -> Result<(), LinkError> {
        let mut swallowed = None;
        for reloc in self.inputs.section(id).relocs() {
            if swallowed.take_if(|offset| *offset == reloc.offset).is_none() {
                let action = self.relocation(id, &reloc, self.symbols.definition(reloc.symbol))?;
                swallowed = x86_64::swallowed(action, reloc.offset).or(swallowed);
            }
        }
        Ok(())
    }

    /// `begin` is where an FDE points at its function.
    fn record(&mut self, record: &Record, begin: Option<u64>) -> Result<(), LinkError> {
        for reloc in record.relocs(self.inputs) {
            let itself = begin == Some(reloc.offset);
            let definition = if itself {
                Definition::itself(self.inputs, reloc.symbol)
            } else {
                self.symbols.definition(reloc.symbol)
            };
            self.relocation(record.section, &reloc, definition)?;
        }
        Ok(())
    }

    fn relocation(&mut self, id: SectionId, reloc: &Reloc, definition: Definition) -> Result<Action, LinkError> {
        let section = self.inputs.section(id);
        let site = site(self.inputs, section, reloc, definition, &self.needs);
        let kind = x86_64::kind_of(reloc.kind);
        let reach = reach(self.inputs, self.live, definition);
        let definition = definition.symbol;
        if reach == Reach::Indirect {
            self.want_indirect(definition);
        }
        let action =
            x86_64::action(kind, &site, reach).map_err(|reason| refusal(self.inputs, section, reloc, reason))?;
        let word = Word { section: id, offset: reloc.offset };
        match action {
            Action::Rebased => {
                self.needs.rebased.push(word);
                self.needs.moved[id.index()] |= !section.is(sh::WRITE);
            }
            Action::Bound => {
                self.needs.bound.push(BoundWord { word, symbol: definition, addend: reloc.addend });
                self.needs.moved[id.index()] |= !section.is(sh::WRITE);
                let called = init::is_list(section);
                self.want_import(definition, called);
                if called {
                    want(&mut self.needs.uses[definition.index()].stub, &mut self.needs.stubs, definition);
                }
            }
            Action::RelativeToStub | Action::StubFromGot if reach == Reach::Import => {
                self.want_import(definition, true);
                want(&mut self.needs.uses[definition.index()].stub, &mut self.needs.stubs, definition);
            }
            Action::Loaded => self.want_import(definition, false),
            Action::NeedsCopy if !self.can_have_copy(definition) => {
                return Err(refusal(self.inputs, section, reloc, x86_64::NEEDS_PIC));
            }
            Action::NeedsCopy => self.needs.lacking_copies.push(definition),
            Action::RelativeToSlot | Action::SlotFromGot if reach == Reach::Import => {
                self.want_import(definition, x86_64::is_indirect_call(&site));
            }
            Action::RelativeToSlot | Action::SlotFromGot => {
                want(&mut self.needs.uses[definition.index()].slot, &mut self.needs.own_slots, definition);
            }
            Action::ThreadPair => {
                want(&mut self.needs.uses[definition.index()].pair, &mut self.needs.pairs, definition)
            }
            Action::ThreadDistanceSlot => {
                want(&mut self.needs.uses[definition.index()].distance, &mut self.needs.distances, definition)
            }
            Action::Descriptor => {
                want(&mut self.needs.uses[definition.index()].descriptor, &mut self.needs.descriptors, definition)
            }
            Action::ThreadBlock => self.needs.block_pair = true,
            Action::NeedsStaticBlock => self.needs_static_block = true,
            Action::Relaxed(Relaxation::Call | Relaxation::Jump | Relaxation::Lea) | Action::LocalExec(_) => {
                self.needs.relaxed_count += 1
            }
            _ => {}
        }
        if reach == Reach::ImportThread && action != Action::Nothing {
            self.want_import(definition, false);
        }
        Ok(action)
    }

    /// A weak variable may be nowhere, and an object of the host is where it is.
    fn can_have_copy(&self, variable: SymbolId) -> bool {
        let symbol = self.inputs.symbol(variable);
        symbol.binding != Binding::Weak && !guards::is_object(symbol.name)
    }

    fn want_indirect(&mut self, symbol: SymbolId) {
        let Place::Section(section) = self.inputs.symbol(symbol).place else { return };
        let indirect = &mut self.needs.indirect;
        self.needs.indirect_numbers.entry((section, self.inputs.symbol(symbol).value)).or_insert_with(|| {
            indirect.push(symbol);
            (indirect.len() - 1) as u32
        });
    }

    fn want_import(&mut self, symbol: SymbolId, called: bool) {
        let uses = &mut self.needs.uses[symbol.index()];
        uses.called |= called;
        if uses.import == NONE {
            uses.import = WANTED;
            self.needs.imports.push(Import { symbol, called: false });
        }
    }

    /// Imports are sorted by name; every name stands once, since one definition stands for it.
    fn number_imports(&mut self) {
        let needs = &mut self.needs;
        needs.imports.sort_by_key(|import| self.inputs.symbol(import.symbol).name);
        for (index, import) in needs.imports.iter_mut().enumerate() {
            let uses = &mut needs.uses[import.symbol.index()];
            import.called = uses.called;
            uses.import = index as u32;
        }
    }
}

fn want(place: &mut u32, table: &mut Vec<SymbolId>, symbol: SymbolId) {
    if *place == NONE {
        *place = table.len() as u32;
        table.push(symbol);
    }
}
