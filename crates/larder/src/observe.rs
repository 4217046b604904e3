//! What happens, told to whoever listens: `tracing`, a callback of the host's, standard error if `LARDER_LOG` asks for it, and counters.
//!
//! To add an event: add it to [`Event`]; the compiler then names each place that must treat it.

use crate::outcome::MissReason;
use crate::phases::{Detail, Place, Span};
use larder_runtime::Dropped;
use larder_store::Key;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The variable that sends events to standard error: `off`, `warn`, `info` (misses, compilations, dropped functions) or `debug` (hits, too).
const LOG_VAR: &str = "LARDER_LOG";

/// Something that happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Saved code was found.
    Hit {
        /// The program.
        name: &'a str,
        /// Its key.
        key: &'a Key,
    },
    /// No saved code can be used.
    Miss {
        /// The program.
        name: &'a str,
        /// Its key.
        key: &'a Key,
        /// Why not.
        reason: &'a MissReason,
    },
    /// A program was compiled and linked.
    Compiled {
        /// The program.
        name: &'a str,
        /// Its key.
        key: &'a Key,
        /// How long it took.
        time: Duration,
    },
    /// A function of loaded code can't be used, since its guards failed.
    Dropped {
        /// The program.
        name: &'a str,
        /// The function, and its guards that failed.
        dropped: &'a Dropped,
    },
    /// A function that was dropped was compiled again, or taken from the store.
    Recompiled {
        /// The program.
        name: &'a str,
        /// The function.
        function: &'a str,
        /// How long it took.
        time: Duration,
    },
    /// Something went wrong that is tried again later.
    Failed {
        /// The program.
        name: &'a str,
        /// What it was.
        why: &'a str,
    },
    /// Code was mapped, bound and initialised.
    Loaded {
        /// The program.
        name: &'a str,
        /// How long it took.
        time: Duration,
    },
    /// Something that took time has ended. Only an observer [for spans](Observer::with_spans) hears of it.
    Span {
        /// What it was.
        span: &'a Span<'a>,
    },
}

impl Event<'_> {
    /// A short name that scripts can rely on.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Hit { .. } => "hit",
            Event::Miss { .. } => "miss",
            Event::Compiled { .. } => "compiled",
            Event::Dropped { .. } => "dropped",
            Event::Recompiled { .. } => "recompiled",
            Event::Failed { .. } => "failed",
            Event::Loaded { .. } => "loaded",
            Event::Span { .. } => "span",
        }
    }

    fn level(&self) -> Level {
        match self {
            Event::Failed { .. } => Level::Warn,
            Event::Miss { .. } | Event::Compiled { .. } | Event::Dropped { .. } | Event::Recompiled { .. } => {
                Level::Info
            }
            Event::Hit { .. } | Event::Loaded { .. } | Event::Span { .. } => Level::Debug,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Hit { name, key } => write!(f, "hit: {name} ({key})"),
            Event::Miss { name, key, reason } => write!(f, "miss ({}): {name}: {reason} ({key})", reason.name()),
            Event::Compiled { name, time, .. } => write!(f, "compiled {name} in {:.1} ms", time.as_secs_f64() * 1e3),
            Event::Dropped { name, dropped } => {
                let failed: Vec<_> = dropped.failed.iter().map(ToString::to_string).collect();
                write!(f, "dropped {} of {name}: {}", dropped.name, failed.join("; "))
            }
            Event::Recompiled { name, function, time } => {
                write!(f, "compiled {function} of {name} again in {:.1} ms", time.as_secs_f64() * 1e3)
            }
            Event::Failed { name, why } => write!(f, "{name}: {why}"),
            Event::Loaded { name, time } => write!(f, "loaded {name} in {:.3} ms", time.as_secs_f64() * 1e3),
            Event::Span { span } => write!(f, "{} in {:.3} ms", span.name, span.time.as_secs_f64() * 1e3),
        }
    }
}

/// How much it matters; less is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Warn,
    Info,
    Debug,
}

impl Level {
    /// The level that the variable's value names; `None` for silence.
    fn of(value: &str) -> Option<Level> {
        match value.trim().to_ascii_lowercase().as_str() {
            "warn" | "error" => Some(Level::Warn),
            "info" | "1" => Some(Level::Info),
            "debug" | "trace" => Some(Level::Debug),
            _ => None,
        }
    }
}

type Callback = dyn Fn(&Event<'_>) + Send + Sync;

/// A callback that hears each [`Event`], on the thread where it happens.
#[derive(Clone, Default)]
pub struct Observer {
    callback: Option<Arc<Callback>>,
    hears_spans: bool,
}

impl Observer {
    /// Calls `hear` for each event but [spans](Event::Span).
    pub fn new(hear: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Observer {
        Observer { callback: Some(Arc::new(hear)), hears_spans: false }
    }

    /// Calls `hear` for each event.
    pub fn with_spans(hear: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Observer {
        Observer { hears_spans: true, ..Observer::new(hear) }
    }

    pub(crate) fn hears_spans(&self) -> bool {
        self.hears_spans
    }

    /// Details of a span, if anybody hears of those.
    pub(crate) fn wanted(&self, details: impl FnOnce() -> Vec<(&'static str, Detail)>) -> Vec<(&'static str, Detail)> {
        if self.hears_spans { details() } else { Vec::new() }
    }

    /// Does something and tells of it as a span, if anybody hears of those.
    pub(crate) fn span<T>(&self, name: &str, details: &[(&'static str, Detail)], step: impl FnOnce() -> T) -> T {
        if !self.hears_spans {
            return step();
        }
        let since = Instant::now();
        let result = step();
        let span = Span { name, since, time: since.elapsed(), place: Place::Here, details };
        self.hear(&Event::Span { span: &span });
        result
    }

    pub(crate) fn hear(&self, event: &Event<'_>) {
        if let Some(callback) = &self.callback {
            callback(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observer { callback, hears_spans } = self;
        f.debug_struct("Observer").field("callback", &callback.is_some()).field("hears_spans", hears_spans).finish()
    }
}

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests for which saved code was used.
    pub hits: u64,
    /// Requests for which it wasn't, by the [name of the reason](MissReason::name).
    pub misses: BTreeMap<&'static str, u64>,
    /// Programs that were compiled.
    pub compiled: u64,
    /// Time that this took, in all.
    pub compile_time: Duration,
    /// Functions that were dropped since their guards failed.
    pub dropped: u64,
    /// Functions that were compiled again, or taken from the store in their place.
    pub recompiled: u64,
    /// Images that were loaded by sessions.
    pub loaded: u64,
    /// Time that binding and initialising them took, in all.
    pub load_time: Duration,
}

/// All who listen.
#[derive(Debug)]
pub(crate) struct Observing {
    callback: Observer,
    log: Option<Level>,
    counts: Mutex<Counts>,
}

impl Observing {
    pub(crate) fn new(observer: &Observer) -> Observing {
        let log = std::env::var(LOG_VAR).ok().as_deref().and_then(Level::of);
        Observing { callback: observer.clone(), log, counts: Mutex::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(event);
        match event.level() {
            Level::Warn => tracing::warn!(target: "larder", "{event}"),
            Level::Info => tracing::info!(target: "larder", "{event}"),
            Level::Debug => tracing::debug!(target: "larder", "{event}"),
        }
        if self.log.is_some_and(|log| event.level() <= log) {
            // Whoever closed standard error doesn't want to know.
            let _ = writeln!(std::io::stderr(), "larder: {event}");
        }
        self.callback.hear(event);
    }

    /// Who hears of [spans](Event::Span), if anybody does.
    pub(crate) fn callback(&self) -> &Observer {
        &self.callback
    }
}

impl Counts {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Hit { .. } => self.hits += 1,
            Event::Miss { reason, .. } => *self.misses.entry(reason.name()).or_default() += 1,
            Event::Compiled { time, .. } => {
                self.compiled += 1;
                self.compile_time += *time;
            }
            Event::Dropped { .. } => self.dropped += 1,
            Event::Recompiled { .. } => self.recompiled += 1,
            Event::Failed { .. } | Event::Span { .. } => {}
            Event::Loaded { time, .. } => {
                self.loaded += 1;
                self.load_time += *time;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_and_heard() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let observer = Observer::new(move |event| notes.lock().expect("no panic").push(event.to_string()));
        let observing = Observing::new(&observer);
        let key = Key([7; 32]);
        observing.tell(&Event::Miss { name: "m", key: &key, reason: &MissReason::Absent });
        observing.tell(&Event::Miss { name: "m", key: &key, reason: &MissReason::OtherKey });
        observing.tell(&Event::Compiled { name: "m", key: &key, time: Duration::from_millis(3) });
        observing.tell(&Event::Hit { name: "m", key: &key });
        let counts = observing.counts();
        assert_eq!((counts.hits, counts.compiled), (1, 1));
        assert_eq!(counts.misses, BTreeMap::from([("absent", 1), ("other-key", 1)]));
        let heard = heard.lock().expect("no panic");
        assert!(heard[0].starts_with("miss (absent): m: "), "{heard:?}");
        assert_eq!(heard[2], "compiled m in 3.0 ms");
        assert_eq!(heard.len(), 4);
    }

    #[test]
    fn the_log_has_levels() {
        assert_eq!(["off", "", "warn", "INFO", "debug"].map(Level::of), {
            [None, None, Some(Level::Warn), Some(Level::Info), Some(Level::Debug)]
        });
        assert!(Level::Info < Level::Debug);
    }
}
