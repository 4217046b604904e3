//! Times, in processor time, loading and unloading of many small images in one process, and counts their mappings.
//!
//! `cargo run --release -p larder-runtime --example time_many -- OBJECT SYMBOL [COUNT]`
//!
//! The object is linked first. All images are that file, opened anew each time. Printed are the means of the tens, hundreds and thousands of images that are loaded as
//! numbers ten, a thousand and so on, with as many loaded before; then of unloading, in the order of loading, the reverse and a mixed one.

#![expect(clippy::print_stdout, reason = "an example that reports to a person")]

use larder_link::{LinkOptions, Object, link};
use larder_runtime::{Arguments, Expectations, ImageFile, Integrity, Loaded, Mapped, ProcessSymbols, cpu};
use std::path::Path;
use std::time::Duration;

fn load(path: &Path, symbol: &str) -> Loaded {
    // SAFETY: nobody writes to the file during a measurement.
    let file = unsafe { ImageFile::open(path) }.expect("the image opens");
    let expected = Expectations { features: cpu::host_features(), key: None, integrity: Integrity::AlreadyVerified };
    let mapped = Mapped::map(&file, &expected).expect("the image is right");
    let sealed = mapped.bind(&ProcessSymbols).and_then(larder_runtime::Bound::seal).expect("the process has the names");
    // SAFETY: whoever started the example trusts the image.
    let loaded = unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory");
    // SAFETY: the same; its type is that of a function without parameters.
    let function = unsafe { loaded.function::<extern "C" fn() -> i32>(symbol) }.expect("the image exports it");
    std::hint::black_box(function());
    loaded
}

fn mapping_count() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux has it").lines().count()
}

/// Processor time of this thread so far, which doesn't depend on who else is running.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn microseconds_each(start: Duration, count: usize) -> f64 {
    (processor_time() - start).as_secs_f64() * 1e6 / count as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [object, symbol, rest @ ..] = arguments.as_slice() else {
        println!("usage: time_many OBJECT SYMBOL [COUNT]");
        return;
    };
    let bytes = std::fs::read(object).expect("the object can be read");
    let object = Object { name: object, bytes: &bytes, ..Object::default() };
    let image = link(&[object], &LinkOptions::default()).expect("the object is right");
    let path = std::env::temp_dir().join(format!("time_many-{}.image", std::process::id()));
    std::fs::write(&path, image.bytes).expect("there is room");
    let count: usize = rest.first().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    drop(load(&path, symbol));
    for order in ["as loaded", "newest first", "mixed"] {
        let mappings = mapping_count();
        let mut images = Vec::with_capacity(count);
        let mut next = 10;
        while images.len() < count {
            let (first, start) = (images.len(), processor_time());
            images.extend((first..next.min(count)).map(|_| load(&path, symbol)));
            println!("load up to {next:6}: {:6.1} µs each", microseconds_each(start, images.len() - first));
            next *= 10;
        }
        println!("mappings: {:.2} each", (mapping_count() - mappings) as f64 / count as f64);
        match order {
            "newest first" => images.reverse(),
            "mixed" => (0..count).for_each(|index| images.swap(index, (index * 7919 + 13) % count)),
            _ => {}
        }
        let start = processor_time();
        drop(images);
        println!("unload {order:12}: {:6.1} µs each", microseconds_each(start, count));
    }
    std::fs::remove_file(&path).expect("it was written");
}
