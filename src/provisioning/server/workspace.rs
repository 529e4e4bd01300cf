//! The private folder of a run, and the process that works in it.
//!
//! `<data>/runs/<id>` (0700, a short path because of sockets) holds everything that one `ansible-playbook`
//! needs and leaves behind: `events.ndjson`, one event a line as [`RunEvent`](crate::provisioning::model::RunEvent)
//! tells; `console.log`, what a person would have seen; `exit.json`, written last. The supervisor writes, the
//! server reads by offset, so either may be gone for a while.

use super::{
    layout, processes,
    sandbox::{Isolation, PATH, Place},
    supervisor::{self, Errand, Holder, files},
};
use crate::{error::Result, i18n::Locale, id::Id, jobs::model::Job, platform::state::State};
use anyhow::{Context as _, bail};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{ErrorKind, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

/// How much is read at a time, in bytes.
const PART: u64 = 1 << 20;

/// How long a supervisor may take to say who it is, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything one execution needs.
pub struct Order {
    /// Files by their path in the project; `playbook` is one of them.
    pub files: Vec<(String, Vec<u8>)>,
    /// The path of the playbook in the project.
    pub playbook: String,
    /// The inventory, as Ansible reads JSON in a `.yml` file; texts that people typed are marked unsafe in it.
    pub inventory: Value,
    /// Variables that are no secrets, not marked yet.
    pub variables: Map<String, Value>,
    /// Variables that are: they travel encrypted, and are hidden in the console.
    pub secrets: Vec<(String, Zeroizing<String>)>,
    /// Private keys in OpenSSH's format without a passphrase, for the agent.
    pub keys: Vec<Zeroizing<String>>,
    /// Passwords of vaults by their label.
    pub vaults: Vec<(String, Zeroizing<String>)>,
    /// Lines of `known_hosts`.
    pub known_hosts: String,
    /// Options of `ansible-playbook` beside inventory, variables and playbook: one element each.
    pub arguments: Vec<String>,
    /// Hosts at a time.
    pub forks: u32,
    /// Whether modules go through the connection instead of a copied file.
    pub pipelining: bool,
    /// `smart`, `implicit` or `explicit`.
    pub gathering: &'static str,
    /// Facts of earlier runs by inventory name, for the fact cache; `None` to use none.
    pub facts: Option<Map<String, Value>>,
    /// The limits.
    pub limits: Limits,
    /// The folder of the collections and roles that are installed for it.
    pub installed: Option<PathBuf>,
}

/// What a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The whole run.
    pub whole: Duration,
    /// No event and no output.
    pub silence: Duration,
    /// Connecting to a host.
    pub connection: Duration,
    /// One task on one host; `None` for any time.
    pub task: Option<Duration>,
    /// Bytes of console that are kept; what follows is left out and said so.
    pub output: u64,
}

/// How an execution ended, as its supervisor wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// Ansible's exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why the supervisor ended it, where it did.
    pub ended: Option<Ended>,
    /// What went wrong before Ansible began, as a sentence in English.
    pub trouble: Option<String>,
    /// How it was kept apart: `namespaces`, `user`, or `none`.
    pub isolation: String,
}

/// Why a supervisor ended an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Somebody asked for it.
    Cancelled,
    /// The whole took too long.
    TooLong,
    /// It was silent for too long.
    Silent,
}

/// One line of `events.ndjson`: its number, its time, the event, and the result beside it.
#[derive(Clone, Debug, Deserialize)]
pub struct Written {
    /// The event with its number.
    #[serde(flatten)]
    pub numbered: crate::provisioning::model::Numbered,
    /// The result as Ansible gave it, cut to 64 KiB.
    #[serde(default)]
    pub result: Option<Value>,
    /// Facts of a host.
    #[serde(default)]
    pub facts: Option<Map<String, Value>>,
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct Workspace {
    folder: PathBuf,
    id: String,
    /// How far events and console were read, so that nothing is missed between reading and waiting.
    seen: Arc<[AtomicU64; 2]>,
}

impl Workspace {
    /// Makes the folder and starts the supervisor in it.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::error::Error::Unavailable) when Ansible is missing, or a run could not be kept apart
    /// and that is not allowed.
    pub async fn start(state: &State, locale: Locale, id: Id<Job>, order: Order) -> Result<Self> {
        let tools = state.ansible.tools(locale).await?;
        let isolation = state.ansible.isolation(locale).await?;
        let this = Self::at(state, id);
        layout::make_private(&this.folder)?;
        let place = this.place(isolation, tools.folders.clone()).with_installed(order.installed.clone());
        let errand = Errand::of(&this.id, &order, &place, &tools).to_bytes()?;
        if let Err(error) = this.begin(&state.config.provisioning.supervisor, &errand).await {
            this.remove().await;
            return Err(error.into());
        }
        Ok(this)
    }

    /// The folder of a run that was started before, by this process or an earlier one.
    pub fn open(state: &State, id: Id<Job>) -> Option<Self> {
        let this = Self::at(state, id);
        this.folder.is_dir().then_some(this)
    }

    fn at(state: &State, id: Id<Job>) -> Self {
        let folder = state.config.data.dir.join("runs").join(id.to_string());
        // The supervisor is elsewhere, and the folder may be given relative to where the server was started.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self { folder, id: id.to_string(), seen: Arc::default() }
    }

    fn place(&self, isolation: Isolation, folders: Vec<PathBuf>) -> Place {
        Place::of(isolation, &self.folder, &self.id, folders)
    }

    /// Starts the supervisor, hands it the errand and waits until it has said who it is.
    async fn begin(&self, program: &Path, errand: &[u8]) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).mode(0o600).open(self.folder.join(files::LOG));
        let mut child = tokio::process::Command::new(supervisor::program(program))
            .arg("run-supervisor")
            .arg(&self.folder)
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.context("opening the supervisor's log")?)
            .spawn()
            .context("starting the supervisor")?;
        let mut stdin = child.stdin.take().context("its input is a pipe")?;
        let written = async {
            stdin.write_all(errand).await?;
            stdin.shutdown().await
        };
        let written = written.await;
        drop(stdin);
        let began = Instant::now();
        while self.holder().is_none() {
            if let Some(status) = child.try_wait().context("watching the supervisor")? {
                bail!("the supervisor ended at once ({status}): {}", self.log());
            }
            if began.elapsed() > PATIENCE {
                drop(child.kill().await);
                bail!("the supervisor did not begin within {} seconds", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It outlives this process; while both live, somebody must ask how it ended.
        tokio::spawn(async move { child.wait().await });
        written.context("handing over what the supervisor shall do")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(files::LOG)).unwrap_or_default().trim().to_owned()
    }

    fn holder(&self) -> Option<Holder> {
        serde_json::from_slice(&std::fs::read(self.folder.join(files::SUPERVISOR)).ok()?).ok()
    }

    /// Whole lines of events from a byte offset on, and the offset after them; at most about 1 MiB.
    ///
    /// # Errors
    /// When the file cannot be read or a line is no event.
    pub async fn events(&self, offset: u64) -> anyhow::Result<(Vec<Written>, u64)> {
        let path = self.folder.join(files::EVENTS);
        let bytes = tokio::task::spawn_blocking(move || {
            let mut bytes = part(&path, offset, PART)?;
            // An event that is longer than a part is read whole.
            while bytes.len() as u64 >= PART && !bytes.contains(&b'\n') {
                let more = part(&path, offset + bytes.len() as u64, PART)?;
                if more.is_empty() {
                    break;
                }
                bytes.extend(more);
            }
            anyhow::Ok(bytes)
        });
        let bytes = bytes.await.context("reading events")??;
        let length = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = bytes[..length].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events: Result<Vec<Written>, _> = lines.map(serde_json::from_slice).collect();
        let end = offset + length as u64;
        self.seen[0].store(end, Ordering::Relaxed);
        Ok((events.with_context(|| format!("reading the events after byte {offset}"))?, end))
    }

    /// Bytes of the console from an offset on, at most about 1 MiB.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn console(&self, offset: u64) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join(files::CONSOLE);
        let bytes =
            tokio::task::spawn_blocking(move || part(&path, offset, PART)).await.context("reading the console")??;
        self.seen[1].store(offset + bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// How it ended; `None` while it has not.
    pub fn exit(&self) -> Option<Exit> {
        serde_json::from_slice(&std::fs::read(self.folder.join(files::EXIT)).ok()?).ok()
    }

    /// Whether its supervisor lives: the process of that number that began at that time.
    pub fn is_alive(&self) -> bool {
        self.holder().is_some_and(|holder| processes::is_alive(holder.pid, holder.started))
    }

    /// Waits until there is more to read, it has ended, or its supervisor is gone; at most `limit`.
    pub async fn changed(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            let grew = [files::EVENTS, files::CONSOLE].iter().zip(self.seen.iter()).any(|(name, seen)| {
                std::fs::metadata(self.folder.join(name)).is_ok_and(|file| file.len() > seen.load(Ordering::Relaxed))
            });
            if grew || self.exit().is_some() || !self.is_alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20).min(limit)).await;
        }
    }

    /// Asks the supervisor to end it. Works from before its start to its end.
    ///
    /// # Errors
    /// When the request cannot be left.
    pub async fn cancel(&self) -> anyhow::Result<()> {
        match tokio::fs::File::create(self.folder.join(files::CANCEL)).await {
            Ok(_) => Ok(()),
            // It has ended and was removed.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).context("asking for the end of a run"),
        }
    }

    /// Removes the folder, and what is left of its processes.
    pub async fn remove(self) {
        if let Some(holder) = self.holder().filter(|holder| processes::is_alive(holder.pid, holder.started)) {
            drop(self.cancel().await);
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until && processes::is_alive(holder.pid, holder.started) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if processes::is_alive(holder.pid, holder.started) {
                processes::signal(holder.pid, Signal::KILL);
            }
        }
        // A supervisor that was killed could not end what it held.
        for _ in 0..100 {
            let left = processes::of_run(&self.id);
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(|pid| processes::signal(pid, Signal::KILL));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let elsewhere = self.place(Isolation::None, Vec::new()).inside;
        for folder in [&elsewhere, &self.folder] {
            match tokio::fs::remove_dir_all(folder).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => tracing::warn!("removing {}: {error}", folder.display()),
            }
        }
    }
}

/// Bytes of a file from an offset on; none when it is not there yet.
fn part(path: &Path, offset: u64, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error).with_context(|| format!("opening {}", path.display())),
    };
    file.seek(SeekFrom::Start(offset))?;
    file.take(most).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}
