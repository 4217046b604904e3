//! The first pass: ELF bytes to tables, with everything checked that later passes rely on.
//!
//! After it every section index, symbol index and relocation symbol exists, contents lie in the file, alignments are powers of two,
//! and symbols lie in their sections. What no image can hold is refused here if the object alone tells.

use super::{
    Binding, Group, GroupId, Inputs, ObjectFile, ObjectId, Place, Rela, Role, Section, SectionId, Symbol, Visibility,
    property, sh, stt,
};
use crate::error::{LinkError, text};
use crate::guards::{FALLBACKS, USES};
use crate::{Mention, MentionKind};
use larder_format::image::{EM_X86_64, PAGE, elf_platform};
use object::LittleEndian as LE;
use object::SymbolIndex;
use object::elf::{FileHeader64, SectionHeader64, Sym64};
use object::read::elf::{FileHeader as _, SectionHeader as _, SectionTable, SymbolTable};
use std::borrow::Cow;

type Header = FileHeader64<LE>;
type SectionHeader = SectionHeader64<LE>;

/// Tables stay below this, so that numbers fit 32 bits with room for what passes make up.
const ENTRIES_MAX: usize = 1 << 30;
/// A section of zeros may claim this much: 1 TiB, the largest image.
const ZEROS_LEN_MAX: u64 = 1 << 40;

/// The strictest alignment: what LLVM has too.
const ALIGN_MAX: u64 = 1 << 32;

/// Reads all objects, in the order they are given.
pub(crate) fn read_objects<'a>(objects: &[crate::Object<'a>]) -> Result<Inputs<'a>, LinkError> {
    let mut inputs = Inputs::default();
    for (index, object) in objects.iter().enumerate() {
        identify(object.name, object.bytes)?;
        let file = File::parse(ObjectId::from_index(index), object)?;
        inputs.objects.push(ObjectFile { name: object.name, module: object.module, promises: 0 });
        file.read_sections(&mut inputs)?;
        file.read_symbols(&mut inputs)?;
        file.read_relocations_and_groups(&mut inputs)?;
    }
    Ok(inputs)
}

/// Where code that clang or rustc instrumented for a profile counts (LLVM's `InstrProfData.inc`).
const PROFILE_COUNTERS: &[u8] = b"__llvm_prf_cnts";
/// What brings the member of compiler-rt's archive that writes the profile when the program ends. Such an object doesn't mention it:
/// natively the compiler's driver does, by `-u`.
const PROFILE_RUNTIME: &[u8] = b"__llvm_profile_runtime";

/// What gcc calls a symbol of objects that hold its intermediate code and nothing else ("slim" objects).
const SLIM: &[u8] = b"__gnu_lto_slim";

/// What an object mentions, in the order of its symbols; one that counts for a profile needs the runtime that writes it. Only its headers
/// and symbols are looked at.
///
/// # Errors
/// The bytes are no relocatable object, or damaged there.
pub fn read_mentions<'a>(object: &crate::Object<'a>) -> Result<Vec<Mention<'a>>, LinkError> {
    identify(object.name, object.bytes)?;
    let file = File::parse(ObjectId::from_index(0), object)?;
    let mut mentions = Vec::new();
    for (index, symbol) in file.symbols.enumerate().filter(|(index, _)| index.0 != 0) {
        let name = file.symbol_name(symbol)?;
        let binding = file.binding(name, symbol.st_bind().0)?;
        let place = file.place(0, index, symbol)?;
        let kind = match (place, binding) {
            (_, Binding::Local) => continue,
            (Place::Undefined, Binding::Weak) => MentionKind::WeaklyUndefined,
            (Place::Undefined, _) => MentionKind::Undefined,
            (Place::Common { .. }, _) => MentionKind::Common,
            (_, Binding::Weak) => MentionKind::Weak,
            _ => MentionKind::Strong,
        };
        mentions.push(Mention { name: unversioned(name, place), kind });
    }
    if file.counts_for_profile() {
        mentions.push(Mention { name: PROFILE_RUNTIME, kind: MentionKind::Undefined });
    }
    Ok(mentions)
}

/// Tells what the bytes are if they are no relocatable x86-64 object: people pass the wrong file.
fn identify(object: &str, bytes: &[u8]) -> Result<(), LinkError> {
    let no = |what: &str| Err(LinkError::NotAnObject { object: object.into(), what: what.to_owned() });
    match bytes {
        [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => {
            return no("it is LLVM bitcode: generate code from it first (no -flto, no -emit-llvm)");
        }
        [b'!', b'<', b'a' | b't', ..] => {
            return no("it is an archive: extract its members and pass those that are needed");
        }
        [0x7f, b'E', b'L', b'F', ..] => {}
        _ => return no("it is no ELF file"),
    }
    let Some(ident) = bytes.first_chunk() else { return no("it is an ELF file that ends inside its header") };
    if ident[4] != 2 || ident[5] != 1 || ident[18..20] != EM_X86_64.to_le_bytes() {
        let platform = elf_platform(ident);
        return no(&format!(
            "it is an ELF file for another machine ({platform}): images are for x86-64, 64 bits, little-endian"
        ));
    }
    match u16::from_le_bytes([ident[16], ident[17]]) {
        1 => Ok(()),
        2 => no("it is an executable: pass the objects it was linked from"),
        3 => no("it is a shared library or executable: pass the objects it was linked from"),
        _ => no("it is an ELF file of another type than a relocatable object"),
    }
}

struct File<'a> {
    id: ObjectId,
    name: &'a str,
    bytes: &'a [u8],
    sections: SectionTable<'a, Header>,
    symbols: SymbolTable<'a, Header>,
}

impl<'a> File<'a> {
    fn parse(id: ObjectId, object: &crate::Object<'a>) -> Result<Self, LinkError> {
        let (name, bytes) = (object.name, object.bytes);
        let damaged = |error: object::Error| LinkError::Damaged { object: name.into(), what: error.to_string() };
        let header = Header::parse(bytes).map_err(damaged)?;
        let sections = header.sections(LE, bytes).map_err(damaged)?;
        let symbols = sections.symbols(LE, bytes, object::elf::SHT_SYMTAB).map_err(damaged)?;
        Ok(File { id, name, bytes, sections, symbols })
    }

    fn counts_for_profile(&self) -> bool {
        let name = |header| self.sections.section_name(LE, header);
        self.sections.iter().any(|header| name(header).is_ok_and(|name| name == PROFILE_COUNTERS))
    }

    fn damaged(&self, what: impl Into<String>) -> LinkError {
        LinkError::Damaged { object: self.name.into(), what: what.into() }
    }

    fn unsupported(&self, subject: &[u8], what: &'static str) -> LinkError {
        LinkError::Unsupported { object: self.name.into(), subject: text(subject), what }
    }

    fn read_sections(&self, inputs: &mut Inputs<'a>) -> Result<(), LinkError> {
        let first = inputs.sections.len();
        self.fits_table("sections", first + self.sections.len())?;
        let symbols_first = inputs.symbols.len() as u32;
        let mut contents_len = 0;
        for (index, header) in self.sections.enumerate() {
            let mut section = self.read_section(header, symbols_first)?;
            if section.name == b".note.gnu.property" {
                let note = header.data(LE, self.bytes).map_err(|e| self.damaged(e.to_string()))?;
                inputs.features = inputs.features.with(&property::needed_features(note));
                inputs.objects[self.id.index()].promises |= property::promises(note);
            }
            if section.is(sh::LINK_ORDER) && section.role != Role::Nothing {
                section.described = self.linked(header, first)?;
            }
            contents_len += section.data.len() as u64;
            debug_assert_eq!(inputs.sections.len(), first + index.0);
            inputs.sections.push(section);
        }
        if contents_len > self.bytes.len() as u64 {
            return Err(self.damaged("its sections overlap"));
        }
        inputs.compressed_debug_count += drop_compressed_debug(&mut inputs.sections[first..]);
        Ok(())
    }

    fn fits_table(&self, what: &str, count: usize) -> Result<(), LinkError> {
        if count < ENTRIES_MAX { Ok(()) } else { Err(self.damaged(format!("{count} {what} are too many"))) }
    }

    fn read_section(&self, header: &'a SectionHeader, symbols_first: u32) -> Result<Section<'a>, LinkError> {
        let name = self.sections.section_name(LE, header).map_err(|e| self.damaged(e.to_string()))?;
        let (kind, flags) = (header.sh_type(LE).0, header.sh_flags(LE).0);
        let role = self.role(name, kind, flags)?;
        let mut section = Section {
            object: self.id,
            name,
            role,
            kind,
            flags,
            align: header.sh_addralign(LE).max(1),
            entry_len: header.sh_entsize(LE),
            len: header.sh_size(LE),
            data: &[],
            relocs: Cow::Borrowed(&[]),
            symbols_first,
            described: None,
            group: None,
        };
        if role != Role::Nothing {
            self.check_section(&section)?;
        }
        if role != Role::Nothing && kind != sh::NOBITS {
            section.data = header.data(LE, self.bytes).map_err(|e| self.damaged(format!("{}: {e}", text(name))))?;
        }
        Ok(section)
    }

    /// What a section is for, by its type and flags; by name only where ELF has no other mark.
    fn role(&self, name: &[u8], kind: u32, flags: u64) -> Result<Role, LinkError> {
        if kind == sh::REL || kind == sh::CREL {
            return Err(self.unsupported(name, "relocations without addends or in compact form: generate SHT_RELA"));
        }
        if name == b".note.GNU-split-stack" {
            return Err(
                self.unsupported(name, "split stacks need a runtime that grows them: compile without -fsplit-stack")
            );
        }
        if name == b".note.GNU-stack" && flags & sh::EXECINSTR != 0 {
            return Err(
                self.unsupported(name, "an executable stack: compile without nested functions whose address is taken")
            );
        }
        if matches!(name, USES | FALLBACKS) && kind == sh::PROGBITS {
            return Ok(Role::Guards);
        }
        if flags & sh::EXCLUDE != 0 {
            return Ok(Role::Nothing);
        }
        if flags & sh::ALLOC != 0 {
            return self.loaded_role(name, kind);
        }
        let kept = kind == sh::PROGBITS && (name.starts_with(b".debug_") || name == b".comment");
        Ok(if kept { Role::Debug } else { Role::Nothing })
    }

    fn loaded_role(&self, name: &[u8], kind: u32) -> Result<Role, LinkError> {
        match kind {
            // Promises, which the image gets a note of its own for, and a second form of unwind records, which nothing reads.
            _ if name == b".note.gnu.property" || name == b".sframe" => Ok(Role::Nothing),
            sh::PROGBITS | sh::X86_64_UNWIND if name == b".eh_frame" => Ok(Role::Unwind),
            sh::PROGBITS | sh::NOTE | sh::NOBITS | sh::INIT_ARRAY | sh::FINI_ARRAY | sh::PREINIT_ARRAY => {
                Ok(Role::Loaded)
            }
            _ => Err(self.unsupported(name, "a loaded section of a type that images do not have")),
        }
    }

    fn check_section(&self, section: &Section<'_>) -> Result<(), LinkError> {
        let name = section.name;
        if !section.align.is_power_of_two() {
            return Err(self.damaged(format!("{}: alignment {} is no power of two", text(name), section.align)));
        }
        if section.is_zeros() && section.len > ZEROS_LEN_MAX {
            return Err(LinkError::TooLarge { what: "zeros", len: section.len, max: ZEROS_LEN_MAX });
        }
        if section.align > PAGE && (section.is(sh::TLS) || section.role == Role::Debug) {
            return Err(
                self.unsupported(name, "an alignment beyond a page, which only ordinary data and code may have")
            );
        }
        if section.align > ALIGN_MAX {
            return Err(LinkError::TooLarge { what: "alignment", len: section.align, max: ALIGN_MAX });
        }
        if section.role == Role::Debug {
            return Ok(());
        }
        if section.is(sh::COMPRESSED) {
            return Err(self.damaged(format!("{}: compressed, as only debug information may be", text(name))));
        }
        let (write, execute) = (section.is(sh::WRITE), section.is(sh::EXECINSTR));
        if execute && (write || section.is_zeros() || section.is(sh::TLS)) {
            return Err(self.unsupported(name, "writable code: images are never writable and executable at once"));
        }
        if matches!(name, b".init" | b".fini") && section.len > 0 {
            return Err(self.unsupported(name, "code that is run by position: use constructor functions"));
        }
        Ok(())
    }

    fn linked(&self, header: &SectionHeader, first: usize) -> Result<Option<SectionId>, LinkError> {
        match header.sh_link(LE) as usize {
            0 => Ok(None),
            link if link < self.sections.len() => Ok(Some(SectionId::from_index(first + link))),
            _ => Err(self.damaged("a section is linked to one that does not exist")),
        }
    }

    fn read_symbols(&self, inputs: &mut Inputs<'a>) -> Result<(), LinkError> {
        self.fits_table("symbols", inputs.symbols.len() + self.symbols.len())?;
        let sections_first = inputs.sections.len() - self.sections.len();
        if self.symbols.is_empty() {
            // Relocations and groups name the null symbol, whether or not there is a table.
            inputs.symbols.push(self.null_symbol());
        }
        for (index, symbol) in self.symbols.enumerate() {
            let read = if index.0 == 0 {
                self.null_symbol()
            } else {
                self.read_symbol(inputs, sections_first, index, symbol)?
            };
            inputs.symbols.push(read);
        }
        Ok(())
    }

    fn null_symbol(&self) -> Symbol<'a> {
        Symbol {
            object: self.id,
            name: b"",
            place: Place::Absolute,
            value: 0,
            len: 0,
            kind: 0,
            binding: Binding::Local,
            visibility: Visibility::Default,
        }
    }

    fn read_symbol(
        &self,
        inputs: &Inputs<'a>,
        sections_first: usize,
        index: SymbolIndex,
        symbol: &Sym64<LE>,
    ) -> Result<Symbol<'a>, LinkError> {
        let name = self.symbol_name(symbol)?;
        let place = self.place(sections_first, index, symbol)?;
        let read = Symbol {
            object: self.id,
            name: unversioned(name, place),
            place,
            value: symbol.st_value.get(LE),
            len: symbol.st_size.get(LE),
            kind: symbol.st_type().0,
            binding: self.binding(name, symbol.st_bind().0)?,
            visibility: match symbol.st_visibility().0 {
                0 => Visibility::Default,
                3 => Visibility::Protected,
                _ => Visibility::Hidden,
            },
        };
        self.check_symbol(inputs, &read)?;
        Ok(read)
    }

    fn symbol_name(&self, symbol: &Sym64<LE>) -> Result<&'a [u8], LinkError> {
        match self.symbols.symbol_name(LE, symbol) {
            Ok(SLIM) => {
                let what = "it holds intermediate code for gcc's own linker only: compile without -flto, or with \
                            -ffat-lto-objects";
                Err(LinkError::NotAnObject { object: self.name.into(), what: what.to_owned() })
            }
            name => name.map_err(|e| self.damaged(e.to_string())),
        }
    }

    /// gABI "Symbol Table", special section indices.
    fn place(&self, sections_first: usize, index: SymbolIndex, symbol: &Sym64<LE>) -> Result<Place, LinkError> {
        const COMMON: u16 = 0xfff2;
        const LARGE_COMMON: u16 = 0xff02;
        let section = match symbol.st_shndx.get(LE).0 {
            0 => return Ok(Place::Undefined),
            0xfff1 => return Ok(Place::Absolute),
            COMMON => return Ok(Place::Common { large: false }),
            LARGE_COMMON => return Ok(Place::Common { large: true }),
            0xffff => {
                self.symbols.shndx(LE, index).ok_or_else(|| self.damaged("a symbol has no section index"))? as usize
            }
            other if other < 0xff00 => usize::from(other),
            other => return Err(self.damaged(format!("a symbol lies in the reserved section {other:#x}"))),
        };
        match section {
            0 => Ok(Place::Undefined),
            _ if section < self.sections.len() => Ok(Place::Section(SectionId::from_index(sections_first + section))),
            _ => Err(self.damaged(format!("a symbol lies in section {section}, which does not exist"))),
        }
    }

    fn binding(&self, name: &[u8], binding: u8) -> Result<Binding, LinkError> {
        match binding {
            0 => Ok(Binding::Local),
            1 => Ok(Binding::Global),
            2 | 10 => Ok(Binding::Weak),
            other => Err(self.damaged(format!("symbol {} has the unknown binding {other}", text(name)))),
        }
    }

    fn check_symbol(&self, inputs: &Inputs<'a>, symbol: &Symbol<'a>) -> Result<(), LinkError> {
        match symbol.place {
            Place::Undefined if symbol.binding == Binding::Local => {
                Err(self.damaged(format!("symbol {} is local and undefined", text(symbol.name))))
            }
            Place::Common { .. } if symbol.binding == Binding::Local => {
                Err(self.damaged(format!("symbol {} is local and common", text(symbol.name))))
            }
            Place::Undefined if symbol.name.is_empty() => Err(self.damaged("an undefined symbol has no name")),
            Place::Common { .. } if !symbol.value.is_power_of_two() || symbol.len > ZEROS_LEN_MAX => {
                Err(self.damaged(format!("common symbol {} has no usable size and alignment", text(symbol.name))))
            }
            Place::Common { .. } if symbol.value > ALIGN_MAX => {
                Err(LinkError::TooLarge { what: "alignment", len: symbol.value, max: ALIGN_MAX })
            }
            Place::Section(section) => self.check_defined(inputs.section(section), symbol),
            _ => Ok(()),
        }
    }

    fn check_defined(&self, section: &Section<'a>, symbol: &Symbol<'a>) -> Result<(), LinkError> {
        if symbol.kind == stt::GNU_IFUNC && !section.is(sh::EXECINSTR) {
            return Err(self.damaged(format!("the resolver of {} is no code", text(symbol.name))));
        }
        if section.role == Role::Nothing {
            return Ok(());
        }
        if symbol.value > section.len {
            return Err(self.damaged(format!("symbol {} lies outside of its section", text(symbol.name))));
        }
        if symbol.is_thread_local() && !section.is(sh::TLS) {
            return Err(self.damaged(format!("symbol {} is thread-local, its section is not", text(symbol.name))));
        }
        Ok(())
    }

    fn read_relocations_and_groups(&self, inputs: &mut Inputs<'a>) -> Result<(), LinkError> {
        let first = inputs.sections.len() - self.sections.len();
        for (index, header) in self.sections.enumerate() {
            match header.sh_type(LE).0 {
                sh::RELA => self.read_relocations(inputs, first, header)?,
                sh::GROUP => self.read_group(inputs, first, header)?,
                sh::SYMTAB if index != self.symbols.section() => return Err(self.damaged("it has two symbol tables")),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_relocations(
        &self,
        inputs: &mut Inputs<'a>,
        first: usize,
        header: &'a SectionHeader,
    ) -> Result<(), LinkError> {
        let target = header.sh_info(LE) as usize;
        if target == 0 || target >= self.sections.len() {
            return Err(self.damaged("relocations for a section that does not exist"));
        }
        let section = &mut inputs.sections[first + target];
        if section.role == Role::Nothing {
            return Ok(());
        }
        let Some((relocs, _)) = header.rela(LE, self.bytes).map_err(|e| self.damaged(e.to_string()))? else {
            return Ok(());
        };
        let symbol_count = self.symbols.len().max(1);
        if relocs.iter().any(|rela| rela.r_sym(LE, false) as usize >= symbol_count) {
            return Err(self.damaged(format!("{}: a relocation's symbol does not exist", text(section.name))));
        }
        if section.relocs.is_empty() {
            section.relocs = Cow::Borrowed(relocs);
        } else {
            section.relocs.to_mut().extend_from_slice(relocs);
        }
        sort_by_offset(&mut section.relocs);
        Ok(())
    }

    fn read_group(&self, inputs: &mut Inputs<'a>, first: usize, header: &'a SectionHeader) -> Result<(), LinkError> {
        let damaged = |e: object::Error| self.damaged(e.to_string());
        let Some((flags, members)) = header.group(LE, self.bytes).map_err(damaged)? else { return Ok(()) };
        let id = GroupId::from_index(inputs.groups.len());
        let mut group =
            Group { signature: self.signature(inputs, first, header)?, comdat: flags.0 & 1 != 0, members: Vec::new() };
        for member in members {
            let index = member.get(LE) as usize;
            if index == 0 || index >= self.sections.len() {
                return Err(self.damaged("a group has a member that does not exist"));
            }
            inputs.sections[first + index].group = Some(id);
            group.members.push(SectionId::from_index(first + index));
        }
        inputs.groups.push(group);
        Ok(())
    }

    /// The group's name: that of its symbol, or of the section if that symbol stands for one.
    fn signature(&self, inputs: &Inputs<'a>, first: usize, header: &SectionHeader) -> Result<&'a [u8], LinkError> {
        let index = header.sh_info(LE) as usize;
        if index == 0 || index >= self.symbols.len() {
            return Err(self.damaged("a group's symbol does not exist"));
        }
        let symbols_first = inputs.sections[first].symbols_first as usize;
        let symbol = &inputs.symbols[symbols_first + index];
        match symbol.place {
            Place::Section(section) if symbol.kind == stt::SECTION => Ok(inputs.section(section).name),
            _ => Ok(symbol.name),
        }
    }
}

/// A definition of `f@@V1` is what `f` means to all who name no version.
fn unversioned(name: &[u8], place: Place) -> &[u8] {
    match name.windows(2).position(|pair| pair == b"@@") {
        Some(at) if at > 0 && place != Place::Undefined => &name[..at],
        _ => name,
    }
}

/// Debug information that is compressed can't be relocated, and the rest of it is of no use without: all of the object's is left out.
fn drop_compressed_debug(sections: &mut [Section<'_>]) -> usize {
    let debug = |section: &Section<'_>| section.role == Role::Debug && section.name.starts_with(b".debug_");
    if !sections.iter().any(|section| debug(section) && section.is(sh::COMPRESSED)) {
        return 0;
    }
    let dropped = sections.iter_mut().filter(|section| debug(section));
    dropped.map(|section| section.role = Role::Nothing).count()
}

/// Assemblers write relocations in order; nothing says that they must.
fn sort_by_offset(relocs: &mut Cow<'_, [Rela]>) {
    if !relocs.is_sorted_by_key(|rela| rela.r_offset.get(LE)) {
        relocs.to_mut().sort_by_key(|rela| rela.r_offset.get(LE));
    }
}
