//! The library as a host uses it: a key of its own, symbols by name, typed functions. The worker is real.

use larder::runtime::LoadError;
use larder::{CompileOptions, Error, Larder, MissReason, Module, Outcome, Session, Settings, StorePlace};
use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;

mod guards;
#[cfg(feature = "in-process")]
mod in_process;
mod processors;
mod sessions;

/// `run(x)` asks the host to double `x` and adds one.
const MODULE: &str = "declare i32 @host_double(i32)
define i32 @run(i32 %x) {
  %doubled = call i32 @host_double(i32 %x)
  %result = add i32 %doubled, 1
  ret i32 %result
}
";

extern "C" fn double(x: i32) -> i32 {
    2 * x
}

extern "C" fn triple(x: i32) -> i32 {
    3 * x
}

fn open(dir: &Path) -> Larder {
    Larder::open(settings(dir))
}

fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.store = StorePlace::Dir(dir.join("store"));
    #[cfg(feature = "in-process")]
    {
        settings.worker = Some(larder::worker::Worker::in_process());
    }
    settings
}

/// Loads the module under a key, calls it, and says how it was come by and whether it was built.
fn start(dir: &Path, key: &[u8], host: extern "C" fn(i32) -> i32) -> Result<(Outcome, bool, i32), Error> {
    let built = Cell::new(false);
    let session = Session::new(open(dir));
    session.define("host_double", host as *const ());
    let module = Module::keyed("a query", key, || {
        built.set(true);
        Ok::<_, Infallible>(MODULE.as_bytes().to_vec())
    });
    // SAFETY: the module is the one above, and its import has the type it declares.
    let code = unsafe { session.load_or_compile(module, &CompileOptions::default()) }?;
    // SAFETY: that is its type.
    let run = unsafe { code.function::<extern "C" fn(i32) -> i32>("run") }?;
    Ok((code.outcome().clone(), built.get(), run(20)))
}

#[test]
fn a_hit_needs_no_ir_and_is_bound_anew() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(start(dir.path(), b"query 1", double)?, (Outcome::Miss(MissReason::Absent), true, 41));
    assert_eq!(start(dir.path(), b"query 1", double)?, (Outcome::Hit, false, 41));
    // The saved code knows no address: another host function is another answer.
    assert_eq!(start(dir.path(), b"query 1", triple)?, (Outcome::Hit, false, 61));
    assert_eq!(start(dir.path(), b"query 2", double)?, (Outcome::Miss(MissReason::Absent), true, 41));
    Ok(())
}

#[test]
fn other_options_are_another_entry() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let larder = open(dir.path());
    let prepare = |options: &CompileOptions| {
        larder.prepare(Module::bytes("m", MODULE.as_bytes()), options, &mut |_| {}).map(|p| p.outcome().is_hit())
    };
    let small = CompileOptions { level: larder::Level::Os, ..CompileOptions::default() };
    assert!(!prepare(&CompileOptions::default())?);
    assert!(!prepare(&small)?);
    assert!(prepare(&small)?);
    assert!(prepare(&CompileOptions::default())?);
    Ok(())
}

#[test]
fn what_the_host_does_not_hand_in_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let session = Session::new(open(dir.path()));
    let module = Module::bytes("m", MODULE.as_bytes());
    // SAFETY: nothing of it runs.
    let error = unsafe { session.load_or_compile(module, &CompileOptions::default()) }.err();
    match error {
        Some(Error::Load(LoadError::Unresolved { names, .. })) => assert_eq!(names, ["host_double"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closure_that_fails_is_the_callers_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let larder = open(dir.path());
    let module = Module::keyed("m", b"key", || Err::<Vec<u8>, _>("no schema"));
    let error = larder.prepare(module, &CompileOptions::default(), &mut |_| {}).err();
    assert!(matches!(&error, Some(Error::Build { source }) if source.to_string() == "no schema"), "{error:?}");
    assert_eq!(larder.store().expect("a store").list().expect("a list"), []);
}
