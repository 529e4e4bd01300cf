//! The description of the REST API: made from the code, served as OpenAPI and as a page.

use crate::authentication::server::Context;
use axum::{
    Json, Router,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

/// The whole document. The list of entities must be complete before it is first read.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The page, made of [`DOCUMENT`].
static PAGE: LazyLock<String> = LazyLock::new(|| page(&DOCUMENT));

const STYLE: &str = include_str!("openapi.css");

/// The routes of the description.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/openapi.json", get(async |_: Context| Json(&*DOCUMENT)))
        .route("/api/docs", get(async |_: Context| Html(PAGE.as_str())))
        .route(
            "/api/docs/style.css",
            get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()),
        )
}

/// The document: ours around what each slice says of itself.
pub fn document() -> Value {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muelle",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The same functions as the pages, with the same rights. Sign in with POST /api/v1/login and send \
                the token as Authorization: Bearer. Names are snake_case, times RFC 3339, sizes bytes, durations seconds.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "security": [{ "bearer": [] }],
        "paths": {},
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "properties": {
                        "field": { "type": "string", "description": "The field's name; empty for the whole" },
                        "message": { "type": "string" },
                    },
                    "required": ["field", "message"],
                    "additionalProperties": false,
                },
                "Error": {
                    "type": "object",
                    "properties": { "error": {
                        "type": "object",
                        "properties": {
                            "code": { "type": "string" },
                            "message": { "type": "string" },
                            "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } },
                            "request": { "type": "string", "description": "The request's number, for the log" },
                            "job": { "type": "string", "description": "The job that is under way" },
                        },
                        "required": ["code", "message", "problems", "request"],
                        "additionalProperties": false,
                    } },
                    "required": ["error"],
                    "additionalProperties": false,
                },
            },
            "responses": {},
        },
    });
    for (status, meaning) in REFUSALS {
        document["components"]["responses"][*status] = json!({
            "description": meaning,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
    }
    for fragment in fragments() {
        merge(&mut document, &fragment);
    }
    tell_of_the_limit(&mut document);
    document
}

/// What each refusal means; slices refer to them as `#/components/responses/404`.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The request itself is malformed"),
    ("401", "Not signed in, or no longer"),
    ("403", "Not allowed; the message says why"),
    ("404", "There is no such thing, or it may not be known"),
    ("409", "Its state, a stale revision or something under way does not allow this"),
    ("413", "The body is too large"),
    ("415", "The body is of another media type"),
    ("422", "Values must be corrected; problems names them"),
    ("429", "Too many requests; Retry-After says when to try again"),
    ("500", "Our own fault; the number stands in the log"),
    ("503", "A service that is needed does not answer"),
];

/// What the slices say of their routes.
fn fragments() -> Vec<Value> {
    vec![
        derived(&crate::authentication::server::rest::openapi()),
        derived(&super::health::openapi()),
        derived(&super::csp::openapi()),
        derived(&crate::deployments::server::rest::openapi()),
        crate::storage::item::server::openapi::openapi(),
        crate::jobs::server::openapi::openapi(),
        crate::provisioning::server::books_rest::openapi(),
        crate::provisioning::server::openapi::openapi(),
        crate::provisioning::server::schedules_rest::openapi(),
        crate::provisioning::server::machines_rest::openapi(),
    ]
}

/// Every call that needs a login counts, so each of them may be one too many.
fn tell_of_the_limit(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let is_open = operation["security"] == json!([{}]);
        if let Some(answers) = operation["responses"].as_object_mut().filter(|_| !is_open) {
            answers.entry("429").or_insert_with(|| json!({ "$ref": "#/components/responses/429" }));
        }
    }
}

/// A slice's own description, as derived by `utoipa`, for [`fragments`].
fn derived(description: &utoipa::openapi::OpenApi) -> Value {
    serde_json::to_value(description).unwrap_or_default()
}

fn merge(document: &mut Value, fragment: &Value) {
    for pointer in ["/paths", "/components/schemas", "/components/responses"] {
        let (Some(Value::Object(target)), Some(Value::Object(more))) =
            (document.pointer_mut(pointer), fragment.pointer(pointer))
        else {
            continue;
        };
        for (name, value) in more {
            match (target.get_mut(name), value) {
                // Two slices may describe methods of one path.
                (Some(Value::Object(known)), Value::Object(methods)) if pointer == "/paths" => {
                    known.extend(methods.clone());
                }
                // The shapes above stand for all.
                (Some(_), _) => {}
                (None, _) => drop(target.insert(name.clone(), value.clone())),
            }
        }
    }
}

fn page(document: &Value) -> String {
    let nothing = Map::new();
    let paths = document["paths"].as_object().unwrap_or(&nothing);
    let mut groups: BTreeMap<&str, Vec<(&str, &str, &Value)>> = BTreeMap::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap_or(&nothing) {
            let group = operation["tags"][0].as_str().unwrap_or("Muelle");
            groups.entry(group).or_default().push((path, method, operation));
        }
    }
    let mut html = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>API · Muelle</title>\n\
         <link rel=\"stylesheet\" href=\"/api/docs/style.css\">\n</head>\n<body>\n<main>\n<h1>Muelle API</h1>\n",
    );
    let mut add = |text: std::fmt::Arguments<'_>| {
        html.write_fmt(text).expect("a text takes what is written to it");
    };
    add(format_args!("<p>{}</p>\n", escaped(document["info"]["description"].as_str().unwrap_or_default())));
    add(format_args!(
        "<p>The same as a file: <a href=\"/api/openapi.json\">openapi.json</a></p>\n<nav aria-label=\"Groups\">"
    ));
    for group in groups.keys() {
        add(format_args!("<a href=\"#{}\">{}</a> ", anchor(group), escaped(group)));
    }
    add(format_args!("</nav>\n"));
    for (group, operations) in &groups {
        add(format_args!("<section><h2 id=\"{}\">{}</h2>\n", anchor(group), escaped(group)));
        for (path, method, operation) in operations {
            add(format_args!(
                "<details><summary><b class=\"{method}\">{}</b> <code>{}</code> <span>{}</span></summary>\n",
                method.to_uppercase(),
                escaped(path),
                escaped(operation["summary"].as_str().unwrap_or_default()),
            ));
            if let Some(text) = operation["description"].as_str() {
                add(format_args!("<p>{}</p>", escaped(text)));
            }
            add(format_args!("{}", parameters(operation)));
            if let Some(content) = operation["requestBody"]["content"].as_object() {
                add(format_args!("<h3>Body</h3>{}", contents(content, document)));
            }
            add(format_args!("<h3>Answers</h3>\n<dl>"));
            for (status, answer) in operation["responses"].as_object().unwrap_or(&nothing) {
                let answer = resolved(answer, document);
                add(format_args!(
                    "<dt>{}</dt><dd>{}",
                    escaped(status),
                    escaped(answer["description"].as_str().unwrap_or_default())
                ));
                if status.starts_with('2')
                    && let Some(content) = answer["content"].as_object()
                {
                    add(format_args!("{}", contents(content, document)));
                }
                add(format_args!("</dd>\n"));
            }
            add(format_args!("</dl></details>\n"));
        }
        add(format_args!("</section>\n"));
    }
    add(format_args!("</main>\n</body>\n</html>\n"));
    html
}

fn parameters(operation: &Value) -> String {
    let Some(parameters) = operation["parameters"].as_array().filter(|list| !list.is_empty()) else {
        return String::new();
    };
    let mut html = String::from(
        "<h3>Parameters</h3>\n<table><thead><tr><th>Name</th><th>In</th><th>What</th></tr></thead><tbody>\n",
    );
    for parameter in parameters {
        let field = |name: &str| escaped(parameter[name].as_str().unwrap_or_default());
        let (name, place, what) = (field("name"), field("in"), field("description"));
        html.push_str(&format!("<tr><td><code>{name}</code></td><td>{place}</td><td>{what}</td></tr>\n"));
    }
    html + "</tbody></table>\n"
}

fn contents(content: &Map<String, Value>, document: &Value) -> String {
    let mut html = String::new();
    for (media_type, body) in content {
        let schema = resolved(&body["schema"], document);
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        html.push_str(&format!(
            "<p><code>{}</code></p><pre tabindex=\"0\">{}</pre>\n",
            escaped(media_type),
            escaped(&text)
        ));
    }
    html
}

/// What a reference of the document leads to; the value itself when it is none.
fn resolved<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn anchor(group: &str) -> String {
    group.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{document, page};
    use serde_json::Value;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn walk(value: &Value, document: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let found = document.pointer(target.trim_start_matches('#'));
                        assert!(found.is_some(), "{target} leads nowhere");
                    }
                    fields.values().for_each(|field| walk(field, document));
                }
                Value::Array(list) => list.iter().for_each(|entry| walk(entry, document)),
                _ => {}
            }
        }
        let document = document();

        walk(&document, &document);

        assert!(document["paths"]["/api/v1/machines/{id}"]["put"].is_object());
    }

    #[test]
    fn the_page_needs_no_script_and_no_inline_style() {
        let page = page(&document());

        assert!(page.contains("/api/v1/machines"));
        for forbidden in ["<script", "style=", "<style", " onclick", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
