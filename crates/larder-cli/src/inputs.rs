//! What is linked in beside the main file: three options whose order counts across all of them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, ValueHint, value_parser};
use larder::{Error, Input, Module, Program};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What messages call standard input.
pub(crate) const STDIN: &str = "<stdin>";

/// The options and what they take. What a file is shows in its first bytes, so all three lead to the same; the names are those that
/// people know from `lli`.
const OPTIONS: [(&str, &str); 3] = [
    ("extra-module", "Link this module in: bitcode or textual IR; can be given again, as can the next two"),
    ("extra-object", "Link this relocatable object in, from any compiler"),
    ("extra-archive", "Take those members of this archive that are needed"),
];

/// Files that are linked in, in the order of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExtraInputs(pub(crate) Vec<PathBuf>);

impl Args for ExtraInputs {
    fn augment_args(command: Command) -> Command {
        OPTIONS.iter().fold(command, |command, (name, help)| {
            let option = Arg::new(*name).long(*name).value_name("FILE").value_hint(ValueHint::FilePath);
            let option = option.action(ArgAction::Append).value_parser(value_parser!(PathBuf));
            command.arg(option.help(*help).help_heading("Inputs"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ExtraInputs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (name, _) in OPTIONS {
            let files = matches.get_many::<PathBuf>(name).unwrap_or_default();
            found.extend(matches.indices_of(name).unwrap_or_default().zip(files.cloned()));
        }
        found.sort_by_key(|&(place, _)| place);
        Ok(ExtraInputs(found.into_iter().map(|(_, file)| file).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl ExtraInputs {
    /// The program of a main input and these behind it.
    pub(crate) fn program<'a>(&self, main: Module<'a>) -> Program<'a> {
        self.0.iter().fold(main.into(), |program, file| program.and(Input::file(file)))
    }

    /// The same with archives behind, which other options have named.
    pub(crate) fn with(&self, archives: &[PathBuf]) -> ExtraInputs {
        ExtraInputs(self.0.iter().chain(archives).cloned().collect())
    }

    /// What is wrong with an error of the library for who gave these: of the main file, that it is an image has another meaning.
    pub(crate) fn explain(&self, main: &Path, error: Error) -> anyhow::Error {
        match &error {
            Error::Elf { path } if path == main && !self.0.is_empty() => anyhow::anyhow!(
                "{}: a saved image, a library or an executable is linked already: nothing can be linked in",
                path.display()
            ),
            _ => error.into(),
        }
    }
}

/// All of standard input.
pub(crate) fn read_stdin() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    anyhow::Context::context(std::io::stdin().lock().read_to_end(&mut bytes), "cannot read standard input")?;
    Ok(bytes)
}
