//! Relative relocations, packed: gABI `SHT_RELR`.
//!
//! An even row is the place of a word. An odd row is a bitmap: bit `i` (from 1) stands for the word `i - 1` words behind the last place
//! or the last bitmap's reach. Places that are no whole words apart each take a row of their own.

use larder_format::image::WORD;

/// Words that one bitmap covers.
const REACH: u64 = 63;

/// Packs places, all even, in any order.
pub(super) fn encode(mut places: Vec<u64>) -> Vec<u64> {
    places.sort_unstable();
    places.dedup();
    let mut rows = Vec::new();
    let mut rest = places.as_slice();
    while let Some((&place, tail)) = rest.split_first() {
        rows.push(place);
        (rest, _) = bitmaps(&mut rows, tail, place + WORD);
    }
    rows
}

/// Adds bitmaps as long as they hold something; returns what they did not reach.
fn bitmaps<'p>(rows: &mut Vec<u64>, mut places: &'p [u64], mut base: u64) -> (&'p [u64], u64) {
    loop {
        let fits = |place: &u64| *place >= base && (place - base).is_multiple_of(WORD) && (place - base) / WORD < REACH;
        let count = places.iter().take_while(|place| fits(place)).count();
        if count == 0 {
            return (places, base);
        }
        let (held, rest) = places.split_at(count);
        rows.push(held.iter().fold(1, |bits, place| bits | 2 << ((place - base) / WORD)));
        (places, base) = (rest, base + REACH * WORD);
    }
}

/// Moves all places by a whole number of pages.
pub(super) fn rebase(rows: &mut [u64], offset: u64) {
    rows.iter_mut().filter(|row| **row % 2 == 0).for_each(|row| *row += offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loader's side, as the gABI has it.
    fn decode(rows: &[u64]) -> Vec<u64> {
        let (mut places, mut base) = (Vec::new(), 0);
        for &row in rows {
            if row % 2 == 0 {
                places.push(row);
                base = row + WORD;
            } else {
                places.extend((0..REACH).filter(|bit| row >> (bit + 1) & 1 != 0).map(|bit| base + bit * WORD));
                base += REACH * WORD;
            }
        }
        places
    }

    #[test]
    fn places_come_back_in_order() {
        let tables: &[(&[u64], usize)] = &[
            (&[], 0),
            (&[8], 1),
            (&[8, 16, 24], 2),
            (&[24, 8, 16, 8], 2),
            (&[0, 8 * 63, 8 * 64], 3),
            (&[0, 8 * 64], 2),
            (&[0, 2, 8, 10, 16], 5),
            (&[6, 14, 22, 24, 32], 4),
        ];
        for (places, row_count) in tables {
            let rows = encode(places.to_vec());
            let mut sorted = places.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(decode(&rows), sorted, "{places:?}");
            assert_eq!(rows.len(), *row_count, "{places:?}: {rows:x?}");
        }
    }

    #[test]
    fn a_table_of_pointers_takes_a_row_for_63_words() {
        let places: Vec<u64> = (0..6301).map(|word| word * WORD).collect();
        assert_eq!(encode(places).len(), 101);
    }

    #[test]
    fn rebasing_moves_places_and_not_bitmaps() {
        let mut rows = encode(vec![8, 16, 8192]);
        rebase(&mut rows, 0x5000);
        assert_eq!(decode(&rows), [0x5008, 0x5010, 0x7000]);
    }
}
