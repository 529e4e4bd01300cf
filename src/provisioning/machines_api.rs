//! What the browser may call about machines and groups: host keys, check, facts, wake and inventory.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::machines::{CheckReport, ConnectionCheck, HostKey, HostKeys, InventoryView, KeyOwner, MachineFacts};
use crate::{
    error::Result,
    id::Id,
    json::Json,
    storage::{Credential, Host, Machine, item::RawRecord},
};
use leptos::prelude::server;

#[cfg(feature = "ssr")]
use super::server::{check, facts, host_keys, inventory, wake};
#[cfg(feature = "ssr")]
use crate::authentication::server::{Operating, Reading, Updating, context::permit};

/// The keys of a machine, or of the free addresses of a group.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "list_host_keys", input = Json, output = Json)]
pub async fn list_host_keys(owner: KeyOwner) -> Result<HostKeys> {
    let permit = permit::<Reading>(owner.kind())?;
    host_keys::list(&permit, owner).await
}

/// Asks an SSH server for its key; `address` chooses among a group's free addresses.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `address`;
/// [`Error::Unavailable`](crate::error::Error::Unavailable) when nobody answers there.
#[server(prefix = "/api/fn", endpoint = "scan_host_keys", input = Json, output = Json)]
pub async fn scan_host_keys(owner: KeyOwner, address: Option<String>) -> Result<HostKeys> {
    let permit = permit::<Operating>(owner.kind())?;
    host_keys::scan(&permit, owner, address.as_deref()).await
}

/// Trusts a key, or rejects it.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when it is not one of the owner's.
#[server(prefix = "/api/fn", endpoint = "decide_host_key", input = Json, output = Json)]
pub async fn decide_host_key(owner: KeyOwner, key: Id<HostKey>, approve: bool) -> Result<HostKey> {
    let permit = permit::<Operating>(owner.kind())?;
    host_keys::decide(&permit, owner, key, approve).await
}

/// Checks whether a machine can be worked on with these credentials, step by step. Each step is told as it ends
/// under [`Topic::Check`](crate::events::model::Topic::Check) with the id `told_as`, which the caller chooses.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `credentials` when one cannot be opened.
#[server(prefix = "/api/fn", endpoint = "check_connection", input = Json, output = Json)]
pub async fn check_connection(
    machine: Id<Machine>,
    credentials: Vec<Id<Credential>>,
    told_as: Option<Id<ConnectionCheck>>,
) -> Result<CheckReport> {
    let permit = permit::<Operating>("machine")?;
    check::check(&permit, machine, &credentials, told_as).await
}

/// What is known of a machine; `None` before the first run that gathered facts.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "get_facts", input = Json, output = Json)]
pub async fn get_facts(machine: Id<Machine>) -> Result<Option<MachineFacts>> {
    let permit = permit::<Reading>("machine")?;
    facts::view(&permit, machine).await
}

/// Takes what was found into the record: these fields.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) when the values contradict each other;
/// [`Error::Conflict`](crate::error::Error::Conflict) when the revision is stale.
#[server(prefix = "/api/fn", endpoint = "adopt_facts", input = Json, output = Json)]
pub async fn adopt_facts(machine: Id<Machine>, fields: Vec<String>, revision: Option<i64>) -> Result<RawRecord> {
    let permit = permit::<Updating>("machine")?;
    facts::adopt(&permit, machine, &fields, revision).await
}

/// Sends the magic packet that wakes a machine.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `mac` when the machine has none.
#[server(prefix = "/api/fn", endpoint = "wake_machine", input = Json, output = Json)]
pub async fn wake_machine(machine: Id<Machine>) -> Result<()> {
    let permit = permit::<Operating>("machine")?;
    wake::wake(&permit, machine).await
}

/// The inventory of a group, as Ansible reads it.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) when Ansible could not be given it: a machine has no address,
/// for example.
#[server(prefix = "/api/fn", endpoint = "host_inventory", input = Json, output = Json)]
pub async fn host_inventory(host: Id<Host>) -> Result<InventoryView> {
    let permit = permit::<Reading>("host")?;
    inventory::view(&permit, host).await
}
