//! Builds the C++ shim against LLVM 22 and links libLLVM.
//!
//! LLVM is found through `LLVM_SYS_221_PREFIX` (which other crates of an embedder may need anyway), `llvm-config-22` or
//! `llvm-config`. The shim's sources are digested into the worker's version: a change of behaviour can't be forgotten there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const VERSION_PREFIX: &str = "22.";

fn main() -> Result<()> {
    println!("cargo::rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    let config = find_llvm_config()?;
    let shim = sources(Path::new("cpp"))?;
    build_shim(&config, &shim)?;
    link_llvm(&config)?;
    println!("cargo::rustc-env=LARDER_WORKER_SOURCES={:016x}", digest(&shim)?);
    Ok(())
}

/// The first `llvm-config` of the right version.
fn find_llvm_config() -> Result<PathBuf> {
    let prefix = std::env::var_os("LLVM_SYS_221_PREFIX").map(|prefix| PathBuf::from(prefix).join("bin/llvm-config"));
    let candidates = prefix.into_iter().chain(["llvm-config-22".into(), "llvm-config".into()]);
    for candidate in candidates {
        if ask(&candidate, "--version").is_ok_and(|version| version.starts_with(VERSION_PREFIX)) {
            return Ok(candidate);
        }
    }
    bail!(
        "LLVM 22 was not found: neither LLVM_SYS_221_PREFIX nor `llvm-config-22` nor `llvm-config` leads to it. \
         `cargo xtask setup` installs it on Debian and Ubuntu (package llvm-22-dev from apt.llvm.org)"
    )
}

fn ask(config: &Path, option: &str) -> Result<String> {
    let output = Command::new(config).arg(option).output().with_context(|| config.display().to_string())?;
    if !output.status.success() {
        bail!("{} {option}: {}", config.display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The shim's files, in an order that doesn't depend on the file system.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn build_shim(config: &Path, shim: &[PathBuf]) -> Result<()> {
    println!("cargo::rerun-if-changed=cpp");
    let mut build = cc::Build::new();
    build.cpp(true).warnings(true).extra_warnings(true).std("c++17");
    // LLVM's own headers are not ours to warn about.
    build.flag("-isystem").flag(ask(config, "--includedir")?);
    for flag in ask(config, "--cxxflags")?.split_whitespace() {
        if !flag.starts_with("-I") && !flag.starts_with("-std=") {
            build.flag(flag);
        }
    }
    build.files(shim.iter().filter(|file| file.extension().is_some_and(|extension| extension == "cpp")));
    build.try_compile("larder_llvm_shim").context("the C++ shim")
}

fn link_llvm(config: &Path) -> Result<()> {
    println!("cargo::rustc-link-search=native={}", ask(config, "--libdir")?);
    let libraries = Command::new(config).args(["--link-shared", "--libs"]).output()?;
    for library in String::from_utf8(libraries.stdout)?.split_whitespace() {
        let name = library.strip_prefix("-l").with_context(|| format!("{library} is no library"))?;
        println!("cargo::rustc-link-lib=dylib={name}");
    }
    Ok(())
}

/// FNV-1a over the shim and the Rust that drives it: all that can change what the worker generates.
fn digest(shim: &[PathBuf]) -> Result<u64> {
    let drivers = ["src/compile.rs", "src/digest.rs", "src/queue.rs", "src/ffi.rs", "src/modules.rs"].map(Path::new);
    for driver in drivers {
        println!("cargo::rerun-if-changed={}", driver.display());
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in shim.iter().map(PathBuf::as_path).chain(drivers) {
        for byte in fs::read(file)? {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(hash)
}
