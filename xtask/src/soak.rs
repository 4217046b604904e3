//! `cargo xtask soak`: random programs, natively against cold and warm, until time is over; with `--only duckdb`, DuckDB instead.
//!
//! Every program has a number, and `--seed NUMBER` begins with it again. What disagrees is kept under `target/soak`, said at
//! once, and makes the chore fail at its end; the chore goes on meanwhile, since a second finding often explains the first.

mod duckdb;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use larder_programs::{Checker, Outcome, Size, Tools};

use crate::cargo::{built, cargo, run};
use crate::say;
use crate::setup::{Scope, ensure as ensure_installed};

/// What `soak` was asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to run; DuckDB takes an hour for its first build, and has no end before its scripts.
    #[arg(long, value_name = "WHAT", default_value = "random")]
    only: What,
    /// How long to go on.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// The first program's number [default: from the clock].
    #[arg(long)]
    seed: Option<u64>,
    /// End after so many programs, even if there is time left.
    #[arg(long, value_name = "N")]
    programs: Option<u64>,
    /// Small programs, as `cargo xtask test` has them: a number stands for another program then.
    #[arg(long)]
    small: bool,
    /// Programs at the same time [default: one for each core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Random,
    #[value(name = "duckdb")]
    DuckDb,
}

/// What came out so far.
#[derive(Default)]
struct Tally {
    agreed: u64,
    skipped: BTreeMap<String, u64>,
    findings: Vec<u64>,
}

/// Everything that the threads share.
struct Soak {
    checker: Checker,
    size: Size,
    directory: PathBuf,
    next: AtomicU64,
    end: u64,
    deadline: Instant,
    bar: ProgressBar,
    tally: Mutex<Tally>,
}

/// The chore.
pub(crate) fn soak(arguments: &Arguments) -> Result<()> {
    ensure_installed(Scope::Test)?;
    match arguments.only {
        What::Random => soak_random(arguments),
        What::DuckDb => duckdb::soak(),
    }
}

fn soak_random(arguments: &Arguments) -> Result<()> {
    run(&mut cargo(["build", "--bins", "-p", "larder-cli", "-p", "larder-llvm"]))?;
    let seed = arguments.seed.unwrap_or_else(of_clock);
    say::step(format_args!("Random programs from number {seed} on, for {} seconds", arguments.seconds));
    let soak = Soak::new(arguments, seed)?;
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(|| soak.work())).collect();
        // A panic of a thread is a bug of ours, and stays one.
        let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().try_for_each(join)
    })?;
    soak.conclude()
}

fn of_clock() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs())
}

impl Soak {
    fn new(arguments: &Arguments, seed: u64) -> Result<Soak> {
        let bar = ProgressBar::new(arguments.seconds);
        bar.set_style(ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}")?);
        bar.enable_steady_tick(Duration::from_secs(1));
        Ok(Soak {
            checker: Checker {
                tools: Tools::find()?,
                larder: built("debug").join("larder"),
                worker: built("debug").join("larder-worker"),
            },
            size: if arguments.small { Size::Small } else { Size::Any },
            directory: built("soak"),
            next: AtomicU64::new(seed),
            end: arguments.programs.map_or(u64::MAX, |count| seed.saturating_add(count)),
            deadline: Instant::now() + Duration::from_secs(arguments.seconds),
            bar,
            tally: Mutex::default(),
        })
    }

    /// Checks one program after the other until there is no time or no program left.
    fn work(&self) -> Result<()> {
        while Instant::now() < self.deadline {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end {
                break;
            }
            let directory = self.directory.join(seed.to_string());
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir_all(&directory)?;
            let outcome = self.checker.check(seed, self.size, &directory);
            self.note(seed, outcome, &directory)?;
        }
        Ok(())
    }

    fn note(&self, seed: u64, outcome: Result<Outcome>, directory: &Path) -> Result<()> {
        let mut tally = self.tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match outcome {
            Ok(Outcome::Agrees) => tally.agreed += 1,
            Ok(Outcome::Skipped(reason)) => *tally.skipped.entry(reason).or_default() += 1,
            Err(finding) => {
                fs::write(directory.join("finding.txt"), format!("{finding:#}\n"))?;
                let place = directory.display();
                self.bar.suspend(|| say::line(format_args!("program {seed}: {finding:#}\n  kept in {place}")));
                tally.findings.push(seed);
            }
        }
        if !tally.findings.contains(&seed) {
            fs::remove_dir_all(directory)?;
        }
        self.bar.set_position(self.bar.elapsed().as_secs());
        self.bar.set_message(tally.in_words());
        Ok(())
    }

    fn conclude(self) -> Result<()> {
        self.bar.finish_and_clear();
        let tally = self.tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        say::line(tally.in_words());
        for (reason, count) in &tally.skipped {
            say::line(format_args!("  {count} passed over: {reason}"));
        }
        if let Some(first) = tally.findings.first() {
            bail!("{} disagree; again: cargo xtask soak --seed {first} --programs 1", tally.findings.len());
        }
        ensure!(tally.agreed > 0, "no program could be compared");
        Ok(())
    }
}

impl Tally {
    fn in_words(&self) -> String {
        let skipped: u64 = self.skipped.values().sum();
        format!("{} agree, {} disagree, {skipped} passed over", self.agreed, self.findings.len())
    }
}
