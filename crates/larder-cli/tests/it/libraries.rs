//! Programs with libraries, against the same programs linked by clang.

use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use crate::tools;
use anyhow::{Result, ensure};

tests![
    libraries_behave_as_if_linked,
    a_library_comes_before_the_c_library_and_after_its_elders,
    libraries_are_found_as_a_linker_finds_them,
    an_archive_gives_what_is_needed_of_it,
    what_is_missing_is_named_with_its_places
];

const TRACE: &str = r#"#include <stdio.h>
__attribute__((constructor)) static void begin(void) { puts(NAME " begins"); }
__attribute__((destructor)) static void end(void) { puts(NAME " ends"); }
int FUNCTION(int x) { return x + ADD; }
int shared_name(void) { return ADD; }
int counter = ADD;
"#;

const PROGRAM: &str = r#"#include <stdio.h>
int one(int), two(int), shared_name(void);
extern int counter;
__attribute__((constructor)) static void begin(void) { puts("program begins"); }
__attribute__((destructor)) static void end(void) { puts("program ends"); }
int main(void) { counter++; printf("%d %d %d %d\n", one(1), two(1), shared_name(), counter); return 4; }
"#;

fn clang(corner: &Corner, args: &[&str]) -> Result<()> {
    process::run(corner.command(tools::llvm("clang")?).arg("-O1").args(args), b"")?.success("clang").map(drop)
}

/// A corner with the program and two libraries in two directories.
fn corner() -> Result<Corner> {
    let corner = Corner::new()?;
    corner.write("trace.c", TRACE)?;
    corner.write("program.c", PROGRAM)?;
    for (name, add, dir) in [("one", "10", "first"), ("two", "20", "second")] {
        std::fs::create_dir(corner.work().join(dir))?;
        let defines = [format!("-DNAME=\"{name}\""), format!("-DFUNCTION={name}"), format!("-DADD={add}")];
        let output = format!("{dir}/lib{name}.so");
        clang(&corner, &["-shared", "-fPIC", &defines[0], &defines[1], &defines[2], "trace.c", "-o", &output])?;
    }
    clang(&corner, &["-c", "-emit-llvm", "program.c", "-o", "program.bc"])?;
    Ok(corner)
}

fn libraries_behave_as_if_linked() -> Result<()> {
    let corner = corner()?;
    let lines: [&[&str]; 2] = [
        &["-Lfirst", "-L", "second", "-lone", "-l", "two"],
        &["-Lsecond", "-Lfirst", "-ltwo", "-lone", "-lm", "-lpthread"],
    ];
    for line in lines {
        // A program's libraries are initialised in the order of their dependencies, and among equals last first; ours in the order given.
        let mut native = line.to_vec();
        native.extend(["program.c", "-Wl,-rpath,first:second", "-Wl,--no-as-needed", "-o", "native"]);
        clang(&corner, &native)?;
        let native = process::run(&mut corner.command(corner.work().join("native")), b"")?;
        let ran = process::run(corner.larder()?.arg("run").args(line).arg("program.bc"), b"")?;
        ensure!(ran.ending == Ending::Exit(4) && ran.stderr.is_empty(), "{line:?}: {} {}", ran.ending, ran.err());
        let steps = |text: &str, name: &str| -> Vec<String> {
            text.lines().filter(|step| !step.starts_with(name)).map(str::to_owned).collect()
        };
        for other in ["one", "two"] {
            let (ours, theirs) = (steps(&ran.out(), other), steps(&native.out(), other));
            ensure!(ours == theirs, "{line:?}: {ours:?}, natively {theirs:?}");
        }
    }
    Ok(())
}

fn a_library_comes_before_the_c_library_and_after_its_elders() -> Result<()> {
    let corner = corner()?;
    corner.write("abs.c", "int abs(int x) { (void)x; return 99; }\n")?;
    corner.write("uses.c", "int abs(int);\nint (*volatile f)(int) = abs;\nint main(void) { return f(-3); }\n")?;
    clang(&corner, &["-fno-builtin", "-shared", "-fPIC", "abs.c", "-o", "libabs.so"])?;
    clang(&corner, &["-fno-builtin", "-c", "-emit-llvm", "uses.c", "-o", "uses.bc"])?;
    for (line, expected) in [
        (&["uses.bc"][..], 3),
        (&["--load", "./libabs.so", "uses.bc"], 99),
        (&["-load=first/libone.so", "-L.", "-labs", "uses.bc"], 99),
    ] {
        for way in ["cold", "warm"] {
            let ran = process::run(corner.larder()?.arg("run").args(line), b"")?;
            ensure!(ran.ending == Ending::Exit(expected), "{line:?}, {way}: {} {}", ran.ending, ran.err());
        }
    }
    Ok(())
}

fn libraries_are_found_as_a_linker_finds_them() -> Result<()> {
    let corner = corner()?;
    corner.write("script.txt", "")?;
    std::fs::create_dir(corner.work().join("scripts"))?;
    corner.write("scripts/libboth.so", "/* GNU ld script */ GROUP ( -lone AS_NEEDED ( libtwo.so ) )\n")?;
    let line = ["run", "-Lfirst", "-Lsecond", "-Lscripts", "-lboth", "program.bc"];
    let ran = process::run(corner.larder()?.args(line), b"")?;
    ensure!(ran.ending == Ending::Exit(4) && ran.out().contains("11 21 10 11"), "{} {}", ran.out(), ran.err());
    let mut command = corner.larder()?;
    command.env("LIBRARY_PATH", "second:first").args(["run", "-lone", "-l:libtwo.so", "program.bc"]);
    let ran = process::run(&mut command, b"")?;
    ensure!(ran.ending == Ending::Exit(4), "{} {}", ran.out(), ran.err());
    let mut command = corner.larder()?;
    command.env("LD_LIBRARY_PATH", "first:second").args([
        "run",
        "--load",
        "libone.so",
        "-load",
        "libtwo.so",
        "program.bc",
    ]);
    let ran = process::run(&mut command, b"")?;
    ensure!(ran.ending == Ending::Exit(4), "{} {}", ran.out(), ran.err());
    Ok(())
}

fn an_archive_gives_what_is_needed_of_it() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("used.c", "int used(void) { return 9; }\n")?;
    corner.write("unused.c", "int nowhere(void);\nint unused(void) { return nowhere(); }\n")?;
    corner.write("main.c", "int used(void);\nint main(void) { return used(); }\n")?;
    std::fs::create_dir(corner.work().join("lib"))?;
    clang(&corner, &["-c", "used.c", "unused.c"])?;
    clang(&corner, &["-c", "-emit-llvm", "main.c", "-o", "main.bc"])?;
    let archive = ["rcs", "lib/libparts.a", "used.o", "unused.o"];
    process::run(corner.command(tools::llvm("llvm-ar")?).args(archive), b"")?.success("llvm-ar")?;
    for way in ["cold", "warm"] {
        let ran = process::run(corner.larder()?.args(["run", "-Llib", "-lparts", "main.bc"]), b"")?;
        ensure!(ran.ending == Ending::Exit(9), "{way}: {} {}", ran.ending, ran.err());
    }
    Ok(())
}

fn what_is_missing_is_named_with_its_places() -> Result<()> {
    let corner = corner()?;
    std::fs::copy(corner.work().join("first/libone.so"), corner.work().join("first/libold.so.3"))?;
    for (line, words) in [
        (&["-Lfirst", "-lold"][..], &["-lold", "libold.so", "libold.a", "first,", "/usr/lib", "first/libold.so.3"][..]),
        (&["-lnowhere"], &["libnowhere.so", "/usr/lib/x86_64-linux-gnu"]),
        (&["--load", "./nowhere.so"], &["./nowhere.so", "No such file"]),
        (&["--load", "first/libone.so"], &["unresolved: two", "-l NAME"]),
    ] {
        let ran = process::run(corner.larder()?.arg("run").args(line).arg("program.bc"), b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{line:?}: {} {}", ran.ending, ran.err());
        for words in words {
            ensure!(ran.err().contains(words), "{line:?} doesn't say {words:?}: {}", ran.err());
        }
    }
    Ok(())
}
