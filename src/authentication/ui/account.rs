//! One's own account: the password, and where one is signed in.

use super::fields::{NewPassword, PasswordField, Trouble, form_answer, label};
use crate::{
    authentication::{api::read_account, model::OwnLogin},
    i18n::{Locale, t, td_string, use_i18n},
    json::resource,
    ui::{Ago, Badge, PageHead, Panel, Tone},
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// One's own password and logins.
#[component]
pub fn AccountPage() -> impl IntoView {
    let i18n = use_i18n();
    let answer = form_answer();
    let changed = use_query_map().read_untracked().get("changed").is_some();
    let account = resource(|| (), |()| read_account());
    let place = move || {
        Suspend::new(async move {
            let account = account.await.ok()?;
            let locale = i18n.get_locale();
            let place = match account.session.customer {
                Some(customer) => td_string!(locale, access.member_of, customer = customer.name),
                None => td_string!(locale, access.member_of_platform).to_owned(),
            };
            Some(format!("{} {place}", account.session.username))
        })
    };
    view! {
        <PageHead
            title=label!(i18n, access.account)
            line=ViewFn::from(move || view! { <Suspense>{place}</Suspense> })
        />
        <div class="account">
            <Panel title=label!(i18n, access.logins)>
                <Suspense>
                    {move || Suspend::new(async move {
                        let locale = i18n.get_locale();
                        match account.await {
                            Ok(account) => view! { <Logins logins=account.logins locale=locale /> }.into_any(),
                            Err(error) => {
                                view! { <p class="panel__body field__problem">{error.message(locale)}</p> }.into_any()
                            }
                        }
                    })}
                </Suspense>
            </Panel>
            <Panel title=label!(i18n, access.change_password)>
                <form class="panel__body account__password" method="post" action="/account">
                    {changed.then(|| view! { <p role="status">{t!(i18n, access.password_changed)}</p> })}
                    <Trouble sentence=answer.trouble.clone() />
                    <PasswordField
                        name="current"
                        label=label!(i18n, access.current_password)
                        problem=answer.problem("current")
                        autocomplete="current-password"
                    />
                    <NewPassword label=label!(i18n, access.new_password) answer=answer.clone() />
                    <div>
                        <button class="button button--primary">{t!(i18n, access.change_password)}</button>
                    </div>
                </form>
            </Panel>
        </div>
    }
}

#[component]
fn Logins(logins: Vec<OwnLogin>, locale: Locale) -> impl IntoView {
    let has_others = logins.iter().any(|login| !login.is_this);
    let rows = logins
        .into_iter()
        .map(|login| {
            let action = format!("/account/logins/{}/end", login.id);
            let agent = login.agent.filter(|agent| !agent.is_empty()).unwrap_or_else(|| "–".to_owned());
            let program = agent.clone();
            let label = format!("{}: {agent}", td_string!(locale, access.end_login));
            view! {
                <tr>
                    <td class="table__name">
                        {login.is_this.then(|| view! { <Badge tone=Tone::Busy icon=lu::LuMapPin label=td_string!(locale, access.this_login).to_owned() /> " " })}
                        <span title=program>{agent}</span>
                    </td>
                    <td data-label=td_string!(locale, access.address)>{login.address}</td>
                    <td data-label=td_string!(locale, access.login_time)><Ago at=login.login_time /></td>
                    <td data-label=td_string!(locale, access.last_seen)><Ago at=login.last_seen /></td>
                    <td class="table__actions">
                        <form method="post" action=action>
                            <button class="button" aria-label=label>{td_string!(locale, access.end_login)}</button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label=td_string!(locale, access.logins)>
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
        {has_others.then(|| view! {
            <form class="panel__body" method="post" action="/account/logins/end-others">
                <button class="button">{td_string!(locale, access.end_others)}</button>
            </form>
        })}
    }
}
