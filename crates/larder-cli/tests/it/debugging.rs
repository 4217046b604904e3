//! Images in the hands of debuggers and profilers.

use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::{Skip, tests};
use crate::tools;
use anyhow::{Result, ensure};
use std::path::PathBuf;

tests![gdb_lists_functions_and_lines, addr2line_finds_lines, inspect_shows_what_is_there];

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
