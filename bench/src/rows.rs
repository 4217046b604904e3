//! What was measured: one row for each measure, work and side.

use clap::ValueEnum;
use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// A process from its start to its exit, in milliseconds.
    Start,
    /// Map, bind and look up inside a process, in microseconds.
    Inside,
    /// A load through the API with a key of the host's, inside a process, in microseconds.
    Hit,
    /// The same of an image of which one function may be dropped.
    Drop,
    /// The first call of a function that has to be compiled again, in milliseconds.
    FirstCall,
    /// Loading and unloading one of many small images, in microseconds.
    Small,
    /// Mappings of one of many small images.
    Mappings,
    /// Eight processes at the same time: the sum of their PSS, in megabytes.
    Memory,
    /// From bitcode to native code, in milliseconds.
    Cold,
    /// From the bitcode of an edited program to native code, in milliseconds.
    Edit,
    /// The same, but of all processors together.
    EditProcessor,
    /// The largest process on the way from bitcode to native code: its peak of resident memory, in megabytes.
    Peak,
    /// Files of native code, in megabytes.
    Size,
    /// System calls of one run.
    Calls,
    /// One operation, as the program itself measures it, in nanoseconds.
    Operation,
}

impl Measure {
    /// The unit of the row's numbers.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Measure::Start | Measure::Cold | Measure::Edit | Measure::EditProcessor | Measure::FirstCall => "ms",
            Measure::Mappings => "mappings",
            Measure::Inside | Measure::Hit | Measure::Drop | Measure::Small => "µs",
            Measure::Memory | Measure::Peak | Measure::Size => "MB",
            Measure::Calls => "calls",
            Measure::Operation => "ns",
        }
    }

    /// What the measure is, for a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Measure::Start => "start to exit",
            Measure::Inside => "map + bind + lookup inside a process",
            Measure::Hit => "load by the host's key inside a process",
            Measure::Drop => "load, with and without a function that is dropped",
            Measure::FirstCall => "first call of a function that is compiled again",
            Measure::Small => "one image: load, call, unload",
            Measure::Mappings => "mappings of one image",
            Measure::Memory => "eight processes, sum of PSS",
            Measure::Cold => "bitcode to native code, -O2",
            Measure::Edit => "bitcode to native code, -O2, after an edit",
            Measure::EditProcessor => "bitcode to native code, -O2, after an edit: processor time",
            Measure::Peak => "bitcode to native code, memory of the largest process",
            Measure::Size => "size of the files",
            Measure::Calls => "system calls of one run",
            Measure::Operation => "one operation, measured by the program itself",
        }
    }
}

/// One side's numbers in one measure of one work. In the measure's unit.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) measure: Measure,
    pub(crate) work: String,
    pub(crate) side: String,
    /// None if the side failed; `note` then says how.
    pub(crate) numbers: Option<Numbers>,
    pub(crate) note: String,
}

/// A sample's middle and spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Numbers {
    pub(crate) count: usize,
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) least: f64,
}

impl Numbers {
    /// None for an empty sample.
    pub(crate) fn of(mut sample: Vec<f64>) -> Option<Numbers> {
        sample.sort_by(f64::total_cmp);
        Some(Numbers {
            count: sample.len(),
            median: quantile(&sample, 0.5)?,
            lower_quartile: quantile(&sample, 0.25)?,
            upper_quartile: quantile(&sample, 0.75)?,
            least: *sample.first()?,
        })
    }
}

/// Of a sorted sample, between the two nearest values in proportion (R's type 7).
fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let place = fraction * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_small_samples() {
        assert_eq!(Numbers::of(vec![]), None);
        let numbers =
            |sample: &[f64]| Numbers::of(sample.to_vec()).map(|n| (n.lower_quartile, n.median, n.upper_quartile));
        assert_eq!(numbers(&[7.0]), Some((7.0, 7.0, 7.0)));
        assert_eq!(numbers(&[4.0, 1.0]), Some((1.75, 2.5, 3.25)));
        assert_eq!(numbers(&[5.0, 1.0, 3.0, 2.0, 4.0]), Some((2.0, 3.0, 4.0)));
    }
}
