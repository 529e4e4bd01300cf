//! Machines as provisioning sees them: the keys they show, what a check found, their facts, and the
//! inventory of a group.

use crate::{
    id::Id,
    jobs::model::Job,
    storage::{Host, Machine},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The key that an SSH server showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// Its identifier.
    pub id: Id<HostKey>,
    /// The machine that showed it; `None` for a free address.
    pub machine: Option<Id<Machine>>,
    /// The free address that showed it.
    pub address: Option<String>,
    /// The port of the free address.
    pub port: Option<u16>,
    /// Its algorithm: `ssh-ed25519`.
    pub algorithm: String,
    /// Its fingerprint as `ssh-keygen -l` writes it: `SHA256:…`.
    pub fingerprint: String,
    /// How it stands.
    pub state: KeyState,
    /// When it was shown first.
    pub first_seen_at: Timestamp,
    /// When it was shown last.
    pub last_seen_at: Timestamp,
    /// The name of who decided over it.
    pub decided_by: Option<String>,
    /// When they did.
    pub decided_at: Option<Timestamp>,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Was shown by somebody new; nobody has decided.
    Pending,
    /// Is the one that must be shown.
    Trusted,
    /// Was shown in place of the trusted one; nobody has decided, and nothing connects until somebody does.
    Changed,
    /// Was rejected, or was trusted once.
    Revoked,
}

impl KeyState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Trusted, Self::Changed, Self::Revoked];

    /// Its name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Trusted => "trusted",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
        }
    }

    /// Whether somebody must decide.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Changed)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyState {
    type Err = UnknownKeyState;

    fn from_str(text: &str) -> Result<Self, UnknownKeyState> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| UnknownKeyState(text.to_owned()))
    }
}

/// A text that is no state of a key.
#[derive(Debug, thiserror::Error)]
#[error("there is no state {0:?} of a host key")]
pub struct UnknownKeyState(String);

/// Whose page keys are looked at on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum KeyOwner {
    /// A machine's: its own keys.
    Machine(Id<Machine>),
    /// A group's: those of its free addresses.
    Host(Id<Host>),
}

impl KeyOwner {
    /// The kind's name, which rights are asked for.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Machine(_) => "machine",
            Self::Host(_) => "host",
        }
    }

    /// The record's identifier.
    pub fn id(self) -> Id<()> {
        match self {
            Self::Machine(id) => id.cast(),
            Self::Host(id) => id.cast(),
        }
    }
}

/// The keys of a machine, or of the free addresses of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeys {
    /// The keys: those that wait for a decision first, then the trusted, then the others.
    pub items: Vec<HostKey>,
    /// The addresses that can be asked for their key, with their port: `10.0.0.5`, 22.
    pub addresses: Vec<(String, u16)>,
}

/// A step of a check, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStep {
    /// The machine has an address.
    Address,
    /// Its port answers.
    Port,
    /// It shows the key that is trusted.
    HostKey,
    /// It lets us in.
    Login,
    /// It has Python.
    Python,
    /// It lets us become root.
    Become,
}

impl CheckStep {
    /// All steps, in order.
    pub const ALL: [Self; 6] = [Self::Address, Self::Port, Self::HostKey, Self::Login, Self::Python, Self::Become];
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// One before it failed, or it is not needed.
    NotTried,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// Which step.
    pub step: CheckStep,
    /// How it ended.
    pub state: StepState,
    /// What was found, as a sentence.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}

/// A check of a machine's connection while it is made. Whoever asks for it chooses its id, to hear its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCheck;

/// What a check of a machine's connection found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether every step that is needed passed.
    pub ok: bool,
    /// The steps, in order.
    pub steps: Vec<StepResult>,
    /// Keys that wait for a decision.
    pub keys: Vec<HostKey>,
    /// When it was made.
    pub at: Timestamp,
}

/// What is known of a machine from the last run that gathered facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The run.
    pub run: Id<Job>,
    /// When.
    pub gathered_at: Timestamp,
    /// What it found out, by the names that Ansible gives: `ansible_distribution`.
    pub facts: Map<String, Value>,
    /// Where it differs from the record.
    pub differences: Vec<FactDifference>,
}

/// A field of a machine's record that differs from what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactDifference {
    /// The field: `ipv4`.
    pub field: String,
    /// What the record says.
    pub recorded: Option<String>,
    /// What was found.
    pub found: String,
}

/// The inventory of a group, as Ansible reads it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InventoryView {
    /// Whether Ansible itself was asked; otherwise it is what Ansible would be given.
    pub by_ansible: bool,
    /// Why Ansible was not asked, or what it complained of.
    pub note: Option<String>,
    /// Every group by its name.
    pub groups: BTreeMap<String, GroupView>,
    /// The groups that are in no other.
    pub roots: Vec<String>,
    /// The variables of every host by its name, those of its groups included.
    pub hosts: BTreeMap<String, Map<String, Value>>,
}

/// A group of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// The names of its hosts.
    pub hosts: Vec<String>,
    /// The names of the groups within it.
    pub children: Vec<String>,
}
