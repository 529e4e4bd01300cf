//! Who is signed in, as pages see it. It does not change while a page lives: signing in and out
//! load the document anew.

use crate::{
    authentication::{
        model::Session,
        policy::{self, Reason, Verb},
    },
    i18n::use_i18n,
};
use leptos::prelude::*;

#[derive(Clone)]
struct Current(StoredValue<Option<Session>>);

/// Puts the session into the context: from the request on the server, from the document in the browser.
pub(super) fn provide_session() {
    let session = SharedValue::new(|| -> Option<Session> {
        #[cfg(feature = "ssr")]
        {
            crate::authentication::server::Context::current().ok().and_then(|context| context.session().ok().cloned())
        }
        #[cfg(not(feature = "ssr"))]
        None
    });
    provide_context(Current(StoredValue::new(session.into_inner())));
    #[cfg(feature = "hydrate")]
    drop(window_event_listener(leptos::ev::submit, |event| {
        if !event.default_prevented() {
            IS_LEAVING.set(true);
        }
    }));
}

#[cfg(feature = "hydrate")]
thread_local! {
    /// Whether a form was sent whose answer is the next page.
    static IS_LEAVING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Shows where to sign in, after the server told that the login of this page is no more. A form that is
/// under way may be what ended it, and its answer brings the next login, so that is waited for. Asks for
/// the page anew instead of reloading, which would send the last form once more.
#[cfg(feature = "hydrate")]
pub fn end_session() {
    if IS_LEAVING.get() {
        return;
    }
    let location = window().location();
    let path = location.pathname().unwrap_or_default() + &location.search().unwrap_or_default();
    drop(location.replace(&path));
}

/// The signed-in person; `None` on the pages of signing in.
pub fn use_session() -> Option<Session> {
    use_context::<Current>().and_then(|current| current.0.get_value())
}

/// Why the signed-in person may not do this with things of that kind; `None` when they may.
pub(super) fn refusal_now(verb: Verb, subject: &str) -> Option<Reason> {
    use_session().and_then(|session| policy::decide(&session, verb, subject).err())
}

/// Why the signed-in person may not do this with things of that kind, as a sentence; `None` when
/// they may. Asks the same table as the server.
pub fn refusal(verb: Verb, subject: &'static str) -> Signal<Option<String>> {
    let i18n = use_i18n();
    let reason = refusal_now(verb, subject);
    Signal::derive(move || reason.map(|reason| reason.text(i18n.get_locale()).to_owned()))
}
