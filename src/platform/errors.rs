//! Our error as an HTTP answer.

use crate::{authentication::server::gate::Place, error::Error, i18n::Locale};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The answer of the REST API to an error: `{"error": {code, message, problems, request}}`.
pub fn answer(error: &Error, locale: Locale) -> Response {
    let request = match error {
        Error::Internal { request } => request.clone(),
        _ => super::telemetry::request_number(),
    };
    let mut body = json!({
        "error": {
            "code": error.code(),
            "message": error.message(locale),
            "problems": error.problems(),
            "request": request,
        }
    });
    if let Error::Busy { job: Some(job), .. } = error {
        body["error"]["job"] = json!(job);
    }
    let mut response = (status(error), Json(body)).into_response();
    if let Error::Busy { retry_after: Some(seconds), .. } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if matches!(error, Error::Unauthenticated) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The HTTP status of an error.
pub fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The REST API's shape with words of one's own, for what HTTP itself refuses.
pub fn said(status: StatusCode, code: &str, message: &str) -> Response {
    let request = super::telemetry::request_number();
    let body = json!({ "error": { "code": code, "message": message, "problems": [], "request": request } });
    (status, Json(body)).into_response()
}

/// The answer to a server function that fails, as the browser's program reads it.
pub fn function(status: StatusCode, error: &Error) -> Response {
    let mut response = (status, Json(error)).into_response();
    response.headers_mut().insert("serverfnerror", HeaderValue::from_static("/"));
    if let Error::Busy { retry_after: Some(seconds), .. } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

/// An error in the form that fits where the request went.
pub fn refuse(place: Place, error: &Error, locale: Locale) -> Response {
    match place {
        Place::Function => function(status(error), error),
        Place::Api | Place::Events => answer(error, locale),
        Place::Form | Place::Page => (status(error), error.message(locale)).into_response(),
    }
}

/// What HTTP itself refuses, in the form that fits where the request went.
pub fn plain(place: Place, status: StatusCode, code: &str, message: &str) -> Response {
    match place {
        Place::Function => function(status, &Error::invalid("", message)),
        Place::Api | Place::Events => said(status, code, message),
        Place::Form | Place::Page => (status, message.to_owned()).into_response(),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        answer(&self, Locale::en)
    }
}
