//! Free addresses near others.

use std::io;
use std::ops::Range;

use larder_format::image::PAGE;
use rustix::mm::{MapFlags, ProtFlags};

use super::Region;

/// Tries after the list of mappings was read, since other threads map as well.
const TRIES_MAX: usize = 16;

/// Maps writable zeros of whole pages, so that no two bytes of them and of `addresses` are `reach` or more apart: beside `around` if it can
/// be, which holds the addresses and begins at a page. `None` if no addresses are free there.
pub(crate) fn map_zeros_near(
    addresses: &Range<usize>,
    around: &Range<usize>,
    len: u64,
    reach: usize,
) -> io::Result<Option<Region>> {
    let len = super::whole_pages(len)?;
    let first = addresses.end.saturating_sub(reach).next_multiple_of(PAGE as usize);
    let Some(last) = addresses.start.saturating_add(reach).checked_sub(len) else { return Ok(None) };
    let places = |free: Vec<usize>| free.into_iter().filter(|place| (first..=last).contains(place));
    let beside = vec![around.start.saturating_sub(len), around.end.next_multiple_of(PAGE as usize)];
    for place in places(beside) {
        if let Some(region) = map_at(place, len)? {
            return Ok(Some(region));
        }
    }
    let mut free = free_places(&std::fs::read_to_string("/proc/self/maps")?, addresses, len);
    free.sort_by_key(|place| place.abs_diff(addresses.start));
    for place in places(free).take(TRIES_MAX) {
        if let Some(region) = map_at(place, len)? {
            return Ok(Some(region));
        }
    }
    Ok(None)
}

/// `None` if something is there.
fn map_at(place: usize, len: usize) -> io::Result<Option<Region>> {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE;
    // SAFETY: nothing that is mapped is replaced.
    let mapped = unsafe { rustix::mm::mmap_anonymous(place as *mut _, len, ProtFlags::READ | ProtFlags::WRITE, flags) };
    match mapped {
        // A kernel before 4.17 takes the address for a wish.
        Ok(base) => Ok(Region::new(base, len).ok().filter(|region| region.base() == place)),
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::PERM | rustix::io::Errno::NOMEM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The ends of each gap in `/proc/self/maps` that is long enough: below `addresses` the upper end, above them the lower one.
fn free_places(maps: &str, addresses: &Range<usize>, len: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let mut gap_start = 0;
    for Range { start, end } in ranges(maps) {
        if start.saturating_sub(gap_start) >= len {
            places.push(if start <= addresses.start { start - len } else { gap_start });
        }
        gap_start = end;
    }
    places
}

/// Addresses at which something is mapped; none if the system doesn't tell.
pub(crate) fn mapped_ranges() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    ranges(&maps).collect()
}

/// The ranges in the text of `/proc/self/maps`, in order.
fn ranges(maps: &str) -> impl Iterator<Item = Range<usize>> {
    maps.lines().filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_on_both_sides() {
        let maps = "1000-3000 r--p 0 0:0 0\n8000-9000 r-xp 0 0:0 0 file\n9000-a000 rw-p 0 0:0 0\nb000-c000 rw-p 0 0:0 0\n\
                    f000-10000 rw-p 0 0:0 0\n";
        for (len, places) in
            [(0x1000, vec![0, 0x7000, 0xa000, 0xc000]), (0x3000, vec![0x5000, 0xc000]), (0x6000, vec![])]
        {
            assert_eq!(free_places(maps, &(0x8000..0x9000), len), places, "{len:x}");
        }
    }

    #[test]
    fn what_is_mapped_lies_near_and_is_writable() {
        let hundred: Vec<Region> = (0..100)
            .map(|_| {
                let here = gaps_are_found_on_both_sides as fn() as usize;
                let addresses = here..here + 10;
                let around = here - here % PAGE as usize..here + 10;
                let region = map_zeros_near(&addresses, &around, 5000, 1 << 31).expect("the system allows it");
                let region = region.expect("some addresses are free");
                assert!(region.base().abs_diff(here) < (1 << 31) - 8192);
                // SAFETY: the region is ours and has two pages.
                unsafe { region.at(8191).write(1) };
                region
            })
            .collect();
        assert_eq!(hundred.len(), 100);
        let far = 1 << 40..2 << 40;
        assert!(map_zeros_near(&far, &far, 1, 1 << 31).expect("nothing was asked").is_none());
    }
}
