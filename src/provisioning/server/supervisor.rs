//! The process that holds one `ansible-playbook`: `muelle run-supervisor FOLDER`.
//!
//! It is told what to do on its standard input, outlives the server, reads everything that the run says,
//! enforces its limits, and leaves nothing of it behind. `exit.json` is the last thing it writes.

use super::{
    agent::Agent,
    ansible::Tools,
    layout,
    masking::Mask,
    processes,
    sandbox::{Isolation, Place},
    vault,
    workspace::{Ended, Exit, Limits, Order, Written},
};
use crate::time::Timestamp;
use anyhow::{Context as _, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    fs::File,
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe::Receiver,
    process::Child,
    signal::unix::{SignalKind, signal},
};
use zeroize::Zeroizing;

/// The files that server and supervisor share.
pub mod files {
    /// What a run did, one event a line.
    pub const EVENTS: &str = "events.ndjson";
    /// What a person would have seen.
    pub const CONSOLE: &str = "console.log";
    /// How it ended.
    pub const EXIT: &str = "exit.json";
    /// Who holds it.
    pub const SUPERVISOR: &str = "supervisor.json";
    /// Is there once somebody asked for its end.
    pub const CANCEL: &str = "cancel";
    /// What the supervisor itself complained of.
    pub const LOG: &str = "supervisor.log";
}

/// The variable by which processes of a run are known.
pub const RUN: &str = "MUELLE_RUN";

/// How long Ansible has to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(15);

/// How often limits and the wish for an end are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The longest event in bytes; a recap of very many hosts is the longest.
const LONGEST_EVENT: usize = 16 << 20;

/// Bytes of events after which results are left out.
const MOST_EVENTS: u64 = 1 << 30;

/// What stands in the console where the rest was left out.
const CUT: &str = "\n[Muelle: the output reached its limit; what follows is left out, and the run goes on]\n";

/// How many bytes a pipe holds before somebody reads, less some.
const PIPE: usize = 60_000;

/// Who holds a run: a process by its number and start, and the folder it works in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// When it began, as in `/proc/PID/stat`.
    pub started: u64,
}

/// What the supervisor is told. It goes through a pipe and is never written anywhere.
#[derive(Serialize, Deserialize)]
pub struct Errand<'a> {
    /// The run.
    id: Cow<'a, str>,
    place: Cow<'a, Place>,
    bin: Cow<'a, Path>,
    files: Vec<(Cow<'a, str>, String)>,
    playbook: Cow<'a, str>,
    inventory: Cow<'a, Value>,
    variables: Cow<'a, Map<String, Value>>,
    secrets: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    keys: Vec<Cow<'a, str>>,
    vaults: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    known_hosts: Cow<'a, str>,
    arguments: Cow<'a, [String]>,
    forks: u32,
    pipelining: bool,
    gathering: Cow<'a, str>,
    facts: Option<Cow<'a, Map<String, Value>>>,
    limits: Limits,
}

impl<'a> Errand<'a> {
    /// What an order asks for, in this place with this Ansible.
    pub fn of(id: &'a str, order: &'a Order, place: &'a Place, tools: &'a Tools) -> Self {
        let pair = |(name, secret): &'a (String, Zeroizing<String>)| (Cow::from(name), Cow::from(secret.as_str()));
        Self {
            id: id.into(),
            place: Cow::Borrowed(place),
            bin: Cow::Borrowed(&tools.bin),
            files: order.files.iter().map(|(name, content)| (name.into(), BASE64_STANDARD.encode(content))).collect(),
            playbook: (&order.playbook).into(),
            inventory: Cow::Borrowed(&order.inventory),
            variables: Cow::Borrowed(&order.variables),
            secrets: order.secrets.iter().map(pair).collect(),
            keys: order.keys.iter().map(|key| key.as_str().into()).collect(),
            vaults: order.vaults.iter().map(pair).collect(),
            known_hosts: (&order.known_hosts).into(),
            arguments: Cow::Borrowed(&order.arguments),
            forks: order.forks,
            pipelining: order.pipelining,
            gathering: order.gathering.into(),
            facts: order.facts.as_ref().map(Cow::Borrowed),
            limits: order.limits,
        }
    }

    /// As it goes through the pipe.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_bytes(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(serde_json::to_vec(self).context("writing down what the supervisor shall do")?))
    }
}

/// Does what standard input asks for in the private folder `folder`, to the end.
///
/// # Errors
/// When not even its end can be written down.
pub async fn run(folder: &Path) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for its end")?;
    stand_alone(folder)?;
    let mut text = Zeroizing::new(Vec::new());
    std::io::stdin().read_to_end(&mut text).context("reading what to do")?;
    let errand: Errand<'static> = serde_json::from_slice(&text).context("understanding what to do")?;
    drop(text);

    let isolation = errand.place.isolation.name().to_owned();
    let inside = errand.place.inside.clone();
    let done = supervise(folder, errand, &mut terminated).await;
    let left = remove(&inside);
    let exit = match done.and_then(|exit| left.map(|()| exit)) {
        Ok(exit) => Exit { isolation, ..exit },
        Err(error) => {
            eprintln!("{error:#}");
            Exit { code: None, signal: None, ended: None, trouble: Some(format!("{error:#}")), isolation }
        }
    };
    write_whole(folder, files::EXIT, &serde_json::to_vec(&exit)?)
}

/// Leaves the server's session, becomes the parent of whatever loses its own, shows its memory to nobody, and
/// says who it is.
fn stand_alone(folder: &Path) -> anyhow::Result<()> {
    // It leads a session already when somebody starts it from a shell.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context("becoming a subreaper")?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .context("forbidding dumps")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("closing its memory")?;
    let own = processes::read(std::process::id()).context("reading its own start")?;
    let holder = Holder { pid: own.pid, started: own.started };
    write_whole(folder, files::SUPERVISOR, &serde_json::to_vec(&holder)?)
}

/// Writes a file that is there whole or not at all.
fn write_whole(folder: &Path, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let half = folder.join(format!("{name}.half"));
    let written = (|| {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&half, folder.join(name))
    })();
    written.with_context(|| format!("writing {name}"))
}

fn remove(inside: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(inside) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", inside.display())),
    }
}

/// Lays everything out, starts Ansible, and stays until nothing of it is left.
async fn supervise(
    folder: &Path,
    errand: Errand<'static>,
    terminated: &mut tokio::signal::unix::Signal,
) -> anyhow::Result<Exit> {
    let cancel = folder.join(files::CANCEL);
    let events = append(&folder.join(files::EVENTS))?;
    let console = append(&folder.join(files::CONSOLE))?;
    let was_cancelled =
        Exit { code: None, signal: None, ended: Some(Ended::Cancelled), trouble: None, isolation: String::new() };
    if cancel.exists() {
        return Ok(was_cancelled);
    }
    let mask = || Mask::new(errand.secrets.iter().chain(&errand.vaults).map(|(_, secret)| secret.as_ref()));
    let mut console = Console { file: console, mask: mask(), kept: 0, limit: errand.limits.output, is_cut: false };
    let mut events = Events { file: events, mask: mask(), line: Vec::new(), is_skipping: false, last: 0, kept: 0 };
    lay_out(&errand)?;
    let agent = start_agent(&errand).await?;
    if cancel.exists() || is_ready(terminated) {
        return Ok(was_cancelled);
    }

    let mut running = start(&errand)?;
    let own = agent.as_ref().and_then(Agent::pid);
    let (status, ended) = stay(&mut running, &mut console, &mut events, &errand.limits, &cancel, terminated, own).await;
    sweep(own, running.child.id()).await;
    drop(agent);
    drain(&mut running, &mut console, &mut events).await;
    console.finish();
    let (code, signal) = told(status, errand.place.isolation);
    Ok(Exit { code, signal, ended, trouble: None, isolation: String::new() })
}

fn append(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    options.append(true).create(true).mode(0o600);
    options.open(path).with_context(|| format!("opening {}", path.display()))
}

/// Whether a signal has come.
fn is_ready(signal: &mut tokio::signal::unix::Signal) -> bool {
    futures::FutureExt::now_or_never(signal.recv()).is_some()
}

fn lay_out(errand: &Errand<'_>) -> anyhow::Result<()> {
    let place = errand.place.as_ref();
    let inside = &place.inside;
    place.make()?;
    layout::folders(inside)?;
    let decoded: Result<Vec<_>, _> = errand
        .files
        .iter()
        .map(|(name, content)| BASE64_STANDARD.decode(content).map(|content| (name.clone().into_owned(), content)))
        .collect();
    layout::project(inside, &decoded.context("reading the files of the project")?)?;
    layout::write(&inside.join("inventory.json"), errand.inventory.to_string().as_bytes())?;
    let variables = Value::Object(errand.variables.as_ref().clone());
    layout::write(&inside.join("open.json"), layout::unsafe_text(&variables).to_string().as_bytes())?;
    layout::write(&inside.join("known_hosts"), errand.known_hosts.as_bytes())?;
    if let Some(facts) = &errand.facts {
        layout::facts(inside, facts)?;
    }
    Ok(())
}

async fn start_agent(errand: &Errand<'_>) -> anyhow::Result<Option<Agent>> {
    if errand.keys.is_empty() {
        return Ok(None);
    }
    let keys: Vec<_> = errand.keys.iter().map(|key| Zeroizing::new(key.as_ref().to_owned())).collect();
    // An agent serves nobody but its own user.
    let user = match errand.place.isolation {
        Isolation::User { user, group } => Some((user, group)),
        Isolation::Namespaces | Isolation::None => None,
    };
    errand.place.hand_over()?;
    Ok(Some(Agent::start_for(&errand.place.inside.join("agent"), &keys, user).await?))
}

/// Ansible under way, and what it says.
struct Running {
    child: Child,
    isolation: Isolation,
    console: Option<Receiver>,
    events: Option<Receiver>,
}

fn start(errand: &Errand<'_>) -> anyhow::Result<Running> {
    let place = errand.place.as_ref();
    let seen = place.seen();
    let (console, said) = pipe()?;
    let (events, told) = pipe()?;
    // Passwords wait in pipes; who opens them first has read them.
    let mut passwords = Vec::new();
    let mut arguments = vec!["-i".to_owned(), seen.join("inventory.json").display().to_string()];
    if !errand.secrets.is_empty() {
        let password = random()?;
        let all: Map<String, Value> = errand
            .secrets
            .iter()
            .map(|(name, secret)| (name.to_string(), layout::unsafe_text(&Value::from(secret.as_ref()))))
            .collect();
        let plain = Zeroizing::new(Value::Object(all).to_string());
        layout::write(&place.inside.join("secret.vault"), vault::encrypt(plain.as_bytes(), &password).as_bytes())?;
        passwords.push(("run".to_owned(), waiting(&password)?));
    }
    for (label, password) in &errand.vaults {
        passwords.push((label.to_string(), waiting(password)?));
    }
    for (label, pipe) in &passwords {
        arguments.extend(["--vault-id".to_owned(), format!("{label}@/dev/fd/{}", pipe.as_raw_fd())]);
    }
    for name in ["open.json", "secret.vault"] {
        if place.inside.join(name).exists() {
            arguments.extend(["-e".to_owned(), format!("@{}", seen.join(name).display())]);
        }
    }
    arguments.extend(errand.arguments.iter().cloned());
    let playbook = layout::within(&seen.join("project"), &errand.playbook)?;
    arguments.push(playbook.display().to_string());

    place.hand_over()?;
    let inherited: Vec<&OwnedFd> = passwords.iter().map(|(_, pipe)| pipe).chain([&told]).collect();
    for pipe in inherited {
        if let Isolation::User { user, group } = place.isolation {
            let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
            rustix::fs::fchown(pipe, Some(user), Some(group)).context("handing over a pipe")?;
        }
        fcntl_setfd(pipe, FdFlags::empty()).context("letting a pipe be inherited")?;
    }
    let mut command = place.command(&errand.bin.join("ansible-playbook"), true);
    command
        .args(&arguments)
        .envs(environment(errand, seen))
        .env("MUELLE_EVENTS", format!("/dev/fd/{}", told.as_raw_fd()))
        .stdout(Stdio::from(said.try_clone().context("sharing the console")?))
        .stderr(Stdio::from(said));
    let child = command.spawn().context("starting ansible-playbook")?;
    Ok(Running {
        child,
        isolation: place.isolation,
        console: Some(Receiver::from_owned_fd(console).context("reading the console")?),
        events: Some(Receiver::from_owned_fd(events).context("reading the events")?),
    })
}

/// A pipe, its reading end first.
fn pipe() -> anyhow::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("making a pipe")
}

/// A pipe in which a password waits.
fn waiting(password: &str) -> anyhow::Result<OwnedFd> {
    ensure!(password.len() < PIPE, "the password of a vault is longer than {PIPE} bytes");
    let (reading, writing) = pipe()?;
    let mut writing = File::from(writing);
    writing
        .write_all(password.as_bytes())
        .and_then(|()| writing.write_all(b"\n"))
        .context("handing over a password")?;
    Ok(reading)
}

fn random() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|error| anyhow::anyhow!("asking for random bytes: {error}"))?;
    Ok(Zeroizing::new(BASE64_STANDARD.encode(bytes.as_ref())))
}

/// What `ansible-playbook` finds in its environment. It wins over every `ansible.cfg`.
fn environment(errand: &Errand<'_>, seen: &Path) -> Vec<(&'static str, String)> {
    let at = |name: &str| seen.join(name).display().to_string();
    let seconds = |limit: Duration| limit.as_secs().max(1).to_string();
    let yes = |is: bool| if is { "1" } else { "0" }.to_owned();
    let mut all = layout::environment(seen, &errand.bin);
    // A host that was switched off closes no connection: it is given up once it has been silent three times as long
    // as connecting may take.
    let ssh = format!(
        "-F /dev/null -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \
         -o IdentityAgent={} -o ServerAliveInterval={} -o ServerAliveCountMax=3",
        at("known_hosts"),
        if errand.keys.is_empty() { "none".to_owned() } else { at("agent") },
        seconds(errand.limits.connection),
    );
    all.extend([
        (RUN, errand.id.to_string()),
        ("MUELLE_PROJECT", at("project")),
        ("ANSIBLE_SSH_COMMON_ARGS", ssh),
        ("ANSIBLE_SSH_CONTROL_PATH_DIR", at("cp")),
        ("ANSIBLE_CALLBACK_PLUGINS", at("plugins")),
        ("ANSIBLE_CALLBACKS_ENABLED", "muelle_events".to_owned()),
        ("ANSIBLE_FORCE_COLOR", "1".to_owned()),
        ("ANSIBLE_HOST_KEY_CHECKING", "1".to_owned()),
        ("ANSIBLE_PIPELINING", yes(errand.pipelining)),
        ("ANSIBLE_GATHERING", errand.gathering.to_string()),
        ("ANSIBLE_FORKS", errand.forks.max(1).to_string()),
        ("ANSIBLE_INVENTORY_ENABLED", "yaml".to_owned()),
        ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "1".to_owned()),
        ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1".to_owned()),
        ("ANSIBLE_TASK_TIMEOUT", errand.limits.task.map_or_else(|| "0".to_owned(), seconds)),
        ("ANSIBLE_TIMEOUT", seconds(errand.limits.connection)),
    ]);
    if errand.facts.is_some() {
        all.push(("ANSIBLE_CACHE_PLUGIN", "jsonfile".to_owned()));
        all.push(("ANSIBLE_CACHE_PLUGIN_CONNECTION", at("facts")));
    }
    all
}

/// Reads what the run says and watches its limits until it has ended or was ended.
async fn stay(
    running: &mut Running,
    console: &mut Console,
    events: &mut Events,
    limits: &Limits,
    cancel: &Path,
    terminated: &mut tokio::signal::unix::Signal,
    agent: Option<u32>,
) -> (Option<ExitStatus>, Option<Ended>) {
    let began = Instant::now();
    let mut grew = began;
    let mut ended: Option<(Ended, Instant)> = None;
    let mut is_asked = false;
    let mut is_terminated = false;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut said, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = read(running.console.as_mut(), &mut said) => match read {
                0 => running.console = None,
                length => {
                    grew = Instant::now();
                    console.take(&said[..length]);
                }
            },
            read = read(running.events.as_mut(), &mut told) => match read {
                0 => running.events = None,
                length => {
                    grew = Instant::now();
                    events.take(&told[..length]);
                }
            },
            status = running.child.wait() => return (status.ok(), ended.map(|(why, _)| why)),
            _ = terminated.recv() => is_terminated = true,
            _ = look.tick() => {}
        }
        if ended.is_none() {
            ended = if is_terminated || cancel.exists() {
                Some(Ended::Cancelled)
            } else if began.elapsed() >= limits.whole {
                Some(Ended::TooLong)
            } else if grew.elapsed() >= limits.silence {
                Some(Ended::Silent)
            } else {
                None
            }
            .map(|why| (why, Instant::now()));
        }
        let Some((why, at)) = ended else { continue };
        // Ansible passes the signal on to its workers, who lead sessions of their own.
        if !is_asked && let Some(leader) = leader(running) {
            processes::signal(leader, Signal::TERM);
            is_asked = true;
        }
        if at.elapsed() >= GRACE {
            sweep(agent, None).await;
            return (running.child.wait().await.ok(), Some(why));
        }
    }
}

/// Reads what is there; 0 at the end. Never, when there is nothing to read from.
async fn read(from: Option<&mut Receiver>, buffer: &mut [u8]) -> usize {
    match from {
        Some(from) => from.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// The process of `ansible-playbook`: the first below bubblewrap's two. `None` while there is none yet.
fn leader(running: &Running) -> Option<u32> {
    let mut pid = running.child.id()?;
    if running.isolation != Isolation::Namespaces {
        return Some(pid);
    }
    let all = processes::descendants(std::process::id());
    for _ in 0..2 {
        pid = all.iter().filter(|process| process.parent == pid).min_by_key(|process| process.started)?.pid;
    }
    Some(pid)
}

/// Ends everything that descends from this process but the agent, and asks after each that has ended.
/// `waited` is somebody else's to ask after.
async fn sweep(agent: Option<u32>, waited: Option<u32>) {
    let own = std::process::id();
    for _ in 0..200 {
        let all: Vec<_> =
            processes::descendants(own).into_iter().filter(|process| Some(process.pid) != agent).collect();
        let mut is_done = true;
        for process in &all {
            if process.state != 'Z' {
                is_done = false;
                processes::signal(process.pid, Signal::KILL);
            } else if process.parent == own && Some(process.pid) != waited {
                reap(process.pid);
            }
        }
        if is_done {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn reap(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Reads what is left in the pipes, once nobody can write any more.
async fn drain(running: &mut Running, console: &mut Console, events: &mut Events) {
    let mut buffer = vec![0; 64 << 10];
    let rest = async {
        while running.console.is_some() {
            match read(running.console.as_mut(), &mut buffer).await {
                0 => running.console = None,
                length => console.take(&buffer[..length]),
            }
        }
        while running.events.is_some() {
            match read(running.events.as_mut(), &mut buffer).await {
                0 => running.events = None,
                length => events.take(&buffer[..length]),
            }
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(3), rest).await);
}

/// Exit code and signal. Bubblewrap tells a signal as a shell does.
fn told(status: Option<ExitStatus>, isolation: Isolation) -> (Option<i32>, Option<i32>) {
    let Some(status) = status else { return (None, None) };
    match status.code() {
        Some(code @ 129..=192) if isolation == Isolation::Namespaces => (None, Some(code - 128)),
        code => (code, status.signal()),
    }
}

/// The console: secrets hidden, and cut at its limit.
struct Console {
    file: File,
    mask: Mask,
    kept: u64,
    limit: u64,
    is_cut: bool,
}

impl Console {
    fn take(&mut self, bytes: &[u8]) {
        if !self.is_cut {
            let clean = self.mask.stream(bytes);
            self.keep(&clean);
        }
    }

    fn finish(&mut self) {
        let rest = self.mask.finish();
        self.keep(&rest);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_cut {
            return;
        }
        let room = usize::try_from(self.limit - self.kept).unwrap_or(usize::MAX);
        let kept = &bytes[..bytes.len().min(room)];
        // A full disk costs the output and not the run.
        self.is_cut = self.file.write_all(kept).is_err();
        self.kept += kept.len() as u64;
        if kept.len() < bytes.len() {
            self.is_cut = true;
            drop(self.file.write_all(CUT.as_bytes()));
        }
    }
}

/// The events: only what is one, in order, secrets hidden. Whoever runs beside the plugin may write here too.
struct Events {
    file: File,
    mask: Mask,
    line: Vec<u8>,
    is_skipping: bool,
    last: i64,
    kept: u64,
}

impl Events {
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.add(&rest[..end]);
            if !std::mem::take(&mut self.is_skipping) {
                let line = std::mem::take(&mut self.line);
                self.keep(&line);
            }
            rest = &rest[end + 1..];
        }
        self.add(rest);
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > LONGEST_EVENT {
            self.is_skipping = true;
            self.line = Vec::new();
        }
        if !self.is_skipping {
            self.line.extend_from_slice(bytes);
        }
    }

    fn keep(&mut self, line: &[u8]) {
        let Ok(mut value) = serde_json::from_slice::<Value>(line) else { return };
        // The plugin counts milliseconds, as Python does; from here on times are written as everywhere.
        if let Some(at) = value.get_mut("at").filter(|at| at.is_i64()) {
            *at = Value::from(Timestamp::from_millis(at.as_i64().unwrap_or_default()).to_string());
        }
        let is_next = Written::deserialize(&value).is_ok_and(|written| written.numbered.sequence == self.last + 1);
        let Some(fields) = value.as_object_mut().filter(|_| is_next) else { return };
        for name in ["name", "message", "item", "result", "facts", "path"] {
            if let Some(inner) = fields.get_mut(name) {
                self.mask.value(inner);
            }
        }
        if self.kept > MOST_EVENTS {
            fields.remove("result");
        }
        let line = format!("{value}\n");
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.last += 1;
            self.kept += line.len() as u64;
        }
    }
}

/// The path of the program that supervises: the given one, or this very binary, even when its file was replaced.
pub fn program(given: &Path) -> PathBuf {
    if given.as_os_str().is_empty() { PathBuf::from("/proc/self/exe") } else { given.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(limit: u64) -> (tempfile::TempDir, Console) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = append(&folder.path().join("console")).expect("opened");
        let mask = Mask::new(["hunter2"].into_iter());
        (folder, Console { file, mask, kept: 0, limit, is_cut: false })
    }

    #[test]
    fn the_console_ends_at_its_limit_and_says_so_once() {
        let (folder, mut console) = console(20);

        for _ in 0..1000 {
            console.take(b"hunter2 is said\n");
        }
        console.finish();

        let kept = std::fs::read_to_string(folder.path().join("console")).expect("read");
        assert_eq!(kept, format!("******** is said\n***{CUT}"));
    }

    #[test]
    fn only_events_in_order_are_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events");
        let mask = Mask::new(["hunter2"].into_iter());
        let file = append(&path).expect("opened");
        let mut events = Events { file, mask, line: Vec::new(), is_skipping: false, last: 0, kept: 0 };
        let warning = |sequence: i64, text: &str| {
            format!("{{\"sequence\":{sequence},\"at\":1,\"kind\":\"warning\",\"message\":\"{text}\"}}\n")
        };

        for part in [&warning(1, "a hunter2"), "nonsense\n", &warning(3, "too early"), "{\"sequence\":2}\n"] {
            events.take(part.as_bytes());
        }
        let last = warning(2, "b");
        events.take(&last.as_bytes()[..7]);
        events.take(&last.as_bytes()[7..]);

        let kept = std::fs::read_to_string(&path).expect("read");
        let messages: Vec<_> =
            kept.lines().filter_map(|line| Some(line.split("message\":\"").nth(1)?.to_owned())).collect();
        assert_eq!(messages, ["a ********\"}", "b\"}"]);
    }
}
