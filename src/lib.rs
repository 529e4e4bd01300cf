//! Muelle: one control panel for the machines and containers of a team's customers.
//!
//! The modules as the user sees them: [`deployments`], [`provisioning`], [`storage`] and [`authentication`]; beside them
//! [`jobs`] and [`events`], and [`platform`] that carries them on the server. Each slice has the same faces: `model` for both sides, `api` for what the browser may call,
//! `ui` for pages, `server` for what runs only on the server.

#![recursion_limit = "512"]

pub mod app;
pub mod authentication;
pub mod deployments;
pub mod error;
pub mod events;
pub mod home;
pub mod i18n;
pub mod id;
pub mod jobs;
pub mod json;
#[cfg(feature = "ssr")]
pub mod platform;
pub mod provisioning;
pub mod storage;
pub mod time;
pub mod ui;

/// Takes over the page that the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    wasm_bindgen_futures::spawn_local(async {
        let Some(body) = leptos::prelude::document().body() else { return };
        leptos::mount::hydrate_from_async(body, app::App).await.forget();
        ui::browser::tell_taken_over();
    });
}
