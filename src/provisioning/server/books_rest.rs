//! Playbooks as they are written, over the REST API: files, archive, versions, questions, marks.

use super::{galaxy, project, survey, syntax, versions};
use crate::{
    authentication::server::{Context, Operating, Reading, Updating},
    error::{Error, Result},
    i18n::td_string,
    id::Id,
    platform::errors,
    storage::Playbook,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use serde_json::{Value, json};
use std::future::Future;

/// The greatest body of an upload, in bytes: all files that a project may have, and what an archive adds.
pub const UPLOAD_MAX: usize = 24 << 20;

/// The routes below a playbook, without those that take an upload.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/v1/playbooks/{id}/files", get(list))
        .route("/api/v1/playbooks/{id}/files/{*path}", get(file).delete(remove))
        .route("/api/v1/playbooks/{id}/archive", get(packed))
        .route("/api/v1/playbooks/{id}/questions", get(questions))
        .route("/api/v1/playbooks/{id}/marks", get(marks))
        .route("/api/v1/playbooks/{id}/requirements", get(requirements).post(install))
        .route("/api/v1/playbooks/{id}/versions", get(listed))
        .route("/api/v1/playbooks/{id}/versions/{number}", get(version))
        .route("/api/v1/playbooks/{id}/versions/{number}/restore", post(restore))
}

/// The routes that take an upload, which may be larger than other bodies.
pub fn uploads<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/v1/playbooks/{id}/files/{*path}", put(write))
        .route("/api/v1/playbooks/{id}/archive", post(unpack))
}

/// Parameters of an address, in order.
type Parameters = Query<Vec<(String, String)>>;

async fn answered(context: &Context, outcome: impl Future<Output = Result<Response>>) -> Response {
    outcome.await.unwrap_or_else(|error| errors::answer(&error, context.locale))
}

fn id(text: &str) -> Result<Id<Playbook>> {
    text.parse().map_err(|_| Error::not_found("playbook"))
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::not_found("version"))
}

fn none(context: &Context, Query(parameters): Parameters) -> Result<()> {
    match parameters.into_iter().next() {
        Some((name, _)) => Err(Error::invalid(name, td_string!(context.locale, errors.field.parameter))),
        None => Ok(()),
    }
}

async fn list(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let list = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let items = project::list(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(json!({ "items": items })).into_response())
    };
    answered(&context, list).await
}

async fn file(context: Context, Path((playbook, path)): Path<(String, String)>, parameters: Parameters) -> Response {
    let file = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let content = project::content(&context.state, &permit, id(&playbook)?, &path).await?;
        let name = path.rsplit('/').next().unwrap_or_default();
        Ok(download(name, "application/octet-stream", content))
    };
    answered(&context, file).await
}

async fn write(
    context: Context,
    Path((playbook, path)): Path<(String, String)>,
    parameters: Parameters,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let written = async {
        let permit = context.permit::<Updating>("playbook")?;
        none(&context, parameters)?;
        let body = match body {
            Ok(body) => body,
            Err(rejection) => return Ok(unread(&context, &rejection)),
        };
        project::put(&permit, id(&playbook)?, &path, body.to_vec()).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answered(&context, written).await
}

async fn remove(context: Context, Path((playbook, path)): Path<(String, String)>, parameters: Parameters) -> Response {
    let removed = async {
        let permit = context.permit::<Updating>("playbook")?;
        none(&context, parameters)?;
        project::remove(&permit, id(&playbook)?, vec![path]).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answered(&context, removed).await
}

async fn packed(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let packed = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let archive = project::packed(&context.state, &permit, id(&playbook)?).await?;
        Ok(download("playbook.zip", "application/zip", archive))
    };
    answered(&context, packed).await
}

async fn unpack(
    context: Context,
    Path(playbook): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let unpacked = async {
        let permit = context.permit::<Updating>("playbook")?;
        let mut replace = false;
        for (name, value) in parameters {
            if name != "replace" {
                return Err(Error::invalid(name, td_string!(context.locale, errors.field.parameter)));
            }
            let read = value.parse();
            replace = read.map_err(|_| Error::invalid(name, td_string!(context.locale, errors.field.switch)))?;
        }
        let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(given.as_str(), "application/zip" | "application/x-zip-compressed" | "application/octet-stream") {
            let expected = "application/zip".to_owned();
            let message = td_string!(context.locale, errors.request.content_type, expected = expected);
            return Ok(errors::said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", &message));
        }
        let body = match body {
            Ok(body) => body,
            Err(rejection) => return Ok(unread(&context, &rejection)),
        };
        let unpacked = project::unpack(&permit, id(&playbook)?, body.to_vec(), replace).await?;
        Ok(Json(unpacked).into_response())
    };
    answered(&context, unpacked).await
}

async fn questions(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let questions = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let items = survey::of(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(json!({ "items": items })).into_response())
    };
    answered(&context, questions).await
}

async fn marks(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let marks = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let checked = syntax::check(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(checked).into_response())
    };
    answered(&context, marks).await
}

async fn requirements(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let requirements = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let told = galaxy::told(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(told.unwrap_or_default()).into_response())
    };
    answered(&context, requirements).await
}

async fn install(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let installed = async {
        let permit = context.permit::<Operating>("run")?;
        none(&context, parameters)?;
        let told = galaxy::install(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(told.unwrap_or_default()).into_response())
    };
    answered(&context, installed).await
}

async fn listed(context: Context, Path(playbook): Path<String>, parameters: Parameters) -> Response {
    let listed = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let items = versions::list(&context.state, &permit, id(&playbook)?).await?;
        Ok(Json(json!({ "items": items })).into_response())
    };
    answered(&context, listed).await
}

async fn version(
    context: Context,
    Path((playbook, version)): Path<(String, String)>,
    parameters: Parameters,
) -> Response {
    let version = async {
        let permit = context.permit::<Reading>("playbook")?;
        none(&context, parameters)?;
        let (id, number) = (id(&playbook)?, number(&version)?);
        let files = versions::files(&context.state, &permit, id, number).await?;
        let text = |content: &[u8]| project::text_of(content).map(str::to_owned);
        let files: Vec<Value> = files
            .iter()
            .map(|(path, content)| json!({ "path": path, "size": content.len(), "text": text(content) }))
            .collect();
        Ok(Json(json!({ "number": number, "files": files })).into_response())
    };
    answered(&context, version).await
}

async fn restore(
    context: Context,
    Path((playbook, version)): Path<(String, String)>,
    parameters: Parameters,
) -> Response {
    let restored = async {
        let permit = context.permit::<Updating>("playbook")?;
        none(&context, parameters)?;
        versions::restore(&permit, id(&playbook)?, number(&version)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answered(&context, restored).await
}

/// A file to be kept and not to be shown: whatever is in it, it is no page of ours.
fn download(name: &str, media_type: &'static str, content: Vec<u8>) -> Response {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' })
        .collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\""));
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or_else(|_| HeaderValue::from_static("attachment"))),
    ];
    (headers, content).into_response()
}

/// The answer to a body that could not be read.
fn unread(context: &Context, rejection: &BytesRejection) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = td_string!(context.locale, errors.request.too_large);
        return errors::said(StatusCode::PAYLOAD_TOO_LARGE, "invalid", message);
    }
    errors::answer(&Error::invalid("", rejection.body_text()), context.locale)
}

/// Paths and schemas of the description, to be merged into the whole.
pub fn openapi() -> Value {
    let refusal = |status: u16| json!({ "$ref": format!("#/components/responses/{status}") });
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" }, "description": "The playbook" });
    let path = json!({ "name": "path", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 }, "description": "The file's path; its slashes stand as they are" });
    let number =
        json!({ "name": "number", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1 } });
    let of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let items = |name: &str| {
        of(json!({
            "type": "object",
            "properties": { "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } } },
            "required": ["items"],
        }))
    };
    let good = |description: &str, content: Value| json!({ "description": description, "content": content });
    let done = json!({ "description": "Done" });
    let bytes = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let archive = json!({ "application/zip": { "schema": { "type": "string", "format": "binary" } } });
    let operation = |name: &str,
                     summary: &str,
                     parameters: Vec<&Value>,
                     status: &str,
                     answer: &Value,
                     others: &[u16]| {
        let mut responses = json!({ status: answer, "401": refusal(401), "403": refusal(403), "404": refusal(404), "422": refusal(422) });
        for other in others {
            responses[other.to_string()] = refusal(*other);
        }
        json!({ "tags": ["playbooks"], "operationId": name, "summary": summary, "parameters": parameters, "responses": responses })
    };
    let with_body = |mut operation: Value, body: &Value| {
        operation["requestBody"] = json!({ "required": true, "content": body });
        operation
    };
    let replace = json!({ "name": "replace", "in": "query", "schema": { "type": "boolean" }, "description": "Files that are not in it go" });
    let version = of(json!({
        "type": "object",
        "properties": {
            "number": { "type": "integer" },
            "files": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "path": { "type": "string" },
                    "size": { "type": "integer" },
                    "text": { "type": ["string", "null"], "description": "Null where it is no text" },
                },
                "required": ["path", "size", "text"],
            } },
        },
        "required": ["number", "files"],
    }));
    json!({
        "paths": {
            "/api/v1/playbooks/{id}/files": {
                "get": operation("list_playbook_files", "Lists the files beside a playbook", vec![&id], "200", &good("The files", items("ProjectFile")), &[]),
            },
            "/api/v1/playbooks/{id}/files/{path}": {
                "get": operation("get_playbook_file", "Gives a file beside a playbook", vec![&id, &path], "200", &good("The file", bytes.clone()), &[]),
                "put": with_body(operation("put_playbook_file", "Writes a file beside a playbook", vec![&id, &path], "204", &done, &[413]), &bytes),
                "delete": operation("remove_playbook_file", "Removes a file, or a folder with all that is in it", vec![&id, &path], "204", &done, &[]),
            },
            "/api/v1/playbooks/{id}/archive": {
                "get": operation("get_playbook_archive", "Gives a playbook, its questions and its files as a ZIP archive", vec![&id], "200", &good("The archive", archive.clone()), &[]),
                "post": with_body(operation(
                    "unpack_playbook_archive",
                    "Puts the files of a ZIP archive beside a playbook; playbook.yml and survey.yml in it become its plays and questions",
                    vec![&id, &replace], "200", &good("What was taken", of(json!({ "$ref": "#/components/schemas/Unpacked" }))), &[409, 413, 415],
                ), &archive),
            },
            "/api/v1/playbooks/{id}/questions": {
                "get": operation("playbook_questions", "Gives what a playbook asks before it runs", vec![&id], "200", &good("The questions", items("Question")), &[]),
            },
            "/api/v1/playbooks/{id}/marks": {
                "get": operation("check_playbook", "Gives what Ansible and ansible-lint say about a playbook", vec![&id], "200", &good("The marks", of(json!({ "$ref": "#/components/schemas/Checked" }))), &[503]),
            },
            "/api/v1/playbooks/{id}/requirements": {
                "get": operation("get_playbook_requirements", "Gives the collections and roles that a playbook asks for, and what of them is installed", vec![&id], "200", &good("The requirements", of(json!({ "$ref": "#/components/schemas/Requirements" }))), &[]),
                "post": operation("install_playbook_requirements", "Installs the collections and roles that a playbook asks for once more", vec![&id], "200", &good("What is installed", of(json!({ "$ref": "#/components/schemas/Requirements" }))), &[503]),
            },
            "/api/v1/playbooks/{id}/versions": {
                "get": operation("list_playbook_versions", "Lists the versions of a playbook, newest first", vec![&id], "200", &good("The versions", items("Version")), &[]),
            },
            "/api/v1/playbooks/{id}/versions/{number}": {
                "get": operation("get_playbook_version", "Gives the files of a version, playbook and questions among them", vec![&id, &number], "200", &good("The version", version), &[]),
            },
            "/api/v1/playbooks/{id}/versions/{number}/restore": {
                "post": operation("restore_playbook_version", "Makes a playbook what it was, which makes a new version", vec![&id, &number], "204", &done, &[409]),
            },
        },
        "components": { "schemas": {
            "ProjectFile": {
                "type": "object",
                "properties": { "path": { "type": "string" }, "size": { "type": "integer", "description": "Bytes" } },
                "required": ["path", "size"],
            },
            "Unpacked": {
                "type": "object",
                "properties": {
                    "files": { "type": "integer", "description": "Files that were taken" },
                    "left_out": { "type": "array", "items": { "type": "string" }, "description": "Entries of no use: .git, __MACOSX" },
                    "code": { "type": "array", "items": { "type": "string" }, "description": "Files that Ansible runs as code" },
                    "playbook": { "type": "boolean", "description": "Whether the playbook itself was in it" },
                },
                "required": ["files", "left_out", "code", "playbook"],
            },
            "Question": {
                "type": "object",
                "properties": {
                    "variable": { "type": "string" },
                    "question": { "type": "string" },
                    "answer": { "type": "string", "enum": ["text", "number", "choice", "secret"] },
                    "choices": { "type": "array", "items": { "type": "string" } },
                    "required": { "type": "boolean" },
                    "default": {},
                },
                "required": ["variable", "question", "answer", "choices", "required"],
            },
            "Mark": {
                "type": "object",
                "properties": {
                    "path": { "type": "string" },
                    "line": { "type": "integer" },
                    "column": { "type": "integer" },
                    "severity": { "type": "string", "enum": ["error", "warning", "hint"] },
                    "message": { "type": "string" },
                    "rule": { "type": ["string", "null"], "description": "The rule of ansible-lint" },
                },
                "required": ["path", "line", "column", "severity", "message"],
            },
            "Checked": {
                "type": "object",
                "properties": {
                    "marks": { "type": "array", "items": { "$ref": "#/components/schemas/Mark" } },
                    "by_ansible": { "type": "boolean", "description": "Whether Ansible has read it" },
                    "by_lint": { "type": "boolean", "description": "Whether ansible-lint has" },
                },
                "required": ["marks", "by_ansible", "by_lint"],
            },
            "Requirements": {
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "The file that asks for them; empty where none does" },
                    "problem": { "type": ["string", "null"], "description": "Why it cannot be read" },
                    "items": { "type": "array", "items": { "$ref": "#/components/schemas/Requirement" } },
                    "installed_at": { "type": ["string", "null"], "format": "date-time", "description": "Null while they are not installed" },
                },
                "required": ["path", "problem", "items", "installed_at"],
            },
            "Requirement": {
                "type": "object",
                "properties": {
                    "kind": { "type": "string", "enum": ["collection", "role"] },
                    "name": { "type": "string", "description": "Where it comes from, while that is all that is known" },
                    "wanted": { "type": ["string", "null"], "description": "The version that is asked for; null for any" },
                    "installed": { "type": ["string", "null"], "description": "The version that is installed" },
                },
                "required": ["kind", "name", "wanted", "installed"],
            },
            "Version": {
                "type": "object",
                "properties": {
                    "number": { "type": "integer" },
                    "hash": { "type": "string", "description": "SHA-256 of all of it" },
                    "message": { "type": ["string", "null"] },
                    "author_name": { "type": "string" },
                    "at": { "type": "string", "format": "date-time" },
                },
                "required": ["number", "hash", "author_name", "at"],
            },
        } },
    })
}
