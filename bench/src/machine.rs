//! Where and with what the numbers were taken: without it they mean nothing.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::Result;
use larder_programs::Programs;
use serde::Serialize;

/// The machine, the versions and the command.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) command: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gb: f64,
    pub(crate) kernel: String,
    pub(crate) distribution: String,
    pub(crate) libc: String,
    pub(crate) llvm: String,
}

impl Machine {
    /// A short name for file names: processor and cores.
    pub(crate) fn slug(&self) -> String {
        let words = self.cpu.replace("(R)", "").replace("(TM)", "").to_lowercase();
        let words: Vec<_> = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        format!("{}-{}-cores", words.join("-"), self.cores)
    }
}

/// Asks the system about itself; what it doesn't say is left empty.
pub(crate) fn describe(programs: &Programs) -> Result<Machine> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let memory_kb: f64 = field("/proc/meminfo", "MemTotal:").trim_end_matches("kB").trim().parse().unwrap_or(0.0);
    Ok(Machine {
        date: said("date", &["-u", "+%Y-%m-%d"]),
        commit: said("git", &["describe", "--always", "--dirty"]),
        command: format!("cargo xtask bench {}", arguments.join(" ")).trim_end().to_owned(),
        cpu: field("/proc/cpuinfo", "model name").trim_start_matches([':', ' ', '\t']).to_owned(),
        cores: thread::available_parallelism()?.get(),
        memory_gb: memory_kb * 1024.0 / 1e9,
        kernel: said("uname", &["-sr"]),
        distribution: os_release
            .lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="))
            .map_or_else(String::new, |name| name.trim_matches('"').to_owned()),
        libc: said("getconf", &["GNU_LIBC_VERSION"]),
        llvm: programs.tools().version().to_owned(),
    })
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
