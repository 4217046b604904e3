//! The memory of dynamic blocks.
//!
//! Large blocks and those that are aligned to more than a page are mapped by themselves: the system hands out zeros a page at a time, so that a
//! block of which little is used takes little, and an allocator that fulfils such an alignment would write all the zeros itself.

use crate::os;
use larder_format::image::PAGE;
use std::alloc::{Layout, alloc_zeroed, dealloc};

/// Blocks from this size on are mapped.
const MAPPED_LEN_MIN: usize = 64 << 10;

fn is_mapped(layout: Layout) -> bool {
    layout.size() >= MAPPED_LEN_MIN || layout.align() > PAGE as usize
}

/// A block's address, and what it takes to give it back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) address: usize,
    /// First byte of what was mapped: an alignment beyond a page makes it larger than the block.
    mapping: usize,
}

fn mapping_len(layout: Layout) -> Option<usize> {
    let slack = if layout.align() > PAGE as usize { layout.align() } else { 0 };
    layout.size().checked_next_multiple_of(PAGE as usize)?.checked_add(slack)
}

impl Memory {
    /// Zeros; `None` without memory. The layout's size is not 0.
    pub(super) fn zeroed(layout: Layout) -> Option<Memory> {
        if is_mapped(layout) {
            let mapping = os::map_zeroed(mapping_len(layout)?).ok()? as usize;
            return Some(Memory { address: mapping.next_multiple_of(layout.align()), mapping });
        }
        // SAFETY: the size is not 0.
        let address = unsafe { alloc_zeroed(layout) } as usize;
        (address != 0).then_some(Memory { address, mapping: 0 })
    }

    /// Gives it back.
    ///
    /// # Safety
    /// It was made for this layout, and nobody refers to it any more.
    pub(super) unsafe fn free(self, layout: Layout) {
        match mapping_len(layout).filter(|_| is_mapped(layout)) {
            // SAFETY: it was mapped with that length; the rest is the caller's promise.
            Some(len) => unsafe { os::unmap(self.mapping as *mut u8, len) },
            // SAFETY: it was allocated with that layout; the rest is the caller's promise.
            None => unsafe { dealloc(self.address as *mut u8, layout) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_and_alignment_are_zeros_at_their_place() {
        for (size, align) in [(1, 1), (24, 64), (100, 4096), (8, 1 << 16), (MAPPED_LEN_MIN, 8), (100_000, 1 << 20)] {
            let layout = Layout::from_size_align(size, align).expect("a layout");
            let memory = Memory::zeroed(layout).expect("there is memory");
            assert_eq!(memory.address % align, 0, "{size} aligned to {align}");
            // SAFETY: the block has this size, and is ours.
            let bytes = unsafe { std::slice::from_raw_parts_mut(memory.address as *mut u8, size) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(1);
            // SAFETY: it was made for this layout, and the slice is not used again.
            unsafe { memory.free(layout) };
        }
    }
}
