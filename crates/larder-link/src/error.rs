//! Why objects do not become an image. Every variant says where, and the texts say what to do.

use thiserror::Error;

/// What [`link`](crate::link) refuses.
///
/// Names of symbols and sections are shown as text, whatever bytes they are made of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The bytes are something else than a relocatable x86-64 ELF object.
    #[error("{object}: {what}")]
    NotAnObject {
        /// Name of the object.
        object: String,
        /// What it is, and what to do.
        what: String,
    },
    /// The bytes contradict themselves or end early.
    #[error("{object}: the object is damaged: {what}")]
    Damaged {
        /// Name of the object.
        object: String,
        /// What is wrong.
        what: String,
    },
    /// An archive whose bytes contradict themselves or end early.
    #[error("{archive}: the archive is damaged: {what}")]
    DamagedArchive {
        /// Name of the archive.
        archive: String,
        /// What is wrong.
        what: String,
    },
    /// The object asks for something that images do not have.
    #[error("{object}: {subject}: {what}")]
    Unsupported {
        /// Name of the object.
        object: String,
        /// Section or symbol.
        subject: String,
        /// What is asked for, and what to do.
        what: &'static str,
    },
    /// Two objects define the same symbol, both strongly.
    #[error("{symbol} is defined twice: by {first} and by {second}")]
    Duplicate {
        /// The symbol.
        symbol: String,
        /// Name of the object that defines it first.
        first: String,
        /// Name of the object that defines it again.
        second: String,
    },
    /// A name that was asked for as an export is defined by no object.
    #[error("export {symbol}: {what}")]
    Export {
        /// The symbol.
        symbol: String,
        /// Why it can't be offered.
        what: &'static str,
    },
    /// A relocation that an unbound, position-independent image can't express.
    #[error("{object}: {section}+{offset:#x}: {relocation} against {symbol}: {reason}")]
    Relocation {
        /// Name of the object.
        object: String,
        /// Section the relocation applies to.
        section: String,
        /// Offset in that section.
        offset: u64,
        /// Symbol it refers to.
        symbol: String,
        /// Its name in the psABI.
        relocation: String,
        /// Why it is refused, and what to do.
        reason: &'static str,
    },
    /// What an object says of guards contradicts itself, or the other objects.
    #[error("{object}: {subject}: {what}")]
    Guard {
        /// Name of the object.
        object: String,
        /// Symbol, or section and offset.
        subject: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Code counts on a fixed place of its thread-local variables, and there is not enough room in it.
    #[error(
        "{len} bytes of thread-local variables, aligned to {align}, do not fit the {max} bytes, aligned to {align_max}, \
         that have a fixed distance from the thread pointer: compile with -fPIC -ftls-model=global-dynamic"
    )]
    StaticTlsTooLarge {
        /// Bytes of the variables.
        len: u64,
        /// Their alignment.
        align: u64,
        /// Bytes there can be.
        max: u64,
        /// Alignment there can be.
        align_max: u64,
    },
    /// A number would not fit its field.
    #[error("the image would have {len} bytes of {what}, at most {max} are possible")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        len: u64,
        /// How large it may be.
        max: u64,
    },
}

/// Names are bytes; people read text.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
