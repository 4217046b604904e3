//! The states of an image in memory, from mapped to loaded.
//!
//! The header is read, not mapped, so that the length is known when one mapping of the file makes the [`Region`] that holds the image.
//! Code and data get their rights in it. What the file holds behind the image (the module, symbols) is not mapped.
//!
//! Nothing of an image runs before [`Sealed::initialise`]; everything that can be wrong with it is found before.

use crate::availability::{Availability, Plan};
use crate::cpu;
use crate::debugger::Described;
use crate::dynamic;
use crate::dynamic::copies;
use crate::error::LoadError;
use crate::exit;
use crate::file::ImageFile;
use crate::guards;
use crate::os::{self, Region};
use crate::rebind::{self, Move};
use crate::relocate::{self, Words};
use crate::resolve::{self, Address, Deferral, Libraries, Resolve, Resolved};
use crate::symbol::{FnPointer, Function};
use crate::tls::{self, SlotError};
use crate::unavailable::{Dropped, Unavailable, UnitId, Waiting};
use crate::unwind;
use larder_format::cpu::CpuFeatures;
use larder_format::image::{
    Export, HEADER_OFFSET, Image, ImageError, ImageHeader, Import, PAGE, WORD, export_flags, import_flags,
    verify_digest,
};
use larder_format::record::Record;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicPtr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

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

/// What initialisers and `main` get, as a new process has it: `argc`, `argv` and the environment.
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    pub(crate) argc: c_int,
    pub(crate) argv: *mut *mut c_char,
    pub(crate) envp: *mut *mut c_char,
}

impl Arguments {
    /// Lays the arguments out; `argv[0]` is the first. Like those of a process they stay to its end, and code may change them.
    pub fn new(arguments: Vec<CString>) -> Arguments {
        let argc = c_int::try_from(arguments.len()).unwrap_or(c_int::MAX);
        let mut argv: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
        argv.push(std::ptr::null_mut());
        Arguments { argc, argv: argv.leak().as_mut_ptr(), envp: os::environment() }
    }

    /// No arguments, for images that are no programs.
    pub fn none() -> Arguments {
        static END: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());
        Arguments { argc: 0, argv: END.as_ptr(), envp: os::environment() }
    }
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
    pub fn map(file: &ImageFile, expected: &Expectations<'_>) -> Result<Mapped, LoadError> {
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
        let mut parts = self.0;
        let answers = guards::ask(&parts.image, resolver).map_err(|source| parts.damaged(source))?;
        let mut resolved = resolve::resolve_imports(&parts.image, resolver, &answers.objects, &parts.path)?;
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

fn span(span: larder_format::image::Span) -> std::ops::Range<u64> {
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
fn verify(file: &ImageFile) -> Result<(), LoadError> {
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
fn lay_out(file: &ImageFile, header: &ImageHeader) -> std::io::Result<Region> {
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

/// What keeps an image loaded: handles of it, and destructors that threads still have to run.
/// The order of the fields is the order of the undoing.
#[derive(Debug)]
pub(crate) struct Shared {
    known: OnceLock<unwind::Known>,
    _described: Option<Described>,
    tls: Option<tls::Module>,
    owner: usize,
    availability: Option<Box<Availability>>,
    parts: Parts,
    /// Held by who changes rights in the region.
    rebinding: Mutex<()>,
}

impl Shared {
    /// One more of those who keep the image; `None` if it is going already.
    ///
    /// # Safety
    /// The address is that of a `Weak` which exists during the call.
    pub(crate) unsafe fn another(address: usize) -> Option<Arc<Shared>> {
        // SAFETY: the caller's promise; `ManuallyDrop` leaves that `Weak` its count.
        let weak = ManuallyDrop::new(unsafe { Weak::from_raw(address as *const Shared) });
        weak.upgrade()
    }

    /// The image's index.
    pub(crate) fn image(&self) -> &Image<'_> {
        &self.parts.image
    }

    /// Address of its first byte.
    pub(crate) fn base(&self) -> usize {
        self.parts.region.base()
    }

    /// Address of an export.
    pub(crate) fn symbol(&self, name: &[u8]) -> Option<Address> {
        let export = self.image().exports().find(name)?;
        if export.flags & export_flags::TLS != 0 {
            let module = self.tls.as_ref().filter(|_| export.offset < self.image().header().tls_mem_len)?;
            return Some(module.address(export.offset).cast_const().cast());
        }
        (export.offset < self.image().header().mem_len).then(|| self.address(export.offset))
    }

    /// The image's ELF program headers and where it is mapped, as `dl_iterate_phdr` tells them.
    pub(crate) fn describe_segments(&self, info: &mut libc::dl_phdr_info) {
        // SAFETY: R is mapped as long as `self` and never written.
        let r = unsafe { self.parts.region.bytes(0..self.image().header().r_len()) };
        let headers = Segments::of_elf(r);
        info.dlpi_addr = self.base() as libc::Elf64_Addr;
        info.dlpi_phdr = self.address(headers.offset).cast();
        info.dlpi_phnum = headers.count;
        info.dlpi_tls_modid = 0;
        info.dlpi_tls_data = std::ptr::null_mut();
    }

    fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        if let Some(availability) = &self.availability {
            availability.set_handler(handler);
        }
    }

    fn dropped(&self) -> &[Dropped] {
        self.availability.as_ref().map_or(&[], |availability| availability.dropped())
    }

    fn waiting(&self) -> Vec<Waiting> {
        self.availability.as_ref().map_or_else(Vec::new, |availability| availability.waiting())
    }

    fn os_error(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> LoadError {
        let path = self.parts.path.clone();
        move |source| LoadError::Os { path, operation, source }
    }

    /// # Safety
    /// As for [`Loaded::define`].
    unsafe fn define(&self, definitions: &HashMap<&str, Address>) -> Result<Vec<UnitId>, LoadError> {
        let Some(availability) = &self.availability else { return Ok(Vec::new()) };
        let _rebinding = self.rebinding.lock().unwrap_or_else(PoisonError::into_inner);
        let found = availability.deferred(|name| definitions.get(name).map(|address| *address as usize));
        let moves = found.iter().copied().collect();
        // SAFETY: the image is bound, and the lock is held.
        unsafe { rebind::rebind(&self.parts.region, &self.parts.image, &moves) }
            .map_err(self.os_error("bind names of"))?;
        let defined = moves.into_iter().map(|(import, moved)| (import, moved.to)).collect();
        // SAFETY: the caller's promise.
        unsafe { availability.arm(&self.parts.region, &defined) }.map_err(self.os_error("restore code of"))
    }

    /// # Safety
    /// As for [`Loaded::rebind`].
    unsafe fn rebind(&self, objects: &HashMap<&[u8], Address>) -> Result<(), LoadError> {
        let Parts { image, region, .. } = &self.parts;
        let _rebinding = self.rebinding.lock().unwrap_or_else(PoisonError::into_inner);
        let moves = guards::objects(image).filter_map(|(name, import)| {
            let to = *objects.get(name)? as usize;
            // SAFETY: the image is bound, and the lock is held.
            let from = unsafe { rebind::bound_to(region, image, import as u32) };
            (from != 0).then_some((import as u32, Move { from, to }))
        });
        let moves: BTreeMap<u32, Move> = moves.collect();
        // SAFETY: as above.
        unsafe { rebind::rebind(region, image, &moves) }.map_err(self.os_error("bind objects of"))
    }

    fn address(&self, offset: u64) -> *const () {
        self.parts.region.at(offset).cast_const().cast()
    }

    /// Has the resolvers of indirect functions answer what these become. Their slots are writable meanwhile.
    ///
    /// # Safety
    /// The image's code may run, and has not run before.
    unsafe fn choose_functions(&self) -> std::io::Result<()> {
        type Resolver = unsafe extern "C-unwind" fn() -> usize;
        let rows = self.parts.image.indirect_functions();
        let slots = || rows.iter().map(|row| row.slot);
        let (Some(first), Some(last)) = (slots().min(), slots().max()) else { return Ok(()) };
        let pages = first - first % PAGE..(last + WORD).next_multiple_of(PAGE);
        self.parts.region.make_data(pages.clone())?;
        for row in rows.iter() {
            // SAFETY: `check_calls` has checked that it lies in RX; that code is there is the caller's promise.
            let resolver = unsafe { std::mem::transmute::<*const (), Resolver>(self.address(row.resolver)) };
            // SAFETY: the caller's promise.
            let address = unsafe { resolver() };
            // SAFETY: `check_calls` has checked that the word lies in relro, and its page is writable now.
            unsafe { self.parts.region.at(row.slot).cast::<usize>().write_volatile(address) };
        }
        self.parts.region.make_read_only(pages)
    }
}

/// Where an ELF file's program headers stand (gABI, "ELF Header": `e_phoff`, `e_phnum`).
struct Segments {
    offset: u64,
    count: u16,
}

impl Segments {
    const SIZE: usize = 56;

    /// None, if they lie outside of the bytes.
    fn of_elf(bytes: &[u8]) -> Segments {
        let offset = bytes[32..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let count = bytes[56..].first_chunk().map_or(0, |half| u16::from_le_bytes(*half));
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(usize::from(count) * Self::SIZE));
        let inside = end.is_some_and(|end| end <= bytes.len());
        if inside { Segments { offset, count } } else { Segments { offset: 0, count: 0 } }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: only code of the image, and `initialise`, put handlers there; its contract allows them to run when the image is dropped.
        unsafe { os::finalise(self.owner) };
    }
}

/// An image that is ready to run: bound, protected, known to the unwinder.
#[derive(Debug)]
pub struct Sealed(Arc<Shared>);

impl Sealed {
    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.0.parts.image
    }

    /// Bytes of the image's code; `None` if the range leaves it.
    pub(crate) fn code(&self, range: std::ops::Range<u64>) -> Option<&[u8]> {
        let code = span(self.0.parts.header().rx);
        let inside = range.start >= code.start && range.start <= range.end && range.end <= code.end;
        // SAFETY: code is mapped as long as `self` and not written to; a unit that is armed meanwhile gets its page replaced.
        inside.then(|| unsafe { self.0.parts.region.bytes(range) })
    }

    /// Units that were dropped, as [`Loaded::dropped`].
    pub fn dropped(&self) -> &[Dropped] {
        self.0.dropped()
    }

    /// Units that wait, as [`Loaded::waiting`].
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0.waiting()
    }

    /// Says who decides about calls of units that were dropped or wait: to be done before anything runs.
    pub fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        self.0.set_unavailable(handler);
    }

    /// Lets the dynamic linker's answers include the image's exports, as a native program's: what the image asks by `dlsym` and its kin, and
    /// what libraries refer to. `name` is what the program is called; `libraries` are those it was started with. The image
    /// stays to the end of the process.
    pub fn offer_exports(&self, name: &CStr, libraries: &Libraries) {
        dynamic::offer(Arc::clone(&self.0), name);
        if !libraries.is_empty() {
            dynamic::prepare_for_libraries();
        }
    }

    /// Gives the libraries of the process the image's exports instead of the definitions that they are bound to, as if the image were
    /// the process's program: its own `malloc` and `operator new` are everybody's. An image that exports nothing but its entry changes nothing.
    ///
    /// # Safety
    /// The image stays to the end of the process. Its exports are what libraries take them for. Libraries are neither loaded nor unloaded meanwhile,
    /// and nothing that they have got from a definition that is replaced is handed to the new one (no memory of another `malloc`).
    pub unsafe fn preempt_libraries(&self) {
        let exports = self.image().exports();
        if exports.rows().len() <= 1 {
            return;
        }
        let find = |name: &CStr| {
            let export = exports.find(name.to_bytes()).filter(|export| export.flags & export_flags::TLS == 0)?;
            (export.offset < self.image().header().mem_len).then(|| self.0.address(export.offset) as usize)
        };
        // SAFETY: the caller's promise.
        unsafe { dynamic::preempt(&find) };
    }

    /// Has resolvers choose the indirect functions, then runs the initialisers in order. The finalisers are going to run when the image
    /// is dropped, or when the process exits.
    ///
    /// Slots of indirect functions are written here, not when the image is bound, since nothing of it may run then: their pages of relro
    /// become writable once more, until the last resolver has answered.
    ///
    /// If a resolver or an initialiser throws, the exception passes through and the image stays in memory, since the exception may refer to it.
    ///
    /// # Errors
    /// [`LoadError::Os`] if there is no memory left to note the finalisers, or the rights to the slots can't be changed; then none of the
    /// initialisers has run.
    ///
    /// # Safety
    /// The image's code is what the caller wants to run: made by a tool chain that it trusts, from source that it trusts as its own.
    /// What the imports were bound to has the types that the code takes it to have, and stays valid until the image is gone. Finalisers and
    /// exit handlers of the image may run on the thread that drops it.
    pub unsafe fn initialise(self, arguments: &Arguments) -> Result<Loaded, LoadError> {
        let shared = &self.0;
        let finalisers = shared.parts.image.fini().iter().map(|offset| {
            // SAFETY: `check_calls` has checked that it lies in RX; that code is there is the caller's promise.
            unsafe { std::mem::transmute::<*const (), exit::Handler>(shared.address(offset)) }
        });
        // SAFETY: they run before the image goes, or at exit; the caller allows it.
        if !unsafe { exit::finalise_later(finalisers.collect(), shared.owner) } {
            let source = std::io::ErrorKind::OutOfMemory.into();
            return Err(LoadError::Os { path: shared.parts.path.clone(), operation: "note finalisers of", source });
        }
        // What the loading left there is not the image's affair.
        os::clear_errno();
        let image = ManuallyDrop::new(self);
        // SAFETY: the caller's promise.
        if let Err(source) = unsafe { image.0.choose_functions() } {
            let path = image.0.parts.path.clone();
            drop(ManuallyDrop::into_inner(image));
            return Err(LoadError::Os { path, operation: "protect", source });
        }
        for offset in image.0.parts.image.init().iter() {
            type Initialiser = unsafe extern "C-unwind" fn(c_int, *mut *mut c_char, *mut *mut c_char);
            // SAFETY: as for the finalisers.
            let initialiser = unsafe { std::mem::transmute::<*const (), Initialiser>(image.0.address(offset)) };
            // SAFETY: the caller's promise.
            unsafe { initialiser(arguments.argc, arguments.argv, arguments.envp) };
        }
        Ok(Loaded(ManuallyDrop::into_inner(image).0))
    }
}

/// An image whose functions may be called. Dropping it runs its finalisers and unmaps it, once no thread has destructors of its
/// thread-local objects left to run.
#[derive(Debug)]
pub struct Loaded(Arc<Shared>);

impl Loaded {
    /// The image's index.
    pub fn image(&self) -> &Image<'_> {
        &self.0.parts.image
    }

    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.0.parts.path
    }

    /// Address of an export (of the calling thread's variable, for a thread-local one); `None` if there is no export of that name.
    pub fn symbol(&self, name: impl AsRef<[u8]>) -> Option<Address> {
        self.0.symbol(name.as_ref())
    }

    /// Address of an image offset; `None` behind the image's end.
    pub fn at(&self, offset: u64) -> Option<Address> {
        (offset < self.image().header().mem_len).then(|| self.0.address(offset))
    }

    /// The exported function of that name; `None` if there is none, or if the export is not code.
    ///
    /// # Safety
    /// The function has the type `F`. The pointer is not called after the image is dropped, even if it was copied out of the handle.
    pub unsafe fn function<F: FnPointer>(&self, name: impl AsRef<[u8]>) -> Option<Function<'_, F>> {
        let export = self.image().exports().find(name.as_ref())?;
        let is_code =
            export.flags & export_flags::FUNCTION != 0 && span(self.image().header().rx).contains(&export.offset);
        // SAFETY: the type is the caller's promise, and the handle borrows the image.
        is_code.then(|| unsafe { Function::new(self.0.address(export.offset)) })
    }

    /// Units that were dropped when the image was bound, each with its guards that failed.
    pub fn dropped(&self) -> &[Dropped] {
        self.0.dropped()
    }

    /// Units that wait for names which are not defined yet.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0.waiting()
    }

    /// Says who decides about calls of units that were dropped or wait, in place of who was said before.
    pub fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        self.0.set_unavailable(handler);
    }

    /// Has calls of a unit go to another function from now on, pointers to it that were taken before included. Threads may be calling it.
    /// `false`, and nothing is changed, if the unit was neither dropped nor had to wait.
    ///
    /// # Safety
    /// At the address is a function of the same type, which is there as long as the image.
    pub unsafe fn redirect(&self, unit: UnitId, address: Address) -> bool {
        self.0.availability.as_ref().is_some_and(|availability| availability.redirect(unit, address))
    }

    /// Gives deferred names their addresses, and arms the units that wait for no other name: answers which. Names that the image doesn't
    /// wait for are left alone. Threads may be running the image.
    ///
    /// # Errors
    /// [`LoadError::Os`] if the system refuses to change rights; then the same may be tried again.
    ///
    /// # Safety
    /// What is defined has the type that the code takes it to have, and stays valid until the image is gone.
    pub unsafe fn define<N: AsRef<str>>(&self, definitions: &[(N, Address)]) -> Result<Vec<UnitId>, LoadError> {
        let definitions = definitions.iter().map(|(name, address)| (name.as_ref(), *address)).collect();
        // SAFETY: the caller's promise.
        unsafe { self.0.define(&definitions) }
    }

    /// Has the code use the host's objects of those names at other addresses from now on. Threads may be running the image: what they have
    /// loaded from a slot before, they still use. Names that the image doesn't use, and objects whose guard failed, are left alone; so are
    /// words of data that the code has changed, and thread-local variables of threads that have theirs.
    ///
    /// # Errors
    /// [`LoadError::Os`] if the system refuses to change rights; then the same may be tried again.
    ///
    /// # Safety
    /// At the addresses are the objects, for as long as the code may use them.
    pub unsafe fn rebind<N: AsRef<[u8]>>(&self, objects: &[(N, Address)]) -> Result<(), LoadError> {
        let objects = objects.iter().map(|(name, address)| (name.as_ref(), *address)).collect();
        // SAFETY: the caller's promise.
        unsafe { self.0.rebind(&objects) }
    }

    /// Keeps the image to the end of the process. Its finalisers run at exit.
    pub fn leak(self) -> &'static Loaded {
        Box::leak(Box::new(self))
    }
}
