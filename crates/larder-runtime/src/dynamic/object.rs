//! A shared library of names only: symbols with absolute addresses, and the tables by which the dynamic linker finds them.
//!
//! Its symbols are absolute (`SHN_ABS`), which glibc takes as they stand since 2.28. Thread-local variables have no address to give and
//! are left out.

use crate::elf::{Bytes, SHN_ABS, SYMBOL_LEN, SharedObject};
use crate::os::Symbol;
use larder_format::image::{Export, Image, export_flags, gnu_hash};
use std::ffi::CStr;

const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

/// The object for an image that is mapped at `base`.
pub(super) fn of_exports(image: &Image<'_>, base: usize) -> Vec<u8> {
    let exports = image.exports().rows();
    let mut symbols: Vec<(u32, &[u8], Export)> = exports
        .iter()
        .filter(|export| export.flags & export_flags::TLS == 0)
        .filter_map(|export| {
            let name = image.text(export.name)?;
            Some((gnu_hash(name), name, export))
        })
        .collect();
    let bucket_count = u32::try_from(symbols.len()).unwrap_or(u32::MAX).max(1);
    symbols.sort_by_key(|(hash, name, _)| (hash % bucket_count, *name));
    let mut strings = vec![0];
    let mut table = Bytes(vec![0; SYMBOL_LEN]);
    for (_, name, export) in &symbols {
        let binding = if export.flags & export_flags::WEAK != 0 { STB_WEAK } else { STB_GLOBAL };
        let kind = if export.flags & export_flags::FUNCTION != 0 { STT_FUNC } else { STT_OBJECT };
        table.symbol(&Symbol {
            name: strings.len() as u32,
            info: binding << 4 | kind,
            other: 0,
            section: SHN_ABS,
            value: base + export.offset as usize,
            len: export.len,
        });
        strings.extend(*name);
        strings.push(0);
    }
    let hashes: Vec<u32> = symbols.iter().map(|(hash, ..)| *hash).collect();
    let hash = hash_table(&hashes, bucket_count);
    SharedObject { symbols: table.0, hash, strings, ..SharedObject::default() }.file()
}

/// An object without names, which brings libraries along and has a function called before any of their initialisers.
pub(super) fn of_libraries(names: &[&CStr], first: usize) -> Vec<u8> {
    let mut strings = vec![0];
    let mut needed = Vec::new();
    for name in names {
        needed.push(strings.len());
        strings.extend(name.to_bytes_with_nul());
    }
    let (symbols, hash) = (vec![0; SYMBOL_LEN], hash_table(&[], 1));
    SharedObject { symbols, hash, strings, needed, first: Some(first) }.file()
}

/// `DT_GNU_HASH` for symbols from the second on, which are in the order of their buckets. Its filter lets every name pass.
fn hash_table(hashes: &[u32], bucket_count: u32) -> Vec<u8> {
    let mut table = Bytes::default();
    table.u32(bucket_count).u32(1).u32(1).u32(0).u64(u64::MAX);
    let mut firsts = vec![0; bucket_count as usize];
    for (index, hash) in hashes.iter().enumerate().rev() {
        firsts[(hash % bucket_count) as usize] = index as u32 + 1;
    }
    for first in firsts {
        table.u32(first);
    }
    for (index, hash) in hashes.iter().enumerate() {
        let is_last = hashes.get(index + 1).is_none_or(|next| next % bucket_count != hash % bucket_count);
        table.u32(hash & !1 | u32::from(is_last));
    }
    table.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks a hash up as dynamic linkers do; answers the symbol's number.
    fn find(table: &[u8], hash: u32) -> Option<usize> {
        let word = |at: usize| table[at * 4..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        let (buckets, chain) = (6, 6 + word(0) as usize);
        let mut symbol = word(buckets + (hash % word(0)) as usize) as usize;
        while symbol > 0 {
            let entry = word(chain + symbol - 1);
            match entry ^ hash {
                0 | 1 => return Some(symbol),
                _ => symbol = if entry & 1 == 1 { 0 } else { symbol + 1 },
            }
        }
        None
    }

    #[test]
    fn every_hash_is_found_and_no_other() {
        for count in [0_u32, 1, 2, 7, 500] {
            let bucket_count = count.max(1);
            let mut hashes: Vec<u32> = (0..count).map(|i| i.wrapping_mul(0x9e37_79b8)).collect();
            hashes.sort_by_key(|hash| hash % bucket_count);
            let table = hash_table(&hashes, bucket_count);
            for (index, hash) in hashes.iter().enumerate() {
                assert_eq!(find(&table, *hash), Some(index + 1), "{count}");
            }
            assert_eq!(find(&table, 0x1234_5678), None);
        }
    }
}
