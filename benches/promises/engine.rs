//! The private Docker engine, asked over its socket.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// How many callers create and remove at a time.
const HANDS: usize = 8;

/// The engine's address as the server is told it.
pub fn address() -> String {
    std::env::var("MUELLE_TEST_ENGINE").expect("MUELLE_TEST_ENGINE names an engine (scripts/bench does)")
}

/// The path of its socket.
pub fn socket() -> String {
    address().trim_start_matches("unix://").to_owned()
}

/// Removes every container with a label, running or not.
pub async fn remove(socket: &str, label: &str) {
    let mut engine = connect(socket).await;
    let filter = format!("/containers/json?all=1&filters=%7B%22label%22%3A%5B%22{label}%22%5D%7D");
    let found: Value = serde_json::from_slice(&ask(&mut engine, Method::GET, &filter, None).await).unwrap_or_default();
    let ids: Vec<String> =
        found.as_array().into_iter().flatten().filter_map(|one| one["Id"].as_str().map(str::to_owned)).collect();
    each(socket, ids.into_iter(), |id| (Method::DELETE, format!("/containers/{id}?force=1"), None)).await;
}

/// Asks the engine for many things with several hands.
pub async fn each(
    socket: &str,
    things: impl Iterator<Item = String>,
    request: impl Fn(String) -> (Method, String, Option<String>) + Clone + Send + 'static,
) {
    let things: Vec<String> = things.collect();
    let share = things.len().div_ceil(HANDS).max(1);
    let hands: Vec<_> = things
        .chunks(share)
        .map(|share| {
            let (share, socket, request) = (share.to_vec(), socket.to_owned(), request.clone());
            tokio::spawn(async move {
                let mut engine = connect(&socket).await;
                for thing in share {
                    let (method, path, body) = request(thing);
                    ask(&mut engine, method, &path, body).await;
                }
            })
        })
        .collect();
    for hand in hands {
        hand.await.expect("the engine does as told");
    }
}

/// A connection to the engine.
pub async fn connect(socket: &str) -> SendRequest<Full<Bytes>> {
    let stream = UnixStream::connect(socket).await.expect("the engine listens");
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    sender
}

/// Asks for one thing, which must succeed.
pub async fn ask(engine: &mut SendRequest<Full<Bytes>>, method: Method, path: &str, body: Option<String>) -> Bytes {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "docker")
        .header("content-type", "application/json")
        .body(Full::from(body.unwrap_or_default()))
        .expect("the request is well made");
    engine.ready().await.expect("the engine still listens");
    let answer = engine.send_request(request).await.expect("the engine answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("the body comes").to_bytes();
    assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
    body
}
