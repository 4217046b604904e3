//! What Larder must reach, and whether it does.

use serde::Serialize;

use crate::rows::{Measure, Row};
use crate::sides::{DLOPEN, LARDER_COLD, LARDER_WARM, NATIVE};
use crate::works::{EDIT, OPERATIONS};
use crate::{cold, edit, embedding, inside};

/// A target and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) unit: &'static str,
    pub(crate) ratio: f64,
    pub(crate) limit: f64,
    pub(crate) met: bool,
}

/// A place in the table of rows.
type Place<'a> = (Measure, &'a str, &'a str);

/// Judges all targets whose two sides were measured.
pub(crate) fn judge(rows: &[Row]) -> Vec<Verdict> {
    let start = |work, side| (Measure::Start, work, side);
    let mut verdicts = Vec::new();
    for work in ["sqlite", "lua", "generated_100000"] {
        verdicts.push(compare(rows, "warm, start to exit", start(work, LARDER_WARM), start(work, DLOPEN), 1.3));
    }
    let (large, small) = (start("generated_100000", LARDER_WARM), start("generated_1000", LARDER_WARM));
    verdicts.push(compare(rows, "warm, against generated_1000", large, small, 2.0));
    for work in ["one_function", "lua", "sqlite", "generated_1000", "generated_10000", "generated_100000"] {
        let side = |side| (Measure::Inside, work, side);
        verdicts.push(compare(rows, "map + bind", side(inside::OURS), side(inside::THEIRS), 1.1));
    }
    let memory = |side| (Measure::Memory, "generated_10000", side);
    verdicts.push(compare(rows, "eight warm processes", memory(LARDER_WARM), memory(DLOPEN), 1.5));
    for (cores, limit) in [(1, 1.1), (2, 0.7)] {
        let work = cold::work_name("sqlite", cores);
        let side = |side| (Measure::Cold, work.as_str(), side);
        verdicts.push(compare(rows, "cold", side(LARDER_COLD), side(cold::THEIRS), limit));
    }
    for cores in [1, 2] {
        let work = cold::work_name(EDIT, cores);
        for (_, side) in edit::SIDES {
            let place = |side| (Measure::Edit, work.as_str(), side);
            verdicts.push(compare(rows, side, place(side), place(edit::FULL), 0.05));
        }
    }
    for (work, _) in OPERATIONS {
        let side = |side| (Measure::Operation, work, side);
        verdicts.push(compare(rows, "one operation", side(LARDER_WARM), side(NATIVE), 1.1));
    }
    verdicts.extend(judge_embedding(rows));
    verdicts.into_iter().flatten().collect()
}

fn judge_embedding(rows: &[Row]) -> Vec<Option<Verdict>> {
    use embedding::{CALLS, DLOPEN, GUARDED, HITS, IMPORTING, LIBRARY, NONE_DROPPED, ONE_DROPPED, OURS, SMALL};
    let pair = |what, measure, work, (ours, theirs), limit| {
        compare(rows, what, (measure, work, ours), (measure, work, theirs), limit)
    };
    let mut verdicts = Vec::new();
    verdicts.extend(HITS.map(|work| pair("hit by the host's key", Measure::Hit, work, (OURS, DLOPEN), 1.0)));
    verdicts.push(pair("hit by the host's key", Measure::Hit, IMPORTING, (OURS, DLOPEN), 0.5));
    // Two medians of the same loop differ by this much.
    verdicts.extend(CALLS.map(|work| pair("one operation", Measure::Operation, work, (OURS, LIBRARY), 1.05)));
    verdicts.push(pair("one of 10000 dropped", Measure::Drop, GUARDED, (ONE_DROPPED, NONE_DROPPED), 1.2));
    verdicts.push(pair("first call", Measure::FirstCall, GUARDED, (OURS, cold::THEIRS), 1.5));
    verdicts.push(at_most(rows, "load, call, unload", (Measure::Small, SMALL, OURS), 50.0));
    // Three, and what ten thousand of them share.
    verdicts.push(at_most(rows, "mappings of one", (Measure::Mappings, SMALL, OURS), 3.01));
    verdicts
}

/// A target that is a number.
fn at_most(rows: &[Row], what: &str, ours: Place<'_>, limit: f64) -> Option<Verdict> {
    let (measure, work, _) = ours;
    let ours = median(rows, ours)?;
    let ratio = ours / limit;
    let what = format!("{work}: {what}");
    Some(Verdict { what, ours, theirs: limit, unit: measure.unit(), ratio, limit: 1.0, met: ratio <= 1.0 })
}

fn compare(rows: &[Row], what: &str, ours: Place<'_>, theirs: Place<'_>, limit: f64) -> Option<Verdict> {
    let (measure, work, _) = ours;
    let (ours, theirs) = (median(rows, ours)?, median(rows, theirs)?);
    let ratio = ours / theirs;
    Some(Verdict {
        what: format!("{work}: {what}"),
        ours,
        theirs,
        unit: measure.unit(),
        ratio,
        limit,
        met: ratio <= limit,
    })
}

/// The median at a place of the table, if it was measured.
pub(crate) fn median(rows: &[Row], (measure, work, side): Place<'_>) -> Option<f64> {
    let row = rows.iter().find(|row| row.measure == measure && row.work == work && row.side == side)?;
    row.numbers.map(|numbers| numbers.median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Numbers;

    fn row(side: &str, median: f64) -> Row {
        let numbers = Numbers::of(vec![median]);
        Row { measure: Measure::Start, work: "lua".into(), side: side.into(), numbers, note: String::new() }
    }

    #[test]
    fn a_target_is_judged_by_the_ratio_of_medians() {
        for (ours, met) in [(1.29, true), (1.3, true), (1.31, false)] {
            let verdicts = judge(&[row(LARDER_WARM, ours), row(DLOPEN, 1.0)]);
            assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [met], "{ours}");
        }
    }

    #[test]
    fn nothing_is_judged_without_both_sides() {
        assert!(judge(&[row(LARDER_WARM, 1.0)]).is_empty());
    }
}
