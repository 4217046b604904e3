//! Names that are known later: what waits, what doesn't, and what becomes of calls meanwhile.

use crate::child::in_child;
use crate::compiled::{image_with, load_with, sealed, try_load};
use larder_runtime::{
    Address, Call, Chain, Deferral, LoadError, Loaded, ProcessSymbols, Resolve, Unavailable, UnitId, Wanted,
};
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

type Function = extern "C-unwind" fn(c_int) -> c_int;

/// As gcc makes it, without and with marks of indirect branches' targets.
static IMAGES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    ["-fcf-protection=none", "-fcf-protection=full"].map(|flag| image_with("deferred.cpp", &["-O2", "-fPIC", flag]))
});

/// Names that are deferred, and whether they are functions.
struct Later<'a>(&'a [(&'a CStr, Deferral)]);

const BOTH: [(&CStr, Deferral); 3] =
    [(c"later", Deferral::Function), (c"other", Deferral::Function), (c"later_variable", Deferral::Data)];

impl Resolve for Later<'_> {
    fn resolve(&self, _: &Wanted<'_>) -> Option<Address> {
        None
    }

    fn defers(&self, wanted: &Wanted<'_>) -> Option<Deferral> {
        self.0.iter().find(|(name, _)| *name == wanted.name).map(|(_, deferral)| *deferral)
    }
}

/// Answers by a closure.
struct Answering<F>(F);

impl<F: Fn(Call<'_>) -> Address + Send + Sync> Unavailable for Answering<F> {
    fn called(&self, call: Call<'_>) -> Address {
        self.0(call)
    }
}

/// Ends calls with a panic that tells the name.
fn refusing(call: Call<'_>) -> Address {
    let (Call::Unit { name, .. } | Call::Import { name }) = call;
    resume_unwind(Box::new(name.to_owned()))
}

fn waiting(bytes: &[u8]) -> Loaded {
    load_with(bytes, &Chain(&[&Later(&BOTH), &ProcessSymbols]), Arc::new(Answering(refusing)))
}

extern "C-unwind" fn later(number: c_int) -> c_int {
    number + 100
}

extern "C-unwind" fn other(number: c_int) -> c_int {
    number + 1000
}

static LATER_VARIABLE: c_int = 77;

fn definitions() -> [(&'static str, Address); 3] {
    [
        ("later", later as *const ()),
        ("other", other as *const ()),
        ("later_variable", (&raw const LATER_VARIABLE).cast()),
    ]
}

fn define(image: &Loaded, names: &[(&str, Address)]) -> Vec<UnitId> {
    // SAFETY: the names have the types that the case declares.
    unsafe { image.define(names) }.expect("the system allows it")
}

fn function<F: larder_runtime::FnPointer>(image: &Loaded, name: &str) -> F {
    // SAFETY: the case's functions have the types that the tests name.
    *unsafe { image.function::<F>(name) }.unwrap_or_else(|| panic!("{name} is exported"))
}

fn call(image: &Loaded, name: &str, number: c_int) -> c_int {
    function::<Function>(image, name)(number)
}

/// What the call panics with.
fn refusal(image: &Loaded, name: &str) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| call(image, name, 1))).expect_err(name);
    *panic.downcast::<String>().expect("the test's own panic")
}

fn names_waiting(image: &Loaded) -> Vec<(String, Vec<String>)> {
    image.waiting().into_iter().map(|waiting| (waiting.name, waiting.imports)).collect()
}

#[test]
fn units_wait_for_names_and_others_do_not() {
    for bytes in &*IMAGES {
        let image = waiting(bytes);
        let mut names = names_waiting(&image);
        names.sort_unstable();
        let later = || vec!["later".to_owned()];
        let expected = [
            ("calls", later()),
            ("calls_both", vec!["later".to_owned(), "other".to_owned()]),
            ("calls_other", vec!["other".to_owned()]),
            ("reads", vec!["later_variable".to_owned()]),
            ("records", later()),
            ("recurses", later()),
            ("straddles", later()),
            ("sums", later()),
        ];
        assert_eq!(names, expected.map(|(name, imports)| (name.to_owned(), imports)));
        assert_eq!(call(&image, "free_of_it", 21), 42);
        assert_eq!(call(&image, "behind", 21), 24);
        for name in ["calls", "calls_both", "calls_other", "reads", "recurses", "straddles"] {
            assert_eq!(refusal(&image, name), name);
        }
        assert_eq!(refusal(&image, "through_table"), "later", "through a word of data");
    }
}

#[test]
fn defining_arms_what_waits_for_nothing_else() {
    for bytes in &*IMAGES {
        let image = waiting(bytes);
        let [later, other, variable] = definitions();
        assert_eq!(define(&image, &[("unheard_of", later.1)]), []);
        assert_eq!(define(&image, &[other]).len(), 1);
        assert_eq!((call(&image, "calls_other", 1), call(&image, "free_of_it", 1)), (1003, 2));
        assert_eq!(refusal(&image, "calls_both"), "calls_both");
        assert_eq!(define(&image, &[later, variable]).len(), 7);
        assert_eq!(image.waiting(), []);
        for (name, result) in
            [("calls", 102), ("calls_both", 1102), ("recurses", 101), ("straddles", 101), ("reads", 77)]
        {
            assert_eq!(call(&image, name, 1), result, "{name}");
        }
        assert_eq!((call(&image, "through_table", 1), call(&image, "behind", 1)), (101, 4));
        let through = function::<extern "C-unwind" fn(c_int, c_int) -> c_int>(&image, "through_constants");
        assert_eq!((through(1, 0), through(1, 1)), (101, 1001));
        assert_eq!(define(&image, &definitions()), [], "once is enough");
    }
}

#[test]
fn all_at_once_gives_the_pages_of_code_back_to_the_file() {
    if !in_child("deferred::all_at_once_gives_the_pages_of_code_back_to_the_file") {
        return;
    }
    let image = waiting(&IMAGES[0]);
    let dirty = || {
        let smaps = std::fs::read_to_string("/proc/self/smaps").expect("Linux has it");
        let lines = smaps.lines().skip_while(|line| !(line.contains("r-xp") && line.contains("compiled")));
        let line = lines.into_iter().find(|line| line.starts_with("Anonymous:")).expect("the code is mapped");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    assert_ne!(dirty(), 0);
    let mappings = || std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    assert!(mappings().lines().all(|line| !line.contains("wx")), "{}", mappings());
    let count = mappings().lines().count();
    define(&image, &definitions());
    assert_eq!(call(&image, "calls", 1), 102);
    // The page that goes on on the next is a copy, the others are not.
    assert!(dirty() <= 4, "{} KiB", dirty());
    assert!(mappings().lines().count() <= count + 2, "{}", mappings());
    assert!(mappings().lines().all(|line| !line.contains("wx")), "{}", mappings());
}

#[test]
fn a_word_that_the_program_has_changed_stays() {
    let image = waiting(&IMAGES[0]);
    extern "C-unwind" fn own(number: c_int) -> c_int {
        number + 5
    }
    function::<extern "C" fn(Function)>(&image, "change_table")(own);
    define(&image, &definitions());
    assert_eq!(call(&image, "through_changed", 1), 6);
}

#[test]
fn pointers_that_were_taken_before_lead_to_the_definition() {
    let image = waiting(&IMAGES[0]);
    let unit = function::<Function>(&image, "calls");
    let import = function::<extern "C" fn() -> Function>(&image, "taken")();
    define(&image, &definitions());
    assert_eq!((unit(2), import(2)), (103, 102));
}

#[test]
fn what_the_handler_answers_is_called_instead() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    extern "C-unwind" fn instead(number: c_int) -> c_int {
        number - 1
    }
    let answering = Answering(|_: Call<'_>| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        instead as *const ()
    });
    let image = load_with(&IMAGES[0], &Chain(&[&Later(&BOTH), &ProcessSymbols]), Arc::new(answering));
    assert_eq!([call(&image, "calls", 5), call(&image, "calls", 6)], [4, 5]);
    assert_eq!(ASKED.load(Ordering::Relaxed), 1, "the first answer counts");
    let unit = image.waiting().into_iter().find(|waiting| waiting.name == "calls").expect("it waits").unit;
    // SAFETY: the functions have the same type.
    assert!(unsafe { image.redirect(unit, later as *const ()) });
    assert_eq!(call(&image, "calls", 5), 105);
    // SAFETY: nothing is changed.
    assert!(!unsafe { image.redirect(UnitId(u32::MAX), later as *const ()) });
    define(&image, &definitions());
    assert_eq!(call(&image, "calls", 5), 106);
}

/// The handler of a call may define what is missing, and let the call go on.
#[test]
fn a_call_goes_on_with_all_its_arguments() {
    for bytes in &*IMAGES {
        let image = Arc::new(Mutex::new(None::<Arc<Loaded>>));
        let handler = {
            let image = Arc::clone(&image);
            Answering(move |call: Call<'_>| {
                let Call::Unit { entry, .. } = call else { panic!("{call:?}") };
                // Other values in as many registers as can be.
                assert!((1..100).map(|number| f64::from(number).sqrt()).sum::<f64>() > 0.0);
                let image = image.lock().expect("nobody panics").clone().expect("it is loaded");
                define(&image, &definitions());
                entry
            })
        };
        let resolver: &dyn Resolve = &Chain(&[&Later(&BOTH), &ProcessSymbols]);
        let handler: Arc<dyn Unavailable> = Arc::new(handler);
        let fresh = || {
            let loaded = Arc::new(load_with(bytes, resolver, Arc::clone(&handler)));
            *image.lock().expect("nobody panics") = Some(Arc::clone(&loaded));
            loaded
        };
        assert_eq!(call(&fresh(), "check_sums", 0), 100);
        assert_eq!(call(&fresh(), "recurses", 50), 150);
        assert_eq!(call(&fresh(), "straddles", 50), 150);
        let loaded = fresh();
        pass_registers(&loaded);
        image.lock().expect("nobody panics").take();
    }
}

/// Has patterns passed in all registers to a unit that waits, and compares what arrives.
fn pass_registers(image: &Loaded) {
    let variable = |name: &str| image.symbol(name).expect("it is exported").cast_mut().cast::<u8>();
    // SAFETY: the variables are the case's, so long, and nobody else uses them.
    let bytes = |name: &str, len: usize| unsafe { std::slice::from_raw_parts_mut(variable(name), len) };
    let vector_len = if std::arch::is_x86_feature_detected!("avx") { 32 } else { 16 };
    bytes("has_avx", 4)[0] = (vector_len == 32).into();
    let pattern = |index: usize| (index * 7 + 3) as u8;
    bytes("general_in", 120).iter_mut().enumerate().for_each(|(index, byte)| *byte = pattern(index));
    bytes("vectors_in", 512).iter_mut().enumerate().for_each(|(index, byte)| *byte = pattern(index + 1000));
    let records = image.symbol("records").expect("it is exported");
    function::<extern "C-unwind" fn(Address)>(image, "passes")(records);
    assert_eq!(bytes("general_in", 120), &bytes("general_out", 128)[..120]);
    assert_eq!(bytes("general_out", 128)[120..], 4711u64.to_le_bytes(), "on the stack");
    let vectors = |name| bytes(name, 512).chunks(32).map(|vector| vector[..vector_len].to_vec()).collect::<Vec<_>>();
    assert_eq!(vectors("vectors_in"), vectors("vectors_out"));
}

#[test]
fn exceptions_of_the_handler_are_caught_by_the_caller() {
    for bytes in &*IMAGES {
        let thrower = waiting(bytes);
        let throws = function::<extern "C-unwind" fn(c_int)>(&thrower, "throws");
        let answering = Answering(move |_: Call<'_>| {
            throws(7);
            std::ptr::null()
        });
        let image = load_with(bytes, &Chain(&[&Later(&BOTH), &ProcessSymbols]), Arc::new(answering));
        assert_eq!([call(&image, "catches", 1), call(&image, "catches", 1)], [-7, -7], "each call asks again");
        assert_eq!(call(&image, "destroyed_count", 0), 2);
        define(&image, &definitions());
        assert_eq!(call(&image, "catches", 1), 104);
    }
}

#[test]
fn threads_call_while_another_arms() {
    for round in 0..200 {
        let image = waiting(&IMAGES[round % 2]);
        let (armed, ready) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let functions = ["calls", "straddles"].map(|name| function::<Function>(&image, name));
                    loop {
                        let was_armed = armed.load(Ordering::Acquire);
                        for (function, result) in functions.iter().zip([111, 110]) {
                            match catch_unwind(|| function(10)) {
                                Ok(answer) => assert_eq!(answer, result),
                                Err(_) => assert!(!was_armed, "a call after the definition"),
                            }
                        }
                        assert_eq!(call(&image, "behind", 1), 4);
                        ready.fetch_add(1, Ordering::Relaxed);
                        if was_armed {
                            return;
                        }
                    }
                });
            }
            while ready.load(Ordering::Relaxed) < 4 {
                std::hint::spin_loop();
            }
            let [later, other, variable] = definitions();
            define(&image, &[other]);
            define(&image, &[variable]);
            define(&image, &[later]);
            armed.store(true, Ordering::Release);
        });
    }
}

#[test]
fn threads_that_ask_at_once_go_where_the_first_answer_says() {
    for _ in 0..50 {
        let asked = Arc::new(AtomicUsize::new(0));
        let answering = {
            let asked = Arc::clone(&asked);
            Answering(move |_: Call<'_>| match asked.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => later as *const (),
                _ => other as *const (),
            })
        };
        let image = load_with(&IMAGES[0], &Chain(&[&Later(&BOTH), &ProcessSymbols]), Arc::new(answering));
        let answers: Vec<c_int> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| call(&image, "calls", 0))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it is well")).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(call(&image, "calls", 0), answers[0]);
    }
}

#[test]
fn what_can_not_wait_is_refused_by_name() {
    let chain = |later: &[(&CStr, Deferral)]| {
        let refused = try_load(&IMAGES[0], &Chain(&[&Later(later), &ProcessSymbols]));
        refused.expect_err("it can't be loaded").to_string()
    };
    let [function, _, variable] = BOTH;
    assert!(chain(&[function]).contains("unresolved: later_variable, other"), "{}", chain(&[function]));
    let as_data = [function, variable, (c"other", Deferral::Data)];
    // It is called too, which says that it is a function.
    sealed(&IMAGES[0], &Chain(&[&Later(&as_data), &ProcessSymbols]));
    let pointing = crate::compiled::image_with("points.c", &["-O2", "-fPIC"]);
    match try_load(&pointing, &Later(&[(c"table", Deferral::Data)])) {
        Err(LoadError::CannotDefer { name, reason, .. }) => {
            assert_eq!((&*name, reason), ("table", "data points to it and it is not said to be a function"));
        }
        other => panic!("{other:?}"),
    }
    match try_load(&pointing, &Later(&[(c"table", Deferral::Function)])) {
        Err(LoadError::CannotDefer { name, reason, .. }) => {
            assert_eq!((&*name, reason), ("table", "data points behind its beginning"));
        }
        other => panic!("{other:?}"),
    }
    let threads = image_with("theirs_deferred.c", &["-O2", "-fPIC"]);
    match try_load(&threads, &Later(&[(c"later_variable", Deferral::Data)])) {
        Err(LoadError::CannotDefer { reason, .. }) => assert_eq!(reason, "it is a thread-local variable"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thousand_loads_leave_nothing_behind() {
    if !in_child("deferred::a_thousand_loads_leave_nothing_behind") {
        return;
    }
    let once = |round: usize| {
        let image = waiting(&IMAGES[round % 2]);
        if round.is_multiple_of(3) {
            define(&image, &definitions());
            assert_eq!(call(&image, "calls", 1), 102);
        }
    };
    let lines = || std::fs::read_to_string("/proc/self/maps").expect("Linux has it").lines().count();
    (0..10).for_each(once);
    let before = lines();
    (0..1000).for_each(once);
    assert_eq!(lines(), before);
}
