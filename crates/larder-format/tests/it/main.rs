//! `docs/format.md` and the code must say the same of every byte.

use larder_format::bundle::SOURCES_MAGIC;
use larder_format::cpu::CpuFeatures;
use larder_format::cpu::x86_64::FEATURES;
use larder_format::image::{
    ABI_VERSION, COPY_LEN_MAX, CpuModel, DROP_LEN, Droppable, Export, FILE_CRC, FORMAT_VERSION, Fixup, Guard,
    HEADER_OFFSET, ImageHeader, Import, IndirectFunction, MAGIC, PAGE, STATIC_TLS_ALIGN, STATIC_TLS_DISTANCE,
    STATIC_TLS_LEN, Section, Span, Table, Text, ThreadSlot, Unit,
};
use larder_format::objects::{OBJECTS_MAGIC, OBJECTS_VERSION, ObjectsHeader};
use larder_format::record::{FieldInfo, Record};

fn format_md() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
    std::fs::read_to_string(path).expect("docs/format.md can be read")
}

/// Rows `| offset | size | name | …` of the table under the heading.
fn documented(text: &str, heading: &str) -> Vec<(usize, usize, String)> {
    let section = text.split(&format!("\n### {heading}\n")).nth(1).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n#").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let (offset, size, name) = (cells.next()?, cells.next()?, cells.next()?);
            let offset = offset.strip_prefix("0x").and_then(|hex| usize::from_str_radix(hex, 16).ok())?;
            Some((offset, size.parse().ok()?, name.trim_matches('`').to_owned()))
        })
        .collect()
}

fn compare(heading: &str, fields: &[FieldInfo]) {
    let expected: Vec<_> = fields.iter().map(|field| (field.offset, field.size, field.name.to_owned())).collect();
    assert_eq!(documented(&format_md(), heading), expected, "table {heading} of docs/format.md");
}

#[test]
fn every_record_is_documented_as_it_is() {
    compare("Image header", ImageHeader::FIELDS);
    compare("Span", Span::FIELDS);
    compare("Table", Table::FIELDS);
    compare("Text", Text::FIELDS);
    compare("Import", Import::FIELDS);
    compare("Export", Export::FIELDS);
    compare("Unit", Unit::FIELDS);
    compare("Fix-up", Fixup::FIELDS);
    compare("Indirect function", IndirectFunction::FIELDS);
    compare("CPU model", CpuModel::FIELDS);
    compare("Thread slot", ThreadSlot::FIELDS);
    compare("Section", Section::FIELDS);
    compare("Guard", Guard::FIELDS);
    compare("Droppable unit", Droppable::FIELDS);
    compare("Objects header", ObjectsHeader::FIELDS);
}

#[test]
fn constants_are_documented_as_they_are() {
    let text = format_md();
    let magic = |bytes: [u8; 8]| format!("`{}`", String::from_utf8_lossy(&bytes).escape_default());
    for (name, value) in [
        ("MAGIC", magic(MAGIC)),
        ("OBJECTS_MAGIC", magic(OBJECTS_MAGIC)),
        ("OBJECTS_VERSION", OBJECTS_VERSION.to_string()),
        ("SOURCES_MAGIC", magic(SOURCES_MAGIC)),
        ("FORMAT_VERSION", FORMAT_VERSION.to_string()),
        ("ABI_VERSION", ABI_VERSION.to_string()),
        ("HEADER_OFFSET", format!("{HEADER_OFFSET:#x}")),
        ("PAGE", format!("{PAGE:#x}")),
        ("STATIC_TLS_DISTANCE", format!("{STATIC_TLS_DISTANCE:#x}")),
        ("STATIC_TLS_LEN", format!("{STATIC_TLS_LEN:#x}")),
        ("STATIC_TLS_ALIGN", format!("{STATIC_TLS_ALIGN:#x}")),
        ("DROP_LEN", format!("{DROP_LEN:#x}")),
        ("COPY_LEN_MAX", format!("{COPY_LEN_MAX:#x}")),
        ("FILE_CRC", format!("{FILE_CRC:#x}")),
    ] {
        assert!(text.contains(&format!("| `{name}` | {value} |")), "docs/format.md: {name} is {value}");
    }
    assert_eq!(CpuFeatures::SIZE * 8, 256);
}

#[test]
fn cpu_features_are_documented_in_their_order() {
    let text = format_md();
    let names: Vec<_> = FEATURES.iter().enumerate().map(|(number, f)| format!("{number} {}", f.name)).collect();
    let list = text.split("\n### CPU features\n").nth(1).unwrap_or_default();
    let list = list.split("```").nth(1).unwrap_or_default();
    let documented: Vec<_> = list
        .trim_start_matches("text")
        .split(',')
        .map(|item| item.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(documented, names);
}
