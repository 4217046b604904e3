//! An upper bound of the entries' total length, so that a publish needn't look at every entry.
//!
//! **Idea.** A file with two numbers: a bound of the bytes in the store, and how many publishes have added to it since the
//! store was last looked through. A publish adds its length *before* its entry gets its name; removals subtract nothing. So the
//! bound errs upwards only, whatever is killed where, and erring upwards costs one look through the store.
//!
//! A look through the store holds the tally's lock and counts `temp/` before `entries/`: a publish that has added its length
//! already has a file in `temp/`, or in `entries/`, when the look begins, so its bytes are counted (twice, at worst).
//!
//! **What a power cut can do.** The tally isn't synced, so its last additions can be lost. Therefore the store is looked
//! through every [`PUBLISH_COUNT_MAX`] publishes whatever the bound says.

use std::fs::File;

use crate::disk::{Disk, DiskResult};
use crate::layout::TALLY;

/// After so many publishes the store is looked through.
const PUBLISH_COUNT_MAX: u64 = 256;

/// Two numbers of 16 hexadecimal digits, a space between them, a line feed after.
const RECORD_LEN: usize = 34;

/// The tally, locked.
pub(crate) struct Tally<'d> {
    disk: &'d Disk,
    file: File,
}

impl<'d> Tally<'d> {
    pub(crate) fn lock(disk: &'d Disk) -> DiskResult<Tally<'d>> {
        let file = disk.open_or_create(TALLY)?;
        disk.lock(&file, TALLY)?;
        Ok(Tally { disk, file })
    }

    /// Adds a publish of that length and returns the bound; `None` if only a look through the store can tell.
    pub(crate) fn add(&self, len: u64) -> DiskResult<Option<u64>> {
        let Some((bound, publish_count)) = self.read()? else {
            return Ok(None);
        };
        let (bound, publish_count) = (bound.saturating_add(len), publish_count.saturating_add(1));
        self.write(bound, publish_count)?;
        Ok(Some(bound).filter(|_| publish_count <= PUBLISH_COUNT_MAX))
    }

    /// Sets the bound after a look through the store.
    pub(crate) fn set(&self, bound: u64) -> DiskResult<()> {
        self.write(bound, 0)
    }

    fn read(&self) -> DiskResult<Option<(u64, u64)>> {
        let mut record = [0; RECORD_LEN];
        let len = self.disk.read(&self.file, TALLY, &mut record)?;
        Ok(parse(&record[..len]))
    }

    fn write(&self, bound: u64, publish_count: u64) -> DiskResult<()> {
        self.disk.write(&self.file, TALLY, 0, print(bound, publish_count).as_bytes())
    }
}

fn print(bound: u64, publish_count: u64) -> String {
    format!("{bound:016x} {publish_count:016x}\n")
}

fn parse(record: &[u8]) -> Option<(u64, u64)> {
    let record = std::str::from_utf8(record).ok().filter(|record| record.len() == RECORD_LEN)?;
    let (bound, publish_count) = record.strip_suffix('\n')?.split_once(' ')?;
    Some((u64::from_str_radix(bound, 16).ok()?, u64::from_str_radix(publish_count, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_reads_back_and_nothing_else_is_read() {
        for numbers in [(0, 0), (10 << 30, 256), (u64::MAX, u64::MAX)] {
            let record = print(numbers.0, numbers.1);
            assert_eq!(parse(record.as_bytes()), Some(numbers));
            for len in 0..record.len() {
                assert_eq!(parse(&record.as_bytes()[..len]), None);
            }
        }
        assert_eq!(parse(&[b'g'; RECORD_LEN]), None);
    }
}
