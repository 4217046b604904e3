//! Functions and the imports that each uses itself.

use crate::image::{link_all, text};
use crate::tools::{assemble, clang, gcc};
use larder_format::image::unit_flags;

#[test]
fn each_function_has_the_imports_it_uses_itself() {
    let source = "
        extern int a(int), b(int), value;
        static __attribute__((noinline)) int inner(int x) { return a(x) + a(x + 1); }
        int outer(int x) { return inner(x) + b(x) + value; }
        int nothing(int x) { return x * 3; }
    ";
    for (compile, flags) in
        [(clang as fn(&str, &str, &[&str]) -> _, "-fPIC"), (gcc, "-fno-plt"), (clang, "-ffunction-sections")]
    {
        let case = link_all(&[&compile("a.c", source, &["-O2", "-fPIC", flags])]);
        let image = case.image();
        let names = case.imports();
        let mut units: Vec<(String, Vec<&str>, u32)> = Vec::new();
        for unit in image.units().iter() {
            let rows = unit.imports_first..unit.imports_first + unit.imports_count;
            let imports = rows.map(|row| image.unit_imports().get(row as usize).expect("it is in the table") as usize);
            units.push((text(&image, unit.name), imports.map(|import| names[import].as_str()).collect(), unit.flags));
        }
        units.sort();
        let exported = unit_flags::EXPORTED;
        let expected = [
            ("inner".to_owned(), vec!["a"], 0),
            ("nothing".to_owned(), vec![], exported),
            ("outer".to_owned(), vec!["b", "value"], exported),
        ];
        assert_eq!(units, expected, "{flags}");
    }
}

#[test]
fn a_function_of_several_names_is_one_unit_with_the_best_of_them() {
    let alias = |binding: &str, name: &str| format!("{binding} {name}\n.type {name}, @function\n{name}:\n");
    let object = assemble(&format!(
        "{}{}{}.hidden SECRET\n{}ret\n.size inner, .-inner\n.size b, .-b\n.size a, .-a\n.size SECRET, .-SECRET",
        alias(".local", "inner"),
        alias(".globl", "b"),
        alias(".globl", "SECRET"),
        alias(".globl", "a"),
    ));
    let case = link_all(&[&object]);
    let units: Vec<_> = case.image().units().iter().map(|unit| (text(&case.image(), unit.name), unit.len)).collect();
    assert_eq!(units, [("a".to_owned(), 1)]);
    assert_eq!(case.exports(), ["a", "b"]);
}

#[test]
fn a_size_that_leaves_the_section_is_cut() {
    let object = assemble(".globl a\n.type a, @function\na: ret\n.size a, 4000");
    assert_eq!(link_all(&[&object]).image().units().get(0).map(|unit| unit.len), Some(1));
}
