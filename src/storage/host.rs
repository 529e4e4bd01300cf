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
