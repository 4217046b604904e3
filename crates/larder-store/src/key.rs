//! The name of an entry: 32 bytes, printed as 64 hexadecimal digits.
//!
//! The bytes are somebody else's digest; all this crate asks of them is that different content has different bytes.
//! The printed form is also the file name, so only lower case is read back: one key has one name.

use std::fmt;
use std::str::FromStr;

/// The digest that names an entry of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 32]);

/// A text that is no key: a key is 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key: expected 64 hexadecimal digits in lower case")]
pub struct BadKey {
    /// What was read.
    pub text: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Key, BadKey> {
        from_hex(text).map(Key).ok_or_else(|| BadKey { text: text.to_owned() })
    }
}

/// 32 bytes as 64 digits, in lower case.
pub(crate) fn to_hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// The inverse of [`to_hex`]; nothing else is accepted.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_what_it_prints() {
        for bytes in [[0; 32], [0xff; 32], std::array::from_fn(|i| i as u8 * 7)] {
            let key = Key(bytes);
            assert_eq!(key.to_string().parse(), Ok(key));
            assert_eq!(key.to_string().len(), 64);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let right = Key([0xab; 32]).to_string();
        let cases = [
            String::new(),
            right[1..].into(),
            format!("{right}0"),
            right.to_uppercase(),
            "é".repeat(32),
            "g".repeat(64),
        ];
        for text in cases {
            assert_eq!(text.parse::<Key>(), Err(BadKey { text: text.clone() }));
        }
    }
}
