//! Asks queries of tables: `query QUERIES.sql TABLE.csv…`.

#![expect(clippy::print_stderr, reason = "it is a program for people")]

use larder::{Event, Larder, Observer, Settings, StorePlace};
use query::{Queries, Tables};
use std::error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The folder in which code is kept.
const STORE: &str = ".query";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(queries) = arguments.next() else {
        eprintln!("usage: query QUERIES.sql TABLE.csv…");
        return ExitCode::FAILURE;
    };
    match ask_all(queries, arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what happens to code, and what the answers are. Says whether there was one to each query.
fn ask_all(queries: PathBuf, tables: impl Iterator<Item = PathBuf>) -> Result<bool, Box<dyn error::Error>> {
    let mut settings = Settings::default();
    settings.store = StorePlace::Dir(STORE.into());
    settings.observer = Observer::new(tell);
    let larder = Arc::new(Larder::open(settings));
    let text = std::fs::read_to_string(queries)?;
    let queries = Queries::prepare(Arc::clone(&larder), Arc::new(Tables::read(tables)?), &text)?;
    let mut out = io::stdout();
    let mut all_right = true;
    for (number, statement) in queries.statements().iter().enumerate() {
        let text: Vec<_> = statement.text.split_whitespace().collect();
        writeln!(out, "\n{}", text.join(" "))?;
        match queries.ask(number) {
            Ok(answer) => write!(out, "{answer}")?,
            Err(error) => {
                eprintln!("{error}");
                all_right = false;
            }
        }
    }
    let counts = larder.counts();
    writeln!(out, "\ncompiled: {}, taken from the store: {}", counts.compiled, counts.hits)?;
    Ok(all_right)
}

/// What happens to code.
fn tell(event: &Event<'_>) {
    match event {
        Event::Hit { name, .. } => eprintln!("* {name}: taken from the store"),
        Event::Compiled { name, .. } => eprintln!("* {name}: compiled"),
        Event::Dropped { dropped, .. } => eprintln!("* {}: dropped, since {}", dropped.name, dropped.failed[0]),
        _ => {}
    }
}
