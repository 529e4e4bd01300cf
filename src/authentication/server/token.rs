//! The signed envelope of a session: a JSON Web Token that carries a secret and decides nothing.
//!
//! What a person may do is read from the login's record on every request. The signature and the short
//! life of the envelope keep guesses and old copies away from the database.

use super::secret;
use crate::{authentication::server::secret::write_private, time::Timestamp};
use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant, SystemTime},
};

/// How long an envelope for the browser lives at most; it is renewed silently before.
pub const COOKIE_LIFE: Duration = Duration::from_secs(15 * 60);

/// The age from which a request gets a fresh envelope back.
pub const RENEW_AFTER: Duration = Duration::from_secs(5 * 60);

/// How far clocks of several servers may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long a signing key is the current one.
const KEY_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

const ISSUER: &str = "muelle";
const AUDIENCE: &str = "muelle";

/// Where an envelope may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    /// The browser's cookie.
    Cookie,
    /// The `Authorization` header of the API.
    Header,
}

/// What stands in an envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The login's id.
    pub sub: String,
    /// The session's secret; its hash is in the login's record.
    pub sid: String,
    /// Who it is for.
    pub aud: String,
    /// Who made it.
    pub iss: String,
    /// Where it may come from.
    pub typ: Bearer,
    /// When it was made, in seconds.
    pub iat: u64,
    /// From when on it counts.
    pub nbf: u64,
    /// When it ends.
    pub exp: u64,
}

/// One signing key.
#[derive(Clone, Serialize, Deserialize)]
struct Key {
    kid: String,
    secret: String,
    made_at: i64,
}

/// How often a server looks whether somebody has changed the keys.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The signing keys of the data folder: the current one and the one before it.
///
/// Whoever changes the file, such as `muelle keys rotate`, changes them for running servers within seconds.
pub struct Keys {
    path: PathBuf,
    held: RwLock<Held>,
}

struct Held {
    keys: Vec<Key>,
    file: Option<(SystemTime, u64)>,
    looked_at: Instant,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.held().keys.iter().map(|key| &key.kid)).finish()
    }
}

impl Keys {
    /// Reads the keys of the data folder; makes the first one, and a new one once a month.
    ///
    /// # Errors
    /// When the file can be read by other users of the machine, or cannot be read or written at all.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let keys = renewed(&path)?;
        let held = Held { keys, file: stamp(&path), looked_at: Instant::now() };
        Ok(Self { path, held: RwLock::new(held) })
    }

    /// Makes a new current key in the data folder; the one before it opens what it has signed until the next.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn rotate(folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FILE);
        add_key(&path, read(&path)?).map(drop)
    }

    /// Makes a new current key when the present one is a month old.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn renew(&self) -> anyhow::Result<()> {
        renewed(&self.path)?;
        self.look(Duration::ZERO);
        Ok(())
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_to_change(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again when it was changed, unless somebody has looked within `age`.
    fn look(&self, age: Duration) {
        if self.held().looked_at.elapsed() < age {
            return;
        }
        // Others go on with the keys that are held while the file is read.
        self.held_to_change().looked_at = Instant::now();
        let file = stamp(&self.path);
        if file.is_none() || file == self.held().file {
            return;
        }
        match read(&self.path) {
            Ok(keys) if !keys.is_empty() => {
                let mut held = self.held_to_change();
                (held.keys, held.file) = (keys, file);
            }
            Ok(_) => {}
            // Those that are held still serve; a file that is being mended is no reason to sign anybody out.
            Err(error) => tracing::warn!("the signing keys stay as they were: {error:#}"),
        }
    }

    /// Signs an envelope for a login's secret that lives `life`.
    pub fn seal(&self, login: &str, secret: &str, typ: Bearer, life: Duration) -> anyhow::Result<String> {
        let now = u64::try_from(Timestamp::now().seconds()).context("the clock stands before 1970")?;
        self.sign(&Claims {
            sub: login.to_owned(),
            sid: secret.to_owned(),
            aud: AUDIENCE.to_owned(),
            iss: ISSUER.to_owned(),
            typ,
            iat: now,
            nbf: now,
            exp: now + life.as_secs(),
        })
    }

    fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        self.look(LOOK_EVERY);
        let key = self.held().keys.first().cloned().context("there is no signing key")?;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.kid);
        let secret = BASE64.decode(&key.secret).context("reading a signing key")?;
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&secret)).context("signing a token")
    }

    fn secret_of(&self, kid: &str) -> Option<Vec<u8>> {
        let held = self.held();
        let key = held.keys.iter().find(|key| key.kid == kid)?;
        BASE64.decode(&key.secret).ok()
    }

    /// The claims of an envelope that is ours and whole; `None` for anything else.
    ///
    /// `late` is for how long after its end an envelope still opens: none for the API; for the browser
    /// the idle time, because nobody renews it while a person reads. The login's record decides then.
    pub fn open_envelope(&self, token: &str, typ: Bearer, late: Duration) -> Option<Claims> {
        // A longer one was not made here; nothing below is then worth its time.
        if token.len() > 1024 {
            return None;
        }
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        self.look(LOOK_EVERY);
        let secret = self.secret_of(&kid).or_else(|| {
            // Signed by a key that was made a moment ago, perhaps.
            self.look(Duration::from_secs(1));
            self.secret_of(&kid)
        })?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = (LEEWAY + late).as_secs();
        validation.validate_nbf = false;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        let claims: Claims = jsonwebtoken::decode(token, &DecodingKey::from_secret(&secret), &validation).ok()?.claims;
        let now = u64::try_from(Timestamp::now().seconds()).ok()?;
        // The leeway for lateness must not reach into the future as well, so both starts are checked here.
        let begun = claims.nbf <= now + LEEWAY.as_secs() && claims.iat <= now + LEEWAY.as_secs();
        let ordered = claims.iat <= claims.exp;
        (claims.typ == typ && begun && ordered).then_some(claims)
    }
}

/// The file of the keys, in the data folder.
const FILE: &str = "signing-keys.json";

/// The keys in a file; none when there is no file.
fn read(path: &Path) -> anyhow::Result<Vec<Key>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    refuse_shared(path)?;
    let keys: Vec<Key> =
        serde_json::from_str(&text).with_context(|| format!("reading the signing keys from {}", path.display()))?;
    ensure!(
        keys.iter().all(|key| BASE64.decode(&key.secret).is_ok_and(|secret| secret.len() >= 32)),
        "{} holds a key that is too short; remove the file and everybody signs in again",
        path.display()
    );
    Ok(keys)
}

/// The keys in a file, with a new current one where there is none or it is a month old.
fn renewed(path: &Path) -> anyhow::Result<Vec<Key>> {
    let keys = read(path)?;
    let is_current = |key: &Key| Timestamp::from_millis(key.made_at).age(Timestamp::now()) < KEY_LIFE;
    if keys.first().is_some_and(is_current) { Ok(keys) } else { add_key(path, keys) }
}

/// Writes a new current key before the others; the oldest goes.
fn add_key(path: &Path, mut keys: Vec<Key>) -> anyhow::Result<Vec<Key>> {
    keys.insert(0, Key { kid: secret::random(6), secret: secret::random(32), made_at: Timestamp::now().millis() });
    keys.truncate(2);
    write_private(path, serde_json::to_string_pretty(&keys)?.as_bytes())?;
    Ok(keys)
}

/// What tells one state of a file from another: it is always replaced whole.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.ino()))
}

/// Refuses a file of secrets that others on the machine can read.
fn refuse_shared(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = std::fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by other users of this machine; run: chmod 600 {}", path.display(), path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");

        let token =
            Keys::open(folder.path()).expect("made").seal("l", "s", Bearer::Cookie, COOKIE_LIFE).expect("signed");
        let again = Keys::open(folder.path()).expect("read");
        let path = folder.path().join("signing-keys.json");

        assert_eq!(again.open_envelope(&token, Bearer::Cookie, Duration::ZERO).map(|c| c.sid), Some("s".to_owned()));
        assert_eq!(again.open_envelope(&token, Bearer::Header, Duration::ZERO), None);
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
        assert!(Keys::open(folder.path()).is_err());
    }

    #[test]
    fn the_key_before_the_current_one_still_opens_what_it_signed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let old = Keys::open(folder.path()).expect("made");
        let token = old.seal("l", "s", Bearer::Cookie, COOKIE_LIFE).expect("signed");
        let mut aged = old.held().keys.clone();
        aged[0].made_at = 0;
        let path = folder.path().join("signing-keys.json");
        std::fs::write(&path, serde_json::to_string(&aged).expect("written")).expect("written");

        let new = Keys::open(folder.path()).expect("rotated");

        assert_eq!(new.held().keys.len(), 2);
        assert!(new.open_envelope(&token, Bearer::Cookie, Duration::ZERO).is_some());
    }

    #[test]
    fn a_key_made_by_command_serves_a_running_server_and_two_end_what_the_first_has_signed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = Keys::open(folder.path()).expect("made");
        let seal = || running.seal("l", "s", Bearer::Cookie, COOKIE_LIFE).expect("signed");
        let opens = |token: &str| running.open_envelope(token, Bearer::Cookie, Duration::ZERO).is_some();
        let first = seal();

        Keys::rotate(folder.path()).expect("rotated");
        running.look(Duration::ZERO);
        let second = seal();
        let both = (opens(&first), opens(&second));
        Keys::rotate(folder.path()).expect("rotated");
        running.look(Duration::ZERO);

        assert_eq!(both, (true, true));
        assert_eq!((opens(&first), opens(&second)), (false, true));
        let kid = |token: &str| jsonwebtoken::decode_header(token).expect("a header").kid;
        assert_ne!(kid(&first), kid(&second));
    }
}
