//! The table, as text for people and as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::machine::Machine;
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{DLOPEN, NATIVE};
use crate::targets::{Verdict, median};
use crate::{cold, edit, embedding, inside};

/// Everything that one bench found out.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Name and description of each work.
    pub(crate) works: Vec<(String, String)>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Prints the report as Markdown. A reader that has gone away is no reason to fail.
    pub(crate) fn print(&self) {
        let _ = writeln!(std::io::stdout(), "{}", self.markdown());
    }

    /// Writes `<date>-<machine>.md` and `.json` into a directory; a bench of a single work has its name behind that.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        let mut name = format!("{}-{}", self.machine.date, self.machine.slug());
        if let [(work, _)] = self.works.as_slice() {
            name = format!("{name}-{work}");
        }
        let write = |extension: &str, text: String| {
            let path = directory.join(format!("{name}.{extension}"));
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("md", self.markdown())?;
        write("json", serde_json::to_string_pretty(self)? + "\n")
    }

    fn markdown(&self) -> String {
        let mut text = String::from("# Bench\n\n");
        self.write_machine(&mut text);
        for (name, title) in &self.works {
            let _ = writeln!(text, "- `{name}`: {title}");
        }
        self.write_verdicts(&mut text);
        let mut groups: Vec<(Measure, &str)> = self.rows.iter().map(|row| (row.measure, row.work.as_str())).collect();
        groups.dedup();
        for (measure, work) in groups {
            self.write_group(measure, work, &mut text);
        }
        text
    }

    fn write_machine(&self, text: &mut String) {
        let Machine { date, commit, command, cpu, cores, memory_gb, kernel, distribution, libc, llvm } = &self.machine;
        let _ = writeln!(text, "- {date}, commit {commit}: `{command}`");
        let _ = writeln!(text, "- {cpu}, {cores} cores, {memory_gb:.0} GB");
        let _ = writeln!(text, "- {distribution}, {kernel}, {libc}, LLVM {llvm}");
        text.push_str("- Medians, with quartiles; all sides in turn, hot page cache; outputs equal unless a note says otherwise.\n");
        text.push_str("- `lli` is given the module after `opt -O2`, whose time isn't counted.\n");
    }

    fn write_verdicts(&self, text: &mut String) {
        text.push_str("\n## Targets\n\n| target | ours | theirs | ratio | limit | |\n|---|---:|---:|---:|---:|---|\n");
        for Verdict { what, ours, theirs, unit, ratio, limit, met } in &self.verdicts {
            let word = if *met { "met" } else { "**missed**" };
            let (ours, theirs) = (number(*ours), number(*theirs));
            let _ = writeln!(
                text,
                "| {what} | {ours} {unit} | {theirs} {unit} | {} | {limit} | {word} |",
                ratio_of(*ratio)
            );
        }
    }

    fn write_group(&self, measure: Measure, work: &str, text: &mut String) {
        let unit = measure.unit();
        let _ = writeln!(text, "\n## {work}: {}\n", measure.title());
        let own = [embedding::LIBRARY, embedding::NONE_DROPPED, embedding::LLJIT];
        let bases = [DLOPEN, inside::THEIRS, cold::THEIRS, edit::FULL, NATIVE].into_iter().chain(own);
        let base = bases.filter_map(|side| Some((side, median(&self.rows, (measure, work, side))?))).next();
        let (name, base) = base.map_or(("peer", None), |(name, base)| (name, Some(base)));
        let _ = writeln!(text, "| side | {unit} | quartiles | runs | × {name} | note |\n|---|---:|---:|---:|---:|---|");
        for row in self.rows.iter().filter(|row| row.measure == measure && row.work == work) {
            let cells = row.numbers.map_or_else(|| "– | – | – | –".to_owned(), |numbers| cells(&numbers, base));
            let _ = writeln!(text, "| {} | {cells} | {} |", row.side, row.note.replace('|', "\\|"));
        }
    }
}

fn cells(numbers: &Numbers, base: Option<f64>) -> String {
    let Numbers { count, median, lower_quartile, upper_quartile, .. } = *numbers;
    let ratio = base.map_or_else(|| "–".to_owned(), |base| ratio_of(median / base));
    let [median, lower, upper] = [median, lower_quartile, upper_quartile].map(number);
    format!("{median} | {lower}–{upper} | {count} | {ratio}")
}

/// Two decimals, and more where these would say little.
fn ratio_of(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

/// Three digits that mean something, and never fewer than the whole part has.
fn number(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [(0.123, "0.12"), (1.5, "1.50"), (42.25, "42.2"), (305.4, "305"), (61504.0, "61504")] {
            assert_eq!(number(value), expected);
        }
    }
}
