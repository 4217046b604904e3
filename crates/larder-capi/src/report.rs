//! Reports: which functions can't be used as they are, or were treated in a way of their own, and why.

use crate::border::free;
use crate::error::{Shown, c_text};
use crate::handle::Handle;
use larder::format::wire::{PointerFate, PointerUse};
use larder::runtime::{FailedGuard, GuardFailure};
use larder::{CallError, Code, DroppedUnit, Unusable};
use std::ffi::CString;

/// `larder_cause`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
enum Cause {
    Deferred = 1,
    Missing = 2,
    Changed = 3,
    Predicate = 4,
    Rescued = 5,
    ThisProcess = 6,
}

/// `larder_report`: a row for each function and cause.
#[derive(Debug)]
pub struct larder_report {
    code: CString,
    rows: Vec<Row>,
    text: CString,
}

#[derive(Debug)]
struct Row {
    function: CString,
    cause: Cause,
    name: CString,
    arguments: CString,
    expected: u64,
    found: u64,
    text: CString,
}

impl Row {
    fn waiting(function: &str, name: &str) -> Row {
        Row::new(function, Cause::Deferred, name, format!("{function} waits for {name}"))
    }

    fn failed(function: &str, failed: &FailedGuard) -> Row {
        let (cause, expected, found) = match failed.failure {
            GuardFailure::Missing => (Cause::Missing, 0, 0),
            GuardFailure::Changed { expected, found } => (Cause::Changed, expected, found),
            GuardFailure::Predicate { expected, found } => (Cause::Predicate, expected, found.unwrap_or_default()),
        };
        let arguments = c_text(&failed.arguments);
        Row { arguments, expected, found, ..Row::new(function, cause, &failed.name, failed.to_string()) }
    }

    fn raw_pointer(found: &PointerUse) -> Row {
        let cause = match found.fate {
            PointerFate::Rescued => Cause::Rescued,
            PointerFate::SessionOnly => Cause::ThisProcess,
        };
        Row::new(&found.function, cause, "", found.why.clone())
    }

    fn new(function: &str, cause: Cause, name: &str, text: String) -> Row {
        let (function, name, text) = (c_text(function), c_text(name), c_text(&text));
        Row { function, cause, name, arguments: CString::default(), expected: 0, found: 0, text }
    }
}

impl larder_report {
    fn new(code: &str, rows: Vec<Row>) -> larder_report {
        larder_report { code: c_text(code), rows, text: CString::default() }
    }

    pub(crate) fn of_waiting(code: &Code) -> larder_report {
        let waiting = code.waiting();
        let rows = waiting.iter().flat_map(|unit| unit.imports.iter().map(|name| Row::waiting(&unit.name, name)));
        larder_report::new(code.name(), rows.collect())
    }

    pub(crate) fn of_dropped(code: &Code) -> larder_report {
        let dropped = code.dropped().iter();
        let rows = dropped.flat_map(|unit| unit.failed.iter().map(|failed| Row::failed(&unit.name, failed)));
        larder_report::new(code.name(), rows.collect())
    }

    pub(crate) fn of_raw_pointers(code: &Code) -> larder_report {
        larder_report::new(code.name(), code.raw_pointers().map(Row::raw_pointer).collect())
    }

    /// A function that is to be compiled again.
    pub(crate) fn of_unit(unit: &DroppedUnit<'_>) -> larder_report {
        larder_report::new(unit.code, unit.failed.iter().map(|failed| Row::failed(unit.name, failed)).collect())
    }

    /// A call that can't be made.
    pub(crate) fn of_call(error: &CallError) -> larder_report {
        let rows = match &error.reason {
            Unusable::Waiting { names } => names.iter().map(|name| Row::waiting(&error.function, name)).collect(),
            Unusable::Dropped { failed, .. } => failed.iter().map(|one| Row::failed(&error.function, one)).collect(),
            _ => Vec::new(),
        };
        larder_report { text: c_text(&error.to_string()), ..larder_report::new(&error.code, rows) }
    }
}

fn row<R: Default>(report: Handle<larder_report>, index: usize, read: impl FnOnce(&Row) -> R) -> R {
    report.read(|report| report.rows.get(index).map(read).unwrap_or_default())
}

/// `larder_report_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_free(report: Handle<larder_report>) {
    free(report);
}

/// `larder_report_code`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_code(report: Handle<larder_report>) -> Shown {
    report.read(|report| Shown::from(&report.code))
}

/// `larder_report_message`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_message(report: Handle<larder_report>) -> Shown {
    report.read(|report| Shown::from(&report.text))
}

/// `larder_report_count`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_count(report: Handle<larder_report>) -> usize {
    report.read(|report| report.rows.len())
}

/// `larder_report_function`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_function(report: Handle<larder_report>, index: usize) -> Shown {
    row(report, index, |row| Shown::from(&row.function))
}

/// `larder_report_cause`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_cause(report: Handle<larder_report>, index: usize) -> u32 {
    row(report, index, |row| row.cause as u32)
}

/// `larder_report_name`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_name(report: Handle<larder_report>, index: usize) -> Shown {
    row(report, index, |row| Shown::from(&row.name))
}

/// `larder_report_arguments`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_arguments(report: Handle<larder_report>, index: usize) -> Shown {
    row(report, index, |row| Shown::from(&row.arguments))
}

/// `larder_report_expected`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_expected(report: Handle<larder_report>, index: usize) -> u64 {
    row(report, index, |row| row.expected)
}

/// `larder_report_found`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_found(report: Handle<larder_report>, index: usize) -> u64 {
    row(report, index, |row| row.found)
}

/// `larder_report_text`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_report_text(report: Handle<larder_report>, index: usize) -> Shown {
    row(report, index, |row| Shown::from(&row.text))
}
