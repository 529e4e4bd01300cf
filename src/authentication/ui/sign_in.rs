//! The page to sign in.

use super::fields::{Brand, PasswordField, TextField, Trouble, form_answer, label};
use crate::{
    i18n::{say, t, use_i18n},
    ui::DocumentTitle,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Customer, user and password; says that something is wrong and not what.
#[component]
pub fn SignInPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
    // After a refused attempt the page's own address has no `next` any more; the answer carries it.
    let next = match answer.value("next") {
        next if next.is_empty() => use_query_map().read_untracked().get("next").unwrap_or_default(),
        next => next,
    };
    let in_trouble = answer.trouble.is_some();
    let is_reset = use_query_map().read_untracked().get("reset").is_some();
    view! {
        <DocumentTitle text=say!(i18n, access.sign_in) />
        <main class="signin">
            <form class="signin__card" method="post" action="/sign-in">
                <Brand />
                <div>
                    <h1>{t!(i18n, access.sign_in)}</h1>
                    <p class="soft">{t!(i18n, access.sign_in_lead)}</p>
                </div>
                {is_reset.then(|| view! { <p role="status">{t!(i18n, access.reset.done)}</p> })}
                <Trouble sentence=answer.trouble.clone() />
                <input type="hidden" name="next" value=next />
                <TextField
                    name="customer"
                    label=label!(i18n, access.customer)
                    optional=true
                    value=answer.value("customer")
                    problem=None
                    autocomplete="organization"
                />
                <TextField
                    name="username"
                    label=label!(i18n, access.username)
                    value=answer.value("username")
                    problem=None
                    autocomplete="username"
                    focused=!in_trouble
                />
                <PasswordField
                    name="password"
                    label=label!(i18n, access.password)
                    problem=None
                    autocomplete="current-password"
                    in_trouble=in_trouble
                    focused=in_trouble
                />
                <button class="button button--primary">{t!(i18n, access.sign_in)}</button>
            </form>
        </main>
    }
}
