//! Programs that count what they do, compiled with `-fprofile-instr-generate` or `-fprofile-generate`, and linked with
//! compiler-rt's archive.

use crate::larder::Corner;
use crate::process;
use crate::suite::tests;
use crate::tools;
use anyhow::{Result, ensure};
use std::fs;

tests![a_profile_is_that_of_the_native_program];

const PROGRAM: &str = r#"#include <stdio.h>
int twice(int n);
int main(void) {
  int sum = 0;
  for (int i = 0; i < 10; i++)
    sum += twice(i);
  printf("%d\n", sum);
  return 0;
}
"#;
const CALLED: &str = "int twice(int n) { return n > 3 ? n * 2 : n; }\n";

fn a_profile_is_that_of_the_native_program() -> Result<()> {
    for option in ["-fprofile-instr-generate", "-fprofile-generate"] {
        same_profile(option)?;
    }
    Ok(())
}

/// The function that is called is in the module, in one that is optimised with it, or in an object.
fn same_profile(option: &str) -> Result<()> {
    let corner = Corner::new()?;
    corner.write("program.c", PROGRAM)?;
    corner.write("called.c", CALLED)?;
    let clang = |options: &[&str]| {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.args(["-O1", option]).args(options), b"")?.success("clang")
    };
    for source in ["program", "called"] {
        let file = format!("{source}.c");
        clang(&["-c", "-emit-llvm", &file, "-o", &format!("{source}.bc")])?;
    }
    clang(&["-c", "called.c", "-o", "called.o"])?;
    clang(&["program.c", "called.c", "-o", "native"])?;
    let mut native = corner.command(corner.work().join("native"));
    process::run(native.env("LLVM_PROFILE_FILE", "native.profraw"), b"")?.success("the native program")?;
    let expected = profile(&corner, "native.profraw")?;
    let archive = clang(&["--print-file-name=libclang_rt.profile-x86_64.a"])?.out();
    let ways: [&[&str]; 3] =
        [&["--extra-module", "called.bc"], &["--lto", "--extra-module", "called.bc"], &["--extra-object", "called.o"]];
    for extra in ways {
        for outcome in ["miss", "hit"] {
            let mut command = corner.larder_run()?;
            command.args(extra).arg("--extra-archive").arg(archive.trim_end()).arg("program.bc");
            let (ran, report) = corner.reported(command.env("LLVM_PROFILE_FILE", "ours.profraw"), b"")?;
            ran.success("larder run")?;
            ensure!(report.outcome == outcome, "{extra:?}: {}", report.text);
            let ours = profile(&corner, "ours.profraw")?;
            ensure!(ours == expected, "{option} {extra:?}, {outcome}:\n{ours}natively:\n{expected}");
            fs::remove_file(corner.work().join("ours.profraw"))?;
        }
    }
    Ok(())
}

/// All counters of a profile, in words.
fn profile(corner: &Corner, file: &str) -> Result<String> {
    let mut command = corner.command(tools::llvm("llvm-profdata")?);
    command.args(["show", "--all-functions", "--counts", file]);
    Ok(process::run(&mut command, b"")?.success("llvm-profdata")?.out())
}
