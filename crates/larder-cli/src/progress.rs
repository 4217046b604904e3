//! A progress bar for compilations that take a while, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use larder::Progress;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Compilations shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(300);
const STEPS: u64 = 1000;

/// Shows progress on standard error if that is a terminal.
pub(crate) struct Display {
    since: Instant,
    bar: Option<ProgressBar>,
    terminal: bool,
}

impl Display {
    pub(crate) fn new() -> Display {
        Display { since: Instant::now(), bar: None, terminal: std::io::stderr().is_terminal() }
    }

    /// Takes a step of the library.
    pub(crate) fn show(&mut self, progress: &Progress<'_>) {
        if !self.terminal || self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(bar);
        match progress {
            Progress::Compiling { phase, fraction, module, module_count } => {
                bar.set_position((f64::from(*fraction) * STEPS as f64) as u64);
                bar.set_message(match module_count {
                    1 => (*phase).to_owned(),
                    count => format!("module {module} of {count}: {phase}"),
                });
            }
            Progress::Waiting { holder, .. } => {
                let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                bar.set_message(format!("waiting for {who}, which compiles the same module"));
            }
            _ => {}
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("compiling [{bar:30}] {elapsed} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
