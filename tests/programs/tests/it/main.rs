//! The programs themselves, natively: the scripts must pass here before they can judge anything else.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::Result;
use larder_programs::{LUA_SCRIPTS, Programs, SQL_SCRIPTS, lua_script, sql_script};

fn passes(executable: &Path, arguments: &[&Path]) -> Result<Output> {
    let output = Command::new(executable).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
    assert!(!output.stdout.is_empty(), "{arguments:?} prints nothing");
    Ok(output)
}

#[test]
fn lua_passes_its_scripts_and_repeats_itself() -> Result<()> {
    let programs = Programs::open()?;
    let lua = programs.executable(&programs.lua()?)?;
    for name in LUA_SCRIPTS {
        let script = lua_script(name);
        assert_eq!(passes(&lua, &[&script])?, passes(&lua, &[&script])?, "{name}");
    }
    Ok(())
}

#[test]
fn sqlite_passes_its_scripts_and_repeats_itself() -> Result<()> {
    let programs = Programs::open()?;
    let sqlite = programs.executable(&programs.sqlite()?)?;
    for name in SQL_SCRIPTS {
        let script = sql_script(name);
        let arguments = [Path::new(":memory:"), Path::new("-f"), &script];
        assert_eq!(passes(&sqlite, &arguments)?, passes(&sqlite, &arguments)?, "{name}");
    }
    Ok(())
}

#[test]
fn a_generated_module_runs_in_a_host_as_it_does_alone() -> Result<()> {
    let programs = Programs::open()?;
    let module = programs.generated(1000)?;
    let alone = passes(&programs.executable(&module)?, &[])?;
    let hosted = passes(&programs.dlopen_host()?, &[&programs.shared_library(&module)?])?;
    assert_eq!(alone, hosted);
    assert_eq!(alone.stdout.iter().filter(|byte| **byte == b'\n').count(), 10);
    Ok(())
}
