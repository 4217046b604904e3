//! What was typed. Help has this one source; nothing here decides anything.

use crate::inputs::ExtraInputs;
use crate::lli;
use anyhow::Context;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueHint};
use larder::format::cpu::{CpuFeatures, x86_64};
use larder::{
    CompileOptions, Cpu, CpuBase, Exports, Larder, Level, RawPointers, Settings, Split, StorePlace, ThreadLocals,
    TraceFile, Trust,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod program;

pub(crate) use program::ProgramArgs;

const EXAMPLES: &str = "\
Examples:
  clang -O2 -emit-llvm -c prog.c -o prog.bc     make a module
  larder run prog.bc input.txt                  compile it once; from the second run on, start at once
  larder run --explain --time prog.bc           say whether saved code was used, and where the time went
  larder build prog.bc -o prog.image            save the native code as a file of its own
  larder inspect prog.image                     what it needs, what it offers, for which CPU
  larder cache stats                            how much is kept, and where
  larder doctor                                 what is installed, what is missing, what to do";

const RUN_EXAMPLES: &str = "\
Examples:
  larder run prog.bc one two           argv is prog.bc, one, two
  larder run -O3 prog.ll               other options are another entry: nothing is mixed up
  clang -emit-llvm -c -o - prog.c | larder run -
  larder run --cpu x86-64-v2 prog.bc   code that any machine of the last ten years can run
  larder run --cpu baseline prog.bc    code that machines with one store share, whatever their processors
  larder run prog.image                an image made by `larder build`
  larder run -L plugins -lgame prog.bc with libgame.so of that directory, or what is needed of libgame.a
  larder run --extra-module rows.bc --extra-object fast.o --extra-archive libquery.a main.bc
                                       link several inputs; a changed module alone is compiled again

lli's options are taken too, with one dash or two: `larder lli-options` says what each means here.
Called by the name lli (a symbolic link), the command takes lli's own line: `lli FILE ARGS`.

The exit code is the program's own; 125 if larder itself failed. A signal that ends the program ends larder.";

/// Compile LLVM IR once, keep the native code, start from it ever after.
#[derive(Debug, Parser)]
#[command(name = "larder", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Reads the command line of this process. What `lli` has of its own is said in our words first.
    ///
    /// `larder run FILE ARGS…` (and `lli FILE ARGS…`), with no option of ours but `--dir`, is read by hand: clap describes every option to itself before it reads the
    /// first word, which would cost a third of a start that is over in a millisecond. A test compares the two readings.
    pub(crate) fn of_process() -> anyhow::Result<Args> {
        let words = std::env::args_os();
        let words = if lli::called_as_lli().is_some() { lli::as_run(words) } else { words.collect() };
        match Self::plain_run(words.iter().cloned()) {
            Some(args) => Ok(args),
            None => Ok(Args::try_parse_from(lli::in_our_words(words)?)?),
        }
    }

    fn plain_run(words: impl Iterator<Item = OsString>) -> Option<Args> {
        let mut words = words.skip(1).peekable();
        words.next().filter(|word| word == "run")?;
        let is_placed = words.next_if(|word| word == "--dir").is_some();
        let dir = if is_placed { Some(PathBuf::from(words.next().filter(|dir| !dir.is_empty())?)) } else { None };
        let argv: Vec<OsString> = words.collect();
        let _file = argv.first().filter(|word| !word.as_encoded_bytes().starts_with(b"-"))?;
        let run = RunArgs {
            code: CodeArgs {
                level: Level::O2,
                passes: None,
                cpu: CpuBase::Native,
                features: Vec::new(),
                no_source: false,
                lto: false,
                split: Split::Auto,
            },
            limits: LimitArgs { timeout: None, memory: None, threads: None },
            inputs: ExtraInputs::default(),
            entry: "main".to_owned(),
            program: ProgramArgs::default(),
            time: false,
            explain: false,
            report: None,
            watch: WatchArgs::default(),
            must_hit: false,
            check: false,
            save_temps: None,
            perf_jitdump: None,
            argv,
        };
        Some(Args { store: StoreArgs { dir, no_store: false }, command: Command::Run(run) })
    }
}

/// Where code is kept.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct StoreArgs {
    /// Directory of the store [default: $LARDER_DIR, or larder in the user's cache directory]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Compile without looking anything up, and keep nothing
    #[arg(long, global = true, conflicts_with = "dir")]
    pub(crate) no_store: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program: bitcode, textual IR, an object or a saved image
    Run(RunArgs),
    /// Make an image file of a module, or of several inputs
    Build(BuildArgs),
    /// Show what an image is, needs and offers
    Inspect(InspectArgs),
    /// Check every byte of image files
    Verify(VerifyArgs),
    /// Look after the store
    Cache(CacheArgs),
    /// Say what is installed, what is missing and what to do
    Doctor(DoctorArgs),
    /// List the options of lli and what each means to `larder run`
    LliOptions,
    /// Print completions for a shell
    #[command(after_help = "Example:\n  larder completions bash > ~/.local/share/bash-completion/completions/larder")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How a module is compiled. All of it is part of an entry's key.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Code")]
pub(crate) struct CodeArgs {
    /// Optimisation level: 0, 1, 2, 3, s or z; functions that clang compiled without -O stay as they are
    #[arg(short = 'O', value_name = "LEVEL", default_value = "2")]
    pub(crate) level: Level,
    /// Passes to run instead of the level's own, as for `opt -passes=`
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) passes: Option<String>,
    /// CPU for functions that don't name their own: native, baseline (any x86-64), x86-64-v2, x86-64-v3, x86-64-v4
    #[arg(long, value_name = "CPU", default_value = "native")]
    pub(crate) cpu: CpuBase,
    /// Features added to the CPU (+avx2) or taken from it (-avx2), separated by commas; can be given again
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) features: Vec<String>,
    /// Leave the module out of the image: it can't be rebuilt from then
    #[arg(long)]
    pub(crate) no_source: bool,
    /// Optimise all modules as one; then a change of one compiles all of them
    #[arg(long)]
    pub(crate) lto: bool,
    /// Optimise a module as a whole (the best code), in groups of functions (an edit then costs a few of them), or as its size suggests:
    /// whole, groups or auto
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) split: Split,
}

/// How far a compilation may go. None of it changes the code.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Give up a compilation after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// Memory that a compilation may use, in MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) memory: Option<u64>,
    /// Threads that generate code [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
}

/// What is written down for people to look at.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct WatchArgs {
    /// Write where the time went to a file, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = RUN_EXAMPLES, override_usage = "larder run [OPTIONS] FILE [ARGS]...")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) code: CodeArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) inputs: ExtraInputs,
    /// Function to start at
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(crate) entry: String,
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// Print on standard error where the time went
    #[arg(long)]
    pub(crate) time: bool,
    /// Print on standard error whether saved code was used, or why not
    #[arg(long)]
    pub(crate) explain: bool,
    /// Write what happened to a file, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    /// Fail instead of compiling: for starts that must not wait
    #[arg(long)]
    pub(crate) must_hit: bool,
    /// Compile also on a hit, and fail unless every byte is the same
    #[arg(long, conflicts_with = "must_hit")]
    pub(crate) check: bool,
    /// Keep what the compilation makes in this directory: objects and image
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) save_temps: Option<PathBuf>,
    /// Write jit-PID.dump in this directory, for `perf inject --jit`; perf itself names saved functions without it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) perf_jitdump: Option<PathBuf>,
    /// Bitcode, textual IR, an object or a saved image (`-`: standard input), then the program's arguments as they are
    #[arg(value_name = "FILE [ARGS]", required = true, trailing_var_arg = true, value_hint = ValueHint::FilePath)]
    pub(crate) argv: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) code: CodeArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) inputs: ExtraInputs,
    /// Name that the image offers; can be given again [default: every visible definition]
    #[arg(long = "export", value_name = "NAME")]
    pub(crate) exports: Vec<String>,
    /// Print on standard error where the time went
    #[arg(long)]
    pub(crate) time: bool,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    /// Keep what the compilation makes in this directory: objects and image
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) save_temps: Option<PathBuf>,
    /// Where the image goes
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Bitcode, textual IR or an object; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Disassemble the code, with llvm-objdump or objdump
    #[arg(long, conflicts_with = "json")]
    pub(crate) disassemble: bool,
    /// List every import, export and unit, however many there are
    #[arg(long)]
    pub(crate) all: bool,
    /// An image file
    #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Image files
    #[arg(value_name = "IMAGE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List the entries, those used last first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Count the entries and their bytes
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what was not used for longest, and what dead processes left
    Gc {
        /// Bytes to keep at most, in MiB [default: the store's limit]
        #[arg(long, value_name = "MIB")]
        size: Option<u64>,
    },
    /// Remove every entry
    Clear,
    /// Check every byte of every entry
    Verify {
        /// Remove the bad ones; they are compiled again when they are needed
        #[arg(long)]
        remove: bool,
    },
    /// Print the store's directory
    Path,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl CodeArgs {
    /// The library's options, for an image that offers those names.
    pub(crate) fn options(&self, exports: Exports, thread_locals: ThreadLocals) -> anyhow::Result<CompileOptions> {
        let mut cpu = Cpu { base: self.cpu, ..Cpu::default() };
        for list in &self.features {
            cpu.change(list)?;
        }
        Ok(CompileOptions {
            level: self.level,
            passes: self.passes.clone(),
            cpu,
            exports,
            keep_source: !self.no_source,
            lto: self.lto,
            split: self.split,
            thread_locals,
            raw_pointers: RawPointers::Ignore,
        })
    }
}

impl StoreArgs {
    /// Opens the store with what else was typed.
    pub(crate) fn open(&self, limits: Option<&LimitArgs>, save_temps: Option<&Path>) -> anyhow::Result<Larder> {
        self.open_with(Settings::default(), limits, save_temps)
    }

    /// The same, with settings of the subcommand's own.
    pub(crate) fn open_with(
        &self,
        mut settings: Settings,
        limits: Option<&LimitArgs>,
        save_temps: Option<&Path>,
    ) -> anyhow::Result<Larder> {
        settings.store = match (&self.dir, self.no_store) {
            (_, true) => StorePlace::Off,
            (Some(dir), _) => StorePlace::Dir(dir.clone()),
            (None, _) => StorePlace::Default,
        };
        settings.host = pretended_host()?;
        if let Some(limits) = limits {
            settings.limits.timeout = limits.timeout.map(Duration::from_secs);
            settings.limits.memory_max = limits.memory.map(|mib| mib.saturating_mul(1 << 20));
            settings.thread_count = limits.threads;
        }
        settings.save_temps = save_temps.map(Path::to_path_buf);
        Ok(Larder::open(settings))
    }
}

impl WatchArgs {
    /// The trace that was asked for.
    pub(crate) fn trace(&self) -> anyhow::Result<Option<TraceFile>> {
        let create = |path: &PathBuf| {
            TraceFile::create(path).with_context(|| format!("cannot write the trace {}", path.display()))
        };
        self.trace.as_ref().map(create).transpose()
    }
}

impl RunArgs {
    /// Whether saved code is believed, and whether it is made.
    pub(crate) fn trust(&self) -> Trust {
        match (self.must_hit, self.check) {
            (true, _) => Trust::MustHit,
            (_, true) => Trust::Check,
            _ => Trust::Usual,
        }
    }
}

/// The machine that `LARDER_CPU_FEATURES` makes this one pass for: a list of features beyond x86-64's baseline. For tests of what
/// happens on other machines.
fn pretended_host() -> anyhow::Result<Option<CpuFeatures>> {
    let Some(names) = std::env::var_os("LARDER_CPU_FEATURES") else { return Ok(None) };
    let names = names.to_string_lossy().into_owned();
    let beyond = names.split(',').filter(|name| !name.is_empty());
    Ok(Some(CpuFeatures::from_names(beyond.chain(x86_64::BASELINE.iter().copied()))?))
}

/// Completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "larder", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_follows_the_file_is_the_programs() {
        let args = Args::parse_from(["larder", "run", "-O3", "p.bc", "-O0", "--time", "--", "x"]);
        let Command::Run(run) = args.command else { panic!("it is run") };
        assert_eq!(run.level(), Level::O3);
        assert_eq!(run.argv, ["p.bc", "-O0", "--time", "--", "x"]);
        assert!(!run.time);
    }

    #[test]
    fn extra_inputs_keep_their_order() {
        let line = "larder run --extra-object b.o --extra-module=c.bc --extra-object d.o --extra-archive e.a p.bc";
        let args = Args::parse_from(line.split(' '));
        let Command::Run(run) = args.command else { panic!("it is run") };
        assert_eq!(run.inputs.0, ["b.o", "c.bc", "d.o", "e.a"].map(PathBuf::from));
    }

    #[test]
    fn a_plain_run_is_read_as_clap_reads_it() {
        for line in [
            "p.bc",
            "p.bc a b",
            "p.bc -- -x",
            "p.bc -O3 --time",
            "./run run run",
            "p.bc --help",
            "p.bc --dir d",
            "--dir d p.bc a",
        ] {
            let words = || ["larder", "run"].into_iter().chain(line.split(' ')).map(OsString::from);
            let plain = Args::plain_run(words()).expect("it is plain");
            let whole = Args::try_parse_from(words()).expect("it is a run");
            assert_eq!(format!("{plain:?}"), format!("{whole:?}"), "{line}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_clap() {
        for line in [
            "larder",
            "larder run",
            "larder run -",
            "larder run -O3 p",
            "larder --dir d run p",
            "larder doctor p",
            "larder run --help",
        ] {
            assert!(Args::plain_run(line.split(' ').map(OsString::from)).is_none(), "{line}");
        }
    }

    impl RunArgs {
        fn level(&self) -> Level {
            self.code.level
        }
    }
}
