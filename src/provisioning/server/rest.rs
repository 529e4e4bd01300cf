//! Runs over the REST API.

use super::{
    launch, store,
    watch::{self, Piece},
};
use crate::{
    authentication::server::{Context, Operating, Proof, Reading},
    error::{Error, Problem, Result},
    events::server::sse,
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::Job,
    platform::{errors::answer, state::State},
    provisioning::model::{RunQuery, RunRequest, RunState},
};
use async_stream::stream;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response, sse::Event, sse::Sse},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use std::{convert::Infallible, str::FromStr, sync::Arc};

/// The routes under `/api/v1/provisioning`.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/provisioning/runs", get(list).post(start))
        .route("/api/v1/provisioning/runs/preview", post(preview))
        .route("/api/v1/provisioning/runs/{id}", get(one))
        .route("/api/v1/provisioning/runs/{id}/events", get(events))
        .route("/api/v1/provisioning/runs/{id}/results/{sequence}", get(result))
        .route("/api/v1/provisioning/runs/{id}/again", post(again))
        .route("/api/v1/provisioning/runs/{id}/compare/{after}", get(compare))
}

/// Parameters of an address, in order.
type Parameters = Query<Vec<(String, String)>>;

async fn list(context: Context, Query(parameters): Parameters) -> Response {
    let page = async {
        let permit = context.permit::<Reading>("run")?;
        let query = query(context.locale, &parameters)?;
        store::list(&context.state, &permit, &query).await
    };
    respond(&context, page.await.map(|page| Json(page).into_response()))
}

async fn start(context: Context, body: Bytes) -> Response {
    let started = async {
        let permit = context.permit::<Operating>("run")?;
        let request: RunRequest = read(&body, context.locale)?;
        launch::start(&permit, request, None).await
    };
    respond(&context, started.await.map(accepted))
}

async fn preview(context: Context, body: Bytes) -> Response {
    let preview = async {
        let permit = context.permit::<Operating>("run")?;
        let request: RunRequest = read(&body, context.locale)?;
        launch::preview(&permit, &request).await
    };
    respond(&context, preview.await.map(|preview| Json(preview).into_response()))
}

async fn one(context: Context, Path(id): Path<String>) -> Response {
    let view = async {
        let permit = context.permit::<Reading>("run")?;
        store::view(&context.state, &permit, identifier(&id)?).await
    };
    respond(&context, view.await.map(|view| Json(view).into_response()))
}

async fn result(context: Context, Path((id, sequence)): Path<(String, String)>) -> Response {
    let result = async {
        let permit = context.permit::<Reading>("run")?;
        let sequence = sequence.parse().map_err(|_| Error::not_found("run"))?;
        store::result(&context.state, &permit, identifier(&id)?, sequence).await
    };
    respond(&context, result.await.map(|result| Json(result).into_response()))
}

/// What `again` takes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Again {
    failed_only: bool,
}

async fn again(context: Context, Path(id): Path<String>, body: Bytes) -> Response {
    let started = async {
        // Whether there is such a run is asked first, so that what is out of reach stays unknown to everybody.
        let reading = context.permit::<Reading>("run")?;
        let id = identifier(&id)?;
        store::run(&context.state, &reading, id).await?;
        let permit = context.permit::<Operating>("run")?;
        let again: Again = if body.is_empty() { Again::default() } else { read(&body, context.locale)? };
        launch::again(&permit, id, again.failed_only).await
    };
    respond(&context, started.await.map(accepted))
}

async fn compare(context: Context, Path((before, after)): Path<(String, String)>) -> Response {
    let differences = async {
        let permit = context.permit::<Reading>("run")?;
        store::compare(&context.state, &permit, identifier(&before)?, identifier(&after)?).await
    };
    respond(&context, differences.await.map(|items| Json(json!({ "items": items })).into_response()))
}

async fn events(
    context: Context,
    Path(id): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    let wants_events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    let response = async {
        let (after, limit) = window(context.locale, &parameters)?;
        if wants_events {
            as_stream(&context, &id, after, &headers).await
        } else {
            as_list(&context, &id, after, limit).await
        }
    };
    respond(&context, response.await)
}

/// The events after a sequence as they are now.
async fn as_list(context: &Context, id: &str, after: i64, limit: u32) -> Result<Response> {
    let permit = context.permit::<Reading>("run")?;
    let run = store::run(&context.state, &permit, identifier(id)?).await?;
    let items = store::events(&context.state, &permit, run.id, after, limit).await?;
    Ok(Json(json!({ "items": items, "state": run.state })).into_response())
}

/// The events after a sequence, then live: `run` is the run whenever it changed, `events` the next ones with the
/// last sequence as id, `end` the end.
async fn as_stream(context: &Context, id: &str, after: i64, headers: &HeaderMap) -> Result<Response> {
    let permit: Arc<dyn Proof> = Arc::new(context.permit::<Reading>("run")?);
    let cursor = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let mut last = cursor.unwrap_or(after);
    let pieces = watch::follow(&context.state, permit, identifier(id)?, last).await?;
    let place = sse::Place::take(context)?;
    let context = context.clone();
    let events = stream! {
        let _place = place;
        let mut pieces = std::pin::pin!(pieces);
        let mut revoked = std::pin::pin!(sse::revoked(context.clone()));
        yield Event::default().retry(sse::jittered_retry()).comment("hello");
        let reason = loop {
            let piece = tokio::select! {
                () = context.state.stopping.cancelled() => break "stopping",
                () = &mut revoked => break "session",
                piece = futures::StreamExt::next(&mut pieces) => piece,
            };
            match piece {
                Some(Piece::Run(run)) => {
                    yield Event::default().event("run").id(last.to_string()).data(json!(run).to_string());
                }
                Some(Piece::Events(events)) => {
                    last = events.last().map_or(last, |event| event.sequence);
                    yield Event::default().event("events").id(last.to_string()).data(json!(events).to_string());
                }
                Some(Piece::Broken) => break "broken",
                Some(Piece::End) | None => break "finished",
            }
        };
        yield Event::default().event("end").data(json!({"reason": reason}).to_string());
    };
    let events = futures::StreamExt::map(events, Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(sse::heartbeat()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family hold answers back otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn respond(context: &Context, response: Result<Response>) -> Response {
    response.unwrap_or_else(|error| answer(&error, context.locale))
}

fn accepted(id: Id<Job>) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(json!({ "job": { "id": id } }))).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/provisioning/runs/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

fn identifier(text: &str) -> Result<Id<Job>> {
    text.parse().map_err(|_| Error::not_found("run"))
}

/// Reads a body; what is wrong is told at its field where that is known.
fn read<T: DeserializeOwned>(body: &[u8], locale: Locale) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let message = error.to_string();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        match unknown {
            Some(field) => Error::invalid(field, td_string!(locale, errors.field.unknown)),
            None => Error::invalid("", td_string!(locale, errors.request.json, message = message)),
        }
    })
}

/// What part of the events is asked for.
fn window(locale: Locale, parameters: &[(String, String)]) -> Result<(i64, u32)> {
    let (mut after, mut limit) = (0, store::EVENTS_LIMIT);
    for (name, value) in parameters {
        match name.as_str() {
            "after" => after = within(locale, name, value, 0, i64::from(u32::MAX))?,
            "limit" => {
                let asked = within(locale, name, value, 1, i64::from(store::EVENTS_LIMIT))?;
                limit = u32::try_from(asked).unwrap_or(store::EVENTS_LIMIT);
            }
            _ => return Err(Error::invalid(name, td_string!(locale, errors.field.parameter))),
        }
    }
    Ok((after, limit))
}

fn within(locale: Locale, name: &str, value: &str, min: i64, max: i64) -> Result<i64> {
    value.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| {
        let (min, max) = (min.to_string(), max.to_string());
        Error::invalid(name, td_string!(locale, errors.field.integer, min = min, max = max))
    })
}

fn query(locale: Locale, parameters: &[(String, String)]) -> Result<RunQuery> {
    fn put<T: FromStr>(place: &mut Option<T>, name: &str, value: &str, message: &str) -> Option<Problem> {
        match value.parse() {
            Ok(read) => {
                *place = Some(read);
                None
            }
            Err(_) => Some(Problem::at(name, message)),
        }
    }
    let mut query = RunQuery { per_page: 50, ..RunQuery::default() };
    let choices = RunState::ALL.map(RunState::name).join(", ");
    let wrong_state = td_string!(locale, errors.field.choice, choices = choices);
    let (reference, time) = (td_string!(locale, errors.field.reference), td_string!(locale, errors.field.time));
    let mut problems = Vec::new();
    for (name, value) in parameters {
        let found = match name.as_str() {
            "state" => put(&mut query.state, name, value, &wrong_state),
            "playbook" => put(&mut query.playbook, name, value, reference),
            "machine" => put(&mut query.machine, name, value, reference),
            "person" => put(&mut query.person, name, value, reference),
            "schedule" => put(&mut query.schedule, name, value, reference),
            "before" => put(&mut query.before, name, value, reference),
            "since" => put(&mut query.since, name, value, time),
            "until" => put(&mut query.until, name, value, time),
            "host" => {
                query.host = Some(value.replace('\0', ""));
                None
            }
            "per_page" => match within(locale, name, value, 1, i64::from(store::PAGE_LIMIT)) {
                Ok(asked) => {
                    query.per_page = u32::try_from(asked).unwrap_or(store::PAGE_LIMIT);
                    None
                }
                Err(error) => error.problems().first().cloned(),
            },
            _ => Some(Problem::at(name, td_string!(locale, errors.field.parameter))),
        };
        problems.extend(found);
    }
    if problems.is_empty() { Ok(query) } else { Err(Error::Invalid { problems }) }
}
