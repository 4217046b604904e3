//! What is part of the key and what isn't, asked through the command line.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

tests![
    each_option_of_code_has_its_own_entry,
    other_options_share_the_entry,
    no_store_keeps_nothing,
    build_is_the_runs_twin
];

fn each_option_of_code_has_its_own_entry() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let options: &[&[&str]] = &[
        &[],
        &["-O0"],
        &["-O1"],
        &["-O3"],
        &["-Os"],
        &["-Oz"],
        &["--passes", "mem2reg"],
        &["--passes", "mem2reg,instcombine"],
        &["--cpu", "x86-64"],
        &["--cpu", "x86-64-v2"],
        &["--cpu", "x86-64", "--features", "+sse3"],
        &["--no-source"],
        &["--split", "whole"],
        &["--split", "groups"],
    ];
    let mut keys: HashMap<String, &[&str]> = HashMap::new();
    for options in options {
        let (ran, report) = corner.run(options, &module)?;
        ensure!(ran.ending == Ending::Exit(5), "{options:?}: {} {}", ran.ending, ran.err());
        report.must_miss().with_context(|| format!("{options:?}"))?;
        if let Some(other) = keys.insert(report.key, options) {
            anyhow::bail!("{options:?} and {other:?} have one key");
        }
    }
    for options in options {
        corner.run(options, &module)?.1.must_hit().with_context(|| format!("{options:?}, the second time"))?;
    }
    Ok(())
}

fn other_options_share_the_entry() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    corner.run(&[], &module)?.1.must_miss()?;
    let options: &[&[&str]] = &[
        &["-O2"],
        &["--cpu", "native"],
        &["--split", "auto"],
        &["--time"],
        &["--explain"],
        &["--threads", "1"],
        &["--timeout", "60"],
        &["--memory", "4096"],
    ];
    for options in options {
        let (ran, report) = corner.run(options, &module)?;
        ensure!(ran.ending == Ending::Exit(5), "{options:?}: {} {}", ran.ending, ran.err());
        report.must_hit().with_context(|| format!("{options:?}"))?;
    }
    Ok(())
}

fn no_store_keeps_nothing() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    for _ in 0..2 {
        let mut command = corner.larder_run()?;
        command.env_remove("LARDER_DIR");
        let (ran, report) = corner.reported(command.arg("--no-store").arg(&module), b"")?;
        ensure!(ran.ending == Ending::Exit(5) && ran.stderr.is_empty(), "{} {}", ran.ending, ran.err());
        report.must_miss()?;
        ensure!(report.reason == "store-off", "{}", report.text);
    }
    let left = corner.files()?;
    ensure!(left.iter().all(|path| path.ends_with("p.ll")), "left behind: {left:?}");
    Ok(())
}

/// An image that `build` makes with the options of a run has the bytes that the run keeps, whatever it is asked to export.
fn build_is_the_runs_twin() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let (_, report) = corner.run(&[], &module)?;
    let image = corner.work().join("p.image");
    let mut command = corner.larder()?;
    process::run(command.args(["build", "--export", "main"]).arg(&module).arg("-o").arg(&image), b"")?
        .success("build")?;
    // Their keys differ: a program's thread-local variables have a fixed place, an image file's may be loaded anywhere.
    let inspected = |image: &Path| -> Result<Value> {
        let ran = process::run(corner.larder()?.args(["inspect", "--json"]).arg(image), b"")?.success("inspect")?;
        let mut json: Value = serde_json::from_slice(&ran.stdout)?;
        for name in ["key", "content_digest"] {
            ensure!(json[name].take().is_string(), "{name} is in {json:#}");
        }
        Ok(json)
    };
    let (built, ran) = (inspected(&image)?, inspected(report.image()?)?);
    ensure!(built == ran, "build and run make two images of one module: {built:#} {ran:#}");
    Ok(())
}
