//! What this worker is: all that reaches generated code, apart from the request.
//!
//! LLVM's version is not enough: vendors patch it, and a rebuilt library may generate other code under the same version. Its build
//! id (a note that the linker makes from the library's contents) tells builds apart.

use std::ffi::{CStr, c_int, c_void};
use std::path::PathBuf;

use thiserror::Error;

use crate::ffi;

/// Changes whenever the worker generates other code from the same request for a reason that isn't in its sources.
const BEHAVIOUR: u32 = 1;
/// Digest of the shim's sources and of what drives it.
const SOURCES: &str = env!("LARDER_WORKER_SOURCES");

/// The worker's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// One line that names all that reaches generated code.
    pub name: String,
    /// The libLLVM file that is loaded.
    pub libllvm: PathBuf,
}

/// The loader doesn't know where libLLVM came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file that libLLVM was loaded from can't be found")]
pub struct ToolchainError;

impl Toolchain {
    /// The toolchain of this process.
    pub fn current() -> Result<Self, ToolchainError> {
        let library = Library::find(ffi::llvm_address()).ok_or(ToolchainError)?;
        let build: String = library.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let build = if build.is_empty() { "unknown" } else { &build };
        let name = format!("LLVM {} build {build} larder {BEHAVIOUR}.{SOURCES}", ffi::llvm_version());
        Ok(Toolchain { name, libllvm: library.path })
    }
}

/// A loaded shared library.
#[derive(Debug, Default)]
struct Library {
    path: PathBuf,
    build_id: Vec<u8>,
}

/// What the walk over the libraries looks for, and what it found.
struct Search {
    address: usize,
    found: Option<Library>,
}

impl Library {
    /// The library that has this address.
    fn find(address: *const c_void) -> Option<Library> {
        let mut search = Search { address: address.addr(), found: None };
        // SAFETY: the callback gets `search` back during the call and nothing else.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
        search.found
    }
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, data: *mut c_void) -> c_int {
    // SAFETY: the loader lends the description for this call.
    let info = unsafe { &*info };
    // SAFETY: `data` is the search that was given to the walk.
    let search = unsafe { &mut *data.cast::<Search>() };
    let headers: &[libc::Elf64_Phdr] = if info.dlpi_phdr.is_null() {
        &[]
    } else {
        // SAFETY: the loader's table has that many entries, and lives as long as the library.
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) }
    };
    let base = info.dlpi_addr as usize;
    let holds = |header: &&libc::Elf64_Phdr| {
        let start = base.wrapping_add(header.p_vaddr as usize);
        header.p_type == libc::PT_LOAD && search.address.wrapping_sub(start) < header.p_memsz as usize
    };
    if !headers.iter().any(|header| holds(&header)) {
        return 0;
    }
    // SAFETY: the loader's names end in NUL and live as long as the library.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) };
    let path = PathBuf::from(name.to_string_lossy().into_owned());
    let build_id = headers.iter().filter(|header| header.p_type == libc::PT_NOTE).find_map(|header| {
        let start = base.wrapping_add(header.p_vaddr as usize) as *const u8;
        // SAFETY: a note segment lies inside a loaded one and is never written.
        build_id(unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) })
    });
    search.found = Some(Library { path, build_id: build_id.unwrap_or_default() });
    1
}

/// The build id in a note segment (ELF gABI, "Note Section"; type 3 of owner "GNU").
fn build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let (head, rest) = notes.split_first_chunk::<12>()?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (name_len, content_len, kind) = (word(0) as usize, word(4) as usize, word(8));
        let (name, rest) = rest.split_at_checked(name_len.next_multiple_of(4))?;
        let content = rest.get(..content_len)?;
        if kind == NT_GNU_BUILD_ID && name.starts_with(b"GNU\0") {
            return Some(content.to_vec());
        }
        notes = rest.get(content_len.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [name.len() as u32, content.len() as u32, kind] {
            bytes.extend(word.to_le_bytes());
        }
        for part in [name, content] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_build_id_is_found_among_notes() {
        let notes = [note(1, b"GNU\0", &[0; 16]), note(3, b"GNU\0", &[0xab; 20])].concat();
        assert_eq!(build_id(&notes), Some(vec![0xab; 20]));
    }

    #[test]
    fn notes_that_end_early_have_none() {
        let whole = note(3, b"GNU\0", &[0xab; 20]);
        for length in 0..whole.len() {
            assert_eq!(build_id(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn the_toolchain_is_a_library_file() {
        let toolchain = Toolchain::current().expect("a library");
        assert!(toolchain.libllvm.is_file(), "{toolchain:?}");
        assert!(toolchain.name.starts_with("LLVM 22."), "{toolchain:?}");
    }
}
