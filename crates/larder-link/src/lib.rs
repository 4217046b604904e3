//! Relocatable ELF objects to one unbound image.
//!
//! [`link`] is a pure function: bytes in, bytes out, the same for the same input, with no file, clock or environment in between. What an
//! image can't express is refused with a [`LinkError`] that names the place and says what to do; the loader never meets it.
//!
//! Which members of archives are linked is decided before: [`read_archive`], [`read_mentions`] and [`take_members`] are for who has some.
//!
//! The passes stand in [`link`], one call each. How relocations are answered is in `x86_64.rs`; what the bytes of an image mean is
//! `larder-format`'s.
//!
//! Not done: linker scripts, identical code folding.

#![forbid(unsafe_code)]

mod address;
mod archive;
mod debug_frame;
mod elf;
mod error;
mod guards;
mod index;
mod init;
mod input;
mod layout;
mod live;
mod made;
mod merge;
mod parallel;
mod relocate;
mod resolve;
mod scan;
mod symtab;
mod units;
mod unwind;
mod x86_64;

pub use archive::{ARCHIVE_MAGIC, Entrant, Member, Taken, read_archive, take_members};
pub use error::LinkError;
pub use input::read_mentions;

use larder_format::cpu::CpuFeatures;
use larder_format::image::{HEADER_OFFSET, seal};
use larder_format::record::Record;
use std::num::NonZeroUsize;

/// A relocatable ELF object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Object<'a> {
    /// Its name, for error messages only.
    pub name: &'a str,
    /// The file's bytes, at any alignment.
    pub bytes: &'a [u8],
    /// Number of the input that it was made from: the predicates of one input, in all its objects, have one order.
    pub module: u32,
}

/// A name that an object speaks of, beyond itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention<'a> {
    /// The symbol's name.
    pub name: &'a [u8],
    /// What is said of it.
    pub kind: MentionKind,
}

/// What an object says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MentionKind {
    /// It would use it, and can do without.
    WeaklyUndefined,
    /// It needs it.
    Undefined,
    /// It has zeros of that name, unless somebody has more.
    Common,
    /// It defines it, and gives way to a strong definition.
    Weak,
    /// It defines it.
    Strong,
}

/// Which definitions the image offers by name.
#[derive(Debug, Clone, Copy)]
pub enum Exports<'a> {
    /// Every global definition of default or protected visibility.
    All,
    /// Global definitions of these names, whatever their visibility. A name that is not defined is an error. If an object refers to one of
    /// [`LOOKING_UP`](larder_format::image::LOOKING_UP), all others are offered too.
    Only(&'a [&'a [u8]]),
}

/// The module that the objects were made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its bytes, compressed with zstd.
    pub compressed: &'a [u8],
    /// Number of bytes before compression.
    pub raw_len: u64,
}

/// What goes into an image beside the objects.
#[derive(Debug, Clone, Copy)]
pub struct LinkOptions<'a> {
    /// What the image offers. Everything else that nothing reaches is left out.
    pub exports: Exports<'a>,
    /// The key the image is made for; zeros for none.
    pub key: [u8; 32],
    /// BLAKE3 of the module; zeros if that has no bytes.
    pub module_digest: [u8; 32],
    /// CPU features that the code needs, beyond what objects say themselves (`.note.gnu.property`).
    pub features: CpuFeatures,
    /// The program that generated the code, in words.
    pub producer: &'a str,
    /// LLVM's name of the target.
    pub triple: &'a str,
    /// The module, to be carried along.
    pub source: Option<Source<'a>>,
    /// Whether the image's thread-local variables have a fixed distance from the thread pointer, if they fit. Only one image in a process can
    /// have that. Objects that count on it get it unasked, or are refused ([`LinkError::StaticTlsTooLarge`]).
    pub static_tls: bool,
    /// Whether DWARF sections and `.comment` are kept, and `.debug_frame` is made. Symbols always are.
    pub keep_debug: bool,
    /// How many threads may work; the image does not depend on it.
    pub threads: NonZeroUsize,
}

impl Default for LinkOptions<'_> {
    fn default() -> Self {
        LinkOptions {
            exports: Exports::All,
            key: [0; 32],
            module_digest: [0; 32],
            features: CpuFeatures::NONE,
            producer: "",
            triple: "x86_64-unknown-linux-gnu",
            source: None,
            static_tls: false,
            keep_debug: true,
            threads: NonZeroUsize::MIN,
        }
    }
}

/// An image, and what it took to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The file.
    pub bytes: Vec<u8>,
    /// Counts for people.
    pub report: LinkReport,
}

/// What the linker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkReport {
    /// Loaded sections of the objects.
    pub sections_count: usize,
    /// Those that nothing reaches, or whose COMDAT group was repeated.
    pub dropped_count: usize,
    /// Sections of debug information that were left out because they or their object's others are compressed.
    pub compressed_debug_count: usize,
    /// Bytes that string and constant sections had in common.
    pub merged_len: u64,
    /// Instructions that need no slot any more.
    pub relaxed_count: usize,
    /// Names the image needs.
    pub imports_count: usize,
    /// Imports and indirect functions that are called through a stub.
    pub stubs_count: usize,
    /// Names the image offers.
    pub exports_count: usize,
    /// Functions.
    pub units_count: usize,
    /// What functions count on.
    pub guards_count: usize,
    /// Functions that count on something.
    pub droppable_count: usize,
    /// Words that the loader adds the image's address to.
    pub relative_count: usize,
    /// Words that become an import's address plus an addend.
    pub fixups_count: usize,
}

/// Links objects to an image.
///
/// The order of the objects decides between equals: of weak definitions and COMDAT groups the first wins, and code and data stand in that
/// order.
///
/// # Errors
/// Whatever an object can't be, or ask of an image: see [`LinkError`]. No input makes this panic.
pub fn link(objects: &[Object<'_>], options: &LinkOptions<'_>) -> Result<Linked, LinkError> {
    // Take the objects apart. From here on, sections and symbols are numbers, and all of them exist.
    let mut inputs = input::read_objects(objects)?;
    let options = &LinkOptions { features: options.features.with(&inputs.features), ..*options };
    // Find the one definition of every name: strong before common before weak, one COMDAT group of each kind.
    let mut symbols = resolve::resolve_symbols(&mut inputs)?;
    // Find out what is part of the image and what it needs.
    let mut chosen = choose(&inputs, &symbols, options)?;
    // Code may count on having variables of others in the image: they get a place, and everything that refers to them is looked at again.
    if !chosen.needs.lacking_copies.is_empty() {
        symbols.make_room_for_copies(&mut inputs, &chosen.needs.lacking_copies);
        chosen = choose(&inputs, &symbols, options)?;
    }
    let Chosen { unwind, marks, live, merged, unwind_plan, needs } = chosen;
    // Beyond this point, no section, symbol, import, slot or stub is added.

    // Read the lists of initialisers, find the functions, and with them the size of the index.
    let lists = init::collect_initialisers(&inputs, &symbols, &live)?;
    let units = units::collect_units(&inputs, &symbols, &live, &needs)?;
    // Find which functions count on what, and make sure that each can be replaced by a jump.
    let guards = guards::collect_guards(&inputs, &symbols, &live, &unwind, &needs, &units, &marks)?;
    guards.make_room(&mut inputs);
    let index = index::plan_index(&inputs, &live, &needs, &lists, &units, &guards, options)?;
    // Give everything its place.
    let debug_frame_len = if options.keep_debug { debug_frame::len(&inputs, &unwind, &unwind_plan) } else { 0 };
    let sizes = layout::Sizes { unwind: &unwind_plan, index: &index, keep_debug: options.keep_debug, debug_frame_len };
    let layout = layout::assign_offsets(&inputs, &live, &merged, &needs, sizes)?;
    let addresses = address::Addresses::new(&inputs, &merged, &needs, &layout);
    let symbol_table = symtab::collect_symbols(&addresses, &symbols, &live);
    let tail =
        elf::plan_tail(&layout, &symbol_table, options.source.map_or(0, |source| source.compressed.len() as u64))?;
    // Beyond this point, nothing moves.

    // Write: contents with their relocations, what the linker made itself, the index, and the ELF around it.
    let mut file = vec![0; tail.file_len as usize];
    let relocator = relocate::Relocator { addresses, symbols: &symbols, live: &live };
    relocate::write_sections(&relocator, &mut file, options.threads)?;
    relocate::write_unwind(&relocator, &unwind, &unwind_plan, &mut file)?;
    made::write_made_sections(&addresses, &mut file)?;
    made::write_debug_frame(&addresses, &mut file);
    let (mut header, tables) = index.encode(&addresses, &lists, &units, &guards, options, &file);
    header.file_len = tail.file_len;
    header.dso_handle = symbols.dso_handle.and_then(|section| layout.section(section)).unwrap_or_default();
    header.cpu_model = symbols.cpu_model.and_then(|section| layout.section(section)).unwrap_or_default();
    write_source(options.source, &tail, &mut header, &mut file);
    write_index(&header, &tables, &mut file);
    elf::write_elf(&layout, &header, &symbol_table, &tail, &mut file);
    made::write_build_id(&addresses, &mut file, options.threads);
    // Digest and checksum cover everything else, so they are the last.
    seal(&mut file);

    let report = LinkReport {
        units_count: units.functions.len(),
        guards_count: guards.rows.len(),
        droppable_count: guards.droppable.len(),
        ..report(&inputs, &live, &merged, &needs, &index)
    };
    Ok(Linked { bytes: file, report })
}

/// What is part of the image, and what it needs.
struct Chosen<'a> {
    unwind: unwind::Unwind,
    marks: guards::Marks,
    live: live::Live,
    merged: merge::Merged<'a>,
    unwind_plan: unwind::UnwindPlan,
    needs: scan::Needs,
}

fn choose<'a>(
    inputs: &input::Inputs<'a>,
    symbols: &resolve::Symbols<'a>,
    options: &LinkOptions<'_>,
) -> Result<Chosen<'a>, LinkError> {
    // Take `.eh_frame` apart, since its records live and die with their functions.
    let unwind = unwind::read_unwind_records(inputs, symbols)?;
    // Read what code counts on, and what replaces it.
    let marks = guards::read_marks(inputs, symbols)?;
    // Leave out what nothing reaches.
    let live = live::mark_live(inputs, symbols, &unwind, &marks, &options.exports)?;
    // Keep equal strings and constants once.
    let merged = merge::merge_sections(inputs, symbols, &live, options.keep_debug)?;
    // Choose the unwind records that stay, and write equal CIEs once.
    let unwind_plan = unwind::plan_unwind(inputs, symbols, &unwind, &live)?;
    // Decide how each relocation is answered, which tells what the image needs: imports, slots, stubs, words for the loader.
    let static_block = options.static_tls && layout::has_static_block(inputs, &live);
    let needs = scan::scan_relocations(inputs, symbols, &live, &unwind, &unwind_plan, &marks, static_block)?;
    Ok(Chosen { unwind, marks, live, merged, unwind_plan, needs })
}

fn write_source(
    source: Option<Source<'_>>,
    tail: &elf::Tail,
    header: &mut larder_format::image::ImageHeader,
    file: &mut [u8],
) {
    if let Some(source) = source {
        header.source = tail.source;
        let start = tail.source.offset as usize;
        file[start..start + source.compressed.len()].copy_from_slice(source.compressed);
    }
}

fn write_index(header: &larder_format::image::ImageHeader, tables: &[u8], file: &mut [u8]) {
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    file[HEADER_OFFSET..HEADER_OFFSET + bytes.len()].copy_from_slice(&bytes);
    let start = layout::INDEX_OFFSET as usize;
    file[start..start + tables.len()].copy_from_slice(tables);
}

fn report(
    inputs: &input::Inputs<'_>,
    live: &live::Live,
    merged: &merge::Merged<'_>,
    needs: &scan::Needs,
    index: &index::IndexPlan,
) -> LinkReport {
    let loaded = || inputs.sections().filter(|(_, section)| section.role == input::Role::Loaded);
    let (imports_count, exports_count) = index.counts();
    LinkReport {
        sections_count: loaded().count(),
        dropped_count: loaded().filter(|&(id, _)| !live.contains(id)).count(),
        compressed_debug_count: inputs.compressed_debug_count,
        merged_len: merged.saved_len,
        relaxed_count: needs.relaxed_count,
        imports_count,
        stubs_count: needs.stubs.len() + needs.indirect.len(),
        exports_count,
        relative_count: needs.rebased.len(),
        fixups_count: needs.bound.len(),
        ..LinkReport::default()
    }
}
