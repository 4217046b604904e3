//! `--trace`: where the time of a start went, as a file that Perfetto reads; and the options that forbid to compile, or check what is saved.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending, Ran};
use crate::suite::tests;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

tests![
    a_start_that_compiles,
    a_start_that_hits,
    however_the_program_ends,
    starts_that_fail,
    an_image_that_is_built,
    must_hit,
    check,
];

/// Room for what rounding does: the worker counts whole microseconds.
const ROUNDING: f64 = 2.0;

/// An event of the trace.
#[derive(Debug, Clone)]
struct Event {
    name: String,
    kind: String,
    /// Process and thread.
    place: (u64, u64),
    start: f64,
    len: f64,
    details: Value,
}

/// Reads a trace: it is whole, and on each thread what overlaps is nested.
fn read(path: &Path) -> Result<Vec<Event>> {
    let text = fs::read_to_string(path)?;
    let trace: Value = serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))?;
    let events = trace["traceEvents"].as_array().context("no list of events")?;
    let event = |event: &Value| -> Option<Event> {
        Some(Event {
            name: event["name"].as_str()?.to_owned(),
            kind: event["ph"].as_str()?.to_owned(),
            place: (event["pid"].as_u64()?, event["tid"].as_u64().unwrap_or_default()),
            start: event["ts"].as_f64().unwrap_or_default(),
            len: event["dur"].as_f64().unwrap_or_default(),
            details: event["args"].clone(),
        })
    };
    let events: Vec<_> = events.iter().map(event).collect::<Option<_>>().context("an event lacks something")?;
    nested(&events)?;
    Ok(events)
}

/// Fails if two spans of a thread overlap and neither contains the other, or if the phases inside of one take longer than it.
fn nested(events: &[Event]) -> Result<()> {
    let mut threads = BTreeMap::<_, Vec<&Event>>::new();
    for event in events.iter().filter(|event| event.kind == "X") {
        threads.entry(event.place).or_default().push(event);
    }
    for spans in threads.values_mut() {
        let slack = ROUNDING * spans.len() as f64;
        spans.sort_by(|a, b| a.start.total_cmp(&b.start).then(b.len.total_cmp(&a.len)));
        let mut open: Vec<(&Event, f64)> = Vec::new();
        for &span in spans.iter() {
            open.retain(|(outer, _)| span.start + ROUNDING < outer.start + outer.len);
            if let Some((outer, inner)) = open.last_mut() {
                let (end, outer_end) = (span.start + span.len, outer.start + outer.len);
                ensure!(end <= outer_end + ROUNDING, "{span:?} leaves {outer:?}");
                *inner += span.len;
                ensure!(*inner <= outer.len + slack, "the parts of {outer:?} take {inner}");
            }
            open.push((span, 0.0));
        }
    }
    Ok(())
}

fn names(events: &[Event]) -> BTreeSet<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

fn has(events: &[Event], wanted: &[&str]) -> Result<()> {
    let names = names(events);
    wanted.iter().try_for_each(|name| {
        ensure!(names.contains(name), "no {name} in {names:?}");
        Ok(())
    })
}

fn span<'e>(events: &'e [Event], name: &str) -> Result<&'e Event> {
    events.iter().find(|event| event.name == name).with_context(|| format!("no {name}"))
}

/// Phases of the report are spans of the trace, as long as they are there.
fn agrees(events: &[Event], report: &str) -> Result<()> {
    let report: Value = serde_json::from_str(report)?;
    let phases = report["phases"].as_array().context("no phases")?;
    ensure!(!phases.is_empty(), "no phases");
    for phase in phases {
        let (name, us) = (phase["name"].as_str().unwrap_or_default(), phase["us"].as_f64().unwrap_or_default());
        let found = events.iter().any(|event| event.name == name && (event.len - us).abs() < ROUNDING);
        ensure!(found, "{name} took {us} us: {events:?}");
    }
    Ok(())
}

const CONSTRUCTED: &str = "@text = private constant [2 x i8] c\"x\\00\"
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @first, ptr null }]
declare i32 @puts(ptr)
define internal void @first() {
  %r = call i32 @puts(ptr @text)
  ret void
}
define i32 @main() { ret i32 5 }
";

fn a_start_that_compiles() -> Result<()> {
    let corner = Corner::new()?;
    let (module, trace) = (corner.write("p.ll", CONSTRUCTED)?, corner.work().join("trace.json"));
    let (ran, report) = corner.run(&["--trace", "trace.json"], &module)?;
    ensure!(ran.ending == Ending::Exit(5) && ran.out() == "x\n", "{} {}", ran.ending, ran.err());
    let events = read(&trace)?;
    has(&events, &["open store", "prepare", "look up", "miss", "start worker", "compile", "compiled"])?;
    has(&events, &["parse", "verify", "optimise", "generate", "link", "publish", "map"])?;
    has(&events, &["bind", "guards", "names", "relocate", "seal", "initialise", "program"])?;
    agrees(&events, &report.text)?;
    ensure!(span(&events, "link")?.details["bytes"].as_u64() > Some(4096), "{events:?}");
    ensure!(span(&events, "initialise")?.details["constructors"] == 1, "{events:?}");
    ensure!(span(&events, "bind")?.details["imports"] == 1, "{events:?}");
    ensure!(span(&events, "look up")?.details["key"] == report.key.as_str(), "{events:?}");
    let ours = span(&events, "prepare")?.place.0;
    ensure!(span(&events, "optimise")?.place.0 != ours, "LLVM is in another process");
    let kinds: Vec<_> = events.iter().filter(|event| event.name == "program").map(|event| &event.kind).collect();
    ensure!(kinds == ["B", "E"], "{kinds:?}");
    // A module that is generated in parts has a span of each.
    let large = corner.write("large.ll", ir::laborious(400))?;
    corner.run(&["--trace", "trace.json", "--split", "groups"], &large)?;
    let events = read(&trace)?;
    has(&events, &["group", "part0.o", "part1.o"])?;
    ensure!(span(&events, "part0.o")?.details["bytes"].as_u64() > Some(64), "{events:?}");
    Ok(())
}

fn a_start_that_hits() -> Result<()> {
    let corner = Corner::new()?;
    let (module, trace) = (corner.write("p.ll", CONSTRUCTED)?, corner.work().join("trace.json"));
    corner.run(&[], &module)?.1.must_miss()?;
    let (_, report) = corner.run(&["--trace", "trace.json"], &module)?;
    report.must_hit()?;
    let events = read(&trace)?;
    has(
        &events,
        &["open store", "prepare", "digest", "look up", "hit", "map", "bind", "seal", "initialise", "program"],
    )?;
    agrees(&events, &report.text)?;
    let unwanted = ["miss", "start worker", "link", "publish", "parse"];
    ensure!(unwanted.iter().all(|name| !names(&events).contains(name)), "{:?}", names(&events));
    let (map, bytes) = (span(&events, "map")?, fs::metadata(report.image()?)?.len());
    ensure!(map.details["bytes"] == bytes, "{map:?}");
    ensure!(map.details["path"].as_str().map(Path::new) == report.image.as_deref(), "{map:?}");
    Ok(())
}

/// The file is whole though the process hasn't come to its end, and the program's span is closed only if it has.
fn however_the_program_ends() -> Result<()> {
    let corner = Corner::new()?;
    let rows = [
        ("declare void @exit(i32)\ndefine i32 @main() { call void @exit(i32 7) unreachable }", Ending::Exit(7), true),
        ("declare void @_exit(i32)\ndefine i32 @main() { call void @_exit(i32 7) unreachable }", Ending::Exit(7), false),
        ("declare void @abort()\ndefine i32 @main() { call void @abort() unreachable }", Ending::Signal(6), false),
        ("define i32 @main() { store volatile i32 1, ptr inttoptr (i64 8 to ptr) ret i32 1 }", Ending::Signal(11), false),
        (
            "declare i32 @fork()\ndeclare i32 @wait(ptr)\ndefine i32 @main() {
               %child = call i32 @fork()
               %status = call i32 @wait(ptr null)
               ret i32 7
             }",
            Ending::Exit(7),
            true,
        ),
        (
            "declare void @_exit(i32)
             @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @f, ptr null }]
             define internal void @f() { call void @_exit(i32 7) unreachable }
             define i32 @main() { ret i32 0 }",
            Ending::Exit(7),
            false,
        ),
    ];
    for (number, (module, ending, closed)) in rows.into_iter().enumerate() {
        let module = corner.write("p.ll", module)?;
        for _ in ["cold", "warm"] {
            let ran = corner.run(&["--trace", "trace.json"], &module)?.0;
            ensure!(ran.ending == ending, "row {number}: {} {}", ran.ending, ran.err());
            let events = read(&corner.work().join("trace.json")).with_context(|| format!("row {number}"))?;
            let kinds: Vec<_> =
                events.iter().filter(|event| event.name == "program").map(|event| event.kind.as_str()).collect();
            ensure!(kinds == if closed { &["B", "E"][..] } else { &["B"] }, "row {number}: {kinds:?}");
        }
    }
    Ok(())
}

fn command(corner: &Corner, words: &[&str]) -> Result<Ran> {
    process::run(corner.larder()?.args(words), b"")
}

fn starts_that_fail() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("bad.ll", "define i32 @main() { ret i64 0 }")?;
    corner.write("lost.ll", "declare void @nobody()\ndefine i32 @main() { call void @nobody() ret i32 0 }")?;
    for module in ["bad.ll", "lost.ll"] {
        let ran = command(&corner, &["run", "--trace", "trace.json", module])?;
        ensure!(ran.ending == Ending::Exit(125), "{} {}", ran.ending, ran.err());
        has(&read(&corner.work().join("trace.json"))?, &["open store", "prepare", "look up", "miss"])?;
    }
    let ran = command(&corner, &["run", "--trace", "/nonexistent/trace.json", "bad.ll"])?;
    ensure!(ran.ending == Ending::Exit(125) && ran.err().contains("/nonexistent/trace.json"), "{}", ran.err());
    Ok(())
}

fn an_image_that_is_built() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("p.ll", CONSTRUCTED)?;
    command(&corner, &["build", "--trace", "trace.json", "p.ll", "-o", "p.image"])?.success("build")?;
    has(&read(&corner.work().join("trace.json"))?, &["start worker", "optimise", "generate", "link", "verify"])?;
    let ran = command(&corner, &["run", "--trace", "trace.json", "p.image"])?;
    ensure!(ran.ending == Ending::Exit(5), "{} {}", ran.ending, ran.err());
    has(&read(&corner.work().join("trace.json"))?, &["map", "bind", "program"])
}

fn must_hit() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("p.ll", ir::saying("x", 5))?;
    let ran = command(&corner, &["run", "--must-hit", "p.ll"])?;
    ensure!(ran.ending == Ending::Exit(125) && ran.stdout.is_empty(), "{} {}", ran.ending, ran.out());
    ensure!(ran.err().contains("no entry of this key yet"), "{}", ran.err());
    for (words, code) in
        [(&["run", "p.ll"][..], 5), (&["run", "--must-hit", "p.ll"], 5), (&["run", "--must-hit", "-O1", "p.ll"], 125)]
    {
        let ran = command(&corner, words)?;
        ensure!(ran.ending == Ending::Exit(code), "{words:?}: {} {}", ran.ending, ran.err());
    }
    Ok(())
}

fn check() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    for outcome in ["miss", "hit"] {
        let (ran, report) = corner.run(&["--check"], &module)?;
        ensure!(ran.ending == Ending::Exit(5) && report.outcome == outcome, "{} {}", ran.err(), report.text);
    }
    let ran = command(&corner, &["run", "--check", "--must-hit", "p.ll"])?;
    ensure!(ran.ending == Ending::Exit(125), "{} {}", ran.ending, ran.err());
    let (_, report) = corner.run(&["--check"], &module)?;
    ensure!(report.text.contains("\"link\""), "it was not made again: {}", report.text);
    Ok(())
}
