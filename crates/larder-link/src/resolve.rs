//! Names to definitions: which symbol every symbol stands for, after all objects had their say.
//!
//! Rules (gABI "Symbol Table", GNU extensions): of several COMDAT groups with one signature the first is kept, and what the others
//! define counts as undefined; a strong definition beats a common one, which beats a weak one; of equals the first wins, but two strong
//! ones are an error; of common symbols the largest size and alignment count; the most hiding visibility of all mentions counts.
//!
//! A name that nothing defines is an import, unless linkers have always defined it ([`LinkerSymbol`]). `end`, `edata` and `etext`
//! are not among those: hosts use such names, and programs that want the linker's have `_end` and so on.

use crate::error::{LinkError, text};
use crate::guards;
use crate::input::{
    Binding, Inputs, LinkerSymbol, ObjectId, Place, Rela, Role, Section, SectionId, Symbol, SymbolId, Visibility, sh,
    stt,
};
use larder_format::image::{COPY_LEN_MAX, CpuModel, PAGE, TLS_GET_ADDR, WORD};
use larder_format::record::Record as _;
use object::{I64, LittleEndian as LE, U64};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// What every symbol stands for.
#[derive(Debug)]
pub(crate) struct Symbols<'a> {
    names: HashMap<&'a [u8], usize>,
    globals: Vec<Global>,
    /// Numbers of the names that begin like a guard's.
    guards: Vec<usize>,
    definitions: Vec<Definition>,
    discarded: Vec<bool>,
    /// Variables of others that have their place in the image.
    pub(crate) copies: Vec<SymbolId>,
    /// `__dso_handle`, if it is ours.
    pub(crate) dso_handle: Option<SectionId>,
    /// What `__cpu_model` and `__cpu_features2` are parts of, if they are ours.
    pub(crate) cpu_model: Option<SectionId>,
}

/// What a symbol stands for, in as few bytes as the passes over all relocations need: they meet symbols in no order at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) symbol: SymbolId,
    /// Where it is, or [`SectionId::NULL`] if that is not in a section, or not that section's bytes (an indirect function).
    pub(crate) section: SectionId,
    /// Offset in the section.
    pub(crate) value: u64,
}

impl Definition {
    /// The symbol itself, whoever else defines its name.
    pub(crate) fn itself(inputs: &Inputs<'_>, id: SymbolId) -> Self {
        let symbol = inputs.symbol(id);
        match symbol.place {
            Place::Section(section) if !symbol.is_indirect() => Definition { symbol: id, section, value: symbol.value },
            _ => Definition { symbol: id, section: SectionId::NULL, value: 0 },
        }
    }
}

/// How much a mention of a name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Undefined,
    Weak,
    Common,
    Strong,
}

/// Common symbols from this length on stand behind all others, so that these stay within reach.
const FAR_LEN: u64 = 64 << 20;

/// In place of a name's number: the symbol is local.
const LOCAL: usize = usize::MAX;

#[derive(Debug)]
struct Global {
    winner: SymbolId,
    rank: Rank,
    visibility: Visibility,
    /// Somebody needs it unconditionally.
    needed: bool,
    thread_local: bool,
    common_len: u64,
    common_align: u64,
}

/// Decides for every symbol which definition it means. Appends sections for what the linker defines itself.
pub(crate) fn resolve_symbols<'a>(inputs: &mut Inputs<'a>) -> Result<Symbols<'a>, LinkError> {
    let mut symbols = Symbols {
        names: HashMap::new(),
        globals: Vec::new(),
        guards: Vec::new(),
        definitions: Vec::new(),
        discarded: discard_repeated_groups(inputs),
        copies: Vec::new(),
        dso_handle: None,
        cpu_model: None,
    };
    let globals = symbols.collect(inputs)?;
    symbols.settle(inputs);
    symbols.allocate_commons(inputs);
    symbols.define_linker_symbols(inputs);
    symbols.discarded.resize(inputs.sections.len(), false);
    symbols.define(inputs, &globals);
    Ok(symbols)
}

fn discard_repeated_groups(inputs: &Inputs<'_>) -> Vec<bool> {
    let mut discarded = vec![false; inputs.sections.len()];
    let mut kept: HashMap<&[u8], ()> = HashMap::new();
    for group in inputs.groups.iter().filter(|group| group.comdat) {
        if kept.insert(group.signature, ()).is_some() {
            group.members.iter().for_each(|member| discarded[member.index()] = true);
        }
    }
    discarded
}

impl<'a> Symbols<'a> {
    /// The symbol that `id` stands for.
    #[inline]
    pub(crate) fn definition(&self, id: SymbolId) -> Definition {
        self.definitions[id.index()]
    }

    /// Whether another group took the place of the section's group.
    pub(crate) fn is_discarded(&self, section: SectionId) -> bool {
        self.discarded[section.index()]
    }

    /// The definition, or first mention, of a global name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<SymbolId> {
        self.names.get(name).and_then(|&global| self.globals.get(global)).map(|global| global.winner)
    }

    /// Definition or first mention of every global name, in the order of first mention.
    pub(crate) fn globals(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.globals.iter().map(|global| global.winner)
    }

    /// Definition or first mention of every name that begins like a guard's.
    pub(crate) fn guards(&self) -> impl Iterator<Item = SymbolId> + '_ {
        self.guards.iter().map(|&global| self.globals[global].winner)
    }

    /// Collects all mentions and returns the number of every symbol's name, [`LOCAL`] for those that have none of their own.
    fn collect(&mut self, inputs: &Inputs<'a>) -> Result<Vec<usize>, LinkError> {
        let mut globals = Vec::with_capacity(inputs.symbols.len());
        for (index, symbol) in inputs.symbols.iter().enumerate() {
            let id = SymbolId::from_index(index);
            if symbol.binding == Binding::Local {
                globals.push(LOCAL);
                continue;
            }
            let global = self.global(symbol.name, id);
            globals.push(global);
            self.mention(inputs, global, id, symbol)?;
        }
        Ok(globals)
    }

    fn global(&mut self, name: &'a [u8], first: SymbolId) -> usize {
        let (globals, guards) = (&mut self.globals, &mut self.guards);
        *self.names.entry(name).or_insert_with(|| {
            if guards::has_prefix(name) {
                guards.push(globals.len());
            }
            globals.push(Global {
                winner: first,
                rank: Rank::Undefined,
                visibility: Visibility::Default,
                needed: false,
                thread_local: false,
                common_len: 0,
                common_align: 1,
            });
            globals.len() - 1
        })
    }

    fn mention(
        &mut self,
        inputs: &Inputs<'a>,
        global: usize,
        id: SymbolId,
        symbol: &Symbol<'a>,
    ) -> Result<(), LinkError> {
        let rank = self.rank(symbol);
        let global = &mut self.globals[global];
        global.visibility = global.visibility.max(symbol.visibility);
        match rank {
            Rank::Undefined => {
                global.needed |= symbol.binding != Binding::Weak;
                global.thread_local |= symbol.is_thread_local();
            }
            Rank::Common => {
                global.common_len = global.common_len.max(symbol.len);
                global.common_align = global.common_align.max(symbol.value);
            }
            Rank::Strong if global.rank == Rank::Strong && !is_same(inputs.symbol(global.winner), symbol) => {
                let object = |id: ObjectId| inputs.object_name(id).to_owned();
                let first = object(inputs.symbol(global.winner).object);
                return Err(LinkError::Duplicate { symbol: text(symbol.name), first, second: object(symbol.object) });
            }
            Rank::Weak | Rank::Strong => {}
        }
        if rank > global.rank {
            (global.winner, global.rank) = (id, rank);
        }
        Ok(())
    }

    fn rank(&self, symbol: &Symbol<'_>) -> Rank {
        match symbol.place {
            Place::Undefined => Rank::Undefined,
            Place::Section(section) if self.is_discarded(section) => Rank::Undefined,
            Place::Common { .. } => Rank::Common,
            _ if symbol.binding == Binding::Weak => Rank::Weak,
            _ => Rank::Strong,
        }
    }

    /// Every name has its winner now; what all mentions said together is written to that symbol.
    fn settle(&mut self, inputs: &mut Inputs<'a>) {
        for global in &self.globals {
            let symbol = &mut inputs.symbols[global.winner.index()];
            symbol.visibility = global.visibility;
            if global.rank == Rank::Undefined {
                symbol.binding = if global.needed { Binding::Global } else { Binding::Weak };
                symbol.kind = if global.thread_local { stt::TLS } else { symbol.kind };
                let null = !global.needed && global.visibility != Visibility::Default;
                (symbol.place, symbol.value) = (if null { Place::Null } else { Place::Undefined }, 0);
            }
        }
        self.rename_tls_get_addr(inputs);
    }

    /// Thread-local variables of an image are reached by the runtime's function, which has the C library's calling convention.
    fn rename_tls_get_addr(&mut self, inputs: &mut Inputs<'a>) {
        let Some(&from) = self.names.get(&b"__tls_get_addr"[..]) else { return };
        let winner = self.globals[from].winner;
        if inputs.symbol(winner).place != Place::Undefined {
            return;
        }
        match self.find(TLS_GET_ADDR.as_bytes()) {
            None => inputs.symbols[winner.index()].name = TLS_GET_ADDR.as_bytes(),
            Some(to) => self.globals[from].winner = to,
        }
    }

    fn define(&mut self, inputs: &Inputs<'a>, globals: &[usize]) {
        let winner = |(index, &global): (usize, &usize)| match self.globals.get(global) {
            Some(global) => global.winner,
            None => SymbolId::from_index(index),
        };
        self.definitions = globals.iter().enumerate().map(winner).map(|id| Definition::itself(inputs, id)).collect();
    }

    /// Gives variables of others a place in the image.
    pub(crate) fn make_room_for_copies(&mut self, inputs: &mut Inputs<'a>, variables: &[SymbolId]) {
        let variables: BTreeSet<SymbolId> = variables.iter().copied().collect();
        for &id in &variables {
            let section = made_up(inputs.symbol(id).object, b".bss", sh::NOBITS, sh::ALLOC | sh::WRITE);
            let section = inputs.add_section(Section { len: COPY_LEN_MAX, align: PAGE, ..section });
            let symbol = &mut inputs.symbols[id.index()];
            (symbol.place, symbol.len, symbol.kind) = (Place::Section(section), COPY_LEN_MAX, stt::OBJECT);
            self.copies.push(id);
        }
        self.discarded.resize(inputs.sections.len(), false);
        for definition in self.definitions.iter_mut().filter(|definition| variables.contains(&definition.symbol)) {
            *definition = Definition::itself(inputs, definition.symbol);
        }
    }

    fn allocate_commons(&self, inputs: &mut Inputs<'a>) {
        for global in self.globals.iter().filter(|global| global.rank == Rank::Common) {
            let symbol = inputs.symbol(global.winner);
            let (name, flag): (&[u8], _) = match symbol.place {
                _ if symbol.is_thread_local() => (b".tbss", sh::TLS),
                Place::Common { large } if large || global.common_len >= FAR_LEN => (b".lbss", sh::LARGE),
                _ => (b".bss", 0),
            };
            let section = made_up(symbol.object, name, sh::NOBITS, sh::ALLOC | sh::WRITE | flag);
            let section = Section { len: global.common_len, align: global.common_align, ..section };
            let id = inputs.add_section(section);
            let symbol = &mut inputs.symbols[global.winner.index()];
            (symbol.place, symbol.value, symbol.len) = (Place::Section(id), 0, global.common_len);
        }
    }

    fn define_linker_symbols(&mut self, inputs: &mut Inputs<'a>) {
        let mut named: Option<HashMap<&[u8], SectionId>> = None;
        for global in self.globals.iter().filter(|global| global.rank == Rank::Undefined) {
            let symbol = inputs.symbol(global.winner);
            let object = symbol.object;
            let mut value = 0;
            let place = match symbol.name {
                b"__dso_handle" => {
                    let id = inputs.add_section(dso_handle(object, global.winner));
                    self.dso_handle = Some(id);
                    Place::Section(id)
                }
                b"__cpu_model" | b"__cpu_features2" => {
                    value = if symbol.name == b"__cpu_model" { 0 } else { cpu_model_features2() };
                    Place::Section(*self.cpu_model.get_or_insert_with(|| inputs.add_section(cpu_model(object))))
                }
                name if name.starts_with(b"__start_") || name.starts_with(b"__stop_") => {
                    let sections = named.get_or_insert_with(|| first_of_each_name(inputs, &self.discarded));
                    match boundary(name, sections) {
                        Some(boundary) => Place::Linker(boundary),
                        None => continue,
                    }
                }
                name => match linker_symbol(name) {
                    Some(symbol) => Place::Linker(symbol),
                    None => continue,
                },
            };
            let symbol = &mut inputs.symbols[global.winner.index()];
            (symbol.place, symbol.value, symbol.visibility) = (place, value, Visibility::Hidden);
        }
    }
}

/// Whether an object says the same twice, as it does where `.symver` gives a name a version.
fn is_same(one: &Symbol<'_>, other: &Symbol<'_>) -> bool {
    (one.object, one.place, one.value) == (other.object, other.place, other.value)
}

fn linker_symbol(name: &[u8]) -> Option<LinkerSymbol> {
    Some(match name {
        b"__ehdr_start" | b"__executable_start" => LinkerSymbol::ImageStart,
        b"_etext" | b"__etext" => LinkerSymbol::TextEnd,
        b"_edata" => LinkerSymbol::DataEnd,
        b"__bss_start" => LinkerSymbol::BssStart,
        b"_end" => LinkerSymbol::ImageEnd,
        b"_GLOBAL_OFFSET_TABLE_" => LinkerSymbol::Got,
        b"_TLS_MODULE_BASE_" => LinkerSymbol::ThreadBlock,
        b"__GNU_EH_FRAME_HDR" => LinkerSymbol::UnwindTable,
        b"__eh_frame_start" | b"__EH_FRAME_BEGIN__" => LinkerSymbol::UnwindStart,
        b"__init_array_start"
        | b"__init_array_end"
        | b"__fini_array_start"
        | b"__fini_array_end"
        | b"__preinit_array_start"
        | b"__preinit_array_end" => LinkerSymbol::EmptyList,
        _ => return None,
    })
}

/// Whether a section's name can be part of a C identifier, which is when `__start_` and `__stop_` name its ends.
pub(crate) fn is_identifier(name: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(letter) && name.iter().all(|byte| letter(byte) || byte.is_ascii_digit())
}

fn first_of_each_name<'a>(inputs: &Inputs<'a>, discarded: &[bool]) -> HashMap<&'a [u8], SectionId> {
    let mut first = HashMap::new();
    for (id, section) in
        inputs.sections().filter(|(_, section)| section.role == Role::Loaded && is_identifier(section.name))
    {
        if !discarded.get(id.index()).copied().unwrap_or(false) {
            first.entry(section.name).or_insert(id);
        }
    }
    first
}

fn boundary(name: &[u8], sections: &HashMap<&[u8], SectionId>) -> Option<LinkerSymbol> {
    if let Some(section) = name.strip_prefix(b"__start_") {
        return sections.get(section).map(|&id| LinkerSymbol::Start(id));
    }
    let section = name.strip_prefix(b"__stop_")?;
    sections.get(section).map(|&id| LinkerSymbol::Stop(id))
}

/// A word whose address names this image to `__cxa_atexit`, and which holds that address, as C libraries do it.
fn dso_handle<'a>(object: ObjectId, itself: SymbolId) -> Section<'a> {
    let info = U64::new(LE, u64::from(object::elf::R_X86_64_64.0));
    let reloc = Rela { r_offset: U64::new(LE, 0), r_info: info, r_addend: I64::new(LE, 0) };
    let section = made_up(object, b".data.rel.ro", sh::PROGBITS, sh::ALLOC | sh::WRITE);
    Section { len: 8, align: 8, data: &[0; 8], relocs: Cow::Owned(vec![reloc]), symbols_first: itself.0, ..section }
}

/// Natively each program and library has a copy of its own, from the static libgcc or compiler-rt, and objects count on that: they
/// reach it by its distance.
fn cpu_model<'a>(object: ObjectId) -> Section<'a> {
    let section = made_up(object, b".data.rel.ro", sh::PROGBITS, sh::ALLOC | sh::WRITE);
    Section { len: CpuModel::SIZE as u64, align: WORD, data: &[0; CpuModel::SIZE], ..section }
}

fn cpu_model_features2() -> u64 {
    let field = &CpuModel::FIELDS[4];
    debug_assert_eq!(field.name, "features2");
    field.offset as u64
}

fn made_up<'a>(object: ObjectId, name: &'static [u8], kind: u32, flags: u64) -> Section<'a> {
    Section {
        object,
        name,
        role: Role::Loaded,
        kind,
        flags,
        align: 1,
        entry_len: 0,
        len: 0,
        data: &[],
        relocs: Cow::Borrowed(&[]),
        symbols_first: 0,
        described: None,
        group: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_c() {
        for (name, expected) in [
            (&b"mylist"[..], true),
            (b"_x1", true),
            (b"", false),
            (b".data", false),
            (b"1x", false),
            (b"a.b", false),
            (b"a$", false),
        ] {
            assert_eq!(is_identifier(name), expected, "{}", text(name));
        }
    }
}
