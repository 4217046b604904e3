//! A jitdump file, for those whose tools want one.
//!
//! Perf needs none: the code lies in a file that perf opens by itself. But a jitdump file carries the code along, so that a profile can be
//! read where the image is not, and other JITs' tools know the format (Linux, `tools/perf/Documentation/jitdump-specification.txt`).
//!
//! Perf learns of the file by a mapping of it that is executable, which is how it tells it from other files.

use crate::load::Sealed;
use crate::os;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_LEN: u32 = 40;
/// `JIT_CODE_LOAD`.
const CODE_LOAD: u32 = 0;
/// Of such a record, without name and code.
const CODE_LOAD_LEN: usize = 56;

impl Sealed {
    /// Writes `jit-PID.dump` in that directory: every function of the image with its name, address and code. Answers the file's path.
    ///
    /// The file stays mapped to the end of the process.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_jitdump(&self, dir: &Path) -> io::Result<PathBuf> {
        let path = dir.join(format!("jit-{}.dump", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let mut out = BufWriter::new(&file);
        out.write_all(&header())?;
        for (index, unit) in (0u64..).zip(self.image().units().iter()) {
            let name = self.image().text(unit.name).unwrap_or_default();
            if let Some(code) = self.code(unit.offset..unit.offset + u64::from(unit.len)) {
                write_record(&mut out, index, name, code)?;
            }
        }
        out.flush()?;
        drop(out);
        os::map_marker(&file)?;
        Ok(path)
    }
}

fn header() -> Vec<u8> {
    let machine = u32::from(larder_format::image::EM_X86_64);
    let mut header = Vec::with_capacity(HEADER_LEN as usize);
    for word in [MAGIC, VERSION, HEADER_LEN, machine, 0, std::process::id()] {
        header.extend_from_slice(&word.to_ne_bytes());
    }
    // No flags: time stamps are those of the monotonic clock.
    for long in [os::monotonic_ns(), 0] {
        header.extend_from_slice(&long.to_ne_bytes());
    }
    header
}

fn write_record(out: &mut impl Write, index: u64, name: &[u8], code: &[u8]) -> io::Result<()> {
    let address = code.as_ptr() as u64;
    let len = CODE_LOAD_LEN + name.len() + 1 + code.len();
    let len = u32::try_from(len).map_err(|_| io::Error::other("a function is too large for a jitdump file"))?;
    out.write_all(&CODE_LOAD.to_ne_bytes())?;
    out.write_all(&len.to_ne_bytes())?;
    out.write_all(&os::monotonic_ns().to_ne_bytes())?;
    for word in [std::process::id(), os::thread_id()] {
        out.write_all(&word.to_ne_bytes())?;
    }
    for long in [address, address, code.len() as u64, index] {
        out.write_all(&long.to_ne_bytes())?;
    }
    out.write_all(name)?;
    out.write_all(&[0])?;
    out.write_all(code)
}
