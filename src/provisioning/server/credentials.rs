//! Keys and passwords, opened for a run or a test.

use super::{agent::Agent, host_keys, inventory, seal};
use crate::{
    authentication::server::{Operating, Permit, Proof, Reading, secret},
    error::{Error, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::{db::Row, state::State},
    provisioning::credentials_api::{Tested, Used},
    storage::{
        Credential, CredentialKind, Customer, Machine,
        item::{
            Item as _, Kind,
            server::{audit, sql as item_sql, store},
        },
    },
};
use anyhow::Context as _;
use sea_query::{Expr, ExprTrait as _, Query as Build};
use serde_json::json;
use std::{
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;
use zeroize::Zeroizing;

/// How long a test may take, from the agent's start to the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Characters of what SSH said that a test passes on.
const SAID_MAX: usize = 2000;

const KIND: &Kind = &Credential::KIND;

/// One credential, opened.
pub struct Opened {
    /// Which it is.
    pub id: Id<Credential>,
    /// Its name.
    pub name: String,
    /// Whose it is; `None` for the platform's own.
    pub customer: Option<Id<Customer>>,
    /// The user to sign in as, where it says one.
    pub username: Option<String>,
    /// What it holds.
    pub secret: Secret,
}

/// What a credential holds.
pub enum Secret {
    /// A private key in OpenSSH's format, without a passphrase, and its public line.
    SshKey {
        /// The private key.
        private: Zeroizing<String>,
        /// `ssh-ed25519 AAAA… comment`.
        public: String,
    },
    /// The password to sign in with over SSH.
    SshPassword(Zeroizing<String>),
    /// The password to become another user with.
    BecomePassword(Zeroizing<String>),
    /// The password of a vault, and the vault's label.
    VaultPassword {
        /// `default` where none was given.
        label: String,
        /// The password.
        password: Zeroizing<String>,
    },
}

/// What a credential's secret is sealed for.
pub fn purpose(id: Id<Credential>) -> String {
    format!("credential/{id}/secret")
}

/// Opens these credentials, which must be in reach and enabled, in the order they were asked for.
///
/// Whoever uses several for one customer's run compares [`Opened::customer`]: the platform's people reach all.
///
/// # Errors
/// [`Error::Invalid`] at `options.credentials` naming the one that is not there, is disabled or cannot be opened.
pub async fn open(state: &State, proof: &dyn Proof, ids: &[Id<Credential>]) -> Result<Vec<Opened>> {
    let locale = proof.locale();
    let mut opened = Vec::with_capacity(ids.len());
    for found in find(state, proof, ids).await? {
        let secret = unseal(state, &found).map_err(|error| {
            tracing::error!("the credential {} cannot be opened: {error:#}", found.id);
            refused(td_string!(locale, secrets.unopenable, name = found.name.clone()))
        })?;
        let Found { id, name, customer, username, .. } = found;
        opened.push(Opened { id, name, customer, username, secret });
    }
    Ok(opened)
}

/// Name, kind and vault label of these credentials, as [`open`] would find them, without opening any.
///
/// # Errors
/// As [`open`], but for those that cannot be opened.
pub async fn kinds(
    state: &State,
    proof: &dyn Proof,
    ids: &[Id<Credential>],
) -> Result<Vec<(Id<Credential>, String, CredentialKind, Option<String>)>> {
    let found = find(state, proof, ids).await?;
    Ok(found.into_iter().map(|found| (found.id, found.name, found.kind, found.vault_label)).collect())
}

/// A credential as it is kept.
struct Found {
    id: Id<Credential>,
    name: String,
    customer: Option<Id<Customer>>,
    kind: CredentialKind,
    username: Option<String>,
    sealed: String,
    public_key: Option<String>,
    vault_label: Option<String>,
}

fn refused(sentence: String) -> Error {
    Error::invalid("options.credentials", sentence)
}

async fn find(state: &State, proof: &dyn Proof, ids: &[Id<Credential>]) -> Result<Vec<Found>> {
    let locale = proof.locale();
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let mut select = Build::select();
        select
            .columns(["name", "customer", "enabled", "type", "username", "secret", "public_key", "vault_label"])
            .from(KIND.plural)
            .cond_where(item_sql::reach(KIND, proof))
            .and_where(Expr::col("id").eq(id.to_string()))
            .and_where(item_sql::alive(false));
        let row = state.db.row(proof, select).await?;
        let row = row.ok_or_else(|| refused(td_string!(locale, secrets.missing, id = id.to_string())))?;
        if !row.bool("enabled")? {
            return Err(refused(td_string!(locale, secrets.disabled, name = row.text("name")?)));
        }
        found.push(read(*id, &row)?);
    }
    Ok(found)
}

fn read(id: Id<Credential>, row: &Row) -> anyhow::Result<Found> {
    let kind = row.text("type")?;
    Ok(Found {
        id,
        name: row.text("name")?,
        customer: row.opt_parsed("customer")?,
        kind: CredentialKind::named(&kind).with_context(|| format!("there is no type of credentials {kind}"))?,
        username: row.opt_text("username")?,
        sealed: row.text("secret")?,
        public_key: row.opt_text("public_key")?,
        vault_label: row.opt_text("vault_label")?,
    })
}

fn unseal(state: &State, found: &Found) -> anyhow::Result<Secret> {
    let text = seal::open_text(state, &purpose(found.id), &found.sealed)?;
    Ok(match found.kind {
        CredentialKind::SshKey => {
            Secret::SshKey { private: text, public: found.public_key.clone().context("a key has no public part")? }
        }
        CredentialKind::SshPassword => Secret::SshPassword(text),
        CredentialKind::BecomePassword => Secret::BecomePassword(text),
        CredentialKind::VaultPassword => Secret::VaultPassword {
            label: found.vault_label.clone().unwrap_or_else(|| "default".to_owned()),
            password: text,
        },
    })
}

/// See [`crate::provisioning::credentials_api::credential_uses`].
pub async fn used(permit: &Permit<Reading>, id: Id<Credential>) -> Result<Vec<Used>> {
    let state = &permit.context().state;
    // Another customer's has no uses that could be told.
    store::get(state, permit, KIND, id.cast(), true).await?;
    let uses = store::uses(state, permit, KIND, id.cast()).await?;
    Ok(uses.into_iter().map(|used| Used { kind: used.kind.name.to_owned(), id: used.id, name: used.name }).collect())
}

/// See [`crate::provisioning::credentials_api::test_credential`].
pub async fn test(permit: &Permit<Operating>, id: Id<Credential>, machine: Option<Id<Machine>>) -> Result<Tested> {
    let context = permit.context();
    let (state, locale) = (&context.state, permit.locale());
    let read = context.permit::<Reading>(KIND.name)?;
    let record = store::get(state, &read, KIND, id.cast(), false).await?;
    let at_top = |error: Error| match error {
        Error::Invalid { problems } => {
            Error::conflict(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join(" "))
        }
        other => other,
    };
    let opened = open(state, permit, &[id]).await.map_err(at_top)?;
    let opened = opened.into_iter().next().ok_or_else(|| Error::not_found(KIND.name))?;
    let tested = match &opened.secret {
        Secret::BecomePassword(_) | Secret::VaultPassword { .. } => {
            Tested { is_good: true, message: td_string!(locale, secrets.test.opens).to_owned(), said: None }
        }
        Secret::SshKey { .. } | Secret::SshPassword(_) => {
            let machine =
                machine.ok_or_else(|| Error::invalid("machine", td_string!(locale, secrets.test.no_machine)))?;
            sign_in(permit, &opened, machine).await?
        }
    };
    let after = json!({ "machine": machine, "result": if tested.is_good { "good" } else { "bad" } });
    let line = audit::Line {
        kind: KIND.name,
        record: &id.to_string(),
        customer: record.base.customer,
        action: "test",
        before: &serde_json::Map::new(),
        after: after.as_object().context("an object stays one")?,
    };
    let mut transaction = state.db.begin(permit).await?;
    audit::write(&mut transaction, permit, line).await?;
    transaction.commit().await?;
    Ok(tested)
}

/// Signs in to a machine, runs nothing there that changes anything, and leaves.
async fn sign_in(permit: &Permit<Operating>, opened: &Opened, machine: Id<Machine>) -> Result<Tested> {
    let context = permit.context();
    let (state, locale) = (&context.state, permit.locale());
    let at_machine = |message: &str| Error::invalid("machine", message.to_owned());
    let read = context.permit::<Reading>("machine")?;
    let kind = const { &Machine::KIND };
    let record = store::get(state, &read, kind, machine.cast(), false).await.map_err(|error| match error {
        Error::NotFound { .. } => at_machine(td_string!(locale, secrets.test.no_machine)),
        other => other,
    })?;
    if record.base.customer != opened.customer {
        return Err(at_machine(td_string!(locale, secrets.test.other_customer)));
    }
    let name = record.item.get("name").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let inventory = inventory::build(state, permit, opened.customer, &[], &[machine]).await.map_err(|error| {
        let message = error.problems().iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" ");
        if message.is_empty() { error } else { at_machine(&message) }
    })?;
    let target = inventory.targets.into_iter().next();
    let target = target.ok_or_else(|| at_machine(td_string!(locale, secrets.test.no_address)))?;
    let user = opened.username.clone().or(target.user);
    let user = user.ok_or_else(|| at_machine(td_string!(locale, secrets.test.no_user)))?;
    let known = host_keys::known(state, permit, std::slice::from_ref(&target.subject)).await?;
    if !known.unknown.is_empty() {
        let message = td_string!(locale, secrets.test.untrusted, machine = name);
        return Ok(Tested { is_good: false, message, said: None });
    }
    let folder = Folder::make(&state.config.data.dir)?;
    let attempt = Attempt {
        user: &user,
        address: &target.address,
        port: target.port.unwrap_or(22),
        alias: target.subject.alias(),
        known_hosts: &known.lines,
        secret: &opened.secret,
    };
    let answer = tokio::time::timeout(PATIENCE, attempt.make(&folder.0)).await;
    Ok(told(locale, &name, &user, answer.ok().transpose()?))
}

/// What came of an attempt, in words; `None` where it took too long.
fn told(locale: Locale, machine: &str, user: &str, answer: Option<Answer>) -> Tested {
    let (machine, user) = (machine.to_owned(), user.to_owned());
    match answer {
        None => {
            let seconds = PATIENCE.as_secs().to_string();
            let message = td_string!(locale, secrets.test.timed_out, machine = machine, seconds = seconds);
            Tested { is_good: false, message, said: None }
        }
        Some(Answer { is_in: true, .. }) => {
            let message = td_string!(locale, secrets.test.signed_in, machine = machine, user = user);
            Tested { is_good: true, message, said: None }
        }
        Some(Answer { said, .. }) => {
            let message = td_string!(locale, secrets.test.refused, machine = machine, user = user);
            Tested { is_good: false, message, said: Some(said).filter(|said| !said.is_empty()) }
        }
    }
}

/// A folder that only this user can enter, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn make(data: &Path) -> anyhow::Result<Self> {
        // Short, because a socket's path may have only 107 letters.
        let path = data.join(format!("t-{}", secret::random(6)));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("the folder {} stays: {error}", self.0.display());
        }
    }
}

/// One attempt to sign in with OpenSSH.
struct Attempt<'a> {
    user: &'a str,
    address: &'a str,
    port: u16,
    alias: String,
    known_hosts: &'a str,
    secret: &'a Secret,
}

/// What OpenSSH answered.
struct Answer {
    is_in: bool,
    said: String,
}

impl Attempt<'_> {
    async fn make(&self, folder: &Path) -> anyhow::Result<Answer> {
        let known_hosts = folder.join("known_hosts");
        secret::write_private(&known_hosts, self.known_hosts.as_bytes())?;
        let mut command = Command::new("ssh");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").args(["-F", "none", "-T", "-x", "-a"]);
        for option in [
            format!("UserKnownHostsFile=\"{}\"", known_hosts.display()),
            format!("HostKeyAlias={}", self.alias),
            "GlobalKnownHostsFile=none".into(),
            "StrictHostKeyChecking=yes".into(),
            "UpdateHostKeys=no".into(),
            "CheckHostIP=no".into(),
            "ConnectTimeout=15".into(),
            "ConnectionAttempts=1".into(),
            "ControlPath=none".into(),
            "ClearAllForwardings=yes".into(),
            "PermitLocalCommand=no".into(),
            "IdentityFile=none".into(),
            "LogLevel=ERROR".into(),
        ] {
            command.arg("-o").arg(option);
        }
        // Both end with the attempt: the agent, and the pipe that the password waits in.
        let (mut agent, mut pipe) = (None, None);
        match self.secret {
            Secret::SshKey { private, .. } => {
                let socket = folder.join("agent");
                agent = Some(Agent::start(&socket, std::slice::from_ref(private)).await?);
                command.arg("-o").arg(format!("IdentityAgent=\"{}\"", socket.display()));
                command.args(["-o", "BatchMode=yes", "-o", "PreferredAuthentications=publickey"]);
            }
            Secret::SshPassword(password)
            | Secret::BecomePassword(password)
            | Secret::VaultPassword { password, .. } => {
                pipe = Some(offer(folder, password, &mut command)?);
                command.args(["-o", "IdentityAgent=none", "-o", "PubkeyAuthentication=no"]);
                command.args(["-o", "PreferredAuthentications=password,keyboard-interactive"]);
                command.args(["-o", "NumberOfPasswordPrompts=1"]);
            }
        }
        let port = self.port.to_string();
        let output = command
            .args(["-p", &port, "-l", self.user, "--", self.address, "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting ssh; is OpenSSH's client installed?")?;
        drop((agent, pipe));
        // OpenSSH itself ends with 255; everything else comes from the other side, so somebody is in.
        let is_in = output.status.code().is_some_and(|code| code != 255);
        let said = String::from_utf8_lossy(&output.stderr);
        let said =
            said.trim().chars().filter(|letter| *letter == '\n' || !letter.is_control()).take(SAID_MAX).collect();
        Ok(Answer { is_in, said })
    }
}

/// Lets `ssh` fetch a password: from a pipe with a name, so that no file, argument or variable ever holds it.
fn offer(folder: &Path, password: &str, command: &mut Command) -> anyhow::Result<std::fs::File> {
    use rustix::fs::{CWD, FileType, Mode, OFlags};
    use std::io::Write as _;

    let (pipe, script) = (folder.join("answer"), folder.join("ask"));
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).context("making a pipe")?;
    // Open for both, so that neither opening nor writing waits for the reader.
    let mut file: std::fs::File =
        rustix::fs::open(&pipe, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
            .context("opening a pipe")?
            .into();
    let line = Zeroizing::new(format!("{password}\n"));
    file.write_all(line.as_bytes()).context("filling a pipe")?;
    let mut program = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&script)
        .context("writing a program that asks for a password")?;
    program
        .write_all(b"#!/bin/sh\nIFS= read -r answer <\"$MUELLE_ANSWER\" && printf '%s\\n' \"$answer\"\n")
        .context("writing a program that asks for a password")?;
    command.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force").env("MUELLE_ANSWER", &pipe);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_reaches_the_program_that_asks_through_a_pipe_alone() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::make(data.path()).expect("made");
        let mut ssh = Command::new("true");
        let pipe = offer(&folder.0, r"can\ary 'x' $y ", &mut ssh).expect("offered");

        let mut ask = Command::new(folder.0.join("ask"));
        ask.env("MUELLE_ANSWER", folder.0.join("answer"));
        let answer = ask.output().await.expect("it runs");

        assert_eq!(answer.stdout, b"can\\ary 'x' $y \n");
        assert!(!format!("{ssh:?}").contains("can"));
        let script = std::fs::read_to_string(folder.0.join("ask")).expect("it is there");
        assert!(!script.contains("can"));
        drop((pipe, folder));
        assert_eq!(std::fs::read_dir(data.path()).expect("it is there").count(), 0);
    }
}
