//! Addresses of the client's process become objects where they can be seen, and are told of where they can't.

use larder::worker::{CompileError, Compiled, Request};
use larder_format::wire::{PointerFate, RawPointers, Region, Split};

use crate::tools::{Program, bitcode, llvm, pairs, request, run, try_compile};

const HEAP: u64 = 0x100_0000_0000;

fn rescuing(raw_pointers: RawPointers) -> Request {
    let regions = vec![
        Region { name: Some("heap".to_owned()), start: HEAP, len: 0x10_0000 },
        Region { name: None, start: 0x7f50_0000_0000, len: 0x1000 },
    ];
    Request { raw_pointers, regions, ..request("2", 2) }
}

#[track_caller]
fn rescue(module: &str) -> Compiled {
    try_compile(&rescuing(RawPointers::Rescue), module.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Each function reads the 32-bit integers of the heap through addresses that it has in another way.
const READERS: &str = r#"
@init = internal global [2 x ptr] [ptr null, ptr inttoptr (i64 1099511627784 to ptr)]
define i32 @code() {
  %p = inttoptr i64 1099511627776 to ptr
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @expression() {
  %v = load i32, ptr getelementptr (i8, ptr inttoptr (i64 1099511627776 to ptr), i64 4)
  ret i32 %v
}
define i32 @initial() {
  %p = load ptr, ptr getelementptr (ptr, ptr @init, i64 1)
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @merged(i32 %n) {
entry:
  switch i32 %n, label %a [ i32 0, label %b
                            i32 1, label %b ]
a:
  br label %b
b:
  %k = phi i64 [ 1099511627788, %a ], [ 1099511627792, %entry ], [ 1099511627792, %entry ]
  %c = icmp eq i32 %n, 7
  %s = select i1 %c, i64 1099511627796, i64 %k
  %p = inttoptr i64 %s to ptr
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @local() {
  %x = alloca { i64, i64 }
  %f = getelementptr i8, ptr %x, i64 8
  store i64 1099511627800, ptr %f
  store i64 4, ptr %x
  %g = getelementptr { i64, i64 }, ptr %x, i32 0, i32 1
  %v = load i64, ptr %g
  %p = inttoptr i64 %v to ptr
  %w = load i32, ptr %p
  ret i32 %w
}
define i32 @indexed(i64 %i) {
  %b = shl i64 %i, 2
  %a = add i64 %b, 1099511627776
  %t = or i64 %a, 0
  %m = and i64 %t, 140737488355327
  %p = inttoptr i64 %m to ptr
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @lanes() {
  %p = inttoptr <2 x i64> <i64 1099511627804, i64 5> to <2 x ptr>
  %q = extractelement <2 x ptr> %p, i32 0
  %v = load i32, ptr %q
  ret i32 %v
}
define i32 @overlapping() {
  store i32 1, ptr inttoptr (i64 1099511627808 to ptr)
  store i32 2, ptr @also
  %v = load i32, ptr inttoptr (i64 1099511627808 to ptr)
  ret i32 %v
}
@also = external global i32
define i32 @cases(i64 %x) {
  switch i64 %x, label %d [ i64 1099511627776, label %e ]
d:
  ret i32 1
e:
  ret i32 2
}
define double @floats() {
  ret double 0x0000010000000000
}
define ptr @small() {
  ret ptr inttoptr (i64 65535 to ptr)
}
define ptr @large() {
  ret ptr inttoptr (i64 140737488355328 to ptr)
}
"#;

const READERS_MAIN: &str = r#"
#include <stdio.h>
int heap[] __asm__("larder.object$any$heap") = {10, 11, 12, 13, 14, 15, 16, 17, 18};
extern int also __attribute__((alias("larder.object$any$heap_8")));
int code(void), expression(void), initial(void), merged(int), local(void), indexed(long), lanes(void), overlapping(void);
int main(void) {
  printf("%d %d %d %d %d %d %d %d %d %d\n", code(), expression(), initial(), merged(0), merged(2), merged(7), local(),
         indexed(3), lanes(), overlapping());
}
"#;

#[test]
fn addresses_in_named_regions_are_found_again() {
    // The name of a place in the heap, for code that has two.
    let main = READERS_MAIN.replace("extern int also __attribute__((alias(\"larder.object$any$heap_8\")));\n", "");
    let also = "__asm__(\".globl also\\n.set also, \\\"larder.object$any$heap\\\" + 32\");\n";
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("main.c");
    std::fs::write(&path, format!("{main}{also}")).expect("written");
    let main = run(llvm("clang").args(["-c", "-fPIE", "-o", "-"]).arg(&path)).stdout;
    for level in ["0", "1", "2", "3"] {
        for split in [Split::Whole, Split::Groups] {
            let request = Request { level: level.to_owned(), split, ..rescuing(RawPointers::Strict) };
            let compiled = try_compile(&request, READERS.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            let names: Vec<_> = compiled.pointers.iter().map(|found| found.function.as_str()).collect();
            for name in ["init", "code", "expression", "merged", "local", "indexed", "lanes", "overlapping"] {
                assert!(names.contains(&name), "{name}: {names:?}");
            }
            assert_eq!(names.len(), 8, "{names:?}");
            assert!(
                compiled.pointers.iter().all(|found| found.fate == PointerFate::Rescued),
                "{:?}",
                compiled.pointers
            );
            assert_eq!(compiled.session_objects, []);
            let mut objects = compiled.objects;
            objects.push(("main.o".to_owned(), main.clone()));
            assert_eq!(
                Program::link(&objects).run(),
                ("10 11 12 14 13 15 16 13 17 2\n".to_owned(), Some(0)),
                "-O{level}"
            );
        }
    }
}

#[test]
fn the_rescued_module_has_no_address_and_means_the_same() {
    let first = rescue(READERS);
    let rescued = first.rescued.expect("addresses were found");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("rescued.bc");
    std::fs::write(&path, &rescued).expect("written");
    let text = String::from_utf8(run(llvm("llvm-dis").arg(&path).args(["-o", "-"])).stdout).expect("text");
    let left: Vec<_> = text.lines().filter(|line| line.contains("10995116277")).collect();
    assert_eq!(left.len(), 1, "the case of a switch: {left:?}");
    // Where the heap is now doesn't matter any more.
    let elsewhere = Request { regions: vec![], ..rescuing(RawPointers::Rescue) };
    let again = try_compile(&elsewhere, &rescued).expect("compiled");
    assert!(again.objects == first.objects);
    assert_eq!((again.rescued, again.pointers), (None, vec![]));
}

const FOREIGN: &str = r#"
declare void @use(i64)
@table = constant [2 x i64] [i64 1, i64 1099511627784]
@hook = global ptr inttoptr (i64 139985571283200 to ptr)
define void @calls() {
  call void inttoptr (i64 139985571283216 to ptr)()
  ret void
}
define void @unmapped() {
  store i32 1, ptr inttoptr (i64 4398046511104 to ptr)
  ret void
}
define void @number() {
  call void @use(i64 1099511627784)
  ret void
}
define i64 @reads_table() {
  %v = load i64, ptr getelementptr (i64, ptr @table, i64 1)
  ret i64 %v
}
define ptr @reads_hook() {
  %v = load ptr, ptr @hook
  ret ptr %v
}
define void @unrelated() {
  call void @use(i64 2199023255552)
  ret void
}
"#;

#[test]
fn other_addresses_hold_for_this_process() {
    let compiled = rescue(FOREIGN);
    let mut found: Vec<_> = compiled.pointers.iter().map(|found| (found.function.as_str(), found.fate)).collect();
    found.sort_by_key(|(name, _)| *name);
    let names = ["calls", "hook", "number", "table", "unmapped"];
    assert_eq!(found, names.map(|name| (name, PointerFate::SessionOnly)));
    let mut addresses: Vec<_> = compiled.session_objects.iter().map(|object| object.address).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, [HEAP + 8, 4_398_046_511_104, 139_985_571_283_200, 139_985_571_283_216]);
    let mut marked: Vec<_> = pairs(&compiled.objects, ".larder.uses").into_iter().collect();
    marked.dedup();
    let marked_names: Vec<_> = marked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(marked_names, ["calls", "number", "reads_hook", "reads_table", "unmapped"]);
    for (name, guard) in &marked {
        let object = guard.strip_prefix("larder.object$any$").unwrap_or_else(|| panic!("{name}: {guard}"));
        assert!(compiled.session_objects.iter().any(|known| known.name == object), "{object}");
    }
}

#[test]
fn strict_requests_name_functions() {
    let error = try_compile(&rescuing(RawPointers::Strict), FOREIGN.as_bytes()).expect_err("addresses");
    assert!(matches!(error, CompileError::Unsupported { .. }), "{error:?}");
    let said = error.to_string();
    for part in [
        "function calls: 0x7f50",
        "function unmapped: 0x40000000000 in no named region",
        "function number: the number 0x10000000008 in heap",
        "variable table: the number",
        "variable hook: 0x7f50",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(!said.contains("unrelated"));
}

/// Numbers that modules have for other reasons, and addresses that are the same in every process.
const ORDINARY: &str = r#"
declare void @use(i64)
@limits = constant [4 x i64] [i64 4194304, i64 1000000000, i64 -1, i64 1099511627775]
@failed = global ptr inttoptr (i64 -1 to ptr)
define void @device() {
  store volatile i32 1, ptr inttoptr (i64 4276092928 to ptr)
  store volatile i32 1, ptr inttoptr (i64 4398046511104 to ptr)
  ret void
}
define void @low() {
  call void @use(i64 4194312)
  %p = inttoptr i64 4096 to ptr
  store volatile i32 1, ptr %p
  ret void
}
define i64 @limit(i64 %n) {
  %p = getelementptr i64, ptr @limits, i64 %n
  %v = load i64, ptr %p
  ret i64 %v
}
"#;

#[test]
fn what_is_mapped_is_an_address_and_nothing_else() {
    let mut request = rescuing(RawPointers::Mapped);
    // Where a program lies that was linked to a fixed place.
    request.regions.insert(0, Region { name: None, start: 4_194_304, len: 0x1000 });
    request.regions.push(Region { name: None, start: 139_985_571_283_200, len: 0x1000 });
    let compiled = try_compile(&request, FOREIGN.as_bytes()).expect("compiled");
    let mut found: Vec<_> = compiled.pointers.iter().map(|found| (found.function.as_str(), found.fate)).collect();
    found.sort_by_key(|(name, _)| *name);
    let names = ["calls", "hook", "number", "table"];
    assert_eq!(found, names.map(|name| (name, PointerFate::SessionOnly)));
    let ordinary = |raw_pointers| {
        let request = Request { raw_pointers, ..request.clone() };
        try_compile(&request, ORDINARY.as_bytes()).expect("compiled")
    };
    let compiled = ordinary(RawPointers::Mapped);
    assert_eq!((compiled.pointers, compiled.rescued), (vec![], None));
    assert!(compiled.objects == ordinary(RawPointers::Ignore).objects);
    let low = "define ptr @low() { ret ptr inttoptr (i64 4194312 to ptr) }";
    assert_eq!(try_compile(&request, low.as_bytes()).expect("compiled").pointers.len(), 1);
}

#[test]
fn modules_without_addresses_are_as_if_nobody_looked() {
    for (name, split) in [("parts.c", Split::Auto), ("parts.cpp", Split::Groups), ("kernels.c", Split::Auto)] {
        let module = bitcode(name, &[]);
        let [ignored, rescued] = [RawPointers::Ignore, RawPointers::Strict]
            .map(|raw_pointers| try_compile(&Request { split, ..rescuing(raw_pointers) }, &module).expect("compiled"));
        assert!(ignored.objects == rescued.objects, "{name}");
        assert_eq!((rescued.pointers, rescued.rescued), (vec![], None));
    }
}
