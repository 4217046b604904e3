//! Which sections are part of the image: those that something can reach.
//!
//! Roots are the exports, initialisers and finalisers, and what the compiler marked to be kept. From there every relocation is an edge,
//! and from a function to the one that replaces it.
//! Unwind records follow their functions, not the other way round; debug information keeps nothing alive.

use crate::error::{LinkError, text};
use crate::guards::Marks;
use crate::input::{Binding, Inputs, LinkerSymbol, Place, Role, Section, SectionId, SymbolId, Visibility, sh};
use crate::resolve::Symbols;
use crate::unwind::Unwind;
use crate::x86_64::Reach;
use crate::{Exports, init};
use larder_format::image::LOOKING_UP;
use std::collections::HashMap;

/// The set of live sections, and the exports it began with.
#[derive(Debug)]
pub(crate) struct Live {
    sections: Vec<bool>,
    reaches: Vec<Reach>,
    /// Definitions that the image offers, in order of first mention.
    pub(crate) exports: Vec<SymbolId>,
}

impl Live {
    /// Whether the section is part of the loaded image.
    pub(crate) fn contains(&self, section: SectionId) -> bool {
        self.sections.get(section.index()).copied().unwrap_or(false)
    }

    /// What symbols in the section are to those that use them.
    #[inline]
    pub(crate) fn reach(&self, section: SectionId) -> Reach {
        self.reaches[section.index()]
    }
}

fn reaches(inputs: &Inputs<'_>, live: &[bool]) -> Vec<Reach> {
    let reach = |(section, &live): (&Section<'_>, &bool)| match section.role {
        Role::Debug => Reach::Image,
        _ if !live => Reach::Gone,
        _ if section.is(sh::TLS) => Reach::Thread,
        _ => Reach::Image,
    };
    inputs.sections.iter().zip(live).map(reach).collect()
}

/// Follows every reference from the roots.
pub(crate) fn mark_live(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    unwind: &Unwind,
    marks: &Marks,
    exports: &Exports<'_>,
) -> Result<Live, LinkError> {
    let mut exports = choose_exports(inputs, symbols, exports)?;
    exports.extend(&symbols.copies);
    exports.sort_unstable();
    exports.dedup();
    let mut marker = Marker {
        inputs,
        symbols,
        unwind,
        fallbacks: marks.fallbacks_by_section(),
        live: vec![false; inputs.sections.len()],
        waiting: Vec::new(),
        describers: describers(inputs),
        cies_done: vec![false; unwind.cies.len()],
        groups_done: vec![false; inputs.groups.len()],
        named: None,
    };
    exports.iter().for_each(|&id| marker.mark_symbol(id));
    for (id, section) in inputs.sections() {
        if section.role == Role::Loaded && (section.is(sh::GNU_RETAIN) || init::is_list(section)) {
            marker.mark(id);
        }
    }
    marker.run();
    let reaches = reaches(inputs, &marker.live);
    Ok(Live { sections: marker.live, reaches, exports })
}

fn choose_exports(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    exports: &Exports<'_>,
) -> Result<Vec<SymbolId>, LinkError> {
    match exports {
        Exports::All => Ok(symbols.globals().filter(|&id| is_offered(inputs, id)).collect()),
        Exports::Only(names) => {
            let mut chosen =
                names.iter().map(|name| choose_export(inputs, symbols, name)).collect::<Result<Vec<_>, _>>()?;
            if looks_up_names(inputs, symbols) {
                chosen.extend(symbols.globals().filter(|&id| is_offered(inputs, id)));
            }
            chosen.extend(
                symbols.globals().filter(|&id| is_offered(inputs, id) && is_replaceable(inputs.symbol(id).name)),
            );
            chosen.sort_unstable();
            chosen.dedup();
            Ok(chosen)
        }
    }
}

/// Whether an object asks the dynamic linker for names, which may be any of the image's own.
fn looks_up_names(inputs: &Inputs<'_>, symbols: &Symbols<'_>) -> bool {
    let is_asked = |name: &&str| {
        let asked = symbols.find(name.as_bytes());
        asked.is_some_and(|id| matches!(inputs.symbol(id).place, Place::Undefined))
    };
    LOOKING_UP.iter().any(is_asked)
}

/// Whether it is a function of the C or C++ library that a program may replace, so that libraries call it though nothing in the program
/// does (C++ "Replacement functions", by their Itanium names; glibc manual, "Replacing malloc").
fn is_replaceable(name: &[u8]) -> bool {
    const OPERATORS: [&[u8]; 4] = [b"_Znw", b"_Zna", b"_Zdl", b"_Zda"];
    const ALLOCATION: [&[u8]; 11] = [
        b"malloc",
        b"calloc",
        b"realloc",
        b"free",
        b"cfree",
        b"memalign",
        b"aligned_alloc",
        b"posix_memalign",
        b"valloc",
        b"pvalloc",
        b"malloc_usable_size",
    ];
    OPERATORS.iter().any(|operator| name.starts_with(operator)) || ALLOCATION.contains(&name)
}

fn is_offered(inputs: &Inputs<'_>, id: SymbolId) -> bool {
    let symbol = inputs.symbol(id);
    let visible = symbol.visibility != Visibility::Hidden && symbol.binding != Binding::Local;
    visible && !symbol.name.is_empty() && is_loaded(inputs, symbol.place)
}

fn is_loaded(inputs: &Inputs<'_>, place: Place) -> bool {
    matches!(place, Place::Section(section) if inputs.section(section).role == Role::Loaded)
}

fn choose_export(inputs: &Inputs<'_>, symbols: &Symbols<'_>, name: &[u8]) -> Result<SymbolId, LinkError> {
    let refuse = |what| Err(LinkError::Export { symbol: text(name), what });
    let Some(id) = symbols.find(name) else { return refuse("no object defines it") };
    match inputs.symbol(id).place {
        place if is_loaded(inputs, place) => Ok(id),
        Place::Section(_) => refuse("it lies in a section that is not loaded"),
        Place::Undefined | Place::Null => refuse("no object defines it, though some need it"),
        _ => refuse("it is a number or the linker's own symbol, which has no place in the image"),
    }
}

/// Sections that describe another (`SHF_LINK_ORDER`) live with it.
fn describers(inputs: &Inputs<'_>) -> HashMap<SectionId, Vec<SectionId>> {
    let mut describers: HashMap<SectionId, Vec<SectionId>> = HashMap::new();
    for (id, section) in inputs.sections().filter(|(_, section)| section.role == Role::Loaded) {
        if let Some(described) = section.described {
            describers.entry(described).or_default().push(id);
        }
    }
    describers
}

struct Marker<'x, 'a> {
    inputs: &'x Inputs<'a>,
    symbols: &'x Symbols<'a>,
    unwind: &'x Unwind,
    /// What replaces functions of a section.
    fallbacks: HashMap<SectionId, Vec<SectionId>>,
    live: Vec<bool>,
    waiting: Vec<SectionId>,
    describers: HashMap<SectionId, Vec<SectionId>>,
    /// What has been followed already.
    cies_done: Vec<bool>,
    groups_done: Vec<bool>,
    /// Loaded sections by name, made when the first `__start_` symbol is met.
    named: Option<HashMap<&'a [u8], Vec<SectionId>>>,
}

impl Marker<'_, '_> {
    fn run(&mut self) {
        while let Some(id) = self.waiting.pop() {
            self.follow(id);
        }
    }

    fn mark(&mut self, id: SectionId) {
        if self.live[id.index()] || self.inputs.section(id).role != Role::Loaded || self.symbols.is_discarded(id) {
            return;
        }
        self.live[id.index()] = true;
        self.waiting.push(id);
    }

    fn mark_symbol(&mut self, id: SymbolId) {
        let definition = self.symbols.definition(id);
        if definition.section != SectionId::NULL {
            return self.mark(definition.section);
        }
        match self.inputs.symbol(definition.symbol).place {
            Place::Linker(LinkerSymbol::Start(section) | LinkerSymbol::Stop(section)) => self.mark_named(section),
            Place::Section(section) => self.mark(section),
            _ => {}
        }
    }

    fn mark_named(&mut self, like: SectionId) {
        let (inputs, symbols) = (self.inputs, self.symbols);
        let named = self.named.get_or_insert_with(|| by_name(inputs, symbols));
        // Taken out, since once is enough: sections of one name are marked together.
        for id in named.remove(inputs.section(like).name).unwrap_or_default() {
            self.mark(id);
        }
    }

    fn follow(&mut self, id: SectionId) {
        let (inputs, unwind) = (self.inputs, self.unwind);
        let section = inputs.section(id);
        section.relocs().for_each(|reloc| self.mark_symbol(reloc.symbol));
        for fde in unwind.of_section(id) {
            fde.record.relocs(inputs).for_each(|reloc| self.mark_symbol(reloc.symbol));
            if !std::mem::replace(&mut self.cies_done[fde.cie.index()], true) {
                let cie = &unwind.cies[fde.cie.index()];
                cie.relocs(inputs).for_each(|reloc| self.mark_symbol(reloc.symbol));
            }
        }
        if let Some(fallbacks) = self.fallbacks.remove(&id) {
            fallbacks.into_iter().for_each(|fallback| self.mark(fallback));
        }
        if let Some(describers) = self.describers.remove(&id) {
            describers.into_iter().for_each(|describer| self.mark(describer));
        }
        if let Some(group) = section.group
            && !std::mem::replace(&mut self.groups_done[group.index()], true)
        {
            inputs.groups[group.index()].members.iter().for_each(|&member| self.mark(member));
        }
    }
}

/// Loaded sections that are not discarded, by name.
pub(crate) fn by_name<'a>(inputs: &Inputs<'a>, symbols: &Symbols<'a>) -> HashMap<&'a [u8], Vec<SectionId>> {
    let mut named: HashMap<&[u8], Vec<SectionId>> = HashMap::new();
    for (id, section) in inputs.sections() {
        if section.role == Role::Loaded && !symbols.is_discarded(id) {
            named.entry(section.name).or_default().push(id);
        }
    }
    named
}
