//! Random queries over random tables, which change between two starts: what compiled code answers is what a plain interpretation answers.
//!
//! The interpretation knows neither the parser's trees nor dictionaries: it goes over rows of texts and numbers.

use crate::larder;
use larder::Observer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use query::{Column, Queries, Table, Tables, Value};
use std::fmt;
use std::sync::Arc;

const TEXTS: [&str; 4] = ["x", "y", "quote\" \\ ä", ""];

/// A row of the table `t`: columns `a`, `b` of numbers, `c` and `d` of texts.
type Row = ([i64; 2], [&'static str; 2]);

#[derive(Debug, Clone)]
enum Number {
    Literal(i64),
    Column(usize),
    Operation(Box<Number>, char, Box<Number>),
}

#[derive(Debug, Clone)]
enum Condition {
    Compare(Number, &'static str, Number),
    Text(usize, &'static str, &'static str),
    Both(Box<Condition>, &'static str, Box<Condition>),
}

/// `select count(*), sum(number), avg(number) from t where … group by …`.
#[derive(Debug, Clone)]
struct Query {
    number: Number,
    condition: Option<Condition>,
    group: Option<usize>,
}

impl Number {
    fn of(&self, row: &Row) -> i64 {
        match self {
            Number::Literal(number) => *number,
            Number::Column(column) => row.0[*column],
            Number::Operation(left, operator, right) => {
                let (left, right) = (left.of(row), right.of(row));
                match operator {
                    '+' => left.wrapping_add(right),
                    '-' => left.wrapping_sub(right),
                    _ => left.wrapping_mul(right),
                }
            }
        }
    }
}

impl Condition {
    fn holds(&self, row: &Row) -> bool {
        match self {
            Condition::Compare(left, operator, right) => {
                let order = left.of(row).cmp(&right.of(row));
                match *operator {
                    "=" => order.is_eq(),
                    "<>" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }
            }
            Condition::Text(column, operator, text) => (row.1[*column] == *text) == (*operator == "="),
            Condition::Both(left, "and", right) => left.holds(row) && right.holds(row),
            Condition::Both(left, _, right) => left.holds(row) || right.holds(row),
        }
    }
}

impl Query {
    /// Rows of the answer, in any order.
    fn answer(&self, rows: &[Row]) -> Vec<Vec<Value>> {
        let of_group = |text: Option<&str>| {
            let in_group = |row: &&Row| self.group.is_none_or(|column| Some(row.1[column]) == text);
            let counted = |row: &&Row| self.condition.as_ref().is_none_or(|condition| condition.holds(row));
            let numbers: Vec<_> = rows.iter().filter(in_group).filter(counted).map(|row| self.number.of(row)).collect();
            let count = numbers.len() as i64;
            let sum = numbers.into_iter().fold(0, i64::wrapping_add);
            let cells = match count {
                0 => [Value::Integer(0), Value::Null, Value::Null],
                _ => [Value::Integer(count), Value::Integer(sum), Value::Average(sum as f64 / count as f64)],
            };
            let is_answered = count > 0 || text.is_none();
            is_answered.then(|| text.map(|text| Value::Text(text.to_owned())).into_iter().chain(cells).collect())
        };
        let groups = if self.group.is_some() { TEXTS.map(Some).to_vec() } else { vec![None] };
        groups.into_iter().filter_map(of_group).collect()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Literal(number) => write!(f, "{number}"),
            Number::Column(column) => f.write_str(["a", "b"][*column]),
            Number::Operation(left, operator, right) => write!(f, "({left} {operator} {right})"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Compare(left, operator, right) => write!(f, "{left} {operator} {right}"),
            Condition::Text(column, operator, text) => write!(f, "'{text}' {operator} {}", ["c", "d"][*column]),
            Condition::Both(left, operator, right) => write!(f, "({left}) {operator} ({right})"),
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.map(|column| ["c", "d"][column]);
        let column = group.map_or(String::new(), |column| format!("{column}, "));
        write!(f, "select {column}count(*), sum({number}), avg({number}) from t", number = self.number)?;
        self.condition.iter().try_for_each(|condition| write!(f, " where {condition}"))?;
        group.iter().try_for_each(|column| write!(f, " group by {column}"))?;
        f.write_str(";\n")
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = || prop_oneof![-3..4_i64, any::<i64>()];
    let text = || prop::sample::select(TEXTS.to_vec());
    prop::collection::vec(([number(), number()], [text(), text()]), 0..40)
}

fn number() -> impl Strategy<Value = Number> + Clone {
    let leaf = prop_oneof![(0..5_i64).prop_map(Number::Literal), (0..2_usize).prop_map(Number::Column)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!['+', '-', '*']), inner)
            .prop_map(|(left, operator, right)| Number::Operation(Box::new(left), operator, Box::new(right)))
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let comparison = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (number(), comparison, number()).prop_map(|(left, operator, right)| Condition::Compare(left, operator, right)),
        (0..2_usize, prop::sample::select(vec!["=", "<>"]), prop::sample::select(TEXTS.to_vec()))
            .prop_map(|(column, operator, text)| Condition::Text(column, operator, text)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!["and", "or"]), inner)
            .prop_map(|(left, operator, right)| Condition::Both(Box::new(left), operator, Box::new(right)))
    })
}

fn query() -> impl Strategy<Value = Query> {
    (number(), prop::option::of(condition()), prop::option::of(0..2_usize))
        .prop_map(|(number, condition, group)| Query { number, condition, group })
}

fn tables(rows: &[Row]) -> Arc<Tables> {
    let numbers = |column: usize| Column::Integers(rows.iter().map(|row| row.0[column]).collect());
    let texts = |column: usize| Column::of_texts(rows.iter().map(|row| row.1[column]));
    let columns = [("a", numbers(0)), ("b", numbers(1)), ("c", texts(0)), ("d", texts(1))];
    let mut tables = Tables::default();
    tables.insert("t", Table::new(columns.map(|(name, column)| (name.to_owned(), column))));
    Arc::new(tables)
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort_by_key(|row| row[0].to_string());
    rows
}

#[test]
fn code_answers_what_an_interpretation_answers_whatever_tables_become() {
    let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
    let random = (rows(), rows(), prop::collection::vec(query(), 16));
    let ran = runner.run(&random, |(before, after, queries)| {
        let dir = tempfile::tempdir().expect("a directory");
        let text: String = queries.iter().map(ToString::to_string).collect();
        // The third start takes all from the store, what the second has compiled again included.
        for (rows, compiles) in [(&before, true), (&after, true), (&after, false)] {
            let larder = larder(dir.path(), Observer::default());
            let prepared = Queries::prepare(Arc::clone(&larder), tables(rows), &text).expect("they fit");
            for (number, query) in queries.iter().enumerate() {
                let answer = prepared.ask(number).expect("it fits");
                prop_assert_eq!(sorted(answer.rows().to_vec()), sorted(query.answer(rows)), "{}", query);
            }
            prop_assert!(compiles || larder.counts().compiled == 0);
        }
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}
