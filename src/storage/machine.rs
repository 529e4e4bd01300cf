//! Machines: computers that are known, with their addresses.

use super::item::{Check, Choice, Field, Item, Kind, Shape};
use crate::text;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a machine stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The machine that Muelle itself runs on.
    Local,
    /// Any other.
    #[default]
    Remote,
}

/// One computer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    #[serde(rename = "type")]
    pub place: Place,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// The hardware address of its network card.
    pub mac: Option<String>,
    /// The mask of its IPv4 network.
    pub netmask: Option<Ipv4Addr>,
    /// The broadcast address of its IPv4 network.
    pub broadcast: Option<Ipv4Addr>,
    /// The address of its IPv4 network.
    pub network: Option<Ipv4Addr>,
    /// Its way out.
    pub gateway: Option<Ipv4Addr>,
    /// The port of its SSH server; 22 when absent.
    pub ssh_port: Option<u16>,
    /// The user to sign in as over SSH.
    pub ssh_user: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl Item for Machine {
    const KIND: Kind = Kind::new(
        "machine",
        "machines",
        text!(records.machine.one),
        text!(records.machine.many),
        text!(records.machine.empty),
    )
    .per_customer()
    .importable()
    .fields(&[
        Field::line("name", text!(records.machine.name)).required().unique().searched().listed(),
        Field::lines("description", text!(records.machine.description)).searched(),
        Field::choice(
            "type",
            text!(records.machine.place),
            &[
                Choice { value: "local", label: text!(records.machine.place_local) },
                Choice { value: "remote", label: text!(records.machine.place_remote) },
            ],
        )
        .required()
        .listed(),
        Field::shaped("ipv4", text!(records.machine.ipv4), Shape::Ipv4).searched().listed(),
        Field::shaped("ipv6", text!(records.machine.ipv6), Shape::Ipv6).searched(),
        Field::shaped("mac", text!(records.machine.mac), Shape::Mac).hint(text!(records.machine.mac_hint)).searched(),
        Field::shaped("netmask", text!(records.machine.netmask), Shape::Ipv4).hint(text!(records.machine.netmask_hint)),
        Field::shaped("broadcast", text!(records.machine.broadcast), Shape::Ipv4),
        Field::shaped("network", text!(records.machine.network), Shape::Ipv4),
        Field::shaped("gateway", text!(records.machine.gateway), Shape::Ipv4),
        Field::shaped("ssh_port", text!(records.machine.ssh_port), Shape::Integer { min: 1, max: 65535 }),
        Field::line("ssh_user", text!(records.machine.ssh_user)),
        Field::shaped("tags", text!(records.machine.tags), Shape::Words)
            .hint(text!(records.machine.tags_hint))
            .searched()
            .listed(),
    ]);

    fn check(&mut self, _check: &mut Check) {}
}
