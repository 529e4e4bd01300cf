//! The web server: every route there is, in the order of its layers.
//!
//! From outside to inside: number and security headers, compression, panics, time of bodies, other sites,
//! the gate, the size of bodies, the route. So every answer has the headers, and whoever is turned away is
//! turned away before anything of theirs is read.

use super::{csp, errors, health, state::State, tls};
use crate::{
    app::{App, shell},
    authentication::{
        model::FormAnswer,
        server::{
            Context, forms,
            gate::{self, Origin, Place},
            login, reset, rest, secret, setup, throttle,
        },
    },
    error::Error,
    i18n::{Locale, td_string},
    provisioning::server::{books_rest, schedules_rest},
    storage::item::ui::expand_routes,
};
use anyhow::Context as _;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Request, State as Stated},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::any,
};
use axum_server::accept::NoDelayAcceptor;
use leptos::{
    config::{Env, LeptosOptions},
    nonce::Nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{AxumRouteListing, LeptosRoutes as _, generate_route_list};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant},
};
use tower::ServiceExt as _;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate as _},
    },
    csrf::CsrfLayer,
    limit::RequestBodyLimitLayer,
    services::ServeDir,
    timeout::RequestBodyTimeoutLayer,
};

/// How long writing a page may take.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// How often a page is begun again that was not written in time.
const PAGE_AGAIN: usize = 3;

/// How long open requests may take to end once the server is told to stop.
const GRACE: Duration = Duration::from_secs(8);

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// How long the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(15);

/// The name of the built program and style sheet.
const OUTPUT_NAME: &str = "muelle";

/// What inline scripts of one answer must carry to run.
#[derive(Clone, Debug)]
pub struct PageNonce(pub String);

/// Serves until the state is told to stop, or the process is (SIGTERM, SIGINT).
///
/// # Errors
/// When the address cannot be listened on, must not be (see [`tls::check`]), or TLS cannot be set up.
pub async fn serve(state: State) -> anyhow::Result<()> {
    tls::check(&state.config)?;
    let address = state.config.server.address;
    let certificate = tls::load(&state.config).await?;
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    listener.set_nonblocking(true).context("preparing the listener")?;
    let address = listener.local_addr().context("asking for the address")?;
    state.listens_on.get_or_init(|| address);
    let app = router(state.clone())?.into_make_service_with_connect_info::<SocketAddr>();
    let handle = axum_server::Handle::new();

    let runner = crate::jobs::server::start(&state);
    tokio::spawn(stop_on_signal(state.clone()));
    tokio::spawn(sweep(state.clone()));
    tokio::spawn(crate::provisioning::server::schedules::run(state.clone()));
    tokio::spawn({
        let (handle, stopping) = (handle.clone(), state.stopping.clone());
        async move {
            stopping.cancelled().await;
            handle.graceful_shutdown(Some(GRACE));
        }
    });
    greet(&state, address).await?;
    state.ansible.look();

    let served = match certificate {
        Some(certificate) => {
            let mut server = axum_server::from_tcp_rustls(listener, certificate)
                .context("listening with TLS")?
                .map(|acceptor| acceptor.acceptor(NoDelayAcceptor));
            limit_heads(server.http_builder());
            server.handle(handle).serve(app).await
        }
        None => {
            let mut server = axum_server::from_tcp(listener).context("listening")?.acceptor(NoDelayAcceptor);
            limit_heads(server.http_builder());
            server.handle(handle).serve(app).await
        }
    };
    state.stopping.cancel();
    runner.stopped().await;
    state.db.close().await;
    served.context("serving")
}

fn limit_heads(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEAD_TIME);
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).max_concurrent_streams(200);
}

/// Says where the server is, and how the first administrator is made while there is none.
async fn greet(state: &State, address: SocketAddr) -> anyhow::Result<()> {
    let url = state.url();
    println!("Muelle listens on {url}");
    if state.is_url_a_guess() {
        println!(
            "It listens on every address of this machine ({address}). Where {} is not known by that name, put another \
             of its names or addresses in its place, or set server.public_url.",
            tls::host_name()
        );
    }
    if let Some(token) = setup::token(state).await? {
        println!(
            "Nobody is registered yet. This link creates the first administrator, once and within 24 hours:\n\n  \
             {url}/setup?token={token}\n"
        );
    }
    Ok(())
}

async fn stop_on_signal(state: State) {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be listened for; the server stops without waiting for requests");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = state.stopping.cancelled() => return,
    }
    tracing::info!("stopping");
    state.stopping.cancel();
}

/// Removes what has ended and renews the signing key once a month; looks once an hour.
async fn sweep(state: State) {
    loop {
        let rotated = state.authority.keys.renew();
        let contents = crate::provisioning::server::versions::sweep(&state).await;
        let links = reset::sweep(&state).await;
        for swept in [login::sweep(&state).await, throttle::sweep(&state).await, links, rotated, contents] {
            if let Err(error) = swept {
                tracing::warn!("tidying up: {error:#}");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
            () = state.stopping.cancelled() => return,
        }
    }
}

/// The routes of the pages, listed once: while they are listed, no page of this process gets any data.
static PAGE_ROUTES: LazyLock<std::io::Result<Vec<AxumRouteListing>>> = LazyLock::new(|| {
    // They are listed by building the application outside of any request; the tasks it starts would outlive it
    // and find their values gone, so they get a runtime that never runs them.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let entered = runtime.enter();
    let routes = expand_routes(generate_route_list(App));
    drop(entered);
    runtime.shutdown_background();
    Ok(routes)
});

/// Every route with every layer: what [`serve`] serves and tests call.
///
/// # Errors
/// When the configured public address is none.
pub fn router(state: State) -> anyhow::Result<Router> {
    let options = options(state.config.server.address);
    let routes = PAGE_ROUTES.as_ref().context("listing the pages")?.clone();
    let pages = Router::<LeptosOptions>::new()
        .leptos_routes_with_context(&options, routes, || provide_request(None), {
            let options = options.clone();
            move || shell(options.clone())
        })
        // Server functions are among these routes too; they have a body and are called once.
        .route_layer(from_fn(async |request: Request, next: Next| match *request.method() {
            Method::GET => in_time(PAGE_TIME, request, |request| next.clone().run(request)).await,
            _ => next.run(request).await,
        }));
    let limit = state.config.server.body_limit;
    let app = Router::<LeptosOptions>::new()
        .route("/api/fn/{*name}", any(server_function))
        .merge(pages)
        .merge(forms::routes())
        .merge(rest::routes())
        .merge(health::routes())
        .merge(csp::routes())
        .merge(crate::storage::item::server::rest::routes())
        .merge(super::openapi::routes())
        .merge(crate::deployments::server::rest::routes())
        .merge(schedules_rest::routes())
        .merge(books_rest::routes())
        .fallback(anything_else)
        .with_state(options.clone())
        .merge(crate::events::server::sse::routes().with_state(state.clone()))
        .merge(crate::jobs::server::rest::routes().with_state(state.clone()))
        .merge(crate::provisioning::server::rest::routes().with_state(state.clone()))
        .merge(crate::provisioning::server::machines_rest::routes().with_state(state.clone()))
        // The limit counts every body, also those that are read as streams or multipart.
        .layer(RequestBodyLimitLayer::new(limit))
        .merge(books_rest::uploads().layer(RequestBodyLimitLayer::new(limit.max(books_rest::UPLOAD_MAX))));

    let mut other_sites = CsrfLayer::new();
    let public = state.config.server.public_url.trim_end_matches('/');
    if !public.is_empty() {
        other_sites = other_sites.add_trusted_origin(public).context("reading server.public_url")?;
    }
    let root = PathBuf::from(&*options.site_root);
    // A log that is followed as text must arrive line by line, and a compressor would wait for more.
    // The program comes compressed from the build (`make release`); compressing a development build of 20 MB
    // at each visit would take longer than sending it over a loopback.
    let worth_it = DefaultPredicate::new()
        .and(NotForContentType::const_new("text/plain"))
        .and(NotForContentType::const_new("application/wasm"))
        // Its status is read from its body further out; see `shape`.
        .and(|_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| !headers.contains_key("serverfnerror"));
    Ok(app
        .layer(from_fn({
            let state = state.clone();
            move |request: Request, next: Next| {
                let is_file = request.extensions().get::<StaticFile>().is_some();
                gate::gate(state.clone(), is_file, request, next)
            }
        }))
        .layer(other_sites)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(worth_it))
        .layer(from_fn(move |request: Request, next: Next| outside(state.clone(), root.clone(), request, next))))
}

/// Where the built pages are and what they are called; nothing of it needs the source at run time.
fn options(address: SocketAddr) -> LeptosOptions {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default();
    let named = std::env::var_os("LEPTOS_SITE_ROOT").map(PathBuf::from);
    let found = [beside.join("site"), beside.join("../site"), PathBuf::from("target/site")];
    let site = named.or_else(|| found.into_iter().find(|site| site.is_dir())).unwrap_or_else(|| "target/site".into());
    // The names of the built files carry their hash, which stands in a file beside the binary. One from
    // another build would name files that are not there.
    let hashes = [beside.join("hash.txt"), site.join("../hash.txt"), beside.join("../hash.txt")];
    let fits = |path: &&PathBuf| {
        let hash = std::fs::read_to_string(path).ok().and_then(|text| {
            text.lines().find_map(|line| line.trim().strip_prefix("js:").map(|hash| hash.trim().to_owned()))
        });
        hash.is_some_and(|hash| site.join(format!("pkg/{OUTPUT_NAME}.{hash}.js")).is_file())
    };
    let hash_file = hashes.iter().find(fits).map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    LeptosOptions::builder()
        .output_name(OUTPUT_NAME)
        .site_root(site.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .site_addr(address)
        .env(Env::PROD)
        .hash_files(hash_file.is_some())
        .hash_file(hash_file.map_or_else(|| "hash.txt".into(), |path| path.to_string_lossy().as_ref().into()))
        .build()
}

/// Hands the request's context, the nonce and a form's answer to what is being rendered or called.
fn provide_request(answer: Option<FormAnswer>) {
    if let Some(parts) = use_context::<Parts>() {
        if let Some(context) = parts.extensions.get::<Context>() {
            provide_context(context.clone());
        }
        if let Some(origin) = parts.extensions.get::<Origin>() {
            provide_context(Nonce::from_value(origin.nonce.as_str()));
        }
    }
    if let Some(answer) = answer {
        provide_context(answer);
    }
}

async fn server_function(request: Request) -> Response {
    leptos_axum::handle_server_fns_with_context(|| provide_request(None), request).await.into_response()
}

/// Renders the page that the request names, in reply to its form.
pub async fn render(options: LeptosOptions, request: Request, answer: FormAnswer) -> Response {
    let page = leptos_axum::render_app_async_with_context(
        move || provide_request(Some(answer.clone())),
        move || shell(options.clone()),
    );
    in_time(PAGE_TIME, request, page).await
}

/// Has a page written, and begins again, up to [`PAGE_AGAIN`] times, when that takes longer than `limit`: the
/// renderer now and then misses that what it waits for has come. Nobody waits for ever for a page that never comes:
/// they are told that it did not.
async fn in_time<F: Future<Output = Response>>(
    limit: Duration,
    request: Request,
    write: impl Fn(Request) -> F,
) -> Response {
    let (parts, _) = request.into_parts();
    let asked = || Request::from_parts(parts.clone(), Body::empty());
    for _ in 0..=PAGE_AGAIN {
        if let Ok(page) = tokio::time::timeout(limit, write(asked())).await {
            return page;
        }
        tracing::warn!(path = parts.uri.path(), "a page was not written in time");
    }
    let locale = gate::locale(&parts.headers);
    errors::refuse(Place::Page, &Error::unavailable("page", td_string!(locale, errors.page_late)), locale)
}

/// Files of the site; for the rest "no such thing", in the form that fits.
async fn anything_else(Stated(options): Stated<LeptosOptions>, request: Request) -> Response {
    if request.extensions().get::<StaticFile>().is_some() {
        return file(&options.site_root, request).await;
    }
    let locale = gate::locale(request.headers());
    let place = Place::of(request.method(), request.uri().path());
    // A path that names a file or a place of programs is answered shortly; a page that explains is for people.
    if place != Place::Page || looks_like_a_file(request.uri().path()) {
        return errors::refuse(place, &Error::not_found("route"), locale);
    }
    let page = leptos_axum::render_app_to_stream_in_order_with_context(
        || provide_request(None),
        move || shell(options.clone()),
    );
    let mut response = page(request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Marks a request whose path is a file of the site.
#[derive(Clone, Copy, Debug)]
struct StaticFile;

fn looks_like_a_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// Whether a path is a file of the site. The file alone decides: no ending and no prefix opens a door.
async fn is_file(root: &Path, method: &Method, path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let whole = path
        .strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
    let readable = matches!(*method, Method::GET | Method::HEAD);
    if !(plain && whole && readable && looks_like_a_file(path)) || path.starts_with("/api/") {
        return false;
    }
    tokio::fs::metadata(root.join(&path[1..])).await.is_ok_and(|metadata| metadata.is_file())
}

async fn file(root: &str, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let served = ServeDir::new(root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .oneshot(request)
        .await;
    let mut response = match served {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    };
    // A name with its hash in it, or a font, never changes its content.
    let parts = path.rsplit('/').next().map_or(0, |name| name.split('.').count());
    let lasting = path.starts_with("/fonts/") || (path.starts_with("/pkg/") && parts >= 3);
    let cache = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let request = super::telemetry::request_number();
    tracing::error!(request, "a request made the program panic");
    errors::answer(&Error::Internal { request }, Locale::en)
}

/// The outermost layer: number, log line, headers, and the last word on every answer.
async fn outside(state: State, root: PathBuf, mut request: Request, next: Next) -> Response {
    let number = super::telemetry::new_request_number();
    let nonce = secret::random(16);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let place = Place::of(&method, uri.path());
    let locale = gate::locale(request.headers());
    request.extensions_mut().insert(PageNonce(nonce.clone()));
    let is_file = is_file(&root, &method, uri.path()).await;
    if is_file {
        request.extensions_mut().insert(StaticFile);
    }
    let began = Instant::now();
    let response = super::telemetry::REQUEST
        .scope(number.clone(), async {
            let mut response = next.run(request).await;
            stay_here(response.headers_mut());
            shape(place, locale, response).await
        })
        .await;
    let mut response = response;
    // The path alone: what follows the question mark may be private.
    let (status, took_ms) = (response.status().as_u16(), began.elapsed().as_millis() as u64);
    if is_file {
        tracing::debug!(request = number, %method, path = uri.path(), status, took_ms);
    } else {
        tracing::info!(request = number, %method, path = uri.path(), status, took_ms);
    }
    protect(&state, response.headers_mut(), &nonce, &number);
    response
}

/// Brings an answer into our shape: failed server functions get their error's status, and what axum or a
/// layer refused by itself gets words.
async fn shape(place: Place, locale: Locale, response: Response) -> Response {
    const LONGEST: usize = 256 << 10;
    let status = response.status();
    let is_shaped = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json") || value.starts_with("text/html"));
    if response.headers().contains_key("serverfnerror") && status == StatusCode::INTERNAL_SERVER_ERROR {
        let (mut parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, LONGEST).await else {
            return errors::refuse(place, &Error::Internal { request: super::telemetry::request_number() }, locale);
        };
        if let Ok(error) = serde_json::from_slice::<Error>(&bytes) {
            parts.status = errors::status(&error);
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Error::Busy { retry_after: Some(seconds), .. } = error {
                parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
        return Response::from_parts(parts, Body::from(bytes));
    }
    let ours = matches!(place, Place::Page) || is_shaped || response.headers().contains_key("serverfnerror");
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said =
        to_bytes(body, 2000).await.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).unwrap_or_default();
    let (code, sentence) = match status {
        StatusCode::FORBIDDEN => ("forbidden", td_string!(locale, access.cross_site).to_owned()),
        StatusCode::NOT_FOUND => ("not_found", td_string!(locale, errors.not_found).to_owned()),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", td_string!(locale, access.method).to_owned()),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", td_string!(locale, access.too_large).to_owned()),
        StatusCode::BAD_REQUEST if place == Place::Function && said.starts_with("Could not find") => {
            return errors::refuse(place, &Error::not_found("function"), locale);
        }
        status if status.is_server_error() => {
            return errors::refuse(place, &Error::Internal { request: super::telemetry::request_number() }, locale);
        }
        _ if said.trim().is_empty() => ("bad_request", td_string!(locale, access.unreadable).to_owned()),
        _ => ("bad_request", said),
    };
    let mut response = errors::plain(place, status, code, &sentence);
    for name in [header::ALLOW, header::RETRY_AFTER, header::SET_COOKIE] {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Reduces where an answer sends the browser to a path of our own, and drops the error that server
/// functions append to it.
fn stay_here(headers: &mut HeaderMap) {
    let Some(location) = headers.get(header::LOCATION) else { return };
    let path = location.to_str().ok().and_then(own_path).unwrap_or_else(|| "/".to_owned());
    match HeaderValue::from_str(&path) {
        Ok(value) => headers.insert(header::LOCATION, value),
        Err(_) => headers.remove(header::LOCATION),
    };
}

fn own_path(location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    let kept: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("__err") && !pair.starts_with("__path"))
        .collect();
    Some(if kept.is_empty() { path } else { format!("{path}?{}", kept.join("&")) })
}

/// Puts the security headers on an answer; a route that has set one of its own keeps it.
fn protect(state: &State, headers: &mut HeaderMap, nonce: &str, number: &str) {
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    put(header::CONTENT_SECURITY_POLICY, &csp::policy(nonce));
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    put(header::REFERRER_POLICY, "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()",
    );
    put(header::CACHE_CONTROL, "no-store");
    put(HeaderName::from_static("x-request-id"), number);
    let public_https = state.config.server.public_url.starts_with("https://");
    if state.is_tls() || public_https {
        let all = if state.config.tls.hsts_subdomains { "; includeSubDomains" } else { "" };
        put(header::STRICT_TRANSPORT_SECURITY, &format!("max-age=31536000{all}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_that_does_not_come_is_begun_again() {
        let begun = std::sync::atomic::AtomicU32::new(0);
        let write = |request: Request| {
            let is_first = begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            async move {
                if is_first {
                    std::future::pending::<()>().await;
                }
                request.uri().path().to_owned().into_response()
            }
        };

        let asked = Request::get("/machines").body(Body::empty()).expect("a request");
        let page = in_time(Duration::from_millis(20), asked, write).await;

        assert_eq!(to_bytes(page.into_body(), 100).await.expect("a body"), "/machines");
        assert_eq!(begun.into_inner(), 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_for_a_page_that_never_comes() {
        let begun = std::sync::atomic::AtomicUsize::new(0);
        let write = |_| {
            begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::future::pending()
        };

        let asked = Request::get("/machines").body(Body::empty()).expect("a request");
        let page = in_time(Duration::from_millis(1), asked, write).await;

        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(begun.into_inner(), PAGE_AGAIN + 1);
    }

    #[test]
    fn a_redirect_never_leaves_and_never_tells_an_error() {
        for (given, kept) in [
            ("/machines?page=2", "/machines?page=2"),
            ("https://evil.example/machines?__err=c2VjcmV0&__path=%2Fapi&page=2", "/machines?page=2"),
            ("//evil.example/x", "/evil.example/x"),
            ("https://evil.example", "/"),
        ] {
            assert_eq!(own_path(given).as_deref(), Some(kept), "{given}");
        }
    }

    #[tokio::test]
    async fn only_files_that_exist_are_served_without_a_login() {
        let site = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(site.path().join("logo.svg"), "<svg/>").expect("written");
        std::fs::write(site.path().join(".secret.js"), "").expect("written");

        assert!(is_file(site.path(), &Method::GET, "/logo.svg").await);
        for path in
            ["/missing.js", "/.secret.js", "/../logo.svg", "/x/../logo.svg", "//logo.svg", "/%6cogo.svg", "/logo.svg/"]
        {
            assert!(!is_file(site.path(), &Method::GET, path).await, "{path}");
        }
        assert!(!is_file(site.path(), &Method::POST, "/logo.svg").await);
    }
}
