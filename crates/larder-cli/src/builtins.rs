//! Names of the functions that compilers call for what the processor has no instruction for, such as `__truncsfbf2`.
//!
//! They are defined by the static libraries that compilers link natively (compiler-rt's builtins, libgcc.a). A process has those of
//! libgcc_s only. Their names are an operation and the modes of its operands (GCC internals, "The GCC low-level runtime library").

const OPERATIONS: [&str; 41] = [
    "absv", "add", "addv", "ashl", "ashr", "bswap", "clz", "cmp", "ctz", "div", "divmod", "eq", "extend", "ffs", "fix",
    "fixuns", "float", "floatun", "ge", "gt", "le", "lshr", "lt", "mod", "mul", "mulo", "mulv", "ne", "neg", "negv",
    "parity", "popcount", "powi", "sub", "subv", "trunc", "ucmp", "udiv", "udivmod", "umod", "unord",
];
/// Integers, floating-point and complex numbers of each size.
const MODES: [&str; 13] = ["si", "di", "ti", "bf", "hf", "sf", "df", "xf", "tf", "sc", "dc", "xc", "tc"];

/// What to do about the first such name, in words that follow those about the others.
pub(crate) fn advice(names: &[String]) -> Option<String> {
    let name = names.iter().find(|name| is_builtin(name))?;
    Some(format!(
        "; {name} is of the compiler's own library, which it links natively: \
         --extra-archive \"$(clang --print-libgcc-file-name --rtlib=compiler-rt)\""
    ))
}

fn is_builtin(name: &str) -> bool {
    let Some(name) = name.strip_prefix("__") else { return false };
    OPERATIONS.iter().filter_map(|operation| name.strip_prefix(operation)).any(is_modes)
}

/// One mode or two, and perhaps the number of operands.
fn is_modes(text: &str) -> bool {
    let text = text.strip_suffix(['2', '3', '4']).unwrap_or(text);
    let is_mode = |mode: &str| MODES.contains(&mode);
    is_mode(text) || text.split_at_checked(2).is_some_and(|(first, second)| is_mode(first) && is_mode(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_known_by_operation_and_modes() {
        for name in
            ["__truncsfbf2", "__extendbfsf2", "__mulodi4", "__udivmodti4", "__floatuntixf", "__muldc3", "__addvsi3"]
        {
            assert!(is_builtin(name), "{name}");
        }
        for name in
            ["truncsfbf2", "__trunc", "__truncsf9", "__add", "__modern", "__divine", "__mul\u{e9}3", "__asan_init"]
        {
            assert!(!is_builtin(name), "{name}");
        }
    }
}
