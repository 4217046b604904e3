//! Names of the process, looked up without the dynamic linker.
//!
//! An import costs `dlsym` a fifth of a microsecond, which is a third of what a load takes: it takes locks, looks for its caller, prepares for an error,
//! and hashes the name, whose hash the image has. So a name is first looked for here, in the tables that the dynamic linker would search
//! (`DT_GNU_HASH`), of the objects that it would search first: the program, what was preloaded, and the libraries that were loaded with the program
//! up to the C library. An answer from one of these is final.
//!
//! All else is left to `dlsym`: objects behind the C library, since they may have been opened for somebody else (`RTLD_LOCAL`); and definitions
//! that need more than a look at the table (thread-local and unique ones, several versions of a name).

use super::objects::{Object, Symbol, dt, loaded_objects};
use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

/// Address of a name that an object up to the C library defines; `None` if the dynamic linker must be asked.
pub(super) fn find(name: &CStr, hash: u32) -> Option<usize> {
    static SCOPE: OnceLock<Vec<Table>> = OnceLock::new();
    for table in SCOPE.get_or_init(scope) {
        match table.find(name, hash) {
            Search::Absent => {}
            Search::Found(address) => return Some(address),
            Search::Special => return None,
        }
    }
    None
}

/// What an object has of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    Absent,
    Found(usize),
    /// Something that the dynamic linker knows how to treat.
    Special,
}

/// The head of the search order. Its objects stay to the end of the process. Empty where it can't be told.
fn scope() -> Vec<Table> {
    const C_LIBRARY: &[u8] = b"/libc.so.6";
    let mut objects = loaded_objects();
    // The system's own object is no part of any search.
    // SAFETY: the call has no conditions.
    let system = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    objects.retain(|object| object.base != system || system == 0);
    let Some(last) = objects.iter().position(|object| object.name().to_bytes().ends_with(C_LIBRARY)) else {
        return Vec::new();
    };
    // Otherwise this is a namespace of its own (`dlmopen`), about whose search order nothing is known.
    let begins_with_program = objects[0].name().is_empty();
    let tables = objects[..=last].iter().map(Table::of).collect::<Option<Vec<_>>>();
    tables.filter(|_| begins_with_program).unwrap_or_default()
}

/// An object's symbols and the hash table over them.
#[derive(Debug)]
struct Table {
    base: usize,
    symbols: usize,
    strings: usize,
    /// Null if symbols have no versions.
    versions: usize,
    bucket_count: u32,
    /// Number of the first symbol that the table is about.
    first: u32,
    bloom: usize,
    /// A power of two, less one.
    bloom_mask: u32,
    bloom_shift: u32,
    buckets: usize,
    chains: usize,
}

/// The word at that place of a table.
///
/// # Safety
/// The table is that long, and stays.
unsafe fn word<T: Copy>(table: usize, index: usize) -> T {
    // SAFETY: the caller's promise; ELF aligns its tables.
    unsafe { (table as *const T).wrapping_add(index).read() }
}

impl Table {
    /// `None` if the object has no such table.
    fn of(object: &Object) -> Option<Table> {
        let (mut symbols, mut strings, mut versions, mut hash) = (0, 0, 0, 0);
        for row in object.dynamic() {
            match row.tag {
                dt::SYMTAB => symbols = object.address(row),
                dt::STRTAB => strings = object.address(row),
                dt::VERSYM => versions = object.address(row),
                dt::GNU_HASH => hash = object.address(row),
                _ => {}
            }
        }
        if symbols == 0 || strings == 0 || hash == 0 {
            return None;
        }
        // SAFETY: the table begins with four words.
        let [bucket_count, first, bloom_count, bloom_shift]: [u32; 4] = unsafe { word(hash, 0) };
        let bloom = hash + 16;
        let buckets = bloom + bloom_count as usize * size_of::<u64>();
        let chains = buckets + bucket_count as usize * size_of::<u32>();
        let bloom_mask = bloom_count.wrapping_sub(1);
        let table = Table {
            base: object.base,
            symbols,
            strings,
            versions,
            bucket_count,
            first,
            bloom,
            bloom_mask,
            bloom_shift,
            buckets,
            chains,
        };
        (bucket_count > 0 && bloom_count > 0).then_some(table)
    }

    fn find(&self, name: &CStr, hash: u32) -> Search {
        if !self.may_have(hash) {
            return Search::Absent;
        }
        // SAFETY: the table has so many buckets, at least one.
        let mut number: u32 = unsafe { word(self.buckets, (hash % self.bucket_count) as usize) };
        let mut found = Search::Absent;
        if number < self.first {
            return found;
        }
        loop {
            // SAFETY: a chain goes on until a word whose lowest bit is set.
            let chain: u32 = unsafe { word(self.chains, (number - self.first) as usize) };
            if (chain ^ hash) >> 1 == 0 {
                match (self.definition(number as usize, name), found) {
                    (Search::Absent, _) => {}
                    (definition, Search::Absent) => found = definition,
                    // Several versions, all of them for new programs.
                    _ => return Search::Special,
                }
            }
            if chain & 1 == 1 {
                return found;
            }
            number += 1;
        }
    }

    /// `false` if no symbol has that hash.
    fn may_have(&self, hash: u32) -> bool {
        // SAFETY: the filter has so many words.
        let bits: u64 = unsafe { word(self.bloom, ((hash / u64::BITS) & self.bloom_mask) as usize) };
        let second = hash.wrapping_shr(self.bloom_shift);
        bits >> (hash % u64::BITS) & bits >> (second % u64::BITS) & 1 == 1
    }

    /// What the symbol of that number defines, if it has the name and is what the name alone means.
    fn definition(&self, number: usize, name: &CStr) -> Search {
        // SAFETY: the chain names symbols of the table.
        let symbol: Symbol = unsafe { word(self.symbols, number) };
        // SAFETY: names are strings of the object's table, which stays.
        let its_name = unsafe { CStr::from_ptr((self.strings + symbol.name as usize) as *const c_char) };
        if its_name != name || self.is_for_old_programs(number) {
            return Search::Absent;
        }
        symbol.address(self.base).map_or(Search::Special, Search::Found)
    }

    /// Whether the symbol is of a version that is not the name's default one.
    fn is_for_old_programs(&self, number: usize) -> bool {
        const HIDDEN: u16 = 1 << 15;
        // SAFETY: the table has a version for each symbol.
        self.versions != 0 && unsafe { word::<u16>(self.versions, number) } & HIDDEN != 0
    }
}

impl Symbol {
    /// The address of an ordinary definition.
    fn address(self, base: usize) -> Option<usize> {
        const GLOBAL: u8 = 1;
        const WEAK: u8 = 2;
        const FUNCTION_LAST: u8 = 2;
        const INDIRECT: u8 = 10;
        const RESERVED_FIRST: u16 = 0xff00;
        let (binding, kind) = (self.info >> 4, self.info & 0xf);
        let in_section = self.section != 0 && self.section < RESERVED_FIRST;
        if !in_section || self.value == 0 || !matches!(binding, GLOBAL | WEAK) {
            return None;
        }
        let address = base.wrapping_add(self.value);
        match kind {
            0..=FUNCTION_LAST => Some(address),
            #[cfg(target_arch = "x86_64")]
            INDIRECT => {
                // SAFETY: the object is relocated, and the psABI calls resolvers without arguments.
                Some(unsafe { std::mem::transmute::<usize, extern "C" fn() -> usize>(address)() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process_symbol;
    use larder_format::image::gnu_hash;
    use std::collections::BTreeSet;

    /// Names of all that an object defines.
    fn names(table: &Table) -> BTreeSet<&'static CStr> {
        let mut names = BTreeSet::new();
        for bucket in 0..table.bucket_count as usize {
            // SAFETY: the table has so many buckets.
            let mut number: u32 = unsafe { word(table.buckets, bucket) };
            while number >= table.first {
                // SAFETY: the chain names symbols of the table.
                let symbol: Symbol = unsafe { word(table.symbols, number as usize) };
                // SAFETY: names are strings of the table.
                names.insert(unsafe { CStr::from_ptr((table.strings + symbol.name as usize) as *const c_char) });
                // SAFETY: a chain goes on until a word whose lowest bit is set.
                let chain: u32 = unsafe { word(table.chains, (number - table.first) as usize) };
                number = if chain & 1 == 1 { 0 } else { number + 1 };
            }
        }
        names
    }

    #[test]
    fn answers_are_those_of_the_dynamic_linker() {
        let scope = scope();
        assert!(scope.len() >= 2, "the program and the C library: {scope:?}");
        let all: BTreeSet<_> = scope.iter().flat_map(names).collect();
        let mut found_count = 0;
        for name in &all {
            if let Some(found) = find(name, gnu_hash(name.to_bytes())) {
                assert_eq!(process_symbol(name).map(|symbol| symbol.as_ptr() as usize), Some(found), "{name:?}");
                found_count += 1;
            }
        }
        assert!(all.len() > 2000 && found_count > all.len() / 4 * 3, "{found_count} of {} are found", all.len());
    }

    #[test]
    fn what_needs_more_than_a_look_is_left_to_the_dynamic_linker() {
        let thread_local_or_absent = [c"errno", c"larder_knows_no_such_name", c"memcpy@GLIBC_2.2.5"];
        for name in thread_local_or_absent {
            assert_eq!(find(name, gnu_hash(name.to_bytes())), None, "{name:?}");
        }
        assert_eq!(find(c"malloc", gnu_hash(b"free")), None);
    }
}
