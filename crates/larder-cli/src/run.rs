//! `larder run`: the program starts here and never comes back.

use crate::args::{RunArgs, StoreArgs};
use crate::progress::Display;
use crate::report;
use anyhow::Context;
use larder::runtime::{Arguments, ProcessSymbols, program};
use larder::{CompileOptions, Error, Exports, Larder, Module, Prepared};
use std::ffi::{CString, OsString, c_int};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What messages call standard input.
const STDIN: &str = "<stdin>";

/// Finds or compiles the program's code and runs it. Its exit code is returned after its exit handlers are registered.
pub(crate) fn run(store: &StoreArgs, args: &RunArgs) -> anyhow::Result<c_int> {
    let larder = store.open(Some(&args.limits), args.save_temps.as_deref())?;
    let prepared = prepare(&larder, args)?;
    // The program finds no more open files than a native one.
    drop(larder);
    report::warnings(prepared.warnings());
    if args.explain {
        report::explain(&prepared);
    }
    if let Some(path) = &args.report {
        report::write(path, &prepared)?;
    }
    let ready = prepared.bind(&ProcessSymbols)?;
    if let Some(dir) = &args.perf_jitdump {
        let written = ready.sealed().write_jitdump(dir);
        written.with_context(|| format!("cannot write a jitdump file in {}", dir.display()))?;
    }
    if args.time {
        report::time(ready.phases());
    }
    start(ready, &args.entry, &args.argv)
}

fn prepare(larder: &Larder, args: &RunArgs) -> anyhow::Result<Prepared> {
    let options = args.code.options(Exports::Only(vec![args.entry.clone()]))?;
    let mut display = Display::new();
    let mut progress = |step: larder::Progress<'_>| display.show(&step);
    let file = args.argv.first().map_or(Path::new(""), Path::new);
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        let image = larder.prepare(Module::bytes(STDIN, &bytes[..]), &options, &mut progress);
        return match image {
            Err(Error::Elf { .. }) => Ok(larder.prepare_image_bytes(STDIN, &bytes, &options, &mut progress)?),
            other => Ok(other?),
        };
    }
    match larder.prepare(Module::file(file), &options, &mut progress) {
        Err(Error::Elf { path }) => Ok(image(larder, &path, &options, &mut progress)?),
        other => Ok(other?),
    }
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
fn start(ready: larder::Ready, entry: &str, argv: &[OsString]) -> anyhow::Result<c_int> {
    let argv = argv.iter().map(|arg| CString::new(arg.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let arguments = Arguments::new(argv);
    // SAFETY: the user named the module and asked to run it, bound to this process's symbols as a native program is.
    let code = unsafe { ready.initialise(&arguments) }?;
    // Exit handlers of the program run after this function has returned.
    let image = code.leak();
    // SAFETY: the same; that the entry is a C main is what `--entry` says.
    let exit_code = unsafe { program::run_main(image, entry, &arguments) };
    exit_code.with_context(|| format!("the module defines no function {entry}; name another with --entry"))
}
