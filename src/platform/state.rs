//! The handles of a running server.

use super::{config::Config, db::Db, tls};
use crate::{
    authentication::server::{Authority, password::Cost},
    events::server::Bus,
    platform::config::TlsMode,
};
use anyhow::Context as _;
use std::{
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, OnceLock},
};
use tokio_util::sync::CancellationToken;

/// The handles of a running server. Cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Handles>);

/// What a [`State`] holds.
pub struct Handles {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// What signing in needs beside the database.
    pub authority: Authority,
    /// The keys that seal secrets.
    pub seals: crate::provisioning::server::seal::Seals,
    /// Where changes are told.
    pub bus: Bus,
    /// The Docker engines.
    pub engines: crate::deployments::server::Engines,
    /// The queue of jobs.
    pub jobs: crate::jobs::server::Jobs,
    /// The streams that people hold open.
    pub streams: crate::events::server::sse::Places,
    /// How many records lists have, where counting takes long.
    pub totals: crate::storage::item::server::totals::Totals,
    /// What is known of Ansible.
    pub ansible: crate::provisioning::server::ansible::Ansible,
    /// Where it listens, once it does; the configured port may be 0, for any.
    pub listens_on: OnceLock<SocketAddr>,
    /// Cancelled when the server stops: every stream and loop ends on it.
    pub stopping: CancellationToken,
}

impl Deref for State {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.0
    }
}

impl State {
    /// Makes the data folder, opens the database, brings its tables up to date and starts what runs
    /// in the background.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_with(config, Cost::REAL).await
    }

    /// As [`State::start`] with passwords hashed at another cost, for tests that sign in a lot.
    pub async fn start_with(config: Config, cost: Cost) -> anyhow::Result<Self> {
        make_private_folder(&config.data.dir)?;
        let authority = Authority::with_cost(&config.data.dir, cost)?;
        let db = Db::open(&config.database_url(), config.database.connections).await?;
        db.migrate().await?;
        crate::storage::item::server::keys::fill(&db).await?;
        let seals = crate::provisioning::server::seal::Seals::start(&config.data.dir, &db).await?;
        let (bus, stopping) = (Bus::new(), CancellationToken::new());
        let state = Self(Arc::new(Handles {
            ansible: crate::provisioning::server::ansible::Ansible::new(&config),
            engines: crate::deployments::server::Engines::start(&config, &bus, &stopping),
            config,
            db,
            authority,
            seals,
            bus,
            jobs: crate::jobs::server::Jobs::new(),
            streams: crate::events::server::sse::Places::default(),
            totals: crate::storage::item::server::totals::Totals::default(),
            listens_on: OnceLock::new(),
            stopping,
        }));
        crate::events::server::relay::start(&state);
        Ok(state)
    }

    /// Whether the server itself speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.config.tls.mode != TlsMode::Off
    }

    /// Where people find the server, without a slash at the end: what is configured, else where it listens.
    ///
    /// No request has a say in it, so that nobody can lead a link elsewhere by the `Host` it names.
    pub fn url(&self) -> String {
        let public = self.config.server.public_url.trim_end_matches('/');
        if !public.is_empty() {
            return public.to_owned();
        }
        let scheme = if self.is_tls() { "https" } else { "http" };
        let address = self.address();
        if address.ip().is_unspecified() {
            format!("{scheme}://{}:{}", tls::host_name(), address.port())
        } else {
            format!("{scheme}://{address}")
        }
    }

    /// Whether [`State::url`] names a machine that people may know by another name.
    pub fn is_url_a_guess(&self) -> bool {
        self.config.server.public_url.trim_end_matches('/').is_empty() && self.address().ip().is_unspecified()
    }

    fn address(&self) -> SocketAddr {
        self.listens_on.get().copied().unwrap_or(self.config.server.address)
    }
}

/// Makes a folder that only this user can enter; one that exists is left as it is.
fn make_private_folder(path: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("making the data folder {}", path.display()))
}
