//! What an image says of itself, for people and for programs that don't load it.

use larder_format::image::{Image, ImageError};
use std::io::Read;

/// Reads an image's description out of the file's bytes.
///
/// # Errors
/// The bytes are no image that this version reads.
pub fn image(file: &[u8]) -> Result<Image<'_>, ImageError> {
    Image::parse(file, file.len() as u64)
}

/// The module that the image was made from; `None` if it was left out or is damaged.
pub fn source(file: &[u8]) -> Option<Vec<u8>> {
    let header = *image(file).ok()?.header();
    let start = usize::try_from(header.source.offset).ok()?;
    let len = usize::try_from(header.source.len).ok()?;
    let packed = file.get(start..start.checked_add(len)?).filter(|packed| !packed.is_empty())?;
    let mut module = Vec::new();
    // One byte more than promised shows that the promise was wrong, whatever the frame would grow to.
    let frame = zstd::Decoder::new(packed).ok()?;
    frame.take(header.source_len.saturating_add(1)).read_to_end(&mut module).ok()?;
    let is_whole = module.len() as u64 == header.source_len;
    (is_whole && *blake3::hash(&module).as_bytes() == header.module_digest).then_some(module)
}
