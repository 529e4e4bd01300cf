//! What the description of the REST API says of runs.

use super::store;
use crate::provisioning::model::RunState;
use serde_json::{Value, json};

/// Paths and schemas, to be merged into the whole; refusals refer to the whole's own responses.
pub fn openapi() -> Value {
    let run = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}, "description": "The run, which has the id of its job"});
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let of = |description: &str, name: &str| json!({"description": description, "content": {"application/json": {"schema": schema(name)}}});
    let refusal = |status: u16| json!({"$ref": format!("#/components/responses/{status}")});
    let filter = |name: &str, what: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": what});
    let states = RunState::ALL.map(RunState::name);
    let moment = |name: &str, what: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "format": "date-time"}, "description": what});
    let request = json!({"required": true, "content": {"application/json": {"schema": schema("RunRequest")}}});
    let accepted = json!({
        "description": "It is queued",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the run is"}},
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {"job": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}, "required": ["id"]}},
            "required": ["job"],
        }}},
    });
    let id = || json!({"type": "string", "format": "uuid"});
    let maybe_id = || json!({"type": ["string", "null"], "format": "uuid"});
    let maybe_time = || json!({"type": ["string", "null"], "format": "date-time"});
    let count = || json!({"type": "integer", "minimum": 0});
    json!({
        "paths": {
            "/api/v1/provisioning/runs": {
                "get": {
                    "tags": ["runs"], "operationId": "list_runs", "summary": "Lists runs, newest first",
                    "parameters": [
                        {"name": "state", "in": "query", "schema": {"type": "string", "enum": states}},
                        filter("playbook", "Only of this playbook"),
                        filter("machine", "Only on this machine"),
                        {"name": "host", "in": "query", "schema": {"type": "string"}, "description": "Only on a host of this name"},
                        filter("person", "Only those that this person asked for"),
                        filter("schedule", "Only those of this schedule"),
                        moment("since", "Only those asked for at or after this moment"),
                        moment("until", "Only those asked for before this moment"),
                        filter("before", "Only those older than this one: `next` of the page before"),
                        {"name": "per_page", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": store::PAGE_LIMIT, "default": 50}},
                    ],
                    "responses": {"200": of("A page of runs", "RunPage"), "401": refusal(401), "403": refusal(403), "422": refusal(422)},
                },
                "post": {
                    "tags": ["runs"], "operationId": "start_run", "summary": "Runs a playbook on hosts, as a job",
                    "requestBody": request,
                    "responses": {
                        "202": accepted, "400": refusal(400), "401": refusal(401), "403": refusal(403), "404": refusal(404), "409": refusal(409),
                        "413": refusal(413), "422": refusal(422), "503": refusal(503),
                    },
                },
            },
            "/api/v1/provisioning/runs/preview": {"post": {
                "tags": ["runs"], "operationId": "preview_run", "summary": "Tells what a request would do, and does nothing",
                "requestBody": request,
                "responses": {
                    "200": of("The command line, the hosts, and what to know before", "RunPreview"),
                    "400": refusal(400), "401": refusal(401), "403": refusal(403), "404": refusal(404), "413": refusal(413), "422": refusal(422),
                },
            }},
            "/api/v1/provisioning/runs/{id}": {"get": {
                "tags": ["runs"], "operationId": "get_run", "summary": "Gives one run with its plays, tasks and hosts", "parameters": [run("id")],
                "responses": {"200": of("The run", "RunView"), "401": refusal(401), "403": refusal(403), "404": refusal(404)},
            }},
            "/api/v1/provisioning/runs/{id}/events": {"get": {
                "tags": ["runs"], "operationId": "run_events",
                "summary": "Gives what happened in a run: as JSON what there is now, as events everything until its end",
                "description": "With `Accept: text/event-stream` the events are `run` (the run, first and whenever it changed), `events` (a list, \
                    with the sequence of the last one as id) and `end`; `Last-Event-ID` resumes without gap or repeat, also after a restart of the server. \
                    The console is the output of the job.",
                "parameters": [
                    run("id"),
                    {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}, "description": "Only those after this sequence"},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": store::EVENTS_LIMIT, "default": store::EVENTS_LIMIT}, "description": "JSON only"},
                ],
                "responses": {
                    "200": {"description": "The events", "content": {
                        "application/json": {"schema": {
                            "type": "object",
                            "properties": {
                                "items": {"type": "array", "items": schema("RunEvent")},
                                "state": {"type": "string", "enum": states, "description": "The run's state; once it has ended and `items` is empty, there is no more"},
                            },
                            "required": ["items", "state"],
                        }},
                        "text/event-stream": {"schema": {"type": "string"}},
                    }},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404), "422": refusal(422), "429": refusal(429),
                },
            }},
            "/api/v1/provisioning/runs/{id}/results/{sequence}": {"get": {
                "tags": ["runs"], "operationId": "run_result", "summary": "Gives the result that an event holds, as Ansible gave it, secrets masked",
                "parameters": [
                    run("id"),
                    {"name": "sequence", "in": "path", "required": true, "schema": {"type": "integer"}, "description": "The event's sequence"},
                ],
                "responses": {
                    "200": {"description": "The result", "content": {"application/json": {"schema": {}}}},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404),
                },
            }},
            "/api/v1/provisioning/runs/{id}/again": {"post": {
                "tags": ["runs"], "operationId": "run_again", "summary": "Runs the same once more",
                "parameters": [run("id")],
                "requestBody": {"content": {"application/json": {"schema": {
                    "type": "object",
                    "properties": {"failed_only": {"type": "boolean", "default": false, "description": "Only on hosts that ended badly or not at all"}},
                    "additionalProperties": false,
                }}}},
                "responses": {
                    "202": accepted, "400": refusal(400), "401": refusal(401), "403": refusal(403), "404": refusal(404), "409": refusal(409),
                    "413": refusal(413), "422": refusal(422), "503": refusal(503),
                },
            }},
            "/api/v1/provisioning/runs/{id}/compare/{after}": {"get": {
                "tags": ["runs"], "operationId": "compare_runs",
                "summary": "Tells where two runs differ: tasks that ended otherwise, are there in one only, or took much longer",
                "parameters": [run("id"), run("after")],
                "responses": {
                    "200": {"description": "The differences", "content": {"application/json": {"schema": {
                        "type": "object", "properties": {"items": {"type": "array", "items": schema("RunDifference")}}, "required": ["items"],
                    }}}},
                    "401": refusal(401), "403": refusal(403), "404": refusal(404),
                },
            }},
        },
        "components": {"schemas": {
            "RunRequest": {
                "type": "object",
                "properties": {
                    "playbook": id(),
                    "hosts": {"type": "array", "items": id(), "description": "Groups it is run on"},
                    "machines": {"type": "array", "items": id(), "description": "Single machines it is run on"},
                    "options": schema("RunOptions"),
                },
                "required": ["playbook"], "additionalProperties": false,
            },
            "RunOptions": {
                "type": "object",
                "properties": {
                    "limit": {"type": "string", "description": "Only hosts of this pattern: names of hosts and groups with commas, `*`, `!` and `&`"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "skip_tags": {"type": "array", "items": {"type": "string"}},
                    "variables": {"type": "object", "description": "Variables by name, answers to the playbook's survey among them"},
                    "check": {"type": "boolean", "description": "Change nothing; show what would change"},
                    "diff": {"type": "boolean", "description": "Show what changes inside files"},
                    "become": {"type": "boolean", "description": "Become another user on the hosts"},
                    "become_name": {"type": "string", "description": "Which one; root when empty"},
                    "verbosity": {"type": "integer", "minimum": 0, "maximum": 4},
                    "forks": {"type": ["integer", "null"], "minimum": 1, "maximum": 500, "description": "Hosts at a time"},
                    "credentials": {"type": "array", "items": id(), "description": "Keys and passwords to use, one of a kind"},
                    "timeout": {"type": ["integer", "null"], "minimum": 1, "description": "Seconds until it is ended"},
                },
                "additionalProperties": false,
            },
            "RunPreview": {
                "type": "object",
                "properties": {
                    "command": {"type": "string", "description": "The command line it stands for, secrets masked"},
                    "hosts": {"type": "array", "items": {"type": "string"}},
                    "warnings": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["command", "hosts", "warnings"],
            },
            "Run": {
                "type": "object",
                "properties": {
                    "id": id(), "customer": maybe_id(), "playbook": id(),
                    "playbook_name": {"type": "string"}, "revision": {"type": "integer"},
                    "request": {"description": "What was asked for, secrets masked", "type": "object"},
                    "target": {"type": "array", "items": {"type": "string"}},
                    "command": {"type": "string"},
                    "state": {"type": "string", "enum": states},
                    "reason": {"type": ["string", "null"]},
                    "isolation": {"type": "string", "description": "How it was kept apart from the server: `namespaces`, `user`, or `none`; empty before it began"},
                    "ansible": {"type": ["string", "null"], "description": "Ansible's version"},
                    "person": maybe_id(), "person_name": {"type": "string"},
                    "schedule": maybe_id(), "parent": maybe_id(),
                    "recap": {"type": "array", "items": schema("HostRecap")},
                    "created_at": {"type": "string", "format": "date-time"},
                    "started_at": maybe_time(), "finished_at": maybe_time(),
                },
                "required": ["id", "playbook", "playbook_name", "revision", "request", "target", "command", "state", "isolation", "person_name", "recap", "created_at"],
            },
            "HostRecap": {
                "type": "object",
                "properties": {
                    "host": {"type": "string"}, "machine": maybe_id(), "ok": count(), "changed": count(), "unreachable": count(),
                    "failed": count(), "skipped": count(), "rescued": count(), "ignored": count(),
                },
                "required": ["host", "ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"],
            },
            "RunEvent": {
                "type": "object",
                "properties": {
                    "sequence": {"type": "integer", "minimum": 1}, "at": {"type": "string", "format": "date-time"},
                    "kind": {"type": "string", "enum": ["start", "play", "task", "host_start", "result", "retry", "facts", "no_hosts", "warning", "stats"]},
                },
                "required": ["sequence", "at", "kind"],
            },
            "RunView": {
                "type": "object",
                "properties": {
                    "run": schema("Run"),
                    "tree": {"type": "object", "description": "Hosts, plays and tasks with how each ended per host, up to the event `last`"},
                    "before": {"type": ["string", "null"], "format": "uuid", "description": "The ended run of the same playbook before it"},
                },
                "required": ["run", "tree"],
            },
            "RunPage": {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": schema("Run")},
                    "next": {"type": ["string", "null"], "format": "uuid", "description": "`before` of the next page; null when this is the last"},
                },
                "required": ["items"],
            },
            "RunDifference": {
                "type": "object",
                "properties": {
                    "task": {"type": "string"}, "host": {"type": "string"},
                    "before": {"type": ["string", "null"]}, "after": {"type": ["string", "null"]},
                    "before_ms": count(), "after_ms": count(),
                },
                "required": ["task", "host", "before_ms", "after_ms"],
            },
        }},
    })
}
