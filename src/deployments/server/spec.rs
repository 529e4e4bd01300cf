//! From our own specification to what an engine takes: every field is checked, and nothing passes that
//! has no field.

use super::{
    convert::JOB_LABEL,
    reference::{is_absolute, is_hostname, is_image, is_name},
};
use crate::{
    authentication::server::Scope,
    deployments::{
        explain::{self, container_of, normalised},
        model::{CUSTOMER_LABEL, ContainerSpec, HealthSpec, MountSpec, NetworkSpec, PortSpec},
    },
    error::Problem,
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::Job,
    storage::Customer,
};
use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, PortMap, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The longest text of any field.
const LONGEST: usize = 128 * 1024;

/// The least memory that an engine gives a container.
const LEAST_MEMORY: i64 = 6 * 1024 * 1024;

/// Everything that is wrong with a specification, at its fields.
pub fn check(spec: &ContainerSpec, scope: Scope, locale: Locale) -> Vec<Problem> {
    let mut check = Check { problems: Vec::new(), locale };
    check.texts("", &serde_json::to_value(spec).unwrap_or_default());
    check.basics(spec);
    check.labels(spec, scope);
    check.ports(&spec.ports);
    check.mounts(&spec.mounts);
    check.networks(spec);
    check.limits(spec);
    check.rights(spec);
    if let Some(health) = &spec.health {
        check.health(health);
    }
    check.problems
}

struct Check {
    problems: Vec<Problem>,
    locale: Locale,
}

/// Notes a problem at a field unless the condition holds.
macro_rules! must {
    ($check:ident, $holds:expr, $field:expr, $key:ident $(, $name:ident = $value:expr)*) => {
        if !$holds {
            let text = td_string!($check.locale, deployments.spec.$key $(, $name = $value)*);
            $check.problems.push(Problem::at($field, text));
        }
    };
}

impl Check {
    /// Texts without zero characters and of bearable length, wherever they stand.
    fn texts(&mut self, field: &str, value: &Value) {
        let joined = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
        match value {
            Value::String(text) => {
                must!(self, !text.contains('\0') && text.len() <= LONGEST, field, text, max = LONGEST.to_string());
            }
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.texts(&format!("{field}[{index}]"), value);
                }
            }
            Value::Object(values) => {
                for (name, value) in values {
                    must!(self, !name.contains('\0'), field, text, max = LONGEST.to_string());
                    self.texts(&joined(name), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn basics(&mut self, spec: &ContainerSpec) {
        must!(self, is_image(&spec.image), "image", image);
        if let Some(name) = &spec.name {
            must!(self, is_name(name), "name", name);
        }
        for name in spec.env.keys() {
            must!(self, !name.is_empty() && !name.contains('='), format!("env.{name}"), env_name);
        }
        if let Some(restart) = &spec.restart {
            must!(self, restart_policy(restart).is_some(), "restart", restart);
        }
        if let Some(user) = &spec.user {
            must!(self, is_user(user), "user", user);
        }
        if let Some(workdir) = &spec.workdir {
            must!(self, is_absolute(workdir), "workdir", workdir);
        }
        if let Some(hostname) = &spec.hostname {
            must!(self, is_hostname(hostname), "hostname", hostname);
        }
        if let Some(pull) = &spec.pull {
            must!(self, matches!(pull.as_str(), "missing" | "always" | "never"), "pull", pull);
        }
        for (index, address) in spec.dns.iter().enumerate() {
            must!(self, address.parse::<IpAddr>().is_ok(), format!("dns[{index}]"), address);
        }
        for (index, line) in spec.extra_hosts.iter().enumerate() {
            let is_line = line.split_once(':').is_some_and(|(name, address)| {
                is_hostname(name) && (address == "host-gateway" || address.parse::<IpAddr>().is_ok())
            });
            must!(self, is_line, format!("extra_hosts[{index}]"), extra_host);
        }
    }

    fn labels(&mut self, spec: &ContainerSpec, scope: Scope) {
        for (name, value) in &spec.labels {
            let field = format!("labels.{name}");
            let is_label = !name.is_empty() && !name.contains('=') && !name.chars().any(char::is_whitespace);
            must!(self, is_label, field.clone(), label_name);
            // Only people of the platform choose for whom they deploy.
            if name == CUSTOMER_LABEL && scope == Scope::Platform {
                must!(self, value.parse::<Id<Customer>>().is_ok(), field, label_customer);
            } else {
                must!(self, !name.to_ascii_lowercase().starts_with("muelle."), field, label_own);
            }
        }
    }

    fn ports(&mut self, ports: &[PortSpec]) {
        let mut taken = BTreeSet::new();
        for (index, port) in ports.iter().enumerate() {
            let at = |name: &str| format!("ports[{index}].{name}");
            let protocol = protocol(port);
            must!(self, port.container_port > 0, at("container_port"), port);
            must!(self, port.host_port != Some(0), at("host_port"), port);
            must!(self, matches!(protocol, "tcp" | "udp" | "sctp"), at("protocol"), protocol);
            if let Some(address) = host_ip(port) {
                must!(self, address.parse::<IpAddr>().is_ok(), at("host_ip"), host_ip);
            }
            if let Some(outside) = port.host_port {
                let is_free = taken.insert((host_ip(port).unwrap_or("0.0.0.0"), outside, protocol));
                must!(self, is_free, at("host_port"), port_twice);
            }
        }
    }

    fn mounts(&mut self, mounts: &[MountSpec]) {
        let mut taken = BTreeSet::new();
        for (index, mount) in mounts.iter().enumerate() {
            let at = |name: &str| format!("mounts[{index}].{name}");
            must!(self, is_absolute(&mount.target) && normalised(&mount.target) != "/", at("target"), mount_target);
            must!(self, taken.insert(normalised(&mount.target)), at("target"), mount_twice);
            let source = mount.source.as_deref().filter(|source| !source.is_empty());
            match mount.kind.as_str() {
                "bind" => must!(self, source.is_some_and(is_absolute), at("source"), mount_source),
                "volume" => must!(self, source.is_none_or(is_name), at("source"), volume),
                "tmpfs" => must!(self, source.is_none(), at("source"), mount_no_source),
                _ => must!(self, false, at("type"), mount_kind),
            }
            let is = |kind: &str| mount.kind == kind;
            if let Some(size) = mount.size {
                must!(self, is("tmpfs") && size > 0, at("size"), mount_option);
            }
            if let Some(mode) = &mount.mode {
                must!(self, is("tmpfs") && octal(mode).is_some(), at("mode"), mount_option);
            }
            if let Some(propagation) = &mount.propagation {
                must!(self, is("bind") && self::propagation(propagation).is_some(), at("propagation"), mount_option);
            }
            must!(self, is("volume") || !mount.no_copy, at("no_copy"), mount_option);
        }
    }

    fn networks(&mut self, spec: &ContainerSpec) {
        let is_network = |name: &str| is_name(name);
        if let Some(network) = &spec.network {
            must!(self, container_of(network).map_or_else(|| is_network(network), is_name), "network", network);
            must!(self, spec.networks.is_empty(), "networks", network_both);
        }
        for (index, network) in spec.networks.iter().enumerate() {
            let at = |name: &str| format!("networks[{index}].{name}");
            must!(self, is_network(&network.name), at("name"), network);
            if let Some(address) = &network.ipv4 {
                must!(self, address.parse::<Ipv4Addr>().is_ok(), at("ipv4"), address);
            }
            if let Some(address) = &network.ipv6 {
                must!(self, address.parse::<Ipv6Addr>().is_ok(), at("ipv6"), address);
            }
            for (index, alias) in network.aliases.iter().enumerate() {
                must!(self, is_hostname(alias), format!("{}[{index}]", at("aliases")), alias);
            }
        }
    }

    fn limits(&mut self, spec: &ContainerSpec) {
        if let Some(memory) = spec.memory {
            must!(self, memory >= LEAST_MEMORY, "memory", memory);
        }
        if let Some(cpus) = spec.cpus {
            must!(self, cpus.is_finite() && cpus > 0.0 && cpus <= 1024.0, "cpus", cpus);
        }
        if let Some(pids) = spec.pids_limit {
            must!(self, pids == -1 || pids > 0, "pids_limit", pids);
        }
        for (index, text) in spec.ulimits.iter().enumerate() {
            must!(self, ulimit(text).is_some(), format!("ulimits[{index}]"), ulimit);
        }
    }

    fn rights(&mut self, spec: &ContainerSpec) {
        let is_container = |mode: &str| container_of(mode).is_some_and(is_name);
        if let Some(mode) = spec.pid_mode.as_deref().filter(|mode| !mode.is_empty()) {
            must!(
                self,
                mode == "host" || is_container(mode),
                "pid_mode",
                mode,
                choices = "host, container:NAME".to_owned()
            );
        }
        if let Some(mode) = spec.ipc_mode.as_deref().filter(|mode| !mode.is_empty()) {
            let is_mode = matches!(mode, "host" | "none" | "private" | "shareable") || is_container(mode);
            must!(
                self,
                is_mode,
                "ipc_mode",
                mode,
                choices = "host, none, private, shareable, container:NAME".to_owned()
            );
        }
        for (field, names) in [("cap_add", &spec.cap_add), ("cap_drop", &spec.cap_drop)] {
            for (index, name) in names.iter().enumerate() {
                let plain = explain::capability(name);
                let is_capability =
                    !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                must!(self, is_capability, format!("{field}[{index}]"), cap);
            }
        }
        for (index, text) in spec.devices.iter().enumerate() {
            must!(self, device(text).is_some(), format!("devices[{index}]"), device_path);
        }
        if let Some(driver) = &spec.log_driver {
            let is_driver = driver.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte));
            must!(self, !driver.is_empty() && !driver.starts_with('-') && is_driver, "log_driver", log_driver);
        }
    }

    fn health(&mut self, health: &HealthSpec) {
        let kind = health.test.first().map(String::as_str);
        let is_test = matches!(
            (kind, health.test.len()),
            (None, 0) | (Some("NONE"), 1) | (Some("CMD"), 2..) | (Some("CMD-SHELL"), 2)
        );
        must!(self, is_test, "health.test", health_test);
        for (name, value) in
            [("interval", health.interval), ("timeout", health.timeout), ("start_period", health.start_period)]
        {
            if let Some(value) = value {
                let is_time = value == 0.0 || (0.001..=86_400.0).contains(&value);
                must!(self, is_time, format!("health.{name}"), health_time);
            }
        }
        if let Some(retries) = health.retries {
            must!(self, (0..=1000).contains(&retries), "health.retries", health_retries);
        }
    }
}

fn protocol(port: &PortSpec) -> &str {
    port.protocol.as_deref().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp")
}

fn host_ip(port: &PortSpec) -> Option<&str> {
    port.host_ip.as_deref().filter(|address| !address.is_empty())
}

fn restart_policy(text: &str) -> Option<RestartPolicy> {
    let policy = |name, maximum_retry_count| Some(RestartPolicy { name: Some(name), maximum_retry_count });
    match text {
        "no" | "" => policy(RestartPolicyNameEnum::NO, None),
        "always" => policy(RestartPolicyNameEnum::ALWAYS, None),
        "unless-stopped" => policy(RestartPolicyNameEnum::UNLESS_STOPPED, None),
        "on-failure" => policy(RestartPolicyNameEnum::ON_FAILURE, None),
        text => {
            let count: u32 = text.strip_prefix("on-failure:")?.parse().ok()?;
            policy(RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(count)))
        }
    }
}

fn is_user(text: &str) -> bool {
    let part = |part: &str| {
        (1..=64).contains(&part.len())
            && !part.starts_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    match text.split_once(':') {
        Some((user, group)) => part(user) && part(group),
        None => part(text),
    }
}

fn device(text: &str) -> Option<DeviceMapping> {
    let mut parts = text.split(':');
    let outside = parts.next().filter(|path| is_absolute(path))?;
    let inside = parts.next().unwrap_or(outside);
    let rights = parts.next().unwrap_or("rwm");
    let is_device = is_absolute(inside)
        && (1..=3).contains(&rights.len())
        && rights.bytes().all(|byte| b"rwm".contains(&byte))
        && parts.next().is_none();
    is_device.then(|| DeviceMapping {
        path_on_host: Some(outside.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(rights.to_owned()),
    })
}

fn ulimit(text: &str) -> Option<ResourcesUlimits> {
    let (name, values) = text.split_once('=')?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard): (i64, i64) = (soft.parse().ok()?, hard.parse().ok()?);
    let is_limit = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase())
        && soft >= -1
        && hard >= -1
        && (hard == -1 || (soft != -1 && soft <= hard));
    is_limit.then(|| ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

/// Whose a new container is, and which job makes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The customer whose person makes it.
    pub customer: Option<Id<Customer>>,
    /// The job.
    pub job: Option<Id<Job>>,
}

/// What the engine is asked to create. The specification has passed [`check`].
pub fn body(spec: &ContainerSpec, origin: Origin) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = spec.labels.clone().into_iter().collect();
    if let Some(customer) = origin.customer {
        labels.insert(CUSTOMER_LABEL.to_owned(), customer.to_string());
    }
    if let Some(job) = origin.job {
        labels.insert(JOB_LABEL.to_owned(), job.to_string());
    }
    let first = spec.networks.first();
    let mode = spec.network.as_deref().or(first.map(|network| network.name.as_str()));
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: spec.hostname.clone(),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
        cmd: some(spec.command.clone()),
        entrypoint: some(spec.entrypoint.clone()),
        env: some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        exposed_ports: some(spec.ports.iter().map(port_key).collect()),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        healthcheck: spec.health.as_ref().map(health),
        labels: Some(labels),
        host_config: Some(host_config(spec, origin, mode)),
        networking_config: first.map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint(network))])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn host_config(spec: &ContainerSpec, origin: Origin, network: Option<&str>) -> HostConfig {
    HostConfig {
        memory: spec.memory,
        nano_cpus: spec.cpus.map(|cpus| (cpus * 1e9).round() as i64),
        pids_limit: spec.pids_limit,
        devices: some(spec.devices.iter().filter_map(|text| device(text)).collect()),
        init: Some(spec.init),
        ulimits: some(spec.ulimits.iter().filter_map(|text| ulimit(text)).collect()),
        log_config: (spec.log_driver.is_some() || !spec.log_options.is_empty()).then(|| HostConfigLogConfig {
            typ: spec.log_driver.clone(),
            config: Some(spec.log_options.clone().into_iter().collect()),
        }),
        network_mode: network.map(str::to_owned),
        port_bindings: port_bindings(&spec.ports),
        restart_policy: spec.restart.as_deref().and_then(restart_policy),
        auto_remove: Some(spec.auto_remove),
        mounts: some(spec.mounts.iter().map(|mount| self::mount(mount, origin)).collect()),
        cap_add: some(spec.cap_add.iter().map(|name| explain::capability(name)).collect()),
        cap_drop: some(spec.cap_drop.iter().map(|name| explain::capability(name)).collect()),
        dns: some(spec.dns.clone()),
        extra_hosts: some(spec.extra_hosts.clone()),
        ipc_mode: spec.ipc_mode.clone().filter(|mode| !mode.is_empty()),
        pid_mode: spec.pid_mode.clone().filter(|mode| !mode.is_empty()),
        privileged: Some(spec.privileged),
        readonly_rootfs: Some(spec.read_only),
        ..HostConfig::default()
    }
}

fn port_key(port: &PortSpec) -> String {
    format!("{}/{}", port.container_port, protocol(port))
}

fn port_bindings(ports: &[PortSpec]) -> Option<PortMap> {
    let mut map = PortMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: host_ip(port).map(str::to_owned),
            // An empty port lets the engine choose.
            host_port: Some(port.host_port.map(|port| port.to_string()).unwrap_or_default()),
        };
        map.entry(port_key(port)).or_default().get_or_insert_default().push(binding);
    }
    (!map.is_empty()).then_some(map)
}

fn mount(mount: &MountSpec, origin: Origin) -> Mount {
    let source = mount.source.as_deref().filter(|source| !source.is_empty());
    let (typ, source) = match mount.kind.as_str() {
        "bind" => (MountType::BIND, source.map(normalised)),
        "tmpfs" => (MountType::TMPFS, None),
        _ => (MountType::VOLUME, source.map(str::to_owned)),
    };
    let is_tmpfs = typ == MountType::TMPFS && (mount.size.is_some() || mount.mode.is_some());
    let propagation = mount.propagation.as_deref().and_then(propagation).filter(|_| typ == MountType::BIND);
    // A volume that the engine makes on the way belongs to whom the container belongs to.
    let labels = origin.customer.map(|customer| HashMap::from([(CUSTOMER_LABEL.to_owned(), customer.to_string())]));
    Mount {
        target: Some(normalised(&mount.target)),
        source,
        read_only: Some(mount.read_only),
        bind_options: propagation
            .map(|propagation| MountBindOptions { propagation: Some(propagation), ..MountBindOptions::default() }),
        volume_options: (typ == MountType::VOLUME && (labels.is_some() || mount.no_copy)).then(|| MountVolumeOptions {
            labels,
            no_copy: mount.no_copy.then_some(true),
            ..MountVolumeOptions::default()
        }),
        tmpfs_options: is_tmpfs.then(|| MountTmpfsOptions {
            size_bytes: mount.size,
            mode: mount.mode.as_deref().and_then(octal),
            ..MountTmpfsOptions::default()
        }),
        typ: Some(typ),
        ..Mount::default()
    }
}

/// Rights as a number, from up to four octal digits.
fn octal(mode: &str) -> Option<i64> {
    let is_octal = (1..=4).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    is_octal.then(|| i64::from_str_radix(mode, 8).ok()).flatten()
}

fn propagation(name: &str) -> Option<MountBindOptionsPropagationEnum> {
    name.parse().ok().filter(|known| *known != MountBindOptionsPropagationEnum::EMPTY)
}

fn health(health: &HealthSpec) -> HealthConfig {
    let nanos = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1e9).round() as i64);
    HealthConfig {
        test: some(health.test.clone()),
        interval: nanos(health.interval),
        timeout: nanos(health.timeout),
        retries: health.retries,
        start_period: nanos(health.start_period),
        ..HealthConfig::default()
    }
}

/// How a container joins a network.
pub fn endpoint(network: &NetworkSpec) -> EndpointSettings {
    EndpointSettings {
        aliases: some(network.aliases.clone()),
        ipam_config: (network.ipv4.is_some() || network.ipv6.is_some()).then(|| EndpointIpamConfig {
            ipv4_address: network.ipv4.clone(),
            ipv6_address: network.ipv6.clone(),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployments::explain::{GREATEST_ULIMIT, SAFE_CAPABILITIES, SAFE_LOG_DRIVERS, SAFE_ULIMITS, risks};
    use proptest::{collection::vec, option, prelude::*, sample::select};

    fn customer() -> Scope {
        Scope::Customer(Id::new())
    }

    fn fields(spec: &ContainerSpec) -> Vec<String> {
        check(spec, customer(), Locale::en).into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn problems_stand_at_their_fields() {
        let spec = ContainerSpec {
            image: "-nginx".to_owned(),
            name: Some("-web".to_owned()),
            env: [("A=B".to_owned(), String::new())].into(),
            labels: [("muelle.customer".to_owned(), Id::<Customer>::new().to_string())].into(),
            ports: vec![
                PortSpec { container_port: 80, host_port: Some(8080), ..PortSpec::default() },
                PortSpec { container_port: 0, host_port: Some(8080), ..PortSpec::default() },
            ],
            mounts: vec![
                MountSpec {
                    kind: "bind".to_owned(),
                    source: Some("etc".to_owned()),
                    target: "/a/../b".to_owned(),
                    ..MountSpec::default()
                },
                MountSpec { kind: "floppy".to_owned(), target: "/c".to_owned(), ..MountSpec::default() },
            ],
            memory: Some(1024),
            cpus: Some(f64::NAN),
            restart: Some("sometimes".to_owned()),
            command: vec!["a\0b".to_owned()],
            health: Some(HealthSpec {
                test: vec!["curl".to_owned()],
                interval: Some(0.000_1),
                ..HealthSpec::default()
            }),
            ..ContainerSpec::default()
        };

        let mut found = fields(&spec);
        found.sort();

        assert_eq!(
            found,
            [
                "command[0]",
                "cpus",
                "env.A=B",
                "health.interval",
                "health.test",
                "image",
                "labels.muelle.customer",
                "memory",
                "mounts[0].source",
                "mounts[0].target",
                "mounts[1].type",
                "name",
                "ports[1].container_port",
                "ports[1].host_port",
                "restart",
            ]
        );
    }

    #[test]
    fn a_container_carries_the_label_of_its_customer() {
        let spec = ContainerSpec { image: "nginx".to_owned(), ..ContainerSpec::default() };
        let customer = Id::<Customer>::new();

        let body = body(&spec, Origin { customer: Some(customer), job: None });

        assert_eq!(body.labels.expect("there are labels")[CUSTOMER_LABEL], customer.to_string());
    }

    /// Words that have led beyond a container somewhere.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            select(
                &[
                    "host",
                    "HOST",
                    " host",
                    "none",
                    "bridge",
                    "default",
                    "private",
                    "shareable",
                    "container:web",
                    "ns:/proc/1/ns/net",
                    "/",
                    "/etc",
                    "//etc",
                    "/var/run/docker.sock",
                    "/srv/../etc",
                    "web",
                    "data",
                    "SYS_ADMIN",
                    "cap_sys_admin",
                    "ALL",
                    "all",
                    "CHOWN",
                    "cap_chown",
                    "/dev/sda",
                    "/dev/kmsg:/dev/kmsg:rwm",
                    "json-file",
                    "syslog",
                    "fluentd",
                    "local",
                    "nofile=10:20",
                    "nofile=-1",
                    "memlock=-1:-1",
                    "nofile=1:99999999999",
                    "core=0",
                    "bind",
                    "volume",
                    "tmpfs",
                    "npipe",
                    "Bind",
                    "max-size",
                    "syslog-address",
                    "muelle.customer",
                    "always",
                    "on-failure:3",
                    "nginx:1",
                    "",
                ][..]
            )
            .prop_map(str::to_owned),
            "[ -~]{0,12}",
        ]
    }

    prop_compose! {
        fn mounts_of_any_kind()(
            kind in word(), source in option::of(word()), target in word(), read_only: bool, no_copy: bool,
            propagation in option::of(select(vec!["rshared", "rprivate", "x"])),
        ) -> MountSpec {
            let propagation = propagation.map(str::to_owned);
            MountSpec { kind, source, target, read_only, propagation, no_copy, ..MountSpec::default() }
        }
    }

    prop_compose! {
        fn networks_of_any_kind()(name in word(), aliases in vec(word(), 0..2)) -> NetworkSpec {
            NetworkSpec { name, aliases, ..NetworkSpec::default() }
        }
    }

    prop_compose! {
        fn specs()(
            network in option::of(word()),
            networks in vec(networks_of_any_kind(), 0..2),
            (pid_mode, ipc_mode) in (option::of(word()), option::of(word())),
            (cap_add, devices, ulimits) in (vec(word(), 0..3), vec(word(), 0..2), vec(word(), 0..3)),
            mounts in vec(mounts_of_any_kind(), 0..3),
            (log_driver, log_options) in (option::of(word()), proptest::collection::btree_map(word(), word(), 0..2)),
            labels in proptest::collection::btree_map(word(), word(), 0..2),
            (privileged, tty, auto_remove) in (proptest::bool::weighted(0.1), any::<bool>(), any::<bool>()),
            (user, hostname) in (option::of(word()), option::of(word())),
        ) -> ContainerSpec {
            ContainerSpec {
                image: "nginx".to_owned(), network, networks, pid_mode, ipc_mode, cap_add, devices, ulimits, mounts, log_driver,
                log_options, labels, privileged, tty, auto_remove, user, hostname, ..ContainerSpec::default()
            }
        }
    }

    /// Why this would reach beyond the container; judged from what the engine gets, not from the specification.
    fn escape(body: &ContainerCreateBody) -> Option<&'static str> {
        let host = body.host_config.clone().unwrap_or_default();
        let expected = HostConfig {
            memory: host.memory,
            nano_cpus: host.nano_cpus,
            pids_limit: host.pids_limit,
            init: host.init,
            ulimits: host.ulimits.clone(),
            log_config: host.log_config.clone(),
            network_mode: host.network_mode.clone(),
            port_bindings: host.port_bindings.clone(),
            restart_policy: host.restart_policy.clone(),
            auto_remove: host.auto_remove,
            mounts: host.mounts.clone(),
            cap_add: host.cap_add.clone(),
            cap_drop: host.cap_drop.clone(),
            dns: host.dns.clone(),
            extra_hosts: host.extra_hosts.clone(),
            ipc_mode: host.ipc_mode.clone(),
            pid_mode: host.pid_mode.clone(),
            privileged: Some(false),
            readonly_rootfs: host.readonly_rootfs,
            ..HostConfig::default()
        };
        if host != expected {
            return Some("a field that nobody may set");
        }
        let own = |mode: &Option<String>| {
            mode.as_deref()
                .is_none_or(|mode| mode.starts_with("container:") || matches!(mode, "private" | "shareable" | "none"))
        };
        let is_named = |name: &str| is_name(name) && !name.eq_ignore_ascii_case("host");
        let network =
            host.network_mode.as_deref().is_none_or(|mode| is_named(mode.strip_prefix("container:").unwrap_or(mode)));
        if !own(&host.pid_mode) || !own(&host.ipc_mode) || !network {
            return Some("a namespace of the machine");
        }
        if host.cap_add.iter().flatten().any(|name| !SAFE_CAPABILITIES.contains(&name.as_str())) {
            return Some("a capability");
        }
        if host.mounts.iter().flatten().any(|mount| {
            let is_own = matches!(mount.typ, Some(MountType::VOLUME | MountType::TMPFS));
            !is_own
                || mount.source.as_deref().is_some_and(|source| source.contains('/'))
                || mount.bind_options.is_some()
        }) {
            return Some("a folder of the machine");
        }
        let driver = host.log_config.as_ref().and_then(|log| log.typ.as_deref());
        if driver.is_some_and(|driver| !SAFE_LOG_DRIVERS.contains(&driver)) {
            return Some("a log that goes elsewhere");
        }
        let in_bounds = |value: Option<i64>| value.is_some_and(|value| (0..=GREATEST_ULIMIT).contains(&value));
        let usual = |limit: &ResourcesUlimits| {
            in_bounds(limit.soft)
                && in_bounds(limit.hard)
                && limit.name.as_deref().is_some_and(|name| SAFE_ULIMITS.contains(&name))
        };
        if !host.ulimits.iter().flatten().all(usual) {
            return Some("a limit");
        }
        let foreign = body.labels.iter().flatten().any(|(name, _)| name.starts_with("muelle."));
        foreign.then_some("a label of the system")
    }

    /// So many as take about ten seconds without optimisation, or as `PROPTEST_CASES` says.
    fn cases() -> u32 {
        std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

        #[test]
        fn no_specification_that_a_regular_person_may_use_reaches_beyond_its_container(spec in specs()) {
            let is_accepted = risks(&spec).is_empty() && check(&spec, customer(), Locale::en).is_empty();
            if is_accepted {
                prop_assert_eq!(escape(&body(&spec, Origin::default())), None);
            }
        }
    }

    #[test]
    fn the_options_of_a_mount_go_with_their_kind() {
        let of = |kind: &str| MountSpec { kind: kind.to_owned(), target: "/x".to_owned(), ..MountSpec::default() };
        let problems = |mount: MountSpec| {
            fields(&ContainerSpec { image: "nginx".to_owned(), mounts: vec![mount], ..ContainerSpec::default() })
        };
        let tmpfs = MountSpec { size: Some(64 << 20), mode: Some("1770".to_owned()), ..of("tmpfs") };

        let options = mount(&tmpfs, Origin::default()).tmpfs_options.expect("it has options");
        assert_eq!((options.size_bytes, options.mode), (Some(64 << 20), Some(0o1770)));
        assert_eq!(problems(tmpfs.clone()), [""; 0]);
        assert_eq!(problems(MountSpec { kind: "volume".to_owned(), ..tmpfs }), ["mounts[0].size", "mounts[0].mode"]);
        assert_eq!(problems(MountSpec { mode: Some("9".to_owned()), ..of("tmpfs") }), ["mounts[0].mode"]);
        assert_eq!(problems(MountSpec { no_copy: true, ..of("tmpfs") }), ["mounts[0].no_copy"]);
        let shared = MountSpec { propagation: Some("rshared".to_owned()), ..of("volume") };
        assert_eq!(problems(shared), ["mounts[0].propagation"]);
    }

    #[test]
    fn the_property_test_would_notice_an_escape() {
        let bind = MountSpec {
            kind: "bind".to_owned(),
            source: Some("/etc".to_owned()),
            target: "/x".to_owned(),
            read_only: true,
            ..MountSpec::default()
        };
        let spec = ContainerSpec { image: "nginx".to_owned(), mounts: vec![bind], ..ContainerSpec::default() };

        assert!(escape(&body(&spec, Origin::default())).is_some());
    }
}
