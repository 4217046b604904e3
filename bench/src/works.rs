//! The works: programs and what they are made to do.
//!
//! Each does little, because the start is what is measured; but what it does is real, and it runs through code from all
//! over the program.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use larder_programs::Programs;

/// One program with its arguments.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) title: String,
    /// Bitcode as a front end gives it.
    pub(crate) module: PathBuf,
    pub(crate) arguments: Vec<String>,
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

/// The works that were asked for, smallest first; all of them if none was named.
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
            works.push(work(programs, &name, &format!("{functions} functions"), programs.generated(functions)?, &[])?);
        }
    }
    ensure!(
        !works.is_empty(),
        "no work has that name; there are one_function, lua, sqlite, generated_1000, generated_10000, generated_100000"
    );
    Ok(works)
}

fn work(programs: &Programs, name: &str, title: &str, module: PathBuf, arguments: &[&str]) -> Result<Work> {
    let native = Native {
        optimised: programs.optimised(&module)?,
        object: programs.object(&module)?,
        library: programs.shared_library(&module)?,
        executable: programs.executable(&module)?,
    };
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Ok(Work { name: name.to_owned(), title: title.to_owned(), module, arguments, native })
}
