//! Heap objects of the host, and conditions that code counts on.

use crate::border::{Array, Callback, ErrorPlace, Text, done};
use crate::error::c_text;
use crate::handle::Handle;
use crate::session::{larder_session, table};
use larder::runtime::{Address, ObjectAnswer};
use std::ffi::{c_char, c_void};
use std::ptr::null;

/// `larder_object_resolver`.
pub type larder_object_resolver = Option<ResolveObject>;
type ResolveObject = extern "C-unwind" fn(*mut c_void, *const c_char, *mut Address, *mut u64) -> bool;

/// `larder_predicate`.
pub type larder_predicate = Option<Answer>;
type Answer = extern "C-unwind" fn(*mut c_void, *const c_char, *mut u64) -> bool;

/// `larder_session_define_object`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_define_object(
    session: Handle<larder_session>,
    name: Text,
    address: Address,
    fingerprint: u64,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        session.get("session")?.0.define_object(name.get("name")?, address, fingerprint);
        Ok(())
    })
}

/// `larder_session_define_region`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_define_region(
    session: Handle<larder_session>,
    name: Text,
    address: Address,
    len: u64,
    fingerprint: u64,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        session.get("session")?.0.define_region(name.get("name")?, address, len, fingerprint);
        Ok(())
    })
}

/// `larder_session_forget_object`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_forget_object(session: Handle<larder_session>, name: Text) -> bool {
    session.read(|session| name.get("name").is_ok_and(|name| session.0.forget_object(name)))
}

/// `larder_session_resolve_objects_with`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_resolve_objects_with(
    session: Handle<larder_session>,
    resolver: larder_object_resolver,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let resolver = Callback::new("resolver", resolver, context)?;
        session.get("session")?.0.resolve_objects_with(move |name| {
            let (name, mut address, mut fingerprint) = (c_text(name), null(), 0);
            let known = resolver
                .call(|resolve, context| resolve(context, name.as_ptr(), &raw mut address, &raw mut fingerprint));
            known.then_some(ObjectAnswer { address, fingerprint })
        });
        Ok(())
    })
}

/// `larder_session_define_predicate`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_define_predicate(
    session: Handle<larder_session>,
    name: Text,
    predicate: larder_predicate,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let predicate = Callback::new("predicate", predicate, context)?;
        session.get("session")?.0.define_predicate(name.get("name")?, move |arguments| {
            let (arguments, mut answer) = (c_text(arguments), 0);
            let known = predicate.call(|ask, context| ask(context, arguments.as_ptr(), &raw mut answer));
            known.then_some(answer)
        });
        Ok(())
    })
}

/// `larder_session_move_objects`.
///
/// # Safety
/// The objects are at these addresses, as long as code uses them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_move_objects(
    session: Handle<larder_session>,
    names: Array<Text>,
    addresses: Array<Address>,
    count: usize,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let session = session.get("session")?;
        // SAFETY: the caller's promise.
        Ok(unsafe { session.0.move_objects(&table(&names, &addresses, count)?) }?)
    })
}
