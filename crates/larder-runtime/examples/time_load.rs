//! Times map + bind + seal + lookup + drop of an image against `dlopen(RTLD_NOW)` + `dlsym` + `dlclose` of the same code.
//!
//! `cargo run --release -p larder-runtime --example time_load -- IMAGE LIBRARY [ROUNDS [SYMBOL]]`
//!
//! The rounds alternate, so that both see the same machine. Both begin with `open`, and both find their files in the page cache. Nothing
//! of either is called but initialisers. The first round is told apart: it is the one that pays for whatever a process does once. To see
//! it for one side without the other having gone first, give `-` for the other.

#![expect(clippy::print_stdout, reason = "an example that reports to a person")]

use larder_runtime::{Arguments, Expectations, ImageFile, Integrity, Mapped, ProcessSymbols, cpu};
use std::ffi::CString;
use std::path::Path;
use std::time::{Duration, Instant};

/// Names of the steps and how long each took, one after the other.
type Steps = Vec<(&'static str, Duration)>;

struct Clock {
    steps: Steps,
    last: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { steps: Vec::with_capacity(16), last: Instant::now() }
    }

    fn step(&mut self, name: &'static str) {
        let now = Instant::now();
        self.steps.push((name, now - self.last));
        self.last = now;
    }
}

fn image_round(path: &Path, symbol: &str) -> Steps {
    let mut clock = Clock::start();
    // SAFETY: nobody writes to the file during a measurement.
    let file = unsafe { ImageFile::open(path) }.expect("the image opens");
    clock.step("open");
    let features = cpu::host_features();
    clock.step("features");
    let expected = Expectations { features, key: None, integrity: Integrity::AlreadyVerified };
    let mapped = Mapped::map(&file, &expected).expect("the image is right");
    clock.step("map");
    let bound = mapped.bind(&ProcessSymbols).expect("the process has the names");
    clock.step("bind");
    let sealed = bound.seal().expect("the system allows it");
    clock.step("seal");
    // SAFETY: whoever started the example trusts the image.
    let loaded = unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory");
    clock.step("initialise");
    assert!(loaded.symbol(symbol).is_some(), "the image exports {symbol}");
    clock.step("symbol");
    drop(loaded);
    drop(file);
    clock.step("drop");
    clock.steps
}

fn library_round(path: &CString, symbol: &CString) -> Steps {
    let mut clock = Clock::start();
    // SAFETY: whoever started the example trusts the library.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null(), "the library opens");
    clock.step("dlopen");
    // SAFETY: the library is open, the name ends in NUL.
    let found = unsafe { libc::dlsym(library, symbol.as_ptr()) };
    assert!(!found.is_null(), "the library exports {symbol:?}");
    clock.step("dlsym");
    // SAFETY: nothing of the library is used any more.
    unsafe { libc::dlclose(library) };
    clock.step("dlclose");
    clock.steps
}

fn median_us(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the medians of the steps and of their sum without the last, which undoes the load; answers that sum.
fn report(what: &str, rounds: &[Steps]) -> f64 {
    let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
    let steps: Vec<_> = (0..rounds[0].len())
        .map(|step| {
            let median = median_us(rounds.iter().map(|round| microseconds(round[step].1)).collect());
            format!("{} {median:.1}", rounds[0][step].0)
        })
        .collect();
    let load = |round: &Steps| round[..round.len() - 1].iter().map(|(_, took)| microseconds(*took)).sum();
    let total = median_us(rounds.iter().map(load).collect());
    println!("{what:10} {total:8.1} µs  ({})", steps.join(", "));
    total
}

/// Runs one side's round, if there is such a side.
type Round<'a> = Option<Box<dyn Fn() -> Steps + 'a>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, library, rest @ ..] = arguments.as_slice() else {
        println!("usage: time_load IMAGE|- LIBRARY|- [ROUNDS [SYMBOL]]");
        return;
    };
    let round_count: usize = rest.first().and_then(|text| text.parse().ok()).unwrap_or(501);
    let symbol = rest.get(1).map_or("main", String::as_str);
    let library_name = CString::new(library.as_str()).expect("a path");
    let symbol_name = CString::new(symbol).expect("a name");
    let sides: [(&str, Round<'_>); 2] = [
        ("image", (image != "-").then(|| Box::new(|| image_round(image.as_ref(), symbol)) as _)),
        ("dlopen", (library != "-").then(|| Box::new(|| library_round(&library_name, &symbol_name)) as _)),
    ];
    // What either side needs of the system is not part of the comparison.
    // SAFETY: libm is part of the system's C environment.
    unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..=round_count {
        for (side, rounds) in sides.iter().zip(&mut rounds) {
            rounds.extend(side.1.as_ref().map(|round| round()));
        }
    }
    let mut totals = Vec::new();
    for ((name, _), rounds) in sides.iter().zip(&rounds).filter(|(_, rounds)| !rounds.is_empty()) {
        report(&format!("{name} 1st"), &rounds[..1]);
        if rounds.len() > 1 {
            totals.push(report(name, &rounds[1..]));
        }
    }
    if let [image, library] = totals[..] {
        println!("ratio      {:8.2}", image / library);
    }
}
