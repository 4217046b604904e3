//! Programs that count what they do: compiled with `-fprofile-instr-generate`, linked with compiler-rt's archive.

use crate::larder::Corner;
use crate::process;
use crate::suite::tests;
use crate::tools;
use anyhow::{Result, ensure};
use std::path::Path;

tests![a_profile_is_that_of_the_native_program];

const PROGRAM: &str = r#"#include <stdio.h>
static int twice(int n) { return n > 3 ? n * 2 : n; }
int main(void) {
  int sum = 0;
  for (int i = 0; i < 10; i++)
    sum += twice(i);
  printf("%d\n", sum);
  return 0;
}
"#;

/// clang's driver makes the linker want this name, which brings the archive's member that writes the profile at exit.
const WANTED: &str = r#"@__llvm_profile_runtime = external hidden global i32
@wanted = hidden global ptr @__llvm_profile_runtime
@llvm.compiler.used = appending global [1 x ptr] [ptr @wanted], section "llvm.metadata"
"#;

fn a_profile_is_that_of_the_native_program() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("program.c", PROGRAM)?;
    corner.write("wanted.ll", WANTED)?;
    let clang = |options: &[&str]| {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.args(["-O1", "-fprofile-instr-generate", "program.c"]).args(options), b"")?
            .success("clang")
    };
    clang(&["-c", "-emit-llvm", "-o", "program.bc"])?;
    clang(&["-o", "native"])?;
    let mut native = corner.command(corner.work().join("native"));
    process::run(native.env("LLVM_PROFILE_FILE", "native.profraw"), b"")?.success("the native program")?;
    let expected = profile(&corner, "native.profraw")?;
    let resources = process::run(corner.command(tools::llvm("clang")?).arg("--print-resource-dir"), b"")?.out();
    let archive = Path::new(resources.trim_end()).join("lib/linux/libclang_rt.profile-x86_64.a");
    for (way, outcome) in [("cold", "miss"), ("warm", "hit")] {
        let file = format!("{way}.profraw");
        let mut command = corner.larder_run()?;
        command.args(["--extra-module", "wanted.ll", "--extra-archive"]).arg(&archive).arg("program.bc");
        let (ran, report) = corner.reported(command.env("LLVM_PROFILE_FILE", &file), b"")?;
        ran.success(way)?;
        ensure!(report.outcome == outcome, "{way}: {}", report.text);
        ensure!(profile(&corner, &file)? == expected, "{way}: another profile than the native program's");
    }
    Ok(())
}

/// All counters of a profile, in words.
fn profile(corner: &Corner, file: &str) -> Result<String> {
    let mut command = corner.command(tools::llvm("llvm-profdata")?);
    command.args(["show", "--all-functions", "--counts", file]);
    Ok(process::run(&mut command, b"")?.success("llvm-profdata")?.out())
}
