//! The unwinder's own list of frames: what remains where nobody asks `_dl_find_object`.
//!
//! libgcc's `__register_frame` takes a whole `.eh_frame` and reads all of it (at once from gcc 13 on, at the first exception before);
//! in LLVM's libunwind the function of the same name takes one FDE, and another takes sections. The functions are looked up: the process has
//! its own unwinder. One that has none yet gets libgcc, since an unwinder that came later would not know what was registered before.

use crate::os;
use std::ffi::{CStr, c_void};

type Call = unsafe extern "C" fn(*const c_void);

/// Pairs of functions that add and remove a section, the more particular first.
const UNWINDERS: [(&CStr, &CStr); 2] = [
    (c"__unw_add_dynamic_eh_frame_section", c"__unw_remove_dynamic_eh_frame_section"),
    (c"__register_frame", c"__deregister_frame"),
];

/// An `.eh_frame` that the unwinder knows until this is dropped.
#[derive(Debug)]
pub(super) struct Frames {
    eh_frame: usize,
    remove: Call,
}

impl Frames {
    /// `None` if there is no unwinder that takes sections.
    ///
    /// # Safety
    /// At `eh_frame` are well-formed records, with a terminating zero, that outlive the answer.
    pub(super) unsafe fn register(eh_frame: usize) -> Option<Frames> {
        let (add, remove) = functions().or_else(|| {
            // SAFETY: the library is part of the system's C environment.
            unsafe { os::Library::open(c"libgcc_s.so.1") }.ok()?;
            functions()
        })?;
        // SAFETY: the caller's promise.
        unsafe { add(eh_frame as *const c_void) };
        Some(Frames { eh_frame, remove })
    }
}

fn functions() -> Option<(Call, Call)> {
    UNWINDERS.iter().find_map(|(add, remove)| Some((function(add)?, function(remove)?)))
}

fn function(name: &CStr) -> Option<Call> {
    let address = os::process_symbol(name)?;
    // SAFETY: all four functions have this type.
    Some(unsafe { std::mem::transmute::<*mut c_void, Call>(address.as_ptr()) })
}

impl Drop for Frames {
    fn drop(&mut self) {
        // SAFETY: this section was added by the function's counterpart.
        unsafe { (self.remove)(self.eh_frame as *const c_void) };
    }
}
