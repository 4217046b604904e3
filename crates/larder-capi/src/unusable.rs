//! What becomes of functions that can't be used as they are.

use crate::border::{Callback, ErrorPlace, choose, done, null};
use crate::error::larder_error;
use crate::handle::{Handle, Lent};
use crate::program::larder_program;
use crate::report::larder_report;
use crate::session::larder_session;
use larder::Recompile;
use larder::runtime::{Address, exception};
use std::ffi::c_void;

/// `larder_recompiler`.
pub type larder_recompiler = Option<Make>;
type Make = extern "C-unwind" fn(*mut c_void, Handle<larder_report>, Handle<larder_program>);

/// `larder_decider`.
pub type larder_decider = Option<Decide>;
type Decide = extern "C-unwind" fn(*mut c_void, Handle<larder_report>) -> Address;

/// `larder_session_recompile_with`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_recompile_with(
    session: Handle<larder_session>,
    recompiler: larder_recompiler,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let recompiler = Callback::new("recompiler", recompiler, context)?;
        session.get("session")?.0.recompile_with(move |unit| {
            let (report, program) = (Lent::new(larder_report::of_unit(unit)), Lent::new(larder_program::default()));
            recompiler.call(|make, context| make(context, report.handle(), program.handle()));
            let made = program.handle().get("program").ok().filter(|program| !program.is_empty());
            made.map(|program| program.to_program())
        });
        Ok(())
    })
}

/// `larder_session_recompile_when`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_recompile_when(session: Handle<larder_session>, when: u32, error: ErrorPlace) -> bool {
    done(error, || {
        let times = [Recompile::Lazily, Recompile::Eagerly, Recompile::InBackground];
        session.get("session")?.0.recompile_when(choose("larder_recompile", &times, when)?);
        Ok(())
    })
}

/// `larder_session_on_unusable`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_session_on_unusable(
    session: Handle<larder_session>,
    decider: larder_decider,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let decider = Callback::new("decider", decider, context)?;
        session.get("session")?.0.on_unusable(move |error| {
            let report = Lent::new(larder_report::of_call(error));
            let address = decider.call_throwing(|decide, context| decide(context, report.handle()));
            (!address.is_null()).then_some(address)
        });
        Ok(())
    })
}

/// `larder_body`.
pub type larder_body = Option<extern "C-unwind" fn(*mut c_void)>;

/// `larder_try`.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn larder_try(body: larder_body, context: *mut c_void, error: ErrorPlace) -> bool {
    let Some(body) = body else {
        return done(error, || Err(null("body")));
    };
    // Exceptions of the host's own pass: nothing may catch them here.
    match exception::catch_own(|| body(context)) {
        Ok(()) => true,
        Err(panic) => done(error, || Err(larder_error::of_panic(&*panic))),
    }
}
