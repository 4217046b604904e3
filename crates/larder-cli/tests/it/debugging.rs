//! Images in the hands of debuggers and profilers.

use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::{Skip, tests};
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

tests![
    gdb_lists_functions_and_lines,
    gdb_stops_in_a_warm_program,
    gdb_attaches_to_a_warm_program,
    gdb_shows_where_a_warm_program_crashed,
    gdb_reads_split_debug_information,
    perf_names_functions_of_a_warm_program,
    perf_reads_the_jitdump_file,
    unwind_records_for_debuggers_say_what_those_for_exceptions_say,
    addr2line_finds_lines,
    inspect_shows_what_is_there,
    inspect_shows_what_functions_count_on,
];

const SOURCE: &str = r#"#include <stdio.h>

__attribute__((noinline)) int product(int a, int b) {
  return a * b;
}

int main(int argc, char **argv) {
  printf("%d\n", product(argc, 42));
  return 0;
}
"#;

/// An image of [`SOURCE`] with debug information.
fn image(corner: &Corner) -> Result<PathBuf> {
    let source = corner.write("shop.c", SOURCE)?;
    let mut clang = corner.command(tools::llvm("clang")?);
    process::run(clang.args(["-O1", "-g", "-c", "-emit-llvm"]).arg(source).args(["-o", "shop.bc"]), b"")?
        .success("clang")?;
    let module = corner.work().join("shop.bc");
    let (ran, report) = corner.run(&["-O", "1"], &module)?;
    ensure!(ran.ending == Ending::Exit(0) && ran.out() == "42\n", "{} {}", ran.ending, ran.err());
    Ok(report.image()?.to_path_buf())
}

fn gdb_lists_functions_and_lines() -> Result<()> {
    let gdb = tools::system("gdb").ok_or_else(|| Skip("gdb isn't installed".to_owned()))?;
    let corner = Corner::new()?;
    let image = image(&corner)?;
    let mut command = corner.command(gdb);
    command.args(["-nx", "-batch", "-ex", "info functions product", "-ex", "info line product", "-ex", "list product"]);
    command.args(["-ex", "disassemble /s product"]).arg(&image);
    let ran = process::run(&mut command, b"")?.success("gdb")?;
    for words in ["int product(int, int);", "Line 3 of", "return a * b;", "End of assembler dump."] {
        ensure!(ran.out().contains(words), "gdb doesn't say {words:?}:\n{}{}", ran.out(), ran.err());
    }
    let noise: Vec<String> = ran.err().lines().filter(|line| !line.contains("debuginfod")).map(str::to_owned).collect();
    ensure!(noise.is_empty(), "gdb complains: {noise:?}");
    Ok(())
}

/// A program with frames of the C library between its own, a crash and a long wait.
const VISITED: &str = r#"#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct order {
  int count;
  double price;
};
static int sold = 7;

__attribute__((noinline)) int product(int a, int b) {
  struct order order = {a, b * 1.5};
  int result = a * b + (int)order.price;
  if (getenv("CRASH"))
    *(volatile int *)0 = sold;
  return result;
}

__attribute__((noinline)) int waiting_room(int guests) {
  puts("ready");
  fflush(stdout);
  for (;;)
    pause();
  return guests;
}

static int compare(const void *a, const void *b) {
  return product(*(const int *)a, *(const int *)b) & 1 ? 1 : -1;
}

int main(int argc, char **argv) {
  int values[] = {3, 1, 2};
  if (getenv("WAIT"))
    return waiting_room(argc + 2);
  qsort(values, 3, sizeof *values, compare);
  printf("%d %d\n", product(argc, 42), sold);
  return 0;
}
"#;

/// [`VISITED`] as a module, and its image, which is warm.
fn visited(corner: &Corner) -> Result<(PathBuf, PathBuf)> {
    let source = corner.write("visited.c", VISITED)?;
    let mut clang = corner.command(tools::llvm("clang")?);
    process::run(clang.args(["-O0", "-g", "-c", "-emit-llvm"]).arg(source).args(["-o", "visited.bc"]), b"")?
        .success("clang")?;
    let module = corner.work().join("visited.bc");
    // At the default level: clang marked the functions, so they stay as they are (`optnone`).
    let (ran, report) = corner.run(&[], &module)?;
    ensure!(ran.ending == Ending::Exit(0) && ran.out() == "105 7\n", "{} {}", ran.ending, ran.err());
    Ok((module, report.image()?.to_path_buf()))
}

/// gdb with those commands; what follows is for `larder run -O0`.
fn gdb(corner: &Corner, commands: &[&str]) -> Result<Command> {
    let gdb = tools::system("gdb").ok_or_else(|| Skip("gdb isn't installed".to_owned()))?;
    let mut command = corner.command(gdb);
    command.args(["-nx", "-batch"]);
    for line in ["set pagination off", "set breakpoint pending on", "set debuginfod enabled off"].iter().chain(commands)
    {
        command.args(["-ex", line]);
    }
    Ok(command)
}

/// Runs a module that is warm with those options.
fn gdb_run(
    corner: &Corner,
    commands: &[&str],
    options: &[&str],
    module: &Path,
    environment: &[(&str, &str)],
) -> Result<String> {
    let mut command = gdb(corner, commands)?;
    command.arg("--args").arg(tools::larder()).arg("--dir").arg(corner.store()).arg("run").args(options).arg(module);
    command.envs(environment.iter().copied());
    let ran = process::run(&mut command, b"")?.success("gdb")?;
    ensure!(!ran.out().contains("vfork"), "it was compiled again:\n{}", ran.out());
    Ok(ran.out())
}

fn says(text: &str, words: &[&str]) -> Result<()> {
    let mut rest = text;
    for word in words {
        let Some(at) = rest.find(word) else { anyhow::bail!("gdb doesn't say {word:?} where it should:\n{text}") };
        rest = &rest[at + word.len()..];
    }
    Ok(())
}

fn gdb_stops_in_a_warm_program() -> Result<()> {
    let corner = Corner::new()?;
    let (module, _) = visited(&corner)?;
    let commands =
        ["break product", "run", "next", "next", "info args", "info locals", "ptype order", "print sold", "bt"];
    let text = gdb_run(&corner, &commands, &[], &module, &[])?;
    let stop = ["Breakpoint 1, product (a=1, b=2) at ", "visited.c:12", "double price;", "$1 = 7"];
    says(&text, &stop)?;
    says(&text, &["a = 1", "b = 2", "order = {count = 1, price = 3}", "result = 5"])?;
    // Through the program's own frames, those of the C library, and to the end.
    let frames =
        ["#0  product (a=1, b=2) at ", "visited.c:14", "in compare (", "qsort", "in main (argc=1", "visited.c:35"];
    says(&text, &frames)?;
    ensure!(!text.contains("??") && !text.contains("corrupt"), "gdb lost its way:\n{text}");
    Ok(())
}

/// Objects whose debug information is in a file of its own (`-gsplit-dwarf`), which they name.
fn gdb_reads_split_debug_information() -> Result<()> {
    const MAIN: &str = "int twice(int); int main(void) { return twice(21); }\n";
    const SPLIT: &str = "int twice(int number) {\n  int result = 2 * number;\n  return result;\n}\n";
    let corner = Corner::new()?;
    let gcc = tools::system("gcc").ok_or_else(|| Skip("gcc isn't installed".to_owned()))?;
    let (main, split) = (corner.write("main.c", MAIN)?, corner.write("split.c", SPLIT)?);
    let clang = tools::llvm("clang")?;
    let mut command = corner.command(&clang);
    process::run(command.args(["-g", "-emit-llvm", "-c", "-o", "main.bc"]).arg(main), b"")?.success("clang")?;
    for compiler in [&gcc, &clang] {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let mut command = corner.command(compiler);
            command.args([version, "-gsplit-dwarf", "-c", "-o", "split.o"]).arg(&split);
            process::run(&mut command, b"")?.success("an object")?;
            let (options, main) = (["--extra-object", "split.o"], corner.work().join("main.bc"));
            ensure!(corner.run(&options, &main)?.0.ending == Ending::Exit(42));
            let commands = ["break twice", "run", "next", "info locals", "bt"];
            let text = gdb_run(&corner, &commands, &options, &main, &[])?;
            let words =
                ["twice (number=21) at ", "split.c:2", "result = 42", "#0  twice (number=21) at ", "in main ()"];
            says(&text, &words).with_context(|| format!("{} {version}", compiler.display()))?;
        }
    }
    Ok(())
}

fn gdb_attaches_to_a_warm_program() -> Result<()> {
    let corner = Corner::new()?;
    let (module, _) = visited(&corner)?;
    let mut command = corner.larder()?;
    command.arg("run").arg(&module).env("WAIT", "1").stdout(Stdio::piped());
    let mut program = command.spawn()?;
    let mut ready = [0; 6];
    let output = program.stdout.as_mut().map(|out| out.read_exact(&mut ready));
    let mut attach = gdb(&corner, &["bt", "frame function waiting_room", "info args", "info line"])?;
    let ran = attach.arg("-p").arg(program.id().to_string());
    let ran = process::run(ran, b"");
    program.kill()?;
    program.wait()?;
    output.unwrap_or(Ok(()))?;
    let ran = ran?.success("gdb")?;
    if ran.err().contains("Operation not permitted") {
        return Err(Skip("this system lets nobody attach".to_owned()).into());
    }
    says(&ran.out(), &["in waiting_room (guests=3) at ", "visited.c:23", "in main (argc=1", "guests = 3", "Line 23 of"])
}

fn gdb_shows_where_a_warm_program_crashed() -> Result<()> {
    let corner = Corner::new()?;
    let (module, _) = visited(&corner)?;
    let text = gdb_run(&corner, &["run", "bt 2", "print order"], &[], &module, &[("CRASH", "1")])?;
    says(&text, &["SIGSEGV", "product (a=1, b=2) at ", "visited.c:15", "in compare", "$1 = {count = 1, price = 3}"])
}

const BUSY: &str = r#"#include <stdio.h>

__attribute__((noinline)) unsigned churn(unsigned seed) {
  for (int i = 0; i < 300000000; i++)
    seed = seed * 1664525u + 1013904223u + (seed >> 3);
  return seed;
}

int main(void) { return churn(42) == 1; }
"#;

/// [`BUSY`] as a module whose image is warm.
fn busy(corner: &Corner) -> Result<PathBuf> {
    let source = corner.write("busy.c", BUSY)?;
    let mut clang = corner.command(tools::llvm("clang")?);
    process::run(clang.args(["-O1", "-c", "-emit-llvm"]).arg(source).args(["-o", "busy.bc"]), b"")?.success("clang")?;
    let module = corner.work().join("busy.bc");
    let (ran, _) = corner.run(&["-O", "1"], &module)?;
    ensure!(ran.ending == Ending::Exit(0), "{} {}", ran.ending, ran.err());
    Ok(module)
}

/// Runs the program under `perf record`, with options for it and for `larder run`.
fn record(corner: &Corner, module: &Path, options: [&[&str]; 2]) -> Result<PathBuf> {
    let perf = tools::system("perf").ok_or_else(|| Skip("perf isn't installed".to_owned()))?;
    let mut record = corner.command(&perf);
    record.args(["record", "-q", "-e", "cpu-clock", "-o", "data"]).args(options[0]).arg("--").arg(tools::larder());
    record.arg("--dir").arg(corner.store()).args(["run", "-O", "1"]).args(options[1]);
    let ran = process::run(record.arg(module), b"")?;
    ensure!(!ran.err().contains("larder: error"), "{}", ran.err());
    if ran.ending != Ending::Exit(0) {
        return Err(Skip(format!("perf may not measure here: {}", ran.err())).into());
    }
    Ok(perf)
}

/// Where most of the time went, as `perf report` names it.
fn hottest(corner: &Corner, perf: &Path, data: &str) -> Result<String> {
    let mut report = corner.command(perf);
    let ran = process::run(report.args(["report", "-i", data, "--stdio", "-q", "--sort", "dso,symbol"]), b"")?;
    let ran = ran.success("perf report")?;
    Ok(ran.out().lines().find(|line| line.contains('%')).map(str::to_owned).unwrap_or_default())
}

/// Without any side file: the text is the image's, and perf reads its symbols there.
fn perf_names_functions_of_a_warm_program() -> Result<()> {
    let corner = Corner::new()?;
    let module = busy(&corner)?;
    let perf = record(&corner, &module, [&[], &[]])?;
    let first = hottest(&corner, &perf, "data")?;
    ensure!(first.contains("churn"), "perf's first line is {first:?}");
    Ok(())
}

/// And with one: what perf makes of it names the function even when the image is gone.
fn perf_reads_the_jitdump_file() -> Result<()> {
    let corner = Corner::new()?;
    let module = busy(&corner)?;
    let perf = record(&corner, &module, [&["-k", "mono"], &["--perf-jitdump", "."]])?;
    let mut inject = corner.command(&perf);
    process::run(inject.args(["inject", "--jit", "-i", "data", "-o", "injected"]), b"")?.success("perf inject")?;
    std::fs::remove_dir_all(corner.store())?;
    let first = hottest(&corner, &perf, "injected")?;
    ensure!(first.contains("jitted-") && first.contains("churn"), "perf's first line is {first:?}");
    Ok(())
}

/// What readelf makes of both, row by row: places and rules.
fn unwind_records_for_debuggers_say_what_those_for_exceptions_say() -> Result<()> {
    let corner = Corner::new()?;
    let (_, image) = visited(&corner)?;
    let readelf = tools::system("readelf").ok_or_else(|| Skip("readelf isn't installed".to_owned()))?;
    let ran = process::run(corner.command(readelf).arg("-wF").arg(&image), b"")?.success("readelf")?;
    let text = ran.out();
    let rows = |section: &str| -> Vec<String> {
        let behind = text.split(&format!("Contents of the {section} section:")).nth(1).unwrap_or_default();
        let part = behind.split("Contents of the").next().unwrap_or_default();
        let functions = part.lines().filter(|line| !line.contains("CIE") && !line.contains("ZERO"));
        functions.map(|line| line.find("pc=").map_or(line, |at| &line[at..]).trim().to_owned()).collect()
    };
    let (exceptions, debuggers) = (rows(".eh_frame"), rows(".debug_frame"));
    let named = |rows: &[String]| rows.iter().filter(|row| row.starts_with("pc=")).count();
    ensure!(named(&exceptions) == 4, "four functions have records:\n{text}");
    let blank = |rows: Vec<String>| rows.into_iter().filter(|row| !row.is_empty()).collect::<Vec<_>>();
    ensure!(blank(exceptions) == blank(debuggers), "they differ:\n{text}");
    Ok(())
}

fn addr2line_finds_lines() -> Result<()> {
    let corner = Corner::new()?;
    let image = image(&corner)?;
    let nm = process::run(corner.command(tools::llvm("llvm-nm")?).arg(&image), b"")?.success("llvm-nm")?;
    let line = nm.out().lines().find(|line| line.ends_with(" product")).map(str::to_owned);
    let Some(line) = line else { anyhow::bail!("product has no symbol:\n{}", nm.out()) };
    let address = line.split(' ').next().unwrap_or_default();
    let system = tools::system("addr2line").ok_or_else(|| Skip("addr2line isn't installed".to_owned()))?;
    for program in [system, tools::llvm("llvm-symbolizer")?] {
        let mut command = corner.command(&program);
        let ran = process::run(command.arg("-f").arg("-e").arg(&image).arg(format!("0x{address}")), b"")?
            .success("addr2line")?;
        ensure!(ran.out().starts_with("product\n"), "{}: {}", program.display(), ran.out());
        ensure!(ran.out().contains("shop.c:3"), "{}: {}", program.display(), ran.out());
    }
    Ok(())
}

/// Functions that count on a heap object and on a predicate, and one that replaces another.
const GUARDED: &str = r#"
extern char table __asm__("larder.object$000000000000feed$table");
void *slow(int x) { return 0; }
void *fast(int x) {
  __asm__ volatile(
      "0:\n.pushsection .larder.uses,\"\",@progbits\n.quad 0b\n"
      ".quad larder.guard$00000000$0000000000000001$is_final$Point.x\n.popsection\n"
      ".pushsection .larder.fallbacks,\"\",@progbits\n.quad fast, slow\n.popsection");
  return &table + x;
}
int main(void) { return 0; }
"#;

fn inspect_shows_what_functions_count_on() -> Result<()> {
    let corner = Corner::new()?;
    let source = corner.write("guarded.c", GUARDED)?;
    let mut clang = corner.command(tools::llvm("clang")?);
    let options = ["-O1", "-fPIC", "-ffunction-sections", "-c", "-o", "guarded.o"];
    process::run(clang.args(options).arg(source), b"")?.success("clang")?;
    process::run(corner.larder()?.args(["build", "guarded.o", "-o", "guarded.image"]), b"")?.success("build")?;
    let ran = process::run(corner.larder()?.args(["inspect", "guarded.image"]), b"")?.success("inspect")?;
    for words in [
        "guards      2\n  predicate is_final(Point.x) = 0x1\n  object    table = 0xfeed\n",
        "object    larder.object$000000000000feed$table",
        "fast  uses larder.object$000000000000feed$table  counts on is_final, table  else slow\n",
    ] {
        ensure!(ran.out().contains(words), "doesn't say {words}:\n{}", ran.out());
    }
    let ran =
        process::run(corner.larder()?.args(["inspect", "--json", "guarded.image"]), b"")?.success("inspect --json")?;
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout)?;
    let guards = serde_json::json!([
        { "kind": "predicate", "name": "is_final", "arguments": "Point.x", "expected": 1 },
        { "kind": "object", "name": "table", "arguments": null, "expected": 0xfeed },
    ]);
    ensure!(json["guards"] == guards, "{:#}", json["guards"]);
    let units = json["units"].as_array().cloned().unwrap_or_default();
    let fast = units.iter().find(|unit| unit["name"] == "fast").unwrap_or(&serde_json::Value::Null);
    ensure!(fast["guards"] == serde_json::json!([0, 1]) && fast["fallback"] == "slow", "{fast:#}");
    Ok(())
}

fn inspect_shows_what_is_there() -> Result<()> {
    let corner = Corner::new()?;
    let image = image(&corner)?;
    let ran = process::run(corner.larder()?.arg("inspect").arg(&image), b"")?.success("inspect")?;
    for words in ["main", "printf", "product", "LLVM"] {
        ensure!(ran.out().contains(words), "doesn't say {words}:\n{}", ran.out());
    }
    let ran = process::run(corner.larder()?.args(["inspect", "--json"]).arg(&image), b"")?.success("inspect --json")?;
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout)?;
    ensure!(json["imports"].to_string().contains("printf"), "{json:#}");
    let ran =
        process::run(corner.larder()?.args(["inspect", "--disassemble"]).arg(&image), b"")?.success("--disassemble")?;
    ensure!(ran.out().contains("imul") && ran.out().contains("<product>:"), "{}", ran.out());
    Ok(())
}
