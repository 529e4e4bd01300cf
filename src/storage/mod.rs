//! What is kept: one common base, [`item`], and one file per stored thing.
//!
//! A new entity costs its file here, a migration, a word in [`items!`] below and its texts; the README tells each step.

pub mod item;

mod credential;
mod customer;
mod host;
mod login;
mod machine;
mod playbook;
pub mod registry;
pub mod schedule;
mod user;
#[cfg(feature = "ssr")]
pub mod yaml;

pub use credential::{Credential, CredentialKind, NEW_KEY};
pub use customer::Customer;
pub use host::Host;
pub use item::check::is_user_name;
pub use login::Login;
pub use machine::Machine;
pub use playbook::Playbook;
pub use registry::Registry;
pub use schedule::Schedule;
pub use user::User;

use item::{Entry, Kind};
use std::sync::OnceLock;

macro_rules! items {
    ($($item:ident),* $(,)?) => {
        static ENTRIES: &[Entry] = &[$(Entry::of::<$item>()),*];
        // Apart from the rules, which bring every item's type along: a first visit needs none of them.
        static KINDS: &[&Kind] = &[$(const { &<$item as item::Item>::KIND }),*];
    };
}

items![Credential, Customer, Host, Login, Machine, Playbook, Registry, Schedule, User];

static FURTHER: OnceLock<Vec<Entry>> = OnceLock::new();

/// Every entity there is.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().chain(FURTHER.get().into_iter().flatten())
}

/// Adds entities to the list, once and before the server starts: how a program built on this
/// library, or a test, brings its own.
pub fn add_entries(entries: Vec<Entry>) {
    // A second call in one process would change the list under running servers; the first one stands.
    drop(FURTHER.set(entries));
}

/// The description of every entity.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().chain(FURTHER.get().into_iter().flatten().map(|entry| entry.kind))
}

/// The description of the entity of that name (`machine`).
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.name == name)
}

/// The description of the entity with that plural (`machines`), as it stands in a URL.
pub fn kind_by_plural(plural: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.plural == plural)
}

/// The entity of that name (`machine`).
pub fn entry(name: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.kind.name == name)
}
