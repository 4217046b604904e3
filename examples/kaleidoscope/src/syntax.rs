//! What a program is, once it is parsed.
//!
//! Each item can be written down again, with all parentheses and on one line. What is written says everything that code depends on, so it
//! is both the item's key and its line in the file of definitions.

use std::fmt;

/// What stands between semicolons.
#[derive(Debug)]
pub(crate) enum Item {
    Definition(Function),
    Extern(Prototype),
    /// What is worth something, as a function without parameters.
    Expression(Function),
}

/// The name of functions that expressions become; no function of a program can be called so.
pub(crate) const EXPRESSION: &str = "the expression";

/// How a function is called.
#[derive(Debug)]
pub(crate) struct Prototype {
    /// `fib`; of an operator, `unary!` or `binary|`.
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    /// How strongly a binary operator binds.
    pub(crate) precedence: Option<u32>,
}

/// A function of numbers.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) prototype: Prototype,
    pub(crate) body: Expression,
}

/// All values are numbers.
#[derive(Debug)]
pub(crate) enum Expression {
    Number(f64),
    Variable(String),
    Assign(String, Box<Expression>),
    Unary(char, Box<Expression>),
    Binary(char, Box<[Expression; 2]>),
    Call(String, Vec<Expression>),
    /// Condition, and what it is worth if that is not zero and if it is.
    If(Box<[Expression; 3]>),
    /// The variable; its first value, the condition under which it goes on, how much is added each time, and what is done. It is worth zero.
    For(String, Box<[Expression; 4]>),
    /// Variables that can be assigned to, their first values, and the expression in which they are known.
    Var(Vec<(String, Expression)>, Box<Expression>),
}

/// The function that an operator with one operand stands for.
pub(crate) fn unary(operator: char) -> String {
    format!("unary{operator}")
}

/// The function that an operator with two operands stands for.
pub(crate) fn binary(operator: char) -> String {
    format!("binary{operator}")
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Definition(function) => write!(f, "{function}"),
            Item::Extern(prototype) => write!(f, "extern {prototype}"),
            Item::Expression(function) => write!(f, "{}", function.body),
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "def {} {}", self.prototype, self.body)
    }
}

impl fmt::Display for Prototype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(precedence) = self.precedence {
            write!(f, " {precedence} ")?;
        }
        write!(f, "({})", self.parameters.join(" "))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Number(number) => write!(f, "{number}"),
            Expression::Variable(name) => f.write_str(name),
            Expression::Assign(name, value) => write!(f, "({name} = {value})"),
            Expression::Unary(operator, operand) => write!(f, "{operator}({operand})"),
            Expression::Binary(operator, operands) => write!(f, "({} {operator} {})", operands[0], operands[1]),
            Expression::Call(name, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
                write!(f, "{name}({})", arguments.join(", "))
            }
            Expression::If(parts) => write!(f, "(if {} then {} else {})", parts[0], parts[1], parts[2]),
            Expression::For(name, parts) => {
                let [first, condition, step, body] = &**parts;
                write!(f, "(for {name} = {first}, {condition}, {step} in {body})")
            }
            Expression::Var(variables, body) => {
                let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                write!(f, "(var {} in {body})", variables.join(", "))
            }
        }
    }
}
