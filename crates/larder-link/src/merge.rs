//! Strings and constants that occur several times are kept once (`SHF_MERGE`).
//!
//! A section of that kind is a list of pieces: strings with their terminators, or constants of one size. Pieces of all live sections that
//! agree in element size and alignment go to one pool, where equal ones meet. An offset in the section then means an offset in the pool.
//!
//! Not done: strings that are the end of other strings share no bytes, and pieces that only dead code uses are kept with their section.

use crate::error::{LinkError, text};
use crate::input::{Inputs, Role, Section, SectionId, id, sh, stt};
use crate::live::Live;
use crate::resolve::{Symbols, is_identifier};
use crate::x86_64::{self, Formula};
use std::collections::HashMap;
use std::ffi::CStr;

id!(
    /// Index in [`Merged::pools`].
    PoolId, "p"
);

/// All pools, and where every piece went.
#[derive(Debug, Default)]
pub(crate) struct Merged<'a> {
    pub(crate) pools: Vec<Pool<'a>>,
    sections: HashMap<SectionId, Pieces>,
    /// Bytes that were not written because they stood somewhere already.
    pub(crate) saved_len: u64,
}

/// Pieces of one kind, each once.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) role: Role,
    /// Name of the section in the image.
    pub(crate) name: &'a [u8],
    pub(crate) align: u64,
    /// Size of an element, for the section header of debug strings.
    pub(crate) entry_len: u64,
    pub(crate) strings: bool,
    pub(crate) bytes: Vec<u8>,
}

/// Where the pieces of one section went: by offset in the section, offset in the pool.
#[derive(Debug)]
struct Pieces {
    pool: PoolId,
    starts: Vec<u32>,
    offsets: Vec<u32>,
    len: u64,
}

#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    name: &'a [u8],
    align: u64,
    entry_len: u64,
    strings: bool,
}

type PieceTable<'a> = HashMap<&'a [u8], u32>;

/// Merges all live sections that allow it.
pub(crate) fn merge_sections<'a>(
    inputs: &Inputs<'a>,
    symbols: &Symbols<'a>,
    live: &Live,
    keep_debug: bool,
) -> Result<Merged<'a>, LinkError> {
    let mut merged = Merged::default();
    let mut pools: HashMap<Key<'a>, (PoolId, PieceTable<'a>)> = HashMap::new();
    let kept = |id, section: &Section<'_>| live.contains(id) || (section.role == Role::Debug && keep_debug);
    let pinned = pinned(inputs, symbols, &kept);
    for (id, section) in inputs.sections().filter(|&(id, section)| kept(id, section) && may_merge(section)) {
        if pinned[id.index()] {
            continue;
        }
        let key = key_of(section);
        let (pool, table) = pools.entry(key).or_insert_with(|| (merged.new_pool(section), HashMap::new()));
        merged.add(inputs, id, *pool, table)?;
    }
    Ok(merged)
}

/// Sections that are referred to by a distance and no symbol of their own: the addend then counts from somewhere else than the piece, so
/// nobody can tell which piece is meant. Compilers do not write that; people who write assembly do.
fn pinned(inputs: &Inputs<'_>, symbols: &Symbols<'_>, kept: &impl Fn(SectionId, &Section<'_>) -> bool) -> Vec<bool> {
    let mergeable: Vec<bool> = inputs.sections.iter().map(may_merge).collect();
    let mut pinned = vec![false; inputs.sections.len()];
    for (_, section) in inputs.sections().filter(|&(id, section)| kept(id, section)) {
        for reloc in section.relocs() {
            let target = symbols.definition(reloc.symbol).section;
            let distance = mergeable[target.index()] && x86_64::kind_of(reloc.kind).formula != Formula::Absolute;
            if distance && inputs.symbol(reloc.symbol).kind == stt::SECTION {
                pinned[target.index()] = true;
            }
        }
    }
    pinned
}

/// Pieces are aligned one by one, which must not blow up what is small.
const ALIGN_MAX: u64 = 64;

fn may_merge(section: &Section<'_>) -> bool {
    section.is(sh::MERGE)
        && !section.is(sh::WRITE | sh::EXECINSTR | sh::TLS | sh::COMPRESSED)
        && matches!(section.role, Role::Loaded | Role::Debug)
        && section.relocs.is_empty()
        && !section.is_zeros()
        && section.entry_len > 0
        && section.align <= ALIGN_MAX
        && section.len < u64::from(u32::MAX)
        // Programs measure such sections with `__start_` and `__stop_`.
        && !is_identifier(section.name)
}

fn key_of<'a>(section: &Section<'a>) -> Key<'a> {
    let strings = section.is(sh::STRINGS);
    Key { name: pool_name(section), align: section.align, entry_len: section.entry_len, strings }
}

fn pool_name<'a>(section: &Section<'a>) -> &'a [u8] {
    if section.role == Role::Debug { section.name } else { b".rodata" }
}

impl<'a> Merged<'a> {
    /// The pool and offset that an offset in a merged section means; `None` if the section was not merged or has no such offset.
    pub(crate) fn find(&self, section: SectionId, offset: u64) -> Option<(PoolId, u64)> {
        let pieces = self.sections.get(&section)?;
        let last = u32::try_from(offset).ok().filter(|_| offset <= pieces.len)?;
        let piece = pieces.starts.partition_point(|&start| start <= last).checked_sub(1)?;
        Some((pieces.pool, u64::from(pieces.offsets[piece]) + (offset - u64::from(pieces.starts[piece]))))
    }

    /// Whether the section's bytes are in a pool.
    pub(crate) fn contains(&self, section: SectionId) -> bool {
        self.sections.contains_key(&section)
    }

    fn new_pool(&mut self, section: &Section<'a>) -> PoolId {
        self.pools.push(Pool {
            role: section.role,
            name: pool_name(section),
            align: section.align,
            entry_len: section.entry_len,
            strings: section.is(sh::STRINGS),
            bytes: Vec::new(),
        });
        PoolId::from_index(self.pools.len() - 1)
    }

    fn add(
        &mut self,
        inputs: &Inputs<'a>,
        id: SectionId,
        pool: PoolId,
        table: &mut PieceTable<'a>,
    ) -> Result<(), LinkError> {
        let section = inputs.section(id);
        let damaged = |what: &str| LinkError::Damaged {
            object: inputs.object_name(section.object).into(),
            what: format!("{}: {what}", text(section.name)),
        };
        let mut pieces = Pieces { pool, starts: Vec::new(), offsets: Vec::new(), len: section.len };
        let mut rest = section.data;
        while !rest.is_empty() {
            let len =
                piece_len(section, rest).ok_or_else(|| damaged("a string or constant to be merged has no end"))?;
            let (piece, tail) = rest.split_at(len);
            let offset = self.intern(pool, table, piece)?;
            pieces.starts.push((section.data.len() - rest.len()) as u32);
            pieces.offsets.push(offset);
            rest = tail;
        }
        self.sections.insert(id, pieces);
        Ok(())
    }

    fn intern(&mut self, pool: PoolId, table: &mut PieceTable<'a>, piece: &'a [u8]) -> Result<u32, LinkError> {
        if let Some(&offset) = table.get(piece) {
            self.saved_len += piece.len() as u64;
            return Ok(offset);
        }
        let pool = &mut self.pools[pool.index()];
        let start = pool.bytes.len().next_multiple_of(pool.align as usize);
        let max = u64::from(u32::MAX);
        let offset = u32::try_from(start).map_err(|_| LinkError::TooLarge {
            what: "merged constants",
            len: start as u64,
            max,
        })?;
        pool.bytes.resize(start, 0);
        pool.bytes.extend_from_slice(piece);
        table.insert(piece, offset);
        Ok(offset)
    }
}

/// Bytes of the first piece; `None` if it does not end inside the section.
fn piece_len(section: &Section<'_>, bytes: &[u8]) -> Option<usize> {
    let element = usize::try_from(section.entry_len).ok()?;
    match (section.is(sh::STRINGS), element) {
        (false, _) => (element <= bytes.len()).then_some(element),
        (true, 1) => CStr::from_bytes_until_nul(bytes).ok().map(|text| text.count_bytes() + 1),
        (true, _) => {
            let end = bytes.chunks_exact(element).position(|character| character.iter().all(|&byte| byte == 0))?;
            Some((end + 1) * element)
        }
    }
}
