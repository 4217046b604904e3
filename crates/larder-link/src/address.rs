//! Symbols to numbers, once everything has its place.

use crate::input::{Inputs, Place, SectionId, SymbolId, promise, stt};
use crate::layout::{Layout, Made};
use crate::merge::Merged;
use crate::resolve::Definition;
use crate::scan::Needs;
use crate::x86_64::StubForm;
use larder_format::image::WORD;

/// Words of a TLS descriptor: function, argument, and a pair.
pub(crate) const DESCRIPTOR_WORDS: u64 = 4;

/// All that it takes to tell where something is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses<'x, 'a> {
    pub(crate) inputs: &'x Inputs<'a>,
    pub(crate) merged: &'x Merged<'a>,
    pub(crate) needs: &'x Needs,
    pub(crate) layout: &'x Layout<'a>,
    /// Image offset of the slots.
    pub(crate) got: u64,
    stubs: u64,
    pub(crate) stub_form: StubForm,
}

impl<'x, 'a> Addresses<'x, 'a> {
    pub(crate) fn new(
        inputs: &'x Inputs<'a>,
        merged: &'x Merged<'a>,
        needs: &'x Needs,
        layout: &'x Layout<'a>,
    ) -> Self {
        let (got, stubs) = (layout.got(), layout.made_offset(Made::Stubs));
        Addresses { inputs, merged, needs, layout, got, stubs, stub_form: stub_form(inputs) }
    }

    /// Image offset of a byte of a section, or offset in its output section for debug information; `None` if it is not in the image.
    pub(crate) fn place(&self, section: SectionId, offset: u64) -> Option<u64> {
        if let Some(start) = self.layout.section(section) {
            return Some(start.wrapping_add(offset));
        }
        let (pool, offset) = self.merged.find(section, offset)?;
        Some(self.layout.pool(pool) + offset)
    }

    /// [`Addresses::symbol`] of a definition, by the short way for most.
    #[inline]
    pub(crate) fn definition(&self, definition: Definition, addend: i64) -> Option<u64> {
        if definition.section != SectionId::NULL
            && let Some(start) = self.layout.section(definition.section)
        {
            return Some(start.wrapping_add(definition.value));
        }
        self.symbol(definition.symbol, addend)
    }

    /// S: image offset or number of a definition; of an indirect function, its call stub. Of a merged section itself, the addend chooses
    /// the piece, so that S + A is right.
    #[inline]
    pub(crate) fn symbol(&self, definition: SymbolId, addend: i64) -> Option<u64> {
        let symbol = self.inputs.symbol(definition);
        match symbol.place {
            Place::Section(id) if symbol.is_indirect() => match self.indirect(definition) {
                Some(number) => Some(self.indirect_stub(number)),
                None => self.place(id, symbol.value),
            },
            Place::Section(id) => match self.layout.section(id) {
                Some(start) => Some(start.wrapping_add(symbol.value)),
                None if symbol.kind == stt::SECTION => {
                    let place = self.place(id, symbol.value.wrapping_add_signed(addend))?;
                    Some(place.wrapping_add_signed(addend.wrapping_neg()))
                }
                None => self.place(id, symbol.value),
            },
            Place::Absolute => Some(symbol.value),
            Place::Null => Some(0),
            Place::Linker(symbol) => Some(self.layout.linker_symbol(symbol)),
            Place::Undefined | Place::Common { .. } => None,
        }
    }

    /// Offset of a thread-local variable in its block.
    pub(crate) fn thread_offset(&self, definition: SymbolId) -> Option<u64> {
        Some(self.symbol(definition, 0)?.wrapping_sub(self.layout.tls_template.offset))
    }

    /// Signed distance from the thread pointer to a thread-local variable of an image whose block has a fixed place.
    pub(crate) fn thread_distance(&self, definition: SymbolId) -> Option<i64> {
        Some(self.thread_offset(definition)?.wrapping_sub(self.layout.tls_distance) as i64)
    }

    /// G: image offset of the symbol's slot.
    pub(crate) fn slot(&self, definition: SymbolId) -> Option<u64> {
        if let Some(import) = self.needs.import(definition) {
            return Some(self.got + u64::from(import) * WORD);
        }
        Some(self.own_slot(self.needs.own_slot(definition)?))
    }

    /// Image offset of a slot for a symbol of the image.
    pub(crate) fn own_slot(&self, index: u32) -> u64 {
        self.got + (self.needs.imports.len() as u64 + u64::from(index)) * WORD
    }

    /// Number of the indirect function that a definition is.
    pub(crate) fn indirect(&self, definition: SymbolId) -> Option<u32> {
        self.needs.indirect(self.inputs.symbol(definition))
    }

    /// Image offset of the slot for what an indirect function has become.
    pub(crate) fn indirect_slot(&self, number: u32) -> u64 {
        self.own_slot(self.needs.own_slots.len() as u32 + number)
    }

    /// Image offset of the code that answers what an indirect function becomes.
    pub(crate) fn resolver(&self, function: SymbolId) -> Option<u64> {
        let symbol = self.inputs.symbol(function);
        let Place::Section(section) = symbol.place else { return None };
        self.place(section, symbol.value)
    }

    /// Image offset of a variable's module and offset pair.
    pub(crate) fn pair(&self, index: u32) -> u64 {
        self.indirect_slot(self.needs.indirect.len() as u32) + u64::from(index) * 2 * WORD
    }

    /// Image offset of the pair that stands for the thread's block.
    pub(crate) fn block_pair(&self) -> u64 {
        self.pair(self.needs.pairs.len() as u32)
    }

    /// Image offset of the slot with a variable's distance from the thread pointer.
    pub(crate) fn distance(&self, index: u32) -> u64 {
        self.block_pair() + if self.needs.block_pair { 2 * WORD } else { 0 } + u64::from(index) * WORD
    }

    /// Image offset of a variable's descriptor.
    pub(crate) fn descriptor(&self, index: u32) -> u64 {
        self.distance(self.needs.distances.len() as u32) + u64::from(index) * DESCRIPTOR_WORDS * WORD
    }

    /// Image offset of the call stub of an import.
    pub(crate) fn stub(&self, index: u32) -> u64 {
        self.stubs + u64::from(index) * self.stub_form.len()
    }

    /// Image offset of the call stub of an indirect function.
    pub(crate) fn indirect_stub(&self, number: u32) -> u64 {
        self.stub(self.needs.stubs.len() as u32 + number)
    }
}

/// What call stubs of the image look like.
pub(crate) fn stub_form(inputs: &Inputs<'_>) -> StubForm {
    if inputs.promises() & promise::IBT != 0 { StubForm::Marked } else { StubForm::Plain }
}
