//! `lli`'s command line, said in the words of `larder run`.
//!
//! People and test suites have written command lines for `lli` for twenty years: long options with one dash, values behind `=` or as the next word,
//! and options that choose between LLVM's own JITs. [`in_our_words`] rewrites such a line before it is read: the [table] says of each option of
//! `lli` what it means here. Nothing is dropped silently that could change what the program does: what can't be had is
//! refused, with what to do instead.
//!
//! Called by the name `lli` (a symbolic link), the command takes `lli`'s line as it is: no subcommand, standard input if no
//! file is named, and exit code 1 for its own failures.
//!
//! Options of LLVM's passes, which `lli` happens to take too, are not in the table: they are for people who work on LLVM.

use crate::args::Args;
use anyhow::bail;
use clap::{Arg, Command, CommandFactory};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use table::Takes;

mod convert;
mod suggest;
mod table;

/// The name by which the command was called, without its folder, if it is `lli`'s: `lli`, or with a version behind it (`lli-22`).
pub(crate) fn called_as_lli() -> Option<String> {
    let called = std::env::args_os().next()?;
    let name = Path::new(&called).file_name()?.to_str()?;
    let is_lli =
        name == "lli" || name.strip_prefix("lli-").is_some_and(|version| version.starts_with(char::is_numeric));
    is_lli.then(|| name.to_owned())
}

/// The words of a command line of `lli` with the name of the command and `run` put before them.
///
/// A few options of `lli` print something instead of running anything; they become subcommands.
pub(crate) fn as_run(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.skip(1).peekable();
    let first = words.peek().and_then(|word| OptionWord::of(word)).map(|option| option.name.to_owned());
    let ours: &[&str] = match first.as_deref() {
        Some("version") => &["--version"],
        Some("help-hidden" | "help-list" | "help-list-hidden" | "print-options" | "print-all-options") => {
            &["lli-options"]
        }
        _ => &["run"],
    };
    let rest = words.filter(|_| ours == ["run"]);
    std::iter::once("larder").chain(ours.iter().copied()).map(OsString::from).chain(rest).collect()
}

/// Rewrites `larder run` with options of `lli` into `larder run` with our own. Other subcommands are left as they are.
///
/// # Errors
/// An option that is neither ours nor `lli`'s, one that can't be had here, or a value that it can't have.
pub(crate) fn in_our_words(words: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let mut command = Args::command();
    command.build();
    let ours = |word: &OsStr| option_of(&command, word);
    let mut at = 1;
    while let Some(arg) = words.get(at).and_then(|word| ours(word)) {
        at += if takes_next(arg, &words[at]) { 2 } else { 1 };
    }
    let Some(run) = command.find_subcommand("run").filter(|_| words.get(at).is_some_and(|word| word == "run")) else {
        return Ok(words);
    };
    let (before, line) = words.split_at(at + 1);
    let mut said = before.to_vec();
    let names_file = Line { run, words: line.iter().cloned() }.rewrite(&mut said)?;
    if !names_file && called_as_lli().is_some() {
        said.push("-".into());
    }
    Ok(said)
}

/// What every option of `lli` means here, for people.
pub(crate) fn options() -> Vec<u8> {
    let mut text = String::from("lli's options, with one dash or two, and what they mean to `larder run`:\n");
    for option in table::OPTIONS {
        let value = if option.takes == Takes::Value { "=VALUE" } else { "" };
        let head = format!("-{}{value}", option.name);
        text.push_str(&format!("  {head:<44} {}\n", option.meaning.in_words()));
    }
    text.into_bytes()
}

/// The rest of a command line, from the first word behind `run`.
struct Line<'c> {
    run: &'c Command,
    words: std::iter::Cloned<std::slice::Iter<'c, OsString>>,
}

/// A word that begins with a dash, taken apart.
struct OptionWord<'w> {
    name: &'w str,
    value: Option<&'w OsStr>,
}

impl<'w> OptionWord<'w> {
    fn of(word: &'w OsStr) -> Option<OptionWord<'w>> {
        let bytes = word.as_bytes().strip_prefix(b"-")?;
        let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
            None => (bytes, None),
        };
        std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).map(|name| OptionWord { name, value })
    }
}

impl Line<'_> {
    /// Adds our words for the line to `said`. `false` if the line names no file.
    fn rewrite(mut self, said: &mut Vec<OsString>) -> anyhow::Result<bool> {
        while let Some(word) = self.words.next() {
            let Some(option) = OptionWord::of(&word) else {
                // The file, or the mark before it; what follows is the program's.
                let names_file = word != "--" || self.words.len() > 0;
                said.push(word);
                said.extend(self.words);
                return Ok(names_file);
            };
            if let Some(arg) = option_of(self.run, &word) {
                let wants_next = takes_next(arg, &word);
                let is_single = !word.as_bytes().starts_with(b"--");
                let is_long = arg.get_long().is_some_and(|long| long == option.name);
                said.push(if is_single && is_long { with_dash(&word) } else { word });
                said.extend(if wants_next { self.words.next() } else { None });
            } else if let Some(known) = table::find(option.name) {
                let value = self.value(known, &option)?;
                known.apply(value.as_deref(), said)?;
            } else {
                bail!("{}", unknown(self.run, &option));
            }
        }
        // Help is printed without one.
        Ok(said.iter().any(|word| word == "--help" || word == "-h"))
    }

    /// The option's value: behind its `=`, or the next word.
    fn value(&mut self, known: &table::LliOption, option: &OptionWord<'_>) -> anyhow::Result<Option<OsString>> {
        match (known.takes, option.value) {
            (_, Some(value)) => Ok(Some(value.to_owned())),
            (Takes::Nothing, None) => Ok(None),
            (Takes::Value, None) => match self.words.next() {
                Some(value) => Ok(Some(value)),
                None => bail!("-{} requires a value", known.name),
            },
        }
    }
}

fn with_dash(word: &OsStr) -> OsString {
    OsString::from_vec([b"-", word.as_bytes()].concat())
}

/// The option of ours that a word names: long with one dash or two, or short with whatever stands behind it, unless `lli` has an option of
/// that name.
fn option_of<'c>(command: &'c Command, word: &OsStr) -> Option<&'c Arg> {
    let option = OptionWord::of(word)?;
    let long = command.get_arguments().find(|arg| arg.get_long() == Some(option.name));
    if long.is_some() || word.as_bytes().starts_with(b"--") || table::find(option.name).is_some() {
        return long;
    }
    let first = option.name.chars().next();
    command.get_arguments().find(|arg| arg.get_short() == first)
}

/// Whether the option's value is the word behind it.
fn takes_next(arg: &Arg, word: &OsStr) -> bool {
    let is_short = OptionWord::of(word).is_some_and(|option| arg.get_long() != Some(option.name));
    let has_value = if is_short { word.len() > "-x".len() } else { word.as_bytes().contains(&b'=') };
    arg.get_action().takes_values() && !has_value
}

fn unknown(run: &Command, option: &OptionWord<'_>) -> String {
    let ours = run.get_arguments().filter_map(Arg::get_long).map(|long| (long, "--"));
    let theirs = table::OPTIONS.iter().map(|option| (option.name, "-"));
    let near = suggest::nearest(option.name, ours.chain(theirs));
    let advice = match near {
        Some((name, dashes)) => format!("did you mean {dashes}{name}?"),
        None => "options of LLVM's passes are for opt and llc; --passes takes a pipeline".to_owned(),
    };
    format!("unknown option -{}: {advice} (`larder run --help` and `larder lli-options` list all)", option.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> Result<String, String> {
        let words = ["larder", "run"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        let words = in_our_words(words).map_err(|error| error.to_string())?;
        Ok(words[2..].iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn options_of_lli_become_ours() {
        let table = [
            ("-entry-function=go p.bc", "--entry go p.bc"),
            ("--entry-function go p.bc -x", "--entry go p.bc -x"),
            ("-fake-argv0 x -O3 p.bc", "--argv0 x -O3 p.bc"),
            ("-O 2 -O=2 p.bc", "-O 2 -O=2 p.bc"),
            ("-load=./a.so -dlopen b.so p.bc", "--load=./a.so --load b.so p.bc"),
            ("-lm -L /x -lljit-platform=GenericIR p.bc", "-lm -L /x p.bc"),
            ("-jit-kind=orc-lazy -per-module-lazy -compile-threads=4 p.bc", "--threads 4 p.bc"),
            ("-compile-threads 0 p.bc", "p.bc"),
            (
                "-mcpu=skylake -mattr=+avx,-sse4a -mattr bmi p.bc",
                "--cpu x86-64-v3 --features +avx,-sse4a --features +bmi p.bc",
            ),
            ("-march=x86-64 -mtriple x86_64-unknown-linux-gnu -code-model=small p.bc", "p.bc"),
            ("-time -explain --cpu native -cpu native p.bc", "--time --explain --cpu native --cpu native p.bc"),
            ("-enable-no-nans-fp-math=false -fp-contract=on p.bc", "p.bc"),
            ("-- p.bc -O3 -- x", "-- p.bc -O3 -- x"),
            ("- -entry-function", "- -entry-function"),
        ];
        for (line, expected) in table {
            assert_eq!(rewritten(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let table = [
            ("-entry-function", "requires a value"),
            ("-entry-functoin=x p.bc", "did you mean -entry-function?"),
            ("-frobnicate-everything p.bc", "opt and llc"),
            ("-jit-kind=foo p.bc", "mcjit"),
            ("-mtriple=aarch64-linux-gnu p.bc", "x86_64"),
            ("-march arm p.bc", "x86-64"),
            ("-mcpu=z80 p.bc", "z80"),
            ("-per-module-lazy=maybe p.bc", "maybe"),
            ("-compile-threads=x p.bc", "number"),
            ("-code-model=kernel p.bc", "kernel"),
            ("-enable-no-nans-fp-math p.bc", "-ffast-math"),
            ("-jd=other p.bc", "--load"),
            ("-remote-mcjit p.bc", "process"),
        ];
        for (line, expected) in table {
            let refusal = rewritten(line).expect_err(line);
            assert!(refusal.contains(expected), "{line}: {refusal}");
        }
    }

    #[test]
    fn other_subcommands_are_left_alone() {
        for line in ["larder build -o x p.bc", "larder --dir d inspect -all", "larder", "larder --no-store doctor"] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(in_our_words(words.clone()).expect(line), words);
        }
        let words = "larder --dir d run -explain p.bc".split(' ').map(OsString::from).collect();
        assert_eq!(in_our_words(words).expect("known")[4], "--explain");
    }

    #[test]
    fn what_options_become_is_ours() {
        let mut command = Args::command();
        command.build();
        let run = command.find_subcommand("run").expect("there is one");
        for option in table::OPTIONS {
            if let table::Meaning::Becomes(ours) = option.meaning {
                let arg = run.get_arguments().find(|arg| arg.get_long() == Some(ours)).expect(option.name);
                assert_eq!(arg.get_action().takes_values(), option.takes == Takes::Value, "{}", option.name);
            }
        }
    }
}
