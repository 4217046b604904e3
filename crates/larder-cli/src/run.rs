//! `larder run`: the program starts here and never comes back.

use crate::args::{RunArgs, StoreArgs};
use crate::builtins;
use crate::inputs::{STDIN, read_stdin};
use crate::libraries::{self, Found};
use crate::progress::Display;
use crate::report;
use crate::running;
use anyhow::{Context, bail};
use larder::runtime::program::{self, Threads};
use larder::runtime::{Arguments, Chain, Libraries, LoadError, ProcessSymbols, has_place_for_static_tls};
use larder::{CompileOptions, Error, Exports, Larder, Module, Prepared, Settings, ThreadLocals, TraceFile};
use std::ffi::{CString, OsString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Finds or compiles the program's code and runs it. Its exit code is returned after its exit handlers are registered.
pub(crate) fn run(store: &StoreArgs, args: &RunArgs) -> anyhow::Result<c_int> {
    let trace = args.watch.trace()?;
    let found = libraries::find(&args.program)?;
    let mut settings = Settings::default();
    settings.trust = args.trust();
    settings.observer = trace.as_ref().map(TraceFile::observer).unwrap_or_default();
    let larder = store.open_with(settings, Some(&args.limits), args.save_temps.as_deref())?;
    let mut prepared = prepare(&larder, args, &found)?;
    let libraries = load(&mut prepared, &found.shared)?;
    // A library that has started threads has left no place for these: then the code is chosen anew.
    if prepared.has_fixed_thread_locals() && has_place_for_static_tls().is_err() {
        prepared = prepare(&larder, args, &found)?;
    }
    // The program finds no more open files than a native one.
    drop(larder);
    report::warnings(prepared.warnings());
    if args.explain {
        report::explain(&prepared);
    }
    if let Some(path) = &args.report {
        report::write(path, &prepared)?;
    }
    let ready = prepared.bind(&Chain(&[&libraries, &ProcessSymbols])).map_err(with_advice)?;
    if let Some(dir) = &args.perf_jitdump {
        let written = ready.sealed().write_jitdump(dir);
        written.with_context(|| format!("cannot write a jitdump file in {}", dir.display()))?;
    }
    if args.time {
        report::time(ready.phases());
    }
    if let Some(trace) = trace {
        running::begin(trace);
    }
    start(ready, args, &libraries)
}

/// Loads the program's libraries, into which it may reach. They stay to the end of the process, as it does.
#[expect(unsafe_code, reason = "the user named the program and its libraries, as for a linker")]
fn load(program: &mut Prepared, names: &[OsString]) -> Result<Libraries, Error> {
    // SAFETY: this is the process's one thread, as far as it runs code of others.
    unsafe { program.stay() }?;
    let mut libraries = Libraries::new();
    // SAFETY: running their code is what the user asked for.
    unsafe { libraries.open(names) }?;
    Ok(libraries)
}

fn with_advice(error: Error) -> anyhow::Error {
    let Error::Load(LoadError::Unresolved { names, .. }) = &error else { return error.into() };
    let advice = builtins::advice(names).unwrap_or_default();
    anyhow::anyhow!("{error}; a library that defines them is named by -l NAME or --load FILE{advice}")
}

fn prepare(larder: &Larder, args: &RunArgs, found: &Found) -> anyhow::Result<Prepared> {
    let options = args.code.options(exports(args, found), ThreadLocals::Static)?;
    let mut display = Display::new();
    let mut progress = |step: larder::Progress<'_>| display.show(&step);
    let file = args.argv.first().map_or(Path::new(""), Path::new);
    let extra = &args.inputs.with(&found.archives);
    if file == Path::new("-") {
        let bytes = read_stdin()?;
        let prepared = larder.prepare(extra.program(Module::bytes(STDIN, &bytes[..])), &options, &mut progress);
        return match prepared {
            Err(Error::Elf { .. }) if extra.0.is_empty() => {
                Ok(larder.prepare_image_bytes(STDIN, &bytes, &options, &mut progress)?)
            }
            other => other.map_err(|error| extra.explain(Path::new(STDIN), error)),
        };
    }
    match larder.prepare(extra.program(Module::file(file)), &options, &mut progress) {
        Err(Error::Elf { path }) if extra.0.is_empty() => Ok(image(larder, &path, &options, &mut progress)?),
        other => other.map_err(|error| extra.explain(file, error)),
    }
}

/// What the image offers: where the program starts, and everything if libraries may ask for it.
fn exports(args: &RunArgs, found: &Found) -> Exports {
    if !found.shared.is_empty() {
        return Exports::All;
    }
    Exports::Only(std::iter::once(&args.entry).chain(&args.program.thread_entry).cloned().collect())
}

#[expect(unsafe_code, reason = "the user named the file, and it is the user's not to change it meanwhile")]
fn image(
    larder: &Larder,
    path: &Path,
    options: &CompileOptions,
    progress: &mut dyn FnMut(larder::Progress<'_>),
) -> Result<Prepared, Error> {
    // SAFETY: as for any executable: who writes to it while it runs breaks it.
    unsafe { larder.prepare_image(path, options, progress) }
}

/// Runs initialisers and program. What is returned becomes the process's exit code; exit handlers run after that, as they do
/// when a native program's `main` returns.
#[expect(unsafe_code, reason = "running the program is what the user asked for")]
fn start(ready: larder::Ready, args: &RunArgs, libraries: &Libraries) -> anyhow::Result<c_int> {
    let argv = argv(args)?;
    ready.offer_exports(argv.first().map_or(c"", CString::as_c_str), libraries);
    // SAFETY: the image stays to the end; nothing of the program has run, and this process's one thread asks libraries for nothing meanwhile.
    unsafe { ready.preempt_libraries() };
    let arguments = Arguments::new(argv);
    if args.program.disable_core_files {
        program::disable_core_files();
    }
    // SAFETY: the user named the module and asked to run it, bound to this process's symbols as a native program is.
    let code = unsafe { ready.initialise(&arguments) }?;
    // Exit handlers of the program run after this function has returned.
    let image = code.leak();
    let mut threads = Threads::default();
    for entry in &args.program.thread_entry {
        // SAFETY: the same; that the entry takes and returns nothing is what `--thread-entry` says.
        let started = unsafe { threads.start(image, entry) }.context("cannot start a thread")?;
        if !started {
            bail!("the module defines no function {entry}, which --thread-entry names");
        }
    }
    // SAFETY: the same; that the entry is a C main is what `--entry` says.
    let exit_code = unsafe { program::run_main(image, &args.entry, &arguments) };
    let exit_code = exit_code
        .with_context(|| format!("the module defines no function {}; name another with --entry", args.entry))?;
    threads.join();
    Ok(exit_code)
}

/// The program's arguments, its own name among them.
fn argv(args: &RunArgs) -> anyhow::Result<Vec<CString>> {
    let name = args.program.argv0.as_ref().or(args.argv.first());
    let words = name.into_iter().chain(args.argv.iter().skip(1));
    Ok(words.map(|word| CString::new(word.as_bytes())).collect::<Result<_, _>>()?)
}
