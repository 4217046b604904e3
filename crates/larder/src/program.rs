//! What goes in when it is more than one module: the inputs of a link line, in their order.

use crate::module::{BuildError, From as Source, Module};
use crate::sibling::Sibling;
use std::borrow::Cow;
use std::path::PathBuf;

/// One input of a program: a module, a relocatable ELF object of any compiler, or an archive of either. Which of them it is, its first
/// bytes say.
///
/// Of an archive only those members are taken that define a name which is undefined where the archive stands or later, as linkers do it.
#[derive(Debug)]
pub struct Input<'a>(Module<'a>);

/// The inputs of a program. Their order decides between equals, as on a linker's command line: of several weak definitions the first is
/// used, and initialisers run in that order.
///
/// ```
/// use larder::{Input, Module, Program};
///
/// let program = Program::from(Module::file("main.bc")).and(Module::file("rows.bc")).and(Input::file("libquery.a"));
/// assert_eq!(program.name(), "main.bc");
/// ```
#[derive(Debug)]
pub struct Program<'a> {
    pub(crate) inputs: Vec<Module<'a>>,
}

impl<'a> Input<'a> {
    /// A file. It is opened only if its state has not been seen before, or on a miss.
    pub fn file(path: impl Into<PathBuf>) -> Input<'static> {
        Input(Module::file(path))
    }

    /// The same in memory. `name` is for diagnostics.
    pub fn bytes(name: impl Into<Cow<'a, str>>, bytes: impl Into<Cow<'a, [u8]>>) -> Input<'a> {
        Input(Module::bytes(name, bytes))
    }

    /// What `build` makes on a miss. Equal keys must mean equal bytes.
    pub fn keyed<E: Into<BuildError>>(
        name: impl Into<Cow<'a, str>>,
        key: impl Into<Cow<'a, [u8]>>,
        build: impl FnOnce() -> Result<Vec<u8>, E> + 'a,
    ) -> Input<'a> {
        Input(Module::keyed(name, key, build))
    }
}

impl<'a> From<Module<'a>> for Input<'a> {
    fn from(module: Module<'a>) -> Self {
        Input(module)
    }
}

impl<'a> Program<'a> {
    /// The same with one more input, behind the others.
    #[must_use]
    pub fn and(mut self, input: impl Into<Input<'a>>) -> Program<'a> {
        self.inputs.push(input.into().0);
        self
    }

    /// Takes the inputs under keys of the caller's from an image of the same program, if it has them.
    pub(crate) fn take_keyed(&mut self, sibling: &Sibling) {
        let Some(saved) = sibling.inputs().filter(|saved| saved.len() == self.inputs.len()) else { return };
        for (input, bytes) in self.inputs.iter_mut().zip(saved) {
            if matches!(input.from, Source::Key { .. }) {
                input.from = Source::Bytes(bytes.into());
            }
        }
    }

    /// What diagnostics call it: the name of the first input.
    pub fn name(&self) -> &str {
        self.inputs.first().map_or("", Module::name)
    }
}

impl<'a> From<Module<'a>> for Program<'a> {
    fn from(module: Module<'a>) -> Self {
        Input(module).into()
    }
}

impl<'a> From<Input<'a>> for Program<'a> {
    fn from(input: Input<'a>) -> Self {
        Program { inputs: vec![input.0] }
    }
}

impl<'a> FromIterator<Input<'a>> for Program<'a> {
    fn from_iter<I: IntoIterator<Item = Input<'a>>>(inputs: I) -> Self {
        Program { inputs: inputs.into_iter().map(|input| input.0).collect() }
    }
}
