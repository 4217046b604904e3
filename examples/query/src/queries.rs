//! What Larder is for: queries are compiled once, and their code is used as long as the tables are what it was made for.
//!
//! All queries are one image, under a key that is their text. The tables are not in the key: code has pointers to them, and guards say what it
//! counts on. So another table costs the functions that it makes wrong, and no others.

use crate::answer::{self, Answer};
use crate::codegen::{function_name, module};
use crate::error::Error;
use crate::sql::{Statement, parse};
use crate::table::Tables;
use larder::{Code, CompileOptions, Larder, Module, Session, catch};
use std::sync::Arc;

/// Raised when the same text becomes other code.
const COMPILER: &str = "query 1";

/// Queries that can be asked again and again.
#[derive(Debug)]
pub struct Queries {
    code: Code,
    statements: Arc<Vec<Statement>>,
    /// Code has pointers to them.
    _tables: Arc<Tables>,
}

impl Queries {
    /// Takes the code of queries from the store, or compiles it.
    ///
    /// # Errors
    /// The text is wrong; or there is no code yet, and a query does not fit the tables.
    pub fn prepare(larder: impl Into<Arc<Larder>>, tables: Arc<Tables>, text: &str) -> Result<Queries, Error> {
        let statements = Arc::new(parse(text)?);
        let session = Session::new(larder);
        session.define_all(answer::functions());
        session.resolve_objects_with({
            let tables = Arc::clone(&tables);
            move |name| tables.object(name)
        });
        session.define_predicate("code", {
            let tables = Arc::clone(&tables);
            move |question| tables.code(question)
        });
        session.recompile_with({
            let (statements, tables) = (Arc::clone(&statements), Arc::clone(&tables));
            move |dropped| again(dropped.name, &statements, &tables)
        });
        let key = format!("{COMPILER}: {text}").into_bytes();
        let all =
            Module::keyed("queries", key, || module(statements.iter().enumerate(), &tables).map(String::into_bytes));
        // SAFETY: the module is ours, it declares the functions that it calls as they are, and whatever it counts on it says.
        let code = unsafe { session.load_or_compile(all, &CompileOptions::default()) }?;
        Ok(Queries { code, statements, _tables: tables })
    }

    /// The queries, in the order of the text.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Asks the query of that number, from 0.
    ///
    /// # Errors
    /// A table has changed so that the query does not fit it any more; or there is no such query.
    pub fn ask(&self, number: usize) -> Result<Answer, Error> {
        // SAFETY: that is the type of all its functions.
        let query = unsafe { self.code.function::<extern "C-unwind" fn(*mut Answer)>(&function_name(number)) }?;
        let mut answer = Answer::default();
        catch(|| query(&mut answer))?;
        Ok(answer)
    }
}

/// A module with one query again, for what the tables are now.
fn again(name: &str, statements: &Arc<Vec<Statement>>, tables: &Arc<Tables>) -> Option<Module<'static>> {
    let number = (0..statements.len()).find(|&number| function_name(number) == name)?;
    let statement = &statements[number];
    // Equal tables give equal code: so a later start takes this from the store, too.
    let shape = tables.get(&statement.table)?.shape();
    let key = format!("{COMPILER}: {name} {shape:x} {}", statement.text).into_bytes();
    let (statements, tables) = (Arc::clone(statements), Arc::clone(tables));
    Some(Module::keyed(name.to_owned(), key, move || {
        module([(number, &statements[number])], &tables).map(String::into_bytes)
    }))
}
