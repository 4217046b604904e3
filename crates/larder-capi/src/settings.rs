//! Settings, and the larder that they open.

use crate::border::{Callback, ErrorPlace, Place, Result, Text, choose, done, free, made, null};
use crate::changeable::{Changeable, change};
use crate::error::c_text;
use crate::handle::Handle;
use larder::worker::Worker;
use larder::{Event, Larder, Observer, Settings, StorePlace, Trust};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

/// `larder_settings`.
pub type larder_settings = Changeable<Settings>;

/// `larder`, which Rust has as the name of a crate already.
#[derive(Debug)]
pub struct larder_opened(pub(crate) Arc<Larder>);

/// `larder_observer`.
pub type larder_observer = Option<Hear>;
type Hear = extern "C-unwind" fn(*mut c_void, u32, *const c_char);

/// `larder_settings_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_new() -> Handle<larder_settings> {
    Changeable::make()
}

/// `larder_settings_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_free(settings: Handle<larder_settings>) {
    free(settings);
}

fn set(settings: Handle<larder_settings>, error: ErrorPlace, set: impl FnOnce(&mut Settings) -> Result<()>) -> bool {
    change(settings, "settings", error, set)
}

/// `larder_settings_set_store`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_store(settings: Handle<larder_settings>, dir: Text, error: ErrorPlace) -> bool {
    set(settings, error, |settings| {
        settings.store = StorePlace::Dir(dir.get("dir")?.into());
        Ok(())
    })
}

/// `larder_settings_set_store_off`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_store_off(settings: Handle<larder_settings>, error: ErrorPlace) -> bool {
    set(settings, error, |settings| {
        settings.store = StorePlace::Off;
        Ok(())
    })
}

/// `larder_settings_set_store_size_max`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_store_size_max(
    settings: Handle<larder_settings>,
    bytes: u64,
    error: ErrorPlace,
) -> bool {
    set(settings, error, |settings| {
        settings.store_size_max = Some(bytes);
        Ok(())
    })
}

/// `larder_settings_set_worker`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_worker(settings: Handle<larder_settings>, path: Text, error: ErrorPlace) -> bool {
    set(settings, error, |settings| {
        settings.worker = Some(Worker::at(path.get("path")?));
        Ok(())
    })
}

/// `larder_settings_set_timeout_ms`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_timeout_ms(
    settings: Handle<larder_settings>,
    milliseconds: u64,
    error: ErrorPlace,
) -> bool {
    set(settings, error, |settings| {
        settings.limits.timeout = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
        Ok(())
    })
}

/// `larder_settings_set_memory_max`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_memory_max(
    settings: Handle<larder_settings>,
    bytes: u64,
    error: ErrorPlace,
) -> bool {
    set(settings, error, |settings| {
        settings.limits.memory_max = (bytes > 0).then_some(bytes);
        Ok(())
    })
}

/// `larder_settings_set_threads`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_threads(
    settings: Handle<larder_settings>,
    count: u32,
    error: ErrorPlace,
) -> bool {
    set(settings, error, |settings| {
        settings.thread_count = (count > 0).then_some(count);
        Ok(())
    })
}

/// `larder_settings_set_trust`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_trust(settings: Handle<larder_settings>, trust: u32, error: ErrorPlace) -> bool {
    set(settings, error, |settings| {
        settings.trust = choose("larder_trust", &[Trust::Usual, Trust::MustHit, Trust::Check], trust)?;
        Ok(())
    })
}

/// `larder_settings_set_observer`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_settings_set_observer(
    settings: Handle<larder_settings>,
    observer: larder_observer,
    context: *mut c_void,
    error: ErrorPlace,
) -> bool {
    set(settings, error, |settings| {
        let observer = Callback::new("observer", observer, context)?;
        settings.observer = Observer::new(move |event| {
            let text = c_text(&event.to_string());
            observer.call(|hear, context| hear(context, kind_of(event), text.as_ptr()));
        });
        Ok(())
    })
}

/// `larder_event_kind`.
fn kind_of(event: &Event<'_>) -> u32 {
    match event {
        Event::Hit { .. } => 1,
        Event::Miss { .. } => 2,
        Event::Compiled { .. } => 3,
        Event::Loaded { .. } => 4,
        Event::Dropped { .. } => 5,
        Event::Recompiled { .. } => 6,
        Event::Failed { .. } => 7,
        _ => 0,
    }
}

/// `larder_open`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_open(settings: Handle<larder_settings>, error: ErrorPlace) -> Handle<larder_opened> {
    made(error, || {
        let settings = settings.optional("settings")?.map(|settings| settings.with(|settings| settings.clone()));
        Ok(larder_opened(Arc::new(Larder::open(settings.unwrap_or_default()))))
    })
}

/// `larder_close`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_close(larder: Handle<larder_opened>) {
    free(larder);
}

/// `larder_counts`.
#[derive(Debug, Default)]
#[repr(C)]
pub struct larder_counts {
    hits: u64,
    misses: u64,
    compiled: u64,
    loaded: u64,
    dropped: u64,
    recompiled: u64,
    compile_time_us: u64,
    load_time_us: u64,
}

/// `larder_get_counts`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_get_counts(
    larder: Handle<larder_opened>,
    counts: Place<larder_counts>,
    error: ErrorPlace,
) -> bool {
    done(error, || {
        let counted = larder.get("larder")?.0.counts();
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let counts_are_wanted = counts.set(larder_counts {
            hits: counted.hits,
            misses: counted.misses.values().sum(),
            compiled: counted.compiled,
            loaded: counted.loaded,
            dropped: counted.dropped,
            recompiled: counted.recompiled,
            compile_time_us: microseconds(counted.compile_time),
            load_time_us: microseconds(counted.load_time),
        });
        if counts_are_wanted { Ok(()) } else { Err(null("counts")) }
    })
}
