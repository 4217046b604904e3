//! What the programs are made to do: Lua scripts and SQL statements that reach most of the code behind them.
//!
//! The scripts check themselves where they can (a failed check is an exit code) and print the rest, for comparison with
//! the native executable. They print nothing that changes between runs: no time, no address, no hash order.

use std::path::{Path, PathBuf};

/// Names of the Lua scripts, for [`lua_script`].
pub const LUA_SCRIPTS: [&str; 8] =
    ["closures", "coroutines", "errors", "gc", "metatables", "numbers", "strings", "tables"];

/// Names of the SQL scripts, for [`sql_script`].
pub const SQL_SCRIPTS: [&str; 8] =
    ["stress", "joins", "windows", "triggers", "json", "fts", "functions", "transactions"];

/// Names of the scripts for DuckDB, for [`duckdb_script`].
pub const DUCKDB_SCRIPTS: [&str; 7] = ["tables", "errors", "threads", "text", "files", "transactions", "stored"];

/// The file of a Lua script: self-contained, takes no arguments, runs well under a second.
pub fn lua_script(name: &str) -> PathBuf {
    script("lua", name, "lua")
}

/// The file of an SQL script: expects an empty database, runs well under a second.
pub fn sql_script(name: &str) -> PathBuf {
    script("sql", name, "sql")
}

/// The file of a script for DuckDB: expects an empty database, writes files into the current directory, runs a few seconds.
pub fn duckdb_script(name: &str) -> PathBuf {
    script("duckdb", name, "sql")
}

fn script(directory: &str, name: &str, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name).with_extension(extension)
}
