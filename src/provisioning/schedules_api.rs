//! What the browser may call about schedules, beside what every record has.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use crate::{
    error::Result,
    id::Id,
    jobs::model::Job,
    json::Json,
    provisioning::model::RunOptions,
    storage::{Schedule, item::calls::Begun},
    time::Timestamp,
};
use leptos::prelude::server;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::server::{cron, schedules};
#[cfg(feature = "ssr")]
use crate::authentication::server::{Context, Creating, Proof as _, Reading, context::permit};

/// What a rule means, and when it comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulePreview {
    /// A sentence in the reader's language.
    pub sentence: String,
    /// The zone by whose clock it goes, as it is spelled.
    pub time_zone: String,
    /// The next five times; fewer where there are no more.
    pub times: Vec<NextTime>,
    /// What the clocks do to it in the year ahead: plain sentences.
    pub notes: Vec<String>,
}

/// One time to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextTime {
    /// The moment.
    pub at: Timestamp,
    /// By the clock of the zone, in the reader's language: `Sunday, 29 March 2026, 03:00`.
    pub local: String,
    /// How far that clock is from UTC: `+02:00`.
    pub offset: String,
}

/// What a rule means in a time zone (the server's own when empty), and when it comes next.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `cron` and `time_zone`, naming the wrong part.
#[server(prefix = "/api/fn", endpoint = "preview_schedule", input = Json, output = Json)]
pub async fn preview_schedule(cron: String, time_zone: String) -> Result<SchedulePreview> {
    let permit = permit::<Reading>("schedule")?;
    cron::preview(&cron, &time_zone, Timestamp::now(), permit.locale()).map_err(schedules::wrong)
}

/// The options in a text that is being written.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `options`.
#[server(prefix = "/api/fn", endpoint = "read_run_options", input = Json, output = Json)]
pub async fn read_run_options(options: String) -> Result<RunOptions> {
    let permit = permit::<Reading>("schedule")?;
    schedules::read_options(&options, permit.locale())
}

/// Starts a schedule at once, with the rights of the person who asks; gives the run's id.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), and as [`start_run`](super::api::start_run).
#[server(prefix = "/api/fn", endpoint = "run_schedule", input = Json, output = Json)]
pub async fn run_schedule(id: Id<Schedule>) -> Result<Id<Job>> {
    let context = Context::current()?;
    schedules::run_now(&context, id, &schedules::launched).await
}

/// The values of a schedule that does again what a run did; secrets stay behind.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when the run is not in reach.
#[server(prefix = "/api/fn", endpoint = "schedule_of_run", input = Json, output = Json)]
pub async fn schedule_of_run(id: Id<Job>) -> Result<Begun> {
    let permit = permit::<Creating>("schedule")?;
    schedules::of_run(permit.context(), id).await
}
