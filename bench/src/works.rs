//! The works: programs and what they are made to do.
//!
//! Each does little, because the start is what is measured; but what it does is real, and it runs through code from all
//! over the program.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use larder_programs::{Edit, Programs};

/// Works that measure one operation themselves, and nothing else is measured of them.
pub(crate) const OPERATIONS: [(&str, &str); 3] = [
    ("throw", "throw an exception through three frames and catch it"),
    ("thread_local", "read and write two thread-local variables"),
    ("constructors", "construct a static object and register its destructor"),
];

/// A program that is compiled again after an edit, and nothing else is measured of it.
pub(crate) const EDIT: &str = "edit";

/// A host and what it loads, and nothing else is measured of it.
pub(crate) const EMBEDDING: &str = "embedding";

/// One program with its arguments.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) title: String,
    /// Bitcode as a front end gives it.
    pub(crate) module: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// It takes so long to compile that it is compiled as seldom as possible.
    pub(crate) is_large: bool,
    /// Libraries that it needs beyond the C library.
    pub(crate) libraries: &'static [&'static str],
    pub(crate) native: Native,
}

/// The same bitcode after `opt -O2`, and as native code.
pub(crate) struct Native {
    pub(crate) optimised: PathBuf,
    pub(crate) object: PathBuf,
    pub(crate) library: PathBuf,
    pub(crate) executable: PathBuf,
}

const LUA: &str = "\
local t = {} \
for i = 1, 200 do t[#t + 1] = ('%d:%s'):format(i, ('x'):rep(i % 5)) end \
table.sort(t, function(a, b) return a > b end) \
local ok, why = pcall(function() error({code = 7}) end) \
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(math.sin(i)) end end) \
print(#table.concat(t), t[1], ok, why.code, ('%.6f'):format(co() + co()))";

const SQL: &str = "\
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL);\
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) \
INSERT INTO item SELECT i, 'item ' || i, i * 1.25 FROM n;\
CREATE INDEX item_name ON item(name);\
SELECT count(*), sum(price), min(name), max(name) FROM item;\
SELECT id, name FROM item WHERE name LIKE '%9' ORDER BY price DESC LIMIT 3;";

const DUCKDB: &str = "\
CREATE TABLE item AS SELECT i AS id, 'item ' || i AS name, i * 1.25 AS price, i % 7 AS kind FROM range(1000) t(i);\
SELECT count(*), sum(price), min(name), max(name) FROM item;\
SELECT kind, sum(price) FROM item JOIN range(500) t(i) ON i = id GROUP BY kind ORDER BY kind;\
SELECT id, rank() OVER (ORDER BY price DESC) AS place FROM item WHERE name LIKE '%99' ORDER BY place LIMIT 3;";

/// The works that were asked for, smallest first; if none was named, all but DuckDB, which takes more than an hour to build and to measure.
pub(crate) fn works(programs: &Programs, only: &[String], quick: bool) -> Result<Vec<Work>> {
    let mut works = Vec::new();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    if wanted("one_function") {
        works.push(work(programs, "one_function", "one function", programs.one_function(), &[])?);
    }
    if wanted("lua") {
        works.push(work(programs, "lua", "Lua, a short script", programs.lua()?, &["-e", LUA])?);
    }
    if wanted("sqlite") {
        let title = "SQLite, create/insert/select in memory";
        works.push(work(programs, "sqlite", title, programs.sqlite()?, &[":memory:", SQL])?);
    }
    for functions in [1_000, 10_000, 100_000] {
        let name = format!("generated_{functions}");
        // Building the largest takes minutes, so a quick bench has it only when it is named.
        let too_long = quick && functions == 100_000 && only.is_empty();
        if wanted(&name) && !too_long {
            let title = format!("{functions} functions");
            let mut generated = work(programs, &name, &title, programs.generated(functions)?, &[])?;
            generated.is_large = functions >= 10_000;
            works.push(generated);
        }
    }
    if wanted(EMBEDDING) {
        works.push(work(programs, EMBEDDING, "a host that keeps its code", programs.one_function(), &[])?);
    }
    if wanted(EDIT) {
        works.push(edited(programs, Edit::None)?);
    }
    for (name, title) in OPERATIONS {
        if wanted(name) {
            works.push(work(programs, name, title, programs.operation(name)?, &[])?);
        }
    }
    if only.iter().any(|wanted| wanted == "duckdb") {
        let title = "DuckDB, create/insert/join/aggregate in memory";
        let mut duckdb = work(programs, "duckdb", title, programs.duckdb()?, &[":memory:", DUCKDB])?;
        duckdb.is_large = true;
        duckdb.libraries = &["libm.so.6", "libstdc++.so.6"];
        works.push(duckdb);
    }
    ensure!(
        !works.is_empty(),
        "no work has that name; there are one_function, lua, sqlite, generated_1000, generated_10000, generated_100000, edit, \
         embedding, throw, thread_local, constructors, duckdb"
    );
    Ok(works)
}

/// The program that is edited, after that edit.
pub(crate) fn edited(programs: &Programs, edit: Edit) -> Result<Work> {
    work(programs, EDIT, "10000 functions in C, one of them edited", programs.edited(edit)?, &[])
}

fn work(programs: &Programs, name: &str, title: &str, module: PathBuf, arguments: &[&str]) -> Result<Work> {
    let native = Native {
        optimised: programs.optimised(&module)?,
        object: programs.object(&module)?,
        library: programs.shared_library(&module)?,
        executable: programs.executable(&module)?,
    };
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Ok(Work {
        name: name.to_owned(),
        title: title.to_owned(),
        module,
        arguments,
        is_large: false,
        libraries: &["libm.so.6"],
        native,
    })
}
