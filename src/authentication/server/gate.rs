//! The gate that every request passes: who asks, from where, and whether the door is open to them.
//!
//! Doors are closed unless they are named here as open. What gets in carries a [`Context`].

use super::{
    Actor, Context,
    context::Parts,
    login,
    token::{Bearer, COOKIE_LIFE, Claims, RENEW_AFTER},
    users,
};
use crate::{
    error::Error,
    i18n::{Locale, td_string},
    platform::{csp, errors, serve::PageNonce, state::State, telemetry},
    time::Timestamp,
};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The cookie's name where the browser counts the origin as secure.
pub const COOKIE_SECURE: &str = "__Host-sid";

/// The cookie's name on a loopback server without TLS.
pub const COOKIE_PLAIN: &str = "sid";

/// How the browser reached us.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Whether over HTTPS, ours or a trusted proxy's.
    pub is_secure: bool,
    /// Whether a login's cookie is for secure origins alone: everywhere but on a loopback server without TLS.
    pub has_secure_cookie: bool,
    /// The host and port it asked for.
    pub host: String,
    /// What inline scripts of the answer must carry to run.
    pub nonce: String,
}

impl Origin {
    /// Whether a browser would drop the cookie of a login: it is reached without TLS, and not at its own machine,
    /// which browsers count as secure.
    pub fn drops_cookies(&self) -> bool {
        let host =
            self.host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(&*self.host, |(host, _)| host);
        let is_own = host == "localhost"
            || host.ends_with(".localhost")
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.has_secure_cookie && !self.is_secure && !is_own
    }
}

/// What kind of place a path leads to; refusals take its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A call of the browser's program.
    Function,
    /// The REST API.
    Api,
    /// The stream of events.
    Events,
    /// A form that works without the program.
    Form,
    /// A page, or a file.
    Page,
}

impl Place {
    /// The place of a path.
    pub fn of(method: &Method, path: &str) -> Self {
        let below =
            |prefix: &str| path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        if below("/api/fn") {
            Self::Function
        } else if below("/api") {
            Self::Api
        } else if below("/events") || below("/ws") {
            Self::Events
        } else if matches!(*method, Method::GET | Method::HEAD) {
            Self::Page
        } else {
            Self::Form
        }
    }
}

/// Whether a stranger may pass. Everything else needs a login.
fn is_open(method: &Method, path: &str) -> bool {
    let looks = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/api/heartbeat" => looks,
        "/api/v1/login" => *method == Method::POST,
        csp::REPORTS => *method == Method::POST,
        "/sign-in" | "/setup" | "/reset" => looks || *method == Method::POST,
        "/sign-out" => *method == Method::POST,
        _ => false,
    }
}

/// Finds out who asks and turns away who may not pass; see the module.
pub async fn gate(state: State, is_file: bool, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let place = Place::of(&method, &path);
    let locale = locale(request.headers());
    let refuse = |error: Error| errors::refuse(place, &error, locale);

    if !is_opened_by_link(&path) && carries_token(request.uri()) {
        let sentence = td_string!(locale, access.token_in_address);
        return errors::plain(place, StatusCode::BAD_REQUEST, "bad_request", sentence);
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let trusted = |address: IpAddr| state.config.server.trusted_proxies.iter().any(|net| net.contains(&address));
    let address = peer.map(|peer| walk_back(peer, request.headers(), trusted));
    let is_secure = state.is_tls() || (peer.is_some_and(trusted) && forwarded_https(request.headers()));
    let origin = Origin {
        is_secure,
        has_secure_cookie: is_secure || !state.config.server.address.ip().is_loopback(),
        host: host(&request),
        nonce: request.extensions().get::<PageNonce>().map(|nonce| nonce.0.clone()).unwrap_or_default(),
    };

    let credential = if is_file { None } else { credential(request.headers(), origin.has_secure_cookie) };
    let (mut actor, mut renewed) = (Actor::Anonymous, None);
    if let Some((typ, token)) = &credential {
        match identify(&state, *typ, token).await {
            Ok(Some((session, claims))) => {
                if *typ == Bearer::Cookie && is_ageing(&claims) {
                    let envelope = state.authority.keys.seal(&claims.sub, &claims.sid, Bearer::Cookie, COOKIE_LIFE);
                    renewed = envelope.ok().map(|envelope| cookie(&envelope, origin.has_secure_cookie));
                }
                actor = Actor::Person(session);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!("finding out who asks: {error:#}");
                return refuse(Error::unavailable("database", td_string!(locale, access.database_away)));
            }
        }
    }
    let by_cookie = matches!(credential, Some((Bearer::Cookie, _)));
    if by_cookie && !is_same_site(place, &method, &path, request.headers(), &origin, &state.config.server.public_url) {
        tracing::warn!(%method, path, "a request from another site was refused");
        let reason = td_string!(locale, access.cross_site).to_owned();
        return refuse(Error::Forbidden { reason });
    }
    let is_stranger = matches!(actor, Actor::Anonymous);
    if is_stranger && !is_file && !is_open(&method, &path) {
        return match place {
            Place::Page => Redirect::to(&sign_in_path(request.uri())).into_response(),
            Place::Form => Redirect::to("/sign-in").into_response(),
            Place::Function | Place::Api | Place::Events => refuse(Error::Unauthenticated),
        };
    }

    // Pages, files and streams that stay open are no calls, and what is open to strangers has limits of its own.
    if let Actor::Person(session) = &actor
        && matches!(place, Place::Function | Place::Api)
        && !is_open(&method, &path)
        && state.config.server.calls_per_minute > 0
        && let Some(seconds) =
            state.authority.calls.count(session.user, state.config.server.calls_per_minute, Timestamp::now())
    {
        tracing::warn!(%method, path, user = %session.user, "a person makes too many calls");
        return refuse(users::too_many(seconds, locale));
    }

    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let context = Context::new(Parts {
        actor,
        locale,
        request: telemetry::request_number(),
        address,
        agent: agent.chars().take(200).collect(),
        state: state.clone(),
    });
    request.extensions_mut().insert(context);
    request.extensions_mut().insert(origin);
    let mut response = next.run(request).await;
    if let Some(renewed) = renewed
        // A sign-in or sign-out that answers with a cookie of its own has the last word.
        && !response.headers().contains_key(header::SET_COOKIE)
        && let Ok(value) = HeaderValue::from_str(&renewed)
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// The session behind an envelope.
async fn identify(
    state: &State,
    typ: Bearer,
    token: &str,
) -> anyhow::Result<Option<(crate::authentication::model::Session, Claims)>> {
    // The browser has nobody to renew its envelope while a person reads; the login's own idle time decides.
    let late = match typ {
        Bearer::Cookie => Duration::from_secs(state.config.session.idle_minutes * 60),
        Bearer::Header => Duration::ZERO,
    };
    let Some(claims) = state.authority.keys.open_envelope(token, typ, late) else { return Ok(None) };
    let Some((session, last_seen)) = login::by_claims(state, &claims).await? else { return Ok(None) };
    login::seen(state, session.login, last_seen);
    Ok(Some((session, claims)))
}

fn is_ageing(claims: &Claims) -> bool {
    let made = Timestamp::from_seconds(i64::try_from(claims.iat).unwrap_or(0));
    made.age(Timestamp::now()) >= RENEW_AFTER
}

/// The token a request carries. The header goes before the cookie; a cookie counts under the one name
/// that fits how the browser reached us.
fn credential(headers: &HeaderMap, is_secure: bool) -> Option<(Bearer, String)> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| (Bearer::Header, token.trim().to_owned()));
    }
    let name = if is_secure { COOKIE_SECURE } else { COOKIE_PLAIN };
    cookies(headers).find(|(known, _)| *known == name).map(|(_, value)| (Bearer::Cookie, value.to_owned()))
}

/// The cookies of a request: name and value.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// The `Set-Cookie` value of an envelope.
pub fn cookie(envelope: &str, is_secure: bool) -> String {
    if is_secure {
        format!("{COOKIE_SECURE}={envelope}; Path=/; Secure; HttpOnly; SameSite=Lax")
    } else {
        format!("{COOKIE_PLAIN}={envelope}; Path=/; HttpOnly; SameSite=Lax")
    }
}

/// The `Set-Cookie` value that takes the envelope away.
pub fn no_cookie(is_secure: bool) -> String {
    format!("{}; Max-Age=0", cookie("", is_secure))
}

/// Whether a page is one that a one-time link opens: its token may stand in the address.
fn is_opened_by_link(path: &str) -> bool {
    matches!(path, "/setup" | "/reset")
}

/// Whether the address holds something that looks like a token: those end up in logs and histories.
fn carries_token(uri: &Uri) -> bool {
    const NAMES: [&str; 8] =
        ["token", "access_token", "id_token", "auth_token", "jwt", "sid", "bearer", "authorization"];
    let Some(query) = uri.query() else { return false };
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        NAMES.contains(&name.as_str()) || (value.starts_with("eyJ") && value.matches('.').count() == 2)
    })
}

/// Whether a request that a cookie vouches for was made by a page of ours.
///
/// Stricter than Go's rule, which lets every GET and every request without the two headers through: a
/// server function can be called by GET, and a stream is read by it.
fn is_same_site(
    place: Place,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    origin: &Origin,
    public_url: &str,
) -> bool {
    if place == Place::Page {
        return true;
    }
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let scheme = if origin.is_secure { "https" } else { "http" };
    let own = format!("{scheme}://{}", origin.host);
    let is_own = |other: &str| {
        other.eq_ignore_ascii_case(&own)
            || (!public_url.is_empty() && other.eq_ignore_ascii_case(public_url.trim_end_matches('/')))
    };
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        // "none" is a bookmark or a typed address: good enough to read the API's description.
        let is_description = matches!(path, "/api/docs" | "/api/openapi.json") && *method == Method::GET;
        return site == "same-origin" || (site == "none" && is_description);
    }
    if let Some(from) = text(header::ORIGIN) {
        return is_own(from);
    }
    // A browser that sends neither (plain HTTP behind a proxy) still names the page it comes from.
    text(header::REFERER).and_then(|referer| referer.parse::<Uri>().ok()).is_some_and(|referer| {
        let (Some(scheme), Some(authority)) = (referer.scheme_str(), referer.authority()) else { return false };
        is_own(&format!("{scheme}://{authority}"))
    })
}

/// Whether a request was made by a page of ours, whoever vouches for it.
pub fn is_from_here(state: &State, origin: &Origin, headers: &HeaderMap) -> bool {
    is_same_site(Place::Api, &Method::POST, "", headers, origin, &state.config.server.public_url)
}

/// The host and port that the request names.
fn host(request: &Request<Body>) -> String {
    let named = request.uri().authority().map(ToString::to_string);
    named
        .or_else(|| request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).map(str::to_owned))
        .unwrap_or_default()
}

fn forwarded_https(headers: &HeaderMap) -> bool {
    let last = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    last.and_then(|value| value.rsplit(',').next()).is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}

/// The address a request comes from: from the peer backwards through proxies that are trusted, and no
/// further, because whatever stands before was written by anybody.
fn walk_back(peer: IpAddr, headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer.to_canonical();
    let named: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for name in named.into_iter().rev() {
        if !trusted(address) {
            break;
        }
        let Ok(before) = name.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

/// The language of answers: what was chosen on the page, else what the browser asks for.
pub fn locale(headers: &HeaderMap) -> Locale {
    let chosen = cookies(headers).find(|(name, _)| *name == crate::i18n::COOKIE).map(|(_, value)| value.to_owned());
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    chosen
        .iter()
        .map(String::as_str)
        .chain(asked.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()))
        .find_map(|tag| match tag.split('-').next().unwrap_or_default() {
            "es" => Some(Locale::es),
            "en" => Some(Locale::en),
            _ => None,
        })
        .unwrap_or(Locale::en)
}

/// The customer whose sub-domain a request names, where a base domain is configured.
pub fn customer_of_host(host: &str, base_domain: &str) -> Option<String> {
    if base_domain.is_empty() {
        return None;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let label = name.strip_suffix(&base_domain.to_ascii_lowercase())?.strip_suffix('.')?;
    (!label.is_empty() && !label.contains('.') && label != "www").then(|| label.to_owned())
}

/// The sign-in page, from which one comes back to where one wanted to go.
fn sign_in_path(uri: &Uri) -> String {
    let wanted = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    if wanted == "/" {
        return "/sign-in".to_owned();
    }
    let mut escaped = String::new();
    for byte in wanted.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    format!("/sign-in?next={escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn forwarded_addresses_count_only_behind_trusted_proxies() {
        let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
        let trusted = |address: IpAddr| address == proxy;
        let told = headers(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.0.0.1")]);

        assert_eq!(walk_back(proxy, &told, trusted).to_string(), "203.0.113.9");
        assert_eq!(walk_back("192.0.2.7".parse().expect("an address"), &told, trusted).to_string(), "192.0.2.7");
        assert_eq!(walk_back(proxy, &headers(&[("x-forwarded-for", "junk")]), trusted), proxy);
    }

    #[test]
    fn tokens_in_addresses_are_noticed() {
        for bad in
            ["/machines?token=x", "/api/v1/machines?page=1&access_token=x", "/x?a=eyJhbGciOi.eyJ.sig", "/x?SID=1"]
        {
            assert!(carries_token(&bad.parse().expect("a path")), "{bad}");
        }
        for good in ["/machines", "/machines?search=token", "/machines?tokens=1"] {
            assert!(!carries_token(&good.parse().expect("a path")), "{good}");
        }
    }

    #[test]
    fn a_sub_domain_names_the_customer() {
        assert_eq!(customer_of_host("norte.example.com:3000", "example.com"), Some("norte".to_owned()));
        assert_eq!(customer_of_host("example.com", "example.com"), None);
        assert_eq!(customer_of_host("norte.example.com.evil.org", "example.com"), None);
        assert_eq!(customer_of_host("norte.example.com", ""), None);
    }

    #[test]
    fn the_page_that_was_asked_for_survives_signing_in() {
        let path = sign_in_path(&"/machines?search=a%20b&page=2".parse().expect("a path"));

        assert_eq!(path, "/sign-in?next=/machines%3Fsearch%3Da%2520b%26page%3D2");
    }
}
