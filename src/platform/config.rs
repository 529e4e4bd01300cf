//! The configuration: defaults, then a file, then the environment; all problems together.

use anyhow::Context as _;
use figment::{
    Figment, Source,
    providers::{Env, Format, Toml},
    value::{Dict, Value},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// The reference with every key, its meaning and its default.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The whole configuration. Keys and meanings stand in `defaults.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[data]`
    pub data: Data,
    /// `[database]`
    pub database: Database,
    /// `[engine]`
    pub engine: Engine,
    /// `[tls]`
    pub tls: Tls,
    /// `[session]`
    pub session: Session,
    /// `[jobs]`
    pub jobs: Jobs,
    /// `[provisioning]`
    pub provisioning: Provisioning,
    /// `[log]`
    pub log: Log,
}

/// Where and how the server listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The address it listens on.
    pub address: SocketAddr,
    /// The address people use; empty when it is the one it listens on.
    pub public_url: String,
    /// The domain below which each customer has a name; empty for none.
    pub base_domain: String,
    /// Addresses and networks of proxies whose forwarding headers are believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// The greatest request body in bytes.
    pub body_limit: usize,
    /// Calls of the API that one person may make in a minute; 0 for any number.
    pub calls_per_minute: u32,
}

/// Where files are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder.
    pub dir: PathBuf,
}

/// Which database.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its address; may hold a password, so it is never printed.
    pub url: String,
    /// The greatest number of connections.
    pub connections: u32,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// The local Docker engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// `unix:///path` of its socket.
    pub address: String,
    /// Seconds until a silent engine counts as away.
    pub timeout: u64,
}

/// How connections are protected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Which of the three ways.
    pub mode: TlsMode,
    /// Path of the certificate chain, PEM.
    pub certificate: PathBuf,
    /// Path of the private key, PEM.
    pub key: PathBuf,
    /// Whether browsers shall insist on TLS for sub-domains too.
    pub hsts_subdomains: bool,
}

/// The three ways of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Plain HTTP.
    Off,
    /// A certificate made here.
    SelfSigned,
    /// A certificate from files.
    Files,
}

/// How long a login lasts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Minutes without a request.
    pub idle_minutes: u64,
    /// Hours in any case.
    pub absolute_hours: u64,
}

/// The queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Jobs that run at a time.
    pub parallel: usize,
    /// Days until an ended job is forgotten.
    pub keep_days: u64,
    /// Ended jobs that are kept.
    pub keep_count: u64,
    /// The greatest output of one job in bytes.
    pub output_limit: u64,
}

/// How playbooks are run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// The folder of `ansible-playbook`; empty to look for it.
    pub ansible: PathBuf,
    /// Whether namespaces are used where they can be had.
    pub namespaces: bool,
    /// The user that runs Ansible where namespaces cannot be had; empty for none.
    pub user: String,
    /// Whether Ansible may run beside the server where nothing keeps it apart.
    pub allow_unisolated: bool,
    /// The program that supervises a run; empty for this one.
    pub supervisor: PathBuf,
    /// Runs that are under way at a time.
    pub parallel: usize,
    /// Days until an ended run is forgotten.
    pub keep_days: u64,
    /// Ended runs that are kept of each customer.
    pub keep_count: u64,
    /// The greatest number of seconds that a run may take.
    pub timeout: u32,
    /// Seconds without an event or output until a run is ended.
    pub silence: u32,
    /// Seconds to connect to a host.
    pub connect_timeout: u32,
    /// The Galaxy server that collections and roles are installed from.
    pub galaxy: String,
}

/// The log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged.
    pub filter: String,
    /// `text` or `json`.
    pub format: String,
}

impl Config {
    /// Reads the defaults, the file named by `MUELLE_CONFIG` (else `muelle.toml` where present) and the
    /// environment.
    ///
    /// # Errors
    /// All problems together, each with its key and where it came from.
    pub fn load() -> anyhow::Result<Self> {
        let file = std::env::var("MUELLE_CONFIG").unwrap_or_else(|_| "muelle.toml".to_owned());
        let figment = Figment::from(Toml::string(DEFAULTS)).merge(Toml::file(file)).merge(
            Env::prefixed("MUELLE_")
                .split("__")
                .filter(|key| key.as_str().contains('.') && !key.as_str().ends_with("_file")),
        );
        let mut problems = Vec::new();
        let figment = secrets_from_files(figment, &mut problems);
        read(&figment, problems)
    }

    /// The defaults with `text` (TOML) over them and nothing from outside: for tests and benches.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(text: &str) -> anyhow::Result<Self> {
        read(&Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(text)), Vec::new())
    }

    /// The database's address, with the embedded default filled in.
    pub fn database_url(&self) -> String {
        if self.database.url.is_empty() {
            format!("sqlite:{}", self.data.dir.join("muelle.db").display())
        } else {
            self.database.url.clone()
        }
    }
}

/// The configuration of all sources together, or every problem there is, each with where it came from.
fn read(given: &Figment, mut problems: Vec<String>) -> anyhow::Result<Config> {
    let reference: Dict = Figment::from(Toml::string(DEFAULTS)).extract().context("reading defaults.toml")?;
    let all: Dict = match given.extract() {
        Ok(all) => all,
        Err(errors) => {
            // A file that cannot be read at all hides what stands in it.
            problems.extend(errors.into_iter().map(|error| error.to_string()));
            return Err(told(&problems));
        }
    };
    let mut known = Vec::new();
    sort_out("", &all, &reference, given, &mut known, &mut problems);
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    for (path, value) in known {
        figment = figment.merge((path, value));
    }
    // Each round finds one wrong value and goes on with the default in its place.
    let mut mended = HashSet::new();
    loop {
        let error = match figment.extract::<Config>() {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(_) => return Err(told(&problems)),
            Err(error) => error,
        };
        let path = error.path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
        problems.push(format!("{path}: {}, from {}", error.kind, source(given, &path)));
        let default = Figment::from(Toml::string(DEFAULTS)).find_value(&path);
        match default {
            Ok(default) if mended.insert(path.clone()) => figment = figment.merge((path, default)),
            Ok(_) | Err(_) => return Err(told(&problems)),
        }
    }
}

fn told(problems: &[String]) -> anyhow::Error {
    anyhow::anyhow!("the configuration has problems:\n  {}", problems.join("\n  "))
}

/// Parts what is given into known keys with their values, and problems: keys that the reference lacks.
fn sort_out(
    prefix: &str,
    given: &Dict,
    reference: &Dict,
    figment: &Figment,
    known: &mut Vec<(String, Value)>,
    problems: &mut Vec<String>,
) {
    for (key, value) in given {
        let path = format!("{prefix}{key}");
        match (reference.get(key), value) {
            (None, _) => problems.push(format!("{path}: there is no such key, from {}", source(figment, &path))),
            (Some(Value::Dict(_, below)), Value::Dict(_, given)) => {
                sort_out(&format!("{path}."), given, below, figment, known, problems);
            }
            (Some(Value::Dict(..)), _) => {
                problems.push(format!("{path}: it must be a section, from {}", source(figment, &path)));
            }
            (Some(_), value) => known.push((path, value.clone())),
        }
    }
}

/// Where the value of a key came from, in words: a file, or a variable.
fn source(figment: &Figment, path: &str) -> String {
    let variable = format!("MUELLE_{}", path.to_uppercase().replace('.', "__"));
    match figment.find_metadata(path) {
        Some(metadata) if metadata.name.contains("environment") => format!("the variable {variable}"),
        Some(metadata) => match &metadata.source {
            Some(Source::File(file)) => format!("the file {}", file.display()),
            // A pair that was merged by itself: a secret's file.
            Some(Source::Code(_)) => format!("the file that {variable}_FILE names"),
            _ => "the given text".to_owned(),
        },
        None => "the defaults".to_owned(),
    }
}

/// Reads `MUELLE_SECTION__KEY_FILE` for every key: the value is the file's text without the last line end.
fn secrets_from_files(mut figment: Figment, problems: &mut Vec<String>) -> Figment {
    for (name, path) in std::env::vars() {
        let Some(key) = name.strip_prefix("MUELLE_").and_then(|rest| rest.strip_suffix("_FILE")) else {
            continue;
        };
        if !key.contains("__") {
            continue;
        }
        let key = key.to_lowercase().replace("__", ".");
        match std::fs::read_to_string(&path) {
            Ok(text) => figment = figment.merge((key, text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => problems.push(format!("{key}: {error}, from the file {path} that {name} names")),
        }
    }
    figment
}

/// Networks, an address being the network of itself.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ipnet::IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| {
        let address = || text.parse::<IpAddr>().map(ipnet::IpNet::from);
        text.parse().or_else(|_| address()).map_err(|_| {
            D::Error::custom(format!("{text:?} is neither an IP address nor a network such as 10.0.0.0/8"))
        })
    };
    texts.iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_trusted_by_its_address_or_its_network() {
        let config = Config::from_text("server.trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\", \"::1\"]");

        let trusted: Vec<_> =
            config.expect("it is good").server.trusted_proxies.iter().map(ToString::to_string).collect();

        assert_eq!(trusted, ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]);
    }

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let config: Config = Figment::from(Toml::string(DEFAULTS)).extract().expect("defaults.toml is complete");

        assert_eq!(config.server.address.port(), 3000);
        assert_eq!(config.tls.mode, TlsMode::Off);
    }

    #[test]
    fn all_problems_are_told_together() {
        let text = "server.address = \"nowhere\"\nserver.nonsense = 1\nweather.wind = \"west\"\n\
                    server.trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/99\"]\ntls.mode = \"magic\"\n\
                    jobs.parallel = \"many\"\nsession = 5";

        let refused = Config::from_text(text).expect_err("it is refused").to_string();

        let lines: Vec<_> = refused.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines.len(), 7, "{refused}");
        for key in [
            "server.address",
            "server.nonsense",
            "weather",
            "server.trusted_proxies",
            "tls.mode",
            "jobs.parallel",
            "session",
        ] {
            let about = format!("{key}: ");
            assert!(lines.iter().any(|line| line.starts_with(&about)), "{key} in {refused}");
        }
        assert!(refused.contains("magic") && refused.contains("socket address"), "{refused}");
    }
}
