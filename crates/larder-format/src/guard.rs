//! Names of guards in object files: how a symbol says which heap object it stands for, or which predicate code counts on.
//!
//! ```text
//! larder.object$<fingerprint, 16 hex digits, or "any">$<name>
//! larder.guard$<order, 8 hex digits>$<expected answer, 16 hex digits>$<name>$<arguments>
//! ```
//!
//! Hexadecimal digits are lower-case. In names and arguments every byte but ASCII letters, digits, `_` and `.` is written as `%` and two
//! upper-case hexadecimal digits. There is one way to write a thing, so different symbols are different guards.
//!
//! A compiler that has no other way to say it can just use such a symbol: `extern char table asm("larder.object$any$table")`.

use std::fmt::Write as _;
use thiserror::Error;

/// How the symbol of an object begins.
pub const OBJECT_PREFIX: &str = "larder.object$";
/// How the symbol of a predicate begins.
pub const PREDICATE_PREFIX: &str = "larder.guard$";

/// What a symbol of a guard says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GuardSymbol {
    /// A heap object of the host.
    Object {
        /// The host's name for it: not empty, without a NUL.
        name: Vec<u8>,
        /// The fingerprint it must have; any if there is none.
        fingerprint: Option<u64>,
    },
    /// A question that the host answers with a number.
    Predicate {
        /// Its place among the predicates of its module, which are asked in that order.
        order: u32,
        /// The answer that code counts on.
        expected: u64,
        /// The host's name for the question: not empty, without a NUL.
        name: Vec<u8>,
        /// What it is asked about, without a NUL.
        arguments: Vec<u8>,
    },
}

/// What is wrong with a symbol that begins like a guard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GuardSymbolError {
    /// A number has other digits than it must.
    #[error("{what} must be {digits} lower-case hexadecimal digits")]
    Number {
        /// Which number.
        what: &'static str,
        /// How many digits, and what may stand for them.
        digits: &'static str,
    },
    /// A part is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A byte that has to be written another way.
    #[error("write the byte {byte:#04x} as %{byte:02X}")]
    Unescaped {
        /// The byte.
        byte: u8,
    },
    /// A `%` that begins nothing, or what needs no `%`.
    #[error("a % is followed by two upper-case hexadecimal digits of a byte that is no letter, digit, '_' or '.'")]
    Escape,
    /// A NUL in a name.
    #[error("a name can't contain a NUL")]
    Nul,
}

impl GuardSymbol {
    /// Reads a symbol's name; `None` if it begins like no guard's.
    ///
    /// # Errors
    /// It begins like a guard's and goes on otherwise.
    pub fn parse(symbol: &[u8]) -> Option<Result<GuardSymbol, GuardSymbolError>> {
        if let Some(rest) = symbol.strip_prefix(OBJECT_PREFIX.as_bytes()) {
            return Some(parse_object(rest));
        }
        symbol.strip_prefix(PREDICATE_PREFIX.as_bytes()).map(parse_predicate)
    }
}

impl std::fmt::Display for GuardSymbol {
    /// Writes the symbol's name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GuardSymbol::Object { name, fingerprint } => {
                f.write_str(OBJECT_PREFIX)?;
                match fingerprint {
                    Some(fingerprint) => write!(f, "{fingerprint:016x}$")?,
                    None => f.write_str("any$")?,
                }
                escape(name, f)
            }
            GuardSymbol::Predicate { order, expected, name, arguments } => {
                write!(f, "{PREDICATE_PREFIX}{order:08x}${expected:016x}$")?;
                escape(name, f)?;
                f.write_char('$')?;
                escape(arguments, f)
            }
        }
    }
}

fn parse_object(rest: &[u8]) -> Result<GuardSymbol, GuardSymbolError> {
    let (fingerprint, name) = split(rest).ok_or(GuardSymbolError::Missing("the object's name"))?;
    let fingerprint = match fingerprint {
        b"any" => None,
        digits => Some(
            number(digits, 16).ok_or(GuardSymbolError::Number { what: "the fingerprint", digits: "\"any\" or 16" })?,
        ),
    };
    Ok(GuardSymbol::Object { name: present(name, "the object's name")?, fingerprint })
}

fn parse_predicate(rest: &[u8]) -> Result<GuardSymbol, GuardSymbolError> {
    let (order, rest) = split(rest).ok_or(GuardSymbolError::Missing("the expected answer"))?;
    let (expected, rest) = split(rest).ok_or(GuardSymbolError::Missing("the predicate's name"))?;
    let (name, arguments) = split(rest).ok_or(GuardSymbolError::Missing("the list of arguments"))?;
    let order = number(order, 8).ok_or(GuardSymbolError::Number { what: "the order", digits: "8" })?;
    let expected =
        number(expected, 16).ok_or(GuardSymbolError::Number { what: "the expected answer", digits: "16" })?;
    Ok(GuardSymbol::Predicate {
        order: order as u32,
        expected,
        name: present(name, "the predicate's name")?,
        arguments: unescape(arguments)?,
    })
}

/// What stands before and behind the first `$`.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b'$')?;
    Some((&text[..at], &text[at + 1..]))
}

/// The number that exactly so many digits are.
fn number(digits: &[u8], count: usize) -> Option<u64> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let add = |number: u64, &byte: &u8| Some(number << 4 | u64::from(digit(byte)?));
    (digits.len() == count).then(|| digits.iter().try_fold(0, add))?
}

fn present(name: &[u8], what: &'static str) -> Result<Vec<u8>, GuardSymbolError> {
    if name.is_empty() { Err(GuardSymbolError::Missing(what)) } else { unescape(name) }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'
}

fn escape(name: &[u8], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    name.iter().try_for_each(|&byte| match is_plain(byte) {
        true => f.write_char(byte.into()),
        false => write!(f, "%{byte:02X}"),
    })
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, GuardSymbolError> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let mut bytes = text.iter();
    let mut name = Vec::with_capacity(text.len());
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            name.push(Some(byte).filter(|&byte| is_plain(byte)).ok_or(GuardSymbolError::Unescaped { byte })?);
            continue;
        }
        let mut next = || bytes.next().and_then(digit).ok_or(GuardSymbolError::Escape);
        match next()? << 4 | next()? {
            0 => return Err(GuardSymbolError::Nul),
            byte if is_plain(byte) => return Err(GuardSymbolError::Escape),
            byte => name.push(byte),
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
