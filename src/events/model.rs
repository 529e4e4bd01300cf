//! Topics and events.

use crate::{id::Id, jobs::model::Job, provisioning::machines::ConnectionCheck};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What can be listened to. On the wire `records/machine`, `containers/local`, `job/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Records of a kind, by its name.
    Records(String),
    /// The containers of an engine.
    Containers(String),
    /// The images of an engine.
    Images(String),
    /// The state of an engine.
    Engine(String),
    /// All jobs in reach: made, moved on, ended.
    Jobs,
    /// One job: state, progress and output.
    Job(Id<Job>),
    /// All runs of playbooks in reach: asked for, moved on, ended.
    Runs,
    /// One check of a machine's connection, by the id that whoever asked for it has chosen: each step as it ends.
    /// Passes by.
    Check(Id<ConnectionCheck>),
    /// The login itself; its end closes every stream.
    Session,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(kind) => write!(f, "records/{kind}"),
            Self::Containers(engine) => write!(f, "containers/{engine}"),
            Self::Images(engine) => write!(f, "images/{engine}"),
            Self::Engine(engine) => write!(f, "engine/{engine}"),
            Self::Jobs => f.write_str("jobs"),
            Self::Job(id) => write!(f, "job/{id}"),
            Self::Runs => f.write_str("runs"),
            Self::Check(id) => write!(f, "check/{id}"),
            Self::Session => f.write_str("session"),
        }
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("there is no topic {text:?}");
        match text.split_once('/') {
            Some(("records", kind)) => Ok(Self::Records(kind.to_owned())),
            Some(("containers", engine)) => Ok(Self::Containers(engine.to_owned())),
            Some(("images", engine)) => Ok(Self::Images(engine.to_owned())),
            Some(("engine", engine)) => Ok(Self::Engine(engine.to_owned())),
            Some(("job", id)) => id.parse().map(Self::Job).map_err(|_| unknown()),
            Some(("check", id)) => id.parse().map(Self::Check).map_err(|_| unknown()),
            None if text == "jobs" => Ok(Self::Jobs),
            None if text == "runs" => Ok(Self::Runs),
            None if text == "session" => Ok(Self::Session),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Topic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up over the life of the database; what `Last-Event-ID` names.
    pub id: i64,
    /// What it is about.
    pub topic: Topic,
    /// What changed; small, often `{}`: the page asks again.
    pub data: serde_json::Value,
}
