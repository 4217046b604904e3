//! Loading, at once and in the background.

use crate::border::{ErrorPlace, Result, Text, free, guarded, made};
use crate::code::larder_code;
use crate::handle::Handle;
use crate::options::larder_options;
use crate::program::larder_program;
use crate::session::larder_session;
use larder::{CompileOptions, Loading, Session};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// `larder_loading`: nothing once somebody waits for it.
#[derive(Debug)]
pub struct larder_loading(Mutex<Option<Loading>>);

impl larder_loading {
    fn with<R>(&self, read: impl FnOnce(&mut Option<Loading>) -> R) -> R {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for larder_loading {
    fn drop(&mut self) {
        if let Some(loading) = self.with(Option::take) {
            loading.cancel();
            // Code that was done all the same goes, and nobody is there to hear of errors.
            drop(loading.wait());
        }
    }
}

fn options_of(options: Handle<larder_options>) -> Result<CompileOptions> {
    let chosen = options.optional("options")?;
    Ok(chosen.map_or_else(CompileOptions::default, |chosen| chosen.with(|options| options.clone())))
}

/// What a program is loaded with. The program's handle is gone whatever else is wrong.
fn parts(
    session: Handle<larder_session>,
    program: Handle<larder_program>,
    options: Handle<larder_options>,
) -> Result<(Session, Arc<larder_program>, CompileOptions)> {
    let program = program.take("program")?;
    Ok((session.get("session")?.0.clone(), program, options_of(options)?))
}

/// `larder_load`.
///
/// # Safety
/// The program is trusted, and the session's symbols are what it declares.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load(
    session: Handle<larder_session>,
    program: Handle<larder_program>,
    options: Handle<larder_options>,
    error: ErrorPlace,
) -> Handle<larder_code> {
    made(error, || {
        let (session, program, options) = parts(session, program, options)?;
        // SAFETY: the caller's promise.
        Ok(larder_code::new(unsafe { session.load_or_compile(program.to_program(), &options) }?))
    })
}

/// `larder_load_image`.
///
/// # Safety
/// As for [`larder_load`], and nobody writes to the file while the image is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load_image(
    session: Handle<larder_session>,
    path: Text,
    options: Handle<larder_options>,
    error: ErrorPlace,
) -> Handle<larder_code> {
    made(error, || {
        let (session, path, options) = (session.get("session")?, path.get("path")?, options_of(options)?);
        // SAFETY: the caller's promise.
        Ok(larder_code::new(unsafe { session.0.load_image(Path::new(path), &options) }?))
    })
}

/// `larder_load_in_background`.
///
/// # Safety
/// As for [`larder_load`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load_in_background(
    session: Handle<larder_session>,
    program: Handle<larder_program>,
    options: Handle<larder_options>,
    error: ErrorPlace,
) -> Handle<larder_loading> {
    made(error, || {
        let (session, program, options) = parts(session, program, options)?;
        // SAFETY: the caller's promise.
        let loading = unsafe { session.load_in_background(move || program.to_program(), &options) }?;
        Ok(larder_loading(Mutex::new(Some(loading))))
    })
}

/// `larder_loading_progress`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_loading_progress(loading: Handle<larder_loading>) -> f32 {
    loading.read(|loading| loading.with(|loading| loading.as_ref().map_or(1.0, |loading| loading.status().fraction)))
}

/// `larder_loading_is_finished`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_loading_is_finished(loading: Handle<larder_loading>) -> bool {
    loading.read(|loading| loading.with(|loading| loading.as_ref().is_none_or(Loading::is_finished)))
}

/// `larder_loading_cancel`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_loading_cancel(loading: Handle<larder_loading>) {
    loading.read(|loading| loading.with(|loading| loading.as_ref().map_or((), Loading::cancel)));
}

/// `larder_loading_wait`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_loading_wait(loading: Handle<larder_loading>, error: ErrorPlace) -> Handle<larder_code> {
    let waited = guarded(error, || {
        let loading = loading.take("loading")?.with(Option::take);
        Ok(loading.map(Loading::wait).transpose()?)
    });
    waited.flatten().map_or(Handle::NULL, |code| Handle::give(larder_code::new(code)))
}

/// `larder_loading_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_loading_free(loading: Handle<larder_loading>) {
    free(loading);
}
