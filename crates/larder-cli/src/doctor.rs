//! `larder doctor`: what is installed, what is missing, what to do.

use crate::args::{DoctorArgs, StoreArgs};
use larder::Larder;
use larder::format::cpu::x86_64;
use larder::worker::Worker;
use serde::Serialize;
use std::ffi::c_int;
use std::io::{IsTerminal, Write};

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    good: bool,
    found: String,
    advice: Option<String>,
}

/// Prints what was found; 1 if something is missing.
pub(crate) fn doctor(store: &StoreArgs, args: &DoctorArgs, out: &mut dyn Write) -> anyhow::Result<c_int> {
    let larder = store.open(None, None)?;
    let findings = [worker(&larder), toolchain(&larder), store_state(&larder), cpu(&larder), unwinder()];
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&findings)?)?;
    } else {
        for finding in &findings {
            print(finding, out)?;
        }
    }
    Ok(c_int::from(findings.iter().any(|finding| !finding.good)))
}

fn print(finding: &Finding, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mark = match (finding.good, colour) {
        (true, true) => "\x1b[32mok\x1b[0m     ",
        (false, true) => "\x1b[1;31mmissing\x1b[0m",
        (true, false) => "ok     ",
        (false, false) => "missing",
    };
    writeln!(out, "{mark} {:<10} {}", finding.what, finding.found)?;
    if let Some(advice) = &finding.advice {
        writeln!(out, "{:>7} {:<10} {advice}", "", "")?;
    }
    Ok(())
}

fn worker(larder: &Larder) -> Finding {
    let advice =
        "build it with `cargo build --release -p larder-llvm`, or name it in LARDER_WORKER; saved code runs without it";
    match larder.worker() {
        Ok(worker) => good("worker", worker.path().map_or(String::new(), |path| path.display().to_string())),
        Err(why) => bad("worker", why.to_string(), advice),
    }
}

fn toolchain(larder: &Larder) -> Finding {
    let identity = larder.worker().map_err(Clone::clone).and_then(Worker::identity);
    let advice = "install LLVM 22 (Debian: llvm-22, whose library is libllvm22), or run `cargo xtask setup`";
    match identity {
        Ok(identity) => good("LLVM", format!("{} ({})", identity.toolchain, identity.library.display())),
        Err(why) => bad("LLVM", why.to_string(), advice),
    }
}

fn store_state(larder: &Larder) -> Finding {
    match larder.store() {
        Ok(store) => good("store", store.dir().display().to_string()),
        Err(why) => bad("store", why.to_string(), "choose another place with --dir or LARDER_DIR"),
    }
}

fn cpu(larder: &Larder) -> Finding {
    let host = larder.host();
    let level = ["x86-64-v4", "x86-64-v3", "x86-64-v2", "x86-64"]
        .into_iter()
        .find(|name| x86_64::level(name).is_some_and(|level| level.without(host).is_empty()));
    good("CPU", format!("{}, {} features known", level.unwrap_or("below x86-64"), host.names().count()))
}

fn unwinder() -> Finding {
    let way = if larder::runtime::unwinds_in_constant_time() {
        "finds saved code in constant time (_dl_find_object)"
    } else {
        "is told of saved code frame by frame (__register_frame)"
    };
    good("unwinder", way.to_owned())
}

fn good(what: &'static str, found: String) -> Finding {
    Finding { what, good: true, found, advice: None }
}

fn bad(what: &'static str, found: String, advice: &str) -> Finding {
    Finding { what, good: false, found, advice: Some(advice.to_owned()) }
}
