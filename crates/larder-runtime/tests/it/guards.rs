//! Guards: what the host is asked, which units are dropped, and what happens to calls of them.

use crate::child::in_child;
use crate::compiled::{image_of, image_with, load_with, try_load};
use larder_runtime::{
    Address, Call, Deferral, Dropped, FnPointer, GuardFailure, Loaded, ObjectAnswer, Resolve, Unavailable, UnitId,
    Wanted,
};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

type Function = extern "C-unwind" fn(c_int) -> c_int;

static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of("guards.c"));

/// What the host has: the code was made for all of it.
static COUNTERS: [AtomicI32; 2] = [AtomicI32::new(40), AtomicI32::new(41)];
static PINNED: c_int = 1000;

/// A host, and what it was asked.
struct Host {
    counter: Option<u64>,
    pinned: Option<u64>,
    is_final: Option<u64>,
    version: Option<u64>,
    later: Option<Address>,
    asked: Mutex<Vec<String>>,
}

// SAFETY: the address is that of a function.
unsafe impl Sync for Host {}

fn host() -> Host {
    Host {
        counter: Some(5),
        pinned: Some(0xfeed),
        is_final: Some(1),
        version: Some(7),
        later: Some(later as *const ()),
        asked: Mutex::default(),
    }
}

impl Host {
    fn note(&self, what: &[u8], arguments: &[u8]) {
        let text = String::from_utf8_lossy(&[what, b"(", arguments, b")"].concat()).into_owned();
        self.asked.lock().expect("nobody panics").push(text);
    }
}

impl Resolve for Host {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        self.later.filter(|_| wanted.name == c"later")
    }

    fn defers(&self, wanted: &Wanted<'_>) -> Option<Deferral> {
        (wanted.name == c"later").then_some(Deferral::Function)
    }

    fn object(&self, name: &[u8]) -> Option<ObjectAnswer> {
        self.note(name, b"");
        let (address, fingerprint): (Address, _) = match name {
            b"counter" => (COUNTERS.as_ptr().cast(), self.counter?),
            b"pinned" => ((&raw const PINNED).cast(), self.pinned?),
            _ => return None,
        };
        Some(ObjectAnswer { address, fingerprint })
    }

    fn predicate(&self, name: &[u8], arguments: &[u8]) -> Option<u64> {
        self.note(name, arguments);
        match name {
            b"is_final" => self.is_final,
            b"version" => self.version,
            _ => None,
        }
    }
}

extern "C-unwind" fn later(number: c_int) -> c_int {
    number + 500
}

struct Refusing;

impl Unavailable for Refusing {
    fn called(&self, call: Call<'_>) -> Address {
        resume_unwind(Box::new(format!("{call:?}")))
    }
}

fn load(host: &Host) -> Loaded {
    load_with(&IMAGE, host, Arc::new(Refusing))
}

fn function<F: FnPointer>(image: &Loaded, name: &str) -> F {
    // SAFETY: the case's functions have the types that the tests name.
    *unsafe { image.function::<F>(name) }.unwrap_or_else(|| panic!("{name} is exported"))
}

fn call(image: &Loaded, name: &str, number: c_int) -> c_int {
    function::<Function>(image, name)(number)
}

fn is_refused(image: &Loaded, name: &str) -> bool {
    catch_unwind(AssertUnwindSafe(|| call(image, name, 1))).is_err()
}

/// Units of the case with what they answer to 1 while everything holds.
const ANSWERS: [(&str, c_int); 11] = [
    ("untouched", 2),
    ("reads_any", 41),
    ("reads_pinned", 1001),
    ("reads_both", 1041),
    ("through_constant", 41),
    ("through_moving", 41),
    ("calls_any", 82),
    ("is_fast", 10),
    ("is_slow", 100),
    ("is_faster", 3),
    ("drops_and_waits", 502),
];

#[test]
fn code_whose_guards_hold_runs_as_it_is() {
    let host = host();
    let image = load(&host);
    assert_eq!((image.dropped(), image.waiting()), (&[][..], vec![]));
    for (name, answer) in ANSWERS {
        assert_eq!(call(&image, name, 1), answer, "{name}");
    }
    let asked = host.asked.lock().expect("nobody panics").clone();
    assert_eq!(asked, ["version()", "is_final(a,b)", "counter()", "pinned()"], "in the recorded order");
    assert_eq!(function::<extern "C" fn() -> *const c_int>(&image, "points_any")(), COUNTERS.as_ptr().cast());
}

/// A host's change, and the units that it drops.
type Change = (fn(&mut Host), GuardFailure, &'static [&'static str]);

#[test]
fn a_failed_guard_drops_the_units_that_have_it_and_no_other() {
    let on_counter: &[&str] =
        &["change_second", "points_any", "reads_any", "reads_both", "through_constant", "through_moving"];
    let on_pinned: &[&str] = &["reads_both", "reads_pinned"];
    let changes: [Change; 6] = [
        (|host| host.counter = None, GuardFailure::Missing, on_counter),
        (|host| host.pinned = None, GuardFailure::Missing, on_pinned),
        (|host| host.pinned = Some(6), GuardFailure::Changed { expected: 0xfeed, found: 6 }, on_pinned),
        (|host| host.is_final = Some(0), GuardFailure::Predicate { expected: 1, found: Some(0) }, &["is_fast"]),
        (
            |host| host.version = None,
            GuardFailure::Predicate { expected: 7, found: None },
            &["drops_and_waits", "is_faster", "nothing"],
        ),
        (|host| host.counter = Some(77), GuardFailure::Missing, &[]),
    ];
    for (change, failure, expected) in changes {
        let mut host = host();
        change(&mut host);
        let image = load(&host);
        let mut dropped: Vec<&Dropped> = image.dropped().iter().collect();
        dropped.sort_unstable_by_key(|dropped| &dropped.name);
        let names: Vec<_> = dropped.iter().map(|dropped| dropped.name.as_str()).collect();
        assert_eq!(names, expected, "{failure:?}");
        assert!(dropped.iter().all(|dropped| dropped.failed.len() == 1 && dropped.failed[0].failure == failure));
        for (name, answer) in ANSWERS {
            let is_dropped = expected.contains(&name) || name == "calls_any" && expected.contains(&"reads_any");
            match name {
                "is_fast" if is_dropped => assert_eq!(call(&image, name, 1), 100, "its fallback"),
                "is_faster" if is_dropped => assert_eq!(call(&image, name, 1), 10, "its fallback"),
                _ if is_dropped => assert!(is_refused(&image, name), "{name}"),
                _ => assert_eq!(call(&image, name, 1), answer, "{name}"),
            }
        }
    }
}

#[test]
fn all_guards_of_a_unit_that_failed_are_told() {
    let image = load(&Host { counter: None, pinned: Some(1), is_final: None, version: Some(8), ..host() });
    let failed = |name: &str| {
        let dropped = image.dropped().iter().find(|dropped| dropped.name == name).expect("it is dropped");
        dropped.failed.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        failed("reads_both"),
        ["object counter is missing", "object pinned has changed: fingerprint 0x1, not 0xfeed"]
    );
    assert_eq!(failed("is_fast"), ["is_final(a,b) is not known, and should be 1"]);
    assert_eq!(failed("nothing"), ["version() is 8, not 7"]);
    assert_eq!(call(&image, "is_faster", 1), 100, "the fallback of its fallback");
}

#[test]
fn a_redirected_unit_is_called_elsewhere_even_by_pointers_that_were_taken_before() {
    let image = load(&Host { counter: None, ..host() });
    let taken = function::<Function>(&image, "reads_any");
    assert!(is_refused(&image, "calls_any"));
    let unit = image.dropped().iter().find(|dropped| dropped.name == "reads_any").expect("it is dropped").unit;
    // SAFETY: the functions have the same type.
    assert!(unsafe { image.redirect(unit, later as *const ()) });
    assert_eq!((taken(1), call(&image, "calls_any", 1)), (501, 1002));
    let kept = UnitId(
        image
            .image()
            .units()
            .iter()
            .position(|row| image.image().text(row.name) == Some(b"untouched"))
            .expect("it is a unit") as u32,
    );
    // SAFETY: nothing is changed.
    assert!(!unsafe { image.redirect(kept, later as *const ()) });
    assert_eq!(call(&image, "untouched", 1), 2);
}

#[test]
fn a_dropped_unit_is_not_armed_by_names() {
    let image = load(&Host { later: None, version: Some(8), ..host() });
    let waiting: Vec<_> = image.waiting().into_iter().map(|waiting| waiting.name).collect();
    assert_eq!(waiting, ["waits"]);
    // SAFETY: the function has the type.
    let armed = unsafe { image.define(&[("later", later as *const ())]) }.expect("the system allows it");
    assert_eq!((armed.len(), call(&image, "waits", 1)), (1, 502));
    assert!(is_refused(&image, "drops_and_waits"));
}

#[test]
fn images_with_marks_of_branch_targets_drop_units_too() {
    let bytes = image_with("guards.c", &["-O2", "-fPIC", "-fcf-protection=full"]);
    let image = load_with(&bytes, &Host { counter: None, version: None, ..host() }, Arc::new(Refusing));
    assert!(is_refused(&image, "reads_any") && is_refused(&image, "nothing"));
    assert_eq!((call(&image, "untouched", 1), call(&image, "is_faster", 1)), (2, 10));
}

#[test]
fn a_moved_object_is_found_where_it_is_now() {
    static ELSEWHERE: [AtomicI32; 2] = [AtomicI32::new(70), AtomicI32::new(71)];
    static OWN: AtomicI32 = AtomicI32::new(9);
    let image = load(&host());
    let objects: [(&str, Address); 2] = [("counter", ELSEWHERE.as_ptr().cast()), ("unheard_of", std::ptr::null())];
    // SAFETY: such an object is there.
    unsafe { image.rebind(&objects) }.expect("the system allows it");
    for (name, index, value) in [
        ("reads_any", 0, 70),
        ("calls_any", 0, 140),
        ("reads_both", 0, 1070),
        ("through_constant", 0, 70),
        ("through_constant", 1, 71),
        ("through_moving", 0, 70),
        ("through_moving", 1, 71),
        ("reads_pinned", 0, 1000),
    ] {
        assert_eq!(call(&image, name, index), value, "{name}({index})");
    }
    function::<extern "C" fn(*const i32)>(&image, "change_second")(OWN.as_ptr());
    // SAFETY: such an object is there.
    unsafe { image.rebind(&[("counter", COUNTERS.as_ptr().cast())]) }.expect("the system allows it");
    assert_eq!([call(&image, "through_moving", 0), call(&image, "through_moving", 1)], [40, 9]);
}

#[test]
fn objects_whose_guard_failed_stay_null() {
    let image = load(&Host { counter: None, ..host() });
    // SAFETY: such an object is there.
    unsafe { image.rebind(&[("counter", COUNTERS.as_ptr().cast())]) }.expect("the system allows it");
    assert!(is_refused(&image, "reads_any"));
    let moving = image.symbol("moving").expect("it is exported").cast::<*const c_int>();
    // SAFETY: it is a pointer of the case.
    assert!(unsafe { moving.read() }.is_null());
}

#[test]
fn objects_move_while_threads_use_them() {
    static HALVES: [[AtomicI32; 2]; 2] =
        [[AtomicI32::new(1), AtomicI32::new(2)], [AtomicI32::new(1), AtomicI32::new(2)]];
    let image = load(&host());
    // SAFETY: such an object is there.
    let rebind = |half: usize| unsafe { image.rebind(&[("counter", HALVES[half].as_ptr().cast())]) };
    rebind(0).expect("the system allows it");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let found = [
                        call(&image, "reads_any", 0),
                        call(&image, "through_constant", 1),
                        call(&image, "through_moving", 1),
                    ];
                    assert_eq!(found, [1, 2, 2]);
                }
            });
        }
        scope.spawn(|| (0..500).for_each(|_| rebind(1).expect("the system allows it")));
        (0..2000).for_each(|round| rebind(round % 2).expect("the system allows it"));
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn threads_call_a_dropped_unit_while_it_is_redirected() {
    struct Counting(AtomicUsize);
    impl Unavailable for Counting {
        fn called(&self, _: Call<'_>) -> Address {
            self.0.fetch_add(1, Ordering::Relaxed);
            later as *const ()
        }
    }
    for _ in 0..100 {
        let counting = Arc::new(Counting(AtomicUsize::new(0)));
        let image = load_with(&IMAGE, &Host { counter: None, ..host() }, Arc::clone(&counting) as Arc<_>);
        let unit = image.dropped().iter().find(|dropped| dropped.name == "reads_any").expect("it is dropped").unit;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(call(&image, "calls_any", 1), 1002)));
            }
            // SAFETY: the functions have the same type.
            assert!(unsafe { image.redirect(unit, later as *const ()) });
        });
        assert!(counting.0.load(Ordering::Relaxed) <= 4, "each thread asks once at most");
    }
}

#[test]
fn mappings_are_made_only_for_what_is_dropped() {
    if !in_child("guards::mappings_are_made_only_for_what_is_dropped") {
        return;
    }
    let lines = || std::fs::read_to_string("/proc/self/maps").expect("Linux has it").lines().count();
    let with = |host: Host| {
        let before = lines();
        let image = load(&host);
        let count = lines() - before;
        drop(image);
        count
    };
    with(host());
    let whole = with(host());
    assert_eq!(whole, 4, "R, RX, relro, RW");
    assert_eq!(with(Host { counter: None, ..host() }), whole + 2, "stubs, cells");
}

#[test]
fn guards_that_are_damaged_are_refused() {
    use larder_format::image::{Guard, HEADER_OFFSET, Image, ImageHeader};
    use larder_format::record::Record;
    let good = &*IMAGE;
    let header = *Image::parse(good, good.len() as u64).expect("it is an image").header();
    assert!(header.guards.count > 0 && HEADER_OFFSET + ImageHeader::SIZE < good.len());
    let mut bad = good.clone();
    bad[header.guards.offset as usize] = 9;
    crate::small::write_header(&mut bad, &header);
    let refused = try_load(&bad, &host()).expect_err("a guard is of no known kind").to_string();
    assert!(refused.contains("no known kind"), "{refused}");
    let mut bad = good.clone();
    let import = header.guards.offset as usize + Guard::SIZE * (header.guards.count as usize - 1) + 32;
    bad[import..import + 4].fill(0xff);
    crate::small::write_header(&mut bad, &header);
    let refused = try_load(&bad, &host()).expect_err("its import is none").to_string();
    assert!(refused.contains("is no object"), "{refused}");
}
