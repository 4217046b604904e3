//! What a program consists of: its modules and objects, and of its archives the members that it needs.
//!
//! Which members those are shows in the objects, so modules are compiled first. A member that is a module itself is known by the symbols
//! of its IR until it is needed; then it is compiled, its objects take the place of those symbols, and the question is asked again,
//! until nothing is missing. So a program takes what it would take if each module had been an object from the beginning.

use crate::compile::Content;
use crate::error::Error;
use crate::generate::{Generated, Generator, Ir};
use crate::larder::Progress;
use crate::worker::Symbols;
use larder_link::{
    ARCHIVE_MAGIC, Entrant, LinkError, Mention, Object, Taken, read_archive, read_mentions, take_members,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

mod merged;

/// First bytes of LLVM bitcode, bare and in its wrapper.
const BITCODE: [&[u8]; 2] = [b"BC\xc0\xde", b"\xde\xc0\x17\x0b"];

/// A part of a program, ready to be linked.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// What the user calls it.
    pub(crate) name: String,
    pub(crate) made: Made<'a>,
}

/// Where a part's objects come from.
#[derive(Debug)]
pub(crate) enum Made<'a> {
    /// A module that was compiled, or whose objects were kept.
    Module(Box<Generated>),
    /// An object of another compiler.
    Object(&'a [u8]),
}

/// Something that may become a part.
struct Item<'a> {
    name: String,
    bytes: &'a [u8],
    digest: [u8; 32],
    /// Of a module: how many items before it have the same bytes.
    repetition: u32,
    is_module: bool,
    /// The input it is, or is a member of.
    input: usize,
    is_member: bool,
}

/// The parts of a program, in the order in which they are linked. `wanted` are names that it must define, wherever.
pub(crate) fn gather<'a>(
    generator: &Generator<'_>,
    inputs: &'a [Content<'_>],
    wanted: &[&[u8]],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Part<'a>>, Error> {
    let items = expand(inputs)?;
    let generator = Generator { keep: items.len() > 1, ..*generator };
    if generator.code.options.lto && items.iter().filter(|item| item.is_module).count() > 1 {
        return merged::gather(&generator, &items, wanted, progress);
    }
    let mut gathering = Gathering { items: &items, generator, generated: BTreeMap::new() };
    let given = gathering.modules(|item| !item.is_member);
    gathering.generate(&given, progress)?;
    let order = match gathering.items.iter().any(|item| item.is_member) {
        true => gathering.resolve(wanted, progress)?,
        false => (0..gathering.items.len()).collect(),
    };
    Ok(gathering.parts(&order))
}

/// All that the inputs hold: archives are opened, and members that are neither objects nor bitcode passed over.
fn expand<'a>(inputs: &'a [Content<'_>]) -> Result<Vec<Item<'a>>, Error> {
    let mut items = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let Content { name, bytes, digest } = input;
        if !is_archive(bytes) {
            let (name, is_module) = (name.clone(), !bytes.starts_with(b"\x7fELF"));
            items.push(Item { name, bytes, digest: *digest, repetition: 0, is_module, input: index, is_member: false });
            continue;
        }
        let members = read_archive(&Object { name, bytes, ..Object::default() }).map_err(of_linker(name))?;
        items.extend(members.into_iter().filter_map(|member| {
            let is_module = BITCODE.iter().any(|magic| member.bytes.starts_with(magic));
            let is_object = member.bytes.starts_with(b"\x7fELF");
            let digest = if is_module { *blake3::hash(member.bytes).as_bytes() } else { [0; 32] };
            let (name, bytes) = (member.name, member.bytes);
            let item = Item { name, bytes, digest, repetition: 0, is_module, input: index, is_member: true };
            (is_module || is_object).then_some(item)
        }));
    }
    number_repetitions(&mut items);
    Ok(items)
}

fn number_repetitions(items: &mut [Item<'_>]) {
    let mut counts = HashMap::new();
    for item in items.iter_mut().filter(|item| item.is_module) {
        let count = counts.entry(item.digest).or_insert(0);
        item.repetition = *count;
        *count += 1;
    }
}

/// Archives of any kind: which of them can be read, their reader says.
fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&ARCHIVE_MAGIC) || bytes.starts_with(b"!<thin>\n")
}

fn of_linker(program: &str) -> impl Fn(LinkError) -> Error {
    move |source| Error::Link { program: program.to_owned(), source: Box::new(source) }
}

struct Gathering<'g, 'a> {
    items: &'g [Item<'a>],
    generator: Generator<'g>,
    /// By the number of the item.
    generated: BTreeMap<usize, Generated>,
}

impl<'a> Gathering<'_, 'a> {
    fn modules(&self, which: impl Fn(&Item<'_>) -> bool) -> Vec<usize> {
        let items = self.items.iter().enumerate();
        items.filter(|(_, item)| item.is_module && which(item)).map(|(index, _)| index).collect()
    }

    fn generate(&mut self, modules: &[usize], progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Error> {
        let irs: Vec<_> = modules.iter().map(|&index| self.items[index].ir()).collect();
        let generated = self.generator.generate(&irs, progress)?;
        self.generated.extend(modules.iter().copied().zip(generated));
        Ok(())
    }

    /// Numbers of the items that are taken, in the order in which they enter the program.
    fn resolve(&mut self, wanted: &[&[u8]], progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<usize>, Error> {
        let members = self.modules(|item| item.is_member);
        let symbols =
            self.generator.list_symbols(&members.iter().map(|&index| self.items[index].ir()).collect::<Vec<_>>())?;
        let symbols: BTreeMap<usize, Symbols> = members.into_iter().zip(symbols).collect();
        let objects = self.items.iter().map(Item::mentions).collect::<Result<Vec<_>, _>>()?;
        loop {
            let order = self.order(wanted, &symbols, &objects)?;
            let is_missing = |index: &usize| self.items[*index].is_module && !self.generated.contains_key(index);
            let missing: Vec<usize> = order.iter().copied().filter(is_missing).collect();
            if missing.is_empty() {
                return Ok(order);
            }
            self.generate(&missing, progress)?;
        }
    }

    /// What is taken by what is known so far.
    fn order(
        &self,
        wanted: &[&[u8]],
        symbols: &BTreeMap<usize, Symbols>,
        objects: &[Vec<Mention<'_>>],
    ) -> Result<Vec<usize>, Error> {
        let mut mentions = Vec::with_capacity(self.items.len());
        for (index, item) in self.items.iter().enumerate() {
            mentions.push(match (self.generated.get(&index), symbols.get(&index)) {
                (Some(generated), _) => Cow::Owned(mentions_of(&item.name, generated)?),
                (None, Some(symbols)) => Cow::Owned(symbols.mentions()),
                (None, None) => Cow::Borrowed(&objects[index][..]),
            });
        }
        Ok(order(self.items, &mentions, &[], wanted))
    }

    fn parts(mut self, order: &[usize]) -> Vec<Part<'a>> {
        let part = |&index: &usize| {
            let Item { name, bytes, .. } = &self.items[index];
            let made = match self.generated.remove(&index) {
                Some(generated) => Made::Module(Box::new(generated)),
                None => Made::Object(bytes),
            };
            Part { name: name.clone(), made }
        };
        order.iter().map(part).collect()
    }
}

/// Numbers of the items that are taken by what they mention, in the order in which they enter the program. What is mentioned `behind` is part
/// of the program as well.
fn order(
    items: &[Item<'_>],
    mentions: &[Cow<'_, [Mention<'_>]>],
    behind: &[Mention<'_>],
    wanted: &[&[u8]],
) -> Vec<usize> {
    let (mut entrants, mut firsts): (Vec<Entrant<'_, '_>>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut last_input = None;
    for (index, (item, mentions)) in items.iter().zip(mentions).enumerate() {
        match entrants.last_mut() {
            Some(Entrant::Archive(members)) if item.is_member && last_input == Some(item.input) => {
                members.push(mentions);
                continue;
            }
            _ if item.is_member => entrants.push(Entrant::Archive(vec![mentions])),
            _ => entrants.push(Entrant::Objects(mentions)),
        }
        firsts.push(index);
        last_input = Some(item.input);
    }
    entrants.push(Entrant::Objects(behind));
    let item = |taken: Taken| firsts.get(taken.entrant).map(|first| first + taken.member.unwrap_or_default());
    take_members(wanted, &entrants).into_iter().filter_map(item).collect()
}

impl Item<'_> {
    fn ir(&self) -> Ir<'_> {
        Ir { name: &self.name, bytes: self.bytes, digest: self.digest, repetition: self.repetition }
    }

    /// Of an object; a module has none yet.
    fn mentions(&self) -> Result<Vec<Mention<'_>>, Error> {
        if self.is_module {
            return Ok(Vec::new());
        }
        read_mentions(&Object { name: &self.name, bytes: self.bytes, ..Object::default() })
            .map_err(of_linker(&self.name))
    }
}

/// All that the objects of a module mention.
fn mentions_of<'g>(name: &'g str, generated: &'g Generated) -> Result<Vec<Mention<'g>>, Error> {
    let mut all = Vec::new();
    for bytes in &generated.objects.objects {
        all.extend(read_mentions(&Object { name, bytes, ..Object::default() }).map_err(of_linker(name))?);
    }
    Ok(all)
}
