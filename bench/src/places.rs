//! Where the sides of one work keep what they keep between runs, filled once.
//!
//! The run that fills a directory is a cold run. For the largest module it takes minutes, so all measures of a work share
//! the directories, and that run is also the first of the cold sample.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

use crate::Limits;
use crate::process::{Ran, run};
use crate::sides::{Keeper, Peers, Side, Temperature};
use crate::works::Work;

/// One work's directories.
pub(crate) struct Places {
    root: TempDir,
    fills: [OnceCell<Ran>; Keeper::ALL.len()],
    other_image: OnceCell<PathBuf>,
}

impl Places {
    pub(crate) fn new() -> Result<Places> {
        let root = tempfile::tempdir()?;
        for keeper in Keeper::ALL {
            std::fs::create_dir(root.path().join(format!("{keeper:?}")))?;
        }
        Ok(Places { root, fills: Default::default(), other_image: OnceCell::new() })
    }

    /// The directory of a side; one for all that keep nothing.
    pub(crate) fn directory(&self, side: Side) -> PathBuf {
        match side {
            Side::Keeping(keeper, _) => self.root.path().join(format!("{keeper:?}")),
            _ => self.root.path().to_owned(),
        }
    }

    /// Runs the work so that the side's directory is filled, unless that was done before; gives that run.
    pub(crate) fn fill(&self, keeper: Keeper, work: &Work, peers: &Peers, limits: &Limits) -> Result<&Ran> {
        let cell = &self.fills[keeper as usize];
        if let Some(ran) = cell.get() {
            return Ok(ran);
        }
        let side = Side::Keeping(keeper, Temperature::Cold);
        let ran = run(&mut peers.command(side, work, &self.directory(side)), limits.run)?;
        Ok(cell.get_or_init(|| ran))
    }

    /// The image of a module that is none of the works.
    pub(crate) fn other_image(&self, peers: &Peers) -> Result<&Path> {
        if let Some(image) = self.other_image.get() {
            return Ok(image);
        }
        let module = self.root.path().join("other.ll");
        fs::write(
            &module,
            "declare i32 @puts(ptr)\ndefine i32 @main() {\n  %said = call i32 @puts(ptr null)\n  ret i32 %said\n}\n",
        )?;
        let image = self.root.path().join("other.image");
        peers.build_image(&module, &image)?;
        Ok(self.other_image.get_or_init(|| image))
    }
}
