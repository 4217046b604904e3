//! What the program finds when it starts. None of it changes the code of a function.

use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Program")]
pub(crate) struct ProgramArgs {
    /// What the program finds as its own name [default: FILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) argv0: Option<OsString>,
    /// Function without parameters that runs on a thread of its own beside the program; can be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) thread_entry: Vec<String>,
    /// Library that is loaded before the program, found as the dynamic linker finds it; can be given again
    #[arg(long, value_name = "LIBRARY", value_hint = ValueHint::FilePath)]
    pub(crate) load: Vec<OsString>,
    /// Library libNAME.so or libNAME.a, as a linker takes it (`:NAME`: the file of that name); can be given again
    #[arg(short = 'l', value_name = "NAME")]
    pub(crate) libraries: Vec<OsString>,
    /// Directory where libraries are looked for before those of $LIBRARY_PATH and of the system; can be given again
    #[arg(short = 'L', value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) library_dirs: Vec<PathBuf>,
    /// Let the program write no core file
    #[arg(long)]
    pub(crate) disable_core_files: bool,
}
