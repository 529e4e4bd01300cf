//! What the browser may call about runs.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::model::{Difference, Preview, RunPage, RunQuery, RunRequest, RunView};
use crate::{error::Result, id::Id, jobs::model::Job, json::Json};
use leptos::prelude::server;
use serde_json::Value;

#[cfg(feature = "ssr")]
use super::server::{launch, store};
#[cfg(feature = "ssr")]
use crate::authentication::server::{Operating, Reading, context::permit};

/// What a request would do: the command line it stands for, the hosts it reaches, and what to know before.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) with every wrong value.
#[server(prefix = "/api/fn", endpoint = "preview_run", input = Json, output = Json)]
pub async fn preview_run(request: RunRequest) -> Result<Preview> {
    let permit = permit::<Operating>("run")?;
    launch::preview(&permit, &request).await
}

/// Queues a run and gives its id, which is its job's.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) with every wrong value, an empty target among them.
#[server(prefix = "/api/fn", endpoint = "start_run", input = Json, output = Json)]
pub async fn start_run(request: RunRequest) -> Result<Id<Job>> {
    let permit = permit::<Operating>("run")?;
    launch::start(&permit, request, None).await
}

/// Queues what a run did once more; with `failed_only` on the hosts that ended badly or did not end.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound); [`Error::Conflict`](crate::error::Error::Conflict) when it is under
/// way still, or no host ended badly; [`Error::Invalid`](crate::error::Error::Invalid) when a secret answer must be given anew.
#[server(prefix = "/api/fn", endpoint = "run_again", input = Json, output = Json)]
pub async fn run_again(id: Id<Job>, failed_only: bool) -> Result<Id<Job>> {
    let reading = permit::<Reading>("run")?;
    // What is out of reach stays unknown, also to those who may not run anything.
    store::run(&reading.context().state, &reading, id).await?;
    let permit = permit::<Operating>("run")?;
    launch::again(&permit, id, failed_only).await
}

/// A page of the runs in reach, newest first.
#[server(prefix = "/api/fn", endpoint = "list_runs", input = Json, output = Json)]
pub async fn list_runs(query: RunQuery) -> Result<RunPage> {
    let permit = permit::<Reading>("run")?;
    store::list(&permit.context().state, &permit, &query).await
}

/// One run with its tree.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "get_run", input = Json, output = Json)]
pub async fn get_run(id: Id<Job>) -> Result<RunView> {
    let permit = permit::<Reading>("run")?;
    store::view(&permit.context().state, &permit, id).await
}

/// The result that an event of a run holds, as Ansible gave it, secrets masked and cut where it was too long.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is none.
#[server(prefix = "/api/fn", endpoint = "run_result", input = Json, output = Json)]
pub async fn run_result(id: Id<Job>, sequence: i64) -> Result<Value> {
    let permit = permit::<Reading>("run")?;
    store::result(&permit.context().state, &permit, id, sequence).await
}

/// What differs between two runs, by task and host.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when one of them is not in reach.
#[server(prefix = "/api/fn", endpoint = "compare_runs", input = Json, output = Json)]
pub async fn compare_runs(before: Id<Job>, after: Id<Job>) -> Result<Vec<Difference>> {
    let permit = permit::<Reading>("run")?;
    store::compare(&permit.context().state, &permit, before, after).await
}
