//! Writes `.eh_frame` and its search table.

use super::Relocator;
use crate::error::LinkError;
use crate::layout::Made;
use crate::resolve::Definition;
use crate::unwind::{BEGIN_OFFSET, Record, TABLE_HEADER_LEN, Unwind, UnwindPlan};

/// Version, and encodings: distances of 32 bits from the place, a 32-bit count, 32-bit distances from the table (LSB "DWARF
/// Exception Header Encoding").
const TABLE_FORM: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// Writes all records that were planned, and the table that finds them.
pub(crate) fn write_unwind(
    relocator: &Relocator<'_, '_>,
    unwind: &Unwind,
    plan: &UnwindPlan,
    file: &mut [u8],
) -> Result<(), LinkError> {
    let layout = relocator.addresses.layout;
    let Some(start) = layout.made(Made::Unwind).map(|output| output.offset) else { return Ok(()) };
    for (cie, offset) in plan.cies() {
        relocator.write_record(&unwind.cies[cie.index()], start + u64::from(offset), false, file)?;
    }
    let mut rows = Vec::with_capacity(plan.fdes.len());
    for &(id, offset) in &plan.fdes {
        let (fde, at) = (&unwind.fdes[id.index()], start + u64::from(offset));
        relocator.write_record(&fde.record, at, true, file)?;
        // The field counts back from itself to the CIE.
        let distance = offset + 4 - plan.cie_offset(fde.cie);
        put(file, at + 4, distance);
        let (symbol, addend) = fde.begin;
        let begin = relocator.addresses.symbol(symbol, addend).unwrap_or_default().wrapping_add_signed(addend);
        rows.push((begin, at));
    }
    write_table(relocator, start, rows, file)
}

fn write_table(
    relocator: &Relocator<'_, '_>,
    unwind: u64,
    mut rows: Vec<(u64, u64)>,
    file: &mut [u8],
) -> Result<(), LinkError> {
    let start = relocator.addresses.layout.made_offset(Made::UnwindTable);
    // Unwinders search by bisection. Where two records claim a function, they find either.
    rows.sort_unstable();
    file[start as usize..start as usize + 4].copy_from_slice(&TABLE_FORM);
    put(file, start + 4, distance(unwind, start + 4)?);
    put(file, start + 8, rows.len() as u32);
    for ((begin, record), at) in rows.into_iter().zip((start + TABLE_HEADER_LEN..).step_by(8)) {
        put(file, at, distance(begin, start)?);
        put(file, at + 4, distance(record, start)?);
    }
    Ok(())
}

fn distance(to: u64, from: u64) -> Result<u32, LinkError> {
    const MAX: u64 = i32::MAX as u64;
    let distance = (to as i64).wrapping_sub(from as i64);
    match i32::try_from(distance) {
        Ok(distance) => Ok(distance as u32),
        Err(_) => {
            Err(LinkError::TooLarge { what: "distance to unwind records", len: distance.unsigned_abs(), max: MAX })
        }
    }
}

fn put(file: &mut [u8], at: u64, value: u32) {
    file[at as usize..at as usize + 4].copy_from_slice(&value.to_le_bytes());
}

impl Relocator<'_, '_> {
    /// Copies a record to its place. An FDE points at the function of its own object, whoever else defines the name.
    fn write_record(&self, record: &Record, offset: u64, is_fde: bool, file: &mut [u8]) -> Result<(), LinkError> {
        let inputs = self.addresses.inputs;
        let section = inputs.section(record.section);
        let data = record.data(inputs);
        let start = record.bytes.start as u64;
        let bytes = &mut file[offset as usize..offset as usize + data.len()];
        bytes.copy_from_slice(data);
        for reloc in record.relocs(inputs) {
            let at = reloc.offset - start;
            let itself = is_fde && at == BEGIN_OFFSET;
            let definition =
                if itself { Definition::itself(inputs, reloc.symbol) } else { self.symbols.definition(reloc.symbol) };
            self.apply(section, &reloc, definition, offset + at, bytes, at as usize)?;
        }
        Ok(())
    }
}
