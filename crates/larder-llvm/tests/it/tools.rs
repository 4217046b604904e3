//! What the tests share: the worker, LLVM's programs, a linker, and a look into objects.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use larder::worker::{CompileError, Compiled, Limits, Request, Worker};
use object::elf::RelocationType;
use object::read::elf::{ElfFile64, SectionHeader};
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget};

/// Path of the worker that this test run built.
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_larder-worker");

static LLVM_BIN: LazyLock<PathBuf> = LazyLock::new(|| {
    let output =
        Command::new("llvm-config-22").arg("--bindir").output().expect("llvm-config-22 (see `cargo xtask setup`)");
    String::from_utf8(output.stdout).expect("a path").trim().into()
});

/// One of LLVM's programs.
pub(crate) fn llvm(tool: &str) -> Command {
    Command::new(LLVM_BIN.join(tool))
}

/// Runs to the end, successfully.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    output
}

/// A source file of the tests.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources").join(name)
}

/// Bitcode of a source file, as clang hands it to the optimiser.
#[track_caller]
pub(crate) fn bitcode(name: &str, flags: &[&str]) -> Vec<u8> {
    let compiler = if name.ends_with(".cpp") { "clang++" } else { "clang" };
    let mut command = llvm(compiler);
    command
        .args(["-O2", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "-o", "-"])
        .args(flags)
        .arg(source(name));
    run(&mut command).stdout
}

/// A request with a level's letter and a number of threads.
pub(crate) fn request(level: &str, thread_count: u32) -> Request {
    Request {
        name: "module".to_owned(),
        level: level.to_owned(),
        thread_count: Some(thread_count),
        ..Request::default()
    }
}

/// Compiles without limits.
pub(crate) fn try_compile(request: &Request, module: &[u8]) -> Result<Compiled, CompileError> {
    Worker::at(WORKER).compile(request, module, &Limits::default(), &mut |_| ())
}

/// Compiles, at -O2.
#[track_caller]
pub(crate) fn compile(module: &[u8]) -> Compiled {
    try_compile(&request("2", 2), module).unwrap_or_else(|error| panic!("{error}"))
}

/// Links objects into a program in a directory of its own, with the system's C++ compiler.
pub(crate) struct Program {
    directory: tempfile::TempDir,
}

impl Program {
    #[track_caller]
    pub(crate) fn link(objects: &[(String, Vec<u8>)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("c++");
        command.arg("-o").arg(directory.path().join("program"));
        for (name, bytes) in objects {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            command.arg(path);
        }
        run(&mut command);
        Program { directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("program")
    }

    /// What it prints, and its exit code.
    #[track_caller]
    pub(crate) fn run(&self) -> (String, Option<i32>) {
        let output = Command::new(self.path()).output().expect("started");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    }
}

/// One relocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relocation {
    pub(crate) section: String,
    pub(crate) kind: RelocationType,
    pub(crate) symbol: String,
    pub(crate) is_undefined: bool,
}

/// All relocations of loaded sections.
#[track_caller]
pub(crate) fn relocations(object: &[u8]) -> Vec<Relocation> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).expect("an object");
    let mut found = Vec::new();
    for section in file.sections() {
        let flags = section.elf_section_header().sh_flags(file.endian());
        if flags.0 & object::elf::SHF_ALLOC.0 == 0 {
            continue;
        }
        for (_, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else { panic!("not ELF") };
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = file.symbol_by_index(index).expect("a symbol");
            found.push(Relocation {
                section: section.name().expect("a name").to_owned(),
                kind: r_type,
                symbol: symbol.name().expect("a name").to_owned(),
                is_undefined: symbol.is_undefined(),
            });
        }
    }
    found
}

/// The bytes of a section, of whichever object has it.
pub(crate) fn section(objects: &[(String, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    objects.iter().find_map(|(_, bytes)| {
        let file: ElfFile64<'_> = ElfFile64::parse(&bytes[..]).ok()?;
        Some(file.section_by_name(name)?.data().ok()?.to_vec())
    })
}

/// Names of symbols that the objects define for others, sorted.
pub(crate) fn global_definitions(objects: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut names = Vec::new();
    for (_, bytes) in objects {
        let file: ElfFile64<'_> = ElfFile64::parse(&bytes[..]).expect("an object");
        let globals = file.symbols().filter(|symbol| symbol.is_global() && !symbol.is_undefined());
        names.extend(globals.map(|symbol| symbol.name().expect("a name").to_owned()));
    }
    names.sort_unstable();
    names
}

/// Pairs of words in a section of relocated words: what the first is a place in, or the symbol that it is, and the second's symbol. Suffixes
/// of published names are left out.
#[track_caller]
pub(crate) fn pairs(objects: &[(String, Vec<u8>)], section: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, bytes) in objects {
        let file: ElfFile64<'_> = ElfFile64::parse(&bytes[..]).expect("an object");
        let Some(section) = file.section_by_name(section) else { continue };
        let mut words: Vec<_> = section.relocations().collect();
        words.sort_by_key(|(offset, _)| *offset);
        let names: Vec<String> = words.iter().map(|(_, relocation)| target(&file, relocation.target())).collect();
        assert_eq!(section.size() as usize, names.len() * 8, "every word is relocated");
        found.extend(names.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
    }
    found.sort();
    found
}

fn target(file: &ElfFile64<'_>, target: RelocationTarget) -> String {
    let RelocationTarget::Symbol(index) = target else { panic!("not a symbol") };
    let symbol = file.symbol_by_index(index).expect("a symbol");
    let name = match symbol.section_index() {
        Some(section) if symbol.kind() == object::SymbolKind::Section => {
            file.section_by_index(section).expect("a section").name().expect("a name").trim_start_matches(".text.")
        }
        _ => symbol.name().expect("a name"),
    };
    name.split(".llvm.").next().unwrap_or_default().to_owned()
}
