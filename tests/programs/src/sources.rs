//! Where cargo keeps the C sources of Lua, SQLite and zstd.
//!
//! `cargo metadata` is asked, rather than the registry's layout guessed: it downloads what is missing and also knows
//! about vendored directories and mirrors.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The root of the workspace that this crate was built from.
pub(crate) fn workspace() -> &'static Path {
    // Two levels above this crate's own directory, by the layout of the workspace.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// Directories of third-party C sources.
pub(crate) struct Sources {
    pub(crate) lua: PathBuf,
    pub(crate) sqlite: PathBuf,
    pub(crate) zstd: PathBuf,
}

impl Sources {
    pub(crate) fn find() -> Result<Sources> {
        let metadata = metadata(workspace())?;
        Ok(Sources {
            lua: package_directory(&metadata, "lua-src")?.join("lua-5.4.9"),
            sqlite: package_directory(&metadata, "libsqlite3-sys")?.join("sqlite3"),
            zstd: package_directory(&metadata, "zstd-sys")?.join("zstd/lib"),
        })
    }
}

/// What cargo says of the package in that directory and of all that it depends on.
pub(crate) fn metadata(package: &Path) -> Result<Value> {
    // Off line first: nothing is asked of the network when everything is there.
    ask_cargo(package, &["--offline"]).or_else(|_| ask_cargo(package, &[]))
}

fn ask_cargo(package: &Path, options: &[&str]) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1"]).args(options).current_dir(package);
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(crate) fn package_directory(metadata: &Value, name: &str) -> Result<PathBuf> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("cargo metadata doesn't know the package {name}"))?;
    Ok(Path::new(manifest).parent().context("a manifest without a directory")?.to_owned())
}
