//! Compiling a dropped unit again, by itself, while the rest of its image is used as it is.
//!
//! The host is asked first, since it may know how to build IR for what its objects are now. If it doesn't, the module that the image carries is compiled
//! again for that unit, without what was said there of the contents of objects that have changed. Either way the result is an image of its own,
//! saved like any other, which sees what its original offers, hidden names included; and calls go there from then on.

use super::code::Image;
use super::{Session, Shared};
use crate::error::Error;
use crate::module::Module;
use crate::observe::Event;
use crate::options::{CompileOptions, Exports, ThreadLocals};
use crate::program::Program;
use crate::start::{NEVER, Start};
use larder_format::wire::UnitRequest;
use larder_runtime::{Address, Dropped, FailedGuard, GuardFailure, Resolve, Wanted};
use object::{Object as _, ObjectSymbol as _};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

/// A function that was dropped.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DroppedUnit<'a> {
    /// What diagnostics call its code.
    pub code: &'a str,
    /// The function's name.
    pub name: &'a str,
    /// Its guards that failed, in recorded order.
    pub failed: &'a [FailedGuard],
}

/// Makes IR or objects for a function that was dropped.
pub(super) type Callback = Arc<dyn Fn(&DroppedUnit<'_>) -> Option<Program<'static>> + Send + Sync>;

/// When dropped functions are compiled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recompile {
    /// When they are first called.
    #[default]
    Lazily,
    /// Before their image is handed out: one that can't be is an error of the load ([`Error::Dropped`]).
    Eagerly,
    /// On a thread that begins with the load. Who calls one that isn't ready waits for it.
    InBackground,
}

/// Where the names of the original lie, hidden ones included.
struct Original {
    image: Arc<Image>,
    /// Offsets in the image.
    symbols: BTreeMap<Vec<u8>, u64>,
}

impl Shared {
    /// The function that takes the place of a dropped one. It is there as long as the original.
    pub(super) fn recompile(self: &Arc<Shared>, image: &Arc<Image>, dropped: &Dropped) -> Result<Address, Error> {
        let since = Instant::now();
        let told = &image.told;
        let asked = DroppedUnit { code: &told.name, name: &dropped.name, failed: &dropped.failed };
        let callback = super::lock(&self.policy).recompile.clone();
        let original = Original::of(image)?;
        let (program, unit) = match callback.and_then(|callback| callback(&asked)) {
            Some(program) => (program, None),
            None => (original.module(&dropped.name)?.into(), Some(original.request(dropped)?)),
        };
        let options = CompileOptions {
            exports: Exports::Only(vec![dropped.name.clone()]),
            keep_source: false,
            lto: false,
            thread_locals: ThreadLocals::Dynamic,
            ..image.options.clone()
        };
        let mut start = Start::new(&self.larder, &options, &NEVER).with_unit(unit);
        let prepared = start.prepare(program, &mut |_| {})?;
        let session = Session(Arc::clone(self));
        // SAFETY: whoever loaded the original has promised as much for what the callback makes, and the module is the original's own.
        let code = unsafe { session.start(prepared, options, Some(&original)) }?;
        let address = code.symbol(&dropped.name);
        let usable = address.filter(|_| code.loaded().dropped().iter().all(|unit| unit.name != dropped.name));
        let address = usable.ok_or_else(|| Error::NotRecompiled {
            function: dropped.name.clone(),
            why: "what was compiled for it does not define it, or has guards that fail as well".to_owned(),
        })?;
        // SAFETY: it is that function, compiled again, and the original keeps it.
        let redirected = unsafe { image.loaded().redirect(dropped.unit, address) };
        debug_assert!(redirected, "it was dropped");
        image.replace_by(code.image);
        self.larder.observer.tell(&Event::Recompiled {
            name: &told.name,
            function: &dropped.name,
            time: since.elapsed(),
        });
        Ok(address)
    }
}

impl Original {
    fn of(image: &Arc<Image>) -> Result<Original, Error> {
        let bytes = read(image)?;
        let mut symbols = BTreeMap::<Vec<u8>, Option<u64>>::new();
        if let Ok(file) = object::File::parse(&*bytes) {
            let defined = file.symbols().filter(|symbol| symbol.is_definition());
            for (name, offset) in defined.filter_map(|symbol| Some((symbol.name_bytes().ok()?, symbol.address()))) {
                // What hidden names were is local in an image. Several of one name mean nothing.
                symbols.entry(name.to_owned()).and_modify(|found| *found = None).or_insert(Some(offset));
            }
        }
        let symbols = symbols.into_iter().filter_map(|(name, offset)| Some((name, offset?))).collect();
        Ok(Original { image: Arc::clone(image), symbols })
    }

    /// The module that the image carries.
    fn module(&self, function: &str) -> Result<Module<'static>, Error> {
        let why = |why: &str| Error::NotRecompiled { function: function.to_owned(), why: why.to_owned() };
        let source = crate::inspect::source(&read(&self.image)?);
        let source = source.ok_or_else(|| why("its code carries no module, and the host made none for it"))?;
        if larder_format::bundle::decode_sources(&source).is_some() {
            return Err(why("its code was made from several inputs, and the host made no module for it"));
        }
        Ok(Module::bytes(format!("{} ({function})", self.image.told.name), source))
    }

    /// What of the module is to be compiled. Only contents of objects that have changed can be left out of account: where an object is gone, or a
    /// predicate has another answer, the module as it is would make the same code.
    fn request(&self, dropped: &Dropped) -> Result<UnitRequest, Error> {
        let loosened = dropped.failed.iter().map(|failed| match failed.failure {
            GuardFailure::Changed { .. } => Ok(failed.name.clone()),
            GuardFailure::Missing | GuardFailure::Predicate { .. } => Err(Error::NotRecompiled {
                function: dropped.name.clone(),
                why: format!("{failed}, and the host made no module for it"),
            }),
        });
        let loosened = loosened.collect::<Result<Vec<_>, _>>()?;
        let present = self.symbols.keys().filter_map(|name| String::from_utf8(name.clone()).ok());
        let present = present.filter(|name| *name != dropped.name).collect();
        Ok(UnitRequest { names: vec![dropped.name.clone()], present, loosened })
    }
}

impl Resolve for Original {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        let name = wanted.name.to_bytes();
        let loaded = self.image.loaded();
        loaded.symbol(name).or_else(|| loaded.at(*self.symbols.get(name)?))
    }
}

/// The bytes of the image's file.
fn read(image: &Image) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Module { path: image.told.path.clone(), source };
    let file = image.told.file.as_ref().ok_or_else(|| failed(std::io::Error::other("the file was not kept")))?;
    let mut bytes = vec![0; image.loaded().image().header().file_len as usize];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(bytes)
}
