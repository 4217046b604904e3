//! What Larder is for: definitions are compiled once, and are there again when the interpreter is started the next time.
//!
//! Each definition is an image of its own in a session, under the key that is its text; so the same text is never compiled twice. A file
//! has the texts in the order in which they were entered, and is read again at the next start. An expression is code, too: it is kept in
//! the store like any other, but it is let go of as soon as it has answered.

use crate::codegen;
use crate::error::{Error, Position};
use crate::lexer::{Token, tokens};
use crate::parser::{self, Known};
use crate::syntax::{EXPRESSION, Function, Item, Prototype};
use larder::runtime::{Address, Deferral};
use larder::{Code, CompileOptions, Larder, Module, Session, Settings, StorePlace, catch};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::path::Path;

/// Raised when the same text becomes other code.
const LANGUAGE: &str = "kaleidoscope 1";
/// The file of definitions.
const DEFINITIONS: &str = "definitions";

unsafe extern "C" {
    safe fn sin(x: f64) -> f64;
    safe fn cos(x: f64) -> f64;
    safe fn sqrt(x: f64) -> f64;
    safe fn pow(x: f64, y: f64) -> f64;
}

/// Prints a number on a line of its own.
extern "C" fn print(number: f64) -> f64 {
    writeln!(io::stdout(), "{number}").map_or(1.0, |()| 0.0)
}

/// Prints the character of that number.
extern "C" fn put(character: f64) -> f64 {
    let character = char::from_u32(character as u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    write!(io::stdout(), "{character}").map_or(1.0, |()| 0.0)
}

/// What programs find without defining it: the name, how many arguments it has, and where it is.
fn built_in() -> [(&'static str, usize, Address); 6] {
    [
        ("sin", 1, sin as Address),
        ("cos", 1, cos as Address),
        ("sqrt", 1, sqrt as Address),
        ("pow", 2, pow as Address),
        ("print", 1, print as Address),
        ("put", 1, put as Address),
    ]
}

pub(crate) struct Interpreter {
    session: Session,
    known: Known,
    /// All that was defined, one on each line.
    definitions: File,
    /// Of the item that is being entered.
    tokens: Vec<(Position, Token)>,
}

impl Interpreter {
    /// Takes up what was defined in a folder before.
    pub(crate) fn open(folder: &Path) -> Result<Interpreter, Error> {
        let mut settings = Settings::default();
        settings.store = StorePlace::Dir(folder.join("store"));
        let session = Session::new(Larder::open(settings));
        let mut known = Known::default();
        for (name, arity, address) in built_in() {
            session.define(&codegen::symbol(name), address);
            known.add(&Prototype { name: name.to_owned(), parameters: vec![String::new(); arity], precedence: None });
        }
        let path = folder.join(DEFINITIONS).display().to_string();
        let failed = |source| Error::File { path: path.clone(), source };
        let text = fs::read_to_string(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(String::new()),
            _ => Err(failed(error)),
        })?;
        fs::create_dir_all(folder).map_err(failed)?;
        let definitions = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let mut interpreter = Interpreter { session, known, definitions, tokens: Vec::new() };
        interpreter.take_up(&text).map_err(|error| Error::Definitions { path, error: Box::new(error) })?;
        Ok(interpreter)
    }

    fn take_up(&mut self, definitions: &str) -> Result<(), Error> {
        for (number, line) in (1..).zip(definitions.lines()) {
            self.enter(number, line)?;
            while let Some(item) = self.next_item() {
                self.execute(&item?)?;
            }
        }
        Ok(())
    }

    /// Adds a line of the program. If it is nonsense, what was begun before it is forgotten as well.
    pub(crate) fn enter(&mut self, number: usize, line: &str) -> Result<(), Error> {
        let begun = mem::take(&mut self.tokens);
        let added = tokens(number, line)?;
        self.tokens = [begun, added].concat();
        Ok(())
    }

    /// Whether an item was begun that has no end yet.
    pub(crate) fn is_within_item(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Does what the next item says that was entered to its end: `None` if there is none, and the value if it is an expression.
    pub(crate) fn run(&mut self) -> Option<Result<Option<f64>, Error>> {
        let item = self.next_item()?;
        Some(item.and_then(|item| {
            let value = self.execute(&item)?;
            if value.is_none() {
                writeln!(self.definitions, "{item};")
                    .map_err(|source| Error::File { path: DEFINITIONS.to_owned(), source })?;
            }
            Ok(value)
        }))
    }

    /// How many items were compiled since the start, and how many were taken from the store.
    pub(crate) fn statistics(&self) -> (u64, u64) {
        let counts = self.session.larder().counts();
        (counts.compiled, counts.hits)
    }

    fn next_item(&mut self) -> Option<Result<Item, Error>> {
        let end = self.tokens.iter().position(|(_, token)| *token == Token::Symbol(';'))?;
        let tokens: Vec<_> = self.tokens.drain(..=end).collect();
        Some(parser::item(&tokens[..end], tokens[end].0, &self.known))
    }

    fn execute(&mut self, item: &Item) -> Result<Option<f64>, Error> {
        match item {
            Item::Definition(function) => {
                // Code that comes later may call it, so it stays; code that was loaded earlier goes on with what the name meant then.
                self.session.keep(&self.load(function)?);
                self.known.add(&function.prototype);
                Ok(None)
            }
            Item::Extern(prototype) => {
                // Whoever calls it is loaded all the same, and can be called when it is defined.
                self.session.defer(&codegen::symbol(&prototype.name), Deferral::Function);
                self.known.add(prototype);
                Ok(None)
            }
            Item::Expression(function) => {
                let code = self.load(function)?;
                // SAFETY: that is its type; it has no parameters.
                let expression =
                    unsafe { code.function::<extern "C-unwind" fn() -> f64>(&codegen::symbol(EXPRESSION)) }?;
                Ok(Some(catch(|| expression())?))
            }
        }
    }

    /// Takes a function from the store, or compiles it. IR is made on a miss only.
    fn load(&self, function: &Function) -> Result<Code, Error> {
        let name = function.prototype.name.as_str();
        let key = format!("{LANGUAGE}: {function}").into_bytes();
        let module = Module::keyed(name, key, || codegen::bitcode(function));
        // SAFETY: the module is ours. All that it can call is a function of numbers with as many parameters as the parser has counted,
        // and a name keeps their number for ever.
        Ok(unsafe { self.session.load_or_compile(module, &CompileOptions::default()) }?)
    }
}
