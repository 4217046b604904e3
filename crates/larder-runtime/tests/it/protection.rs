//! What the pages of an image may be used for, in every state.

use crate::child::in_child;
use crate::small::*;
use larder_format::image::PAGE;
use larder_runtime::{Arguments, ImageFile, Mapped};
use std::io::Write;

/// A line of `/proc/self/maps`.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    start: u64,
    end: u64,
    rights: String,
}

fn all_lines() -> Vec<Line> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let line = |line: &str| {
        let (addresses, rest) = line.split_once(' ')?;
        let (start, end) = addresses.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Line { start: number(start)?, end: number(end)?, rights: rest[..3].to_owned() })
    };
    maps.lines().map(|text| line(text).expect("a line of maps")).collect()
}

/// Rights of each page from `base` on.
fn rights(base: u64) -> [String; 5] {
    let lines = all_lines();
    assert!(lines.iter().all(|line| !(line.rights.contains('w') && line.rights.contains('x'))), "{lines:x?}");
    std::array::from_fn(|page| {
        let address = base + page as u64 * PAGE;
        let line = lines.iter().find(|line| (line.start..line.end).contains(&address));
        line.map_or_else(String::new, |line| line.rights.clone())
    })
}

fn field(smaps: &str, base: u64, page: u64, name: &str) -> u64 {
    let start = format!("{:x}-", base + page * PAGE);
    let entry = smaps.lines().skip_while(|line| !line.starts_with(&start));
    let line = entry.map(str::trim).find(|line| line.starts_with(name)).expect("smaps has the field");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn no_page_is_ever_writable_and_executable() {
    let mapped = Mapped::map(&file_of("rights", &sample().build()), &strictly()).expect("the image is right");
    let name = mapped.image().imports().get(0).and_then(|import| mapped.image().text(import.name)).expect("a name");
    let base = name.as_ptr() as u64 & !(PAGE - 1);
    let writable = ["r--", "r-x", "rw-", "rw-", "rw-"];
    let protected = ["r--", "r-x", "r--", "rw-", "rw-"];
    assert_eq!(rights(base), writable);
    let bound = mapped.bind(&host_names()).expect("the names are there");
    assert_eq!(rights(base), writable);
    let sealed = bound.seal().expect("the system allows it");
    assert_eq!(rights(base), protected);
    // SAFETY: the test's own code.
    let loaded = unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory");
    assert_eq!(rights(base), protected);
    drop(loaded);
}

#[test]
fn pages_of_code_stay_clean() {
    // Pages of a file in memory always count as dirty, so this one is written to a disk.
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("clean.image");
    let mut file = std::fs::File::create(&path).expect("there is room");
    file.write_all(&sample().build()).expect("there is room");
    file.sync_all().expect("there is room");
    // SAFETY: nobody else knows the file.
    let file = unsafe { ImageFile::open(&path) }.expect("it was just written");
    let sealed = Mapped::map(&file, &strictly()).and_then(|mapped| mapped.bind(&host_names())?.seal());
    // SAFETY: the test's own code.
    let image = unsafe { sealed.expect("the image is right").initialise(&Arguments::none()) }.expect("there is memory");
    let base = image.symbol("answer").expect("it is exported") as u64 - CODE;
    assert_eq!(call(&image, "answer"), 42);
    let smaps = std::fs::read_to_string("/proc/self/smaps").expect("Linux has it");
    for page in [0, 1] {
        assert_eq!(field(&smaps, base, page, "Private_Dirty:"), 0, "page {page}");
        assert_eq!(field(&smaps, base, page, "Anonymous:"), 0, "page {page}");
    }
    assert_ne!(field(&smaps, base, 2, "Anonymous:"), 0, "the slots are private");
}

#[test]
fn a_thousand_loads_leave_the_process_as_it_was() {
    if !in_child("protection::a_thousand_loads_leave_the_process_as_it_was") {
        return;
    }
    let bytes = sample().build();
    let file = file_of("again", &bytes);
    let once = || {
        let sealed = Mapped::map(&file, &trusting()).and_then(|mapped| mapped.bind(&host_names())?.seal());
        // SAFETY: the test's own code.
        let image = unsafe { sealed.expect("the image is right").initialise(&Arguments::none()) };
        assert_eq!(call(&image.expect("there is memory"), "answer"), 42);
    };
    (0..10).for_each(|_| once());
    let before = all_lines();
    (0..1000).for_each(|_| once());
    assert_eq!(all_lines(), before);
}
