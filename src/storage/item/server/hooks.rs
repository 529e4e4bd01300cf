//! What an entity does beside being stored: the few that need it say so here.

use crate::{
    authentication::server::{Proof, users},
    error::Result,
    platform::{db::Transaction, state::State},
    storage::{
        credential, customer, host,
        item::{Fields, RawRecord},
        login, playbook, registry, schedule,
    },
};
use futures::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeMap;

/// Checked values before the transaction begins: the place for work that takes its time.
pub struct Preparing<'a> {
    /// The running server.
    pub state: &'a State,
    /// Who saves it.
    pub proof: &'a dyn Proof,
    /// True for a new record.
    pub is_new: bool,
    /// Whether it is to be enabled; `None` where the request does not say.
    pub enabled: Option<bool>,
    /// The checked values; a hook may change them.
    pub fields: &'a mut Fields,
}

/// A record on its way into the store: checked, and not yet written.
pub struct Saving<'a> {
    /// The running server.
    pub state: &'a State,
    /// Who saves it.
    pub proof: &'a dyn Proof,
    /// The transaction that will hold the record, its audit line and what the hook adds.
    pub transaction: &'a mut Transaction,
    /// The record as it stands; `None` for a new one.
    pub before: Option<&'a RawRecord>,
    /// The record as it will stand: base and fields. A hook may change the fields, for example to
    /// put a password's hash in its place.
    pub after: &'a mut RawRecord,
}

/// A record on its way out: marked as removed.
pub struct Removing<'a> {
    /// The running server.
    pub state: &'a State,
    /// Who removes it.
    pub proof: &'a dyn Proof,
    /// The transaction of the removal.
    pub transaction: &'a mut Transaction,
    /// The record as it stands.
    pub record: &'a RawRecord,
}

/// What an entity does beside being stored. Each may refuse with a reason; then nothing happens.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Before the transaction of a change: checks that only the server makes, and slow work.
    pub prepare: for<'a> fn(Preparing<'a>) -> BoxFuture<'a, Result<()>>,
    /// Before a record is written, within the transaction.
    pub save: for<'a> fn(Saving<'a>) -> BoxFuture<'a, Result<()>>,
    /// Before a record is marked as removed, within the transaction.
    pub remove: for<'a> fn(Removing<'a>) -> BoxFuture<'a, Result<()>>,
    /// After a change was committed, such as closing the streams of a disabled user.
    pub after: for<'a> fn(&'a State, &'a RawRecord) -> BoxFuture<'a, ()>,
    /// Further condition on what a person sees: `(column, value)`, such as a login's own user.
    pub only: fn(&dyn Proof) -> Option<(&'static str, String)>,
    /// What our own lists show of these records that no field holds, by the record's id: asked for a page at once.
    pub beside: for<'a> fn(&'a State, &'a dyn Proof, &'a [RawRecord]) -> BoxFuture<'a, Result<BTreeMap<String, Value>>>,
}

impl Hooks {
    /// Nothing beside being stored.
    pub const NONE: Self = Self {
        prepare: |_| Box::pin(async { Ok(()) }),
        save: |_| Box::pin(async { Ok(()) }),
        remove: |_| Box::pin(async { Ok(()) }),
        after: |_, _| Box::pin(async {}),
        only: |_| None,
        beside: |_, _, _| Box::pin(async { Ok(BTreeMap::new()) }),
    };
}

/// The hooks of a kind, by its name.
pub fn hooks(kind: &str) -> Hooks {
    match kind {
        "credential" => credential::server::HOOKS,
        "customer" => customer::server::HOOKS,
        "host" => host::server::HOOKS,
        "login" => login::server::HOOKS,
        "playbook" => playbook::server::HOOKS,
        "registry" => registry::server::HOOKS,
        "schedule" => schedule::server::HOOKS,
        "user" => users::HOOKS,
        _ => Hooks::NONE,
    }
}
