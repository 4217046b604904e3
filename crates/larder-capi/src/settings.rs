//! Settings, and the larder that they open.

use crate::border::{Context, Result, free, get, get_mut, guarded, quiet, text};
use crate::error::{Kind, c_text, larder_error};
use larder::{Event, Larder, Observer, Settings, StorePlace, Trust};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

/// `larder_settings`.
#[derive(Debug, Default)]
pub struct larder_settings(Settings);

/// `larder`, which Rust has as the name of a crate already.
#[derive(Debug, Clone)]
pub struct larder_opened(pub(crate) Arc<Larder>);

/// `larder_observer`.
pub type larder_observer = Option<extern "C" fn(*mut c_void, u32, *const c_char)>;

/// `larder_settings_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_new() -> *mut larder_settings {
    Box::into_raw(Box::default())
}

/// `larder_settings_free`.
///
/// # Safety
/// Null, or this library's and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_free(settings: *mut larder_settings) {
    // SAFETY: the caller's promise.
    unsafe { free(settings) };
}

/// `larder_settings_set_store`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_store(
    settings: *mut larder_settings,
    dir: *const c_char,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        // SAFETY: the caller's promise.
        let dir = unsafe { text(dir, "dir") }?;
        // SAFETY: the caller's promise.
        unsafe { get_mut(settings, "settings") }?.0.store = StorePlace::Dir(dir.into());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// Changes settings that are there.
///
/// # Safety
/// Null, or this library's, not freed and not used meanwhile.
unsafe fn change(settings: *mut larder_settings, change: impl FnOnce(&mut Settings)) {
    // SAFETY: the caller's promise.
    if let Some(settings) = unsafe { settings.as_mut() } {
        change(&mut settings.0);
    }
}

/// `larder_settings_set_store_off`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_store_off(settings: *mut larder_settings) {
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.store = StorePlace::Off) };
}

/// `larder_settings_set_store_size_max`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_store_size_max(settings: *mut larder_settings, bytes: u64) {
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.store_size_max = Some(bytes)) };
}

/// `larder_settings_set_worker`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_worker(
    settings: *mut larder_settings,
    path: *const c_char,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        // SAFETY: the caller's promise.
        let path = unsafe { text(path, "path") }?;
        // SAFETY: the caller's promise.
        unsafe { get_mut(settings, "settings") }?.0.worker = Some(path.into());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_settings_set_timeout_ms`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_timeout_ms(settings: *mut larder_settings, milliseconds: u64) {
    let timeout = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.limits.timeout = timeout) };
}

/// `larder_settings_set_memory_max`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_memory_max(settings: *mut larder_settings, bytes: u64) {
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.limits.memory_max = (bytes > 0).then_some(bytes)) };
}

/// `larder_settings_set_threads`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_threads(settings: *mut larder_settings, count: u32) {
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.thread_count = (count > 0).then_some(count)) };
}

/// `larder_settings_set_trust`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_trust(
    settings: *mut larder_settings,
    trust: u32,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        let trust = match trust {
            0 => Trust::Usual,
            1 => Trust::MustHit,
            2 => Trust::Check,
            other => return Err(larder_error::new(Kind::Argument, format!("{other} is no larder_trust"))),
        };
        // SAFETY: the caller's promise.
        unsafe { get_mut(settings, "settings") }?.0.trust = trust;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_settings_set_observer`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_settings_set_observer(
    settings: *mut larder_settings,
    observer: larder_observer,
    context: *mut c_void,
) {
    let context = Context::new(context);
    let observer = observer.map_or_else(Observer::default, |observer| {
        Observer::new(move |event| observer(context.get(), kind_of(event), c_text(&event.to_string()).as_ptr()))
    });
    // SAFETY: the caller's promise.
    unsafe { change(settings, |settings| settings.observer = observer) };
}

/// `larder_event_kind`.
fn kind_of(event: &Event<'_>) -> u32 {
    match event {
        Event::Hit { .. } => 1,
        Event::Miss { .. } => 2,
        Event::Compiled { .. } => 3,
        Event::Loaded { .. } => 4,
        _ => 0,
    }
}

/// `larder_open`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_open(settings: *const larder_settings) -> *mut larder_opened {
    let open = || {
        // SAFETY: the caller's promise.
        let settings = unsafe { settings.as_ref() }.map(|settings| settings.0.clone());
        Some(Box::new(larder_opened(Arc::new(Larder::open(settings.unwrap_or_default())))))
    };
    quiet(open).map_or(std::ptr::null_mut(), Box::into_raw)
}

/// `larder_close`.
///
/// # Safety
/// Null, or this library's and not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_close(larder: *mut larder_opened) {
    // SAFETY: the caller's promise.
    unsafe { free(larder) };
}

/// `larder_counts`.
#[derive(Debug, Default)]
#[repr(C)]
pub struct larder_counts {
    hits: u64,
    misses: u64,
    compiled: u64,
    loaded: u64,
    compile_time_us: u64,
    load_time_us: u64,
}

/// `larder_get_counts`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_get_counts(larder: *const larder_opened, counts: *mut larder_counts) {
    let count = || -> Result<larder_counts> {
        // SAFETY: the caller's promise.
        let counts = unsafe { get(larder, "larder") }?.0.counts();
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Ok(larder_counts {
            hits: counts.hits,
            misses: counts.misses.values().sum(),
            compiled: counts.compiled,
            loaded: counts.loaded,
            compile_time_us: microseconds(counts.compile_time),
            load_time_us: microseconds(counts.load_time),
        })
    };
    let counted = quiet(|| count().unwrap_or_default());
    // SAFETY: the caller's promise.
    if let Some(counts) = unsafe { counts.as_mut() } {
        *counts = counted;
    }
}
