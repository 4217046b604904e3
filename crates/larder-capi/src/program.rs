//! Programs: inputs as the host describes them, until they are loaded.

use crate::border::{Array, Callback, ErrorPlace, Result, Text, free};
use crate::changeable::{Changeable, change};
use crate::handle::{Handle, Lent};
use larder::{Input, Program};
use std::ffi::c_void;

/// `larder_program`.
pub type larder_program = Changeable<Vec<Described>>;

/// One input.
#[derive(Debug)]
pub enum Described {
    /// In a file.
    File(String),
    /// In memory.
    Bytes {
        /// For messages.
        name: String,
        /// What it is.
        bytes: Vec<u8>,
    },
    /// Made on a miss.
    Keyed(Keyed),
}

/// An input that the host makes on a miss.
#[derive(Debug)]
pub struct Keyed {
    name: String,
    key: Vec<u8>,
    build: Callback<Build>,
}

/// `larder_build`.
pub type larder_build = Option<Build>;
type Build = extern "C-unwind" fn(*mut c_void, Handle<larder_sink>);

/// `larder_sink`.
pub type larder_sink = Changeable<Made>;

/// What a build callback has made so far, or why there is nothing.
#[derive(Debug)]
pub struct Made(std::result::Result<Vec<u8>, String>);

impl Default for Made {
    fn default() -> Self {
        Made(Ok(Vec::new()))
    }
}

/// `larder_sink_write`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_sink_write(sink: Handle<larder_sink>, bytes: Array<u8>, len: usize) {
    sink.read(|sink| {
        sink.with(|made| match (bytes.get(len, "bytes"), &mut made.0) {
            (Ok(bytes), Ok(before)) => before.extend_from_slice(bytes),
            (Ok(_), Err(_)) => {}
            (Err(_), _) => made.0 = Err("larder_sink_write was given NULL".to_owned()),
        });
    });
}

/// `larder_sink_fail`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_sink_fail(sink: Handle<larder_sink>, why: Text) {
    sink.read(|sink| {
        let why = why.optional("why").ok().flatten().unwrap_or("the callback failed");
        sink.with(|made| made.0 = Err(why.to_owned()));
    });
}

/// `larder_program_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_new() -> Handle<larder_program> {
    Changeable::make()
}

/// `larder_program_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_free(program: Handle<larder_program>) {
    free(program);
}

fn add(program: Handle<larder_program>, error: ErrorPlace, describe: impl FnOnce() -> Result<Described>) -> bool {
    change(program, "program", error, |inputs| {
        inputs.push(describe()?);
        Ok(())
    })
}

/// `larder_program_add_file`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_add_file(program: Handle<larder_program>, path: Text, error: ErrorPlace) -> bool {
    add(program, error, || Ok(Described::File(path.get("path")?.to_owned())))
}

/// `larder_program_add_bytes`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_add_bytes(
    program: Handle<larder_program>,
    name: Text,
    bytes: Array<u8>,
    len: usize,
    error: ErrorPlace,
) -> bool {
    add(program, error, || {
        let name = name.get("name")?.to_owned();
        Ok(Described::Bytes { name, bytes: bytes.get(len, "bytes")?.to_vec() })
    })
}

/// `larder_program_add_keyed`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_add_keyed(
    program: Handle<larder_program>,
    name: Text,
    key: Array<u8>,
    key_len: usize,
    build: larder_build,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    add(program, error, || {
        let name = name.get("name")?.to_owned();
        let key = key.get(key_len, "key")?.to_vec();
        Ok(Described::Keyed(Keyed { name, key, build: Callback::new("build", build, context)? }))
    })
}

impl Changeable<Vec<Described>> {
    /// The program as it is loaded; nothing is left here.
    pub(crate) fn to_program(&self) -> Program<'static> {
        self.with(std::mem::take).into_iter().map(Described::into_input).collect()
    }

    /// Whether it has no inputs.
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|inputs| inputs.is_empty())
    }
}

impl Described {
    fn into_input(self) -> Input<'static> {
        match self {
            Described::File(path) => Input::file(path),
            Described::Bytes { name, bytes } => Input::bytes(name, bytes),
            Described::Keyed(Keyed { name, key, build }) => Input::keyed(name, key, move || {
                let sink = Lent::new(larder_sink::default());
                build.call(|build, context| build(context, sink.handle()));
                sink.handle().read(|sink| sink.with(std::mem::take)).0
            }),
        }
    }
}
