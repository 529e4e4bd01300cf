//! Carrying changes between the servers of one PostgreSQL database, by LISTEN and NOTIFY.

use super::bus::{Bus, JobNews, Relayed, Told};
use crate::{
    events::model::Event,
    id::Id,
    platform::{db::Db, state::State},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgPool, postgres::PgListener};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The channel of the database.
const CHANNEL: &str = "muelle";
/// How many changes may wait for the database.
const WAITING: usize = 4096;
/// The greatest payload in bytes; PostgreSQL refuses 8000 and more.
const LONGEST: usize = 7000;

/// One change on its way.
#[derive(Serialize, Deserialize)]
struct Message {
    /// The process that tells it; it has told its own listeners already.
    from: Id<Bus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<Id<crate::storage::Customer>>,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    passing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look: Option<Id<crate::jobs::model::Job>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<Id<crate::jobs::model::Job>>,
}

/// Joins this server's bus to those of the others, until the state stops. On SQLite there are no others.
pub fn start(state: &State) {
    let Db::Postgres(pool) = &state.db else {
        return;
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    state.bus.set_relay(sender);
    let me = Id::new();
    tokio::spawn(tell(pool.clone(), receiver, me, state.stopping.clone()));
    tokio::spawn(listen(pool.clone(), state.bus.clone(), me, state.stopping.clone()));
}

async fn tell(pool: PgPool, mut changes: mpsc::Receiver<Relayed>, from: Id<Bus>, stopping: CancellationToken) {
    while let Some(Some(change)) = stopping.run_until_cancelled(changes.recv()).await {
        let mut message =
            Message { from, event: None, customer: None, shared: false, passing: false, look: None, cancel: None };
        match change {
            Relayed::Told(told) => {
                (message.event, message.customer) = (Some(told.event), told.customer);
                (message.shared, message.passing) = (told.shared, told.passing);
            }
            Relayed::Look(job) => message.look = Some(job),
            Relayed::Cancel(job) => message.cancel = Some(job),
        }
        let mut payload = json!(message).to_string();
        if payload.len() > LONGEST
            && let Some(event) = &mut message.event
        {
            event.data = json!({});
            payload = json!(message).to_string();
        }
        let told = sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(&pool).await;
        if let Err(error) = told {
            tracing::warn!("a change could not be told to other servers: {error}");
        }
    }
}

async fn listen(pool: PgPool, bus: Bus, me: Id<Bus>, stopping: CancellationToken) {
    let mut first = true;
    while !stopping.is_cancelled() {
        let mut listener = match PgListener::connect_with(&pool).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!("listening for other servers' changes: {error}");
                stopping.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
                continue;
            }
        };
        if let Err(error) = listener.listen(CHANNEL).await {
            tracing::warn!("listening for other servers' changes: {error}");
            stopping.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
            continue;
        }
        if !std::mem::take(&mut first) {
            bus.resync();
        }
        loop {
            match stopping.run_until_cancelled(listener.try_recv()).await {
                None => return,
                Some(Ok(Some(notification))) => match serde_json::from_str::<Message>(notification.payload()) {
                    Ok(message) if message.from == me => {}
                    Ok(message) => hear(&bus, message),
                    Err(error) => {
                        tracing::warn!("another server told something unknown: {error}");
                    }
                },
                // The connection was lost and is made anew by the next call: changes may have been missed.
                Some(Ok(None)) => bus.resync(),
                Some(Err(error)) => {
                    tracing::warn!("listening for other servers' changes: {error}");
                    break;
                }
            }
        }
        stopping.run_until_cancelled(tokio::time::sleep(Duration::from_millis(500))).await;
    }
}

fn hear(bus: &Bus, message: Message) {
    if let Some(event) = message.event {
        let Message { customer, shared, passing, .. } = message;
        bus.tell(Told { event, customer, shared, passing });
    }
    if let Some(job) = message.look {
        bus.tell_job(job, JobNews::Look);
    }
    if let Some(job) = message.cancel {
        bus.tell_job(job, JobNews::Cancel);
    }
}
