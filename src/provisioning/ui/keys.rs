//! The keys of SSH servers: what was shown, and the decision over it.

use crate::{
    app::refusal,
    authentication::policy::Verb,
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    provisioning::{
        machines::{HostKey, HostKeys, KeyOwner, KeyState},
        machines_api::{decide_host_key, list_host_keys, scan_host_keys},
    },
    ui::{ActionButton, Ago, Badge, ButtonLook, Dialog, Empty, Live, LiveView, Notice, Panel, Tone, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// A decision that a person is asked to confirm.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    key: HostKey,
    approve: bool,
    /// Whether another key is trusted now.
    replaces: bool,
}

/// The keys of a machine, or of the free addresses of a group, and what can be done with them.
#[component]
pub fn KeysPanel(
    /// Whose they are.
    owner: KeyOwner,
    /// What a person calls it.
    #[prop(into)]
    name: Signal<String>,
    /// Called when a decision was made.
    #[prop(optional)]
    on_decided: Option<Callback<()>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![Topic::Records(owner.kind().to_owned())]);
    let asked = RwSignal::new(None::<Decision>);
    view! {
        <Panel title=say!(i18n, machines.keys.title)>
            <div class="panel__body stack">
                <p class="soft">
                    {move || match owner {
                        KeyOwner::Machine(_) => t_string!(i18n, machines.keys.hint),
                        KeyOwner::Host(_) => t_string!(i18n, machines.keys.host_hint),
                    }}
                </p>
                <LiveView
                    fetch=move || list_host_keys(owner)
                    changes
                    view=move |live| view! { <Keys owner live asked /> }
                />
            </div>
        </Panel>
        <KeyQuestion owner name asked on_decided />
    }
}

#[component]
fn Keys(owner: KeyOwner, live: Live<HostKeys>, asked: RwSignal<Option<Decision>>) -> impl IntoView {
    let i18n = use_i18n();
    let keys = live.value();
    let addresses = Memo::new(move |_| keys.with(|keys| keys.addresses.clone()));
    let is_host = matches!(owner, KeyOwner::Host(_));
    let nothing = Memo::new(move |_| keys.with(|keys| keys.items.is_empty()));
    let changed = Memo::new(move |_| keys.with(|keys| keys.items.iter().any(|key| key.state == KeyState::Changed)));
    view! {
        {move || changed.get().then(|| view! { <Notice tone=Tone::Bad>{t!(i18n, machines.keys.changed_notice)}</Notice> })}
        {move || nothing.get().then(|| {
            let text = Signal::derive(move || {
                if !addresses.with(Vec::is_empty) {
                    t_string!(i18n, machines.keys.none)
                } else if is_host {
                    t_string!(i18n, machines.keys.no_addresses)
                } else {
                    t_string!(i18n, machines.keys.no_address)
                }
                .to_owned()
            });
            view! { <Empty icon=lu::LuKeyRound text /> }
        })}
        <KeyList keys=Signal::derive(move || keys.with(|keys| keys.items.clone())) asked />
        <div class="row">
            {move || {
                let addresses = addresses.get();
                addresses
                    .into_iter()
                    .map(|(address, _)| {
                        let address = is_host.then_some(address);
                        view! { <ScanButton owner address live /> }
                    })
                    .collect_view()
            }}
        </div>
    }
}

#[component]
fn ScanButton(owner: KeyOwner, address: Option<String>, live: Live<HostKeys>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let busy = RwSignal::new(false);
    let address = StoredValue::new(address);
    let scan = Callback::new(move |()| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            match scan_host_keys(owner, address.get_value()).await {
                Ok(keys) => {
                    live.value().try_set(keys);
                    toasts.done(t_string!(i18n, machines.keys.scanned));
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    });
    view! {
        <ActionButton
            label=Signal::derive(move || match address.get_value() {
                Some(address) => t_string!(i18n, machines.keys.scan_of, address = address),
                None => t_string!(i18n, machines.keys.scan).to_owned(),
            })
            icon=lu::LuScanSearch
            refused=refusal(Verb::Operate, owner.kind())
            busy
            on_press=scan
        />
    }
}

/// Keys, each with how it stands and what can be decided.
#[component]
pub fn KeyList(
    /// The keys.
    #[prop(into)]
    keys: Signal<Vec<HostKey>>,
    /// Where a decision is put to be confirmed.
    asked: RwSignal<Option<Decision>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let some = Memo::new(move |_| keys.with(|keys| !keys.is_empty()));
    let trusted = move |key: &HostKey| {
        keys.with_untracked(|keys| {
            keys.iter().any(|other| {
                other.state == KeyState::Trusted && other.machine == key.machine && other.address == key.address
            })
        })
    };
    let ask = move |key: &HostKey, approve: bool| {
        let key = key.clone();
        Callback::new(move |()| {
            let replaces = approve && key.state != KeyState::Trusted && trusted(&key);
            asked.set(Some(Decision { key: key.clone(), approve, replaces }));
        })
    };
    view! {
        {move || some.get().then(|| view! {
            <ul class="host-keys">
                <For each=move || keys.get() key=|key| (key.id, key.state, key.last_seen_at) let:key>
                    <li class="host-keys__key">
                        <div class="host-keys__head">
                            <KeyBadge state=key.state />
                            {key.address.clone().map(|address| view! { <span class="mono">{address}</span> })}
                            <span class="soft">{key.algorithm.clone()}</span>
                        </div>
                        <code class="host-keys__print">{key.fingerprint.clone()}</code>
                        <p class="soft">
                            {t!(i18n, machines.keys.first_seen)} " " <Ago at=key.first_seen_at /> " · "
                            {t!(i18n, machines.keys.last_seen)} " " <Ago at=key.last_seen_at />
                            {key.decided_by.clone().map(|name| view! {
                                " · " {move || t_string!(i18n, machines.keys.by, name = name.clone())}
                            })}
                        </p>
                        <KeyButtons key=key.clone() approve=ask(&key, true) reject=ask(&key, false) />
                    </li>
                </For>
            </ul>
        })}
    }
}

#[component]
fn KeyButtons(key: HostKey, approve: Callback<()>, reject: Callback<()>) -> impl IntoView {
    let i18n = use_i18n();
    let kind = if key.machine.is_some() { "machine" } else { "host" };
    let is_trusted = key.state == KeyState::Trusted;
    view! {
        <div class="row">
            {(!is_trusted).then(|| view! {
                <ActionButton
                    label=say!(i18n, machines.keys.approve)
                    icon=lu::LuShieldCheck
                    look=if key.state.is_open() { ButtonLook::Primary } else { ButtonLook::Plain }
                    refused=refusal(Verb::Operate, kind)
                    on_press=approve
                />
            })}
            {(key.state != KeyState::Revoked).then(|| view! {
                <ActionButton
                    label=Signal::derive(move || {
                        if is_trusted { t_string!(i18n, machines.keys.withdraw) } else { t_string!(i18n, machines.keys.reject) }
                            .to_owned()
                    })
                    icon=lu::LuShieldX
                    look=ButtonLook::Danger
                    refused=refusal(Verb::Operate, kind)
                    on_press=reject
                />
            })}
        </div>
    }
}

/// How a key stands, as a word with a colour and an icon.
#[component]
fn KeyBadge(state: KeyState) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = match state {
        KeyState::Pending => (Tone::Warn, lu::LuShieldQuestion),
        KeyState::Trusted => (Tone::Good, lu::LuShieldCheck),
        KeyState::Changed => (Tone::Bad, lu::LuShieldAlert),
        KeyState::Revoked => (Tone::Idle, lu::LuShieldX),
    };
    view! { <Badge tone icon label=Signal::derive(move || state_name(state, i18n.get_locale()).to_owned()) /> }
}

fn state_name(state: KeyState, locale: Locale) -> &'static str {
    match state {
        KeyState::Pending => td_string!(locale, machines.keys.pending),
        KeyState::Trusted => td_string!(locale, machines.keys.trusted),
        KeyState::Changed => td_string!(locale, machines.keys.changed),
        KeyState::Revoked => td_string!(locale, machines.keys.revoked),
    }
}

/// Asks whether the decision is meant; it names whose key it is and the fingerprint.
#[component]
pub fn KeyQuestion(
    /// Whose page it is.
    owner: KeyOwner,
    /// What a person calls it.
    #[prop(into)]
    name: Signal<String>,
    /// The decision; `None` while nothing is asked.
    asked: RwSignal<Option<Decision>>,
    /// Called when it was made.
    #[prop(optional_no_strip)]
    on_decided: Option<Callback<()>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let open = RwSignal::new(false);
    // What was asked last stays readable while the dialog closes.
    let decision = RwSignal::new(None::<Decision>);
    Effect::new(move || {
        if let Some(asked) = asked.get() {
            decision.set(Some(asked));
            open.set(true);
        }
    });
    Effect::new(move || {
        if !open.get() {
            asked.set(None);
        }
    });
    let busy = RwSignal::new(false);
    let approve = Memo::new(move |_| decision.with(|it| it.as_ref().is_some_and(|it| it.approve)));
    let withdraws = Memo::new(move |_| {
        decision.with(|it| it.as_ref().is_some_and(|it| !it.approve && it.key.state == KeyState::Trusted))
    });
    let subject = Signal::derive(move || {
        decision.with(|it| it.as_ref().and_then(|it| it.key.address.clone())).unwrap_or_else(|| name.get())
    });
    let confirm = Callback::new(move |()| {
        let Some(Decision { key, approve, .. }) = decision.get_untracked() else { return };
        busy.set(true);
        leptos::task::spawn_local(async move {
            match decide_host_key(owner, key.id, approve).await {
                Ok(_) => {
                    toasts.done(if approve {
                        t_string!(i18n, machines.keys.approved)
                    } else {
                        t_string!(i18n, machines.keys.rejected)
                    });
                    open.try_set(false);
                    if let Some(on_decided) = on_decided {
                        on_decided.try_run(());
                    }
                }
                Err(error) => toasts.failed(&error),
            }
            busy.try_set(false);
        });
    });
    let title = Signal::derive(move || {
        if approve.get() {
            t_string!(i18n, machines.keys.approve_title)
        } else if withdraws.get() {
            t_string!(i18n, machines.keys.withdraw_title)
        } else {
            t_string!(i18n, machines.keys.reject_title)
        }
        .to_owned()
    });
    let text = move || {
        let name = subject.get();
        if approve.get() {
            if decision.with(|it| it.as_ref().is_some_and(|it| it.replaces)) {
                t_string!(i18n, machines.keys.replace_text, name = name)
            } else {
                t_string!(i18n, machines.keys.approve_text, name = name)
            }
        } else if withdraws.get() {
            t_string!(i18n, machines.keys.withdraw_text, name = name)
        } else {
            t_string!(i18n, machines.keys.reject_text, name = name)
        }
    };
    let action = Signal::derive(move || {
        if approve.get() {
            t_string!(i18n, machines.keys.approve)
        } else if withdraws.get() {
            t_string!(i18n, machines.keys.withdraw)
        } else {
            t_string!(i18n, machines.keys.reject)
        }
        .to_owned()
    });
    view! {
        <Dialog open title>
            <div class="dialog__body">
                <p>{text}</p>
                <dl class="facts">
                    <dt>{move || subject.get()}</dt>
                    <dd>
                        <code class="host-keys__print">
                            {move || decision.with(|it| it.as_ref().map(|it| it.key.fingerprint.clone()))}
                        </code>
                        " "
                        <span class="soft">{move || decision.with(|it| it.as_ref().map(|it| it.key.algorithm.clone()))}</span>
                    </dd>
                </dl>
            </div>
            <div class="dialog__actions">
                <ActionButton
                    label=say!(i18n, common.cancel)
                    on_press=Callback::new(move |()| open.set(false))
                />
                {move || {
                    let look = if approve.get() { ButtonLook::Primary } else { ButtonLook::Destroy };
                    view! { <ActionButton label=action look busy on_press=confirm /> }
                }}
            </div>
        </Dialog>
    }
}
