//! Saved images: files that `larder build` made, loaded by their names.
//!
//! Such a file lies where its user put it, so nothing is known of it that it does not show itself. Its bytes are verified once for each
//! state of the file; the store remembers that as it remembers the digests of modules. An image that can't be used here (made
//! for another CPU, another version) is rebuilt from the module that it carries.

use crate::error::Error;
use crate::larder::{Larder, Progress};
use crate::module::Module;
use crate::options::CompileOptions;
use crate::outcome::{MissReason, Outcome};
use crate::prepared::Prepared;
use crate::program::{Input, Program};
use crate::start::{Found, NEVER, Start, in_memory};
use larder_format::bundle::decode_sources;
use larder_format::image::verify_digest;
use larder_runtime::{Expectations, ImageFile, Integrity, LoadError, Mapped};
use larder_store::{FileIdentity, Observed};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// What the store remembers in place of a module's digest for a saved image whose bytes were verified. No module has it, as far as BLAKE3
/// can be trusted.
pub(crate) const GOOD_IMAGE: [u8; 32] = *b"this file is an image, and whole";

/// Whether the bytes are an ELF file's that a linker made, as an image's are and no input's.
pub(crate) fn is_linked_elf(bytes: &[u8]) -> bool {
    // `e_type`, in either byte order.
    let is_object = matches!(bytes.get(16..18), Some([1, 0] | [0, 1]));
    bytes.starts_with(b"\x7fELF") && !is_object
}

impl Larder {
    /// Maps a saved image. One that can't be used here is rebuilt from the module that it holds.
    ///
    /// # Safety
    /// Nobody may write to the file while the image is loaded.
    ///
    /// # Errors
    /// As [`Larder::prepare`]; [`Error::ForeignImage`] if it can't be used and no module can be taken from it.
    pub unsafe fn prepare_image(
        &self,
        path: &Path,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let file = File::open(path).map_err(|source| Error::Module { path: path.to_owned(), source })?;
        // SAFETY: the caller's promise.
        unsafe { self.prepare_open_image(file, path, options, progress) }
    }

    /// The same for an image in memory, such as one that came through a pipe. `name` is for messages.
    ///
    /// # Errors
    /// As [`Larder::prepare_image`].
    pub fn prepare_image_bytes(
        &self,
        name: &str,
        image: &[u8],
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let path = Path::new(name);
        let file = in_memory(image).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        // SAFETY: nobody else has this file.
        unsafe { self.prepare_open_image(file, path, options, progress) }
    }

    /// # Safety
    /// Nobody writes to the file while the image is loaded.
    unsafe fn prepare_open_image(
        &self,
        file: File,
        path: &Path,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared, Error> {
        let mut start = Start::new(self, options, &NEVER);
        let name = path.display().to_string();
        // SAFETY: the caller's promise.
        let error = match unsafe { map(&mut start, &file, path) } {
            Ok(found) => return Ok(start.finish(found, name, Outcome::Hit, None)),
            Err(error) => error,
        };
        let Some(reason) = MissReason::of_load(&error) else { return Err(error.into()) };
        let Some(source) = source_in(&file, &reason) else {
            return Err(Error::ForeignImage { path: path.to_owned(), reason });
        };
        let mut prepared = match decode_sources(&source) {
            Some(inputs) => start.prepare(program_of(&name, &inputs), progress)?,
            None => start.prepare(Module::bytes(name.clone(), source).into(), progress)?,
        };
        prepared.told.warnings.insert(0, format!("{name}: {reason}; using the module in it"));
        Ok(prepared)
    }
}

/// Maps the image in an open file.
///
/// # Safety
/// Nobody writes to the file while it is loaded.
unsafe fn map(start: &mut Start<'_>, file: &File, path: &Path) -> Result<Found, LoadError> {
    let store = start.larder.store().ok();
    let os = |operation| move |source| LoadError::Os { path: path.to_owned(), operation, source };
    let metadata = file.metadata().map_err(os("read the length of"))?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let recalled = store.and_then(|store| store.recall(&FileIdentity::of(file).ok()?).ok().flatten());
    let (integrity, observed) = match recalled {
        Some(GOOD_IMAGE) => (Integrity::AlreadyVerified, None),
        _ => (Integrity::Verify, Observed::settle(file).ok()),
    };
    let expectations = Expectations { features: &start.larder.host, key: None, integrity };
    let descriptor = file.try_clone().map_err(os("open"))?.into();
    // SAFETY: the caller's promise; it is a regular file of that length.
    let image = unsafe { ImageFile::new(descriptor, metadata.len(), path.to_owned()) };
    let mapped = start.phases.time("map", || Mapped::map(&image, &expectations))?;
    if let (Some(store), Some(observed)) = (store, observed) {
        // What is not remembered is verified again.
        let _ = store.remember(file, &observed, &GOOD_IMAGE);
    }
    Ok(Found::new(mapped, &image))
}

/// The program whose inputs an image carries. Of their names nothing is known but the order.
fn program_of<'a>(name: &str, inputs: &[&[u8]]) -> Program<'a> {
    let named = inputs.iter().zip(1..).map(|(bytes, number)| (format!("{name}(input {number})"), bytes.to_vec()));
    named.map(|(name, bytes)| Input::bytes(name, bytes)).collect()
}

/// The source inside an image that can't be used, if the image's own bytes can be trusted.
fn source_in(mut file: &File, reason: &MissReason) -> Option<Vec<u8>> {
    if matches!(reason, MissReason::Damaged { .. } | MissReason::Unreadable { .. }) {
        return None;
    }
    let mut bytes = Vec::new();
    file.rewind().ok()?;
    file.read_to_end(&mut bytes).ok()?;
    verify_digest(&bytes).ok()?;
    crate::inspect::source(&bytes)
}
