//! Code for other machines than x86-64 Linux: objects, modules and images, which LLVM can make and nobody here can run.
//!
//! Each is refused by name, wherever it comes in. An image that lies in the store is a miss, and is made again.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use crate::tools::llvm;
use anyhow::{Context, Result, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

tests![objects, archives, modules, images, entries_of_the_store];

/// LLVM's names of targets, and what messages call their machines.
const TARGETS: [(&str, &str); 5] = [
    ("aarch64-linux-gnu", "aarch64, 64 bits, little-endian"),
    ("i386-linux-gnu", "i386, 32 bits, little-endian"),
    ("s390x-linux-gnu", "s390x, 64 bits, big-endian"),
    ("riscv64-linux-gnu", "riscv, 64 bits, little-endian"),
    ("x86_64-linux-gnux32", "x86-64, 32 bits, little-endian"),
];

/// Header bytes of an image for another machine: class, data encoding, machine; and what is said of it.
const HEADERS: [([u8; 4], &str, &str); 4] = [
    ([2, 1, 183, 0], "machine", "aarch64, 64 bits, little-endian"),
    ([1, 1, 3, 0], "word size", "i386, 32 bits, little-endian"),
    ([2, 2, 0, 22], "byte order", "s390x, 64 bits, big-endian"),
    ([2, 2, 62, 0], "byte order", "machine number 15872, 64 bits, big-endian"),
];

const SOURCE: &str = "int value(int x) { return x + 1; } int other(void) { return value(4); }";

/// What clang makes of [`SOURCE`] for that target.
fn clang(corner: &Corner, target: &str, name: &str, options: &[&str]) -> Result<PathBuf> {
    let source = corner.write("source.c", SOURCE)?;
    let path = corner.work().join(name);
    let mut clang = Command::new(llvm("clang")?);
    clang.args(["-O1", "-c", "-ffreestanding", &format!("--target={target}")]).args(options);
    process::run(clang.arg(source).arg("-o").arg(&path), b"")?.success("clang")?;
    Ok(path)
}

/// Fails unless the command failed by itself before anything ran, with those words.
fn is_refused(ran: &Ran, words: &[&str]) -> Result<()> {
    ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{} {}{}", ran.ending, ran.out(), ran.err());
    words.iter().try_for_each(|word| {
        ensure!(ran.err().contains(word), "{word} isn't said: {}", ran.err());
        Ok(())
    })
}

fn run(corner: &Corner, words: &[&str], files: &[&Path]) -> Result<Ran> {
    process::run(corner.larder()?.arg("run").args(words).args(files), b"")
}

fn objects() -> Result<()> {
    let corner = Corner::new()?;
    let main = corner.write("main.ll", ir::saying("x", 5))?;
    for (target, machine) in TARGETS {
        let object = clang(&corner, target, "foreign.o", &[])?;
        is_refused(&run(&corner, &[], &[&object])?, &["foreign.o", machine]).context(target)?;
        is_refused(&run(&corner, &["--extra-object"], &[&object, &main])?, &["foreign.o", machine]).context(target)?;
    }
    Ok(())
}

fn archives() -> Result<()> {
    let corner = Corner::new()?;
    let main = corner
        .write("main.ll", "declare i32 @value(i32)\ndefine i32 @main() { %v = call i32 @value(i32 1) ret i32 %v }")?;
    for (target, machine) in TARGETS {
        let (object, archive) = (clang(&corner, target, "member.o", &[])?, corner.work().join("foreign.a"));
        process::run(Command::new(llvm("llvm-ar")?).arg("rc").arg(&archive).arg(&object), b"")?.success("ar")?;
        let ran = run(&corner, &["--extra-archive"], &[&archive, &main])?;
        is_refused(&ran, &["foreign.a(member.o)", machine]).context(target)?;
        fs::remove_file(&archive)?;
    }
    Ok(())
}

fn modules() -> Result<()> {
    let corner = Corner::new()?;
    let main = corner.write("main.ll", String::from("target triple = \"x86_64-linux-gnu\"\n") + &ir::saying("x", 5))?;
    for (target, _) in TARGETS {
        let triple = target.split('-').next().unwrap_or_default();
        for (name, options) in [("foreign.bc", &["-emit-llvm"][..]), ("foreign.ll", &["-emit-llvm", "-S"])] {
            let module = clang(&corner, target, name, options)?;
            is_refused(&run(&corner, &[], &[&module])?, &[name, triple]).context(target)?;
            is_refused(&run(&corner, &["--extra-module"], &[&module, &main])?, &[name, triple]).context(target)?;
            let ran = run(&corner, &["--lto", "--extra-module"], &[&module, &main])?;
            is_refused(&ran, &[name, triple]).context(target)?;
            let mut build = corner.larder()?;
            let ran = process::run(build.arg("build").arg(&module).args(["-o", "foreign.image"]), b"")?;
            is_refused(&ran, &[name, triple]).context(target)?;
        }
    }
    for triple in ["x86_64-unknown-freebsd", "x86_64-apple-macosx", "x86_64-pc-windows-msvc"] {
        let module = corner.write("system.ll", format!("target triple = \"{triple}\"\n") + &ir::saying("x", 5))?;
        is_refused(&run(&corner, &[], &[&module])?, &["system.ll", triple])?;
    }
    Ok(())
}

/// An image of a program that prints `x`, its bytes.
fn image(corner: &Corner) -> Result<Vec<u8>> {
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let image = corner.work().join("p.image");
    process::run(corner.larder()?.arg("build").arg(module).arg("-o").arg(&image), b"")?.success("build")?;
    Ok(fs::read(image)?)
}

fn with_header(image: &[u8], ident: [u8; 4]) -> Vec<u8> {
    let mut bytes = image.to_vec();
    (bytes[4], bytes[5], bytes[18], bytes[19]) = ident.into();
    bytes
}

fn images() -> Result<()> {
    let corner = Corner::new()?;
    let native = image(&corner)?;
    let is_named = |ran: &Ran, words: &[&str]| -> Result<()> {
        ensure!(ran.ending != Ending::Exit(0) && ran.ending != Ending::Exit(5), "{} {}", ran.ending, ran.out());
        let said = ran.out() + &ran.err();
        ensure!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        Ok(())
    };
    for (ident, what, machine) in HEADERS {
        let bytes = with_header(&native, ident);
        let path = corner.write("foreign.image", &bytes)?;
        is_refused(&run(&corner, &[], &[&path])?, &["foreign.image", what, machine])?;
        is_refused(&process::run(corner.larder()?.args(["run", "-"]), &bytes)?, &[what, machine])?;
        for command in ["inspect", "verify"] {
            let ran = process::run(corner.larder()?.arg(command).arg(&path), b"")?;
            is_named(&ran, &["foreign.image", machine]).context(command)?;
        }
    }
    let mut bytes = native;
    bytes[7] = 9;
    let path = corner.write("freebsd.image", &bytes)?;
    is_refused(&run(&corner, &[], &[&path])?, &["operating system"])
}

fn entries_of_the_store() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let (_, first) = corner.run(&[], &module)?;
    let entry = first.image()?;
    let native = fs::read(entry)?;
    for (ident, _, machine) in HEADERS {
        fs::remove_file(entry)?;
        fs::write(entry, with_header(&native, ident))?;
        fs::set_permissions(entry, Permissions::from_mode(0o400))?;
        let (ran, report) = corner.run(&[], &module)?;
        ensure!(ran.ending == Ending::Exit(5) && ran.out() == "x\n", "{machine}: {} {}", ran.ending, ran.err());
        ensure!(report.reason == "other-platform" && report.text.contains(machine), "{machine}: {}", report.text);
        corner.run(&[], &module)?.1.must_hit()?;
        ensure!(fs::read(entry)? == native, "{machine}: the entry was not made again");
    }
    Ok(())
}
