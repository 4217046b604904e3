//! From the bytes of a program's inputs to an image's bytes: workers, then the linker.
//!
//! No image is kept here nor looked up. The inputs are compressed for the image while the workers are busy.

use crate::error::Error;
use crate::gather::{Made, Part, gather};
use crate::generate::{Generated, Generator};
use crate::key::CodeFields;
use crate::larder::{Larder, Progress, TRIPLE};
use crate::options::{CompileOptions, Exports as ExportNames, ThreadLocals};
use crate::outcome::ModuleOutcome;
use crate::phases::{Detail, Phases};
use larder_format::bundle::encode_sources;
use larder_format::cpu::CpuFeatures;
use larder_format::image::{Image, verify_digest};
use larder_link::{Exports, LinkError, LinkOptions, Object, Source};
use larder_store::Key;
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

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
    /// Set when nobody waits for it any more.
    pub(crate) cancelled: &'a AtomicBool,
}

/// An image, and what became of the modules on the way.
pub(crate) struct Compiled {
    pub(crate) image: Vec<u8>,
    pub(crate) modules: Vec<ModuleOutcome>,
}

/// Compiles and links; again, if thread-local variables of the modules need more room than there is at a fixed place. The key stays the
/// same: it names what was asked for.
pub(crate) fn compile(
    what: &Compilation<'_>,
    phases: &mut Phases,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Compiled, Error> {
    match make(what, phases, progress) {
        Err(Error::Link { source, .. })
            if what.code.options.thread_locals == ThreadLocals::Static
                && matches!(*source, LinkError::StaticTlsTooLarge { .. }) =>
        {
            let options = CompileOptions { thread_locals: ThreadLocals::Dynamic, ..what.code.options.clone() };
            let code = CodeFields { options: &options, ..what.code };
            make(&Compilation { code, ..*what }, phases, progress)
        }
        made => made,
    }
}

fn make(
    what: &Compilation<'_>,
    phases: &mut Phases,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Compiled, Error> {
    let source = source(what.inputs);
    let exports = what.exports();
    let generator = Generator { larder: what.larder, code: what.code, keep: false, cancelled: what.cancelled };
    let (parts, packed) = std::thread::scope(|scope| {
        let packed = scope.spawn(|| what.code.options.keep_source.then(|| pack(&source)));
        let parts = phases.time("worker", || gather(&generator, what.inputs, &exports, progress));
        // A thread that only compresses memory to memory has no way to fail but this program's own bugs.
        let packed = packed.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (parts, packed)
    });
    let parts = parts?;
    add_phases(&parts, phases);
    let rescued = rescued(&parts);
    let source = match &rescued {
        Rescued::Nothing => Sourced { packed, raw: &source },
        Rescued::One(module) => Sourced { packed: packed.is_some().then(|| pack(module)), raw: module },
        Rescued::OneOfMany => Sourced { packed: None, raw: &source },
    };
    let linked = phases.time_with(
        "link",
        || link(what, &parts, &source),
        |image| {
            let bytes = image.as_ref().map_or(0, |image| image.len() as u64);
            vec![("modules", Detail::Number(parts.len() as u64)), ("bytes", Detail::Number(bytes))]
        },
    );
    let image = linked?;
    if let Some(dir) = &what.larder.settings.save_temps {
        save(dir, &parts, &image)?;
    }
    phases.time("verify", || verify(&image))?;
    Ok(Compiled { image, modules: parts.iter().filter_map(outcome).collect() })
}

/// What the image carries: the input itself, or all of them in one.
fn source<'a>(inputs: &'a [Content<'_>]) -> Cow<'a, [u8]> {
    match inputs {
        [only] => Cow::Borrowed(&only.bytes),
        many => encode_sources(&many.iter().map(|input| &*input.bytes).collect::<Vec<_>>()).into(),
    }
}

/// Addresses of this process may not be saved: what stands in the image's module instead.
enum Rescued<'a> {
    /// There were none.
    Nothing,
    /// The only module, without them.
    One(&'a [u8]),
    /// One of several modules had some, and which input it came from isn't known.
    OneOfMany,
}

fn rescued<'a>(parts: &'a [Part<'_>]) -> Rescued<'a> {
    let mut found = parts.iter().filter_map(|part| part.generated()?.raw.rescued.as_deref());
    match (found.next(), parts) {
        (None, _) => Rescued::Nothing,
        (Some(module), [_]) => Rescued::One(module),
        _ => Rescued::OneOfMany,
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

impl Compilation<'_> {
    /// Names that the image must offer.
    fn exports(&self) -> Vec<&[u8]> {
        match &self.code.options.exports {
            ExportNames::All => Vec::new(),
            ExportNames::Only(names) => names.iter().map(String::as_bytes).collect(),
        }
    }
}

fn add_phases(parts: &[Part<'_>], phases: &mut Phases) {
    for (part, steps) in parts.iter().filter_map(|part| Some((part, &part.generated()?.phases))) {
        if parts.len() == 1 {
            steps.iter().for_each(|(name, time)| phases.add(format!("  {name}"), *time));
        } else if !steps.is_empty() {
            phases.add(format!("  {}", part.name), steps.iter().map(|(_, time)| *time).sum());
        }
    }
}

fn outcome(part: &Part<'_>) -> Option<ModuleOutcome> {
    let generated = part.generated()?;
    Some(ModuleOutcome {
        name: part.name.clone(),
        outcome: generated.outcome.clone(),
        parts: generated.parts,
        pointers: generated.raw.pointers.clone(),
        session_objects: generated.raw.session_objects.clone(),
    })
}

impl Part<'_> {
    fn generated(&self) -> Option<&Generated> {
        match &self.made {
            Made::Module(generated) => Some(generated),
            Made::Object(_) => None,
        }
    }

    /// Its objects, each by the name that the user knows.
    fn objects(&self, module: u32) -> Vec<Object<'_>> {
        let name = self.name.as_str();
        let object = |bytes| Object { name, bytes, module };
        match &self.made {
            Made::Object(bytes) => vec![object(bytes)],
            Made::Module(generated) => generated.objects.objects.iter().map(|bytes| object(bytes)).collect(),
        }
    }
}

fn link(what: &Compilation<'_>, parts: &[Part<'_>], source: &Sourced<'_>) -> Result<Vec<u8>, Error> {
    let objects: Vec<_> = parts.iter().zip(0..).flat_map(|(part, module)| part.objects(module)).collect();
    let names = what.exports();
    let generated = || parts.iter().filter_map(Part::generated).map(|generated| &generated.objects);
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
        static_tls: what.code.options.thread_locals == ThreadLocals::Static,
        keep_debug: true,
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    larder_link::link(&objects, &options).map(|linked| linked.bytes).map_err(|source| {
        let program = what.inputs.first().map_or(String::new(), |input| input.name.clone());
        Error::Link { program, source: Box::new(source) }
    })
}

/// Keeps what was made on the way, for people who want to look at it.
fn save(dir: &Path, parts: &[Part<'_>], image: &[u8]) -> Result<(), Error> {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::Write { path, source })
    };
    std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
    let generated = parts.iter().filter_map(Part::generated);
    for (index, bytes) in generated.flat_map(|generated| &generated.objects.objects).enumerate() {
        write(&format!("{index}.o"), bytes)?;
    }
    write("image", image)
}

/// What is about to be published passes the checks that it must pass when it is loaded.
fn verify(image: &[u8]) -> Result<(), Error> {
    let checked = verify_digest(image).and_then(|()| Image::parse(image, image.len() as u64).map(drop));
    checked.map_err(|source| larder_runtime::LoadError::Image { path: "(the image just linked)".into(), source }.into())
}
