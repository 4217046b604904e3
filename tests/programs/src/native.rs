//! The same bitcode by LLVM's own programs and the system's linker: what Larder is compared with.
//!
//! `opt` and `llc` are given the level and the CPU that `larder run` takes by default, so that all sides run the same
//! code and only the way to it differs. Shared libraries export `main` alone, bind at load and pack their relative
//! relocations: the best that a linker can do for the loader.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::artefacts::{Recipe, artefact};
use crate::bitcode::Programs;
use crate::tools::run;

const OPT_FLAGS: [&str; 2] = ["-passes=default<O2>", "-mcpu=native"];
const LLC_FLAGS: [&str; 4] = ["-O2", "-mcpu=native", "-relocation-model=pic", "-filetype=obj"];
const SHARED_FLAGS: [&str; 5] =
    ["-shared", "-fuse-ld=lld", "-Wl,-z,now", "-Wl,-z,pack-relative-relocs", "-Wl,--no-undefined-version"];
const EXECUTABLE_FLAGS: [&str; 4] = ["-pie", "-fuse-ld=lld", "-Wl,-z,now", "-Wl,-z,pack-relative-relocs"];
/// The C++ library only for programs that need it.
const LIBRARIES: [&str; 4] = ["-lm", "-Wl,--push-state,--as-needed", "-lstdc++", "-Wl,--pop-state"];
const ONLY_MAIN: &str = "{ global: main; local: *; };\n";

impl Programs {
    /// The bitcode after `opt -O2`.
    pub fn optimised(&self, bitcode: &Path) -> Result<PathBuf> {
        self.step("opt", &OPT_FLAGS, bitcode, "opt.bc")
    }

    /// The bitcode after `opt -O2` and `llc -O2`, as one position-independent object.
    pub fn object(&self, bitcode: &Path) -> Result<PathBuf> {
        self.step("llc", &LLC_FLAGS, &self.optimised(bitcode)?, "o")
    }

    /// The object as a shared library by lld, of which only `main` can be seen.
    pub fn shared_library(&self, bitcode: &Path) -> Result<PathBuf> {
        let object = self.object(bitcode)?;
        let mut recipe = Recipe::new("shared");
        recipe.word(ONLY_MAIN).words(&SHARED_FLAGS).words(&LIBRARIES).file(&object)?;
        artefact(&self.directory, (&stem(bitcode)?, "so"), &recipe, |out| {
            let script = out.with_extension("map");
            fs::write(&script, ONLY_MAIN)?;
            let version_script = format!("-Wl,--version-script={}", script.display());
            let mut clang = self.tools.command("clang");
            clang.args(SHARED_FLAGS).arg(version_script).arg("-o").arg(out).arg(&object).args(LIBRARIES);
            run(&mut clang)?;
            Ok(fs::remove_file(&script)?)
        })
    }

    /// The object as an executable by lld.
    pub fn executable(&self, bitcode: &Path) -> Result<PathBuf> {
        let object = self.object(bitcode)?;
        let mut recipe = Recipe::new("executable");
        recipe.words(&EXECUTABLE_FLAGS).words(&LIBRARIES).file(&object)?;
        artefact(&self.directory, (&stem(bitcode)?, "exe"), &recipe, |out| {
            let mut clang = self.tools.command("clang");
            run(clang.args(EXECUTABLE_FLAGS).arg("-o").arg(out).arg(&object).args(LIBRARIES))
        })
    }

    /// A program that opens a shared library given as its first argument and runs that library's `main`.
    pub fn dlopen_host(&self) -> Result<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/dlopen_host.c");
        self.host_program(&source, &[])
    }

    /// An executable of one C or C++ file, which is no bitcode for anybody but the host of something.
    pub fn host_program(&self, source: &Path, flags: &[&str]) -> Result<PathBuf> {
        let mut recipe = Recipe::new("host");
        recipe.word(self.tools.version()).words(flags).file(source)?;
        let cxx = source.extension().is_some_and(|extension| extension == "cpp");
        artefact(&self.directory, (&stem(source)?, "exe"), &recipe, |out| {
            let mut clang = self.tools.command(if cxx { "clang++" } else { "clang" });
            clang.args(["-O2", "-o"]).arg(out).arg(source).args(flags);
            run(&mut clang)
        })
    }

    /// One LLVM program that turns `input` into another file.
    fn step(&self, program: &str, flags: &[&str], input: &Path, extension: &str) -> Result<PathBuf> {
        let mut recipe = Recipe::new(program);
        recipe.word(self.tools.version()).words(flags).file(input)?;
        artefact(&self.directory, (&stem(input)?, extension), &recipe, |out| {
            run(self.tools.command(program).args(flags).arg("-o").arg(out).arg(input))
        })
    }
}

/// The program's own name, without the digest that a cached file's name carries.
fn stem(path: &Path) -> Result<String> {
    let name = path.file_name().context("a program without a name")?.to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    Ok(name.rsplit_once('-').map_or(name, |(stem, _)| stem).to_owned())
}
