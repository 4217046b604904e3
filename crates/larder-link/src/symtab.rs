//! `.symtab`: names for debuggers and profilers. The loader never reads it.

use crate::address::Addresses;
use crate::input::{Binding, Place, Symbol, SymbolId, stt};
use crate::layout::{Made, Segment};
use crate::live::Live;
use crate::resolve::Symbols;

/// `.symtab` and `.strtab`.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    pub(crate) symbols: Vec<u8>,
    pub(crate) strings: Vec<u8>,
    /// Local symbols come first; their number, ELF's null symbol included.
    pub(crate) local_count: u32,
}

/// Bytes of a row.
pub(crate) const SYMBOL_LEN: u64 = 24;
/// `SHN_ABS`.
const ABSOLUTE: u16 = 0xfff1;

/// Writes down every symbol that has a place in the image.
pub(crate) fn collect_symbols(addresses: &Addresses<'_, '_>, symbols: &Symbols<'_>, live: &Live) -> SymbolTable {
    let inputs = addresses.inputs;
    let mut exported = vec![false; inputs.symbols.len()];
    live.exports.iter().for_each(|id| exported[id.index()] = true);
    let mut table = SymbolTable { symbols: vec![0; SYMBOL_LEN as usize], strings: vec![0], local_count: 0 };
    let all = || inputs.symbols.iter().enumerate().map(|(index, symbol)| (SymbolId::from_index(index), symbol));
    let own = |id, symbol: &Symbol<'_>| symbols.definition(id).symbol == id && is_worth_naming(symbol);
    for (id, symbol) in all().filter(|&(id, symbol)| !exported[id.index()] && own(id, symbol)) {
        table.add_symbol(addresses, id, symbol, 0);
    }
    table.add_stubs(addresses);
    table.local_count = (table.symbols.len() as u64 / SYMBOL_LEN) as u32;
    for (id, symbol) in all().filter(|&(id, _)| exported[id.index()]) {
        table.add_symbol(addresses, id, symbol, if symbol.binding == Binding::Weak { 2 } else { 1 });
    }
    table
}

fn is_worth_naming(symbol: &Symbol<'_>) -> bool {
    !symbol.name.is_empty()
        && !symbol.name.starts_with(b".L")
        && symbol.kind != stt::SECTION
        && symbol.kind != stt::FILE
}

impl SymbolTable {
    fn add_symbol(&mut self, addresses: &Addresses<'_, '_>, id: SymbolId, symbol: &Symbol<'_>, binding: u8) {
        if symbol.is_indirect() {
            return self.add_indirect(addresses, id, symbol, binding);
        }
        let Some((section, value)) = place(addresses, id, symbol) else { return };
        self.add(&[symbol.name], binding << 4 | symbol.kind & 0xf, section, value, symbol.len);
    }

    /// An indirect function is its call stub to all who take its address, so it is to debuggers.
    fn add_indirect(&mut self, addresses: &Addresses<'_, '_>, id: SymbolId, symbol: &Symbol<'_>, binding: u8) {
        let number = addresses.indirect(id);
        if let (Some(number), Some(section)) = (number, stubs_number(addresses)) {
            self.add(
                &[symbol.name],
                binding << 4 | stt::FUNC,
                section,
                addresses.indirect_stub(number),
                addresses.stub_form.len(),
            );
        }
    }

    fn add_stubs(&mut self, addresses: &Addresses<'_, '_>) {
        let Some(number) = stubs_number(addresses) else { return };
        for (&import, index) in addresses.needs.stubs.iter().zip(0..) {
            let name = addresses.inputs.symbol(import).name;
            self.add(&[name, b"@plt"], stt::FUNC, number, addresses.stub(index), addresses.stub_form.len());
        }
    }

    fn add(&mut self, name: &[&[u8]], info: u8, section: u16, value: u64, len: u64) {
        let Ok(name_at) = u32::try_from(self.strings.len()) else { return };
        name.iter().for_each(|part| self.strings.extend_from_slice(part));
        self.strings.push(0);
        self.symbols.extend_from_slice(&name_at.to_le_bytes());
        self.symbols.extend_from_slice(&[info, 0]);
        self.symbols.extend_from_slice(&section.to_le_bytes());
        self.symbols.extend_from_slice(&value.to_le_bytes());
        self.symbols.extend_from_slice(&len.to_le_bytes());
    }
}

/// Number of the section header of the call stubs.
fn stubs_number(addresses: &Addresses<'_, '_>) -> Option<u16> {
    let mut outputs = addresses.layout.outputs.iter();
    outputs.position(|output| output.made == Some(Made::Stubs)).and_then(header_number)
}

/// Number of the section header and value; `None` if the symbol has no place in the image.
fn place(addresses: &Addresses<'_, '_>, id: SymbolId, symbol: &Symbol<'_>) -> Option<(u16, u64)> {
    let section = match symbol.place {
        Place::Section(section) => section,
        Place::Absolute => return Some((ABSOLUTE, symbol.value)),
        _ => return None,
    };
    let layout = addresses.layout;
    let number = match layout.output_of(section) {
        Some(number) => number,
        None => layout.output_of_pool(addresses.merged.find(section, symbol.value)?.0),
    };
    if layout.outputs.get(number)?.segment == Segment::Tail {
        return None;
    }
    let value = if symbol.is_thread_local() { addresses.thread_offset(id)? } else { addresses.symbol(id, 0)? };
    Some((header_number(number)?, value))
}

/// Section headers are numbered from 1; that there are fewer than the reserved numbers is made sure of with the file's tail.
fn header_number(output: usize) -> Option<u16> {
    u16::try_from(output + 1).ok()
}
