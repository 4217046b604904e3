//! C programs by csmith, several in one module.
//!
//! csmith makes everything `static`, so each program of a module could be optimised by itself. Sometimes their functions and
//! variables are made visible under names of their own, and sometimes their variables thread-local, each program then running
//! in a thread of its own. csmith offers neither; its output is so regular that lines tell what they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Size;
use crate::numbers::Random;
use crate::process::{Ending, finish};
use crate::tools::{Tools, run};

/// Where the package of Debian and Ubuntu puts csmith's headers.
const HEADERS: &str = "-I/usr/include/csmith";

/// csmith seldom ends up in a loop of its own.
const CSMITH_PATIENCE: Duration = Duration::from_secs(10);

/// What a front end may have been told, each half the time one of these.
const FLAGS: [&str; 24] = [
    "-march=native",
    "-march=x86-64-v2",
    "-march=x86-64-v3",
    "-march=native -mprefer-vector-width=512",
    "-fno-pic",
    "-fPIC -fno-semantic-interposition",
    "-fPIE",
    "-mcmodel=large -fno-pic",
    "-mcmodel=medium -fPIC",
    "-g",
    "-gdwarf-4 -gsplit-dwarf=single",
    "-fstack-protector-all",
    "-fstack-clash-protection",
    "-fcf-protection=full",
    "-mretpoline",
    "-fno-plt",
    "-ffunction-sections -fdata-sections",
    "-fno-jump-tables",
    "-finstrument-functions",
    "-fsanitize=undefined -fsanitize-trap=undefined",
    "-fwrapv -fno-strict-aliasing",
    "-fexceptions -fasynchronous-unwind-tables",
    "-fno-omit-frame-pointer -mno-red-zone",
    "-fvisibility=hidden",
];

const CSMITH_FLAGS: [&str; 8] = [
    "--max-funcs 20",
    "--max-funcs 3 --max-block-size 8",
    "--packed-struct --bitfields",
    "--max-expr-complexity 20",
    "--no-volatiles",
    "--max-array-dim 4",
    "--max-pointer-depth 5",
    "--inline-function",
];

/// A module of csmith's programs, and how it is compiled and run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    parts: Vec<Part>,
    is_thread_local: bool,
    is_open: bool,
    /// The front end's level and flags.
    clang: Vec<String>,
    /// The level for `larder run` and for `opt` and `llc`.
    pub(super) level: String,
    /// Threads that generate code, in each of two stores.
    pub(super) threads: [String; 2],
}

/// One program.
#[derive(Clone, Debug)]
struct Part {
    seed: u64,
    flags: &'static str,
}

impl Plan {
    pub(super) fn new(random: &mut Random, size: Size) -> Plan {
        let part_count = match (size, random.below(10)) {
            (Size::Small, _) => 1 + random.below(2),
            (Size::Any, 0..=2) => 1,
            (Size::Any, 3..=7) => 2 + random.below(7),
            (Size::Any, _) => 9 + random.below(24),
        };
        let part = |random: &mut Random| Part { seed: random.below(1 << 32), flags: random.pick(&CSMITH_FLAGS) };
        let parts = (0..part_count).map(|_| part(random)).collect();
        let mut clang = vec![random.pick(&["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"]).to_owned()];
        if random.one_in(2) {
            clang.extend(["-Xclang", "-disable-llvm-passes"].map(str::to_owned));
        }
        while random.one_in(2) {
            clang.extend(random.pick(&FLAGS).split(' ').map(str::to_owned));
        }
        Plan {
            parts,
            is_thread_local: random.one_in(3),
            is_open: random.one_in(3),
            clang,
            level: random.pick(&["0", "1", "2", "3", "s", "z"]).to_owned(),
            threads: [(), ()].map(|()| (1 + random.below(4)).to_string()),
        }
    }

    /// Writes the sources and the module `module.bc` into `directory`. `None` if csmith wrote no program, or clang takes none of it.
    pub(super) fn write(&self, tools: &Tools, directory: &Path) -> Result<Option<PathBuf>> {
        let mut bitcode = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            let Some(text) = part.generate(directory)? else { return Ok(None) };
            let source = directory.join(format!("part{number}.c"));
            fs::write(&source, self.transform(&text, number))?;
            bitcode.push(self.compile(tools, &source, Some(number))?);
        }
        let driver = directory.join("driver.c");
        fs::write(&driver, self.driver())?;
        bitcode.push(self.compile(tools, &driver, None)?);
        let module = directory.join("module.bc");
        run(tools.command("llvm-link").args(&bitcode).arg("-o").arg(&module))?;
        Ok(Some(module))
    }

    fn compile(&self, tools: &Tools, source: &Path, number: Option<usize>) -> Result<PathBuf> {
        let bitcode = source.with_extension("bc");
        let mut clang = tools.command("clang");
        clang.args(["-c", "-emit-llvm", "-w", HEADERS]).args(&self.clang);
        clang.args(number.map(|number| format!("-Dmain=main_{number}")));
        run(clang.arg(source).arg("-o").arg(&bitcode))?;
        Ok(bitcode)
    }

    /// A `main` that runs the parts in turn, in threads of their own if they have variables of their own.
    fn driver(&self) -> String {
        let names: Vec<_> = (0..self.parts.len()).map(|number| format!("main_{number}")).collect();
        let call = if self.is_thread_local {
            "pthread_t thread; pthread_create(&thread, 0, start, parts[i]); pthread_join(thread, 0);"
        } else {
            "start(parts[i]);"
        };
        format!(
            "#include <pthread.h>\n\
             extern int {}();\n\
             static int (*const parts[])() = {{{}}};\n\
             static char *words[] = {{\"part\", \"1\", 0}};\n\
             static void *start(void *part) {{ ((int (*)(int, char **))part)(2, words); return 0; }}\n\
             int main(void) {{\n\
             \x20   for (unsigned i = 0; i < sizeof parts / sizeof *parts; ++i) {{ {call} }}\n\
             \x20   return 0;\n}}\n",
            names.join("(), "),
            names.join(", ")
        )
    }

    fn transform(&self, text: &str, number: usize) -> String {
        let text = if self.is_thread_local { thread_local(text) } else { text.to_owned() };
        if self.is_open { open(&text, number) } else { text }
    }
}

impl Part {
    /// The program's text, if there is one.
    fn generate(&self, directory: &Path) -> Result<Option<String>> {
        let mut csmith = Command::new("csmith");
        csmith.args(self.flags.split(' ')).args(["--no-argc", "--quiet", "--concise"]).current_dir(directory);
        csmith.args(["--argc", "--seed", &self.seed.to_string()]);
        let ran = finish(&csmith, CSMITH_PATIENCE)?;
        // What a shell says of a program that it doesn't find.
        ensure!(ran.ending != Ending::Exit(127), "csmith isn't there; `cargo xtask setup` installs it");
        Ok((ran.ending == Ending::Exit(0)).then(|| String::from_utf8_lossy(&ran.stdout).into_owned()))
    }
}

/// Makes variables thread-local whose address is no other variable's initial value: that must be known before there are threads.
fn thread_local(text: &str) -> String {
    let mut fixed: Vec<&str> = text.lines().filter(|line| is_variable(line)).flat_map(addressed).collect();
    fixed.sort_unstable();
    let line = |line: &str| match variable(line) {
        Some(name) if fixed.binary_search(&name).is_err() => line.replacen("static", "static _Thread_local", 1),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// Gives functions and variables external linkage, under names that begin with the program's number.
fn open(text: &str, number: usize) -> String {
    let is_function = |line: &str| line.starts_with("static ") && line.contains(" func_");
    let line = |line: &str| {
        let visible =
            if is_variable(line) || is_function(line) { line.replacen("static ", "", 1) } else { line.into() };
        rename(&visible, number) + "\n"
    };
    text.lines().map(line).collect()
}

fn is_variable(line: &str) -> bool {
    variable(line).is_some()
}

/// The variable that a line of csmith's defines for the whole program.
fn variable(line: &str) -> Option<&str> {
    let declaration = line.strip_prefix("static ")?.split(['=', ';']).next()?;
    words(declaration).find(|word| word.starts_with("g_"))
}

/// Variables whose address a line takes.
fn addressed(line: &str) -> impl Iterator<Item = &str> {
    line.split('&').skip(1).filter_map(|rest| words(rest).next())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_of_word(letter)).filter(|word| !word.is_empty())
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn rename(line: &str, number: usize) -> String {
    let mut renamed = String::with_capacity(line.len() + 64);
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.starts_with("g_") || word.starts_with("func_") {
            renamed += &format!("p{number}_");
        }
        renamed += word;
        let next = after.find(is_of_word).unwrap_or(after.len());
        renamed += &after[..next];
        rest = &after[next..];
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "static int g_2 = 6;\nstatic int *g_3[1] = {&g_2};\nstatic int  func_1(int p_4);\nint x = 3;\n";

    #[test]
    fn variables_become_thread_local_unless_another_begins_with_their_address() {
        let expected = TEXT.replace("static int *g_3", "static _Thread_local int *g_3");
        assert_eq!(thread_local(TEXT), expected);
    }

    #[test]
    fn names_become_visible_and_unique() {
        let expected = "int p7_g_2 = 6;\nint *p7_g_3[1] = {&p7_g_2};\nint  p7_func_1(int p_4);\nint x = 3;\n";
        assert_eq!(open(TEXT, 7), expected);
    }

    #[test]
    fn a_seed_decides_the_plan() {
        let plan = |seed| format!("{:?}", Plan::new(&mut Random::of_seed(seed), Size::Any));
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }
}
