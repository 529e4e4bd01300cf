//! Credentials: keys and passwords that runs use, written and never read back.

use super::item::{Check, Choice, Field, Item, Kind, Shape, check};
use crate::{
    i18n::{Locale, td_string},
    text,
};
use serde::{Deserialize, Serialize};

/// What a credential is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// The password of a vault.
    VaultPassword,
    /// The password to become another user with.
    BecomePassword,
    /// The password to sign in with over SSH.
    SshPassword,
    /// The private key to sign in with over SSH.
    #[default]
    SshKey,
}

impl CredentialKind {
    /// Its value in the API and the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VaultPassword => "vault_password",
            Self::BecomePassword => "become_password",
            Self::SshPassword => "ssh_password",
            Self::SshKey => "ssh_key",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::VaultPassword, Self::BecomePassword, Self::SshPassword, Self::SshKey]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What stands in place of a private key that the server shall make.
pub const NEW_KEY: &str = "generate:ed25519";

/// Bytes of a secret, at most: a private key of 16,384 bits has some 12 KiB.
const LONGEST_SECRET: usize = 32 << 10;

/// One key or password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its name, unique within the customer.
    pub name: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: CredentialKind,
    /// The user to sign in as; the machine's own when absent.
    pub username: Option<String>,
    /// A private key in OpenSSH's format, [`NEW_KEY`], or a password; written and never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What opens the private key that comes with it. It is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// The public part of the key, as a line of `authorized_keys`.
    #[serde(default)]
    pub public_key: Option<String>,
    /// The SHA-256 of the public part, as OpenSSH shows it.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The name by which encrypted files ask for this password; `default` when absent.
    pub vault_label: Option<String>,
}

impl Item for Credential {
    const KIND: Kind =
        Kind::new("credential", "credentials", text!(secrets.one), text!(secrets.many), text!(secrets.empty))
            .per_customer()
            .fields(&[
                Field::line("name", text!(secrets.name)).required().unique().searched().listed(),
                Field::choice(
                    "type",
                    text!(secrets.kind.label),
                    &[
                        Choice { value: "vault_password", label: text!(secrets.kind.vault_password) },
                        Choice { value: "become_password", label: text!(secrets.kind.become_password) },
                        Choice { value: "ssh_password", label: text!(secrets.kind.ssh_password) },
                        Choice { value: "ssh_key", label: text!(secrets.kind.ssh_key) },
                    ],
                )
                .required()
                .listed(),
                Field::line("username", text!(secrets.username))
                    .hint(text!(secrets.username_hint))
                    .when("type", &["ssh_key", "ssh_password"])
                    .searched()
                    .listed(),
                Field::shaped("secret", text!(secrets.secret), Shape::Secret)
                    .hint(text!(secrets.secret_hint))
                    .required(),
                Field::shaped("passphrase", text!(secrets.passphrase), Shape::Secret)
                    .hint(text!(secrets.passphrase_hint))
                    .when("type", &["ssh_key"]),
                Field::shaped("public_key", text!(secrets.public_key), Shape::Line { max: LONGEST_SECRET })
                    .when("type", &["ssh_key"])
                    .read_only(),
                Field::line("fingerprint", text!(secrets.fingerprint))
                    .when("type", &["ssh_key"])
                    .read_only()
                    .searched()
                    .listed(),
                Field::line("vault_label", text!(secrets.vault_label))
                    .hint(text!(secrets.vault_label_hint))
                    .when("type", &["vault_password"])
                    .searched(),
            ]);

    fn check(&mut self, check: &mut Check) {
        let locale = check.locale;
        if self.username.as_deref().is_some_and(|user| !check::is_user_name(user)) {
            check.problem("username", td_string!(locale, errors.field.user));
        }
        if self.vault_label.as_deref().is_some_and(|label| !is_label(label)) {
            check.problem("vault_label", td_string!(locale, secrets.problem.label));
        }
        if let Some(problem) = self.secret.as_deref().and_then(|secret| secret_problem(self.kind, secret, locale)) {
            check.problem("secret", problem);
        }
        if self.passphrase.is_some() && self.secret.is_none() && !check.is_new {
            check.problem("passphrase", td_string!(locale, secrets.problem.lone_passphrase));
        }
    }
}

/// Whether it can name a vault: it stands in `--vault-id LABEL@…` and in the first line of encrypted files.
fn is_label(label: &str) -> bool {
    label.len() <= 64
        && !label.starts_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// What can be said against a secret without opening it, as a sentence.
fn secret_problem(kind: CredentialKind, secret: &str, locale: Locale) -> Option<String> {
    if secret.len() > LONGEST_SECRET {
        return Some(td_string!(locale, errors.field.too_long, max = LONGEST_SECRET.to_string()));
    }
    if kind != CredentialKind::SshKey {
        return secret.chars().any(char::is_control).then(|| td_string!(locale, secrets.problem.one_line).to_owned());
    }
    let text = secret.trim();
    let first = text.lines().next().unwrap_or_default().trim_end();
    let problem = match first {
        _ if text == NEW_KEY => return None,
        "-----BEGIN OPENSSH PRIVATE KEY-----" if text.ends_with("-----END OPENSSH PRIVATE KEY-----") => return None,
        "-----BEGIN OPENSSH PRIVATE KEY-----" => td_string!(locale, secrets.problem.cut),
        "-----BEGIN RSA PRIVATE KEY-----"
        | "-----BEGIN EC PRIVATE KEY-----"
        | "-----BEGIN DSA PRIVATE KEY-----"
        | "-----BEGIN PRIVATE KEY-----"
        | "-----BEGIN ENCRYPTED PRIVATE KEY-----" => td_string!(locale, secrets.problem.pem),
        _ if first.starts_with("PuTTY-User-Key-File") => td_string!(locale, secrets.problem.putty),
        _ if ["ssh-", "ecdsa-", "sk-"].iter().any(|start| first.starts_with(start)) => {
            td_string!(locale, secrets.problem.public)
        }
        _ => td_string!(locale, secrets.problem.no_key),
    };
    Some(problem.to_owned())
}

/// How keys are read and made, and how secrets are sealed on their way into the store.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use super::{Credential, CredentialKind, NEW_KEY};
    use crate::{
        error::{Error, Result},
        i18n::{Locale, td_string},
        provisioning::server::{credentials, seal},
        storage::item::{
            Item as _,
            server::{
                hooks::{Hooks, Preparing, Removing, Saving},
                store,
            },
        },
    };
    use anyhow::Context as _;
    use serde_json::Value;
    use ssh_key::{
        HashAlg, Kdf, LineEnding, PrivateKey,
        private::{Ed25519Keypair, KeypairData},
    };
    use zeroize::Zeroizing;

    /// A key is read or made before the transaction, the secret is sealed within it, and what schedules use stays.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing| Box::pin(prepare(preparing)),
        save: |saving| Box::pin(save(saving)),
        remove: |removing| Box::pin(remove(removing)),
        ..Hooks::NONE
    };

    /// Bits of the shortest RSA key that is taken; OpenSSH 9 refuses shorter ones in more and more places.
    const LEAST_RSA_BITS: usize = 2048;

    /// Rounds of bcrypt that are spent on a passphrase, at most: `ssh-keygen` makes keys with 16 or 24.
    const MOST_ROUNDS: u32 = 128;

    async fn prepare(preparing: Preparing<'_>) -> Result<()> {
        let locale = preparing.proof.locale();
        let fields = preparing.fields;
        let mut take = |name: &str| match fields.shift_remove(name) {
            Some(Value::String(text)) => Some(Zeroizing::new(text)),
            _ => None,
        };
        let (passphrase, secret) = (take("passphrase"), take("secret"));
        let Some(secret) = secret else { return Ok(()) };
        let is_key = fields.get("type").and_then(Value::as_str) == Some(CredentialKind::SshKey.name());
        if !is_key {
            fields.insert("secret".to_owned(), secret.as_str().into());
            return Ok(());
        }
        let key = if secret.trim() == NEW_KEY {
            new_key(fields.get("name").and_then(Value::as_str).unwrap_or_default())
        } else {
            // Trying a passphrase takes its time, on purpose.
            tokio::task::spawn_blocking(move || read_key(&secret, passphrase.as_deref().map(String::as_str), locale))
                .await
                .context("reading a private key")??
        };
        let private = key.to_openssh(LineEnding::LF).context("writing a private key")?;
        fields.insert("secret".to_owned(), private.as_str().into());
        fields.insert("public_key".to_owned(), public_line(&key)?.into());
        fields.insert("fingerprint".to_owned(), key.fingerprint(HashAlg::Sha256).to_string().into());
        Ok(())
    }

    async fn save(saving: Saving<'_>) -> Result<()> {
        let Saving { state, proof, before, after, .. } = saving;
        if let Some(before) = before
            && before.item.get("type") != after.item.get("type")
        {
            if !after.item.get("secret").is_some_and(Value::is_string) {
                return Err(Error::invalid("secret", td_string!(proof.locale(), secrets.problem.other_type)));
            }
            if after.item.get("type").and_then(Value::as_str) != Some(CredentialKind::SshKey.name()) {
                for derived in ["public_key", "fingerprint"] {
                    after.item.insert(derived.to_owned(), Value::Null);
                }
            }
        }
        let purpose = credentials::purpose(after.base.id.cast());
        Ok(seal::seal_field(state, &purpose, after.item.get_mut("secret")).context("sealing a credential")?)
    }

    async fn remove(removing: Removing<'_>) -> Result<()> {
        let Removing { proof, transaction, record, .. } = removing;
        let kind = const { &Credential::KIND };
        let uses = store::uses_within(transaction, kind, record.base.id).await?;
        if uses.is_empty() {
            return Ok(());
        }
        let locale = proof.locale();
        let list: Vec<String> = uses.iter().map(|used| format!("{} {}", (used.kind.one)(locale), used.name)).collect();
        Err(Error::conflict(td_string!(locale, errors.record.used, list = list.join(", "))))
    }

    fn new_key(name: &str) -> PrivateKey {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).expect("the operating system gives random bytes");
        let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        key.set_comment(format!("muelle-{}", name.split_whitespace().collect::<Vec<_>>().join("-")));
        key
    }

    /// The key without its passphrase.
    fn read_key(text: &str, passphrase: Option<&str>, locale: Locale) -> Result<PrivateKey> {
        let at_secret = |message: &str| Error::invalid("secret", message.to_owned());
        let lines = text.trim().lines().map(str::trim_end).map(|line| format!("{line}\n"));
        let text = Zeroizing::new(lines.collect::<String>());
        let mut key = PrivateKey::from_openssh(text.as_bytes()).map_err(|error| {
            // The error names what is wrong with the format and quotes nothing.
            at_secret(&td_string!(locale, secrets.problem.broken, message = error.to_string()))
        })?;
        if key.is_encrypted() {
            let Some(passphrase) = passphrase else {
                return Err(Error::invalid("passphrase", td_string!(locale, secrets.problem.needs_passphrase)));
            };
            if matches!(key.kdf(), Kdf::Bcrypt { rounds, .. } if *rounds > MOST_ROUNDS) {
                return Err(at_secret(&td_string!(locale, secrets.problem.rounds, max = MOST_ROUNDS.to_string())));
            }
            key = key
                .decrypt(passphrase)
                .map_err(|_| Error::invalid("passphrase", td_string!(locale, secrets.problem.passphrase)))?;
        }
        match key.key_data() {
            KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => {}
            KeypairData::Rsa(pair) => {
                let bits = pair.public.n.as_positive_bytes().map_or(0, |bytes| bytes.len() * 8);
                if bits < LEAST_RSA_BITS {
                    return Err(at_secret(&td_string!(
                        locale,
                        secrets.problem.short,
                        min = LEAST_RSA_BITS.to_string()
                    )));
                }
            }
            _ => return Err(at_secret(td_string!(locale, secrets.problem.algorithm))),
        }
        if key.comment().chars().any(char::is_control) {
            key.set_comment("");
        }
        Ok(key)
    }

    fn public_line(key: &PrivateKey) -> anyhow::Result<String> {
        let line = key.public_key().to_openssh().context("writing a public key")?;
        Ok(line.trim().to_owned())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Made for this test by `ssh-keygen -t ed25519 -a 1 -N secret -C test`.
        const ENCRYPTED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCANonMQJ
TVYPmIChwDKagpAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAwlKPzDa+t2pfKt
sVn/F0oZjM3uqutS12Z/mPXiaxJeAAAAkBu0W8lCrKzuPc3CngCxsMcV1gpoWt+9bwcDqa
ROLXeh5Pjrg9QQeLfdP9BmkLSTKpRcQdoZaTAk1JfoPF35lDx1vK9IMpTFay9dIslAb+wO
zIIiFFjVI/iImGmLmXV3fezAVKGcpoX1cOydjSEFRF/ccCFDb5RknOGpSsvH3zCplxfWcw
otyIYMK+N/4LbtDQ==
-----END OPENSSH PRIVATE KEY-----";

        fn field_of(read: Result<PrivateKey>) -> String {
            read.expect_err("it is refused").problems()[0].field.clone()
        }

        #[test]
        fn a_key_is_read_with_its_passphrase_alone_and_whatever_its_line_ends() {
            let pasted = format!("\r\n{}\r\n", ENCRYPTED.replace('\n', "\r\n"));

            let key = read_key(&pasted, Some("secret"), Locale::en).expect("it opens");

            assert!(!key.is_encrypted());
            let line = public_line(&key).expect("a line");
            assert!(
                line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAwlKPzDa") && line.ends_with(" test"),
                "{line}"
            );
            assert_eq!(field_of(read_key(ENCRYPTED, Some("wrong"), Locale::en)), "passphrase");
            assert_eq!(field_of(read_key(ENCRYPTED, None, Locale::en)), "passphrase");
            assert_eq!(field_of(read_key(&ENCRYPTED.replace("b3Blbn", "c3Blbn"), None, Locale::en)), "secret");
        }

        #[test]
        fn a_new_key_is_named_after_its_credential_and_never_made_twice() {
            let (one, two) = (new_key("web servers"), new_key("web servers"));

            assert_ne!(one.public_key(), two.public_key());
            assert_eq!(one.comment(), "muelle-web-servers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: CredentialKind, secret: &str) -> Option<String> {
        secret_problem(kind, secret, Locale::en)
    }

    #[test]
    fn what_is_pasted_in_place_of_a_key_is_told_apart() {
        for (secret, words) in [
            ("-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----", "ssh-keygen -p"),
            ("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", "ssh-keygen -p"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "cut off"),
            ("PuTTY-User-Key-File-3: ssh-ed25519", "puttygen"),
            ("ssh-ed25519 AAAA me@here", "public"),
            ("hunter2", "no private key"),
        ] {
            let said = problem(CredentialKind::SshKey, secret).expect("it is refused");
            assert!(said.contains(words), "{secret}: {said}");
        }
        assert_eq!(problem(CredentialKind::SshKey, NEW_KEY), None);
    }

    #[test]
    fn a_password_is_one_line_of_bounded_length() {
        for kind in [CredentialKind::SshPassword, CredentialKind::BecomePassword, CredentialKind::VaultPassword] {
            assert_eq!(problem(kind, "correct horse"), None);
            assert!(problem(kind, "two\nlines").is_some());
            assert!(problem(kind, &"x".repeat(LONGEST_SECRET + 1)).is_some());
        }
    }

    #[test]
    fn a_label_is_no_option_and_has_no_at_sign() {
        for good in ["prod", "a.b-c_1"] {
            assert!(is_label(good), "{good}");
        }
        for wrong in ["-x", "a@b", "a b", "á"] {
            assert!(!is_label(wrong), "{wrong}");
        }
    }

    #[test]
    fn every_kind_has_the_name_that_serde_gives_it() {
        for Choice { value, .. } in [Credential::KIND.field("type").expect("there is a type").shape]
            .iter()
            .flat_map(|shape| if let Shape::Choice(choices) = shape { *choices } else { &[] })
        {
            let kind = CredentialKind::named(value).expect("every choice is a kind");
            assert_eq!(serde_json::to_value(kind).expect("it can be written"), *value);
        }
    }
}
