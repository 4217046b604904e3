//! One module in all ways, and whether they agree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::csmith::Plan;
use super::{Checker, Outcome};
use crate::process::{Ending, Ran, finish};
use crate::tools::run;

/// Programs that run longer natively are passed over: csmith's may run for ever.
const NATIVE_PATIENCE: Duration = Duration::from_secs(2);
/// How long code generation may take.
const COMPILE_PATIENCE: Duration = Duration::from_secs(900);

/// The checker at one place.
pub(crate) struct Judge<'a> {
    pub(crate) checker: &'a Checker,
    /// Where everything of this check stands.
    pub(crate) directory: &'a Path,
}

impl Judge<'_> {
    /// Runs the module natively, and by `larder` cold and warm and cold elsewhere.
    pub(super) fn runs_agree(&self, module: &Path, plan: &Plan) -> Result<Outcome> {
        let native = self.native(module, "1")?;
        if native.ending == Ending::TimedOut {
            return Ok(Outcome::Skipped("runs for too long".to_owned()));
        }
        let mut images = Vec::new();
        for (store, ways) in [("one", &["miss", "hit"][..]), ("two", &["miss"])] {
            for &way in ways {
                let threads = &plan.threads[usize::from(store == "two")];
                let (ran, report) = self.larder_run(module, &plan.level, threads, store)?;
                if !ran.shows_the_same(&native) {
                    return self.explain(module, plan, &native, &ran, way);
                }
                ensure!(report["outcome"] == way, "expected a {way}: {report}");
                images.push(PathBuf::from(report["image"].as_str().unwrap_or_default()));
            }
        }
        ensure!(fs::read(&images[0])? == fs::read(&images[2])?, "two cold runs made two images");
        Ok(Outcome::Agrees)
    }

    /// A difference is ours unless LLVM's programs differ among themselves.
    fn explain(&self, module: &Path, plan: &Plan, native: &Ran, ran: &Ran, way: &str) -> Result<Outcome> {
        let same_level = self.native(module, &plan.level)?;
        if !same_level.shows_the_same(native) {
            return Ok(Outcome::Skipped(format!("natively, -O1 and -O{} differ", plan.level)));
        }
        bail!("larder run -O{}, {way}: {:?}, natively {:?}: {}", plan.level, ran.ending, native.ending, ran.complaint())
    }

    fn native(&self, module: &Path, level: &str) -> Result<Ran> {
        let object = self.directory.join(format!("native-O{level}.o"));
        let made = self.native_object(module, level, &object, COMPILE_PATIENCE)?;
        ensure!(made.ending == Ending::Exit(0), "llc: {:?}: {}", made.ending, made.complaint());
        let program = object.with_extension("exe");
        let mut clang = self.checker.tools.command("clang");
        run(clang.arg("-no-pie").arg(&object).arg("-o").arg(&program).args(["-lm", "-pthread"]))?;
        finish(&Command::new(program), NATIVE_PATIENCE)
    }

    /// `opt` and `llc` at a level of ours.
    pub(super) fn native_object(&self, module: &Path, level: &str, object: &Path, patience: Duration) -> Result<Ran> {
        let optimised = object.with_extension("bc");
        let mut opt = self.checker.tools.command("opt");
        opt.arg(format!("-passes=default<O{level}>")).arg("-mcpu=native").arg(module).arg("-o").arg(&optimised);
        let ran = finish(&opt, patience)?;
        if ran.ending != Ending::Exit(0) {
            return Ok(ran);
        }
        let mut llc = self.checker.tools.command("llc");
        // Levels of size are levels of optimisation to a code generator.
        let level = if matches!(level, "s" | "z") { "2" } else { level };
        llc.args(["-mcpu=native", "-filetype=obj", &format!("-O{level}")]).arg(&optimised).arg("-o").arg(object);
        finish(&llc, patience)
    }

    fn larder_run(&self, module: &Path, level: &str, threads: &str, store: &str) -> Result<(Ran, Value)> {
        let path = self.directory.join("report.json");
        let mut larder = self.larder("run");
        larder.args(["-O", level, "--threads", threads, "--report"]).arg(&path);
        larder.arg("--dir").arg(self.directory.join(store)).arg(module);
        let ran = finish(&larder, COMPILE_PATIENCE)?;
        let report = fs::read(&path).unwrap_or_default();
        Ok((ran, serde_json::from_slice(&report).unwrap_or_default()))
    }

    /// `larder` with a subcommand, in this place.
    pub(super) fn larder(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.checker.larder);
        command.env("LARDER_WORKER", &self.checker.worker).env_remove("LD_LIBRARY_PATH").arg(subcommand);
        command
    }
}
