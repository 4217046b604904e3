//! `cargo xtask install`: the command, its worker, the C library and what compilers and shells want to know of them, below a prefix.
//!
//! ```text
//! bin/larder                          share/bash-completion/completions/larder
//! libexec/larder/larder-worker        share/zsh/site-functions/_larder
//! include/larder.h                    share/fish/vendor_completions.d/larder.fish
//! lib/liblarder.so.0.1.0, lib/liblarder.so.0, lib/liblarder.so, lib/liblarder.a, lib/pkgconfig/larder.pc
//! ```
//!
//! The options are those of `cargo cinstall` and of `configure`, so that packagers know them. Nothing is stripped, and no path is written anywhere but into
//! `larder.pc`: the command and the library look for the worker from where they lie.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cargo::{built, cargo, program, run, workspace};
use crate::say;
use crate::setup::{Scope, ensure as ensure_installed};

/// What `install` was asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where everything goes.
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Where libraries go, below the prefix unless it is absolute.
    #[arg(long, value_name = "DIR", default_value = "lib")]
    libdir: PathBuf,
    /// A directory that stands before all of these while packages are made [default: $DESTDIR]
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
    /// Which libraries; both without it.
    #[arg(long, value_name = "TYPE")]
    library_type: Option<LibraryType>,
    /// Installs what cargo has built in this directory, instead of building it.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

/// A kind of library, as cargo calls it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LibraryType {
    Cdylib,
    Staticlib,
}

/// The version of the library's interface, which programs ask the dynamic linker for (`crates/larder-capi/build.rs`).
const INTERFACE: u32 = 0;

/// The chore.
pub(crate) fn install(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.prefix.is_absolute(), "the prefix {} is no absolute path", arguments.prefix.display());
    let from = match &arguments.from {
        Some(from) => from.clone(),
        None => build()?,
    };
    let places = Places::new(arguments);
    places.copy(&find(&from, "larder")?, "bin/larder", 0o755)?;
    places.copy(&find(&from, "larder-worker")?, "libexec/larder/larder-worker", 0o755)?;
    install_completions(&from, &places)?;
    install_library(&from, &places, arguments.library_type)
}

/// Builds everything as users have it.
fn build() -> Result<PathBuf> {
    ensure_installed(Scope::Build)?;
    say::step("Building the command, its worker and the library");
    run(&mut cargo(["build", "--release", "-p", "larder-cli", "-p", "larder-llvm", "-p", "larder-capi"]))?;
    Ok(built("release"))
}

/// A file that cargo has built: libraries that only tests needed are with their dependencies.
fn find(from: &Path, name: &str) -> Result<PathBuf> {
    let found = ["", "deps"].map(|place| from.join(place).join(name)).into_iter().find(|path| path.is_file());
    found.with_context(|| {
        format!("no {name} in {}: `cargo build -p larder-cli -p larder-llvm -p larder-capi`", from.display())
    })
}

/// Where things go.
struct Places {
    prefix: PathBuf,
    libdir: PathBuf,
    destdir: Option<PathBuf>,
}

impl Places {
    fn new(arguments: &Arguments) -> Places {
        let Arguments { prefix, libdir, destdir, library_type: _, from: _ } = arguments;
        let of_packager = || std::env::var_os("DESTDIR").filter(|destdir| !destdir.is_empty()).map(PathBuf::from);
        let destdir = destdir.clone().or_else(of_packager);
        Places { prefix: prefix.clone(), libdir: prefix.join(libdir), destdir }
    }

    /// A place below the prefix, in the directory that stands before it.
    fn at(&self, place: impl AsRef<Path>) -> PathBuf {
        let path = self.prefix.join(place);
        match &self.destdir {
            Some(destdir) => destdir.join(path.strip_prefix("/").unwrap_or(&path)),
            None => path,
        }
    }

    /// A new file replaces an old one, which who runs it keeps.
    fn write(&self, place: impl AsRef<Path>, bytes: &[u8], mode: u32) -> Result<()> {
        let path = self.make_way(place)?;
        let written =
            fs::write(&path, bytes).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    fn copy(&self, file: &Path, place: impl AsRef<Path>, mode: u32) -> Result<()> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        self.write(place, &bytes, mode)
    }

    fn link(&self, place: impl AsRef<Path>, target: &str) -> Result<()> {
        let path = self.make_way(place)?;
        symlink(target, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Makes the directories of a place, and room for a new file there.
    fn make_way(&self, place: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.at(place);
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).with_context(|| format!("cannot replace {}", path.display()))?;
        }
        say::line(path.display());
        Ok(path)
    }
}

fn install_completions(from: &Path, places: &Places) -> Result<()> {
    let command = find(from, "larder")?;
    for (shell, place) in [
        ("bash", "share/bash-completion/completions/larder"),
        ("zsh", "share/zsh/site-functions/_larder"),
        ("fish", "share/fish/vendor_completions.d/larder.fish"),
    ] {
        let output = program(&command).args(["completions", shell]).output().context("cannot start larder")?;
        ensure!(output.status.success(), "larder completions {shell}: {}", output.status);
        places.write(place, &output.stdout, 0o644)?;
    }
    Ok(())
}

fn install_library(from: &Path, places: &Places, only: Option<LibraryType>) -> Result<()> {
    let sources = workspace().join("crates/larder-capi");
    let wants = |kind| only.is_none_or(|only| only == kind);
    places.copy(&sources.join("include/larder.h"), "include/larder.h", 0o644)?;
    if wants(LibraryType::Cdylib) {
        let version = env!("CARGO_PKG_VERSION");
        let whole = format!("liblarder.so.{INTERFACE}.{}", version.split_once('.').map_or(version, |(_, minor)| minor));
        let name = format!("liblarder.so.{INTERFACE}");
        places.copy(&find(from, "liblarder_capi.so")?, places.libdir.join(&whole), 0o755)?;
        places.link(places.libdir.join(&name), &whole)?;
        places.link(places.libdir.join("liblarder.so"), &name)?;
    }
    if wants(LibraryType::Staticlib) {
        places.copy(&find(from, "liblarder_capi.a")?, places.libdir.join("liblarder.a"), 0o644)?;
    }
    let template = fs::read_to_string(sources.join("larder.pc.in")).context("cannot read larder.pc.in")?;
    let description = describe(&template, &places.prefix, &places.libdir);
    places.write(places.libdir.join("pkgconfig/larder.pc"), description.as_bytes(), 0o644)
}

/// What pkg-config is told. A directory below the prefix goes where the prefix goes.
fn describe(template: &str, prefix: &Path, libdir: &Path) -> String {
    let libdir = match libdir.strip_prefix(prefix) {
        Ok(below) => Path::new("${prefix}").join(below),
        Err(_) => libdir.to_owned(),
    };
    let values: [(&str, &OsStr); 3] = [
        ("@PREFIX@", prefix.as_os_str()),
        ("@LIBDIR@", libdir.as_os_str()),
        ("@VERSION@", OsStr::new(env!("CARGO_PKG_VERSION"))),
    ];
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, &value.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_below_the_prefix_move_with_it() {
        let describe = |prefix, libdir| describe("@PREFIX@ @LIBDIR@", Path::new(prefix), Path::new(libdir));
        assert_eq!(describe("/opt/l", "/opt/l/lib"), "/opt/l ${prefix}/lib");
        assert_eq!(describe("/opt/l", "/usr/lib64"), "/opt/l /usr/lib64");
    }

    #[test]
    fn a_destination_stands_before_the_prefix() {
        let at = |destdir: Option<&str>, place: &str| {
            let (prefix, libdir) = (PathBuf::from("/usr"), PathBuf::from("/usr/lib"));
            Places { prefix, libdir, destdir: destdir.map(PathBuf::from) }.at(place)
        };
        assert_eq!(at(None, "bin/larder"), Path::new("/usr/bin/larder"));
        assert_eq!(at(Some("/tmp/package"), "bin/larder"), Path::new("/tmp/package/usr/bin/larder"));
        assert_eq!(at(Some("/tmp/package"), "/usr/lib/liblarder.a"), Path::new("/tmp/package/usr/lib/liblarder.a"));
    }
}
