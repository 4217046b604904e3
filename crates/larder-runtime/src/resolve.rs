//! Where the addresses of imports come from.
//!
//! A resolver is asked once for every import, in the order of the names. What the host hands in comes first in a [`Chain`]; the
//! process's own symbols are asked only if the host puts [`ProcessSymbols`] into it. The runtime's built-in imports are answered
//! before any resolver, since generated code and runtime share them by the ABI version.

use crate::dynamic::copies;
use crate::error::LoadError;
use crate::relocate::import_name;
use crate::tls::{self, Variable};
use larder_format::image::{Image, ImageError, Import, TLS_GET_ADDR, import_flags};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_int};
use std::path::Path;

mod libraries;
mod process;

pub use libraries::Libraries;
pub use process::ProcessSymbols;

/// An address in this process.
pub type Address = *const ();

/// Unresolved names that an error lists; of the others it tells the number.
const NAMES_LISTED_MAX: usize = 32;

/// Imports that are asked for at once: few enough to stay near the processor.
const ASKED_AT_ONCE: usize = 64;

/// An import that asks for its address.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The symbol's name.
    pub name: &'a CStr,
    /// [`larder_format::image::gnu_hash`] of the name (as the image says; a damaged one may lie).
    pub hash: u32,
    /// Being bound to nothing is allowed.
    pub weak: bool,
    /// It is called somewhere.
    pub function: bool,
    /// It is a thread-local variable: what is wanted is the address of the calling thread's.
    pub thread_local: bool,
}

/// A name that is going to be known later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// It is a function: words in data that point to it lead to a stub until then.
    Function,
    /// It may be data, to which no stub can lead: an image that points to it from its own data is refused.
    Data,
}

/// An object of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectAnswer {
    /// Where it is now.
    pub address: Address,
    /// What it is: equal fingerprints mean objects that code can't tell apart.
    pub fingerprint: u64,
}

/// Answers imports, and what guards ask.
pub trait Resolve {
    /// The address of that name, or `None` if it is not known here.
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address>;

    /// The same for many names, in their order: who has to take a lock may take it once.
    fn resolve_all(&self, wanted: &[Wanted<'_>]) -> Vec<Option<Address>> {
        wanted.iter().map(|wanted| self.resolve(wanted)).collect()
    }

    /// Whether a name that nobody answered is going to be known later. Then the units wait that use it.
    fn defers(&self, _wanted: &Wanted<'_>) -> Option<Deferral> {
        None
    }

    /// The host's object of that name, or `None` if there is none.
    fn object(&self, _name: &[u8]) -> Option<ObjectAnswer> {
        None
    }

    /// What is true now of a condition that code was made for, or `None` if it is not known here.
    fn predicate(&self, _name: &[u8], _arguments: &[u8]) -> Option<u64> {
        None
    }
}

impl<F: Fn(&Wanted<'_>) -> Option<Address>> Resolve for F {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        self(wanted)
    }
}

/// Asks one resolver after another; the first answer counts.
pub struct Chain<'a>(pub &'a [&'a dyn Resolve]);

impl Resolve for Chain<'_> {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        self.0.iter().find_map(|resolver| resolver.resolve(wanted))
    }

    fn defers(&self, wanted: &Wanted<'_>) -> Option<Deferral> {
        self.0.iter().find_map(|resolver| resolver.defers(wanted))
    }

    fn object(&self, name: &[u8]) -> Option<ObjectAnswer> {
        self.0.iter().find_map(|resolver| resolver.object(name))
    }

    fn predicate(&self, name: &[u8], arguments: &[u8]) -> Option<u64> {
        self.0.iter().find_map(|resolver| resolver.predicate(name, arguments))
    }
}

/// Names and addresses that the host hands in.
#[derive(Debug, Default)]
pub struct Names(HashMap<CString, usize>);

impl Names {
    /// No names.
    pub fn new() -> Names {
        Names::default()
    }

    /// Adds a name, or gives it another address. `false` if it contains a NUL: then no import can have it, and nothing is added.
    pub fn insert(&mut self, name: impl Into<Vec<u8>>, address: Address) -> bool {
        let name = CString::new(name).ok();
        name.map(|name| self.0.insert(name, address as usize)).is_some()
    }
}

impl<N: Into<Vec<u8>>> FromIterator<(N, Address)> for Names {
    fn from_iter<I: IntoIterator<Item = (N, Address)>>(pairs: I) -> Names {
        let mut names = Names::new();
        for (name, address) in pairs {
            names.insert(name, address);
        }
        names
    }
}

impl Resolve for Names {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        self.0.get(wanted.name).map(|&address| address as Address)
    }
}

/// What the imports are bound to.
pub(crate) struct Resolved {
    /// Addresses for the slots, in the order of the imports; null for weak names that nobody knows, and for thread-local variables.
    pub(crate) addresses: Vec<usize>,
    /// Thread-local variables and the indices of their imports, in the order of these.
    pub(crate) variables: Vec<(u32, Variable)>,
    /// Names that are going to be known later, by the index of their import.
    pub(crate) deferred: BTreeMap<u32, Deferral>,
}

/// Asks the resolver for every import but objects: those have been answered by their guards.
///
/// Variables that have their place in the image move there first, so that all other answers agree: some may be other names of theirs.
pub(crate) fn resolve_imports(
    image: &Image<'_>,
    resolver: &dyn Resolve,
    objects: &BTreeMap<usize, usize>,
    path: &Path,
) -> Result<Resolved, LoadError> {
    move_variables(image, resolver, path)?;
    let addresses = Vec::with_capacity(image.imports().len());
    let mut resolved = Resolved { addresses, variables: Vec::new(), deferred: BTreeMap::new() };
    let mut unresolved = Vec::new();
    let mut imports = image.imports().iter().zip(0..);
    loop {
        let some =
            imports.by_ref().take(ASKED_AT_ONCE).map(|(import, index)| Ok((index, import, wanted(image, &import)?)));
        let some = some.collect::<Result<Vec<_>, _>>().map_err(|source| damaged(path, source))?;
        if some.is_empty() {
            break;
        }
        let asked: Vec<_> =
            some.iter().filter(|(_, import, wanted)| is_asked(import, wanted)).map(|row| row.2).collect();
        let mut answers = resolver.resolve_all(&asked).into_iter();
        for (index, import, wanted) in &some {
            if import.flags & import_flags::OBJECT != 0 {
                resolved.addresses.push(objects.get(&(*index as usize)).copied().unwrap_or(0));
                continue;
            }
            let address = built_in(wanted.name).or_else(|| answers.next().flatten());
            if address.is_none() {
                match deferral(wanted, resolver, path)? {
                    // Code would reach an empty copy.
                    _ if import.flags & import_flags::COPIED != 0 => unresolved.push(wanted.name),
                    Some(deferral) => drop(resolved.deferred.insert(*index, deferral)),
                    None if wanted.weak => {}
                    None => unresolved.push(wanted.name),
                }
            }
            let address = address.map_or(0, |address| address as usize);
            if wanted.thread_local {
                resolved.variables.push((*index, variable(address, wanted.name, path)?));
            }
            resolved.addresses.push(if wanted.thread_local { 0 } else { address });
        }
    }
    if unresolved.is_empty() { Ok(resolved) } else { Err(unresolved_names(path, &unresolved)) }
}

/// What an import asks for.
fn wanted<'i>(image: &Image<'i>, import: &Import) -> Result<Wanted<'i>, ImageError> {
    let has = |flag| import.flags & flag != 0;
    Ok(Wanted {
        name: import_name(image, import)?,
        hash: import.hash,
        weak: has(import_flags::WEAK),
        function: has(import_flags::FUNCTION),
        thread_local: has(import_flags::TLS),
    })
}

/// Whether it is the resolver that answers.
fn is_asked(import: &Import, wanted: &Wanted<'_>) -> bool {
    import.flags & import_flags::OBJECT == 0 && built_in(wanted.name).is_none()
}

/// Whether a name that nobody answered is going to be known later.
fn deferral(wanted: &Wanted<'_>, resolver: &dyn Resolve, path: &Path) -> Result<Option<Deferral>, LoadError> {
    let Some(deferral) = resolver.defers(wanted) else { return Ok(None) };
    if wanted.thread_local {
        return Err(LoadError::CannotDefer {
            path: path.to_owned(),
            name: wanted.name.to_string_lossy().into_owned(),
            reason: "it is a thread-local variable",
        });
    }
    Ok(Some(if wanted.function { Deferral::Function } else { deferral }))
}

fn move_variables(image: &Image<'_>, resolver: &dyn Resolve, path: &Path) -> Result<(), LoadError> {
    let mut told = Vec::new();
    for import in image.imports().iter().filter(|import| import.flags & import_flags::COPIED != 0) {
        let name = import_name(image, &import).map_err(|source| damaged(path, source))?;
        let wanted = Wanted { name, hash: import.hash, weak: false, function: false, thread_local: false };
        // One that nobody knows is named with all others.
        told.extend(resolver.resolve(&wanted).map(|address| (name, address as usize)));
    }
    copies::move_variables(&told).map_err(|(name, source)| LoadError::Copy {
        path: path.to_owned(),
        name: name.to_string_lossy().into_owned(),
        source,
    })
}

/// The variable whose address in this thread a resolver has answered.
fn variable(address: usize, name: &CStr, path: &Path) -> Result<Variable, LoadError> {
    if address == 0 {
        return Ok(Variable::NULL);
    }
    let name = || name.to_string_lossy().into_owned();
    Variable::at(address).ok_or_else(|| LoadError::NotThreadLocal { path: path.to_owned(), name: name() })
}

/// What an import is called, for messages.
pub(crate) fn name_of(image: &Image<'_>, import: u32) -> String {
    let import = image.imports().get(import as usize);
    let name = import.and_then(|import| image.c_text(import.name));
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn damaged(path: &Path, source: ImageError) -> LoadError {
    LoadError::Image { path: path.to_owned(), source }
}

fn unresolved_names(path: &Path, names: &[&CStr]) -> LoadError {
    let listed = names.iter().take(NAMES_LISTED_MAX).map(|name| name.to_string_lossy().into_owned()).collect();
    let more_count = names.len().saturating_sub(NAMES_LISTED_MAX);
    LoadError::Unresolved { path: path.to_owned(), names: listed, more_count }
}

/// What generated code asks of the runtime itself.
fn built_in(name: &CStr) -> Option<Address> {
    match name.to_bytes() {
        name if name == TLS_GET_ADDR.as_bytes() => Some(tls::get_addr_entry()),
        b"__cpu_indicator_init" => Some(cpu_indicator_init as *const () as Address),
        _ => None,
    }
}

/// Natively it fills the program's own `__cpu_model`, from a constructor or a resolver, whichever is first. Here that was done before
/// anything ran.
extern "C" fn cpu_indicator_init() -> c_int {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &CStr) -> Wanted<'_> {
        Wanted { name, hash: 0, weak: false, function: true, thread_local: false }
    }

    #[test]
    fn the_first_of_a_chain_that_knows_a_name_answers() {
        let names: Names = [("a", 1 as Address), ("b", 2 as Address)].into_iter().collect();
        let everything = |_: &Wanted<'_>| Some(9 as Address);
        let chain = Chain(&[&names, &everything]);
        for (name, address) in [(c"a", 1), (c"b", 2), (c"c", 9)] {
            assert_eq!(chain.resolve(&wanted(name)), Some(address as Address), "{name:?}");
        }
        assert_eq!(names.resolve(&wanted(c"c")), None);
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert!(!Names::new().insert("a\0b", 1 as Address));
    }

    #[test]
    fn the_process_is_asked_for_libc_and_then_libm() {
        for name in [c"malloc", c"cos", c"memcpy@GLIBC_2.2.5", c"memcpy@GLIBC_2.14"] {
            assert!(ProcessSymbols.resolve(&wanted(name)).is_some(), "{name:?}");
        }
        let unknown = wanted(c"larder_knows_no_such_name");
        assert_eq!(ProcessSymbols.resolve(&unknown), None);
    }
}
