//! `larder verify`: every byte and every row of image files.

use crate::args::VerifyArgs;
use anyhow::Context;
use larder::format::image::{Image, ImageError, verify_digest};
use std::ffi::c_int;
use std::io::Write;
use std::path::Path;

/// Prints a line for each file; 1 if one of them is bad.
pub(crate) fn verify(args: &VerifyArgs, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let mut bad = 0;
    for path in &args.files {
        match check(path)? {
            Ok(()) => writeln!(out, "{}: good", path.display())?,
            Err(error) => {
                bad = 1;
                writeln!(out, "{}: {error}", path.display())?;
            }
        }
    }
    Ok(bad)
}

fn check(path: &Path) -> anyhow::Result<Result<(), ImageError>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(image(&bytes))
}

/// Checks one image: headers first, whose errors say more, then the digest.
pub(crate) fn image(bytes: &[u8]) -> Result<(), ImageError> {
    Image::parse(bytes, bytes.len() as u64)?;
    verify_digest(bytes)
}
