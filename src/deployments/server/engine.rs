//! The connections to the engines: how each stands, what was last known of it, and calls with limits.

use super::{breaker::Breaker, convert, fault::Fault, watch, wire::Wire};
use crate::{
    deployments::model::{Container, DataUsage, EngineInfo, EngineState, EngineStatus, Image, LOCAL},
    error::{Error, Result},
    events::{model::Topic, server::Bus},
    i18n::{Locale, td_string},
    id::Id,
    platform::config::Config,
    storage::Customer,
    time::Timestamp,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::json;
use std::{
    collections::BTreeMap,
    future::Future,
    io,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

/// How long a computed disk usage is good: computing it walks over all layers.
const USAGE_IS_GOOD_FOR: Duration = Duration::from_secs(60);

/// How long computing the disk usage may take.
const USAGE_DEADLINE: Duration = Duration::from_secs(60);

/// All engines this server talks to. Cheap to clone.
#[derive(Clone)]
pub struct Engines(Arc<BTreeMap<String, Engine>>);

impl Engines {
    /// Connects to the engines of the configuration, and keeps their lists true until `stopping`.
    pub fn start(config: &Config, bus: &Bus, stopping: &CancellationToken) -> Self {
        let timeout = Duration::from_secs(config.engine.timeout.clamp(2, 60));
        let local = Engine::start(LOCAL, &config.engine.address, timeout, bus.clone(), stopping.clone());
        Self(Arc::new(BTreeMap::from([(LOCAL.to_owned(), local)])))
    }

    /// Every engine, by name.
    pub fn all(&self) -> impl Iterator<Item = &Engine> {
        self.0.values()
    }

    /// The engine of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn find(&self, name: &str) -> Result<&Engine> {
        self.0.get(name).ok_or_else(|| Error::not_found("engine"))
    }
}

/// One engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// What an [`Engine`] is made of.
pub struct Inner {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// How long the head of an ordinary answer may take.
    pub timeout: Duration,
    /// The way to it; `None` when the address is none that we use.
    pub wire: Option<Wire>,
    /// Rings when the watch should look at once.
    pub(super) bell: Notify,
    /// Rings when the engine turns out to be away.
    troubled: Notify,
    pub(super) bus: Bus,
    pub(super) stopping: CancellationToken,
    breaker: Breaker,
    view: RwLock<View>,
    docker: RwLock<Option<Docker>>,
    usage: Mutex<Option<Instant>>,
}

impl Deref for Engine {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Why an engine is not up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing has been heard yet.
    Connecting,
    /// There is no engine.
    Missing,
    /// We may not use its socket.
    Denied,
    /// It is installed and does not run.
    Stopped,
    /// Its answers break off: it is stopping, or something else listens there.
    Broken,
    /// It is there and says nothing.
    Silent,
    /// Its protocol is older than ours.
    TooOld(String),
    /// The address is none that we use.
    Address,
    /// It says something that is not of its protocol.
    Unreadable(String),
}

impl Trouble {
    /// The trouble that a fault of the connection shows.
    pub fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Away(cause) => match cause.kind() {
                io::ErrorKind::NotFound if is_installed() => Self::Stopped,
                io::ErrorKind::NotFound => Self::Missing,
                io::ErrorKind::PermissionDenied => Self::Denied,
                // The socket's file is there and nobody listens.
                io::ErrorKind::ConnectionRefused => Self::Stopped,
                _ => Self::Broken,
            },
            Fault::Silent(_) => Self::Silent,
            Fault::Said { message, .. } => Self::Unreadable(message.clone()),
            Fault::Unreadable(reason) => Self::Unreadable(reason.clone()),
            Fault::Refused { trouble, .. } => trouble.clone(),
        }
    }

    /// The state it means.
    pub const fn state(&self) -> EngineState {
        match self {
            Self::Connecting => EngineState::Connecting,
            Self::Silent | Self::Unreadable(_) => EngineState::Stale,
            Self::Missing | Self::Denied | Self::Stopped | Self::Broken | Self::TooOld(_) | Self::Address => {
                EngineState::Down
            }
        }
    }

    /// What is missing and how to get it, as a sentence.
    pub fn text(&self, address: &str, locale: Locale) -> String {
        let address = address.to_owned();
        match self {
            Self::Connecting => td_string!(locale, deployments.engine.connecting).to_owned(),
            Self::Missing => td_string!(locale, deployments.engine.missing, address = address),
            Self::Denied => td_string!(locale, deployments.engine.denied, address = address),
            Self::Stopped => td_string!(locale, deployments.engine.stopped, address = address),
            Self::Broken => td_string!(locale, deployments.engine.broken, address = address),
            Self::Silent => td_string!(locale, deployments.engine.silent, address = address),
            Self::TooOld(version) => td_string!(locale, deployments.engine.too_old, version = version.clone()),
            Self::Address => td_string!(locale, deployments.engine.address).to_owned(),
            Self::Unreadable(reason) => td_string!(locale, deployments.engine.trouble, reason = reason.clone()),
        }
    }
}

/// Whether an engine's program can be found where programs are.
fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    folders.into_iter().any(|folder| folder.join("dockerd").is_file())
}

/// What changed, and whose it is.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    pub(super) topic: Topic,
    pub(super) of: Of,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// All share it.
    Everybody,
    /// A customer's, or the platform's own.
    Owner(Option<Id<Customer>>),
}

/// What is known of an engine now.
pub struct View {
    /// Why it is not up; `None` when it is.
    pub trouble: Option<Trouble>,
    /// Since when.
    pub since: Timestamp,
    /// What it told of itself.
    pub info: Option<EngineInfo>,
    /// Its disk usage.
    pub usage: Option<DataUsage>,
    /// Its containers, in the order of their names.
    pub containers: Arc<Vec<Arc<Container>>>,
    /// Its images, newest first.
    pub images: Arc<Vec<Arc<Image>>>,
    /// When the lists were true.
    pub at: Timestamp,
}

impl Engine {
    fn start(name: &str, address: &str, timeout: Duration, bus: Bus, stopping: CancellationToken) -> Self {
        let wire = address
            .strip_prefix("unix://")
            .filter(|path| path.starts_with('/'))
            .map(|path| Wire::new(PathBuf::from(path)));
        let trouble = if wire.is_some() { Trouble::Connecting } else { Trouble::Address };
        let now = Timestamp::now();
        let view = View {
            trouble: Some(trouble),
            since: now,
            info: None,
            usage: None,
            containers: Arc::default(),
            images: Arc::default(),
            at: now,
        };
        let engine = Self(Arc::new(Inner {
            name: name.to_owned(),
            address: address.to_owned(),
            timeout,
            wire,
            bell: Notify::new(),
            troubled: Notify::new(),
            bus,
            stopping,
            breaker: Breaker::default(),
            view: RwLock::new(view),
            docker: RwLock::new(None),
            usage: Mutex::new(None),
        }));
        if engine.wire.is_some() {
            tokio::spawn(watch::keep_true(engine.clone()));
        }
        engine
    }

    /// What is known now. Hold it for moments only.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what waits for an answer, after the view tells why there will be none.
    pub(super) fn tell_away(&self) {
        self.troubled.notify_waiters();
    }

    /// Changes what is known and tells what `change` names to those who may hear of it.
    pub(super) fn update(&self, change: impl FnOnce(&mut View) -> Vec<News>) {
        let news = change(&mut self.view.write().unwrap_or_else(PoisonError::into_inner));
        for News { topic, of } in news {
            match of {
                Of::Everybody => self.bus.publish_shared(topic, json!({})),
                Of::Owner(customer) => self.bus.publish(topic, customer, json!({})),
            }
        }
    }

    /// Its state, with what it last told.
    pub fn status(&self, locale: Locale) -> EngineStatus {
        let view = self.view();
        EngineStatus {
            name: self.name.clone(),
            address: self.address.clone(),
            state: view.trouble.as_ref().map_or(EngineState::Up, Trouble::state),
            since: view.since,
            is_up: view.trouble.is_none(),
            problem: view.trouble.as_ref().map(|trouble| trouble.text(&self.address, locale)),
            info: view.info.clone(),
            data_usage: view.usage.clone(),
        }
    }

    /// The path of the API in the negotiated version.
    pub fn path(&self, rest: &str) -> String {
        let version = self.docker.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(Docker::client_version);
        let version = version.unwrap_or(*API_DEFAULT_VERSION);
        format!("/v{}.{}{rest}", version.major_version, version.minor_version)
    }

    /// The typed client for the version that was agreed on.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the reason when the engine is known to be away.
    pub fn docker(&self) -> Result<Docker, Fault> {
        self.admit()?;
        let docker = self.docker.read().unwrap_or_else(PoisonError::into_inner).clone();
        docker.ok_or_else(|| Fault::Away(io::ErrorKind::NotConnected.into()))
    }

    /// The way to the engine.
    ///
    /// # Errors
    /// As [`Engine::docker`].
    pub fn wire(&self) -> Result<Wire, Fault> {
        self.admit()?;
        self.wire.clone().ok_or_else(|| Fault::Away(io::ErrorKind::NotConnected.into()))
    }

    /// Refuses at once what could only wait.
    fn admit(&self) -> Result<(), Fault> {
        match self.known_trouble() {
            Some(trouble) => Err(self.refusal(trouble)),
            None if self.breaker.admits(Instant::now()) => Ok(()),
            None => Err(self.refusal(Trouble::Silent)),
        }
    }

    fn known_trouble(&self) -> Option<Trouble> {
        self.view().trouble.clone().filter(|trouble| *trouble != Trouble::Connecting)
    }

    fn refusal(&self, trouble: Trouble) -> Fault {
        Fault::Refused { trouble, address: self.address.clone() }
    }

    /// Ends when the engine is known to be away: what waits for an answer then waits no longer. An engine of
    /// which one answer could not be read may still give this one.
    pub async fn away(&self) -> Fault {
        loop {
            // Listening begins before looking, so that nothing falls between the two.
            let told = self.troubled.notified();
            if let Some(trouble) = self.known_trouble().filter(|known| !matches!(known, Trouble::Unreadable(_))) {
                return self.refusal(trouble);
            }
            told.await;
        }
    }

    /// Makes one call with a deadline and counts how it went.
    ///
    /// # Errors
    /// [`Fault::Silent`] after `deadline`, [`Fault::Refused`] as soon as the engine is known to be away; what
    /// the call gives.
    pub async fn call<T, E>(&self, deadline: Duration, call: impl Future<Output = Result<T, E>>) -> Result<T, Fault>
    where
        Fault: From<E>,
    {
        let outcome = self.wait(deadline, call).await;
        match &outcome {
            Err(Fault::Refused { .. }) => {}
            Err(fault) if fault.is_of_the_connection() => {
                self.breaker.failed(Instant::now());
                // The watch knows sooner than its next look.
                self.bell.notify_one();
            }
            Ok(_) | Err(_) => self.breaker.succeeded(),
        }
        outcome
    }

    /// Makes one call with a deadline that says nothing of the engine: it may be another that it waits for.
    ///
    /// # Errors
    /// As [`Engine::call`].
    pub async fn wait<T, E>(&self, deadline: Duration, call: impl Future<Output = Result<T, E>>) -> Result<T, Fault>
    where
        Fault: From<E>,
    {
        tokio::select! {
            // What was answered was answered, even if the engine went in the same moment.
            biased;
            outcome = tokio::time::timeout(deadline, call) => match outcome {
                Ok(outcome) => outcome.map_err(Fault::from),
                Err(_) => Err(Fault::Silent(deadline)),
            },
            fault = self.away() => Err(fault),
        }
    }

    /// Makes a new typed client and agrees on a version; done again at every connection, because the
    /// engine behind a socket may have been replaced.
    pub(super) async fn negotiate(&self, wire: &Wire) -> Result<(), Trouble> {
        let unreadable = |error: bollard::errors::Error| Trouble::of(&Fault::from(error));
        let docker =
            Docker::connect_with_custom_transport(wire.transport(), Some("http://docker"), 600, API_DEFAULT_VERSION)
                .map_err(unreadable)?;
        let agreed = tokio::time::timeout(self.probe_deadline(), docker.negotiate_version()).await;
        let docker = agreed.map_err(|_| Trouble::Silent)?.map_err(unreadable)?;
        let version = docker.client_version();
        if (version.major_version, version.minor_version) < (1, 41) {
            return Err(Trouble::TooOld(version.to_string()));
        }
        *self.docker.write().unwrap_or_else(PoisonError::into_inner) = Some(docker);
        self.breaker.succeeded();
        Ok(())
    }

    /// How long a probe may take: so short that the state is known within the configured time.
    pub(super) fn probe_deadline(&self) -> Duration {
        self.timeout.mul_f64(0.6)
    }

    /// Computes the disk usage, unless it was computed within the last minute.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn refresh_usage(&self) -> Result<(), Fault> {
        // One at a time; whoever waited finds it done.
        let mut computed = self.usage.lock().await;
        if computed.is_some_and(|at| at.elapsed() < USAGE_IS_GOOD_FOR) {
            return Ok(());
        }
        let wire = self.wire()?;
        let path = self.path("/system/df");
        let answer = self.call(USAGE_DEADLINE, wire.get(&path, USAGE_DEADLINE)).await?;
        let usage = convert::usage(&answer)?;
        *computed = Some(Instant::now());
        let topic = Topic::Engine(self.name.clone());
        self.update(|view| {
            view.usage = Some(usage);
            vec![News { topic, of: Of::Everybody }]
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_denied_and_stopped_are_told_apart() {
        let trouble = |kind: io::ErrorKind| Trouble::of(&Fault::Away(kind.into()));

        assert!(matches!(trouble(io::ErrorKind::NotFound), Trouble::Missing | Trouble::Stopped));
        assert_eq!(trouble(io::ErrorKind::PermissionDenied), Trouble::Denied);
        assert_eq!(trouble(io::ErrorKind::ConnectionRefused), Trouble::Stopped);
        assert_eq!(trouble(io::ErrorKind::ConnectionReset), Trouble::Broken);
        assert_eq!(Trouble::of(&Fault::Silent(Duration::ZERO)).state(), EngineState::Stale);
    }
}
