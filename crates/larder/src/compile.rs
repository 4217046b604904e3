//! From a module's bytes to an image's bytes: worker, then linker.
//!
//! Nothing is kept here and nothing is looked up. The module is compressed for the image while the worker is busy.

use crate::error::Error;
use crate::larder::{Larder, Progress, TRIPLE};
use crate::options::{CompileOptions, Exports as ExportNames};
use crate::phases::Phases;
use crate::worker::{CompileError, Compiled, Request};
use larder_format::cpu::CpuFeatures;
use larder_format::image::{Image, verify_digest};
use larder_link::{Exports, LinkOptions, Object, Source};
use larder_store::Key;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

/// zstd's default: the module is compressed faster than it is compiled by orders of magnitude, so more would pay little.
const SOURCE_LEVEL: i32 = 3;

/// What is compiled, and how.
pub(crate) struct Compilation<'a> {
    pub(crate) larder: &'a Larder,
    pub(crate) name: &'a str,
    pub(crate) module: &'a [u8],
    pub(crate) digest: [u8; 32],
    pub(crate) key: Key,
    pub(crate) options: &'a CompileOptions,
}

/// Compiles and links.
pub(crate) fn compile(
    what: &Compilation<'_>,
    phases: &mut Phases,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<u8>, Error> {
    let (compiled, source) = std::thread::scope(|scope| {
        let packed = scope.spawn(|| what.options.keep_source.then(|| pack(what.module)));
        let compiled = phases.time("worker", || generate(what, progress));
        // A thread that only compresses memory to memory has no way to fail but this program's own bugs.
        let packed = packed.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (compiled, packed)
    });
    let compiled = compiled?;
    for (name, time_us) in &compiled.phases {
        phases.add(format!("  {name}"), Duration::from_micros(*time_us));
    }
    let features = features(what, &compiled)?;
    let image = phases.time("link", || link(what, &compiled, features, source.as_deref()))?;
    if let Some(dir) = &what.larder.settings.save_temps {
        save(dir, &compiled, &image)?;
    }
    phases.time("verify", || verify(&image))?;
    Ok(image)
}

fn pack(module: &[u8]) -> Vec<u8> {
    match zstd::bulk::compress(module, SOURCE_LEVEL) {
        Ok(packed) => packed,
        Err(error) => unreachable!("compressing memory to memory fails only without memory: {error}"),
    }
}

fn generate(what: &Compilation<'_>, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Compiled, CompileError> {
    let CompileOptions { level, passes, cpu, exports: _, keep_source: _ } = what.options;
    let settings = &what.larder.settings;
    let request = Request {
        name: what.name.to_owned(),
        level: level.letter().to_owned(),
        passes: passes.clone(),
        features: cpu.features(&what.larder.host).names().collect(),
        thread_count: settings.thread_count,
    };
    let worker = what.larder.worker.as_ref().map_err(Clone::clone)?;
    worker.compile(&request, what.module, &settings.limits, &mut |step| {
        progress(Progress::Compiling { phase: step.phase, fraction: step.fraction });
    })
}

/// What the image needs: as the worker found it in the code. Code that this machine can't run is no image for it.
fn features(what: &Compilation<'_>, compiled: &Compiled) -> Result<CpuFeatures, Error> {
    let names = compiled.required_features.iter().map(String::as_str);
    CpuFeatures::from_names(names)
        .map_err(|unknown| Error::UnknownFeature { module: what.name.to_owned(), name: unknown.0 })
}

fn link(
    what: &Compilation<'_>,
    compiled: &Compiled,
    features: CpuFeatures,
    source: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let objects: Vec<_> = compiled.objects.iter().map(|(name, bytes)| Object { name, bytes }).collect();
    let names: Vec<&[u8]> = match &what.options.exports {
        ExportNames::All => Vec::new(),
        ExportNames::Only(names) => names.iter().map(String::as_bytes).collect(),
    };
    let options = LinkOptions {
        exports: match &what.options.exports {
            ExportNames::All => Exports::All,
            ExportNames::Only(_) => Exports::Only(&names),
        },
        key: what.key.0,
        module_digest: what.digest,
        features,
        producer: &compiled.toolchain,
        triple: TRIPLE,
        source: source.map(|packed| Source { compressed: packed, raw_len: what.module.len() as u64 }),
        keep_debug: true,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    larder_link::link(&objects, &options)
        .map(|linked| linked.bytes)
        .map_err(|source| Error::Link { module: what.name.to_owned(), source: Box::new(source) })
}

/// Keeps what was made on the way, for people who want to look at it.
fn save(dir: &Path, compiled: &Compiled, image: &[u8]) -> Result<(), Error> {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::Write { path, source })
    };
    std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
    for (index, (_, bytes)) in compiled.objects.iter().enumerate() {
        write(&format!("{index}.o"), bytes)?;
    }
    write("image", image)
}

/// What is about to be published passes the checks that it must pass when it is loaded.
fn verify(image: &[u8]) -> Result<(), Error> {
    let checked = verify_digest(image).and_then(|()| Image::parse(image, image.len() as u64).map(drop));
    checked.map_err(|source| larder_runtime::LoadError::Image { path: "(the image just linked)".into(), source }.into())
}
