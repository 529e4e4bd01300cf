//! Jobs over the REST API.

use super::{
    store,
    watch::{self, Piece},
};
use crate::{
    authentication::server::{Context, Proof, Reading},
    error::{Error, Problem, Result},
    events::server::sse,
    i18n::td_string,
    id::Id,
    jobs::{
        api::{JobPage, JobQuery},
        model::{Job, JobState},
    },
    platform::{errors::answer, state::State},
    time::Timestamp,
    ui::browser::csv,
};
use async_stream::stream;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response, sse::Event},
    routing::{get, post},
};
use serde_json::json;
use std::sync::Arc;

/// The routes under `/api/v1/jobs`.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/jobs", get(list))
        .route("/api/v1/jobs/export", get(export))
        .route("/api/v1/jobs/{id}", get(one))
        .route("/api/v1/jobs/{id}/output", get(output))
        .route("/api/v1/jobs/{id}/cancel", post(cancel))
}

/// Parameters of an address, in order.
type Parameters = Query<Vec<(String, String)>>;

async fn list(context: Context, Query(parameters): Parameters) -> Response {
    let page = async {
        let permit = context.permit::<Reading>("job")?;
        let query = query(&context, &parameters)?;
        store::list(&context.state, &permit, &query).await
    };
    respond(&context, page.await.map(|page: JobPage| Json(page).into_response()))
}

/// All that a list would show on all of its pages, as a file.
async fn export(context: Context, Query(parameters): Parameters) -> Response {
    let file = async {
        let permit = context.permit::<Reading>("job")?;
        let (format, rest): (Vec<_>, Vec<_>) = parameters.into_iter().partition(|(name, _)| name == "format");
        let is_csv = match format.first().map(|(_, value)| value.as_str()) {
            None | Some("csv") => true,
            Some("json") => false,
            Some(_) => {
                let choices = "csv, json".to_owned();
                return Err(Error::invalid(
                    "format",
                    td_string!(context.locale, errors.field.choice, choices = choices),
                ));
            }
        };
        let mut query = JobQuery { per_page: store::PAGE_LIMIT, ..query(&context, &rest)? };
        // Refusals come before the first piece.
        let mut page = store::list(&context.state, &permit, &query).await?;
        let state = context.state.clone();
        let body = Body::from_stream(stream! {
            yield Ok(Bytes::from(if is_csv { csv([HEAD.map(str::to_owned).to_vec()]) } else { "[".to_owned() }));
            let mut separator = "\n";
            loop {
                let items = std::mem::take(&mut page.items);
                if is_csv {
                    yield Ok(Bytes::from(csv(items.iter().map(line))));
                } else {
                    for job in &items {
                        yield Ok(Bytes::from(format!("{separator}{}", json!(job))));
                        separator = ",\n";
                    }
                }
                let Some(next) = page.next else { break };
                query.before = Some(next);
                page = match store::list(&state, &permit, &query).await {
                    Ok(page) => page,
                    // The client sees a body that was cut off, not one that looks complete.
                    Err(error) => return yield Err(error),
                };
            }
            if !is_csv {
                yield Ok(Bytes::from("\n]\n"));
            }
        });
        let (kind, file) = if is_csv {
            ("text/csv; charset=utf-8", "attachment; filename=\"jobs.csv\"")
        } else {
            ("application/json", "attachment; filename=\"jobs.json\"")
        };
        Ok((
            [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file), (header::CACHE_CONTROL, "no-store")],
            body,
        )
            .into_response())
    };
    respond(&context, file.await)
}

/// The head of an export as CSV.
const HEAD: [&str; 9] =
    ["id", "customer", "kind", "title", "state", "person_name", "created_at", "started_at", "finished_at"];

fn line(job: &Job) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    vec![
        job.id.to_string(),
        job.customer.map(|customer| customer.to_string()).unwrap_or_default(),
        job.kind.clone(),
        job.title.clone(),
        job.state.name().to_owned(),
        job.person_name.clone(),
        job.created_at.to_string(),
        time(job.started_at),
        time(job.finished_at),
    ]
}

async fn one(context: Context, Path(id): Path<String>) -> Response {
    let job = async {
        let permit = context.permit::<Reading>("job")?;
        store::job(&context.state, &permit, identifier(&id)?).await
    };
    respond(&context, job.await.map(|job| Json(job).into_response()))
}

async fn cancel(context: Context, Path(id): Path<String>) -> Response {
    let job = async {
        context.permit::<Reading>("job")?;
        super::cancel(&context, identifier(&id)?).await
    };
    respond(&context, job.await.map(|job| Json(job).into_response()))
}

async fn output(
    context: Context,
    Path(id): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    let response = if sse::is_wanted(&headers) {
        output_as_events(&context, &id, &headers).await
    } else {
        output_as_text(&context, &id, &parameters).await
    };
    respond(&context, response)
}

/// The output as it is now, a line a line; `tail` asks for the last lines only.
async fn output_as_text(context: &Context, id: &str, parameters: &[(String, String)]) -> Result<Response> {
    let permit = context.permit::<Reading>("job")?;
    let mut tail = None;
    let mut download = false;
    for (name, value) in parameters {
        match name.as_str() {
            "tail" => tail = Some(number(context, name, value)?),
            "download" => download = flag(context, name, value)?,
            _ => return Err(unknown(context, name)),
        }
    }
    let job = store::job(&context.state, &permit, identifier(id)?).await?;
    let until = store::last_sequence(&context.state, &permit, job.id).await?;
    let mut after = tail.map_or(0, |tail| (until - i64::from(tail)).max(0));
    let state = context.state.clone();
    let body = Body::from_stream(stream! {
        while after < until {
            match store::lines(&state, &permit, job.id, after, store::LINES_LIMIT).await {
                Ok(lines) if lines.is_empty() => return,
                Ok(lines) => {
                    let mut text = String::new();
                    for line in lines.iter().take_while(|line| line.sequence <= until) {
                        text.push_str(&line.text);
                        text.push('\n');
                    }
                    after = lines.last().map_or(until, |line| line.sequence);
                    yield Ok(Bytes::from(text));
                }
                // The client sees a body that was cut off, not one that looks complete.
                Err(error) => yield Err(error),
            }
        }
    });
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if download {
        let name = format!("attachment; filename=\"{}.txt\"", job.id);
        if let Ok(value) = HeaderValue::from_str(&name) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

/// The output from a line on, then live: an event `line` each with its sequence as id, `job` when the
/// job changes, `end` at the end.
async fn output_as_events(context: &Context, id: &str, headers: &HeaderMap) -> Result<Response> {
    let permit: Arc<dyn Proof> = Arc::new(context.permit::<Reading>("job")?);
    let after = sse::cursor(headers).unwrap_or(0);
    let pieces = watch::follow::<Job>(&context.state, permit, identifier(id)?, after).await?;
    sse::follow(context, pieces, |piece| match piece {
        Piece::Whole(job) => vec![Event::default().event("job").data(json!(job).to_string())],
        Piece::Parts(lines) => lines
            .iter()
            .map(|line| Event::default().event("line").id(line.sequence.to_string()).data(json!(line).to_string()))
            .collect(),
        Piece::End | Piece::Broken => Vec::new(),
    })
}

fn respond(context: &Context, response: Result<Response>) -> Response {
    response.unwrap_or_else(|error| answer(&error, context.locale))
}

fn identifier(text: &str) -> Result<Id<Job>> {
    text.parse().map_err(|_| Error::not_found("job"))
}

fn query(context: &Context, parameters: &[(String, String)]) -> Result<JobQuery> {
    let mut query = JobQuery { per_page: 50, ..JobQuery::default() };
    let mut problems = Vec::new();
    for (name, value) in parameters {
        let read: Result<()> = match name.as_str() {
            "state" => value.parse().map(|state: JobState| query.state = Some(state)).map_err(|_| {
                let choices = JobState::ALL.map(JobState::name).join(", ");
                Error::invalid(name, td_string!(context.locale, errors.field.choice, choices = choices))
            }),
            "before" => value
                .parse()
                .map(|before| query.before = Some(before))
                .map_err(|_| Error::invalid(name, td_string!(context.locale, errors.field.reference))),
            "customer" => value
                .parse()
                .map(|customer| query.customer = Some(customer))
                .map_err(|_| Error::invalid(name, td_string!(context.locale, errors.field.reference))),
            "sort" => {
                query.sort.clone_from(value);
                Ok(())
            }
            "per_page" => number(context, name, value).map(|number| query.per_page = number),
            "mine" => flag(context, name, value).map(|mine| query.mine = mine),
            "kind" => {
                query.kind = Some(value.clone());
                Ok(())
            }
            "search" => {
                query.search = Some(value.clone());
                Ok(())
            }
            _ => Err(unknown(context, name)),
        };
        if let Err(Error::Invalid { problems: found }) = read {
            problems.extend(found);
        }
    }
    if query.per_page == 0 || query.per_page > store::PAGE_LIMIT {
        problems.push(out_of_range(context, "per_page", 1, store::PAGE_LIMIT));
    }
    if problems.is_empty() { Ok(query) } else { Err(Error::Invalid { problems }) }
}

fn number(context: &Context, name: &str, value: &str) -> Result<u32> {
    value
        .parse()
        .ok()
        .filter(|number| *number <= 10_000_000)
        .ok_or_else(|| Error::Invalid { problems: vec![out_of_range(context, name, 0, 10_000_000)] })
}

fn flag(context: &Context, name: &str, value: &str) -> Result<bool> {
    value.parse().map_err(|_| Error::invalid(name, td_string!(context.locale, errors.field.switch)))
}

fn out_of_range(context: &Context, name: &str, min: u32, max: u32) -> Problem {
    let (min, max) = (min.to_string(), max.to_string());
    Problem::at(name, td_string!(context.locale, errors.field.integer, min = min, max = max))
}

fn unknown(context: &Context, name: &str) -> Error {
    Error::invalid(name, td_string!(context.locale, errors.field.unknown))
}
