//! What a README says that commands print, compared with what they print.
//!
//! A transcript is a block of the kind `console`: lines that begin with `$ ` are commands of a shell, and what follows each of them, to the
//! next, is what it prints, on both streams. White space where lines end doesn't count.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs what the transcripts of a README show, one after the other, in `folder`; `program` is found by its name.
///
/// # Errors
/// A command prints something else, or can't be started.
pub fn check_transcripts(readme: &str, folder: &Path, program: &Path) -> Result<()> {
    let own = program.parent().context("the program's folder")?.to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others)))?;
    let commands = commands(readme);
    ensure!(!commands.is_empty(), "there is no transcript");
    for (command, promised) in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{command}")]).current_dir(folder).env("PATH", &path);
        let printed = shell.env_remove("LARDER_LOG").output().context("sh")?.stdout;
        let printed = String::from_utf8_lossy(&printed);
        let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        ensure!(lines(&printed) == lines(promised), "$ {command}\n{printed}\ninstead of\n{promised}");
    }
    Ok(())
}

/// Lines with an `N` for each number, since times and machines differ. A time in another unit is a time as well.
pub fn masked(text: &str) -> Vec<String> {
    let mask = |line: &str| {
        let mut masked = String::new();
        for letter in line.trim_end().chars() {
            match letter {
                '0'..='9' | '.' if masked.ends_with('N') => {}
                '0'..='9' => masked.push('N'),
                other => masked.push(other),
            }
        }
        masked.replace("Nms", "Ns").replace("Nµs", "Ns")
    };
    text.trim_end().lines().map(mask).collect()
}

/// The commands of a README's transcripts, and what each is to print.
pub fn commands(readme: &str) -> Vec<(&str, &str)> {
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands = blocks.flat_map(|block| block.strip_prefix("$ ").unwrap_or(block).split("\n$ "));
    commands.map(|command| command.split_once('\n').unwrap_or((command, ""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked() {
        assert_eq!(masked("took 1.25ms, 17 of 20.\nv1 \n"), ["took Ns, N of N", "vN"]);
        assert_eq!(masked("took 3s, 1 of 2."), masked("took 12.5µs, 100 of 2000."));
    }

    #[test]
    fn a_transcript_is_true_or_it_is_told_what_is_not() {
        let readme = "One:\n```console\n$ echo one; echo two >&2\none\ntwo\n$ true\n$ pwd -P | wc -l\n1\n```\nTwo:\n```sh\n$ false\n```\n";
        assert_eq!(commands(readme).len(), 3);
        let dir = tempfile::tempdir().expect("a directory");
        check_transcripts(readme, dir.path(), Path::new("/bin/sh")).expect("it is true");
        let wrong = readme.replace("two\n$", "three\n$");
        let error = check_transcripts(&wrong, dir.path(), Path::new("/bin/sh")).expect_err("it is not");
        assert_eq!(error.to_string(), "$ echo one; echo two >&2\none\ntwo\n\ninstead of\none\nthree");
        assert!(check_transcripts("", dir.path(), Path::new("/bin/sh")).is_err());
    }
}
