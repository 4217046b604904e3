//! The text of queries becomes statements. Nothing here knows the tables.
//!
//! ```text
//! statement   select output, … from table [where expression] [group by column] ;
//! output      column | count(*) | sum(expression) | avg(expression)
//! expression  integers, 'texts' and columns with * + - = <> < <= > >= and or, by their usual precedence, and parentheses
//! ```

use crate::error::Error;

/// Above this, nesting could use up the stack.
const TOKENS_MAX: usize = 300;

/// One query.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As it was written, without the semicolon.
    pub text: String,
    /// What each row of the answer has.
    pub outputs: Vec<Output>,
    /// The table's name.
    pub table: String,
    /// Which rows count.
    pub condition: Option<Expression>,
    /// Rows that are equal in this column give one row of the answer.
    pub group: Option<String>,
}

/// One column of an answer.
#[derive(Debug, Clone)]
pub enum Output {
    /// The column by which rows are grouped.
    Column(String),
    /// How many rows.
    Count,
    /// A sum over them.
    Sum(Expression),
    /// An average over them.
    Average(Expression),
}

/// What can be said of a row.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// What the row has in this column.
    Column(String),
    /// An operator and its operands.
    Binary(Operator, Box<[Expression; 2]>),
}

/// What is done with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called what they are")]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
}

/// Operators as they are written, with their precedence.
const OPERATORS: [(&str, Operator, u32); 11] = [
    ("or", Operator::Or, 1),
    ("and", Operator::And, 2),
    ("=", Operator::Equal, 3),
    ("<>", Operator::NotEqual, 3),
    ("<=", Operator::LessOrEqual, 3),
    (">=", Operator::GreaterOrEqual, 3),
    ("<", Operator::Less, 3),
    (">", Operator::Greater, 3),
    ("+", Operator::Add, 4),
    ("-", Operator::Subtract, 4),
    ("*", Operator::Multiply, 5),
];

/// Words that no table or column is called.
const KEYWORDS: [&str; 10] = ["select", "from", "where", "group", "by", "and", "or", "count", "sum", "avg"];

/// Parses statements, each of which ends with a semicolon.
///
/// # Errors
/// [`Error::Syntax`], at the first place where something else was expected.
pub fn parse(text: &str) -> Result<Vec<Statement>, Error> {
    let mut parser = Parser { text, place: 0, token_count: 0 };
    let mut statements = Vec::new();
    while !parser.rest().is_empty() {
        parser.token_count = 0;
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

struct Parser<'a> {
    text: &'a str,
    /// How much of it is parsed.
    place: usize,
    /// Of this statement.
    token_count: usize,
}

impl<'a> Parser<'a> {
    fn statement(&mut self) -> Result<Statement, Error> {
        let start = self.rest().as_ptr() as usize - self.text.as_ptr() as usize;
        self.expect("select")?;
        let mut outputs = vec![self.output()?];
        while self.take(",") {
            outputs.push(self.output()?);
        }
        self.expect("from")?;
        let table = self.name("a table")?;
        let condition = if self.take("where") { Some(self.expression(0)?) } else { None };
        let group = if self.take("group") {
            self.expect("by")?;
            Some(self.name("a column")?)
        } else {
            None
        };
        let text = self.text[start..self.place].to_owned();
        self.expect(";")?;
        Ok(Statement { text, outputs, table, condition, group })
    }

    fn output(&mut self) -> Result<Output, Error> {
        if self.take("count") {
            ["(", "*", ")"].into_iter().try_for_each(|symbol| self.expect(symbol))?;
            return Ok(Output::Count);
        }
        let aggregate = [("sum", Output::Sum as fn(_) -> _), ("avg", Output::Average)].into_iter();
        match aggregate.into_iter().find(|(word, _)| self.take(word)) {
            Some((_, output)) => {
                self.expect("(")?;
                let expression = self.expression(0)?;
                self.expect(")")?;
                Ok(output(expression))
            }
            None => Ok(Output::Column(self.name("count, sum, avg or a column")?)),
        }
    }

    /// What binds at least as strongly.
    fn expression(&mut self, weakest: u32) -> Result<Expression, Error> {
        let mut left = self.operand()?;
        while let Some((word, operator, precedence)) = self.next_operator().filter(|(.., next)| *next >= weakest) {
            self.take(word);
            let right = self.expression(precedence + 1)?;
            left = Expression::Binary(operator, Box::new([left, right]));
        }
        Ok(left)
    }

    fn next_operator(&mut self) -> Option<(&'static str, Operator, u32)> {
        let token = self.token();
        OPERATORS.into_iter().find(|(word, ..)| token.eq_ignore_ascii_case(word))
    }

    fn operand(&mut self) -> Result<Expression, Error> {
        if self.take("(") {
            let inner = self.expression(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let token = self.token();
        if let Some(text) = token.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            self.skip(token);
            return Ok(Expression::Text(text.to_owned()));
        }
        match token.parse() {
            Ok(number) => {
                self.skip(token);
                Ok(Expression::Integer(number))
            }
            Err(_) => Ok(Expression::Column(self.name("a number, a 'text' or a column")?)),
        }
    }

    fn name(&mut self, expected: &str) -> Result<String, Error> {
        let token = self.token();
        let name = token.to_ascii_lowercase();
        let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if !is_name || KEYWORDS.contains(&name.as_str()) {
            return Err(self.unexpected(expected));
        }
        self.skip(token);
        Ok(name)
    }

    fn expect(&mut self, word: &str) -> Result<(), Error> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn take(&mut self, word: &str) -> bool {
        let token = self.token();
        let is_next = self.token_count < TOKENS_MAX && token.eq_ignore_ascii_case(word);
        if is_next {
            self.skip(token);
        }
        is_next
    }

    fn skip(&mut self, token: &str) {
        self.place = self.text.len() - self.rest().len() + token.len();
        self.token_count += 1;
    }

    fn rest(&self) -> &'a str {
        self.text[self.place..].trim_start()
    }

    /// The next one, which is empty at the end. A text that has no end is its quote alone.
    fn token(&self) -> &'a str {
        let rest = self.rest();
        let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let len = match rest.chars().next() {
            None => 0,
            Some('\'') => rest[1..].find('\'').map_or(1, |end| end + 2),
            Some(first) if word(first) => rest.find(|letter| !word(letter)).unwrap_or(rest.len()),
            Some(_) if ["<>", "<=", ">="].iter().any(|symbol| rest.starts_with(symbol)) => 2,
            Some(first) => first.len_utf8(),
        };
        &rest[..len]
    }

    fn unexpected(&self, expected: &str) -> Error {
        let before = &self.text[..self.text.len() - self.rest().len()];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let message = if self.token_count < TOKENS_MAX {
            format!("{expected} was expected")
        } else {
            format!("a statement has at most {TOKENS_MAX} words")
        };
        Error::Syntax {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_what_was_written() {
        let statements = parse(
            " select City, SUM(a*2+1)\nfrom T where a<>-1 or b='x;' and 2<a group by city; select count(*) from t;",
        );
        let error = statements.expect_err("there are no negative numbers");
        assert_eq!(error.to_string(), "2:17: a number, a 'text' or a column was expected");
        let statements = parse(
            " select City, SUM(a*2+1)\nfrom T where a<>1 or b='x;' and 2<a group by city; select count(*) from t;",
        );
        let statements = statements.expect("right");
        assert_eq!(statements[1].text, "select count(*) from t");
        let Some(Expression::Binary(Operator::Or, sides)) = &statements[0].condition else {
            panic!("{statements:?}");
        };
        assert!(matches!(&sides[1], Expression::Binary(Operator::And, _)));
        assert_eq!((statements[0].table.as_str(), statements[0].group.as_deref()), ("t", Some("city")));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            ("select", "1:7: count, sum, avg or a column was expected"),
            ("select a from t", "1:16: `;` was expected"),
            ("select a\n from group;", "2:7: a table was expected"),
            ("select a from t where b = 'x;", "1:27: a number, a 'text' or a column was expected"),
            ("select sum(a from t;", "1:14: `)` was expected"),
            (
                "select a from t where (((99999999999999999999 = 1)));",
                "1:26: a number, a 'text' or a column was expected",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).expect_err(text).to_string(), expected);
        }
        let deep = format!("select a from t where {}1;", "(".repeat(100_000));
        assert!(parse(&deep).expect_err("too deep").to_string().ends_with("a statement has at most 300 words"));
    }
}
