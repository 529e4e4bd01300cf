//! HTTP over an engine's socket, with the limits that the typed client lacks.
//!
//! Every request has a connection of its own: on a local socket that costs microseconds, and a limit
//! on what may be read then belongs to exactly one answer.

use super::fault::Fault;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// The greatest answer that is read into memory: ten thousand containers take some twenty megabytes.
pub const GREATEST_ANSWER: u64 = 64 * 1024 * 1024;

/// The greatest answer to a question about the engine itself.
const GREATEST_WORD: u64 = 1024 * 1024;

/// What is read of an answer that refuses.
const GREATEST_REFUSAL: u64 = 64 * 1024;

/// An answer was greater than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the answer is greater than an answer may be")]
pub struct TooGreat;

/// The way to one engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wire(Arc<PathBuf>);

impl Wire {
    /// The way through the socket at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(path))
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Sends a request and gives the head of the answer; no more than `most` bytes of it are read.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn send<B>(&self, request: Request<B>, most: u64) -> io::Result<Response<Incoming>>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let socket = UnixStream::connect(&*self.0).await?;
        let left = Arc::new(AtomicU64::new(most));
        let io = TokioIo::new(Capped { socket, left: Arc::clone(&left) });
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(io::Error::other)?;
        // Ends by itself when the answer has been read or dropped.
        tokio::spawn(async move { drop(connection.await) });
        let (mut head, body) = request.into_parts();
        head.uri = head
            .uri
            .path_and_query()
            .map_or("/", axum::http::uri::PathAndQuery::as_str)
            .parse()
            .map_err(io::Error::other)?;
        head.headers.insert(header::HOST, header::HeaderValue::from_static("docker"));
        let response = sender.send_request(Request::from_parts(head, body)).await.map_err(io::Error::other)?;
        if !response.status().is_success() {
            left.fetch_min(GREATEST_REFUSAL, Ordering::Relaxed);
        }
        Ok(response)
    }

    /// Asks for `path` and gives the whole answer.
    ///
    /// # Errors
    /// [`Fault::Silent`] when it is not complete within `deadline`; what the engine says.
    pub async fn get(&self, path: &str, deadline: Duration) -> Result<Bytes, Fault> {
        self.get_at_most(path, GREATEST_ANSWER, deadline).await
    }

    /// As [`Wire::get`] for what an engine says of itself, which is short.
    ///
    /// # Errors
    /// As [`Wire::get`].
    pub async fn word(&self, path: &str, deadline: Duration) -> Result<Bytes, Fault> {
        self.get_at_most(path, GREATEST_WORD, deadline).await
    }

    async fn get_at_most(&self, path: &str, most: u64, deadline: Duration) -> Result<Bytes, Fault> {
        let whole = async { Ok(self.ask(path, most).await?.into_body().collect().await?.to_bytes()) };
        tokio::time::timeout(deadline, whole).await.map_err(|_| Fault::Silent(deadline))?
    }

    /// Asks for `path` and gives the answer as a stream; the head must come within `head`, and each piece
    /// within `idle` of the one before when that is given.
    ///
    /// # Errors
    /// As [`Wire::get`].
    pub async fn stream(
        &self,
        path: &str,
        head: Duration,
        idle: Option<Duration>,
    ) -> Result<impl Stream<Item = Result<Bytes, Fault>> + Send + use<>, Fault> {
        let response =
            tokio::time::timeout(head, self.ask(path, u64::MAX)).await.map_err(|_| Fault::Silent(head))??;
        let mut body = response.into_body().into_data_stream();
        Ok(async_stream::stream! {
            loop {
                let piece = match idle {
                    None => body.next().await,
                    Some(idle) => match tokio::time::timeout(idle, body.next()).await {
                        Ok(piece) => piece,
                        Err(_) => {
                            yield Err(Fault::Silent(idle));
                            return;
                        }
                    },
                };
                match piece {
                    None => return,
                    Some(Ok(piece)) => yield Ok(piece),
                    Some(Err(error)) => {
                        yield Err(error.into());
                        return;
                    }
                }
            }
        })
    }

    /// Sends JSON to `path` and waits for a good answer, which is short and of which nothing is read.
    ///
    /// # Errors
    /// As [`Wire::get`].
    pub async fn post(&self, path: &str, body: &Value, deadline: Duration) -> Result<(), Fault> {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/json").body(Full::from(body.to_string()));
        let answered = self.answered(request, GREATEST_WORD);
        tokio::time::timeout(deadline, answered).await.map_err(|_| Fault::Silent(deadline))?.map(drop)
    }

    async fn ask(&self, path: &str, most: u64) -> Result<Response<Incoming>, Fault> {
        self.answered(Request::get(path).body(Full::default()), most).await
    }

    async fn answered(
        &self,
        request: Result<Request<Full<Bytes>>, axum::http::Error>,
        most: u64,
    ) -> Result<Response<Incoming>, Fault> {
        let request = request.map_err(|error| Fault::Unreadable(error.to_string()))?;
        let response = self.send(request, most).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(Fault::said(status.as_u16(), &response.into_body().collect().await?.to_bytes()))
    }

    /// As the transport of the typed client.
    pub fn transport(
        &self,
    ) -> impl Fn(
        bollard::BollardRequest,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send>>
    + Send
    + Sync
    + 'static {
        let wire = self.clone();
        move |mut request| {
            let wire = wire.clone();
            for_urls(request.headers_mut());
            Box::pin(async move {
                let path = request.uri().path();
                let endless = path.ends_with("/events") || path.ends_with("/images/create");
                let most = if endless { u64::MAX } else { GREATEST_ANSWER };
                Ok(wire.send(request, most).await?)
            })
        }
    }
}

/// Writes a registry's login in the alphabet that engines read (RFC 4648 §5): the typed client writes it in the other
/// one, and an engine passes over in silence what it cannot read.
fn for_urls(headers: &mut header::HeaderMap) {
    if let Some(login) = headers.get_mut("x-registry-auth") {
        let bytes: Vec<u8> = login
            .as_bytes()
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                byte => *byte,
            })
            .collect();
        if let Ok(mut value) = header::HeaderValue::from_bytes(&bytes) {
            value.set_sensitive(true);
            *login = value;
        }
    }
}

/// A socket of which no more than so many bytes are read.
struct Capped {
    socket: UnixStream,
    left: Arc<AtomicU64>,
}

impl AsyncRead for Capped {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.socket).poll_read(task, buffer);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            let read = (buffer.filled().len() - before) as u64;
            let left = self.left.load(Ordering::Relaxed);
            if read > left {
                return Poll::Ready(Err(io::Error::other(TooGreat)));
            }
            self.left.fetch_sub(read, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for Capped {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(task)
    }
}

/// A part of a path or a query in which every reserved letter is escaped.
pub fn escaped(text: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
