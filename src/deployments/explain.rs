//! What a specification means, known to both sides: the equivalent `docker run` line, and the rights
//! over the machine that it asks for.
//!
//! [`risks`] is the one place that says which fields reach beyond the container. The form shows them
//! while a person types, and the server refuses them by the same list.

use super::model::{ContainerSpec, Explanation, HealthSpec, MountSpec, NetworkSpec, PortSpec, Warning};
use crate::i18n::{Locale, td_string};
use std::fmt::Write as _;

/// Capabilities that an engine gives to every container anyway, so adding one adds nothing.
pub const SAFE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Log drivers that keep a log on the engine's own machine.
pub const SAFE_LOG_DRIVERS: [&str; 3] = ["json-file", "local", "none"];

/// Options of those drivers that name no place.
pub const SAFE_LOG_OPTIONS: [&str; 9] =
    ["max-size", "max-file", "compress", "mode", "max-buffer-size", "labels", "labels-regex", "env", "env-regex"];

/// The greatest value of a limit that anybody may set.
pub const GREATEST_ULIMIT: i64 = 1_048_576;

/// Limits that anybody may set within [`GREATEST_ULIMIT`].
pub const SAFE_ULIMITS: [&str; 6] = ["core", "fsize", "nofile", "nproc", "stack", "cpu"];

/// Folders that hold the machine itself: writing there is owning it.
const SENSITIVE: [&str; 12] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/var/lib/docker", "/var/run"];

/// A right over the machine that a specification asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Risk {
    /// All rights.
    Privileged,
    /// The machine's network.
    HostNetwork,
    /// The machine's processes.
    HostProcesses,
    /// The machine's shared memory.
    HostMemory,
    /// A capability beyond the usual.
    Capability(String),
    /// A device of the machine.
    Device(String),
    /// A folder of the machine.
    Bind(String),
    /// A folder that holds the machine itself.
    SensitiveBind(String),
    /// The engine's own socket.
    EngineSocket(String),
    /// A log driver that sends elsewhere.
    LogDriver(String),
    /// A log option that may name a place.
    LogOption(String),
    /// A limit beyond the usual.
    Limit(String),
}

impl Risk {
    /// The risk as a sentence.
    pub fn text(&self, locale: Locale) -> String {
        match self {
            Self::Privileged => td_string!(locale, deployments.spec.privileged).to_owned(),
            Self::HostNetwork => td_string!(locale, deployments.spec.host_network).to_owned(),
            Self::HostProcesses => td_string!(locale, deployments.spec.host_processes).to_owned(),
            Self::HostMemory => td_string!(locale, deployments.spec.host_memory).to_owned(),
            Self::Capability(name) => td_string!(locale, deployments.spec.capability, name = name.clone()),
            Self::Device(name) => td_string!(locale, deployments.spec.device, name = name.clone()),
            Self::Bind(path) => td_string!(locale, deployments.spec.bind, path = path.clone()),
            Self::SensitiveBind(path) => td_string!(locale, deployments.spec.sensitive_bind, path = path.clone()),
            Self::EngineSocket(path) => td_string!(locale, deployments.spec.engine_socket, path = path.clone()),
            Self::LogDriver(name) => td_string!(locale, deployments.spec.log_driver_away, name = name.clone()),
            Self::LogOption(name) => td_string!(locale, deployments.spec.log_option_place, name = name.clone()),
            Self::Limit(text) => td_string!(locale, deployments.spec.ulimit_beyond, limit = text.clone()),
        }
    }
}

/// The rights over the machine that a specification asks for, each with its field. Only people with
/// the verb [`Elevate`](crate::authentication::policy::Verb::Elevate) may use such a specification.
pub fn risks(spec: &ContainerSpec) -> Vec<(String, Risk)> {
    let mut found = Vec::new();
    if spec.privileged {
        found.push(("privileged".to_owned(), Risk::Privileged));
    }
    if is_host(spec.network.as_deref()) {
        found.push(("network".to_owned(), Risk::HostNetwork));
    }
    for (index, network) in spec.networks.iter().enumerate() {
        if is_host(Some(&network.name)) {
            found.push((format!("networks[{index}].name"), Risk::HostNetwork));
        }
    }
    if is_host(spec.pid_mode.as_deref()) {
        found.push(("pid_mode".to_owned(), Risk::HostProcesses));
    }
    if is_host(spec.ipc_mode.as_deref()) {
        found.push(("ipc_mode".to_owned(), Risk::HostMemory));
    }
    for (index, name) in spec.cap_add.iter().enumerate() {
        let plain = capability(name);
        if !SAFE_CAPABILITIES.contains(&plain.as_str()) {
            found.push((format!("cap_add[{index}]"), Risk::Capability(plain)));
        }
    }
    for (index, device) in spec.devices.iter().enumerate() {
        found.push((format!("devices[{index}]"), Risk::Device(device.clone())));
    }
    for (index, mount) in spec.mounts.iter().enumerate() {
        if mount.kind == "bind" {
            found.push((format!("mounts[{index}].source"), bind_risk(mount.source.as_deref().unwrap_or_default())));
        }
    }
    if let Some(driver) = spec.log_driver.as_deref().filter(|name| !SAFE_LOG_DRIVERS.contains(name)) {
        found.push(("log_driver".to_owned(), Risk::LogDriver(driver.to_owned())));
    }
    for name in spec.log_options.keys().filter(|name| !SAFE_LOG_OPTIONS.contains(&name.as_str())) {
        found.push((format!("log_options.{name}"), Risk::LogOption(name.clone())));
    }
    for (index, text) in spec.ulimits.iter().enumerate() {
        if !is_usual_limit(text) {
            found.push((format!("ulimits[{index}]"), Risk::Limit(text.clone())));
        }
    }
    found
}

/// The name of a capability without its prefix, in capitals.
pub fn capability(name: &str) -> String {
    let name = name.trim().to_ascii_uppercase();
    name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
}

/// The name in `container:NAME`.
pub fn container_of(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:")
}

fn is_host(mode: Option<&str>) -> bool {
    mode.is_some_and(|mode| mode.trim().eq_ignore_ascii_case("host"))
}

fn bind_risk(source: &str) -> Risk {
    let path = normalised(source);
    let engine = path.ends_with(".sock")
        && ["docker", "containerd", "podman", "buildkit"].iter().any(|name| path.contains(name));
    if engine {
        return Risk::EngineSocket(path);
    }
    let sensitive = path == "/"
        || path == "/var"
        || path == "/var/lib"
        || SENSITIVE.iter().any(|folder| path == *folder || path.starts_with(&format!("{folder}/")));
    if sensitive { Risk::SensitiveBind(path) } else { Risk::Bind(path) }
}

/// A path without doubled, trailing and dotted parts.
pub fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_usual_limit(text: &str) -> bool {
    let Some((name, values)) = text.split_once('=') else { return false };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let within = |value: &str| value.parse::<i64>().is_ok_and(|value| (0..=GREATEST_ULIMIT).contains(&value));
    SAFE_ULIMITS.contains(&name) && within(soft) && within(hard)
}

/// What a specification means to somebody who may or may not give rights over the machine.
pub fn explain(spec: &ContainerSpec, may_elevate: bool, locale: Locale) -> Explanation {
    let mut warnings: Vec<Warning> = risks(spec)
        .into_iter()
        .map(|(field, risk)| Warning { field, text: risk.text(locale), refused: !may_elevate })
        .collect();
    let shared = [("network", &spec.network), ("pid_mode", &spec.pid_mode), ("ipc_mode", &spec.ipc_mode)];
    for (field, mode) in shared {
        if let Some(name) = mode.as_deref().and_then(container_of) {
            let text = td_string!(locale, deployments.spec.shares_container, name = name.to_owned());
            warnings.push(Warning { field: field.to_owned(), text, refused: false });
        }
    }
    if spec.auto_remove && spec.restart.as_deref().is_some_and(|policy| policy != "no") {
        let text = td_string!(locale, deployments.spec.remove_and_restart).to_owned();
        warnings.push(Warning { field: "auto_remove".to_owned(), text, refused: false });
    }
    Explanation { docker_run: docker_run(spec), warnings }
}

/// The `docker run` line that does the same, quoted for a POSIX shell.
pub fn docker_run(spec: &ContainerSpec) -> String {
    let mut line = Line::default();
    line.flag("--detach", true);
    line.option("--pull", spec.pull.as_deref().filter(|pull| *pull != "missing"));
    line.option("--name", spec.name.as_deref());
    line.option("--hostname", spec.hostname.as_deref());
    line.option("--user", spec.user.as_deref());
    line.option("--workdir", spec.workdir.as_deref());
    line.flag("--tty", spec.tty);
    line.flag("--interactive", spec.stdin_open);
    line.flag("--rm", spec.auto_remove);
    line.option("--restart", spec.restart.as_deref());
    line.flag("--init", spec.init);
    line.flag("--read-only", spec.read_only);
    line.flag("--privileged", spec.privileged);
    line.option("--pid", spec.pid_mode.as_deref());
    line.option("--ipc", spec.ipc_mode.as_deref());
    line.option("--memory", spec.memory);
    line.option("--cpus", spec.cpus);
    line.option("--pids-limit", spec.pids_limit);
    line.each("--ulimit", &spec.ulimits);
    line.each("--cap-add", &spec.cap_add);
    line.each("--cap-drop", &spec.cap_drop);
    line.each("--device", &spec.devices);
    line.option("--network", spec.network.as_deref());
    line.each("--network", spec.networks.iter().map(network));
    line.each("--publish", spec.ports.iter().map(port));
    line.each("--mount", spec.mounts.iter().map(mount));
    line.each("--env", spec.env.iter().map(|(name, value)| format!("{name}={value}")));
    line.each("--label", spec.labels.iter().map(|(name, value)| format!("{name}={value}")));
    line.each("--dns", &spec.dns);
    line.each("--add-host", &spec.extra_hosts);
    line.option("--log-driver", spec.log_driver.as_deref());
    line.each("--log-opt", spec.log_options.iter().map(|(name, value)| format!("{name}={value}")));
    if let Some(health) = &spec.health {
        line.health(health);
    }
    let mut words = spec.entrypoint.iter();
    line.option("--entrypoint", words.next());
    line.word(if spec.image.is_empty() { "IMAGE" } else { &spec.image });
    for word in words.chain(&spec.command) {
        line.word(word);
    }
    line.text
}

/// A command line as it grows.
struct Line {
    text: String,
}

impl Default for Line {
    fn default() -> Self {
        Self { text: "docker run".to_owned() }
    }
}

impl Line {
    fn word(&mut self, word: &str) {
        self.text.push(' ');
        self.text.push_str(&quoted(word));
    }

    fn flag(&mut self, name: &str, wanted: bool) {
        if wanted {
            self.word(name);
        }
    }

    fn option(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value.map(|value| value.to_string()).filter(|value| !value.is_empty()) {
            self.word(name);
            self.word(&value);
        }
    }

    fn each(&mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) {
        for value in values {
            self.option(name, Some(value.to_string()));
        }
    }

    fn health(&mut self, health: &HealthSpec) {
        match health.test.split_first() {
            Some((kind, _)) if kind == "NONE" => return self.flag("--no-healthcheck", true),
            Some((kind, rest)) if kind == "CMD-SHELL" => self.option("--health-cmd", Some(rest.join(" "))),
            Some((kind, rest)) if kind == "CMD" => {
                let words: Vec<String> = rest.iter().map(|word| quoted(word)).collect();
                self.option("--health-cmd", Some(words.join(" ")));
            }
            Some(_) | None => {}
        }
        let seconds = |value: Option<f64>| value.map(|value| format!("{value}s"));
        self.option("--health-interval", seconds(health.interval));
        self.option("--health-timeout", seconds(health.timeout));
        self.option("--health-retries", health.retries);
        self.option("--health-start-period", seconds(health.start_period));
    }
}

/// A word as a POSIX shell reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// One part of a comma-separated option, quoted as CSV wants it.
fn csv(part: String) -> String {
    if part.contains([',', '"', '\n']) { format!("\"{}\"", part.replace('"', "\"\"")) } else { part }
}

fn port(port: &PortSpec) -> String {
    let mut text = String::new();
    if let Some(address) = port.host_ip.as_deref().filter(|address| !address.is_empty()) {
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let _ = write!(text, "{address}:");
    }
    if let Some(outside) = port.host_port {
        let _ = write!(text, "{outside}:");
    } else if !text.is_empty() {
        text.push(':');
    }
    let _ = write!(text, "{}", port.container_port);
    if let Some(protocol) = port.protocol.as_deref().filter(|protocol| *protocol != "tcp" && !protocol.is_empty()) {
        let _ = write!(text, "/{protocol}");
    }
    text
}

fn mount(mount: &MountSpec) -> String {
    let mut parts = vec![format!("type={}", mount.kind)];
    if let Some(source) = mount.source.as_deref().filter(|source| !source.is_empty()) {
        parts.push(csv(format!("source={source}")));
    }
    parts.push(csv(format!("target={}", mount.target)));
    if mount.read_only {
        parts.push("readonly".to_owned());
    }
    parts.extend(mount.size.map(|size| format!("tmpfs-size={size}")));
    parts.extend(mount.mode.as_ref().map(|mode| csv(format!("tmpfs-mode={mode}"))));
    parts.extend(mount.propagation.as_ref().map(|name| csv(format!("bind-propagation={name}"))));
    if mount.no_copy {
        parts.push("volume-nocopy".to_owned());
    }
    parts.join(",")
}

fn network(network: &NetworkSpec) -> String {
    if network.ipv4.is_none() && network.ipv6.is_none() && network.aliases.is_empty() {
        return network.name.clone();
    }
    let mut parts = vec![csv(format!("name={}", network.name))];
    parts.extend(network.aliases.iter().map(|alias| csv(format!("alias={alias}"))));
    parts.extend(network.ipv4.iter().map(|address| format!("ip={address}")));
    parts.extend(network.ipv6.iter().map(|address| format!("ip6={address}")));
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(image: &str) -> ContainerSpec {
        ContainerSpec { image: image.to_owned(), ..ContainerSpec::default() }
    }

    #[test]
    fn the_command_line_says_what_the_specification_says() {
        let mut spec = spec("nginx:1.27");
        spec.name = Some("web".to_owned());
        spec.ports = vec![PortSpec { container_port: 80, host_port: Some(8080), ..PortSpec::default() }];
        spec.env.insert("GREETING".to_owned(), "it's here".to_owned());
        spec.mounts = vec![MountSpec {
            kind: "volume".to_owned(),
            source: Some("a,b".to_owned()),
            target: "/data".to_owned(),
            read_only: true,
            ..MountSpec::default()
        }];
        spec.memory = Some(268_435_456);
        spec.entrypoint = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        spec.command = vec!["echo $HOME".to_owned()];

        assert_eq!(
            docker_run(&spec),
            "docker run --detach --name web --memory 268435456 --publish 8080:80 \
             --mount 'type=volume,\"source=a,b\",target=/data,readonly' \
             --env 'GREETING=it'\\''s here' --entrypoint /bin/sh nginx:1.27 -c 'echo $HOME'"
        );
    }

    #[test]
    fn an_ordinary_container_asks_for_no_right_over_the_machine() {
        let mut spec = spec("nginx");
        spec.cap_add = vec!["CAP_CHOWN".to_owned(), "net_bind_service".to_owned()];
        spec.ulimits = vec!["nofile=1024:2048".to_owned()];
        spec.log_driver = Some("local".to_owned());

        assert_eq!(risks(&spec), []);
    }

    #[test]
    fn the_machine_is_recognised_behind_any_spelling() {
        for (source, expected) in [
            ("//var//run/docker.sock", Risk::EngineSocket("/var/run/docker.sock".to_owned())),
            ("/srv/../etc/", Risk::SensitiveBind("/etc".to_owned())),
            ("/./", Risk::SensitiveBind("/".to_owned())),
            ("/var/lib/docker/volumes", Risk::SensitiveBind("/var/lib/docker/volumes".to_owned())),
            ("/srv/web", Risk::Bind("/srv/web".to_owned())),
        ] {
            assert_eq!(bind_risk(source), expected, "{source}");
        }
    }

    #[test]
    fn a_limit_beyond_the_usual_is_a_risk() {
        for text in ["nofile=-1", "memlock=1", "nofile=1:99999999", "nonsense"] {
            assert!(!is_usual_limit(text), "{text}");
        }
    }

    #[test]
    fn every_risk_is_refused_to_those_who_may_not_elevate() {
        let mut spec = spec("nginx");
        spec.privileged = true;
        spec.pid_mode = Some("HOST".to_owned());

        let refused = explain(&spec, false, Locale::en);
        let allowed = explain(&spec, true, Locale::es);

        assert!(refused.warnings.iter().all(|warning| warning.refused));
        assert_eq!(allowed.warnings.iter().map(|w| w.field.as_str()).collect::<Vec<_>>(), ["privileged", "pid_mode"]);
        assert!(allowed.warnings.iter().all(|warning| !warning.refused));
    }
}
