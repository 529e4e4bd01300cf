//! Runs over the REST API.

use super::{launch, store};
use crate::{
    authentication::server::{Context, Operating, Proof, Reading},
    error::{Error, Problem, Result},
    events::server::sse,
    i18n::{Locale, td_string},
    id::Id,
    jobs::{
        model::Job,
        server::watch::{self, Piece},
    },
    platform::{errors::answer, state::State},
    provisioning::model::{Run, RunQuery, RunRequest, RunState},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response, sse::Event},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use std::{str::FromStr, sync::Arc};

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
    let response = async {
        let (after, limit) = window(context.locale, &parameters)?;
        if sse::is_wanted(&headers) {
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
    let mut last = sse::cursor(headers).unwrap_or(after);
    let pieces = watch::follow::<Run>(&context.state, permit, identifier(id)?, last).await?;
    sse::follow(context, pieces, move |piece| {
        let (name, data) = match piece {
            Piece::Whole(run) => ("run", json!(run)),
            Piece::Parts(events) => {
                last = events.last().map_or(last, |event| event.sequence);
                ("events", json!(events))
            }
            Piece::End | Piece::Broken => return Vec::new(),
        };
        vec![Event::default().event(name).id(last.to_string()).data(data.to_string())]
    })
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
