//! Why an image was not loaded.

use crate::tls::StaticTlsError;
use larder_format::image::ImageError;
use std::path::PathBuf;
use thiserror::Error;

/// Why an image was not loaded. Nothing of it has run and nothing of it is left in memory.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is no usable image: foreign, of another version, damaged, or changed since it was published.
    #[error("{}: {source}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// The path names a directory, a device or something else that can't be mapped.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused something: no such file, no permission, no address space.
    #[error("{}: cannot {operation}: {source}", path.display())]
    Os {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The code uses instructions that this machine lacks.
    #[error("{}: this CPU lacks {}", path.display(), names.join(", "))]
    MissingFeatures {
        /// The file.
        path: PathBuf,
        /// LLVM's names of the missing features.
        names: Vec<String>,
    },
    /// It is an image, but of another key than the caller asked for.
    #[error("{}: made for another key", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// Names that nobody answered to.
    #[error("{}: unresolved: {}{}{}", path.display(), names.join(", "), more(*.more_count), instrumentation(names))]
    Unresolved {
        /// The file.
        path: PathBuf,
        /// The first of them, in the order of the imports.
        names: Vec<String>,
        /// How many there are besides.
        more_count: usize,
    },
    /// A shared library can't be loaded.
    #[error("cannot load a library: {reason}")]
    Library {
        /// As the caller named it.
        name: String,
        /// What the dynamic linker says: the library, and what is wrong with it.
        reason: String,
    },
    /// Its thread-local variables have to be at a fixed distance from the thread pointer, and can't be.
    #[error(
        "{}: its thread-local variables need a fixed place, and {source}: build it with dynamic thread-local variables (objects: -fPIC)",
        path.display()
    )]
    StaticTls {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: StaticTlsError,
    },
    /// A name was answered with an address that is not in thread-local memory.
    #[error("{}: {name} is thread-local, and what it was bound to is not", path.display())]
    NotThreadLocal {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// Code counts on one distance from the thread pointer for a variable of a library that was loaded late, whose variables have another one
    /// in each thread.
    #[error(
        "{}: {name} has no fixed place, since its library was loaded at run time: compile with -fPIC -ftls-model=global-dynamic",
        path.display()
    )]
    NoThreadDistance {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
    },
    /// A name can't be left for later.
    #[error("{}: {name} can't be deferred, since {reason}: define it before the image is loaded", path.display())]
    CannotDefer {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// What stands against it.
        reason: &'static str,
    },
    /// A function that can't be used now is shorter than a jump.
    #[error(
        "{}: {name} can't be taken out of use, since the next function begins within the bytes of a jump: compile it with -falign-functions=16",
        path.display()
    )]
    TooShort {
        /// The file.
        path: PathBuf,
        /// The function.
        name: String,
    },
    /// The jumps to functions that can't be used now would be too far.
    #[error(
        "{}: no addresses are free near its code for the functions that can't be used: load it before other memory is mapped there, \
         or split it",
        path.display()
    )]
    NoPlaceForStubs {
        /// The file.
        path: PathBuf,
    },
    /// The code was compiled to have a variable of a library in the image itself, and can't have it.
    #[error("{}: {name} can't have its place in the program: {source}: compile with -fPIC", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
        /// Why not.
        source: CopyError,
    },
}

/// Why an image can't have its own copy of a variable, which it was compiled for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The image may be unloaded again.
    #[error("only a program that stays in its process can have a copy of it")]
    NoProgram,
    /// Another image has its place.
    #[error("another image of this process has the copy of it")]
    Elsewhere,
    /// The host has answered with an address of its own.
    #[error("what it was bound to is no variable of a library")]
    NotOfLibrary,
    /// The variable has another name, and has moved to the room that the image has for that.
    #[error("the code uses it by another name, too")]
    OtherName,
    /// The library defines something else by that name.
    #[error("it is no variable in {library}")]
    NoVariable {
        /// The library.
        library: String,
    },
    /// The library reaches its own variable without asking for the copy.
    #[error("{library} keeps it for itself (its visibility is protected)")]
    Protected {
        /// The library.
        library: String,
    },
    /// The room in the image does not do.
    #[error("in {library} it has {len} bytes, and there is room for {max}")]
    TooLarge {
        /// The library.
        library: String,
        /// Bytes of the variable.
        len: usize,
        /// Bytes of the room.
        max: usize,
    },
    /// The library's names lie among its code.
    #[error("the symbols of {library} can't be changed")]
    Unchangeable {
        /// The library.
        library: String,
    },
    /// The library has run, and may have kept the variable's address.
    #[error("{library} was loaded before the program")]
    Running {
        /// The library.
        library: String,
    },
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}

/// What the compiler was asked to put into the code, by how the names of its runtime begin.
const INSTRUMENTATION: [(&str, &str); 16] = [
    ("__asan_", "-fsanitize=address"),
    ("__hwasan_", "-fsanitize=hwaddress"),
    ("__tsan_", "-fsanitize=thread"),
    ("__msan_", "-fsanitize=memory"),
    ("__dfsan_", "-fsanitize=dataflow"),
    ("__nsan_", "-fsanitize=numerical"),
    ("__rtsan_", "-fsanitize=realtime"),
    ("__tysan_", "-fsanitize=type"),
    ("__ubsan_", "-fsanitize=undefined"),
    ("__cfi_", "-fsanitize=cfi"),
    ("__safestack_", "-fsanitize=safe-stack"),
    ("__sanitizer_cov_", "-fsanitize-coverage"),
    ("__memprof_", "-fmemory-profile"),
    ("__llvm_profile_", "-fprofile-generate or -fprofile-instr-generate"),
    ("__xray_", "-fxray-instrument"),
    ("__morestack", "-fsplit-stack"),
];

/// What to do about names that only a compiler's own runtime defines, which native programs are linked with.
fn instrumentation(names: &[String]) -> String {
    let found = names.iter().find_map(|name| INSTRUMENTATION.iter().find(|(prefix, _)| name.starts_with(prefix)));
    let advice = |&(_, option): &(&str, &str)| {
        format!(": the code was compiled with {option}, whose runtime is not in this process; compile it without")
    };
    found.map(advice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_compilers_runtime_say_how_the_code_was_compiled() {
        let message = |names: &[&str]| {
            let names = names.iter().map(|&name| name.into()).collect();
            LoadError::Unresolved { path: "a.image".into(), names, more_count: 0 }.to_string()
        };
        assert_eq!(message(&["f", "g"]), "a.image: unresolved: f, g");
        assert_eq!(
            message(&["f", "__tsan_read4"]),
            "a.image: unresolved: f, __tsan_read4: the code was compiled with -fsanitize=thread, whose runtime is not in this \
             process; compile it without"
        );
    }
}
