//! The configuration: defaults, then a file, then the environment; all problems together.

use anyhow::Context as _;
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

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
    /// Networks of proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// The greatest request body in bytes.
    pub body_limit: usize,
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
        let figment = secrets_from_files(figment)?;
        let config: Self = figment.extract().map_err(|errors| {
            let lines: Vec<String> = errors.into_iter().map(|error| error.to_string()).collect();
            anyhow::anyhow!("the configuration has problems:\n  {}", lines.join("\n  "))
        })?;
        Ok(config)
    }

    /// The defaults with `text` (TOML) over them and nothing from outside: for tests and benches.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(text: &str) -> anyhow::Result<Self> {
        let figment = Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(text));
        figment.extract().context("reading the configuration")
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

/// Reads `MUELLE_SECTION__KEY_FILE` for every key: the value is the file's text without the last line end.
fn secrets_from_files(mut figment: Figment) -> anyhow::Result<Figment> {
    for (name, path) in std::env::vars() {
        let Some(key) = name.strip_prefix("MUELLE_").and_then(|rest| rest.strip_suffix("_FILE")) else {
            continue;
        };
        if !key.contains("__") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name} from {path}"))?;
        let key = key.to_lowercase().replace("__", ".");
        figment = figment.merge((key, text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(figment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let config: Config = Figment::from(Toml::string(DEFAULTS)).extract().expect("defaults.toml is complete");

        assert_eq!(config.server.address.port(), 3000);
        assert_eq!(config.tls.mode, TlsMode::Off);
    }
}
