//! `.debug_frame`: what `.eh_frame` says, once more for debuggers.
//!
//! GDB takes debug information of a running image from its file, as of a program that was stripped, and of such a file it reads
//! `.debug_frame` only: `.eh_frame` it expects in memory, where it could not tell it from data. The records are those of `.eh_frame` with
//! addresses in place of distances and without what only exceptions need (DWARF 5, section 6.4.1; LSB "DWARF Extensions").
//! They are not loaded.
//!
//! A record that isn't understood is left out: debuggers then guess, as they do without any.

use crate::input::Inputs;
use crate::unwind::{Unwind, UnwindPlan, word};
use larder_format::image::Span;
use std::collections::HashMap;
use std::ops::Range;

/// Lengths of records are multiples of this, so that addresses in them are where processors like them.
const ALIGN: usize = 8;
/// In place of the distance to a CIE: this is one.
const CIE: u32 = u32::MAX;
const NOP: u8 = 0;

/// Bytes that the records of a plan take; none if the objects bring a `.debug_frame` of their own.
pub(crate) fn len(inputs: &Inputs<'_>, unwind: &Unwind, plan: &UnwindPlan) -> u64 {
    if inputs.sections().any(|(_, section)| section.name == b".debug_frame") {
        return 0;
    }
    let mut len = 0;
    let mut formats = HashMap::new();
    for (id, _) in plan.cies() {
        if let Some(cie) = Cie::read(unwind.cies[id.index()].data(inputs)) {
            len += cie.written_len();
            formats.insert(id, cie.format);
        }
    }
    for &(id, _) in &plan.fdes {
        let fde = &unwind.fdes[id.index()];
        let format = formats.get(&plan.canonical(fde.cie));
        len += format.and_then(|&format| Fde::read(fde.record.data(inputs), format)).map_or(0, |fde| fde.written_len());
    }
    len as u64
}

/// Fills the section's room from the `.eh_frame` that the file already holds.
pub(crate) fn write(file: &mut [u8], eh_frame: Span, room: Range<usize>) {
    let mut out = Vec::with_capacity(room.len());
    let records = file.get(eh_frame.offset as usize..(eh_frame.offset + eh_frame.len) as usize).unwrap_or_default();
    let mut cies: HashMap<usize, (usize, Format)> = HashMap::new();
    let mut at = 0;
    while let Some(len @ 1..) = word(records, at) {
        let end = at + 4 + len as usize;
        let bytes = records.get(at..end).unwrap_or_default();
        match word(bytes, 4) {
            Some(0) => {
                if let Some(cie) = Cie::read(bytes) {
                    cies.insert(at, (out.len(), cie.format));
                    cie.write(&mut out);
                }
            }
            Some(distance) => {
                let cie = (at + 4).checked_sub(distance as usize).and_then(|cie| cies.get(&cie));
                if let Some(&(offset, format)) = cie
                    && let Some(fde) = Fde::read(bytes, format)
                {
                    fde.write(offset as u32, eh_frame.offset + at as u64, &mut out);
                }
            }
            None => break,
        }
        at = end;
    }
    // What `len` has counted and what is written here are the same records, read by the same functions.
    if let Some(room) = file.get_mut(room)
        && room.len() == out.len()
    {
        room.copy_from_slice(&out);
    }
}

/// How the addresses of a CIE's functions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    /// Bytes of an address.
    width: usize,
    /// Whether there is augmentation data to skip.
    augmented: bool,
}

#[derive(Debug)]
struct Cie<'a> {
    version: u8,
    /// It describes a handler's caller: the address is that of an instruction, not the one behind a call.
    signal: bool,
    /// Alignment factors and return address column.
    factors: &'a [u8],
    instructions: &'a [u8],
    format: Format,
}

impl<'a> Cie<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 8 };
        let version = reader.byte().filter(|version| matches!(version, 1 | 3))?;
        let augmentation = reader.text()?;
        let start = reader.at;
        reader.leb()?;
        reader.leb()?;
        match version {
            1 => reader.byte().map(drop)?,
            _ => reader.leb().map(drop)?,
        }
        let factors = bytes.get(start..reader.at)?;
        let augmented = augmentation.first() == Some(&b'z');
        let (mut width, mut signal) = (8, false);
        if augmented {
            let len = reader.leb()? as usize;
            let behind = reader.at.checked_add(len)?;
            for letter in &augmentation[1..] {
                match letter {
                    b'R' => width = relative_width(reader.byte()?)?,
                    b'P' => {
                        let encoding = reader.byte()?;
                        reader.at += pointer_width(encoding)?;
                    }
                    b'L' => reader.byte().map(drop)?,
                    b'S' => signal = true,
                    b'B' | b'G' => {}
                    _ => return None,
                }
            }
            reader.at = behind;
        } else if !augmentation.is_empty() {
            return None;
        }
        let instructions = bytes.get(reader.at..)?;
        Some(Cie { version, signal, factors, instructions, format: Format { width, augmented } })
    }

    fn written_len(&self) -> usize {
        (8 + 1 + usize::from(self.signal) + 1 + self.factors.len() + self.instructions.len()).next_multiple_of(ALIGN)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.written_len();
        out.extend_from_slice(&(self.written_len() as u32 - 4).to_le_bytes());
        out.extend_from_slice(&CIE.to_le_bytes());
        out.push(self.version);
        if self.signal {
            out.push(b'S');
        }
        out.push(0);
        out.extend_from_slice(self.factors);
        out.extend_from_slice(self.instructions);
        out.resize(end, NOP);
    }
}

#[derive(Debug)]
struct Fde<'a> {
    /// Distance of the function from the field, which stands behind the first two words.
    distance: i64,
    len: u64,
    instructions: &'a [u8],
}

impl<'a> Fde<'a> {
    fn read(bytes: &'a [u8], format: Format) -> Option<Self> {
        let mut reader = Reader { bytes, at: 8 };
        let distance = reader.number(format.width)?;
        let len = reader.number(format.width)?;
        // A length has no sign.
        let len = if format.width == 4 { u64::from(len as u32) } else { len as u64 };
        if format.augmented {
            let skipped = reader.leb()? as usize;
            reader.at = reader.at.checked_add(skipped)?;
        }
        Some(Fde { distance, len, instructions: bytes.get(reader.at..)? })
    }

    fn written_len(&self) -> usize {
        (8 + 16 + self.instructions.len()).next_multiple_of(ALIGN)
    }

    /// `place` is the image offset of the record in `.eh_frame`.
    fn write(&self, cie: u32, place: u64, out: &mut Vec<u8>) {
        let end = out.len() + self.written_len();
        out.extend_from_slice(&(self.written_len() as u32 - 4).to_le_bytes());
        out.extend_from_slice(&cie.to_le_bytes());
        out.extend_from_slice(&(place + 8).wrapping_add_signed(self.distance).to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(self.instructions);
        out.resize(end, NOP);
    }
}

/// Bytes of a function's address, which in an image is a distance from the field (LSB "DWARF Exception Header Encoding").
fn relative_width(encoding: u8) -> Option<usize> {
    if encoding & 0xf0 == 0x10 { pointer_width(encoding) } else { None }
}

fn pointer_width(encoding: u8) -> Option<usize> {
    match encoding & 0x0f {
        0x00 | 0x04 | 0x0c => Some(8),
        0x03 | 0x0b => Some(4),
        0x02 | 0x0a => Some(2),
        _ => None,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The text up to a NUL, which is skipped.
    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let len = rest.iter().position(|&byte| byte == 0)?;
        self.at += len + 1;
        Some(&rest[..len])
    }

    /// A number in LEB128; of a signed one only the length counts here.
    fn leb(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn number(&mut self, width: usize) -> Option<i64> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(width)?)?;
        self.at += width;
        match width {
            4 => Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
            8 => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        }
    }
}
