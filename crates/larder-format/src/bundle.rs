//! Several byte strings in one: a count, their lengths, then the strings one behind the other.
//!
//! Nothing is between or behind them, so equal strings give equal bundles. Two things are bundles behind a head of their own: the inputs
//! of an image that was made from several ([`encode_sources`]), and the objects of one module ([`crate::objects`]).

use crate::record::Record;

/// First bytes of the sources of an image that was made from several inputs. No module, object or archive begins like this.
pub const SOURCES_MAGIC: [u8; 8] = *b"LARDSRC\n";

/// The inputs of an image, in their order, as the one source that it carries.
pub fn encode_sources(inputs: &[&[u8]]) -> Vec<u8> {
    let mut out = SOURCES_MAGIC.to_vec();
    encode(inputs, &mut out);
    out
}

/// The inputs in the source of an image; `None` if it is a single input itself, or damaged.
pub fn decode_sources(source: &[u8]) -> Option<Vec<&[u8]>> {
    decode(source.strip_prefix(&SOURCES_MAGIC)?)
}

/// Appends a bundle.
pub(crate) fn encode(items: &[&[u8]], out: &mut Vec<u8>) {
    (items.len() as u64).encode(out);
    items.iter().for_each(|item| (item.len() as u64).encode(out));
    items.iter().for_each(|item| out.extend_from_slice(item));
}

/// Takes a bundle apart; `None` if the bytes are not exactly one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, rest) = bytes.split_at_checked(u64::SIZE)?;
    let lens_len = usize::try_from(u64::decode(count)?).ok()?.checked_mul(u64::SIZE)?;
    let (lens, mut rest) = rest.split_at_checked(lens_len)?;
    let mut items = Vec::with_capacity(lens.len() / u64::SIZE);
    for len in lens.chunks_exact(u64::SIZE) {
        let (item, behind) = rest.split_at_checked(usize::try_from(u64::decode(len)?).ok()?)?;
        items.push(item);
        rest = behind;
    }
    rest.is_empty().then_some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_come_back_as_they_were() {
        for inputs in [vec![], vec![&b""[..]], vec![&b"one"[..], b"", b"three"]] {
            assert_eq!(decode_sources(&encode_sources(&inputs)), Some(inputs));
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_no_bundle() {
        let whole = encode_sources(&[b"one", b"three"]);
        for len in 0..whole.len() {
            assert_eq!(decode_sources(&whole[..len]), None, "{len}");
        }
        assert_eq!(decode_sources(&[&whole[..], b"x"].concat()), None);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for number in [3, 1 << 32, 1 << 61, u64::MAX] {
            let mut bytes = encode_sources(&[b"one", b"three"]);
            bytes[8..16].copy_from_slice(&number.to_le_bytes());
            assert_eq!(decode_sources(&bytes), None, "{number} strings");
            let mut bytes = encode_sources(&[b"one", b"three"]);
            bytes[16..24].copy_from_slice(&number.wrapping_add(1).to_le_bytes());
            assert_eq!(decode_sources(&bytes), None, "a string of {number}");
        }
    }
}
