//! Logins: signed-in sessions. The record is the truth that every request reads.

use super::item::{Field, Item, Kind, Shape};
use crate::{id::Id, storage::User, text, time::Timestamp};
use serde::{Deserialize, Serialize};

/// One signed-in session of a user; removing it signs them out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub user: Option<Id<User>>,
    /// When they signed in.
    pub login_time: Option<Timestamp>,
    /// When it ends for good.
    pub exp: Option<Timestamp>,
    /// When it was last used.
    pub last_seen: Option<Timestamp>,
    /// From which address.
    pub address: Option<String>,
    /// With which program.
    pub agent: Option<String>,
}

impl Item for Login {
    const KIND: Kind =
        Kind::new("login", "logins", text!(records.login.one), text!(records.login.many), text!(records.login.empty))
            .per_customer()
            .read_only()
            .titled("agent")
            .fields(&[
                Field::shaped("user", text!(records.login.user), Shape::Reference("user")).read_only().listed(),
                Field::shaped("login_time", text!(records.login.login_time), Shape::Time).read_only().listed(),
                Field::shaped("exp", text!(records.login.exp), Shape::Time).read_only(),
                Field::shaped("last_seen", text!(records.login.last_seen), Shape::Time).read_only().listed(),
                Field::line("address", text!(records.login.address)).read_only().searched().listed(),
                Field::line("agent", text!(records.login.agent)).read_only().searched().listed(),
            ]);
}

/// Who sees which logins, and what follows from the end of one.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{authentication::model::Role, events::model::Topic, storage::item::server::hooks::Hooks};
    use serde_json::json;

    /// Administrators see every login in reach, everybody else their own.
    pub const HOOKS: Hooks = Hooks {
        after: |state, record| {
            Box::pin(async move {
                state.bus.publish(Topic::Session, record.base.customer, json!({ "login": record.base.id }));
            })
        },
        only: |proof| match proof.session() {
            Some(session) if session.role != Role::Admin => Some(("user", session.user.to_string())),
            _ => None,
        },
        ..Hooks::NONE
    };
}
