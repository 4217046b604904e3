//! Every option of `lli`, LLVM 22 and before, and what it means here.
//!
//! To add one: a row. `Becomes` names one of our own options; `Ignored` and `Only` are for what can't change what a program
//! does, and say why; everything else is `Refused`, and says what to do instead.

use super::convert::{self, Converted};
use anyhow::{anyhow, bail};
use std::ffi::{OsStr, OsString};

/// One option.
pub(super) struct LliOption {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) meaning: Meaning,
}

/// What belongs to an option. A switch may be followed by `=true` or `=false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// What becomes of an option.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// The option of that name of ours, with the same value.
    Becomes(&'static str),
    /// Words of ours, made from the value; for people, which.
    Converted(fn(&str) -> Converted, &'static str),
    /// Nothing, because nothing would differ.
    Ignored(&'static str),
    /// Nothing for these values, since larder does so anyway; the others are refused.
    Only(&'static [&'static str], &'static str),
    /// An error, with what to do instead.
    Refused(&'static str),
}

use Meaning::{Becomes, Converted as Into, Ignored, Only, Refused};

const fn switch(name: &'static str, meaning: Meaning) -> LliOption {
    LliOption { name, takes: Takes::Nothing, meaning }
}

const fn valued(name: &'static str, meaning: Meaning) -> LliOption {
    LliOption { name, takes: Takes::Value, meaning }
}

const OTHER_JITS: &str = "ignored: there is one way to generate and to link code here, and programs can't tell";
const NO_INTERPRETER: &str = "ignored: the program is compiled, and shows what the interpreter would";
const EAGER: &str = "ignored: code is complete before the program starts";
const OWN_STORE: &str = "ignored: code is always kept, in the store that --dir or LARDER_DIR names";
const FLOAT: &str = "refused: it changes what floating-point code computes; say it in the module (clang -ffast-math, \
                     -fno-honor-nans, -fdenormal-fp-math=…), where it enters the key";
const PLACEMENT: &str = "ignored: it moves code and data about, which programs can't tell";
const DEBUGGING: &str =
    "ignored: it is for debuggers and profilers, and clang's -g and -fno-omit-frame-pointer are kept";
const ASSEMBLER: &str = "ignored: it is between the assembler and its user";
const AIX: &str = "ignored: it is for AIX";
const ABI: &str = "refused: code follows the platform's ABI";
const IN_MODULE: &str =
    "refused: it changes the code of functions; say it in the module, by clang's option of that purpose";
const ONE_PROCESS: &str = "refused: programs run in this process";

/// All of them: `lli`'s own first, then those of LLVM's code generator, then those of its JITs of old.
pub(super) const OPTIONS: &[LliOption] = &[
    valued("entry-function", Becomes("entry")),
    valued("fake-argv0", Becomes("argv0")),
    valued("load", Becomes("load")),
    valued("dlopen", Becomes("load")),
    valued("thread-entry", Becomes("thread-entry")),
    valued("extra-module", Becomes("extra-module")),
    valued("extra-object", Becomes("extra-object")),
    valued("extra-archive", Becomes("extra-archive")),
    switch("disable-core-files", Becomes("disable-core-files")),
    valued("compile-threads", Into(convert::compile_threads, "--threads VALUE")),
    valued("mcpu", Into(convert::processor, "--cpu with the level of the x86-64 psABI that the processor has")),
    valued("mattr", Into(convert::attributes, "--features VALUE")),
    valued("march", Into(convert::architecture, "nothing for x86-64; others are refused")),
    valued("mtriple", Into(convert::triple, "nothing for this platform; others are refused")),
    valued("jit-kind", Only(&["mcjit", "orc", "orc-lazy"], OTHER_JITS)),
    valued("jit-linker", Only(&["default", "rtdyld", "jitlink"], OTHER_JITS)),
    valued("lljit-platform", Only(&["Auto", "DetectHost", "ExecutorNative", "GenericIR", "ORC"], OTHER_JITS)),
    valued("orc-runtime", Ignored("ignored: constructors, exceptions and thread-local variables need no runtime here")),
    switch("force-interpreter", Ignored(NO_INTERPRETER)),
    switch("per-module-lazy", Ignored(EAGER)),
    switch("disable-lazy-compilation", Ignored(EAGER)),
    switch("enable-cache-manager", Ignored(OWN_STORE)),
    valued("object-cache-dir", Ignored(OWN_STORE)),
    valued(
        "jd",
        Only(
            &["main"],
            "only main: all modules share one table of names; to keep names apart, link a shared library and --load it",
        ),
    ),
    switch(
        "no-process-syms",
        Refused("refused: a program needs the C library; `larder build` and the larder crate bind to chosen names"),
    ),
    switch("remote-mcjit", Refused(ONE_PROCESS)),
    valued("mcjit-remote-process", Refused(ONE_PROCESS)),
    valued("orc-lazy-debug", Only(&["no-dump"], "only no-dump: --save-temps keeps what a compilation makes")),
    valued(
        "generate",
        Refused(
            "refused: debuggers find the code by LLVM's interface, and readelf and gdb open the image (--explain names it)",
        ),
    ),
    switch("soft-float", Refused(FLOAT)),
    // Of the code generator.
    valued(
        "relocation-model",
        Only(
            &["default", "static", "pic", "dynamic-no-pic"],
            "ignored: saved code is independent of its position in any case",
        ),
    ),
    valued(
        "code-model",
        Only(
            &["small", "medium", "large"],
            "ignored: code reaches what it refers to, or the image is refused when it is linked",
        ),
    ),
    valued("large-data-threshold", Ignored(PLACEMENT)),
    valued("thread-model", Only(&["posix"], "only posix: code is for programs with threads")),
    valued("exception-model", Only(&["default", "dwarf"], "only dwarf: exceptions are the platform's own")),
    valued("float-abi", Only(&["default", "hard"], FLOAT)),
    valued("fp-contract", Only(&["on"], FLOAT)),
    valued("denormal-fp-math", Only(&["ieee"], FLOAT)),
    valued("denormal-fp-math-f32", Only(&["ieee"], FLOAT)),
    switch("enable-no-infs-fp-math", Refused(FLOAT)),
    switch("enable-no-nans-fp-math", Refused(FLOAT)),
    switch("enable-no-signed-zeros-fp-math", Refused(FLOAT)),
    switch("enable-no-trapping-fp-math", Refused(FLOAT)),
    switch("enable-sign-dependent-rounding-fp-math", Refused(FLOAT)),
    switch("enable-unsafe-fp-math", Refused(FLOAT)),
    switch("enable-approx-func-fp-math", Refused(FLOAT)),
    valued("vector-library", Only(&["none"], IN_MODULE)),
    valued("veclib", Only(&["none"], IN_MODULE)),
    valued("trap-func", Refused(IN_MODULE)),
    switch("tailcallopt", Refused(IN_MODULE)),
    switch("disable-tail-calls", Refused(IN_MODULE)),
    switch("stackrealign", Refused(IN_MODULE)),
    switch("enable-jmc-instrument", Refused(IN_MODULE)),
    valued("x86-asm-syntax", Only(&["att"], IN_MODULE)),
    valued("target-abi", Refused(ABI)),
    valued("meabi", Only(&["default", "gnu"], ABI)),
    switch("fdpic", Refused(ABI)),
    valued("filetype", Ignored("ignored: no file is written; `larder build` writes one")),
    valued("frame-pointer", Ignored(DEBUGGING)),
    valued("debugger-tune", Ignored(DEBUGGING)),
    valued("dwarf-version", Ignored(DEBUGGING)),
    switch("dwarf64", Ignored(DEBUGGING)),
    switch("strict-dwarf", Ignored(DEBUGGING)),
    switch("emit-call-site-info", Ignored(DEBUGGING)),
    switch("debug-entry-values", Ignored(DEBUGGING)),
    switch("force-dwarf-frame-section", Ignored(DEBUGGING)),
    valued("emit-dwarf-unwind", Ignored(DEBUGGING)),
    switch("stack-size-section", Ignored(DEBUGGING)),
    switch("basic-block-address-map", Ignored(DEBUGGING)),
    switch("gsframe", Ignored(DEBUGGING)),
    valued("swift-async-fp", Ignored(DEBUGGING)),
    switch("xray-function-index", Ignored(DEBUGGING)),
    switch("xcoff-traceback-table", Ignored(AIX)),
    switch("ignore-xcoff-visibility", Ignored(AIX)),
    switch("mxcoff-roptr", Ignored(AIX)),
    switch("function-sections", Ignored(PLACEMENT)),
    switch("data-sections", Ignored(PLACEMENT)),
    switch("unique-section-names", Ignored(PLACEMENT)),
    switch("unique-basic-block-section-names", Ignored(PLACEMENT)),
    switch("separate-named-sections", Ignored(PLACEMENT)),
    switch("nozero-initialized-in-bss", Ignored(PLACEMENT)),
    switch("stack-symbol-ordering", Ignored(PLACEMENT)),
    switch("split-machine-functions", Ignored(PLACEMENT)),
    valued("basic-block-sections", Ignored(PLACEMENT)),
    valued("align-loops", Ignored(PLACEMENT)),
    valued("x86-align-branch", Ignored(PLACEMENT)),
    valued("x86-align-branch-boundary", Ignored(PLACEMENT)),
    switch("x86-branches-within-32B-boundaries", Ignored(PLACEMENT)),
    switch("x86-pad-for-align", Ignored(PLACEMENT)),
    valued("x86-pad-max-prefix-size", Ignored(PLACEMENT)),
    switch("use-ctors", Ignored("ignored: constructors run in the same order from either kind of list")),
    valued("tls-size", Ignored(PLACEMENT)),
    switch("emulated-tls", Ignored("ignored: thread-local variables work without")),
    switch("enable-tlsdesc", Ignored("ignored: thread-local variables work without")),
    switch("addrsig", Ignored(ASSEMBLER)),
    valued("as-secure-log-file", Ignored(ASSEMBLER)),
    switch("asm-show-inst", Ignored(ASSEMBLER)),
    switch("crel", Ignored(ASSEMBLER)),
    switch("emit-compact-unwind-non-canonical", Ignored(ASSEMBLER)),
    switch("fatal-warnings", Ignored(ASSEMBLER)),
    switch("implicit-mapsyms", Ignored(ASSEMBLER)),
    switch("incremental-linker-compatible", Ignored(ASSEMBLER)),
    switch("mc-relax-all", Ignored(ASSEMBLER)),
    switch("no-deprecated-warn", Ignored(ASSEMBLER)),
    switch("no-integrated-as", Ignored(ASSEMBLER)),
    switch("no-type-check", Ignored(ASSEMBLER)),
    switch("no-warn", Ignored(ASSEMBLER)),
    switch("save-temp-labels", Ignored(ASSEMBLER)),
    switch("W", Ignored(ASSEMBLER)),
    switch("x86-relax-relocations", Ignored(ASSEMBLER)),
    switch("x86-sse2avx", Ignored(ASSEMBLER)),
    // Of every program of LLVM.
    switch("color", Ignored("ignored: messages are coloured on terminals, unless NO_COLOR is set")),
    switch("disable-symbolication", Ignored("ignored: no stack of larder's own is printed")),
    switch("fast-isel", Ignored(OTHER_JITS)),
    switch("global-isel", Ignored(OTHER_JITS)),
    valued("regalloc", Ignored(OTHER_JITS)),
    valued("pre-RA-sched", Ignored(OTHER_JITS)),
    switch("verify-machineinstrs", Ignored("ignored: it looks for bugs of LLVM")),
    switch("time-passes", Refused("refused: --time tells where the time went")),
    switch("stats", Refused("refused: LLVM counts nothing in a release; --report tells what larder did")),
    // Of versions before 22.
    switch("use-mcjit", Ignored(OTHER_JITS)),
    switch(
        "debug-ir",
        Refused("refused, as by lli itself since LLVM 3.5: clang's -g gives code a debugger's information"),
    ),
];

/// The option of that name.
pub(super) fn find(name: &str) -> Option<&'static LliOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

impl Meaning {
    /// For people.
    pub(super) fn in_words(self) -> String {
        match self {
            Becomes(ours) => format!("--{ours}"),
            Into(_, words) | Ignored(words) | Refused(words) => words.to_owned(),
            Only(values, words) => format!("{}: {words}", values.join(", ")),
        }
    }
}

impl LliOption {
    /// Adds what the option is in our words to `said`.
    pub(super) fn apply(&self, value: Option<&OsStr>, said: &mut Vec<OsString>) -> anyhow::Result<()> {
        if self.takes == Takes::Nothing && !self.is_on(value)? {
            return Ok(());
        }
        match (self.meaning, value) {
            (Ignored(_), _) => {}
            (Refused(why), _) => bail!("-{} is {why}", self.name),
            (Becomes(ours), value) => {
                said.push(format!("--{ours}").into());
                said.extend(value.filter(|_| self.takes == Takes::Value).map(OsStr::to_owned));
            }
            (Only(values, why), value) => {
                let value = self.text(value)?;
                if !values.contains(&value) {
                    bail!("-{}={value} can't be had here; {} can ({why})", self.name, values.join(", "));
                }
            }
            (Into(convert, _), value) => {
                let words = convert(self.text(value)?).map_err(|why| anyhow!("-{}: {why}", self.name))?;
                said.extend(words.into_iter().map(OsString::from));
            }
        }
        Ok(())
    }

    fn text<'v>(&self, value: Option<&'v OsStr>) -> anyhow::Result<&'v str> {
        let text = value.unwrap_or_default().to_str();
        text.ok_or_else(|| anyhow!("-{}: the value is no text", self.name))
    }

    /// Whether a switch is on: LLVM's spellings of truth.
    fn is_on(&self, value: Option<&OsStr>) -> anyhow::Result<bool> {
        match self.text(value)? {
            "" | "true" | "TRUE" | "True" | "1" => Ok(true),
            "false" | "FALSE" | "False" | "0" => Ok(false),
            other => bail!("-{} is a switch: true or false, not \"{other}\"", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_option_stands_once() {
        let names: HashSet<&str> = OPTIONS.iter().map(|option| option.name).collect();
        assert_eq!(names.len(), OPTIONS.len());
    }

    #[test]
    fn every_row_says_what_it_does() {
        for option in OPTIONS {
            let words = option.meaning.in_words();
            assert!(words.len() > 5, "{}", option.name);
        }
    }
}
