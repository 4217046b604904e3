//! Several modules at once: what linkers see of each, and all of them as one module, to be optimised as one.

use larder_format::wire::{Diagnostic, ModulesRequest, ModulesTask, Object, OptLevel, Reply, Symbols};

use crate::compile::Events;
use crate::error::CompileError;
use crate::ffi::{Module, Settings, Sink, Status};

/// What diagnostics and errors call the linked module.
const LINKED: &str = "the linked modules";

/// Does what was asked, and hands the replies to `reply`. [`start`](crate::start) comes first.
pub(crate) fn about_modules(
    request: &ModulesRequest,
    modules: &[Vec<u8>],
    events: &dyn Events,
    reply: &dyn Fn(Reply),
) -> Result<(), CompileError> {
    let settings =
        Settings { level: OptLevel::default(), pipeline: String::new(), features: String::new(), static_tls_len: 0 };
    let about = About { settings: &settings, sink: &ToEvents(events) };
    let named = || request.names.iter().zip(modules);
    match &request.task {
        ModulesTask::Symbols => named().try_for_each(|(name, bytes)| {
            reply(Reply::Symbols(Symbols { symbols: about.read(bytes, name)?.symbols() }));
            Ok(())
        }),
        ModulesTask::Link { keep, give_way } => {
            let bytes = about.link(named(), keep.as_deref(), give_way)?;
            reply(Reply::Object(Object { name: LINKED.to_owned(), bytes }));
            Ok(())
        }
    }
}

struct ToEvents<'a>(&'a dyn Events);

impl Sink for ToEvents<'_> {
    fn diagnostic(&self, diagnostic: Diagnostic) {
        self.0.diagnostic(diagnostic);
    }
    fn progress(&self, _: u32, _: u32) {}
    fn part(&self, _: &[u8], _: u64) {}
    fn can_be_given_up(&self) -> bool {
        false
    }
    fn is_awaited(&self) -> bool {
        true
    }
}

struct About<'a> {
    settings: &'a Settings,
    sink: &'a ToEvents<'a>,
}

impl About<'_> {
    fn read<'a>(&'a self, bytes: &'a [u8], name: &str) -> Result<Module<'a, ToEvents<'a>>, CompileError> {
        let read = Module::read(bytes, name, 0, self.settings, self.sink);
        read.ok_or_else(|| CompileError::Malformed { name: name.to_owned() })
    }

    fn link<'m>(
        &self,
        mut modules: impl Iterator<Item = (&'m String, &'m Vec<u8>)>,
        keep: Option<&[String]>,
        give_way: &[String],
    ) -> Result<Vec<u8>, CompileError> {
        let error = |name: &str, status| match status {
            Status::Ok => Ok(()),
            Status::Unsupported => Err(CompileError::Unsupported { name: name.to_owned() }),
            _ => Err(CompileError::Malformed { name: name.to_owned() }),
        };
        let Some((name, bytes)) = modules.next() else {
            return Err(CompileError::Internal { name: LINKED.to_owned() });
        };
        let mut linked = self.read(bytes, name)?;
        error(name, linked.verify())?;
        for (name, bytes) in modules {
            error(name, linked.link(bytes, name))?;
        }
        linked.give_way(give_way);
        if let Some(keep) = keep {
            linked.internalise(keep);
        }
        Ok(linked.write())
    }
}
