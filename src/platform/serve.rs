//! The web server: every route there is, in the order of its layers.

use super::state::State;
use crate::{
    app::{App, shell},
    authentication::server::{Actor, Context, context::Parts},
    i18n::Locale,
};
use anyhow::Context as _;
use axum::{Router, body::Body, extract::Request, middleware, response::IntoResponse, routing::get};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes as _, generate_route_list};

/// Serves until the state is told to stop.
pub async fn serve(state: State) -> anyhow::Result<()> {
    let address = state.config.server.address;
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    let stopping = state.stopping.clone();
    let runner = crate::jobs::server::start(&state);
    let app = router(state)?;
    println!("Muelle listens on http://{address}");
    axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>())
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await
        .context("serving")?;
    runner.stopped().await;
    Ok(())
}

/// Every route with every layer: what [`serve`] serves and tests call.
pub fn router(state: State) -> anyhow::Result<Router> {
    let mut options = leptos::config::get_configuration(None).context("reading the options of Leptos")?.leptos_options;
    options.site_addr = state.config.server.address;
    let routes = generate_route_list(App);
    let pages = Router::<LeptosOptions>::new()
        .route("/api/fn/{*name}", get(server_function).post(server_function))
        .leptos_routes_with_context(&options, routes, || {}, {
            let options = options.clone();
            move || shell(options.clone())
        })
        .fallback(leptos_axum::file_and_error_handler::<LeptosOptions, _>(shell))
        .with_state(options);
    Ok(Router::new()
        .route("/api/heartbeat", get(async || axum::Json(serde_json::json!({ "ok": true }))))
        .merge(crate::events::server::sse::routes().with_state(state.clone()))
        .merge(pages)
        .layer(middleware::from_fn(move |mut request: Request, next: middleware::Next| {
            let context = Context::new(Parts {
                actor: Actor::Anonymous,
                locale: Locale::en,
                request: super::telemetry::new_request_number(),
                address: None,
                agent: String::new(),
                state: state.clone(),
            });
            request.extensions_mut().insert(context);
            next.run(request)
        })))
}

async fn server_function(request: Request<Body>) -> impl IntoResponse {
    let context = request.extensions().get::<Context>().cloned();
    leptos_axum::handle_server_fns_with_context(
        move || {
            if let Some(context) = context.clone() {
                provide_context(context);
            }
        },
        request,
    )
    .await
}
