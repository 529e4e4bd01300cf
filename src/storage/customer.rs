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

/// What follows when a customer is disabled or removed.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{
        error::{Error, Result},
        events::model::Topic,
        i18n::td_string,
        id::Id,
        platform::db::{Transaction, sql},
        storage::{
            Customer,
            item::server::{
                hooks::{Hooks, Removing, Saving},
                store,
            },
        },
        time::Timestamp,
    };
    use serde_json::json;

    /// Disabling one shuts its users out; removing one is refused while it owns records.
    pub const HOOKS: Hooks = Hooks {
        save: |saving| Box::pin(save(saving)),
        remove: |removing| Box::pin(remove(removing)),
        after: |state, record| {
            Box::pin(async move {
                if !record.base.enabled || record.base.deleted_at.is_some() {
                    // Streams that are open for its people ask again whether they may be.
                    state.bus.publish(
                        Topic::Session,
                        Some(record.base.id.cast()),
                        json!({ "customer": record.base.id }),
                    );
                }
            })
        },
        ..Hooks::NONE
    };

    async fn save(saving: Saving<'_>) -> Result<()> {
        let was_enabled = saving.before.is_some_and(|before| before.base.enabled);
        if was_enabled && !saving.after.base.enabled {
            revoke_logins(saving.transaction, saving.after.base.id.cast()).await?;
        }
        Ok(())
    }

    async fn remove(removing: Removing<'_>) -> Result<()> {
        let customer = removing.record.base.id.cast();
        let locale = removing.proof.locale();
        let owned = store::owned_by(removing.transaction, customer, false).await?;
        if !owned.is_empty() {
            let list = store::listing(&owned, locale);
            return Err(Error::conflict(td_string!(locale, errors.record.owns, list = list)));
        }
        Ok(revoke_logins(removing.transaction, customer).await?)
    }

    async fn revoke_logins(transaction: &mut Transaction, customer: Id<Customer>) -> anyhow::Result<()> {
        let statement = sql("update logins
                set deleted_at = $1, updated_at = $2, revision = revision + 1
              where customer = $3 and deleted_at is null")
        .bind(Timestamp::now().millis())
        .bind(Timestamp::now().millis())
        .bind(customer.to_string());
        transaction.execute(statement).await.map(drop)
    }
}
