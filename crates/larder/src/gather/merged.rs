//! Modules that are optimised as one (link-time optimisation).
//!
//! Which members of archives take part shows in the symbols of the IR. What the code generator needs beyond those (`memcpy`, say) may
//! be in yet another member; if that one is a module, all of it is done again with it.
//!
//! Everything becomes internal that neither the image offers nor anything outside of the modules mentions. Where an object's definition goes
//! before one of a module, the module's gives way: by the rules of linkers, strong before common before weak, then the first.

use super::{Item, Made, Part, mentions_of, of_linker, order};
use crate::error::Error;
use crate::generate::{Generated, Generator, Ir};
use crate::larder::Progress;
use crate::options::Exports;
use larder_format::image::LOOKING_UP;
use larder_link::{LinkError, Mention, MentionKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The parts of a program whose modules are one: that one, and objects.
pub(super) fn gather<'a>(
    generator: &Generator<'_>,
    items: &[Item<'a>],
    wanted: &[&[u8]],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Part<'a>>, Error> {
    let modules: Vec<usize> = (0..items.len()).filter(|&index| items[index].is_module).collect();
    let symbols = generator.list_symbols(&modules.iter().map(|&index| items[index].ir()).collect::<Vec<_>>())?;
    let mut mentions = items.iter().map(|item| item.mentions().map(Cow::Owned)).collect::<Result<Vec<_>, _>>()?;
    for (&index, symbols) in modules.iter().zip(&symbols) {
        mentions[index] = Cow::Owned(symbols.mentions());
    }
    let line = Line { generator, items, mentions, wanted };
    let mut order = line.order(&[]);
    loop {
        let merged: Vec<usize> = order.iter().copied().filter(|&index| items[index].is_module).collect();
        if merged.is_empty() {
            return Ok(line.parts(&order, &merged, None));
        }
        let generated = line.generate(&order, &merged, progress)?;
        order = line.order(&mentions_of(&items[merged[0]].name, &generated)?);
        let complete = order.iter().all(|index| !items[*index].is_module || merged.contains(index));
        if complete {
            return Ok(line.parts(&order, &merged, Some(generated)));
        }
    }
}

struct Line<'x, 'a> {
    generator: &'x Generator<'x>,
    items: &'x [Item<'a>],
    mentions: Vec<Cow<'x, [Mention<'x>]>>,
    wanted: &'x [&'x [u8]],
}

impl<'a> Line<'_, 'a> {
    /// What is taken, if this is mentioned besides.
    fn order(&self, behind: &[Mention<'_>]) -> Vec<usize> {
        order(self.items, &self.mentions, behind, self.wanted)
    }

    /// The objects of the modules as one.
    fn generate(
        &self,
        order: &[usize],
        merged: &[usize],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Generated, Error> {
        let irs: Vec<_> = merged.iter().map(|&index| self.items[index].ir()).collect();
        let linked = self.generator.link_modules(&irs, self.keep(merged), self.give_way(order));
        let linked = linked.map_err(|error| self.duplicate(merged).unwrap_or(error))?;
        let module = Ir { name: irs[0].name, bytes: &linked, digest: *blake3::hash(&linked).as_bytes(), repetition: 0 };
        let generated = self.generator.generate(&[module], progress)?.pop();
        generated.ok_or_else(|| unreachable!("one module has one answer"))
    }

    /// Names that must stay visible outside of the modules; `None` for all.
    fn keep(&self, merged: &[usize]) -> Option<Vec<String>> {
        let Exports::Only(_) = self.generator.code.options.exports else { return None };
        let all = self.mentions.iter().flat_map(|mentions| mentions.iter());
        if all.clone().any(|mention| LOOKING_UP.iter().any(|name| mention.name == name.as_bytes())) {
            return None;
        }
        let outside = self.mentions.iter().enumerate().filter(|(index, _)| !merged.contains(index));
        let names = outside.flat_map(|(_, mentions)| mentions.iter().map(|mention| mention.name));
        let names: BTreeSet<&[u8]> = names.chain(self.wanted.iter().copied()).collect();
        Some(names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    /// Names that modules define, and whose definition is an object's all the same.
    fn give_way(&self, order: &[usize]) -> Vec<String> {
        let mut winners: BTreeMap<&[u8], (u8, bool)> = BTreeMap::new();
        let (mut contested, mut strong) = (BTreeSet::new(), BTreeSet::new());
        for &index in order {
            let is_module = self.items[index].is_module;
            for mention in self.mentions[index].iter() {
                let rank = match mention.kind {
                    MentionKind::Undefined | MentionKind::WeaklyUndefined => continue,
                    MentionKind::Weak => 1,
                    MentionKind::Common => 2,
                    MentionKind::Strong => 3,
                };
                if is_module && mention.kind == MentionKind::Strong {
                    strong.insert(mention.name);
                }
                let winner = winners.entry(mention.name).or_insert((rank, is_module));
                if winner.1 != is_module {
                    contested.insert(mention.name);
                }
                if rank > winner.0 {
                    *winner = (rank, is_module);
                }
            }
        }
        // Two strong definitions are an error, which the linker makes of them; of common ones, the sizes count.
        let gives_way = |name: &&&[u8]| matches!(winners.get(**name), Some((1 | 3, false)));
        contested.difference(&strong).filter(gives_way).map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// The first name that two modules define strongly.
    fn duplicate(&self, merged: &[usize]) -> Option<Error> {
        let mut defined: HashMap<&[u8], usize> = HashMap::new();
        for &index in merged {
            for mention in self.mentions[index].iter().filter(|mention| mention.kind == MentionKind::Strong) {
                if let Some(&first) = defined.get(mention.name) {
                    let symbol = String::from_utf8_lossy(mention.name).into_owned();
                    let [first, second] = [first, index].map(|index| self.items[index].name.clone());
                    let program = self.items[merged[0]].name.clone();
                    return Some(of_linker(&program)(LinkError::Duplicate { symbol, first, second }));
                }
                defined.insert(mention.name, index);
            }
        }
        None
    }

    fn parts(&self, order: &[usize], merged: &[usize], mut generated: Option<Generated>) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        for &index in order {
            let Item { name, bytes, is_module, .. } = &self.items[index];
            if !is_module {
                parts.push(Part { name: name.clone(), made: Made::Object(bytes) });
            } else if let Some(generated) = generated.take() {
                let others = merged.len() - 1;
                let name = format!("{} (with {others} modules)", self.items[merged[0]].name);
                parts.push(Part { name, made: Made::Module(Box::new(generated)) });
            }
        }
        parts
    }
}
