//! What the caller may choose about the code, and nothing else.
//!
//! Everything here affects generated code, and therefore [enters the key](crate::key). What does not (threads, time limits,
//! memory limits) stands in [`Settings`](crate::Settings).
//!
//! To add an option: add the field; the compiler then names each place that must treat it.

use larder_format::cpu::{CpuFeatures, UnknownFeature, x86_64};
/// LLVM's standard optimisation levels.
pub use larder_format::wire::OptLevel as Level;
/// What is done about integers that are used as addresses.
pub use larder_format::wire::RawPointers;
/// When a module is taken apart.
pub use larder_format::wire::Split;
use std::str::FromStr;
use thiserror::Error;

/// How a module is made into code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileOptions {
    /// The optimisation level.
    pub level: Level,
    /// Passes to run instead of the level's own, in the syntax of `opt -passes=`. The level still governs code generation.
    pub passes: Option<String>,
    /// The machine to compile for, where the module does not say it itself.
    pub cpu: Cpu,
    /// Which names the image offers.
    pub exports: Exports,
    /// Whether the image carries the module, to be rebuilt from on another machine.
    pub keep_source: bool,
    /// Whether all modules of a program are optimised as one (link-time optimisation). Then a changed module compiles all of them.
    pub lto: bool,
    /// When the module is taken apart for several threads, and for the next time.
    pub split: Split,
    /// Where its thread-local variables are.
    pub thread_locals: ThreadLocals,
    /// What is done about addresses of this process that stand in the modules as integers.
    pub raw_pointers: RawPointers,
}

impl Default for CompileOptions {
    /// `-O2` for this machine, every visible name, with the module, and without addresses of this process.
    fn default() -> Self {
        CompileOptions {
            level: Level::O2,
            passes: None,
            cpu: Cpu::default(),
            exports: Exports::All,
            keep_source: true,
            lto: false,
            split: Split::Auto,
            thread_locals: ThreadLocals::Dynamic,
            raw_pointers: RawPointers::Mapped,
        }
    }
}

/// An option that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    /// No such CPU.
    #[error("unknown CPU \"{0}\"; there are native, baseline, x86-64, x86-64-v2, x86-64-v3 and x86-64-v4")]
    Cpu(String),
    /// A feature without its sign.
    #[error("\"{0}\" neither adds (+feature) nor removes (-feature)")]
    Sign(String),
    /// No such feature.
    #[error(transparent)]
    Feature(#[from] UnknownFeature),
}

/// The machine that code is made for: instruction set features only, never tuning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpu {
    /// Where the set of features starts from.
    pub base: CpuBase,
    /// Features added to it.
    pub add: CpuFeatures,
    /// Features taken out of it.
    pub remove: CpuFeatures,
}

/// A named set of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CpuBase {
    /// All that this machine has.
    #[default]
    Native,
    /// A level of the x86-64 psABI, which every machine of a fleet has.
    Level(CpuFeatures),
}

impl FromStr for CpuBase {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let level = match text {
            "native" => return Ok(CpuBase::Native),
            "baseline" => "x86-64",
            level => level,
        };
        x86_64::level(level).map(CpuBase::Level).ok_or_else(|| OptionError::Cpu(text.to_owned()))
    }
}

impl Cpu {
    /// A machine with these features and no others.
    pub fn exactly(features: CpuFeatures) -> Cpu {
        Cpu { base: CpuBase::Level(features), ..Cpu::default() }
    }

    /// Applies a list like `+avx2,-sse4a`.
    ///
    /// # Errors
    /// An item without sign, or a feature that is unknown.
    pub fn change(&mut self, list: &str) -> Result<(), OptionError> {
        for item in list.split(',').filter(|item| !item.is_empty()) {
            let set = |name| CpuFeatures::from_names([name]);
            match (item.strip_prefix('+'), item.strip_prefix('-')) {
                (Some(name), _) => self.add = self.add.with(&set(name)?),
                (_, Some(name)) => self.remove = self.remove.with(&set(name)?),
                _ => return Err(OptionError::Sign(item.to_owned())),
            }
        }
        Ok(())
    }

    /// The features that code may use, on a machine that has `host`.
    pub fn features(&self, host: &CpuFeatures) -> CpuFeatures {
        let base = match self.base {
            CpuBase::Native => *host,
            CpuBase::Level(level) => level,
        };
        base.with(&self.add).without(&self.remove)
    }
}

/// Where a module's thread-local variables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadLocals {
    /// In memory that each thread gets when it first needs it: for any number of images, whenever they are loaded.
    #[default]
    Dynamic,
    /// At a fixed distance from the thread pointer, as in an executable, which makes reaching them as cheap. One image in a process can have
    /// that, if it is loaded before there are other threads, and 4096 bytes of variables. Where it can't be had, they are dynamic.
    Static,
}

/// Which names an image offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exports {
    /// Every definition that is visible outside of its module.
    All,
    /// These, and nothing else: what they don't reach is left out of the image. A module that looks names up while it runs (`dlsym` and its kin)
    /// offers all, since they may be its own.
    Only(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_added_before_they_are_removed() {
        let host = CpuFeatures::from_names(["sse2", "avx"]).expect("known");
        let mut cpu = Cpu::default();
        cpu.change("+avx2,-avx,").expect("known");
        assert_eq!(cpu.features(&host).names().collect::<Vec<_>>(), ["sse2", "avx2"]);
        assert_eq!(cpu.change("avx"), Err(OptionError::Sign("avx".into())));
        assert!(matches!(cpu.change("+warp"), Err(OptionError::Feature(_))));
    }

    #[test]
    fn a_level_does_not_depend_on_the_host() {
        let cpu = Cpu { base: "x86-64-v2".parse().expect("known"), ..Cpu::default() };
        assert_eq!(cpu.features(&CpuFeatures::NONE), x86_64::level("x86-64-v2").expect("known"));
        assert_eq!("baseline".parse(), "x86-64".parse::<CpuBase>());
        assert!("z80".parse::<CpuBase>().is_err());
    }
}
