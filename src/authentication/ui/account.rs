//! One's own account: the password, and where one is signed in.

use super::fields::{PasswordField, Trouble, form_answer, label};
use crate::{
    authentication::{api::read_account, model::OwnLogin},
    i18n::{Locale, t, t_string, td_string, use_i18n},
    ui::Ago,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// One's own password and logins.
#[component]
pub fn AccountPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
    let changed = use_query_map().read_untracked().get("changed").is_some();
    let account = Resource::new_blocking(|| (), |()| read_account());
    view! {
        <Title text=move || t_string!(i18n, access.account) />
        <section class="account">
            <h1>{t!(i18n, access.account)}</h1>
            <Suspense>
                {move || Suspend::new(async move {
                    let locale = i18n.get_locale();
                    match account.await {
                        Ok(account) => {
                            let session = account.session;
                            let place = match &session.customer {
                                Some(customer) => {
                                    td_string!(locale, access.member_of, customer = customer.name.clone())
                                }
                                None => td_string!(locale, access.member_of_platform).to_owned(),
                            };
                            view! {
                                <p class="soft">{session.username.clone()} " " {place}</p>
                                <h2>{td_string!(locale, access.logins)}</h2>
                                <Logins logins=account.logins locale=locale />
                            }
                            .into_any()
                        }
                        Err(error) => view! { <p class="field__problem">{error.message(locale)}</p> }.into_any(),
                    }
                })}
            </Suspense>
            <h2>{t!(i18n, access.change_password)}</h2>
            {changed.then(|| view! { <p role="status">{t!(i18n, access.password_changed)}</p> })}
            <form class="form account__password" method="post" action="/account">
                <Trouble sentence=answer.trouble.clone() />
                <PasswordField
                    name="current"
                    label=label!(i18n, access.current_password)
                    problem=answer.problem("current")
                    autocomplete="current-password"
                />
                <PasswordField
                    name="password"
                    label=label!(i18n, access.new_password)
                    hint=label!(i18n, access.password_hint)
                    problem=answer.problem("password")
                    autocomplete="new-password"
                />
                <PasswordField
                    name="password_again"
                    label=label!(i18n, access.password_again)
                    problem=answer.problem("password_again")
                    autocomplete="new-password"
                />
                <button class="button button--primary">{t!(i18n, access.change_password)}</button>
            </form>
        </section>
    }
}

#[component]
fn Logins(logins: Vec<OwnLogin>, locale: Locale) -> impl IntoView {
    let rows = logins
        .into_iter()
        .map(|login| {
            let action = format!("/account/logins/{}/end", login.id);
            let agent = login.agent.filter(|agent| !agent.is_empty()).unwrap_or_else(|| "–".to_owned());
            let label = format!("{}: {agent}", td_string!(locale, access.end_login));
            view! {
                <tr>
                    <td>
                        {agent}
                        {login.is_this.then(|| view! { " " <span class="soft">"(" {td_string!(locale, access.this_login)} ")"</span> })}
                    </td>
                    <td>{login.address}</td>
                    <td><Ago at=login.login_time /></td>
                    <td><Ago at=login.last_seen /></td>
                    <td>
                        <form method="post" action=action>
                            <button class="button" aria-label=label>{td_string!(locale, access.end_login)}</button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=td_string!(locale, access.logins)>
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">{td_string!(locale, access.agent)}</th>
                        <th scope="col">{td_string!(locale, access.address)}</th>
                        <th scope="col">{td_string!(locale, access.login_time)}</th>
                        <th scope="col">{td_string!(locale, access.last_seen)}</th>
                        <td></td>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
