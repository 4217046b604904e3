//! Machines with several processors and one store. The lesser ones are played by this one, which has all that they have.

use crate::{MODULE, double, settings};
use larder::format::cpu::{CpuFeatures, x86_64};
use larder::runtime::cpu::host_features;
use larder::{
    CompileOptions, Cpu, CpuBase, Error, Input, Larder, MissReason, Module, Outcome, Program, Session, StorePlace,
    Trust,
};
use std::cell::Cell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

fn baseline() -> CpuFeatures {
    x86_64::level("x86-64").expect("a level")
}

/// This machine less what not every machine has.
fn lesser() -> CpuFeatures {
    baseline().with(&CpuFeatures::from_names(["sse3", "cx16"]).expect("known"))
}

/// A machine, and the directory of the store that it shares.
struct Machine {
    features: CpuFeatures,
    dir: PathBuf,
    trust: Trust,
}

/// What became of a start.
#[derive(Debug, PartialEq)]
struct Started {
    outcome: Outcome,
    /// Whether the host built its module.
    built: bool,
    image: PathBuf,
}

impl Machine {
    fn new(features: CpuFeatures, dir: &Path) -> Machine {
        Machine { features, dir: dir.to_owned(), trust: Trust::Usual }
    }

    fn open(&self) -> Larder {
        let mut settings = settings(&self.dir);
        settings.host = Some(self.features);
        settings.trust = self.trust;
        Larder::open(settings)
    }

    /// Starts the module under a key and calls it.
    fn start(&self, options: &CompileOptions) -> Result<Started, Error> {
        self.start_with(options, |module| module.into())
    }

    fn start_with<'a>(
        &self,
        options: &CompileOptions,
        program: impl FnOnce(Module<'a>) -> Program<'a>,
    ) -> Result<Started, Error> {
        let built: &Cell<bool> = Box::leak(Box::new(Cell::new(false)));
        let session = Session::new(self.open());
        session.define("host_double", double as *const ());
        let module = Module::keyed("a query", b"query", || {
            built.set(true);
            Ok::<_, Infallible>(MODULE.as_bytes().to_vec())
        });
        // SAFETY: the module is the one above, and its import has the type it declares.
        let code = unsafe { session.load_or_compile(program(module), options) }?;
        // SAFETY: that is its type.
        let run = unsafe { code.function::<extern "C" fn(i32) -> i32>("run") }?;
        assert_eq!(run(20), 41);
        Ok(Started { outcome: code.outcome().clone(), built: built.get(), image: code.path().to_owned() })
    }
}

fn missing(outcome: &Outcome) -> &[String] {
    match outcome {
        Outcome::Miss(MissReason::CpuFeatures { missing }) => missing,
        other => panic!("{other}"),
    }
}

/// What the greater machine's code needs and the lesser one lacks.
fn difference() -> Vec<String> {
    host_features().without(&lesser()).names().collect()
}

#[test]
fn a_lesser_machine_makes_its_code_of_the_saved_module() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = CompileOptions::default();
    let (great, small) = (Machine::new(*host_features(), dir.path()), Machine::new(lesser(), dir.path()));
    let first = great.start(&options)?;
    assert_eq!((&first.outcome, first.built), (&Outcome::Miss(MissReason::Absent), true));
    let second = small.start(&options)?;
    assert!(!second.built, "the host built what the store has");
    let lacking = missing(&second.outcome);
    assert!(!lacking.is_empty() && lacking.iter().all(|name| difference().contains(name)), "{lacking:?}");
    assert_ne!(first.image, second.image);
    for (machine, image) in [(&great, &first.image), (&small, &second.image), (&great, &first.image)] {
        assert_eq!(machine.start(&options)?, Started { outcome: Outcome::Hit, built: false, image: image.clone() });
    }
    // As if it had been built there.
    let alone = tempfile::tempdir().expect("a directory");
    let built = Machine::new(lesser(), alone.path()).start(&options)?;
    assert!(built.built);
    let read = |path: &Path| std::fs::read(path).expect("it is there");
    assert!(read(&built.image) == read(&second.image));
    Ok(())
}

#[test]
fn a_greater_machine_makes_better_code_of_the_saved_module() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = CompileOptions::default();
    let (great, small) = (Machine::new(*host_features(), dir.path()), Machine::new(lesser(), dir.path()));
    assert!(small.start(&options)?.built);
    let better = great.start(&options)?;
    assert_eq!((better.outcome, better.built), (Outcome::Miss(MissReason::Absent), false));
    assert!(small.start(&options)?.outcome.is_hit());
    Ok(())
}

#[test]
fn all_inputs_of_a_program_are_taken_from_the_image() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = CompileOptions::default();
    let helper = dir.path().join("helper.ll");
    std::fs::write(&helper, "define i32 @helper() { ret i32 3 }").expect("written");
    let program = |module: Module<'static>| -> Program<'static> {
        let more = || Ok::<_, Infallible>(b"define i32 @more() { ret i32 4 }".to_vec());
        let program = Program::from(Input::file(&helper)).and(module);
        program.and(Input::keyed("more", b"more", more))
    };
    let (great, small) = (Machine::new(*host_features(), dir.path()), Machine::new(lesser(), dir.path()));
    assert!(great.start_with(&options, program)?.built);
    let second = small.start_with(&options, program)?;
    assert!(!second.built && !missing(&second.outcome).is_empty());
    assert!(small.start_with(&options, program)?.outcome.is_hit());
    Ok(())
}

#[test]
fn what_is_not_there_is_built_by_the_host() -> Result<(), Error> {
    let (kept, left_out) =
        (CompileOptions::default(), CompileOptions { keep_source: false, ..CompileOptions::default() });
    type Spoil = fn(&Path);
    let flip: Spoil = |image| {
        let mut bytes = std::fs::read(image).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::remove_file(image).expect("removed");
        std::fs::write(image, bytes).expect("written");
    };
    let remove: Spoil = |image| std::fs::remove_file(image).expect("removed");
    let rows: [(&CompileOptions, Spoil, Trust, bool); 4] = [
        (&left_out, |_| {}, Trust::Usual, true),
        (&kept, flip, Trust::Usual, false),
        (&kept, remove, Trust::Usual, false),
        (&kept, |_| {}, Trust::Check, true),
    ];
    for (number, (options, spoil, trust, named)) in rows.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a directory");
        spoil(&Machine::new(*host_features(), dir.path()).start(options)?.image);
        let second = Machine { trust, ..Machine::new(lesser(), dir.path()) }.start(options)?;
        assert!(second.built, "row {number}");
        match named {
            true => assert!(!missing(&second.outcome).is_empty()),
            false => assert_eq!(second.outcome, Outcome::Miss(MissReason::Absent), "row {number}"),
        }
    }
    Ok(())
}

#[test]
fn a_start_that_must_hit_says_what_the_processor_lacks() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let options = CompileOptions::default();
    Machine::new(*host_features(), dir.path()).start(&options)?;
    let small = Machine { trust: Trust::MustHit, ..Machine::new(lesser(), dir.path()) };
    match small.start(&options) {
        Err(Error::MustHit { reason: MissReason::CpuFeatures { missing }, .. }) => assert!(!missing.is_empty()),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn machines_of_a_fleet_share_baseline_code() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let base = "baseline".parse::<CpuBase>().expect("it is one");
    let options = CompileOptions { cpu: Cpu { base, ..Cpu::default() }, ..CompileOptions::default() };
    let mut started = Vec::new();
    for features in [lesser(), *host_features(), baseline()] {
        started.push(Machine::new(features, dir.path()).start(&options)?);
    }
    assert!(started[0].built && started[1..].iter().all(|start| start.outcome.is_hit()));
    assert!(started.iter().all(|start| start.image == started[0].image));
    Ok(())
}

#[test]
fn modules_whose_functions_name_their_processor_need_no_more_than_that() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let module = "define i32 @f() #0 { ret i32 5 }\nattributes #0 = { \"target-cpu\"=\"x86-64\" }";
    let great = Machine::new(*host_features(), dir.path()).open();
    let built = great.build(Module::bytes("m", module.as_bytes()), &CompileOptions::default(), &mut |_| {})?;
    let image = dir.path().join("m.image");
    std::fs::write(&image, &built.bytes).expect("written");
    let mut settings = settings(dir.path());
    (settings.host, settings.store) = (Some(baseline()), StorePlace::Off);
    let session = Session::new(Larder::open(settings));
    // SAFETY: the module is the one above, and nobody writes to the file.
    let code = unsafe { session.load_image(&image, &CompileOptions::default()) }?;
    assert!(code.outcome().is_hit());
    Ok(())
}
