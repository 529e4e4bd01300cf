//! Secrets at rest: each sealed with a key of its own, which the master key of the data folder wraps.
//!
//! A sealed value is text: `sealed.1.<id of the master key>.<wrapped data key>.<sealed content>`, the last two
//! in base64 and each with its nonce in front. The content is bound to its purpose, such as
//! `credential/<id>/secret`, so what is copied to another record does not open there. The data key is bound to
//! the version and the master key, so a new master key wraps it again without touching the content.

use crate::{
    authentication::server::{
        Proof, System,
        secret::{self, write_private},
    },
    platform::{
        db::{Db, Sql, sql},
        state::State,
    },
    time::Timestamp,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use zeroize::{Zeroize as _, Zeroizing};

/// The file of the master keys, in the data folder.
pub const FILE: &str = "master.key";

/// How long a server may take from sealing a value to having it in the database.
pub const PAUSE: Duration = Duration::from_secs(5);

/// What every sealed value begins with.
const MARK: &str = "sealed.1.";

/// The columns that hold sealed values, alone or within a longer text such as JSON. A new one is added here, or
/// `muelle keys rotate` passes it over.
const COLUMNS: &[Column] = &[
    Column {
        name: "credentials.secret",
        some: "select secret as text from credentials where secret like '%sealed.1.%' limit 1",
        all: "select id, secret as text from credentials where secret like '%sealed.1.%'",
        write: "update credentials set secret = $1 where id = $2",
    },
    Column {
        name: "registries.password",
        some: "select password as text from registries where password like '%sealed.1.%' limit 1",
        all: "select id, password as text from registries where password like '%sealed.1.%'",
        write: "update registries set password = $1 where id = $2",
    },
    Column {
        name: "runs.secrets",
        some: "select secrets as text from runs where secrets like '%sealed.1.%' limit 1",
        all: "select id, secrets as text from runs where secrets like '%sealed.1.%'",
        write: "update runs set secrets = $1 where id = $2",
    },
    Column {
        name: "jobs.operation",
        some: "select operation as text from jobs where operation like '%sealed.1.%' limit 1",
        all: "select id, operation as text from jobs where operation like '%sealed.1.%'",
        write: "update jobs set operation = $1 where id = $2",
    },
];

struct Column {
    name: &'static str,
    some: &'static str,
    all: &'static str,
    write: &'static str,
}

/// Seals a secret for a purpose; what comes back is for the database.
///
/// # Errors
/// When the file of the master key cannot be read.
pub fn seal(state: &State, purpose: &str, plain: &[u8]) -> anyhow::Result<String> {
    state.seals.seal(purpose, plain)
}

/// Opens what [`seal`] made for the same purpose.
///
/// # Errors
/// When it was changed, was sealed for another purpose, or its master key is not in the data folder.
pub fn open(state: &State, purpose: &str, sealed: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    state.seals.open(purpose, sealed)
}

/// As [`open`], for a text.
///
/// # Errors
/// As [`open`].
pub fn open_text(state: &State, purpose: &str, sealed: &str) -> anyhow::Result<Zeroizing<String>> {
    let bytes = open(state, purpose, sealed)?;
    Ok(Zeroizing::new(std::str::from_utf8(&bytes).context("reading a secret")?.to_owned()))
}

/// Seals the text of a field in its place; anything else stays.
///
/// # Errors
/// As [`seal`].
pub fn seal_field(state: &State, purpose: &str, field: Option<&mut Value>) -> anyhow::Result<()> {
    if let Some(Value::String(text)) = field {
        let plain = Zeroizing::new(std::mem::take(text));
        *text = seal(state, purpose, plain.as_bytes())?;
    }
    Ok(())
}

/// The master keys of the data folder, the current one first. There is more than one only while
/// `muelle keys rotate` is under way, or after it was interrupted; running servers follow the file.
pub struct Seals {
    path: PathBuf,
    held: RwLock<Held>,
}

struct Held {
    keys: Vec<Key>,
    file: Stamp,
}

/// What tells one state of a file from another: it is always replaced whole.
type Stamp = Option<(SystemTime, u64)>;

/// One master key.
#[derive(Clone, Serialize, Deserialize)]
struct Key {
    id: String,
    secret: String,
    made_at: i64,
}

impl Drop for Key {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(held.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Seals {
    /// Reads the master keys of the data folder; makes the first one where nothing is sealed yet.
    ///
    /// # Errors
    /// When the file is missing although the database holds sealed values, when other users of the machine can read
    /// it, or when it cannot be read or written at all.
    pub async fn start(folder: &Path, db: &Db) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            let proof = System::because("look for sealed values before a master key is made");
            if let Some(column) = first_sealed(db, &proof).await? {
                bail!(
                    "{} is missing, and {column} holds secrets that only its key opens; put the file back from your \
                     backup",
                    path.display()
                );
            }
            make_first(&path)?;
        }
        Self::read(path)
    }

    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let file = stamp(&path);
        let keys = read(&path)?;
        Ok(Self { path, held: RwLock::new(Held { keys, file }) })
    }

    /// The keys as they stand in the file now. Every use looks, because what is sealed with a key that
    /// `muelle keys rotate` has just replaced would be lost with it.
    fn keys(&self) -> anyhow::Result<Vec<Key>> {
        let file = stamp(&self.path);
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if held.file == file {
                return Ok(held.keys.clone());
            }
        }
        let keys = read(&self.path)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        *held = Held { keys: keys.clone(), file };
        Ok(keys)
    }

    fn seal(&self, purpose: &str, plain: &[u8]) -> anyhow::Result<String> {
        let keys = self.keys()?;
        let master = keys.first().context("there is no master key")?;
        let mut data = Zeroizing::new([0; 32]);
        getrandom::fill(data.as_mut()).expect("the operating system gives random bytes");
        let wrapped = master.wrap(data.as_ref())?;
        let content = encrypt(data.as_ref(), purpose, plain)?;
        Ok(format!("{MARK}{}.{wrapped}.{content}", master.id))
    }

    fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let parts = Parts::of(sealed)?;
        let data = parts.unwrap(&self.keys()?)?;
        decrypt(&data, purpose, parts.content)
            .with_context(|| format!("opening a secret sealed for {purpose}: it was changed or belongs elsewhere"))
    }
}

impl Key {
    fn random() -> Self {
        Self { id: secret::random(6), secret: secret::random(32), made_at: Timestamp::now().millis() }
    }

    fn bytes(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        BASE64.decode(&self.secret).map(Zeroizing::new).context("reading a master key")
    }

    /// What a data key is bound to: one made by another version or key does not open.
    fn purpose(&self) -> String {
        format!("{MARK}{}", self.id)
    }

    fn wrap(&self, data: &[u8]) -> anyhow::Result<String> {
        encrypt(&self.bytes()?, &self.purpose(), data)
    }
}

/// The parts of a sealed value.
struct Parts<'a> {
    key: &'a str,
    wrapped: &'a str,
    content: &'a str,
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a str) -> anyhow::Result<Self> {
        let rest = sealed.strip_prefix(MARK).context("this is no sealed value, or one of a later version")?;
        let mut parts = rest.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(wrapped), Some(content), None) => Ok(Self { key, wrapped, content }),
            _ => bail!("this sealed value is not whole"),
        }
    }

    /// Its data key.
    fn unwrap(&self, keys: &[Key]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let master = keys
            .iter()
            .find(|key| key.id == self.key)
            .with_context(|| format!("the master key {} that sealed this is not in the data folder", self.key))?;
        decrypt(&master.bytes()?, &master.purpose(), self.wrapped).context("unwrapping the key of a secret")
    }
}

/// AES-256-GCM with a random nonce, which stands in front of what comes out. `key` encrypts few values: a data
/// key one, a master key as many as there are secrets, far below the 2³² that random nonces allow.
fn encrypt(key: &[u8], purpose: &str, plain: &[u8]) -> anyhow::Result<String> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
    // Room for the tag, or the plain text would stay behind where the buffer had been.
    let mut content = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    content.extend_from_slice(plain);
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut content)
        .map_err(|_| anyhow!("sealing a secret"))?;
    Ok(BASE64.encode([nonce.as_slice(), &content].concat()))
}

fn decrypt(key: &[u8], purpose: &str, sealed: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(BASE64.decode(sealed).context("it is not base64")?);
    let (nonce, content) = bytes.split_at_mut_checked(NONCE_LEN).context("it is too short")?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| anyhow!("it has no nonce"))?;
    let plain = cipher(key)?
        .open_in_place(nonce, Aad::from(purpose), content)
        .map_err(|_| anyhow!("it does not fit its key and purpose"))?;
    Ok(Zeroizing::new(plain.to_vec()))
}

fn cipher(key: &[u8]) -> anyhow::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| anyhow!("a key has the wrong length"))?;
    Ok(LessSafeKey::new(key))
}

/// Makes a new master key, wraps every secret's key with it in one transaction, and removes the old one.
///
/// `pause` is how long a running server may take from sealing a value to having it in the database: after each
/// round the database is looked through once more, until a round finds nothing that an old key has sealed.
/// Whatever interrupts it, both keys stay in the file until the next call. Gives how many values were wrapped anew.
///
/// # Errors
/// When another call is under way, or the file or the database cannot be read or written. Nothing is lost then.
pub async fn rotate(folder: &Path, db: &Db, pause: Duration) -> anyhow::Result<usize> {
    let path = folder.join(FILE);
    let _lock = lock(&path)?;
    let mut keys = read(&path)?;
    keys.insert(0, Key::random());
    write(&path, &keys)?;

    let proof = System::because("wrap every secret's key with a new master key");
    let mut count = 0;
    loop {
        let wrapped = wrap_anew(db, &proof, &keys).await?;
        count += wrapped;
        tokio::time::sleep(pause).await;
        if remaining(db, &proof, &keys).await? == 0 {
            break;
        }
    }
    keys.truncate(1);
    write(&path, &keys)?;
    Ok(count)
}

/// Wraps in one transaction whatever is not wrapped by the first of these keys.
async fn wrap_anew(db: &Db, proof: &dyn Proof, keys: &[Key]) -> anyhow::Result<usize> {
    let mut transaction = db.begin(proof).await?;
    let mut count = 0;
    for column in COLUMNS {
        for row in transaction.rows(sql(column.all)).await? {
            let id = row.text("id")?;
            let (text, changed) = wrapped_text(&row.text("text")?, keys)
                .with_context(|| format!("wrapping {} of {id} with the new key", column.name))?;
            if changed > 0 {
                transaction.execute(sql(column.write).bind(text).bind(id)).await?;
                count += changed;
            }
        }
    }
    transaction.commit().await?;
    Ok(count)
}

/// How many values an old key has sealed.
async fn remaining(db: &Db, proof: &dyn Proof, keys: &[Key]) -> anyhow::Result<usize> {
    let mut count = 0;
    for column in COLUMNS {
        for row in db.rows(proof, sql(column.all)).await? {
            let text = row.text("text")?;
            count += pieces(&text).filter(|(is_sealed, piece)| *is_sealed && outdated(piece, keys).is_some()).count();
        }
    }
    Ok(count)
}

/// The name of a column that holds a sealed value.
async fn first_sealed(db: &Db, proof: &dyn Proof) -> anyhow::Result<Option<&'static str>> {
    for column in COLUMNS {
        let statement: Sql = sql(column.some);
        if db.row(proof, statement).await?.is_some() {
            return Ok(Some(column.name));
        }
    }
    Ok(None)
}

/// The text with every sealed value in it wrapped by the first of the keys, and how many were not before.
fn wrapped_text(text: &str, keys: &[Key]) -> anyhow::Result<(String, usize)> {
    let current = keys.first().context("there is no master key")?;
    let (mut new, mut count) = (String::with_capacity(text.len()), 0);
    for (is_sealed, piece) in pieces(text) {
        let outdated = if is_sealed { outdated(piece, keys) } else { None };
        match outdated {
            Some((parts, data)) => {
                let wrapped = current.wrap(&data)?;
                new.push_str(&format!("{MARK}{}.{wrapped}.{}", current.id, parts.content));
                count += 1;
            }
            None => new.push_str(piece),
        }
    }
    Ok((new, count))
}

/// The parts of a value that an old key has sealed, and its data key. What only looks like a sealed value is
/// somebody's text, and must not keep the others from their new key.
fn outdated<'a>(piece: &'a str, keys: &[Key]) -> Option<(Parts<'a>, Zeroizing<Vec<u8>>)> {
    let parts = Parts::of(piece).ok()?;
    let (current, old) = keys.split_first()?;
    if parts.key == current.id {
        return None;
    }
    let data = parts.unwrap(old).ok()?;
    Some((parts, data))
}

/// The text in pieces, each with whether it is a sealed value.
fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_sealed = rest.starts_with(MARK);
        let end = if is_sealed {
            rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter)))
        } else {
            rest.find(MARK)
        };
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some((is_sealed, piece))
    })
}

fn make_first(path: &Path) -> anyhow::Result<()> {
    let lock = lock_file(path)?;
    lock.lock().with_context(|| format!("waiting for {}", path.display()))?;
    // Another server may have been faster.
    if path.exists() { Ok(()) } else { write(path, &[Key::random()]) }
}

fn read(path: &Path) -> anyhow::Result<Vec<Key>> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("reading the master key from {}", path.display()))?;
    let mode = std::fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?.mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by other users of this machine; run: chmod 600 {}", path.display(), path.display());
    }
    let keys: Vec<Key> =
        serde_json::from_str(&text).with_context(|| format!("reading the master key from {}", path.display()))?;
    let is_whole = |key: &Key| key.bytes().is_ok_and(|bytes| bytes.len() == 32);
    ensure!(
        !keys.is_empty() && keys.iter().all(is_whole),
        "{} holds no whole master key; put the file back from your backup",
        path.display()
    );
    Ok(keys)
}

fn write(path: &Path, keys: &[Key]) -> anyhow::Result<()> {
    let text = Zeroizing::new(serde_json::to_string_pretty(keys).context("writing the master key")?);
    write_private(path, text.as_bytes())
}

/// Held by whoever changes the file, so that no key is written over another.
fn lock(path: &Path) -> anyhow::Result<std::fs::File> {
    let file = lock_file(path)?;
    file.try_lock().with_context(|| format!("somebody else is changing {}; try again later", path.display()))?;
    Ok(file)
}

fn lock_file(path: &Path) -> anyhow::Result<std::fs::File> {
    let beside = path.with_extension("lock");
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("opening {}", beside.display()))
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn seals(folder: &Path) -> Seals {
        make_first(&folder.join(FILE)).expect("made");
        Seals::read(folder.join(FILE)).expect("read")
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seals = seals(folder.path());

        let sealed = seals.seal("credential/1/secret", b"canary").expect("sealed");
        let again = seals.seal("credential/1/secret", b"canary").expect("sealed");

        assert_eq!(seals.open("credential/1/secret", &sealed).expect("opened").as_slice(), b"canary");
        assert!(seals.open("credential/2/secret", &sealed).is_err());
        assert_ne!(sealed, again);
        assert!(!sealed.contains("canary"));
    }

    #[test]
    fn a_change_to_any_part_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seals = seals(folder.path());
        let sealed = seals.seal("p", b"canary").expect("sealed");
        let other = seals.seal("p", b"other").expect("sealed");

        for at in MARK.len()..sealed.len() {
            let letter = if &sealed[at..=at] == "A" { "B" } else { "A" };
            let changed = [&sealed[..at], letter, &sealed[at + 1..]].concat();
            // The last letters of base64 may hold bits that mean nothing; the decoder refuses those.
            assert!(seals.open("p", &changed).is_err(), "{at}");
        }
        let (one, two) = (Parts::of(&sealed).expect("whole"), Parts::of(&other).expect("whole"));
        let mixed = format!("{MARK}{}.{}.{}", one.key, one.wrapped, two.content);
        assert!(seals.open("p", &mixed).is_err());
        assert!(seals.open("p", "").is_err());
        assert!(seals.open("p", &sealed[..sealed.len() - 8]).is_err());
    }

    #[test]
    fn the_master_key_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = seals(folder.path());
        let path = folder.path().join(FILE);

        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("changed");
        let refused = Seals::read(path.clone()).expect_err("it is refused").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        assert!(!format!("{first:?}").contains(first.keys().expect("held")[0].secret.as_str()));
    }

    #[test]
    fn sealed_values_within_a_text_are_wrapped_anew_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seals = seals(folder.path());
        let sealed = [seals.seal("a", b"one").expect("sealed"), seals.seal("b", b"two").expect("sealed")];
        let forged = format!("sealed.1.{}.AAAA.BBBB", seals.keys().expect("read")[0].id);
        let text = format!(r#"{{"x": "{}", "y": ["sealed.1.", "ü {}", "{forged}"]}}"#, sealed[0], sealed[1]);
        let mut keys = seals.keys().expect("read");
        keys.insert(0, Key::random());

        let (new, count) = wrapped_text(&text, &keys).expect("wrapped");
        let again = wrapped_text(&new, &keys[..1]).expect("nothing is left to do");
        write(&folder.path().join(FILE), &keys[..1]).expect("written");

        assert_eq!((count, again.1), (2, 0));
        let value: serde_json::Value = serde_json::from_str(&new).expect("still JSON");
        assert_eq!(seals.open("a", value["x"].as_str().expect("text")).expect("opened").as_slice(), b"one");
        assert_eq!((&value["y"][0], &value["y"][2]), (&"sealed.1.".into(), &forged.as_str().into()));
        assert!(seals.open("a", &sealed[0]).is_err(), "the old key is gone");
    }

    #[test]
    fn a_server_that_runs_follows_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = seals(folder.path());
        let old = running.seal("p", b"canary").expect("sealed");
        let mut keys = running.keys().expect("read");
        keys.insert(0, Key::random());
        write(&folder.path().join(FILE), &keys).expect("written");

        let new = running.seal("p", b"canary").expect("sealed");

        assert_eq!(Parts::of(&new).expect("whole").key, keys[0].id);
        assert!(running.open("p", &old).is_ok() && running.open("p", &new).is_ok());
    }

    #[test]
    fn only_one_changes_the_file_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(FILE);

        let held = lock(&path).expect("free");

        assert!(lock(&path).is_err());
        drop(held);
        assert!(lock(&path).is_ok());
    }
}
