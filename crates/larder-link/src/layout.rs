//! Where everything goes.
//!
//! Sections of one purpose are gathered in one output section, output sections in segments: R, RX, RW that becomes read-only, RW, and the
//! tail of the file, which is not loaded. Inside an output section, order is that of the objects, except that code is sorted by how
//! often it is expected to run.
//!
//! The index stands at the front of R, and its size depends on how many words of RW the loader has to relocate, which depends on their
//! distances. So RW is laid out first, from a base of zero; pages keep all distances as they are when it is moved to its place.
//!
//! Sections that are aligned beyond a page would need a gap of that size in the file, in front of the first of them. So it is addresses
//! that are aligned, not image offsets: the image says which of its bytes the loader has to put at a multiple of its alignment, and
//! [`Layout::bias`] is what that byte's offset lacks.

use crate::address::{DESCRIPTOR_WORDS, stub_form};
use crate::error::LinkError;
use crate::index::IndexPlan;
use crate::input::{Inputs, LinkerSymbol, Role, Section, SectionId, sh};
use crate::live::Live;
use crate::merge::{Merged, PoolId};
use crate::resolve::{Definition, is_identifier};
use crate::scan::{self, Needs, Word};
use crate::unwind::UnwindPlan;
use crate::x86_64::Reach;
use larder_format::image::{
    HEADER_OFFSET, ImageHeader, PAGE, STATIC_TLS_ALIGN, STATIC_TLS_DISTANCE, STATIC_TLS_LEN, Span, WORD,
};
use larder_format::record::Record as _;

mod output;
mod relr;

pub(crate) use output::{Content, Made, Output, Segment};

/// Address space of an image at most, so that 48-bit arithmetic never overflows: the format's limit.
const MEM_LEN_MAX: u64 = 1 << 40;
/// The index is reached by 32-bit offsets of its own.
const INDEX_LEN_MAX: u64 = u32::MAX as u64 - PAGE;
/// Where the index begins: behind the header.
pub(crate) const INDEX_OFFSET: u64 = (HEADER_OFFSET + ImageHeader::SIZE) as u64;
/// Bytes of the build id's note: header, `GNU`, 20 bytes.
pub(crate) const BUILD_ID_LEN: u64 = 36;
/// Bytes of the property note: header, `GNU`, one property.
const PROPERTY_LEN: u64 = 32;

const NOWHERE: u32 = u32::MAX;

/// Every place in the image.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    /// In the order of the file.
    pub(crate) outputs: Vec<Output<'a>>,
    /// Image offset of each section, or offset in its output section for debug information.
    sections: Vec<Option<u64>>,
    /// Number of the output section of each, [`NOWHERE`] if it is in none.
    section_outputs: Vec<u32>,
    pools: Vec<(usize, u64)>,
    /// Numbers of the output sections that the linker itself makes, by [`Made`].
    made: [Option<usize>; Made::COUNT],
    bss_start: u64,
    /// What the image's address is aligned to: at least a page.
    pub(crate) align: u64,
    /// Image offset + bias is aligned where the address has to be: a whole number of pages.
    bias: u64,
    pub(crate) rx: Span,
    pub(crate) rw: Span,
    pub(crate) relro_len: u64,
    /// End of everything in memory, not rounded.
    pub(crate) end: u64,
    pub(crate) tls_template: Span,
    pub(crate) tls_mem_len: u64,
    pub(crate) tls_align: u64,
    /// Distance from the thread's block up to the thread pointer; 0 if that is not fixed.
    pub(crate) tls_distance: u64,
    /// Rows of the index.
    pub(crate) relr: Vec<u64>,
    /// Words at odd places, to which the loader adds the image's address too: such a place is no row of the packed table.
    pub(crate) odd_words: Vec<u64>,
    /// End of what this pass has laid out in the file.
    pub(crate) file_end: u64,
}

/// What the passes before have found, as far as it takes room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes<'x> {
    pub(crate) unwind: &'x UnwindPlan,
    pub(crate) index: &'x IndexPlan,
    pub(crate) keep_debug: bool,
    /// Bytes of `.debug_frame`.
    pub(crate) debug_frame_len: u64,
}

/// Lays out the loaded segments and the debug information.
pub(crate) fn assign_offsets<'a>(
    inputs: &Inputs<'a>,
    live: &Live,
    merged: &Merged<'a>,
    needs: &Needs,
    sizes: Sizes<'_>,
) -> Result<Layout<'a>, LinkError> {
    let mut outputs = output::gather(inputs, live, merged, needs, sizes.keep_debug);
    outputs.extend(made_outputs(inputs, needs, &sizes));
    let lens = outputs.iter().map(|output| output.len.saturating_add(output.align));
    limit("memory", lens.fold(0, u64::saturating_add), MEM_LEN_MAX)?;
    // Beyond this point, no sum of lengths overflows.
    let mut layout = Layout::new(inputs, merged, outputs);
    layout.number_outputs();
    layout.bias = layout.rw_bias();
    layout.place_segments(&[Segment::Relro, Segment::Rw], 0)?;
    let own_words = layout.own_words(inputs, needs, live);
    let words = needs.rebased.iter().filter_map(|word| layout.word(*word)).chain(own_words);
    let (even, odd) = words.partition(|place| place % 2 == 0);
    (layout.relr, layout.odd_words) = (relr::encode(even), odd);
    layout.outputs.push(Output::made(Made::Index, 0));
    let index_len = sizes.index.len(layout.relr.len(), layout.odd_words.len(), &layout.outputs);
    limit("index", index_len, INDEX_LEN_MAX)?;
    layout.set_index_len(INDEX_OFFSET - HEADER_OFFSET as u64 + index_len);
    layout.place_all()?;
    if needs.static_block {
        layout.tls_distance = static_distance(layout.tls_mem_len, layout.tls_align)?;
    }
    relr::rebase(&mut layout.relr, layout.rw.offset);
    layout.odd_words.iter_mut().for_each(|place| *place += layout.rw.offset);
    Ok(layout)
}

/// What the linker itself puts into the image, beside the index.
fn made_outputs<'a>(inputs: &Inputs<'_>, needs: &Needs, sizes: &Sizes<'_>) -> Vec<Output<'a>> {
    let unwind = sizes.unwind;
    let pairs = needs.pairs.len() + usize::from(needs.block_pair);
    let thread_words = 2 * pairs + needs.distances.len() + DESCRIPTOR_WORDS as usize * needs.descriptors.len();
    let words = needs.imports.len() + needs.own_slots.len() + needs.indirect.len() + thread_words;
    let lens = [
        (Made::BuildId, BUILD_ID_LEN),
        (Made::UnwindTable, unwind.table_len()),
        (Made::Unwind, unwind.len),
        (Made::Stubs, (needs.stubs.len() + needs.indirect.len()) as u64 * stub_form(inputs).len()),
        (Made::Property, if inputs.promises() == 0 { 0 } else { PROPERTY_LEN }),
        (Made::Slots, words as u64 * WORD),
        (Made::DebugFrame, sizes.debug_frame_len),
    ];
    lens.into_iter().filter(|&(_, len)| len > 0).map(|(made, len)| Output::made(made, len)).collect()
}

impl<'a> Layout<'a> {
    fn new(inputs: &Inputs<'_>, merged: &Merged<'_>, outputs: Vec<Output<'a>>) -> Self {
        let loaded = outputs.iter().filter(|output| output.segment != Segment::Tail);
        let align = loaded.map(|output| output.align).fold(PAGE, u64::max);
        Layout {
            outputs,
            align,
            bias: 0,
            sections: vec![None; inputs.sections.len()],
            section_outputs: vec![NOWHERE; inputs.sections.len()],
            pools: vec![(0, 0); merged.pools.len()],
            made: [None; Made::COUNT],
            bss_start: 0,
            rx: Span::default(),
            rw: Span::default(),
            relro_len: 0,
            end: 0,
            tls_template: Span::default(),
            tls_mem_len: 0,
            tls_align: 1,
            tls_distance: 0,
            relr: Vec::new(),
            odd_words: Vec::new(),
            file_end: 0,
        }
    }

    /// The index lists the output sections, its own among them.
    fn set_index_len(&mut self, len: u64) {
        let index = self.outputs.iter_mut().filter(|output| output.made == Some(Made::Index));
        index.for_each(|output| output.len = len);
    }

    /// Image offset of a section's first byte, or offset in its output section for debug information; `None` if it is in a pool or nowhere.
    #[inline]
    pub(crate) fn section(&self, id: SectionId) -> Option<u64> {
        self.sections[id.index()]
    }

    /// The same of a pool.
    pub(crate) fn pool(&self, id: PoolId) -> u64 {
        self.pools[id.index()].1
    }

    /// Number of the output section that a section is part of.
    pub(crate) fn output_of(&self, id: SectionId) -> Option<usize> {
        Some(self.section_outputs[id.index()]).filter(|&number| number != NOWHERE).map(|number| number as usize)
    }

    /// Number of the output section that a pool is part of.
    pub(crate) fn output_of_pool(&self, id: PoolId) -> usize {
        self.pools[id.index()].0
    }

    /// What the linker itself made, with its place; `None` if it is not in this image.
    pub(crate) fn made(&self, made: Made) -> Option<&Output<'a>> {
        self.outputs.get(self.made[made as usize]?)
    }

    /// Image offset of what the linker itself made, or the end of R if it is not in this image.
    pub(crate) fn made_offset(&self, made: Made) -> u64 {
        self.made(made).map_or(self.rx.offset, |output| output.offset)
    }

    fn word(&self, word: Word) -> Option<u64> {
        Some(self.section(word.section)? + word.offset)
    }

    /// Slots of the image's own symbols hold addresses too.
    fn own_words(&self, inputs: &Inputs<'_>, needs: &Needs, live: &Live) -> Vec<u64> {
        let Some(slots) = self.made(Made::Slots) else { return Vec::new() };
        let first = slots.offset + needs.imports.len() as u64 * WORD;
        let slots = needs.own_slots.iter().zip((first..).step_by(WORD as usize));
        let address = |&(&symbol, _): &(&_, u64)| {
            matches!(scan::reach(inputs, live, Definition::itself(inputs, symbol)), Reach::Image | Reach::Indirect)
        };
        slots.filter(address).map(|(_, offset)| offset).collect()
    }

    /// Image offset whose address has to be a multiple of `align`.
    pub(crate) fn align_at(&self) -> u64 {
        (self.align - self.bias) % self.align
    }

    /// The bias by which the strictest section that the file holds follows the one in front of it closely, if RW begins at 0.
    fn rw_bias(&self) -> u64 {
        let stored = |output: &&Output<'_>| output.segment.is_writable() && output.is_stored();
        let Some(strictest) = self.outputs.iter().filter(stored).map(|output| output.align).max() else { return 0 };
        if strictest <= PAGE {
            return 0;
        }
        let (mut at, mut segment) = (0u64, Segment::Relro);
        for output in self.outputs.iter().filter(stored) {
            let new_page = output.align >= PAGE || output.segment != segment;
            at = at.next_multiple_of(if new_page { PAGE } else { output.align.max(1) });
            if output.align == strictest {
                break;
            }
            (at, segment) = (at + output.len, output.segment);
        }
        (self.align - at % self.align) % self.align
    }

    /// Where RW begins behind the code, and the bias that keeps distances in it as they are. What stands in front has its place, which has
    /// to remain aligned.
    fn rw_offset(&mut self, rx_end: u64, rw_bias: u64) -> u64 {
        let placed = self.outputs.iter().filter(|output| matches!(output.segment, Segment::R | Segment::Rx));
        let placed_align = placed.map(|output| output.align).fold(PAGE, u64::max);
        let offset = rx_end.next_multiple_of(PAGE);
        let lacking = rw_bias.wrapping_sub(offset) & (self.align - 1);
        let gap = lacking % placed_align;
        self.bias = lacking - gap;
        offset + gap
    }

    fn place_all(&mut self) -> Result<(), LinkError> {
        self.number_outputs();
        let rw_bias = std::mem::take(&mut self.bias);
        let r_end = self.place_segments(&[Segment::R], HEADER_OFFSET as u64)?;
        let rx_offset = r_end.next_multiple_of(PAGE);
        let rx_end = self.place_segments(&[Segment::Rx], rx_offset)?;
        let rw_offset = self.rw_offset(rx_end, rw_bias);
        limit("code", rw_offset - rx_offset, u64::from(u32::MAX))?;
        self.rx = Span { offset: rx_offset, len: rw_offset - rx_offset };
        self.end = self.place_segments(&[Segment::Relro, Segment::Rw], rw_offset)?;
        limit("memory", self.end, MEM_LEN_MAX)?;
        // Whole pages, so that no page is half from the file and half zeros: such a page would have to be written to at each load.
        let stored = self.outputs.iter().filter(|output| output.is_stored() && output.segment.is_writable());
        let rw_end = stored.map(|output| output.offset + output.len).max().unwrap_or(rw_offset).next_multiple_of(PAGE);
        self.rw = Span { offset: rw_offset, len: rw_end - rw_offset };
        self.file_end = rw_end;
        let zeros = |output: &&Output<'_>| output.segment == Segment::Rw && !output.is_stored();
        self.bss_start = self.outputs.iter().find(zeros).map_or(self.end, |output| output.offset);
        self.place_tail()
    }

    /// Places output sections of these segments one behind the other and returns the end.
    fn place_segments(&mut self, segments: &[Segment], start: u64) -> Result<u64, LinkError> {
        let mut at = start;
        let mut outputs = std::mem::take(&mut self.outputs);
        for segment in segments {
            for (number, output) in outputs.iter_mut().enumerate().filter(|(_, output)| output.segment == *segment) {
                at = self.place_output(number, output, at)?;
            }
            if *segment == Segment::Relro {
                at = at.next_multiple_of(PAGE);
                self.relro_len = at - start;
            }
        }
        self.outputs = outputs;
        Ok(at)
    }

    /// Output sections are numbered in the order of the file.
    fn number_outputs(&mut self) {
        self.outputs.sort_by_key(|output| (output.segment, output.rank));
        for (number, output) in self.outputs.iter().enumerate() {
            if let Some(made) = output.made {
                self.made[made as usize] = Some(number);
            }
        }
    }

    /// Places one output section at or behind `at` and returns where the next may begin.
    fn place_output(&mut self, number: usize, output: &mut Output<'a>, at: u64) -> Result<u64, LinkError> {
        let at = align(at + self.bias, output.align)? - self.bias;
        output.offset = at;
        for member in &output.members {
            match member.content {
                Content::Section(id) => {
                    self.sections[id.index()] = Some(at + member.offset);
                    self.section_outputs[id.index()] = number as u32;
                }
                Content::Pool(id) => self.pools[id.index()] = (number, at + member.offset),
            }
        }
        if !output.is(sh::TLS) {
            return Ok(at + output.len);
        }
        self.place_thread_local(output);
        // Zeros of a thread's block take no room in the image.
        Ok(if output.is_stored() { at + output.len } else { at })
    }

    /// The block's initial bytes are the image's; the zeros behind them only have offsets there.
    fn place_thread_local(&mut self, output: &Output<'_>) {
        let (end, len) = (output.offset + output.len, output.len);
        if output.is_stored() {
            self.tls_template = Span { offset: output.offset, len };
            self.tls_mem_len = 0;
        } else if self.tls_template.len == 0 {
            self.tls_template = Span { offset: output.offset, len: 0 };
        }
        self.tls_mem_len = end - self.tls_template.offset;
        self.tls_align = self.tls_align.max(output.align);
    }

    fn place_tail(&mut self) -> Result<(), LinkError> {
        let mut outputs = std::mem::take(&mut self.outputs);
        for (number, output) in outputs.iter_mut().enumerate().filter(|(_, output)| output.segment == Segment::Tail) {
            // Addresses in debug information count from the start of its section, so it is placed at 0 first.
            self.place_output(number, output, 0)?;
            output.offset = align(self.file_end, output.align)?;
            self.file_end = output.offset + output.len;
        }
        self.outputs = outputs;
        limit("file", self.file_end, MEM_LEN_MAX)
    }

    /// Image offset of a symbol that the linker defines.
    pub(crate) fn linker_symbol(&self, symbol: LinkerSymbol) -> u64 {
        let output = |id: SectionId| self.output_of(id).and_then(|number| self.outputs.get(number));
        match symbol {
            LinkerSymbol::ImageStart => 0,
            LinkerSymbol::TextEnd => self.rw.offset,
            LinkerSymbol::DataEnd | LinkerSymbol::BssStart => self.bss_start,
            LinkerSymbol::ImageEnd => self.end,
            LinkerSymbol::Got => self.got(),
            LinkerSymbol::UnwindTable => self.made_offset(Made::UnwindTable),
            LinkerSymbol::UnwindStart => self.made_offset(Made::Unwind),
            LinkerSymbol::ThreadBlock => self.tls_template.offset,
            LinkerSymbol::EmptyList => self.rw.offset,
            LinkerSymbol::Start(id) => output(id).map_or(0, |output| output.offset),
            LinkerSymbol::Stop(id) => output(id).map_or(0, |output| output.offset + output.len),
        }
    }

    /// Image offset of the slots, or of where they would be.
    pub(crate) fn got(&self) -> u64 {
        self.made(Made::Slots).map_or(self.rw.offset, |output| output.offset)
    }
}

/// Whether the image's thread-local variables fit a static block, in whatever order.
pub(crate) fn has_static_block(inputs: &Inputs<'_>, live: &Live) -> bool {
    let variables = inputs.sections().filter(|&(id, section)| section.is(sh::TLS) && live.contains(id));
    let room = |(len, align): (u64, u64), (_, section): (SectionId, &Section<'_>)| {
        (len.saturating_add(section.len).saturating_add(section.align - 1), align.max(section.align))
    };
    let (len, align) = variables.fold((0, 1), room);
    static_distance(len, align).is_ok()
}

/// Distance from a static block of that size up to the thread pointer: it ends where the host's own bytes begin.
fn static_distance(len: u64, align: u64) -> Result<u64, LinkError> {
    if len == 0 {
        return Ok(0);
    }
    let distance = (STATIC_TLS_DISTANCE + len).next_multiple_of(align);
    if align > STATIC_TLS_ALIGN || distance > STATIC_TLS_DISTANCE + STATIC_TLS_LEN {
        return Err(LinkError::StaticTlsTooLarge { len, align, max: STATIC_TLS_LEN, align_max: STATIC_TLS_ALIGN });
    }
    Ok(distance)
}

fn align(at: u64, align: u64) -> Result<u64, LinkError> {
    at.checked_next_multiple_of(align.max(1)).ok_or(LinkError::TooLarge {
        what: "memory",
        len: u64::MAX,
        max: MEM_LEN_MAX,
    })
}

fn limit(what: &'static str, len: u64, max: u64) -> Result<(), LinkError> {
    if len <= max { Ok(()) } else { Err(LinkError::TooLarge { what, len, max }) }
}

/// Whether a section's bytes are part of the image: live ones, and debug information that is kept.
fn is_kept(live: &Live, id: SectionId, section: &Section<'_>, keep_debug: bool) -> bool {
    match section.role {
        Role::Loaded => live.contains(id),
        Role::Debug => keep_debug,
        Role::Nothing | Role::Unwind | Role::Guards => false,
    }
}

/// Whether sections of that name get an output section of their own, which programs measure with `__start_` and `__stop_`.
fn stands_alone(section: &Section<'_>) -> bool {
    section.role == Role::Loaded && is_identifier(section.name) && !section.is(sh::TLS)
}
