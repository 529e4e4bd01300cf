//! Logins at registries: tried when they are kept, opened for pulls.

use super::fault::Fault;
use crate::{
    authentication::server::{Operating, Permit, Proof as _},
    error::{Error, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::{db::Row, state::State},
    provisioning::server::seal,
    storage::{
        Registry,
        item::{Item as _, Kind, server::sql},
        registry::DOCKER_HUB,
    },
};
use anyhow::Context as _;
use bollard::auth::DockerCredentials;
use sea_query::{Expr, ExprTrait as _, Query as Build};
use serde_json::json;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an engine may take to sign in: it looks whether the registry is there, and asks then, with 15 s for each.
const LOGIN_DEADLINE: Duration = Duration::from_secs(45);

/// Where Docker Hub signs in.
const DOCKER_HUB_LOGIN: &str = "https://index.docker.io/v1/";

const KIND: &Kind = &Registry::KIND;

/// Who Muelle is at a registry.
pub struct Login {
    /// The registry's address.
    pub registry: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Zeroizing<String>,
}

impl Login {
    /// As the engine takes it beside a pull.
    pub fn for_engine(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.username.clone()),
            password: Some(self.password.to_string()),
            serveraddress: Some(server(&self.registry).to_owned()),
            ..DockerCredentials::default()
        }
    }
}

/// Where an engine signs in for the images of a registry.
fn server(registry: &str) -> &str {
    if registry == DOCKER_HUB { DOCKER_HUB_LOGIN } else { registry }
}

/// What a registry's password is sealed for.
pub fn purpose(id: Id<Registry>) -> String {
    format!("registry/{id}/password")
}

/// Lets an engine sign in, as it would for a pull. With no engine to ask nothing is tried.
///
/// # Errors
/// [`Error::Invalid`] at `password` when the registry refuses, at `address` when it cannot be reached.
pub async fn try_login(state: &State, locale: Locale, address: &str, username: &str, password: &str) -> Result<()> {
    let Some(engine) = state.engines.all().find(|engine| engine.view().trouble.is_none()) else { return Ok(()) };
    let Ok(wire) = engine.wire() else { return Ok(()) };
    let body = json!({ "username": username, "password": password, "serveraddress": server(address) });
    let said = engine.wait(LOGIN_DEADLINE, wire.post(&engine.path("/auth"), &body, LOGIN_DEADLINE)).await;
    match said {
        Err(Fault::Said { message, .. }) if is_of_a_login(&message, address) => {
            let (address, username) = (address.to_owned(), username.to_owned());
            let problem = td_string!(
                locale,
                records.registry.problem.refused,
                address = address,
                username = username,
                message = message
            );
            Err(Error::invalid("password", problem))
        }
        Err(Fault::Said { message, .. }) => {
            let problem = td_string!(locale, records.registry.problem.unreachable, message = message);
            Err(Error::invalid("address", problem))
        }
        Err(fault) => {
            tracing::info!("the login at {address} is kept untried: {fault}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// The login at a registry that the permit's customer keeps; the platform's own for the platform's people.
///
/// # Errors
/// [`Error::Conflict`] when its password cannot be opened.
pub async fn login(permit: &Permit<Operating>, registry: &str) -> Result<Option<Login>> {
    let state = &permit.context().state;
    let owner = Expr::col("customer");
    let is_own = match permit.scope().customer() {
        Some(customer) => owner.eq(customer.to_string()),
        None => owner.is_null(),
    };
    let mut select = Build::select();
    select
        .columns(["id", "username", "password"])
        .from(KIND.plural)
        .cond_where(sql::reach(KIND, permit))
        .cond_where(sql::alive(false))
        .and_where(is_own)
        .and_where(Expr::col("enabled").eq(true))
        .and_where(Expr::col("address").eq(registry));
    let Some(row) = state.db.row(permit, select).await? else { return Ok(None) };
    let login = open(state, registry, &row).map_err(|error| {
        tracing::error!("the password for {registry} cannot be opened: {error:#}");
        let registry = registry.to_owned();
        Error::conflict(td_string!(permit.locale(), deployments.engine.login_sealed, registry = registry))
    })?;
    Ok(Some(login))
}

fn open(state: &State, registry: &str, row: &Row) -> anyhow::Result<Login> {
    let id = row.text("id")?.parse().context("reading an id")?;
    let password = seal::open_text(state, &purpose(id), &row.text("password")?)?;
    Ok(Login { registry: registry.to_owned(), username: row.text("username")?, password })
}

/// What was said to the pull of an image, and what to do where its registry wants another login.
pub fn with_advice(said: String, image: &str, registry: Option<&str>, login: Option<&Login>, locale: Locale) -> String {
    let Some(registry) = registry.filter(|_| is_of_a_login(&said, image)).map(str::to_owned) else { return said };
    let advice = match login {
        None => td_string!(locale, deployments.engine.needs_login, registry = registry),
        Some(login) => {
            let username = login.username.clone();
            td_string!(locale, deployments.engine.login_refused, registry = registry, username = username)
        }
    };
    format!("{}. {advice}", said.trim_end_matches('.'))
}

/// Whether words are about who asks; what was asked for may stand in them. Engines pass a registry's words on with
/// many statuses, 500 among them.
fn is_of_a_login(said: &str, asked: &str) -> bool {
    const REFUSALS: [&str; 7] = [
        "401 unauthorized",
        "403 forbidden",
        "unauthorized:",
        "denied:",
        "pull access denied",
        "no basic auth credentials",
        "incorrect username",
    ];
    // As a word of its own: "auth" stands in "unauthorized" too.
    let said = said.replace(&format!(" {asked}"), "").to_lowercase();
    REFUSALS.iter().any(|refusal| said.contains(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_words_about_a_login_alone() {
        let advised =
            |said: &str, image: &str| with_advice(said.to_owned(), image, Some("quay:5000"), None, Locale::en);

        for said in [
            "login attempt to http://quay:5000/v2/ failed with status: 401 Unauthorized",
            "Get \"http://quay:5000/v2/app/manifests/1\": no basic auth credentials",
            "pull access denied for app, repository does not exist or may require 'docker login'",
            "unauthorized: incorrect username or password",
            "unexpected status code 403 Forbidden",
        ] {
            let advice = "If the name is right, quay:5000 wants a login. Keep its user and password under Registries.";
            assert_eq!(advised(said, "quay:5000/app"), format!("{said}. {advice}"));
        }
        let short = advised("unauthorized: access to the requested resource is not authorized", "auth");
        assert!(short.contains("wants a login"), "{short}");
        for (said, image) in [
            ("manifest for quay:5000/denied:2 not found: manifest unknown", "quay:5000/denied:2"),
            ("dial tcp: lookup credentials.example.org: no such host", "credentials.example.org/app"),
            ("proxyconnect tcp: Proxy Authentication Required", "quay:5000/app"),
        ] {
            assert_eq!(advised(said, image), said);
        }
    }
}
