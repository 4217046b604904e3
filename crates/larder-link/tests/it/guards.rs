//! Which functions count on which heap objects and predicates of the host.

use crate::damage::survive;
use crate::image::{Case, link_all, link_with, text, try_link};
use crate::tools::{assemble, clang, gcc, llvm, read_image};
use larder_format::image::{GuardQuestion, import_flags};
use larder_link::{Exports, LinkError, LinkOptions, Object, link};
use object::{Object as _, ObjectSection as _};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

/// A guard, as `name`, `name=fingerprint` or `name(arguments)=expected`.
fn questions(case: &Case) -> Vec<String> {
    let image = case.image();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let question = |question| match question {
        GuardQuestion::Object { name, expected: None, .. } => text(name),
        GuardQuestion::Object { name, expected: Some(expected), .. } => format!("{}={expected:x}", text(name)),
        GuardQuestion::Predicate { name, arguments, expected } => {
            format!("{}({})={expected:x}", text(name), text(arguments))
        }
    };
    image.guards().iter().map(|row| question(image.guard_question(&row).expect("it asks"))).collect()
}

/// Droppable units by name: their guards, and what replaces them behind an arrow.
fn droppable(case: &Case) -> BTreeMap<String, String> {
    let (image, questions) = (case.image(), questions(case));
    let name = |index: usize| text(&image, image.units().get(index).expect("the unit exists").name);
    let unit = |row| {
        let unit = image.droppable_unit(&row).expect("it is one");
        let guards: Vec<_> = unit.guards.iter().map(|guard| questions[guard as usize].clone()).collect();
        let fallback = unit.fallback.map_or(String::new(), |fallback| format!(" -> {}", name(fallback)));
        (name(unit.index), guards.join(" ") + &fallback)
    };
    image.droppable().iter().map(unit).collect()
}

fn expect(case: &Case, expected: &[(&str, &str)]) {
    let expected: BTreeMap<_, _> = expected.iter().map(|(unit, guards)| ((*unit).into(), (*guards).into())).collect();
    assert_eq!(droppable(case), expected);
}

/// Assembly that says that the code around it counts on the guard.
fn mark(symbol: &str) -> String {
    format!("0:\n.pushsection .larder.uses,\"\",@progbits\n.quad 0b\n.quad \"{symbol}\"\n.popsection\n")
}

/// A function in a section of its own.
fn function(name: &str, body: &str) -> String {
    format!(
        ".section .text.{name},\"ax\",@progbits\n.globl {name}\n.type {name}, @function\n{name}:\n{body}\n\
         .size {name}, .-{name}\n.text\n"
    )
}

fn fallback(function: &str, fallback: &str) -> String {
    format!(".pushsection .larder.fallbacks,\"\",@progbits\n.quad {function}\n.quad {fallback}\n.popsection\n")
}

/// An object with everything that says something of guards.
pub(crate) fn sample() -> Vec<u8> {
    let f =
        mark("larder.guard$00000000$0000000000000001$p$a") + "mov \"larder.object$any$x\"@GOTPCREL(%rip), %rax\nret";
    let g = mark("larder.object$0000000000000002$y") + "lea table(%rip), %rax\nret";
    assemble(&format!(
        "{}{}{}{}.data\ntable: .quad \"larder.object$any$z\", f\n",
        function("f", &f),
        function("g", &g),
        function("h", "ret"),
        fallback("f", "h"),
    ))
}

#[test]
fn functions_count_on_what_they_and_their_data_refer_to() {
    let source = "
        extern char a __asm__(\"larder.object$any$a\"), b __asm__(\"larder.object$000000000000feed$b\");
        extern char c __asm__(\"larder.object$any$c\");
        static const void *const table[] = { &a, &b };
        static const void *const *const deep[] = { table, 0 };
        void *changing = &c;
        extern int host(const void *);
        __attribute__((noinline)) int direct(void) { return host(&a) + 1; }
        int through_table(int i) { return host(table[i]) + 1; }
        int through_two(int i, int k) { return host(deep[i][k]) + 1; }
        int through_variable(void) { return host(changing) + 1; }
        int caller(void) { return direct() + 1; }
        int stranger(int x) { return host(&host) + x; }
        typedef int (*function)(void);
        const function functions[] = { direct, caller };
        int through_functions(int i) { return functions[i]() + 1; }
    ";
    for (compile, flags) in [
        (clang as fn(&str, &str, &[&str]) -> _, ["-fPIC", "-fdata-sections"]),
        (gcc, ["-fPIC", "-fdata-sections"]),
        (gcc, ["-mcmodel=medium", "-fPIC"]),
        (clang, ["-fno-plt", "-fPIC"]),
    ] {
        let separate = flags.contains(&"-fdata-sections");
        let case = link_all(&[&compile("a.c", source, &[&["-O2", "-ffunction-sections"], &flags[..]].concat())]);
        assert_eq!(questions(&case), ["a", "b=feed", "c"]);
        let found = droppable(&case);
        assert_eq!(found["direct"], "a", "{flags:?}");
        assert!(!found.contains_key("caller") && !found.contains_key("stranger"), "{flags:?}: {found:?}");
        if separate {
            let tables = "a b=feed";
            expect(
                &case,
                &[("direct", "a"), ("through_table", tables), ("through_two", tables), ("through_variable", "c")],
            );
        } else {
            assert!(found["through_two"].contains("a") && found["through_two"].contains("b=feed"), "{found:?}");
        }
    }
}

#[test]
fn objects_are_imports_of_their_own_kind() {
    let source = "
        extern char heap __asm__(\"larder.object$any$heap\");
        extern char maybe __asm__(\"larder.object$any$maybe\") __attribute__((weak));
        extern int value;
        void *word = &heap;
        void *run(void) { return value ? &heap : &maybe; }
    ";
    let case = link_all(&[&clang("a.c", source, &["-O2", "-fPIC"])]);
    let (image, object) = (case.image(), import_flags::OBJECT);
    let imports: Vec<_> = image.imports().iter().map(|import| (text(&image, import.name), import.flags)).collect();
    let expected = [
        ("larder.object$any$heap".to_owned(), object),
        ("larder.object$any$maybe".to_owned(), object | import_flags::WEAK),
        ("value".to_owned(), 0),
    ];
    assert_eq!(imports, expected);
    let header = image.header();
    assert!(header.slots_offset + 8 * 3 <= header.rw.offset + header.relro_len, "slots are sealed once bound");
    assert_eq!(case.word(case.address("word")), case.import_address("larder.object$any$heap"));
    assert_eq!((case.report.guards_count, case.report.droppable_count), (2, 1));
    let (sections, _) = read_image(&case.file, &llvm("llvm-readelf"), &["-S", "-W"]);
    assert!(!sections.contains(".larder.uses"), "{sections}");
}

#[test]
fn inlined_copies_count_too() {
    let symbol = "larder.guard$00000000$0000000000000001$is_final$A%2Cf";
    let source = format!(
        "static inline __attribute__((always_inline)) int guarded(int x) {{
            __asm__ volatile(\"{}\");
            return x * 3;
        }}
        __attribute__((noinline)) int f(int x) {{ return guarded(x) + 1; }}
        __attribute__((noinline)) int g(int x) {{ return x > 3 ? guarded(x) : guarded(x + 1); }}
        int h(int x) {{ return f(x) + g(x) + 4; }}",
        mark(symbol).replace('\n', "\\n").replace('"', "\\\"")
    );
    for compile in [clang as fn(&str, &str, &[&str]) -> _, gcc] {
        let case = link_all(&[&compile("a.c", &source, &["-O1", "-fPIC", "-ffunction-sections"])]);
        expect(&case, &[("f", "is_final(A,f)=1"), ("g", "is_final(A,f)=1")]);
    }
}

#[test]
fn an_object_that_code_only_counts_on_is_asked_for() {
    let case = link_all(&[&assemble(&function(
        "f",
        &(mark("larder.object$0000000000000007$folded") + "xorl %eax, %eax\nret"),
    ))]);
    expect(&case, &[("f", "folded=7")]);
    assert_eq!(case.imports(), ["larder.object$0000000000000007$folded"]);
}

#[test]
fn predicates_are_asked_in_the_order_of_their_modules() {
    let guard = |order: u32, name: &str| mark(&format!("larder.guard${order:08x}${:016x}${name}$", 1));
    let parts = [
        (function("f", &(guard(1, "second") + &guard(0, "z_first") + "ret")), 0),
        (function("g", &(guard(10, "a_third") + &guard(1, "second") + "ret")), 0),
        (function("h", &(guard(0, "other") + &guard(1, "second") + &mark("larder.object$any$heap") + "ret")), 1),
    ];
    let parts: Vec<_> = parts.iter().map(|(source, module)| (assemble(source), *module)).collect();
    let objects: Vec<_> = parts.iter().map(|(bytes, module)| Object { name: "part", bytes, module: *module }).collect();
    let linked = link(&objects, &LinkOptions::default()).expect("the parts are whole");
    let case = Case::of(linked);
    assert_eq!(questions(&case), ["z_first()=1", "second()=1", "a_third()=1", "other()=1", "second()=1", "heap"]);
    expect(
        &case,
        &[("f", "z_first()=1 second()=1"), ("g", "second()=1 a_third()=1"), ("h", "other()=1 second()=1 heap")],
    );
    assert_eq!(case.image().droppable().iter().last().map(|row| row.guards_count), Some(3));
}

#[test]
fn what_is_not_reached_asks_for_nothing() {
    let source = format!(
        "{}{}{}",
        function("kept", &(mark("larder.guard$00000001$0000000000000000$kept$") + "ret")),
        function("dead", &(mark("larder.guard$00000000$0000000000000000$dead$") + "ret")),
        function(
            "dead_too",
            &(mark("larder.object$any$gone") + "mov \"larder.object$any$gone\"@GOTPCREL(%rip), %rax\nret")
        ),
    );
    let options = LinkOptions { exports: Exports::Only(&[b"kept"]), ..LinkOptions::default() };
    let case = link_with(&[&assemble(&source)], &options);
    expect(&case, &[("kept", "kept()=0")]);
    assert_eq!(questions(&case), ["kept()=0"]);
    assert_eq!(case.imports(), [""; 0]);
}

#[test]
fn of_repeated_groups_the_kept_one_counts() {
    let copy = |guard: &str| {
        format!(
            ".section .text.f,\"axG\",@progbits,f,comdat\n.weak f\n.type f, @function\nf:\n{}ret\n.size f, .-f\n",
            mark(guard)
        )
    };
    let first = assemble(&copy("larder.object$any$first"));
    let second = assemble(&(copy("larder.object$any$second") + &function("g", "jmp f@PLT")));
    let case = link_all(&[&first, &second]);
    expect(&case, &[("f", "first")]);
}

#[test]
fn fallbacks_stay_with_what_they_replace() {
    let source = |weak: &str| {
        format!(
            "{}{}.local hidden\n{}{}{}",
            function("f", &(mark("larder.object$any$x") + "ret")),
            function("plain", "ret").replace(".globl plain", ".hidden plain\n.globl plain"),
            function("hidden", &(mark("larder.object$any$y") + "xorl %eax, %eax\nret")).replace(".globl", ".local"),
            fallback("f", "hidden"),
            fallback("hidden", "plain"),
        ) + weak
    };
    let options = LinkOptions { exports: Exports::Only(&[b"f"]), ..LinkOptions::default() };
    let case = link_with(&[&assemble(&source(""))], &options);
    expect(&case, &[("f", "x -> hidden"), ("hidden", "y -> plain")]);
    let other = assemble(&function("g", "ret"));
    let options = LinkOptions { exports: Exports::Only(&[b"g"]), ..LinkOptions::default() };
    let case = link_with(&[&assemble(&source("")), &other], &options);
    assert_eq!((questions(&case).len(), case.image().units().len()), (0, 1), "fallbacks of dead functions are dead");
}

#[test]
fn a_fallback_may_be_in_another_part() {
    let one = assemble(&(function("f", &(mark("larder.object$any$x") + "ret")) + &fallback("f", "g")));
    let other = assemble(&function("g", "ret").replace(".globl g", ".hidden g\n.globl g"));
    let options = LinkOptions { exports: Exports::Only(&[b"f"]), ..LinkOptions::default() };
    expect(&link_with(&[&one, &other], &options), &[("f", "x -> g")]);
}

#[test]
fn short_functions_get_room_for_a_jump() {
    let guard = mark("larder.object$any$x");
    let source = function("one", &(guard.clone() + "ret")).replace(",@progbits\n", ",@progbits\n.p2align 0\n")
        + &function("two", &(guard.clone() + "nop\nret"))
        + &function("marked", &(guard.clone() + "endbr64\nret")).replace(",@progbits\n", ",@progbits\n.p2align 0\n")
        + &function("next", "ret");
    let case = link_all(&[&assemble(&source)]);
    expect(&case, &[("marked", "x"), ("one", "x"), ("two", "x")]);
    let lens: Vec<_> = case.image().units().iter().map(|unit| unit.len).collect();
    assert_eq!(lens, [1, 2, 5, 1]);
    assert_eq!(case.bytes(case.address("marked") + 4, 5), [0xc3, 0xcc, 0xcc, 0xcc, 0xcc]);
    assert_eq!(case.bytes(case.address("one"), 5), [0xc3, 0xcc, 0xcc, 0xcc, 0xcc]);
    assert_eq!(case.bytes(case.address("two"), 5), [0x90, 0xc3, 0xcc, 0xcc, 0xcc]);
    let padded = format!(
        ".globl f\n.type f, @function\nf: {guard} ret\n.size f, .-f\n.p2align 4\n{}",
        "
        .globl g\n.type g, @function\ng: ret\n.size g, .-g\n"
    );
    expect(&link_all(&[&assemble(&padded)]), &[("f", "x")]);
}

#[test]
fn cold_parts_are_dropped_with_their_functions() {
    let source = "
        extern char heap __asm__(\"larder.object$any$heap\");
        extern \"C\" void report(const void *);
        extern \"C\" int host(int);
        extern \"C\" int f(int x) { try { return host(x) + 1; } catch (int y) { report(&heap); return y; } }
    ";
    for sections in ["-ffunction-sections", "-fno-function-sections"] {
        let case = link_all(&[&gcc("a.cpp", source, &["-O2", "-fPIC", sections])]);
        let units: Vec<_> = case.image().units().iter().map(|unit| text(&case.image(), unit.name)).collect();
        assert!(units.contains(&"f.cold".to_owned()), "{units:?}");
        expect(&case, &[("f", "heap")]);
        let (image, names) = (case.image(), case.imports());
        let whole = image.units().iter().find(|unit| text(&image, unit.name) == "f").expect("f is a unit");
        let rows = whole.imports_first..whole.imports_first + whole.imports_count;
        let used: Vec<_> =
            rows.filter_map(|row| Some(names[image.unit_imports().get(row as usize)? as usize].as_str())).collect();
        assert!(used.contains(&"report") && used.contains(&"host"), "{used:?}");
    }
}

#[test]
fn types_that_a_function_catches_count() {
    let source = function(
        "f",
        ".cfi_startproc\n.cfi_personality 155, personality\n.cfi_lsda 27, .Ltable\n.cfi_def_cfa_offset 16\nnop\nnop\nret\n.cfi_endproc",
    ) + ".hidden personality\n.globl personality\n"
        + &function("personality", "ret")
        + ".section .gcc_except_table,\"a\",@progbits\n.Ltable: .long type-.\n\
           .data\ntype: .quad \"larder.object$any$type\"\n";
    let case = link_all(&[&assemble(&source)]);
    expect(&case, &[("f", "type")]);
}

#[test]
fn lists_that_the_linker_names_the_ends_of_count() {
    let source = "
        extern char a __asm__(\"larder.object$any$a\"), b __asm__(\"larder.object$any$b\");
        __attribute__((section(\"list\"), used)) static const void *const one = &a, *const two = &b;
        __attribute__((section(\"list\"), used)) static const int *const three = 0;
        extern const void *const __start_list[], *const __stop_list[];
        int length(void) { return (int)(__stop_list - __start_list) + 100; }
        int nothing(void) { return 4 + (three != 0); }
    ";
    let other = "
        extern char c __asm__(\"larder.object$any$c\");
        __attribute__((section(\"list\"), used)) const void *const four = &c;
    ";
    let flags = ["-O1", "-fPIC", "-ffunction-sections"];
    let case = link_all(&[&clang("a.c", source, &flags), &clang("b.c", other, &flags)]);
    expect(&case, &[("length", "a b c")]);
}

#[test]
fn a_function_without_a_byte_counts_on_nothing() {
    let source = format!(
        ".section .text.never,\"ax\",@progbits\n.globl never\n.type never, @function\nnever:\n{}.size never, .-never\n{}",
        mark("larder.object$any$x"),
        function("f", "ret")
    );
    expect(&link_all(&[&assemble(&source)]), &[]);
    let ends = function("f", &format!("call host@PLT\n{}", mark("larder.object$any$x")));
    expect(&link_all(&[&assemble(&ends)]), &[("f", "x")]);
}

#[test]
fn functions_with_equal_guards_share_a_run() {
    let body = mark("larder.object$any$x") + &mark("larder.object$any$y") + "ret";
    let source: String = (0..20).map(|number| function(&format!("f{number}"), &body)).collect();
    let case = link_all(&[&assemble(&source)]);
    assert_eq!(droppable(&case).len(), 20);
    assert_eq!(case.image().header().unit_guards.count, 2);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let guard = mark("larder.object$any$x");
    let guarded = function("f", &(guard.clone() + "ret"));
    let row = |section: &str, first: &str, second: &str| {
        format!(".section {section},\"\",@progbits\n.quad {first}\n.quad {second}\n")
    };
    let table = [
        (
            format!(".globl f\nf: {guard} ret\n"),
            "0.o: .text+0x0: code counts on a guard and lies in no function: give the function its type and size (.type, .size)",
        ),
        (
            ".globl f\nf: mov \"larder.object$any$x\"@GOTPCREL(%rip), %rax\nret\n".into(),
            "0.o: .text+0x3: code uses a heap object and lies in no function: give the function its type and size (.type, .size)",
        ),
        (
            guarded.clone() + &fallback("f", "nowhere"),
            "0.o: .larder.fallbacks+0x0: nowhere: it is to replace a function, and no function of the image: define it beside the function",
        ),
        (
            guarded.clone() + ".data\nd: .quad 0\n" + &fallback("f", "d"),
            "0.o: .larder.fallbacks+0x0: .data: it is to replace a function, and no function of the image: define it beside the function",
        ),
        (
            guarded.clone() + "g: ret\n" + &fallback("f", "g"),
            "0.o: .text+0x0: it is to replace a function, and no function begins there: give it its type and size (.type, .size)",
        ),
        (
            guarded.clone() + &function("g", "ret") + &fallback("f", "g") + &fallback("f", "f"),
            "0.o: f: two functions are to replace it: name one",
        ),
        (
            guarded.clone() + &function("g", "ret") + &fallback("f", "g") + &fallback("g", "f"),
            "0.o: f: it is to replace itself, directly or through others",
        ),
        (
            function("f", &(mark("larder.object$any$a-b") + "ret")),
            "0.o: larder.object$any$a-b: no guard is named so: write the byte 0x2d as %2D",
        ),
        (
            function("f", &(mark("larder.guard$1$x") + "ret")),
            "0.o: larder.guard$1$x: no guard is named so: the predicate's name is missing",
        ),
        (
            function("f", &(mark("puts") + "ret")),
            "0.o: .larder.uses+0x0: puts: it is no guard, and code is said to count on it",
        ),
        (
            function("f", "mov \"larder.guard$00000000$0000000000000000$p$\"@GOTPCREL(%rip), %rax\nret"),
            "0.o: larder.guard$00000000$0000000000000000$p$: a predicate has no address that code or data could use: name it in .larder.uses only",
        ),
        (
            guarded.clone() + ".data\n.globl \"larder.object$any$x\"\n\"larder.object$any$x\": .quad 0\n",
            "0.o: larder.object$any$x: guards are the host's: declare it, and don't define it",
        ),
        (
            guarded.clone() + ".hidden \"larder.object$any$x\"\n",
            "0.o: larder.object$any$x: guards are the host's: declare it with default visibility",
        ),
        (
            guarded.clone() + ".weak \"larder.object$any$x\"\n.hidden \"larder.object$any$x\"\n",
            "0.o: larder.object$any$x: guards are the host's: declare it with default visibility",
        ),
        (
            function("f", "movq \"larder.object$any$x\"@GOTTPOFF(%rip), %rax\nret"),
            "0.o: larder.object$any$x: a guard is no thread-local variable",
        ),
        (
            row(".larder.uses", "nowhere", "\"larder.object$any$x\""),
            "0.o: .larder.uses+0x0: larder.object$any$x: it is said of a place that is no code of this object",
        ),
        (
            guarded.clone() + &row(".larder.uses", "5", "6"),
            "0.o: the object is damaged: .larder.uses: its rows are not two addresses each",
        ),
        (
            guarded.clone() + ".section .larder.uses,\"\",@progbits\n.quad f\n",
            "0.o: the object is damaged: .larder.uses: its rows are not two addresses each",
        ),
        (
            format!(
                ".globl f, g\n.type f, @function\nf: {guard} ret\n.size f, .-f\n.type g, @function\ng: ret\n.size g, .-g\n"
            ),
            "0.o: f: it counts on a guard and has too few bytes to itself for a jump: compile with -ffunction-sections",
        ),
        (
            format!(".globl f\n.type f, @function\nf: {guard} ret\n.size f, .-f\nother: ret\nret\n"),
            "0.o: f: it counts on a guard and has too few bytes to itself for a jump: compile with -ffunction-sections",
        ),
    ];
    for (source, message) in table {
        let error = refusal(&[&assemble(&source)]);
        assert_eq!(error, message, "{source}");
    }
}

fn refusal(objects: &[&[u8]]) -> String {
    match try_link(objects, &LinkOptions::default()) {
        Err(error @ (LinkError::Guard { .. } | LinkError::Damaged { .. })) => error.to_string(),
        Err(error) => panic!("another error: {error}"),
        Ok(case) => panic!("linked: {:?}", droppable(&case)),
    }
}

/// Bytes of the sample, and where in it guards are told of.
static SAMPLE: LazyLock<(Vec<u8>, Vec<Range<usize>>)> = LazyLock::new(|| {
    let bytes = sample();
    let file = object::File::parse(bytes.as_slice()).expect("it is an object");
    let names =
        [".larder.uses", ".rela.larder.uses", ".larder.fallbacks", ".rela.larder.fallbacks", ".symtab", ".strtab"];
    let range = |name| {
        let (start, len) = file.section_by_name(name)?.file_range()?;
        Some(start as usize..(start + len) as usize)
    };
    let ranges: Vec<_> = names.into_iter().filter_map(range).collect();
    assert!(ranges.len() >= 5, "{ranges:?}");
    (bytes, ranges)
});

proptest! {
    #[test]
    fn nothing_said_of_guards_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (bytes, ranges) = &*SAMPLE;
        let mut bytes = bytes.clone();
        for (range, at, byte) in changes {
            let range = &ranges[range.index(ranges.len())];
            bytes[range.start + at.index(range.len())] = byte;
        }
        survive(&bytes);
    }
}
