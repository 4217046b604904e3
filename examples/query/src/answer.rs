//! What queries answer, and the functions by which their code does it.

use larder::runtime::Address;
use std::fmt;

/// One cell of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A count or a sum.
    Integer(i64),
    /// An average.
    Average(f64),
    /// A sum or average of nothing.
    Null,
}

/// Rows, and what code needs on the way to them.
#[derive(Debug, Default)]
pub struct Answer {
    rows: Vec<Vec<Value>>,
    row: Vec<Value>,
    sums: Vec<i64>,
}

impl Answer {
    /// The rows.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(ToString::to_string).collect();
            writeln!(f, "{}", cells.join(" | "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Average(number) => write!(f, "{number}"),
            Value::Null => f.write_str("null"),
        }
    }
}

/// Their types, as code declares them.
pub(crate) const DECLARATIONS: &str = "
declare ptr @reserve_sums(ptr, i64)
declare void @add_text(ptr, ptr, i64)
declare void @add_count(ptr, i64, i64)
declare void @add_sum(ptr, i64, i64)
declare void @add_average(ptr, i64, i64)
declare void @end_row(ptr)
";

/// The functions that code calls.
pub(crate) fn functions() -> [(&'static str, Address); 6] {
    [
        ("reserve_sums", reserve_sums as Address),
        ("add_text", add_text as Address),
        ("add_count", add_count as Address),
        ("add_sum", add_sum as Address),
        ("add_average", add_average as Address),
        ("end_row", end_row as Address),
    ]
}

extern "C" fn reserve_sums(answer: &mut Answer, len: u64) -> *mut i64 {
    answer.sums = vec![0; len as usize];
    answer.sums.as_mut_ptr()
}

extern "C" fn add_text(answer: &mut Answer, dictionary: &Vec<String>, code: u64) {
    answer.row.push(Value::Text(dictionary[code as usize].clone()));
}

extern "C" fn add_count(answer: &mut Answer, _sum: i64, count: i64) {
    answer.row.push(Value::Integer(count));
}

extern "C" fn add_sum(answer: &mut Answer, sum: i64, count: i64) {
    answer.row.push(if count == 0 { Value::Null } else { Value::Integer(sum) });
}

extern "C" fn add_average(answer: &mut Answer, sum: i64, count: i64) {
    answer.row.push(if count == 0 { Value::Null } else { Value::Average(sum as f64 / count as f64) });
}

extern "C" fn end_row(answer: &mut Answer) {
    answer.rows.push(std::mem::take(&mut answer.row));
}
