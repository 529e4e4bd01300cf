//! The one table of rights: role × verb × subject → yes, or the reason why not.

use super::model::{Role, Session};
use crate::i18n::{Locale, td_string};

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Look at it.
    Read,
    /// Make a new one.
    Create,
    /// Change it.
    Update,
    /// Remove or restore it.
    Remove,
    /// Run an operation on it.
    Operate,
    /// Give a container rights over the machine: privileged, host namespaces, sensitive mounts.
    Elevate,
}

impl Verb {
    /// All verbs, for tests that walk the table.
    pub const ALL: [Self; 6] = [Self::Read, Self::Create, Self::Update, Self::Remove, Self::Operate, Self::Elevate];
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Viewers look and change nothing.
    ViewersOnlyRead,
    /// Only administrators.
    OnlyAdministrators,
    /// Only administrators of the platform.
    OnlyPlatform,
    /// The system makes these.
    OnlyTheSystem,
    /// Images belong to all customers of an engine.
    SharedImages,
}

impl Reason {
    /// The reason as a sentence.
    pub fn text(self, locale: Locale) -> &'static str {
        match self {
            Self::ViewersOnlyRead => td_string!(locale, errors.reason.viewers_only_read),
            Self::OnlyAdministrators => td_string!(locale, errors.reason.only_administrators),
            Self::OnlyPlatform => td_string!(locale, errors.reason.only_platform),
            Self::OnlyTheSystem => td_string!(locale, errors.reason.only_the_system),
            Self::SharedImages => td_string!(locale, errors.reason.shared_images),
        }
    }
}

/// Whether the person may do this with things of that kind.
///
/// `subject` is a kind's name (`machine`, `user`) or an object of an engine (`container`, `image`,
/// `engine`), `job`, `run`, `audit`. Which *records* they reach is the scope's matter, not decided here,
/// and neither are a viewer's own jobs and logins.
pub fn decide(session: &Session, verb: Verb, subject: &str) -> Result<(), Reason> {
    let admin = session.role == Role::Admin;
    let platform = session.is_platform();
    match (subject, verb) {
        ("customer", Verb::Read) => Ok(()),
        ("customer", _) if admin && platform => Ok(()),
        ("customer", _) if session.role == Role::Viewer => Err(Reason::ViewersOnlyRead),
        ("customer", _) => Err(Reason::OnlyPlatform),

        ("login", Verb::Create | Verb::Update) => Err(Reason::OnlyTheSystem),
        // Everybody may end a login of their own; the store looks whose it is.
        ("login", _) => Ok(()),

        ("user" | "audit", _) if admin => Ok(()),
        ("user", Verb::Read) => Ok(()),
        ("user" | "audit", _) if session.role == Role::Viewer && verb != Verb::Read => Err(Reason::ViewersOnlyRead),
        ("user" | "audit", _) => Err(Reason::OnlyAdministrators),

        (_, Verb::Read) => Ok(()),
        (_, Verb::Elevate) if admin && platform => Ok(()),
        (_, Verb::Elevate) => Err(Reason::OnlyPlatform),
        _ if session.role == Role::Viewer => Err(Reason::ViewersOnlyRead),
        ("image", Verb::Update | Verb::Remove) if !platform => Err(Reason::SharedImages),
        _ => Ok(()),
    }
}
