//! Whether the tools that people have can read an image.

use crate::larder::Corner;
use crate::process;
use crate::tools;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Fails if readelf, llvm-readelf or llvm-objdump has a complaint about `image`.
pub(crate) fn readable(corner: &Corner, image: &Path) -> Result<()> {
    let readelf = tools::system("readelf");
    for program in [readelf, Some(tools::llvm("llvm-readelf")?)].into_iter().flatten() {
        silent(corner, &program, &["-a", "-W"], image)?;
    }
    silent(corner, &tools::llvm("llvm-objdump")?, &["-d"], image)
}

fn silent(corner: &Corner, program: &PathBuf, options: &[&str], image: &Path) -> Result<()> {
    let name = program.display().to_string();
    let ran = process::run(corner.command(program).args(options).arg(image), b"")?.success(&name)?;
    ensure!(ran.stderr.is_empty(), "{name} {} complains: {}", options.join(" "), ran.err());
    Ok(())
}
