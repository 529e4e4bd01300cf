//! Lines of the audit trail about signing in and out: who came, who was refused, who left.

use super::{Context, Proof, Scope};
use crate::{
    authentication::model::Session,
    i18n::Locale,
    id::Id,
    platform::db::Transaction,
    storage::{
        Customer, User,
        item::{
            Fields,
            server::audit::{self, Line},
        },
    },
};
use std::net::IpAddr;

/// Somebody at the gate, whether known yet or not.
pub struct Visitor<'a> {
    context: &'a Context,
    person: Option<Id<User>>,
    name: &'a str,
    customer: Option<Id<Customer>>,
}

impl<'a> Visitor<'a> {
    /// Somebody who is not known.
    pub const fn unknown(context: &'a Context) -> Self {
        Self { context, person: None, name: "somebody who is not signed in", customer: None }
    }

    /// A person who has just proven who they are, or is signed in.
    pub fn of(context: &'a Context, session: &'a Session) -> Self {
        let customer = session.customer.as_ref().map(|customer| customer.id);
        Self { context, person: Some(session.user), name: &session.username, customer }
    }
}

impl Proof for Visitor<'_> {
    fn scope(&self) -> Scope {
        self.customer.map_or(Scope::Platform, Scope::Customer)
    }

    fn person(&self) -> Option<Id<User>> {
        self.person
    }

    fn person_name(&self) -> &str {
        self.name
    }

    fn address(&self) -> Option<IpAddr> {
        self.context.address
    }

    fn locale(&self) -> Locale {
        self.context.locale
    }

    fn request(&self) -> Option<&str> {
        Some(&self.context.request)
    }
}

/// Writes a line about signing in or out.
///
/// # Errors
/// When the database refuses; what the line tells of must then not happen.
pub async fn write(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    kind: &str,
    record: &str,
    action: &str,
) -> anyhow::Result<()> {
    let none = Fields::new();
    let customer = proof.scope().customer();
    audit::write(transaction, proof, Line { kind, record, customer, action, before: &none, after: &none }).await
}
