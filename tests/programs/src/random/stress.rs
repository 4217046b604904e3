//! Functions by `llvm-stress`: compiled, never run, since what they compute is undefined.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Judge, Outcome, Size};
use crate::numbers::Random;
use crate::process::{Ending, Ran, finish};
use crate::tools::run;

/// How long a compilation may take before it is passed over.
const PATIENCE: Duration = Duration::from_secs(300);

/// Functions of one module.
const FUNCTIONS_MAX: u64 = 12;

/// What `llc` can compile, `larder` must, with any number of threads to the same bytes; what it can't must be refused.
pub(super) fn check(random: &mut Random, size: Size, judge: &Judge<'_>) -> Result<Outcome> {
    let module = write(random, size, judge)?;
    let level = random.pick(&["0", "1", "2", "3"]);
    let object = judge.directory.join("native.o");
    let by_llvm = judge.native_object(&module, level, &object, PATIENCE)?;
    let images = ["one.image", "two.image"].map(|name| judge.directory.join(name));
    let threads = (2 + random.below(3)).to_string();
    for (image, threads) in images.iter().zip(["1", &threads]) {
        let ran = build(judge, &module, level, threads, image)?;
        match (by_llvm.ending, ran.ending) {
            (Ending::Exit(0), Ending::Exit(0)) => {}
            (Ending::TimedOut, _) | (_, Ending::TimedOut) => return Ok(Outcome::Skipped("takes too long".to_owned())),
            (Ending::Exit(0), _) => bail!("larder build: {:?}, but llc compiles it: {}", ran.ending, ran.complaint()),
            (_, Ending::Exit(0)) => return Ok(Outcome::Skipped("llc fails where larder doesn't".to_owned())),
            (_, Ending::Exit(125)) => return Ok(Outcome::Skipped("llc fails too".to_owned())),
            _ => bail!("larder build: {:?}: {}", ran.ending, ran.complaint()),
        }
    }
    ensure!(fs::read(&images[0])? == fs::read(&images[1])?, "one thread and {threads} threads made two images");
    Ok(Outcome::Agrees)
}

fn write(random: &mut Random, size: Size, judge: &Judge<'_>) -> Result<std::path::PathBuf> {
    let (largest, count) = match size {
        Size::Small => (200, 2),
        Size::Any => (2000, 1 + random.below(FUNCTIONS_MAX)),
    };
    let mut functions = Vec::new();
    for number in 0..count {
        let path = judge.directory.join(format!("function{number}.ll"));
        let mut stress = judge.checker.tools.command("llvm-stress");
        stress.args(["-size", &(20 + random.below(largest)).to_string(), "-seed", &random.below(1 << 31).to_string()]);
        run(stress.arg("-o").arg(&path))?;
        rename(&path, number)?;
        functions.push(path);
    }
    let module = judge.directory.join("module.bc");
    run(judge.checker.tools.command("llvm-link").args(&functions).arg("-o").arg(&module))?;
    Ok(module)
}

/// All functions of `llvm-stress` have names of the same few.
fn rename(path: &Path, number: u64) -> Result<()> {
    Ok(fs::write(path, fs::read_to_string(path)?.replace("@autogen_", &format!("@f{number}_autogen_")))?)
}

fn build(judge: &Judge<'_>, module: &Path, level: &str, threads: &str, image: &Path) -> Result<Ran> {
    let mut larder = judge.larder("build");
    larder.args(["-O", level, "--threads", threads]).arg(module).arg("-o").arg(image);
    finish(&larder, PATIENCE)
}
