//! An application with minutes of code generation at its first start and milliseconds at its second.
//!
//! It has rules that are compiled to native code. While they are, the application is free to do what it likes: this one shows how far it is. Ctrl-C
//! stops it at any time, and what was compiled by then isn't compiled again.

#![expect(clippy::print_stdout, reason = "it is a program for people")]

mod rules;

use indicatif::{ProgressBar, ProgressStyle};
use larder::{Code, CompileOptions, Error, Larder, Loading, Module, Session, Settings};
use rules::{Reading, SENSORS};
use signal_hook::consts::SIGINT;
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Rules, if the command line says nothing else.
const RULES: usize = 40_000;
/// What shells expect of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// What the rules call; to them it is a name.
extern "C" fn damp(x: f64) -> f64 {
    x.ln_1p()
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(RULES), |count| count.parse())?;
    let start = Instant::now();
    let session = Session::new(Larder::open(Settings::default()));
    session.define("damp", damp as *const ());

    // Known by its key, which says all that the rules depend on. The IR is made when there is no code for it, and then on another thread.
    let program = move || {
        let key = format!("rules 1, {count} of them");
        Module::keyed("rules", key.into_bytes(), move || Ok::<_, Infallible>(rules::module(count).into_bytes())).into()
    };
    // SAFETY: the rules are our own, and `damp` is what they declare.
    let loading = unsafe { session.load_in_background(program, &CompileOptions::default()) }?;
    let code = match watch(loading) {
        Err(Error::Cancelled) => {
            println!("stopped after {:.1?}; what is compiled by now is kept", start.elapsed());
            return Ok(ExitCode::from(INTERRUPTED));
        }
        code => code?,
    };
    println!("{count} rules are ready after {:.1?}: {}", start.elapsed(), code.outcome());
    for parts in code.modules().iter().map(|module| module.parts) {
        println!("{} parts were compiled now, {} before", parts.generated, parts.kept);
    }

    // SAFETY: the rules define it so.
    let apply = unsafe { code.function::<extern "C" fn(usize, *const Reading, usize) -> f64>("apply") }?;
    let readings: Vec<Reading> = (0..100).map(|at| [at as f64; SENSORS]).collect();
    let rule = count / 2;
    let (applied, interpreted) = (apply(rule, readings.as_ptr(), readings.len()), rules::interpret(rule, &readings));
    println!("rule {rule} says {applied}, and interpreted {interpreted}");
    Ok(ExitCode::SUCCESS)
}

/// Shows how far it is, and stops it on Ctrl-C.
fn watch(loading: Loading) -> Result<Code, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    // Without it, Ctrl-C ends this program at once, which loses nothing either.
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(&stop));
    let bar = ProgressBar::new(1000).with_style(
        ProgressStyle::with_template("{msg:>10} {wide_bar} {percent:>3} %, {elapsed}").expect("a template"),
    );
    while !loading.is_finished() {
        if stop.load(Ordering::Relaxed) {
            loading.cancel();
        }
        let status = loading.status();
        bar.set_message(status.phase);
        bar.set_position((status.fraction * 1000.0) as u64);
        sleep(Duration::from_millis(1));
    }
    bar.finish_and_clear();
    loading.wait()
}
