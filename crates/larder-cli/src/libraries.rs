//! Where the libraries are that `-l` and `--load` name.
//!
//! The search is that of a linker (GNU ld, "Options: -l"): the directories in order, and in each the shared library before the archive. A
//! "shared library" that is text is a linker script, which names other files. The libraries of the C and C++ environment are found by
//! the names that programs have for them, since a machine that only runs programs lacks the files that linkers look for.

use crate::args::ProgramArgs;
use anyhow::{Context, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where linkers of x86-64 Linux look when all else fails.
const SYSTEM_DIRS: [&str; 9] = [
    "/usr/local/lib/x86_64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/local/lib64",
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/usr/lib",
];

/// Libraries of the C and C++ environment, by what follows `-l`, with the names that the dynamic linker knows. What has none is part of others.
const ENVIRONMENT: [(&str, Option<&str>); 9] = [
    ("c", None),
    ("gcc", None),
    ("pthread", None),
    ("dl", None),
    ("rt", None),
    ("util", None),
    ("m", Some("libm.so.6")),
    ("gcc_s", Some("libgcc_s.so.1")),
    ("stdc++", Some("libstdc++.so.6")),
];

/// Scripts that name scripts that name scripts.
const SCRIPT_DEPTH_MAX: u32 = 8;

/// What the options name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Shared libraries, in the order in which they are loaded: names or paths for the dynamic linker.
    pub(crate) shared: Vec<OsString>,
    /// Archives of objects.
    pub(crate) archives: Vec<PathBuf>,
}

/// Finds every library that was asked for.
///
/// # Errors
/// One isn't there; the error says where it was looked for.
pub(crate) fn find(args: &ProgramArgs) -> anyhow::Result<Found> {
    let mut found = Found { shared: args.load.clone(), archives: Vec::new() };
    if args.libraries.is_empty() {
        return Ok(found);
    }
    let search = Search::new(&args.library_dirs, std::env::var_os("LIBRARY_PATH").as_deref());
    for name in &args.libraries {
        search.find(name, 0, &mut found).with_context(|| format!("-l{}", name.display()))?;
    }
    Ok(found)
}

struct Search {
    /// Of the user.
    dirs: Vec<PathBuf>,
}

impl Search {
    fn new(dirs: &[PathBuf], library_path: Option<&OsStr>) -> Search {
        let more = library_path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
        Search { dirs: dirs.iter().cloned().chain(more).filter(|dir| !dir.as_os_str().is_empty()).collect() }
    }

    fn find(&self, name: &OsStr, depth: u32, found: &mut Found) -> anyhow::Result<()> {
        let file_names = match name.as_bytes().strip_prefix(b":") {
            Some(file) => vec![OsStr::from_bytes(file).to_owned()],
            None => ["so", "a"].map(|suffix| library_name(name, suffix)).to_vec(),
        };
        if let Some(path) = first(&self.dirs, &file_names) {
            return self.take(path, depth, found);
        }
        if let Some((_, loaded)) = ENVIRONMENT.iter().find(|(known, _)| name == *known) {
            found.shared.extend(loaded.map(OsString::from));
            return Ok(());
        }
        let system: Vec<PathBuf> = SYSTEM_DIRS.iter().map(PathBuf::from).collect();
        match first(&system, &file_names) {
            Some(path) => self.take(path, depth, found),
            None => bail!("{}", self.missing(&file_names)),
        }
    }

    /// A file that was found: shared library, archive or script.
    fn take(&self, path: PathBuf, depth: u32, found: &mut Found) -> anyhow::Result<()> {
        let mut start = [0; 8];
        let read = std::fs::File::open(&path).and_then(|mut file| std::io::Read::read(&mut file, &mut start));
        let start = &start[..read.with_context(|| format!("cannot read {}", path.display()))?];
        if start.starts_with(b"\x7fELF") {
            found.shared.push(with_slash(path));
        } else if start.starts_with(b"!<arch>\n") || start.starts_with(b"!<thin>\n") {
            found.archives.push(path);
        } else if depth < SCRIPT_DEPTH_MAX {
            self.follow(&path, depth, found)?;
        } else {
            bail!("{}: too many linker scripts, one behind another", path.display());
        }
        Ok(())
    }

    /// What a linker script names (GNU ld, "Commands Dealing with Files": `INPUT`, `GROUP`, `AS_NEEDED`).
    fn follow(&self, script: &Path, depth: u32, found: &mut Found) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(script)
            .with_context(|| format!("{} is neither a library nor a linker script", script.display()))?;
        let inputs = inputs_of(&text);
        if inputs.is_empty() {
            bail!("{} is neither a library nor a linker script that names one", script.display());
        }
        for input in inputs {
            match input.strip_prefix("-l") {
                Some(name) => self.find(OsStr::new(name), depth + 1, found),
                None if input.starts_with('/') => self.take(PathBuf::from(input), depth + 1, found),
                None => self.find(OsStr::new(&format!(":{input}")), depth + 1, found),
            }
            .with_context(|| format!("named by {}", script.display()))?;
        }
        Ok(())
    }

    fn missing(&self, file_names: &[OsString]) -> String {
        let names: Vec<_> = file_names.iter().map(|name| name.display().to_string()).collect();
        let system = SYSTEM_DIRS.iter().map(PathBuf::from);
        let dirs: Vec<PathBuf> = self.dirs.iter().cloned().chain(system).collect();
        let listed: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let mut text = format!("there is no {} in {}", names.join(" and no "), listed.join(", "));
        if let Some(versioned) = dirs.iter().find_map(|dir| versioned_in(dir, &file_names[0])) {
            text.push_str(&format!("; there is {}, which --load takes", versioned.display()));
        }
        text
    }
}

fn library_name(name: &OsStr, suffix: &str) -> OsString {
    let mut file = OsString::from("lib");
    file.push(name);
    file.push(".");
    file.push(suffix);
    file
}

fn first(dirs: &[PathBuf], file_names: &[OsString]) -> Option<PathBuf> {
    dirs.iter().flat_map(|dir| file_names.iter().map(|name| dir.join(name))).find(|path| path.is_file())
}

/// The dynamic linker takes a name without a slash for one that it must look for.
fn with_slash(path: PathBuf) -> OsString {
    if path.as_os_str().as_bytes().contains(&b'/') { path.into() } else { Path::new(".").join(path).into() }
}

/// `libfoo.so.3`, where `libfoo.so` is missing.
fn versioned_in(dir: &Path, file_name: &OsStr) -> Option<PathBuf> {
    let start = [file_name.as_bytes(), b"."].concat();
    let mut names: Vec<_> = dir.read_dir().ok()?.flatten().map(|entry| entry.file_name()).collect();
    names.retain(|name| name.as_bytes().starts_with(&start));
    names.sort();
    names.first().map(|name| dir.join(name))
}

/// The files in a script's `INPUT` and `GROUP` commands.
fn inputs_of(script: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = script;
    while let Some((before, behind)) = rest.split_once("/*") {
        text.push_str(before);
        rest = behind.split_once("*/").map_or("", |(_, behind)| behind);
        text.push(' ');
    }
    text.push_str(rest);
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace([',', ';'], " ");
    let mut inputs = Vec::new();
    let mut commands: Vec<&str> = Vec::new();
    let mut previous = "";
    for word in spaced.split_whitespace() {
        match word {
            "(" => commands.push(previous),
            ")" => drop(commands.pop()),
            // The name of a command is followed by its parenthesis, and told apart from a file by it.
            "AS_NEEDED" => {}
            file if commands.first().is_some_and(|command| matches!(*command, "INPUT" | "GROUP")) => {
                inputs.push(file.trim_matches('"').to_owned());
            }
            _ => {}
        }
        previous = word;
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn scripts_name_files() {
        let script = "/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( /lib/libm.so.6  AS_NEEDED ( /lib/libmvec.so.1 ) )\n";
        assert_eq!(inputs_of(script), ["/lib/libm.so.6", "/lib/libmvec.so.1"]);
        assert_eq!(inputs_of("INPUT(libncurses.so.6 -ltinfo)"), ["libncurses.so.6", "-ltinfo"]);
        assert_eq!(inputs_of("INPUT(\"a.so\",b.so)/* open"), ["a.so", "b.so"]);
        assert!(inputs_of("no script ( at all").is_empty());
    }

    #[test]
    fn shared_libraries_come_before_archives_and_directories_in_order() {
        let dir = tempfile::tempdir().expect("there is room");
        let at = |name: &str| dir.path().join(name);
        for name in ["one", "two"] {
            fs::create_dir(at(name)).expect("there is room");
        }
        fs::write(at("one/liba.a"), b"!<arch>\n").expect("there is room");
        fs::write(at("two/liba.so"), b"\x7fELF").expect("there is room");
        fs::write(at("two/liba.a"), b"!<arch>\n").expect("there is room");
        fs::write(at("two/libs.so"), b"INPUT ( -la libx.so.2 )").expect("there is room");
        fs::write(at("two/libx.so.2"), b"\x7fELF").expect("there is room");
        fs::write(at("two/libloop.so"), b"INPUT(-lloop)").expect("there is room");
        let found = |dirs: &[&str], name: &str| {
            let dirs = dirs.iter().map(|dir| at(dir)).collect();
            find(&ProgramArgs { library_dirs: dirs, libraries: vec![name.into()], ..ProgramArgs::default() })
        };
        let archive = Found { archives: vec![at("one/liba.a")], ..Found::default() };
        assert_eq!(found(&["one", "two"], "a").expect("it is there"), archive);
        let shared = Found { shared: vec![at("two/liba.so").into()], ..Found::default() };
        assert_eq!(found(&["two", "one"], "a").expect("it is there"), shared);
        assert_eq!(found(&["one", "two"], ":liba.so").expect("it is there"), shared);
        let both = vec![at("two/liba.so").into(), at("two/libx.so.2").into()];
        assert_eq!(found(&["two"], "s").expect("it is there"), Found { shared: both, ..Found::default() });
        assert_eq!(found(&["one"], "pthread").expect("it is part of others"), Found::default());
        for (name, words) in [("loop", "too many"), ("x", "libx.so.2, which --load"), ("nowhere", "/usr/lib")] {
            let error = format!("{:#}", found(&["two"], name).expect_err(name));
            assert!(error.contains(words), "{error}");
        }
    }
}
