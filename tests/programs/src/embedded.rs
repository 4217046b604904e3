//! What a host with a JIT hands over, the same at every run: code that uses many of the host's functions, code that counts on the host's
//! objects, and one function as a prompt or a query compiler makes them by the thousand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::artefacts::{Recipe, artefact};
use crate::bitcode::Programs;
use crate::generated::{TARGET, write_arithmetic};
use crate::numbers::Random;

/// Changes whenever the text of a module does.
const GENERATOR: &str = "embedded 1";
/// The name in the object of [`Programs::small_object`]: another of this length may be written over it.
pub const SMALL_NAME: &str = "function_000000";

impl Programs {
    /// A module whose `main` adds what `count` functions of the host answer: `host_0` and so on.
    pub fn importing(&self, count: usize) -> Result<PathBuf> {
        self.text(&format!("importing_{count}"), "ll", importing(count))
    }

    /// A shared library with those functions.
    pub fn imported(&self, count: usize) -> Result<PathBuf> {
        let functions = (0..count).map(|index| format!("long host_{index}(long x) {{ return x + {index}; }}\n"));
        let source = self.text(&format!("imported_{count}"), "c", functions.collect())?;
        self.host_library(&source)
    }

    /// A module of `functions` functions, each of which counts on the contents of an object of the host: `lonely` for the one in the middle,
    /// `common` for all others.
    pub fn guarded(&self, functions: usize) -> Result<PathBuf> {
        self.text(&format!("guarded_{functions}"), "ll", guarded(functions, 0..functions))
    }

    /// Its function in the middle by itself.
    pub fn guarded_middle(&self, functions: usize) -> Result<PathBuf> {
        let middle = functions / 2;
        let alone = guarded(functions, middle..middle + 1);
        self.text(
            &format!("guarded_middle_{functions}"),
            "ll",
            alone.replace("available_externally constant", "constant"),
        )
    }

    /// An object with the function [`SMALL_NAME`], which calls the host's `host_double` and reads a constant.
    pub fn small_object(&self) -> Result<PathBuf> {
        self.object(&self.text("small", "ll", small())?)
    }

    /// A function that reads through a pointer to an object of the host, `cell`: `main`, of the type of all functions here.
    pub fn reading_object(&self) -> Result<PathBuf> {
        let object = "@cell = external global i64, !larder.object !0\n!0 = !{!\"cell\", i64 1}";
        self.text("reading_object", "ll", reading(object, "%value = load i64, ptr @cell"))
    }

    /// The same by a global pointer of its own.
    pub fn reading_pointer(&self) -> Result<PathBuf> {
        let pointer = "@value = internal global i64 42\n@cell = hidden global ptr @value";
        self.text("reading_pointer", "ll", reading(pointer, "%at = load ptr, ptr @cell\n  %value = load i64, ptr %at"))
    }

    /// A shared library of one C file.
    pub fn host_library(&self, source: &Path) -> Result<PathBuf> {
        self.host_program(source, &["-shared", "-fPIC"])
    }

    fn text(&self, name: &str, extension: &str, text: String) -> Result<PathBuf> {
        let mut recipe = Recipe::new(GENERATOR);
        artefact(&self.directory, (name, extension), recipe.word(&text), |out| Ok(fs::write(out, &text)?))
    }
}

fn importing(count: usize) -> String {
    let mut text = format!("{TARGET}\n");
    (0..count).for_each(|index| _ = writeln!(text, "declare i64 @host_{index}(i64)"));
    text.push_str("define i64 @main(i64 %x) {\n  %s0 = add i64 %x, 0\n");
    for index in 0..count {
        let _ = writeln!(text, "  %v{index} = call i64 @host_{index}(i64 %x)");
        let _ = writeln!(text, "  %s{} = add i64 %s{index}, %v{index}", index + 1);
    }
    let _ = writeln!(text, "  ret i64 %s{count}\n}}");
    text
}

/// Some functions of a module of so many.
fn guarded(functions: usize, written: std::ops::Range<usize>) -> String {
    let object = |name| format!("@{name} = available_externally constant [2 x i64] [i64 3, i64 4], !larder.object");
    let mut text = format!("{TARGET}\n{} !0\n{} !1\n", object("common"), object("lonely"));
    text.push_str("!0 = !{!\"common\", i64 1}\n!1 = !{!\"lonely\", i64 1}\n");
    for index in written {
        let used = if index == functions / 2 { "lonely" } else { "common" };
        let mut random = Random::of_state(index as u64 + 1);
        let mut body = Vec::new();
        let written = write_arithmetic("a", "%x", &mut random, &mut body)
            .and_then(|()| write_arithmetic("b", "%a7", &mut random, &mut body));
        debug_assert!(written.is_ok(), "memory takes everything");
        let _ = write!(text, "define i64 @f{index}(i64 %x) uwtable {{\n{}", String::from_utf8_lossy(&body));
        let _ = writeln!(text, "  %place = and i64 %b7, 1");
        let _ = writeln!(text, "  %at = getelementptr [2 x i64], ptr @{used}, i64 0, i64 %place");
        let _ = writeln!(text, "  %value = load i64, ptr %at\n  %result = add i64 %value, %b6\n  ret i64 %result\n}}");
    }
    text
}

fn small() -> String {
    format!(
        "{TARGET}\n@numbers = internal constant [4 x i64] [i64 5, i64 7, i64 11, i64 13]\ndeclare i64 @host_double(i64)\n\
         define i64 @{SMALL_NAME}(i64 %x) uwtable {{\n  %doubled = call i64 @host_double(i64 %x)\n  %place = and i64 %doubled, 3\n\
         \x20 %at = getelementptr [4 x i64], ptr @numbers, i64 0, i64 %place\n  %number = load i64, ptr %at\n\
         \x20 %sum = add i64 %doubled, %number\n  ret i64 %sum\n}}\n"
    )
}

fn reading(object: &str, read: &str) -> String {
    format!(
        "{TARGET}\n{object}\ndefine i64 @main(i64 %x) uwtable {{\n  {read}\n  %sum = add i64 %value, %x\n  ret i64 %sum\n}}\n"
    )
}
