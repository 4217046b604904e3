//! Asks the host what units count on.
//!
//! Guards are asked in their recorded order, all of them, once per image: a predicate may tell whether a later one may be asked at all, which
//! is the host's to know.

use crate::resolve::Resolve;
use crate::unavailable::{FailedGuard, GuardFailure};
use larder_format::image::{Guard, GuardQuestion, Image, ImageError};
use std::collections::BTreeMap;

/// What the host answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The guards that failed, by their rows.
    pub(crate) failed: BTreeMap<u32, FailedGuard>,
    /// Addresses of the objects that are there and have not changed, by their imports.
    pub(crate) objects: BTreeMap<usize, usize>,
}

/// Asks all guards of an image.
pub(crate) fn ask(image: &Image<'_>, resolver: &dyn Resolve) -> Result<Answers, ImageError> {
    let mut answers = Answers::default();
    for (row, number) in image.guards().iter().zip(0..) {
        let failure = match image.guard_question(&row)? {
            GuardQuestion::Object { name, expected, import } => match resolver.object(name) {
                None => Some(GuardFailure::Missing),
                Some(object) => match expected.filter(|expected| *expected != object.fingerprint) {
                    Some(expected) => Some(GuardFailure::Changed { expected, found: object.fingerprint }),
                    None => {
                        answers.objects.insert(import, object.address as usize);
                        None
                    }
                },
            },
            GuardQuestion::Predicate { name, arguments, expected } => {
                let found = resolver.predicate(name, arguments);
                (found != Some(expected)).then_some(GuardFailure::Predicate { expected, found })
            }
        };
        if let Some(failure) = failure {
            answers.failed.insert(number, failed(image, &row, failure));
        }
    }
    Ok(answers)
}

fn failed(image: &Image<'_>, row: &Guard, failure: GuardFailure) -> FailedGuard {
    let text = |text| String::from_utf8_lossy(image.text(text).unwrap_or_default()).into_owned();
    FailedGuard { name: text(row.name), arguments: text(row.arguments), failure }
}

/// The imports that stand for the host's object of each name.
pub(crate) fn objects<'a>(image: &Image<'a>) -> impl Iterator<Item = (&'a [u8], usize)> {
    let image = *image;
    image.guards().iter().filter_map(move |row| match image.guard_question(&row) {
        Ok(GuardQuestion::Object { name, import, .. }) => Some((name, import)),
        _ => None,
    })
}
