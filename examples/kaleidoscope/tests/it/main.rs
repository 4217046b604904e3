//! The interpreter as people use it: programs on standard input, and folders in which definitions survive.

use larder_programs::check_transcripts;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const KALEIDOSCOPE: &str = env!("CARGO_BIN_EXE_kaleidoscope");

/// Lines on standard output and on standard error.
fn run(folder: &Path, program: &str) -> Result<(Vec<String>, Vec<String>), Box<dyn Error>> {
    let mut command = Command::new(KALEIDOSCOPE);
    command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("LARDER_LOG");
    let mut child = command.spawn()?;
    child.stdin.take().ok_or("a pipe")?.write_all(program.as_bytes())?;
    let output = child.wait_with_output()?;
    let lines =
        |bytes: Vec<u8>| Ok::<_, Box<dyn Error>>(String::from_utf8(bytes)?.lines().map(str::to_owned).collect());
    let (out, errors): (Vec<_>, Vec<_>) = (lines(output.stdout)?, lines(output.stderr)?);
    assert_eq!(output.status.code(), Some(i32::from(!errors.is_empty())), "{errors:?}");
    Ok((out, errors))
}

/// What a right program prints.
fn values(folder: &Path, program: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let (values, errors) = run(folder, program)?;
    assert!(errors.is_empty(), "{errors:?}");
    Ok(values)
}

#[test]
fn the_readme_is_true() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for program in ["mandelbrot.k", "again.k", "parity.k"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(program);
        std::fs::copy(source, dir.path().join(program))?;
    }
    Ok(check_transcripts(include_str!("../../README.md"), dir.path(), Path::new(KALEIDOSCOPE))?)
}

#[test]
fn programs_compute_what_rust_computes() -> Result<(), Box<dyn Error>> {
    fn gcd(a: f64, b: f64) -> f64 {
        if b < 1.0 { a } else { gcd(b, a - b * (a / b).floor()) }
    }
    fn newton(x: f64) -> f64 {
        (0..20).fold(1.0, |guess, _| (guess + x / guess) / 2.0)
    }
    let mut program = "
        def floor(x) var n in (for i = 1, i < x | i == x in n = i) | n;
    "
    .to_owned();
    // Operators of the program's own: `|` is `or`, and gives the second if the first is zero.
    program.insert_str(
        0,
        "def binary| 5 (a b) if a then a else b;
         def binary~ 9 (a b) if a < b then 0 else if b < a then 0 else 1;
         def binary% 40 (a b) if a < b then a else (a - b) % b;
         def unary-(x) 0 - x;",
    );
    program = program.replace("i == x", "i ~ x");
    program += "
        def gcd(a b) if b < 1 then a else gcd(b, a % b);
        def newton(x) var guess = 1 in (for i = 0, i < 20 in guess = (guess + x / guess) / 2) | guess;
        def shadow(x) var x = x * 2, y = x in (var x = 100 in x) + x + y;
        def assigned(x) (x = 5) * (x = x + 1);\n";
    let mut expected = Vec::new();
    let mut ask = |expression: String, value: f64| {
        writeln!(program, "{expression};")?;
        expected.push(value.to_string());
        Ok::<_, std::fmt::Error>(())
    };
    for (a, b) in [(1071.0, 462.0), (17.0, 5.0), (100.0, 75.0)] {
        ask(format!("gcd({a}, {b})"), gcd(a, b))?;
    }
    for x in [2.0, 0.3, 1e6] {
        ask(format!("newton({x})"), newton(x))?;
        ask(format!("sqrt({x}) + pow({x}, 2.5) * sin({x}) / cos({x})"), {
            x.sqrt() + x.powf(2.5) * x.sin() / x.cos()
        })?;
        ask(format!("- {x} * 2 + 1 - 3 / - - {x}"), -x * 2.0 + 1.0 - 3.0 / x)?;
    }
    ask("floor(7.5) + floor(3)".to_owned(), 10.0)?;
    ask("shadow(3)".to_owned(), 112.0)?;
    ask("assigned(1)".to_owned(), 30.0)?;
    ask("1 / 0 - 1 / 0".to_owned(), f64::NAN)?;
    ask("if 1 / 0 - 1 / 0 then 1 else 2".to_owned(), 2.0)?;
    let dir = tempfile::tempdir()?;
    assert_eq!(values(dir.path(), &program)?, expected);
    // And so does what was kept of it.
    program.push_str(":stats\n");
    let again = values(dir.path(), &program)?;
    assert_eq!(again[..expected.len()], expected);
    assert!(again[expected.len()].starts_with("compiled: 0,"), "{again:?}");
    Ok(())
}

#[test]
fn the_picture_is_the_one_that_rust_draws() -> Result<(), Box<dyn Error>> {
    fn steps(a: f64, b: f64) -> u32 {
        let (mut x, mut y, mut n) = (0.0, 0.0, 0);
        while x * x + y * y < 4.0 && n < 40 {
            (x, y, n) = (x * x - y * y + a, 2.0 * x * y + b, n + 1);
        }
        n
    }
    fn range(first: f64, end: f64, step: f64) -> impl Iterator<Item = f64> {
        std::iter::successors(Some(first), move |last| Some(last + step)).take_while(move |next| *next < end)
    }
    let shade = |n| match n {
        40 => '@',
        11.. => '*',
        5.. => '+',
        3.. => '.',
        _ => ' ',
    };
    let line = |y| range(-2.2, 1.0, 0.06).map(|x| shade(steps(x, y))).collect::<String>();
    let mut picture: Vec<_> = range(-1.2, 1.3, 0.15).map(line).collect();
    picture.extend(["0", "compiled: 6, taken from the store: 0"].map(str::to_owned));
    let dir = tempfile::tempdir()?;
    assert_eq!(values(dir.path(), include_str!("../../programs/mandelbrot.k"))?, picture);
    Ok(())
}

#[test]
fn what_programs_print_comes_in_its_order() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    assert_eq!(values(dir.path(), "1; print(2); 3;\nput(52); 5")?, ["1", "2", "0", "3", "40", "5"]);
    Ok(())
}

#[test]
fn definitions_survive_with_what_they_meant() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let program = "def g(x) x + 1; def f(x) g(x) * 10; def g(x) x + 2; def h(x) g(x) * 10; f(1); h(1);";
    assert_eq!(values(dir.path(), program)?, ["20", "30"]);
    // The later `g` replaces the earlier one for what comes later, today as yesterday.
    let again = values(dir.path(), ":stats\nf(1); h(1); g(1);\n:stats\n")?;
    assert_eq!(
        again,
        ["compiled: 0, taken from the store: 4", "20", "30", "3", "compiled: 1, taken from the store: 6"]
    );
    let third = values(dir.path(), "def f(x) g(x) * 10; f(1);")?;
    assert_eq!(third, ["30"]);
    assert_eq!(values(dir.path(), "f(1);\n:stats")?, ["30", "compiled: 0, taken from the store: 6"]);
    Ok(())
}

#[test]
fn what_is_wrong_is_told_and_the_rest_goes_on() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (out, errors) = run(dir.path(), "1 +;\n2;\n$ x; 3;\ndef f(x) y; def g(x) x; g(4);\nextern g(a b);\n5 ? 6")?;
    assert_eq!(out, ["2", "3", "4"]);
    let expected = [
        "1:4: an expression was expected",
        "3:1: an expression was expected",
        "4:10: there is no variable y",
        "5:8: g takes 1, not 2 arguments",
        "6:3: `;` was expected",
    ];
    assert_eq!(errors, expected);
    // Nothing wrong was written down.
    assert_eq!(values(dir.path(), "g(1)")?, ["1"]);
    let (_, errors) = run(dir.path(), &format!("{}1;", "(".repeat(20_000)))?;
    assert_eq!(errors.len(), 1, "{errors:?}");
    let deep = format!("{}1{};", "(".repeat(4000), ")".repeat(4000));
    assert_eq!(values(dir.path(), &deep)?, ["1"]);
    let long = format!("1{};", " + 1".repeat(4000));
    assert_eq!(values(dir.path(), &long)?, ["4001"]);
    std::fs::write(dir.path().join("definitions"), "def f(x) x;\ndef g(x) y;\n")?;
    let errors = run(dir.path(), "1;")?.1;
    assert!(errors[0].ends_with("/definitions:2:10: there is no variable y"), "{errors:?}");
    Ok(())
}
