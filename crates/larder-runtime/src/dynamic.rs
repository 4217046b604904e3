//! What a program learns of itself from the dynamic linker.
//!
//! A native program that was linked with `-rdynamic` is the first object of its process: `dlsym` finds its functions, plug-ins that it
//! loads are bound to them, `dladdr` names them. To the dynamic linker an image is only memory. [`offer`] makes up for it in four ways:
//!
//! - Images get functions of this module in place of `dlopen`, `dlsym`, `dladdr`, `dl_iterate_phdr` and their kin. They
//!   [answer](answers) what concerns images, and pass the rest on.
//! - Libraries that are there before the image are [bound again](preempt), so that they call a program's own `malloc` or `operator new`.
//! - Variables of libraries that a program was compiled to have in itself [move there](copies).
//! - When a program first loads a library, an [object] that holds nothing but the exports' names and addresses is loaded before it, from
//!   memory, so that whatever comes later is bound to the image. A program that loads nothing pays nothing.
//!
//! What stays different: the object stands behind the libraries that were there before it. A plug-in that asks for a name which the C
//! library defines too (a program's own `malloc`) gets the C library's; the program itself, by `dlsym`, its own.

use crate::load::Shared;
use crate::os::{self, Library};
use crate::resolve::Address;
use std::ffi::{CStr, CString};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

mod answers;
pub(crate) mod copies;
mod library;
mod object;
mod preempt;

pub(crate) use answers::override_of;
pub(crate) use preempt::preempt;

/// An image that the dynamic linker's answers include.
#[derive(Debug, Clone)]
struct Offered {
    image: Arc<Shared>,
    /// What the program is called by those who ask for its file.
    name: Arc<CStr>,
    /// The object with its names; `None` if it could not be loaded, of which those hear who need it.
    object: Arc<OnceLock<Option<Library>>>,
}

/// In the order of the search. They stay to the end of the process, as programs do: nobody could take back what was looked up.
static OFFERED: RwLock<Vec<Offered>> = RwLock::new(Vec::new());

fn offered() -> Vec<Offered> {
    OFFERED.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes the exports of an image known, under the name of its program.
pub(crate) fn offer(image: Arc<Shared>, name: &CStr) {
    let offered = Offered { image, name: CString::from(name).into(), object: Arc::default() };
    OFFERED.write().unwrap_or_else(PoisonError::into_inner).push(offered);
}

/// Loads what libraries need that refer to offered images.
pub(crate) fn prepare_for_libraries() {
    for offered in offered() {
        let load = || os::load_from_memory(&object::of_exports(offered.image.image(), offered.image.base())).ok();
        offered.object.get_or_init(load);
    }
}

/// The first offered image's export of that name.
fn symbol(name: &CStr) -> Option<Address> {
    offered().iter().find_map(|offered| offered.image.symbol(name.to_bytes()))
}
