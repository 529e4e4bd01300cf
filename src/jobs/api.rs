//! What the browser may call about jobs.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::model::{Job, JobState, Line, LineSearch};
use crate::{error::Result, id::Id, json::Json, storage::Customer};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::server;
#[cfg(feature = "ssr")]
use crate::authentication::server::{Context, Reading, context::permit};

/// Which jobs are wanted, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobQuery {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only this kind (`image.pull`) or family of kinds (`image`).
    pub kind: Option<String>,
    /// Only those the person asked for.
    pub mine: bool,
    /// Only those whose title has this text.
    pub search: Option<String>,
    /// Only this customer's; counts among those in reach.
    pub customer: Option<Id<Customer>>,
    /// `created`, `title`, `state`, `kind` or `person`, with a minus for greatest first; newest first when empty.
    pub sort: String,
    /// Only those behind this one in that order: where the last page ended.
    pub before: Option<Id<Job>>,
    /// Jobs in a page, at most 200.
    pub per_page: u32,
}

/// A page of jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs, in the order that was asked for.
    pub items: Vec<Job>,
    /// What [`JobQuery::before`] is for the next page; `None` when this is the last.
    pub next: Option<Id<Job>>,
}

/// A page of the jobs in reach.
#[server(prefix = "/api/fn", endpoint = "list_jobs", input = Json, output = Json)]
pub async fn list_jobs(query: JobQuery) -> Result<JobPage> {
    let permit = permit::<Reading>("job")?;
    server::store::list(&permit.context().state, &permit, &query).await
}

/// The jobs that wait or run, oldest first.
#[server(prefix = "/api/fn", endpoint = "running_jobs", input = Json, output = Json)]
pub async fn running_jobs() -> Result<Vec<Job>> {
    let permit = permit::<Reading>("job")?;
    server::store::running(&permit.context().state, &permit).await
}

/// One job.
#[server(prefix = "/api/fn", endpoint = "get_job", input = Json, output = Json)]
pub async fn get_job(id: Id<Job>) -> Result<Job> {
    let permit = permit::<Reading>("job")?;
    server::store::job(&permit.context().state, &permit, id).await
}

/// Lines of a job's output after the sequence `after`, at most `limit` and 1000.
#[server(prefix = "/api/fn", endpoint = "job_lines", input = Json, output = Json)]
pub async fn job_lines(id: Id<Job>, after: i64, limit: u32) -> Result<Vec<Line>> {
    let permit = permit::<Reading>("job")?;
    let state = &permit.context().state;
    server::store::job(state, &permit, id).await?;
    server::store::lines(state, &permit, id, after, limit).await
}

/// The lines of a job's output that hold the words, whatever the case of their letters.
#[server(prefix = "/api/fn", endpoint = "search_job", input = Json, output = Json)]
pub async fn search_job(id: Id<Job>, words: String) -> Result<LineSearch> {
    let permit = permit::<Reading>("job")?;
    let state = &permit.context().state;
    server::store::job(state, &permit, id).await?;
    server::store::search(state, &permit, id, &words).await
}

/// Asks to end a job: at once when it waits, as soon as its work allows when it runs.
#[server(prefix = "/api/fn", endpoint = "cancel_job", input = Json, output = Json)]
pub async fn cancel_job(id: Id<Job>) -> Result<Job> {
    let context = Context::current()?;
    server::cancel(&context, id).await
}
