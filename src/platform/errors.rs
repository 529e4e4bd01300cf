//! Our error as an HTTP answer.

use crate::{error::Error, i18n::Locale};
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
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    if let Error::Busy { retry_after: Some(seconds), .. } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if matches!(error, Error::Unauthenticated) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        answer(&self, Locale::en)
    }
}
