//! Passwords: what they must be like, and argon2id within bounds.

use crate::{
    error::{Error, Result},
    i18n::{Locale, td_string},
};
use anyhow::{Context as _, anyhow};
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};
use tokio::sync::Semaphore;

/// The least number of characters.
pub const LENGTH_MIN: usize = 12;

/// The greatest number of characters: far above any sentence, far below what costs time.
pub const LENGTH_MAX: usize = 1024;

/// How many may wait for a free core before more are turned away.
const QUEUE: usize = 32;

/// Passwords that are tried first everywhere, in lower case, one a line.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().filter(|line| !line.is_empty()).collect());

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Rounds.
    pub rounds: u32,
}

impl Cost {
    /// What the server uses: 64 MiB and three rounds.
    pub const REAL: Self = Self { memory_kib: 64 << 10, rounds: 3 };

    /// The least that argon2 accepts; for tests of everything but hashing.
    pub const LEAST: Self = Self { memory_kib: 8, rounds: 1 };

    fn argon2(self) -> anyhow::Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.rounds, 1, None).map_err(|error| anyhow!("{error}"))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Hashes and verifies, as many at a time as there are cores.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: Cost,
    cores: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    /// Hashing at this cost.
    pub fn new(cost: Cost) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { cost, cores: Arc::new(Semaphore::new(cores)), waiting: Arc::new(Semaphore::new(cores + QUEUE)) }
    }

    /// The hash of a password, with its parameters and salt, as it is stored.
    ///
    /// # Errors
    /// [`Error::Unavailable`] in the reader's language when too many wait already.
    pub async fn hash(&self, password: &str, locale: Locale) -> Result<String> {
        let (password, cost) = (password.to_owned(), self.cost);
        self.run(locale, move || {
            let hash = cost.argon2()?.hash_password(password.as_bytes()).map_err(|error| anyhow!("{error}"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password fits the stored hash. Without a hash the same work is done and the answer is no.
    ///
    /// # Errors
    /// As [`Passwords::hash`].
    pub async fn verify(&self, password: &str, hash: Option<&str>, locale: Locale) -> Result<bool> {
        let (password, hash, cost) = (password.to_owned(), hash.map(str::to_owned), self.cost);
        self.run(locale, move || {
            let stand_in = stand_in(cost);
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(&stand_in)).map_err(|error| anyhow!("{error}"))?;
            let fits = cost.argon2()?.verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(fits && hash.is_some())
        })
        .await
    }

    /// Whether a stored hash costs less than a new one would.
    pub fn is_outdated(&self, hash: &str) -> bool {
        PasswordHash::new(hash)
            .ok()
            .and_then(|hash| Params::try_from(&hash).ok())
            .is_none_or(|params| params.m_cost() < self.cost.memory_kib || params.t_cost() < self.cost.rounds)
    }

    async fn run<T: Send + 'static>(
        &self,
        locale: Locale,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T> {
        let busy = || Error::unavailable("sign-in", td_string!(locale, access.busy));
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((core, place));
            done
        });
        Ok(done.await.context("hashing a password")??)
    }
}

/// A hash that nothing fits, at the same cost as a real one.
fn stand_in(cost: Cost) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        cost.memory_kib, cost.rounds
    )
}

/// What is wrong with a new password, as a sentence; `None` when it is good.
pub fn problem(password: &str, username: &str, locale: Locale) -> Option<&'static str> {
    let length = password.chars().count();
    if length < LENGTH_MIN {
        return Some(td_string!(locale, access.password_short));
    }
    if length > LENGTH_MAX {
        return Some(td_string!(locale, access.password_long));
    }
    let lower = password.to_lowercase();
    let mut kinds: Vec<char> = lower.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if COMMON.contains(lower.as_str()) || kinds.len() < 3 {
        return Some(td_string!(locale, access.password_common));
    }
    let username = username.trim().to_lowercase();
    if username.chars().count() > 3 && lower.contains(&username) && length < username.chars().count() + LENGTH_MIN {
        return Some(td_string!(locale, access.password_username));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_nothing_fits_nobody() {
        let passwords = Passwords::new(Cost::LEAST);

        let hash = passwords.hash("quay-wall-gull-42", Locale::en).await.expect("hashed");

        assert!(passwords.verify("quay-wall-gull-42", Some(&hash), Locale::en).await.expect("verified"));
        assert!(!passwords.verify("quay-wall-gull-43", Some(&hash), Locale::en).await.expect("verified"));
        assert!(!passwords.verify("quay-wall-gull-42", None, Locale::en).await.expect("verified"));
        assert!(!passwords.is_outdated(&hash));
        assert!(Passwords::new(Cost::REAL).is_outdated(&hash));
    }

    #[tokio::test]
    async fn who_finds_too_many_before_them_is_told_so_in_their_language() {
        let passwords = Passwords { waiting: Arc::new(Semaphore::new(0)), ..Passwords::new(Cost::LEAST) };

        let refused = passwords.hash("quay-wall-gull-42", Locale::es).await.expect_err("nobody may wait");

        assert!(refused.message(Locale::es).contains("Demasiadas personas"), "{refused:?}");
    }

    #[test]
    fn the_stand_in_can_be_read_at_every_cost() {
        for cost in [Cost::LEAST, Cost::REAL] {
            assert!(PasswordHash::new(&stand_in(cost)).is_ok());
        }
    }

    #[test]
    fn passwords_are_long_and_not_the_ones_that_are_tried_first() {
        assert!(COMMON.len() >= 3000, "{}", COMMON.len());
        for bad in
            ["short", "elevenchars", "Password1234", "123456789012", "aaaaaaaaaaaaaa", "QWERTYUIOP123", "abababababab"]
        {
            assert!(problem(bad, "lucia", Locale::en).is_some(), "{bad}");
        }
        assert!(problem("administrator1", "administrator", Locale::en).is_some());
        for good in ["quay-wall-gull-42", "el faro del puerto viejo", &"🦀🐚🌊".repeat(21), " leading and trailing "]
        {
            assert_eq!(problem(good, "lucia", Locale::en), None, "{good}");
        }
    }
}
