//! Sessions: what images see of the host and of each other, how long they stay, and many threads at once.

use crate::{open, settings};
use larder::{
    Code, CompileOptions, Error, Event, Input, Larder, Loading, MissReason, Module, Observer, OwnedFunction, Program,
    Session, Trust,
};
use std::convert::Infallible;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Number = extern "C" fn() -> i32;

fn load(session: &Session, ir: &str) -> Result<Code, Error> {
    // SAFETY: the modules of these tests are what they declare, and so are the symbols they get.
    unsafe { session.load_or_compile(Module::bytes("module", ir.as_bytes()), &CompileOptions::default()) }
}

fn call(code: &Code, name: &str) -> i32 {
    // SAFETY: the functions of these tests have this type.
    let function = unsafe { code.function::<Number>(name) };
    function.expect("it is exported")()
}

fn number(name: &str, value: i32) -> String {
    format!("define i32 @{name}() {{ ret i32 {value} }}")
}

/// `name` calls `other` and adds `more`.
fn sum(name: &str, other: &str, more: i32) -> String {
    format!(
        "declare i32 @{other}()
        define i32 @{name}() {{
          %value = call i32 @{other}()
          %sum = add i32 %value, {more}
          ret i32 %sum
        }}"
    )
}

#[test]
fn sessions_and_handles_go_from_thread_to_thread() {
    fn both<T: Send + Sync>() {}
    both::<Larder>();
    both::<Session>();
    both::<Code>();
    both::<Loading>();
    both::<OwnedFunction<Number>>();
}

#[test]
fn later_definitions_replace_earlier_ones_for_later_images() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let first = load(&session, &number("base", 1))?;
    let early = load(&session, &sum("early", "base", 10))?;
    let second = load(&session, &number("base", 2))?;
    let late = load(&session, &sum("late", "base", 10))?;
    assert_eq!((call(&early, "early"), call(&late, "late")), (11, 12));
    // What had been replaced counts again when the later one is gone: but its user keeps it.
    assert!(!second.unload());
    let still = load(&session, &sum("still", "base", 20))?;
    assert_eq!(call(&still, "still"), 22);
    drop((late, still));
    let again = load(&session, &sum("again", "base", 30))?;
    assert_eq!(call(&again, "again"), 31);
    assert_eq!(session.images().len(), 3);
    drop((first, early, again));
    assert!(session.images().is_empty());
    let error = load(&session, &sum("lost", "base", 0)).expect_err("nobody knows base");
    assert!(error.to_string().contains("base"), "{error}");
    Ok(())
}

/// `base` and so many other functions that the session doesn't enter their names.
fn among_many(base: i32) -> String {
    (0..20).fold(number("base", base), |text, index| text + "\n" + &number(&format!("other_{base}_{index}"), index))
}

#[test]
fn images_with_many_names_take_their_turn_among_the_others() -> Result<(), Error> {
    extern "C" fn hosts() -> i32 {
        7
    }
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let uses = |session: &Session, name: &str| {
        let code = load(session, &sum(name, "base", 100))?;
        Ok::<_, Error>(call(&code, name) - 100)
    };
    session.define("base", hosts as *const ());
    let many = load(&session, &among_many(1))?;
    assert_eq!(uses(&session, "first")?, 1, "later than the host's");
    let few = load(&session, &number("base", 2))?;
    assert_eq!(uses(&session, "second")?, 2);
    session.define("base", hosts as *const ());
    assert_eq!(uses(&session, "third")?, 7, "the host's is the latest again");
    assert!(session.undefine("base"));
    assert_eq!(uses(&session, "fourth")?, 2);
    drop(few);
    assert_eq!(uses(&session, "fifth")?, 1);
    // More of them than are asked themselves: the first ones are entered behind what is later.
    let others = (10..30).map(|base| load(&session, &among_many(base))).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(uses(&session, "sixth")?, 29);
    let few = load(&session, &number("base", 3))?;
    let later = (30..33).map(|base| load(&session, &among_many(base))).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(uses(&session, "seventh")?, 32);
    drop(later);
    assert_eq!(uses(&session, "eighth")?, 3);
    drop(few);
    for (base, other) in (10..30).rev().zip(others.into_iter().rev()) {
        assert_eq!(uses(&session, &format!("at_{base}"))?, base);
        let only = load(&session, &sum("only", &format!("other_{base}_5"), 0))?;
        assert_eq!(call(&only, "only"), 5);
        drop((only, other));
    }
    assert_eq!(uses(&session, "last")?, 1);
    drop(many);
    assert!(uses(&session, "lost").is_err_and(|error| error.to_string().contains("base")));
    Ok(())
}

static FINALISED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

extern "C" fn note(number: i32) {
    FINALISED.lock().expect("no panic").push(number);
}

/// A module that notes its number when it goes, by an answer of `other`, if it has one.
fn noting(name: &str, other: Option<&str>, value: i32) -> String {
    let (declaration, call) = other.map_or((String::new(), format!("add i32 {value}, 0")), |other| {
        (format!("declare i32 @{other}()"), format!("call i32 @{other}()"))
    });
    format!(
        "{declaration}
        declare void @note(i32)
        @llvm.global_dtors = appending global [1 x {{ i32, ptr, ptr }}] [{{ i32, ptr, ptr }} {{ i32 65535, ptr @end, ptr null }}]
        define i32 @{name}() {{ ret i32 {value} }}
        define internal void @end() {{
          %value = {call}
          call void @note(i32 %value)
          call void @note(i32 {value})
          ret void
        }}"
    )
}

#[test]
fn an_image_goes_before_those_it_uses() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    session.define("note", note as *const ());
    let used = load(&session, &noting("used", None, 1))?;
    let user = load(&session, &noting("user", Some("used"), 2))?;
    drop(used);
    assert!(FINALISED.lock().expect("no panic").is_empty());
    assert!(user.unload());
    // The user's finaliser could still call into the one it uses.
    assert_eq!(*FINALISED.lock().expect("no panic"), [1, 2, 1, 1]);
    Ok(())
}

#[test]
fn what_is_kept_goes_with_the_session_and_handles_outlive_it() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let base = load(&session, &number("base", 5))?;
    session.keep(&base);
    session.keep(&base);
    drop(base);
    assert_eq!(session.images().len(), 1);
    let code = load(&session, &sum("sum", "base", 1))?;
    // SAFETY: that is its type.
    let function = unsafe { code.owned_function::<Number>("sum") }?;
    let base = session.images().remove(0);
    assert!(session.release(&base) && !session.release(&base));
    drop((session, code, base));
    assert_eq!(std::thread::spawn(move || function()).join().expect("no panic"), 6);
    Ok(())
}

#[test]
fn the_host_comes_first_then_the_process_then_callbacks() -> Result<(), Error> {
    extern "C" fn own() -> i32 {
        1
    }
    extern "C" fn called_back() -> i32 {
        3
    }
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    session.resolve_with(|_| None).resolve_with(move |wanted| {
        notes.lock().expect("no panic").push(wanted.name.to_owned());
        (wanted.name == c"mine" || wanted.name == c"getppid").then_some(called_back as *const ())
    });
    assert_eq!(call(&load(&session, &sum("f", "mine", 0))?, "f"), 3);
    session.define_all([("mine", own as *const ()), ("other", own as *const ())]);
    assert_eq!(call(&load(&session, &sum("g", "mine", 0))?, "g"), 1);
    assert_eq!(call(&load(&session, &sum("h", "getppid", 0))?, "h"), 3);
    session.use_process_symbols();
    assert_eq!(call(&load(&session, &sum("i", "getppid", 0))?, "i"), std::os::unix::process::parent_id() as i32);
    assert_eq!(*asked.lock().expect("no panic"), [c"mine".to_owned(), c"getppid".to_owned()]);
    assert!(session.undefine("mine") && !session.undefine("mine"));
    assert_eq!(call(&load(&session, &sum("j", "mine", 0))?, "j"), 3);
    Ok(())
}

#[test]
fn variables_are_shared_between_images() -> Result<(), Error> {
    static OF_HOST: AtomicI32 = AtomicI32::new(40);
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    session.define("of_host", OF_HOST.as_ptr().cast_const().cast());
    let owner = load(&session, "@shared = global i32 2")?;
    let user = load(
        &session,
        "@shared = external global i32
        @of_host = external global i32
        define i32 @add() {
          %one = load i32, ptr @shared
          %other = load i32, ptr @of_host
          %sum = add i32 %one, %other
          store i32 %sum, ptr @shared
          ret i32 %sum
        }",
    )?;
    assert_eq!((call(&user, "add"), call(&user, "add")), (42, 82));
    let shared = owner.symbol("shared").expect("it is exported").cast::<i32>();
    // SAFETY: it is an i32 of the image, which is loaded.
    assert_eq!(unsafe { shared.read() }, 82);
    Ok(())
}

#[test]
fn objects_of_other_compilers_are_inputs() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let (source, object) = (dir.path().join("twice.c"), dir.path().join("twice.o"));
    std::fs::write(&source, "int base(void); int twice(void) { return 2 * base(); }").expect("written");
    let compiled = Command::new("cc").args(["-O1", "-fPIC", "-c", "-o"]).arg(&object).arg(&source).status();
    assert!(compiled.expect("a C compiler").success());
    let bytes = std::fs::read(&object).expect("read");
    let session = Session::new(open(dir.path()));
    let _base = load(&session, &number("base", 21))?;
    // An application with a code generator of its own: the closure makes an object, on a miss only.
    let built = AtomicUsize::new(0);
    for _ in 0..2 {
        let input = Input::keyed("twice", b"twice 1", || {
            built.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(bytes.clone())
        });
        // SAFETY: the object is the one above.
        let code = unsafe { session.load_or_compile(input, &CompileOptions::default()) }?;
        assert_eq!(call(&code, "twice"), 42);
    }
    assert_eq!(built.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn threads_load_at_once() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let built = AtomicUsize::new(0);
    let ask = |index: i32| {
        let (built, key) = (&built, index % 3);
        let name = format!("f{key}");
        let ir = number(&name, key);
        let module = Module::keyed("module", name.as_bytes(), move || {
            built.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(ir.into_bytes())
        });
        // SAFETY: the module is the one above.
        let code = unsafe { session.load_or_compile(module, &CompileOptions::default()) }?;
        assert_eq!(call(&code, &name), key);
        Ok::<_, Error>(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|index| scope.spawn(move || ask(index))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    assert_eq!(built.load(Ordering::Relaxed), 3);
    assert!(session.images().is_empty());
    Ok(())
}

/// Enough for the worker to be at it for seconds.
fn large() -> String {
    let mut ir = String::new();
    for index in 0..4000 {
        let _ = writeln!(ir, "define i32 @f{index}(i32 %n) {{\nentry:\n  br label %loop\nloop:");
        let _ = writeln!(ir, "  %i = phi i32 [ 0, %entry ], [ %next, %loop ]\n  %next = add i32 %i, 1");
        for step in 0..20 {
            let before = if step == 0 { "%next".to_owned() } else { format!("%x{}", step - 1) };
            let _ =
                writeln!(ir, "  %a{step} = mul i32 {before}, {}\n  %x{step} = xor i32 %a{step}, %n", index + step + 3);
        }
        let _ = writeln!(ir, "  %more = icmp slt i32 %x19, {index}\n  br i1 %more, label %loop, label %end");
        let _ = writeln!(ir, "end:\n  ret i32 %x19\n}}");
    }
    ir
}

#[test]
fn code_comes_in_the_background() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let program = || Program::from(Module::bytes("module", number("f", 7).into_bytes()));
    // SAFETY: the module is the one above.
    let loading = unsafe { session.load_in_background(program, &CompileOptions::default()) }?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !loading.is_finished() {
        assert!(Instant::now() < deadline, "{:?}", loading.status());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(loading.status().fraction > 0.0, "{:?}", loading.status());
    assert_eq!(call(&loading.wait()?, "f"), 7);
    Ok(())
}

#[test]
fn what_nobody_waits_for_is_given_up() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let program = || Program::from(Module::bytes("module", large().into_bytes()));
    // SAFETY: nothing of the module runs.
    let loading = unsafe { session.load_in_background(program, &CompileOptions::default()) }?;
    while loading.status().phase != "optimise" {
        assert!(!loading.is_finished(), "it was too small");
        std::thread::sleep(Duration::from_millis(1));
    }
    let since = Instant::now();
    loading.cancel();
    let error = loading.wait().expect_err("it was cancelled");
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(session.images().is_empty());
    Ok(())
}

#[test]
fn a_start_that_must_hit_compiles_nothing() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |trust| {
        let mut settings = settings(dir.path());
        settings.trust = trust;
        Session::new(Larder::open(settings))
    };
    let ir = number("f", 3);
    let error = load(&with(Trust::MustHit), &ir).expect_err("nothing is saved yet");
    assert!(matches!(error, Error::MustHit { reason: MissReason::Absent, .. }), "{error}");
    load(&with(Trust::Usual), &ir)?;
    assert_eq!(call(&load(&with(Trust::MustHit), &ir)?, "f"), 3);
    Ok(())
}

#[test]
fn checking_finds_a_key_that_says_too_little() -> Result<(), Error> {
    fn ask(dir: &Path, trust: Trust, value: i32) -> Result<i32, Error> {
        let mut settings = settings(dir);
        settings.trust = trust;
        let session = Session::new(Larder::open(settings));
        let module = Module::keyed("query", b"query", || Ok::<_, Infallible>(number("f", value).into_bytes()));
        // SAFETY: the module is the one above.
        let code = unsafe { session.load_or_compile(module, &CompileOptions::default()) }?;
        Ok(call(&code, "f"))
    }
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(ask(dir.path(), Trust::Usual, 1)?, 1);
    assert_eq!(ask(dir.path(), Trust::Check, 1)?, 1);
    // The usual way believes the key: this is what checking is for.
    assert_eq!(ask(dir.path(), Trust::Usual, 2)?, 1);
    let error = ask(dir.path(), Trust::Check, 2).expect_err("the module is another");
    assert!(matches!(error, Error::Different { offset: 1.., .. }), "{error}");
    Ok(())
}

#[test]
fn what_happens_is_told() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let mut settings = settings(dir.path());
    settings.observer = Observer::new(move |event| {
        notes.lock().expect("no panic").push(match event {
            Event::Hit { .. } => "hit",
            Event::Miss { .. } => "miss",
            Event::Compiled { .. } => "compiled",
            Event::Loaded { .. } => "loaded",
            _ => "other",
        });
    });
    let session = Session::new(Larder::open(settings));
    for _ in 0..2 {
        load(&session, &number("f", 3))?;
    }
    assert_eq!(*heard.lock().expect("no panic"), ["miss", "compiled", "loaded", "hit", "loaded"]);
    let counts = session.larder().counts();
    assert_eq!((counts.hits, counts.misses.get("absent"), counts.compiled, counts.loaded), (1, Some(&1), 1, 2));
    assert!(counts.compile_time > Duration::ZERO && counts.load_time > Duration::ZERO);
    Ok(())
}
