//! Statements become LLVM IR, as text. One statement is one function.
//!
//! Code loads what it can't count on, such as the number of rows. What it counts on, it says, and Larder drops the functions whose guards fail:
//!
//! * the values of a column lie at a pointer, and are of one kind: an object, whose fingerprint is the kind;
//! * a literal is a place in the column's dictionary, not a text: a predicate, whose answer is the place;
//! * grouped rows have one sum for each place in the dictionary: an object, whose fingerprint is the number of places.

use crate::answer::DECLARATIONS;
use crate::error::Error;
use crate::sql::{Expression, Operator, Output, Statement};
use crate::table::{Column, Table, Tables};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

/// The function of a statement, by its number from 0.
pub(crate) fn function_name(number: usize) -> String {
    format!("query {}", number + 1)
}

/// A module with a function for each of the statements, which come with their numbers.
pub(crate) fn module<'a>(
    statements: impl IntoIterator<Item = (usize, &'a Statement)>,
    tables: &Tables,
) -> Result<String, Error> {
    let mut facts = Facts::default();
    let mut functions = String::new();
    for (number, statement) in statements {
        let function = function(&function_name(number), statement, tables, &mut facts);
        functions += &function.map_err(|message| Error::Meaning { query: number + 1, message })?;
    }
    Ok(format!("{DECLARATIONS}{facts}{functions}"))
}

/// What functions of a module count on.
#[derive(Default)]
struct Facts {
    /// Names of objects, with their fingerprints where they matter.
    objects: BTreeMap<String, Option<u64>>,
    /// Questions, with their answers, in the order in which they came up: `larder.guards` has them.
    codes: Vec<(String, u64)>,
}

impl Facts {
    /// The variable that stands for an object.
    fn object(&mut self, name: String, fingerprint: Option<u64>) -> String {
        let variable = format!("@{}", quoted(&name));
        self.objects.insert(name, fingerprint);
        variable
    }

    /// The number of a predicate.
    fn code(&mut self, question: String, answer: u64) -> usize {
        let known = self.codes.iter().position(|(other, _)| *other == question);
        known.unwrap_or_else(|| {
            self.codes.push((question, answer));
            self.codes.len() - 1
        })
    }
}

impl Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (question, answer)) in self.codes.iter().enumerate() {
            writeln!(f, "!{number} = !{{!\"code\", !{}, i64 {answer}}}", quoted(question))?;
        }
        let numbers: Vec<_> = (0..self.codes.len()).map(|number| format!("!{number}")).collect();
        writeln!(f, "!larder.guards = !{{{}}}", numbers.join(", "))?;
        for (number, (name, fingerprint)) in (self.codes.len()..).zip(&self.objects) {
            let name = quoted(name);
            let fingerprint = fingerprint.map_or(String::new(), |fingerprint| format!(", i64 {fingerprint}"));
            writeln!(f, "@{name} = external global i64, !larder.object !{number}")?;
            writeln!(f, "!{number} = !{{!{name}{fingerprint}}}")?;
        }
        Ok(())
    }
}

/// A text between quotes, as LLVM reads it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if !b"\"\\".contains(&byte) => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\{byte:02X}"),
        }
    }
    quoted + "\""
}

/// Scans the table, adds up what each group needs, and answers a row for each group.
fn function(name: &str, statement: &Statement, tables: &Tables, facts: &mut Facts) -> Result<String, String> {
    let table = tables.get(&statement.table).ok_or_else(|| format!("there is no table {}", statement.table))?;
    let row_count = facts.object(statement.table.clone(), None);
    let mut code =
        Code { statement, tables, table, facts, text: String::new(), value_count: 0, guards: BTreeSet::new() };
    let condition = code.condition()?;
    let filter = code.take();
    let groups = code.groups()?;
    let width = statement.outputs.len() + 1;
    code.add(&groups.of_row, width)?;
    let add = code.take();
    code.answer(&groups.dictionary, width)?;
    let answer = code.take();
    let Groups { count: group_count, skips_empty, .. } = groups;
    Ok(format!(
        "
define void @{name}(ptr %answer) uwtable{guards} {{
start:
  %row_count = load i64, ptr {row_count}
  %sums = call ptr @reserve_sums(ptr %answer, i64 {sum_count})
  br label %next_row
next_row:
  %row = phi i64 [ 0, %start ], [ %row_after, %row_done ]
  %is_row = icmp ult i64 %row, %row_count
  br i1 %is_row, label %filter, label %next_group
filter:
{filter}  br i1 {condition}, label %add, label %row_done
add:
{add}  br label %row_done
row_done:
  %row_after = add i64 %row, 1
  br label %next_row

next_group:
  %group = phi i64 [ 0, %next_row ], [ %group_after, %group_done ]
  %is_group = icmp ult i64 %group, {group_count}
  br i1 %is_group, label %check, label %end
check:
  %place = getelementptr [{width} x i64], ptr %sums, i64 %group
  %count = load i64, ptr %place
  %is_empty = icmp eq i64 %count, 0
  %is_skipped = and i1 %is_empty, {skips_empty}
  br i1 %is_skipped, label %group_done, label %answer_group
answer_group:
{answer}  call void @end_row(ptr %answer)
  br label %group_done
group_done:
  %group_after = add i64 %group, 1
  br label %next_group
end:
  ret void
}}
",
        name = quoted(name),
        guards = code.guards.iter().map(|number| format!(" !larder.guard !{number}")).collect::<String>(),
        sum_count = group_count * width,
    ))
}

/// How rows are grouped.
struct Groups {
    /// The group of the row at hand.
    of_row: String,
    count: usize,
    /// Where the texts are that groups stand for; null if all rows are one group.
    dictionary: String,
    /// Groups without a row are not answered.
    skips_empty: bool,
}

/// An operand, and what it is.
enum Operand {
    Integer(String),
    Truth(String),
    Literal(String),
    /// A place in the dictionary of this column.
    Code {
        column: String,
        place: String,
    },
}

/// The function that is being written.
struct Code<'a> {
    statement: &'a Statement,
    tables: &'a Tables,
    table: &'a Table,
    facts: &'a mut Facts,
    /// Instructions that were not taken yet.
    text: String,
    value_count: usize,
    /// Numbers of the predicates that it counts on.
    guards: BTreeSet<usize>,
}

impl Code<'_> {
    fn condition(&mut self) -> Result<String, String> {
        match self.statement.condition.as_ref().map(|condition| self.operand(condition)).transpose()? {
            None => Ok("true".to_owned()),
            Some(Operand::Truth(value)) => Ok(value),
            Some(_) => Err("what follows `where` is no condition".to_owned()),
        }
    }

    fn groups(&mut self) -> Result<Groups, String> {
        let Some(column) = &self.statement.group else {
            return Ok(Groups { of_row: "0".to_owned(), count: 1, dictionary: "null".to_owned(), skips_empty: false });
        };
        match (self.column(column)?, self.table.column(column)) {
            (Operand::Code { column, place }, Some(Column::Texts { dictionary, .. })) => {
                let count = dictionary.len();
                let dictionary = self.facts.object(format!("{column} texts"), Some(count as u64));
                Ok(Groups { of_row: place, count, dictionary, skips_empty: true })
            }
            _ => Err(format!("{column} has no texts, by which rows could be grouped")),
        }
    }

    /// Adds the row at hand to its group, whose numbers are the count of rows, and a sum for each output.
    fn add(&mut self, group: &str, width: usize) -> Result<(), String> {
        let place = self.emit(format!("getelementptr [{width} x i64], ptr %sums, i64 {group}"));
        self.increase(&place, "1");
        for (number, output) in (1..).zip(&self.statement.outputs) {
            if let Output::Sum(expression) | Output::Average(expression) = output {
                let Operand::Integer(value) = self.operand(expression)? else {
                    return Err("only numbers can be added up".to_owned());
                };
                let sum = self.emit(format!("getelementptr i64, ptr {place}, i64 {number}"));
                self.increase(&sum, &value);
            }
        }
        Ok(())
    }

    fn increase(&mut self, place: &str, value: &str) {
        let before = self.emit(format!("load i64, ptr {place}"));
        let after = self.emit(format!("add i64 {before}, {value}"));
        self.text += &format!("  store i64 {after}, ptr {place}\n");
    }

    /// Answers a row for `%group`, whose numbers are at `%place`.
    fn answer(&mut self, dictionary: &str, width: usize) -> Result<(), String> {
        for (number, output) in (1..width).zip(&self.statement.outputs) {
            let function = match output {
                Output::Column(column) if self.statement.group.as_ref() != Some(column) => {
                    return Err(format!("{column} is not what rows are grouped by"));
                }
                Output::Column(_) => {
                    self.text += &format!("  call void @add_text(ptr %answer, ptr {dictionary}, i64 %group)\n");
                    continue;
                }
                Output::Count => "add_count",
                Output::Sum(_) => "add_sum",
                Output::Average(_) => "add_average",
            };
            let place = self.emit(format!("getelementptr i64, ptr %place, i64 {number}"));
            let sum = self.emit(format!("load i64, ptr {place}"));
            self.text += &format!("  call void @{function}(ptr %answer, i64 {sum}, i64 %count)\n");
        }
        Ok(())
    }

    fn operand(&mut self, expression: &Expression) -> Result<Operand, String> {
        match expression {
            Expression::Integer(number) => Ok(Operand::Integer(number.to_string())),
            Expression::Text(text) => Ok(Operand::Literal(text.clone())),
            Expression::Column(name) => self.column(name),
            Expression::Binary(operator, operands) => {
                let [left, right] = &**operands;
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                self.operation(*operator, left, right)
            }
        }
    }

    /// What the row at hand has in a column.
    fn column(&mut self, name: &str) -> Result<Operand, String> {
        let table = &self.statement.table;
        let column = self.table.column(name).ok_or_else(|| format!("{table} has no column {name}"))?;
        let name = format!("{table}.{name}");
        let values = self.facts.object(name.clone(), Some(column.kind()));
        let integer = if matches!(column, Column::Integers(_)) { "i64" } else { "i32" };
        let value = self.emit(format!("getelementptr {integer}, ptr {values}, i64 %row"));
        let value = self.emit(format!("load {integer}, ptr {value}"));
        Ok(match column {
            Column::Integers(_) => Operand::Integer(value),
            Column::Texts { .. } => {
                Operand::Code { column: name, place: self.emit(format!("zext i32 {value} to i64")) }
            }
        })
    }

    fn operation(&mut self, operator: Operator, left: Operand, right: Operand) -> Result<Operand, String> {
        use Operand::{Code, Integer, Literal, Truth};
        use Operator::{Add, And, Equal, Multiply, NotEqual, Or, Subtract};
        let instruction = instruction(operator);
        match (operator, left, right) {
            (Or | And, Truth(left), Truth(right)) => Ok(Truth(self.emit(format!("{instruction} {left}, {right}")))),
            (Equal | NotEqual, Code { column, place }, Literal(text))
            | (Equal | NotEqual, Literal(text), Code { column, place }) => {
                let code = self.code(&column, &text)?;
                Ok(Truth(self.emit(format!("{instruction} {place}, {code}"))))
            }
            (Add | Subtract | Multiply, Integer(left), Integer(right)) => {
                Ok(Integer(self.emit(format!("{instruction} {left}, {right}"))))
            }
            (Or | And, ..) => Err("`and` and `or` need conditions".to_owned()),
            (_, Integer(left), Integer(right)) => Ok(Truth(self.emit(format!("{instruction} {left}, {right}")))),
            _ => Err("numbers go with numbers, and columns of texts with 'texts' by = or <>".to_owned()),
        }
    }

    /// The place of a text in a dictionary, on which the function counts from here on.
    fn code(&mut self, column: &str, text: &str) -> Result<u64, String> {
        let question = format!("{column} = {text}");
        let answer = self.tables.code(&question).ok_or_else(|| format!("{column} has no texts"))?;
        self.guards.insert(self.facts.code(question, answer));
        Ok(answer)
    }

    /// Appends an instruction. Its value is the answer.
    fn emit(&mut self, instruction: String) -> String {
        let value = format!("%v{}", self.value_count);
        self.value_count += 1;
        self.text += &format!("  {value} = {instruction}\n");
        value
    }

    /// The instructions so far.
    fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

fn instruction(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "or i1",
        Operator::And => "and i1",
        Operator::Equal => "icmp eq i64",
        Operator::NotEqual => "icmp ne i64",
        Operator::Less => "icmp slt i64",
        Operator::LessOrEqual => "icmp sle i64",
        Operator::Greater => "icmp sgt i64",
        Operator::GreaterOrEqual => "icmp sge i64",
        Operator::Add => "add i64",
        Operator::Subtract => "sub i64",
        Operator::Multiply => "mul i64",
    }
}
