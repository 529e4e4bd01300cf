//! `GET /events`: what changes, as server-sent events.
//!
//! Events by name:
//! - `change`, `{"topic", "data"}`: something changed; pages ask again;
//! - `job`, a job's state and progress, and `lines`, the next lines of its output, for `job/ID`;
//! - `resync`: something may have been missed, ask for everything again;
//! - `end`, `{"reason"}`: the stream ends here; `session` when the login is no more, `stopping` when the
//!   server stops, `finished` when all watched jobs have ended, `slow` when the client reads too slowly.
//!
//! The id of each event is a cursor: the id of the last change, then for each `job/ID` in the order of
//! the address the sequence of the last line. It comes back as `Last-Event-ID` or `last_event_id`. Without
//! one a job's output begins at its first line, or with `tail` at its last lines.

use super::{News, Told};
use crate::{
    authentication::{
        policy,
        server::{Context, Operating, Proof, Reading, Scope, still_there},
    },
    error::{Error, Result},
    events::model::Topic,
    i18n::td_string,
    id::Id,
    jobs::{
        model::Job,
        server::{
            store,
            watch::{self, Piece, Watched},
        },
    },
    platform::state::State,
    storage::User,
};
use async_stream::stream;
use axum::{
    Router,
    extract::Query,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures::{Stream, StreamExt as _, stream::SelectAll};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval},
};

/// Streams that one person may hold open.
const STREAMS_PER_PERSON: usize = 20;
/// Topics that one stream may name, and jobs among them.
const TOPICS: usize = 64;
const JOBS: usize = 8;
/// How often a quiet stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the login behind a stream is read again; at once when something about logins changes.
const LOOK_EVERY: Duration = Duration::from_millis(1500);

/// The route of the stream.
pub fn routes() -> Router<State> {
    Router::new().route("/events", get(events))
}

/// What a stream listens to.
struct Wanted {
    /// Every change in reach.
    all: bool,
    topics: Vec<Topic>,
    jobs: Vec<Id<Job>>,
}

async fn events(context: Context, Query(query): Query<Vec<(String, String)>>, headers: HeaderMap) -> Response {
    match open(&context, &query, &headers).await {
        Ok(response) => response,
        Err(error) => crate::platform::errors::answer(&error, context.locale),
    }
}

async fn open(context: &Context, query: &[(String, String)], headers: &HeaderMap) -> Result<Response> {
    let session = context.session()?.clone();
    let wanted = wanted(context, query)?;
    let state = context.state.clone();
    let place = Place::take(context)?;
    let scope = match &session.customer {
        Some(customer) => Scope::Customer(customer.id),
        None => Scope::Platform,
    };
    let cursor = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .or_else(|| query.iter().find_map(|(name, value)| (name == "last_event_id").then_some(value.as_str())))
        .filter(|cursor| !cursor.is_empty());
    let mut numbers = cursor.unwrap_or_default().split('.').map(|number| number.parse::<i64>().unwrap_or(0));
    let after = numbers.next().unwrap_or(0);
    let tail =
        query.iter().find_map(|(name, value)| (name == "tail").then(|| value.parse::<i64>().unwrap_or(0).max(0)));
    let (kept, mut news) = match cursor {
        Some(_) => state.bus.subscribe_after(after),
        None => (Some(Vec::new()), state.bus.subscribe()),
    };
    let wants_changes = wanted.all || !wanted.topics.is_empty();
    let mut last = if cursor.is_some() && kept.is_some() { after } else { state.bus.latest() };

    let mut lines: Vec<i64> = Vec::new();
    let mut jobs: SelectAll<Pin<Box<dyn Stream<Item = (usize, Piece<Job>)> + Send>>> = SelectAll::new();
    for (place, id) in wanted.jobs.iter().enumerate() {
        let proof: Arc<dyn Proof> = Arc::new(context.permit::<Reading>("job")?);
        let after = match (numbers.next(), tail) {
            (Some(after), _) => after,
            (None, Some(tail)) => {
                store::job(&state, proof.as_ref(), *id).await?;
                (store::last_sequence(&state, proof.as_ref(), *id).await? - tail).max(0)
            }
            (None, None) => 0,
        };
        lines.push(after);
        let pieces = watch::follow(&state, proof, *id, after).await?;
        jobs.push(Box::pin(pieces.map(move |piece| (place, piece))));
    }

    let context = context.clone();
    let retry = jittered_retry();
    let events = stream! {
        // Held until the stream is dropped, however that happens.
        let _place = place;
        let hears = |told: &Told| wants_changes && hears(&context, scope, &wanted, told);
        yield Event::default().retry(retry).comment("hello");
        match kept {
            Some(kept) => {
                for told in kept {
                    last = told.event.id;
                    if hears(&told) {
                        yield change(&context, &told, last, &lines);
                    }
                }
            }
            None if wants_changes => yield named("resync", &json!({}), last, &lines),
            None => {}
        }
        let mut open_jobs = lines.len();
        let mut revoked = std::pin::pin!(revoked(context.clone()));
        let reason = loop {
            tokio::select! {
                () = context.state.stopping.cancelled() => break "stopping",
                () = &mut revoked => break "session",
                heard = next(&mut news) => match heard {
                    Heard::Told(told) => {
                        if told.passing || told.event.id > last {
                            last = last.max(told.event.id);
                            if hears(&told) {
                                yield change(&context, &told, last, &lines);
                            }
                        }
                    }
                    Heard::Missed => {
                        last = context.state.bus.latest();
                        if wants_changes {
                            yield named("resync", &json!({}), last, &lines);
                        }
                    }
                },
                Some((place, piece)) = jobs.next() => match piece {
                    Piece::Whole(job) => yield named("job", &json!(job), last, &lines),
                    Piece::Parts(batch) => {
                        lines[place] = batch.last().map_or(lines[place], |line| line.sequence);
                        yield named("lines", &json!({"job": wanted.jobs[place], "lines": batch}), last, &lines);
                    }
                    Piece::End => {
                        open_jobs -= 1;
                        if open_jobs == 0 && !wants_changes {
                            break "finished";
                        }
                    }
                    Piece::Broken => break "slow",
                },
            }
        };
        yield named("end", &json!({"reason": reason}), last, &lines);
    };
    Ok(respond(events))
}

/// Whether a client asks for a stream.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The number after which a client that was cut off wants to go on.
pub fn cursor(headers: &HeaderMap) -> Option<i64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// The answer that follows one thing: what `tell` makes of each piece, then an event `end` with the reason.
///
/// # Errors
/// [`Error::Busy`] when the person holds all of their streams.
pub fn follow<W: Watched>(
    context: &Context,
    pieces: impl Stream<Item = Piece<W>> + Send + 'static,
    mut tell: impl FnMut(Piece<W>) -> Vec<Event> + Send + 'static,
) -> Result<Response> {
    let place = Place::take(context)?;
    let context = context.clone();
    Ok(respond(stream! {
        // Held until the stream is dropped, however that happens.
        let _place = place;
        let mut pieces = std::pin::pin!(pieces);
        let mut revoked = std::pin::pin!(revoked(context.clone()));
        yield Event::default().retry(jittered_retry()).comment("hello");
        let reason = loop {
            let piece = tokio::select! {
                () = context.state.stopping.cancelled() => break "stopping",
                () = &mut revoked => break "session",
                piece = pieces.next() => piece,
            };
            match piece {
                Some(Piece::Broken) => break "broken",
                Some(Piece::End) | None => break "finished",
                Some(piece) => {
                    for event in tell(piece) {
                        yield event;
                    }
                }
            }
        };
        yield Event::default().event("end").data(json!({"reason": reason}).to_string());
    }))
}

fn respond(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let sse = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(heartbeat());
    let mut response = sse.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family hold answers back otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What a quiet stream says now and then, so that proxies keep it and both ends know that it lives.
pub fn heartbeat() -> KeepAlive {
    KeepAlive::new().interval(HEARTBEAT).text("beat")
}

/// Reads the topics and asks for the right to each.
fn wanted(context: &Context, query: &[(String, String)]) -> Result<Wanted> {
    let mut wanted = Wanted { all: false, topics: Vec::new(), jobs: Vec::new() };
    let unknown = || Error::invalid("topic", td_string!(context.locale, work.topic_unknown));
    for (_, text) in query.iter().filter(|(name, _)| name == "topic") {
        if text == "all" {
            wanted.all = true;
            continue;
        }
        let topic: Topic = text.parse().map_err(|_| unknown())?;
        match &topic {
            Topic::Session => {}
            Topic::Job(id) => {
                context.permit::<Reading>("job")?;
                if !wanted.jobs.contains(id) {
                    wanted.jobs.push(*id);
                }
                continue;
            }
            Topic::Check(_) => {
                context.permit::<Operating>("machine")?;
            }
            Topic::Records(_)
            | Topic::Containers(_)
            | Topic::Images(_)
            | Topic::Engine(_)
            | Topic::Jobs
            | Topic::Runs => {
                context.permit::<Reading>(subject(&topic).ok_or_else(unknown)?)?;
            }
        }
        if !wanted.topics.contains(&topic) {
            wanted.topics.push(topic);
        }
    }
    let any = wanted.all || !wanted.topics.is_empty() || !wanted.jobs.is_empty();
    if !any || wanted.topics.len() > TOPICS || wanted.jobs.len() > JOBS {
        return Err(Error::invalid("topic", td_string!(context.locale, work.topic_none)));
    }
    Ok(wanted)
}

/// What the policy table calls the things of a topic; `None` for records of an unknown kind.
fn subject(topic: &Topic) -> Option<&'static str> {
    match topic {
        Topic::Records(kind) => crate::storage::entry(kind).map(|entry| entry.kind.name),
        Topic::Containers(_) => Some("container"),
        Topic::Images(_) => Some("image"),
        Topic::Engine(_) => Some("engine"),
        Topic::Jobs | Topic::Job(_) => Some("job"),
        Topic::Runs => Some("run"),
        Topic::Check(_) => Some("machine"),
        Topic::Session => Some("login"),
    }
}

/// Whether this stream hears of a change: it asked for it, reaches it, and has the right.
fn hears(context: &Context, scope: Scope, wanted: &Wanted, told: &Told) -> bool {
    let topic = &told.event.topic;
    if matches!(topic, Topic::Session | Topic::Job(_)) || !told.reaches(scope) {
        return false;
    }
    if wanted.topics.contains(topic) {
        return true;
    }
    let Ok(session) = context.session() else {
        return false;
    };
    // What a check finds is for those who may make one.
    let verb = if matches!(topic, Topic::Check(_)) { policy::Verb::Operate } else { policy::Verb::Read };
    wanted.all && subject(topic).is_some_and(|subject| policy::decide(session, verb, subject).is_ok())
}

fn change(context: &Context, told: &Told, last: i64, lines: &[i64]) -> Event {
    let own_logins_only = matches!(&told.event.topic, Topic::Records(kind) if kind == "login")
        && context.session().is_ok_and(|session| session.role != crate::authentication::model::Role::Admin);
    // Whose login it was is not everybody's matter; that the list may have changed is.
    let data = if own_logins_only { &json!({}) } else { &told.event.data };
    named("change", &json!({"topic": told.event.topic, "data": data}), last, lines)
}

fn named(name: &str, data: &Value, last: i64, lines: &[i64]) -> Event {
    let cursor = lines.iter().fold(last.to_string(), |cursor, line| format!("{cursor}.{line}"));
    Event::default().event(name).id(cursor).data(data.to_string())
}

enum Heard {
    Told(Arc<Told>),
    Missed,
}

async fn next(news: &mut Receiver<News>) -> Heard {
    match news.recv().await {
        Ok(News::Told(told)) => Heard::Told(told),
        Ok(News::Resync) | Err(RecvError::Lagged(_)) => Heard::Missed,
        // The bus lives as long as the state, which this stream holds.
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

/// Between 1 and 10 seconds, so that a thousand viewers do not come back in one moment.
pub fn jittered_retry() -> Duration {
    let random = u64::from(
        Id::<()>::new().to_string().bytes().rev().take(4).fold(0_u32, |sum, digit| sum * 31 + u32::from(digit)),
    );
    Duration::from_millis(1000 + random % 9000)
}

/// Returns when the login behind a stream is no more, or its role or customer changed: at most two
/// seconds after it happened, and at once where it was told.
pub async fn revoked(context: Context) {
    let mut news = context.state.bus.subscribe();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            heard = next(&mut news) => match heard {
                Heard::Told(told) if told.event.topic != Topic::Session => continue,
                Heard::Told(_) | Heard::Missed => {}
            },
        }
        if !still_valid(&context).await {
            return;
        }
    }
}

/// Whether the login behind a stream still stands, with the same role and the same customer.
async fn still_valid(context: &Context) -> bool {
    let Ok(before) = context.session() else { return false };
    match still_there(&context.state, before).await {
        Ok(now) => now.role == before.role && now.customer == before.customer,
        Err(Error::Unauthenticated) => false,
        // A database that is away for a moment signs nobody out; requests are refused by themselves.
        Err(error) => {
            tracing::warn!("looking whether a login still stands: {error}");
            true
        }
    }
}

/// One of the places that a person has for streams.
pub struct Place {
    state: State,
    person: Id<User>,
}

/// How many streams each person holds open in this process.
#[derive(Default)]
pub struct Places(Mutex<HashMap<Id<User>, usize>>);

impl Place {
    /// Takes a place for the person of the request; it is free again when this is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] when they hold all of theirs.
    pub fn take(context: &Context) -> Result<Self> {
        let (state, person) = (&context.state, context.session()?.user);
        let mut places = state.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = places.entry(person).or_default();
        if *held >= STREAMS_PER_PERSON {
            let message = td_string!(context.locale, work.streams_full).to_owned();
            return Err(Error::Busy { message, job: None, retry_after: Some(10) });
        }
        *held += 1;
        drop(places);
        Ok(Self { state: state.clone(), person })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.state.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = places.get_mut(&self.person) {
            *held -= 1;
            if *held == 0 {
                places.remove(&self.person);
            }
        }
    }
}
