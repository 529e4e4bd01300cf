//! Whether the server and what it leans on are well.

use super::{config::TlsMode, db::sql, errors, state::State, tls};
use crate::{
    authentication::server::{Context, Reading, System},
    i18n::td_string,
};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::prelude::LeptosOptions;
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use utoipa::{OpenApi, ToSchema};

/// How long the database may take to count as there.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the answer of Ansible is kept: asking starts a program that takes its second.
const ANSIBLE_KEPT: Duration = Duration::from_secs(60);

/// How long Ansible may take to answer.
const ANSIBLE_PATIENCE: Duration = Duration::from_secs(10);

const WHY: System = System::because("see whether the database answers");

/// Whether somebody is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// True while requests can be answered.
    pub ok: bool,
}

/// What the server leans on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// This program.
    pub version: String,
    /// The database.
    pub database: DatabaseStatus,
    /// The Docker engines.
    #[schema(value_type = Vec<Object>)]
    pub engines: Vec<serde_json::Value>,
    /// Ansible.
    pub ansible: AnsibleStatus,
}

/// How the database is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseStatus {
    /// Whether it answers.
    pub is_up: bool,
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// Its version.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size: Option<i64>,
}

/// Whether playbooks could be run. Neither a version nor a hint: it has not answered yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnsibleStatus {
    /// Whether it was found.
    pub is_up: bool,
    /// Its version.
    pub version: Option<String>,
    /// How to get it, while it is missing.
    pub hint: Option<String>,
    /// Whether it was asked and is not there.
    #[serde(skip)]
    pub is_missing: bool,
}

/// What is known of Ansible. Asking takes a second, so it is asked beside the requests and nobody waits.
#[derive(Clone, Debug, Default)]
pub struct Ansible(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    asked_at: Option<Instant>,
    status: AnsibleStatus,
}

impl Ansible {
    /// What is known now; when that is old, Ansible is asked again for the next who looks.
    pub fn look(&self) -> AnsibleStatus {
        let mut known = self.known();
        if known.asked_at.is_none_or(|at| at.elapsed() >= ANSIBLE_KEPT) {
            known.asked_at = Some(Instant::now());
            let this = self.clone();
            tokio::spawn(async move {
                let status = ask_ansible().await;
                this.known().status = status;
            });
        }
        known.status.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes of health.
pub fn routes() -> Router<LeptosOptions> {
    Router::new().route("/api/heartbeat", get(heartbeat)).route("/api/v1/status", get(show_status))
}

/// Tells whether the server and its database are there.
#[utoipa::path(
    get, path = "/api/heartbeat", tag = "status", security(()),
    responses(
        (status = 200, description = "All is well", body = Heartbeat),
        (status = 503, description = "The database is away", body = Heartbeat),
    )
)]
async fn heartbeat(context: Context) -> Response {
    let ok = database_answers(&context.state).await;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Heartbeat { ok })).into_response()
}

/// Tells how the database, the engines and Ansible are.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "status",
    responses((status = 200, description = "How everything is", body = Status), (status = 401, description = "Not signed in"))
)]
async fn show_status(context: Context) -> Response {
    // Everybody who is signed in may see it; the permit is asked all the same, so that a stranger cannot.
    match context.permit::<Reading>("status") {
        Ok(permit) => {
            let engines = crate::deployments::server::lists::engines(&permit);
            let engines = engines.iter().filter_map(|engine| serde_json::to_value(engine).ok()).collect();
            let mut status = status(&context.state, engines).await;
            let hint = || td_string!(context.locale, work.home.ansible_hint).to_owned();
            status.ansible.hint = status.ansible.is_missing.then(hint);
            Json(status).into_response()
        }
        Err(error) => errors::answer(&error, context.locale),
    }
}

/// How the database, the engines and Ansible are; the hint is for whoever knows the reader's language.
pub async fn status(state: &State, engines: Vec<serde_json::Value>) -> Status {
    let database = database(state).await;
    Status { version: env!("CARGO_PKG_VERSION").to_owned(), database, engines, ansible: state.ansible.look() }
}

async fn database_answers(state: &State) -> bool {
    let asked = state.db.row(&WHY, sql("select 1 as one"));
    matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(Some(_))))
}

async fn database(state: &State) -> DatabaseStatus {
    let postgres = state.db.is_postgres();
    let version = sql(if postgres {
        "select current_setting('server_version') as value"
    } else {
        "select sqlite_version() as value"
    });
    let size = sql(if postgres {
        "select pg_database_size(current_database()) as value"
    } else {
        "select page_count * page_size as value from pragma_page_count(), pragma_page_size()"
    });
    let asked = async {
        let version = state.db.row(&WHY, version).await?.map(|row| row.text("value")).transpose()?;
        let size = state.db.row(&WHY, size).await?.map(|row| row.int("value")).transpose()?;
        anyhow::Ok((version, size))
    };
    let (is_up, version, size) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((version, size))) => (true, version, size),
        Ok(Err(error)) => {
            tracing::warn!("asking the database how it is: {error:#}");
            (false, None, None)
        }
        Err(_) => (false, None, None),
    };
    DatabaseStatus { is_up, kind: if postgres { "postgres" } else { "sqlite" }.to_owned(), version, size }
}

async fn ask_ansible() -> AnsibleStatus {
    let asked = tokio::process::Command::new("ansible-playbook").arg("--version").kill_on_drop(true).output();
    let version = match tokio::time::timeout(ANSIBLE_PATIENCE, asked).await {
        Ok(Ok(output)) if output.status.success() => ansible_version(&String::from_utf8_lossy(&output.stdout)),
        _ => None,
    };
    AnsibleStatus { is_up: version.is_some(), is_missing: version.is_none(), version, hint: None }
}

/// Reads the version from the first line: `ansible-playbook [core 2.19.14]`.
fn ansible_version(output: &str) -> Option<String> {
    let first = output.lines().next()?;
    let inside = first.split_once('[').map_or(first, |(_, rest)| rest).trim_end_matches(']');
    inside.split_whitespace().last().map(str::to_owned)
}

/// Asks a running server's heartbeat over HTTP, for `muelle healthcheck`.
///
/// # Errors
/// A sentence when nobody answers, or the answer is not a good one.
pub async fn ask(config: &super::config::Config) -> anyhow::Result<()> {
    use anyhow::{Context as _, ensure};

    let mut address = config.server.address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let asked = async {
        let stream = TcpStream::connect(address).await?;
        match config.tls.mode {
            TlsMode::Off => ask_heartbeat(stream, &address.to_string()).await,
            TlsMode::SelfSigned | TlsMode::Files => {
                ask_heartbeat(tls::connect_here(stream, address.ip()).await?, &address.to_string()).await
            }
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .with_context(|| format!("{address} did not answer within 5 seconds"))?
        .with_context(|| format!("asking {address}"))?;
    ensure!(status == "200", "the server at {address} answered {status}");
    Ok(())
}

/// The status of the heartbeat's answer, as it stands on the wire.
async fn ask_heartbeat(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> anyhow::Result<String> {
    let request = format!("GET /api/heartbeat HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut line = Vec::new();
    // The first line is enough, and some end TLS without saying so.
    while !line.contains(&b'\n') && line.len() < 4096 && stream.read_buf(&mut line).await? > 0 {}
    let line = String::from_utf8_lossy(&line);
    Ok(line.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(heartbeat, show_status), components(schemas(Heartbeat, Status, DatabaseStatus, AnsibleStatus)))]
struct Description;

/// The description of these routes, to be merged into the whole.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

#[cfg(test)]
mod tests {
    use super::ansible_version;

    #[test]
    fn the_version_of_ansible_stands_in_its_first_line() {
        assert_eq!(
            ansible_version("ansible-playbook [core 2.19.14]\n  config file = None"),
            Some("2.19.14".to_owned())
        );
        assert_eq!(ansible_version("ansible-playbook 2.9.27"), Some("2.9.27".to_owned()));
    }
}
