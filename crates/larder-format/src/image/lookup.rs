//! Names: where they stand, and how an export is found by one.
//!
//! Exports are grouped in buckets by [`gnu_hash`] modulo the number of buckets; the linker takes about one bucket per export, so a
//! lookup reads two bucket rows and on average one export, whatever the size of the image.

use super::{Export, Text};
use crate::record::Rows;
use std::ffi::CStr;

/// The hash of ELF's `DT_GNU_HASH` (Bernstein's, start 5381, times 33).
pub fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

#[inline]
pub(super) fn c_text(strings: &[u8], text: Text) -> Option<&CStr> {
    let start = text.offset as usize;
    let end = start.checked_add(text.len as usize)?.checked_add(1)?;
    CStr::from_bytes_with_nul(strings.get(start..end)?).ok()
}

/// The exports of an image.
#[derive(Debug, Clone, Copy)]
pub struct ExportTable<'a> {
    rows: Rows<'a, Export>,
    buckets: Rows<'a, u32>,
    strings: &'a [u8],
}

impl<'a> ExportTable<'a> {
    pub(super) fn new(rows: Rows<'a, Export>, buckets: Rows<'a, u32>, strings: &'a [u8]) -> Self {
        ExportTable { rows, buckets, strings }
    }

    /// All of them, in the order of the buckets.
    pub fn rows(&self) -> Rows<'a, Export> {
        self.rows
    }

    /// The export of that name.
    pub fn find(&self, name: &[u8]) -> Option<Export> {
        let hash = gnu_hash(name);
        let bucket_count = self.buckets.len().checked_sub(1).filter(|&count| count > 0)?;
        let bucket = hash as usize % bucket_count;
        let (first, end) = (self.buckets.get(bucket)? as usize, self.buckets.get(bucket + 1)? as usize);
        let end = end.min(self.rows.len());
        (first..end).filter_map(|row| self.rows.get(row)).find(|row| row.hash == hash && self.name(row) == Some(name))
    }

    fn name(&self, export: &Export) -> Option<&'a [u8]> {
        c_text(self.strings, export.name).map(CStr::to_bytes)
    }

    /// Number of buckets that a table of `export_count` rows is written with, and the bucket of a hash.
    pub fn bucket_of(hash: u32, export_count: usize) -> usize {
        hash as usize % Self::bucket_count(export_count)
    }

    /// Number of buckets for so many exports: at least one.
    pub fn bucket_count(export_count: usize) -> usize {
        export_count.max(1)
    }
}
