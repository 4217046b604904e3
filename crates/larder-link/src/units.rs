//! Units: the image's functions, each with the imports that it uses itself, or a part that was split from it.
//!
//! A function is what a symbol of that type says: a start and a size. Of several names for one start, the image's users know the exported
//! one best, then global names; ties go to the first in the alphabet.

use crate::error::LinkError;
use crate::input::{Binding, Inputs, ObjectId, Place, SectionId, Symbol, SymbolId, sh, stt};
use crate::live::Live;
use crate::resolve::{Definition, Symbols};
use crate::scan::Needs;
use std::collections::HashMap;
use std::ops::Range;

/// Functions, in the order of sections and offsets.
#[derive(Debug, Default)]
pub(crate) struct Units {
    pub(crate) functions: Vec<Function>,
    /// Indices of imports, in runs that functions have.
    pub(crate) imports: Vec<u32>,
}

/// One function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) symbol: SymbolId,
    pub(crate) section: SectionId,
    /// Offset in the section.
    pub(crate) start: u64,
    pub(crate) len: u32,
    pub(crate) exported: bool,
    /// Index of the function that it was split from, and that jumps into it.
    pub(crate) part_of: Option<usize>,
    /// Its run in [`Units::imports`].
    pub(crate) imports: Range<u32>,
}

/// `f` of `f.cold` and `f.cold.1` (gcc, LLVM's split functions), and of `f.__part.1` (LLVM's sections of basic blocks).
fn name_of_whole(name: &[u8]) -> Option<&[u8]> {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let unnumbered = name[..name.len() - digits].strip_suffix(b".").filter(|_| digits > 0);
    let whole = match unnumbered {
        Some(rest) => rest.strip_suffix(b".cold").or_else(|| rest.strip_suffix(b".__part")),
        None => name.strip_suffix(b".cold"),
    };
    whole.filter(|whole| !whole.is_empty())
}

/// How well a name stands for a function; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Exported,
    Global,
    Local,
    /// The name means another function now.
    Replaced,
}

/// Finds the functions of all live code.
pub(crate) fn collect_units(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    live: &Live,
    needs: &Needs,
) -> Result<Units, LinkError> {
    let mut exported = vec![false; inputs.symbols.len()];
    live.exports.iter().for_each(|id| exported[id.index()] = true);
    let mut named: Vec<(Function, Standing)> = Vec::new();
    for (index, &exported) in exported.iter().enumerate() {
        let id = SymbolId::from_index(index);
        if let Some(function) = function(inputs, live, id, exported) {
            named.push((function, standing(inputs, symbols, id, exported)));
        }
    }
    named.sort_by(|(a, a_standing), (b, b_standing)| {
        let key = |function: &Function, standing| (function.section, function.start, standing);
        let names = || inputs.symbol(a.symbol).name.cmp(inputs.symbol(b.symbol).name);
        key(a, *a_standing).cmp(&key(b, *b_standing)).then_with(names)
    });
    named.dedup_by(|(b, _), (a, _)| (a.section, a.start) == (b.section, b.start));
    let mut units = Units { functions: named.into_iter().map(|(function, _)| function).collect(), imports: Vec::new() };
    units.find_parts(inputs);
    units.collect_imports(inputs, symbols, needs)?;
    Ok(units)
}

fn function(inputs: &Inputs<'_>, live: &Live, id: SymbolId, exported: bool) -> Option<Function> {
    let symbol = inputs.symbol(id);
    let Place::Section(section) = symbol.place else { return None };
    if symbol.kind != stt::FUNC || !live.contains(section) || !inputs.section(section).is(sh::EXECINSTR) {
        return None;
    }
    // Sizes that assembly made up are cut at the section's end.
    let len = symbol.len.min(inputs.section(section).len - symbol.value);
    let len = u32::try_from(len).ok().filter(|&len| len > 0)?;
    Some(Function { symbol: id, section, start: symbol.value, len, exported, part_of: None, imports: 0..0 })
}

fn standing(inputs: &Inputs<'_>, symbols: &Symbols<'_>, id: SymbolId, exported: bool) -> Standing {
    match inputs.symbol(id).binding {
        _ if exported => Standing::Exported,
        _ if symbols.definition(id).symbol != id => Standing::Replaced,
        Binding::Global | Binding::Weak => Standing::Global,
        Binding::Local => Standing::Local,
    }
}

/// Functions overlap where assembly says so. Each then has all imports of its range, which must not multiply without end.
pub(crate) const WORK_MAX: u64 = 1 << 28;

impl Units {
    /// Index of the function that begins there.
    pub(crate) fn at(&self, section: SectionId, start: u64) -> Option<usize> {
        self.functions.binary_search_by_key(&(section, start), |function| (function.section, function.start)).ok()
    }

    /// Compilers name what they split from a function after it.
    fn find_parts(&mut self, inputs: &Inputs<'_>) {
        let mut wholes: HashMap<(ObjectId, &[u8]), usize> = HashMap::new();
        for part in 0..self.functions.len() {
            let symbol = inputs.symbol(self.functions[part].symbol);
            let Some(whole) = std::iter::successors(name_of_whole(symbol.name), |name| name_of_whole(name)).last()
            else {
                continue;
            };
            if wholes.is_empty() {
                wholes = self.by_name(inputs);
            }
            self.functions[part].part_of = wholes.get(&(symbol.object, whole)).copied().filter(|&whole| whole != part);
        }
    }

    fn by_name<'a>(&self, inputs: &Inputs<'a>) -> HashMap<(ObjectId, &'a [u8]), usize> {
        let function = |symbol: &Symbol<'a>| {
            let Place::Section(section) = symbol.place else { return None };
            let unit = self.at(section, symbol.value).filter(|_| symbol.kind == stt::FUNC)?;
            Some(((symbol.object, symbol.name), unit))
        };
        inputs.symbols.iter().filter_map(function).collect()
    }

    fn collect_imports(&mut self, inputs: &Inputs<'_>, symbols: &Symbols<'_>, needs: &Needs) -> Result<(), LinkError> {
        let mut work = 0;
        let mut used = Vec::new();
        let import = |definition: Definition| match definition.section {
            SectionId::NULL => needs.import(definition.symbol),
            _ => None,
        };
        let mut parts: HashMap<usize, Vec<usize>> = HashMap::new();
        for (part, function) in self.functions.iter().enumerate() {
            if let Some(whole) = function.part_of {
                parts.entry(whole).or_default().push(part);
            }
        }
        for index in 0..self.functions.len() {
            used.clear();
            for part in std::iter::once(index).chain(parts.get(&index).into_iter().flatten().copied()) {
                let function = &self.functions[part];
                let section = inputs.section(function.section);
                let range = section.reloc_range(function.start, function.start + u64::from(function.len));
                work += range.len() as u64;
                if work > WORK_MAX {
                    let what = "relocations in functions that overlap";
                    return Err(LinkError::TooLarge { what, len: work, max: WORK_MAX });
                }
                used.extend(section.relocs_in(range).filter_map(|reloc| import(symbols.definition(reloc.symbol))));
            }
            used.sort_unstable();
            used.dedup();
            let first = self.imports.len() as u32;
            self.imports.extend_from_slice(&used);
            self.functions[index].imports = first..self.imports.len() as u32;
        }
        Ok(())
    }
}
