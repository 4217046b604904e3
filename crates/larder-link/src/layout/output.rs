//! Output sections: which input section goes to which, and in what order they stand.
//!
//! To add an output section: a row in [`Rank`], an arm in [`rank_of`] or a [`Made`], and its name in [`Rank::name`].

use super::{is_kept, stands_alone};
use crate::input::{Inputs, Role, Section, SectionId, sh};
use crate::live::Live;
use crate::merge::{Merged, Pool, PoolId};
use crate::scan::Needs;
use larder_format::image::{PAGE, WORD};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Parts of an image with one protection, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    R,
    Rx,
    Relro,
    Rw,
    Tail,
}

impl Segment {
    pub(crate) fn is_writable(self) -> bool {
        matches!(self, Segment::Relro | Segment::Rw)
    }
}

/// Sections that the linker fills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Index,
    BuildId,
    Property,
    UnwindTable,
    Unwind,
    Stubs,
    Slots,
    DebugFrame,
}

impl Made {
    pub(super) const COUNT: usize = 8;
}

/// Order of output sections inside their segment, and what they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rank {
    Index,
    BuildId,
    Property,
    LargeConstants,
    Constants,
    NamedConstants,
    ExceptionTables,
    UnwindTable,
    Unwind,
    Code,
    NamedCode,
    Stubs,
    Slots,
    ThreadData,
    ThreadZeros,
    RelroData,
    NamedRelro,
    NamedData,
    Data,
    Zeros,
    NamedZeros,
    LargeData,
    LargeZeros,
    DebugFrame,
    Debug,
}

impl Rank {
    /// Whether programs measure such sections.
    fn is_named(self) -> bool {
        matches!(self, Rank::NamedConstants | Rank::NamedCode | Rank::NamedRelro | Rank::NamedData | Rank::NamedZeros)
    }

    /// Name of the one output section of this rank; those of other ranks are named by their members.
    fn name(self) -> &'static [u8] {
        match self {
            Rank::Index => b".larder.index",
            Rank::BuildId => b".note.gnu.build-id",
            Rank::Property => b".note.gnu.property",
            Rank::LargeConstants => b".lrodata",
            Rank::Constants => b".rodata",
            Rank::ExceptionTables => b".gcc_except_table",
            Rank::UnwindTable => b".eh_frame_hdr",
            Rank::Unwind => b".eh_frame",
            Rank::Code => b".text",
            Rank::Stubs => b".larder.stubs",
            Rank::Slots => b".got",
            Rank::ThreadData => b".tdata",
            Rank::ThreadZeros => b".tbss",
            Rank::RelroData => b".data.rel.ro",
            Rank::Data => b".data",
            Rank::LargeData => b".ldata",
            Rank::Zeros => b".bss",
            Rank::LargeZeros => b".lbss",
            Rank::DebugFrame => b".debug_frame",
            Rank::NamedConstants
            | Rank::NamedCode
            | Rank::NamedRelro
            | Rank::NamedData
            | Rank::NamedZeros
            | Rank::Debug => b"",
        }
    }
}

/// What an output section is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Section(SectionId),
    Pool(PoolId),
}

/// A piece of an output section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) content: Content,
    /// Offset in the output section.
    pub(crate) offset: u64,
    /// Less runs more often.
    temperature: u8,
}

/// A section of the image.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) segment: Segment,
    pub(crate) rank: Rank,
    pub(crate) made: Option<Made>,
    /// `sh_type`.
    pub(crate) kind: u32,
    /// `sh_flags`.
    pub(crate) flags: u64,
    pub(crate) align: u64,
    pub(crate) entry_len: u64,
    /// Image offset; in the tail, file offset.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) members: Vec<Member>,
}

impl<'a> Output<'a> {
    /// A section that the linker fills itself.
    pub(crate) fn made(made: Made, len: u64) -> Self {
        let (rank, segment, kind, flags, align) = match made {
            Made::Index => (Rank::Index, Segment::R, sh::PROGBITS, sh::ALLOC, 8),
            Made::BuildId => (Rank::BuildId, Segment::R, sh::NOTE, sh::ALLOC, 4),
            Made::Property => (Rank::Property, Segment::R, sh::NOTE, sh::ALLOC, 8),
            Made::UnwindTable => (Rank::UnwindTable, Segment::R, sh::PROGBITS, sh::ALLOC, 4),
            Made::Unwind => (Rank::Unwind, Segment::R, sh::PROGBITS, sh::ALLOC, 8),
            Made::Stubs => (Rank::Stubs, Segment::Rx, sh::PROGBITS, sh::ALLOC | sh::EXECINSTR, 16),
            Made::DebugFrame => (Rank::DebugFrame, Segment::Tail, sh::PROGBITS, 0, 8),
            Made::Slots => (Rank::Slots, Segment::Relro, sh::PROGBITS, sh::ALLOC | sh::WRITE, WORD),
        };
        let empty = Output::new(rank.name(), rank, segment, kind, flags);
        Output { made: Some(made), align, len, ..empty }
    }

    fn new(name: &'a [u8], rank: Rank, segment: Segment, kind: u32, flags: u64) -> Self {
        let members = Vec::new();
        Output { name, segment, rank, made: None, kind, flags, align: 1, entry_len: 0, offset: 0, len: 0, members }
    }

    pub(crate) fn is(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether the file holds its bytes.
    pub(crate) fn is_stored(&self) -> bool {
        self.kind != sh::NOBITS
    }

    fn add(&mut self, content: Content, align: u64, temperature: u8) {
        self.align = self.align.max(align);
        self.members.push(Member { content, offset: 0, temperature });
    }

    /// Gives every member its offset; those that are aligned beyond a page come first, unless the program gave the section its name and
    /// counts on its order. Lengths are far below 2⁶⁴: contents lie in memory, zeros are limited to 1 TiB each.
    fn arrange(&mut self, inputs: &Inputs<'_>, merged: &Merged<'_>) {
        let named = self.rank.is_named();
        let beyond_page = |content| match extent(inputs, merged, content) {
            (_, align) if align > PAGE && !named => align,
            _ => 0,
        };
        self.members.sort_by_cached_key(|member| (member.temperature, Reverse(beyond_page(member.content))));
        for member in &mut self.members {
            let (len, align) = extent(inputs, merged, member.content);
            let offset = self.len.saturating_add(align - 1) & !(align - 1);
            member.offset = offset;
            self.len = offset.saturating_add(len);
        }
    }
}

/// Length and alignment of a member.
pub(crate) fn extent(inputs: &Inputs<'_>, merged: &Merged<'_>, content: Content) -> (u64, u64) {
    match content {
        Content::Section(id) => (inputs.section(id).len, inputs.section(id).align),
        Content::Pool(id) => {
            let pool = &merged.pools[id.index()];
            (pool.bytes.len() as u64, pool.align)
        }
    }
}

/// Distributes all kept sections to output sections.
pub(super) fn gather<'a>(
    inputs: &Inputs<'a>,
    live: &Live,
    merged: &Merged<'a>,
    needs: &Needs,
    keep_debug: bool,
) -> Vec<Output<'a>> {
    let mut gather = Gather { outputs: Vec::new(), numbers: HashMap::new() };
    let named = named_traits(inputs, live, needs);
    let thread_words = needs.rebased.iter().copied().chain(needs.bound.iter().map(|bound| bound.word));
    let thread_relro = thread_words.into_iter().any(|word| inputs.section(word.section).is(sh::TLS));
    for (id, section) in inputs.sections() {
        if !is_kept(live, id, section, keep_debug) || merged.contains(id) {
            continue;
        }
        let traits = if stands_alone(section) { named.get(section.name).copied() } else { None };
        let traits = traits.unwrap_or_else(|| Traits::of(section, needs.is_moved(id)));
        let (rank, mut segment) = rank_of(section, traits);
        if section.is(sh::TLS) && thread_relro {
            segment = Segment::Relro;
        }
        gather.output(section, rank, segment).add(Content::Section(id), section.align, temperature(section));
    }
    for (index, pool) in merged.pools.iter().enumerate() {
        gather.pool(pool).add(Content::Pool(PoolId::from_index(index)), pool.align, 0);
    }
    gather.outputs.iter_mut().for_each(|output| output.arrange(inputs, merged));
    align_thread_block(&mut gather.outputs);
    store_zeros_before_large_data(&mut gather.outputs);
    gather.outputs
}

/// Code reaches small data by 32-bit distances, so large data stands behind it; and what the file holds behind zeros, it holds with them.
fn store_zeros_before_large_data(outputs: &mut [Output<'_>]) {
    if outputs.iter().any(|output| output.rank == Rank::LargeData) {
        let small_zeros = |output: &&mut Output<'_>| matches!(output.rank, Rank::Zeros | Rank::NamedZeros);
        outputs.iter_mut().filter(small_zeros).for_each(|output| output.kind = sh::PROGBITS);
    }
}

/// Offsets in a thread's block are distances in the image, so the block begins where its strictest variable could.
fn align_thread_block(outputs: &mut [Output<'_>]) {
    let align = outputs.iter().filter(|output| output.is(sh::TLS)).map(|output| output.align).max().unwrap_or(1);
    let first = outputs.iter_mut().filter(|output| output.is(sh::TLS)).min_by_key(|output| output.rank);
    if let Some(first) = first {
        first.align = align;
    }
}

struct Gather<'a> {
    outputs: Vec<Output<'a>>,
    numbers: HashMap<(Rank, &'a [u8]), usize>,
}

impl<'a> Gather<'a> {
    fn output(&mut self, section: &Section<'a>, rank: Rank, segment: Segment) -> &mut Output<'a> {
        let name = if rank.name().is_empty() { section.name } else { rank.name() };
        let zeros = matches!(rank, Rank::Zeros | Rank::NamedZeros | Rank::LargeZeros | Rank::ThreadZeros);
        let flags = match segment {
            Segment::R => sh::ALLOC,
            Segment::Rx => sh::ALLOC | sh::EXECINSTR,
            Segment::Relro | Segment::Rw => sh::ALLOC | sh::WRITE,
            Segment::Tail => section.flags & (sh::MERGE | sh::STRINGS),
        };
        let thread = if section.is(sh::TLS) { sh::TLS | sh::WRITE } else { 0 };
        let kind = if zeros { sh::NOBITS } else { sh::PROGBITS };
        let entry_len = if segment == Segment::Tail { section.entry_len } else { 0 };
        self.find(name, rank, || Output { entry_len, ..Output::new(name, rank, segment, kind, flags | thread) })
    }

    fn pool(&mut self, pool: &Pool<'a>) -> &mut Output<'a> {
        if pool.role != Role::Debug {
            let rank = Rank::Constants;
            return self
                .find(rank.name(), rank, || Output::new(rank.name(), rank, Segment::R, sh::PROGBITS, sh::ALLOC));
        }
        let flags = sh::MERGE | if pool.strings { sh::STRINGS } else { 0 };
        let output = Output::new(pool.name, Rank::Debug, Segment::Tail, sh::PROGBITS, flags);
        self.find(pool.name, Rank::Debug, || Output { entry_len: pool.entry_len, ..output })
    }

    fn find(&mut self, name: &'a [u8], rank: Rank, new: impl FnOnce() -> Output<'a>) -> &mut Output<'a> {
        let outputs = &mut self.outputs;
        let number = *self.numbers.entry((rank, name)).or_insert_with(|| {
            outputs.push(new());
            outputs.len() - 1
        });
        &mut outputs[number]
    }
}

/// What decides where a section goes, beside its name.
#[derive(Debug, Clone, Copy, Default)]
struct Traits {
    write: bool,
    code: bool,
    stored: bool,
    moved: bool,
}

impl Traits {
    fn of(section: &Section<'_>, moved: bool) -> Self {
        Traits { write: section.is(sh::WRITE), code: section.is(sh::EXECINSTR), stored: !section.is_zeros(), moved }
    }
}

/// Sections of one name that programs measure stay together, so what one of them needs, all have.
fn named_traits<'a>(inputs: &Inputs<'a>, live: &Live, needs: &Needs) -> HashMap<&'a [u8], Traits> {
    let mut named: HashMap<&[u8], Traits> = HashMap::new();
    for (id, section) in inputs.sections().filter(|&(id, section)| live.contains(id) && stands_alone(section)) {
        let traits = Traits::of(section, needs.is_moved(id));
        let all = named.entry(section.name).or_default();
        all.write |= traits.write;
        all.code |= traits.code;
        all.stored |= traits.stored;
        all.moved |= traits.moved;
    }
    named
}

fn rank_of(section: &Section<'_>, traits: Traits) -> (Rank, Segment) {
    let alone = stands_alone(section);
    let pick = |named: Rank, large: Rank, rank: Rank| match (alone, section.is(sh::LARGE)) {
        (true, _) => named,
        (false, true) => large,
        (false, false) => rank,
    };
    match traits {
        _ if section.role == Role::Debug => (Rank::Debug, Segment::Tail),
        Traits { stored: false, .. } if section.is(sh::TLS) => (Rank::ThreadZeros, Segment::R),
        _ if section.is(sh::TLS) => (Rank::ThreadData, Segment::R),
        Traits { code: true, .. } => (if alone { Rank::NamedCode } else { Rank::Code }, Segment::Rx),
        Traits { stored: false, .. } => (pick(Rank::NamedZeros, Rank::LargeZeros, Rank::Zeros), Segment::Rw),
        Traits { write: true, .. } if is_relro(section.name) => (Rank::RelroData, Segment::Relro),
        Traits { write: true, .. } => (pick(Rank::NamedData, Rank::LargeData, Rank::Data), Segment::Rw),
        Traits { moved: true, .. } => (if alone { Rank::NamedRelro } else { Rank::RelroData }, Segment::Relro),
        _ if section.name.starts_with(b".gcc_except_table") => (Rank::ExceptionTables, Segment::R),
        _ => (pick(Rank::NamedConstants, Rank::LargeConstants, Rank::Constants), Segment::R),
    }
}

/// Writable only for the loader, by the names that compilers give.
fn is_relro(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] =
        [b".data.rel.ro", b".init_array", b".fini_array", b".preinit_array", b".ctors", b".dtors"];
    NAMES.iter().any(|relro| match name.strip_prefix(*relro) {
        Some(rest) => rest.is_empty() || rest[0] == b'.',
        None => false,
    })
}

/// Code that runs together stands together: hot first, what runs once or never last.
fn temperature(section: &Section<'_>) -> u8 {
    const PREFIXES: [(&[u8], u8); 6] = [
        (b".text.hot", 0),
        (b".text.startup", 2),
        (b".text.exit", 3),
        (b".text.unlikely", 4),
        (b".text.split", 4),
        (b".text.cold", 4),
    ];
    if !section.is(sh::EXECINSTR) {
        return 0;
    }
    let found = PREFIXES.iter().find(|(prefix, _)| match section.name.strip_prefix(*prefix) {
        Some(rest) => rest.is_empty() || rest[0] == b'.',
        None => false,
    });
    found.map_or(1, |&(_, temperature)| temperature)
}
