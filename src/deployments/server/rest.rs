//! Engines, containers and images over the REST API.

use super::{
    lists,
    logs::{self, Log, Marked},
    operations::{self, Objects},
};
use crate::{
    authentication::server::{Context, Operating, Reading},
    deployments::model::{
        Answer, Container, ContainerOperation, ContainerSpec, EngineStatus, HealthSpec, ImageOperation, LogLine,
        LogQuery, MountSpec, NetworkSpec, ObjectResult, PortSpec,
    },
    error::{Error, Problem, Result},
    events::server::sse::{self, Place, revoked},
    i18n::{Locale, td_string},
    platform::errors,
    time::Timestamp,
};
use async_stream::stream;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, convert::Infallible, io, pin::pin, sync::Arc, time::Duration};
use utoipa::{
    IntoResponses, OpenApi, ToSchema,
    openapi::{self, ContentBuilder, Object, RefOr, ResponseBuilder},
};

/// Lines that are sent together when they come faster than they are read.
const BATCH: usize = 256;

/// How often a quiet stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Operations on containers, by name.
const CONTAINER_OPERATIONS: [&str; 14] = [
    "run", "create", "start", "stop", "restart", "pause", "unpause", "kill", "rename", "remove", "logs", "inspect",
    "reload", "prune",
];

/// Operations on images, by name.
const IMAGE_OPERATIONS: [&str; 9] =
    ["pull", "list", "inspect", "history", "tag", "remove", "search", "prune", "reload"];

/// The routes of engines.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/v1/engines", get(list_engines))
        .route("/api/v1/engines/{engine}", get(show_engine))
        .route("/api/v1/engines/{engine}/containers", get(list_containers))
        .route("/api/v1/engines/{engine}/containers/operations", post(operate_containers))
        .route("/api/v1/engines/{engine}/containers/{id}", get(show_container))
        .route("/api/v1/engines/{engine}/containers/{id}/logs", get(show_logs))
        .route("/api/v1/engines/{engine}/images", get(list_images))
        .route("/api/v1/engines/{engine}/images/operations", post(operate_images))
        .route("/api/v1/engines/{engine}/images/{*id}", get(show_image))
}

fn reply<T: IntoResponse>(context: &Context, outcome: Result<T>) -> Response {
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(error) => errors::answer(&error, context.locale),
    }
}

type Pairs = Query<Vec<(String, String)>>;

fn value<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn flag(pairs: &Pairs, name: &str, locale: Locale) -> Result<Option<bool>> {
    match value(pairs, name) {
        None | Some("") => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(name, td_string!(locale, errors.field.switch))),
    }
}

fn number(pairs: &Pairs, name: &str, range: std::ops::RangeInclusive<u32>, locale: Locale) -> Result<Option<u32>> {
    let Some(text) = value(pairs, name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (min, max) = (range.start().to_string(), range.end().to_string());
    number.map(Some).ok_or_else(|| Error::invalid(name, td_string!(locale, errors.field.integer, min = min, max = max)))
}

/// Every engine with its state.
#[utoipa::path(
    get, path = "/api/v1/engines", tag = "engines",
    responses((status = 200, description = "The engines", body = Object), (status = 401, description = "Not signed in"))
)]
async fn list_engines(context: Context) -> Response {
    let listed = context.permit::<Reading>("engine").map(|permit| Json(json!({ "items": lists::engines(&permit) })));
    reply(&context, listed)
}

/// One engine: state, general information and disk usage, which is computed anew at most once a minute.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}", tag = "engines",
    params(("engine" = String, Path, description = "The engine's name; `local` exists from the start")),
    responses(
        (status = 200, description = "The engine", body = Object),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is no such engine"),
    )
)]
async fn show_engine(context: Context, Path(engine): Path<String>) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("engine")?;
        lists::engine_with_usage(&permit, &engine).await.map(Json)
    };
    reply(&context, shown.await)
}

/// The containers in reach, from a cache that the engine's events keep true.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}/containers", tag = "containers",
    params(
        ("engine" = String, Path, description = "The engine's name"),
        ("search" = Option<String>, Query, description = "Part of a name, an image or a stack"),
        ("filter[state]" = Option<String>, Query, description = "`running`, `exited` …"),
        ("filter[stack]" = Option<String>, Query, description = "A Compose project"),
        ("page" = Option<u32>, Query, description = "From 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "All when absent", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "`{items, total, page, per_page, engine, at}`", body = Object),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is no such engine"),
        (status = 422, description = "A parameter is wrong"),
    )
)]
async fn list_containers(context: Context, Path(engine): Path<String>, pairs: Pairs) -> Response {
    let listed = || {
        let permit = context.permit::<Reading>("container")?;
        let (mut items, engine, at) = lists::shared_containers(&permit, &engine)?;
        let search = value(&pairs, "search").unwrap_or_default().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&search);
        let (state, stack) = (value(&pairs, "filter[state]"), value(&pairs, "filter[stack]"));
        items.retain(|item| {
            (search.is_empty() || has(&item.name) || has(&item.image) || item.stack.as_deref().is_some_and(has))
                && state.is_none_or(|state| json!(item.state) == state)
                && stack.is_none_or(|stack| item.stack.as_deref() == Some(stack))
        });
        let page = number(&pairs, "page", 1..=1_000_000, context.locale)?.unwrap_or(1);
        let per_page = number(&pairs, "per_page", 1..=1000, context.locale)?;
        let total = items.len();
        let per_page = per_page.map_or(total, |size| size as usize);
        let from = (page as usize - 1).saturating_mul(per_page).min(total);
        let rows = &items[from..from.saturating_add(per_page).min(total)];
        let rows = rows.iter().map(Arc::as_ref).collect();
        // Written here, while the rows are borrowed from the cache: there may be ten thousand.
        Ok(Json(ContainerPage { items: rows, total, page, per_page, engine, at }).into_response())
    };
    reply(&context, listed())
}

/// A page of containers.
#[derive(Serialize)]
struct ContainerPage<'a> {
    items: Vec<&'a Container>,
    total: usize,
    page: u32,
    per_page: usize,
    engine: EngineStatus,
    at: Timestamp,
}

/// One container in full.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}/containers/{id}", tag = "containers",
    params(
        ("engine" = String, Path, description = "The engine's name"),
        ("id" = String, Path, description = "An identifier, its beginning, or a name"),
    ),
    responses(
        (status = 200, description = "The container", body = Object),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is none in reach"),
        (status = 409, description = "The engine's own words"),
        (status = 503, description = "The engine is away"),
    )
)]
async fn show_container(context: Context, Path((engine, id)): Path<(String, String)>) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("container")?;
        lists::container(&permit, &engine, &id).await.map(Json)
    };
    reply(&context, shown.await)
}

/// The images, newest first.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}/images", tag = "images",
    params(("engine" = String, Path, description = "The engine's name")),
    responses(
        (status = 200, description = "`{items, total, engine, at}`", body = Object),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is no such engine"),
    )
)]
async fn list_images(context: Context, Path(engine): Path<String>) -> Response {
    let listed = || {
        let permit = context.permit::<Reading>("image")?;
        let listing = lists::images(&permit, &engine)?;
        let total = listing.items.len();
        Ok(Json(json!({ "items": listing.items, "total": total, "engine": listing.engine, "at": listing.at })))
    };
    reply(&context, listed())
}

/// One image in full, with its layers.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}/images/{id}", tag = "images",
    params(
        ("engine" = String, Path, description = "The engine's name"),
        ("id" = String, Path, description = "An identifier or a name"),
    ),
    responses(
        (status = 200, description = "The image", body = Object),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is none"),
        (status = 409, description = "The engine's own words"),
        (status = 503, description = "The engine is away"),
    )
)]
async fn show_image(context: Context, Path((engine, id)): Path<(String, String)>) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("image")?;
        lists::image(&permit, &engine, &id).await.map(Json)
    };
    reply(&context, shown.await)
}

/// An operation: its name, its data, and what it acts on.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read by hand for problems at their fields")]
struct Envelope {
    /// The operation's name.
    operation: String,
    /// Its data; those of `run` and `create` are a `ContainerSpec`.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The one thing it acts on.
    object: Option<String>,
    /// Several things it acts on; each then has a result of its own.
    objects: Option<Vec<String>>,
}

/// What every operation can answer.
struct Operated;

impl IntoResponses for Operated {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let words =
            |status: &str, description: &str| (status.to_owned(), ResponseBuilder::new().description(description));
        let with_body = |(status, response): (String, ResponseBuilder)| {
            let object = ContentBuilder::new().schema(Some(Object::new())).build();
            (status, response.content("application/json", object))
        };
        let answers = [
            with_body(words("200", "`{result}`, or `{results: [{object, ok, result | error}]}`")),
            with_body(words("202", "It goes on as a job: `{job: {id}}`")),
            words("401", "Not signed in"),
            words("403", "The person may not do it"),
            words("404", "The engine or the object is out of reach"),
            words("409", "The engine's own words"),
            words("413", "The body is too large"),
            words("422", "A field is wrong"),
            words("503", "The engine or the registry is away"),
        ];
        answers.into_iter().map(|(status, response)| (status, RefOr::T(response.build()))).collect()
    }
}

/// Runs an operation on containers.
#[utoipa::path(
    post, path = "/api/v1/engines/{engine}/containers/operations", tag = "containers", request_body = Envelope,
    params(("engine" = String, Path, description = "The engine's name")),
    responses(Operated)
)]
async fn operate_containers(context: Context, Path(engine): Path<String>, body: Bytes) -> Response {
    let done = async {
        // Whoever may not even look is told so before the body is read.
        let reading = context.permit::<Reading>("container")?;
        let (operation, target) = read::<ContainerOperation>(&body, &CONTAINER_OPERATIONS, context.locale)?;
        if operation.only_reads() {
            return operations::read_containers_on(&reading, &engine, &operation, target.objects()).await;
        }
        let permit = context.permit::<Operating>("container")?;
        operations::containers_on(&permit, &engine, operation, target.objects()).await
    };
    answer(&context, done.await)
}

/// Runs an operation on images.
#[utoipa::path(
    post, path = "/api/v1/engines/{engine}/images/operations", tag = "images", request_body = Envelope,
    params(("engine" = String, Path, description = "The engine's name")),
    responses(Operated)
)]
async fn operate_images(context: Context, Path(engine): Path<String>, body: Bytes) -> Response {
    let done = async {
        let reading = context.permit::<Reading>("image")?;
        let (operation, target) = read::<ImageOperation>(&body, &IMAGE_OPERATIONS, context.locale)?;
        if operation.only_reads() {
            return operations::read_images_on(&reading, &engine, &operation, target.objects()).await;
        }
        let permit = context.permit::<Operating>("image")?;
        operations::images_on(&permit, &engine, operation, target.objects()).await
    };
    answer(&context, done.await)
}

fn answer(context: &Context, done: Result<Answer>) -> Response {
    match done {
        Ok(Answer::Result(result)) => Json(json!({ "result": result })).into_response(),
        Ok(Answer::Job { id }) => {
            let mut response = (StatusCode::ACCEPTED, Json(json!({ "job": { "id": id } }))).into_response();
            if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/jobs/{id}")) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Ok(Answer::Results(results)) => {
            let results: Vec<Value> = results.into_iter().map(|result| result_of(result, context.locale)).collect();
            Json(json!({ "results": results })).into_response()
        }
        Err(error) => errors::answer(&error, context.locale),
    }
}

fn result_of(result: ObjectResult, locale: Locale) -> Value {
    let mut value = json!({ "object": result.object, "ok": result.ok });
    if let Some(result) = result.result {
        value["result"] = result;
    }
    if let Some(error) = result.error {
        value["error"] =
            json!({ "code": error.code(), "message": error.message(locale), "problems": error.problems() });
    }
    value
}

/// What an operation acts on, as it was named.
#[derive(Debug, PartialEq)]
enum Target {
    None,
    One(String),
    Many(Vec<String>),
}

impl Target {
    fn objects(&self) -> Objects<'_> {
        match self {
            Self::None => Objects::None,
            Self::One(object) => Objects::One(object),
            Self::Many(objects) => Objects::Many(objects),
        }
    }
}

/// Reads an envelope, each problem at its field; fields of `data` by their own names.
fn read<T: DeserializeOwned>(body: &[u8], names: &[&str], locale: Locale) -> Result<(T, Target)> {
    let mut envelope: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| Error::invalid("", wrong_kind(&error.to_string(), locale)))?;
    let mut problems = Vec::new();
    let operation = envelope.remove("operation").unwrap_or(Value::Null);
    if !operation.as_str().is_some_and(|name| names.contains(&name)) {
        let text = td_string!(locale, deployments.engine.operation_unknown, names = names.join(", "));
        problems.push(Problem::at("operation", text));
    }
    let data = match envelope.remove("data").unwrap_or(Value::Null) {
        Value::Null => json!({}),
        data => data,
    };
    let object = envelope.remove("object").filter(|object| !object.is_null());
    let objects = envelope.remove("objects").filter(|objects| !objects.is_null());
    let target = match (object, objects) {
        (None, None) => Some(Target::None),
        (Some(Value::String(object)), None) => Some(Target::One(object)),
        (None, Some(objects)) => serde_json::from_value(objects).ok().map(Target::Many).or_else(|| {
            problems.push(Problem::at("objects", td_string!(locale, errors.field.list)));
            None
        }),
        (Some(_), None) => {
            problems.push(Problem::at("object", td_string!(locale, errors.field.text)));
            None
        }
        (Some(_), Some(_)) => {
            problems.push(Problem::at("objects", td_string!(locale, errors.field.unknown)));
            None
        }
    };
    problems.extend(envelope.keys().map(|name| Problem::at(name, td_string!(locale, errors.field.unknown))));
    let (Some(target), true) = (target, problems.is_empty()) else { return Err(Error::Invalid { problems }) };

    let whole = json!({ "operation": operation, "data": data });
    let operation = serde_path_to_error::deserialize(whole).map_err(|error| problem(&error, locale))?;
    Ok((operation, target))
}

fn problem(error: &serde_path_to_error::Error<serde_json::Error>, locale: Locale) -> Error {
    let path = error.path().to_string();
    let field = path.strip_prefix("data.").or_else(|| path.strip_prefix("data")).unwrap_or(&path).to_owned();
    let message = error.inner().to_string();
    let named = message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("missing field") {
        let field = if field.is_empty() { named.to_owned() } else { format!("{field}.{named}") };
        return Error::invalid(field, td_string!(locale, errors.field.required));
    }
    if message.starts_with("unknown field") {
        let field = if field.rsplit('.').next() == Some(named) { field } else { format!("{field}.{named}") };
        return Error::invalid(field.trim_start_matches('.'), td_string!(locale, errors.field.unknown));
    }
    let field = if field.is_empty() { "data".to_owned() } else { field };
    Error::invalid(field, wrong_kind(&message, locale))
}

fn wrong_kind(reason: &str, locale: Locale) -> String {
    td_string!(locale, deployments.engine.data_kind, reason = reason.to_owned())
}

/// The log of a container: text, or server-sent events for those who accept them and follow.
#[utoipa::path(
    get, path = "/api/v1/engines/{engine}/containers/{id}/logs", tag = "containers",
    params(
        ("engine" = String, Path, description = "The engine's name"),
        ("id" = String, Path, description = "An identifier, its beginning, or a name"),
        ("follow" = Option<bool>, Query, description = "Goes on as lines are written"),
        ("tail" = Option<u32>, Query, description = "The last lines; all when absent", minimum = 0, maximum = 1_000_000_000),
        ("since" = Option<String>, Query, description = "Seconds since 1970, RFC 3339, or an age such as `10m`"),
        ("until" = Option<String>, Query, description = "As `since`"),
        ("timestamps" = Option<bool>, Query, description = "Each line begins with its time"),
        ("stdout" = Option<bool>, Query, description = "Standard output; both streams when neither is named"),
        ("stderr" = Option<bool>, Query, description = "Standard error"),
        ("download" = Option<bool>, Query, description = "As a file"),
        ("Last-Event-ID" = Option<String>, Header, description = "Where a follower left off"),
    ),
    responses(
        (status = 200, description = "The log", content_type = "text/plain", body = String),
        (status = 401, description = "Not signed in"),
        (status = 404, description = "There is none in reach"),
        (status = 409, description = "The engine's own words"),
        (status = 422, description = "A parameter is wrong"),
        (status = 429, description = "The person holds too many streams open"),
        (status = 503, description = "The engine is away"),
    )
)]
async fn show_logs(
    context: Context,
    Path((engine, id)): Path<(String, String)>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("container")?;
        let locale = context.locale;
        let query = LogQuery {
            tail: match value(&pairs, "tail") {
                Some("all") => None,
                _ => number(&pairs, "tail", 0..=1_000_000_000, locale)?,
            },
            since: value(&pairs, "since").map(str::to_owned),
            until: value(&pairs, "until").map(str::to_owned),
            timestamps: flag(&pairs, "timestamps", locale)?.unwrap_or(false),
            stdout: flag(&pairs, "stdout", locale)?,
            stderr: flag(&pairs, "stderr", locale)?,
        };
        let follow = flag(&pairs, "follow", locale)?.unwrap_or(false);
        let download = flag(&pairs, "download", locale)?.unwrap_or(false);
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let wants_events = follow && sse::is_wanted(&headers);
        let place = text("last-event-id").and_then(logs::Place::parse).filter(|_| wants_events);
        let held = Place::take(&context)?;
        let log = logs::open(&permit, &engine, &id, &query, follow, place.clone()).await?;
        if wants_events {
            return Ok(events(context.clone(), log, held, Marked::from(place)).into_response());
        }
        let name = log.container.name.clone();
        let body = Body::from_stream(texts(context.clone(), log, held, query.timestamps, follow));
        let mut response = body.into_response();
        let answered = response.headers_mut();
        answered.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if download && let Ok(named) = HeaderValue::from_str(&format!("attachment; filename=\"{}.log\"", plain(&name)))
        {
            answered.insert(header::CONTENT_DISPOSITION, named);
        }
        Ok(response)
    };
    reply(&context, shown.await)
}

/// A name as it may stand in the name of a file.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// Why a log ends here.
enum End {
    Finished,
    Session,
    Stopping,
    Trouble(String),
}

/// What a log gives next.
enum Next {
    Lines(Vec<LogLine>),
    End(End),
}

/// The lines in batches; ends with the login, with the server, and with the log.
fn batches(context: Context, log: Log, held: Place) -> impl Stream<Item = Next> + Send {
    stream! {
        // Given back when the stream is dropped, however that happens.
        let _held = held;
        let mut lines = log.lines.ready_chunks(BATCH);
        let mut revoked = pin!(revoked(context.clone()));
        loop {
            tokio::select! {
                () = context.state.stopping.cancelled() => {
                    yield Next::End(End::Stopping);
                    return;
                }
                () = &mut revoked => {
                    yield Next::End(End::Session);
                    return;
                }
                batch = lines.next() => {
                    let Some(batch) = batch else {
                        yield Next::End(End::Finished);
                        return;
                    };
                    let mut good = Vec::with_capacity(batch.len());
                    let mut trouble = None;
                    for line in batch {
                        match line {
                            Ok(line) => good.push(line),
                            Err(fault) => trouble = Some(fault.error(context.locale).message(context.locale)),
                        }
                    }
                    if !good.is_empty() {
                        yield Next::Lines(good);
                    }
                    if let Some(trouble) = trouble {
                        yield Next::End(End::Trouble(trouble));
                        return;
                    }
                }
            }
        }
    }
}

/// Events `lines` with a list of lines, and one `end` with the reason: `finished`, `session`, `stopping`, or
/// `trouble` with a message. A client that comes back after `finished` gets what was written since.
fn events(
    context: Context,
    log: Log,
    held: Place,
    mut marked: Marked,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = batches(context, log, held).map(move |next| {
        Ok(match next {
            Next::Lines(lines) => {
                let event = Event::default().event("lines").data(json!(lines).to_string());
                let last = lines.iter().fold(None, |_, line| marked.after(line).map(ToString::to_string));
                match last {
                    Some(place) => event.id(place),
                    None => event,
                }
            }
            Next::End(end) => {
                let (reason, message) = match end {
                    End::Finished => ("finished", None),
                    End::Session => ("session", None),
                    End::Stopping => ("stopping", None),
                    End::Trouble(message) => ("trouble", Some(message)),
                };
                Event::default().event("end").data(json!({ "reason": reason, "message": message }).to_string())
            }
        })
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// The lines as text. A log that breaks off ends the answer with an error, so that nobody takes it for whole.
fn texts(
    context: Context,
    log: Log,
    held: Place,
    timestamps: bool,
    follow: bool,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    batches(context, log, held).filter_map(move |next| {
        let piece = match next {
            Next::Lines(lines) => {
                let mut text = String::new();
                for line in &lines {
                    logs::write_line(&mut text, line, timestamps);
                }
                Some(Ok(Bytes::from(text)))
            }
            Next::End(End::Finished) => None,
            Next::End(End::Stopping | End::Session) if follow => None,
            Next::End(End::Stopping | End::Session) => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            Next::End(End::Trouble(message)) => Some(Err(io::Error::other(message))),
        };
        std::future::ready(piece)
    })
}

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        list_engines,
        show_engine,
        list_containers,
        show_container,
        operate_containers,
        show_logs,
        list_images,
        show_image,
        operate_images
    ),
    components(schemas(Envelope, ContainerSpec, PortSpec, MountSpec, NetworkSpec, HealthSpec))
)]
struct Description;

/// The description of these routes, to be merged into the whole.
pub fn openapi() -> openapi::OpenApi {
    Description::openapi()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers(body: Value) -> Result<(ContainerOperation, Target)> {
        read(body.to_string().as_bytes(), &CONTAINER_OPERATIONS, Locale::en)
    }

    fn fields(body: Value) -> Vec<String> {
        match containers(body) {
            Err(Error::Invalid { problems }) => problems.into_iter().map(|problem| problem.field).collect(),
            other => panic!("{other:?} is no problem of fields"),
        }
    }

    #[test]
    fn an_envelope_is_a_name_data_and_objects() {
        assert_eq!(
            containers(json!({"operation": "start", "object": "web"})).expect("it is whole"),
            (ContainerOperation::Start {}, Target::One("web".to_owned()))
        );
        assert_eq!(
            containers(json!({"operation": "stop", "data": {"timeout": 3}, "objects": ["a", "b"]}))
                .expect("it is whole"),
            (ContainerOperation::Stop { timeout: Some(3) }, Target::Many(vec!["a".to_owned(), "b".to_owned()]))
        );
    }

    #[test]
    fn problems_of_an_envelope_stand_at_their_fields() {
        assert_eq!(fields(json!({"operation": "tag"})), ["operation"]);
        assert_eq!(fields(json!({})), ["operation"]);
        assert_eq!(fields(json!({"operation": "start", "objekt": "web"})), ["objekt"]);
        assert_eq!(fields(json!({"operation": "start", "object": 5})), ["object"]);
        assert_eq!(fields(json!({"operation": "start", "object": "a", "objects": ["b"]})), ["objects"]);
        assert_eq!(fields(json!({"operation": "start", "data": {"now": true}})), ["now"]);
        assert_eq!(fields(json!({"operation": "rename", "data": {}})), ["name"]);
        assert_eq!(fields(json!({"operation": "stop", "data": []})), ["data"]);
        let create = |data: Value| fields(json!({"operation": "create", "data": data}));
        assert_eq!(create(json!({"image": "x", "securityOpt": []})), ["securityOpt"]);
        assert_eq!(create(json!({"ports": [{"container_port": 80, "host_port": 99999}]})), ["ports[0].host_port"]);
        assert_eq!(create(json!({"ports": [{"container_port": 80, "hostport": 1}]})), ["ports[0].hostport"]);
        assert_eq!(create(json!({"mounts": [{"type": "bind"}]})), ["mounts[0].target"]);
    }

    #[test]
    fn every_operation_has_its_name_in_the_list() {
        for name in CONTAINER_OPERATIONS {
            let data = if name == "rename" { json!({"name": "x"}) } else { json!({}) };
            let (operation, _) = containers(json!({"operation": name, "data": data})).expect("it is in the list");
            assert_eq!(operation.name(), name);
        }
        for name in IMAGE_OPERATIONS {
            let data = match name {
                "pull" => json!({"image": "x"}),
                "tag" => json!({"repository": "x", "tag": "y"}),
                "search" => json!({"term": "x"}),
                _ => json!({}),
            };
            let body = json!({"operation": name, "data": data}).to_string();
            let (operation, _) =
                read::<ImageOperation>(body.as_bytes(), &IMAGE_OPERATIONS, Locale::en).expect("it is in the list");
            assert_eq!(operation.name(), name);
        }
    }
}
