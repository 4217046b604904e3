//! A program of 10 000 functions in C, and the same with one function edited: what does an edit cost?
//!
//! The functions are what real ones are made of: loops over structures, switches, strings, tables of numbers and of functions, small
//! functions to inline, calls of neighbours and calls that reach far. A function calls only functions with smaller numbers, and far ones
//! behind a branch that is as good as never taken, so every call ends soon. `main` calls a few of them, the edited one among them, and
//! prints what they answer.
//!
//! The numbers in a function follow from its own number, so that an edit changes nothing but what is edited. Bitcode comes from clang, which
//! numbers strings, types and metadata of the whole module anew, as after any edit.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::bitcode::Programs;
use crate::numbers::Random;

const COUNT: usize = 10_000;
/// The function that is edited, one with a loop in the middle of the program.
const EDITED: usize = COUNT / 2 + 1;
/// One that the edited function doesn't call before: far from it, and with a loop as well.
const FAR: usize = COUNT / 5 + 1;
/// Functions in one table.
const TABLE_LEN: usize = 64;
const HEAD: &str = "\
typedef unsigned long number;
int printf(const char *, ...);
struct item { number key; unsigned weight; unsigned char tag[4]; };
static struct item items[1024];
static number counters[1024];
";

/// What is done to a function in the middle of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing.
    None,
    /// Its loop does more.
    Body,
    /// One of its constants is another.
    Constant,
    /// It calls a function that it didn't call.
    Call,
    /// It calls one that wasn't there.
    Function,
}

impl Edit {
    /// All that change something.
    pub const ALL: [Edit; 4] = [Edit::Body, Edit::Constant, Edit::Call, Edit::Function];
}

impl Programs {
    /// The program after an edit.
    pub fn edited(&self, edit: Edit) -> Result<PathBuf> {
        // Under the same name whatever the edit: the name is part of the bitcode.
        let directory = tempfile::tempdir()?;
        let source = directory.path().join("edited.c");
        fs::write(&source, text(edit)?)?;
        self.c_file(&source, &[])
    }
}

/// The program as C.
fn text(edit: Edit) -> Result<String> {
    let mut text = HEAD.to_owned();
    for index in 0..COUNT {
        let mut random = Random::of_seed(index as u64);
        match index % 5 {
            0 => write_small(index, &mut random, &mut text)?,
            1 => write_loop(index, if index == EDITED { edit } else { Edit::None }, &mut random, &mut text)?,
            2 => write_switch(index, &mut random, &mut text)?,
            3 => write_string(index, &mut random, &mut text)?,
            _ => write_rows(index, &mut random, &mut text)?,
        }
        if (index + 1).is_multiple_of(TABLE_LEN) {
            write_table(index / TABLE_LEN, &mut text)?;
        }
    }
    write_main(&mut text)?;
    Ok(text)
}

/// Small enough to be inlined wherever it is called.
fn write_small(index: usize, random: &mut Random, text: &mut String) -> Result<()> {
    let [first, second] = [(); 2].map(|()| random.constant());
    writeln!(text, "static number f{index}(number x) {{")?;
    writeln!(text, "  counters[{}] += x;\n  return (x ^ {first}u) * {second}u;\n}}", index % 1024)?;
    Ok(())
}

fn write_loop(index: usize, edit: Edit, random: &mut Random, text: &mut String) -> Result<()> {
    let [first, second] = [(); 2].map(|()| random.constant());
    let first = if edit == Edit::Constant { first + 2 } else { first };
    if edit == Edit::Function {
        writeln!(
            text,
            "number added(number x) {{\n  for (unsigned i = 0; i < 9; ++i)\n    x ^= f{}(x) >> i;",
            index - 1
        )?;
        writeln!(text, "  return x;\n}}")?;
    }
    writeln!(
        text,
        "number f{index}(number x) {{\n  number sum = x * {first}u;\n  for (unsigned i = 0; i < 16; ++i) {{"
    )?;
    writeln!(text, "    struct item *item = &items[(x + i * 7) & 1023];\n    item->weight += sum >> 5;")?;
    writeln!(text, "    item->tag[i & 3] ^= item->weight;")?;
    writeln!(text, "    if (item->key & 1)\n      sum += item->weight * {first}u + item->tag[0];")?;
    writeln!(
        text,
        "    else\n      sum ^= f{}(item->key + i);\n    item->key = item->key * {second}u + i;",
        index - 1
    )?;
    match edit {
        Edit::Body => writeln!(text, "    sum = (sum << 7 | sum >> 57) + item->tag[2];")?,
        Edit::Call => writeln!(text, "    sum += f{FAR}(sum & 15);")?,
        Edit::Function => writeln!(text, "    sum += added(sum);")?,
        Edit::None | Edit::Constant => {}
    }
    writeln!(text, "  }}\n  return sum;\n}}")?;
    Ok(())
}

fn write_switch(index: usize, random: &mut Random, text: &mut String) -> Result<()> {
    writeln!(text, "number f{index}(number x) {{\n  switch (x % 9) {{")?;
    for case in 0..6 {
        let constant = random.constant();
        let near = if case % 2 == 0 { format!("f{}(x / 9)", index - 1) } else { format!("counters[{case}]++") };
        writeln!(text, "  case {case}: return x * {constant}u + {near};")?;
    }
    write_far(index, random, text)?;
    writeln!(text, "  default: return f{}(x) >> 3;\n  }}\n}}", index - 2)?;
    Ok(())
}

/// Calls that reach far, as a case of a switch.
fn write_far(index: usize, random: &mut Random, text: &mut String) -> Result<()> {
    writeln!(text, "  case 7:\n    if (x == {}u)\n      return f{}(x);", random.constant(), index / 2)?;
    if let Some(table) = (index / TABLE_LEN).checked_sub(1) {
        writeln!(text, "    if (x == {}u)\n      return table{table}[x & {}](x);", random.constant(), TABLE_LEN - 1)?;
    }
    writeln!(text, "    return ++counters[{}];", index % 1024)?;
    Ok(())
}

fn write_string(index: usize, random: &mut Random, text: &mut String) -> Result<()> {
    let [first, second] = [(); 2].map(|()| random.constant());
    writeln!(text, "static number f{index}(number x) {{\n  number hash = x ^ {first}u;")?;
    writeln!(text, "  for (const char *at = \"what function {index} says\"; *at; ++at)")?;
    writeln!(text, "    hash = (hash ^ *at) * {second}u;\n  return hash & 1 ? f{}(hash) : hash;\n}}", index - 1)?;
    Ok(())
}

fn write_rows(index: usize, random: &mut Random, text: &mut String) -> Result<()> {
    write!(text, "number f{index}(number x) {{\n  static const unsigned factors[16] = {{")?;
    for _ in 0..16 {
        write!(text, "{}, ", random.below(1 << 20))?;
    }
    writeln!(text, "}};\n  static double row[16];\n  double total = 0;\n  for (unsigned i = 0; i < 16; ++i) {{")?;
    writeln!(text, "    row[i] += factors[i] * (double)(x & 255);\n    total += row[i];\n  }}")?;
    writeln!(text, "  return f{}(x + (number)total) + f{}(x);\n}}", index - 1, index - 4)?;
    Ok(())
}

fn write_table(table: usize, text: &mut String) -> Result<()> {
    write!(text, "static number (*const table{table}[{TABLE_LEN}])(number) = {{")?;
    for member in table * TABLE_LEN..(table + 1) * TABLE_LEN {
        write!(text, "f{member}, ")?;
    }
    writeln!(text, "}};")?;
    Ok(())
}

fn write_main(text: &mut String) -> Result<()> {
    writeln!(text, "int main(void) {{")?;
    for called in (COUNT / 10..=COUNT).step_by(COUNT / 10).map(|end| end - 1).chain([EDITED]) {
        writeln!(text, "  printf(\"%016lx\\n\", f{called}({called}));")?;
    }
    writeln!(text, "  return 0;\n}}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_one_function() -> Result<()> {
        let whole = text(Edit::None)?;
        let lines: Vec<_> = whole.lines().collect();
        for edit in Edit::ALL {
            let edited = text(edit)?;
            let edited: Vec<_> = edited.lines().collect();
            let same =
                |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(one, other)| one == other).count();
            let (before, behind) =
                (same(&mut lines.iter().zip(&edited)), same(&mut lines.iter().rev().zip(edited.iter().rev())));
            let between = edited.len().saturating_sub(before + behind);
            assert!((1..=20).contains(&between), "{edit:?}: {between} lines");
        }
        Ok(())
    }
}
