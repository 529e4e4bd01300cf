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
    /// Groups within it: what is in them is in it too.
    #[serde(default)]
    pub groups: Vec<Id<Host>>,
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
                Field::shaped(
                    "groups",
                    text!(machines.host.groups),
                    Shape::References { kind: "host", table: "host_groups" },
                )
                .hint(text!(machines.host.groups_hint)),
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
        provisioning::server::{inventory, variables},
        storage::item::server::hooks::{Hooks, Preparing, Saving},
    };
    use serde_json::Value;

    /// The variables must be a mapping without what Muelle decides itself, and no group may hold itself.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing: Preparing<'_>| {
            Box::pin(async move {
                let text = preparing.fields.get("variables").and_then(Value::as_str).unwrap_or_default();
                let read = variables::read(text, preparing.proof.locale());
                read.map(drop).map_err(|message| Error::invalid("variables", message))
            })
        },
        save: |saving: Saving<'_>| Box::pin(inventory::refuse_circles(saving)),
        ..Hooks::NONE
    };
}
