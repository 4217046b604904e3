//! DuckDB as one module: the largest program here, 400 C++ files with exceptions, thread-local variables, static constructors and threads.
//!
//! Its sources are the archive that the crate `libduckdb-sys` carries. They are wanted by few and large, so the crate is no dependency
//! of this one: a package of its own, written into the target directory, makes cargo fetch it when it is asked for. The list of files,
//! the directories of headers and the definitions are those of the crate's own build script.
//!
//! Templates in headers are most of the work, so the headers that most files include are compiled once and beforehand, which makes the
//! rest four times as fast: ten minutes on one core. Each file's bitcode is kept, so a build that was interrupted goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::artefacts::{Recipe, artefact};
use crate::bitcode::{Programs, own};
use crate::parallel;
use crate::sources::{metadata, package_directory};
use crate::tools::run;

/// The version of `libduckdb-sys`; DuckDB's own is 2.0.0.
const VERSION: &str = "1.20000.1";
/// Extensions that are part of the program.
const EXTENSIONS: [&str; 3] = ["core_functions", "json", "parquet"];
/// Headers that so many files include are compiled beforehand.
const INCLUDED_MIN: usize = 15;
/// As for the other programs, and what DuckDB's build asks for.
const CLANG_FLAGS: [&str; 7] = ["-O2", "-Xclang", "-disable-llvm-passes", "-fPIC", "-w", "-std=c++17", "-DNDEBUG"];

impl Programs {
    /// DuckDB as one module: `DATABASE [SQL | -f FILE]…`.
    pub fn duckdb(&self) -> Result<PathBuf> {
        let parts = self.duckdb_parts()?;
        let mut recipe = Recipe::new("link");
        recipe.word(self.tools.version());
        for part in &parts {
            recipe.word(&part.to_string_lossy());
        }
        artefact(&self.directory, ("duckdb", "bc"), &recipe, |out| {
            run(self.tools.command("llvm-link").args(&parts).arg("-o").arg(out))
        })
    }

    /// The modules that DuckDB is made of, the one with `main` first.
    fn duckdb_parts(&self) -> Result<Vec<PathBuf>> {
        let kept = self.directory.join("duckdb");
        let sources = Sources::unpack(&kept)?;
        let mut units = vec![own("duckdb_main.cpp")];
        units.extend(sources.files.iter().map(PathBuf::from));
        let mut flags: Vec<_> = CLANG_FLAGS.map(str::to_owned).into();
        flags.extend(EXTENSIONS.map(|name| format!("-DDUCKDB_EXTENSION_{}_LINKED=1", name.to_uppercase())));
        flags.extend(sources.include_directories.iter().map(|directory| format!("-I{directory}")));
        let mut build =
            Build { programs: self, kept: &kept, sources: &sources, flags: &flags, headers: PathBuf::new() };
        build.headers = build.compile_headers()?;
        parallel::for_each(&units, |unit| build.compile(unit).map(drop))?;
        units.iter().map(|unit| build.compile(unit)).collect()
    }
}

/// The unpacked archive and what its manifest says. Paths are relative to `root`.
struct Sources {
    root: PathBuf,
    files: BTreeSet<String>,
    include_directories: BTreeSet<String>,
}

impl Sources {
    fn unpack(kept: &Path) -> Result<Sources> {
        let mut recipe = Recipe::new("unpack");
        recipe.word(VERSION);
        let root = artefact(kept, ("sources", "d"), &recipe, |out| {
            let archive = fetched(kept)?.join("duckdb.tar.gz");
            fs::create_dir_all(out)?;
            run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(out))
        })?;
        let manifest: Value = serde_json::from_slice(&fs::read(root.join("duckdb/manifest.json"))?)?;
        let mut sources = Sources { root, files: BTreeSet::new(), include_directories: ["duckdb".to_owned()].into() };
        sources.add(&manifest["base"])?;
        EXTENSIONS.iter().try_for_each(|name| sources.add(&manifest["extensions"][name]))?;
        Ok(sources)
    }

    /// DuckDB's headers that many files include, the most frequent first.
    fn frequent_headers(&self) -> Result<Vec<String>> {
        let mut text = String::new();
        for directory in ["duckdb/src", "duckdb/extension"] {
            read_all(&self.root.join(directory), &mut text)?;
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        for line in text.lines() {
            let header = line.strip_prefix("#include \"").and_then(|rest| rest.split('"').next());
            let is_general = |header: &&str| {
                header.starts_with("duckdb/") && !header.contains("extension") && !header.contains("capi")
            };
            if let Some(header) = header.filter(is_general) {
                *counts.entry(header).or_default() += 1;
            }
        }
        let mut frequent: Vec<_> = counts.into_iter().filter(|&(_, count)| count >= INCLUDED_MIN).collect();
        frequent.sort_by_key(|&(header, count)| (usize::MAX - count, header));
        Ok(frequent.into_iter().map(|(header, _)| header.to_owned()).collect())
    }

    fn add(&mut self, part: &Value) -> Result<()> {
        let texts = |name| {
            let list = part[name].as_array().with_context(|| format!("DuckDB's manifest has no {name}"))?;
            anyhow::Ok(list.iter().filter_map(Value::as_str).map(str::to_owned))
        };
        self.files.extend(texts("cpp_files")?);
        self.include_directories.extend(texts("include_dirs")?.map(|directory| format!("duckdb/{directory}")));
        Ok(())
    }
}

/// All C++ files in a directory and below.
fn read_all(directory: &Path, text: &mut String) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "cpp") {
            text.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The directory of `libduckdb-sys`, as cargo has fetched it for a package that is made for this.
fn fetched(kept: &Path) -> Result<PathBuf> {
    let package = kept.join("fetch");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nlibduckdb-sys = {{ version = \"={VERSION}\", default-features = false }}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    package_directory(&metadata(&package)?, "libduckdb-sys")
}

/// What all files are compiled with.
struct Build<'a> {
    programs: &'a Programs,
    kept: &'a Path,
    sources: &'a Sources,
    flags: &'a [String],
    /// The headers that were compiled beforehand.
    headers: PathBuf,
}

impl Build<'_> {
    fn recipe(&self, name: &str) -> Recipe {
        let mut recipe = Recipe::new("duckdb");
        recipe.word(VERSION).word(self.programs.tools.version()).word(name);
        for flag in self.flags {
            recipe.word(flag);
        }
        recipe
    }

    fn clang(&self) -> Command {
        let mut clang = self.programs.tools.command("clang++");
        clang.current_dir(&self.sources.root).args(self.flags);
        clang
    }

    /// A precompiled header of the headers that many files include, with its templates instantiated.
    fn compile_headers(&self) -> Result<PathBuf> {
        artefact(self.kept, ("headers", "pch"), &self.recipe("headers"), |out| {
            let list = out.with_extension("hpp");
            let includes =
                self.sources.frequent_headers()?.into_iter().map(|header| format!("#include \"{header}\"\n"));
            fs::write(&list, includes.collect::<String>())?;
            let mut clang = self.clang();
            clang.args(["-x", "c++-header", "-Xclang", "-emit-pch", "-Xclang", "-fpch-instantiate-templates", "-o"]);
            run(clang.arg(out).arg(&list))
        })
    }

    /// The bitcode of a file: one of DuckDB's by its path in the archive, or one of ours by its whole path.
    fn compile(&self, source: &Path) -> Result<PathBuf> {
        let within = source.strip_prefix(own("")).unwrap_or(source).with_extension("");
        let name = within.to_string_lossy().replace('/', "_");
        let mut recipe = self.recipe(&name);
        if source.is_absolute() {
            recipe.file(source)?;
        }
        artefact(self.kept, (&name, "bc"), &recipe, |out| {
            let mut clang = self.clang();
            clang.args(["-c", "-emit-llvm", "-o"]).arg(out);
            if source.is_absolute() {
                // By standard input, so that no path of this machine gets into the bitcode.
                clang.args(["-x", "c++", "-"]).stdin(File::open(source)?);
            } else if source.starts_with("duckdb/third_party") {
                clang.arg(source);
            } else {
                clang.arg("-include-pch").arg(&self.headers).arg(source);
            }
            run(&mut clang)
        })
    }
}
