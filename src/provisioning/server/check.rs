//! Whether a machine can be worked on: its connection, step by step, each failure with its remedy.
//!
//! The steps are those of a run: `ssh` with the same options, the same known keys and an agent of its own.
//! The first step that fails ends the check; the rest is not tried.

use super::{
    agent::Agent,
    credentials::{self, Opened, Secret},
    host_keys::{self, PATH, Subject},
};
use crate::{
    authentication::server::{Operating, Permit, Proof as _, Reading},
    error::{Error, Problem, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    platform::state::State,
    provisioning::machines::{
        CheckReport, CheckStep, ConnectionCheck, HostKey, HostKeys, KeyOwner, KeyState, StepResult, StepState,
    },
    storage::{
        Credential, Customer, Machine, entry, is_user_name,
        item::{
            Fields,
            server::{audit, store},
        },
    },
    time::Timestamp,
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};
use zeroize::Zeroizing;

/// How long a port may take to answer.
const PORT_PATIENCE: Duration = Duration::from_secs(5);

/// How long one command on the machine may take, signing in included.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// What somebody waits for: a command's letters are cut after this many.
const SAID_MAX: usize = 300;

/// Checks whether a machine can be worked on with these credentials. Each step is told as it ends to those who listen
/// to the check of the id `told_as`.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] at `credentials` when one cannot be opened. What the machine
/// refuses is no error: it stands in the report.
pub async fn check(
    permit: &Permit<Operating>,
    machine: Id<Machine>,
    chosen: &[Id<Credential>],
    told_as: Option<Id<ConnectionCheck>>,
) -> Result<CheckReport> {
    let context = permit.context();
    let state = &context.state;
    let kind = entry("machine").context("machines are stored")?.kind;
    let reading = context.permit::<Reading>("machine")?;
    let record = store::get(state, &reading, kind, machine.cast(), false).await?;
    let opened = credentials::open(state, permit, chosen).await.map_err(at_credentials)?;
    // The platform's people reach every customer's.
    if let Some(foreign) = opened.iter().find(|one| one.customer != record.base.customer) {
        let message = td_string!(context.locale, machines.check.foreign, name = foreign.name.clone());
        return Err(Error::invalid("credentials", message));
    }
    let mut check = Check {
        permit,
        machine,
        customer: record.base.customer,
        fields: &record.item,
        opened: &opened,
        told_as,
        steps: Vec::new(),
        keys: Vec::new(),
    };
    if record.base.customer.is_none() && record.item.get("type").and_then(Value::as_str) == Some("local") {
        check.own_machine().await;
    } else {
        check.over_ssh().await?;
    }
    let Check { mut steps, keys, .. } = check;
    let ok = steps.iter().all(|step| step.state != StepState::Failed);
    for step in CheckStep::ALL.into_iter().skip(steps.len()) {
        let detail = td_string!(context.locale, machines.check.not_tried).to_owned();
        steps.push(StepResult { step, state: StepState::NotTried, detail, remedy: None, took_ms: 0 });
    }
    let failed = steps.iter().find(|step| step.state == StepState::Failed).map(|step| json!(step.step));
    let mut after = Fields::new();
    after.insert("failed_step".to_owned(), failed.unwrap_or(Value::Null));
    after.insert("credentials".to_owned(), opened.iter().map(|one| json!(one.name)).collect());
    let mut transaction = state.db.begin(permit).await?;
    let line = audit::Line {
        kind: "machine",
        record: &machine.to_string(),
        customer: record.base.customer,
        action: "check_connection",
        before: &Fields::new(),
        after: &after,
    };
    audit::write(&mut transaction, permit, line).await?;
    transaction.commit().await?;
    Ok(CheckReport { ok, steps, keys, at: Timestamp::now() })
}

/// Problems of the credentials stand at this form's own field.
fn at_credentials(error: Error) -> Error {
    match error {
        Error::Invalid { problems } => Error::Invalid {
            problems: problems.into_iter().map(|problem| Problem::at("credentials", problem.message)).collect(),
        },
        other => other,
    }
}

/// A check under way.
struct Check<'a> {
    permit: &'a Permit<Operating>,
    machine: Id<Machine>,
    customer: Option<Id<Customer>>,
    fields: &'a Fields,
    opened: &'a [Opened],
    /// Where the steps are told.
    told_as: Option<Id<ConnectionCheck>>,
    steps: Vec<StepResult>,
    keys: Vec<HostKey>,
}

/// How a step ended: what was found, or that and the remedy.
type Step = Result<String, (String, String)>;

impl Check<'_> {
    fn locale(&self) -> Locale {
        self.permit.locale()
    }

    fn state(&self) -> &State {
        &self.permit.context().state
    }

    /// Notes a step; true when it passed.
    fn note(&mut self, step: CheckStep, began: Instant, outcome: Step) -> bool {
        let passed = outcome.is_ok();
        let (state, detail, remedy) = match outcome {
            Ok(detail) => (StepState::Passed, detail, None),
            Err((detail, remedy)) => (StepState::Failed, detail, Some(remedy)),
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.add(StepResult { step, state, detail, remedy, took_ms });
        passed
    }

    /// Notes that a step is not needed.
    fn skip(&mut self, step: CheckStep) {
        let detail = td_string!(self.locale(), machines.check.not_needed).to_owned();
        self.add(StepResult { step, state: StepState::NotTried, detail, remedy: None, took_ms: 0 });
    }

    fn add(&mut self, step: StepResult) {
        if let Some(id) = self.told_as {
            self.state().bus.publish_passing(Topic::Check(id), self.customer, json!(step));
        }
        self.steps.push(step);
    }

    /// The platform's own machine: nothing to connect to.
    async fn own_machine(&mut self) {
        let locale = self.locale();
        let began = Instant::now();
        self.note(CheckStep::Address, began, Ok(td_string!(locale, machines.check.own).to_owned()));
        for step in [CheckStep::Port, CheckStep::HostKey, CheckStep::Login] {
            self.skip(step);
        }
        let began = Instant::now();
        let mut command = Command::new("python3");
        command.arg("--version").env_clear().env("PATH", PATH);
        let ran = run(command, None).await;
        self.note(CheckStep::Python, began, python(&ran, locale));
        self.skip(CheckStep::Become);
    }

    async fn over_ssh(&mut self) -> Result<()> {
        let locale = self.locale();
        let text = |name: &str| self.fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let port = self.fields.get("ssh_port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or(22);
        let began = Instant::now();
        let Some(address) = text("ipv4").or_else(|| text("ipv6")) else {
            let name = text("name").unwrap_or_default();
            let detail = td_string!(locale, machines.inventory.no_address, name = name);
            let remedy = td_string!(locale, machines.check.address_remedy).to_owned();
            self.note(CheckStep::Address, began, Err((detail, remedy)));
            return Ok(());
        };
        let machine_user = text("ssh_user");
        self.note(CheckStep::Address, began, Ok(address.clone()));

        let began = Instant::now();
        let answered = self.answers(&address, port).await;
        if !self.note(CheckStep::Port, began, answered) {
            return Ok(());
        }

        let began = Instant::now();
        let shown = host_keys::scan(self.permit, KeyOwner::Machine(self.machine), None).await;
        let keys = match shown {
            Ok(keys) => keys,
            Err(Error::Unavailable { message, .. }) => {
                let remedy = td_string!(locale, machines.check.silent_remedy).to_owned();
                self.note(CheckStep::HostKey, began, Err((message, remedy)));
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        let subject = Subject::Machine(self.machine);
        let known = host_keys::known(self.state(), self.permit, std::slice::from_ref(&subject)).await?;
        let judged = judged(&keys, known.unknown.is_empty(), locale);
        self.keys = keys.items.into_iter().filter(|key| key.state.is_open()).collect();
        if !self.note(CheckStep::HostKey, began, judged) {
            return Ok(());
        }

        let began = Instant::now();
        let user = self.opened.iter().filter(|one| signs_in(one)).find_map(|one| one.username.clone()).or(machine_user);
        if let Err(refused) = self.can_sign_in(user.as_deref()) {
            self.note(CheckStep::Login, began, Err(refused));
            return Ok(());
        }
        let user = user.unwrap_or_default();
        let alias = subject.alias();
        let ssh = Ssh::start(self.state(), self.opened, &address, port, &user, &alias, &known.lines).await?;
        let ran = ssh.run("true", None).await;
        let outcome = login(&ran, &user, locale);
        if !self.note(CheckStep::Login, began, outcome) {
            return Ok(());
        }

        let began = Instant::now();
        let ran = ssh.run("python3 --version", None).await;
        if !self.note(CheckStep::Python, began, python(&ran, locale)) {
            return Ok(());
        }

        let began = Instant::now();
        let outcome = self.becomes(&ssh).await;
        self.note(CheckStep::Become, began, outcome);
        Ok(())
    }

    async fn answers(&self, address: &str, port: u16) -> Step {
        let locale = self.locale();
        let (shown, number) = (address.to_owned(), port.to_string());
        match tokio::time::timeout(PORT_PATIENCE, TcpStream::connect((address, port))).await {
            Ok(Ok(_)) => Ok(td_string!(locale, machines.check.port_open, port = number)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err((
                td_string!(locale, machines.check.port_refused, address = shown, port = number),
                td_string!(locale, machines.check.port_refused_remedy).to_owned(),
            )),
            Ok(Err(error)) => Err((
                td_string!(locale, machines.check.unreachable, address = shown, message = error.to_string()),
                td_string!(locale, machines.check.unreachable_remedy).to_owned(),
            )),
            Err(_) => Err((
                td_string!(locale, machines.check.port_silent, address = shown, port = number),
                td_string!(locale, machines.check.unreachable_remedy).to_owned(),
            )),
        }
    }

    /// Whether there is somebody to sign in as, and something to do it with.
    fn can_sign_in(&self, user: Option<&str>) -> Step {
        let locale = self.locale();
        if !self.opened.iter().any(signs_in) {
            return Err((
                td_string!(locale, machines.check.no_credential).to_owned(),
                td_string!(locale, machines.check.no_credential_remedy).to_owned(),
            ));
        }
        match user {
            Some(user) if is_user_name(user) => Ok(String::new()),
            Some(user) => Err((
                td_string!(locale, machines.check.bad_user, user = user.to_owned()),
                td_string!(locale, errors.field.user).to_owned(),
            )),
            None => Err((
                td_string!(locale, machines.check.no_user).to_owned(),
                td_string!(locale, machines.check.no_user_remedy).to_owned(),
            )),
        }
    }

    /// Whether root can be become: being it already, without a password, or with the one that was chosen.
    async fn becomes(&self, ssh: &Ssh) -> Step {
        let locale = self.locale();
        let ran = ssh.run("sh -c 'test \"$(id -u)\" = 0 && echo is-root || sudo -n true'", None).await;
        if ran.code == Some(0) {
            let is_root = ran.stdout.contains("is-root");
            return Ok(if is_root {
                td_string!(locale, machines.check.is_root)
            } else {
                td_string!(locale, machines.check.becomes_root)
            }
            .to_owned());
        }
        let password = self.opened.iter().find_map(|one| match &one.secret {
            Secret::BecomePassword(password) => Some(password),
            Secret::SshKey { .. } | Secret::SshPassword(_) | Secret::VaultPassword { .. } => None,
        });
        let Some(password) = password else {
            return Err((
                said(&ran).unwrap_or_else(|| td_string!(locale, machines.check.become_refused).to_owned()),
                td_string!(locale, machines.check.become_remedy).to_owned(),
            ));
        };
        let ran = ssh.run("sudo -k -S -p '' true", Some(password)).await;
        if ran.code == Some(0) {
            return Ok(td_string!(locale, machines.check.becomes_with_password).to_owned());
        }
        Err((
            said(&ran).unwrap_or_else(|| td_string!(locale, machines.check.become_refused).to_owned()),
            td_string!(locale, machines.check.become_password_remedy).to_owned(),
        ))
    }
}

/// Whether the credential is one to sign in with.
fn signs_in(opened: &Opened) -> bool {
    matches!(opened.secret, Secret::SshKey { .. } | Secret::SshPassword(_))
}

/// What the keys of a server mean for a connection.
fn judged(keys: &HostKeys, is_trusted: bool, locale: Locale) -> Step {
    let of = |state: KeyState| keys.items.iter().find(|key| key.state == state);
    let print = |key: &HostKey| key.fingerprint.clone();
    if let Some(key) = of(KeyState::Changed) {
        return Err((
            td_string!(locale, machines.check.key_changed, fingerprint = print(key)),
            td_string!(locale, machines.check.key_changed_remedy).to_owned(),
        ));
    }
    // What was shown now was seen last.
    let last = keys.items.iter().map(|key| key.last_seen_at).max();
    if let Some(key) = of(KeyState::Trusted).filter(|key| is_trusted && Some(key.last_seen_at) == last) {
        return Ok(td_string!(locale, machines.check.key_trusted, fingerprint = print(key)));
    }
    if let Some(key) = of(KeyState::Pending) {
        return Err((
            td_string!(locale, machines.check.key_unknown, fingerprint = print(key)),
            td_string!(locale, machines.check.key_unknown_remedy).to_owned(),
        ));
    }
    Err((
        td_string!(locale, machines.check.key_rejected).to_owned(),
        td_string!(locale, machines.check.key_rejected_remedy).to_owned(),
    ))
}

fn login(ran: &Ran, user: &str, locale: Locale) -> Step {
    if ran.code == Some(0) {
        return Ok(td_string!(locale, machines.check.signed_in, user = user.to_owned()));
    }
    let detail = said(ran).unwrap_or_else(|| td_string!(locale, machines.check.no_answer).to_owned());
    let remedy = if ran.stderr.contains("Permission denied") {
        td_string!(locale, machines.check.denied_remedy, user = user.to_owned())
    } else if ran.stderr.contains("Host key verification failed") {
        td_string!(locale, machines.check.key_changed_remedy).to_owned()
    } else {
        td_string!(locale, machines.check.login_remedy).to_owned()
    };
    Err((detail, remedy))
}

fn python(ran: &Ran, locale: Locale) -> Step {
    let version = ran.stdout.trim();
    if ran.code == Some(0) && version.starts_with("Python ") {
        return Ok(version.chars().take(SAID_MAX).collect());
    }
    Err((
        said(ran).unwrap_or_else(|| td_string!(locale, machines.check.no_python).to_owned()),
        td_string!(locale, machines.check.python_remedy).to_owned(),
    ))
}

/// The last line that a command complained with.
fn said(ran: &Ran) -> Option<String> {
    let line = ran.stderr.lines().rfind(|line| !line.trim().is_empty())?;
    let line: String = line.chars().filter(|letter| !letter.is_control()).take(SAID_MAX).collect();
    Some(line.trim().to_owned())
}

/// How a command ended.
#[derive(Debug, Default)]
struct Ran {
    /// Its exit code; `None` when it took too long or could not be started.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command with this line on its input.
async fn run(mut command: Command, input: Option<&str>) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let ran = async {
        let mut child = command.spawn()?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            let line = Zeroizing::new(format!("{input}\n"));
            // When it ends early it says why.
            stdin.write_all(line.as_bytes()).await.ok();
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(COMMAND_PATIENCE, ran).await {
        Ok(Ok(output)) => Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Ok(Err(error)) => Ran { stderr: error.to_string(), ..Ran::default() },
        Err(_) => Ran::default(),
    }
}

/// How to reach one machine: an agent with the keys, and files that only this user reads.
struct Ssh {
    folder: Folder,
    agent: Option<Agent>,
    /// Held open so that the password waits in the pipe until ssh asks for it.
    password: Option<(fs::File, Zeroizing<String>)>,
    arguments: Vec<String>,
}

impl Ssh {
    async fn start(
        state: &State,
        opened: &[Opened],
        address: &str,
        port: u16,
        user: &str,
        alias: &str,
        known_hosts: &str,
    ) -> Result<Self> {
        let folder = Folder::make(&state.config.data.dir)?;
        fs::write(folder.0.join("known_hosts"), known_hosts).context("writing known_hosts")?;
        let keys: Vec<Zeroizing<String>> = opened
            .iter()
            .filter_map(|one| match &one.secret {
                Secret::SshKey { private, .. } => Some(private.clone()),
                Secret::SshPassword(_) | Secret::BecomePassword(_) | Secret::VaultPassword { .. } => None,
            })
            .collect();
        let agent = if keys.is_empty() { None } else { Some(Agent::start(&folder.0.join("agent"), &keys).await?) };
        let password = opened.iter().find_map(|one| match &one.secret {
            Secret::SshPassword(password) => Some(password.clone()),
            Secret::SshKey { .. } | Secret::BecomePassword(_) | Secret::VaultPassword { .. } => None,
        });
        let password = password.map(|password| folder.ask_pass().map(|pipe| (pipe, password))).transpose()?;
        let socket = agent.as_ref().map_or_else(|| "none".to_owned(), |agent| quoted(agent.socket()));
        let batch = if password.is_some() { "no" } else { "yes" };
        let options = [
            format!("BatchMode={batch}"),
            format!("IdentityAgent={socket}"),
            format!("UserKnownHostsFile={}", quoted(&folder.0.join("known_hosts"))),
            format!("HostKeyAlias={alias}"),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "IdentityFile=none".to_owned(),
            "NumberOfPasswordPrompts=1".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ControlPath=none".to_owned(),
            "ConnectTimeout=5".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut arguments = vec!["-F".to_owned(), "/dev/null".to_owned(), "-T".to_owned()];
        for option in options {
            arguments.extend(["-o".to_owned(), option]);
        }
        arguments.extend(["-p".to_owned(), port.to_string(), "-l".to_owned(), user.to_owned()]);
        arguments.extend(["--".to_owned(), address.to_owned()]);
        Ok(Self { folder, agent, password, arguments })
    }

    /// Runs a command on the machine with this line on its input.
    async fn run(&self, remote: &str, input: Option<&str>) -> Ran {
        let mut command = Command::new("ssh");
        command.args(&self.arguments).arg(remote).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
        if let Some((pipe, password)) = &self.password {
            use std::io::Write as _;

            command.env("SSH_ASKPASS", self.folder.0.join("ask")).env("SSH_ASKPASS_REQUIRE", "force");
            let line = Zeroizing::new(format!("{}\n", password.as_str()));
            // A pipe holds 64 KiB: this does not wait for a reader.
            let mut pipe = pipe;
            if let Err(error) = pipe.write_all(line.as_bytes()) {
                return Ran { stderr: error.to_string(), ..Ran::default() };
            }
        }
        let ran = run(command, input).await;
        if let Some((pipe, _)) = &self.password {
            drain(pipe);
        }
        ran
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // The agent goes before the folder that holds its socket.
        drop(self.agent.take());
    }
}

/// Takes out of the pipe what nobody read, such as a password that was not asked for.
fn drain(mut pipe: &fs::File) {
    use std::io::Read as _;

    let mut rest = Zeroizing::new([0; 4096]);
    // It does not wait: it was opened so.
    while matches!(pipe.read(&mut *rest), Ok(read) if read > 0) {}
}

/// A path as a value in ssh's configuration, where `%` and spaces mean something.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// A folder that only this user enters, gone with the value.
struct Folder(PathBuf);

impl Folder {
    /// Beside the data; under `/tmp` where that path is too long for a socket.
    fn make(data: &Path) -> anyhow::Result<Self> {
        let name = format!("check-{}", Id::<Self>::new());
        let beside = std::path::absolute(data).context("finding the data folder")?.join(&name);
        let is_plain = !beside.display().to_string().contains(['"', '\\', '$']);
        let path = if beside.as_os_str().len() <= 90 && is_plain { beside } else { std::env::temp_dir().join(name) };
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self(path))
    }

    /// A program that gives ssh one line of a pipe, and that pipe, open for reading and writing.
    fn ask_pass(&self) -> anyhow::Result<fs::File> {
        let (program, pipe) = (self.0.join("ask"), self.0.join("password"));
        let owner = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, owner).context("making a pipe")?;
        let script = "#!/bin/sh\nIFS= read -r line < \"$(dirname \"$0\")/password\"\nprintf '%s\\n' \"$line\"\n";
        fs::write(&program, script).context("writing the program that asks")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).context("making a program")?;
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let open = fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(&pipe);
        open.context("opening a pipe")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, Ran, drain, judged, login, python, quoted, said};
    use crate::{
        i18n::Locale,
        id::Id,
        provisioning::machines::{HostKey, HostKeys, KeyState},
        time::Timestamp,
    };
    use std::{io::Write as _, path::Path, process::Command};

    fn keys(states: &[KeyState]) -> HostKeys {
        let key = |state: &KeyState| HostKey {
            id: Id::new(),
            machine: None,
            address: None,
            port: None,
            algorithm: "ssh-ed25519".to_owned(),
            fingerprint: format!("SHA256:{state}"),
            state: *state,
            first_seen_at: Timestamp::from_millis(0),
            last_seen_at: Timestamp::from_millis(0),
            decided_by: None,
            decided_at: None,
        };
        HostKeys { items: states.iter().map(key).collect(), addresses: Vec::new() }
    }

    #[test]
    fn only_the_trusted_key_alone_lets_a_check_go_on() {
        use KeyState::{Changed, Pending, Revoked, Trusted};

        assert!(judged(&keys(&[Trusted, Revoked]), true, Locale::en).is_ok());
        let mut rejected = keys(&[Trusted, Revoked]);
        rejected.items[1].last_seen_at = Timestamp::from_millis(1);
        assert!(judged(&rejected, true, Locale::en).is_err(), "the rejected one is shown now");
        for states in [&[Changed, Trusted][..], &[Pending], &[Revoked], &[]] {
            let (detail, remedy) = judged(&keys(states), false, Locale::en).expect_err("it is not trusted");
            assert!(!detail.is_empty() && !remedy.is_empty());
        }
        let (detail, _) = judged(&keys(&[Changed, Trusted]), false, Locale::en).expect_err("it changed");
        assert!(detail.contains("SHA256:changed"), "{detail}");
    }

    #[test]
    fn a_refusal_is_quoted_with_its_remedy() {
        let ran = |code, stdout: &str, stderr: &str| Ran { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };

        let denied = ran(Some(255), "", "x\r\nada@10.0.0.5: Permission denied (publickey).\r\n\n");
        let (detail, remedy) = login(&denied, "ada", Locale::en).expect_err("it was denied");
        assert_eq!(detail, "ada@10.0.0.5: Permission denied (publickey).");
        assert!(remedy.contains("ada"), "{remedy}");

        assert_eq!(python(&ran(Some(0), "Python 3.11.2\n", ""), Locale::en), Ok("Python 3.11.2".to_owned()));
        assert!(python(&ran(Some(127), "", "sh: python3: not found\n"), Locale::en).is_err());
        assert!(python(&ran(None, "", ""), Locale::en).is_err());
        assert_eq!(said(&ran(None, "", "\u{1b}[31mbad\u{1b}[0m\n")), Some("[31mbad[0m".to_owned()));
    }

    #[test]
    fn a_password_goes_through_a_pipe_and_no_file() {
        let data = tempfile::tempdir().expect("a folder can be made");
        let folder = Folder::make(data.path()).expect("a folder can be made");
        let path = folder.0.clone();
        let mut pipe = folder.ask_pass().expect("a pipe can be made");
        pipe.write_all(b"an \\ anchor  $HOME\n").expect("the pipe takes it");

        let asked = Command::new(path.join("ask")).arg("Password:").output().expect("it runs");

        assert_eq!(String::from_utf8_lossy(&asked.stdout), "an \\ anchor  $HOME\n");
        pipe.write_all(b"nobody asked\n").expect("the pipe takes it");
        drain(&pipe);
        drop(folder);
        assert!(!path.exists());
        assert_eq!(quoted(Path::new("/a b/50%")), "\"/a b/50%%\"");
    }
}
