//! Records over the REST API: the same routes for every kind.

use super::{
    exchange::{self, Format, wire},
    store,
};
use crate::{
    authentication::server::{Context, Creating, Reading, Removing, Updating},
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::errors,
    storage::{
        entries,
        item::{Fields, Filter, Kind, Query, RawRecord, Sort},
    },
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query as Parameters, Request, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use serde_json::{Value, json};
use std::future::Future;

/// The routes of every kind in the list.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for kind in entries().map(|entry| entry.kind) {
        let path = format!("/api/v1/{}", kind.plural);
        let mut all: MethodRouter<S> =
            get(async move |context: Context, uri: Uri| answered(&context, list(&context, kind, &uri)).await);
        let mut one: MethodRouter<S> = get(async move |context: Context, Path(id): Path<String>, uri: Uri| {
            answered(&context, show(&context, kind, &id, &uri)).await
        })
        .delete(async move |context: Context, Path(id): Path<String>, uri: Uri| {
            answered(&context, remove(&context, kind, &id, &uri)).await
        });
        if !kind.read_only {
            all = all.post(
                async move |context: Context, uri: Uri, headers: HeaderMap, body: Result<Bytes, BytesRejection>| {
                    answered(&context, create(&context, kind, &uri, &headers, body)).await
                },
            );
            one = one.put(
                async move |context: Context,
                            Path(id): Path<String>,
                            uri: Uri,
                            headers: HeaderMap,
                            body: Result<Bytes, BytesRejection>| {
                    answered(&context, update(&context, kind, &id, &uri, &headers, body)).await
                },
            );
            let restore = post(async move |context: Context, Path(id): Path<String>, uri: Uri| {
                answered(&context, restore(&context, kind, &id, &uri)).await
            });
            router = router.route(&format!("{path}/{{id}}/restore"), restore);
        }
        let history = get(async move |context: Context, Path(id): Path<String>, uri: Uri| {
            answered(&context, history(&context, kind, &id, &uri)).await
        });
        let export =
            get(async move |context: Context, uri: Uri| answered(&context, export(&context, kind, &uri)).await);
        if kind.importable {
            let import = post(
                async move |context: Context, uri: Uri, headers: HeaderMap, body: Result<Bytes, BytesRejection>| {
                    answered(&context, import(&context, kind, &uri, &headers, body)).await
                },
            );
            router = router.route(&format!("{path}/import"), import);
        }
        router = router
            .route(&path, all)
            .route(&format!("{path}/{{id}}"), one)
            .route(&format!("{path}/{{id}}/history"), history)
            .route(&format!("{path}/export"), export);
    }
    router.method_not_allowed_fallback(method_not_allowed)
}

/// An outcome in the language of the request, an error in its shape.
async fn answered(context: &Context, outcome: impl Future<Output = Result<Response>>) -> Response {
    outcome.await.unwrap_or_else(|error| errors::answer(&error, context.locale))
}

/// The answer to a method that an address does not take.
async fn method_not_allowed(request: Request) -> Response {
    let locale = request.extensions().get::<Context>().map_or(Locale::en, |context| context.locale);
    let message = td_string!(locale, errors.request.method);
    errors::said(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn list(context: &Context, kind: &'static Kind, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Reading>(kind.name)?;
    let query = read_query(uri, &[], context.locale)?.0;
    let page = store::find(&context.state, &permit, kind, &query).await?;
    let items = page.items.iter().map(|record| wire(record, &query.fields)).collect::<anyhow::Result<Vec<_>>>()?;
    let body = json!({ "items": items, "total": page.total, "page": page.page, "per_page": page.per_page });
    Ok(Json(body).into_response())
}

async fn show(context: &Context, kind: &'static Kind, id: &str, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Reading>(kind.name)?;
    let removed = only_switch(uri, "deleted", context.locale)?;
    let record = store::get(&context.state, &permit, kind, read_id(kind, id)?, removed).await?;
    shown(StatusCode::OK, kind, &record)
}

async fn create(
    context: &Context,
    kind: &'static Kind,
    uri: &Uri,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let permit = context.permit::<Creating>(kind.name)?;
    no_parameters(uri, context.locale)?;
    let fields = match read_body(headers, body, "application/json", context.locale)? {
        Ok(body) => read_object(&body, context.locale)?,
        Err(response) => return Ok(response),
    };
    let record = store::create(&context.state, &permit, kind, fields).await?;
    shown(StatusCode::CREATED, kind, &record)
}

async fn update(
    context: &Context,
    kind: &'static Kind,
    id: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let permit = context.permit::<Updating>(kind.name)?;
    no_parameters(uri, context.locale)?;
    let fields = match read_body(headers, body, "application/json", context.locale)? {
        Ok(body) => read_object(&body, context.locale)?,
        Err(response) => return Ok(response),
    };
    let record = store::update(&context.state, &permit, kind, read_id(kind, id)?, fields).await?;
    shown(StatusCode::OK, kind, &record)
}

/// Removes; a removed record is purged, and `?deleted=true` says that this is meant.
async fn remove(context: &Context, kind: &'static Kind, id: &str, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Removing>(kind.name)?;
    let id = read_id(kind, id)?;
    if only_switch(uri, "deleted", context.locale)? {
        store::purge(&context.state, &permit, kind, id).await?;
    } else {
        store::remove(&context.state, &permit, kind, id).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn restore(context: &Context, kind: &'static Kind, id: &str, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Removing>(kind.name)?;
    no_parameters(uri, context.locale)?;
    let record = store::restore(&context.state, &permit, kind, read_id(kind, id)?).await?;
    shown(StatusCode::OK, kind, &record)
}

async fn history(context: &Context, kind: &'static Kind, id: &str, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Reading>(kind.name)?;
    let locale = context.locale;
    let (mut before, mut limit) = (None, 50);
    for (name, value) in parameters(uri) {
        match name.as_str() {
            "before" => {
                let id = value.parse().map_err(|_| Error::invalid(name, td_string!(locale, errors.field.reference)));
                before = Some(id?);
            }
            "per_page" => limit = number("per_page", &value, store::HISTORY_MAX, locale)?,
            _ => return Err(Error::invalid(name, td_string!(locale, errors.field.parameter))),
        }
    }
    let items = store::history(&context.state, &permit, kind, read_id(kind, id)?, before, limit).await?;
    let next = if items.len() == limit as usize { items.last().map(|change| change.id) } else { None };
    Ok(Json(json!({ "items": items, "next": next })).into_response())
}

async fn export(context: &Context, kind: &'static Kind, uri: &Uri) -> Result<Response> {
    let permit = context.permit::<Reading>(kind.name)?;
    let (query, more) = read_query(uri, &["format"], context.locale)?;
    let format = match more.first().map(|(_, value)| value.as_str()) {
        None | Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        Some(_) => {
            let choices = "csv, json".to_owned();
            let message = td_string!(context.locale, errors.field.choice, choices = choices);
            return Err(Error::invalid("format", message));
        }
    };
    let pieces = exchange::export(permit, kind, query, format).await?;
    let disposition = format!("attachment; filename=\"{}.{}\"", kind.plural, format.ending());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(anyhow::Error::from)?),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn import(
    context: &Context,
    kind: &'static Kind,
    uri: &Uri,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let permit = context.permit::<Creating>(kind.name)?;
    let preview = only_switch(uri, "preview", context.locale)?;
    let body = match read_body(headers, body, "text/csv", context.locale)? {
        Ok(body) => body,
        Err(response) => return Ok(response),
    };
    let text = std::str::from_utf8(&body).map_err(|error| {
        let message = error.to_string();
        Error::invalid("", td_string!(context.locale, errors.request.csv, line = "1".to_owned(), message = message))
    })?;
    Ok(Json(exchange::import(&permit, kind, text, !preview).await?).into_response())
}

fn shown(status: StatusCode, kind: &Kind, record: &RawRecord) -> Result<Response> {
    let mut response = (status, Json(wire(record, &[])?)).into_response();
    if status == StatusCode::CREATED {
        let location = format!("/api/v1/{}/{}", kind.plural, record.base.id);
        let location = HeaderValue::from_str(&location).map_err(anyhow::Error::from)?;
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What is no id is not found, as is one of nobody.
fn read_id(kind: &Kind, text: &str) -> Result<Id<()>> {
    text.parse().map_err(|_| Error::not_found(kind.name))
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    Parameters::<Vec<(String, String)>>::try_from_uri(uri).map(|found| found.0).unwrap_or_default()
}

fn no_parameters(uri: &Uri, locale: Locale) -> Result<()> {
    match parameters(uri).into_iter().next() {
        Some((name, _)) => Err(Error::invalid(name, td_string!(locale, errors.field.parameter))),
        None => Ok(()),
    }
}

/// The one switch that an address takes, and no other parameter.
fn only_switch(uri: &Uri, switch: &str, locale: Locale) -> Result<bool> {
    let mut is_on = false;
    for (name, value) in parameters(uri) {
        if name != switch {
            return Err(Error::invalid(name, td_string!(locale, errors.field.parameter)));
        }
        is_on = read_switch(&name, &value, locale)?;
    }
    Ok(is_on)
}

fn read_switch(name: &str, value: &str, locale: Locale) -> Result<bool> {
    value.parse().map_err(|_| Error::invalid(name, td_string!(locale, errors.field.switch)))
}

fn number(name: &str, value: &str, max: u32, locale: Locale) -> Result<u32> {
    value.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
        let message = td_string!(locale, errors.field.integer, min = "1".to_owned(), max = max.to_string());
        Error::invalid(name, message)
    })
}

/// A list's query from the address; `more` names further parameters, which are given back.
fn read_query(uri: &Uri, more: &[&str], locale: Locale) -> Result<(Query, Vec<(String, String)>)> {
    let mut query = Query::default();
    let mut others = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in parameters(uri) {
        let outcome = match name.as_str() {
            "search" => {
                query.search = value;
                Ok(())
            }
            "sort" => {
                query.sort.extend(value.split(',').filter(|step| !step.is_empty()).map(Sort::parse));
                Ok(())
            }
            "fields" => {
                query
                    .fields
                    .extend(value.split(',').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned));
                Ok(())
            }
            "page" => number("page", &value, u32::MAX, locale).map(|page| query.page = page),
            "per_page" => number("per_page", &value, crate::storage::item::query::PER_PAGE_MAX, locale)
                .map(|per_page| query.per_page = per_page),
            "deleted" => read_switch("deleted", &value, locale).map(|deleted| query.deleted = deleted),
            _ if more.contains(&name.as_str()) => {
                others.push((name, value));
                Ok(())
            }
            _ => match name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')) {
                Some(field) => {
                    match query.filter.iter_mut().find(|filter| filter.field == field) {
                        Some(filter) => filter.values.push(value),
                        None => query.filter.push(Filter { field: field.to_owned(), values: vec![value] }),
                    }
                    Ok(())
                }
                None => Err(Error::invalid(name, td_string!(locale, errors.field.parameter))),
            },
        };
        if let Err(error) = outcome {
            problems.extend(error.problems().iter().cloned());
        }
    }
    if problems.is_empty() { Ok((query, others)) } else { Err(Error::Invalid { problems }) }
}

/// The body, when it is of that media type and not too large; the inner error is the answer to one that is.
fn read_body(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    media_type: &str,
    locale: Locale,
) -> Result<Result<Bytes, Response>> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if !given.eq_ignore_ascii_case(media_type) {
        let expected = media_type.to_owned();
        let message = td_string!(locale, errors.request.content_type, expected = expected);
        return Ok(Err(errors::said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", &message)));
    }
    match body {
        Ok(body) => Ok(Ok(body)),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = td_string!(locale, errors.request.too_large);
            Ok(Err(errors::said(StatusCode::PAYLOAD_TOO_LARGE, "invalid", message)))
        }
        Err(rejection) => {
            let message = rejection.body_text();
            Err(Error::invalid("", td_string!(locale, errors.request.json, message = message)))
        }
    }
}

fn read_object(body: &Bytes, locale: Locale) -> Result<Fields> {
    let message = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => return Ok(fields),
        Ok(_) => String::from("{ … }"),
        Err(error) => error.to_string(),
    };
    Err(Error::Invalid { problems: vec![Problem::at("", td_string!(locale, errors.request.json, message = message))] })
}
