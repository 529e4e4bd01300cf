//! Hosts: named groups of machines and addresses that a playbook can be run on.

use super::item::{Field, Item, Kind, Shape};
use crate::{id::Id, storage::Machine, text};
use serde::{Deserialize, Serialize};

/// One group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name, unique within the customer.
    pub name: String,
    /// Machines that are known.
    pub machines: Vec<Id<Machine>>,
    /// Further IP addresses and DNS names.
    pub addresses: Vec<String>,
    /// Variables for all of them: a YAML mapping.
    pub variables: Option<String>,
}

impl Item for Host {
    const KIND: Kind =
        Kind::new("host", "hosts", text!(records.host.one), text!(records.host.many), text!(records.host.empty))
            .per_customer()
            .fields(&[
                Field::line("name", text!(records.host.name)).required().unique().searched().listed(),
                Field::shaped(
                    "machines",
                    text!(records.host.machines),
                    Shape::References { kind: "machine", table: "host_machines" },
                )
                .listed(),
                Field::shaped("addresses", text!(records.host.addresses), Shape::Addresses)
                    .hint(text!(records.host.addresses_hint))
                    .searched()
                    .listed(),
                Field::yaml("variables", text!(records.host.variables)).hint(text!(records.host.variables_hint)),
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

    /// The variables must be a mapping.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing: Preparing<'_>| {
            Box::pin(async move {
                let variables = preparing.fields.get("variables").and_then(Value::as_str).unwrap_or_default();
                yaml::mapping(variables, preparing.proof.locale())
                    .map_err(|message| Error::invalid("variables", message))
            })
        },
        ..Hooks::NONE
    };
}
