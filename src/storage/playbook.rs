//! Playbooks: what is run on hosts.

use super::item::{Field, Item, Kind};
use crate::text;
use serde::{Deserialize, Serialize};

/// One playbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The plays, as YAML.
    pub content: String,
}

impl Item for Playbook {
    const KIND: Kind = Kind::new(
        "playbook",
        "playbooks",
        text!(records.playbook.one),
        text!(records.playbook.many),
        text!(records.playbook.empty),
    )
    .per_customer()
    .fields(&[
        Field::line("name", text!(records.playbook.name)).required().unique().searched().listed(),
        Field::lines("description", text!(records.playbook.description)).searched().listed(),
        Field::yaml("content", text!(records.playbook.content))
            .hint(text!(records.playbook.content_hint))
            .required()
            .searched(),
    ]);
}

/// What only the server checks.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{
        error::Error,
        storage::{
            item::server::hooks::{Hooks, Preparing},
            yaml,
        },
    };
    use serde_json::Value;

    /// The content must be a list of plays.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing: Preparing<'_>| {
            Box::pin(async move {
                let content = preparing.fields.get("content").and_then(Value::as_str).unwrap_or_default();
                yaml::playbook(content, preparing.proof.locale()).map_err(|message| Error::invalid("content", message))
            })
        },
        ..Hooks::NONE
    };
}
