//! Host keys, check, facts, wake and inventory over the REST API.

use super::{check, facts, host_keys, inventory, wake};
use crate::{
    authentication::server::{Context, Operating, Reading, Updating},
    error::{Error, Problem, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::{errors::answer, state::State},
    provisioning::machines::{HostKey, KeyOwner, KeyState},
    storage::Credential,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The routes beside those of the records.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/machines/{id}/host-keys", get(machine_keys))
        .route("/api/v1/machines/{id}/host-keys/scan", post(scan_machine))
        .route("/api/v1/machines/{id}/host-keys/{key}/approve", post(approve_of_machine))
        .route("/api/v1/machines/{id}/host-keys/{key}/reject", post(reject_of_machine))
        .route("/api/v1/machines/{id}/check", post(check_machine))
        .route("/api/v1/machines/{id}/facts", get(machine_facts))
        .route("/api/v1/machines/{id}/facts/adopt", post(adopt))
        .route("/api/v1/machines/{id}/wake", post(wake_machine))
        .route("/api/v1/hosts/{id}/host-keys", get(host_keys_of))
        .route("/api/v1/hosts/{id}/host-keys/scan", post(scan_host))
        .route("/api/v1/hosts/{id}/host-keys/{key}/approve", post(approve_of_host))
        .route("/api/v1/hosts/{id}/host-keys/{key}/reject", post(reject_of_host))
        .route("/api/v1/hosts/{id}/inventory", get(host_inventory))
}

fn respond<T: IntoResponse>(context: &Context, outcome: Result<T>) -> Response {
    match outcome {
        Ok(response) => response.into_response(),
        Err(error) => answer(&error, context.locale),
    }
}

fn identifier<T>(kind: &str, text: &str) -> Result<Id<T>> {
    text.parse().map_err(|_| Error::not_found(kind))
}

fn machine(text: &str) -> Result<KeyOwner> {
    identifier("machine", text).map(KeyOwner::Machine)
}

fn host(text: &str) -> Result<KeyOwner> {
    identifier("host", text).map(KeyOwner::Host)
}

/// The members of a JSON object; nothing is an empty one, and what is not among `known` is refused.
fn members(body: &Bytes, known: &[&str], locale: Locale) -> Result<Map<String, Value>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| Error::invalid("", error.to_string()))?;
    let unknown: Vec<Problem> = members
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| Problem::at(name, td_string!(locale, errors.field.unknown)))
        .collect();
    if unknown.is_empty() { Ok(members) } else { Err(Error::Invalid { problems: unknown }) }
}

fn member<T: DeserializeOwned>(members: &Map<String, Value>, name: &str) -> Result<Option<T>> {
    let Some(value) = members.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    serde_json::from_value(value.clone()).map(Some).map_err(|error| Error::invalid(name, error.to_string()))
}

async fn list(context: &Context, owner: Result<KeyOwner>, kind: &'static str) -> Response {
    let listed = async {
        let permit = context.permit::<Reading>(kind)?;
        host_keys::list(&permit, owner?).await.map(Json)
    };
    respond(context, listed.await)
}

async fn machine_keys(context: Context, Path(id): Path<String>) -> Response {
    list(&context, machine(&id), "machine").await
}

async fn host_keys_of(context: Context, Path(id): Path<String>) -> Response {
    list(&context, host(&id), "host").await
}

async fn scan(context: &Context, owner: Result<KeyOwner>, kind: &'static str, body: &Bytes) -> Response {
    let scanned = async {
        let permit = context.permit::<Operating>(kind)?;
        let owner = owner?;
        let known: &[&str] = if kind == "host" { &["address"] } else { &[] };
        let address: Option<String> = member(&members(body, known, context.locale)?, "address")?;
        host_keys::scan(&permit, owner, address.as_deref()).await.map(Json)
    };
    respond(context, scanned.await)
}

async fn scan_machine(context: Context, Path(id): Path<String>, body: Bytes) -> Response {
    scan(&context, machine(&id), "machine", &body).await
}

async fn scan_host(context: Context, Path(id): Path<String>, body: Bytes) -> Response {
    scan(&context, host(&id), "host", &body).await
}

async fn decide(context: &Context, owner: Result<KeyOwner>, kind: &'static str, key: &str, approve: bool) -> Response {
    let decided = async {
        let permit = context.permit::<Operating>(kind)?;
        let (owner, key) = (owner?, identifier::<HostKey>("host_key", key)?);
        host_keys::decide(&permit, owner, key, approve).await.map(Json)
    };
    respond(context, decided.await)
}

async fn approve_of_machine(context: Context, Path((id, key)): Path<(String, String)>) -> Response {
    decide(&context, machine(&id), "machine", &key, true).await
}

async fn reject_of_machine(context: Context, Path((id, key)): Path<(String, String)>) -> Response {
    decide(&context, machine(&id), "machine", &key, false).await
}

async fn approve_of_host(context: Context, Path((id, key)): Path<(String, String)>) -> Response {
    decide(&context, host(&id), "host", &key, true).await
}

async fn reject_of_host(context: Context, Path((id, key)): Path<(String, String)>) -> Response {
    decide(&context, host(&id), "host", &key, false).await
}

async fn check_machine(context: Context, Path(id): Path<String>, body: Bytes) -> Response {
    let checked = async {
        let permit = context.permit::<Operating>("machine")?;
        let id = identifier("machine", &id)?;
        let members = members(&body, &["credentials", "told_as"], context.locale)?;
        let credentials: Vec<Id<Credential>> = member(&members, "credentials")?.unwrap_or_default();
        check::check(&permit, id, &credentials, member(&members, "told_as")?).await.map(Json)
    };
    respond(&context, checked.await)
}

async fn machine_facts(context: Context, Path(id): Path<String>) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("machine")?;
        facts::view(&permit, identifier("machine", &id)?).await.map(Json)
    };
    respond(&context, shown.await)
}

async fn adopt(context: Context, Path(id): Path<String>, body: Bytes) -> Response {
    let adopted = async {
        let permit = context.permit::<Updating>("machine")?;
        let id = identifier("machine", &id)?;
        let members = members(&body, &["fields", "revision"], context.locale)?;
        let fields: Vec<String> = member(&members, "fields")?.unwrap_or_default();
        facts::adopt(&permit, id, &fields, member(&members, "revision")?).await.map(Json)
    };
    respond(&context, adopted.await)
}

async fn wake_machine(context: Context, Path(id): Path<String>) -> Response {
    let woken = async {
        let permit = context.permit::<Operating>("machine")?;
        wake::wake(&permit, identifier("machine", &id)?).await.map(|()| StatusCode::NO_CONTENT)
    };
    respond(&context, woken.await)
}

async fn host_inventory(context: Context, Path(id): Path<String>) -> Response {
    let shown = async {
        let permit = context.permit::<Reading>("host")?;
        inventory::view(&permit, identifier("host", &id)?).await.map(Json)
    };
    respond(&context, shown.await)
}

/// What the description of the REST API says of these routes.
pub fn openapi() -> Value {
    let parameter = |name: &str, what: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}, "description": what});
    let refusals = |statuses: &[u16]| -> Map<String, Value> {
        let refusal = |status: &u16| (status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
        statuses.iter().map(refusal).collect()
    };
    let answers = |what: &str, schema: Value, statuses: &[u16]| {
        let mut answers = refusals(statuses);
        answers.insert(
            "200".to_owned(),
            json!({"description": what, "content": {"application/json": {"schema": schema}}}),
        );
        Value::Object(answers)
    };
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let body = |properties: Value| json!({"content": {"application/json": {"schema": {"type": "object", "properties": properties, "additionalProperties": false}}}});
    let mut paths = Map::new();
    for (plural, one) in [("machines", "machine"), ("hosts", "host")] {
        let (id, key) = (parameter("id", one), parameter("key", "The key"));
        let base = format!("/api/v1/{plural}/{{id}}/host-keys");
        paths.insert(base.clone(), json!({"get": {
            "tags": [plural], "operationId": format!("{one}_host_keys"),
            "summary": format!("Lists the SSH keys of a {one}{}", if one == "host" { "'s free addresses" } else { "" }),
            "parameters": [id],
            "responses": answers("The keys, those that wait for a decision first", schema("HostKeys"), &[401, 403, 404, 422]),
        }}));
        let properties = if one == "host" {
            json!({"address": {"type": "string", "description": "Which of its addresses; the first when absent"}})
        } else {
            json!({})
        };
        paths.insert(format!("{base}/scan"), json!({"post": {
            "tags": [plural], "operationId": format!("scan_{one}_host_keys"),
            "summary": "Asks the SSH server for its key; an unknown one waits for approval, another one than the trusted blocks",
            "parameters": [id], "requestBody": body(properties),
            "responses": answers("The keys", schema("HostKeys"), &[401, 403, 404, 422, 503]),
        }}));
        for (action, what) in [
            ("approve", "Trusts a key in place of any other"),
            ("reject", "Rejects a key, or withdraws the trust in it"),
        ] {
            paths.insert(
                format!("{base}/{{key}}/{action}"),
                json!({"post": {
                    "tags": [plural], "operationId": format!("{action}_{one}_host_key"), "summary": what,
                    "parameters": [id, key],
                    "responses": answers("The key", schema("HostKey"), &[401, 403, 404, 422]),
                }}),
            );
        }
    }
    let id = parameter("id", "The machine");
    paths.insert("/api/v1/machines/{id}/check".to_owned(), json!({"post": {
        "tags": ["machines"], "operationId": "check_machine",
        "summary": "Checks step by step whether the machine can be worked on; what it refuses stands in the report",
        "parameters": [id],
        "requestBody": body(json!({
            "credentials": {"type": "array", "items": {"type": "string", "format": "uuid"}},
            "told_as": {"type": ["string", "null"], "format": "uuid", "description": "An id of your own: `GET /events` tells each step as it ends under the topic `check/ID`"},
        })),
        "responses": answers("The report", schema("CheckReport"), &[401, 403, 404, 422]),
    }}));
    paths.insert("/api/v1/machines/{id}/facts".to_owned(), json!({"get": {
        "tags": ["machines"], "operationId": "machine_facts", "summary": "Gives what the last run found out about the machine; null when there was none",
        "parameters": [id],
        "responses": answers("The facts", json!({"anyOf": [schema("MachineFacts"), {"type": "null"}]}), &[401, 403, 404]),
    }}));
    paths.insert("/api/v1/machines/{id}/facts/adopt".to_owned(), json!({"post": {
        "tags": ["machines"], "operationId": "adopt_machine_facts", "summary": "Takes what was found into the record",
        "parameters": [id],
        "requestBody": body(json!({
            "fields": {"type": "array", "items": {"type": "string", "enum": facts::FIELDS}, "minItems": 1},
            "revision": {"type": ["integer", "null"], "description": "The revision that was looked at; the present one when absent"},
        })),
        "responses": answers("The record", schema("Machine"), &[401, 403, 404, 409, 422]),
    }}));
    let mut woken = refusals(&[401, 403, 404, 422, 503]);
    woken.insert("204".to_owned(), json!({"description": "The magic packet was sent"}));
    paths.insert("/api/v1/machines/{id}/wake".to_owned(), json!({"post": {
        "tags": ["machines"], "operationId": "wake_machine", "summary": "Sends the magic packet that wakes the machine",
        "parameters": [id], "responses": woken,
    }}));
    paths.insert("/api/v1/hosts/{id}/inventory".to_owned(), json!({"get": {
        "tags": ["hosts"], "operationId": "host_inventory", "summary": "Gives the inventory of the group as Ansible reads it",
        "parameters": [parameter("id", "The host")],
        "responses": answers("The inventory", schema("Inventory"), &[401, 403, 404, 422]),
    }}));
    json!({ "paths": paths, "components": { "schemas": schemas() } })
}

fn schemas() -> Value {
    let time = json!({"type": "string", "format": "date-time"});
    let or_null = |kind: &str| json!({"type": [kind, "null"]});
    let variables = json!({"type": "object", "additionalProperties": true});
    json!({
        "HostKey": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "machine": {"type": ["string", "null"], "format": "uuid"},
                "address": or_null("string"), "port": or_null("integer"),
                "algorithm": {"type": "string"},
                "fingerprint": {"type": "string", "description": "`SHA256:…`"},
                "state": {"type": "string", "enum": KeyState::ALL.map(KeyState::name)},
                "first_seen_at": time, "last_seen_at": time,
                "decided_by": or_null("string"),
                "decided_at": {"type": ["string", "null"], "format": "date-time"},
            },
            "required": ["id", "algorithm", "fingerprint", "state", "first_seen_at", "last_seen_at"],
        },
        "HostKeys": {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"$ref": "#/components/schemas/HostKey"}},
                "addresses": {"type": "array", "description": "Address and port of each server that can be asked",
                    "items": {"type": "array", "items": {"type": ["string", "integer"]}}},
            },
            "required": ["items", "addresses"],
        },
        "CheckReport": {
            "type": "object",
            "properties": {
                "ok": {"type": "boolean"},
                "steps": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "step": {"type": "string", "enum": ["address", "port", "host_key", "login", "python", "become"]},
                        "state": {"type": "string", "enum": ["passed", "failed", "not_tried"]},
                        "detail": {"type": "string"},
                        "remedy": or_null("string"),
                        "took_ms": {"type": "integer"},
                    },
                    "required": ["step", "state", "detail", "took_ms"],
                }},
                "keys": {"type": "array", "items": {"$ref": "#/components/schemas/HostKey"}, "description": "Keys that wait for a decision"},
                "at": time,
            },
            "required": ["ok", "steps", "keys", "at"],
        },
        "MachineFacts": {
            "type": "object",
            "properties": {
                "run": {"type": "string", "format": "uuid"},
                "gathered_at": time,
                "facts": variables,
                "differences": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"field": {"type": "string"}, "recorded": or_null("string"), "found": {"type": "string"}},
                    "required": ["field", "found"],
                }},
            },
            "required": ["run", "gathered_at", "facts", "differences"],
        },
        "Inventory": {
            "type": "object",
            "properties": {
                "by_ansible": {"type": "boolean", "description": "False when Ansible is missing; it is then what Ansible would be given"},
                "note": or_null("string"),
                "groups": {"type": "object", "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "hosts": {"type": "array", "items": {"type": "string"}},
                        "children": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["hosts", "children"],
                }},
                "roots": {"type": "array", "items": {"type": "string"}},
                "hosts": {"type": "object", "additionalProperties": variables},
            },
            "required": ["by_ansible", "groups", "roots", "hosts"],
        },
    })
}
