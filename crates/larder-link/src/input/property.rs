//! What an object says of the processor it needs: the note `.note.gnu.property` (*Linux Extensions to gABI*, section "Program
//! Property"; x86 properties in the psABI, "Program Property").

use larder_format::cpu::CpuFeatures;
use larder_format::cpu::x86_64::level;

const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// Bits of that property, and the levels that they stand for.
const LEVELS: [(u32, &str); 4] = [(1, "x86-64"), (2, "x86-64-v2"), (4, "x86-64-v3"), (8, "x86-64-v4")];

/// The features that a note section asks for. What can't be read asks for nothing: the note is a hint, and most objects have none.
pub(super) fn needed_features(section: &[u8]) -> CpuFeatures {
    let mut features = CpuFeatures::NONE;
    let mut notes = section;
    while let Some((kind, owner, content, rest)) = split_note(notes) {
        if kind == NT_GNU_PROPERTY_TYPE_0 && owner == b"GNU\0" {
            features = features.with(&of_properties(content));
        }
        notes = rest;
    }
    features
}

/// Type, owner and content of the first note, and what follows it. Contents and properties are aligned to words.
fn split_note(notes: &[u8]) -> Option<(u32, &[u8], &[u8], &[u8])> {
    let (head, rest) = notes.split_at_checked(12)?;
    let (owner, rest) = rest.split_at_checked(word(head, 0)?.next_multiple_of(4) as usize)?;
    let len = word(head, 4)? as usize;
    let content = rest.get(..len)?;
    Some((word(head, 8)?, owner, content, rest.get(len.next_multiple_of(8)..).unwrap_or_default()))
}

fn of_properties(mut properties: &[u8]) -> CpuFeatures {
    let mut features = CpuFeatures::NONE;
    while let (Some(kind), Some(len)) = (word(properties, 0), word(properties, 4)) {
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED {
            let bits = word(properties, 8).unwrap_or_default();
            let needed = LEVELS.iter().filter(|(bit, _)| bits & bit != 0).filter_map(|(_, name)| level(name));
            features = needed.fold(features, |all, level| all.with(&level));
        }
        let end = 8 + (len as usize).next_multiple_of(8);
        properties = properties.get(end..).unwrap_or_default();
    }
    features
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(properties: &[(u32, u32)]) -> Vec<u8> {
        let mut words = vec![4, properties.len() as u32 * 16, NT_GNU_PROPERTY_TYPE_0, u32::from_le_bytes(*b"GNU\0")];
        properties.iter().for_each(|&(kind, value)| words.extend([kind, 4, value, 0]));
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_level_is_found_among_other_properties() {
        let cet = (0xc000_0002, 3);
        assert_eq!(needed_features(&note(&[cet])), CpuFeatures::NONE);
        let v3 = level("x86-64-v3").expect("known");
        assert_eq!(needed_features(&note(&[cet, (GNU_PROPERTY_X86_ISA_1_NEEDED, 5)])), v3);
        assert_eq!(needed_features(&[note(&[cet]), note(&[(GNU_PROPERTY_X86_ISA_1_NEEDED, 4)])].concat()), v3);
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
