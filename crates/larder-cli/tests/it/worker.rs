//! Workers that are missing, crash, hang, lie, or die of hunger: a typed error, exit code 125, nothing left behind; and whatever is
//! kept already runs without any.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use crate::tools;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

tests![
    missing,
    not_a_program,
    crashing,
    hanging,
    closing_its_output_and_hanging,
    hanging_before_it_is_asked,
    interrupted,
    killed_and_repeated,
    babbling,
    dying_at_once,
    a_crash_inside_llvm,
    a_fatal_error_of_llvm,
    hungry,
    malformed_modules,
];

/// Runs a module with this worker, cold: exit code 125, a message, no output, nothing left.
fn fails(corner: &Corner, worker: &Path, options: &[&str], module: &Path) -> Result<String> {
    let mut command = corner.larder()?;
    command.env("LARDER_WORKER", worker).arg("run").args(options).arg(module);
    let ran = process::run(&mut command, b"")?;
    is_error(corner, &ran)?;
    Ok(ran.err())
}

fn is_error(corner: &Corner, ran: &Ran) -> Result<()> {
    is_refusal(ran)?;
    // Objects of parts that were done are kept.
    let entries = fs::read_dir(corner.store().join("v1/entries")).into_iter().flatten().flatten();
    let images =
        entries.filter(|entry| fs::read(entry.path()).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))).count();
    ensure!(images == 0, "an image was published");
    is_clean(corner)
}

fn is_refusal(ran: &Ran) -> Result<()> {
    ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{}: {}{}", ran.ending, ran.out(), ran.err());
    ensure!(ran.err().starts_with("larder: "), "doesn't begin with larder: {}", ran.err());
    Ok(())
}

/// Fails if something is left where only passing things are.
fn is_clean(corner: &Corner) -> Result<()> {
    let store = corner.store();
    let places = [corner.tmp(), store.join("v1/temp"), store.join("v1/locks")];
    for place in places {
        let left: Vec<_> = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        ensure!(left.is_empty(), "left behind: {left:?}");
    }
    Ok(())
}

fn missing() -> Result<()> {
    let corner = Corner::new()?;
    let nowhere = Path::new("/nonexistent/larder-worker");
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let said = fails(&corner, nowhere, &[], &module)?;
    for words in ["/nonexistent/larder-worker", "larder doctor"] {
        ensure!(said.contains(words), "doesn't say {words}: {said}");
    }
    corner.run(&[], &module)?.1.must_miss()?;
    let mut command = corner.larder_run()?;
    let (ran, report) = corner.reported(command.env("LARDER_WORKER", nowhere).arg(&module), b"")?;
    ensure!(ran.ending == Ending::Exit(5) && ran.stderr.is_empty(), "{} {}", ran.ending, ran.err());
    report.must_hit()
}

/// A worker that answers the first question as the real one does, and compiles as `then` says.
fn pretender(corner: &Corner, then: &str) -> Result<PathBuf> {
    let real = tools::worker()?;
    let script =
        format!("#!/bin/sh\ncase \"$*\" in\n*--version-json*) exec {} \"$@\";;\nesac\n{then}\n", real.display());
    let worker = corner.write("pretender", script)?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700))?;
    Ok(worker)
}

fn not_a_program() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let worker = corner.write("worker", "no program")?;
    fails(&corner, &worker, &[], &module).context("not executable")?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700))?;
    fails(&corner, &worker, &[], &module).context("of no format")?;
    fails(&corner, Path::new("/"), &[], &module).context("a directory")?;
    Ok(())
}

fn crashing() -> Result<()> {
    for signal in ["SEGV", "ABRT", "KILL", "ILL"] {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("x", 5))?;
        let worker = pretender(&corner, &format!("kill -{signal} $$"))?;
        let said = fails(&corner, &worker, &[], &module).with_context(|| signal.to_owned())?;
        ensure!(said.contains("signal") || said.contains(signal), "doesn't say how it ended: {said}");
    }
    Ok(())
}

fn hanging() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let worker = pretender(&corner, "exec sleep 1000")?;
    let said = fails(&corner, &worker, &["--timeout", "1"], &module)?;
    ensure!(said.contains("1 s") || said.contains("time"), "doesn't speak of time: {said}");
    Ok(())
}

fn closing_its_output_and_hanging() -> Result<()> {
    for last_words in ["", "printf garbagegarbagegarbagegarbage;"] {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("x", 5))?;
        let worker = pretender(&corner, &format!("{last_words} exec sleep 1000 >&-"))?;
        fails(&corner, &worker, &["--timeout", "1"], &module).with_context(|| last_words.to_owned())?;
    }
    Ok(())
}

/// The first question, for the toolchain, has a deadline as well.
fn hanging_before_it_is_asked() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let worker = corner.write("worker", "#!/bin/sh\nexec sleep 1000\n")?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o700))?;
    fails(&corner, &worker, &["--timeout", "1"], &module)?;
    Ok(())
}

/// Control-C and kill: the command ends by the signal, its worker with it, and the next run is undisturbed.
fn interrupted() -> Result<()> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::laborious(3000))?;
        let fifo = corner.work().join("fifo");
        process::run(corner.command("mkfifo").arg(&fifo), b"")?.success("mkfifo")?;
        // The worker inherits the pipe's other end, which closes when the worker ends.
        let then = format!("exec 9>{}\necho started >&9\nexec {}", fifo.display(), tools::worker()?.display());
        let worker = pretender(&corner, &then)?;
        let larder = corner.larder()?;
        // Who runs the tests in the background has SIGINT ignored, and so has all that they start.
        let mut command = corner.command("env");
        command.args(["--default-signal=INT,HUP,TERM"]).arg(larder.get_program()).args(larder.get_args());
        command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = process::start(command.env("LARDER_WORKER", &worker).arg("run").arg(&module))?;
        let mut signs = BufReader::new(File::open(&fifo)?);
        let mut line = String::new();
        signs.read_line(&mut line)?;
        kill_process(Pid::from_child(&child), signal)?;
        let ending = Ending::from(child.wait()?);
        ensure!(ending == Ending::Signal(signal.as_raw()), "{signal:?}: {ending}");
        signs.read_to_end(&mut Vec::new())?;
        corner.write("p.ll", ir::saying("x", 5))?;
        corner.run(&[], &module)?.1.must_miss()?;
        is_clean(&corner)?;
    }
    Ok(())
}

/// What was generated before the command was killed is not generated again, and the image is the same.
fn killed_and_repeated() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::laborious(600))?;
    let options = ["--split", "groups", "-O1", "--threads", "1"];
    let mut command = corner.larder()?;
    let mut child = process::start(command.arg("run").args(options).arg(&module))?;
    let entries = || fs::read_dir(corner.store().join("v1/entries")).into_iter().flatten().count();
    while entries() < 2 && child.try_wait()?.is_none() {
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::KILL)?;
    ensure!(Ending::from(child.wait()?) == Ending::Signal(9), "it was done before it was killed");
    let kept = entries() as u64;
    let (ran, report) = corner.run(&options, &module)?;
    ensure!(ran.ending == Ending::Exit(0), "{} {}", ran.ending, ran.err());
    report.must_miss()?;
    let json: serde_json::Value = serde_json::from_str(&report.text)?;
    ensure!(json["parts_kept"] == kept && json["parts_generated"].as_u64() > Some(0), "{kept} parts: {}", report.text);
    let undisturbed = Corner::new()?;
    let image = undisturbed.run(&options, &module)?.1;
    ensure!(fs::read(image.image()?)? == fs::read(report.image()?)?, "two images of one module");
    process::run(corner.larder()?.args(["cache", "verify"]), b"")?.success("cache verify")?;
    Ok(())
}

fn babbling() -> Result<()> {
    for words in ["echo gotcha", "head -c 100000 /dev/zero", "yes | head -c 1000000", "printf 'LARD'", "exec cat"] {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("x", 5))?;
        let worker = pretender(&corner, words)?;
        fails(&corner, &worker, &["--timeout", "20"], &module).with_context(|| words.to_owned())?;
    }
    Ok(())
}

fn dying_at_once() -> Result<()> {
    for code in [0, 1, 127] {
        let corner = Corner::new()?;
        let module = corner.write("p.ll", ir::saying("x", 5))?;
        let worker = pretender(&corner, &format!("exit {code}"))?;
        fails(&corner, &worker, &[], &module).with_context(|| format!("exit {code}"))?;
    }
    Ok(())
}

/// LLVM's parser is recursive: a type nested deeply enough runs out of stack.
fn a_crash_inside_llvm() -> Result<()> {
    let corner = Corner::new()?;
    let depth = 200_000;
    let text = format!("@g = external global {}i8{}\n", "[1 x ".repeat(depth), "]".repeat(depth));
    let module = corner.write("p.ll", text)?;
    fails(&corner, &tools::worker()?, &[], &module)?;
    Ok(())
}

/// An intrinsic that the chosen CPU has no instruction for: LLVM ends its process with a fatal error.
fn a_fatal_error_of_llvm() -> Result<()> {
    let corner = Corner::new()?;
    let text = "declare <16 x float> @llvm.x86.avx512.rcp14.ps.512(<16 x float>, <16 x float>, i16)\n\
        define void @main(ptr %p) {\n\
          %x = load <16 x float>, ptr %p\n\
          %y = call <16 x float> @llvm.x86.avx512.rcp14.ps.512(<16 x float> %x, <16 x float> %x, i16 -1)\n\
          store <16 x float> %y, ptr %p\n\
          ret void\n\
        }\n";
    let module = corner.write("p.ll", text)?;
    let said = fails(&corner, &tools::worker()?, &["--cpu", "x86-64"], &module)?;
    ensure!(said.contains("Do not know how to split"), "LLVM's own words are missing: {said}");
    Ok(())
}

fn hungry() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::laborious(3000))?;
    let said = fails(&corner, &tools::worker()?, &["--memory", "300", "--threads", "1"], &module)?;
    ensure!(said.contains("memory"), "doesn't speak of memory: {said}");
    Ok(())
}

fn malformed_modules() -> Result<()> {
    let corner = Corner::new()?;
    let good = corner.write("good.ll", ir::saying("x", 5))?;
    process::run(corner.command(tools::llvm("llvm-as")?).arg(&good).args(["-o", "good.bc"]), b"")?
        .success("llvm-as")?;
    let bitcode = fs::read(corner.work().join("good.bc"))?;
    let mut modules = vec![Vec::new(), b"BC\xc0\xde".to_vec(), b"\xff\xfe\0\0 nothing".to_vec(), b"define".to_vec()];
    modules.extend((4..bitcode.len()).step_by(97).map(|len| bitcode[..len].to_vec()));
    modules.extend(
        (8..bitcode.len()).step_by(61).map(|at| [&bitcode[..at], b"\xff\xff\xff\xff", &bitcode[at + 4..]].concat()),
    );
    for (number, module) in modules.iter().enumerate() {
        let path = corner.write("bad.bc", module)?;
        let ran = process::run(corner.larder()?.arg("build").arg(&path).args(["-o", "bad.image"]), b"")?;
        // Some damage is none: a changed byte of a name, say.
        if ran.ending != Ending::Exit(0) {
            is_refusal(&ran).with_context(|| format!("module {number}"))?;
            ensure!(ran.err().contains("bad.bc"), "module {number}: the file isn't named: {}", ran.err());
        }
    }
    for path in ["/nonexistent.bc", "/"] {
        let ran = process::run(corner.larder()?.args(["run", path]), b"")?;
        is_refusal(&ran).context(path)?;
        ensure!(ran.err().contains(path), "the file isn't named: {}", ran.err());
    }
    is_clean(&corner)
}
