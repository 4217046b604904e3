//! apt, as root or through sudo.
//!
//! The package lists are brought up to date only when apt doesn't know a package, or when what it knows can't be
//! fetched any more. On a distribution without packages of LLVM 22 the user is told what to do: LLVM's own archive at
//! apt.llvm.org has them, but trusting another archive is a decision that isn't ours.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::run;
use crate::say;

/// Installs packages; asks for a password if sudo does.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    say::line(format_args!("installing: {}", packages.join(" ")));
    let updated = unknown(packages)?.is_some();
    if updated {
        apt_get(&["update"])?;
    }
    if let Some(package) = unknown(packages)? {
        bail!("{}", no_package(package));
    }
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    match apt_get(&install) {
        Ok(()) => Ok(()),
        Err(failure) if updated => Err(failure),
        // The lists may name versions that the archive has replaced since.
        Err(_) => apt_get(&["update"]).and_then(|()| apt_get(&install)),
    }
}

/// The first of these packages that apt can't install.
fn unknown<'a>(packages: &[&'a str]) -> Result<Option<&'a str>> {
    for package in packages {
        let output = Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C").output();
        let output = output.context("cannot start apt-cache")?;
        if !has_candidate(&String::from_utf8_lossy(&output.stdout)) {
            return Ok(Some(package));
        }
    }
    Ok(None)
}

fn has_candidate(policy: &str) -> bool {
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"));
    candidate.is_some_and(|version| version.trim() != "(none)")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    // Asked for each command: the environment must pass through sudo.
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new(words[0])
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg(words[0]);
        sudo
    };
    let said = format!("as root: apt-get {}", arguments.join(" "));
    run(command.args(&words[1..]).args(arguments)).with_context(|| said)
}

fn no_package(package: &str) -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or("this distribution").trim_matches('"');
    format!(
        "{name} has no package {package}. LLVM's own archive has it: \
         run `wget https://apt.llvm.org/llvm.sh && sudo bash llvm.sh 22`, then this again. \
         (On Debian the archive `security` of the stable release may have it too.)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_a_version() {
        for (policy, expected) in [
            ("llvm-22:\n  Installed: (none)\n  Candidate: 1:22.1.8-1\n", true),
            ("llvm-22:\n  Installed: (none)\n  Candidate: (none)\n", false),
            ("", false),
        ] {
            assert_eq!(has_candidate(policy), expected, "{policy}");
        }
    }
}
