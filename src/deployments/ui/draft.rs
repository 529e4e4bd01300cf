//! What stands in the form for a container, as typed, and the specification that it means.

use crate::{
    deployments::model::{CUSTOMER_LABEL, ContainerSpec, HealthSpec, MountSpec, NetworkSpec, PortSpec},
    error::Problem,
    i18n::{Locale, td_string},
};
use leptos::{prelude::*, reactive::owner::WeakOwner};
use std::collections::BTreeMap;

/// A row of two texts, such as a variable and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub key: u32,
    pub name: RwSignal<String>,
    pub value: RwSignal<String>,
}

/// A row for a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortRow {
    pub key: u32,
    pub host_ip: RwSignal<String>,
    pub host_port: RwSignal<String>,
    pub container_port: RwSignal<String>,
    pub protocol: RwSignal<String>,
}

/// A row for a mount.
#[derive(Clone, Copy, Debug)]
pub(super) struct MountRow {
    pub key: u32,
    pub kind: RwSignal<String>,
    pub source: RwSignal<String>,
    pub target: RwSignal<String>,
    pub read_only: RwSignal<bool>,
    /// What a copy keeps of its original beside that: the form has no field for it.
    kept: StoredValue<MountSpec>,
}

/// A row for a network beside the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkRow {
    pub key: u32,
    pub name: RwSignal<String>,
    pub aliases: RwSignal<String>,
    pub ipv4: RwSignal<String>,
    ipv6: StoredValue<Option<String>>,
}

impl NetworkRow {
    fn of(key: u32, network: &NetworkSpec) -> Self {
        Self {
            key,
            name: RwSignal::new(network.name.clone()),
            aliases: RwSignal::new(network.aliases.join(" ")),
            ipv4: text(&network.ipv4),
            ipv6: StoredValue::new(network.ipv6.clone()),
        }
    }
}

/// Everything in the form. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    /// What the form lives in, and its rows with it.
    owner: StoredValue<Option<WeakOwner>>,
    next: StoredValue<u32>,
    pub image: RwSignal<String>,
    pub pull: RwSignal<String>,
    pub name: RwSignal<String>,
    /// The customer that it is for; empty for the platform, and for people of a customer.
    pub customer: RwSignal<String>,
    pub command: RwSignal<String>,
    pub entrypoint: RwSignal<String>,
    pub env: RwSignal<Vec<Pair>>,
    pub ports: RwSignal<Vec<PortRow>>,
    pub mounts: RwSignal<Vec<MountRow>>,
    /// The first network of the specification, for what the form has no field for.
    joined: StoredValue<Option<NetworkSpec>>,
    pub network: RwSignal<String>,
    pub aliases: RwSignal<String>,
    pub ipv4: RwSignal<String>,
    /// The networks beside the first.
    pub networks: RwSignal<Vec<NetworkRow>>,
    pub labels: RwSignal<Vec<Pair>>,
    pub restart: RwSignal<String>,
    pub retries: RwSignal<String>,
    pub memory: RwSignal<String>,
    pub cpus: RwSignal<String>,
    pub pids: RwSignal<String>,
    pub user: RwSignal<String>,
    pub workdir: RwSignal<String>,
    pub hostname: RwSignal<String>,
    pub read_only: RwSignal<bool>,
    pub init: RwSignal<bool>,
    pub tty: RwSignal<bool>,
    pub stdin_open: RwSignal<bool>,
    pub auto_remove: RwSignal<bool>,
    pub health_kind: RwSignal<String>,
    pub health_command: RwSignal<String>,
    pub health_interval: RwSignal<String>,
    pub health_timeout: RwSignal<String>,
    pub health_retries: RwSignal<String>,
    pub health_start: RwSignal<String>,
    pub cap_add: RwSignal<String>,
    pub cap_drop: RwSignal<String>,
    pub devices: RwSignal<String>,
    pub dns: RwSignal<String>,
    pub extra_hosts: RwSignal<String>,
    pub ulimits: RwSignal<String>,
    pub log_driver: RwSignal<String>,
    pub log_options: RwSignal<String>,
    pub privileged: RwSignal<bool>,
    pub pid_host: RwSignal<bool>,
    pub ipc_host: RwSignal<bool>,
}

fn text(value: &Option<String>) -> RwSignal<String> {
    RwSignal::new(value.clone().unwrap_or_default())
}

fn number<T: ToString>(value: Option<T>) -> RwSignal<String> {
    RwSignal::new(value.map(|value| value.to_string()).unwrap_or_default())
}

impl Draft {
    /// The form for a specification; the empty one for a new container.
    pub fn of(spec: &ContainerSpec) -> Self {
        let next = StoredValue::new(0);
        let key = || {
            next.update_value(|next| *next += 1);
            next.get_value()
        };
        let pair = |(name, value): (&String, &String)| Pair {
            key: key(),
            name: RwSignal::new(name.clone()),
            value: RwSignal::new(value.clone()),
        };
        let joined = spec.networks.first();
        let (restart, retries) = spec.restart.as_deref().map_or(("", ""), |it| it.split_once(':').unwrap_or((it, "")));
        let health = spec.health.clone().unwrap_or_default();
        let (kind, command) = match health.test.split_first() {
            Some((kind, _)) if kind == "NONE" => ("none", String::new()),
            Some((kind, rest)) if kind == "CMD-SHELL" => ("shell", rest.join(" ")),
            Some((kind, rest)) if kind == "CMD" => ("command", join_words(rest)),
            Some(_) | None => ("", String::new()),
        };
        Self {
            owner: StoredValue::new(Owner::current().map(|owner| owner.downgrade())),
            next,
            image: RwSignal::new(spec.image.clone()),
            pull: text(&spec.pull),
            name: text(&spec.name),
            customer: text(&spec.labels.get(CUSTOMER_LABEL).cloned()),
            command: RwSignal::new(join_words(&spec.command)),
            entrypoint: RwSignal::new(join_words(&spec.entrypoint)),
            env: RwSignal::new(spec.env.iter().map(pair).collect()),
            ports: RwSignal::new(
                spec.ports
                    .iter()
                    .map(|port| PortRow {
                        key: key(),
                        host_ip: text(&port.host_ip),
                        host_port: number(port.host_port),
                        container_port: number(Some(port.container_port)),
                        protocol: text(&port.protocol),
                    })
                    .collect(),
            ),
            mounts: RwSignal::new(
                spec.mounts
                    .iter()
                    .map(|mount| MountRow {
                        key: key(),
                        kind: RwSignal::new(mount.kind.clone()),
                        source: text(&mount.source),
                        target: RwSignal::new(mount.target.clone()),
                        read_only: RwSignal::new(mount.read_only),
                        kept: StoredValue::new(mount.clone()),
                    })
                    .collect(),
            ),
            joined: StoredValue::new(joined.cloned()),
            networks: RwSignal::new(
                spec.networks.iter().skip(1).map(|network| NetworkRow::of(key(), network)).collect(),
            ),
            network: RwSignal::new(
                spec.network.clone().or_else(|| joined.map(|network| network.name.clone())).unwrap_or_default(),
            ),
            aliases: RwSignal::new(joined.map(|network| network.aliases.join(" ")).unwrap_or_default()),
            ipv4: RwSignal::new(joined.and_then(|network| network.ipv4.clone()).unwrap_or_default()),
            // What the system or Compose puts there would make the copy a part of the original's stack.
            labels: RwSignal::new(
                spec.labels
                    .iter()
                    .filter(|(name, _)| !name.starts_with("muelle.") && !name.starts_with("com.docker.compose."))
                    .map(pair)
                    .collect(),
            ),
            restart: RwSignal::new(if restart == "no" { "" } else { restart }.to_owned()),
            retries: RwSignal::new(retries.to_owned()),
            memory: RwSignal::new(spec.memory.map(memory_text).unwrap_or_default()),
            cpus: number(spec.cpus),
            pids: number(spec.pids_limit),
            user: text(&spec.user),
            workdir: text(&spec.workdir),
            hostname: text(&spec.hostname),
            read_only: RwSignal::new(spec.read_only),
            init: RwSignal::new(spec.init),
            tty: RwSignal::new(spec.tty),
            stdin_open: RwSignal::new(spec.stdin_open),
            auto_remove: RwSignal::new(spec.auto_remove),
            health_kind: RwSignal::new(kind.to_owned()),
            health_command: RwSignal::new(command),
            health_interval: number(health.interval),
            health_timeout: number(health.timeout),
            health_retries: number(health.retries),
            health_start: number(health.start_period),
            cap_add: RwSignal::new(spec.cap_add.join(" ")),
            cap_drop: RwSignal::new(spec.cap_drop.join(" ")),
            devices: RwSignal::new(spec.devices.join("\n")),
            dns: RwSignal::new(spec.dns.join(" ")),
            extra_hosts: RwSignal::new(spec.extra_hosts.join("\n")),
            ulimits: RwSignal::new(spec.ulimits.join(" ")),
            log_driver: text(&spec.log_driver),
            log_options: RwSignal::new(
                spec.log_options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n"),
            ),
            privileged: RwSignal::new(spec.privileged),
            pid_host: RwSignal::new(spec.pid_mode.as_deref() == Some("host")),
            ipc_host: RwSignal::new(spec.ipc_mode.as_deref() == Some("host")),
        }
    }

    fn key(self) -> u32 {
        self.next.update_value(|next| *next += 1);
        self.next.get_value()
    }

    /// Makes a row whose signals live as long as the form: the dialog that asked for it closes before.
    fn row<T>(self, make: impl FnOnce() -> T) -> T {
        match self.owner.with_value(|owner| owner.as_ref().and_then(WeakOwner::upgrade)) {
            Some(owner) => owner.with(make),
            None => make(),
        }
    }

    /// A further row for a variable or a label.
    pub fn pair(self, name: &str, value: &str) -> Pair {
        self.row(|| Pair {
            key: self.key(),
            name: RwSignal::new(name.to_owned()),
            value: RwSignal::new(value.to_owned()),
        })
    }

    /// A further row for a port.
    pub fn port(self) -> PortRow {
        let empty = || RwSignal::new(String::new());
        self.row(|| PortRow {
            key: self.key(),
            host_ip: empty(),
            host_port: empty(),
            container_port: empty(),
            protocol: empty(),
        })
    }

    /// A further row for a mount.
    pub fn mount(self) -> MountRow {
        self.row(|| MountRow {
            key: self.key(),
            kind: RwSignal::new("volume".to_owned()),
            source: RwSignal::new(String::new()),
            target: RwSignal::new(String::new()),
            read_only: RwSignal::new(false),
            kept: StoredValue::new(MountSpec::default()),
        })
    }

    /// A further row for a network.
    pub fn network_row(self) -> NetworkRow {
        self.row(|| NetworkRow::of(self.key(), &NetworkSpec::default()))
    }

    /// The specification that the form means, and what in it cannot be read. Follows every field.
    ///
    /// The fields of the problems are those of the API; rows that say nothing are not counted.
    pub fn read(self, locale: Locale) -> (ContainerSpec, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut words = |field: &str, value: RwSignal<String>| {
            shell_words::split(&value.get()).unwrap_or_else(|_| {
                problems.push(Problem::at(field, td_string!(locale, deployments.create.problem.quotes)));
                Vec::new()
            })
        };
        let command = words("command", self.command);
        let entrypoint = words("entrypoint", self.entrypoint);
        let health_words =
            if self.health_kind.get() == "command" { words("health.test", self.health_command) } else { Vec::new() };
        let ports = self
            .filled_ports()
            .into_iter()
            .enumerate()
            .map(|(index, row)| self.read_port(index, row, locale, &mut problems))
            .collect();
        let memory = some(self.memory).and_then(|value| {
            let bytes = memory_bytes(&value);
            if bytes.is_none() {
                problems.push(Problem::at("memory", td_string!(locale, deployments.create.problem.memory)));
            }
            bytes
        });
        let cpus = numeric(self.cpus, "cpus", locale, &mut problems);
        let pids_limit = numeric(self.pids, "pids_limit", locale, &mut problems);
        let health = self.read_health(health_words, locale, &mut problems);
        let restart = some(self.restart).map(|policy| match some(self.retries) {
            Some(count) if policy == "on-failure" => format!("{policy}:{count}"),
            Some(_) | None => policy,
        });
        let (aliases, ipv4) = (list(self.aliases), some(self.ipv4));
        let first = some(self.network).map(|name| {
            let ipv6 = self.joined.get_value().filter(|first| first.name == name).and_then(|first| first.ipv6);
            NetworkSpec { name, ipv4, ipv6, aliases }
        });
        let further = self.filled_networks().into_iter().map(|row| NetworkSpec {
            name: row.name.get().trim().to_owned(),
            ipv4: some(row.ipv4),
            ipv6: row.ipv6.get_value(),
            aliases: list(row.aliases),
        });
        let mut networks: Vec<NetworkSpec> = first.into_iter().chain(further).collect();
        let is_plain = |it: &NetworkSpec| it.aliases.is_empty() && it.ipv4.is_none() && it.ipv6.is_none();
        let network = match &networks[..] {
            [only] if is_plain(only) => networks.pop().map(|only| only.name),
            _ => None,
        };
        let spec =
            ContainerSpec {
                image: self.image.get().trim().to_owned(),
                name: some(self.name),
                command,
                entrypoint,
                env: pairs(self.env, "env", locale, &mut problems),
                labels: {
                    let mut labels = pairs(self.labels, "labels", locale, &mut problems);
                    labels.extend(some(self.customer).map(|customer| (CUSTOMER_LABEL.to_owned(), customer)));
                    labels
                },
                ports,
                mounts: self
                    .filled_mounts()
                    .into_iter()
                    .map(|row| MountSpec {
                        kind: row.kind.get(),
                        source: some(row.source).filter(|_| row.kind.get() != "tmpfs"),
                        target: row.target.get().trim().to_owned(),
                        read_only: row.read_only.get(),
                        ..row.kept.with_value(|kept| {
                            if kept.kind == row.kind.get() { kept.clone() } else { MountSpec::default() }
                        })
                    })
                    .collect(),
                network,
                networks,
                restart,
                memory,
                cpus,
                pids_limit,
                user: some(self.user),
                workdir: some(self.workdir),
                hostname: some(self.hostname),
                read_only: self.read_only.get(),
                init: self.init.get(),
                privileged: self.privileged.get(),
                pid_mode: self.pid_host.get().then(|| "host".to_owned()),
                ipc_mode: self.ipc_host.get().then(|| "host".to_owned()),
                cap_add: list(self.cap_add),
                cap_drop: list(self.cap_drop),
                devices: lines(self.devices),
                health,
                log_driver: some(self.log_driver),
                log_options: lines(self.log_options)
                    .iter()
                    .map(|line| line.split_once('=').unwrap_or((line, "")))
                    .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                    .collect(),
                dns: list(self.dns),
                extra_hosts: lines(self.extra_hosts),
                ulimits: list(self.ulimits),
                tty: self.tty.get(),
                stdin_open: self.stdin_open.get(),
                auto_remove: self.auto_remove.get(),
                pull: some(self.pull),
            };
        (spec, problems)
    }

    /// The rows of ports that say something.
    pub fn filled_ports(self) -> Vec<PortRow> {
        let says =
            |row: &PortRow| !row.container_port.get().trim().is_empty() || !row.host_port.get().trim().is_empty();
        self.ports.get().into_iter().filter(says).collect()
    }

    /// The rows of mounts that say something.
    pub fn filled_mounts(self) -> Vec<MountRow> {
        let says = |row: &MountRow| !row.target.get().trim().is_empty() || !row.source.get().trim().is_empty();
        self.mounts.get().into_iter().filter(says).collect()
    }

    /// The rows of networks that say something.
    pub fn filled_networks(self) -> Vec<NetworkRow> {
        let says = |row: &NetworkRow| !row.name.get().trim().is_empty() || !row.ipv4.get().trim().is_empty();
        self.networks.get().into_iter().filter(says).collect()
    }

    fn read_port(self, index: usize, row: PortRow, locale: Locale, problems: &mut Vec<Problem>) -> PortSpec {
        let mut port = |field: &str, value: String| {
            value.trim().parse::<u16>().ok().filter(|port| *port > 0).or_else(|| {
                let field = format!("ports[{index}].{field}");
                problems.push(Problem::at(field, td_string!(locale, deployments.spec.port)));
                None
            })
        };
        PortSpec {
            container_port: port("container_port", row.container_port.get()).unwrap_or_default(),
            host_port: some(row.host_port).and_then(|value| port("host_port", value)),
            host_ip: some(row.host_ip),
            protocol: some(row.protocol).filter(|protocol| protocol != "tcp"),
        }
    }

    fn read_health(self, words: Vec<String>, locale: Locale, problems: &mut Vec<Problem>) -> Option<HealthSpec> {
        let kind = self.health_kind.get();
        let test = match kind.as_str() {
            "none" => return Some(HealthSpec { test: vec!["NONE".to_owned()], ..HealthSpec::default() }),
            "shell" => vec!["CMD-SHELL".to_owned(), self.health_command.get().trim().to_owned()],
            "command" => std::iter::once("CMD".to_owned()).chain(words).collect(),
            _ => return None,
        };
        Some(HealthSpec {
            test,
            interval: numeric(self.health_interval, "health.interval", locale, problems),
            timeout: numeric(self.health_timeout, "health.timeout", locale, problems),
            retries: numeric(self.health_retries, "health.retries", locale, problems),
            start_period: numeric(self.health_start, "health.start_period", locale, problems),
        })
    }
}

fn some(value: RwSignal<String>) -> Option<String> {
    Some(value.get().trim().to_owned()).filter(|value| !value.is_empty())
}

fn list(value: RwSignal<String>) -> Vec<String> {
    value.get().split([' ', ',', '\n']).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn lines(value: RwSignal<String>) -> Vec<String> {
    value.get().lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn numeric<T: std::str::FromStr>(
    value: RwSignal<String>,
    field: &str,
    locale: Locale,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = some(value)?.replace(',', ".");
    let number = value.parse().ok();
    if number.is_none() {
        problems.push(Problem::at(field, td_string!(locale, deployments.create.problem.number)));
    }
    number
}

fn pairs(
    rows: RwSignal<Vec<Pair>>,
    field: &str,
    locale: Locale,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for row in rows.get() {
        let (name, value) = (row.name.get().trim().to_owned(), row.value.get());
        if name.is_empty() && value.is_empty() {
            continue;
        }
        if name.is_empty() {
            problems.push(Problem::at(field, td_string!(locale, deployments.create.problem.no_name)));
        } else if read.insert(name.clone(), value).is_some() {
            problems.push(Problem::at(format!("{field}.{name}"), td_string!(locale, deployments.create.problem.twice)));
        }
    }
    read
}

/// Words as a shell reads them back.
pub(super) fn join_words(words: &[String]) -> String {
    shell_words::join(words)
}

/// Reads a `.env` file or a pasted list of `NAME=value` lines: comments, `export` and quotes are
/// understood; what is none of these is left out.
pub(super) fn read_env(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.strip_prefix("export ").unwrap_or(line))
        .map(|line| line.strip_prefix("- ").unwrap_or(line))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim())))
        .filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace))
        .collect()
}

fn unquoted(value: &str) -> String {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(plain) = inside('\'') {
        return plain.to_owned();
    }
    if let Some(escaped) = inside('"') {
        return escaped.replace("\\n", "\n").replace("\\\"", "\"");
    }
    // A comment after an unquoted value.
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end()).to_owned()
}

/// Whether a variable's name says that its value is not for every eye.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "PWD", "PRIVATE", "AUTH"]
        .iter()
        .any(|part| name.contains(part) && !name.ends_with("_FILE") && name != "PWD")
}

/// Bytes of a size such as `512m`, `1.5 GiB` or `1073741824`; powers of 1024 as Docker reads them.
pub(super) fn memory_bytes(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase().replace(',', ".");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    (0.0..9.0e18).contains(&bytes).then_some(bytes as i64)
}

/// A size as it is typed: `512m`, `1g`, or bytes where it is none of these.
pub(super) fn memory_text(bytes: i64) -> String {
    for (unit, size) in [("g", 1_i64 << 30), ("m", 1 << 20), ("k", 1 << 10)] {
        if bytes >= size && bytes % size == 0 {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned<T>(story: impl FnOnce() -> T) -> T {
        let owner = Owner::new();
        owner.with(story)
    }

    #[test]
    fn a_specification_comes_back_from_its_form() {
        let spec = ContainerSpec {
            image: "nginx:1.27".to_owned(),
            name: Some("web".to_owned()),
            command: vec!["sh".to_owned(), "-c".to_owned(), "echo 'a b' > /tmp/x".to_owned()],
            env: BTreeMap::from([("A".to_owned(), "1 = 2".to_owned())]),
            labels: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            ports: vec![PortSpec { container_port: 80, host_port: Some(8080), host_ip: None, protocol: None }],
            mounts: vec![MountSpec {
                kind: "volume".to_owned(),
                source: Some("data".to_owned()),
                target: "/data".to_owned(),
                read_only: true,
                no_copy: true,
                ..MountSpec::default()
            }],
            networks: vec![NetworkSpec {
                name: "back".to_owned(),
                ipv4: Some("10.1.0.5".to_owned()),
                ipv6: None,
                aliases: vec!["db".to_owned(), "main".to_owned()],
            }],
            restart: Some("on-failure:3".to_owned()),
            memory: Some(512 << 20),
            cpus: Some(1.5),
            health: Some(HealthSpec {
                test: vec!["CMD".to_owned(), "curl".to_owned(), "-f".to_owned(), "http://x/a b".to_owned()],
                interval: Some(2.5),
                retries: Some(3),
                ..HealthSpec::default()
            }),
            log_options: BTreeMap::from([("max-size".to_owned(), "10m".to_owned())]),
            devices: vec!["/dev/fuse".to_owned()],
            pid_mode: Some("host".to_owned()),
            ..ContainerSpec::default()
        };

        let (back, problems) = owned(|| Draft::of(&spec).read(Locale::en));

        assert_eq!(back, spec);
        assert_eq!(problems, []);
    }

    #[test]
    fn what_cannot_be_read_is_told_at_its_field() {
        let fields = owned(|| {
            let draft = Draft::of(&ContainerSpec::default());
            draft.command.set("sh -c 'never ended".to_owned());
            draft.memory.set("12 parsecs".to_owned());
            draft.cpus.set("many".to_owned());
            let port = draft.port();
            port.container_port.set("70000".to_owned());
            draft.ports.set(vec![draft.port(), port]);
            draft.env.set(vec![draft.pair("A", "1"), draft.pair("A", "2"), draft.pair("", "x")]);
            draft.read(Locale::en).1.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        });

        assert_eq!(fields, ["command", "ports[0].container_port", "memory", "cpus", "env.A", "env"]);
    }

    #[test]
    fn a_copy_leaves_the_stack_behind_and_keeps_the_customer() {
        let labels = ["com.docker.compose.project", "muelle.customer", "muelle.job", "team"];
        let spec = ContainerSpec {
            labels: labels.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect(),
            ..ContainerSpec::default()
        };

        let copied = owned(|| Draft::of(&spec).read(Locale::en).0);

        assert_eq!(copied.labels.keys().collect::<Vec<_>>(), ["muelle.customer", "team"]);
    }

    #[test]
    fn a_copy_joins_every_network_with_its_addresses() {
        let named = |name: &str| NetworkSpec { name: name.to_owned(), ..NetworkSpec::default() };
        let networks = vec![NetworkSpec { ipv6: Some("fd00::5".to_owned()), ..named("front") }, named("back")];
        let spec = ContainerSpec { networks: networks.clone(), ..ContainerSpec::default() };

        let copied = owned(|| Draft::of(&spec).read(Locale::en).0);

        assert_eq!((copied.network, copied.networks), (None, networks));
    }

    #[test]
    fn a_pasted_env_file_is_understood() {
        let text = "# a comment\nexport A=1\nB = two words # why\n\nC='single # kept'\nD=\"line\\nbreak\"\n- E=list\nnonsense\n=x\nF=a=b";

        let read = read_env(text);

        let expected =
            [("A", "1"), ("B", "two words"), ("C", "single # kept"), ("D", "line\nbreak"), ("E", "list"), ("F", "a=b")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_written_back_short() {
        for (text, bytes) in
            [("512m", 512 << 20), ("1.5 GiB", 3 << 29), ("1,5g", 3 << 29), ("64K", 1 << 16), ("6291456", 6 << 20)]
        {
            assert_eq!(memory_bytes(text), Some(bytes), "{text}");
        }
        assert_eq!((memory_bytes("much"), memory_bytes("5 t"), memory_bytes("")), (None, None, None));
        assert_eq!(
            (memory_text(512 << 20), memory_text(3 << 29), memory_text(1000)),
            ("512m".into(), "1536m".into(), "1000".into())
        );
    }

    #[test]
    fn names_tell_what_is_secret() {
        assert!(["DB_PASSWORD", "api_token", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| is_secret(name)));
        assert!(["PATH", "PWD", "DB_PASSWORD_FILE", "LANG"].iter().all(|name| !is_secret(name)));
    }
}
