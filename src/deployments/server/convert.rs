//! What an engine says, once and for all in our own words.
//!
//! Everything an engine says is optional to us: versions differ, and a field that is missing must not
//! cost the list. Letters that steer terminals are made visible here, so no page has to think of it.

use super::fault::Fault;
use crate::{
    deployments::model::{
        CUSTOMER_LABEL, Container, ContainerDetail, ContainerSpec, ContainerState, DataUsage, EngineInfo, FoundImage,
        Health, HealthSpec, Image, Layer, MountSpec, NetworkSpec, PortSpec, Probe, PublishedPort, Usage,
    },
    time::Timestamp,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The label that names the job that made a container.
pub const JOB_LABEL: &str = "muelle.job";

/// What stands in place of a hidden value.
pub const MASK: &str = "•••";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainer {
    id: Option<String>,
    names: Option<Vec<String>>,
    image: Option<String>,
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    command: Option<String>,
    created: Option<i64>,
    ports: Option<Vec<RawPort>>,
    labels: Option<BTreeMap<String, Option<String>>>,
    state: Option<String>,
    status: Option<String>,
    network_settings: Option<RawNetworks>,
}

#[derive(Deserialize)]
struct RawPort {
    #[serde(rename = "IP")]
    ip: Option<String>,
    #[serde(rename = "PrivatePort")]
    private: Option<u16>,
    #[serde(rename = "PublicPort")]
    public: Option<u16>,
    #[serde(rename = "Type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct RawNetworks {
    #[serde(rename = "Networks")]
    networks: Option<BTreeMap<String, Option<RawNetwork>>>,
}

#[derive(Deserialize)]
struct RawNetwork {
    #[serde(rename = "IPAddress")]
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawImage {
    id: Option<String>,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: Option<i64>,
    size: Option<i64>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

/// A list of which single entries may be beyond us; those are passed over and told in the log.
fn list<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, Fault> {
    if let Ok(list) = json::<Option<Vec<T>>>(bytes) {
        return Ok(list.unwrap_or_default());
    }
    let values: Vec<Value> = json(bytes)?;
    let read = values.into_iter().filter_map(|value| match serde_json::from_value(value) {
        Ok(entry) => Some(entry),
        Err(error) => {
            tracing::warn!("an entry of the engine's list cannot be read: {error}");
            None
        }
    });
    Ok(read.collect())
}

/// Reads an answer; a letter in it that is none costs itself only.
///
/// # Errors
/// [`Fault::Unreadable`] when it is no JSON, or another kind of value.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_str(&String::from_utf8_lossy(bytes)).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// A text of the engine with letters that steer terminals made visible.
pub fn visible(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if (c as u32) < 0x20 => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

fn text(value: Option<String>) -> String {
    value.map(|value| visible(&value)).unwrap_or_default()
}

fn texts(labels: Option<BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    labels.unwrap_or_default().into_iter().map(|(name, value)| (visible(&name), text(value))).collect()
}

/// The containers of a list.
///
/// # Errors
/// [`Fault::Unreadable`] when it is no list at all.
pub fn containers(bytes: &[u8]) -> Result<Vec<Container>, Fault> {
    Ok(list::<RawContainer>(bytes)?.into_iter().filter_map(container).collect())
}

fn container(raw: RawContainer) -> Option<Container> {
    let id = raw.id.filter(|id| is_identifier(id))?;
    // The container's own name has one slash; those with more are links that others have to it.
    let names = raw.names.unwrap_or_default();
    let name = names.iter().find(|name| name.matches('/').count() < 2).or(names.first());
    let status = text(raw.status);
    let labels = texts(raw.labels);
    let networks = raw.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    Some(Container {
        name: name.map_or_else(|| id[..12].to_owned(), |name| visible(name.trim_start_matches('/'))),
        state: state(&text(raw.state), &status),
        exit_code: exit_code(&status),
        health: health(&status),
        image: text(raw.image),
        image_id: text(raw.image_id),
        command: text(raw.command),
        ports: ports(raw.ports.unwrap_or_default()),
        networks: networks
            .into_iter()
            .map(|(name, network)| (visible(&name), text(network.and_then(|network| network.address))))
            .collect(),
        stack: stack(&labels),
        customer: labels.get(CUSTOMER_LABEL).cloned(),
        created_at: Timestamp::from_seconds(raw.created.unwrap_or(0)),
        status,
        labels,
        id,
    })
}

/// Whether it is an identifier as engines make them.
pub fn is_identifier(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn stack(labels: &BTreeMap<String, String>) -> Option<String> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty()).cloned();
    label("com.docker.compose.project").or_else(|| label("com.docker.stack.namespace"))
}

fn state(state: &str, status: &str) -> ContainerState {
    match state {
        "created" => ContainerState::Created,
        "paused" => ContainerState::Paused,
        // Engines have said "running" of a paused container; the status text knows better.
        "running" if status.contains("(Paused)") => ContainerState::Paused,
        "running" => ContainerState::Running,
        "restarting" => ContainerState::Restarting,
        "removing" => ContainerState::Removing,
        "dead" => ContainerState::Dead,
        _ => ContainerState::Exited,
    }
}

/// The health that a status text tells: `Up 3 hours (healthy)`.
fn health(status: &str) -> Health {
    if status.contains("(healthy)") {
        Health::Healthy
    } else if status.contains("(unhealthy)") {
        Health::Unhealthy
    } else if status.contains("(health: starting)") {
        Health::Starting
    } else {
        Health::None
    }
}

/// The exit status that a status text tells: `Exited (137) 3 hours ago`.
fn exit_code(status: &str) -> Option<i64> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

fn ports(raw: Vec<RawPort>) -> Vec<PublishedPort> {
    let mut ports: Vec<PublishedPort> = raw
        .into_iter()
        .filter_map(|port| {
            Some(PublishedPort {
                container_port: port.private?,
                host_port: port.public.filter(|port| *port != 0),
                host_ip: port.ip.map(|ip| visible(&ip)).filter(|ip| !ip.is_empty()),
                protocol: port.kind.map_or_else(|| "tcp".to_owned(), |kind| visible(&kind)),
            })
        })
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

/// The images of a list.
///
/// # Errors
/// As [`containers`].
pub fn images(bytes: &[u8]) -> Result<Vec<Image>, Fault> {
    let named = |names: Option<Vec<String>>| -> Vec<String> {
        names.unwrap_or_default().iter().filter(|name| !name.contains("<none>")).map(|name| visible(name)).collect()
    };
    let image = |raw: RawImage| {
        Some(Image {
            id: raw.id.map(|id| visible(&id))?,
            tags: named(raw.repo_tags),
            digests: named(raw.repo_digests),
            size: raw.size.unwrap_or(0),
            created_at: Timestamp::from_seconds(raw.created.unwrap_or(0)),
            containers: 0,
            labels: texts(raw.labels),
        })
    };
    Ok(list::<RawImage>(bytes)?.into_iter().filter_map(image).collect())
}

/// General information out of the answers of `/info` and `/version`.
///
/// # Errors
/// [`Fault::Unreadable`] when one is no JSON.
pub fn info(info: &[u8], version: &[u8]) -> Result<EngineInfo, Fault> {
    let info: Value = json(info)?;
    let version: Value = json(version)?;
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let warnings = info["Warnings"].as_array().cloned().unwrap_or_default();
    Ok(EngineInfo {
        version: word(&version["Version"]),
        api_version: word(&version["ApiVersion"]),
        host: word(&info["Name"]),
        operating_system: word(&info["OperatingSystem"]),
        kernel: word(&info["KernelVersion"]),
        architecture: word(&info["Architecture"]),
        cpus: number(&info["NCPU"]),
        memory: number(&info["MemTotal"]),
        storage_driver: word(&info["Driver"]),
        root_dir: word(&info["DockerRootDir"]),
        containers_running: number(&info["ContainersRunning"]),
        containers_paused: number(&info["ContainersPaused"]),
        containers_stopped: number(&info["ContainersStopped"]),
        images: number(&info["Images"]),
        warnings: warnings.iter().map(word).filter(|text| !text.is_empty()).collect(),
    })
}

/// Counts containers by state into the general information.
pub fn count_states<C: AsRef<Container>>(info: &mut EngineInfo, containers: &[C]) {
    let (mut running, mut paused, mut stopped) = (0, 0, 0);
    for container in containers {
        match container.as_ref().state {
            ContainerState::Running | ContainerState::Restarting => running += 1,
            ContainerState::Paused => paused += 1,
            ContainerState::Created | ContainerState::Removing | ContainerState::Exited | ContainerState::Dead => {
                stopped += 1;
            }
        }
    }
    (info.containers_running, info.containers_paused, info.containers_stopped) = (running, paused, stopped);
}

impl AsRef<Self> for Container {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// How many containers use each image.
pub fn users_of_images<'a>(containers: impl Iterator<Item = &'a Arc<Container>>) -> BTreeMap<String, i64> {
    let mut users = BTreeMap::new();
    for container in containers {
        *users.entry(container.image_id.clone()).or_insert(0) += 1;
    }
    users
}

/// The disk usage; engines before API 1.52 give the things, later ones the sums.
///
/// # Errors
/// [`Fault::Unreadable`] when it is no JSON.
pub fn usage(bytes: &[u8]) -> Result<DataUsage, Fault> {
    let answer: Value = json(bytes)?;
    let number = |value: &Value| value.as_i64().unwrap_or(0).max(0);
    let summed = |name: &str| {
        let part = &answer[name];
        part.is_object().then(|| Usage {
            count: number(&part["TotalCount"]),
            size: number(&part["TotalSize"]),
            reclaimable: number(&part["Reclaimable"]),
        })
    };
    let things = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let counted = |things: &[Value], size: &dyn Fn(&Value) -> i64, is_used: &dyn Fn(&Value) -> bool| Usage {
        count: i64::try_from(things.len()).unwrap_or(i64::MAX),
        size: things.iter().map(size).sum(),
        reclaimable: things.iter().filter(|thing| !is_used(thing)).map(size).sum(),
    };
    let images = summed("ImageUsage").unwrap_or_else(|| {
        let own = |image: &Value| (number(&image["Size"]) - number(&image["SharedSize"])).max(0);
        let mut usage = counted(&things("Images"), &own, &|image| number(&image["Containers"]) > 0);
        usage.size = number(&answer["LayersSize"]);
        usage
    });
    let containers = summed("ContainerUsage").unwrap_or_else(|| {
        let is_used =
            |container: &Value| matches!(container["State"].as_str(), Some("running" | "paused" | "restarting"));
        counted(&things("Containers"), &|container| number(&container["SizeRw"]), &is_used)
    });
    let volumes = summed("VolumeUsage").unwrap_or_else(|| {
        let size = |volume: &Value| number(&volume["UsageData"]["Size"]);
        counted(&things("Volumes"), &size, &|volume| number(&volume["UsageData"]["RefCount"]) > 0)
    });
    let build_cache = summed("BuildCacheUsage").unwrap_or_else(|| {
        let is_used =
            |part: &Value| part["InUse"].as_bool().unwrap_or(false) || part["Shared"].as_bool().unwrap_or(false);
        counted(&things("BuildCache"), &|part| number(&part["Size"]), &is_used)
    });
    Ok(DataUsage { images, containers, volumes, build_cache })
}

/// The layers of an image, newest first.
///
/// # Errors
/// [`Fault::Unreadable`] when it is no list.
pub fn layers(bytes: &[u8]) -> Result<Vec<Layer>, Fault> {
    let values: Vec<Value> = json(bytes)?;
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let layer = |value: &Value| Layer {
        id: word(&value["Id"]),
        created_at: Timestamp::from_seconds(value["Created"].as_i64().unwrap_or(0)),
        created_by: word(&value["CreatedBy"]),
        size: value["Size"].as_i64().unwrap_or(0),
        comment: word(&value["Comment"]),
        tags: value["Tags"].as_array().map(|tags| tags.iter().map(word).collect()).unwrap_or_default(),
    };
    Ok(values.iter().map(layer).collect())
}

/// What a search in a registry found. The engine gives names as the registry does, without the registry.
///
/// # Errors
/// [`Fault::Unreadable`] when it is no list.
pub fn found(bytes: &[u8], registry: Option<&str>) -> Result<Vec<FoundImage>, Fault> {
    let values: Vec<Value> = json(bytes)?;
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let begins = registry.map(|registry| format!("{registry}/")).unwrap_or_default();
    let whole = |name: String| if name.starts_with(&begins) { name } else { format!("{begins}{name}") };
    let found = |value: &Value| FoundImage {
        name: whole(word(&value["name"])),
        description: word(&value["description"]),
        stars: value["star_count"].as_i64().unwrap_or(0),
        official: value["is_official"].as_bool().unwrap_or(false),
    };
    Ok(values.iter().map(found).collect())
}

/// A container in full out of its inspection; `None` when even the identifier is missing.
pub fn detail(inspect: Value, row: Option<&Container>) -> Option<ContainerDetail> {
    let id = inspect["Id"].as_str().filter(|id| is_identifier(id))?.to_owned();
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let state_of = &inspect["State"];
    let mut container = row.cloned().unwrap_or_else(|| bare(&id, &inspect));
    container.name = word(&inspect["Name"]).trim_start_matches('/').to_owned();
    container.state = state(&word(&state_of["Status"]), "");
    let has_ended = matches!(container.state, ContainerState::Exited | ContainerState::Dead);
    container.exit_code = state_of["ExitCode"].as_i64().filter(|_| has_ended);
    container.health = match state_of["Health"]["Status"].as_str() {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("starting") => Health::Starting,
        _ => Health::None,
    };
    let probes = state_of["Health"]["Log"].as_array().cloned().unwrap_or_default();
    Some(ContainerDetail {
        spec: spec(&inspect),
        started_at: moment(&state_of["StartedAt"]),
        finished_at: moment(&state_of["FinishedAt"]),
        restart_count: inspect["RestartCount"].as_i64().unwrap_or(0),
        error: word(&state_of["Error"]),
        probes: probes
            .iter()
            .map(|probe| Probe {
                started_at: moment(&probe["Start"]),
                exit_code: probe["ExitCode"].as_i64().unwrap_or(0),
                output: word(&probe["Output"]),
            })
            .collect(),
        container,
        inspect,
    })
}

/// The row of a container that no list has shown yet.
fn bare(id: &str, inspect: &Value) -> Container {
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let labels: BTreeMap<String, String> = mapping(&inspect["Config"]["Labels"]);
    let mut command = vec![word(&inspect["Path"])];
    command.extend(inspect["Args"].as_array().into_iter().flatten().map(word));
    let networks = inspect["NetworkSettings"]["Networks"].as_object().cloned().unwrap_or_default();
    Container {
        id: id.to_owned(),
        name: String::new(),
        state: ContainerState::Created,
        exit_code: None,
        status: word(&inspect["State"]["Status"]),
        health: Health::None,
        image: word(&inspect["Config"]["Image"]),
        image_id: word(&inspect["Image"]),
        command: command.join(" "),
        ports: Vec::new(),
        networks: networks.iter().map(|(name, network)| (visible(name), word(&network["IPAddress"]))).collect(),
        stack: stack(&labels),
        customer: labels.get(CUSTOMER_LABEL).cloned(),
        created_at: moment(&inspect["Created"]).unwrap_or(Timestamp::from_millis(0)),
        labels,
    }
}

fn mapping(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (visible(name), visible(value.as_str().unwrap_or_default()))).collect()
}

/// A time of the engine; its year 1 means never.
fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str().filter(|text| !text.starts_with("0001-")).and_then(|text| text.parse().ok())
}

/// What a container was made from, as far as our own words reach.
fn spec(inspect: &Value) -> ContainerSpec {
    let (config, host) = (&inspect["Config"], &inspect["HostConfig"]);
    let word = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(visible);
    let words = |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().filter_map(word).collect() };
    let flag = |value: &Value| value.as_bool().unwrap_or(false);
    let positive = |value: &Value| value.as_i64().filter(|number| *number > 0);
    let env = words(&config["Env"]);
    let (network, networks) = joined(inspect);
    ContainerSpec {
        image: word(&config["Image"]).unwrap_or_default(),
        name: word(&inspect["Name"]).map(|name| name.trim_start_matches('/').to_owned()),
        command: words(&config["Cmd"]),
        entrypoint: words(&config["Entrypoint"]),
        env: env
            .iter()
            .map(|line| line.split_once('=').unwrap_or((line, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        labels: mapping(&config["Labels"]),
        ports: published(&host["PortBindings"]),
        mounts: mounts(inspect),
        network,
        networks,
        restart: restart(&host["RestartPolicy"]),
        memory: positive(&host["Memory"]),
        cpus: positive(&host["NanoCpus"]).map(|nanos| nanos as f64 / 1e9),
        pids_limit: positive(&host["PidsLimit"]),
        user: word(&config["User"]),
        workdir: word(&config["WorkingDir"]),
        hostname: word(&config["Hostname"])
            .filter(|name| !inspect["Id"].as_str().is_some_and(|id| id.starts_with(name))),
        read_only: flag(&host["ReadonlyRootfs"]),
        init: flag(&host["Init"]),
        privileged: flag(&host["Privileged"]),
        pid_mode: word(&host["PidMode"]),
        ipc_mode: word(&host["IpcMode"]),
        cap_add: words(&host["CapAdd"]),
        cap_drop: words(&host["CapDrop"]),
        devices: devices(&host["Devices"]),
        health: health_check(&config["Healthcheck"]),
        log_driver: word(&host["LogConfig"]["Type"]),
        log_options: mapping(&host["LogConfig"]["Config"]),
        dns: words(&host["Dns"]),
        extra_hosts: words(&host["ExtraHosts"]),
        ulimits: ulimits(&host["Ulimits"]),
        tty: flag(&config["Tty"]),
        stdin_open: flag(&config["OpenStdin"]),
        auto_remove: flag(&host["AutoRemove"]),
        pull: None,
    }
}

fn published(bindings: &Value) -> Vec<PortSpec> {
    let mut ports = Vec::new();
    for (key, bound) in bindings.as_object().into_iter().flatten() {
        let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
        let Ok(container_port) = port.parse() else { continue };
        for place in bound.as_array().into_iter().flatten() {
            ports.push(PortSpec {
                container_port,
                host_port: place["HostPort"].as_str().and_then(|port| port.parse().ok()).filter(|port| *port != 0),
                host_ip: place["HostIp"].as_str().filter(|ip| !ip.is_empty()).map(visible),
                protocol: Some(visible(protocol)),
            });
        }
    }
    ports
}

/// What is mounted, with what was asked of it: the list of mounts tells where, the order of the container how.
fn mounts(inspect: &Value) -> Vec<MountSpec> {
    let host = &inspect["HostConfig"];
    let word = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(visible);
    let mount = |mount: &Value| {
        let asked = host["Mounts"].as_array().into_iter().flatten();
        let asked = asked.into_iter().find(|asked| asked["Target"] == mount["Destination"]).unwrap_or(&Value::Null);
        let mode = asked["TmpfsOptions"]["Mode"].as_u64().filter(|mode| *mode > 0);
        MountSpec {
            kind: word(&mount["Type"]).unwrap_or_default(),
            // A volume whose name the engine made up is the container's own: a copy gets a new one.
            source: if mount["Type"] == "volume" {
                word(&mount["Name"]).filter(|name| !is_identifier(name))
            } else {
                word(&mount["Source"])
            },
            target: word(&mount["Destination"]).unwrap_or_default(),
            read_only: mount["RW"] == Value::Bool(false),
            size: asked["TmpfsOptions"]["SizeBytes"].as_i64().filter(|size| *size > 0),
            mode: mode.map(|mode| format!("{mode:o}")),
            propagation: word(&mount["Propagation"]).filter(|name| mount["Type"] == "bind" && name != "rprivate"),
            no_copy: asked["VolumeOptions"]["NoCopy"] == Value::Bool(true),
        }
    };
    let mut mounts: Vec<MountSpec> = inspect["Mounts"].as_array().into_iter().flatten().map(mount).collect();
    // What `--tmpfs` asked for stands in a place of its own.
    for (target, options) in host["Tmpfs"].as_object().into_iter().flatten() {
        let (target, options) = (visible(target), options.as_str().unwrap_or_default());
        let value = |name: &str| {
            options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('=').map(visible))
        };
        let tmpfs = MountSpec {
            kind: "tmpfs".to_owned(),
            read_only: options.split(',').any(|option| option == "ro"),
            size: value("size").as_deref().and_then(tmpfs_size),
            mode: value("mode").filter(|mode| mode.len() <= 4),
            target,
            ..MountSpec::default()
        };
        match mounts.iter_mut().find(|mount| mount.target == tmpfs.target) {
            Some(mount) => *mount = tmpfs,
            None => mounts.push(tmpfs),
        }
    }
    mounts
}

/// Bytes of a size as the kernel reads it: `65536k`, `64m`, `1g`, or plain bytes; a part of the memory is none.
fn tmpfs_size(text: &str) -> Option<i64> {
    let (number, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<i64>().ok()?.checked_mul(factor).filter(|size| *size > 0)
}

/// How a container is connected: the name of its only network where that says everything, or else all of
/// its networks with addresses and aliases, the main one first.
fn joined(inspect: &Value) -> (Option<String>, Vec<NetworkSpec>) {
    let word = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(visible);
    let mode = word(&inspect["HostConfig"]["NetworkMode"]);
    let mode = mode.map(|name| if name == "default" { "bridge".to_owned() } else { name });
    let id = inspect["Id"].as_str().unwrap_or_default();
    let mut networks = Vec::new();
    for (name, network) in inspect["NetworkSettings"]["Networks"].as_object().into_iter().flatten() {
        let identifier = network["NetworkID"].as_str().unwrap_or_default();
        let is_main = mode.as_deref().is_some_and(|mode| mode == name || mode == identifier);
        let joined = NetworkSpec {
            name: visible(name),
            ipv4: word(&network["IPAMConfig"]["IPv4Address"]),
            ipv6: word(&network["IPAMConfig"]["IPv6Address"]),
            // Older engines add the beginning of the identifier, which a copy has not.
            aliases: network["Aliases"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(word)
                .filter(|alias| alias.len() < 12 || !id.starts_with(alias.as_str()))
                .collect(),
        };
        networks.push((!is_main, joined));
    }
    networks.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    networks.sort_by_key(|(is_further, _)| *is_further);
    let is_plain =
        |joined: &NetworkSpec| joined == &NetworkSpec { name: joined.name.clone(), ..NetworkSpec::default() };
    match &networks[..] {
        [] => (mode, Vec::new()),
        [(false, only)] if is_plain(only) => (mode, Vec::new()),
        _ => (None, networks.into_iter().map(|(_, joined)| joined).collect()),
    }
}

fn restart(policy: &Value) -> Option<String> {
    let name = policy["Name"].as_str().filter(|name| !name.is_empty())?;
    match policy["MaximumRetryCount"].as_i64() {
        Some(count) if name == "on-failure" && count > 0 => Some(format!("on-failure:{count}")),
        _ => Some(visible(name)),
    }
}

fn devices(devices: &Value) -> Vec<String> {
    let part = |value: &Value| visible(value.as_str().unwrap_or_default());
    let device = |device: &Value| {
        format!(
            "{}:{}:{}",
            part(&device["PathOnHost"]),
            part(&device["PathInContainer"]),
            part(&device["CgroupPermissions"])
        )
    };
    devices.as_array().into_iter().flatten().map(device).collect()
}

fn health_check(check: &Value) -> Option<HealthSpec> {
    let test: Vec<String> = check["Test"].as_array()?.iter().filter_map(Value::as_str).map(visible).collect();
    let seconds = |value: &Value| value.as_i64().filter(|nanos| *nanos > 0).map(|nanos| nanos as f64 / 1e9);
    Some(HealthSpec {
        test,
        interval: seconds(&check["Interval"]),
        timeout: seconds(&check["Timeout"]),
        retries: check["Retries"].as_i64().filter(|count| *count > 0),
        start_period: seconds(&check["StartPeriod"]),
    })
}

fn ulimits(limits: &Value) -> Vec<String> {
    let limit = |limit: &Value| {
        let name = visible(limit["Name"].as_str().unwrap_or_default());
        format!("{name}={}:{}", limit["Soft"].as_i64().unwrap_or(0), limit["Hard"].as_i64().unwrap_or(0))
    };
    limits.as_array().into_iter().flatten().map(limit).collect()
}

/// Hides the values of environment variables from somebody who may only look.
pub fn mask_environment(detail: &mut ContainerDetail) {
    for value in detail.spec.env.values_mut() {
        MASK.clone_into(value);
    }
    mask_inspect(&mut detail.inspect);
}

/// Hides the values of environment variables in an inspection.
pub fn mask_inspect(inspect: &mut Value) {
    let Some(env) = inspect["Config"]["Env"].as_array_mut() else { return };
    for line in env {
        let name = line.as_str().and_then(|line| line.split_once('=')).map_or("", |(name, _)| name).to_owned();
        *line = Value::String(format!("{name}={MASK}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_list_becomes_rows_with_health_from_the_status_text() {
        let list = json!([{
            "Id": ID, "Names": ["/web/db", "/db"], "Image": "postgres:16", "ImageID": "sha256:1", "Command": "postgres",
            "Created": 1_700_000_000, "State": "running", "Status": "Up 3 hours (unhealthy)",
            "Ports": [{"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"}, {"PrivatePort": 80, "Type": "tcp"}],
            "Labels": {"com.docker.compose.project": "shop", "muelle.customer": "c1"},
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
        }]);

        let rows = containers(list.to_string().as_bytes()).expect("it is a list");

        assert_eq!(rows[0].name, "db");
        assert_eq!(rows[0].state, ContainerState::Running);
        assert_eq!(rows[0].health, Health::Unhealthy);
        assert_eq!(rows[0].stack.as_deref(), Some("shop"));
        assert_eq!(rows[0].customer.as_deref(), Some("c1"));
        assert_eq!(rows[0].ports.len(), 2);
        assert_eq!(rows[0].networks["bridge"], "172.17.0.2");
    }

    #[test]
    fn what_is_missing_or_strange_costs_at_most_its_own_row() {
        let list =
            json!([{"Id": ID, "Names": null, "Labels": null, "Ports": null, "State": "levitating"}, {"Id": 5}, {}]);

        let rows = containers(list.to_string().as_bytes()).expect("it is a list");

        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].name, ID[..12]);
        assert_eq!(rows[0].state, ContainerState::Exited);
        assert!(containers(b"{").is_err());
        assert_eq!(containers(b"null").expect("null is an empty list"), []);
    }

    #[test]
    fn the_exit_status_comes_from_the_status_text() {
        assert_eq!(exit_code("Exited (137) 3 hours ago"), Some(137));
        assert_eq!(exit_code("Up 3 hours"), None);
        assert_eq!(state("running", "Up 3 hours (Paused)"), ContainerState::Paused);
        assert_eq!(health("Up 2 seconds (health: starting)"), Health::Starting);
    }

    #[test]
    fn letters_that_steer_terminals_are_made_visible() {
        assert_eq!(visible("a\u{1b}[31mb\u{9b}"), "a␛[31mb\u{fffd}");
        assert_eq!(visible("two\nlines"), "two\nlines");
    }

    #[test]
    fn both_shapes_of_disk_usage_are_read() {
        let things = json!({"LayersSize": 100, "Images": [{"Size": 60, "SharedSize": 10, "Containers": 0}],
            "Containers": [{"SizeRw": 5, "State": "exited"}], "Volumes": null, "BuildCache": null});
        let sums = json!({"ImageUsage": {"TotalCount": 1, "TotalSize": 100, "Reclaimable": 50}});

        let (old, new) = (usage(things.to_string().as_bytes()), usage(sums.to_string().as_bytes()));

        let expected = Usage { count: 1, size: 100, reclaimable: 50 };
        assert_eq!(old.expect("it is JSON").images, expected);
        assert_eq!(new.expect("it is JSON").images, expected);
    }

    /// The specification of a container that was connected and mounted so.
    fn copied(mode: &str, networks: Value, mounts: Value) -> ContainerSpec {
        let inspect = json!({"Id": ID, "Name": "/x", "Config": {"Image": "web"}, "State": {}, "Mounts": mounts,
            "HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}});
        detail(inspect, None).expect("it has an identifier").spec
    }

    #[test]
    fn a_copy_joins_the_networks_of_its_original_in_its_own_name() {
        let named = |name: &str| NetworkSpec { name: name.to_owned(), ..NetworkSpec::default() };
        let shop = json!({"NetworkID": "9".repeat(64), "Aliases": ["db", &ID[..12]], "IPAMConfig": {"IPv4Address": "10.9.0.5"}});
        let plain = json!({"Aliases": null, "IPAMConfig": null, "IPAddress": "172.17.0.2"});
        let joined = NetworkSpec { ipv4: Some("10.9.0.5".to_owned()), aliases: vec!["db".to_owned()], ..named("shop") };

        let usual = copied("default", json!({"bridge": plain}), json!([]));
        let quiet = copied("quiet", json!({"quiet": {"Aliases": [&ID[..12]], "IPAMConfig": {}}}), json!([]));
        let own = copied("shop", json!({"shop": shop}), json!([]));
        let several = copied("shop", json!({"backup": plain, "shop": shop, "admin": plain}), json!([]));
        let moved = copied("gone", json!({"shop": shop}), json!([]));
        let by_identifier = copied(&"9".repeat(64), json!({"admin": plain, "shop": shop}), json!([]));
        let shared = copied("container:abc", json!({}), json!([]));

        assert_eq!((usual.network.as_deref(), &usual.networks[..]), (Some("bridge"), &[][..]));
        assert_eq!((quiet.network.as_deref(), &quiet.networks[..]), (Some("quiet"), &[][..]));
        assert_eq!((own.network, own.networks), (None, vec![joined.clone()]));
        assert_eq!((several.network, several.networks), (None, vec![joined.clone(), named("admin"), named("backup")]));
        assert_eq!((moved.network, moved.networks), (None, vec![joined.clone()]));
        assert_eq!((by_identifier.network, by_identifier.networks), (None, vec![joined, named("admin")]));
        assert_eq!((shared.network.as_deref(), shared.networks.len()), (Some("container:abc"), 0));
    }

    #[test]
    fn a_copy_shares_named_volumes_and_no_anonymous_one() {
        let mounts = json!([
            {"Type": "volume", "Name": ID, "Source": "/var/lib/docker/volumes/0/_data", "Destination": "/cache", "RW": true},
            {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/data", "RW": false},
            {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": true},
        ]);

        let spec = copied("bridge", json!({}), mounts);

        let sources: Vec<_> =
            spec.mounts.iter().map(|mount| (mount.target.as_str(), mount.source.as_deref())).collect();
        assert_eq!(sources, [("/cache", None), ("/data", Some("data")), ("/srv", Some("/srv"))]);
        assert!(spec.mounts[1].read_only && spec.mounts[0].kind == "volume");
    }

    #[test]
    fn a_copy_keeps_what_was_asked_of_its_mounts() {
        let inspect = json!({"Id": ID, "Name": "/x", "Config": {"Image": "web"}, "State": {},
        "Mounts": [
            {"Type": "tmpfs", "Destination": "/cache", "RW": true},
            {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": true, "Propagation": "rshared"},
            {"Type": "bind", "Source": "/etc", "Destination": "/etc", "RW": false, "Propagation": "rprivate"},
            {"Type": "volume", "Name": "data", "Destination": "/data", "RW": true},
        ],
        "HostConfig": {
            "Mounts": [
                {"Type": "tmpfs", "Target": "/cache", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1770}},
                {"Type": "volume", "Source": "data", "Target": "/data", "VolumeOptions": {"NoCopy": true}},
            ],
            "Tmpfs": {"/run": "rw,noexec,size=64m,mode=1777", "/tmp": "ro,size=50%"},
        }});

        let mounts = detail(inspect, None).expect("it has an identifier").spec.mounts;

        let told = |mount: &MountSpec| (mount.target.clone(), mount.size, mount.mode.clone(), mount.read_only);
        let all: Vec<_> = mounts.iter().map(told).collect();
        let mode = |text: &str| Some(text.to_owned());
        assert_eq!(all[0], ("/cache".to_owned(), Some(1024), mode("1770"), false));
        assert_eq!(all[4], ("/run".to_owned(), Some(64 << 20), mode("1777"), false));
        assert_eq!(all[5], ("/tmp".to_owned(), None, None, true));
        assert_eq!(mounts[1].propagation.as_deref(), Some("rshared"));
        assert_eq!(mounts[2].propagation, None);
        assert!(mounts[3].no_copy && mounts.len() == 6);
    }

    #[test]
    fn a_letter_that_is_none_costs_itself_only() {
        let list = json!([{"Id": ID, "Names": ["/w?b"], "State": "running"}]).to_string();
        let bytes: Vec<u8> = list.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();

        assert_eq!(containers(&bytes).expect("it is a list")[0].name, "w\u{fffd}b");
    }

    #[test]
    fn environment_is_hidden_in_every_place() {
        let inspect = json!({"Id": ID, "Name": "/x", "Config": {"Env": ["PASSWORD=canary", "EMPTY"]}, "State": {}});
        let mut detail = detail(inspect, None).expect("it has an identifier");

        mask_environment(&mut detail);

        assert!(!serde_json::to_string(&detail).expect("it is plain data").contains("canary"));
    }
}
