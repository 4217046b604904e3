//! `.eh_frame`: how a stack is unwound through the image's functions.
//!
//! A section is a list of records. A CIE says how functions are described and which personality routine they have; an FDE describes one
//! function by pointing at it and at its language-specific data. Records stay or go with their functions; CIEs that say the same
//! are written once. `.eh_frame_hdr` is the table that unwinders search (LSB "DWARF Extensions", "Exception Frames").
//!
//! Nothing here reads the call frame instructions. Records with 64-bit lengths are refused: no compiler writes them.

use crate::error::{LinkError, text};
use crate::input::{Inputs, Place, Reloc, Role, SectionId, SymbolId, id};
use crate::live::Live;
use crate::resolve::Symbols;
use std::collections::HashMap;
use std::ops::Range;

id!(
    /// Index in [`Unwind::cies`].
    CieId, "cie"
);
id!(
    /// Index in [`Unwind::fdes`].
    FdeId, "fde"
);

/// Bytes of one record, length field included.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) section: SectionId,
    pub(crate) bytes: Range<usize>,
    /// Numbers of its relocations in the section.
    pub(crate) relocs: Range<usize>,
}

/// What one function's record says beside its bytes.
#[derive(Debug)]
pub(crate) struct Fde {
    pub(crate) record: Record,
    pub(crate) cie: CieId,
    /// Section of the function.
    pub(crate) function: SectionId,
    /// The function's symbol and addend: where the function begins.
    pub(crate) begin: (SymbolId, i64),
    /// Next record of the same section.
    next: Option<FdeId>,
}

/// All records of all objects.
#[derive(Debug)]
pub(crate) struct Unwind {
    pub(crate) cies: Vec<Record>,
    pub(crate) fdes: Vec<Fde>,
    first: Vec<Option<FdeId>>,
}

/// Offset of the function's address in an FDE: behind length and CIE pointer.
pub(crate) const BEGIN_OFFSET: u64 = 8;

/// Takes all `.eh_frame` sections apart.
pub(crate) fn read_unwind_records(inputs: &Inputs<'_>, symbols: &Symbols<'_>) -> Result<Unwind, LinkError> {
    let mut unwind = Unwind { cies: Vec::new(), fdes: Vec::new(), first: vec![None; inputs.sections.len()] };
    for (id, section) in inputs.sections() {
        if section.role == Role::Unwind && !symbols.is_discarded(id) {
            unwind.read_section(inputs, id)?;
        }
    }
    Ok(unwind)
}

impl Unwind {
    /// Records of the functions in a section.
    pub(crate) fn of_section(&self, section: SectionId) -> impl Iterator<Item = &Fde> {
        let first = self.first[section.index()];
        std::iter::successors(first, |id| self.fdes[id.index()].next).map(|id| &self.fdes[id.index()])
    }

    /// Records of live functions.
    pub(crate) fn live_fdes<'u>(&'u self, live: &'u Live) -> impl Iterator<Item = &'u Fde> {
        self.fdes.iter().filter(|fde| live.contains(fde.function))
    }

    fn read_section(&mut self, inputs: &Inputs<'_>, id: SectionId) -> Result<(), LinkError> {
        let section = inputs.section(id);
        let damaged = |what: &str| LinkError::Damaged {
            object: inputs.object_name(section.object).into(),
            what: format!("{}: {what}", text(section.name)),
        };
        let mut cies: HashMap<usize, CieId> = HashMap::new();
        let (mut at, mut reloc) = (0, 0);
        while let Some(len) = word(section.data, at) {
            if len == 0 {
                break;
            }
            let end = record_end(section.data, at, len).ok_or_else(|| damaged("a record leaves the section"))?;
            let first = reloc;
            reloc += section.relocs_in(first..section.relocs.len()).take_while(|r| r.offset < end as u64).count();
            let record = Record { section: id, bytes: at..end, relocs: first..reloc };
            match word(section.data, at + 4) {
                Some(0) => {
                    cies.insert(at, CieId::from_index(self.cies.len()));
                    self.cies.push(record);
                }
                Some(distance) => {
                    let cie = (at + 4).checked_sub(distance as usize).and_then(|at| cies.get(&at));
                    let cie = *cie.ok_or_else(|| damaged("a record's CIE does not stand before it"))?;
                    self.add_fde(inputs, record, cie);
                }
                None => return Err(damaged("a record is too short")),
            }
            at = end;
        }
        Ok(())
    }

    /// A record that describes nothing in the image, such as a function of a discarded group, is left out by its section.
    fn add_fde(&mut self, inputs: &Inputs<'_>, record: Record, cie: CieId) {
        let section = inputs.section(record.section);
        let begin_at = record.bytes.start as u64 + BEGIN_OFFSET;
        let Some(reloc) = section.relocs_in(record.relocs.clone()).find(|reloc| reloc.offset == begin_at) else {
            return;
        };
        // The symbol itself counts, not its definition: a record describes the code of its own object.
        let Place::Section(function) = inputs.symbol(reloc.symbol).place else { return };
        let next = self.first[function.index()].replace(FdeId::from_index(self.fdes.len()));
        self.fdes.push(Fde { record, cie, function, begin: (reloc.symbol, reloc.addend), next });
    }
}

impl Record {
    /// Its relocations.
    pub(crate) fn relocs<'i>(&self, inputs: &'i Inputs<'_>) -> impl Iterator<Item = Reloc> + 'i {
        inputs.section(self.section).relocs_in(self.relocs.clone())
    }

    /// Its bytes.
    pub(crate) fn data<'a>(&self, inputs: &Inputs<'a>) -> &'a [u8] {
        inputs.section(self.section).data.get(self.bytes.clone()).unwrap_or_default()
    }
}

/// The word at that offset, if it lies in the bytes.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn record_end(data: &[u8], at: usize, len: u32) -> Option<usize> {
    // A length of 0xffff_ffff announces a 64-bit length.
    let end = at.checked_add(4)?.checked_add(len as usize)?;
    (len >= 4 && len != u32::MAX && end <= data.len()).then_some(end)
}

/// Which records are written, and where.
#[derive(Debug)]
pub(crate) struct UnwindPlan {
    /// First of all CIEs that say the same as this one.
    canonical: Vec<CieId>,
    /// Offset of each CIE that is written, in `.eh_frame`.
    cie_offsets: Vec<Option<u32>>,
    /// Live FDEs and their offsets, in order.
    pub(crate) fdes: Vec<(FdeId, u32)>,
    /// Bytes of `.eh_frame`, terminator included; 0 if there is no record.
    pub(crate) len: u64,
}

/// Bytes of `.eh_frame_hdr` before its table.
pub(crate) const TABLE_HEADER_LEN: u64 = 12;

/// Gives every record of a live function its place.
pub(crate) fn plan_unwind(
    inputs: &Inputs<'_>,
    symbols: &Symbols<'_>,
    unwind: &Unwind,
    live: &Live,
) -> Result<UnwindPlan, LinkError> {
    let canonical = deduplicate_cies(inputs, symbols, unwind);
    let mut plan = UnwindPlan { canonical, cie_offsets: vec![None; unwind.cies.len()], fdes: Vec::new(), len: 0 };
    for (index, fde) in unwind.fdes.iter().enumerate().filter(|(_, fde)| live.contains(fde.function)) {
        let cie = plan.canonical[fde.cie.index()];
        if plan.cie_offsets[cie.index()].is_none() {
            plan.cie_offsets[cie.index()] = Some(plan.take(unwind.cies[cie.index()].bytes.len())?);
        }
        let offset = plan.take(fde.record.bytes.len())?;
        plan.fdes.push((FdeId::from_index(index), offset));
    }
    if plan.len > 0 {
        plan.take(4)?;
    }
    Ok(plan)
}

/// Offset, kind, definition and addend of a relocation.
type Meaning = (u64, u32, SymbolId, i64);

/// CIEs are equal if their bytes are and their relocations mean the same.
fn deduplicate_cies(inputs: &Inputs<'_>, symbols: &Symbols<'_>, unwind: &Unwind) -> Vec<CieId> {
    let mut first: HashMap<(&[u8], Vec<Meaning>), CieId> = HashMap::new();
    let cies = unwind.cies.iter().enumerate();
    cies.map(|(index, cie)| {
        let start = cie.bytes.start as u64;
        let meaning = |r: Reloc| (r.offset - start, r.kind, symbols.definition(r.symbol).symbol, r.addend);
        let relocs = cie.relocs(inputs).map(meaning).collect();
        *first.entry((cie.data(inputs), relocs)).or_insert(CieId::from_index(index))
    })
    .collect()
}

impl UnwindPlan {
    fn take(&mut self, len: usize) -> Result<u32, LinkError> {
        const MAX: u64 = i32::MAX as u64;
        let offset = self.len;
        self.len += len as u64;
        match u32::try_from(offset) {
            Ok(offset) if self.len <= MAX => Ok(offset),
            _ => Err(LinkError::TooLarge { what: "unwind records", len: self.len, max: MAX }),
        }
    }

    /// CIEs that are written, with their offsets.
    pub(crate) fn cies(&self) -> impl Iterator<Item = (CieId, u32)> + '_ {
        let offsets = self.cie_offsets.iter().enumerate();
        offsets.filter_map(|(index, offset)| Some((CieId::from_index(index), (*offset)?)))
    }

    /// The CIE that stands for this one.
    pub(crate) fn canonical(&self, cie: CieId) -> CieId {
        self.canonical[cie.index()]
    }

    /// Offset of the CIE that stands for this one.
    pub(crate) fn cie_offset(&self, cie: CieId) -> u32 {
        self.cie_offsets[self.canonical(cie).index()].unwrap_or_default()
    }

    /// Bytes of `.eh_frame_hdr`; 0 if there is no record.
    pub(crate) fn table_len(&self) -> u64 {
        if self.len == 0 { 0 } else { TABLE_HEADER_LEN + 8 * self.fdes.len() as u64 }
    }
}
