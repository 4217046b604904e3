//! Whether two ways showed the same, and if not, where they part.

use crate::process::Ran;
use anyhow::{Result, ensure};

/// Lines shown from the first difference on.
const SHOWN: usize = 8;

/// Which streams are compared besides the ending and the standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// It must be the same.
    Same,
    /// The way has its own to say there.
    Free,
}

/// Fails unless `ran` showed what the native program showed.
pub(crate) fn same(way: &str, native: &Ran, ran: &Ran, stderr: Stderr) -> Result<()> {
    let what = || format!("{way} differs from the native program");
    ensure!(native.ending == ran.ending, "{}: {}, not {}\n{}", what(), ran.ending, native.ending, ran.err());
    ensure!(native.stdout == ran.stdout, "{} on stdout\n{}{}", what(), diff(&native.out(), &ran.out()), ran.err());
    if stderr == Stderr::Same {
        ensure!(native.stderr == ran.stderr, "{} on stderr\n{}", what(), diff(&native.err(), &ran.err()));
    }
    Ok(())
}

/// The lines of both from the first that differs.
fn diff(native: &str, other: &str) -> String {
    let same = native.lines().zip(other.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str, sign: char| -> String {
        text.lines().skip(same).take(SHOWN).map(|line| format!("  {sign} {line}\n")).collect()
    };
    format!("  from line {}\n{}{}", same + 1, show(native, '-'), show(other, '+'))
}
