//! Machines of two kinds, played by one: `LARDER_CPU_FEATURES` says what the command believes to run on.

use crate::ir;
use crate::larder::{Corner, Report};
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use anyhow::{Result, ensure};
use std::path::Path;

tests![
    two_machines_share_a_store,
    an_image_for_a_better_machine,
    an_option_for_a_better_machine,
    functions_for_a_better_machine,
    features_that_no_machine_has,
    baseline_code_is_shared
];

/// What every x86-64 processor has.
const OLD: &str = "64bit,cmov,cx8,fxsr,mmx,sse,sse2,x87";
/// An old one with the level x86-64-v3 on top.
const NEW: &str = "64bit,cmov,cx8,fxsr,mmx,sse,sse2,x87,cx16,crc32,popcnt,sahf,sse3,sse4.1,sse4.2,ssse3,\
                   avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe,xsave";

fn run_as(corner: &Corner, features: &str, options: &[&str], module: &Path) -> Result<(Ran, Report)> {
    let mut command = corner.larder_run()?;
    let (ran, report) = corner.reported(command.env("LARDER_CPU_FEATURES", features).args(options).arg(module), b"")?;
    ensure!(ran.ending == Ending::Exit(5), "{} {}", ran.ending, ran.err());
    Ok((ran, report))
}

fn two_machines_share_a_store() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let (_, new) = run_as(&corner, NEW, &[], &module)?;
    let (_, old) = run_as(&corner, OLD, &[], &module)?;
    new.must_miss()?;
    old.must_miss()?;
    ensure!(new.reason == "absent" && old.reason == "cpu-features" && old.text.contains("avx2"), "{}", old.text);
    ensure!(new.image()?.exists() && old.image()?.exists() && new.key != old.key, "not both are kept");
    run_as(&corner, NEW, &[], &module)?.1.must_hit()?;
    run_as(&corner, OLD, &[], &module)?.1.must_hit()
}

fn an_image_for_a_better_machine() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    for (options, code) in [(&["--no-source"][..], 125), (&[], 5)] {
        let image = corner.work().join("p.image");
        let mut build = corner.larder()?;
        build.args(["build", "--cpu", "x86-64-v3"]).args(options).arg(&module).arg("-o").arg(&image);
        process::run(build.env("LARDER_CPU_FEATURES", NEW), b"")?.success("build")?;
        let mut run = corner.larder()?;
        let ran = process::run(run.env("LARDER_CPU_FEATURES", OLD).args(["run", "--explain"]).arg(&image), b"")?;
        ensure!(ran.ending == Ending::Exit(code), "{options:?}: {} {}", ran.ending, ran.err());
        ensure!(ran.err().contains("avx2"), "{options:?}: names no missing feature: {}", ran.err());
    }
    Ok(())
}

fn an_option_for_a_better_machine() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    for options in [["--cpu", "x86-64-v3"], ["--features", "+avx2"]] {
        let mut command = corner.larder()?;
        let ran = process::run(command.env("LARDER_CPU_FEATURES", OLD).arg("run").args(options).arg(&module), b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{options:?}: {} {}", ran.ending, ran.err());
        ensure!(ran.stdout.is_empty() && ran.err().contains("avx2"), "{options:?}: {}{}", ran.out(), ran.err());
    }
    Ok(())
}

/// What a front end was told about the processor, with `-march=x86-64-v3` for instance, stands in each function.
const OF_NEW: &str = r#"define i32 @main() #0 { ret i32 5 }
attributes #0 = { "target-cpu"="x86-64-v3" }"#;

fn functions_for_a_better_machine() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", OF_NEW)?;
    let (_, report) = run_as(&corner, NEW, &[], &module)?;
    report.must_miss()?;
    // Neither what is in the store nor what could be compiled.
    for options in [&[][..], &["--no-store"]] {
        let mut command = corner.larder()?;
        command.env("LARDER_CPU_FEATURES", OLD).arg("run").args(options).arg(&module);
        let ran = process::run(&mut command, b"")?;
        ensure!(ran.ending == Ending::Exit(125), "{options:?}: {} {}", ran.ending, ran.err());
        ensure!(ran.stdout.is_empty() && ran.err().contains("avx2"), "{options:?}: {}{}", ran.out(), ran.err());
    }
    Ok(())
}

/// Features of several makers and of the future: no pretence is needed to lack some of them.
fn features_that_no_machine_has() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let image = corner.work().join("p.image");
    let mut build = corner.larder()?;
    build.args(["build", "--features", "+xop,+usermsr,+amx-complex"]).arg(&module).arg("-o").arg(&image);
    process::run(&mut build, b"")?.success("build")?;
    // Twice: the image itself is as unfit as it was.
    for outcome in ["miss", "hit"] {
        let (ran, report) = corner.run(&[], &image)?;
        ensure!(ran.ending == Ending::Exit(5) && report.outcome == outcome, "{} {}", ran.err(), report.text);
        ensure!(ran.err().contains("usermsr"), "names no missing feature: {}", ran.err());
    }
    let sapphire = corner.write("s.ll", OF_NEW.replace("x86-64-v3", "sapphirerapids"))?;
    let mut run = corner.larder()?;
    let ran = process::run(run.env("LARDER_CPU_FEATURES", NEW).arg("run").arg(&sapphire), b"")?;
    ensure!(ran.ending == Ending::Exit(125) && ran.err().contains("amx-tile"), "{} {}", ran.ending, ran.err());
    Ok(())
}

/// Code for a named level has one key on every machine that has it.
fn baseline_code_is_shared() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    run_as(&corner, NEW, &["--cpu", "baseline"], &module)?.1.must_miss()?;
    run_as(&corner, OLD, &["--cpu", "baseline"], &module)?.1.must_hit()?;
    run_as(&corner, OLD, &["--cpu", "x86-64"], &module)?.1.must_hit()
}
