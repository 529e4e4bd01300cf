//! The page behind a link with which somebody sets a new password.

use super::fields::{Brand, LinkToken, NewPassword, Trouble, form_answer, label};
use crate::{
    i18n::{say, t, use_i18n},
    ui::DocumentTitle,
};
use leptos::prelude::*;

/// Sets a new password.
#[component]
pub fn ResetPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
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
                <LinkToken answer=answer.clone() />
                <NewPassword label=label!(i18n, access.new_password) answer=answer.clone() />
                <button class="button button--primary">{t!(i18n, access.reset.set)}</button>
            </form>
        </main>
    }
}
