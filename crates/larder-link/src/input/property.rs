//! What an object says of the processor it needs, and what its code promises: the note `.note.gnu.property` (*Linux Extensions to gABI*,
//! section "Program Property"; x86 properties in the psABI, "Program Property").

use super::promise;
use crate::unwind::word;
use larder_format::cpu::CpuFeatures;
use larder_format::cpu::x86_64::level;

const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// Promises that a program keeps if all of its objects do.
pub(crate) const GNU_PROPERTY_X86_FEATURE_1_AND: u32 = 0xc000_0002;
/// Bits of the property that tells the needed processor, and the levels that they stand for.
const LEVELS: [(u32, &str); 4] = [(1, "x86-64"), (2, "x86-64-v2"), (4, "x86-64-v3"), (8, "x86-64-v4")];

/// The features that a note section asks for. What can't be read asks for nothing: the note is a hint, and most objects have none.
pub(super) fn needed_features(section: &[u8]) -> CpuFeatures {
    let bits = bits_of(section, GNU_PROPERTY_X86_ISA_1_NEEDED);
    let needed = LEVELS.iter().filter(|(bit, _)| bits & bit != 0).filter_map(|(_, name)| level(name));
    needed.fold(CpuFeatures::NONE, |all, level| all.with(&level))
}

/// The [`promise`] bits of a note section. What can't be read promises nothing.
pub(super) fn promises(section: &[u8]) -> u32 {
    bits_of(section, GNU_PROPERTY_X86_FEATURE_1_AND) & (promise::IBT | promise::SHSTK)
}

/// The bits of all properties of that type.
fn bits_of(section: &[u8], wanted: u32) -> u32 {
    let (mut bits, mut notes) = (0, section);
    while let Some((note, rest)) = Note::split(notes) {
        if note.kind == NT_GNU_PROPERTY_TYPE_0 && note.owner == b"GNU\0" {
            bits |= bits_of_properties(note.content, wanted);
        }
        notes = rest;
    }
    bits
}

/// One note (gABI, "Note Section").
struct Note<'a> {
    kind: u32,
    owner: &'a [u8],
    content: &'a [u8],
}

impl<'a> Note<'a> {
    /// The first note, and what follows it. Contents and properties are aligned to words.
    fn split(notes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = notes.split_at_checked(12)?;
        let (owner, rest) = rest.split_at_checked((word(head, 0)? as usize).next_multiple_of(4))?;
        let len = word(head, 4)? as usize;
        let note = Note { kind: word(head, 8)?, owner, content: rest.get(..len)? };
        Some((note, rest.get(len.next_multiple_of(8)..).unwrap_or_default()))
    }
}

fn bits_of_properties(mut properties: &[u8], wanted: u32) -> u32 {
    let mut bits = 0;
    while let (Some(kind), Some(len)) = (word(properties, 0), word(properties, 4)) {
        if kind == wanted {
            bits |= word(properties, 8).unwrap_or_default();
        }
        let end = 8 + (len as usize).next_multiple_of(8);
        properties = properties.get(end..).unwrap_or_default();
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(properties: &[(u32, u32)]) -> Vec<u8> {
        let mut words = vec![4, properties.len() as u32 * 16, NT_GNU_PROPERTY_TYPE_0, u32::from_le_bytes(*b"GNU\0")];
        properties.iter().for_each(|&(kind, value)| words.extend([kind, 4, value, 0]));
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    const CET: (u32, u32) = (GNU_PROPERTY_X86_FEATURE_1_AND, 3);

    #[test]
    fn a_level_is_found_among_other_properties() {
        assert_eq!(needed_features(&note(&[CET])), CpuFeatures::NONE);
        let v3 = level("x86-64-v3").expect("known");
        assert_eq!(needed_features(&note(&[CET, (GNU_PROPERTY_X86_ISA_1_NEEDED, 5)])), v3);
        assert_eq!(needed_features(&[note(&[CET]), note(&[(GNU_PROPERTY_X86_ISA_1_NEEDED, 4)])].concat()), v3);
    }

    #[test]
    fn promises_are_found_among_other_properties() {
        let needed = (GNU_PROPERTY_X86_ISA_1_NEEDED, 7);
        let and = |bits| note(&[(GNU_PROPERTY_X86_FEATURE_1_AND, bits)]);
        let rows: &[(Vec<u8>, u32)] = &[
            (note(&[CET]), 3),
            (note(&[needed, CET]), 3),
            ([and(1), and(2)].concat(), 3),
            (and(0xffff_fff0), 0),
            (note(&[needed]), 0),
            (vec![], 0),
        ];
        for (notes, expected) in rows {
            assert_eq!(promises(notes), *expected, "{notes:?}");
        }
    }

    #[test]
    fn notes_that_lie_ask_for_nothing_more() {
        let whole = note(&[(GNU_PROPERTY_X86_ISA_1_NEEDED, 8)]);
        for len in 0..whole.len() - 8 {
            assert_eq!(needed_features(&whole[..len]), CpuFeatures::NONE, "{len}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] = 0xff;
            needed_features(&bytes);
        }
    }
}
