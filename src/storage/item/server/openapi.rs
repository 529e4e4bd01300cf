//! The description of the records' routes, made from the kinds themselves.

use crate::{
    i18n::Locale,
    storage::{
        entries,
        item::{Field, Kind, Language, Shape, Tenancy, query::PER_PAGE_MAX},
    },
};
use serde_json::{Map, Value, json};

/// Paths and schemas of every kind in the list, as a fragment of an OpenAPI document.
pub fn openapi() -> Value {
    let (mut paths, mut schemas) = (Map::new(), shared_schemas());
    for kind in entries().map(|entry| entry.kind) {
        describe(kind, &mut paths, &mut schemas);
    }
    json!({ "paths": paths, "components": { "schemas": schemas } })
}

fn describe(kind: &'static Kind, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let name = title(kind);
    schemas.insert(name.clone(), record(kind, true));
    schemas.insert(format!("{name}Row"), record(kind, false));
    schemas.insert(format!("{name}Page"), page(&name));
    if !kind.read_only {
        schemas.insert(format!("{name}Input"), input(kind, false));
        schemas.insert(format!("{name}Change"), input(kind, true));
    }

    let path = format!("/api/v1/{}", kind.plural);
    let (one, many) = ((kind.one)(Locale::en).to_lowercase(), (kind.many)(Locale::en).to_lowercase());
    let operation = |verb: &str, summary: String, parameters: Vec<Value>, body: Option<Value>, answers: Value| {
        let mut operation = json!({
            "tags": [(kind.many)(Locale::en)],
            "operationId": format!("{verb}_{}", kind.plural),
            "summary": summary,
            "responses": answers,
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = body {
            operation["requestBody"] = body;
        }
        operation
    };
    let deleted = || flag("deleted", "A removed one too");

    let mut all = Map::new();
    let listed = answers(&[200], reference(&format!("{name}Page")), &[401, 403, 422, 429, 503]);
    all.insert("get".into(), operation("list", format!("Lists {many}"), list_parameters(kind), None, listed));
    let mut single = Map::new();
    let found = answers(&[200], reference(&name), &[401, 403, 404, 422, 429, 503]);
    let parameters = vec![id_parameter(), deleted()];
    single.insert("get".into(), operation("get", format!("Shows one of the {many}"), parameters, None, found));
    if !kind.read_only {
        let body = json_body(&format!("{name}Input"));
        let mut made = answers(&[201], reference(&name), &[400, 401, 403, 409, 413, 415, 422, 429, 503]);
        made["201"]["headers"] = json!({
            "Location": { "description": "Where the record is", "schema": { "type": "string" } }
        });
        all.insert("post".into(), operation("create", format!("Makes a {one}"), vec![], Some(body), made));
        let body = json_body(&format!("{name}Change"));
        let changed = answers(&[200], reference(&name), &[400, 401, 403, 404, 409, 413, 415, 422, 429, 503]);
        let summary = format!("Changes a {one}; all fields are sent, with the revision they were read at");
        single.insert("put".into(), operation("update", summary, vec![id_parameter()], Some(body), changed));
        let restored = answers(&[200], reference(&name), &[400, 401, 403, 404, 409, 422, 429, 503]);
        let restore =
            operation("restore", format!("Brings a removed {one} back"), vec![id_parameter()], None, restored);
        paths.insert(format!("{path}/{{id}}/restore"), json!({ "post": restore }));
    }
    let summary = format!("Removes a {one}; with deleted=true, deletes a removed one for good");
    let gone = answers(&[204], Value::Null, &[400, 401, 403, 404, 409, 422, 429, 503]);
    let parameters = vec![id_parameter(), flag("deleted", "Purge a removed record")];
    single.insert("delete".into(), operation("remove", summary, parameters, None, gone));
    paths.insert(path.clone(), Value::Object(all));
    paths.insert(format!("{path}/{{id}}"), Value::Object(single));

    let parameters = vec![
        id_parameter(),
        parameter("before", "Lines older than this one", json!({ "type": "string", "format": "uuid" })),
        parameter(
            "per_page",
            "Lines in the answer",
            json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }),
        ),
    ];
    let lines = answers(&[200], reference("History"), &[401, 403, 404, 422, 429, 503]);
    let history =
        operation("history_of", format!("Tells the changes of a {one}, newest first"), parameters, None, lines);
    paths.insert(format!("{path}/{{id}}/history"), json!({ "get": history }));

    let mut parameters = list_parameters(kind);
    parameters.retain(|parameter| !matches!(parameter["name"].as_str(), Some("page" | "per_page")));
    parameters.push(parameter(
        "format",
        "The form of the file",
        json!({ "type": "string", "enum": ["csv", "json"], "default": "csv" }),
    ));
    let mut file = answers(
        &[200],
        json!({ "type": "array", "items": reference(&format!("{name}Row")) }),
        &[401, 403, 422, 429, 503],
    );
    file["200"]["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
    let export = operation("export", format!("Exports all {many} that are found"), parameters, None, file);
    paths.insert(format!("{path}/export"), json!({ "get": export }));

    if kind.importable {
        let body = json!({ "required": true, "content": { "text/csv": { "schema": { "type": "string" } } } });
        let parameters = vec![flag("preview", "Only say what would happen")];
        let taken = answers(&[200], reference("Import"), &[400, 401, 403, 409, 413, 415, 422, 429, 503]);
        let summary = format!("Imports {many} from CSV, all lines or none; a line changes the record of its name");
        let import = operation("import", summary, parameters, Some(body), taken);
        paths.insert(format!("{path}/import"), json!({ "post": import }));
    }
}

/// `machine` as `Machine`.
fn title(kind: &Kind) -> String {
    let mut letters = kind.name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn json_body(schema: &str) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": reference(schema) } } })
}

/// The good answer with this schema, and the refusals with these statuses.
fn answers(good: &[u16], schema: Value, refusals: &[u16]) -> Value {
    let mut answers = Map::new();
    for status in good {
        let description = match status {
            201 => "Made",
            204 => "Done",
            _ => "Good",
        };
        let mut answer = json!({ "description": description });
        if !schema.is_null() {
            answer["content"] = json!({ "application/json": { "schema": schema } });
        }
        answers.insert(status.to_string(), answer);
    }
    for status in refusals {
        answers.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    Value::Object(answers)
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}

fn flag(name: &str, description: &str) -> Value {
    parameter(name, description, json!({ "type": "boolean", "default": false }))
}

fn id_parameter() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
}

fn list_parameters(kind: &'static Kind) -> Vec<Value> {
    let sorts: Vec<&str> = kind.fields.iter().filter(|field| field.is_column()).map(|field| field.name).collect();
    let readable: Vec<&str> =
        kind.fields.iter().filter(|f| !matches!(f.shape, Shape::Secret)).map(|field| field.name).collect();
    let mut parameters = vec![
        parameter("search", "Words that must all occur", json!({ "type": "string", "pattern": "^[^\\u0000]*$" })),
        parameter(
            "sort",
            &format!("Fields to sort by, comma-separated, a hyphen before one turns it around: {}", sorts.join(", ")),
            json!({ "type": "string", "pattern": list_pattern(&sorts, "-?") }),
        ),
        parameter(
            "fields",
            &format!("The fields wanted, comma-separated: {}", readable.join(", ")),
            json!({ "type": "string", "pattern": list_pattern(&readable, "") }),
        ),
        parameter("page", "The page", json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": 1 })),
        parameter(
            "per_page",
            "Records on a page",
            json!({ "type": "integer", "minimum": 1, "maximum": PER_PAGE_MAX, "default": 50 }),
        ),
        flag("deleted", "Removed records instead of live ones"),
        parameter("filter[enabled]", "Only enabled, or only disabled ones", json!({ "type": "boolean" })),
    ];
    if kind.tenancy == Tenancy::PerCustomer {
        let schema = json!({ "type": "string", "format": "uuid" });
        parameters.push(parameter(
            "filter[customer]",
            "Only records of this customer; empty for the platform's own",
            schema,
        ));
    }
    for field in kind.fields {
        let schema = match field.shape {
            Shape::Secret | Shape::Lines { .. } => continue,
            Shape::Words | Shape::Addresses => json!({ "type": "string" }),
            Shape::References { .. } => json!({ "type": "string", "format": "uuid" }),
            _ => value(field, false),
        };
        let name = format!("filter[{}]", field.name);
        let description = format!("Only those with this {}; empty for none", (field.label)(Locale::en).to_lowercase());
        parameters.push(parameter(&name, &description, schema));
    }
    parameters
}

fn list_pattern(names: &[&str], before: &str) -> String {
    let one = format!("{before}({})", names.join("|"));
    format!("^{one}(,{one})*$")
}

/// The schema of a field's value; text that is required is not blank.
fn value(field: &Field, required: bool) -> Value {
    let mut schema = match field.shape {
        Shape::Line { max } if required => {
            json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": "^[!-~]([ -~]*[!-~])?$" })
        }
        Shape::Line { max } => {
            json!({ "type": "string", "maxLength": max, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$" })
        }
        Shape::Lines { language, max } => {
            let mut schema = json!({ "type": "string", "maxLength": max });
            if language == Language::Yaml {
                schema["contentMediaType"] = "application/yaml".into();
            }
            schema
        }
        Shape::Secret => json!({ "type": "string", "format": "password", "writeOnly": true }),
        Shape::Choice(choices) => {
            json!({ "type": "string", "enum": choices.iter().map(|choice| choice.value).collect::<Vec<_>>() })
        }
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Ipv4 => json!({ "type": "string", "format": "ipv4" }),
        Shape::Ipv6 => json!({ "type": "string", "format": "ipv6" }),
        Shape::Mac => json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" }),
        Shape::Words => json!({ "type": "array", "items": { "type": "string", "maxLength": 100 } }),
        Shape::Addresses => json!({ "type": "array", "items": { "type": "string", "maxLength": 253 } }),
        Shape::Time => json!({ "type": "string", "format": "date-time" }),
        Shape::Reference(_) => json!({ "type": "string", "format": "uuid" }),
        Shape::References { .. } => json!({ "type": "array", "items": { "type": "string", "format": "uuid" } }),
    };
    let mut description = (field.label)(Locale::en).to_owned();
    if let Some(hint) = field.hint {
        description = format!("{description}. {}", hint(Locale::en));
    }
    if let Some((other, values)) = field.when {
        description = format!("{description}. Only where {other} is {}", values.join(" or "));
    }
    schema["description"] = description.into();
    schema
}

fn nullable(mut schema: Value) -> Value {
    if let Some(Value::String(of)) = schema.get("type").cloned() {
        schema["type"] = json!([of, "null"]);
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    schema
}

const fn is_list(field: &Field) -> bool {
    matches!(field.shape, Shape::Words | Shape::Addresses | Shape::References { .. })
}

/// A record as it is read; a row of a list may have been asked for some fields only.
fn record(kind: &'static Kind, whole: bool) -> Value {
    let uuid = || json!({ "type": "string", "format": "uuid" });
    let time = || json!({ "type": "string", "format": "date-time" });
    let mut properties = Map::new();
    properties.insert("id".into(), uuid());
    properties.insert("customer".into(), nullable(uuid()));
    properties.insert("revision".into(), json!({ "type": "integer", "minimum": 1 }));
    properties.insert("enabled".into(), json!({ "type": "boolean" }));
    properties.insert("created_at".into(), time());
    properties.insert("created_by".into(), nullable(uuid()));
    properties.insert("updated_at".into(), time());
    properties.insert("updated_by".into(), nullable(uuid()));
    properties.insert("deleted_at".into(), nullable(time()));
    for field in kind.fields.iter().filter(|field| !matches!(field.shape, Shape::Secret)) {
        let mut schema = value(field, false);
        if !field.required && !is_list(field) && !matches!(field.shape, Shape::Switch) {
            schema = nullable(schema);
        }
        properties.insert(field.name.into(), schema);
    }
    let required: Vec<String> = if whole { properties.keys().cloned().collect() } else { vec!["id".into()] };
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// What is sent to make or change a record.
fn input(kind: &'static Kind, change: bool) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    if change {
        properties.insert("revision".into(), json!({ "type": "integer", "minimum": 1 }));
        required.push("revision");
    }
    properties.insert("enabled".into(), json!({ "type": "boolean", "default": true }));
    if kind.tenancy == Tenancy::PerCustomer {
        let description = "Whose it is. People of a customer leave it out; it cannot be changed";
        properties.insert(
            "customer".into(),
            json!({ "type": ["string", "null"], "format": "uuid", "description": description }),
        );
    }
    for field in kind.fields.iter().filter(|field| !field.read_only) {
        let needed = field.required && !(change && matches!(field.shape, Shape::Secret));
        let schema = value(field, needed);
        properties.insert(field.name.into(), if needed { schema } else { nullable(schema) });
        if needed {
            required.push(field.name);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": reference(&format!("{name}Row")) },
            "total": { "type": "integer", "minimum": 0 },
            "page": { "type": "integer", "minimum": 1 },
            "per_page": { "type": "integer", "minimum": 1 },
        },
        "required": ["items", "total", "page", "per_page"],
        "additionalProperties": false,
    })
}

fn shared_schemas() -> Map<String, Value> {
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let schemas = json!({
        "Change": {
            "type": "object",
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "at": { "type": "string", "format": "date-time" },
                "person": { "type": ["string", "null"], "format": "uuid" },
                "person_name": { "type": "string", "description": "The user's name then, or why the system acted" },
                "action": { "type": "string", "description": "create, update, remove, restore or purge" },
                "before": { "type": "object", "description": "The changed fields before" },
                "after": { "type": "object", "description": "The changed fields after" },
                "address": { "type": ["string", "null"] },
            },
            "required": ["id", "at", "person", "person_name", "action", "before", "after", "address"],
            "additionalProperties": false,
        },
        "History": {
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": { "$ref": "#/components/schemas/Change" } },
                "next": { "type": ["string", "null"], "format": "uuid", "description": "For before, to read on" },
            },
            "required": ["items", "next"],
            "additionalProperties": false,
        },
        "Import": {
            "type": "object",
            "properties": {
                "created": count,
                "changed": count,
                "unchanged": count,
                "refused": count,
                "lines": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "line": { "type": "integer", "minimum": 1 },
                        "name": { "type": "string" },
                        "action": { "type": "string", "enum": ["create", "update", "unchanged", "refuse"] },
                        "problems": { "type": "array", "items": problem },
                    },
                    "required": ["line", "name", "action", "problems"],
                    "additionalProperties": false,
                } },
            },
            "required": ["created", "changed", "unchanged", "refused", "lines"],
            "additionalProperties": false,
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
