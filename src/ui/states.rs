//! The looks of a list that is not filled: loading, empty, in trouble.

use super::{
    badge::Tone,
    button::{ActionButton, ButtonLook},
    icon::Icon,
};
use crate::{
    error::Error,
    i18n::{say, t, use_i18n},
};
use leptos::prelude::*;

/// Rows that are being loaded; as high as the real ones, so that nothing jumps.
#[component]
pub fn Skeleton(
    /// How many rows.
    #[prop(default = 6)]
    rows: usize,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <div class="skeleton" role="status" aria-label=t!(i18n, common.loading)>
            {std::iter::repeat_with(|| view! { <span></span> }).take(rows).collect_view()}
        </div>
    }
}

/// Nothing there: one sentence and one action.
#[component]
pub fn Empty(
    /// What would be there.
    #[prop(into)]
    icon: Signal<icondata_core::Icon>,
    /// The sentence.
    #[prop(into)]
    text: Signal<String>,
    /// The action.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon icon />
            <p>{move || text.get()}</p>
            {children.map(|children| children())}
        </div>
    }
}

/// Gives the page that is being written the status of an error; does nothing in the browser.
pub fn answer_with(error: &Error) {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = axum::http::StatusCode::from_u16(error.status())
    {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = error;
}

/// Something failed: what, and a way out. The page answers with the error's status.
#[component]
pub fn Trouble(
    /// What failed.
    #[prop(into)]
    error: Signal<Error>,
    /// Tries again.
    #[prop(optional)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    answer_with(&error.get_untracked());
    let i18n = use_i18n();
    view! {
        <div class="trouble" role="alert">
            <Icon icon=icondata_lu::LuCircleAlert />
            <p>{move || error.get().message(i18n.get_locale())}</p>
            {retry.map(|retry| view! {
                <ActionButton
                    label=say!(i18n, common.retry)
                    icon=icondata_lu::LuRotateCw
                    look=ButtonLook::Plain
                    on_press=retry
                />
            })}
        </div>
    }
}

/// A sentence that stands above the page's content.
#[component]
pub fn Notice(
    /// What its colour means.
    #[prop(into)]
    tone: Signal<Tone>,
    /// The sentence and, where there is one, the way out.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="notice" data-tone=move || tone.get().name() role="status">
            <Icon icon=Signal::derive(move || match tone.get() {
                Tone::Good => icondata_lu::LuCircleCheck,
                Tone::Busy | Tone::Idle => icondata_lu::LuInfo,
                Tone::Warn | Tone::Bad => icondata_lu::LuTriangleAlert,
            }) />
            <div>{children()}</div>
        </div>
    }
}
