//! A linked image and a loader for it that runs nothing: it checks what every image must be and answers with memory as code would see it.

use larder_format::image::{self, DROP_LEN, Droppable, Export, FIXUP_IMAGE, GuardQuestion, Image, PAGE, import_flags};
use larder_link::{LinkError, LinkOptions, LinkReport, Linked, Object, link};
use object::read::elf::{ElfFile64, ElfSection64};
use object::{LittleEndian, Object as _, ObjectSection as _};

/// Where images are "mapped".
pub(crate) const BASE: u64 = 0x5555_0000_0000;
/// Where imports are, one after the other.
const IMPORTS: u64 = 0x7fff_0000_0000;

pub(crate) struct Case {
    pub(crate) file: Vec<u8>,
    pub(crate) report: LinkReport,
    memory: Vec<u8>,
}

/// Links objects that are named `0.o`, `1.o`…
pub(crate) fn try_link(objects: &[&[u8]], options: &LinkOptions<'_>) -> Result<Case, LinkError> {
    let names: Vec<String> = (0..objects.len()).map(|number| format!("{number}.o")).collect();
    let objects: Vec<_> =
        names.iter().zip(objects).map(|(name, bytes)| Object { name, bytes, ..Object::default() }).collect();
    link(&objects, options).map(Case::of)
}

pub(crate) fn link_all(objects: &[&[u8]]) -> Case {
    link_with(objects, &LinkOptions::default())
}

pub(crate) fn link_with(objects: &[&[u8]], options: &LinkOptions<'_>) -> Case {
    try_link(objects, options).unwrap_or_else(|error| panic!("{error}"))
}

impl Case {
    pub(crate) fn of(linked: Linked) -> Self {
        image::verify_digest(&linked.bytes).expect("the digest is right");
        let mut case = Case { memory: Vec::new(), file: linked.bytes, report: linked.report };
        case.load();
        case
    }

    pub(crate) fn image(&self) -> Image<'_> {
        Image::parse(&self.file, self.file.len() as u64).expect("it is an image")
    }

    pub(crate) fn elf(&self) -> ElfFile64<'_, LittleEndian> {
        ElfFile64::parse(self.file.as_slice()).expect("it is ELF")
    }

    fn section<'a>(elf: &'a ElfFile64<'a, LittleEndian>, name: &str) -> Option<ElfSection64<'a, 'a, LittleEndian>> {
        elf.section_by_name(name)
    }

    pub(crate) fn has_section(&self, name: &str) -> bool {
        Case::section(&self.elf(), name).is_some()
    }

    /// Image offsets of a section's first byte and end.
    pub(crate) fn section_range(&self, name: &str) -> std::ops::Range<u64> {
        let elf = self.elf();
        let section = Case::section(&elf, name).unwrap_or_else(|| panic!("there is a section {name}"));
        section.address()..section.address() + section.size()
    }

    pub(crate) fn section_data(&self, name: &str) -> Vec<u8> {
        let elf = self.elf();
        let section = Case::section(&elf, name).unwrap_or_else(|| panic!("there is a section {name}"));
        section.data().expect("it lies in the file").to_vec()
    }

    pub(crate) fn export(&self, name: &str) -> Export {
        self.image().exports().find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is exported"))
    }

    /// Address of an export.
    pub(crate) fn address(&self, name: &str) -> u64 {
        BASE + self.export(name).offset
    }

    pub(crate) fn imports(&self) -> Vec<String> {
        let image = self.image();
        image.imports().iter().map(|import| text(&image, import.name)).collect()
    }

    pub(crate) fn exports(&self) -> Vec<String> {
        let image = self.image();
        let mut names: Vec<_> = image.exports().rows().iter().map(|export| text(&image, export.name)).collect();
        names.sort();
        names
    }

    /// Address that an import is bound to.
    pub(crate) fn import_address(&self, name: &str) -> u64 {
        let index = self.imports().iter().position(|import| import == name);
        import_address(index.unwrap_or_else(|| panic!("{name} is imported")))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self, address: u64, len: usize) -> &[u8] {
        let start = (address - BASE) as usize;
        &self.memory[start..start + len]
    }

    pub(crate) fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.bytes(address, 8).try_into().expect("8 bytes"))
    }

    pub(crate) fn signed(&self, address: u64) -> i64 {
        i64::from(i32::from_le_bytes(self.bytes(address, 4).try_into().expect("4 bytes")))
    }

    /// What a 32-bit field that counts from the end of its instruction leads to.
    pub(crate) fn branch_target(&self, field: u64) -> u64 {
        (field + 4).wrapping_add_signed(self.signed(field))
    }

    /// Where a call stub jumps to.
    pub(crate) fn through_stub(&self, stub: u64) -> u64 {
        assert_eq!(self.bytes(stub, 2), [0xff, 0x25], "a stub is an indirect jump");
        self.word(self.branch_target(stub + 2))
    }

    /// Maps, relocates and binds, with every check that a loader makes and some that it has no time for.
    fn load(&mut self) {
        let image = self.image();
        let header = *image.header();
        let rw = header.rw.offset..header.rw.offset + header.rw.len;
        let mut memory = self.file[..(header.rw.offset + header.rw.len) as usize].to_vec();
        memory.resize(header.mem_len as usize, 0);
        let check = |place: u64| {
            assert!(rw.contains(&place) && rw.contains(&(place + 7)), "{place:#x} is in RW, which the file holds");
        };
        for place in relative_places(&image) {
            check(place);
            let old = word_of(&memory, place);
            set(&mut memory, place, old.wrapping_add(BASE));
        }
        for index in 0..image.imports().len() {
            let slot = header.slots_offset + 8 * index as u64;
            assert_eq!(word_of(&memory, slot), 0, "slots are empty");
            set(&mut memory, slot, import_address(index));
        }
        assert!(image.fixups().iter().map(|fixup| fixup.place).is_sorted());
        for fixup in image.fixups().iter() {
            check(fixup.place);
            assert!(fixup.import == FIXUP_IMAGE || (fixup.import as usize) < image.imports().len());
            let address = match fixup.import {
                FIXUP_IMAGE => BASE,
                import => import_address(import as usize),
            };
            set(&mut memory, fixup.place, address.wrapping_add_signed(fixup.addend));
        }
        assert!(header.relro_len.is_multiple_of(PAGE) && header.mem_len.is_multiple_of(PAGE));
        assert!(header.slots_offset + 8 * image.imports().len() as u64 <= header.rw.offset + header.relro_len);
        check_names(&image);
        check_units(&image);
        check_guards(&image);
        self.memory = memory;
    }
}

fn word_of(memory: &[u8], place: u64) -> u64 {
    u64::from_le_bytes(memory[place as usize..][..8].try_into().expect("8 bytes"))
}

fn set(memory: &mut [u8], place: u64, value: u64) {
    memory[place as usize..][..8].copy_from_slice(&value.to_le_bytes());
}

fn import_address(index: usize) -> u64 {
    IMPORTS + 0x1000 * index as u64
}

pub(crate) fn text(image: &Image<'_>, text: image::Text) -> String {
    String::from_utf8_lossy(image.text(text).expect("it is in the strings")).into_owned()
}

/// gABI `SHT_RELR`, the loader's side.
pub(crate) fn relative_places(image: &Image<'_>) -> Vec<u64> {
    let (mut places, mut base) = (Vec::new(), 0);
    for row in image.relr().iter() {
        if row % 2 == 0 {
            places.push(row);
            base = row + 8;
        } else {
            places.extend((0..63).filter(|bit| row >> (bit + 1) & 1 != 0).map(|bit| base + bit * 8));
            base += 63 * 8;
        }
    }
    places
}

fn check_names(image: &Image<'_>) {
    let names: Vec<_> = image.imports().iter().map(|import| (text(image, import.name), import.hash)).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0].0 != pair[1].0), "imports are sorted: {names:?}");
    assert!(names.iter().all(|(name, hash)| image::gnu_hash(name.as_bytes()) == *hash));
    for export in image.exports().rows().iter() {
        let name = image.text(export.name).expect("it is in the strings");
        assert_eq!(image.exports().find(name), Some(export), "exports are found by name");
    }
}

fn check_units(image: &Image<'_>) {
    let units: Vec<_> = image.units().iter().collect();
    assert!(units.is_sorted_by(|a, b| a.offset < b.offset), "units are sorted");
    let rx = image.header().rx;
    for unit in units {
        assert!(unit.offset >= rx.offset && unit.offset + u64::from(unit.len) <= rx.offset + rx.len);
        for row in unit.imports_first..unit.imports_first + unit.imports_count {
            let import = image.unit_imports().get(row as usize).expect("the run is in the table");
            assert!((import as usize) < image.imports().len());
        }
    }
}

fn check_guards(image: &Image<'_>) {
    let objects = image.imports().iter().filter(|import| import.flags & import_flags::OBJECT != 0).count();
    let questions: Vec<_> = image.guards().iter().map(|row| image.guard_question(&row).expect("it asks")).collect();
    let is_object = |question: &GuardQuestion<'_>| matches!(question, GuardQuestion::Object { .. });
    assert!(questions.is_sorted_by_key(is_object), "predicates are asked first");
    assert_eq!(questions.iter().filter(|question| is_object(question)).count(), objects, "each object has one guard");
    let units: Vec<_> = image.units().iter().collect();
    let rows: Vec<_> = image.droppable().iter().collect();
    let place = |row: &Droppable| (row.guards_first, row.unit);
    assert!(rows.is_sorted_by(|a, b| place(a) < place(b)), "droppable units are sorted");
    for guard in 0..questions.len() as u32 {
        let has = |row: &&Droppable| {
            image.droppable_unit(row).is_ok_and(|unit| unit.guards.iter().any(|other| other == guard))
        };
        let expected: Vec<_> = rows.iter().filter(has).copied().collect();
        assert_eq!(image.droppable_by(|other| other == guard).collect::<Vec<_>>(), expected, "guard {guard}");
    }
    for row in rows {
        let unit = image.droppable_unit(&row).expect("it is one");
        assert!(!unit.guards.is_empty() && unit.guards.iter().is_sorted_by(|a, b| a < b));
        let next = units.get(unit.index + 1).map_or(image.header().rw.offset, |next| next.offset);
        assert!(unit.unit.offset + DROP_LEN <= next, "a jump has room");
    }
}
