//! A program that uses the library `words`.

fn main() {
    let text: Vec<String> = std::env::args().skip(1).collect();
    let counts = words::count_by(&text.join(" "), |word| word.chars().next());
    println!("{counts:?} {} {}", words::calls(), words::seen("one"));
    println!("{}", words::is_unheard_of("three"));
    std::process::exit(7);
}
