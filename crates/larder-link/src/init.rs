//! Initialisers and finalisers, in the order they are called.
//!
//! Compilers put pointers to them in `.init_array`, `.fini_array`, `.preinit_array` (gABI "Initialization and Termination Functions"),
//! older ones in `.ctors` and `.dtors`. A number behind the name is a priority: less is earlier for initialisers; `.ctors` counts down from
//! 65535 and is run backwards, as GNU ld turns it into `.init_array`. Finalisers run in the reverse of that order.
//!
//! The loader calls functions by their image offsets. The sections stay in the image, for programs that look at them.

use crate::error::{LinkError, text};
use crate::input::{Inputs, Place, Reloc, Section, SectionId, SymbolId, sh};
use crate::live::Live;
use crate::resolve::Symbols;
use larder_format::image::WORD;

/// `R_X86_64_64`.
const ADDRESS: u32 = 1;

/// Functions by definition and distance from it.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Initialisers, in calling order.
    pub(crate) init: Vec<(SymbolId, i64)>,
    /// Finalisers, in calling order.
    pub(crate) fini: Vec<(SymbolId, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Init,
    Fini,
}

/// Before any priority, and behind all of them.
const FIRST: u32 = 0;
const LAST: u32 = 65536 + 1;

/// Name, list, and whether priorities count down and words are read backwards.
const NAMES: [(&[u8], List, bool); 4] = [
    (b".init_array", List::Init, false),
    (b".fini_array", List::Fini, false),
    (b".ctors", List::Init, true),
    (b".dtors", List::Fini, true),
];

/// What a list section says by its name or type: list, rank, and whether its words are read backwards.
fn list_of(section: &Section<'_>) -> Option<(List, u32, bool)> {
    if section.kind == sh::PREINIT_ARRAY || section.name == b".preinit_array" {
        return Some((List::Init, FIRST, false));
    }
    for (name, list, backwards) in NAMES {
        match section.name.strip_prefix(name) {
            Some(b"") => return Some((list, LAST, backwards)),
            Some([b'.', digits @ ..]) => return Some((list, rank(digits, backwards), backwards)),
            _ => {}
        }
    }
    match section.kind {
        sh::INIT_ARRAY => Some((List::Init, LAST, false)),
        sh::FINI_ARRAY => Some((List::Fini, LAST, false)),
        _ => None,
    }
}

fn rank(digits: &[u8], backwards: bool) -> u32 {
    let priority = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u16>().ok()).map(u32::from);
    match priority {
        Some(priority) if backwards => 65535 - priority + 1,
        Some(priority) => priority + 1,
        None => LAST,
    }
}

/// Whether the section is a list of initialisers or finalisers.
pub(crate) fn is_list(section: &Section<'_>) -> bool {
    section.is(sh::ALLOC) && list_of(section).is_some()
}

/// Reads the lists of all live sections.
pub(crate) fn collect_initialisers(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    live: &Live,
) -> Result<Lists, LinkError> {
    let mut sections: Vec<(u32, SectionId, List, bool)> = Vec::new();
    for (id, section) in inputs.sections().filter(|&(id, _)| live.contains(id)) {
        if let Some((list, rank, backwards)) = list_of(section) {
            sections.push((rank, id, list, backwards));
        }
    }
    sections.sort_by_key(|&(rank, id, ..)| (rank, id));
    let mut lists = Lists::default();
    for (_, id, list, backwards) in sections {
        let mut functions = words(inputs, symbols, live, inputs.section(id))?;
        if backwards {
            functions.reverse();
        }
        match list {
            List::Init => lists.init.append(&mut functions),
            List::Fini => lists.fini.append(&mut functions),
        }
    }
    lists.fini.reverse();
    Ok(lists)
}

/// The functions a list section points to. Words that are not relocated are the marks at a list's ends.
fn words(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    live: &Live,
    section: &Section<'_>,
) -> Result<Vec<(SymbolId, i64)>, LinkError> {
    let function = |reloc: Reloc| {
        let refuse = |what| LinkError::Unsupported {
            object: inputs.object_name(section.object).into(),
            subject: format!("{}+{:#x}", text(section.name), reloc.offset),
            what,
        };
        if reloc.kind != ADDRESS || !reloc.offset.is_multiple_of(WORD) {
            return Err(refuse("a list of initialisers or finalisers with something else than addresses"));
        }
        let definition = symbols.definition(reloc.symbol);
        match inputs.symbol(definition.symbol).place {
            Place::Section(id) if live.contains(id) && inputs.section(id).is(sh::EXECINSTR) => {
                Ok((definition.symbol, reloc.addend))
            }
            // Its call stub is called.
            Place::Undefined if reloc.addend == 0 => Ok((definition.symbol, 0)),
            _ => Err(refuse("an initialiser or finaliser that is no function")),
        }
    };
    section.relocs().map(function).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_follow_priorities() {
        let table = [
            (&b"0"[..], false, 1),
            (b"101", false, 102),
            (b"00101", false, 102),
            (b"65535", false, 65536),
            (b"65535", true, 1),
            (b"65434", true, 102),
            (b"65536", false, LAST),
            (b"x", false, LAST),
            (b"", true, LAST),
        ];
        for (digits, backwards, expected) in table {
            assert_eq!(rank(digits, backwards), expected, "{}", text(digits));
        }
    }
}
