//! Symbols are read as they are written, and nothing else is read.

use super::*;
use proptest::prelude::*;

fn object(name: &[u8], fingerprint: Option<u64>) -> GuardSymbol {
    GuardSymbol::Object { name: name.into(), fingerprint }
}

fn predicate(order: u32, expected: u64, name: &[u8], arguments: &[u8]) -> GuardSymbol {
    GuardSymbol::Predicate { order, expected, name: name.into(), arguments: arguments.into() }
}

#[test]
fn symbols_are_written_as_documented() {
    let table: [(GuardSymbol, &str); 5] = [
        (object(b"table", None), "larder.object$any$table"),
        (object(b"table 3", Some(0xfeed)), "larder.object$000000000000feed$table%203"),
        (object("$%é".as_bytes(), Some(u64::MAX)), "larder.object$ffffffffffffffff$%24%25%C3%A9"),
        (predicate(3, 1, b"is_final", b""), "larder.guard$00000003$0000000000000001$is_final$"),
        (predicate(u32::MAX, 0, b"class.of", b"a,b"), "larder.guard$ffffffff$0000000000000000$class.of$a%2Cb"),
    ];
    for (symbol, text) in table {
        assert_eq!(symbol.to_string(), text);
        assert_eq!(GuardSymbol::parse(text.as_bytes()), Some(Ok(symbol)));
    }
}

#[test]
fn other_symbols_are_no_guards() {
    for name in ["", "main", "larder.object", "larder.objects$any$x", "larder.uses", "Larder.guard$"] {
        assert_eq!(GuardSymbol::parse(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    use GuardSymbolError::{Escape, Missing, Nul, Number, Unescaped};
    let fingerprint = Number { what: "the fingerprint", digits: "\"any\" or 16" };
    let table = [
        ("larder.object$", Missing("the object's name")),
        ("larder.object$any", Missing("the object's name")),
        ("larder.object$any$", Missing("the object's name")),
        ("larder.object$$x", fingerprint),
        ("larder.object$1$x", fingerprint),
        ("larder.object$000000000000FEED$x", fingerprint),
        ("larder.object$+00000000000feed$x", fingerprint),
        ("larder.object$any$a-b", Unescaped { byte: b'-' }),
        ("larder.object$any$a$b", Unescaped { byte: b'$' }),
        ("larder.object$any$a%", Escape),
        ("larder.object$any$a%2", Escape),
        ("larder.object$any$a%2d", Escape),
        ("larder.object$any$%41", Escape),
        ("larder.object$any$%00", Nul),
        ("larder.guard$", Missing("the expected answer")),
        ("larder.guard$00000000$", Missing("the predicate's name")),
        ("larder.guard$00000000$0000000000000000$x", Missing("the list of arguments")),
        ("larder.guard$00000000$0000000000000000$$x", Missing("the predicate's name")),
        ("larder.guard$0000000$0000000000000000$x$", Number { what: "the order", digits: "8" }),
        ("larder.guard$00000000$00000000000000000$x$", Number { what: "the expected answer", digits: "16" }),
        ("larder.guard$00000000$0000000000000000$x$a$b", Unescaped { byte: b'$' }),
    ];
    for (name, error) in table {
        assert_eq!(GuardSymbol::parse(name.as_bytes()), Some(Err(error)), "{name}");
    }
    assert_eq!(Unescaped { byte: b'-' }.to_string(), "write the byte 0x2d as %2D");
}

fn texts(len_min: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..=u8::MAX, len_min..20)
}

fn symbols() -> impl Strategy<Value = GuardSymbol> {
    let objects =
        (texts(1), any::<Option<u64>>()).prop_map(|(name, fingerprint)| GuardSymbol::Object { name, fingerprint });
    let predicates = (any::<u32>(), any::<u64>(), texts(1), texts(0))
        .prop_map(|(order, expected, name, arguments)| GuardSymbol::Predicate { order, expected, name, arguments });
    prop_oneof![objects, predicates]
}

proptest! {
    #[test]
    fn what_is_written_is_read(symbol in symbols()) {
        prop_assert_eq!(GuardSymbol::parse(symbol.to_string().as_bytes()), Some(Ok(symbol)));
    }

    #[test]
    fn what_is_read_is_written_the_same(symbol in symbols(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut text = symbol.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Some(Ok(symbol)) = GuardSymbol::parse(&text) {
            prop_assert_eq!(symbol.to_string().into_bytes(), text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(object: bool, rest in prop::collection::vec(any::<u8>(), 0..60)) {
        let prefix = if object { OBJECT_PREFIX } else { PREDICATE_PREFIX };
        let _ = GuardSymbol::parse(&[prefix.as_bytes(), &rest].concat());
    }
}
