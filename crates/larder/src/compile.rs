//! From the bytes of a program's inputs to an image's bytes: workers, then the linker.
//!
//! No image is kept here nor looked up. The inputs are compressed for the image while the workers are busy.

use crate::error::Error;
use crate::generate::{Generated, Generator, Ir};
use crate::key::CodeFields;
use crate::larder::{Larder, Progress, TRIPLE};
use crate::options::Exports as ExportNames;
use crate::outcome::{ModuleOutcome, Outcome};
use crate::phases::Phases;
use larder_format::bundle::encode_sources;
use larder_format::cpu::CpuFeatures;
use larder_format::image::{Image, verify_digest};
use larder_link::{Exports, LinkOptions, Object, Source};
use larder_store::Key;
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;

/// zstd's default: the module is compressed faster than it is compiled by orders of magnitude, so more would pay little.
const SOURCE_LEVEL: i32 = 3;

/// An input that was read.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) name: String,
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) digest: [u8; 32],
}

/// What is compiled, and how.
pub(crate) struct Compilation<'a> {
    pub(crate) larder: &'a Larder,
    pub(crate) inputs: &'a [Content<'a>],
    pub(crate) key: Key,
    pub(crate) code: CodeFields<'a>,
}

/// An image, and what became of the modules on the way.
pub(crate) struct Compiled {
    pub(crate) image: Vec<u8>,
    pub(crate) modules: Vec<ModuleOutcome>,
}

/// Compiles and links.
pub(crate) fn compile(
    what: &Compilation<'_>,
    phases: &mut Phases,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Compiled, Error> {
    let source = source(what.inputs);
    let (parts, packed) = std::thread::scope(|scope| {
        let packed = scope.spawn(|| what.code.options.keep_source.then(|| pack(&source)));
        let parts = phases.time("worker", || parts(what, progress));
        // A thread that only compresses memory to memory has no way to fail but this program's own bugs.
        let packed = packed.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (parts, packed)
    });
    let parts = parts?;
    add_phases(what, &parts, phases);
    let source = Sourced { packed, raw: &source };
    let image = phases.time("link", || link(what, &parts, &source))?;
    if let Some(dir) = &what.larder.settings.save_temps {
        save(dir, &parts, &image)?;
    }
    phases.time("verify", || verify(&image))?;
    Ok(Compiled { image, modules: outcomes(what, &parts) })
}

/// What the image carries: the input itself, or all of them in one.
fn source<'a>(inputs: &'a [Content<'_>]) -> Cow<'a, [u8]> {
    match inputs {
        [only] => Cow::Borrowed(&only.bytes),
        many => encode_sources(&many.iter().map(|input| &*input.bytes).collect::<Vec<_>>()).into(),
    }
}

struct Sourced<'a> {
    packed: Option<Vec<u8>>,
    raw: &'a [u8],
}

fn pack(module: &[u8]) -> Vec<u8> {
    match zstd::bulk::compress(module, SOURCE_LEVEL) {
        Ok(packed) => packed,
        Err(error) => unreachable!("compressing memory to memory fails only without memory: {error}"),
    }
}

/// What an input became.
enum Part<'a> {
    Module(Generated),
    Object(&'a [u8]),
}

/// Objects of every input.
fn parts<'a>(what: &Compilation<'a>, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Part<'a>>, Error> {
    let modules: Vec<_> = what.inputs.iter().filter(|input| !is_object(&input.bytes)).map(Content::ir).collect();
    let generator = Generator { larder: what.larder, code: what.code, keep: what.inputs.len() > 1 };
    let mut generated = generator.generate(&modules, progress)?.into_iter();
    let part = |input: &'a Content<'_>| match is_object(&input.bytes) {
        true => Some(Part::Object(&input.bytes)),
        false => generated.next().map(Part::Module),
    };
    Ok(what.inputs.iter().filter_map(part).collect())
}

impl Content<'_> {
    fn ir(&self) -> Ir<'_> {
        Ir { name: &self.name, bytes: &self.bytes, digest: self.digest }
    }
}

/// Whether the bytes are the linker's to judge: everything else is IR, or LLVM says what it is.
fn is_object(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"!<")
}

fn add_phases(what: &Compilation<'_>, parts: &[Part<'_>], phases: &mut Phases) {
    for (input, part) in what.inputs.iter().zip(parts) {
        let Part::Module(Generated { phases: steps, .. }) = part else { continue };
        if parts.len() == 1 {
            steps.iter().for_each(|(name, time)| phases.add(format!("  {name}"), *time));
        } else if !steps.is_empty() {
            phases.add(format!("  {}", input.name), steps.iter().map(|(_, time)| *time).sum());
        }
    }
}

fn outcomes(what: &Compilation<'_>, parts: &[Part<'_>]) -> Vec<ModuleOutcome> {
    let outcome = |part: &Part<'_>| -> Option<Outcome> {
        match part {
            Part::Module(generated) => Some(generated.outcome.clone()),
            Part::Object(_) => None,
        }
    };
    let outcomes = what.inputs.iter().zip(parts).filter_map(|(input, part)| Some((input, outcome(part)?)));
    outcomes.map(|(input, outcome)| ModuleOutcome { name: input.name.clone(), outcome }).collect()
}

fn link(what: &Compilation<'_>, parts: &[Part<'_>], source: &Sourced<'_>) -> Result<Vec<u8>, Error> {
    let objects = objects(what, parts);
    let names: Vec<&[u8]> = match &what.code.options.exports {
        ExportNames::All => Vec::new(),
        ExportNames::Only(names) => names.iter().map(String::as_bytes).collect(),
    };
    let generated = || {
        parts.iter().filter_map(|part| match part {
            Part::Module(generated) => Some(&generated.objects),
            Part::Object(_) => None,
        })
    };
    let options = LinkOptions {
        exports: match &what.code.options.exports {
            ExportNames::All => Exports::All,
            ExportNames::Only(_) => Exports::Only(&names),
        },
        key: what.key.0,
        module_digest: *blake3::hash(source.raw).as_bytes(),
        features: generated().fold(CpuFeatures::NONE, |all, objects| all.with(&objects.features)),
        producer: generated().next().map_or("", |objects| &objects.producer),
        triple: TRIPLE,
        source: source.packed.as_deref().map(|compressed| Source { compressed, raw_len: source.raw.len() as u64 }),
        keep_debug: true,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    larder_link::link(&objects, &options).map(|linked| linked.bytes).map_err(|source| {
        let program = what.inputs.first().map_or(String::new(), |input| input.name.clone());
        Error::Link { program, source: Box::new(source) }
    })
}

/// All objects in the order of the inputs, each by the name that the user gave its input.
fn objects<'a>(what: &'a Compilation<'_>, parts: &'a [Part<'_>]) -> Vec<Object<'a>> {
    let mut objects = Vec::new();
    for (input, part) in what.inputs.iter().zip(parts) {
        let name = input.name.as_str();
        match part {
            Part::Object(bytes) => objects.push(Object { name, bytes }),
            Part::Module(generated) => {
                objects.extend(generated.objects.objects.iter().map(|bytes| Object { name, bytes }));
            }
        }
    }
    objects
}

/// Keeps what was made on the way, for people who want to look at it.
fn save(dir: &Path, parts: &[Part<'_>], image: &[u8]) -> Result<(), Error> {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::Write { path, source })
    };
    std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
    let generated = parts.iter().filter_map(|part| match part {
        Part::Module(generated) => Some(&generated.objects.objects),
        Part::Object(_) => None,
    });
    for (index, bytes) in generated.flatten().enumerate() {
        write(&format!("{index}.o"), bytes)?;
    }
    write("image", image)
}

/// What is about to be published passes the checks that it must pass when it is loaded.
fn verify(image: &[u8]) -> Result<(), Error> {
    let checked = verify_digest(image).and_then(|()| Image::parse(image, image.len() as u64).map(drop));
    checked.map_err(|source| larder_runtime::LoadError::Image { path: "(the image just linked)".into(), source }.into())
}
