//! Small settings of a browser, kept in cookies so that the server writes pages with them.

use leptos::prelude::*;

/// A setting of this browser, kept for a year; its value is made of letters, digits, hyphens and dots.
///
/// By hand, because a library for cookies brings the reading of dates along: some 50 kB of code.
pub fn setting(name: &str) -> (ReadSignal<Option<String>>, WriteSignal<Option<String>>) {
    let (value, set_value) = signal(kept(name));
    let name = name.to_owned();
    Effect::watch(move || value.get(), move |value, _, _| keep(&name, value.as_deref()), false);
    (value, set_value)
}

#[cfg(feature = "ssr")]
fn kept(name: &str) -> Option<String> {
    let request = use_context::<http::request::Parts>()?;
    let mut cookies = crate::authentication::server::gate::cookies(&request.headers);
    cookies.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

#[cfg(not(feature = "ssr"))]
fn kept(name: &str) -> Option<String> {
    let cookies = page().cookie().ok()?;
    let mut cookies = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// Keeps the value, or forgets it.
#[cfg(not(feature = "ssr"))]
pub fn keep(name: &str, value: Option<&str>) {
    const YEAR_SECONDS: u32 = 365 * 24 * 3600;

    let (value, seconds) = value.map_or(("", 0), |value| (value, YEAR_SECONDS));
    drop(page().set_cookie(&format!("{name}={value}; Path=/; Max-Age={seconds}; SameSite=Lax")));
}

/// Only the browser has a setting that changes.
#[cfg(feature = "ssr")]
pub const fn keep(_name: &str, _value: Option<&str>) {}

#[cfg(not(feature = "ssr"))]
fn page() -> web_sys::HtmlDocument {
    wasm_bindgen::JsCast::unchecked_into(document())
}
