//! Modules of a few lines, as text.

use std::fmt::Write;

/// A program that prints `text` and ends with `code` (of two digits, so that all have one length).
pub(crate) fn saying(text: &str, code: u8) -> String {
    let len = text.len() + 1;
    format!(
        "@text = private constant [{len} x i8] c\"{text}\\00\"\n\
         declare i32 @puts(ptr)\n\
         define i32 @main() {{\n  \
           %r = call i32 @puts(ptr @text)\n  \
           ret i32 {code:02}\n\
         }}\n"
    )
}

/// A program with so many functions that compiling it takes a while: `main` calls all of them and ends with 0.
pub(crate) fn laborious(functions: usize) -> String {
    let mut text = String::new();
    let mut calls = String::from("define i32 @main() {\n  %s0 = add i32 0, 0\n");
    for f in 0..functions {
        // Writing to a string can't fail.
        let _ = write!(text, "define i32 @f{f}(i32 %x) noinline {{\n  %v0 = mul i32 %x, {}\n", f + 3);
        for step in 0..40 {
            let _ = writeln!(
                text,
                "  %a{step} = lshr i32 %v{step}, {}\n  %v{} = xor i32 %a{step}, %v{step}",
                step % 7 + 1,
                step + 1
            );
        }
        let _ = write!(text, "  ret i32 %v40\n}}\n");
        let _ = writeln!(calls, "  %c{f} = call i32 @f{f}(i32 %s{f})\n  %s{} = add i32 %s{f}, %c{f}", f + 1);
    }
    let _ = write!(calls, "  %r = and i32 %s{functions}, 0\n  ret i32 %r\n}}\n");
    text + &calls
}
