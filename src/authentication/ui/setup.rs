//! The page behind the one-time link of the first start.

use super::fields::{Brand, LinkToken, NewPassword, TextField, Trouble, form_answer, label};
use crate::{
    i18n::{say, t, use_i18n},
    ui::DocumentTitle,
};
use leptos::prelude::*;

/// Creates the first administrator.
#[component]
pub fn SetupPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
    view! {
        <DocumentTitle text=say!(i18n, access.setup) />
        <main class="signin">
            <form class="signin__card" method="post" action="/setup">
                <Brand />
                <div>
                    <h1>{t!(i18n, access.setup)}</h1>
                    <p class="soft">{t!(i18n, access.setup_lead)}</p>
                </div>
                <Trouble sentence=answer.trouble.clone() />
                <LinkToken answer=answer.clone() />
                <TextField
                    name="username"
                    label=label!(i18n, access.username)
                    value=answer.value("username")
                    problem=answer.problem("username")
                    autocomplete="username"
                    focused=true
                />
                <TextField
                    name="email"
                    label=label!(i18n, access.email)
                    optional=true
                    value=answer.value("email")
                    problem=answer.problem("email")
                    autocomplete="email"
                />
                <NewPassword label=label!(i18n, access.password) answer=answer.clone() />
                <button class="button button--primary">{t!(i18n, access.setup_button)}</button>
            </form>
        </main>
    }
}
