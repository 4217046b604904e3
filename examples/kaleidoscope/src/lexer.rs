//! Lines become tokens. No token goes over the end of a line, and none needs to know what its neighbours mean.

use crate::error::{Error, Position};

/// A word of the language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    /// A name or a keyword.
    Name(String),
    /// Anything else: an operator, a parenthesis, a comma, or the semicolon at an item's end.
    Symbol(char),
}

/// Tokens of one line, without its comment.
pub(crate) fn tokens(number: usize, line: &str) -> Result<Vec<(Position, Token)>, Error> {
    let mut rest = line.split('#').next().unwrap_or_default();
    let mut tokens = Vec::new();
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let position = Position { line: number, column };
        let (text, after) = rest.split_at(token_len(rest, first));
        if let Some(token) = token(first, text).map_err(|message| position.error(message))? {
            tokens.push((position, token));
        }
        column += text.chars().count();
        rest = after;
    }
    Ok(tokens)
}

/// How many bytes of the text, which begins with `first`, are one token or white space.
fn token_len(text: &str, first: char) -> usize {
    let is_inside = match first {
        _ if first.is_whitespace() => char::is_whitespace,
        _ if starts_number(first) => starts_number,
        _ if starts_name(first) => |letter| starts_name(letter) || letter.is_ascii_digit(),
        _ => return first.len_utf8(),
    };
    text.find(|letter| !is_inside(letter)).unwrap_or(text.len())
}

fn token(first: char, text: &str) -> Result<Option<Token>, String> {
    match first {
        _ if first.is_whitespace() => Ok(None),
        _ if starts_number(first) => match text.parse() {
            Ok(number) if f64::is_finite(number) => Ok(Some(Token::Number(number))),
            _ => Err(format!("{text} is not a number")),
        },
        _ if starts_name(first) => Ok(Some(Token::Name(text.to_owned()))),
        _ if first.is_ascii_punctuation() => Ok(Some(Token::Symbol(first))),
        _ => Err(format!("what does `{first}` mean?")),
    }
}

fn starts_number(letter: char) -> bool {
    letter.is_ascii_digit() || letter == '.'
}

fn starts_name(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_tokens_with_positions() {
        let tokens = tokens(7, "def f(x1)  x1|.5; # half").expect("right");
        let columns: Vec<_> = tokens.iter().map(|(position, _)| position.column).collect();
        assert_eq!(columns, [1, 5, 6, 7, 9, 12, 14, 15, 17]);
        assert_eq!(tokens[3].1, Token::Name("x1".to_owned()));
        assert_eq!(tokens[7].1, Token::Number(0.5));
        assert_eq!(tokens[8].1, Token::Symbol(';'));
    }

    #[test]
    fn what_is_no_token_is_an_error_at_its_place() {
        assert_eq!(tokens(1, "1 + 1.2.3").expect_err("no number").to_string(), "1:5: 1.2.3 is not a number");
        assert_eq!(tokens(2, "ä").expect_err("no ASCII").to_string(), "2:1: what does `ä` mean?");
    }
}
