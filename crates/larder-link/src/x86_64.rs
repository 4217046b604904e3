//! x86-64: what each relocation asks for, and how an image answers.
//!
//! Letters are the psABI's: S the symbol, A the addend, P the place, G the symbol's slot, GOT the start of the slots, L the symbol or its
//! call stub, Z its size. An image knows every distance inside itself and no address, so `S + A` can only be left to the loader, in a
//! writable word; everything else must come out as a distance. What does not is refused by [`action`], with what to do about it.
//!
//! Sequences that reach thread-local variables are rewritten in `x86_64/local_exec.rs`.
//!
//! To add a relocation kind: a row in [`KINDS`], and if its formula is new, an arm in [`action`] and one in `relocate.rs`.

mod local_exec;

pub(crate) use local_exec::LocalExec;

/// What a relocation computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formula {
    Nothing,
    /// S + A
    Absolute,
    /// S + A - P
    Relative,
    /// L + A - P
    Call,
    /// G + A - P
    Slot,
    /// The same, in an instruction that may be rewritten.
    SlotRelaxable,
    /// S + A - GOT
    FromGot,
    /// L + A - GOT
    CallFromGot,
    /// GOT + A - P
    Got,
    /// G + A - GOT
    SlotFromGot,
    /// Z + A
    Size,
    /// The symbol's module and offset pair, + A - P
    ThreadPair,
    /// The image's module and offset pair, + A - P
    ThreadBlock,
    /// Offset in the thread's block + A
    ThreadOffset,
    /// Distance from the thread pointer + A
    ThreadDistance,
    /// Slot with the distance from the thread pointer + A - P
    ThreadDistanceSlot,
    /// The symbol's TLS descriptor + A - P
    Descriptor,
    /// Marks the call of a descriptor's function.
    DescriptorCall,
    /// Never in an object, or nothing an image can do.
    Refused(&'static str),
}

/// The field a relocation fills, and the numbers that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// No field: the relocation marks an instruction.
    Nothing,
    /// 8 bits, signed or unsigned.
    Byte,
    /// 8 bits, signed.
    SignedByte,
    /// 16 bits, signed or unsigned.
    Half,
    /// 16 bits, signed.
    SignedHalf,
    /// 32 bits, signed.
    Signed,
    /// 32 bits, unsigned.
    Unsigned,
    /// 64 bits.
    Word,
}

impl Width {
    /// Bytes of the field.
    pub(crate) fn len(self) -> usize {
        match self {
            Width::Nothing => 0,
            Width::Byte | Width::SignedByte => 1,
            Width::Half | Width::SignedHalf => 2,
            Width::Signed | Width::Unsigned => 4,
            Width::Word => 8,
        }
    }

    /// Whether the field holds the number.
    pub(crate) fn fits(self, value: i64) -> bool {
        match self {
            Width::Byte => (-0x80..0x100).contains(&value),
            Width::SignedByte => i8::try_from(value).is_ok(),
            Width::Half => (-0x8000..0x1_0000).contains(&value),
            Width::SignedHalf => i16::try_from(value).is_ok(),
            Width::Signed => i32::try_from(value).is_ok(),
            Width::Unsigned => u32::try_from(value).is_ok(),
            Width::Word | Width::Nothing => true,
        }
    }
}

/// One kind of relocation.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The psABI's name.
    pub(crate) name: &'static str,
    pub(crate) width: Width,
    pub(crate) formula: Formula,
}

const fn kind(name: &'static str, width: Width, formula: Formula) -> Kind {
    Kind { name, width, formula }
}

const DYNAMIC: Formula = Formula::Refused("it belongs in a linked file, not in an object");
const UNKNOWN: Formula = Formula::Refused("it is unknown");
const GOT_32: Formula = Formula::Refused("a 32-bit slot offset is not position-independent: compile with -fPIC");

/// psABI x86-64, "Relocation Types"; the index is the number.
static KINDS: [Kind; 52] = [
    kind("R_X86_64_NONE", Width::Word, Formula::Nothing),
    kind("R_X86_64_64", Width::Word, Formula::Absolute),
    kind("R_X86_64_PC32", Width::Signed, Formula::Relative),
    kind("R_X86_64_GOT32", Width::Signed, GOT_32),
    kind("R_X86_64_PLT32", Width::Signed, Formula::Call),
    kind("R_X86_64_COPY", Width::Word, DYNAMIC),
    kind("R_X86_64_GLOB_DAT", Width::Word, DYNAMIC),
    kind("R_X86_64_JUMP_SLOT", Width::Word, DYNAMIC),
    kind("R_X86_64_RELATIVE", Width::Word, DYNAMIC),
    kind("R_X86_64_GOTPCREL", Width::Signed, Formula::Slot),
    kind("R_X86_64_32", Width::Unsigned, Formula::Absolute),
    kind("R_X86_64_32S", Width::Signed, Formula::Absolute),
    kind("R_X86_64_16", Width::Half, Formula::Absolute),
    kind("R_X86_64_PC16", Width::SignedHalf, Formula::Relative),
    kind("R_X86_64_8", Width::Byte, Formula::Absolute),
    kind("R_X86_64_PC8", Width::SignedByte, Formula::Relative),
    kind("R_X86_64_DTPMOD64", Width::Word, DYNAMIC),
    kind("R_X86_64_DTPOFF64", Width::Word, Formula::ThreadOffset),
    kind("R_X86_64_TPOFF64", Width::Word, Formula::ThreadDistance),
    kind("R_X86_64_TLSGD", Width::Signed, Formula::ThreadPair),
    kind("R_X86_64_TLSLD", Width::Signed, Formula::ThreadBlock),
    kind("R_X86_64_DTPOFF32", Width::Signed, Formula::ThreadOffset),
    kind("R_X86_64_GOTTPOFF", Width::Signed, Formula::ThreadDistanceSlot),
    kind("R_X86_64_TPOFF32", Width::Signed, Formula::ThreadDistance),
    kind("R_X86_64_PC64", Width::Word, Formula::Relative),
    kind("R_X86_64_GOTOFF64", Width::Word, Formula::FromGot),
    kind("R_X86_64_GOTPC32", Width::Signed, Formula::Got),
    kind("R_X86_64_GOT64", Width::Word, Formula::SlotFromGot),
    kind("R_X86_64_GOTPCREL64", Width::Word, Formula::Slot),
    kind("R_X86_64_GOTPC64", Width::Word, Formula::Got),
    kind("R_X86_64_GOTPLT64", Width::Word, Formula::SlotFromGot),
    kind("R_X86_64_PLTOFF64", Width::Word, Formula::CallFromGot),
    kind("R_X86_64_SIZE32", Width::Unsigned, Formula::Size),
    kind("R_X86_64_SIZE64", Width::Word, Formula::Size),
    kind("R_X86_64_GOTPC32_TLSDESC", Width::Signed, Formula::Descriptor),
    kind("R_X86_64_TLSDESC_CALL", Width::Nothing, Formula::DescriptorCall),
    kind("R_X86_64_TLSDESC", Width::Word, DYNAMIC),
    kind("R_X86_64_IRELATIVE", Width::Word, DYNAMIC),
    kind("R_X86_64_RELATIVE64", Width::Word, DYNAMIC),
    kind("R_X86_64_PC32_BND", Width::Signed, Formula::Relative),
    kind("R_X86_64_PLT32_BND", Width::Signed, Formula::Call),
    kind("R_X86_64_GOTPCRELX", Width::Signed, Formula::SlotRelaxable),
    kind("R_X86_64_REX_GOTPCRELX", Width::Signed, Formula::SlotRelaxable),
    kind("R_X86_64_CODE_4_GOTPCRELX", Width::Signed, Formula::SlotRelaxable),
    kind("R_X86_64_CODE_4_GOTTPOFF", Width::Signed, Formula::ThreadDistanceSlot),
    kind("R_X86_64_CODE_4_GOTPC32_TLSDESC", Width::Signed, Formula::Descriptor),
    kind("R_X86_64_CODE_5_GOTPCRELX", Width::Signed, Formula::Slot),
    kind("R_X86_64_CODE_5_GOTTPOFF", Width::Signed, Formula::ThreadDistanceSlot),
    kind("R_X86_64_CODE_5_GOTPC32_TLSDESC", Width::Signed, Formula::Descriptor),
    kind("R_X86_64_CODE_6_GOTPCRELX", Width::Signed, Formula::Slot),
    kind("R_X86_64_CODE_6_GOTTPOFF", Width::Signed, Formula::ThreadDistanceSlot),
    kind("R_X86_64_CODE_6_GOTPC32_TLSDESC", Width::Signed, Formula::Descriptor),
];

static UNKNOWN_KIND: Kind = kind("a relocation", Width::Word, UNKNOWN);

/// The relocation of that number.
#[inline]
pub(crate) fn kind_of(number: u32) -> &'static Kind {
    KINDS.get(number as usize).unwrap_or(&UNKNOWN_KIND)
}

/// What a symbol is to the place that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It has a place in the image.
    Image,
    /// It is a function of the image that is chosen when that is loaded.
    Indirect,
    /// It is a thread-local variable of the image.
    Thread,
    /// It is a number.
    Absolute,
    /// It is a weak name that means null.
    Null,
    /// The host provides it.
    Import,
    /// The host would have to provide a thread-local variable.
    ImportThread,
    /// Only this image could have defined it, and it does not.
    Missing,
    /// It was in a section that is not part of the image.
    Gone,
}

/// Where a relocation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Code.
    Code,
    /// Data, which can be made writable for the loader if it isn't.
    Data,
    /// Unwind records, which can't.
    Unwind,
    /// Data that is not loaded.
    Debug,
}

/// A relocation's surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) ground: Ground,
    /// Bytes of the section.
    pub(crate) bytes: &'a [u8],
    /// Offset of the field.
    pub(crate) offset: usize,
    pub(crate) addend: i64,
    /// Whether the image is small enough for every distance in it to fit 32 bits.
    pub(crate) relax: bool,
    /// Whether the image's thread-local block has a fixed distance from the thread pointer.
    pub(crate) static_block: bool,
}

/// How a relocation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// S + A, a number.
    Number,
    /// S + A, to which the loader adds the image's address.
    Rebased,
    /// A, to which the loader adds the import's address.
    Bound,
    /// S + A - P
    Relative,
    /// Call stub + A - P
    RelativeToStub,
    /// Slot + A - P
    RelativeToSlot,
    /// Slot of what an indirect function has become + A - P
    RelativeToChosen,
    /// The instruction is rewritten to do without the slot; S + A - P.
    Relaxed(Relaxation),
    /// `lea x(%rip), %reg` is rewritten to `mov slot(%rip), %reg`; slot + A - P.
    Loaded,
    /// The variable has to have its place in the image: then this is asked again.
    NeedsCopy,
    /// S + A - GOT
    FromGot,
    /// Call stub + A - GOT
    StubFromGot,
    /// GOT + A - P
    Got,
    /// Slot + A - GOT
    SlotFromGot,
    /// Z + A
    Size,
    /// Pair of the variable + A - P
    ThreadPair,
    /// Pair of the block + A - P
    ThreadBlock,
    /// Offset in the block + A
    ThreadOffset,
    /// Distance from the thread pointer + A
    ThreadDistance,
    /// Slot with the distance from the thread pointer + A - P
    ThreadDistanceSlot,
    /// Descriptor of the variable + A - P
    Descriptor,
    /// The instructions are rewritten to local exec; distance of the variable from the thread pointer.
    LocalExec(LocalExec),
    /// The image's block has to have a fixed distance from the thread pointer: then this is asked again.
    NeedsStaticBlock,
    /// The value that debuggers take for "not there".
    Tombstone,
}

pub(crate) const NEEDS_PIC: &str = "the distance to an external is unknown until it is bound: compile with -fPIC";
const THREAD: &str = "a thread-local variable is used like an ordinary one";
const IMPORT_OFFSET: &str = "only the image that defines a thread-local variable knows its offset: compile with -fPIC or -ftls-model=initial-exec";
const ODD_DESCRIPTOR: &str =
    "the instruction at a TLS descriptor is none that can become local exec: compile with -mtls-dialect=gnu";
const NOT_THREAD: &str = "an ordinary symbol is used like a thread-local variable";
const ABSOLUTE: &str =
    "the distance to an absolute symbol depends on where the image is mapped: load its value instead";
const MISSING: &str = "the symbol is hidden, so one of the objects must define it, and none does";
const GONE: &str =
    "the symbol's section is not part of the image: it is not loaded, or another object's COMDAT group took its place";

/// What is to be done for a relocation of that kind, or why nothing can be.
pub(crate) fn action(kind: &Kind, site: &Site<'_>, reach: Reach) -> Result<Action, &'static str> {
    if let Formula::Refused(reason) = kind.formula {
        return Err(reason);
    }
    if kind.formula == Formula::Nothing {
        return Ok(Action::Nothing);
    }
    if site.bytes.len().checked_sub(kind.width.len()).is_none_or(|last| site.offset > last) {
        return Err("it lies outside of its section: the object is damaged");
    }
    if site.ground == Ground::Debug {
        return debug_action(kind, reach);
    }
    match (kind.formula, reach) {
        (Formula::Got, _) => Ok(Action::Got),
        (Formula::ThreadBlock, _) => Ok(Action::ThreadBlock),
        (_, Reach::Gone) => Err(GONE),
        (_, Reach::Missing) => Err(MISSING),
        (Formula::Size, Reach::Import | Reach::ImportThread) => Err("the size of an external is unknown"),
        (Formula::Size, _) => Ok(Action::Size),
        (_, Reach::Thread | Reach::ImportThread) => thread_action(kind.formula, site, reach == Reach::Thread),
        (
            Formula::ThreadPair
            | Formula::ThreadOffset
            | Formula::ThreadDistance
            | Formula::ThreadDistanceSlot
            | Formula::Descriptor
            | Formula::DescriptorCall,
            _,
        ) => Err(NOT_THREAD),
        (Formula::Absolute, _) => absolute_action(kind, site, reach),
        (Formula::Relative, _) => relative_action(kind, site, reach),
        (Formula::Call, Reach::Import | Reach::Indirect) => Ok(Action::RelativeToStub),
        (Formula::Call, Reach::Absolute) => Err(ABSOLUTE),
        (Formula::Call, _) => Ok(Action::Relative),
        (Formula::Slot | Formula::SlotRelaxable, Reach::Indirect) if is_indirect_call(site) => {
            Ok(Action::RelativeToChosen)
        }
        (Formula::SlotRelaxable, Reach::Image | Reach::Indirect) => {
            Ok(relaxation(site).map_or(Action::RelativeToSlot, Action::Relaxed))
        }
        (Formula::Slot | Formula::SlotRelaxable, _) => Ok(Action::RelativeToSlot),
        (Formula::SlotFromGot, _) => Ok(Action::SlotFromGot),
        (Formula::CallFromGot, Reach::Import) | (Formula::FromGot | Formula::CallFromGot, Reach::Indirect) => {
            Ok(Action::StubFromGot)
        }
        (Formula::FromGot | Formula::CallFromGot, Reach::Image) => Ok(Action::FromGot),
        (Formula::FromGot, Reach::Import) => Err(NEEDS_PIC),
        (Formula::FromGot | Formula::CallFromGot, _) => Err(ABSOLUTE),
        (Formula::Nothing | Formula::Refused(_), _) => Ok(Action::Nothing),
    }
}

/// What is to be done to reach a thread-local variable, the image's own or somebody else's.
fn thread_action(formula: Formula, site: &Site<'_>, own: bool) -> Result<Action, &'static str> {
    let local_exec = if own && site.static_block { LocalExec::of(formula, site) } else { None };
    if let Some(rewrite) = local_exec {
        return Ok(Action::LocalExec(rewrite));
    }
    match formula {
        Formula::ThreadPair => Ok(Action::ThreadPair),
        Formula::ThreadOffset | Formula::ThreadDistance if !own => Err(IMPORT_OFFSET),
        Formula::ThreadOffset => Ok(Action::ThreadOffset),
        Formula::ThreadDistance | Formula::ThreadDistanceSlot if own && !site.static_block => {
            Ok(Action::NeedsStaticBlock)
        }
        Formula::ThreadDistance => Ok(Action::ThreadDistance),
        Formula::ThreadDistanceSlot => Ok(Action::ThreadDistanceSlot),
        Formula::Descriptor | Formula::DescriptorCall if own && site.static_block => Err(ODD_DESCRIPTOR),
        Formula::Descriptor => Ok(Action::Descriptor),
        Formula::DescriptorCall => Ok(Action::Nothing),
        _ => Err(THREAD),
    }
}

/// Offset of a field that an action at `offset` fills along with its own, so that the field's relocation asks for nothing more.
pub(crate) fn swallowed(action: Action, offset: u64) -> Option<u64> {
    match action {
        Action::LocalExec(rewrite) => rewrite.swallowed(offset),
        _ => None,
    }
}

/// Debug information has no place in memory: addresses in it are image offsets, and imports have none.
fn debug_action(kind: &Kind, reach: Reach) -> Result<Action, &'static str> {
    match (kind.formula, reach) {
        (_, Reach::Gone | Reach::Missing) => Ok(Action::Tombstone),
        (Formula::Absolute, Reach::Import | Reach::ImportThread | Reach::Null) => Ok(Action::Tombstone),
        (Formula::Absolute, Reach::Thread) | (Formula::ThreadOffset, Reach::Thread) => Ok(Action::ThreadOffset),
        (Formula::ThreadOffset, Reach::ImportThread | Reach::Import) => Ok(Action::Tombstone),
        (Formula::Absolute, _) => Ok(Action::Number),
        (Formula::Relative, Reach::Image | Reach::Indirect) => Ok(Action::Relative),
        (Formula::Size, Reach::Image | Reach::Indirect | Reach::Thread) => Ok(Action::Size),
        _ => Err("it has no meaning in debug information"),
    }
}

fn absolute_action(kind: &Kind, site: &Site<'_>, reach: Reach) -> Result<Action, &'static str> {
    if matches!(reach, Reach::Absolute | Reach::Null) {
        return Ok(Action::Number);
    }
    match site.ground {
        _ if kind.width != Width::Word => Err("an address in fewer than 64 bits: compile with -fPIC"),
        Ground::Code => Err("an absolute address in code, which no loader may write to: compile with -fPIC"),
        Ground::Unwind => {
            Err("an absolute address in unwind records, which no loader may write to: compile with -fPIC")
        }
        _ if reach == Reach::Import => Ok(Action::Bound),
        _ => Ok(Action::Rebased),
    }
}

fn relative_action(kind: &Kind, site: &Site<'_>, reach: Reach) -> Result<Action, &'static str> {
    match reach {
        Reach::Image => Ok(Action::Relative),
        Reach::Indirect => Ok(Action::RelativeToStub),
        // Unwind records name nothing but functions, and a stub does as well as the function.
        Reach::Import if is_branch(site) || site.ground == Ground::Unwind => Ok(Action::RelativeToStub),
        Reach::Null if is_branch(site) => Ok(Action::Relative),
        Reach::Import if is_address_load(site) => Ok(Action::Loaded),
        Reach::Import if site.ground == Ground::Code && kind.width == Width::Signed => Ok(Action::NeedsCopy),
        Reach::Import | Reach::Null => Err(NEEDS_PIC),
        _ => Err(ABSOLUTE),
    }
}

/// Whether the field is the target of `call`, `jmp` or `jcc`, whose old relocation does not tell them from `lea`.
fn is_branch(site: &Site<'_>) -> bool {
    let before = |distance| site.offset.checked_sub(distance).and_then(|at| site.bytes.get(at)).copied();
    site.ground == Ground::Code
        && (matches!(before(1), Some(0xe8 | 0xe9))
            || (before(2) == Some(0x0f) && matches!(before(1), Some(0x80..=0x8f))))
}

/// Whether the field is that of `lea x(%rip), %reg` with a 64-bit register, which can become a `mov` of the same length.
fn is_address_load(site: &Site<'_>) -> bool {
    let start = site.offset.checked_sub(3).and_then(|start| site.bytes.get(start..site.offset));
    let lea = matches!(start, Some([0x48..=0x4f, 0x8d, modrm]) if modrm & 0xc7 == 0x05);
    site.ground == Ground::Code && site.addend == -4 && lea && !is_permutation(site)
}

/// Whether the bytes can be `vpermb x(%rip), %zmm, %zmm`, whose opcode is that of `lea` and whose last byte of prefix looks like REX.
fn is_permutation(site: &Site<'_>) -> bool {
    let prefix = site.offset.checked_sub(6).and_then(|start| site.bytes.get(start..site.offset));
    matches!(prefix, Some([0x62, map, kind, ..]) if map & 7 == 2 && kind & 7 == 5)
}

/// `lea x(%rip), %reg` → `mov slot(%rip), %reg`, with the field's new value. `None` if that does not fit.
pub(crate) fn load_address(bytes: &mut [u8], offset: usize, value: i64) -> Option<()> {
    let instruction = bytes.get_mut(offset.checked_sub(2)?..offset + 4)?;
    instruction[0] = 0x8b;
    instruction[2..].copy_from_slice(&i32::try_from(value).ok()?.to_le_bytes());
    Some(())
}

/// A rewrite of an instruction that went through a slot (psABI, "Optimize GOTPCRELX Relocations").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relaxation {
    /// `call *slot(%rip)` → `addr32 call f`
    Call,
    /// `jmp *slot(%rip)` → `jmp f; nop`
    Jump,
    /// `mov slot(%rip), %reg` → `lea x(%rip), %reg`
    Lea,
}

/// What the instruction around the field can become, if anything.
fn relaxation(site: &Site<'_>) -> Option<Relaxation> {
    let [opcode, modrm] = *site.bytes.get(site.offset.checked_sub(2)?..site.offset)? else { return None };
    if !site.relax || site.addend != -4 || site.ground != Ground::Code {
        return None;
    }
    match (opcode, modrm) {
        (0xff, 0x15) => Some(Relaxation::Call),
        (0xff, 0x25) => Some(Relaxation::Jump),
        (0x8b, modrm) if modrm & 0xc7 == 0x05 => Some(Relaxation::Lea),
        _ => None,
    }
}

/// Whether the slot at the field is only called or jumped through.
pub(crate) fn is_indirect_call(site: &Site<'_>) -> bool {
    let opcode = site.offset.checked_sub(2).and_then(|at| site.bytes.get(at..site.offset));
    site.ground == Ground::Code && matches!(opcode, Some([0xff, 0x15 | 0x25]))
}

impl Relaxation {
    /// Rewrites the instruction and its field; `value` is S + A - P. `None` if the distance does not fit.
    pub(crate) fn apply(self, bytes: &mut [u8], offset: usize, value: i64) -> Option<()> {
        let instruction = bytes.get_mut(offset.checked_sub(2)?..offset + 4)?;
        match self {
            Relaxation::Call => {
                instruction[..2].copy_from_slice(&[0x67, 0xe8]);
                instruction[2..].copy_from_slice(&i32::try_from(value).ok()?.to_le_bytes());
            }
            Relaxation::Jump => {
                // The field moves one byte towards the start, and with it the place the distance counts from.
                instruction[0] = 0xe9;
                instruction[1..5].copy_from_slice(&i32::try_from(value.checked_add(1)?).ok()?.to_le_bytes());
                instruction[5] = 0x90;
            }
            Relaxation::Lea => {
                instruction[0] = 0x8d;
                instruction[2..].copy_from_slice(&i32::try_from(value).ok()?.to_le_bytes());
            }
        }
        Some(())
    }
}

/// The two forms of call stubs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StubForm {
    /// `jmp *slot(%rip)`
    Plain,
    /// The same behind `endbr64`, where all code keeps that promise (CET).
    Marked,
}
/// What fills gaps in code: a trap.
pub(crate) const TRAP: u8 = 0xcc;

impl StubForm {
    /// Bytes of a stub.
    pub(crate) fn len(self) -> u64 {
        match self {
            StubForm::Plain => 8,
            StubForm::Marked => 16,
        }
    }

    /// The stub, filled up with a `nop`. `None` if the slot is too far away.
    pub(crate) fn bytes(self, stub: u64, slot: u64) -> Option<Vec<u8>> {
        let (mark, nop): (&[u8], &[u8]) = match self {
            StubForm::Plain => (&[], &[0x66, 0x90]),
            StubForm::Marked => (&[0xf3, 0x0f, 0x1e, 0xfa], &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00]),
        };
        let end = stub + mark.len() as u64 + 6;
        let distance = i32::try_from((slot as i64).checked_sub(end as i64)?).ok()?;
        Some([mark, &[0xff, 0x25], &distance.to_le_bytes(), nop].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(bytes: &[u8], addend: i64) -> Site<'_> {
        Site { ground: Ground::Code, bytes, offset: bytes.len() - 4, addend, relax: true, static_block: false }
    }

    #[test]
    fn only_instructions_that_can_do_without_a_slot_are_rewritten() {
        let table: &[(&[u8], i64, Option<Relaxation>)] = &[
            (&[0xff, 0x15, 0, 0, 0, 0], -4, Some(Relaxation::Call)),
            (&[0xff, 0x25, 0, 0, 0, 0], -4, Some(Relaxation::Jump)),
            (&[0x8b, 0x05, 0, 0, 0, 0], -4, Some(Relaxation::Lea)),
            (&[0x4c, 0x8b, 0x3d, 0, 0, 0, 0], -4, Some(Relaxation::Lea)),
            // Another addend means another word than the slot.
            (&[0x8b, 0x05, 0, 0, 0, 0], 4, None),
            // push, add, and a register's own address form have no direct counterpart.
            (&[0xff, 0x35, 0, 0, 0, 0], -4, None),
            (&[0x48, 0x03, 0x05, 0, 0, 0, 0], -4, None),
            (&[0x48, 0x8b, 0x80, 0, 0, 0, 0], -4, None),
            (&[0x05, 0, 0, 0, 0], -4, None),
        ];
        for (bytes, addend, expected) in table {
            assert_eq!(relaxation(&site(bytes, *addend)), *expected, "{bytes:x?} {addend}");
            assert_eq!(relaxation(&Site { relax: false, ..site(bytes, *addend) }), None, "{bytes:x?} in a large image");
            assert_eq!(relaxation(&Site { ground: Ground::Data, ..site(bytes, *addend) }), None, "{bytes:x?} in data");
        }
    }

    #[test]
    fn rewritten_instructions_reach_what_the_slot_held() {
        let table: &[(Relaxation, &[u8], i64, &[u8])] = &[
            (Relaxation::Call, &[0xff, 0x15, 9, 9, 9, 9], 0x100, &[0x67, 0xe8, 0, 1, 0, 0]),
            (Relaxation::Jump, &[0xff, 0x25, 9, 9, 9, 9], 0x100, &[0xe9, 1, 1, 0, 0, 0x90]),
            (Relaxation::Lea, &[0x8b, 0x05, 9, 9, 9, 9], -2, &[0x8d, 0x05, 0xfe, 0xff, 0xff, 0xff]),
        ];
        for (relaxation, before, value, after) in table {
            let mut bytes = before.to_vec();
            assert_eq!(relaxation.apply(&mut bytes, 2, *value), Some(()));
            assert_eq!(bytes, *after, "{relaxation:?}");
            assert_eq!(relaxation.apply(&mut bytes, 2, i64::from(i32::MAX) + 1), None);
            assert_eq!(relaxation.apply(&mut bytes, 1, 0), None, "no instruction begins before the section");
        }
    }

    #[test]
    fn fields_hold_what_their_width_says() {
        let table = [
            (Width::Byte, -0x80, 0xff),
            (Width::SignedByte, -0x80, 0x7f),
            (Width::Half, -0x8000, 0xffff),
            (Width::SignedHalf, -0x8000, 0x7fff),
            (Width::Signed, -0x8000_0000, 0x7fff_ffff),
            (Width::Unsigned, 0, 0xffff_ffff),
        ];
        for (width, least, greatest) in table {
            assert!(width.fits(least) && width.fits(greatest), "{width:?}");
            assert!(!width.fits(least - 1) && !width.fits(greatest + 1), "{width:?}");
        }
        assert!(Width::Word.fits(i64::MIN) && Width::Word.fits(i64::MAX));
    }

    #[test]
    fn a_stub_jumps_through_the_slot_behind_its_instruction() {
        let plain = vec![0xff, 0x25, 0x0a, 0x10, 0, 0, 0x66, 0x90];
        let marked = vec![0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0x06, 0x10, 0, 0, 0x66, 0x0f, 0x1f, 0x44, 0, 0];
        for (form, bytes) in [(StubForm::Plain, plain), (StubForm::Marked, marked)] {
            assert_eq!(bytes.len() as u64, form.len());
            assert_eq!(form.bytes(0x1000, 0x2010), Some(bytes));
            assert_eq!(form.bytes(0, 1 << 32), None);
        }
    }

    #[test]
    fn every_kind_has_the_number_of_its_row() {
        for (number, name) in [
            (1, "R_X86_64_64"),
            (24, "R_X86_64_PC64"),
            (36, "R_X86_64_TLSDESC"),
            (51, "R_X86_64_CODE_6_GOTPC32_TLSDESC"),
        ] {
            assert_eq!(kind_of(number).name, name);
        }
        assert_eq!(kind_of(52).formula, UNKNOWN);
    }
}
