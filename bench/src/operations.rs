//! What single operations cost in saved code: a throw, an access of a thread-local variable, a static object.
//!
//! The programs measure themselves (`tests/programs/c/operation_*`) and say on standard error how many nanoseconds it was; the
//! start of the process isn't in it. Both sides run in turn, each in a process of its own for each sample.

use anyhow::{Context, Result};

use crate::Limits;
use crate::places::Places;
use crate::process::{Ran, run};
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

const SIDES: [Side; 2] = [Side::Native, Side::Keeping(Keeper::Larder, Temperature::Warm)];

/// Rows of both sides for one work, which measures itself.
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    places.fill(Keeper::Larder, work, peers, limits)?;
    let once = |side| run(&mut peers.command(side, work, &places.directory(side)), limits.run);
    let expected = once(Side::Native)?;
    let mut samples = [const { Vec::new() }; SIDES.len()];
    let mut notes = [const { String::new() }; SIDES.len()];
    for _ in 0..limits.runs {
        for ((side, sample), note) in SIDES.into_iter().zip(&mut samples).zip(&mut notes) {
            let ran = once(side)?;
            match ran.differs_from(&expected) {
                None => sample.push(nanoseconds(&ran)?),
                Some(difference) => *note = difference,
            }
        }
    }
    let rows = SIDES.into_iter().zip(samples).zip(notes);
    Ok(rows.map(|((side, sample), note)| row(work, side, sample, note)).collect())
}

fn nanoseconds(ran: &Ran) -> Result<f64> {
    let said = String::from_utf8_lossy(&ran.stderr);
    said.trim().parse().with_context(|| format!("{said:?} is no number of nanoseconds"))
}

/// A side that once differed has no numbers.
fn row(work: &Work, side: Side, sample: Vec<f64>, note: String) -> Row {
    let numbers = if note.is_empty() { Numbers::of(sample) } else { None };
    Row { measure: Measure::Operation, work: work.name.clone(), side: side.name().to_owned(), numbers, note }
}
