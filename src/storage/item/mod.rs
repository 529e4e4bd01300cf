//! The base that all stored things share: describe an entity, and its table, form, history, REST
//! routes and contract tests follow.
//!
//! An entity is a plain struct with a description ([`Item::KIND`]) and, where it needs them, rules
//! over several fields ([`Item::check`]). Generic functions turn the type into its description;
//! everything behind them works on [`Kind`] and JSON values and compiles once.

pub mod calls;
pub mod check;
pub mod field;
pub mod query;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;

pub use check::Check;
pub use field::{Choice, Field, Kind, Language, Shape, Tenancy, Text};
pub use query::{Filter, Page, Query, Sort};

use crate::{id::Id, time::Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The fields of a record as JSON: name to value, in the order of the description.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// A thing that is stored.
pub trait Item: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its description.
    const KIND: Kind;

    /// Rules over several fields, and values that follow from others.
    ///
    /// Runs after each field has been checked by its own shape, in the browser and on the server.
    fn check(&mut self, _check: &mut Check) {}
}

/// An entity in the list of all: its description and its rules, without its type.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The description.
    pub kind: &'static Kind,
    /// The item's own [`Item::check`] over checked fields.
    pub rules: fn(&mut Fields, &mut Check),
}

impl Entry {
    /// The entry of `T`.
    pub const fn of<T: Item>() -> Self {
        Self { kind: const { &T::KIND }, rules: check::rules::<T> }
    }
}

/// One stored record, typed: the item beside what every record carries.
///
/// On the wire it is flat: the item's fields stand beside the base fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub struct Record<T> {
    /// What every record carries.
    #[serde(flatten)]
    pub base: Base,
    /// The item itself.
    #[serde(flatten)]
    pub item: T,
}

/// One stored record without its type: what pages and routes pass on.
pub type RawRecord = Record<Fields>;

/// What every record carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// The record's identifier.
    pub id: Id<()>,
    /// The customer it belongs to; `None` for the platform's own.
    pub customer: Option<Id<crate::storage::Customer>>,
    /// Counts the changes from 1; a change must name the revision it was made from.
    pub revision: i64,
    /// False while it is kept and not used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it: a user's id; `None` for the system.
    pub created_by: Option<Id<crate::storage::User>>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Option<Id<crate::storage::User>>,
    /// When it was removed; it can be restored until it is purged.
    pub deleted_at: Option<Timestamp>,
}

impl<T> Record<T> {
    /// The record's identifier.
    pub fn id(&self) -> Id<T> {
        self.base.id.cast()
    }
}

/// One change in the history of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The number of the audit line.
    pub id: Id<Change>,
    /// When it happened.
    pub at: Timestamp,
    /// The user's id; `None` for the system.
    pub person: Option<Id<crate::storage::User>>,
    /// The user's name then, or why the system acted.
    pub person_name: String,
    /// `create`, `update`, `remove`, `restore`, `purge`.
    pub action: String,
    /// The changed fields before; secrets are absent.
    pub before: Fields,
    /// The changed fields after; secrets are absent.
    pub after: Fields,
    /// The address it came from.
    pub address: Option<String>,
}
