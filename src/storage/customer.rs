//! Customers: the tenants.

use super::item::{Check, Field, Item, Kind};
use crate::{i18n::td_string, text};
use serde::{Deserialize, Serialize};

/// One customer. Machines, hosts, playbooks, users, engines and jobs belong to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// What people call it.
    pub name: String,
    /// What is typed at sign-in, and its sub-domain where there is a base domain: a DNS label.
    pub domain: String,
    /// Anything worth knowing.
    pub notes: Option<String>,
}

impl Item for Customer {
    const KIND: Kind = Kind::new(
        "customer",
        "customers",
        text!(records.customer.one),
        text!(records.customer.many),
        text!(records.customer.empty),
    )
    .fields(&[
        Field::line("name", text!(records.customer.name)).required().searched().listed(),
        Field::line("domain", text!(records.customer.domain))
            .hint(text!(records.customer.domain_hint))
            .required()
            .unique()
            .searched()
            .listed(),
        Field::lines("notes", text!(records.customer.notes)).searched(),
    ]);

    fn check(&mut self, check: &mut Check) {
        self.domain = self.domain.to_ascii_lowercase();
        let label = &self.domain;
        let good = (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !good {
            check.problem("domain", td_string!(check.locale, errors.field.domain));
        }
    }
}
