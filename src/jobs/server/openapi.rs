//! What the description of the REST API says of jobs.

use super::store;
use crate::jobs::model::JobState;
use serde_json::{Value, json};

/// Paths and schemas, to be merged into the whole; refusals refer to the whole's own responses.
pub fn openapi() -> Value {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}, "description": "The job"});
    let one = json!({"description": "The job", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}});
    let refusal = |status: u16| json!({"$ref": format!("#/components/responses/{status}")});
    let states = JobState::ALL.map(JobState::name);
    let sorts: Vec<String> =
        store::SORTS.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]).collect();
    let filters = json!([
        {"name": "state", "in": "query", "schema": {"type": "string", "enum": states}},
        {"name": "kind", "in": "query", "schema": {"type": "string"}, "description": "`image.pull`, or `image` for all of the family"},
        {"name": "mine", "in": "query", "schema": {"type": "boolean"}, "description": "Only those that the person asked for"},
        {"name": "search", "in": "query", "schema": {"type": "string"}, "description": "Text in the title"},
        {"name": "customer", "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": "Only this customer's"},
        {"name": "sort", "in": "query", "schema": {"type": "string", "enum": sorts}, "description": "With a minus for greatest first; newest first when there is none"},
    ]);
    let further = json!({
        "before": {"name": "before", "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": "Only those behind this one: `next` of the page before"},
        "per_page": {"name": "per_page", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": store::PAGE_LIMIT, "default": 50}},
        "format": {"name": "format", "in": "query", "schema": {"type": "string", "enum": ["csv", "json"], "default": "csv"}},
    });
    let parameters = |names: &[&str]| {
        let more = names.iter().map(|name| further[*name].clone());
        filters.as_array().into_iter().flatten().cloned().chain(more).collect::<Vec<_>>()
    };
    json!({
        "paths": {
            "/api/v1/jobs": {"get": {
                "tags": ["jobs"], "operationId": "list_jobs", "summary": "Lists jobs, newest first unless asked otherwise",
                "parameters": parameters(&["before", "per_page"]),
                "responses": {
                    "200": {"description": "A page of jobs", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobPage"}}}},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404), "422": refusal(422),
                },
            }},
            "/api/v1/jobs/export": {"get": {
                "tags": ["jobs"], "operationId": "export_jobs", "summary": "Gives all jobs that a list would show on its pages, as a file",
                "parameters": parameters(&["format"]),
                "responses": {
                    "200": {"description": "The file", "content": {
                        "text/csv": {"schema": {"type": "string"}},
                        "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}},
                    }},
                    "401": refusal(401), "403": refusal(403), "422": refusal(422),
                },
            }},
            "/api/v1/jobs/{id}": {"get": {
                "tags": ["jobs"], "operationId": "get_job", "summary": "Gives one job", "parameters": [id],
                "responses": {"200": one, "401": refusal(401), "403": refusal(403), "404": refusal(404)},
            }},
            "/api/v1/jobs/{id}/output": {"get": {
                "tags": ["jobs"], "operationId": "job_output",
                "summary": "Gives a job's output: as text what there is now, as events everything until its end",
                "description": "With `Accept: text/event-stream` each line is an event `line` whose id is its sequence; `Last-Event-ID` resumes after it.",
                "parameters": [
                    id,
                    {"name": "tail", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 10_000_000}, "description": "Only the last lines; text only"},
                    {"name": "download", "in": "query", "schema": {"type": "boolean"}, "description": "As a file; text only"},
                ],
                "responses": {
                    "200": {"description": "The output", "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "text/event-stream": {"schema": {"type": "string"}},
                    }},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404), "422": refusal(422), "429": refusal(429),
                },
            }},
            "/api/v1/jobs/{id}/cancel": {"post": {
                "tags": ["jobs"], "operationId": "cancel_job",
                "summary": "Asks to end a job: at once when it waits, as soon as its work allows when it runs",
                "parameters": [id],
                "responses": {"200": one, "401": refusal(401), "403": refusal(403), "404": refusal(404), "409": refusal(409)},
            }},
        },
        "components": {"schemas": {
            "Job": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "customer": {"type": ["string", "null"], "format": "uuid"},
                    "kind": {"type": "string", "description": "What acts on what: `image.pull`"},
                    "title": {"type": "string"},
                    "operation": {"description": "The operation as it was asked for, secrets masked"},
                    "state": {"type": "string", "enum": states},
                    "progress": {"anyOf": [{"$ref": "#/components/schemas/Progress"}, {"type": "null"}]},
                    "outcome": {"description": "The result, or `{\"error\": {code, message}}`"},
                    "person": {"type": ["string", "null"], "format": "uuid"},
                    "person_name": {"type": "string"},
                    "cancel_requested": {"type": "boolean"},
                    "created_at": {"type": "string", "format": "date-time"},
                    "started_at": {"type": ["string", "null"], "format": "date-time"},
                    "finished_at": {"type": ["string", "null"], "format": "date-time"},
                },
                "required": ["id", "kind", "title", "operation", "state", "person_name", "cancel_requested", "created_at"],
            },
            "Progress": {
                "type": "object",
                "properties": {
                    "fraction": {"type": ["number", "null"], "description": "0 to 1; null while it cannot be told"},
                    "note": {"type": "string"},
                    "parts": {"type": "array", "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "note": {"type": "string"},
                            "done": {"type": "integer", "description": "Bytes done"},
                            "total": {"type": "integer", "description": "Bytes in all; 0 while unknown"},
                        },
                        "required": ["name", "note", "done", "total"],
                    }},
                },
                "required": ["note", "parts"],
            },
            "JobPage": {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
                    "next": {"type": ["string", "null"], "format": "uuid", "description": "`before` of the next page; null when this is the last"},
                },
                "required": ["items"],
            },
        }},
    })
}
