//! Schedules over the REST API, beside what every record has.

use super::{cron, schedules};
use crate::{
    authentication::server::{Context, Reading},
    error::{Error, Result},
    id::Id,
    platform::errors,
    storage::Schedule,
    time::Timestamp,
};
use axum::{
    Json, Router,
    extract::{Path, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The routes under `/api/v1/schedules` that other records do not have.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/api/v1/schedules/preview", post(preview)).route("/api/v1/schedules/{id}/run", post(run))
}

/// A rule to be told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    cron: String,
    #[serde(default)]
    time_zone: String,
}

async fn preview(context: Context, body: Result<Json<Asked>, JsonRejection>) -> Response {
    let told = || {
        context.permit::<Reading>("schedule")?;
        let Json(asked) = body.map_err(|rejection| Error::invalid("", rejection.body_text()))?;
        cron::preview(&asked.cron, &asked.time_zone, Timestamp::now(), context.locale).map_err(schedules::wrong)
    };
    respond(&context, told().map(|told| Json(told).into_response()))
}

async fn run(context: Context, Path(id): Path<String>) -> Response {
    let started = async {
        context.permit::<Reading>("schedule")?;
        let id: Id<Schedule> = id.parse().map_err(|_| Error::not_found("schedule"))?;
        schedules::run_now(&context, id, &schedules::launched).await
    };
    let answer = started.await.map(|run| {
        let mut response = (StatusCode::ACCEPTED, Json(json!({ "job": { "id": run } }))).into_response();
        if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/jobs/{run}")) {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    });
    respond(&context, answer)
}

fn respond(context: &Context, answer: Result<Response>) -> Response {
    answer.unwrap_or_else(|error| errors::answer(&error, context.locale))
}

/// Paths and schemas, to be merged into the whole.
pub fn openapi() -> Value {
    let refusal = |status: u16| json!({"$ref": format!("#/components/responses/{status}")});
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}, "description": "The schedule"});
    json!({
        "paths": {
            "/api/v1/schedules/{id}/run": {"post": {
                "tags": ["schedules"], "operationId": "run_schedule",
                "summary": "Starts a schedule at once, with the rights of the person who asks",
                "parameters": [id],
                "responses": {
                    "202": {"description": "The run, which is a job", "content": {"application/json": {"schema": {
                        "type": "object",
                        "properties": {"job": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}, "required": ["id"]}},
                        "required": ["job"],
                    }}}},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404), "409": refusal(409), "422": refusal(422), "503": refusal(503),
                },
            }},
            "/api/v1/schedules/preview": {"post": {
                "tags": ["schedules"], "operationId": "preview_schedule",
                "summary": "Tells what a rule means in a time zone, and the next five times",
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "type": "object",
                    "properties": {
                        "cron": {"type": "string", "description": "Minute, hour, day of the month, month, day of the week", "examples": ["30 7 * * MON-FRI"]},
                        "time_zone": {"type": "string", "description": "Such as Europe/Madrid; the server's own when empty"},
                    },
                    "required": ["cron"],
                    "additionalProperties": false,
                }}}},
                "responses": {
                    "200": {"description": "What it means", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SchedulePreview"}}}},
                    "401": refusal(401), "403": refusal(403), "422": refusal(422),
                },
            }},
        },
        "components": {"schemas": {
            "SchedulePreview": {
                "type": "object",
                "properties": {
                    "sentence": {"type": "string", "description": "In the language that was asked for"},
                    "time_zone": {"type": "string"},
                    "times": {"type": "array", "items": {
                        "type": "object",
                        "properties": {
                            "at": {"type": "string", "format": "date-time"},
                            "local": {"type": "string", "description": "By the clock of the zone"},
                            "offset": {"type": "string", "examples": ["+02:00"]},
                        },
                        "required": ["at", "local", "offset"],
                    }},
                    "notes": {"type": "array", "items": {"type": "string"}, "description": "What the clocks do to it in the year ahead"},
                },
                "required": ["sentence", "time_zone", "times", "notes"],
            },
        }},
    })
}
