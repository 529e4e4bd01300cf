//! The text catalogue, English and Spanish, made from `src/locales` by the build script.

#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/i18n.rs"));

pub use i18n::{I18nContextProvider, Locale, use_i18n};
pub use leptos_i18n::{t_string, td_string, tu_string};

use leptos::{prelude::*, tachys::reactive_graph::SharedReactiveFunction};
use leptos_i18n::{I18nContext, Locale as _, context::UseLocalesOptions};
use std::sync::{Arc, Mutex};

/// A text in a view, in the chosen language: `{t!(i18n, common.close)}`.
///
/// All of them have one type, and so one code in the browser's program; the library's own macro makes each anew.
macro_rules! t {
    ($i18n:expr, $($key:tt)+) => {
        $crate::i18n::shown($i18n, |locale| $crate::i18n::td_string!(locale, $($key)+))
    };
}

/// A text for a property of a component, in the chosen language: `label=say!(i18n, common.close)`.
macro_rules! say {
    ($i18n:expr, $($key:tt)+) => {
        $crate::i18n::said($i18n, |locale| $crate::i18n::td_string!(locale, $($key)+))
    };
}

pub(crate) use {say, t};

/// The cookie that keeps the chosen language.
pub const COOKIE: &str = "i18n_pref_locale";

/// Shows everything in that language, now and at the next visit.
pub fn choose(i18n: I18nContext<Locale>, locale: Locale) {
    i18n.set_locale(locale);
    crate::ui::setting::keep(COOKIE, Some(locale.as_str()));
}

/// How the server finds the language of a page; the browser takes over the one that the page is written in.
pub fn asked() -> UseLocalesOptions {
    let options = UseLocalesOptions::default();
    #[cfg(feature = "ssr")]
    let options = options.ssr_lang_header_getter(|| {
        let request = use_context::<http::request::Parts>()?;
        Some(crate::authentication::server::gate::locale(&request.headers).to_string())
    });
    options
}

/// See [`t!`].
pub fn shown(i18n: I18nContext<Locale>, text: fn(Locale) -> &'static str) -> SharedReactiveFunction<&'static str> {
    Arc::new(Mutex::new(move || text(i18n.get_locale())))
}

/// See [`say!`].
pub fn said(i18n: I18nContext<Locale>, text: fn(Locale) -> &'static str) -> Signal<String> {
    Signal::derive(move || text(i18n.get_locale()).to_owned())
}
