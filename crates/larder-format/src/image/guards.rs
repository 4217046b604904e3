//! Guards: what the host is asked before units that count on it run, and which units those are.
//!
//! Rows are numbers that a file claims. [`Image::guard_question`] and [`Image::droppable_unit`] compare them with the tables they point
//! into and give them in the form that a loader acts on.

use super::{Image, ImageError, Text, Unit, import_flags};
use crate::record::{Record as _, Rows, record};

record! {
    /// What code counts on. The host is asked when the image is loaded; if the answer is another, the units that have the guard are
    /// dropped.
    pub struct Guard {
        /// [`guard_kinds`].
        pub kind: u32,
        /// [`guard_flags`].
        pub flags: u32,
        /// The object or the predicate, by the host's name for it.
        pub name: Text,
        /// What the predicate is asked about; empty for an object.
        pub arguments: Text,
        /// The object's fingerprint or the predicate's answer; 0 if any object will do.
        pub expected: u64,
        /// Index of the import that is the object, or [`GUARD_NO_IMPORT`] for a predicate.
        pub import: u32,
        /// Zero.
        pub reserved: u32,
    }
}

/// Values of [`Guard::kind`].
pub mod guard_kinds {
    /// A heap object of the host: it is there, and has the fingerprint if one is expected.
    pub const OBJECT: u32 = 1;
    /// A question that the host answers with a number.
    pub const PREDICATE: u32 = 2;
}

/// Bits of [`Guard::flags`].
pub mod guard_flags {
    /// [`Guard::expected`](super::Guard::expected) counts.
    pub const EXPECTED: u32 = 1;
}

/// In place of an import's index: a guard that is no object.
pub const GUARD_NO_IMPORT: u32 = u32::MAX;

record! {
    /// A unit that has guards.
    pub struct Droppable {
        /// Index of the unit.
        pub unit: u32,
        /// Index of the unit that is called instead once this one is dropped, or [`DROPPABLE_NO_FALLBACK`].
        pub fallback: u32,
        /// First of its rows in the table of unit guards.
        pub guards_first: u32,
        /// Number of those rows, at least one: each is the index of a guard.
        pub guards_count: u32,
    }
}

/// Bytes of the jump (`jmp rel32`) that a dropped unit begins with, behind [`ENDBR64`] if it begins with that. A droppable unit may be
/// shorter, but so many bytes are its own.
pub const DROP_LEN: u64 = 5;
/// The instruction that marks where indirect branches may lead.
pub const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// In place of a unit's index: nothing is called instead.
pub const DROPPABLE_NO_FALLBACK: u32 = u32::MAX;

/// A [`Guard`] whose numbers were compared with the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardQuestion<'a> {
    /// Whether the object is there, and is still the same.
    Object {
        /// The host's name for it.
        name: &'a [u8],
        /// The fingerprint it must have; any if there is none.
        expected: Option<u64>,
        /// Index of the import that becomes its address.
        import: usize,
    },
    /// Whether the host still gives this answer.
    Predicate {
        /// The host's name for the question.
        name: &'a [u8],
        /// What it is asked about.
        arguments: &'a [u8],
        /// The answer that code counts on.
        expected: u64,
    },
}

/// A [`Droppable`] whose numbers were compared with the image.
#[derive(Debug, Clone, Copy)]
pub struct DroppableUnit<'a> {
    /// Index of the unit.
    pub index: usize,
    /// The unit.
    pub unit: Unit,
    /// Index of the unit that replaces it.
    pub fallback: Option<usize>,
    /// Its guards, each the index of one that exists.
    pub guards: Rows<'a, u32>,
}

impl<'a> Image<'a> {
    /// The guards, in the order they are asked.
    pub fn guards(&self) -> Rows<'a, Guard> {
        self.rows(self.header.guards)
    }

    /// The units that have guards: those with the same guards in a row, sorted by unit.
    pub fn droppable(&self) -> Rows<'a, Droppable> {
        self.rows(self.header.droppable)
    }

    /// What a guard asks the host.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] if the row speaks of what is not there.
    pub fn guard_question(&self, guard: &Guard) -> Result<GuardQuestion<'a>, ImageError> {
        let damaged = |what| self.damaged_guards(what);
        let name = self.text(guard.name).ok_or(damaged("a guard's name leaves the strings"))?;
        let arguments = self.text(guard.arguments).ok_or(damaged("a guard's arguments leave the strings"))?;
        match guard.kind {
            guard_kinds::OBJECT => {
                let import = guard.import as usize;
                let is_object = |flags: u32| flags & import_flags::OBJECT != 0;
                if !self.imports().get(import).is_some_and(|import| is_object(import.flags)) {
                    return Err(damaged("a guard's import is no object"));
                }
                let expected = (guard.flags & guard_flags::EXPECTED != 0).then_some(guard.expected);
                Ok(GuardQuestion::Object { name, expected, import })
            }
            guard_kinds::PREDICATE => Ok(GuardQuestion::Predicate { name, arguments, expected: guard.expected }),
            _ => Err(damaged("a guard is of no known kind")),
        }
    }

    /// The units that have one of some guards: the cost grows with their number and with that of different combinations of guards, not with the
    /// number of units.
    pub fn droppable_by(&self, is_wanted: impl Fn(u32) -> bool) -> impl Iterator<Item = Droppable> {
        let rows = self.droppable();
        let runs = self.rows::<u32>(self.header.unit_guards);
        let mut behind = 0;
        let wanted = runs.iter().zip(0..).filter(move |(guard, _)| is_wanted(*guard));
        let found = wanted.filter_map(move |(_, place)| {
            let end = rows.partition_point(|row| row.guards_first <= place);
            let first = rows.get(end.checked_sub(1)?)?.guards_first;
            let start = rows.partition_point(|row| row.guards_first < first);
            // Another guard of the same units has been found before.
            let is_new = end > behind;
            behind = behind.max(end);
            is_new.then_some(start..end)
        });
        found.flatten().filter_map(move |row| rows.get(row))
    }

    /// What a row of [`Image::droppable`] means.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] if the row speaks of what is not there.
    pub fn droppable_unit(&self, row: &Droppable) -> Result<DroppableUnit<'a>, ImageError> {
        let damaged = |what| self.damaged_guards(what);
        let index = row.unit as usize;
        let unit = self.units().get(index).ok_or(damaged("a droppable unit does not exist"))?;
        let fallback = (row.fallback != DROPPABLE_NO_FALLBACK).then_some(row.fallback as usize);
        if fallback.is_some_and(|fallback| fallback >= self.units().len()) {
            return Err(damaged("a fallback does not exist"));
        }
        let guards = self.guards_of(row).ok_or(damaged("a unit's guards leave their table"))?;
        if guards.iter().any(|guard| guard as usize >= self.guards().len()) {
            return Err(damaged("a unit's guard does not exist"));
        }
        Ok(DroppableUnit { index, unit, fallback, guards })
    }

    fn guards_of(&self, row: &Droppable) -> Option<Rows<'a, u32>> {
        let table = self.header.unit_guards;
        let end = row.guards_first.checked_add(row.guards_count).filter(|&end| end <= table.count)?;
        let offset = |index: u32| table.offset as usize + index as usize * u32::SIZE;
        Some(Rows::new(self.r.get(offset(row.guards_first)..offset(end))?))
    }

    fn damaged_guards(&self, what: &'static str) -> ImageError {
        ImageError::Damaged { what, offset: self.header.guards.offset.into() }
    }
}
