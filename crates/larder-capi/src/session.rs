//! Sessions: names that images see.

use crate::border::{Array, Callback, ErrorPlace, Result, Text, done, free, made};
use crate::code::larder_code;
use crate::error::{Kind, larder_error};
use crate::handle::Handle;
use crate::settings::larder_opened;
use larder::Session;
use larder::runtime::{Address, Deferral};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// `larder_session`.
#[derive(Debug)]
pub struct larder_session(pub(crate) Session);

/// `larder_resolver`.
pub type larder_resolver = Option<Resolve>;
type Resolve = extern "C-unwind" fn(*mut c_void, *const c_char) -> Address;

/// `larder_session_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_new(larder: Handle<larder_opened>, error: ErrorPlace) -> Handle<larder_session> {
    made(error, || Ok(larder_session(Session::new(Arc::clone(&larder.get("larder")?.0)))))
}

/// `larder_session_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_free(session: Handle<larder_session>) {
    free(session);
}

/// `larder_session_define`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_define(
    session: Handle<larder_session>,
    name: Text,
    address: Address,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        session.get("session")?.0.define(name.get("name")?, address);
        Ok(())
    })
}

/// `larder_session_define_all`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_define_all(
    session: Handle<larder_session>,
    names: Array<Text>,
    addresses: Array<Address>,
    count: usize,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        session.get("session")?.0.define_all(table(&names, &addresses, count)?);
        Ok(())
    })
}

/// Names with their addresses.
pub(crate) fn table<'a>(
    names: &'a Array<Text>,
    addresses: &'a Array<Address>,
    count: usize,
) -> Result<Vec<(&'a str, Address)>> {
    let rows = names.get(count, "names")?.iter().zip(addresses.get(count, "addresses")?);
    rows.map(|(name, address)| Ok((name.get("a name")?, *address))).collect()
}

/// `larder_session_undefine`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_undefine(session: Handle<larder_session>, name: Text) -> bool {
    session.read(|session| name.get("name").is_ok_and(|name| session.0.undefine(name)))
}

/// `larder_session_defer`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_defer(
    session: Handle<larder_session>,
    name: Text,
    kind: u32,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let kind = match kind {
            1 => Deferral::Function,
            2 => Deferral::Data,
            other => return Err(larder_error::new(Kind::Argument, format!("{other} is no larder_deferral"))),
        };
        session.get("session")?.0.defer(name.get("name")?, kind);
        Ok(())
    })
}

/// `larder_session_use_process_symbols`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_use_process_symbols(session: Handle<larder_session>, error: ErrorPlace) -> bool {
    done(error, || {
        session.get("session")?.0.use_process_symbols();
        Ok(())
    })
}

/// `larder_session_resolve_with`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_resolve_with(
    session: Handle<larder_session>,
    resolver: larder_resolver,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let resolver = Callback::new("resolver", resolver, context)?;
        session.get("session")?.0.resolve_with(move |wanted| {
            let address = resolver.call(|resolve, context| resolve(context, wanted.name.as_ptr()));
            (!address.is_null()).then_some(address)
        });
        Ok(())
    })
}

/// `larder_session_keep`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_keep(
    session: Handle<larder_session>,
    code: Handle<larder_code>,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        session.get("session")?.0.keep(code.get("code")?.code());
        Ok(())
    })
}

/// `larder_session_release`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_release(session: Handle<larder_session>, code: Handle<larder_code>) -> bool {
    session.read(|session| code.read(|code| session.0.release(code.code())))
}
