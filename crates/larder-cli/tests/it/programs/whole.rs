//! A Rust program that is compiled into one module together with the standard library: its allocator, its threads and their
//! thread-local values, its panics, unwound and caught.
//!
//! The tests compile this file with rustc; it is no part of their program.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

thread_local! {
    static SEEN: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
}

struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        println!("drop {}", self.0);
    }
}

fn main() {
    let mut count: HashMap<String, usize> = HashMap::new();
    for word in "a b c a b a".split(' ') {
        *count.entry(word.to_owned()).or_default() += 1;
    }
    let mut sorted: Vec<_> = count.iter().collect();
    sorted.sort();
    println!("{sorted:?}");
    let total = Arc::new(Mutex::new(0));
    let workers = (0..4).map(|i| {
        let total = Arc::clone(&total);
        thread::spawn(move || {
            SEEN.with(|seen| seen.borrow_mut().push(i));
            *total.lock().unwrap() += i + SEEN.with(|seen| seen.borrow().len() as i32);
        })
    });
    let workers: Vec<_> = workers.collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    println!("{}", total.lock().unwrap());
    std::panic::set_hook(Box::new(|info| println!("{}", info.location().unwrap().line() > 0)));
    let caught = std::panic::catch_unwind(|| {
        let _noisy = Noisy("unwound");
        let empty: Vec<i32> = Vec::new();
        empty[std::env::args().count()]
    });
    println!("{}", caught.is_err());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || (0..3).for_each(|i| sender.send(i).unwrap()));
    println!("{:?}", receiver.iter().collect::<Vec<_>>());
    println!("{:?} {:?}", std::env::args().skip(1).collect::<Vec<_>>(), "x".parse::<i32>());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    print!("{line}no line end");
    std::io::stdout().flush().unwrap();
    std::process::exit(7);
}
