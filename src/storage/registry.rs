//! Registries: where images are pulled from with a user and a password.

use super::item::{Check, Field, Item, Kind, Shape, check::host_address};
use crate::{i18n::td_string, text};
use serde::{Deserialize, Serialize};

/// The registry of names without one, as `nginx`.
pub const DOCKER_HUB: &str = "docker.io";

/// Characters of a password, at most: some registries give tokens of some KiB.
const LONGEST: usize = 8 << 10;

/// One registry and who Muelle is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// Its address, as it begins the names of its images: `registry.example.org:5000`. Unique within the customer.
    pub address: String,
    /// The user.
    pub username: String,
    /// The password, or a token in its place; written and never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

impl Item for Registry {
    const KIND: Kind = Kind::new(
        "registry",
        "registries",
        text!(records.registry.one),
        text!(records.registry.many),
        text!(records.registry.empty),
    )
    .per_customer()
    .titled("address")
    .fields(&[
        Field::line("address", text!(records.registry.address))
            .hint(text!(records.registry.address_hint))
            .required()
            .unique()
            .searched()
            .listed(),
        Field::line("username", text!(records.registry.username)).required().searched().listed(),
        Field::shaped("password", text!(records.registry.password), Shape::Secret)
            .hint(text!(records.registry.password_hint))
            .required(),
        Field::line("description", text!(records.registry.description)).searched().listed(),
    ]);

    fn check(&mut self, check: &mut Check) {
        let locale = check.locale;
        match registry_address(&self.address) {
            Some(address) => self.address = address,
            None => check.problem("address", td_string!(locale, records.registry.problem.address)),
        }
        if self.password.as_deref().is_some_and(|password| password.chars().any(char::is_control)) {
            check.problem("password", td_string!(locale, secrets.problem.one_line));
        } else if self.password.as_deref().is_some_and(|password| password.chars().count() > LONGEST) {
            check.problem("password", td_string!(locale, errors.field.too_long, max = LONGEST.to_string()));
        }
    }
}

/// The address of a registry as it begins an image's name, in lower case; `None` for what cannot be one.
///
/// The many names of Docker's own are one. A name with neither dot nor port is a folder of it, but for `localhost`.
/// Source: `reference.ParseDockerRef` of `distribution/reference`.
pub fn registry_address(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        None => (text, None),
    };
    let host = host_address(host)?;
    match (host.as_str(), port) {
        ("index.docker.io" | "registry-1.docker.io" | "hub.docker.com" | DOCKER_HUB, None) => {
            Some(DOCKER_HUB.to_owned())
        }
        (_, Some(port)) => Some(format!("{host}:{port}")),
        (_, None) => (host.contains('.') || host == "localhost").then_some(host),
    }
}

/// How a registry is tried and its password sealed on the way into the store.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{
        deployments::server::registries,
        error::{Error, Result},
        i18n::td_string,
        provisioning::server::seal,
        storage::item::server::hooks::{Hooks, Preparing, Saving},
    };
    use anyhow::Context as _;
    use serde_json::Value;

    /// A new password is tried before the transaction and sealed within it.
    pub const HOOKS: Hooks = Hooks {
        prepare: |preparing| Box::pin(prepare(preparing)),
        save: |saving| Box::pin(save(saving)),
        ..Hooks::NONE
    };

    async fn prepare(Preparing { state, proof, fields, .. }: Preparing<'_>) -> Result<()> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        match (text("address"), text("username"), text("password")) {
            (Some(address), Some(username), Some(password)) => {
                registries::try_login(state, proof.locale(), address, username, password).await
            }
            _ => Ok(()),
        }
    }

    async fn save(saving: Saving<'_>) -> Result<()> {
        let Saving { state, proof, before, after, .. } = saving;
        let has_password = after.item.get("password").is_some_and(Value::is_string);
        // Otherwise whoever may write here would have the password sent wherever they like.
        let goes_elsewhere = |before: &crate::storage::item::RawRecord| {
            ["address", "username"].iter().any(|name| before.item.get(*name) != after.item.get(*name))
        };
        if !has_password && before.is_some_and(goes_elsewhere) {
            return Err(Error::invalid("password", td_string!(proof.locale(), records.registry.problem.elsewhere)));
        }
        let purpose = registries::purpose(after.base.id.cast());
        Ok(seal::seal_field(state, &purpose, after.item.get_mut("password"))
            .context("sealing a registry's password")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_images_begin_with() {
        for (given, address) in [
            ("Registry.Example.org", "registry.example.org"),
            (" https://registry.example.org:5000/ ", "registry.example.org:5000"),
            ("10.0.0.7", "10.0.0.7"),
            ("quay:5000", "quay:5000"),
            ("localhost", "localhost"),
            ("https://index.docker.io", DOCKER_HUB),
            ("hub.docker.com", DOCKER_HUB),
        ] {
            assert_eq!(registry_address(given).as_deref(), Some(address), "{given}");
        }
    }

    #[test]
    fn what_no_image_can_begin_with_is_no_address() {
        for given in [
            "",
            "quay",
            "-x.example.org",
            "a b.org",
            "quay:0",
            "quay:66000",
            "quay:",
            "registry.example.org/team",
            "user@registry.example.org",
            "2001:db8::1",
            "a..b",
        ] {
            assert_eq!(registry_address(given), None, "{given}");
        }
    }
}
