//! Code that a sanitizer instrumented, with its run-time library; what becomes of it without is a case (`error_sanitizer`).

use crate::cases::{self, Stderr};
use crate::larder::Corner;
use crate::process;
use crate::suite::tests;
use crate::tools;
use anyhow::Result;

tests![undefined_behaviour_is_reported_as_natively];

const PROGRAM: &str = r#"#include <stdio.h>
static int values[3] = {1, 2, 0x7fffffff};
int main(int argc, char **argv) {
  int sum = values[2] + argc;
  printf("%d %d\n", sum, values[argc] << (argc + 31));
  fflush(stdout);
  return values[argc + 2] == 0 ? 3 : 4;
}
"#;

/// With the archive, as clang's driver links it, and with the shared library.
fn undefined_behaviour_is_reported_as_natively() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("program.c", PROGRAM)?;
    let clang = |options: &[&str]| {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.args(["-O1", "-g", "-fsanitize=undefined"]).args(options), b"")?.success("clang")
    };
    clang(&["-c", "-emit-llvm", "program.c", "-o", "program.bc"])?;
    clang(&["program.c", "-o", "native"])?;
    let native = process::run(&mut corner.command(corner.work().join("native")), b"")?;
    for (option, file) in [
        ("--extra-archive", "libclang_rt.ubsan_standalone-x86_64.a"),
        ("--load", "libclang_rt.ubsan_standalone-x86_64.so"),
    ] {
        let file = clang(&[&format!("--print-file-name={file}")])?.out();
        for way in ["cold", "warm"] {
            let mut command = corner.larder_run()?;
            command.args([option, file.trim_end(), "program.bc"]);
            let ran = process::run(&mut command, b"")?;
            cases::same(&format!("{way} {option}"), &native, &ran, Stderr::Same)?;
        }
    }
    Ok(())
}
