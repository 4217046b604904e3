//! Archives (`ar`): their members, and which of them a program takes.
//!
//! A member is taken if it defines a name that is undefined, and not weakly, at that point of the link; or one that is so far a common symbol,
//! if it defines it strongly. What it needs in turn is looked for at once. A name that becomes undefined only behind an archive is still looked
//! for in it, as lld does and older linkers do within a group; whoever lists archives behind what uses them sees no difference.
//!
//! An archive's own symbol table is not believed and not needed: the members' are read.

use crate::error::LinkError;
use crate::{Mention, MentionKind, Object};
use object::read::archive::ArchiveFile;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// First bytes of an archive.
pub const ARCHIVE_MAGIC: [u8; 8] = *b"!<arch>\n";
/// First bytes of one whose members are files of their own.
const THIN_MAGIC: [u8; 8] = *b"!<thin>\n";

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// As linkers show it: `libx.a(member.o)`.
    pub name: String,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The members of an archive of GNU's or BSD's kind, in their order.
///
/// # Errors
/// The archive is thin, or damaged. No input makes this panic.
pub fn read_archive<'a>(archive: &Object<'a>) -> Result<Vec<Member<'a>>, LinkError> {
    let Object { name, bytes, .. } = *archive;
    if bytes.starts_with(&THIN_MAGIC) {
        let what = "it is a thin archive, whose members are files of their own: make it without T (ar rcs)";
        return Err(LinkError::NotAnObject { object: name.into(), what: what.to_owned() });
    }
    let damaged = |error: object::Error| LinkError::DamagedArchive { archive: name.into(), what: error.to_string() };
    let archive = ArchiveFile::parse(bytes).map_err(damaged)?;
    let member = |member: object::Result<object::read::archive::ArchiveMember<'a>>| {
        let member = member.map_err(damaged)?;
        let name = format!("{name}({})", String::from_utf8_lossy(member.name()));
        Ok(Member { name, bytes: member.data(bytes).map_err(damaged)? })
    };
    archive.members().map(member).collect()
}

/// What stands on a link line.
#[derive(Debug, Clone)]
pub enum Entrant<'m, 'a> {
    /// Objects that belong together, such as those of one module: all that they mention.
    Objects(&'m [Mention<'a>]),
    /// An archive: what each of its members mentions.
    Archive(Vec<&'m [Mention<'a>]>),
}

/// Something that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Taken {
    /// Its place on the link line.
    pub entrant: usize,
    /// Which member it is, of an archive.
    pub member: Option<usize>,
}

/// Decides which members are taken. The answer lists them and all that is no archive's, in the order in which they enter the program.
///
/// `wanted` are names that are undefined from the beginning, such as the function to start at.
pub fn take_members<'a>(wanted: &[&'a [u8]], entrants: &[Entrant<'_, 'a>]) -> Vec<Taken> {
    let names = wanted.iter().map(|&name| (name, State::Undefined)).collect();
    let mut line = Line { entrants, names, order: Vec::new(), waiting: Vec::new() };
    for (entrant, what) in entrants.iter().enumerate() {
        match what {
            Entrant::Objects(_) => line.enter(Taken { entrant, member: None }),
            Entrant::Archive(members) => {
                (0..members.len()).for_each(|member| line.offer(Taken { entrant, member: Some(member) }));
            }
        }
    }
    line.order
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Wanted, but not needed.
    WeaklyUndefined,
    Undefined,
    /// A member has it, strongly or not.
    Offered {
        by: Taken,
        strongly: bool,
    },
    Common,
    Defined,
}

/// A link line, read so far.
struct Line<'x, 'm, 'a> {
    entrants: &'x [Entrant<'m, 'a>],
    names: HashMap<&'a [u8], State>,
    order: Vec<Taken>,
    /// Mentions that are still to be looked at of what has entered, what entered last at the end: members may need each other in chains
    /// of any length.
    waiting: Vec<&'m [Mention<'a>]>,
}

impl<'m, 'a> Line<'_, 'm, 'a> {
    fn mentions(&self, what: Taken) -> &'m [Mention<'a>] {
        match (&self.entrants[what.entrant], what.member) {
            (Entrant::Objects(mentions), _) => mentions,
            (Entrant::Archive(members), member) => members[member.unwrap_or_default()],
        }
    }

    /// Reads something and all the members that it needs.
    fn enter(&mut self, what: Taken) {
        self.define(what);
        while let Some(mentions) = self.waiting.pop() {
            let Some((mention, rest)) = mentions.split_first() else { continue };
            self.waiting.push(rest);
            if let Some(needed) = self.need(mention) {
                self.define(needed);
            }
        }
    }

    /// Definitions come before needs: what a thing defines itself it takes from nowhere.
    fn define(&mut self, what: Taken) {
        self.order.push(what);
        let mentions = self.mentions(what);
        for mention in mentions {
            let common = match mention.kind {
                MentionKind::Undefined | MentionKind::WeaklyUndefined => continue,
                MentionKind::Common => true,
                MentionKind::Weak | MentionKind::Strong => false,
            };
            let state = self.names.entry(mention.name).or_insert(State::Common);
            match state {
                State::Defined => {}
                // `need` looks at it again.
                State::Offered { strongly: true, .. } if common => {}
                _ => *state = if common { State::Common } else { State::Defined },
            }
        }
        self.waiting.push(mentions);
    }

    /// The member to take because of a mention.
    fn need(&mut self, mention: &Mention<'a>) -> Option<Taken> {
        let (fresh, is_needed) = match mention.kind {
            MentionKind::Undefined => (State::Undefined, true),
            MentionKind::WeaklyUndefined => (State::WeaklyUndefined, false),
            MentionKind::Common => (State::Common, true),
            MentionKind::Weak | MentionKind::Strong => return None,
        };
        match self.names.entry(mention.name) {
            Entry::Vacant(entry) => {
                entry.insert(fresh);
                None
            }
            Entry::Occupied(mut entry) => match *entry.get() {
                State::Offered { by, .. } if is_needed => Some(by),
                State::WeaklyUndefined if is_needed => {
                    entry.insert(fresh);
                    None
                }
                _ => None,
            },
        }
    }

    /// Takes a member if something waits for it, else remembers what it has.
    fn offer(&mut self, member: Taken) {
        for mention in self.mentions(member) {
            let strongly = match mention.kind {
                MentionKind::Undefined | MentionKind::WeaklyUndefined => continue,
                MentionKind::Strong => true,
                MentionKind::Common | MentionKind::Weak => false,
            };
            let state = self.names.entry(mention.name).or_insert(State::WeaklyUndefined);
            match state {
                State::Undefined => return self.enter(member),
                State::Common if strongly => return self.enter(member),
                State::WeaklyUndefined => *state = State::Offered { by: member, strongly },
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MentionKind::{Common, Strong, Undefined, Weak, WeaklyUndefined};

    fn mention(name: &'static str, kind: MentionKind) -> Mention<'static> {
        Mention { name: name.as_bytes(), kind }
    }

    /// Members that are taken of an archive between two objects.
    fn taken(before: &[Mention<'static>], members: &[&[Mention<'static>]], behind: &[Mention<'static>]) -> Vec<usize> {
        let line = [Entrant::Objects(before), Entrant::Archive(members.to_vec()), Entrant::Objects(behind)];
        take_members(&[b"main"], &line).iter().filter_map(|taken| taken.member).collect()
    }

    #[test]
    fn what_is_needed_is_taken() {
        let (a, b, c) = ([mention("a", Strong), mention("b", Undefined)], [mention("b", Weak)], [mention("c", Strong)]);
        let members: [&[Mention<'static>]; 3] = [&c, &b, &a];
        assert!(taken(&[], &members, &[]).is_empty());
        assert_eq!(taken(&[mention("b", Undefined)], &members, &[]), [1]);
        // Needed in turn, and standing before who needs it.
        assert_eq!(taken(&[mention("a", Undefined)], &members, &[]), [2, 1]);
        assert_eq!(taken(&[], &members, &[mention("a", Undefined)]), [2, 1]);
        // The entry function is wanted though nothing mentions it.
        assert_eq!(taken(&[], &[&c, &[mention("main", Strong)]], &[]), [1]);
    }

    #[test]
    fn a_weak_need_takes_nothing() {
        let members: [&[Mention<'static>]; 1] = [&[mention("a", Strong)]];
        assert!(taken(&[mention("a", WeaklyUndefined)], &members, &[]).is_empty());
        assert_eq!(taken(&[mention("a", WeaklyUndefined)], &members, &[mention("a", Undefined)]), [0]);
        assert_eq!(taken(&[mention("a", WeaklyUndefined), mention("a", Undefined)], &members, &[]), [0]);
    }

    #[test]
    fn what_is_defined_is_not_looked_for() {
        let members: [&[Mention<'static>]; 1] = [&[mention("a", Strong)]];
        for kind in [Strong, Weak, Common] {
            // In the same object, behind the mention that needs it.
            let own = [mention("a", Undefined), mention("a", kind)];
            let expected: &[usize] = if kind == Common { &[0] } else { &[] };
            assert_eq!(taken(&own, &members, &[]), expected, "{kind:?}");
        }
        // Defined later: it was taken by then, and who links it learns of two definitions.
        assert_eq!(taken(&[mention("a", Undefined)], &members, &[mention("a", Strong)]), [0]);
    }

    #[test]
    fn a_common_symbol_gives_way_to_a_strong_definition_only() {
        let common = [mention("a", Common)];
        for (kind, expected) in [(Strong, &[0][..]), (Weak, &[]), (Common, &[])] {
            let member = [mention("a", kind)];
            assert_eq!(taken(&common, &[&member], &[]), expected, "{kind:?} behind");
            assert_eq!(taken(&[], &[&member], &common), expected, "{kind:?} before");
        }
    }

    #[test]
    fn the_first_that_has_it_is_taken() {
        let members: [&[Mention<'static>]; 2] = [&[mention("a", Weak)], &[mention("a", Strong)]];
        assert_eq!(taken(&[mention("a", Undefined)], &members, &[]), [0]);
        assert_eq!(taken(&[], &members, &[mention("a", Undefined)]), [0]);
    }

    #[test]
    fn a_long_chain_of_needs_is_followed() {
        let names: Vec<String> = (0..100_001).map(|number| format!("n{number}")).collect();
        let members: Vec<[Mention<'_>; 2]> = names
            .windows(2)
            .map(|pair| {
                let [defined, needed] = [&pair[0], &pair[1]].map(String::as_bytes);
                [Mention { name: defined, kind: Strong }, Mention { name: needed, kind: Undefined }]
            })
            .collect();
        let archive = Entrant::Archive(members.iter().map(|member| &member[..]).collect());
        assert_eq!(take_members(&[b"n0"], &[archive]).len(), 100_000);
    }

    #[test]
    fn archives_are_read_or_refused() {
        let mut archive = ARCHIVE_MAGIC.to_vec();
        archive.extend(b"one.o/          0           0     0     644     3         `\nabc\n");
        archive.extend(b"two.o/          0           0     0     644     2         `\nde");
        fn read(bytes: &[u8]) -> Result<Vec<Member<'_>>, LinkError> {
            read_archive(&Object { name: "lib.a", bytes, ..Object::default() })
        }
        let members = read(&archive).expect("an archive");
        let shown: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.bytes)).collect();
        assert_eq!(shown, [("lib.a(one.o)", &b"abc"[..]), ("lib.a(two.o)", b"de")]);
        for len in 0..archive.len() {
            // A cut may leave a shorter archive.
            let _ = read(&archive[..len]);
        }
        for at in 0..archive.len() {
            let mut bytes = archive.clone();
            bytes[at] = bytes[at].wrapping_add(0x40);
            let _ = read(&bytes);
        }
        let thin = read(b"!<thin>\n").expect_err("a thin archive");
        assert!(thin.to_string().contains("thin"), "{thin}");
    }
}
