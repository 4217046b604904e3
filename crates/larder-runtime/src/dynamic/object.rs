//! A shared library of names only: symbols with absolute addresses, and the tables by which the dynamic linker finds them.
//!
//! It has one segment, writable because dynamic linkers of old write into the dynamic section, and no code. Its symbols are absolute
//! (`SHN_ABS`), which glibc takes as they stand since 2.28. Thread-local variables have no address to give and are left out.

use larder_format::image::{EM_X86_64, ET_DYN, PAGE};
use larder_format::image::{Export, Image, export_flags, gnu_hash};

/// Sizes of the ELF64 records (gABI): file header, program header, symbol, dynamic entry.
const HEADER_LEN: usize = 64;
const SEGMENT_LEN: usize = 56;
const SYMBOL_LEN: usize = 24;
const ENTRY_LEN: usize = 16;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_STACK: u32 = 0x6474_e551;
const READ_WRITE: u32 = 6;

const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

const SHN_ABS: u16 = 0xfff1;
const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

const SEGMENT_COUNT: usize = 3;
const ENTRY_COUNT: usize = 6;

/// Bytes of a file that grow.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }
}

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
        table.u32(strings.len() as u32).0.extend([binding << 4 | kind, 0]);
        table.u16(SHN_ABS).u64(base as u64 + export.offset).u64(export.len);
        strings.extend(*name);
        strings.push(0);
    }
    let hashes: Vec<u32> = symbols.iter().map(|(hash, ..)| *hash).collect();
    file(&table.0, &hash_table(&hashes, bucket_count), &strings)
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

/// Puts header, segments, dynamic section and tables together.
fn file(symbols: &[u8], hash: &[u8], strings: &[u8]) -> Vec<u8> {
    let dynamic_at = HEADER_LEN + SEGMENT_COUNT * SEGMENT_LEN;
    let symbols_at = dynamic_at + ENTRY_COUNT * ENTRY_LEN;
    let hash_at = symbols_at + symbols.len();
    let strings_at = hash_at + hash.len();
    let len = (strings_at + strings.len()) as u64;
    let mut file = Bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    file.u16(ET_DYN).u16(EM_X86_64).u32(1).u64(0).u64(HEADER_LEN as u64).u64(0).u32(0);
    file.u16(HEADER_LEN as u16).u16(SEGMENT_LEN as u16).u16(SEGMENT_COUNT as u16).u16(0).u16(0).u16(0);
    let dynamic = (dynamic_at as u64, (ENTRY_COUNT * ENTRY_LEN) as u64);
    for (kind, (offset, len), align) in
        [(PT_LOAD, (0, len), PAGE), (PT_DYNAMIC, dynamic, 8), (PT_GNU_STACK, (0, 0), 16)]
    {
        file.u32(kind).u32(READ_WRITE).u64(offset).u64(offset).u64(offset).u64(len).u64(len).u64(align);
    }
    for (tag, value) in [
        (DT_GNU_HASH, hash_at),
        (DT_STRTAB, strings_at),
        (DT_SYMTAB, symbols_at),
        (DT_STRSZ, strings.len()),
        (DT_SYMENT, SYMBOL_LEN),
        (DT_NULL, 0),
    ] {
        file.u64(tag).u64(value as u64);
    }
    file.0.extend([symbols, hash, strings].concat());
    file.0
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
