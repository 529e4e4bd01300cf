//! Requests straight at the server's routes, with every header in the test's hand.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Request, header},
};
use muelle::platform::{serve, state::State};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tower::ServiceExt as _;

/// The host that requests name unless they say otherwise.
pub const HOST: &str = "127.0.0.1:3000";

/// The origin of our own pages.
pub const ORIGIN: &str = "http://127.0.0.1:3000";

/// How long one answer may take before a test fails: far more than any needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The routes of a server.
#[derive(Clone)]
pub struct Door(Router);

/// One request.
pub struct Ask {
    method: &'static str,
    path: String,
    headers: HeaderMap,
    body: Body,
    from: IpAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

/// A request by `method` to `path`.
pub fn ask(method: &'static str, path: impl Into<String>) -> Ask {
    let ask =
        Ask { method, path: path.into(), headers: HeaderMap::new(), body: Body::empty(), from: [127, 0, 0, 1].into() };
    ask.with("host", HOST)
}

/// Reads a page or a path of the API.
pub fn get(path: impl Into<String>) -> Ask {
    ask("GET", path)
}

/// Sends a form as a page of ours does.
pub fn form(path: impl Into<String>, body: &str) -> Ask {
    ask("POST", path)
        .with("content-type", "application/x-www-form-urlencoded")
        .with("origin", ORIGIN)
        .with("sec-fetch-site", "same-origin")
        .body(body.to_owned())
}

/// Sends JSON as a program does.
pub fn json(method: &'static str, path: impl Into<String>, body: &serde_json::Value) -> Ask {
    ask(method, path).with("content-type", "application/json").body(body.to_string())
}

impl Ask {
    /// The same with a header; an earlier one of that name goes.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a token of the API.
    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same with a cookie, as `name=value`.
    pub fn cookie(self, cookie: &str) -> Self {
        self.with("cookie", cookie)
    }

    /// The same from another address.
    pub fn from(mut self, address: &str) -> Self {
        self.from = address.parse().expect("an address");
        self
    }
}

impl Door {
    /// The door of a running server.
    pub fn of(state: &State) -> Self {
        Self(serve::router(state.clone()).expect("the routes can be made"))
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, ask: Ask) -> Reply {
        let mut request = Request::builder().method(ask.method).uri(ask.path).body(ask.body).expect("a request");
        *request.headers_mut() = ask.headers;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ask.from, 40_000)));
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = async {
            let (parts, body) = self.0.clone().oneshot(request).await.expect("routes never fail").into_parts();
            (parts, to_bytes(body, 16 << 20).await.expect("the body can be read"))
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let (parts, bytes) = answer.unwrap_or_else(|_| panic!("{asked} got no answer within {PATIENCE:?}"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Signs somebody in through the form; gives the cookie as `name=value`.
    pub async fn cookie(&self, customer: &str, username: &str, password: &str) -> String {
        let body = format!("customer={customer}&username={username}&password={}", password.replace(' ', "+"));
        let reply = self.send(form("/sign-in", &body)).await;
        reply.cookie().unwrap_or_else(|| panic!("{username} got no cookie: {} {}", reply.status, reply.text))
    }

    /// Signs somebody in over the API; gives the token.
    pub async fn token(&self, customer: &str, username: &str, password: &str) -> String {
        let body = serde_json::json!({ "customer": customer, "username": username, "password": password });
        let reply = self.send(json("POST", "/api/v1/login", &body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["token"].as_str().expect("the answer has a token").to_owned()
    }
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where it sends the browser.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The cookie it sets, as `name=value`.
    pub fn cookie(&self) -> Option<String> {
        let set = self.headers.get(header::SET_COOKIE)?.to_str().ok()?;
        set.split(';').next().map(str::to_owned)
    }
}
