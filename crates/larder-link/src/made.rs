//! Fills the sections that the linker makes itself: call stubs, slots of the image's own symbols, build id.

use crate::address::Addresses;
use crate::debug_frame;
use crate::error::LinkError;
use crate::input::GNU_PROPERTY_X86_FEATURE_1_AND;
use crate::layout::{BUILD_ID_LEN, Made, Segment};
use crate::parallel::map_in_order;
use crate::x86_64::TRAP;
use larder_format::image::Span;
use std::num::NonZeroUsize;

/// Writes stubs and slots. What the loader fills stays zero: slots of imports and of what indirect functions become, pairs and descriptors of
/// thread-local variables.
pub(crate) fn write_made_sections(addresses: &Addresses<'_, '_>, file: &mut [u8]) -> Result<(), LinkError> {
    let needs = addresses.needs;
    fill_gaps_in_code(addresses, file);
    write_property(addresses, file);
    let imports = needs.stubs.iter().zip(0..).map(|(&import, index)| (addresses.stub(index), addresses.slot(import)));
    let indirect = (0..needs.indirect.len() as u32)
        .map(|number| (addresses.indirect_stub(number), Some(addresses.indirect_slot(number))));
    for (at, slot) in imports.chain(indirect) {
        let slot = slot.unwrap_or_default();
        let max = i32::MAX as u64;
        let stub = addresses.stub_form.bytes(at, slot).ok_or(LinkError::TooLarge {
            what: "distance to import slots",
            len: slot - at,
            max,
        })?;
        put(file, at, &stub);
    }
    for (&symbol, index) in needs.own_slots.iter().zip(0..) {
        put(file, addresses.own_slot(index), &addresses.symbol(symbol, 0).unwrap_or_default().to_le_bytes());
    }
    for (&symbol, index) in needs.distances.iter().zip(0..).filter(|(symbol, _)| needs.import(**symbol).is_none()) {
        put(file, addresses.distance(index), &addresses.thread_distance(symbol).unwrap_or_default().to_le_bytes());
    }
    Ok(())
}

/// Repeats the unwind records, which are written, for debuggers.
pub(crate) fn write_debug_frame(addresses: &Addresses<'_, '_>, file: &mut [u8]) {
    let made = |made| addresses.layout.made(made).map(|output| Span { offset: output.offset, len: output.len });
    if let (Some(eh_frame), Some(room)) = (made(Made::Unwind), made(Made::DebugFrame)) {
        debug_frame::write(file, eh_frame, room.offset as usize..(room.offset + room.len) as usize);
    }
}

/// What all code promises, for the systems that hold it to that.
fn write_property(addresses: &Addresses<'_, '_>, file: &mut [u8]) {
    let Some(note) = addresses.layout.made(Made::Property) else { return };
    // Elf64_Nhdr: lengths of name and content, NT_GNU_PROPERTY_TYPE_0; name; property: type, length, bits, padding.
    let words =
        [4, 16, 5, u32::from_le_bytes(*b"GNU\0"), GNU_PROPERTY_X86_FEATURE_1_AND, 4, addresses.inputs.promises(), 0];
    put(file, note.offset, &words.map(u32::to_le_bytes).concat());
}

/// Between output sections of code, and behind the last to the end of its page.
fn fill_gaps_in_code(addresses: &Addresses<'_, '_>, file: &mut [u8]) {
    let layout = addresses.layout;
    let mut end = layout.rx.offset;
    for output in layout.outputs.iter().filter(|output| output.segment == Segment::Rx) {
        file[end as usize..output.offset as usize].fill(TRAP);
        end = output.offset + output.len;
    }
    file[end as usize..layout.rw.offset as usize].fill(TRAP);
}

/// Bytes that one step of the build id covers, so that threads can share the work.
const STEP_LEN: usize = 4 << 20;

/// Names the image to debuggers by what is in it: a digest over the digests of its parts, all but this note's being written.
pub(crate) fn write_build_id(addresses: &Addresses<'_, '_>, file: &mut [u8], threads: NonZeroUsize) {
    let mut hasher = blake3::Hasher::new();
    for digest in map_in_order(threads, file.chunks(STEP_LEN).collect(), blake3::hash) {
        hasher.update(digest.as_bytes());
    }
    let mut note = Vec::with_capacity(BUILD_ID_LEN as usize);
    // Elf64_Nhdr: lengths of name and content, NT_GNU_BUILD_ID.
    [4u32, 20, 3].iter().for_each(|word| note.extend_from_slice(&word.to_le_bytes()));
    note.extend_from_slice(b"GNU\0");
    note.extend_from_slice(&hasher.finalize().as_bytes()[..20]);
    put(file, addresses.layout.made_offset(Made::BuildId), &note);
}

fn put(file: &mut [u8], at: u64, bytes: &[u8]) {
    file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
}
