//! Engines, containers, images and the operations on them, as pages and the API see them.

use crate::{id::Id, jobs::model::Job, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The name of an engine in the API and the URL; `local` exists from the start.
pub const LOCAL: &str = "local";

/// The label that names the customer a container belongs to.
pub const CUSTOMER_LABEL: &str = "muelle.customer";

/// How a connection to an engine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// Nothing has been heard yet.
    Connecting,
    /// It answers.
    Up,
    /// It is there and does not answer in time.
    Stale,
    /// It is not there.
    Down,
}

/// One engine: its state, and what it last told of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its name.
    pub name: String,
    /// Where it is: `unix:///var/run/docker.sock`.
    pub address: String,
    /// How the connection stands.
    pub state: EngineState,
    /// Since when.
    pub since: Timestamp,
    /// True when `state` is `Up`.
    pub is_up: bool,
    /// Why it is not up, in words for a person, with what to do.
    pub problem: Option<String>,
    /// What it told of itself; the last known while it is away.
    pub info: Option<EngineInfo>,
    /// Its disk usage; the last known.
    pub data_usage: Option<DataUsage>,
}

/// General information about an engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Version of the engine: `20.10.24`.
    pub version: String,
    /// Negotiated version of its API: `1.41`.
    pub api_version: String,
    /// The host's name.
    pub host: String,
    /// The operating system, as it calls itself.
    pub operating_system: String,
    /// The kernel.
    pub kernel: String,
    /// `x86_64`.
    pub architecture: String,
    /// Processors.
    pub cpus: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// The storage driver.
    pub storage_driver: String,
    /// Where it keeps its data.
    pub root_dir: String,
    /// Containers by state.
    pub containers_running: i64,
    /// Paused containers.
    pub containers_paused: i64,
    /// Stopped containers.
    pub containers_stopped: i64,
    /// Images.
    pub images: i64,
    /// Warnings the engine gives about itself.
    pub warnings: Vec<String>,
}

/// Disk usage of an engine in bytes, with what a prune could free.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataUsage {
    /// All image layers.
    pub images: Usage,
    /// Writable layers of containers.
    pub containers: Usage,
    /// Local volumes.
    pub volumes: Usage,
    /// The build cache.
    pub build_cache: Usage,
}

/// One part of the disk usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How many there are.
    pub count: i64,
    /// Bytes in all.
    pub size: i64,
    /// Bytes that nothing uses.
    pub reclaimable: i64,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// Made and never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two attempts.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Broken; can only be removed.
    Dead,
}

/// What a container's health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It has none.
    None,
    /// Too early to tell.
    Starting,
    /// Good.
    Healthy,
    /// Bad.
    Unhealthy,
}

/// One container in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// The engine's identifier, 64 hexadecimal digits.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// What it is doing.
    pub state: ContainerState,
    /// Its exit status, once it has ended.
    pub exit_code: Option<i64>,
    /// The engine's own words: `Up 3 hours (healthy)`.
    pub status: String,
    /// What its health check says.
    pub health: Health,
    /// The image as it was named.
    pub image: String,
    /// The image's identifier.
    pub image_id: String,
    /// The command line.
    pub command: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Published and exposed ports.
    pub ports: Vec<PublishedPort>,
    /// Networks and the address in each.
    pub networks: BTreeMap<String, String>,
    /// The Compose project it belongs to.
    pub stack: Option<String>,
    /// The customer it belongs to, from its label.
    pub customer: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The port inside.
    pub container_port: u16,
    /// The port outside; `None` when it is only exposed.
    pub host_port: Option<u16>,
    /// The address it is bound to.
    pub host_ip: Option<String>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// A list from an engine with how true it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// The things.
    pub items: Vec<T>,
    /// The state of the engine.
    pub engine: EngineStatus,
    /// When the list was true.
    pub at: Timestamp,
}

/// One image in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The identifier, `sha256:…`.
    pub id: String,
    /// Names with tag; empty for a dangling one.
    pub tags: Vec<String>,
    /// Names with digest.
    pub digests: Vec<String>,
    /// Bytes, shared layers included.
    pub size: i64,
    /// When it was built.
    pub created_at: Timestamp,
    /// How many containers use it.
    pub containers: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// One layer in an image's history, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The image that ends with it; `<missing>` where it was pulled.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What made it.
    pub created_by: String,
    /// Bytes it adds.
    pub size: i64,
    /// A comment.
    pub comment: String,
    /// Names of the image that ends with it.
    pub tags: Vec<String>,
}

/// One image found in a registry's search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundImage {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How many people liked it.
    pub stars: i64,
    /// Whether the registry's owner vouches for it.
    pub official: bool,
}

/// A container in full, for its own page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerDetail {
    /// The row.
    pub container: Container,
    /// What it was made from, in our own words; what we do not model stands in `inspect` only.
    pub spec: ContainerSpec,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// The reason of the last failure, in the engine's words.
    pub error: String,
    /// The last probes of its health check, newest last.
    pub probes: Vec<Probe>,
    /// Everything the engine says, secrets masked where the person may not see them.
    pub inspect: Value,
}

/// One probe of a health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Its exit status; 0 is healthy.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// What a container is made from: our own allow-list, never the engine's raw API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ContainerSpec {
    /// The image, by name with tag or digest, or by identifier.
    pub image: String,
    /// The container's name; the engine makes one up when empty.
    pub name: Option<String>,
    /// The command, word by word; the image's own when empty.
    pub command: Vec<String>,
    /// The entrypoint, word by word; the image's own when empty.
    pub entrypoint: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports to publish.
    pub ports: Vec<PortSpec>,
    /// Mounts.
    pub mounts: Vec<MountSpec>,
    /// The network: `bridge`, `host`, `none`, `container:NAME` or a network's name.
    pub network: Option<String>,
    /// Several networks, each with addresses and aliases.
    pub networks: Vec<NetworkSpec>,
    /// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`.
    pub restart: Option<String>,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// Processors it may use, such as 1.5.
    pub cpus: Option<f64>,
    /// The greatest number of processes.
    pub pids_limit: Option<i64>,
    /// The user inside: `name`, `uid` or `uid:gid`.
    pub user: Option<String>,
    /// The working folder inside.
    pub workdir: Option<String>,
    /// The host name inside.
    pub hostname: Option<String>,
    /// The root file system cannot be written.
    pub read_only: bool,
    /// A small init process reaps zombies.
    pub init: bool,
    /// All rights over the machine.
    pub privileged: bool,
    /// `host` or `container:NAME`.
    pub pid_mode: Option<String>,
    /// `host`, `shareable`, `private` or `container:NAME`.
    pub ipc_mode: Option<String>,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// Devices, `/dev/x` or `/dev/x:/dev/y:rwm`.
    pub devices: Vec<String>,
    /// The health check; the image's own when absent.
    pub health: Option<HealthSpec>,
    /// The log driver.
    pub log_driver: Option<String>,
    /// Its options.
    pub log_options: BTreeMap<String, String>,
    /// DNS servers.
    pub dns: Vec<String>,
    /// `name:address` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// `name=soft:hard` limits.
    pub ulimits: Vec<String>,
    /// A terminal.
    pub tty: bool,
    /// Standard input stays open.
    pub stdin_open: bool,
    /// The engine removes it when it ends.
    pub auto_remove: bool,
    /// When the image is pulled: `missing` (default), `always`, `never`.
    pub pull: Option<String>,
}

/// One port to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PortSpec {
    /// The port inside.
    pub container_port: u16,
    /// The port outside; any free one when absent.
    #[serde(default)]
    pub host_port: Option<u16>,
    /// The address to bind; all when absent.
    #[serde(default)]
    pub host_ip: Option<String>,
    /// `tcp` (default), `udp` or `sctp`.
    #[serde(default)]
    pub protocol: Option<String>,
}

/// One mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MountSpec {
    /// `bind`, `volume` or `tmpfs`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The folder on the machine, or the volume's name; an anonymous volume when absent.
    #[serde(default)]
    pub source: Option<String>,
    /// The folder inside.
    pub target: String,
    /// It cannot be written.
    #[serde(default)]
    pub read_only: bool,
    /// The greatest size of a `tmpfs` in bytes; half of the machine's memory when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// The rights of a `tmpfs`'s folder in octal, such as `1770`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// How mounts below a `bind` are shared with the machine: `private`, `rprivate` (default), `shared`, `rshared`,
    /// `slave` or `rslave`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation: Option<String>,
    /// A new `volume` begins empty, without what the image has in that folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_copy: bool,
}

/// One network to join.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    /// The network's name.
    pub name: String,
    /// The IPv4 address in it.
    pub ipv4: Option<String>,
    /// The IPv6 address in it.
    pub ipv6: Option<String>,
    /// Further names in it.
    pub aliases: Vec<String>,
}

/// A health check. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HealthSpec {
    /// `["CMD", …]`, `["CMD-SHELL", line]` or `["NONE"]`.
    pub test: Vec<String>,
    /// Between two probes.
    pub interval: Option<f64>,
    /// Until a probe counts as failed.
    pub timeout: Option<f64>,
    /// Failures in a row until unhealthy.
    pub retries: Option<i64>,
    /// Grace at the start.
    pub start_period: Option<f64>,
}

/// An operation on containers: a name and its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "data", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContainerOperation {
    /// Pulls the image if it is missing, creates and starts; a job.
    Run(Box<ContainerSpec>),
    /// Creates without starting.
    Create(Box<ContainerSpec>),
    /// Starts.
    Start {},
    /// Stops; killed after `timeout` seconds.
    Stop {
        /// Seconds; the container's own when absent.
        #[serde(default)]
        timeout: Option<i64>,
    },
    /// Stops and starts.
    Restart {
        /// Seconds until killed.
        #[serde(default)]
        timeout: Option<i64>,
    },
    /// Freezes.
    Pause {},
    /// Unfreezes.
    Unpause {},
    /// Sends a signal.
    Kill {
        /// `SIGKILL` when absent.
        #[serde(default)]
        signal: Option<String>,
    },
    /// Gives another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Removes.
    Remove {
        /// Also when it runs.
        #[serde(default)]
        force: bool,
        /// With its anonymous volumes.
        #[serde(default)]
        volumes: bool,
    },
    /// Its log as text.
    Logs(LogQuery),
    /// Everything the engine says of it.
    Inspect {},
    /// Reads its state anew from the engine.
    Reload {},
    /// Removes stopped ones that match; a job.
    Prune {
        /// The engine's own filters.
        #[serde(default)]
        filters: BTreeMap<String, Value>,
    },
}

impl ContainerOperation {
    /// Its name in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Create(_) => "create",
            Self::Start {} => "start",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
            Self::Pause {} => "pause",
            Self::Unpause {} => "unpause",
            Self::Kill { .. } => "kill",
            Self::Rename { .. } => "rename",
            Self::Remove { .. } => "remove",
            Self::Logs(_) => "logs",
            Self::Inspect {} => "inspect",
            Self::Reload {} => "reload",
            Self::Prune { .. } => "prune",
        }
    }

    /// Whether it changes nothing, so that a viewer may do it.
    pub const fn only_reads(&self) -> bool {
        matches!(self, Self::Logs(_) | Self::Inspect {} | Self::Reload {})
    }

    /// Whether it acts on containers that exist; the others take no object.
    pub const fn takes_objects(&self) -> bool {
        !matches!(self, Self::Run(_) | Self::Create(_) | Self::Prune { .. })
    }
}

/// Which part of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// The last lines; all when absent.
    pub tail: Option<u32>,
    /// Seconds since 1970, RFC 3339, or an age such as `10m`.
    pub since: Option<String>,
    /// As `since`.
    pub until: Option<String>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Standard output; both streams when neither is named.
    pub stdout: Option<bool>,
    /// Standard error.
    pub stderr: Option<bool>,
}

/// An operation on images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "data", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageOperation {
    /// Pulls; a job.
    Pull {
        /// Name with tag or digest; `latest` when neither is named.
        image: String,
        /// `linux/arm64`.
        #[serde(default)]
        platform: Option<String>,
        /// Every tag of the repository.
        #[serde(default)]
        all_tags: bool,
    },
    /// All of them.
    List {},
    /// Everything the engine says of it.
    Inspect {},
    /// Its layers.
    History {},
    /// Gives it a further name.
    Tag {
        /// The repository.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// Removes it.
    Remove {
        /// Also when a stopped container uses it, with all its names.
        #[serde(default)]
        force: bool,
        /// Keeps untagged parents.
        #[serde(default)]
        noprune: bool,
    },
    /// Searches the public registry.
    Search {
        /// The words.
        term: String,
        /// The greatest number of answers.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Removes unused ones that match; a job.
    Prune {
        /// The engine's own filters.
        #[serde(default)]
        filters: BTreeMap<String, Value>,
    },
    /// Reads it anew from the engine.
    Reload {},
}

impl ImageOperation {
    /// Its name in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pull { .. } => "pull",
            Self::List {} => "list",
            Self::Inspect {} => "inspect",
            Self::History {} => "history",
            Self::Tag { .. } => "tag",
            Self::Remove { .. } => "remove",
            Self::Search { .. } => "search",
            Self::Prune { .. } => "prune",
            Self::Reload {} => "reload",
        }
    }

    /// Whether it changes nothing, so that a viewer may do it.
    pub const fn only_reads(&self) -> bool {
        matches!(self, Self::List {} | Self::Inspect {} | Self::History {} | Self::Search { .. } | Self::Reload {})
    }

    /// Whether it acts on images that exist; the others take no object.
    pub const fn takes_objects(&self) -> bool {
        matches!(self, Self::Inspect {} | Self::History {} | Self::Tag { .. } | Self::Remove { .. } | Self::Reload {})
    }
}

/// What an operation gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Result(Value),
    /// It goes on as a job.
    Job {
        /// The job.
        id: Id<Job>,
    },
    /// It was done for several.
    Results(Vec<ObjectResult>),
}

/// What an operation gave for one of several objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectResult {
    /// The object as it was named.
    pub object: String,
    /// Whether it worked.
    pub ok: bool,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it did not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<crate::error::Error>,
}

/// An image in full, for its own page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageDetail {
    /// The row.
    pub image: Image,
    /// Its layers, newest first.
    pub history: Vec<Layer>,
    /// Everything the engine says.
    pub inspect: Value,
}

/// What a specification means: the same as a command line, and what to think of before it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The `docker run` line that does the same.
    pub docker_run: String,
    /// What to think of.
    pub warnings: Vec<Warning>,
}

/// One thing to think of before a specification is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The field, as in the API: `mounts[0].source`.
    pub field: String,
    /// A sentence in the person's language.
    pub text: String,
    /// Whether the person may not do it at all.
    pub refused: bool,
}

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written, in the engine's words to the nanosecond: also what names the line.
    pub at: Option<String>,
    /// `out`, `err`, or `tty` where both are one.
    pub stream: String,
    /// The text, without the line end.
    pub text: String,
    /// True when the line was longer than 16 KiB and goes on in the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What a search through a whole log found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSearch {
    /// The last lines that match, oldest first, with their number counted from 1.
    pub matches: Vec<(u64, LogLine)>,
    /// How many lines match.
    pub total: u64,
    /// How many lines were read.
    pub lines: u64,
    /// True when the search ended before the log did.
    pub truncated: bool,
}
