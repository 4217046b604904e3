//! Variables of libraries that have their place in an image.
//!
//! Code for executables reaches `stderr`, `environ` or `std::cout` by their distance. Natively the linker gives such a variable room in the
//! executable, and the dynamic linker copies its initial value there, before anything runs, and binds all libraries to the copy
//! (psABI, `R_X86_64_COPY`). Here:
//!
//! - Libraries that are loaded after the image has [announced] its copies are brought along by an object whose initialiser runs before
//!   all of theirs: when they are bound, and nothing of them has run. So a variable moves before anybody could have kept its address.
//! - Libraries that were there before have run. Of these only the C library's own variables may move ([`OLD_FRIENDS`]): its initialisers
//!   keep no addresses of them. Others are refused.
//! - To move a variable is to copy its bytes, to change the rows of the library's symbol table, so that whoever is bound later finds it,
//!   and to write the new address to all words that were bound to the old one, the host's among them.
//!
//! A copy can't be taken back, so the image stays in memory, and of each variable there is one copy in a process.

use super::library::{Library, libraries};
use super::object;
use crate::error::CopyError;
use crate::os;
use larder_format::image::gnu_hash;
use std::ffi::{CStr, CString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Libraries whose variables may move though they have run.
const OLD_FRIENDS: [&CStr; 3] = [c"libc.so.6", c"libm.so.6", c"ld-linux-x86-64.so.2"];

/// Types and visibilities of symbols (gABI, "Symbol Table").
const STT_FUNC: u8 = 2;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const STV_PROTECTED: u8 = 3;

/// A variable that has room in an image.
#[derive(Debug)]
struct Copy {
    name: CString,
    /// Address of the room, and bytes of it.
    place: usize,
    room: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody has defined it yet.
    Waiting,
    /// It was at this address.
    Moved {
        from: usize,
    },
    Refused(CopyError),
}

/// In the order of their announcement. They stay to the end of the process.
static COPIES: Mutex<Vec<Copy>> = Mutex::new(Vec::new());

fn copies() -> MutexGuard<'static, Vec<Copy>> {
    COPIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that an image has room for a variable at `place`.
///
/// # Errors
/// [`CopyError::Elsewhere`] if another image has.
///
/// # Safety
/// The room is the variable's to the end of the process.
pub(crate) unsafe fn announce(name: &CStr, place: usize, room: u64) -> Result<(), CopyError> {
    let mut copies = copies();
    match copies.iter().find(|copy| *copy.name == *name) {
        Some(copy) if copy.place == place => Ok(()),
        Some(_) => Err(CopyError::Elsewhere),
        None => {
            copies.push(Copy { name: name.to_owned(), place, room: room as usize, state: State::Waiting });
            Ok(())
        }
    }
}

/// Loads libraries, which run then, after having moved the variables there that images have announced.
pub(crate) fn open_libraries(names: &[&CStr]) {
    if !copies().iter().any(|copy| matches!(copy.state, State::Waiting)) {
        return;
    }
    KNOWN.with_borrow_mut(|known| *known = libraries().iter().map(|library| library.base()).collect());
    // Whatever goes wrong shows when the libraries are opened by themselves.
    let _ = os::load_from_memory(&object::of_libraries(names, move_into_place as *const () as usize));
}

thread_local! {
    /// Bases of the libraries that are there, while others are being loaded by this thread.
    static KNOWN: std::cell::RefCell<Vec<usize>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The initialiser that runs before all others.
extern "C" fn move_into_place() {
    let known = KNOWN.take();
    let libraries = libraries();
    let (new, old): (Vec<_>, Vec<_>) = libraries.iter().partition(|library| !known.contains(&library.base()));
    let candidate = |copy: &Copy| {
        let hash = gnu_hash(copy.name.to_bytes());
        let friends = old.iter().filter(|library| is_friend(library));
        new.iter().chain(friends).find_map(|&library| Some((library, library.find(&copy.name, hash)?)))
    };
    move_all(&mut copies(), &libraries, candidate);
}

fn is_friend(library: &Library) -> bool {
    OLD_FRIENDS.contains(&library.name())
}

/// Moves variables that were announced to their places, unless they have moved; with each name, where the image was told that it is.
///
/// # Errors
/// The first that can't move.
pub(crate) fn move_variables<'n>(told: &[(&'n CStr, usize)]) -> Result<(), (&'n CStr, CopyError)> {
    if told.is_empty() {
        return Ok(());
    }
    let libraries = libraries();
    let mut copies = copies();
    let address_of = |copy: &Copy| told.iter().find(|(name, _)| *copy.name == **name).map(|&(_, address)| address);
    let candidate = |copy: &Copy| {
        let address = address_of(copy)?;
        libraries.iter().find(|library| library.holds(address) && is_friend(library)).map(|library| (library, address))
    };
    move_all(&mut copies, &libraries, candidate);
    let problem = |&(name, address): &(&'n CStr, usize)| {
        let Some(copy) = copies.iter().find(|copy| *copy.name == *name) else {
            return Some((name, CopyError::NoProgram));
        };
        let library = libraries.iter().find(|library| library.holds(address));
        let other_name = copies.iter().any(|other| other.place == address && other.place != copy.place);
        let error = match (&copy.state, library) {
            (State::Moved { from, .. }, _) if address == copy.place || address == *from => return None,
            (State::Refused(error), _) => error.clone(),
            (State::Waiting, Some(library)) => CopyError::Running { library: shown(library) },
            _ if other_name => CopyError::OtherName,
            _ => CopyError::NotOfLibrary,
        };
        Some((name, error))
    };
    told.iter().find_map(problem).map_or(Ok(()), Err)
}

/// Moves all that wait and that have a candidate: the library that defines it, and the address there.
///
/// Words are bound anew before bytes are copied, since the bytes may be such words.
fn move_all<'l>(
    copies: &mut [Copy],
    libraries: &'l [Library],
    candidate: impl Fn(&Copy) -> Option<(&'l Library, usize)>,
) {
    let mut moving = Vec::new();
    for copy in copies.iter_mut().filter(|copy| matches!(copy.state, State::Waiting)) {
        let Some((library, from)) = candidate(copy) else { continue };
        copy.state = match copy.redirect(library, from) {
            Ok(len) => {
                moving.push((copy.place, copy.room, from, len, library.is_writable(from)));
                State::Moved { from }
            }
            Err(error) => State::Refused(error),
        };
    }
    bind_anew(copies, libraries);
    for (place, room, from, len, writable) in moving {
        // SAFETY: the library says that so many bytes are there, and the room, which is as large, is not used yet.
        unsafe { (from as *const u8).copy_to_nonoverlapping(place as *mut u8, len) };
        if !writable {
            // Constants that stay writable are less protected, and no less right.
            let _ = os::set_writable(place..place + room, false);
        }
    }
}

impl Copy {
    /// Lets whoever looks for the variable's names find the room; answers the bytes that it has.
    fn redirect(&self, library: &Library, from: usize) -> Result<usize, CopyError> {
        if !library.holds(from) {
            return Err(CopyError::OtherName);
        }
        let rows = library.symbols_at(from);
        let Some(len) = rows.iter().map(|(_, symbol)| symbol.len as usize).max().filter(|&len| len > 0) else {
            return Err(CopyError::NotOfLibrary);
        };
        if rows.iter().any(|(_, symbol)| matches!(symbol.info & 0xf, STT_FUNC | STT_GNU_IFUNC | STT_TLS)) {
            return Err(CopyError::NoVariable { library: shown(library) });
        }
        if rows.iter().any(|(_, symbol)| symbol.other & 3 == STV_PROTECTED) {
            return Err(CopyError::Protected { library: shown(library) });
        }
        if len > self.room || !self.place.is_multiple_of(library.alignment_of(from)) {
            return Err(CopyError::TooLarge { library: shown(library), len, max: self.room });
        }
        if !library.move_symbols(&rows, self.place) {
            return Err(CopyError::Unchangeable { library: shown(library) });
        }
        Ok(len)
    }
}

/// Writes the new addresses of moved variables to all words that were bound to the old ones.
fn bind_anew(copies: &[Copy], libraries: &[Library]) {
    let moves = |copy: &Copy| match copy.state {
        State::Moved { from } => Some((from, copy.place)),
        State::Waiting | State::Refused(_) => None,
    };
    let moves: Vec<(usize, usize)> = copies.iter().filter_map(moves).collect();
    if moves.is_empty() {
        return;
    }
    for library in libraries {
        library.bind(library.bound_words().filter_map(|word| {
            // SAFETY: the dynamic linker has bound the word, so it is there.
            let value = unsafe { (word.place as *const usize).read_unaligned() };
            let symbol = value.wrapping_add_signed(word.addend.wrapping_neg());
            let (_, to) = moves.iter().find(|&&(from, _)| from == symbol)?;
            Some((word.place, to.wrapping_add_signed(word.addend)))
        }));
    }
}

fn shown(library: &Library) -> String {
    let name = if library.name().is_empty() { library.path() } else { library.name() };
    if name.is_empty() { "the host program".into() } else { name.to_string_lossy().into_owned() }
}
