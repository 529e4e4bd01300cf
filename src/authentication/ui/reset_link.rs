//! The button on a user's page that makes a link for a new password.

use crate::{
    app::{refusal, use_session},
    authentication::{api::make_reset_link, model::ResetLink, policy::Verb},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    storage::{User, item::RawRecord},
    ui::{ActionButton, ButtonLook, CopyButton, Dialog, Moment, use_toasts},
};
use icondata_lu as lu;
use leptos::{html, prelude::*};
use serde_json::Value;

/// The buttons at the head of a user's page.
pub fn user_actions(record: Signal<RawRecord>) -> AnyView {
    let id: Id<User> = record.with_untracked(|record| record.base.id.cast());
    let name = Memo::new(move |_| {
        record.with(|record| record.item.get("username").and_then(Value::as_str).unwrap_or_default().to_owned())
    });
    let is_enabled = Memo::new(move |_| record.with(|record| record.base.enabled));
    view! { <ResetLinkButton id name is_enabled /> }.into_any()
}

#[component]
fn ResetLinkButton(id: Id<User>, name: Memo<String>, is_enabled: Memo<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let open = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let made = RwSignal::new(None::<ResetLink>);
    let is_own = use_session().is_some_and(|session| session.user == id);
    let may_update = refusal(Verb::Update, "user");
    let refused = Signal::derive(move || {
        may_update.get().or_else(|| match (is_own, is_enabled.get()) {
            (true, _) => Some(t_string!(i18n, access.own_password).to_owned()),
            (false, false) => Some(t_string!(i18n, access.reset.no_entry).to_owned()),
            (false, true) => None,
        })
    });
    Effect::new(move || {
        // It is shown once: a closed dialog forgets it.
        if !open.get() {
            made.set(None);
        }
    });
    let make = Callback::new(move |()| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            match make_reset_link(id).await {
                Ok(link) => drop(made.try_set(Some(link))),
                Err(error) => {
                    open.try_set(false);
                    toasts.failed(&error);
                }
            }
            busy.try_set(false);
        });
    });
    view! {
        <ActionButton
            label=Signal::derive(move || format!("{}…", t_string!(i18n, access.reset.link)))
            icon=lu::LuKeyRound
            refused
            on_press=Callback::new(move |()| {
                made.set(None);
                open.set(true);
            })
        />
        <Dialog open title=Signal::derive(move || t_string!(i18n, access.reset.title, name = name.get()))>
            {move || match made.get() {
                Some(link) => view! { <Made link /> }.into_any(),
                None => view! {
                    <div class="dialog__body">
                        <p>{t!(i18n, access.reset.question)}</p>
                    </div>
                    <div class="dialog__actions">
                        <ActionButton
                            label=say!(i18n, common.cancel)
                            on_press=Callback::new(move |()| open.set(false))
                        />
                        <ActionButton
                            label=say!(i18n, access.reset.make)
                            look=ButtonLook::Primary
                            busy
                            on_press=make
                        />
                    </div>
                }
                .into_any(),
            }}
        </Dialog>
    }
}

/// The link, with the cursor in it: the button that was pressed is gone.
#[component]
fn Made(link: ResetLink) -> impl IntoView {
    let i18n = use_i18n();
    let ResetLink { url, is_guess, expires_at } = link;
    // Whoever asks has reached the server, so their own address leads there too.
    let own = is_guess.then(|| window().location().origin().ok()).flatten();
    let url = match (own, url.find("/reset?")) {
        (Some(own), Some(path)) => format!("{own}{}", &url[path..]),
        _ => url,
    };
    let copied = Signal::stored(url.clone());
    let input = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(input) = input.get() {
            drop(input.focus());
            input.select();
        }
    });
    view! {
        <div class="dialog__body">
            <p>{t!(i18n, access.reset.hand_over)}</p>
            <div class="form__row">
                <input
                    node_ref=input
                    class="input mono"
                    readonly
                    autocomplete="off"
                    spellcheck="false"
                    aria-label=t!(i18n, access.reset.link)
                    value=url
                />
                <CopyButton text=copied look=ButtonLook::Plain />
            </div>
            <p class="soft">{t!(i18n, access.reset.until)} " " <Moment at=expires_at /></p>
        </div>
    }
}
