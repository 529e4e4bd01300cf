//! Signing in and out over the API, and links for those who cannot.

use super::{
    Context, Updating,
    forms::refusal_text,
    gate::{Origin, customer_of_host},
    login::{self, Credentials},
    reset,
};
use crate::{
    authentication::model::{ResetLink, Session},
    error::{Error, Problem},
    platform::errors,
    time::Timestamp,
};
use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use leptos::prelude::LeptosOptions;
use serde::{Deserialize, Serialize};
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::{OpenApi, ToSchema};

/// What is sent to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credentials)]
pub struct SignIn {
    /// The customer's domain; absent for the platform's own people.
    #[serde(default)]
    pub customer: Option<String>,
    /// The name for signing in.
    pub username: String,
    /// The password.
    #[schema(format = "password")]
    pub password: String,
}

/// What comes back.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedIn {
    /// The token for the header `Authorization: Bearer …`. It also ends after the idle time without a request.
    pub token: String,
    /// When it ends in any case.
    #[schema(value_type = String, format = "date-time")]
    pub expires_at: Timestamp,
    /// Who was signed in.
    pub user: SignedInUser,
}

/// The person behind a token.
#[derive(Serialize, ToSchema)]
pub struct SignedInUser {
    /// The user's record.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name for signing in.
    pub username: String,
    /// The first name, or the user name where none is known.
    pub name: String,
    /// `admin`, `regular` or `viewer`.
    #[schema(value_type = String)]
    pub role: crate::authentication::model::Role,
    /// The domain of their customer; `null` for the platform's own people.
    pub customer: Option<String>,
}

impl From<&Session> for SignedInUser {
    fn from(session: &Session) -> Self {
        Self {
            id: session.user.to_string(),
            username: session.username.clone(),
            name: session.name.clone(),
            role: session.role,
            customer: session.customer.as_ref().map(|customer| customer.domain.clone()),
        }
    }
}

/// The routes of signing in and out, and of links for those who cannot.
pub fn routes() -> Router<LeptosOptions> {
    Router::new()
        .route("/api/v1/login", post(sign_in).delete(sign_out))
        .route("/api/v1/users/{id}/reset-link", post(make_reset_link))
        // Names and a password: whoever sends more has something else in mind.
        .layer(RequestBodyLimitLayer::new(16 << 10))
}

/// Signs in and gives a token.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "login", request_body = SignIn, security(()),
    responses(
        (status = 200, description = "Signed in", body = SignedIn),
        (status = 401, description = "User or password is wrong"),
        (status = 413, description = "Larger than names and a password can be"),
        (status = 422, description = "The request cannot be read"),
        (status = 429, description = "Too many attempts; see `Retry-After`"),
        (status = 503, description = "Too many people sign in at this moment"),
    )
)]
async fn sign_in(context: Context, Extension(origin): Extension<Origin>, body: Bytes) -> Response {
    let typed: SignIn = match serde_json::from_slice(&body) {
        Ok(typed) => typed,
        Err(cause) => {
            let problems = vec![Problem::at(field_of(&cause.to_string()), cause.to_string())];
            return errors::answer(&Error::Invalid { problems }, context.locale);
        }
    };
    let customer = typed.customer.filter(|customer| !customer.is_empty());
    let customer = customer.or_else(|| customer_of_host(&origin.host, &context.state.config.server.base_domain));
    let credentials =
        Credentials { customer: customer.unwrap_or_default(), username: typed.username, password: typed.password };
    let entrance = match login::sign_in(&context, &credentials).await {
        Ok(entrance) => entrance,
        Err(login::Refusal::Error(error)) => return errors::answer(&error, context.locale),
        Err(refusal) => {
            let (status, sentence, wait) = refusal_text(refusal, context.locale);
            let code = if wait.is_some() { "busy" } else { "unauthenticated" };
            let mut response = errors::said(status, code, &sentence);
            match wait {
                Some(seconds) => response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds)),
                None => response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            };
            return response;
        }
    };
    match entrance.bearer(&context.state) {
        Ok(token) => {
            let expires_at = entrance.session.expires_at;
            Json(SignedIn { token, expires_at, user: (&entrance.session).into() }).into_response()
        }
        Err(cause) => errors::answer(&cause.into(), context.locale),
    }
}

/// Ends the login of the token.
#[utoipa::path(
    delete, path = "/api/v1/login", tag = "login",
    responses((status = 204, description = "Signed out"), (status = 401, description = "Not signed in"))
)]
async fn sign_out(context: Context) -> Response {
    match login::sign_out(&context).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => errors::answer(&error, context.locale),
    }
}

/// Makes a link with which a user sets a new password; the one before stops working.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/reset-link", tag = "Users",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 201, description = "The link, told this once; it works once and within 15 minutes", body = ResetLink),
        (status = 401, description = "Not signed in"),
        (status = 403, description = "Not allowed, or the user has more rights; the message says why"),
        (status = 404, description = "There is no such user in reach"),
        (status = 409, description = "The user may not sign in, or is oneself"),
    )
)]
async fn make_reset_link(context: Context, Path(id): Path<String>) -> Response {
    let made = async {
        let permit = context.permit::<Updating>("user")?;
        reset::make(&permit, id.parse().map_err(|_| Error::not_found("user"))?).await
    };
    match made.await {
        Ok(link) => (StatusCode::CREATED, Json(link)).into_response(),
        Err(error) => errors::answer(&error, context.locale),
    }
}

/// The field that serde's message speaks of: the word between the first backticks.
fn field_of(message: &str) -> &str {
    message.split('`').nth(1).unwrap_or_default()
}

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(sign_in, sign_out, make_reset_link), components(schemas(SignIn, SignedIn, SignedInUser, ResetLink)))]
struct Description;

/// The description of these routes, to be merged into the whole.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
