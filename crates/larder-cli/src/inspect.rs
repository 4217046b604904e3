//! `larder inspect`: what an image is, needs and offers.

use crate::args::InspectArgs;
use crate::cache::size;
use crate::entry::Kind;
use anyhow::{Context, bail};
use larder::format::image::{GuardQuestion, Image, ImageError, Text, export_flags, import_flags};
use larder::format::objects::Objects;
use serde::Serialize;
use std::ffi::c_int;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Names shown of each kind, unless all are asked for.
const SHOWN: usize = 20;

/// Prints the description.
pub(crate) fn inspect(args: &InspectArgs, out: &mut dyn Write) -> anyhow::Result<c_int> {
    if args.disassemble {
        return disassemble(&args.file);
    }
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    if Kind::of_bytes(&bytes) == Kind::Objects {
        return objects(&bytes, args.json, out);
    }
    let image = larder::inspect::image(&bytes).with_context(|| args.file.display().to_string())?;
    let description = describe(&image).with_context(|| args.file.display().to_string())?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&description)?)?;
    } else {
        print(&description, if args.all { usize::MAX } else { SHOWN }, out)?;
    }
    Ok(0)
}

#[derive(Serialize)]
struct ObjectsDescription<'a> {
    producer: &'a str,
    key: String,
    features: Vec<String>,
    /// Lengths in bytes.
    objects: Vec<usize>,
}

/// An entry of the store that holds the objects of a module.
fn objects(bytes: &[u8], json: bool, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let Objects { key, features, producer, objects } = Objects::decode(bytes)?;
    let objects = ObjectsDescription {
        producer,
        key: hex(&key),
        features: features.names().collect(),
        objects: objects.iter().map(|object| object.len()).collect(),
    };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&objects)?)?;
        return Ok(0);
    }
    writeln!(out, "objects of one module, from which images are linked")?;
    writeln!(out, "producer    {}", objects.producer)?;
    writeln!(out, "key         {}", objects.key)?;
    writeln!(out, "needs CPU   {}", objects.features.join(" "))?;
    for len in objects.objects {
        writeln!(out, "object      {}", size(len as u64))?;
    }
    Ok(0)
}

#[derive(Serialize)]
struct Description {
    format_version: u32,
    abi_version: u32,
    triple: String,
    producer: String,
    key: String,
    module_digest: String,
    content_digest: String,
    features: Vec<String>,
    sizes: Sizes,
    imports: Vec<Import>,
    exports: Vec<Export>,
    /// In the order they are asked.
    guards: Vec<Guard>,
    units: Vec<Unit>,
}

#[derive(Serialize)]
struct Sizes {
    file: u64,
    memory: u64,
    r: u64,
    rx: u64,
    rw: u64,
    bss: u64,
    relocations: usize,
    fixups: usize,
    initialisers: usize,
    finalisers: usize,
    tls: u64,
    module_packed: u64,
    module: u64,
}

#[derive(Serialize)]
struct Import {
    name: String,
    weak: bool,
    copied: bool,
    function: bool,
    /// A heap object of the host.
    object: bool,
}

#[derive(Serialize)]
struct Export {
    name: String,
    kind: &'static str,
    weak: bool,
    offset: u64,
    len: u64,
}

#[derive(Serialize)]
struct Unit {
    name: String,
    offset: u64,
    len: u32,
    imports: Vec<String>,
    /// Indices of what it counts on.
    guards: Vec<u32>,
    /// The unit that is called instead once this one is dropped.
    fallback: Option<String>,
}

#[derive(Serialize)]
struct Guard {
    kind: &'static str,
    name: String,
    /// What a predicate is asked about.
    arguments: Option<String>,
    /// Fingerprint or answer; none if any object will do.
    expected: Option<u64>,
}

fn describe(image: &Image<'_>) -> Result<Description, ImageError> {
    let header = image.header();
    Ok(Description {
        format_version: header.format_version,
        abi_version: header.abi_version,
        triple: image.triple(),
        producer: image.producer(),
        key: hex(&header.key),
        module_digest: hex(&header.module_digest),
        content_digest: hex(&header.content_digest),
        features: header.features.names().collect(),
        sizes: Sizes {
            file: header.file_len,
            memory: header.mem_len,
            r: header.r_len(),
            rx: header.rx.len,
            rw: header.rw.len,
            bss: header.mem_len - header.loaded_len(),
            relocations: image.relr().len(),
            fixups: image.fixups().len(),
            initialisers: image.init().len(),
            finalisers: image.fini().len(),
            tls: header.tls_mem_len,
            module_packed: header.source.len,
            module: header.source_len,
        },
        imports: imports(image),
        exports: exports(image),
        guards: guards(image)?,
        units: units(image)?,
    })
}

fn imports(image: &Image<'_>) -> Vec<Import> {
    let import = |row: larder::format::image::Import| Import {
        name: name(image, row.name),
        weak: row.flags & import_flags::WEAK != 0,
        copied: row.flags & import_flags::COPIED != 0,
        function: row.flags & import_flags::FUNCTION != 0,
        object: row.flags & import_flags::OBJECT != 0,
    };
    image.imports().iter().map(import).collect()
}

fn exports(image: &Image<'_>) -> Vec<Export> {
    let mut exports: Vec<_> = image
        .exports()
        .rows()
        .iter()
        .map(|row| Export {
            name: name(image, row.name),
            kind: match row.flags {
                flags if flags & export_flags::TLS != 0 => "tls",
                flags if flags & export_flags::FUNCTION != 0 => "function",
                _ => "data",
            },
            weak: row.flags & export_flags::WEAK != 0,
            offset: row.offset,
            len: row.len,
        })
        .collect();
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    exports
}

fn guards(image: &Image<'_>) -> Result<Vec<Guard>, ImageError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let guard = |question| match question {
        GuardQuestion::Object { name, expected, .. } => {
            Guard { kind: "object", name: text(name), arguments: None, expected }
        }
        GuardQuestion::Predicate { name, arguments, expected } => {
            Guard { kind: "predicate", name: text(name), arguments: Some(text(arguments)), expected: Some(expected) }
        }
    };
    image.guards().iter().map(|row| image.guard_question(&row).map(guard)).collect()
}

fn units(image: &Image<'_>) -> Result<Vec<Unit>, ImageError> {
    let imports: Vec<_> = image.imports().iter().map(|import| name(image, import.name)).collect();
    let used = |unit: &larder::format::image::Unit| {
        let first = unit.imports_first as usize;
        let rows = (first..first + unit.imports_count as usize).filter_map(|row| image.unit_imports().get(row));
        rows.filter_map(|import| imports.get(import as usize).cloned()).collect()
    };
    let unit = |row: larder::format::image::Unit| Unit {
        name: name(image, row.name),
        offset: row.offset,
        len: row.len,
        imports: used(&row),
        guards: Vec::new(),
        fallback: None,
    };
    let mut units: Vec<_> = image.units().iter().map(unit).collect();
    for row in image.droppable().iter() {
        let droppable = image.droppable_unit(&row)?;
        units[droppable.index].guards = droppable.guards.iter().collect();
        units[droppable.index].fallback = droppable.fallback.map(|fallback| units[fallback].name.clone());
    }
    Ok(units)
}

fn name(image: &Image<'_>, text: Text) -> String {
    String::from_utf8_lossy(image.text(text).unwrap_or(b"?")).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn print(image: &Description, shown: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let sizes = &image.sizes;
    writeln!(out, "format      {} (ABI {})", image.format_version, image.abi_version)?;
    writeln!(out, "target      {}", image.triple)?;
    writeln!(out, "producer    {}", image.producer)?;
    writeln!(out, "key         {}", image.key)?;
    writeln!(
        out,
        "module      {} ({}, {} in the image)",
        image.module_digest,
        size(sizes.module),
        size(sizes.module_packed)
    )?;
    writeln!(out, "content     {}", image.content_digest)?;
    writeln!(out, "needs CPU   {}", image.features.join(" "))?;
    writeln!(out, "file        {}", size(sizes.file))?;
    writeln!(
        out,
        "memory      {} (R {}, RX {}, RW {}, bss {})",
        size(sizes.memory),
        size(sizes.r),
        size(sizes.rx),
        size(sizes.rw),
        size(sizes.bss)
    )?;
    writeln!(out, "relocations {} words packed, {} fix-ups", sizes.relocations, sizes.fixups)?;
    writeln!(out, "start, end  {} initialisers, {} finalisers", sizes.initialisers, sizes.finalisers)?;
    if sizes.tls > 0 {
        writeln!(out, "TLS         {} for each thread", size(sizes.tls))?;
    }
    table(out, "imports", &image.imports, shown, |import| {
        let kind = match import {
            Import { object: true, .. } => "object",
            Import { function: true, .. } => "function",
            _ => "data",
        };
        let note = match import {
            Import { weak: true, .. } => " (weak)",
            Import { copied: true, .. } => " (copied)",
            _ => "",
        };
        format!("{kind:<9} {}{note}", import.name)
    })?;
    table(out, "exports", &image.exports, shown, |export| {
        format!("{:<9} {:#010x} {:>8} {}", export.kind, export.offset, export.len, export.name)
    })?;
    if !image.guards.is_empty() {
        table(out, "guards", &image.guards, shown, |guard| format!("{:<9} {}", guard.kind, asked(guard)))?;
    }
    table(out, "units", &image.units, shown, |unit| {
        let (uses, guards) = (some("  uses ", &unit.imports), some("  counts on ", &counted_on(image, unit)));
        let fallback = unit.fallback.as_ref().map_or(String::new(), |fallback| format!("  else {fallback}"));
        format!("{:#010x} {:>8} {}{uses}{guards}{fallback}", unit.offset, unit.len, unit.name)
    })
}

/// What is asked, and what the answer has to be.
fn asked(guard: &Guard) -> String {
    let arguments = guard.arguments.as_ref().map_or(String::new(), |arguments| format!("({arguments})"));
    match guard.expected {
        Some(expected) => format!("{}{arguments} = {expected:#x}", guard.name),
        None => format!("{}{arguments}", guard.name),
    }
}

fn counted_on(image: &Description, unit: &Unit) -> Vec<String> {
    unit.guards.iter().filter_map(|&guard| image.guards.get(guard as usize)).map(|guard| guard.name.clone()).collect()
}

/// The names behind a word, or nothing if there are none.
fn some(what: &str, names: &[String]) -> String {
    match names {
        [] => String::new(),
        few if few.len() <= 4 => format!("{what}{}", few.join(", ")),
        many => format!("{what}{} and {} more", many[..3].join(", "), many.len() - 3),
    }
}

fn table<T>(
    out: &mut dyn Write,
    title: &str,
    rows: &[T],
    shown: usize,
    line: impl Fn(&T) -> String,
) -> std::io::Result<()> {
    writeln!(out, "{title:<11} {}", rows.len())?;
    for row in rows.iter().take(shown) {
        writeln!(out, "  {}", line(row))?;
    }
    if rows.len() > shown {
        writeln!(out, "  … and {} more (--all)", rows.len() - shown)?;
    }
    Ok(())
}

/// An image is an ELF file: the disassemblers that people know read it.
fn disassemble(path: &Path) -> anyhow::Result<c_int> {
    std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    for tool in ["llvm-objdump-22", "llvm-objdump", "objdump"] {
        match Command::new(tool).args(["-d", "-C", "--no-show-raw-insn"]).arg(path).status() {
            Ok(status) => return Ok(status.code().unwrap_or(1)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot run {tool}")),
        }
    }
    bail!("no disassembler found: install llvm-22 (llvm-objdump-22) or binutils (objdump)")
}
