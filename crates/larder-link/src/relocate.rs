//! Contents are copied to their places and their relocations applied.
//!
//! Every section is a piece of the file that no other touches, so threads share the work by runs of sections. What comes out does not
//! depend on how many there are, and of several errors the first in the file is reported.

use crate::address::Addresses;
use crate::error::LinkError;
use crate::input::{Reloc, Section, SectionId};
use crate::layout::{Content, Output, Segment};
use crate::live::Live;
use crate::parallel::map_in_order;
use crate::resolve::{Definition, Symbols};
use crate::scan;
use crate::x86_64::{self, Action, TRAP, Width};
use std::num::NonZeroUsize;

mod unwind_bytes;

pub(crate) use unwind_bytes::write_unwind;

/// What applying a relocation needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relocator<'x, 'a> {
    pub(crate) addresses: Addresses<'x, 'a>,
    pub(crate) symbols: &'x Symbols<'a>,
    pub(crate) live: &'x Live,
}

/// One piece of the file.
#[derive(Debug, Clone, Copy)]
struct Job {
    content: Content,
    /// File offset.
    offset: u64,
    /// File offset where the next piece begins, or the output section ends.
    end: u64,
    code: bool,
}

/// Copies and relocates all sections but those that the linker made itself.
pub(crate) fn write_sections(
    relocator: &Relocator<'_, '_>,
    file: &mut [u8],
    threads: NonZeroUsize,
) -> Result<(), LinkError> {
    let jobs = jobs(relocator);
    let parts = parts(runs(&jobs), file);
    let results = map_in_order(threads, parts, |(run, start, part)| write_run(relocator, run, start, part));
    results.into_iter().collect()
}

/// The part of the file that each run of jobs writes, with its file offset.
fn parts<'j, 'f>(runs: Vec<&'j [Job]>, file: &'f mut [u8]) -> Vec<(&'j [Job], u64, &'f mut [u8])> {
    let (mut rest, mut at, mut parts) = (file, 0, Vec::new());
    for run in runs {
        let start = run.first().map_or(at, |job| job.offset);
        let end = run.last().map_or(start, |job| job.end);
        let (_, tail) = std::mem::take(&mut rest).split_at_mut((start - at) as usize);
        let (part, tail) = tail.split_at_mut((end - start) as usize);
        (rest, at) = (tail, end);
        parts.push((run, start, part));
    }
    parts
}

fn jobs(relocator: &Relocator<'_, '_>) -> Vec<Job> {
    let outputs = relocator.addresses.layout.outputs.iter();
    outputs.filter(|output| output.is_stored()).flat_map(jobs_of).collect()
}

fn jobs_of<'o>(output: &'o Output<'_>) -> impl Iterator<Item = Job> + 'o {
    let ends = output.members.iter().skip(1).map(|member| member.offset).chain([output.len]);
    let code = output.segment == Segment::Rx;
    output.members.iter().zip(ends).map(move |(member, end)| {
        let (offset, end) = (output.offset + member.offset, output.offset + end);
        Job { content: member.content, offset, end, code }
    })
}

/// Bytes that a thread takes at a time.
const RUN_LEN: u64 = 1 << 20;

/// Cuts the jobs, which are sorted by offset, into runs.
fn runs(jobs: &[Job]) -> Vec<&[Job]> {
    let mut run_len = 0;
    let same_run = |job: &Job, _: &Job| {
        run_len += job.end - job.offset;
        let more = run_len < RUN_LEN;
        run_len = if more { run_len } else { 0 };
        more
    };
    jobs.chunk_by(same_run).collect()
}

fn write_run(relocator: &Relocator<'_, '_>, jobs: &[Job], start: u64, part: &mut [u8]) -> Result<(), LinkError> {
    for job in jobs {
        let piece = &mut part[(job.offset - start) as usize..(job.end - start) as usize];
        match job.content {
            Content::Pool(id) => {
                let bytes = &relocator.addresses.merged.pools[id.index()].bytes;
                piece[..bytes.len()].copy_from_slice(bytes);
            }
            Content::Section(id) => relocator.write_section(id, job.code, piece)?,
        }
    }
    Ok(())
}

impl Relocator<'_, '_> {
    /// `piece` is the section's room with the gap behind it.
    fn write_section(&self, id: SectionId, code: bool, piece: &mut [u8]) -> Result<(), LinkError> {
        let section = self.addresses.inputs.section(id);
        let (bytes, gap) = piece.split_at_mut(section.data.len().min(piece.len()));
        bytes.copy_from_slice(section.data);
        if code {
            gap.fill(TRAP);
        }
        let address = self.addresses.layout.section(id).unwrap_or_default();
        let mut swallowed = None;
        for reloc in section.relocs() {
            if swallowed.take_if(|offset| *offset == reloc.offset).is_none() {
                let definition = self.symbols.definition(reloc.symbol);
                let (place, at) = (address.wrapping_add(reloc.offset), reloc.offset as usize);
                let action = self.apply(section, &reloc, definition, place, bytes, at)?;
                swallowed = x86_64::swallowed(action, reloc.offset).or(swallowed);
            }
        }
        Ok(())
    }

    /// Applies one relocation: `place` is P, and the field stands at `at` in `bytes`.
    fn apply(
        &self,
        section: &Section<'_>,
        reloc: &Reloc,
        definition: Definition,
        place: u64,
        bytes: &mut [u8],
        at: usize,
    ) -> Result<Action, LinkError> {
        let inputs = self.addresses.inputs;
        let kind = x86_64::kind_of(reloc.kind);
        let reach = scan::reach(inputs, self.live, definition);
        let site = scan::site(inputs, section, reloc, definition, self.addresses.needs);
        let refuse = |reason| scan::refusal(inputs, section, reloc, reason);
        let action = x86_64::action(kind, &site, reach).map_err(refuse)?;
        if action == Action::Nothing {
            return Ok(action);
        }
        let value = match action {
            Action::Tombstone => tombstone(section, kind.width),
            _ => self.value(action, reloc, definition, place).ok_or_else(|| refuse(OUTSIDE))?,
        };
        let rewritten = match action {
            Action::Relaxed(relaxation) => Some(relaxation.apply(bytes, at, value)),
            Action::Loaded => Some(x86_64::load_address(bytes, at, value)),
            Action::LocalExec(rewrite) => Some(rewrite.apply(bytes, at, value)),
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            return rewritten.map(|()| action).ok_or_else(|| refuse(FAR));
        }
        if !kind.width.fits(value) {
            return Err(refuse(if kind.width.len() < 4 { NARROW } else { FAR }));
        }
        let field = bytes.get_mut(at..at + kind.width.len()).ok_or_else(|| refuse(OUTSIDE))?;
        field.copy_from_slice(&value.to_le_bytes()[..kind.width.len()]);
        Ok(action)
    }

    /// The number that goes into the field.
    fn value(&self, action: Action, reloc: &Reloc, definition: Definition, place: u64) -> Option<i64> {
        let addresses = &self.addresses;
        let symbol = || addresses.definition(definition, reloc.addend);
        let definition = definition.symbol;
        let slot = || addresses.slot(definition);
        let stub = || match addresses.needs.stub(definition) {
            Some(stub) => Some(addresses.stub(stub)),
            None => addresses.indirect(definition).map(|number| addresses.indirect_stub(number)),
        };
        let pair = || Some(addresses.pair(addresses.needs.pair(definition)?));
        let (target, base) = match action {
            Action::Nothing | Action::Bound | Action::Tombstone => return Some(0),
            Action::NeedsStaticBlock | Action::NeedsCopy => return None,
            // The addend of a field behind %rip is not part of the variable's place.
            Action::LocalExec(_) => return addresses.thread_distance(definition),
            Action::Number | Action::Rebased => (symbol()?, 0),
            Action::Relative | Action::Relaxed(_) => (symbol()?, place),
            Action::RelativeToStub => (stub()?, place),
            Action::RelativeToSlot | Action::Loaded => (slot()?, place),
            Action::RelativeToChosen => (addresses.indirect_slot(addresses.indirect(definition)?), place),
            Action::FromGot => (symbol()?, addresses.got),
            Action::StubFromGot => (stub()?, addresses.got),
            Action::Got => (addresses.got, place),
            Action::SlotFromGot => (slot()?, addresses.got),
            Action::Size => (addresses.inputs.symbol(definition).len, 0),
            Action::ThreadPair => (pair()?, place),
            Action::ThreadBlock => (addresses.block_pair(), place),
            Action::ThreadOffset => (addresses.thread_offset(definition)?, 0),
            Action::ThreadDistance => (addresses.thread_distance(definition)? as u64, 0),
            Action::ThreadDistanceSlot => (addresses.distance(addresses.needs.distance(definition)?), place),
            Action::Descriptor => (addresses.descriptor(addresses.needs.descriptor(definition)?), place),
        };
        Some((target as i64).wrapping_add(reloc.addend).wrapping_sub(base as i64))
    }
}

const OUTSIDE: &str = "the symbol and addend mean no place in the image: the object is damaged";
const NARROW: &str = "the distance does not fit a field of so few bits";
const FAR: &str =
    "the distance does not fit the field: compile what uses large data with -mcmodel=medium or -mcmodel=large";

/// What debuggers take for an address that is not there. In lists of ranges and places, 0 would end the list, and -1 begin another base.
fn tombstone(section: &Section<'_>, width: Width) -> i64 {
    match section.name {
        b".debug_loc" | b".debug_ranges" => 1,
        b".debug_names" if width == Width::Unsigned => i64::from(u32::MAX),
        b".debug_names" => -1,
        _ => 0,
    }
}
