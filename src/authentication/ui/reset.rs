//! The page behind a link with which somebody sets a new password.

use super::fields::{Brand, NewPassword, Trouble, form_answer, label};
use crate::{
    i18n::{say, t, use_i18n},
    ui::DocumentTitle,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Sets a new password.
#[component]
pub fn ResetPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
    let token = match answer.value("token") {
        token if token.is_empty() => use_query_map().read_untracked().get("token").unwrap_or_default(),
        token => token,
    };
    view! {
        <DocumentTitle text=say!(i18n, access.reset.set) />
        <main class="signin">
            <form class="signin__card" method="post" action="/reset">
                <Brand />
                <div>
                    <h1>{t!(i18n, access.reset.set)}</h1>
                    <p class="soft">{t!(i18n, access.reset.lead)}</p>
                </div>
                <Trouble sentence=answer.trouble.clone() />
                <input type="hidden" name="token" value=token />
                <NewPassword label=label!(i18n, access.new_password) answer=answer.clone() />
                <button class="button button--primary">{t!(i18n, access.reset.set)}</button>
            </form>
        </main>
    }
}
