//! A session: the images loaded into one process, and the symbols they see.
//!
//! The process's own symbols are opt-in: an image sees what the host hands in by name, what other images of the session offer, and libc
//! only if the host says so.
//!
//! A session can be used from many threads at once, and clones of it are the same session.

mod background;
mod code;
mod hash;
mod heap;
mod host;
mod recompile;
mod symbols;
mod unavailable;

use crate::error::Error;
use crate::larder::{Larder, Progress};
use crate::observe::Event;
use crate::options::CompileOptions;
use crate::prepared::Prepared;
use crate::program::Program;
use crate::start::{NEVER, Start};
pub use background::{Loading, Status};
use code::Image;
pub use code::{Code, OwnedFunction};
use heap::Heap;
use host::Policy;
use larder_runtime::{Address, Arguments, Resolve, Unavailable, Wanted, exception};
pub use recompile::{DroppedUnit, Recompile};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;
use symbols::{Answers, Symbols};
use unavailable::Keeper;
pub use unavailable::{CallError, Unusable, catch};

/// Images of one process and the symbols they see.
///
/// Who answers to a name that an image needs, in this order: definitions of the host and exports of images, of which the latest counts; the
/// process, if [asked for](Session::use_process_symbols); the host's [callbacks](Session::resolve_with).
///
/// An image is loaded as long as a [`Code`] of it, or another image that is bound to it, exists, or the session [keeps](Session::keep) it. The
/// session itself ends with the last of its clones and of its handles.
#[derive(Debug, Clone)]
pub struct Session(Arc<Shared>);

/// What the clones of a session have in common.
#[derive(Debug)]
struct Shared {
    larder: Arc<Larder>,
    symbols: Symbols,
    heap: Heap,
    policy: Mutex<Policy>,
    images: Mutex<Vec<Weak<Image>>>,
    /// Images that stay with the session though nobody holds a handle of them.
    kept: Mutex<Vec<Arc<Image>>>,
}

/// Numbers of images.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Session {
    /// A session without symbols. Several sessions may share one [`Larder`].
    pub fn new(larder: impl Into<Arc<Larder>>) -> Session {
        Session(Arc::new(Shared {
            larder: larder.into(),
            symbols: Symbols::default(),
            heap: Heap::default(),
            policy: Mutex::default(),
            images: Mutex::default(),
            kept: Mutex::default(),
        }))
    }

    /// Where code is taken from, and kept.
    pub fn larder(&self) -> &Arc<Larder> {
        &self.0.larder
    }

    /// Hands in a name: of a function, or of data. It replaces earlier definitions, for images that are loaded after it. Functions that wait
    /// for it, in images that are loaded, are armed.
    ///
    /// Nothing is called or read until an image is loaded; [`Session::load_or_compile`] has the contract.
    pub fn define(&self, name: &str, address: Address) -> &Self {
        self.define_all([(name, address)])
    }

    /// Hands in a whole table of names at once.
    pub fn define_all<'a>(&self, names: impl IntoIterator<Item = (&'a str, Address)>) -> &Self {
        self.0.symbols.define(names);
        self.0.arm_all();
        self
    }

    /// Takes a definition back, for images that are loaded later. Those that are loaded keep the address. What it had replaced counts again.
    /// Says whether there was one.
    pub fn undefine(&self, name: &str) -> bool {
        self.0.symbols.undefine(name)
    }

    /// Lets images see what `dlsym` sees: the C library and whatever else the process has loaded.
    pub fn use_process_symbols(&self) -> &Self {
        self.0.symbols.use_process();
        self
    }

    /// Asks `answer` for names that nobody else knows. Of several callbacks, the first that knows a name answers. They run on the thread that
    /// loads, and may use the session.
    pub fn resolve_with(&self, answer: impl Fn(&Wanted<'_>) -> Option<Address> + Send + Sync + 'static) -> &Self {
        self.0.symbols.add_callback(Arc::new(answer));
        self
    }

    /// Takes the program's code from the store, or compiles it; binds it to the session's symbols and runs its initialisers. From then on
    /// later images see its exports.
    ///
    /// # Safety
    /// This runs the program's code: its inputs are trusted. Each symbol that was handed in has the type which they declare it with,
    /// and stays valid while the code is loaded. Under a key of the caller's, equal keys mean equal inputs. Finalisers of the code may run
    /// on any thread that drops the last handle.
    ///
    /// # Errors
    /// An input can't be read, compiled or linked, or asks for names that the session does not have.
    pub unsafe fn load_or_compile<'a>(
        &self,
        program: impl Into<Program<'a>>,
        options: &CompileOptions,
    ) -> Result<Code, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.load_with_progress(program, options, &mut |_| {}) }
    }

    /// The same; `progress` hears how far it is, on this thread.
    ///
    /// # Safety
    /// As for [`Session::load_or_compile`].
    ///
    /// # Errors
    /// As for [`Session::load_or_compile`].
    pub unsafe fn load_with_progress<'a>(
        &self,
        program: impl Into<Program<'a>>,
        options: &CompileOptions,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Code, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.load(program.into(), options, &NEVER, progress) }
    }

    /// Loads a saved image by its name: see [`Larder::prepare_image`].
    ///
    /// # Safety
    /// As for [`Session::load_or_compile`], and nobody may write to the file while the image is loaded.
    ///
    /// # Errors
    /// As [`Larder::prepare_image`], or the image asks for names that the session does not have.
    pub unsafe fn load_image(&self, path: &Path, options: &CompileOptions) -> Result<Code, Error> {
        // SAFETY: the caller's promise.
        let prepared = unsafe { self.0.larder.prepare_image(path, options, &mut |_| {}) }?;
        // SAFETY: the caller's promise.
        unsafe { self.start(prepared, options.clone(), None) }
    }

    /// Keeps code as long as the session, whatever becomes of its handles: for hosts whose later code may use all that was loaded before, as
    /// at the prompt of an interpreter.
    pub fn keep(&self, code: &Code) {
        self.0.keep(&code.image);
    }

    /// Undoes [`Session::keep`]. Says whether the code was kept.
    pub fn release(&self, code: &Code) -> bool {
        // The handle in the caller's hands keeps the image from going while the lock is held.
        let mut kept = lock(&self.0.kept);
        let count = kept.len();
        kept.retain(|other| !Arc::ptr_eq(other, &code.image));
        kept.len() < count
    }

    /// The images that are loaded now, in the order in which they were.
    pub fn images(&self) -> Vec<Code> {
        let images = lock(&self.0.images).clone();
        images.iter().filter_map(Weak::upgrade).map(|image| self.handle(image)).collect()
    }

    /// # Safety
    /// As for [`Session::load_or_compile`].
    unsafe fn load(
        &self,
        program: Program<'_>,
        options: &CompileOptions,
        cancelled: &AtomicBool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Code, Error> {
        let regions = || self.0.heap.regions();
        let mut start = Start::new(&self.0.larder, options, cancelled).with_regions(&regions);
        let prepared = start.prepare(program, progress)?;
        if cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        // SAFETY: the caller's promise.
        let code = unsafe { self.start(prepared, options.clone(), None) }?;
        self.0.symbols.offer(&code.image);
        self.0.arm_all();
        self.recompile_dropped(&code)?;
        Ok(code)
    }

    /// Binds and initialises an image. `original` is asked for names first: the image that this one is a part of, compiled again.
    ///
    /// # Safety
    /// As for [`Session::load_or_compile`].
    unsafe fn start(
        &self,
        prepared: Prepared,
        options: CompileOptions,
        original: Option<&dyn Resolve>,
    ) -> Result<Code, Error> {
        let since = Instant::now();
        let modules = prepared.modules().to_vec();
        let answers = Answers::new(&self.0.symbols, &self.0.heap).of(original, &modules);
        let ready = prepared.bind(&answers)?;
        let used = answers.into_used();
        let keeper = Arc::new(Keeper::new(Arc::downgrade(&self.0), ready.name().to_owned()));
        ready.sealed().set_unavailable(Arc::clone(&keeper) as Arc<dyn Unavailable>);
        let image = ready.name().to_owned();
        // SAFETY: the caller's promise.
        let initialise = || unsafe { ready.initialise_told(&Arguments::none()) };
        // An initialiser may throw, or call a function that can't be called.
        let started = catch(|| exception::stop(initialise)).map_err(Error::from).and_then(|stopped| {
            stopped.map_err(|exception| Error::Initialiser { image, exception: exception.to_string() })
        });
        let started = started.inspect_err(|_| {
            // What threw stays in memory until the process ends, and with it what it is bound to.
            used.iter().for_each(|image| std::mem::forget(Arc::clone(image)));
        })??;
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let image = Image::new(started, used, Arc::clone(&keeper), options, id, Arc::downgrade(&self.0));
        let image = Arc::new(image);
        keeper.serve(&image);
        self.0.note(&image);
        let code = self.handle(image);
        let observer = &self.0.larder.observer;
        observer.tell(&Event::Loaded { name: code.name(), time: since.elapsed() });
        code.dropped().iter().for_each(|dropped| observer.tell(&Event::Dropped { name: code.name(), dropped }));
        Ok(code)
    }

    fn handle(&self, image: Arc<Image>) -> Code {
        Code { image, _session: Arc::clone(&self.0) }
    }
}

impl Shared {
    fn note(&self, image: &Arc<Image>) {
        let mut images = lock(&self.images);
        // Those that are gone are swept out when the list would grow.
        if images.len() == images.capacity() {
            images.retain(|image| image.strong_count() > 0);
        }
        images.push(Arc::downgrade(image));
    }

    /// Gives all images that wait the names that are defined by now.
    fn arm_all(&self) {
        if !self.heap.has_deferred() {
            return;
        }
        let images = lock(&self.images).clone();
        images.iter().filter_map(Weak::upgrade).for_each(|image| self.arm(&image));
    }

    /// Gives an image that waits the names that are defined by now. What can't be armed goes on waiting, and is tried again when it is called.
    fn arm(&self, image: &Image) {
        let names: BTreeSet<_> = image.loaded().waiting().into_iter().flat_map(|waiting| waiting.imports).collect();
        let find = |name: &String| Some((name.clone(), self.symbols.find(&CString::new(name.as_str()).ok()?)?));
        let found: Vec<_> = names.iter().filter_map(find).collect();
        if found.is_empty() {
            return;
        }
        let definitions: Vec<_> = found.iter().map(|(name, found)| (name, found.address)).collect();
        // SAFETY: the host has promised, when it loaded the image, that names are what the image takes them for; images that define some are kept.
        let armed = unsafe { image.loaded().define(&definitions) };
        for defining in found.into_iter().filter_map(|(_, found)| found.image) {
            self.keep(&defining);
        }
        if let Err(error) = armed {
            self.larder.observer.tell(&Event::Failed { name: &image.told.name, why: &error.to_string() });
        }
    }

    fn keep(&self, image: &Arc<Image>) {
        let mut kept = lock(&self.kept);
        if !kept.iter().any(|other| Arc::ptr_eq(other, image)) {
            kept.push(Arc::clone(image));
        }
    }

    /// The address of a function by its name, if it is defined by now. Its image stays with the session.
    fn find_function(&self, name: &str) -> Option<Address> {
        let found = self.symbols.find(&CString::new(name).ok()?)?;
        found.image.iter().for_each(|image| self.keep(image));
        Some(found.address)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
