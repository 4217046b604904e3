//! Programs of several inputs: what is compiled again when one changes, what is not done again after a kill, and what goes wrong by name.

use crate::larder::{Corner, Report};
use crate::process::{self, Ending, Ran};
use crate::strace;
use crate::suite::{Skip, tests};
use crate::tools;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

tests![
    a_changed_module_alone_is_compiled,
    what_was_compiled_before_a_kill_is_kept,
    what_was_compiled_before_an_error_is_kept,
    damaged_objects_are_compiled_again,
    the_store_says_what_its_entries_are,
    two_definitions_are_an_error_that_names_both_modules,
    the_main_file_may_be_an_object,
    a_hit_reads_no_input,
    an_image_of_several_inputs_is_rebuilt_on_another_processor,
    what_can_not_be_linked_in_is_named,
    members_are_those_that_lld_takes,
    an_archive_may_hold_modules_and_objects_of_gcc,
    archives_are_refused_by_name,
    modules_are_optimised_as_one_on_request,
];

/// A program of three modules that ends with `1 + middle + last`.
struct Three {
    corner: Corner,
    files: Vec<PathBuf>,
}

fn value(name: &str, value: u8) -> String {
    format!("define i32 @{name}() {{\n  ret i32 {value:02}\n}}\n")
}

const MAIN: &str = "declare i32 @middle()\n\
    declare i32 @last()\n\
    define i32 @main() {\n  \
      %m = call i32 @middle()\n  \
      %l = call i32 @last()\n  \
      %s = add i32 %m, %l\n  \
      %r = add i32 %s, 1\n  \
      ret i32 %r\n\
    }\n";

impl Three {
    fn new() -> Result<Self> {
        let corner = Corner::new()?;
        let files = vec![
            corner.write("main.ll", MAIN)?,
            corner.write("middle.ll", value("middle", 10))?,
            corner.write("last.ll", value("last", 20))?,
        ];
        Ok(Three { corner, files })
    }

    /// The command; `--threads 1`, so that the modules are compiled in their order.
    fn command(&self) -> Result<Command> {
        let mut command = self.corner.larder_run()?;
        let [main, middle, last] = self.files.as_slice() else { unreachable!("there are three") };
        command.args(["--threads", "1", "--extra-module"]).arg(middle).arg("--extra-module").arg(last).arg(main);
        Ok(command)
    }

    fn run(&self) -> Result<(Ran, Report)> {
        self.corner.reported(&mut self.command()?, b"")
    }

    fn must_end(&self, code: i32, modules: [&str; 3]) -> Result<()> {
        let (ran, report) = self.run()?;
        ensure!(ran.ending == Ending::Exit(code), "{}: {}", ran.ending, ran.err());
        ensure!(outcomes(&report)? == modules, "{}", report.text);
        Ok(())
    }
}

fn outcomes(report: &Report) -> Result<Vec<String>> {
    let json: Value = serde_json::from_str(&report.text)?;
    let modules = json["modules"].as_array().context("no modules")?;
    Ok(modules.iter().map(|module| module["outcome"].as_str().unwrap_or_default().to_owned()).collect())
}

fn a_changed_module_alone_is_compiled() -> Result<()> {
    let three = Three::new()?;
    three.must_end(31, ["miss"; 3])?;
    let (_, report) = three.run()?;
    report.must_hit()?;
    three.corner.write("middle.ll", value("middle", 11))?;
    three.must_end(32, ["hit", "miss", "hit"])?;
    // Back again: that image is still kept.
    three.corner.write("middle.ll", value("middle", 10))?;
    three.run()?.1.must_hit()?;
    // Without the source it is another image of the same objects.
    let mut command = three.corner.larder_run()?;
    command.args(["--no-source", "--extra-module"]).arg(&three.files[1]).arg("--extra-module").arg(&three.files[2]);
    let (_, report) = three.corner.reported(command.arg(&three.files[0]), b"")?;
    report.must_miss()?;
    ensure!(outcomes(&report)? == ["hit"; 3], "{}", report.text);
    Ok(())
}

/// A worker that compiles as the real one does, until a module says that it is to stop there: then it says so and waits.
fn stopping(corner: &Corner, then: &str) -> Result<PathBuf> {
    let real = tools::worker()?;
    let marker = corner.work().join("started");
    let script = format!(
        "#!/bin/sh\n\
         case \"$*\" in *--version-json*) exec {real} \"$@\";; esac\n\
         n=$(cat {marker} 2>/dev/null | wc -l)\n\
         echo started >> {marker}\n\
         if [ \"$n\" = 1 ]; then {then}; fi\n\
         exec {real}\n",
        real = real.display(),
        marker = marker.display(),
    );
    let worker = corner.write("stopping", script)?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700))?;
    // Both ask for the same toolchain: the note of the store is under the worker's file.
    Ok(worker)
}

fn started(corner: &Corner) -> usize {
    fs::read_to_string(corner.work().join("started")).map_or(0, |text| text.lines().count())
}

fn what_was_compiled_before_a_kill_is_kept() -> Result<()> {
    for signal in [Signal::KILL, Signal::INT] {
        let three = Three::new()?;
        let worker = stopping(&three.corner, "exec sleep 1000")?;
        let larder = three.command()?;
        // Who runs the tests in the background has SIGINT ignored, and so has all that they start.
        let mut command = three.corner.command("env");
        command.arg("--default-signal=INT").arg(larder.get_program()).args(larder.get_args());
        command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = process::start(command.env("LARDER_WORKER", &worker))?;
        while started(&three.corner) < 2 {
            ensure!(child.try_wait()?.is_none(), "it ended before its second module");
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal)?;
        let ending = Ending::from(child.wait()?);
        ensure!(ending == Ending::Signal(signal.as_raw()), "{signal:?}: {ending}");
        three.must_end(31, ["hit", "miss", "miss"])?;
    }
    Ok(())
}

fn what_was_compiled_before_an_error_is_kept() -> Result<()> {
    for then in ["kill -SEGV $$", "exit 1"] {
        let three = Three::new()?;
        let worker = stopping(&three.corner, then)?;
        let mut command = three.command()?;
        let ran = process::run(command.env("LARDER_WORKER", worker), b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{}: {}", ran.ending, ran.err());
        ensure!(ran.err().contains("middle.ll: "), "the module isn't named: {}", ran.err());
        ensure!(started(&three.corner) == 2, "the third module was begun");
        three.must_end(31, ["hit", "miss", "miss"])?;
    }
    Ok(())
}

/// Entries of the store that are objects.
fn kept_objects(corner: &Corner) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(corner.store().join("v1/entries"))?.map(|entry| Ok(entry?.path()));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"LARDOBJ"))).collect())
}

fn damaged_objects_are_compiled_again() -> Result<()> {
    let three = Three::new()?;
    three.must_end(31, ["miss"; 3])?;
    let objects = kept_objects(&three.corner)?;
    ensure!(objects.len() == 3, "{} modules are kept", objects.len());
    for (path, damage) in objects.iter().zip([0, 90, 150]) {
        let mut bytes = fs::read(path)?;
        bytes[damage] ^= 1;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        fs::write(path, bytes)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o400))?;
    }
    let ran = process::run(three.corner.larder()?.args(["cache", "verify"]), b"")?;
    ensure!(ran.ending == Ending::Exit(1), "{}: {}", ran.ending, ran.out());
    ensure!(ran.out().lines().filter(|line| line.ends_with(": good")).count() == 1, "{}", ran.out());
    // Another module makes the image a miss; the main module's code stays as it is.
    three.corner.write("last.ll", value("last", 21))?;
    three.must_end(32, ["miss"; 3])?;
    ensure!(three.run()?.1.outcome == "hit", "the second run");
    Ok(())
}

fn the_store_says_what_its_entries_are() -> Result<()> {
    let three = Three::new()?;
    three.must_end(31, ["miss"; 3])?;
    let cache = |words: &[&str]| process::run(three.corner.larder()?.arg("cache").args(words), b"");
    let list = cache(&["list"])?.out();
    for (kind, count) in [(" image ", 1), (" objects ", 3)] {
        ensure!(list.lines().filter(|line| line.contains(kind)).count() == count, "{list}");
    }
    let stats: Value = serde_json::from_str(&cache(&["stats", "--json"])?.out())?;
    ensure!(stats["image_count"] == 1 && stats["objects_count"] == 3, "{stats}");
    let verified = cache(&["verify"])?;
    ensure!(verified.ending == Ending::Exit(0) && verified.out().lines().count() == 4, "{}", verified.out());
    let objects = kept_objects(&three.corner)?;
    let shown = process::run(three.corner.larder()?.arg("inspect").arg(&objects[0]), b"")?.success("inspect")?;
    ensure!(shown.out().contains("objects of one module"), "{}", shown.out());
    Ok(())
}

fn two_definitions_are_an_error_that_names_both_modules() -> Result<()> {
    let three = Three::new()?;
    three.corner.write("last.ll", value("last", 20) + &value("middle", 30))?;
    let ran = process::run(&mut three.command()?, b"")?;
    ensure!(ran.ending == Ending::Exit(125), "{}", ran.ending);
    for words in ["middle is defined twice", "middle.ll", "last.ll"] {
        ensure!(ran.err().contains(words), "doesn't say {words}: {}", ran.err());
    }
    Ok(())
}

fn object(corner: &Corner, name: &str, source: &str) -> Result<PathBuf> {
    let source = corner.write(&format!("{name}.c"), source)?;
    let object = corner.work().join(format!("{name}.o"));
    let mut command = corner.command(tools::llvm("clang")?);
    process::run(command.args(["-O1", "-c"]).arg(source).arg("-o").arg(&object), b"")?.success("clang")?;
    Ok(object)
}

fn the_main_file_may_be_an_object() -> Result<()> {
    let corner = Corner::new()?;
    let main = object(&corner, "main", "int other(void); int main(int n, char **a) { return n + other(); }\n")?;
    let other = corner.write("other.ll", value("other", 40))?;
    let run = |outcome: &str| -> Result<()> {
        let mut command = corner.larder_run()?;
        let command = command.arg("--extra-module").arg(&other).arg(&main).arg("x");
        let (ran, report) = corner.reported(command, b"")?;
        ensure!(
            ran.ending == Ending::Exit(42) && report.outcome == outcome,
            "{} {}{}",
            ran.ending,
            report.text,
            ran.err()
        );
        Ok(())
    };
    run("miss")?;
    run("hit")
}

fn a_hit_reads_no_input() -> Result<()> {
    let three = Three::new()?;
    let object = object(&three.corner, "unused", "int unused(void) { return 1; }\n")?;
    let run = |traced: bool| -> Result<Vec<String>> {
        let mut command = if traced { strace::larder(&three.corner, &["-f", "-y"])? } else { three.corner.larder()? };
        command.arg("run").arg("--extra-module").arg(&three.files[1]).arg("--extra-object").arg(&object);
        command.arg("--extra-module").arg(&three.files[2]).arg(&three.files[0]);
        let (ran, trace) = match traced {
            true => strace::trace(&three.corner, &mut command)?,
            false => (process::run(&mut command, b"")?, Vec::new()),
        };
        ensure!(ran.ending == Ending::Exit(31), "{} {}", ran.ending, ran.err());
        Ok(trace)
    };
    run(false)?;
    run(false)?;
    let trace = run(true)?;
    for file in three.files.iter().chain([&object]) {
        let touched = strace::naming(&trace, file);
        let calls: Vec<_> = touched.iter().filter(|line| !line.contains("execve(")).collect();
        ensure!(calls.len() == 1 && calls[0].contains("stat"), "{}: {calls:#?}", file.display());
    }
    Ok(())
}

fn an_image_of_several_inputs_is_rebuilt_on_another_processor() -> Result<()> {
    let three = Three::new()?;
    let object = object(&three.corner, "last", "int last(void) { return 25; }\n")?;
    let image = three.corner.work().join("three.image");
    let mut command = three.corner.larder()?;
    command.arg("build").arg("--extra-module").arg(&three.files[1]).arg("--extra-object").arg(&object);
    process::run(command.arg(&three.files[0]).arg("-o").arg(&image), b"")?.success("larder build")?;
    for file in three.files.iter().chain([&object]) {
        fs::remove_file(file)?;
    }
    let mut command = three.corner.larder_run()?;
    let (ran, report) = three.corner.reported(command.env("LARDER_CPU_FEATURES", "").arg(&image), b"")?;
    ensure!(ran.ending == Ending::Exit(36), "{} {}", ran.ending, ran.err());
    report.must_miss()?;
    ensure!(ran.err().contains("three.image: the code needs CPU features"), "{}", ran.err());
    Ok(())
}

fn what_can_not_be_linked_in_is_named() -> Result<()> {
    let three = Three::new()?;
    let refused = |file: &Path, words: &str| -> Result<()> {
        for option in ["--extra-module", "--extra-object", "--extra-archive"] {
            let mut command = three.corner.larder()?;
            let ran = process::run(command.arg("run").arg(option).arg(file).arg(&three.files[0]), b"")?;
            ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{} {}", ran.ending, ran.err());
            let name = file.display().to_string();
            ensure!(ran.err().contains(words) && ran.err().contains(&name), "{option} {name}: {}", ran.err());
        }
        Ok(())
    };
    refused(Path::new("/nonexistent.o"), "No such file")?;
    refused(&tools::worker()?, "a shared library, an executable or a saved image")?;
    refused(&three.corner.write("no.a", "neither this nor that")?, "expected")?;
    let image = three.corner.work().join("p.image");
    let mut command = three.corner.larder()?;
    let main = three.corner.write("alone.ll", value("main", 3))?;
    process::run(command.arg("build").arg(&main).arg("-o").arg(&image), b"")?.success("larder build")?;
    let mut command = three.corner.larder()?;
    let ran = process::run(command.args(["run", "--extra-module"]).arg(&three.files[1]).arg(&image), b"")?;
    ensure!(ran.ending == Ending::Exit(125) && ran.err().contains("linked already"), "{}", ran.err());
    Ok(())
}

/// The command's image has the members that lld takes, on link lines whose answers differ by order, strength and position.
fn members_are_those_that_lld_takes() -> Result<()> {
    let corner = Corner::new()?;
    let sources = [
        ("main", "int a(void); int weak(void) __attribute__((weak)); int main(void) { return a() + (weak ? 1 : 0); }"),
        ("a", "int b(void); int taken_a; int a(void) { return b(); }"),
        ("b", "int taken_b; int b(void) { return 0; }"),
        ("b_weak", "int taken_b_weak; __attribute__((weak)) int b(void) { return 0; }"),
        ("c", "int taken_c; int b(void); int weak(void) { return 1; }"),
        ("d", "int c_later(void); int taken_d; int weak(void); int d(void) { return c_later() + weak(); }"),
        ("needs_d", "int d(void); int (*keep_d)(void) = d;"),
        ("later", "int taken_later; int c_later(void) { return 2; }"),
    ];
    for (name, source) in sources {
        object(&corner, name, &format!("{source}\n"))?;
    }
    let lines: [&[&str]; 6] = [
        &["lib:b,a,c"],
        &["lib:c,a", "lib:b_weak,b"],
        &["lib:a", "lib:b,b_weak", "needs_d.o", "lib:later,d,c"],
        &["lib:later,d", "needs_d.o", "lib:c,a,b"],
        &["b_weak.o", "lib:b,a"],
        &["lib:a,b", "lib:b_weak,c", "lib:d,later"],
    ];
    for line in lines {
        let mut files = vec!["main.o".to_owned()];
        for (number, item) in line.iter().enumerate() {
            let Some(members) = item.strip_prefix("lib:") else {
                files.push((*item).to_owned());
                continue;
            };
            let archive = format!("lib{number}.a");
            let _ = fs::remove_file(corner.work().join(&archive));
            let mut command = corner.command(tools::llvm("llvm-ar")?);
            command.args(["rcs", &archive]).args(members.split(',').map(|member| format!("{member}.o")));
            process::run(&mut command, b"")?.success("llvm-ar")?;
            files.push(archive);
        }
        let mut command = corner.command(tools::llvm("clang")?);
        command.arg("-fuse-ld=lld").args(&files).args(["-o", "native"]);
        process::run(&mut command, b"")?.success("lld")?;
        let mut command = corner.larder()?;
        command.arg("build").args(files[1..].iter().map(|file| format!("--extra-object={file}")));
        process::run(command.args([&files[0], "-o", "image"]), b"")?.success("larder build")?;
        let (native, ours) = (taken_members(&corner, "native")?, taken_members(&corner, "image")?);
        ensure!(native == ours, "{line:?}: lld takes {native:?}, larder {ours:?}");
        ensure!(!native.is_empty(), "{line:?}: nothing is taken");
    }
    Ok(())
}

/// Each source has a variable that tells whether it is there.
fn taken_members(corner: &Corner, file: &str) -> Result<Vec<String>> {
    let ran = process::run(corner.command(tools::llvm("llvm-nm")?).args(["--just-symbol-name", file]), b"")?;
    let mut names: Vec<_> = ran.out().lines().filter(|name| name.starts_with("taken_")).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// Each needs the other, and the order in the archive is of no matter.
fn an_archive_may_hold_modules_and_objects_of_gcc() -> Result<()> {
    const MAIN: &str = "int first(int); int main(void) { return first(3); }\n";
    const FIRST: &str = "int second(int); int first(int n) { return n > 9 ? n : second(n + 1); }\n";
    const SECOND: &str = "int first(int); int second(int n) { return first(n * 2); }\n";
    let corner = Corner::new()?;
    let gcc = tools::system("gcc").ok_or_else(|| Skip("no gcc".to_owned()))?;
    let clang = tools::llvm("clang")?;
    let sources = [corner.write("main.c", MAIN)?, corner.write("first.c", FIRST)?, corner.write("second.c", SECOND)?];
    let compile = |compiler: &Path, options: &[&str], source: &Path, output: &str| {
        let mut command = corner.command(compiler);
        process::run(command.args(options).args(["-O1", "-c", "-o", output]).arg(source), b"")?.success(output)
    };
    compile(&clang, &["-emit-llvm"], &sources[0], "main.bc")?;
    for [by_gcc, by_clang] in [[1, 2], [2, 1]] {
        compile(&gcc, &[], &sources[by_gcc], "object.o")?;
        compile(&clang, &["-flto"], &sources[by_clang], "module.o")?;
        for members in [["object.o", "module.o"], ["module.o", "object.o"]] {
            let mut command = corner.command(tools::llvm("llvm-ar")?);
            process::run(command.args(["rcs", "mixed.a"]).args(members), b"")?.success("llvm-ar")?;
            for option in [&[][..], &["--lto"]] {
                let mut command = corner.larder()?;
                command.arg("run").args(option).args(["--extra-archive", "mixed.a", "main.bc"]);
                let ran = process::run(&mut command, b"")?;
                ensure!(ran.ending == Ending::Exit(18), "{members:?} {option:?}: {} {}", ran.ending, ran.err());
            }
            fs::remove_file(corner.work().join("mixed.a"))?;
        }
    }
    Ok(())
}

fn archives_are_refused_by_name() -> Result<()> {
    let corner = Corner::new()?;
    let main =
        corner.write("main.ll", "declare i32 @f()\ndefine i32 @main() {\n  %r = call i32 @f()\n  ret i32 %r\n}\n")?;
    object(&corner, "f", "int f(void) { return 6; }\n")?;
    let archive = |options: &str, name: &str| -> Result<PathBuf> {
        let mut command = corner.command(tools::llvm("llvm-ar")?);
        process::run(command.args([options, name, "f.o"]), b"")?.success("llvm-ar")?;
        Ok(corner.work().join(name))
    };
    let run =
        |archive: &Path| process::run(corner.larder()?.arg("run").arg("--extra-archive").arg(archive).arg(&main), b"");
    for (options, name) in [("rcs", "index.a"), ("rcS", "plain.a"), ("rcs", "a_name_longer_than_sixteen_bytes.a")] {
        let ran = run(&archive(options, name)?)?;
        ensure!(ran.ending == Ending::Exit(6), "{name}: {} {}", ran.ending, ran.err());
    }
    let mut command = corner.command(tools::llvm("llvm-ar")?);
    process::run(command.args(["--format=bsd", "rcs", "bsd.a", "f.o"]), b"")?.success("llvm-ar")?;
    let ran = run(&corner.work().join("bsd.a"))?;
    ensure!(ran.ending == Ending::Exit(6), "bsd: {} {}", ran.ending, ran.err());
    let thin = run(&archive("rcsT", "thin.a")?)?;
    ensure!(thin.ending == Ending::Exit(125) && thin.err().contains("thin archive"), "{}", thin.err());
    let whole = fs::read(corner.work().join("index.a"))?;
    let cut = run(&corner.write("cut.a", &whole[..whole.len() - 100])?)?;
    ensure!(cut.ending == Ending::Exit(125) && cut.err().contains("cut.a"), "{}", cut.err());
    // A member that is no object, and one that is damaged.
    corner.write("f.o", [&b"\x7fELF"[..], &[0; 60]].concat())?;
    let bad = run(&archive("rcS", "bad.a")?)?;
    ensure!(bad.ending == Ending::Exit(125) && bad.err().contains("bad.a(f.o)"), "{}", bad.err());
    corner.write("f.o", "a text")?;
    let text = run(&archive("rcS", "text.a")?)?;
    ensure!(text.ending == Ending::Exit(125) && text.err().contains(": f"), "{}", text.err());
    Ok(())
}

/// A function of one module that is used in another only: without link-time optimisation it stays, with it nothing is left of it.
fn modules_are_optimised_as_one_on_request() -> Result<()> {
    let three = Three::new()?;
    let units = |options: &[&str]| -> Result<String> {
        let mut command = three.corner.larder()?;
        command.arg("build").args(options).arg("--export=main").arg("--extra-module").arg(&three.files[1]);
        command.arg("--extra-module").arg(&three.files[2]).arg(&three.files[0]).args(["-o", "p.image"]);
        process::run(&mut command, b"")?.success("larder build")?;
        let shown = process::run(three.corner.larder()?.args(["inspect", "--json", "p.image"]), b"")?;
        let image: Value = serde_json::from_str(&shown.success("larder inspect")?.out())?;
        let ran = process::run(three.corner.larder()?.args(["run", "p.image"]), b"")?;
        ensure!(ran.ending == Ending::Exit(31), "{options:?}: {} {}", ran.ending, ran.err());
        let units = image["units"].as_array().context("no units")?.iter().filter_map(|unit| unit["name"].as_str());
        Ok(units.collect::<Vec<_>>().join(" "))
    };
    ensure!(units(&[])? == "main middle last", "without: {}", units(&[])?);
    ensure!(units(&["--lto"])? == "main", "with: {}", units(&["--lto"])?);
    let refused = |words: &[&str]| -> Result<()> {
        let mut command = three.corner.larder()?;
        command.args(["run", "--lto", "--extra-module"]).arg(&three.files[1]).arg("--extra-module");
        let ran = process::run(command.arg(&three.files[2]).arg(&three.files[0]), b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{} {}", ran.ending, ran.err());
        for word in words {
            ensure!(ran.err().contains(word), "doesn't say {word}: {}", ran.err());
        }
        Ok(())
    };
    three.corner.write("last.ll", value("last", 20) + &value("middle", 30))?;
    refused(&["middle is defined twice", "middle.ll", "last.ll"])?;
    three
        .corner
        .write("middle.ll", String::from("target triple = \"x86_64-pc-linux-gnu\"\n") + &value("middle", 10))?;
    three.corner.write("last.ll", String::from("target triple = \"aarch64-linux-gnu\"\n") + &value("last", 20))?;
    refused(&["last.ll", "aarch64-linux-gnu"])
}
