//! The states of an image in memory, from mapped to loaded.
//!
//! The header is read, not mapped, so that the length is known when one mapping of the file makes the [`Region`] that holds the image.
//! Code and data get their rights in it. What the file holds behind the image (the module, symbols) is not mapped.
//!
//! Nothing of an image runs before [`Sealed::initialise`]; everything that can be wrong with it is found before.

mod arguments;
mod loaded;
mod sealed;
mod shared;

pub use arguments::Arguments;
pub use loaded::Loaded;
pub use sealed::Sealed;
pub(crate) use shared::Shared;

use crate::availability::{Availability, Plan};
use crate::cpu;
use crate::debugger::Described;
use crate::dynamic::copies;
use crate::error::LoadError;
use crate::exit;
use crate::file::ImageFile;
use crate::guards;
use crate::os::{self, Region};
use crate::relocate::{self, Words};
use crate::resolve::{self, Deferral, Resolve, Resolved};
use crate::tls::{self, SlotError};
use crate::unwind;
use larder_format::cpu::CpuFeatures;
use larder_format::image::{
    Export, HEADER_OFFSET, Image, ImageError, ImageHeader, Import, PAGE, Span, WORD, import_flags, verify_digest,
};
use larder_format::record::Record;
use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// Whether the bytes of the file still have to be compared with its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// Read the whole file and compare: 0.2 to 0.4 ms per megabyte.
    Verify,
    /// It was done since the file last changed; the caller has made sure.
    AlreadyVerified,
}

/// What an image must be like to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// The CPU features there are: [`crate::cpu::host_features`], where the image is going to run.
    pub features: &'a CpuFeatures,
    /// The key it was made for, if it must be a certain one.
    pub key: Option<&'a [u8; 32]>,
    /// Whether to read all of it.
    pub integrity: Integrity,
}

/// Bytes that are read to see the header.
const START_LEN: usize = HEADER_OFFSET + <ImageHeader as Record>::SIZE;

/// What all states have.
#[derive(Debug)]
struct Parts {
    image: Image<'static>,
    region: Region,
    path: PathBuf,
}

impl Parts {
    fn header(&self) -> &ImageHeader {
        self.image.header()
    }

    fn damaged(&self, source: ImageError) -> LoadError {
        LoadError::Image { path: self.path.clone(), source }
    }
}

/// A checked image in memory. Nothing of it is bound, nothing runs.
#[derive(Debug)]
pub struct Mapped(Parts);

impl Mapped {
    /// Maps a file's image and checks it: identification, versions, header, key, CPU features and, if asked for, every byte.
    ///
    /// # Errors
    /// Each as its [`LoadError`]; then nothing stays mapped.
    pub fn map(file: &ImageFile<'_>, expected: &Expectations<'_>) -> Result<Mapped, LoadError> {
        let path = file.path();
        let os = |operation| move |source| LoadError::Os { path: path.to_owned(), operation, source };
        let damaged = |source| LoadError::Image { path: path.to_owned(), source };
        let mut start = [0; START_LEN];
        let start_len = os::read_start(file.as_fd(), &mut start).map_err(os("read"))?;
        let header = ImageHeader::read(&start[..start_len], file.len()).map_err(damaged)?;
        check_use(&header, expected, path)?;
        if expected.integrity == Integrity::Verify {
            verify(file)?;
        }
        let region = lay_out(file, &header).map_err(os("map"))?;
        // SAFETY: R is mapped, nobody writes to it, and `Parts` lets go of the image before the region.
        let r = unsafe { region.bytes(0..header.r_len()) };
        let image = Image::parse(r, file.len()).map_err(damaged)?;
        check_calls(&image).map_err(damaged)?;
        Ok(Mapped(Parts { image, region, path: path.to_owned() }))
    }

    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.0.image
    }

    /// Makes the image the process's program: variables of libraries that it was compiled to have in itself may move there, from
    /// libraries that are loaded from now on and from the C library. An image that has room for any stays in memory from now on, whatever
    /// becomes of it. Others are as they were.
    ///
    /// # Errors
    /// [`LoadError::Copy`] if another image has such a variable; [`LoadError::Image`] if a table is damaged.
    ///
    /// # Safety
    /// Until the image is bound, no other thread uses the C library's variables, nor loads or unloads libraries.
    pub unsafe fn stay(&mut self) -> Result<(), LoadError> {
        let parts = &mut self.0;
        for import in parts.image.imports().iter().filter(|import| import.flags & import_flags::COPIED != 0) {
            let (name, export) = copy_of(&parts.image, &import).map_err(|source| parts.damaged(source))?;
            parts.region.stay();
            let place = parts.region.at(export.offset) as usize;
            // SAFETY: the region stays, and the image has the room for nothing else.
            unsafe { copies::announce(name, place, export.len) }.map_err(|source| LoadError::Copy {
                path: parts.path.clone(),
                name: name.to_string_lossy().into_owned(),
                source,
            })?;
        }
        Ok(())
    }

    /// Relocates data and fills the import slots with the resolver's answers.
    ///
    /// # Errors
    /// [`LoadError::Unresolved`] with the names that were not answered; [`LoadError::Image`] if a table is damaged;
    /// [`LoadError::Copy`] if a variable that the image has room for can't move there, which takes [`Mapped::stay`];
    /// [`LoadError::StaticTls`], [`LoadError::NotThreadLocal`] and [`LoadError::NoThreadDistance`] if thread-local variables are in the way.
    pub fn bind(self, resolver: &dyn Resolve) -> Result<Bound, LoadError> {
        self.bind_in_steps(resolver, &mut |_| {})
    }

    /// The same; `ended` hears the name of each step as it ends: "guards", "names", "relocate".
    ///
    /// # Errors
    /// As [`Mapped::bind`].
    pub fn bind_in_steps(
        self,
        resolver: &dyn Resolve,
        ended: &mut dyn FnMut(&'static str),
    ) -> Result<Bound, LoadError> {
        let mut parts = self.0;
        let answers = guards::ask(&parts.image, resolver).map_err(|source| parts.damaged(source))?;
        ended("guards");
        let mut resolved = resolve::resolve_imports(&parts.image, resolver, &answers.objects, &parts.path)?;
        ended("names");
        let availability = arrange(&parts, answers, &mut resolved)?;
        let template = parts.header().tls_template;
        let template = tls::Template::new(parts.region.at(template.offset), template.len as usize);
        // SAFETY: the template is part of the image, which `Bound` keeps behind the module.
        let tls = unsafe { tls::Module::new(&parts.image, template) };
        let mut tls = tls.map_err(|source| static_tls(&parts.path, source))?;
        fill(&mut parts, &resolved, tls.as_ref())?;
        // SAFETY: all words of the image are written.
        let filled = tls.as_mut().map_or(Ok(()), |tls| unsafe { tls.fill_static_block() });
        filled.map_err(|source| static_tls(&parts.path, source))?;
        ended("relocate");
        Ok(Bound { tls, availability, parts })
    }
}

/// Patches entries of what can't be used as it is. What points to deferred functions is going to hold their stubs.
fn arrange(
    parts: &Parts,
    answers: guards::Answers,
    resolved: &mut Resolved,
) -> Result<Option<Box<Availability>>, LoadError> {
    let deferred = std::mem::take(&mut resolved.deferred);
    if deferred.is_empty() && answers.failed.is_empty() {
        return Ok(None);
    }
    let plan = Plan::new(&parts.image, &answers.failed, deferred).map_err(|source| parts.damaged(source))?;
    let refused = parts.image.fixups().iter().find_map(|fixup| match plan.deferral(fixup.import)? {
        Deferral::Data => Some((fixup.import, "data points to it and it is not said to be a function")),
        Deferral::Function if fixup.addend != 0 => Some((fixup.import, "data points behind its beginning")),
        Deferral::Function => None,
    });
    if let Some((import, reason)) = refused {
        let name = resolve::name_of(&parts.image, import);
        return Err(LoadError::CannotDefer { path: parts.path.clone(), name, reason });
    }
    let addresses = &mut resolved.addresses;
    // SAFETY: the image was mapped there and nothing of it has run; the region outlives what `Bound` and `Shared` keep beside it.
    unsafe { Availability::new(plan, &parts.image, &parts.region, &parts.path, addresses) }
}

/// Name and room of a variable that has its place in the image: pages of RW.
fn copy_of<'i>(image: &'i Image<'_>, import: &Import) -> Result<(&'i CStr, Export), ImageError> {
    let name = relocate::import_name(image, import)?;
    let header = image.header();
    let rw = header.rw.offset + header.relro_len..header.mem_len;
    let room = image.exports().find(name.to_bytes()).filter(|export| {
        let end = export.offset.checked_add(export.len);
        let inside = rw.contains(&export.offset) && end.is_some_and(|end| end <= rw.end);
        inside && export.offset.is_multiple_of(PAGE) && export.len.is_multiple_of(PAGE)
    });
    let what = "a copied variable has no pages of data";
    room.map(|export| (name, export)).ok_or(ImageError::Damaged { what, offset: import.name.offset.into() })
}

fn span(span: Span) -> Range<u64> {
    span.offset..span.offset + span.len
}

/// Decides whether an image of that header may be used here.
fn check_use(header: &ImageHeader, expected: &Expectations<'_>, path: &Path) -> Result<(), LoadError> {
    if expected.key.is_some_and(|key| *key != header.key) {
        return Err(LoadError::OtherKey { path: path.to_owned() });
    }
    let missing = header.features.without(expected.features);
    if !missing.is_empty() {
        return Err(LoadError::MissingFeatures { path: path.to_owned(), names: missing.names().collect() });
    }
    if header.tls_distance == 0 {
        return Ok(());
    }
    tls::check_static_block().map_err(|source| static_tls(path, source))
}

fn static_tls(path: &Path, source: tls::StaticTlsError) -> LoadError {
    LoadError::StaticTls { path: path.to_owned(), source }
}

/// Compares every byte of the file with its digest, by a mapping of its own.
fn verify(file: &ImageFile<'_>) -> Result<(), LoadError> {
    let path = file.path();
    let region = Region::of_file(file.as_fd(), file.len());
    let region = region.map_err(|source| LoadError::Os { path: path.to_owned(), operation: "map", source })?;
    // SAFETY: the file is mapped and, by the contract of `ImageFile`, not changed; the slice is gone before the region.
    let bytes = unsafe { region.bytes(0..file.len()) };
    verify_digest(bytes).map_err(|source| LoadError::Image { path: path.to_owned(), source })
}

/// Maps the image: R, code, data, zeros.
///
/// No page is touched here: a page that is present must be taken out of the processor's tables again when its rights change, which
/// costs more than the calls.
fn lay_out(file: &ImageFile<'_>, header: &ImageHeader) -> std::io::Result<Region> {
    let mut region = Region::of_file_aligned(file.as_fd(), header.mem_len, header.align, header.align_at)?;
    let data_end = header.loaded_len().next_multiple_of(PAGE);
    region.make_code(header.rx.offset..header.rw.offset)?;
    region.make_data(header.rw.offset..data_end)?;
    // SAFETY: nobody refers to bytes of the region.
    unsafe { region.map_zeros(data_end..header.mem_len) }?;
    Ok(region)
}

/// Compares the addresses that the loader itself calls, and where it writes what they answer, with the limits of code and relro.
fn check_calls(image: &Image<'_>) -> Result<(), ImageError> {
    let header = image.header();
    let code = span(header.rx);
    let lost = image.init().iter().chain(image.fini().iter()).find(|offset| !code.contains(offset));
    if let Some(offset) = lost {
        return Err(ImageError::Damaged { what: "an initialiser or finaliser lies outside of RX", offset });
    }
    let relro = header.rw.offset..(header.rw.offset + header.relro_len).saturating_sub(WORD - 1);
    for row in image.indirect_functions().iter() {
        if !code.contains(&row.resolver) {
            return Err(ImageError::Damaged { what: "a resolver lies outside of RX", offset: row.resolver });
        }
        if !relro.contains(&row.slot) || !row.slot.is_multiple_of(WORD) {
            return Err(ImageError::Damaged {
                what: "the slot of an indirect function lies outside of relro",
                offset: row.slot,
            });
        }
    }
    Ok(())
}

/// Writes all words of RW that depend on the image's address and on what it is bound to.
fn fill(parts: &mut Parts, resolved: &Resolved, tls: Option<&tls::Module>) -> Result<(), LoadError> {
    let header = *parts.header();
    let image = &parts.image;
    let data_end = header.loaded_len().next_multiple_of(PAGE);
    parts.region.make_present(header.rw.offset..present_end(&header, relocate::end(image.relr())));
    let tail = data_end - header.loaded_len();
    // SAFETY: the page is writable; what the file holds there is not part of the image, and bss begins with zeros.
    unsafe { parts.region.at(header.loaded_len()).write_bytes(0, tail as usize) };
    // SAFETY: the image is mapped there, its RW writable, and nobody refers to it yet.
    let mut words = unsafe { Words::new(parts.region.at(0), &header) };
    let filled = relocate::relocate(&mut words, image.relr())
        .and_then(|()| relocate::fill_slots(&mut words, header.slots_offset, &resolved.addresses))
        .and_then(|()| relocate::fill_fixups(&mut words, image.fixups(), &resolved.addresses))
        .and_then(|()| match header.cpu_model {
            0 => Ok(()),
            place => relocate::fill_cpu_model(&mut words, place, cpu::cpu_model()),
        });
    filled.map_err(|source| parts.damaged(source))?;
    match tls::fill_thread_slots(&mut words, image.thread_slots(), tls, &resolved.variables) {
        Ok(()) => Ok(()),
        Err(SlotError::Image(source)) => Err(parts.damaged(source)),
        Err(SlotError::NoDistance { import }) => {
            Err(LoadError::NoThreadDistance { path: parts.path.clone(), name: resolve::name_of(image, import) })
        }
    }
}

/// Where the part of RW ends that is going to be written to: relro and the relocated words, if these are as dense as tables of pointers are,
/// and the last page of the file's part if it is near, since it is filled up with zeros.
fn present_end(header: &ImageHeader, relocated_end: u64) -> u64 {
    const NEAR: u64 = 8 * PAGE;
    let data_end = header.loaded_len().next_multiple_of(PAGE);
    let relro_end = header.rw.offset + header.relro_len;
    let relocated_end = relocated_end.min(data_end).next_multiple_of(PAGE);
    let sparse = relocated_end.saturating_sub(relro_end) / PAGE > u64::from(header.relr.count);
    let written = if sparse { relro_end } else { relocated_end.max(relro_end) };
    if data_end - written <= NEAR { data_end } else { written }
}

/// An image whose data is relocated and whose imports are bound; all of RW is still writable.
#[derive(Debug)]
pub struct Bound {
    tls: Option<tls::Module>,
    availability: Option<Box<Availability>>,
    parts: Parts,
}

impl Bound {
    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.parts.image
    }

    /// Takes away the right to write to slots and relocated constants, and makes the image known to the unwinder and to debuggers.
    ///
    /// # Errors
    /// [`LoadError::Os`] if the system refuses.
    pub fn seal(self) -> Result<Sealed, LoadError> {
        let Bound { tls, availability, parts } = self;
        let header = *parts.header();
        let relro = header.rw.offset..header.rw.offset + header.relro_len;
        if let Err(source) = parts.region.make_read_only(relro) {
            return Err(LoadError::Os { path: parts.path, operation: "protect", source });
        }
        let base = parts.region.base();
        let owner = exit::owner(base, &header);
        let described = Described::new(&parts.image, base, &parts.path);
        let shared = Arc::new(Shared {
            known: OnceLock::new(),
            _described: described,
            tls,
            owner,
            availability,
            parts,
            rebinding: Mutex::new(()),
        });
        let weak = Arc::downgrade(&shared);
        // SAFETY: the image is mapped, and `Shared` lets go of `known` first.
        let known = unsafe { unwind::make_known(base, &header, &shared.parts.path, owner, weak) };
        assert!(shared.known.set(known).is_ok(), "an image is sealed once");
        Ok(Sealed(shared))
    }
}
