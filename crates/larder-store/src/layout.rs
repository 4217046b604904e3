//! Every name in the store's directory, in one place.
//!
//! The names are relative to the directory that the user chose; all lie below [`VERSION`], so that a later layout can
//! stand beside this one and neither touches the other's files. `docs/store.md` has the same table for readers, and the
//! test below compares the two.
//!
//! Entries aren't spread over sub-directories: a store holds thousands of entries, not millions, every local file system
//! indexes its directories, and a flat directory saves a path component at each hit and an `fsync` at each publish.

use crate::key::Key;

/// The layout's version, and the directory that holds everything.
pub(crate) const VERSION: &str = "v1";
/// Complete entries: one read-only file each, named by the key.
pub(crate) const ENTRIES: &str = "v1/entries";
/// One symbolic link per entry, named by the key: see `receipt.rs`.
pub(crate) const RECEIPTS: &str = "v1/receipts";
/// Remembered digests of inputs: symbolic links named by slot, see `remember.rs`.
pub(crate) const INPUTS: &str = "v1/inputs";
/// Named notes: symbolic links named by the caller, see `remember.rs`.
pub(crate) const NOTES: &str = "v1/notes";
/// Lock files, one per key that somebody is compiling now.
pub(crate) const LOCKS: &str = "v1/locks";
/// Files and links on their way to their name.
pub(crate) const TEMP: &str = "v1/temp";
/// An upper bound of the entries' total length: see `tally.rs`.
pub(crate) const TALLY: &str = "v1/tally";

/// The directories, in the order of their making.
pub(crate) const DIRS: [&str; 7] = [VERSION, ENTRIES, RECEIPTS, INPUTS, NOTES, LOCKS, TEMP];

/// Permissions of every directory that the store makes.
pub(crate) const DIR_MODE: u32 = 0o700;
/// Permissions of an entry, already while it is being written: only the descriptor that made it can write.
pub(crate) const ENTRY_MODE: u32 = 0o400;
/// Permissions of the files that are written more than once: locks and the tally.
pub(crate) const FILE_MODE: u32 = 0o600;

/// How many slots `inputs/` has. A power of two; bounds what remembering can ever take from the disk.
pub(crate) const INPUT_SLOT_COUNT: u64 = 0x1000;

pub(crate) fn entry(key: &Key) -> String {
    format!("{ENTRIES}/{key}")
}

pub(crate) fn receipt(key: &Key) -> String {
    format!("{RECEIPTS}/{key}")
}

pub(crate) fn lock(key: &Key) -> String {
    format!("{LOCKS}/{key}")
}

/// The slot of a file of that device and inode. Files that share a slot displace each other, which costs a digest each.
pub(crate) fn input(dev: u64, ino: u64) -> String {
    // The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbouring inodes land in unrelated slots.
    let mut mixed = ino ^ dev.rotate_left(32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    format!("{INPUTS}/{:03x}", mixed % INPUT_SLOT_COUNT)
}

pub(crate) fn note(name: &str) -> String {
    format!("{NOTES}/{name}")
}

const _: () = assert!(INPUT_SLOT_COUNT == 0x1000, "slots are named by three hexadecimal digits");

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the page's table of names, as (name, mode), both without their code marks.
    fn documented() -> Vec<(String, String)> {
        let page = include_str!("../../../docs/store.md");
        let rows = page.lines().filter(|line| line.starts_with("| `v1"));
        rows.map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        })
        .collect()
    }

    #[test]
    fn the_page_and_the_code_name_the_same_files() {
        let dirs = DIRS.map(|dir| (format!("{dir}/"), format!("{DIR_MODE:04o}")));
        let files = [
            (format!("{ENTRIES}/KEY"), format!("{ENTRY_MODE:04o}")),
            (format!("{RECEIPTS}/KEY"), "link".to_owned()),
            (format!("{INPUTS}/SLOT"), "link".to_owned()),
            (format!("{NOTES}/NAME"), "link".to_owned()),
            (format!("{LOCKS}/KEY"), format!("{FILE_MODE:04o}")),
            (format!("{TEMP}/UNIQUE"), "link or 0400".to_owned()),
            (TALLY.to_owned(), format!("{FILE_MODE:04o}")),
        ];
        let mut code: Vec<_> = dirs.into_iter().chain(files).collect();
        let mut page = documented();
        code.sort();
        page.sort();
        assert_eq!(page, code);
    }

    #[test]
    fn slots_have_three_digits_and_differ_for_neighbours() {
        let slots: std::collections::HashSet<_> = (0..100).map(|ino| input(7, ino)).collect();
        assert!(slots.iter().all(|slot| slot.len() == INPUTS.len() + 4));
        assert!(slots.len() > 95, "{} slots for 100 files", slots.len());
    }
}
