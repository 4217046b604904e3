//! Heap objects, guards and names that come later, as a host uses them: IR with `!larder.object`, the worker, the linker, the loader.

use crate::{open, settings};
use larder::runtime::{Deferral, ObjectAnswer};
use larder::{
    CallError, Code, CompileOptions, Error, Larder, Module, RawPointers, Recompile, Session, Unusable, catch,
};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Number = extern "C-unwind" fn() -> i64;

fn load(session: &Session, key: &str, ir: &str) -> Result<Code, Error> {
    let module = Module::keyed(key.to_owned(), key.as_bytes().to_vec(), || Ok::<_, Infallible>(ir.as_bytes().to_vec()));
    // SAFETY: the modules of these tests are what they declare, and so are the symbols they get.
    unsafe { session.load_or_compile(module, &CompileOptions::default()) }
}

fn call(code: &Code, name: &str) -> Result<i64, CallError> {
    // SAFETY: the functions of these tests have this type.
    let function = unsafe { code.function::<Number>(name) }.expect("it is exported");
    catch(|| function())
}

fn dropped(code: &Code) -> Vec<&str> {
    code.dropped().iter().map(|dropped| dropped.name.as_str()).collect()
}

fn session(dir: &Path) -> Session {
    Session::new(open(dir))
}

/// `use_table` and its inlined copy in `caller` read a table; `constant` reads it through constant data; `free` does not.
const TABLES: &str = r#"
@table = external global i64, !larder.object !0
@other = external global i64, !larder.object !1
@list = internal constant [2 x ptr] [ptr @table, ptr null]
!0 = !{!"table", i64 7}
!1 = !{!"other", i64 8}
define i64 @use_table() uwtable { %v = load i64, ptr @table ret i64 %v }
define i64 @caller() uwtable { %v = call i64 @use_table() %w = add i64 %v, 1 ret i64 %w }
define i64 @constant(i64 %i) uwtable {
  %p = getelementptr [2 x ptr], ptr @list, i64 0, i64 %i
  %q = load ptr, ptr %p
  %v = load i64, ptr %q
  ret i64 %v
}
define i64 @use_other() uwtable { %v = load i64, ptr @other ret i64 %v }
define i64 @free() uwtable { ret i64 5 }
"#;

static TABLE: i64 = 40;
static MOVED: i64 = 50;
static OTHER: i64 = 60;

fn address(object: &'static i64) -> *const () {
    std::ptr::from_ref(object).cast()
}

#[test]
fn objects_move_and_their_users_are_dropped_when_they_change() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    for (table, expected) in [(&TABLE, 40), (&MOVED, 50)] {
        let session = session(dir.path());
        session.define_object("table", address(table), 7).define_object("other", address(&OTHER), 8);
        let code = load(&session, "tables", TABLES)?;
        assert_eq!(dropped(&code), Vec::<&str>::new());
        assert_eq!(call(&code, "use_table"), Ok(expected));
        assert_eq!(call(&code, "caller"), Ok(expected + 1));
        assert_eq!(call(&code, "use_other"), Ok(60));
        // A collector moves it.
        // SAFETY: the object is there.
        unsafe { session.move_objects(&[("table", address(&OTHER))]) }?;
        assert_eq!((call(&code, "use_table"), call(&code, "caller")), (Ok(60), Ok(61)));
    }
    let session = session(dir.path());
    session.define_object("table", address(&TABLE), 70).define_object("other", address(&OTHER), 8);
    let code = load(&session, "tables", TABLES)?;
    assert!(code.outcome().is_hit());
    let mut names = dropped(&code);
    names.sort_unstable();
    assert_eq!(names, ["caller", "constant", "use_table"]);
    assert_eq!((call(&code, "use_other"), call(&code, "free")), (Ok(60), Ok(5)));
    let error = call(&code, "caller").expect_err("its table has changed");
    assert!(matches!(&error.reason, Unusable::Dropped { failed, .. } if failed[0].name == "table"), "{error}");
    assert!(error.to_string().contains("caller") && error.to_string().contains("0x46"), "{error}");
    Ok(())
}

#[test]
fn a_pointer_to_an_object_is_one_load_from_its_slot() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = session(dir.path());
    session.define_object("table", address(&TABLE), 7).define_object("other", address(&OTHER), 8);
    let code = load(&session, "tables", TABLES)?;
    let start = code.symbol("use_table").expect("it is exported").cast::<u8>();
    // SAFETY: the function is longer than that, or padding follows it.
    let bytes: [u8; 11] = unsafe { start.cast::<[u8; 11]>().read() };
    // As llvm-mc-22 encodes it: movq slot(%rip), %rax; movq (%rax), %rax; retq.
    let [0x48, 0x8b, 0x05, distance @ .., 0x48, 0x8b, 0x00, 0xc3] = bytes else { panic!("{bytes:x?}") };
    let slot = start.wrapping_add(7).wrapping_offset(i32::from_le_bytes(distance) as isize).cast::<usize>();
    // SAFETY: the code loads it.
    let held = || unsafe { slot.read_volatile() };
    assert_eq!(held(), address(&TABLE) as usize);
    // SAFETY: the object is there.
    unsafe { session.move_objects(&[("table", address(&MOVED))]) }?;
    assert_eq!((held(), call(&code, "use_table")), (address(&MOVED) as usize, Ok(50)));
    Ok(())
}

#[test]
fn a_missing_object_drops_its_users_only() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = session(dir.path());
    session.resolve_objects_with(|name| {
        (name == "table").then(|| ObjectAnswer { address: address(&TABLE), fingerprint: 7 })
    });
    let code = load(&session, "tables", TABLES)?;
    assert_eq!(dropped(&code), ["use_other"]);
    assert_eq!((call(&code, "caller"), call(&code, "free")), (Ok(41), Ok(5)));
    extern "C-unwind" fn instead() -> i64 {
        -1
    }
    assert!(call(&code, "use_other").is_err());
    session.on_unusable(|error| (error.function == "use_other").then_some(instead as *const ()));
    assert_eq!(call(&code, "use_other"), Ok(-1));
    Ok(())
}

const WITH_FALLBACK: &str = r#"
@table = external global i64, !larder.object !0
!0 = !{!"table", i64 7}
define i64 @fast() uwtable "larder-fallback"="slow" { %v = load i64, ptr @table ret i64 %v }
define i64 @slow() uwtable { ret i64 -7 }
define i64 @caller() uwtable noinline { %v = call i64 @fast() %w = add i64 %v, 1 ret i64 %w }
"#;

#[test]
fn a_fallback_takes_the_place_of_a_dropped_function() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = session(dir.path());
    let code = load(&session, "fallback", WITH_FALLBACK)?;
    assert!(dropped(&code).contains(&"fast"));
    assert_eq!(call(&code, "fast"), Ok(-7));
    session.define_object("table", address(&TABLE), 7);
    assert_eq!(call(&load(&session, "fallback", WITH_FALLBACK)?, "caller"), Ok(41));
    Ok(())
}

#[test]
fn the_host_makes_new_code_which_is_saved_too() -> Result<(), Error> {
    fn start(dir: &Path, when: Recompile) -> Result<(i64, usize, u64), Error> {
        let built = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&built);
        let session = session(dir);
        session.define_object("table", address(&TABLE), 70).define_object("other", address(&OTHER), 8);
        session.recompile_when(when).recompile_with(move |unit| {
            let (name, count) = (unit.name.to_owned(), Arc::clone(&count));
            Some(Module::keyed(format!("{name} anew"), format!("{name} 70").into_bytes(), move || {
                count.fetch_add(1, Ordering::Relaxed);
                // It calls what the original has.
                let ir = format!(
                    "declare i64 @free()
                    define i64 @{name}() uwtable {{ %v = call i64 @free() %w = add i64 %v, 1000 ret i64 %w }}"
                );
                Ok::<_, Infallible>(ir.into_bytes())
            }))
        });
        let code = load(&session, "tables", TABLES)?;
        // SAFETY: that is its type.
        let before = unsafe { code.function::<Number>("use_table") }?;
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let code = code.clone();
                std::thread::spawn(move || call(&code, "use_table"))
            })
            .collect();
        let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert!(answers.iter().all(|answer| *answer == Ok(1005)), "{answers:?}");
        assert_eq!(before(), 1005);
        Ok((1005, built.load(Ordering::Relaxed), session.larder().counts().recompiled))
    }
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(start(dir.path(), Recompile::Lazily)?, (1005, 1, 1));
    // The next start takes what was saved; eagerly, all three are made.
    assert_eq!(start(dir.path(), Recompile::Lazily)?, (1005, 0, 1));
    assert_eq!(start(dir.path(), Recompile::Eagerly)?, (1005, 2, 3));
    let (_, built, _) = start(dir.path(), Recompile::InBackground)?;
    assert_eq!(built, 0);
    Ok(())
}

#[test]
fn a_function_that_nobody_can_make_is_an_error_where_it_is_asked_for() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = session(dir.path());
    let code = load(&session, "tables", TABLES)?;
    let error = call(&code, "use_table").expect_err("its table is missing");
    assert!(error.to_string().contains("object table is missing"), "{error}");
    session.recompile_when(Recompile::Eagerly);
    let error = load(&session, "tables", TABLES).expect_err("nobody can make them");
    assert!(matches!(error, Error::Dropped(_)), "{error}");
    Ok(())
}

/// The optimiser folds what stands in the table; `helper` and `count` are the module's own.
const CONTENTS: &str = r#"
@table = available_externally constant [2 x i64] [i64 3, i64 4], !larder.object !0
!0 = !{!"table", i64 7}
@count = internal global i64 0
define internal i64 @helper(i64 %x) noinline uwtable {
  %c = load i64, ptr @count
  %d = add i64 %c, 1
  store i64 %d, ptr @count
  %y = mul i64 %x, 100
  ret i64 %y
}
define i64 @product() uwtable {
  %a = load i64, ptr @table
  %p = getelementptr [2 x i64], ptr @table, i64 0, i64 1
  %b = load i64, ptr %p
  %m = mul i64 %a, %b
  %h = call i64 @helper(i64 %m)
  ret i64 %h
}
define i64 @calls() uwtable { %c = load i64, ptr @count ret i64 %c }
define i64 @count_up() uwtable { %h = call i64 @helper(i64 1) ret i64 %h }
"#;

#[test]
fn the_saved_module_is_compiled_again_without_the_contents_that_changed() -> Result<(), Error> {
    static SAME: [i64; 2] = [3, 4];
    static CHANGED: [i64; 2] = [5, 6];
    let dir = tempfile::tempdir().expect("a directory");
    let with = |object: &'static [i64; 2], fingerprint| {
        let session = session(dir.path());
        session.define_object("table", object.as_ptr().cast(), fingerprint);
        session
    };
    let code = load(&with(&SAME, 7), "contents", CONTENTS)?;
    assert_eq!((call(&code, "product"), call(&code, "calls")), (Ok(1200), Ok(1)));
    for compiled in [1, 0] {
        let session = with(&CHANGED, 8);
        let code = load(&session, "contents", CONTENTS)?;
        assert_eq!(dropped(&code), ["product"]);
        assert_eq!(call(&code, "count_up"), Ok(100));
        assert_eq!((call(&code, "product"), call(&code, "product")), (Ok(3000), Ok(3000)));
        // The module's own variable is the one that the rest of the code has.
        assert_eq!(call(&code, "calls"), Ok(3));
        assert_eq!(session.larder().counts().compiled, compiled);
    }
    Ok(())
}

const DEFERRED: &str = r#"
declare i64 @later()
@later_data = external global i64
@pointer = global ptr @later
define i64 @calls_it() uwtable { %v = call i64 @later() ret i64 %v }
define i64 @reads_it() uwtable { %v = load i64, ptr @later_data ret i64 %v }
define i64 @through_pointer() uwtable { %p = load ptr, ptr @pointer %v = call i64 %p() ret i64 %v }
define i64 @free() uwtable { ret i64 5 }
"#;

#[test]
fn names_come_later() -> Result<(), Error> {
    extern "C-unwind" fn later() -> i64 {
        77
    }
    let dir = tempfile::tempdir().expect("a directory");
    let session = session(dir.path());
    session.defer("later", Deferral::Function).defer("later_data", Deferral::Data);
    let code = load(&session, "deferred", DEFERRED)?;
    assert_eq!(call(&code, "free"), Ok(5));
    let mut waiting: Vec<_> = code.waiting().into_iter().map(|waiting| waiting.name).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, ["calls_it", "reads_it"]);
    // SAFETY: that is its type.
    let early = unsafe { code.function::<Number>("calls_it") };
    assert!(matches!(early, Err(Error::Unusable(CallError { reason: Unusable::Waiting { .. }, .. }))), "{early:?}");
    let error = call(&code, "through_pointer").expect_err("nobody has defined it");
    assert_eq!(error.reason, Unusable::Waiting { names: vec!["later".to_owned()] });
    session.define("later", later as *const ());
    assert_eq!((call(&code, "calls_it"), call(&code, "through_pointer")), (Ok(77), Ok(77)));
    assert_eq!(code.waiting().len(), 1);
    // An image may bring it: it stays with the session then.
    drop(load(&session, "data", "@later_data = global i64 88")?);
    assert_eq!(call(&code, "reads_it"), Ok(88));
    Ok(())
}

#[test]
fn predicates_are_asked_with_their_arguments() -> Result<(), Error> {
    let ir = r#"
        !larder.guards = !{!0, !1}
        !0 = !{!"layout", !"point, 2", i64 16}
        !1 = !{!"layout", !"line", i64 32}
        define i64 @point() uwtable !larder.guard !0 { ret i64 16 }
        define i64 @line() uwtable !larder.guard !1 { ret i64 32 }
        define i64 @both() uwtable { %p = call i64 @point() %l = call i64 @line() %s = add i64 %p, %l ret i64 %s }
        define i64 @free() uwtable { ret i64 1 }
    "#;
    let dir = tempfile::tempdir().expect("a directory");
    let with = |line: u64| {
        let session = session(dir.path());
        session.define_predicate("layout", move |arguments| match arguments {
            "point, 2" => Some(16),
            "line" => Some(line),
            _ => None,
        });
        session
    };
    let code = load(&with(32), "layouts", ir)?;
    assert_eq!((dropped(&code), call(&code, "both")), (Vec::new(), Ok(48)));
    let code = load(&with(40), "layouts", ir)?;
    let mut names = dropped(&code);
    names.sort_unstable();
    assert_eq!(names, ["both", "line"]);
    assert_eq!((call(&code, "point"), call(&code, "free")), (Ok(16), Ok(1)));
    let error = call(&code, "both").expect_err("the line has grown");
    assert!(error.to_string().contains("layout(line) is 40, not 32"), "{error}");
    Ok(())
}

#[test]
fn raw_addresses_become_objects_or_stay_in_this_process() -> Result<(), Error> {
    static NUMBERS: [i64; 3] = [10, 20, 30];
    static LONELY: i64 = 99;
    let start = NUMBERS.as_ptr() as usize;
    let ir = format!(
        "define i64 @known() uwtable {{ %v = load i64, ptr inttoptr (i64 {} to ptr) ret i64 %v }}
        define i64 @unknown() uwtable {{ %v = load i64, ptr inttoptr (i64 {} to ptr) ret i64 %v }}
        define i64 @free() uwtable {{ ret i64 3 }}",
        start + 16,
        std::ptr::from_ref(&LONELY) as usize,
    );
    let load = |session: &Session, way, ir: &str| {
        let options = CompileOptions { raw_pointers: way, ..CompileOptions::default() };
        let module = Module::keyed("raw", &b"raw"[..], || Ok::<_, Infallible>(ir.as_bytes().to_vec()));
        // SAFETY: the addresses are those of numbers.
        unsafe { session.load_or_compile(module, &options) }
    };
    let dir = tempfile::tempdir().expect("a directory");
    let with = |numbers: &'static [i64; 3]| {
        let session = Session::new(Larder::open(settings(dir.path())));
        session.define_region("numbers", numbers.as_ptr().cast(), 24, 1);
        session
    };
    let code = load(&with(&NUMBERS), RawPointers::Rescue, &ir)?;
    assert_eq!((call(&code, "known"), call(&code, "unknown")), (Ok(30), Ok(99)));
    let told: Vec<_> = code.raw_pointers().map(|found| found.function.as_str()).collect();
    assert!(told.contains(&"known") && told.contains(&"unknown"), "{told:?}");
    // Another start, where things lie elsewhere: the closure must not be called.
    static ELSEWHERE: [i64; 3] = [1, 2, 3];
    let code = load(&with(&ELSEWHERE), RawPointers::Rescue, "not built")?;
    assert_eq!((call(&code, "known"), call(&code, "free")), (Ok(3), Ok(3)));
    assert_eq!(dropped(&code), ["unknown"]);
    assert!(call(&code, "unknown").is_err());
    let error = load(&with(&NUMBERS), RawPointers::Strict, &ir).expect_err("one is in no region");
    assert!(error.to_string().contains("unknown"), "{error}");
    // No address of this process is in the file.
    let file = std::fs::read(code.path()).expect("an image");
    for address in [start, start + 16, std::ptr::from_ref(&LONELY) as usize] {
        assert!(!file.windows(8).any(|bytes| bytes == address.to_le_bytes()), "{address:x}");
    }
    Ok(())
}

/// Whether any file below the directory has one of the addresses in it.
fn is_saved(dir: &Path, addresses: &[usize]) -> bool {
    std::fs::read_dir(dir).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => is_saved(&path, addresses),
            false => std::fs::read(&path).is_ok_and(|bytes| {
                addresses.iter().any(|address| bytes.windows(8).any(|window| window == address.to_le_bytes()))
            }),
        }
    })
}

#[test]
fn addresses_of_this_process_are_not_saved_unless_somebody_asks_for_it() -> Result<(), Error> {
    static NUMBERS: [i64; 2] = [10, 20];
    static LONELY: i64 = 99;
    let (start, lonely) = (NUMBERS.as_ptr() as usize, std::ptr::from_ref(&LONELY) as usize);
    let ir = format!(
        "@later = internal global ptr inttoptr (i64 {lonely} to ptr)
        define i64 @known() uwtable {{ %v = load i64, ptr inttoptr (i64 {start} to ptr) ret i64 %v }}
        define i64 @unknown() uwtable {{ %v = load i64, ptr inttoptr (i64 {lonely} to ptr) ret i64 %v }}
        define i64 @stored() uwtable {{ %p = load ptr, ptr @later %v = load i64, ptr %p ret i64 %v }}
        define i64 @free() uwtable {{ ret i64 3 }}"
    );
    let load = |dir: &Path, module: Module<'_>| {
        let session = Session::new(Larder::open(settings(dir)));
        session.define_region("numbers", NUMBERS.as_ptr().cast(), 16, 1);
        // SAFETY: the addresses are those of numbers.
        unsafe { session.load_or_compile(module, &CompileOptions::default()) }
    };
    let keyed = |ir: &str| {
        let ir = ir.to_owned();
        Module::keyed("raw", &b"raw"[..], move || Ok::<_, Infallible>(ir.into_bytes()))
    };
    let dir = tempfile::tempdir().expect("a directory");
    let all = |code: &Code| ["known", "unknown", "stored", "free"].map(|name| call(code, name).ok());
    let code = load(dir.path(), keyed(&ir))?;
    assert_eq!(all(&code), [Some(10), Some(99), Some(99), Some(3)]);
    let again = load(dir.path(), keyed("not built"))?;
    assert_eq!(all(&again), [Some(10), None, None, Some(3)]);
    assert!(!is_saved(dir.path(), &[start, lonely]));
    // Equal bytes may come again where something else lies at those addresses.
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let code = load(dir.path(), Module::bytes("raw", ir.as_bytes()))?;
        assert_eq!(all(&code), [Some(10), Some(99), Some(99), Some(3)]);
        assert!(!code.outcome().is_hit());
        let warnings = code.warnings().join("\n");
        assert!(warnings.contains("unknown") && warnings.contains("not kept"), "{warnings}");
        assert!(!is_saved(dir.path(), &[start, lonely]));
    }
    Ok(())
}

#[test]
fn addresses_that_are_nobodys_are_numbers() -> Result<(), Error> {
    let ir = "@failed = global ptr inttoptr (i64 -1 to ptr)
        @limits = constant [2 x i64] [i64 1000000000000, i64 6148914691236517205]
        define i64 @number() {
          %p = ptrtoint ptr inttoptr (i64 4276092928 to ptr) to i64
          %q = ptrtoint ptr inttoptr (i64 8 to ptr) to i64
          %s = add i64 %p, %q
          ret i64 %s
        }";
    let dir = tempfile::tempdir().expect("a directory");
    for hits in [false, true] {
        let session = Session::new(Larder::open(settings(dir.path())));
        // SAFETY: the module is the one above.
        let code = unsafe { session.load_or_compile(Module::bytes("m", ir.as_bytes()), &CompileOptions::default()) }?;
        assert_eq!((code.outcome().is_hit(), call(&code, "number")), (hits, Ok(4_276_092_936)));
        assert_eq!((code.raw_pointers().count(), code.warnings().len()), (0, 0));
    }
    Ok(())
}
