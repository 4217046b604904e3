//! Pipes: a reader that leaves, a module on standard input, a closed output.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

tests![a_reader_that_leaves, module_on_standard_input, descriptors_that_are_closed, argv_zero_is_the_file];

/// Prints lines for ever.
const ENDLESS: &str = r#"
@line = private constant [2 x i8] c"y\00"
declare i32 @puts(ptr)
define i32 @main() {
  br label %again
again:
  %r = call i32 @puts(ptr @line)
  br label %again
}
"#;

/// `larder run x | head -1`: SIGPIPE, cold and warm.
fn a_reader_that_leaves() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("endless.ll", ENDLESS)?;
    for way in ["cold", "warm"] {
        let mut child = process::start(corner.larder()?.arg("run").arg(&module))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let ending = Ending::from(child.wait()?);
        ensure!(line == "y\n" && ending == Ending::Signal(13), "{way}: {line:?}, {ending}");
    }
    Ok(())
}

fn module_on_standard_input() -> Result<()> {
    let corner = Corner::new()?;
    let text = ir::saying("from a pipe", 5);
    for outcome in ["miss", "hit"] {
        let mut command = corner.larder_run()?;
        let (ran, report) = corner.reported(command.args(["-", "argument"]), text.as_bytes())?;
        ensure!(ran.ending == Ending::Exit(5) && ran.out() == "from a pipe\n", "{} {}", ran.out(), ran.err());
        ensure!(report.outcome == outcome, "{}", report.text);
    }
    // The same bytes from a file are the same module.
    let module = corner.write("p.ll", &text)?;
    corner.run(&[], &module)?.1.must_hit()?;
    let ran = process::run(corner.larder()?.args(["run", "-"]), b"")?;
    ensure!(ran.ending == Ending::Exit(125), "nothing is no module: {}", ran.ending);
    Ok(())
}

/// A program started without standard streams must not find the store's files in their places.
fn descriptors_that_are_closed() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("into nothing", 5))?;
    for _ in 0..2 {
        let mut command = corner.command("/bin/sh");
        let larder = corner.larder()?;
        for (name, value) in larder.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.arg("-c").arg("exec \"$0\" run \"$1\" <&- >&- 2>&-").arg(larder.get_program()).arg(&module);
        let status: ExitStatus = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(Ending::from(status) == Ending::Exit(5), "{status}");
    }
    process::run(corner.larder()?.args(["cache", "verify"]), b"")?.success("cache verify")?;
    corner.run(&[], &module)?.1.must_hit()
}

fn argv_zero_is_the_file() -> Result<()> {
    let corner = Corner::new()?;
    let text = "declare i32 @puts(ptr)\n\
        define i32 @main(i32 %argc, ptr %argv) {\n\
          %name = load ptr, ptr %argv\n\
          %r = call i32 @puts(ptr %name)\n\
          ret i32 0\n\
        }\n";
    corner.write("p.ll", text)?;
    let (ran, _) = corner.run(&[], Path::new("./p.ll"))?;
    ensure!(ran.out() == "./p.ll\n", "{}", ran.out());
    Ok(())
}
