//! The keys that SSH servers show, and which of them are trusted.
//!
//! A key belongs to a machine or to a free address of a customer. It is written to `known_hosts` under an
//! alias of our own, so that two customers may use one address and a machine may change its own.
//!
//! A server has one identity here: the strongest key it shows at first. Another one in its place is not
//! taken for it; until a person has decided, nothing connects.

use super::inventory;
use crate::{
    authentication::server::{Operating, Permit, Proof, Reading},
    error::{Error, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    provisioning::machines::{HostKey, HostKeys, KeyOwner, KeyState},
    storage::{
        Customer, Machine, entry,
        item::{
            Fields, RawRecord,
            check::host_address,
            server::{audit, store},
        },
    },
    time::Timestamp,
};
use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use sea_query::{Expr, ExprTrait as _, Query as Build};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::HashSet, process::Stdio, time::Duration};
use tokio::process::Command;

/// Algorithms by preference; what OpenSSH itself prefers comes first.
const ALGORITHMS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// How long a server may take to show its keys, one connection for each algorithm.
const PATIENCE: Duration = Duration::from_secs(20);

/// Aliases in one statement, at most.
const PART: usize = 500;

/// Where our own programs are looked for.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A machine's, whatever its address is.
    Machine(Id<Machine>),
    /// That of whoever answers at an address.
    Address {
        /// The customer whose network it is in; `None` for the platform's.
        customer: Option<Id<Customer>>,
        /// An IP address or a DNS name.
        address: String,
        /// The port of the SSH server.
        port: u16,
    },
}

impl Subject {
    /// The name its key stands under in `known_hosts`: what `HostKeyAlias` is set to.
    pub fn alias(&self) -> String {
        match self {
            Self::Machine(id) => format!("machine-{id}"),
            Self::Address { customer, address, port } => {
                let customer = customer.map_or_else(|| "platform".to_owned(), |id| id.to_string());
                // ssh compares in lower case.
                format!("address-{customer}-{}-{port}", address.to_ascii_lowercase())
            }
        }
    }
}

/// The trusted keys of some subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Lines of `known_hosts` under the aliases; trusted keys only.
    pub lines: String,
    /// Those of whom no key is trusted, or another one was shown since.
    pub unknown: Vec<Subject>,
}

/// The trusted keys of these subjects. The platform's own machine needs none.
///
/// # Errors
/// [`Error::Internal`] when the database does not answer.
pub async fn known(state: &State, proof: &dyn Proof, subjects: &[Subject]) -> Result<Known> {
    let aliases: Vec<String> = subjects.iter().map(Subject::alias).collect();
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut blocked: HashSet<String> = HashSet::new();
    for part in aliases.chunks(PART) {
        let mut select = Build::select();
        select
            .columns(["alias", "algorithm", "public_key", "state"])
            .from("host_keys")
            .and_where(Expr::col("alias").is_in(part.iter().map(String::as_str)))
            .and_where(Expr::col("state").is_in([KeyState::Trusted.name(), KeyState::Changed.name()]))
            .order_by("alias", sea_query::Order::Asc);
        if let Some(own) = proof.scope().customer() {
            select.and_where(Expr::col("customer").eq(own.to_string()));
        }
        for row in state.db.rows(proof, select).await? {
            let alias = row.text("alias")?;
            if row.parsed::<KeyState>("state")? == KeyState::Changed {
                blocked.insert(alias);
            } else {
                let line = format!("{alias} {} {}\n", row.text("algorithm")?, row.text("public_key")?);
                lines.push((alias, line));
            }
        }
    }
    lines.retain(|(alias, _)| !blocked.contains(alias));
    let trusted: HashSet<&String> = lines.iter().map(|(alias, _)| alias).collect();
    let mut unknown: Vec<Subject> = Vec::new();
    for (subject, alias) in subjects.iter().zip(&aliases) {
        if !trusted.contains(alias) && !unknown.contains(subject) {
            unknown.push(subject.clone());
        }
    }
    let local = local_machines(state, proof, &unknown).await?;
    unknown.retain(|subject| !matches!(subject, Subject::Machine(id) if local.contains(id)));
    let mut written = HashSet::new();
    lines.retain(|(_, line)| written.insert(line.clone()));
    Ok(Known { lines: lines.into_iter().map(|(_, line)| line).collect(), unknown })
}

/// Those of the machines that are the platform's own and reached without SSH.
async fn local_machines(state: &State, proof: &dyn Proof, subjects: &[Subject]) -> Result<HashSet<Id<Machine>>> {
    let ids = subjects.iter().filter_map(|subject| match subject {
        Subject::Machine(id) => Some(id.to_string()),
        Subject::Address { .. } => None,
    });
    let ids: Vec<String> = ids.collect();
    let mut local = HashSet::new();
    if proof.scope().customer().is_some() {
        return Ok(local);
    }
    for part in ids.chunks(PART) {
        let mut select = Build::select();
        select
            .column("id")
            .from("machines")
            .and_where(Expr::col("id").is_in(part.iter().map(String::as_str)))
            .and_where(Expr::col("type").eq("local"))
            .and_where(Expr::col("customer").is_null());
        for row in state.db.rows(proof, select).await? {
            local.insert(row.parsed("id")?);
        }
    }
    Ok(local)
}

/// Whose keys, where they are asked for, and the record they are audited with.
pub(super) struct Asked {
    pub(super) subject: Subject,
    pub(super) address: String,
    pub(super) port: u16,
}

/// The record of an owner, and the subjects on its page.
async fn owned(state: &State, permit: &Permit<Reading>, owner: KeyOwner) -> Result<(RawRecord, Vec<Asked>)> {
    let kind = entry(owner.kind()).context("the kind is stored")?.kind;
    let record = store::get(state, permit, kind, owner.id(), false).await?;
    let asked = match owner {
        KeyOwner::Machine(id) => {
            let text = |name: &str| record.item.get(name).and_then(Value::as_str).map(str::to_owned);
            let port = record.item.get("ssh_port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
            let address = text("ipv4").or_else(|| text("ipv6"));
            let asked =
                address.map(|address| Asked { subject: Subject::Machine(id), address, port: port.unwrap_or(22) });
            asked.into_iter().collect()
        }
        KeyOwner::Host(id) => {
            let inventory = free_addresses(state, permit, record.base.customer, id).await?;
            inventory.into_iter().collect()
        }
    };
    Ok((record, asked))
}

/// The free addresses of a group, with the ports that its variables give them.
async fn free_addresses(
    state: &State,
    permit: &Permit<Reading>,
    customer: Option<Id<Customer>>,
    host: Id<crate::storage::Host>,
) -> Result<Vec<Asked>> {
    let inventory = inventory::build(state, permit, customer, &[host], &[]).await?;
    let free = inventory.targets.into_iter().filter(|target| target.machine.is_none());
    Ok(free
        .map(|target| Asked { port: target.port.unwrap_or(22), address: target.address, subject: target.subject })
        .collect())
}

/// The keys of a machine, or of the free addresses of a group.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn list(permit: &Permit<Reading>, owner: KeyOwner) -> Result<HostKeys> {
    let state = &permit.context().state;
    let (_, asked) = owned(state, permit, owner).await?;
    let aliases = match owner {
        // A machine that lost its address keeps its keys.
        KeyOwner::Machine(id) => vec![Subject::Machine(id).alias()],
        KeyOwner::Host(_) => asked.iter().map(|asked| asked.subject.alias()).collect(),
    };
    let items = stored(state, permit, &aliases).await?;
    Ok(HostKeys { items, addresses: asked.into_iter().map(|asked| (asked.address, asked.port)).collect() })
}

/// Asks a server for its keys and keeps the one it is known by; `address` chooses among a group's.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] at `address`; [`Error::Unavailable`] when nobody answers there.
pub async fn scan(permit: &Permit<Operating>, owner: KeyOwner, address: Option<&str>) -> Result<HostKeys> {
    let context = permit.context();
    let locale = permit.locale();
    let reading = context.permit::<Reading>(owner.kind())?;
    let (record, asked) = owned(&context.state, &reading, owner).await?;
    let chosen = asked.into_iter().find(|asked| address.is_none_or(|address| asked.address == address));
    let Some(chosen) = chosen else {
        let message = match owner {
            KeyOwner::Machine(_) if address.is_none() => {
                let name = record.item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                td_string!(locale, machines.inventory.no_address, name = name)
            }
            _ => td_string!(locale, machines.keys.no_such_address).to_owned(),
        };
        return Err(Error::invalid("address", message));
    };
    let shown = ask(&chosen.address, chosen.port, locale).await?;
    keep(&context.state, permit, owner, &record, &chosen, &shown).await?;
    list(&reading, owner).await
}

/// Trusts a key, or rejects it; what was trusted in its place no longer is.
///
/// # Errors
/// [`Error::NotFound`] when the key is not one of the owner's.
pub async fn decide(permit: &Permit<Operating>, owner: KeyOwner, key: Id<HostKey>, approve: bool) -> Result<HostKey> {
    let state = &permit.context().state;
    let reading = permit.context().permit::<Reading>(owner.kind())?;
    let (record, _) = owned(state, &reading, owner).await?;
    let found = list(&reading, owner).await?.items.into_iter().find(|known| known.id == key);
    let found = found.ok_or_else(|| Error::not_found("host_key"))?;
    let now = Timestamp::now();
    let new = if approve { KeyState::Trusted } else { KeyState::Revoked };
    if found.state == new {
        return Ok(found);
    }
    let mut transaction = state.db.begin(permit).await?;
    if approve {
        let others = sql("update host_keys
              set state = 'revoked', decided_by = $1, decided_by_name = $2, decided_at = $3
            where alias = (select alias from host_keys where id = $4) and id <> $4 and state <> 'revoked'")
        .bind(permit.person().map(|id| id.to_string()))
        .bind(permit.person_name())
        .bind(now.millis())
        .bind(key.to_string());
        transaction.execute(others).await?;
    }
    let own = sql("update host_keys
          set state = $1, decided_by = $2, decided_by_name = $3, decided_at = $4
        where id = $5")
    .bind(new.name())
    .bind(permit.person().map(|id| id.to_string()))
    .bind(permit.person_name())
    .bind(now.millis())
    .bind(key.to_string());
    transaction.execute(own).await?;
    let action = if approve { "approve_host_key" } else { "reject_host_key" };
    write_audit(&mut transaction, permit, owner, &record, action, &found, Some(found.state), new).await?;
    transaction.commit().await?;
    tell(state, owner, &record, action);
    let decided_by = Some(permit.person_name().to_owned());
    Ok(HostKey { state: new, decided_by, decided_at: Some(now), ..found })
}

/// A key as a server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    algorithm: String,
    public_key: String,
    fingerprint: String,
}

/// Asks whoever answers at an address for the keys.
///
/// # Errors
/// [`Error::Unavailable`] when nobody answers, or `ssh-keyscan` is missing.
pub(super) async fn ask(address: &str, port: u16, locale: Locale) -> Result<Vec<Shown>> {
    // ssh-keyscan knows no `--`: only what cannot be an option gets there.
    let Some(checked) = host_address(address) else {
        return Err(Error::invalid("address", td_string!(locale, errors.field.address, address = address.to_owned())));
    };
    let output = Command::new("ssh-keyscan")
        .args(["-T", "5", "-t", "ed25519,ecdsa,rsa", "-p", &port.to_string(), &checked])
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let silent = || {
        let message = td_string!(locale, machines.keys.silent, address = checked.clone(), port = port.to_string());
        Error::unavailable("ssh", message)
    };
    let output = match tokio::time::timeout(PATIENCE, output).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::unavailable("ssh", td_string!(locale, machines.keys.no_program)));
        }
        Ok(Err(error)) => return Err(anyhow::Error::new(error).context("running ssh-keyscan").into()),
        Err(_) => return Err(silent()),
    };
    let shown = read(&String::from_utf8_lossy(&output.stdout));
    if shown.is_empty() { Err(silent()) } else { Ok(shown) }
}

/// What `ssh-keyscan` wrote: `address algorithm key`, the preferred algorithm first.
fn read(output: &str) -> Vec<Shown> {
    let mut shown = Vec::new();
    for line in output.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split_ascii_whitespace();
        let (Some(_), Some(algorithm), Some(key)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Ok(bytes) = BASE64_STANDARD.decode(key) else { continue };
        if ALGORITHMS.contains(&algorithm) {
            let fingerprint = format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&bytes)));
            shown.push(Shown { algorithm: algorithm.to_owned(), public_key: key.to_owned(), fingerprint });
        }
    }
    shown.sort_by_key(|key| ALGORITHMS.iter().position(|known| *known == key.algorithm));
    shown
}

/// What becomes of a key that was shown.
#[derive(Debug, PartialEq, Eq)]
enum Judgement<'a> {
    /// It is the trusted one, or somebody has been or will be asked about it.
    Fine,
    /// It is the first that this server showed.
    New(&'a Shown),
    /// It stands in place of the trusted one.
    Other(&'a Shown),
}

/// Compares what was shown, best first, with what is known: keys with their state.
fn judge<'a>(known: &[(String, String, KeyState)], shown: &'a [Shown]) -> Judgement<'a> {
    let trusted: Vec<_> = known.iter().filter(|(.., state)| *state == KeyState::Trusted).collect();
    let Some(best) = shown.first() else { return Judgement::Fine };
    let state_of =
        |key: &Shown| known.iter().find(|(_, public, _)| *public == key.public_key).map(|(.., state)| *state);
    if trusted.is_empty() {
        return match state_of(best) {
            None => Judgement::New(best),
            Some(_) => Judgement::Fine,
        };
    }
    if shown.iter().any(|key| state_of(key) == Some(KeyState::Trusted)) {
        return Judgement::Fine;
    }
    let same = shown.iter().find(|key| trusted.iter().any(|(algorithm, ..)| *algorithm == key.algorithm));
    let other = same.unwrap_or(best);
    // One that was rejected is not asked about again; ssh refuses it by itself.
    if state_of(other) == Some(KeyState::Revoked) { Judgement::Fine } else { Judgement::Other(other) }
}

/// Keeps what a server showed: the first key waits for approval, one in place of the trusted one blocks.
pub(super) async fn keep(
    state: &State,
    permit: &Permit<Operating>,
    owner: KeyOwner,
    record: &RawRecord,
    asked: &Asked,
    shown: &[Shown],
) -> Result<()> {
    let alias = asked.subject.alias();
    let now = Timestamp::now();
    let mut transaction = state.db.begin(permit).await?;
    let rows = transaction
        .rows(sql("select algorithm, public_key, state from host_keys where alias = $1").bind(alias.clone()))
        .await?;
    let known = rows
        .iter()
        .map(|row| Ok((row.text("algorithm")?, row.text("public_key")?, row.parsed("state")?)))
        .collect::<anyhow::Result<Vec<(String, String, KeyState)>>>()?;
    let mut seen = Build::update();
    seen.table("host_keys")
        .value("last_seen_at", now.millis())
        .and_where(Expr::col("alias").eq(alias.as_str()))
        .and_where(Expr::col("public_key").is_in(shown.iter().map(|key| key.public_key.as_str())));
    transaction.execute(seen).await?;
    // What waits and is no longer shown would be approved for nobody.
    let mut stale = Build::delete();
    stale
        .from_table("host_keys")
        .and_where(Expr::col("alias").eq(alias.as_str()))
        .and_where(Expr::col("state").eq(KeyState::Pending.name()))
        .and_where(Expr::col("public_key").is_not_in(shown.iter().map(|key| key.public_key.as_str())));
    transaction.execute(stale).await?;
    let (key, new) = match judge(&known, shown) {
        Judgement::Fine => {
            transaction.commit().await?;
            return Ok(());
        }
        Judgement::New(key) => (key, KeyState::Pending),
        Judgement::Other(key) => (key, KeyState::Changed),
    };
    let before = known.iter().find(|(_, public, _)| *public == key.public_key).map(|(.., state)| *state);
    let id = Id::<HostKey>::new();
    let (machine, address, port) = match &asked.subject {
        Subject::Machine(id) => (Some(id.to_string()), None, None),
        Subject::Address { address, port, .. } => (None, Some(address.clone()), Some(i64::from(*port))),
    };
    let statement = sql("insert into host_keys
           (id, customer, machine, address, port, alias, algorithm, public_key, fingerprint, state, first_seen_at,
            last_seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
         on conflict (alias, public_key) do update set state = excluded.state, last_seen_at = excluded.last_seen_at")
    .bind(id.to_string())
    .bind(record.base.customer.map(|id| id.to_string()))
    .bind(machine)
    .bind(address)
    .bind(port)
    .bind(alias)
    .bind(key.algorithm.as_str())
    .bind(key.public_key.as_str())
    .bind(key.fingerprint.as_str())
    .bind(new.name())
    .bind(now.millis());
    transaction.execute(statement).await?;
    if before != Some(new) {
        let action = if new == KeyState::Changed { "host_key_changed" } else { "host_key_shown" };
        let told = HostKey {
            id,
            machine: None,
            address: Some(asked.address.clone()),
            port: Some(asked.port),
            algorithm: key.algorithm.clone(),
            fingerprint: key.fingerprint.clone(),
            state: new,
            first_seen_at: now,
            last_seen_at: now,
            decided_by: None,
            decided_at: None,
        };
        write_audit(&mut transaction, permit, owner, record, action, &told, before, new).await?;
    }
    transaction.commit().await?;
    tell(state, owner, record, "host_keys");
    Ok(())
}

/// The keys under these aliases: open ones first, then trusted, then the others, newest first.
pub(super) async fn stored(state: &State, proof: &dyn Proof, aliases: &[String]) -> Result<Vec<HostKey>> {
    let mut keys = Vec::new();
    for part in aliases.chunks(PART) {
        let mut select = Build::select();
        select
            .columns([
                "id",
                "machine",
                "address",
                "port",
                "algorithm",
                "fingerprint",
                "state",
                "first_seen_at",
                "last_seen_at",
                "decided_by_name",
                "decided_at",
            ])
            .from("host_keys")
            .and_where(Expr::col("alias").is_in(part.iter().map(String::as_str)));
        if let Some(own) = proof.scope().customer() {
            select.and_where(Expr::col("customer").eq(own.to_string()));
        }
        for row in state.db.rows(proof, select).await? {
            keys.push(read_key(&row)?);
        }
    }
    let rank = |key: &HostKey| match key.state {
        KeyState::Changed | KeyState::Pending => 0,
        KeyState::Trusted => 1,
        KeyState::Revoked => 2,
    };
    keys.sort_by_key(|key| (rank(key), std::cmp::Reverse(key.last_seen_at)));
    Ok(keys)
}

fn read_key(row: &Row) -> anyhow::Result<HostKey> {
    Ok(HostKey {
        id: row.parsed("id")?,
        machine: row.opt_parsed("machine")?,
        address: row.opt_text("address")?,
        port: row.opt_int("port")?.and_then(|port| u16::try_from(port).ok()),
        algorithm: row.text("algorithm")?,
        fingerprint: row.text("fingerprint")?,
        state: row.parsed("state")?,
        first_seen_at: Timestamp::from_millis(row.int("first_seen_at")?),
        last_seen_at: Timestamp::from_millis(row.int("last_seen_at")?),
        decided_by: row.opt_text("decided_by_name")?,
        decided_at: row.opt_int("decided_at")?.map(Timestamp::from_millis),
    })
}

async fn write_audit(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    owner: KeyOwner,
    record: &RawRecord,
    action: &str,
    key: &HostKey,
    before: Option<KeyState>,
    after: KeyState,
) -> anyhow::Result<()> {
    let value = |state: KeyState| {
        let mut fields = Fields::new();
        fields.insert("host_key".to_owned(), json!(format!("{} {}", key.algorithm, key.fingerprint)));
        if let Some(address) = &key.address {
            fields.insert("address".to_owned(), json!(address));
        }
        fields.insert("state".to_owned(), json!(state));
        fields
    };
    let line = audit::Line {
        kind: owner.kind(),
        record: &record.base.id.to_string(),
        customer: record.base.customer,
        action,
        before: &before.map(value).unwrap_or_default(),
        after: &value(after),
    };
    audit::write(transaction, proof, line).await
}

/// Pages that show the owner ask again.
fn tell(state: &State, owner: KeyOwner, record: &RawRecord, action: &str) {
    let data = json!({ "id": record.base.id, "action": action });
    state.bus.publish(Topic::Records(owner.kind().to_owned()), record.base.customer, data);
}

#[cfg(test)]
mod tests {
    use super::{Judgement, Shown, Subject, judge, read};
    use crate::{id::Id, provisioning::machines::KeyState};

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIFZ4Vj3tUSVEG4lTDbTOiLFPGyYmgN4jiC9U0gxaJdlb";

    fn shown(algorithm: &str, public_key: &str) -> Shown {
        Shown { algorithm: algorithm.to_owned(), public_key: public_key.to_owned(), fingerprint: String::new() }
    }

    fn known(algorithm: &str, public_key: &str, state: KeyState) -> (String, String, KeyState) {
        (algorithm.to_owned(), public_key.to_owned(), state)
    }

    #[test]
    fn what_a_server_shows_is_read_the_best_first() {
        let output = format!(
            "# 10.0.0.5:22 SSH-2.0\n10.0.0.5 ssh-rsa AAAA\n[10.0.0.5]:22 ssh-ed25519 {ED25519}\n10.0.0.5 ssh-dss AAAA\nnonsense\n"
        );

        let read = read(&output);

        assert_eq!(read.iter().map(|key| key.algorithm.as_str()).collect::<Vec<_>>(), ["ssh-ed25519", "ssh-rsa"]);
        assert!(read[0].fingerprint.starts_with("SHA256:"));
        assert_eq!(read[0].fingerprint.len(), "SHA256:".len() + 43);
    }

    #[test]
    fn another_key_in_place_of_the_trusted_one_is_told() {
        let offered = [shown("ssh-ed25519", "new"), shown("ssh-rsa", "rsa")];
        let trusted = [known("ssh-ed25519", "old", KeyState::Trusted)];
        let by_rsa = [known("ssh-rsa", "old", KeyState::Trusted)];
        let ecdsa = [known("ecdsa-sha2-nistp256", "old", KeyState::Trusted)];

        assert_eq!(judge(&[], &offered), Judgement::New(&offered[0]));
        assert_eq!(judge(&trusted, &offered), Judgement::Other(&offered[0]));
        assert_eq!(judge(&by_rsa, &offered), Judgement::Other(&offered[1]));
        assert_eq!(judge(&ecdsa, &offered), Judgement::Other(&offered[0]));
    }

    #[test]
    fn a_rejected_key_does_not_come_back_by_itself() {
        let offered = [shown("ssh-ed25519", "new")];

        assert_eq!(judge(&[known("ssh-ed25519", "new", KeyState::Revoked)], &offered), Judgement::Fine);
        assert_eq!(judge(&[known("ssh-ed25519", "new", KeyState::Trusted)], &offered), Judgement::Fine);
        let both = [known("ssh-ed25519", "old", KeyState::Trusted), known("ssh-ed25519", "new", KeyState::Revoked)];
        assert_eq!(judge(&both, &offered), Judgement::Fine, "nothing connects to it anyway");
    }

    #[test]
    fn an_alias_is_one_word_without_a_pattern() {
        let (customer, other) = (Some(Id::new()), Some(Id::new()));
        let address = |customer, address: &str, port| Subject::Address { customer, address: address.to_owned(), port };
        let subjects = [
            Subject::Machine(Id::new()),
            address(customer, "10.0.0.5", 22),
            address(other, "10.0.0.5", 22),
            address(None, "10.0.0.5", 22),
            address(None, "10.0.0.5", 2222),
            address(None, "2001:db8::1", 22),
            address(None, "DB-1.example.org", 22),
        ];

        let aliases: std::collections::BTreeSet<_> = subjects.iter().map(Subject::alias).collect();

        assert_eq!(aliases.len(), subjects.len());
        for alias in aliases {
            assert!(
                alias.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:_".contains(&byte))
            );
        }
    }
}
