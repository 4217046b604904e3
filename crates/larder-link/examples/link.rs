//! Links objects to an image from the shell: `link [--no-debug] [--export NAME]… OUT.image A.o B.o …`.

use anyhow::{Context as _, bail};
use larder_link::{Exports, LinkOptions, Object, link};
use std::io::Write as _;
use std::num::NonZeroUsize;

fn main() -> anyhow::Result<()> {
    let (mut exports, mut files, mut keep_debug) = (Vec::new(), Vec::new(), true);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--export" => exports.push(arguments.next().context("--export needs a name")?),
            "--no-debug" => keep_debug = false,
            _ => files.push(argument),
        }
    }
    let [out, paths @ ..] = files.as_slice() else {
        bail!("usage: link [--no-debug] [--export NAME]... OUT.image A.o B.o ...")
    };
    let contents = paths
        .iter()
        .map(|path| std::fs::read(path).with_context(|| path.clone()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let inputs = paths.iter().zip(&contents).zip(0..);
    let objects: Vec<_> = inputs.map(|((name, bytes), module)| Object { name, bytes, module }).collect();
    let names: Vec<&[u8]> = exports.iter().map(String::as_bytes).collect();
    let exports = if names.is_empty() { Exports::All } else { Exports::Only(&names) };
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options =
        LinkOptions { exports, keep_debug, producer: "larder-link example", threads, ..LinkOptions::default() };
    let start = std::time::Instant::now();
    let linked = link(&objects, &options)?;
    let time = start.elapsed();
    std::fs::write(out, &linked.bytes).with_context(|| out.clone())?;
    writeln!(std::io::stdout(), "{:#?}\n{} bytes in {time:?}", linked.report, linked.bytes.len())?;
    Ok(())
}
