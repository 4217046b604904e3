//! What a chore tells its user: plain text, with colours on a terminal only.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// A line on standard output. A reader that has gone away is no reason to stop.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Announces a step.
pub(crate) fn step(text: impl Display) {
    line(format_args!("\n{}", bold(&format!("── {text}"))));
}

pub(crate) fn bold(text: &str) -> String {
    paint("1", text)
}

pub(crate) fn green(text: &str) -> String {
    paint("32", text)
}

pub(crate) fn faint(text: &str) -> String {
    paint("2", text)
}

/// `NO_COLOR` is honoured: <https://no-color.org>.
fn paint(code: &str, text: &str) -> String {
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
