//! What code counts on is seen of each function, and nothing that is only guarded is concluded without a marker.
//!
//! The main oracle is a program whose guarded functions are replaced, as the loader replaces them: the module's objects are linked
//! natively with those of the recompiled functions, which take precedence. It has to print what clang's program of the changed
//! object prints.

use std::collections::BTreeSet;
use std::process::Command;

use larder::worker::{CompileError, Compiled, Limits, Request, Worker};
use larder_format::wire::{Split, UnitRequest};

use crate::tools::{Program, WORKER, global_definitions, llvm, pairs, request, run, try_compile};

/// Every way of a module through the worker: whole and in groups, at each level.
fn ways() -> impl Iterator<Item = Request> {
    ["0", "1", "2", "3"]
        .into_iter()
        .flat_map(|level| [Split::Whole, Split::Groups].map(|split| Request { split, ..request(level, 2) }))
}

#[track_caller]
fn compile_as(request: &Request, module: &str) -> Compiled {
    try_compile(request, module.as_bytes()).unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

fn uses(compiled: &Compiled) -> BTreeSet<(String, String)> {
    pairs(&compiled.objects, ".larder.uses").into_iter().collect()
}

fn expected(rows: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    rows.iter().map(|(function, guard)| ((*function).to_owned(), (*guard).to_owned())).collect()
}

const MARKED: &str = r#"
@table = available_externally constant [2 x i32] [i32 5, i32 6], !larder.object !0
@"odd name" = external global i8, !larder.object !1
@list = internal constant [2 x ptr] [ptr @table, ptr @"odd name"]
define internal i32 @folded() alwaysinline {
  %v = load i32, ptr @table
  ret i32 %v
}
define i32 @inlines(i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %v = call i32 @folded()
  %w = call i32 @asks()
  %j = add i32 %i, %v
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %done
done:
  ret i32 %w
}
define i32 @through_data() {
  %p = load ptr, ptr @list
  %v = load i32, ptr %p
  ret i32 %v
}
define i1 @compares() {
  %v = icmp eq ptr @"odd name", null
  ret i1 %v
}
define i32 @asks() alwaysinline !larder.guard !3 !larder.guard !4 {
  ret i32 7
}
define i32 @free(i32 %x) {
  %y = mul i32 %x, 3
  ret i32 %y
}
define i32 @calls() {
  %y = call i32 @free(i32 2)
  ret i32 %y
}
!0 = !{!"table", i64 81985529216486895}
!1 = !{!"odd/name"}
!larder.guards = !{!4, !3}
!3 = !{!"version of", !"schema 3", i64 17}
!4 = !{!"first", !"", i64 -1}
"#;

#[test]
fn markers_are_where_code_was_inlined_and_contents_were_folded() {
    let (table, odd) = ("larder.object$0123456789abcdef$table", "larder.object$any$odd%2Fname");
    let first = "larder.guard$00000000$ffffffffffffffff$first$";
    let version = "larder.guard$00000001$0000000000000011$version%20of$schema%203";
    let rows = expected(&[
        ("inlines", table),
        ("inlines", first),
        ("inlines", version),
        ("asks", first),
        ("asks", version),
        ("through_data", table),
        ("through_data", odd),
        ("compares", odd),
        ("folded", table),
    ]);
    for request in ways() {
        let compiled = compile_as(&request, MARKED);
        assert_eq!(uses(&compiled), rows, "{request:?}");
        // A guard in a loop is asked about once.
        if request.level != "0" {
            assert_eq!(pairs(&compiled.objects, ".larder.uses").len(), rows.len(), "{request:?}");
        }
    }
}

/// Objects refer to hidden functions by their symbols, which makes them replaceable by the system's linker: those that count on the table
/// are local. Each pair of functions hands on what is guarded in a way of its own: a result, an effect on memory, a local variable, an argument, a
/// call through a pointer, a specialised copy.
const LEAKING: &str = r#"
@counter = global i32 0
@kept = internal global i32 5
@passed = internal global i32 5
define internal i32 @folded() noinline {
  %v = load i32, ptr @table
  ret i32 %v
}
define i32 @returned() {
  %v = call i32 @folded()
  %w = add i32 %v, 1
  ret i32 %w
}
define internal void @silent() noinline {
  %v = load i32, ptr @table
  %c = icmp eq i32 %v, 9
  br i1 %c, label %speak, label %done
speak:
  %n = load i32, ptr @counter
  %m = add i32 %n, 1
  store i32 %m, ptr @counter
  br label %done
done:
  ret void
}
define i32 @watched() {
  %a = load i32, ptr @counter
  call void @silent()
  %b = load i32, ptr @counter
  %d = sub i32 %b, %a
  ret i32 %d
}
define internal void @stores() noinline {
  %v = load i32, ptr @table
  store i32 %v, ptr @kept
  ret void
}
define i32 @kept_value() noinline {
  call void @stores()
  %v = call i32 @reads_kept()
  ret i32 %v
}
define internal i32 @reads_kept() noinline {
  %v = load i32, ptr @kept
  ret i32 %v
}
define internal void @pass(i32 %x) noinline {
  store i32 %x, ptr @passed
  ret void
}
define internal void @passes() noinline {
  %v = load i32, ptr @table
  call void @pass(i32 %v)
  ret void
}
define internal i32 @reads_passed() noinline {
  %v = load i32, ptr @passed
  ret i32 %v
}
define i32 @passed_value() {
  call void @passes()
  %v = call i32 @reads_passed()
  ret i32 %v
}
define internal i32 @calls(ptr %f) noinline {
  %v = call i32 %f()
  ret i32 %v
}
define i32 @through_pointer() {
  %v = call i32 @calls(ptr @folded)
  ret i32 %v
}
define internal i32 @local(i32 %unused, i32 %i) noinline {
  %p = getelementptr i32, ptr @table, i32 %i
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @specialised(i32 %n) {
  %v = call i32 @local(i32 1, i32 0)
  %w = call i32 @local(i32 2, i32 1)
  %x = mul i32 %v, %w
  ret i32 %x
}
"#;

const LEAKING_MAIN: &str = r#"
#include <stdio.h>
int returned(void), watched(void), kept_value(void), passed_value(void), through_pointer(void), specialised(int);
int main(void) {
  printf("%d %d %d %d %d %d\n", returned(), watched(), kept_value(), passed_value(), through_pointer(), specialised(3));
}
"#;

/// The table as the host has it now.
const TABLE: &str = r#"
.data
.balign 4
.globl "larder.object$any$table"
"larder.object$any$table":
.globl "larder.object$0000000000000012$table"
"larder.object$0000000000000012$table":
.long 9, 6
.section .note.GNU-stack,"",@progbits
"#;

fn native(arguments: &[&str], suffix: &str, source: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(format!("in{suffix}"));
    std::fs::write(&path, source).expect("written");
    run(llvm("clang").args(arguments).args(["-fPIE", "-c", "-o", "-"]).arg(&path)).stdout
}

/// The objects with these names giving way to others.
fn weakened(compiled: &Compiled, names: &[String]) -> Vec<(String, Vec<u8>)> {
    let directory = tempfile::tempdir().expect("a directory");
    let weaken = |(name, bytes): &(String, Vec<u8>)| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        run(llvm("llvm-objcopy").args(names.iter().map(|name| format!("--weaken-symbol={name}"))).arg(&path));
        (name.clone(), std::fs::read(&path).expect("an object"))
    };
    compiled.objects.iter().map(weaken).collect()
}

#[test]
fn replaced_functions_leave_nothing_behind_in_their_callers() {
    let main = native(&["-O2"], ".c", LEAKING_MAIN);
    let changed = native(&["-O0"], ".ll", &format!("@table = constant [2 x i32] [i32 9, i32 6]\n{LEAKING}"));
    let now = Program::link(&[("main.o".to_owned(), main.clone()), ("changed.o".to_owned(), changed)]).run();
    assert_eq!(now.0, "10 1 9 9 9 54\n");
    let module = format!(
        "@table = available_externally constant [2 x i32] [i32 5, i32 6], !larder.object !0\n\
         {LEAKING}\n!0 = !{{!\"table\", i64 18}}\n"
    );
    for request in ways() {
        let whole = compile_as(&request, &module);
        let present = global_definitions(&whole.objects);
        let guarded: BTreeSet<String> = pairs(&whole.objects, ".larder.uses").into_iter().map(|(f, _)| f).collect();
        let is_guarded = |name: &&String| guarded.contains(name.split(".llvm.").next().unwrap_or_default());
        let names: Vec<String> = present.iter().filter(is_guarded).cloned().collect();
        assert!(names.len() >= 5, "{names:?}");
        let unit = UnitRequest { names: names.clone(), present, loosened: vec!["table".to_owned()] };
        let unit = compile_as(&Request { unit: Some(unit), ..request.clone() }, &module);
        let mut objects = weakened(&whole, &names);
        objects.extend(unit.objects.into_iter().map(|(name, bytes)| (format!("unit-{name}"), bytes)));
        objects.push(("main.o".to_owned(), main.clone()));
        objects.push(("table.o".to_owned(), native(&[], ".s", TABLE)));
        assert_eq!(Program::link(&objects).run(), now, "{request:?}");
    }
}

#[test]
fn what_recompiled_functions_need_by_name_stays() {
    let module = r#"
@table = external global i8, !larder.object !0
@count = internal global i32 0
@text = private unnamed_addr constant [3 x i8] c"ab\00"
@place = internal constant i32 3
@untouched = internal global i32 0
define internal void @address() { ret void }
define internal void @helper() { ret void }
define ptr @f(i1 %c) {
  %n = load i32, ptr @count
  %m = add i32 %n, 1
  store i32 %m, ptr @count
  call void @helper()
  %p = select i1 %c, ptr @place, ptr @text
  %q = select i1 %c, ptr %p, ptr @address
  %r = select i1 %c, ptr %q, ptr @table
  ret ptr %r
}
define i32 @g() {
  %n = load i32, ptr @untouched
  ret i32 %n
}
!0 = !{!"table"}
"#;
    for request in ways() {
        let names = global_definitions(&compile_as(&request, module).objects);
        let names: BTreeSet<_> = names.iter().map(|name| name.split(".llvm.").next().unwrap_or_default()).collect();
        for kept in ["count", "place", "address", "f", "g"] {
            assert!(names.contains(kept), "{kept}: {names:?}");
        }
        assert!(!names.contains("untouched") && !names.contains("text"), "{names:?}");
    }
}

#[test]
fn fallbacks_are_rows_and_stay() {
    let module = r#"
define i32 @f(i32 %x) "larder-fallback"="g" !larder.guard !0 { ret i32 %x }
define internal i32 @g(i32 %x) {
  %y = add i32 %x, 1
  ret i32 %y
}
define internal i32 @f2(i32 %x) noinline "larder-fallback"="elsewhere" !larder.guard !0 { ret i32 %x }
define i32 @calls(i32 %x) {
  %y = call i32 @f2(i32 %x)
  ret i32 %y
}
declare i32 @elsewhere(i32)
!larder.guards = !{!0}
!0 = !{!"is fast", !"", i64 1}
"#;
    for request in ways() {
        let compiled = compile_as(&request, module);
        let rows = pairs(&compiled.objects, ".larder.fallbacks");
        let rows: Vec<_> = rows.iter().map(|(f, g)| (f.as_str(), g.as_str())).collect();
        assert_eq!(rows, [("f", "g"), ("f2", "elsewhere")], "{request:?}");
        assert!(global_definitions(&compiled.objects).iter().any(|name| name.starts_with("g.llvm.")));
    }
    // Where nothing can fail, nothing is replaced.
    let unguarded = compile_as(&request("2", 1), &module.replace("!larder.guard !0 ", ""));
    assert_eq!(pairs(&unguarded.objects, ".larder.fallbacks"), []);
}

#[test]
fn what_makes_no_sense_is_named() {
    let cases = [
        ("@x = global i8 0, !larder.object !0\n!0 = !{!\"x\"}", "object x is a definition"),
        ("@x = external thread_local global i8, !larder.object !0\n!0 = !{!\"x\"}", "x is thread-local"),
        ("@x = external global i8, !larder.object !0\n!0 = !{i32 1}", "object x: !larder.object must be"),
        ("@x = external global i8, !larder.object !0\n!0 = !{!\"\"}", "object x: !larder.object must be"),
        ("@x = external global i8, !larder.object !0\n!0 = !{!\"x\", i32 1}", "object x: !larder.object must be"),
        (
            "@x = external global i8, !larder.object !0\n!0 = !{!\"x\", i64 1, i64 2}",
            "object x: !larder.object must be",
        ),
        ("@x = external global i8, !larder.object !0\n!0 = !{}", "object x: !larder.object must be"),
        ("@x = available_externally constant i8 1, !larder.object !0\n!0 = !{!\"x\"}", "no fingerprint"),
        ("declare !larder.object !0 void @x()\n!0 = !{!\"x\"}", "stands on declarations of variables"),
        ("!larder.guards = !{!0}\n!0 = !{!\"p\", i64 1}", "entry 0 of !larder.guards"),
        ("!larder.guards = !{!0}\n!0 = !{!\"p\", !\"a\", i32 1}", "entry 0 of !larder.guards"),
        (
            "define void @f() !larder.guard !0 { ret void }\n!0 = !{!\"p\", !\"a\", i64 1}",
            "function f: its !larder.guard",
        ),
        ("define void @f() \"larder-fallback\"=\"g\" { ret void }", "no function g to be its fallback"),
        ("define void @f() \"larder-fallback\"=\"f\" { ret void }", "f is its own fallback"),
        (
            "define void @f() \"larder-fallback\"=\"g\" { ret void }\ndeclare void @g(i32)",
            "its fallback g has another signature",
        ),
        (
            "define void @f(i8 zeroext %x) \"larder-fallback\"=\"g\" { ret void }\ndeclare void @g(i8)",
            "its fallback g has another signature",
        ),
        (
            "@x = external global i8, !larder.object !0\n!0 = !{!\"x\"}\n\
             @llvm.used = appending global [1 x ptr] [ptr @v]\n@v = internal global i32 0\n\
             define ptr @f() {\n call void asm sideeffect \"incl v(%rip)\", \"\"()\n ret ptr @x\n}",
            "assembly may use the local name v",
        ),
        (
            "@x = external global i8, !larder.object !0\n!0 = !{!\"x\"}\n\
             define ptr @f() presplitcoroutine {\n ret ptr @x\n}",
            "coroutine f counts on larder.object$any$x",
        ),
    ];
    for (module, said) in cases {
        let error = try_compile(&request("2", 1), module.as_bytes()).expect_err(module);
        let is_about_the_module = matches!(error, CompileError::Malformed { .. } | CompileError::Unsupported { .. });
        assert!(is_about_the_module && error.to_string().contains(said), "{module}\n{error}");
    }
}

#[test]
fn units_that_cannot_be_are_named() {
    let module = "@v = global i32 0\ndefine ptr @f() { ret ptr @v }";
    for (name, said) in [("g", "no function g"), ("f", "variable v is needed and isn't in the image")] {
        let unit = UnitRequest { names: vec![name.to_owned()], present: vec!["f".to_owned()], loosened: vec![] };
        let error = try_compile(&Request { unit: Some(unit), ..request("2", 1) }, module.as_bytes()).expect_err(name);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn modules_that_are_linked_keep_what_each_counts_on() {
    let one = "@x = external global i8, !larder.object !0\n\
               define ptr @f() !larder.guard !1 { ret ptr @x }\n\
               define void @f2() \"larder-fallback\"=\"g\" !larder.guard !1 { ret void }\n\
               define internal void @g() { ret void }\n\
               !larder.guards = !{!1}\n!0 = !{!\"x\", i64 1}\n!1 = !{!\"p\", !\"\", i64 1}\n";
    let two = "@x = external global i8, !larder.object !0\n@y = available_externally constant i8 3, !larder.object !2\n\
               define ptr @h() !larder.guard !1 { ret ptr @x }\n\
               define i8 @h2() {\n %v = load i8, ptr @y\n ret i8 %v\n}\n\
               define i32 @h3(i32 %x) \"larder-fallback\"=\"g\" !larder.guard !3 { ret i32 %x }\n\
               define internal i32 @g(i32 %x) { ret i32 0 }\n\
               !larder.guards = !{!3, !1}\n!0 = !{!\"x\", i64 2}\n!1 = !{!\"p\", !\"\", i64 1}\n!2 = !{!\"x\", i64 1}\n\
               !3 = !{!\"q\", !\"\", i64 1}\n";
    let keep = ["f", "f2", "h", "h2", "h3"].map(str::to_owned).to_vec();
    let modules = [("one", one.as_bytes()), ("two", two.as_bytes())];
    let worker = Worker::at(WORKER);
    let linked = worker.link_modules(&modules, Some(keep), vec![], &Limits::default()).expect("linked");
    let compiled = try_compile(&request("2", 2), &linked).expect("compiled");
    let (first, second) = ("larder.object$0000000000000001$x", "larder.object$0000000000000002$x");
    let (p, q) = ("larder.guard$00000000$0000000000000001$p$", "larder.guard$00000001$0000000000000001$q$");
    assert_eq!(
        uses(&compiled),
        expected(&[("f", first), ("f", p), ("f2", p), ("h", second), ("h", p), ("h2", first), ("h3", q)])
    );
    let rows = pairs(&compiled.objects, ".larder.fallbacks");
    assert_eq!(rows.len(), 2);
    assert!(rows[0].1 != rows[1].1 && rows.iter().all(|(_, fallback)| fallback.starts_with('g')), "{rows:?}");
    // Nobody looks for a heap object among archives.
    let symbols = worker.list_symbols(&modules, &Limits::default()).expect("listed");
    assert!(!format!("{symbols:?}").contains("larder.object"), "{symbols:?}");
}

#[test]
fn objects_of_c_are_objects() {
    let source = "extern char table __asm__(\"larder.object$any$table\");\nchar *f(void) { return &table; }\n";
    let module = run(Command::new("sh")
        .arg("-c")
        .arg(format!("echo '{source}' | {} -O1 -S -emit-llvm -x c -o - -", llvm("clang").get_program().display())))
    .stdout;
    let compiled = try_compile(&request("2", 1), &module).expect("compiled");
    assert_eq!(uses(&compiled), expected(&[("f", "larder.object$any$table")]));
}
