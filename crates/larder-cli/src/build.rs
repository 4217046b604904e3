//! `larder build`: a module, or several inputs, into an image file.

use crate::args::{BuildArgs, StoreArgs};
use crate::inputs::{STDIN, read_stdin};
use crate::progress::Display;
use crate::report;
use anyhow::{Context, bail};
use larder::{Exports, Module, Settings, ThreadLocals};
use std::ffi::c_int;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Compiles the inputs and writes the image, whole or not at all.
pub(crate) fn build(store: &StoreArgs, args: &BuildArgs) -> anyhow::Result<c_int> {
    let exports = if args.exports.is_empty() { Exports::All } else { Exports::Only(args.exports.clone()) };
    let options = args.code.options(exports, ThreadLocals::Dynamic)?;
    let mut settings = Settings::default();
    if let Some(trace) = args.watch.trace()? {
        settings.observer = trace.observer();
    }
    let larder = store.open_with(settings, Some(&args.limits), args.save_temps.as_deref())?;
    let module = match args.file == Path::new("-") {
        true => Module::bytes(STDIN, read_stdin()?),
        false => Module::file(&args.file),
    };
    let mut display = Display::new();
    let built = larder.build(args.inputs.program(module), &options, &mut |step| display.show(&step));
    let built = built.map_err(|error| args.inputs.explain(&args.file, error))?;
    drop(display);
    write(&args.output, &built.bytes)?;
    if args.time {
        report::time(&built.phases);
    }
    Ok(0)
}

/// Writes beside the file and renames, so that a program that has the old image mapped keeps it.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let Some(name) = path.file_name() else { bail!("{} is no name for a file", path.display()) };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let context = || format!("cannot write {}", path.display());
    // As any compiler's output; the user's mask takes away what it should.
    let mode = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(name).permissions(mode).tempfile_in(dir).with_context(context)?;
    file.write_all(bytes).with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}
