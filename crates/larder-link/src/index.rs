//! The tables that the loader reads: their rows and sizes before the layout, their offsets after it.

use crate::address::Addresses;
use crate::error::LinkError;
use crate::guards::{self, GuardRow, Guards};
use crate::init::Lists;
use crate::input::{Binding, Inputs, Place, SymbolId, sh};
use crate::layout::{INDEX_OFFSET, Made, Output};
use crate::live::Live;
use crate::scan::Needs;
use crate::units::Units;
use crate::{LinkOptions, Source};
use larder_format::guard::GuardSymbol;
use larder_format::image::{
    ABI_VERSION, DROPPABLE_NO_FALLBACK, Droppable, Export, ExportTable, FIXUP_IMAGE, FORMAT_VERSION, Fixup,
    GUARD_NO_IMPORT, Guard, ImageHeader, Import, IndirectFunction, MAGIC, PAGE, Section, Span, THREAD_SLOT_OWN, Table,
    Text, ThreadSlot, Unit, export_flags, gnu_hash, guard_flags, guard_kinds, import_flags, thread_slot_kinds,
    unit_flags,
};
use larder_format::record::Record;

/// Everything in the index but offsets.
#[derive(Debug)]
pub(crate) struct IndexPlan {
    imports: Vec<Import>,
    exports: Vec<(SymbolId, Export)>,
    buckets: Vec<u32>,
    /// Names of the units, in the order of [`Units::functions`].
    unit_names: Vec<Text>,
    guards: Vec<Guard>,
    strings: Vec<u8>,
    producer: Text,
    triple: Text,
    counts: Counts,
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    init: usize,
    fini: usize,
    bound: usize,
    indirect: usize,
    thread_slots: usize,
    unit_imports: usize,
    unit_guards: usize,
    droppable: usize,
}

/// Decides what the index says, as far as that needs no offset.
pub(crate) fn plan_index(
    inputs: &Inputs<'_>,
    live: &Live,
    needs: &Needs,
    lists: &Lists,
    units: &Units,
    guards: &Guards,
    options: &LinkOptions<'_>,
) -> Result<IndexPlan, LinkError> {
    let mut strings = Strings { bytes: vec![0] };
    let imports = needs.imports.iter().map(|import| plan_import(inputs, import, &mut strings)).collect();
    let exports = plan_exports(inputs, live, &mut strings);
    let buckets = buckets(&exports);
    let (producer, triple) = (strings.add(options.producer.as_bytes()), strings.add(options.triple.as_bytes()));
    let unit_names = plan_unit_names(inputs, units, &exports, &mut strings);
    let guard_rows = guards.rows.iter().map(|row| plan_guard(row, &mut strings)).collect();
    let max = u64::from(u32::MAX);
    if strings.bytes.len() as u64 > max {
        return Err(LinkError::TooLarge { what: "names", len: strings.bytes.len() as u64, max });
    }
    let counts = Counts {
        init: lists.init.len(),
        fini: lists.fini.len(),
        bound: needs.bound.len(),
        indirect: needs.indirect.len(),
        thread_slots: count_thread_slots(needs),
        unit_imports: units.imports.len(),
        unit_guards: guards.unit_guards.len(),
        droppable: guards.droppable.len(),
    };
    let strings = strings.bytes;
    Ok(IndexPlan { imports, exports, buckets, unit_names, guards: guard_rows, strings, producer, triple, counts })
}

fn count_thread_slots(needs: &Needs) -> usize {
    let bound = needs.distances.iter().filter(|&&id| needs.import(id).is_some());
    needs.pairs.len() + usize::from(needs.block_pair) + bound.count() + needs.descriptors.len()
}

struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    /// Names have no NUL in them: they come from string tables, and texts are cut there.
    fn add(&mut self, name: &[u8]) -> Text {
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = Text { offset: self.bytes.len() as u32, len: name.len() as u32 };
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        text
    }
}

fn plan_import(inputs: &Inputs<'_>, import: &crate::scan::Import, strings: &mut Strings) -> Import {
    let symbol = inputs.symbol(import.symbol);
    let weak = if symbol.binding == Binding::Weak { import_flags::WEAK } else { 0 };
    let function = if import.called { import_flags::FUNCTION } else { 0 };
    let thread = if symbol.is_thread_local() { import_flags::TLS } else { 0 };
    let object = if guards::is_object(symbol.name) { import_flags::OBJECT } else { 0 };
    let copied = if symbol.place == Place::Undefined { 0 } else { import_flags::COPIED };
    let flags = weak | function | thread | object | copied;
    Import { name: strings.add(symbol.name), hash: gnu_hash(symbol.name), flags }
}

fn plan_guard(row: &GuardRow, strings: &mut Strings) -> Guard {
    match &row.symbol {
        GuardSymbol::Object { name, fingerprint } => Guard {
            kind: guard_kinds::OBJECT,
            flags: if fingerprint.is_some() { guard_flags::EXPECTED } else { 0 },
            name: strings.add(name),
            expected: fingerprint.unwrap_or_default(),
            import: row.import.unwrap_or(GUARD_NO_IMPORT),
            ..Guard::default()
        },
        GuardSymbol::Predicate { name, arguments, expected, .. } => Guard {
            kind: guard_kinds::PREDICATE,
            flags: guard_flags::EXPECTED,
            name: strings.add(name),
            arguments: strings.add(arguments),
            expected: *expected,
            import: GUARD_NO_IMPORT,
            ..Guard::default()
        },
    }
}

fn plan_exports(inputs: &Inputs<'_>, live: &Live, strings: &mut Strings) -> Vec<(SymbolId, Export)> {
    let count = live.exports.len();
    let hashed = live.exports.iter().map(|&id| (gnu_hash(inputs.symbol(id).name), id));
    let mut sorted: Vec<(u32, SymbolId)> = hashed.collect();
    sorted.sort_by_key(|&(hash, id)| (ExportTable::bucket_of(hash, count), inputs.symbol(id).name));
    sorted.into_iter().map(|(hash, id)| (id, plan_export(inputs, id, hash, strings))).collect()
}

fn plan_export(inputs: &Inputs<'_>, id: SymbolId, hash: u32, strings: &mut Strings) -> Export {
    let symbol = inputs.symbol(id);
    let weak = if symbol.binding == Binding::Weak { export_flags::WEAK } else { 0 };
    let kind = match symbol.place {
        Place::Section(section) if inputs.section(section).is(sh::TLS) => export_flags::TLS,
        Place::Section(section) if inputs.section(section).is(sh::EXECINSTR) => export_flags::FUNCTION,
        _ => 0,
    };
    Export { name: strings.add(symbol.name), hash, flags: weak | kind, offset: 0, len: symbol.len }
}

/// First row of each bucket, and the end of the last.
fn buckets(exports: &[(SymbolId, Export)]) -> Vec<u32> {
    let count = ExportTable::bucket_count(exports.len());
    let mut firsts = vec![0; count + 1];
    for (_, export) in exports {
        firsts[ExportTable::bucket_of(export.hash, exports.len()) + 1] += 1;
    }
    for bucket in 0..count {
        firsts[bucket + 1] += firsts[bucket];
    }
    firsts
}

/// An exported function's name stands in the strings already.
fn plan_unit_names(
    inputs: &Inputs<'_>,
    units: &Units,
    exports: &[(SymbolId, Export)],
    strings: &mut Strings,
) -> Vec<Text> {
    let mut known = vec![None; inputs.symbols.len()];
    exports.iter().for_each(|(id, export)| known[id.index()] = Some(export.name));
    let names = units.functions.iter().map(|function| function.symbol);
    names.map(|id| known[id.index()].unwrap_or_else(|| strings.add(inputs.symbol(id).name))).collect()
}

/// Tables begin at multiples of this.
const TABLE_ALIGN: usize = 8;

impl IndexPlan {
    /// Number of imports and exports.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.imports.len(), self.exports.len())
    }

    /// Bytes of all tables, with so many rows of relative relocations and words at odd places, and those sections.
    pub(crate) fn len(&self, relr_count: usize, odd_count: usize, outputs: &[Output<'_>]) -> u64 {
        let (section_count, names_len) =
            listed(outputs).fold((0, 0), |(count, len), output| (count + 1, len + output.name.len() + 1));
        let tables = [
            section_count * Section::SIZE,
            self.imports.len() * Import::SIZE,
            self.buckets.len() * u32::SIZE,
            self.exports.len() * Export::SIZE,
            self.counts.init * u64::SIZE,
            self.counts.fini * u64::SIZE,
            (self.counts.bound + odd_count) * Fixup::SIZE,
            self.counts.indirect * IndirectFunction::SIZE,
            self.counts.thread_slots * ThreadSlot::SIZE,
            relr_count * u64::SIZE,
            self.strings.len() + names_len,
            self.unit_names.len() * Unit::SIZE,
            self.counts.unit_imports * u32::SIZE,
            self.guards.len() * Guard::SIZE,
            self.counts.unit_guards * u32::SIZE,
            self.counts.droppable * Droppable::SIZE,
        ];
        tables.iter().map(|len| len.next_multiple_of(TABLE_ALIGN) as u64).sum()
    }

    /// The header, without the digest and the file's length, and the tables behind it. The file's contents are relocated.
    pub(crate) fn encode(
        &self,
        addresses: &Addresses<'_, '_>,
        lists: &Lists,
        units: &Units,
        guards: &Guards,
        options: &LinkOptions<'_>,
        file: &[u8],
    ) -> (ImageHeader, Vec<u8>) {
        let mut tables = Tables { bytes: Vec::new() };
        let mut strings = Strings { bytes: self.strings.clone() };
        let section_rows: Vec<Section> =
            listed(&addresses.layout.outputs).map(|output| section_row(output, &mut strings)).collect();
        let unit_rows = self.unit_rows(addresses, units);
        let header = ImageHeader {
            imports: tables.add(self.imports.iter().copied()),
            export_buckets: tables.add(self.buckets.iter().copied()),
            exports: tables.add(self.exports.iter().map(|(id, export)| export_row(addresses, *id, *export))),
            init: tables.add(functions(addresses, &lists.init)),
            fini: tables.add(functions(addresses, &lists.fini)),
            fixups: tables.add(fixups(addresses, file).into_iter()),
            indirect_functions: tables.add(indirect_functions(addresses)),
            thread_slots: tables.add(thread_slots(addresses).into_iter()),
            relr: tables.add(addresses.layout.relr.iter().copied()),
            sections: tables.add(section_rows.into_iter()),
            strings: tables.add_bytes(&strings.bytes),
            units: tables.add(unit_rows.iter().map(|(_, unit)| *unit)),
            unit_imports: tables.add(units.imports.iter().copied()),
            guards: tables.add(self.guards.iter().copied()),
            unit_guards: tables.add(guards.unit_guards.iter().copied()),
            droppable: tables.add(droppable_rows(guards, &unit_rows).into_iter()),
            ..self.fixed_header(addresses, options)
        };
        (header, tables.bytes)
    }

    fn fixed_header(&self, addresses: &Addresses<'_, '_>, options: &LinkOptions<'_>) -> ImageHeader {
        let layout = addresses.layout;
        let made =
            |made| layout.made(made).map_or(Span::default(), |output| Span { offset: output.offset, len: output.len });
        ImageHeader {
            magic: MAGIC,
            format_version: FORMAT_VERSION,
            abi_version: ABI_VERSION,
            key: options.key,
            module_digest: options.module_digest,
            mem_len: layout.end.next_multiple_of(PAGE).max(layout.rw.offset + layout.rw.len),
            rx: layout.rx,
            rw: layout.rw,
            relro_len: layout.relro_len,
            slots_offset: addresses.got,
            align: layout.align,
            align_at: layout.align_at(),
            features: options.features,
            eh_frame_hdr: made(Made::UnwindTable),
            eh_frame: made(Made::Unwind),
            tls_template: layout.tls_template,
            tls_mem_len: layout.tls_mem_len,
            tls_align: layout.tls_align,
            tls_distance: layout.tls_distance,
            source_len: options.source.map_or(0, |Source { raw_len, .. }| raw_len),
            producer: self.producer,
            triple: self.triple,
            ..ImageHeader::default()
        }
    }

    /// Units by offset, each with its index in [`Units::functions`].
    fn unit_rows(&self, addresses: &Addresses<'_, '_>, units: &Units) -> Vec<(usize, Unit)> {
        let row = |(function, &name): (&crate::units::Function, &Text)| Unit {
            name,
            offset: addresses.place(function.section, function.start).unwrap_or_default(),
            len: function.len,
            flags: if function.exported { unit_flags::EXPORTED } else { 0 },
            imports_first: function.imports.start,
            imports_count: function.imports.end - function.imports.start,
        };
        let mut rows: Vec<_> = units.functions.iter().zip(&self.unit_names).map(row).enumerate().collect();
        rows.sort_by_key(|(_, unit)| unit.offset);
        rows
    }
}

fn droppable_rows(guards: &Guards, unit_rows: &[(usize, Unit)]) -> Vec<Droppable> {
    if guards.droppable.is_empty() {
        return Vec::new();
    }
    let mut places = vec![0; unit_rows.len()];
    unit_rows.iter().zip(0..).for_each(|((function, _), place)| places[*function] = place);
    let row = |dropped: &guards::Droppable| Droppable {
        unit: places[dropped.function],
        fallback: dropped.fallback.map_or(DROPPABLE_NO_FALLBACK, |fallback| places[fallback]),
        guards_first: dropped.guards.start,
        guards_count: dropped.guards.end - dropped.guards.start,
    };
    let mut rows: Vec<Droppable> = guards.droppable.iter().map(row).collect();
    rows.sort_by_key(|row| (row.guards_first, row.unit));
    rows
}

/// Output sections that are loaded.
fn listed<'o, 'a>(outputs: &'o [Output<'a>]) -> impl Iterator<Item = &'o Output<'a>> {
    outputs.iter().filter(|output| output.is(sh::ALLOC))
}

fn section_row(output: &Output<'_>, strings: &mut Strings) -> Section {
    let name = strings.add(output.name);
    Section { name, offset: output.offset, len: output.len, kind: output.kind, flags: output.flags as u32 }
}

fn export_row(addresses: &Addresses<'_, '_>, id: SymbolId, export: Export) -> Export {
    let thread = export.flags & export_flags::TLS != 0;
    let offset = if thread { addresses.thread_offset(id) } else { addresses.symbol(id, 0) };
    Export { offset: offset.unwrap_or_default(), ..export }
}

fn functions<'i>(
    addresses: &'i Addresses<'_, '_>,
    list: &'i [(SymbolId, i64)],
) -> impl ExactSizeIterator<Item = u64> + 'i {
    let function = |&(id, addend): &(SymbolId, i64)| match addresses.needs.stub(id) {
        Some(stub) => addresses.stub(stub),
        None => addresses.symbol(id, addend).unwrap_or_default().wrapping_add_signed(addend),
    };
    list.iter().map(function)
}

fn indirect_functions(addresses: &Addresses<'_, '_>) -> impl ExactSizeIterator<Item = IndirectFunction> {
    addresses.needs.indirect.iter().enumerate().map(|(number, &function)| IndirectFunction {
        slot: addresses.indirect_slot(number as u32),
        resolver: addresses.resolver(function).unwrap_or_default(),
    })
}

fn fixups(addresses: &Addresses<'_, '_>, file: &[u8]) -> Vec<Fixup> {
    let row = |bound: &crate::scan::BoundWord| Fixup {
        place: addresses.place(bound.word.section, bound.word.offset).unwrap_or_default(),
        addend: bound.addend,
        import: addresses.needs.import(bound.symbol).unwrap_or_default(),
        reserved: 0,
    };
    let odd = |&place: &u64| Fixup { place, addend: word_at(file, place), import: FIXUP_IMAGE, reserved: 0 };
    let odd_words = addresses.layout.odd_words.iter().map(odd);
    let mut rows: Vec<Fixup> = addresses.needs.bound.iter().map(row).chain(odd_words).collect();
    rows.sort_by_key(|fixup| fixup.place);
    rows
}

/// Distances of the image's own variables are no rows: the linker knows them.
fn thread_slots(addresses: &Addresses<'_, '_>) -> Vec<ThreadSlot> {
    let needs = addresses.needs;
    let row = |place, id, kind| match needs.import(id) {
        Some(import) => ThreadSlot { place, offset: 0, import, kind },
        None => {
            let offset = addresses.thread_offset(id).unwrap_or_default();
            ThreadSlot { place, offset, import: THREAD_SLOT_OWN, kind }
        }
    };
    let pairs = needs.pairs.iter().zip(0..);
    let pairs = pairs.map(|(&id, index)| row(addresses.pair(index), id, thread_slot_kinds::PAIR));
    let block =
        ThreadSlot { place: addresses.block_pair(), offset: 0, import: THREAD_SLOT_OWN, kind: thread_slot_kinds::PAIR };
    let distances = needs.distances.iter().zip(0..).filter(|(id, _)| needs.import(**id).is_some());
    let distances = distances.map(|(&id, index)| row(addresses.distance(index), id, thread_slot_kinds::DISTANCE));
    let descriptors = needs.descriptors.iter().zip(0..);
    let descriptors =
        descriptors.map(|(&id, index)| row(addresses.descriptor(index), id, thread_slot_kinds::DESCRIPTOR));
    pairs.chain(needs.block_pair.then_some(block)).chain(distances).chain(descriptors).collect()
}

/// What relocating has put there: an image offset.
fn word_at(file: &[u8], place: u64) -> i64 {
    let word = file.get(place as usize..).and_then(i64::decode);
    word.unwrap_or_default()
}

struct Tables {
    bytes: Vec<u8>,
}

impl Tables {
    fn add<R: Record>(&mut self, rows: impl ExactSizeIterator<Item = R>) -> Table {
        let table = Table { offset: self.offset() as u32, count: rows.len() as u32 };
        rows.for_each(|row| row.encode(&mut self.bytes));
        self.pad();
        table
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Span {
        let span = Span { offset: self.offset(), len: bytes.len() as u64 };
        self.bytes.extend_from_slice(bytes);
        self.pad();
        span
    }

    fn offset(&self) -> u64 {
        INDEX_OFFSET + self.bytes.len() as u64
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(TABLE_ALIGN), 0);
    }
}
