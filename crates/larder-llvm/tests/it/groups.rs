//! A module in groups runs as a whole one, an edit costs the groups that it is about, and what is left of an earlier compilation
//! never shows in the result.

use std::fmt::Write;

use larder::worker::{Compiled, Request};
use larder_format::wire::Split;

use crate::kept::{Memory, keeping};
use crate::parts::expected;
use crate::tools::{Program, bitcode, global_definitions, request, try_compile};

fn grouped(level: &str, threads: u32) -> Request {
    Request { split: Split::Groups, ..request(level, threads) }
}

#[test]
fn programs_in_groups_run_as_whole_ones() {
    for name in ["parts.c", "parts.cpp"] {
        for (flags, levels) in [(&[][..], &["0", "1", "2", "3", "z"][..]), (&["-fPIC", "-DOTHER"], &["2"])] {
            let module = bitcode(name, flags);
            for level in levels {
                let compiled = try_compile(&grouped(level, 2), &module).expect(name);
                assert!(compiled.objects.len() > 3, "{name} {flags:?} at -O{level}: {}", compiled.objects.len());
                assert_eq!(Program::link(&compiled.objects).run(), expected(name), "{name} {flags:?} at -O{level}");
            }
        }
    }
}

#[test]
fn threads_change_no_byte_of_groups() {
    let module = bitcode("parts.cpp", &[]);
    let [one, two] = [1, 3].map(|threads| try_compile(&grouped("2", threads), &module).expect("compiled").objects);
    assert!(one == two);
}

#[test]
fn published_names_of_two_modules_differ() {
    let names = |flags: &[&str]| {
        global_definitions(&try_compile(&grouped("2", 2), &bitcode("parts.c", flags)).expect("compiled").objects)
    };
    let (module, other) = (names(&[]), names(&["-Dpublic10=other10", "-Dmain=other_main"]));
    let published: Vec<_> = module.iter().filter(|name| name.contains(".llvm.")).collect();
    assert!(!published.is_empty(), "{module:?}");
    // The names are those of the strong definition whose hash is least; if both have that one, they can't be linked anyhow.
    let strong = |names: &[String]| names.iter().filter(|name| name.starts_with("public")).count();
    assert_eq!(strong(&module), strong(&other) + 1);
}

#[test]
fn what_cannot_be_in_groups_is_not() {
    for flags in [&["-DMODULE_ASSEMBLY"][..], &["-g"]] {
        let module = bitcode("parts.c", flags);
        let grouped = try_compile(&grouped("2", 2), &module).expect("compiled").objects;
        assert!(grouped == try_compile(&request("2", 2), &module).expect("compiled").objects, "{flags:?}");
    }
}

/// A constant that is nothing but the address of another, which each group has for itself.
#[test]
fn constants_that_point_to_constants_go_along() {
    let mut module = String::from(
        "@text = private unnamed_addr constant [4 x i8] c\"yes\\00\"\n@pointer = constant ptr @text\n\
         declare i32 @puts(ptr)\n",
    );
    for n in 0..COUNT {
        let _ = writeln!(module, "define i32 @f{n}(i32 %x0) noinline {{\n  %p = load ptr, ptr @pointer");
        for step in 0..30 {
            let _ = writeln!(module, "  %y{step} = mul i32 %x{step}, {}", n + step + 3);
            let _ = writeln!(module, "  %x{} = xor i32 %y{step}, %x0", step + 1);
        }
        let _ = writeln!(module, "  %r = call i32 @puts(ptr %p)\n  ret i32 %x30\n}}");
    }
    let _ =
        writeln!(module, "define i32 @main() {{\n  %a = call i32 @f0(i32 1)\n  %b = call i32 @f{}(i32 1)", COUNT - 1);
    module.push_str("  ret i32 0\n}\n");
    let compiled = try_compile(&grouped("2", 2), module.as_bytes()).expect("compiled");
    assert!(compiled.objects.len() > 1, "{}", compiled.objects.len());
    assert_eq!(Program::link(&compiled.objects).run(), ("yes\nyes\n".to_owned(), Some(0)));
}

/// How many functions the edited module has.
const COUNT: usize = 400;

/// What can be changed about the module of [`Edited::text`], each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Constant(usize),
    Attribute(usize),
    Metadata(usize),
    Linkage(usize),
    Global(usize),
    GlobalConstant(usize),
    InlinedCallee(usize),
    CallConvention(usize),
    Alignment(usize),
    Name(usize),
    Added(usize),
    Removed(usize),
    Swapped(usize),
    Text(usize),
    Visibility(usize),
    ThreadLocal(usize),
}

/// The kinds of change, for a number that says where.
const CHANGES: [fn(usize) -> Change; 16] = [
    Change::Constant,
    Change::Attribute,
    Change::Metadata,
    Change::Linkage,
    Change::Global,
    Change::GlobalConstant,
    Change::InlinedCallee,
    Change::CallConvention,
    Change::Alignment,
    Change::Name,
    Change::Added,
    Change::Removed,
    Change::Swapped,
    Change::Text,
    Change::Visibility,
    Change::ThreadLocal,
];

/// A module of functions that call each other, some of them small enough to be inlined elsewhere, with the changes made.
struct Edited<'a>(&'a [Change]);

impl Edited<'_> {
    fn has(&self, change: Change) -> bool {
        self.0.contains(&change)
    }

    fn pick<'t>(&self, change: Change, changed: &'t str, unchanged: &'t str) -> &'t str {
        if self.has(change) { changed } else { unchanged }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut order: Vec<usize> = (0..COUNT).collect();
        for at in 0..COUNT - 1 {
            if self.has(Change::Swapped(at)) {
                order.swap(at, at + 1);
            }
        }
        for n in 0..COUNT {
            self.globals(n, &mut text);
        }
        for n in order {
            self.small(n, &mut text);
            self.large(n, &mut text);
            if self.has(Change::Added(n)) {
                let _ = writeln!(
                    text,
                    "define i64 @added{n}(i64 %x) {{\n %y = call i64 @large{n}(i64 %x)\n ret i64 %y\n}}"
                );
            }
        }
        text.push_str("!0 = !{!\"branch_weights\", i32 1, i32 1000}\n!1 = !{!\"branch_weights\", i32 1000, i32 1}\n");
        text
    }

    fn globals(&self, n: usize, text: &mut String) {
        let value = if self.has(Change::Global(n)) { 77 } else { n };
        let constant = if self.has(Change::GlobalConstant(n)) { 1234 } else { n * 3 };
        let letter = self.pick(Change::Text(n), "x", "a");
        let thread_local = self.pick(Change::ThreadLocal(n), "thread_local ", "");
        let _ = writeln!(text, "@variable{n} = internal {thread_local}global i64 {value}");
        let _ = writeln!(text, "@constant{n} = internal constant i64 {constant}");
        let _ = writeln!(text, "@.str.{n} = private unnamed_addr constant [3 x i8] c\"{letter}b\\00\"");
        let _ = writeln!(text, "@.table.{n} = private unnamed_addr constant [2 x ptr] [ptr @small{n}, ptr @.str.{n}]");
    }

    /// Inlined into its callers, which are mostly in other groups.
    fn small(&self, n: usize, text: &mut String) {
        let linkage = self.pick(Change::Linkage(n), "", "internal");
        let factor = if self.has(Change::InlinedCallee(n)) { 99 } else { 5 };
        let _ = writeln!(
            text,
            "define {linkage} i64 @small{n}(i64 %x) {{\n %a = mul i64 %x, {factor}\n %b = load i64, ptr @constant{n}\n \
             %c = load i64, ptr @variable{n}\n %d = add i64 %a, %b\n %e = xor i64 %d, %c\n ret i64 %e\n}}"
        );
    }

    fn large(&self, n: usize, text: &mut String) {
        let name = self.pick(Change::Name(n), "renamed", "large");
        let attribute = self.pick(Change::Attribute(n), "noinline cold", "noinline");
        let weights = self.pick(Change::Metadata(n), "!1", "!0");
        let visibility = self.pick(Change::Visibility(n), "hidden", "");
        let align = self.pick(Change::Alignment(n), "align 64", "");
        let convention = self.pick(Change::CallConvention(n), "fastcc", "");
        let _ = writeln!(text, "define {visibility} i64 @{name}{n}(i64 %x) {attribute} {align} {{\nentry:");
        let constant = if self.has(Change::Constant(n)) { 4321 } else { n + 17 };
        let _ = writeln!(text, " %v0 = mul i64 %x, {constant}");
        for step in 0..12 {
            let _ = writeln!(text, " %w{step} = urem i64 %v{step}, {}", 1_000_003 + n + step);
            let _ = writeln!(text, " %v{} = xor i64 %w{step}, {}", step + 1, (n * 31 + step) << 33);
        }
        let others = [(n * 7 + 3) % COUNT, (n * 13 + 101) % COUNT];
        for (call, other) in others.iter().enumerate() {
            let _ = writeln!(text, " %s{call} = call i64 @small{other}(i64 %v12)");
        }
        let _ = writeln!(
            text,
            " %t = load i8, ptr @.str.{n}\n %u = zext i8 %t to i64\n %p = getelementptr ptr, ptr @.table.{n}, i64 %u"
        );
        let _ =
            writeln!(text, " %q = load ptr, ptr %p\n %f = call {convention} i64 %q(i64 %s0)\n %z = add i64 %f, %s1");
        let _ = writeln!(text, " %k = icmp ult i64 %z, 5\n br i1 %k, label %less, label %more, !prof {weights}");
        let _ = writeln!(text, "less:\n ret i64 %v12");
        if self.has(Change::Removed(n)) {
            let _ = writeln!(text, "more:\n ret i64 %z\n}}");
        } else {
            let callee = if n == 0 { "small0".to_owned() } else { self.name_of(n - 1) };
            let _ = writeln!(text, "more:\n %m = call i64 @{callee}(i64 %z)\n ret i64 %m\n}}");
        }
    }

    fn name_of(&self, n: usize) -> String {
        format!("{}{n}", self.pick(Change::Name(n), "renamed", "large"))
    }

    fn compile(&self, kept: &Memory) -> Compiled {
        keeping(&grouped("2", 2), self.text().as_bytes(), kept).unwrap_or_else(|error| panic!("{:?}: {error}", self.0))
    }
}

fn generated(compiled: &Compiled) -> usize {
    compiled.objects.len() - compiled.kept_count as usize
}

#[test]
fn an_edit_costs_the_groups_that_it_is_about() {
    let kept = Memory::default();
    let whole = Edited(&[]).compile(&kept);
    assert_eq!(whole.kept_count, 0);
    assert!(whole.objects.len() > 6, "{}", whole.objects.len());
    // Of three groups, a function's own and those of two callers, none needs to be another.
    for (change, most) in [
        (Change::Constant(200), 1),
        (Change::Metadata(150), 1),
        (Change::Attribute(7), 1),
        (Change::Added(300), 1),
        (Change::Name(250), 2),
        (Change::Text(100), 1),
        (Change::InlinedCallee(200), 4),
        (Change::GlobalConstant(200), 4),
    ] {
        let count = generated(&Edited(&[change]).compile(&kept));
        assert!((1..=most).contains(&count), "{change:?} costs {count} of {}", whole.objects.len());
    }
    assert_eq!(generated(&Edited(&[]).compile(&kept)), 0);
}

/// A wrong hit would show here: objects of many modules, each a few changes from the others, are in one place, and every result
/// is that of an empty one.
#[test]
fn random_edits_have_the_bytes_of_a_new_compilation() {
    let kept = Memory::default();
    Edited(&[]).compile(&kept);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) as usize % below
    };
    let mut changes = Vec::new();
    for change in CHANGES {
        // Each kind once, others beside it; some stay for the next round.
        changes.truncate(next(3));
        changes.push(change(next(COUNT)));
        changes.push(CHANGES[next(CHANGES.len())](next(COUNT)));
        let edited = Edited(&changes);
        let (incremental, anew) = (edited.compile(&kept), edited.compile(&Memory::default()));
        assert!(incremental.objects == anew.objects, "{changes:?}");
        assert!(incremental.kept_count > 0, "{changes:?}");
    }
}
