//! Modules of any size, the same at every run: does the cost of a start grow with the code?
//!
//! Each function has about 50 instructions and a body of its own: integer arithmetic with large constants, a call of a
//! libm function, a global counter, calls of other functions directly and through tables of pointers. A function calls
//! only functions with smaller numbers, so every call ends. The calls that reach far are behind a branch which is as
//! good as never taken: `main` calls ten functions, and these run a few dozen, whatever the size of the module. That is
//! the shape of a query engine or a language runtime at its start: much code there, little of it used.
//!
//! `main` prints the ten results. With any argument it then waits for the end of its standard input, so that several
//! processes can be looked at while they live.

use std::fs::{self, File};
use std::io::{BufWriter, Result as IoResult, Write};
use std::path::PathBuf;

use anyhow::Result;

use crate::artefacts::{Recipe, artefact};
use crate::bitcode::Programs;
use crate::numbers::Random;
use crate::tools::run;

/// Pointers in one table, and functions between two tables.
const TABLE_LEN: usize = 64;
/// Global counters that the functions share.
const COUNTER_COUNT: usize = 1024;
/// Functions that `main` calls.
const CALLED_COUNT: usize = 10;
/// Changes whenever the generator's output does.
const GENERATOR: &str = "generated 4";
/// What every module begins with.
pub(crate) const TARGET: &str = r#"target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu""#;
const LIBM: [&str; 4] = ["sin", "cos", "exp", "sqrt"];

impl Programs {
    /// A module of `functions` functions, of which `main` calls ten.
    pub fn generated(&self, functions: usize) -> Result<PathBuf> {
        let mut recipe = Recipe::new(GENERATOR);
        recipe.word(self.tools.version()).word(&functions.to_string());
        artefact(&self.directory, (&format!("generated_{functions}"), "bc"), &recipe, |out| {
            let text = out.with_extension("ll");
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&text)?);
            write_generated(functions, &mut file)?;
            file.flush()?;
            run(self.tools.command("llvm-as").arg("--disable-verify").arg("-o").arg(out).arg(&text))?;
            Ok(fs::remove_file(&text)?)
        })
    }
}

/// Writes the module as text. `functions` is at least ten.
pub fn write_generated(functions: usize, out: &mut impl Write) -> IoResult<()> {
    write_head(functions, out)?;
    let mut random = Random::of_state(0x9e37_79b9_7f4a_7c15);
    for index in 0..functions {
        write_function(index, &mut random, out)?;
    }
    write_main(functions, out)
}

fn write_head(functions: usize, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "source_filename = \"generated_{functions}.ll\"\n{TARGET}")?;
    writeln!(out, "@counters = internal global [{COUNTER_COUNT} x i64] zeroinitializer")?;
    writeln!(out, "@text = private constant [17 x i8] c\"a row of letters\\00\"")?;
    writeln!(out, "@line = private constant [7 x i8] c\"%016lx\\00\"")?;
    for function in LIBM {
        writeln!(out, "declare double @{function}(double)")?;
    }
    writeln!(out, "declare i64 @strlen(ptr)\ndeclare i32 @puts(ptr)\ndeclare i32 @fflush(ptr)")?;
    writeln!(out, "declare i32 @snprintf(ptr, i64, ptr, ...)\ndeclare i64 @read(i32, ptr, i64)")?;
    for (table, first) in (0..functions).step_by(TABLE_LEN).enumerate() {
        let members = first..functions.min(first + TABLE_LEN);
        write!(out, "@table{table} = internal global [{} x ptr] [", members.len())?;
        for member in members {
            write!(out, "{}ptr @f{member}", if member == first { "" } else { ", " })?;
        }
        writeln!(out, "]")?;
    }
    Ok(())
}

fn write_function(index: usize, random: &mut Random, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "\ndefine i64 @f{index}(i64 %x) #0 {{\nentry:")?;
    write_arithmetic("e", "%x", random, out)?;
    writeln!(out, "  %odd = icmp eq i64 %e7, {}\n  br i1 %odd, label %rare, label %common", random.constant())?;
    write_rare(index, out)?;
    write_common(index, random, out)?;
    writeln!(out, "join:\n  %r = phi i64 [ %far, %rare ], [ %near, %common ]")?;
    writeln!(out, "  %s = xor i64 %r, %e3\n  ret i64 %s\n}}")
}

/// Eight steps that no optimiser can shorten, from `start` to `%<name>7`.
pub(crate) fn write_arithmetic(name: &str, start: &str, random: &mut Random, out: &mut impl Write) -> IoResult<()> {
    let mut previous = start.to_owned();
    for step in 0..8 {
        let operation = ["xor", "urem", "mul", "urem", "add", "urem", "mul", "urem"][step];
        writeln!(out, "  %{name}{step} = {operation} i64 {previous}, {}", random.constant())?;
        previous = format!("%{name}{step}");
    }
    Ok(())
}

/// The calls that reach far. Smaller numbers only, so that there is no cycle.
fn write_rare(index: usize, out: &mut impl Write) -> IoResult<()> {
    writeln!(
        out,
        "rare:\n  %half = call i64 @{}(i64 %e5)",
        if index == 0 { "strlen_of".into() } else { format!("f{}", index / 2) }
    )?;
    let table = index / TABLE_LEN;
    if table == 0 {
        return writeln!(out, "  %far = add i64 %half, %e4\n  br label %join");
    }
    writeln!(out, "  %pick = and i64 %half, {}", TABLE_LEN - 1)?;
    writeln!(out, "  %slot = getelementptr [{TABLE_LEN} x ptr], ptr @table{}, i64 0, i64 %pick", table - 1)?;
    writeln!(out, "  %target = load ptr, ptr %slot\n  %far = call i64 %target(i64 %e6)\n  br label %join")
}

/// What every call runs: arithmetic, libm, a counter, and for three of four functions the neighbour.
fn write_common(index: usize, random: &mut Random, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "common:")?;
    write_arithmetic("c", "%e7", random, out)?;
    writeln!(out, "  %small = and i64 %c7, 1023\n  %d0 = uitofp i64 %small to double")?;
    writeln!(out, "  %d1 = fmul double %d0, {:#018x}", (random.fraction() / 512.0).to_bits())?;
    writeln!(out, "  %d2 = call double @{}(double %d1)", LIBM[index % LIBM.len()])?;
    writeln!(out, "  %d3 = fmul double %d2, 1.0e3\n  %d4 = fadd double %d3, {:#018x}", random.fraction().to_bits())?;
    writeln!(out, "  %whole = fptosi double %d4 to i64")?;
    writeln!(
        out,
        "  %counter = getelementptr [{COUNTER_COUNT} x i64], ptr @counters, i64 0, i64 {}",
        index % COUNTER_COUNT
    )?;
    writeln!(
        out,
        "  %count = load i64, ptr %counter\n  %more = add i64 %count, %whole\n  store i64 %more, ptr %counter"
    )?;
    write_arithmetic("m", "%more", random, out)?;
    if index.is_multiple_of(4) {
        writeln!(out, "  %near = add i64 %m7, %c6\n  br label %join")
    } else {
        writeln!(out, "  %next = call i64 @f{}(i64 %m7)\n  %near = add i64 %next, %c6\n  br label %join", index - 1)
    }
}

fn write_main(functions: usize, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "\ndefine internal i64 @strlen_of(i64 %x) #0 {{\n  %at = getelementptr i8, ptr @text, i64 0")?;
    writeln!(out, "  %n = call i64 @strlen(ptr %at)\n  %s = add i64 %n, %x\n  ret i64 %s\n}}")?;
    writeln!(out, "\ndefine i32 @main(i32 %argc, ptr %argv) {{\n  %buffer = alloca [32 x i8]")?;
    for call in 0..CALLED_COUNT {
        let callee = functions / CALLED_COUNT * (call + 1) - 1;
        writeln!(out, "  %v{call} = call i64 @f{callee}(i64 {call})")?;
        writeln!(out, "  call i32 (ptr, i64, ptr, ...) @snprintf(ptr %buffer, i64 32, ptr @line, i64 %v{call})")?;
        writeln!(out, "  call i32 @puts(ptr %buffer)")?;
    }
    writeln!(out, "  call i32 @fflush(ptr null)\n  %wait = icmp ugt i32 %argc, 1")?;
    writeln!(
        out,
        "  br i1 %wait, label %more, label %done\nmore:\n  %got = call i64 @read(i32 0, ptr %buffer, i64 32)"
    )?;
    writeln!(out, "  %again = icmp sgt i64 %got, 0\n  br i1 %again, label %more, label %done\ndone:\n  ret i32 0\n}}")?;
    writeln!(out, "\nattributes #0 = {{ noinline }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_module_at_every_run() -> IoResult<()> {
        let texts = [(); 2].map(|()| {
            let mut text = Vec::new();
            write_generated(100, &mut text).map(|()| text)
        });
        let [first, second] = texts;
        assert_eq!(first?, second?);
        Ok(())
    }

    #[test]
    fn about_fifty_instructions_a_function() -> IoResult<()> {
        let mut text = Vec::new();
        write_function(777, &mut Random::of_state(1), &mut text)?;
        let instructions = String::from_utf8_lossy(&text).lines().filter(|line| line.starts_with("  ")).count();
        assert!((45..=55).contains(&instructions), "{instructions}");
        Ok(())
    }
}
