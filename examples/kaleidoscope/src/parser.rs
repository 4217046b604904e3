//! Tokens become an item, by recursive descent; operators by their precedence.
//!
//! Everything that can be wrong with a program is found here, with its position: code is only generated for what is right.

use crate::error::{Error, Position};
use crate::lexer::Token;
use crate::syntax::{EXPRESSION, Expression, Function, Item, Prototype, unary};
use std::collections::HashMap;

/// Above this, nesting could use up the stack.
const TOKENS_MAX: usize = 10_000;
const ASSIGNMENT: u32 = 2;
/// Operators that are no functions, with their precedence.
const BUILT_IN: [(char, u32); 6] = [('<', 10), ('>', 10), ('+', 20), ('-', 20), ('*', 40), ('/', 40)];
const KEYWORDS: [&str; 8] = ["def", "extern", "if", "then", "else", "for", "in", "var"];

/// Functions that were declared or defined.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// How many arguments they have.
    arities: HashMap<String, usize>,
    /// How strongly binary operators bind.
    precedences: HashMap<char, u32>,
}

impl Known {
    pub(crate) fn add(&mut self, prototype: &Prototype) {
        self.arities.insert(prototype.name.clone(), prototype.parameters.len());
        let operator = prototype.name.chars().next_back();
        self.precedences.extend(operator.zip(prototype.precedence));
    }

    fn precedence(&self, operator: char) -> Option<u32> {
        let built_in = BUILT_IN.iter().find(|(symbol, _)| *symbol == operator);
        built_in.map(|(_, precedence)| *precedence).or_else(|| self.precedences.get(&operator).copied())
    }
}

/// Parses what stands between two semicolons; `end` is the place of the second.
pub(crate) fn item(tokens: &[(Position, Token)], end: Position, known: &Known) -> Result<Item, Error> {
    if tokens.len() > TOKENS_MAX {
        return Err(end.error(format!("this has {} words, and {TOKENS_MAX} are allowed", tokens.len())));
    }
    let mut parser = Parser { tokens, end, known: known.clone(), variables: Vec::new() };
    let item = parser.item()?;
    match parser.tokens.first() {
        Some(_) => Err(parser.unexpected("`;`")),
        None => Ok(item),
    }
}

struct Parser<'a> {
    /// Those that are left.
    tokens: &'a [(Position, Token)],
    end: Position,
    known: Known,
    /// In scope; the innermost is the last.
    variables: Vec<String>,
}

impl Parser<'_> {
    fn item(&mut self) -> Result<Item, Error> {
        if self.take_word("extern") {
            return self.prototype().map(Item::Extern);
        }
        if !self.take_word("def") {
            let prototype = Prototype { name: EXPRESSION.to_owned(), parameters: Vec::new(), precedence: None };
            return Ok(Item::Expression(Function { prototype, body: self.expression()? }));
        }
        let prototype = self.prototype()?;
        // It may call itself.
        self.known.add(&prototype);
        self.variables.clone_from(&prototype.parameters);
        let body = self.expression()?;
        Ok(Item::Definition(Function { prototype, body }))
    }

    /// `name(a b)`, `unary!(a)` or `binary| 5 (a b)`.
    fn prototype(&mut self) -> Result<Prototype, Error> {
        let position = self.position();
        let word = self.name("the name of a function")?;
        let operands = match word.as_str() {
            "unary" => Some(1),
            "binary" => Some(2),
            _ => None,
        };
        let name = if operands.is_some() { format!("{word}{}", self.operator(operands)?) } else { word };
        let precedence = if operands == Some(2) { Some(self.precedence()?) } else { None };
        self.symbol('(')?;
        let mut parameters = Vec::new();
        while !self.take(')') {
            parameters.push(self.name("a parameter, or `)`")?);
            self.take(',');
        }
        if operands.is_some_and(|count| count != parameters.len()) {
            return Err(position.error(format!("{name} can't have {} parameters", parameters.len())));
        }
        self.check_arity(position, &name, parameters.len())?;
        Ok(Prototype { name, parameters, precedence })
    }

    fn operator(&mut self, operands: Option<usize>) -> Result<char, Error> {
        match self.tokens.first() {
            Some((position, Token::Symbol(operator))) => {
                let is_built_in = operands == Some(2) && BUILT_IN.iter().any(|(built_in, _)| built_in == operator);
                if is_built_in || "=(),".contains(*operator) {
                    return Err(position.error(format!("`{operator}` has a meaning that can't be changed")));
                }
                self.skip();
                Ok(*operator)
            }
            _ => Err(self.unexpected("an operator")),
        }
    }

    fn precedence(&mut self) -> Result<u32, Error> {
        match self.tokens.first() {
            Some((_, Token::Number(number))) if (1.0..=100.0).contains(number) && number.fract() == 0.0 => {
                self.skip();
                Ok(*number as u32)
            }
            _ => Err(self.unexpected("a precedence from 1 to 100")),
        }
    }

    fn expression(&mut self) -> Result<Expression, Error> {
        let first = self.operand()?;
        self.operators_after(first, 0)
    }

    /// Everything that binds at least as strongly, to the right of an operand.
    fn operators_after(&mut self, mut left: Expression, weakest: u32) -> Result<Expression, Error> {
        while let Some((operator, precedence)) = self.next_operator().filter(|(_, next)| *next >= weakest) {
            let position = self.position();
            self.skip();
            let mut right = self.operand()?;
            while let Some((next, stronger)) = self.next_operator() {
                if stronger < precedence || stronger == precedence && next != '=' {
                    break;
                }
                right = self.operators_after(right, stronger)?;
            }
            left = match (operator, left) {
                ('=', Expression::Variable(name)) => Expression::Assign(name, Box::new(right)),
                ('=', _) => return Err(position.error("only variables can be assigned to")),
                (_, left) => Expression::Binary(operator, Box::new([left, right])),
            };
        }
        Ok(left)
    }

    fn next_operator(&self) -> Option<(char, u32)> {
        match self.tokens.first()? {
            (_, Token::Symbol('=')) => Some(('=', ASSIGNMENT)),
            (_, Token::Symbol(operator)) => Some((*operator, self.known.precedence(*operator)?)),
            _ => None,
        }
    }

    fn operand(&mut self) -> Result<Expression, Error> {
        let position = self.position();
        match self.tokens.first() {
            Some((_, Token::Number(number))) => {
                self.skip();
                Ok(Expression::Number(*number))
            }
            Some((_, Token::Name(name))) => self.word(position, name),
            Some((_, Token::Symbol('('))) => {
                self.skip();
                let inner = self.expression()?;
                self.symbol(')')?;
                Ok(inner)
            }
            Some((_, Token::Symbol(operator))) if self.arity(&unary(*operator)).is_some() => {
                self.skip();
                Ok(Expression::Unary(*operator, Box::new(self.operand()?)))
            }
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn word(&mut self, position: Position, word: &str) -> Result<Expression, Error> {
        self.skip();
        match word {
            "if" => {
                let condition = self.expression()?;
                self.keyword("then")?;
                let then = self.expression()?;
                self.keyword("else")?;
                Ok(Expression::If(Box::new([condition, then, self.expression()?])))
            }
            "for" => self.loop_of_numbers(),
            "var" => self.variables(),
            _ if KEYWORDS.contains(&word) => Err(position.error(format!("`{word}` can't stand here"))),
            _ if self.take('(') => self.call(position, word),
            _ if self.variables.iter().any(|variable| variable == word) => Ok(Expression::Variable(word.to_owned())),
            _ => Err(position.error(format!("there is no variable {word}"))),
        }
    }

    fn call(&mut self, position: Position, name: &str) -> Result<Expression, Error> {
        let mut arguments = Vec::new();
        while !self.take(')') {
            if !arguments.is_empty() {
                self.symbol(',')?;
            }
            arguments.push(self.expression()?);
        }
        match self.arity(name) {
            Some(_) => self.check_arity(position, name, arguments.len())?,
            None => return Err(position.error(format!("there is no function {name}"))),
        }
        Ok(Expression::Call(name.to_owned(), arguments))
    }

    /// A function that is known keeps its number of arguments: code counts on it.
    fn check_arity(&self, position: Position, name: &str, count: usize) -> Result<(), Error> {
        match self.arity(name) {
            Some(arity) if arity != count => {
                Err(position.error(format!("{name} takes {arity}, not {count} arguments")))
            }
            _ => Ok(()),
        }
    }

    /// `i = first, condition, step in body`; the step may be left out.
    fn loop_of_numbers(&mut self) -> Result<Expression, Error> {
        let variable = self.name("a variable")?;
        self.symbol('=')?;
        let first = self.expression()?;
        self.symbol(',')?;
        let scope = self.variables.len();
        self.variables.push(variable.clone());
        let condition = self.expression()?;
        let step = if self.take(',') { self.expression()? } else { Expression::Number(1.0) };
        self.keyword("in")?;
        let body = self.expression()?;
        self.variables.truncate(scope);
        Ok(Expression::For(variable, Box::new([first, condition, step, body])))
    }

    /// `a = 1, b = 2 in body`; the first value may be left out.
    fn variables(&mut self) -> Result<Expression, Error> {
        let scope = self.variables.len();
        let mut variables = Vec::new();
        loop {
            let variable = self.name("a variable")?;
            let value = if self.take('=') { self.expression()? } else { Expression::Number(0.0) };
            self.variables.push(variable.clone());
            variables.push((variable, value));
            if !self.take(',') {
                break;
            }
        }
        self.keyword("in")?;
        let body = self.expression()?;
        self.variables.truncate(scope);
        Ok(Expression::Var(variables, Box::new(body)))
    }

    fn arity(&self, function: &str) -> Option<usize> {
        self.known.arities.get(function).copied()
    }

    fn name(&mut self, expected: &str) -> Result<String, Error> {
        match self.tokens.first() {
            Some((_, Token::Name(name))) if !KEYWORDS.contains(&name.as_str()) => {
                self.skip();
                Ok(name.clone())
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Error> {
        if self.take_word(keyword) { Ok(()) } else { Err(self.unexpected(&format!("`{keyword}`"))) }
    }

    fn symbol(&mut self, symbol: char) -> Result<(), Error> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.tokens.first(), Some((_, Token::Name(name))) if name == keyword);
        if is_next {
            self.skip();
        }
        is_next
    }

    fn take(&mut self, symbol: char) -> bool {
        let is_next = matches!(self.tokens.first(), Some((_, Token::Symbol(next))) if *next == symbol);
        if is_next {
            self.skip();
        }
        is_next
    }

    fn skip(&mut self) {
        self.tokens = &self.tokens[1..];
    }

    fn position(&self) -> Position {
        self.tokens.first().map_or(self.end, |(position, _)| *position)
    }

    fn unexpected(&self, expected: &str) -> Error {
        self.position().error(format!("{expected} was expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::tokens;

    fn parse(source: &str) -> Result<String, Error> {
        let mut known = Known::default();
        for (name, arity, precedence) in [("f", 2, None), ("unary!", 1, None), ("binary|", 2, Some(5))] {
            let parameters = vec!["x".to_owned(); arity];
            known.add(&Prototype { name: name.to_owned(), parameters, precedence });
        }
        let end = Position { line: 1, column: source.len() + 1 };
        Ok(item(&tokens(1, source)?, end, &known)?.to_string())
    }

    #[test]
    fn what_is_written_down_again_has_all_parentheses() {
        let cases = [
            ("def g(a, b) a+b*a-1<b", "def g(a b) (((a + (b * a)) - 1) < b)"),
            ("def binary& 6 (a b) if a then b else 0", "def binary& 6 (a b) (if a then b else 0)"),
            ("def unary-(x) !x | 2 | f(x, -x)", "def unary-(x) ((!(x) | 2) | f(x, -(x)))"),
            ("var a, b = 2 in a = b = 3", "(var a = 0, b = 2 in (a = (b = 3)))"),
            ("for i = 1, i < 3 in f(i, i)", "(for i = 1, (i < 3), 1 in f(i, i))"),
            ("extern g(x)", "extern g(x)"),
        ];
        for (source, expected) in cases {
            let written = parse(source).expect(source);
            assert_eq!(written, expected);
            assert_eq!(parse(&written).expect(expected), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            ("def f(x) x", "1:5: f takes 2, not 1 arguments"),
            ("f(1)", "1:1: f takes 2, not 1 arguments"),
            ("1 + g(1)", "1:5: there is no function g"),
            ("var a = a in a", "1:9: there is no variable a"),
            ("1 = 2", "1:3: only variables can be assigned to"),
            ("def binary+ 7 (a b) a", "1:11: `+` has a meaning that can't be changed"),
            ("def binary& 0 (a b) a", "1:13: a precedence from 1 to 100 was expected"),
            ("def unary~(a b) a", "1:5: unary~ can't have 2 parameters"),
            ("if 1 then 2", "1:12: `else` was expected"),
            ("1 2", "1:3: `;` was expected"),
            ("(1", "1:3: `)` was expected"),
            ("then", "1:1: `then` can't stand here"),
            ("", "1:1: an expression was expected"),
        ];
        for (source, expected) in cases {
            assert_eq!(parse(source).expect_err(source).to_string(), expected);
        }
    }
}
