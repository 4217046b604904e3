//! Fills the words through which an image's code reaches thread-local variables, its own and those of others.

use super::{Module, Variable, dynamic_descriptor, static_descriptor};
use crate::relocate::{Words, damaged};
use larder_format::image::{ImageError, THREAD_SLOT_OWN, ThreadSlot, WORD, thread_slot_kinds};
use larder_format::record::Rows;

/// Why a slot is not filled.
pub(crate) enum SlotError {
    /// The table is damaged.
    Image(ImageError),
    /// Code counts on a distance from the thread pointer, and that import's variable has another one in each thread.
    NoDistance {
        /// Index of the import.
        import: u32,
    },
}

impl From<ImageError> for SlotError {
    fn from(error: ImageError) -> Self {
        SlotError::Image(error)
    }
}

/// Fills all slots. `variables` are those of others, sorted by the index of their import.
pub(crate) fn fill_thread_slots(
    words: &mut Words,
    slots: Rows<'_, ThreadSlot>,
    own: Option<&Module>,
    variables: &[(u32, Variable)],
) -> Result<(), SlotError> {
    let of_import = |import| {
        let row = variables.binary_search_by_key(&import, |(import, _)| *import).ok()?;
        Some(variables[row].1)
    };
    for slot in slots.iter() {
        let variable = match slot.import {
            THREAD_SLOT_OWN => own.map(|module| module.variable(slot.offset)),
            import => of_import(import).map(|variable| variable.at_offset(slot.offset)),
        };
        let variable = variable.ok_or(damaged("a thread-local slot has nothing to reach", slot.place))?;
        fill(words, &slot, &variable)?;
    }
    Ok(())
}

fn fill(words: &mut Words, slot: &ThreadSlot, variable: &Variable) -> Result<(), SlotError> {
    let places = [0, 1, 2, 3].map(|index| slot.place.wrapping_add(index * WORD));
    let [first, second, third, fourth] = places;
    match (slot.kind, variable.distance) {
        (thread_slot_kinds::PAIR, _) => {
            words.write(first, variable.module)?;
            words.write(second, variable.offset)?;
        }
        (thread_slot_kinds::DISTANCE, Some(distance)) => words.write(first, distance as u64)?,
        (thread_slot_kinds::DISTANCE, None) => return Err(SlotError::NoDistance { import: slot.import }),
        (thread_slot_kinds::DESCRIPTOR, distance) => {
            words.write(third, variable.module)?;
            words.write(fourth, variable.offset)?;
            let pair = words.base().wrapping_add(third);
            let (function, argument) = distance.map_or_else(|| dynamic_descriptor(pair), static_descriptor);
            words.write(first, function)?;
            words.write(second, argument)?;
        }
        _ => return Err(damaged("a thread-local slot is of no known kind", slot.place).into()),
    }
    Ok(())
}
