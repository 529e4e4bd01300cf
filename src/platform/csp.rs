//! The content security policy, and where browsers tell that a page broke it.

use super::errors;
use crate::{
    authentication::server::{
        Context,
        gate::{Origin, is_from_here},
        users,
    },
    error::{Error, Problem},
    i18n::td_string,
    time::Timestamp,
};
use axum::{
    Extension, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use leptos::prelude::LeptosOptions;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::{OpenApi, ToSchema};

/// Where reports go.
pub const REPORTS: &str = "/api/csp-report";

/// The greatest report in bytes.
const LONGEST: usize = 16 << 10;

/// Reports that are logged in a minute; a broken page makes thousands of the same.
const PER_MINUTE: u32 = 20;

/// The policy of an answer whose inline scripts carry `nonce`.
///
/// Reports go by `report-uri`: unlike `report-to` it works without TLS and in every browser, and its
/// requests tell where they come from.
pub fn policy(nonce: &str) -> String {
    // The development server reloads the page through a socket of its own.
    let reload =
        if std::env::var_os("LEPTOS_WATCH").is_some() { " ws://127.0.0.1:3001 ws://localhost:3001" } else { "" };
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'{reload}; manifest-src 'self'; form-action 'self'; \
         base-uri 'none'; object-src 'none'; frame-ancestors 'none'; report-uri {REPORTS}"
    )
}

/// What a browser sends when a page did what its policy forbids.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = CspReport)]
pub struct Report {
    /// What happened.
    #[serde(rename = "csp-report")]
    pub report: Violation,
}

/// One thing that the policy forbade; what browsers add beside is passed over.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CspViolation)]
pub struct Violation {
    /// The page.
    #[serde(default)]
    pub document_uri: String,
    /// The part of the policy.
    #[serde(default)]
    pub effective_directive: Option<String>,
    /// The same, as older browsers call it.
    #[serde(default)]
    pub violated_directive: Option<String>,
    /// What was to be loaded or run.
    #[serde(default)]
    pub blocked_uri: String,
    /// The script or sheet that wanted it.
    #[serde(default)]
    pub source_file: Option<String>,
    /// Where in it.
    #[serde(default)]
    pub line_number: Option<i64>,
}

/// The route of reports.
pub fn routes() -> Router<LeptosOptions> {
    Router::new().route(REPORTS, post(report)).layer(RequestBodyLimitLayer::new(LONGEST))
}

/// Takes a browser's report that a page broke its content security policy, and logs it.
#[utoipa::path(
    post, path = "/api/csp-report", tag = "status", security(()),
    request_body(content = Report, content_type = "application/csp-report"),
    responses(
        (status = 204, description = "Noted"),
        (status = 403, description = "Not from a page of this server"),
        (status = 413, description = "Larger than a report can be"),
        (status = 415, description = "The body is of another media type"),
        (status = 422, description = "The report cannot be read"),
        (status = 429, description = "Enough reports for this minute; see `Retry-After`"),
    )
)]
async fn report(context: Context, Extension(origin): Extension<Origin>, headers: HeaderMap, body: Bytes) -> Response {
    let locale = context.locale;
    if !is_from_here(&context.state, &origin, &headers) {
        let reason = td_string!(locale, access.cross_site).to_owned();
        return errors::answer(&Error::Forbidden { reason }, locale);
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/csp-report") {
        let sentence = td_string!(locale, access.unreadable);
        return errors::said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", sentence);
    }
    let Report { report } = match serde_json::from_slice(&body) {
        Ok(report) => report,
        Err(cause) => {
            let problems = vec![Problem::at("csp-report", cause.to_string())];
            return errors::answer(&Error::Invalid { problems }, locale);
        }
    };
    if let Some(seconds) = wait(Timestamp::now()) {
        return errors::answer(&users::too_many(seconds, locale), locale);
    }
    tracing::warn!(
        page = shortened(&report.document_uri),
        directive = report.effective_directive.or(report.violated_directive).as_deref().map(shortened),
        blocked = shortened(&report.blocked_uri),
        source = report.source_file.as_deref().map(shortened),
        line = report.line_number,
        "a browser reports that a page broke the content security policy"
    );
    StatusCode::NO_CONTENT.into_response()
}

/// Counts a report; gives the seconds to wait when this minute has had enough of them.
fn wait(now: Timestamp) -> Option<u32> {
    static MINUTE: Mutex<(i64, u32)> = Mutex::new((0, 0));

    let mut counted = MINUTE.lock().unwrap_or_else(PoisonError::into_inner);
    let minute = now.seconds().div_euclid(60);
    if counted.0 != minute {
        *counted = (minute, 0);
    }
    counted.1 += 1;
    (counted.1 > PER_MINUTE).then(|| u32::try_from(60 - now.seconds().rem_euclid(60)).unwrap_or(60))
}

/// A word of a report as it is logged: without what follows the question mark, which may be private, without
/// control characters, and not longer than a line.
fn shortened(text: &str) -> String {
    let before = text.split(['?', '#']).next().unwrap_or_default();
    before.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// The description of this route.
#[derive(OpenApi)]
#[openapi(paths(report), components(schemas(Report, Violation)))]
struct Description;

/// The description of this route, to be merged into the whole.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_reports_is_cut_off_until_the_next_minute() {
        let at = |seconds: i64| Timestamp::from_seconds(6_000_000_000 + seconds);

        assert!((0..PER_MINUTE).all(|_| wait(at(20)).is_none()));
        assert_eq!(wait(at(20)), Some(40));
        assert_eq!(wait(at(60)), None);
    }

    #[test]
    fn what_is_logged_of_a_report_is_short_and_holds_no_query() {
        assert_eq!(shortened("https://here/setup?token=secret"), "https://here/setup");
        assert_eq!(shortened("a\u{1b}[2J\nb"), "a[2Jb");
        assert_eq!(shortened(&"x".repeat(1000)).len(), 200);
    }
}
