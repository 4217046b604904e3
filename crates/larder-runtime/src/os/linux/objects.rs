//! The program and the libraries that the dynamic linker has loaded, as their own tables tell (System V gABI, "Dynamic Section").

use larder_format::image::PAGE;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An object in the order of loading, the program first. It may be unloaded unless whoever asks knows better.
#[derive(Debug)]
pub(crate) struct Object {
    /// What its own addresses are relative to.
    pub(crate) base: usize,
    /// The dynamic linker's number for its thread-local variables; 0 if it has none.
    pub(crate) thread_local_number: u64,
    /// Address of the calling thread's block of them; 0 if there is none (yet).
    pub(crate) thread_local_block: usize,
    name: *const c_char,
    headers: &'static [libc::Elf64_Phdr],
}

/// The file of the program or library that has an address, by the name that the dynamic linker has for it.
pub(crate) fn file_at(address: *const ()) -> Option<PathBuf> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: there is room for the answer.
    if unsafe { libc::dladdr(address.cast(), info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: it was answered.
    let name = unsafe { info.assume_init() }.dli_fname;
    if name.is_null() {
        return None;
    }
    // SAFETY: a string of the dynamic linker's, which stays as long as the code that was asked for: the caller's, as a rule.
    let name = unsafe { CStr::from_ptr(name) };
    Some(OsStr::from_bytes(name.to_bytes()).into())
}

/// `Elf64_Dyn`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dynamic {
    pub(crate) tag: i64,
    pub(crate) value: usize,
}

/// `Elf64_Sym`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    /// Binding in the high half, type in the low half.
    pub(crate) info: u8,
    pub(crate) other: u8,
    pub(crate) section: u16,
    pub(crate) value: usize,
    pub(crate) len: u64,
}

/// Tags of the dynamic section.
pub(crate) mod dt {
    pub(crate) const NULL: i64 = 0;
    pub(crate) const NEEDED: i64 = 1;
    pub(crate) const PLTRELSZ: i64 = 2;
    pub(crate) const STRTAB: i64 = 5;
    pub(crate) const SYMTAB: i64 = 6;
    pub(crate) const RELA: i64 = 7;
    pub(crate) const RELASZ: i64 = 8;
    pub(crate) const STRSZ: i64 = 10;
    pub(crate) const SYMENT: i64 = 11;
    pub(crate) const SONAME: i64 = 14;
    pub(crate) const JMPREL: i64 = 23;
    pub(crate) const INIT_ARRAY: i64 = 25;
    pub(crate) const INIT_ARRAYSZ: i64 = 27;
    pub(crate) const GNU_HASH: i64 = 0x6fff_fef5;
    pub(crate) const VERSYM: i64 = 0x6fff_fff0;
    pub(crate) const FLAGS_1: i64 = 0x6fff_fffb;
}

/// All objects of the namespace that this code is part of.
pub(crate) fn loaded_objects() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::with_capacity(8);
    // SAFETY: the function takes a list of that type, and the call ends before the list does.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut objects).cast()) };
    objects
}

unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: libc::size_t, objects: *mut c_void) -> c_int {
    // SAFETY: it is the list that `loaded_objects` passes.
    let objects = unsafe { &mut *objects.cast::<Vec<Object>>() };
    // SAFETY: the dynamic linker passes a description that is valid during the call.
    let info = unsafe { &*info };
    // SAFETY: it says where the program headers are, and how many; they stay as long as the object does.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    objects.push(Object {
        base: info.dlpi_addr as usize,
        thread_local_number: info.dlpi_tls_modid as u64,
        thread_local_block: info.dlpi_tls_data as usize,
        name: info.dlpi_name,
        headers,
    });
    0
}

impl Object {
    /// Its path as it was found; empty for the program.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: the dynamic linker's string lives as long as the object.
        unsafe { CStr::from_ptr(self.name) }
    }

    /// Its first program header of that kind.
    pub(crate) fn header(&self, kind: u32) -> Option<&'static libc::Elf64_Phdr> {
        self.headers.iter().find(|header| header.p_type == kind)
    }

    /// The segment that an address lies in, if it is loaded.
    pub(crate) fn segment(&self, address: usize) -> Option<&'static libc::Elf64_Phdr> {
        let holds = |header: &&libc::Elf64_Phdr| {
            let offset = address.wrapping_sub(self.start(header));
            header.p_type == libc::PT_LOAD && offset < header.p_memsz as usize
        };
        self.headers.iter().find(holds)
    }

    /// Address of a segment's first byte.
    pub(crate) fn start(&self, header: &libc::Elf64_Phdr) -> usize {
        self.base.wrapping_add(header.p_vaddr as usize)
    }

    /// Whole pages that the dynamic linker has made read-only when the object was relocated, rounded as it rounds them.
    pub(crate) fn relro(&self) -> Range<usize> {
        let whole_pages = |address: usize| address & !(PAGE as usize - 1);
        self.header(libc::PT_GNU_RELRO).map_or(0..0, |relro| {
            let start = self.start(relro);
            whole_pages(start)..whole_pages(start.wrapping_add(relro.p_memsz as usize))
        })
    }

    /// Rows of its dynamic section; none if it has no such section.
    pub(crate) fn dynamic(&self) -> impl Iterator<Item = Dynamic> + use<> {
        let rows = self.header(libc::PT_DYNAMIC).map(|section| {
            let start = self.start(section) as *const Dynamic;
            // SAFETY: the section ends with a row of tag NULL, and is read no further.
            (0..).map(move |row| unsafe { start.wrapping_add(row).read() }).take_while(|row| row.tag != dt::NULL)
        });
        rows.into_iter().flatten()
    }

    /// The address that a row's value stands for. The dynamic linker has replaced offsets by addresses, except where the section is read-only
    /// (the system's own object).
    pub(crate) fn address(&self, row: Dynamic) -> usize {
        if row.value < self.base { self.base + row.value } else { row.value }
    }
}
