//! Variables of the C library that have their place in an image.

use crate::compiled::object;
use crate::small::{file_of, strictly};
use larder_link::{LinkOptions, Object, link};
use larder_runtime::Resolve as _;
use larder_runtime::{Arguments, CopyError, LoadError, Mapped, ProcessSymbols, Wanted};

fn mapped(image: &[u8]) -> Mapped {
    Mapped::map(&file_of("copies", image), &strictly()).expect("it is whole")
}

fn refusal(error: Option<LoadError>) -> (String, CopyError) {
    match error {
        Some(LoadError::Copy { name, source, .. }) => (name, source),
        other => panic!("{other:?}"),
    }
}

fn address() -> *const i32 {
    let wanted = Wanted { name: c"optopt", hash: 0, weak: false, function: false, thread_local: false };
    ProcessSymbols.resolve(&wanted).expect("the C library has it").cast()
}

#[test]
fn one_image_that_stays_has_the_variable_and_everybody_uses_it_there() {
    let bytes = object("gcc", "copies.c", &["-O2", "-fPIE"]);
    let image = link(&[Object { name: "copies.c", bytes: &bytes, ..Object::default() }], &LinkOptions::default())
        .expect("it is linked")
        .bytes;
    let before = address();
    let error = refusal(mapped(&image).bind(&ProcessSymbols).err());
    assert_eq!(error, ("optopt".to_owned(), CopyError::NoProgram));
    assert_eq!(address(), before, "nothing has moved");

    let mut program = mapped(&image);
    // SAFETY: no other test uses the variable.
    unsafe { program.stay() }.expect("it is the first");
    let sealed = program.bind(&ProcessSymbols).and_then(larder_runtime::Bound::seal).expect("it is bound");
    // SAFETY: the tests' own code.
    let loaded = unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory");
    // SAFETY: that is its type.
    let next = unsafe { loaded.function::<extern "C" fn() -> i32>("next") }.expect("it is exported");
    // SAFETY: the variable is there.
    let initial = unsafe { before.read() };
    assert_eq!((next(), next()), (initial + 1, initial + 2));
    assert_eq!(Some(address().cast()), loaded.symbol("optopt"));
    // SAFETY: the image stays.
    assert_eq!(unsafe { address().read() }, initial + 2);

    let mut second = mapped(&image);
    // SAFETY: as before.
    let error = refusal(unsafe { second.stay() }.err());
    assert_eq!(error, ("optopt".to_owned(), CopyError::Elsewhere));
    drop(loaded);
    // SAFETY: the image stays.
    assert_eq!(unsafe { address().read() }, initial + 2, "it is still there");
}
