//! Functions of the compiler's own library that the process lacks: an error that says what to do, and doing it.

use crate::larder::Corner;
use crate::process;
use crate::suite::tests;
use crate::tools;
use anyhow::{Result, ensure};

tests![the_compilers_own_library_is_linked_in];

/// `__mulodi4` is in no libgcc, `__truncsfbf2` and `__truncdfbf2` are in those from version 13 on.
const PROGRAM: &str = r#"#include <stdio.h>
long long __mulodi4(long long a, long long b, int *overflow);
static volatile __bf16 a = 1.5f, b = 3.0f;
static volatile float single = 0.333f;
static volatile double wide = 1e30;
int main(void) {
  __bf16 sum = a * b + a / b, third = (__bf16)single, large = (__bf16)wide;
  printf("%g %g %g\n", (double)(float)sum, (double)(float)third, (double)(float)large);
  int overflow;
  long long product = __mulodi4((long long)(float)b << 60, 6, &overflow);
  printf("%d", overflow);
  product = __mulodi4(-7, 6, &overflow);
  printf(" %lld %d\n", product, overflow);
  return 0;
}
"#;

fn the_compilers_own_library_is_linked_in() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("program.c", PROGRAM)?;
    let clang = |options: &[&str]| {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.args(["-O1", "--rtlib=compiler-rt"]).args(options), b"")?.success("clang")
    };
    clang(&["-c", "-emit-llvm", "program.c", "-o", "program.bc"])?;
    clang(&["program.c", "-o", "native"])?;
    let native = process::run(&mut corner.command(corner.work().join("native")), b"")?.success("the native program")?;
    let archive = clang(&["--print-libgcc-file-name"])?.out();

    let refused = process::run(corner.larder_run()?.arg("program.bc"), b"")?;
    let advice = r#"--extra-archive "$(clang --print-libgcc-file-name --rtlib=compiler-rt)""#;
    ensure!(refused.err().contains("__mulodi4") && refused.err().contains(advice), "{}", refused.err());
    ensure!(refused.out().is_empty(), "it ran: {}", refused.out());

    for outcome in ["miss", "hit"] {
        let mut command = corner.larder_run()?;
        command.args(["--extra-archive", archive.trim_end(), "program.bc"]);
        let (ran, report) = corner.reported(&mut command, b"")?;
        ensure!(report.outcome == outcome, "{}", report.text);
        ensure!(ran.success("larder run")?.out() == native.out(), "natively: {}", native.out());
    }
    Ok(())
}
