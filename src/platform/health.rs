//! Whether the server and what it leans on are well.

use super::{config::TlsMode, db::sql, errors, state::State, tls};
use crate::{
    authentication::server::{Context, Reading, System},
    i18n::td_string,
    provisioning::server::ansible::AnsibleStatus,
};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::prelude::LeptosOptions;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use utoipa::{OpenApi, ToSchema};

/// How long the database may take to count as there.
const PATIENCE: Duration = Duration::from_secs(3);

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
            let hint = || td_string!(context.locale, ansible.hint).to_owned();
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
