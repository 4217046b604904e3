//! A small language, after the one of LLVM's tutorial, whose definitions are still there when it is started the next time.
//!
//! `interpreter.rs` is what the example is about; the other files are what any language has. How it is used stands in the README.

#![expect(clippy::print_stderr, reason = "it is a program for people")]

mod codegen;
mod error;
mod interpreter;
mod lexer;
mod parser;
mod syntax;

use crate::interpreter::Interpreter;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

/// Programs recurse, and nothing checks how deep.
const STACK_LEN: usize = 256 << 20;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(".kaleidoscope"), PathBuf::from);
    let all = thread::Builder::new().stack_size(STACK_LEN).spawn(move || read_all(&folder));
    match all.map_err(Into::into).and_then(|thread| thread.join().expect("it does not panic")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads standard input to its end. Says whether all of it was right.
fn read_all(folder: &Path) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let mut interpreter = Interpreter::open(folder)?;
    let is_terminal = io::stdin().is_terminal();
    let mut out = io::stdout();
    let mut all_right = true;
    for number in 1.. {
        if is_terminal {
            write!(out, "{} ", if interpreter.is_within_item() { "…" } else { ">" })?;
            out.flush()?;
        }
        let mut line = String::new();
        let is_end = io::stdin().read_line(&mut line)? == 0;
        if is_end && interpreter.is_within_item() {
            line.push(';');
        }
        if line.trim() == ":stats" {
            let (compiled, taken) = interpreter.statistics();
            writeln!(out, "compiled: {compiled}, taken from the store: {taken}")?;
            continue;
        }
        let entered = interpreter.enter(number, &line).map(|()| None);
        for result in iter::once(entered).chain(iter::from_fn(|| interpreter.run())) {
            match result {
                Ok(Some(value)) => writeln!(out, "{value}")?,
                Ok(None) => {}
                Err(error) => {
                    eprintln!("{error}");
                    all_right = false;
                }
            }
        }
        if is_end {
            break;
        }
    }
    Ok(all_right)
}
