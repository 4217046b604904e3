//! Which heap objects data leads to: data names an object, or other data that does.
//!
//! A section is the smallest piece of data here, since code may reach all of a section from any address in it. Compilers that give every
//! variable a section (`-fdata-sections`) thus get exact answers.

use super::SectionId;
use crate::error::LinkError;
use crate::input::{Inputs, LinkerSymbol, Place, Role, SymbolId, sh};
use crate::live::{Live, by_name};
use crate::resolve::{Definition, Symbols};
use std::collections::{BTreeSet, HashMap};

/// Ways from data to objects that are followed at most.
const WAYS_MAX: u64 = 1 << 26;

/// The objects that a reference leads to.
#[derive(Debug)]
pub(super) struct Reached {
    /// Rows of guards, by the object's symbol.
    objects: HashMap<SymbolId, [u32; 1]>,
    /// Sorted rows of guards, by node: a section's number, or that number behind all sections for all sections of the same name
    /// (`__start_`, `__stop_`). None if there are no objects.
    nodes: Vec<Vec<u32>>,
    sections_count: usize,
}

impl Reached {
    /// Follows data from the objects backwards. `objects` tells the guard's row of each object, in ascending order of rows.
    pub(super) fn new(
        inputs: &Inputs<'_>,
        symbols: &Symbols<'_>,
        live: &Live,
        objects: &[(SymbolId, u32)],
    ) -> Result<Self, LinkError> {
        let mut reached = Reached {
            objects: objects.iter().map(|&(symbol, row)| (symbol, [row])).collect(),
            nodes: Vec::new(),
            sections_count: inputs.sections.len(),
        };
        if objects.is_empty() {
            return Ok(reached);
        }
        let edges = reached.edges(inputs, symbols, live);
        reached.nodes = vec![Vec::new(); 2 * reached.sections_count];
        let mut ways_count = 0;
        for &(symbol, row) in objects {
            let mut waiting: Vec<usize> = edges.direct.get(&symbol).cloned().unwrap_or_default();
            while let Some(node) = waiting.pop() {
                if reached.nodes[node].last() == Some(&row) {
                    continue;
                }
                reached.nodes[node].push(row);
                let referrers = edges.referrers(node);
                ways_count += 1 + referrers.len() as u64;
                if ways_count > WAYS_MAX {
                    let what = "ways from data to heap objects";
                    return Err(LinkError::TooLarge { what, len: ways_count, max: WAYS_MAX });
                }
                waiting.extend(referrers.iter().map(|&(_, referrer)| referrer));
            }
        }
        Ok(reached)
    }

    /// Whether nothing leads to an object.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Number of objects.
    pub(super) fn rows_count(&self) -> usize {
        self.objects.len()
    }

    /// Sorted rows of the objects that a definition is or leads to.
    pub(super) fn of(&self, inputs: &Inputs<'_>, definition: Definition) -> &[u32] {
        if let Some(row) = self.objects.get(&definition.symbol) {
            return row;
        }
        self.node(inputs, definition).and_then(|node| self.nodes.get(node)).map_or(&[], Vec::as_slice)
    }

    /// Code is no node: what a function counts on is no matter of those that refer to it.
    fn node(&self, inputs: &Inputs<'_>, definition: Definition) -> Option<usize> {
        if definition.section != SectionId::NULL {
            let is_data = !inputs.section(definition.section).is(sh::EXECINSTR);
            return is_data.then_some(definition.section.index());
        }
        match inputs.symbol(definition.symbol).place {
            Place::Linker(LinkerSymbol::Start(section) | LinkerSymbol::Stop(section)) => {
                Some(self.sections_count + section.index())
            }
            _ => None,
        }
    }

    fn edges(&self, inputs: &Inputs<'_>, symbols: &Symbols<'_>, live: &Live) -> Edges {
        let mut edges = Edges { direct: HashMap::new(), backwards: Vec::new() };
        let is_data = |id, section: &crate::input::Section<'_>| {
            live.contains(id) && section.role == Role::Loaded && !section.is(sh::EXECINSTR)
        };
        for (id, section) in inputs.sections().filter(|&(id, section)| is_data(id, section)) {
            for reloc in section.relocs() {
                let definition = symbols.definition(reloc.symbol);
                if self.objects.contains_key(&definition.symbol) {
                    edges.direct.entry(definition.symbol).or_default().push(id.index());
                } else if let Some(node) = self.node(inputs, definition) {
                    edges.backwards.push((node, id.index()));
                }
            }
        }
        let named = self.named(inputs, symbols);
        if !named.is_empty() {
            let by_name = by_name(inputs, symbols);
            for like in named {
                let members = by_name.get(inputs.section(like).name).into_iter().flatten();
                edges.backwards.extend(members.map(|member| (member.index(), self.sections_count + like.index())));
            }
        }
        edges.backwards.sort_unstable();
        edges.backwards.dedup();
        edges
    }

    /// Sections whose ends the linker names.
    fn named(&self, inputs: &Inputs<'_>, symbols: &Symbols<'_>) -> BTreeSet<SectionId> {
        let boundary = |id| match inputs.symbol(id).place {
            Place::Linker(LinkerSymbol::Start(section) | LinkerSymbol::Stop(section)) => Some(section),
            _ => None,
        };
        symbols.globals().filter_map(boundary).collect()
    }
}

/// What refers to what, from the end.
struct Edges {
    /// Data that names an object.
    direct: HashMap<SymbolId, Vec<usize>>,
    /// Data and what refers to it, sorted.
    backwards: Vec<(usize, usize)>,
}

impl Edges {
    fn referrers(&self, node: usize) -> &[(usize, usize)] {
        let first = self.backwards.partition_point(|&(target, _)| target < node);
        let count = self.backwards[first..].partition_point(|&(target, _)| target == node);
        &self.backwards[first..first + count]
    }
}
