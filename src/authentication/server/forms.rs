//! The forms that work before the browser has loaded the program: plain posts, answered by a redirect
//! to a path of our own, or by the same page with what is wrong.

use super::{
    Context,
    gate::{Origin, cookie, customer_of_host, no_cookie},
    login::{self, Credentials, Entrance, Refusal},
    reset, setup, users,
};
use crate::{
    authentication::model::{FormAnswer, safe_path},
    error::{Error, Problem},
    i18n::{Locale, td_string},
    platform::serve::render,
};
use axum::{
    Extension, Form, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use leptos::prelude::LeptosOptions;
use serde::Deserialize;

/// The form routes.
pub fn routes() -> Router<LeptosOptions> {
    Router::new()
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/setup", post(set_up))
        .route("/reset", post(reset_password))
        .route("/account", post(change_password))
        .route("/account/logins/end-others", post(end_other_logins))
        .route("/account/logins/{id}/end", post(end_login))
}

#[derive(Deserialize)]
struct SignIn {
    #[serde(default)]
    customer: String,
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(options): State<LeptosOptions>,
    context: Context,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Response {
    let customer = match form.customer.trim() {
        "" => customer_of_host(&origin.host, &context.state.config.server.base_domain).unwrap_or_default(),
        typed => typed.to_owned(),
    };
    let credentials = Credentials { customer, username: form.username.clone(), password: form.password };
    let entered = match origin.drops_cookies() {
        true => Err(Refusal::Error(insecure(context.locale))),
        false => login::sign_in(&context, &credentials).await,
    };
    let refusal = match entered {
        Ok(entrance) => return enter(&context, &origin, &entrance, safe_path(&form.next)),
        Err(refusal) => refusal,
    };
    let (status, sentence, wait) = refusal_text(refusal, context.locale);
    let mut answer = FormAnswer { trouble: Some(sentence), ..FormAnswer::default() };
    for (field, value) in [("customer", form.customer), ("username", form.username), ("next", form.next)] {
        answer.values.insert(field.to_owned(), value.chars().take(300).collect());
    }
    let mut response = page(options, context, origin, &headers, "/sign-in", answer, status).await;
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Why nobody enters where the browser would drop the cookie.
fn insecure(locale: Locale) -> Error {
    Error::Forbidden { reason: td_string!(locale, access.insecure).to_owned() }
}

/// Status, sentence and seconds to wait of a refused sign-in.
pub(super) fn refusal_text(refusal: Refusal, locale: Locale) -> (StatusCode, String, Option<u32>) {
    match refusal {
        Refusal::Wrong => (StatusCode::UNAUTHORIZED, td_string!(locale, access.wrong).to_owned(), None),
        Refusal::Slow(seconds) => {
            let sentence = users::slow(seconds, locale).message(locale);
            (StatusCode::TOO_MANY_REQUESTS, sentence, Some(seconds))
        }
        Refusal::Error(error) => (status(&error), error.message(locale), None),
    }
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn sign_out(context: Context, Extension(origin): Extension<Origin>) -> Response {
    if context.session().is_ok()
        && let Err(error) = login::sign_out(&context).await
    {
        return crate::platform::errors::answer(&error, context.locale);
    }
    let mut response = Redirect::to("/sign-in").into_response();
    set_cookie(&mut response, &no_cookie(origin.has_secure_cookie));
    // What the browser keeps of the pages goes too, except for the choice of language and theme.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

#[derive(Deserialize)]
struct SetUp {
    #[serde(default)]
    token: String,
    username: String,
    #[serde(default)]
    email: String,
    password: String,
    password_again: String,
}

async fn set_up(
    State(options): State<LeptosOptions>,
    context: Context,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Form(form): Form<SetUp>,
) -> Response {
    let mut answer = FormAnswer::default();
    let outcome = if origin.drops_cookies() {
        Err(insecure(context.locale))
    } else if form.password == form.password_again {
        let new = users::NewUser {
            username: form.username.clone(),
            email: Some(form.email.clone()),
            password: form.password,
            ..users::NewUser::default()
        };
        setup::finish(&context, &form.token, new).await
    } else {
        Err(Error::invalid("password_again", td_string!(context.locale, access.passwords_differ)))
    };
    match outcome {
        Ok(entrance) => enter(&context, &origin, &entrance, "/"),
        Err(error) => {
            let code = status(&error);
            tell(&mut answer, error, context.locale);
            for (field, value) in [("token", form.token), ("username", form.username), ("email", form.email)] {
                answer.values.insert(field.to_owned(), value.chars().take(300).collect());
            }
            page(options, context, origin, &headers, "/setup", answer, code).await
        }
    }
}

#[derive(Deserialize)]
struct ResetPassword {
    #[serde(default)]
    token: String,
    password: String,
    password_again: String,
}

async fn reset_password(
    State(options): State<LeptosOptions>,
    context: Context,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Form(form): Form<ResetPassword>,
) -> Response {
    let mut answer = FormAnswer::default();
    let outcome = if form.password == form.password_again {
        reset::finish(&context, &form.token, &form.password).await
    } else {
        Err(Error::invalid("password_again", td_string!(context.locale, access.passwords_differ)))
    };
    match outcome {
        Ok(()) => Redirect::to("/sign-in?reset").into_response(),
        Err(error) => {
            let code = status(&error);
            tell(&mut answer, error, context.locale);
            answer.values.insert("token".to_owned(), form.token.chars().take(300).collect());
            page(options, context, origin, &headers, "/reset", answer, code).await
        }
    }
}

#[derive(Deserialize)]
struct ChangePassword {
    current: String,
    password: String,
    password_again: String,
}

async fn change_password(
    State(options): State<LeptosOptions>,
    context: Context,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Form(form): Form<ChangePassword>,
) -> Response {
    let mut answer = FormAnswer::default();
    let outcome = if form.password == form.password_again {
        users::change_password(&context, &form.current, &form.password).await
    } else {
        Err(Error::invalid("password_again", td_string!(context.locale, access.passwords_differ)))
    };
    match outcome {
        Ok(entrance) => enter(&context, &origin, &entrance, "/account?changed"),
        Err(error) => {
            let code = status(&error);
            tell(&mut answer, error, context.locale);
            page(options, context, origin, &headers, "/account", answer, code).await
        }
    }
}

async fn end_other_logins(context: Context) -> Response {
    match login::end_own_others(&context).await {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(error) => crate::platform::errors::answer(&error, context.locale),
    }
}

async fn end_login(context: Context, Path(id): Path<String>) -> Response {
    let outcome = async {
        let session = context.session()?;
        let id = id.parse().map_err(|_| Error::not_found("login"))?;
        if !login::end_own(&context, id).await? {
            return Err(Error::not_found("login"));
        }
        Ok(id == session.login)
    };
    match outcome.await {
        Ok(true) => Redirect::to("/sign-in").into_response(),
        Ok(false) => Redirect::to("/account").into_response(),
        Err(error) => crate::platform::errors::answer(&error, context.locale),
    }
}

fn tell(answer: &mut FormAnswer, error: Error, locale: Locale) {
    match error {
        Error::Invalid { problems } => answer.problems = problems,
        other => answer.trouble = Some(other.message(locale)),
    }
    // A problem that has no input of its own on the page still has to be read.
    if let Some(Problem { message, .. }) = answer.problems.iter().find(|problem| problem.field.is_empty()) {
        answer.trouble = Some(message.clone());
    }
}

/// Goes to a path of our own with the cookie of a new login.
fn enter(context: &Context, origin: &Origin, entrance: &Entrance, path: &str) -> Response {
    match entrance.cookie(&context.state) {
        Ok(envelope) => {
            let mut response = Redirect::to(path).into_response();
            set_cookie(&mut response, &cookie(&envelope, origin.has_secure_cookie));
            response
        }
        Err(cause) => Error::from(cause).into_response(),
    }
}

fn set_cookie(response: &mut Response, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The page at `path`, rendered with what its form got as an answer.
async fn page(
    options: LeptosOptions,
    context: Context,
    origin: Origin,
    headers: &HeaderMap,
    path: &'static str,
    answer: FormAnswer,
    status: StatusCode,
) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = axum::http::Uri::from_static(path);
    // In the language and the look that the person has.
    for name in [header::ACCEPT_LANGUAGE, header::COOKIE] {
        for value in headers.get_all(&name) {
            request.headers_mut().append(name.clone(), value.clone());
        }
    }
    request.extensions_mut().insert(context);
    request.extensions_mut().insert(origin);
    let mut response = render(options, request, answer).await;
    *response.status_mut() = status;
    response
}
