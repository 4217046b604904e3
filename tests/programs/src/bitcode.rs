//! C to bitcode: what a front end would hand to a JIT.
//!
//! clang is run with `-O2` and LLVM's passes switched off, so that functions are open to optimisation (no `optnone`,
//! TBAA and lifetimes present) and nothing is optimised yet. Sources are compiled from within their own directory:
//! no path of the machine gets into the bitcode, and the same sources give the same bytes everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::artefacts::{Recipe, artefact};
use crate::parallel;
use crate::sources::{Sources, workspace};
use crate::tools::{Tools, run};

/// As a shared library would be compiled, so that the system's linker and loader can be compared on the same bitcode.
const CLANG_FLAGS: [&str; 8] =
    ["-c", "-emit-llvm", "-O2", "-Xclang", "-disable-llvm-passes", "-fPIC", "-Wno-everything", "-I."];

/// POSIX calls and `dlopen`, but no readline.
const LUA_FLAGS: [&str; 2] = ["-DLUA_USE_POSIX", "-DLUA_USE_DLOPEN"];

/// Everything in the amalgamation that a script can reach without another library.
const SQLITE_FLAGS: [&str; 4] =
    ["-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE", "-DSQLITE_ENABLE_MATH_FUNCTIONS", "-DSQLITE_ENABLE_DBSTAT_VTAB"];

/// Compression by several threads; C alone, so that everything is in the module.
const ZSTD_FLAGS: [&str; 2] = ["-DZSTD_MULTITHREAD", "-DZSTD_DISABLE_ASM"];

/// The programs, and the directory where they are kept once built.
#[derive(Clone, Debug)]
pub struct Programs {
    pub(crate) tools: Tools,
    pub(crate) directory: PathBuf,
}

impl Programs {
    /// Finds LLVM's programs and the directory `programs` of cargo's target directory.
    pub fn open() -> Result<Programs> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        // Joining an absolute path replaces, so this is right for both.
        Ok(Programs { tools: Tools::find()?, directory: workspace().join(target).join("programs") })
    }

    /// LLVM's own programs.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The directory in which everything that was built is kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lua 5.4 as one module: `SCRIPT [ARGS…]`, `-e CHUNK`, or a chunk on standard input.
    pub fn lua(&self) -> Result<PathBuf> {
        let sources = Sources::find()?.lua;
        let mut files = files_with("c", &sources)?;
        files.push(own("lua_main.c"));
        self.module("lua", &sources, &files, &LUA_FLAGS)
    }

    /// SQLite as one module: `DATABASE [SQL | -f FILE]…`, or statements on standard input.
    pub fn sqlite(&self) -> Result<PathBuf> {
        let sources = Sources::find()?.sqlite;
        self.module("sqlite", &sources, &[sources.join("sqlite3.c"), own("sqlite_main.c")], &SQLITE_FLAGS)
    }

    /// zstd as one module, with its threads and without its assembly: `FILES…`, each compressed and decompressed in many ways.
    pub fn zstd(&self) -> Result<PathBuf> {
        let sources = Sources::find()?.zstd;
        let mut files = Vec::new();
        for part in ["common", "compress", "decompress", "dictBuilder"] {
            files.extend(files_with("c", &sources.join(part))?);
        }
        files.push(own("zstd_main.c"));
        self.module("zstd", &sources, &files, &ZSTD_FLAGS)
    }

    /// The smallest program there is, as text: `main` gives 0.
    pub fn one_function(&self) -> PathBuf {
        own("one_function.ll")
    }

    /// A program that measures one operation: `throw`, `thread_local` or `constructors`. It says nanoseconds on standard error.
    pub fn operation(&self, name: &str) -> Result<PathBuf> {
        let extension = if name == "thread_local" { "c" } else { "cpp" };
        self.c_file(&own(&format!("operation_{name}.{extension}")), &[])
    }

    /// One C or C++ file as one module, with further clang flags.
    pub fn c_file(&self, source: &Path, flags: &[&str]) -> Result<PathBuf> {
        let name = source.file_stem().context("a C file without a name")?.to_string_lossy();
        let directory = source.parent().context("a C file without a directory")?;
        self.module(&name, directory, &[source.to_owned()], flags)
    }

    /// All `files` compiled from within `directory` and linked into one module.
    fn module(&self, name: &str, directory: &Path, files: &[PathBuf], flags: &[&str]) -> Result<PathBuf> {
        let mut recipe = Recipe::new("module");
        recipe.word(self.tools.version()).words(&CLANG_FLAGS).words(flags);
        for file in files.iter().chain(&files_with("h", directory)?) {
            recipe.file(file)?;
        }
        artefact(&self.directory, (name, "bc"), &recipe, |out| {
            let parts = out.with_extension("parts");
            fs::create_dir_all(&parts)?;
            let compiled = self.compile_all(directory, files, flags, &parts)?;
            run(self.tools.command("llvm-link").args(&compiled).arg("-o").arg(out))?;
            Ok(fs::remove_dir_all(&parts)?)
        })
    }

    /// Compiles on all cores; gives the bitcode files in the order of `files`.
    fn compile_all(&self, directory: &Path, files: &[PathBuf], flags: &[&str], parts: &Path) -> Result<Vec<PathBuf>> {
        let outputs: Vec<_> = (0..files.len()).map(|index| parts.join(format!("{index}.bc"))).collect();
        let jobs: Vec<_> = files.iter().zip(&outputs).collect();
        parallel::for_each(&jobs, |(source, out)| self.compile(directory, source, flags, out))?;
        Ok(outputs)
    }

    fn compile(&self, directory: &Path, source: &Path, flags: &[&str], out: &Path) -> Result<()> {
        // A file of `directory` goes by its bare name, which is what `source_filename` and `__FILE__` then say.
        let name = source.strip_prefix(directory).unwrap_or(source);
        let mut clang = self.tools.command("clang");
        clang.current_dir(directory).args(CLANG_FLAGS).args(flags);
        if name == source {
            run(clang.arg("-o").arg(out).arg("-x").arg("c").arg("-").stdin(fs::File::open(source)?))
        } else {
            run(clang.arg("-o").arg(out).arg(name))
        }
    }
}

/// A file that this crate itself carries.
pub(crate) fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name)
}

/// All files of a directory with this extension, sorted: the order decides the module's bytes.
fn files_with(extension: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
