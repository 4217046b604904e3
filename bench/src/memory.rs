//! Eight processes of the same program at the same time: is the code shared between them?
//!
//! The proportional set size counts a page that several processes map once, divided among them; the sum over the eight is
//! what they cost the machine together. The program waits on its standard input after its work; what it has printed by
//! then says that it has got there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::Limits;
use crate::places::Places;
use crate::rows::{Measure, Numbers, Row};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

const PROCESS_COUNT: usize = 8;
/// Lines that the generated program prints before it waits.
const LINE_COUNT: usize = 10;

/// Rows of the sides for one work, which must be a generated one.
pub(crate) fn measure(work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Vec<Row>> {
    let keepers: &[Keeper] = if limits.quick { &[Keeper::Larder] } else { &Keeper::ALL };
    let mut sides = vec![Side::Native, Side::Dlopen, Side::Lljit];
    sides.extend(keepers.iter().map(|&keeper| Side::Keeping(keeper, Temperature::Warm)));
    sides.into_iter().map(|side| measure_side(side, work, peers, places, limits)).collect()
}

fn measure_side(side: Side, work: &Work, peers: &Peers, places: &Places, limits: &Limits) -> Result<Row> {
    if let Side::Keeping(keeper, _) = side {
        places.fill(keeper, work, peers, limits)?;
    }
    let directory = places.directory(side);
    let sums: Result<Vec<f64>> = (0..3).map(|_| sum_of_eight(|| peers.command(side, work, &directory))).collect();
    let (numbers, note) = match sums {
        Ok(sums) => (Numbers::of(sums), String::new()),
        Err(failure) => (None, format!("{failure:#}")),
    };
    Ok(Row { measure: Measure::Memory, work: work.name.clone(), side: side.name().to_owned(), numbers, note })
}

/// Starts eight, waits until all wait, and sums up, in megabytes.
fn sum_of_eight(command: impl Fn() -> Command) -> Result<f64> {
    let mut children = Vec::new();
    for _ in 0..PROCESS_COUNT {
        let mut command = command();
        command.arg("wait").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        children.push(Waiting(command.spawn()?));
    }
    let sum: Result<f64> =
        children.iter_mut().map(|child| child.wait_until_there().and_then(|()| pss(child.0.id()))).sum();
    sum
}

/// A process that waits for the end of its input. Dropping it lets it go on, and waits for its end.
struct Waiting(Child);

impl Waiting {
    fn wait_until_there(&mut self) -> Result<()> {
        let stdout = self.0.stdout.as_mut().context("no standard output")?;
        let lines = BufReader::new(stdout.by_ref()).lines().take(LINE_COUNT);
        match lines.collect::<Result<Vec<_>, _>>()?.len() {
            LINE_COUNT => Ok(()),
            _ => bail!("the program ended early"),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // How it ends matters to nobody any more.
        let _ = self.0.wait();
    }
}

/// A process's proportional set size in megabytes: `Documentation/filesystems/proc.rst` of Linux.
fn pss(pid: u32) -> Result<f64> {
    let path = Path::new("/proc").join(pid.to_string()).join("smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss in smaps_rollup")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
