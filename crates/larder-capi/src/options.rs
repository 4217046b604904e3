//! Options: what reaches the code.

use crate::border::{Array, ErrorPlace, Result, Text, choose, free};
use crate::changeable::{Changeable, change};
use crate::error::{Kind, larder_error};
use crate::handle::Handle;
use larder::{CompileOptions, Cpu, Exports, RawPointers, Split};
use std::ffi::c_char;

/// `larder_options`.
pub type larder_options = Changeable<CompileOptions>;

/// `larder_options_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_new() -> Handle<larder_options> {
    Changeable::make()
}

/// `larder_options_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_free(options: Handle<larder_options>) {
    free(options);
}

fn argument(error: impl ToString) -> Box<larder_error> {
    larder_error::new(Kind::Argument, error.to_string())
}

fn set(
    options: Handle<larder_options>,
    error: ErrorPlace,
    set: impl FnOnce(&mut CompileOptions) -> Result<()>,
) -> bool {
    change(options, "options", error, set)
}

/// `larder_options_set_level`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_level(options: Handle<larder_options>, level: c_char, error: ErrorPlace) -> bool {
    set(options, error, |options| {
        options.level = char::from(level as u8).to_string().parse().map_err(argument)?;
        Ok(())
    })
}

/// `larder_options_set_passes`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_passes(options: Handle<larder_options>, passes: Text, error: ErrorPlace) -> bool {
    set(options, error, |options| {
        options.passes = passes.optional("passes")?.map(str::to_owned);
        Ok(())
    })
}

/// `larder_options_set_cpu`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_cpu(
    options: Handle<larder_options>,
    cpu: Text,
    features: Text,
    error: ErrorPlace,
) -> bool {
    set(options, error, |options| {
        let base = cpu.get("cpu")?.parse().map_err(argument)?;
        let mut cpu = Cpu { base, ..Cpu::default() };
        if let Some(features) = features.optional("features")? {
            cpu.change(features).map_err(argument)?;
        }
        options.cpu = cpu;
        Ok(())
    })
}

/// `larder_options_set_exports`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_exports(
    options: Handle<larder_options>,
    names: Array<Text>,
    count: usize,
    error: ErrorPlace,
) -> bool {
    set(options, error, |options| {
        let names = names.get(count, "names")?.iter().map(|name| name.get("a name").map(str::to_owned));
        options.exports = Exports::Only(names.collect::<Result<_>>()?);
        Ok(())
    })
}

/// `larder_options_set_keep_source`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_keep_source(
    options: Handle<larder_options>,
    keep: bool,
    error: ErrorPlace,
) -> bool {
    set(options, error, |options| {
        options.keep_source = keep;
        Ok(())
    })
}

/// `larder_options_set_lto`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_lto(options: Handle<larder_options>, lto: bool, error: ErrorPlace) -> bool {
    set(options, error, |options| {
        options.lto = lto;
        Ok(())
    })
}

/// `larder_options_set_split`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_split(options: Handle<larder_options>, split: u32, error: ErrorPlace) -> bool {
    set(options, error, |options| {
        options.split = choose("larder_split", &[Split::Auto, Split::Whole, Split::Groups], split)?;
        Ok(())
    })
}

/// `larder_options_set_raw_pointers`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_set_raw_pointers(
    options: Handle<larder_options>,
    raw_pointers: u32,
    error: ErrorPlace,
) -> bool {
    set(options, error, |options| {
        let ways = [RawPointers::Ignore, RawPointers::Rescue, RawPointers::Strict, RawPointers::Mapped];
        options.raw_pointers = choose("larder_raw_pointers", &ways, raw_pointers)?;
        Ok(())
    })
}
