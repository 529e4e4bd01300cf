//! What the pages of a credential show beside its own fields: the public part, what uses it, a test, and the
//! inputs for a secret.

use super::{id_of, text_of, whose};
use crate::{
    app::{beside, refusal},
    authentication::policy::Verb,
    error::{Error, Result},
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::credentials_api::{Tested, Used, credential_uses, test_credential},
    storage::{
        Credential, CredentialKind, NEW_KEY,
        item::{RawRecord, ui::RecordPicker},
        kind,
    },
    ui::{
        ActionButton, ButtonLook, CopyButton, Dialog, LiveView, Notice, Panel, Pick, TextAreaField, TextField, Tone,
        use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;

fn kind_of(record: Signal<RawRecord>) -> Memo<CredentialKind> {
    let name = text_of(record, "type");
    Memo::new(move |_| name.with(|name| CredentialKind::named(name)).unwrap_or_default())
}

/// The public part of a key, and what uses the credential.
pub fn overview(record: Signal<RawRecord>) -> AnyView {
    let id = id_of(record);
    let kind = kind_of(record);
    let (public_key, fingerprint) = (text_of(record, "public_key"), text_of(record, "fingerprint"));
    view! {
        <div class="credential">
            {move || (kind.get() == CredentialKind::SshKey).then(|| view! { <PublicKey public_key fingerprint /> })}
            <Uses id />
        </div>
    }
    .into_any()
}

/// The line that lets the key in on a machine.
#[component]
fn PublicKey(public_key: Memo<String>, fingerprint: Memo<String>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Panel
            title=say!(i18n, secrets.public_key)
            end=ViewFn::from(move || view! { <CopyButton text=public_key /> })
        >
            <div class="panel__body credential__key">
                <p>{t!(i18n, secrets.authorize)}</p>
                <pre
                    class="record__code credential__line"
                    tabindex="0"
                    role="region"
                    aria-label=t!(i18n, secrets.public_key)
                >
                    <code>{public_key}</code>
                </pre>
                <p class="soft">{t!(i18n, secrets.fingerprint)} ": " <span class="mono">{fingerprint}</span></p>
            </div>
        </Panel>
    }
}

#[component]
fn Uses(id: Id<Credential>) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![Topic::Records("schedule".to_owned())]);
    view! {
        <Panel title=say!(i18n, secrets.used_by)>
            <div class="panel__body">
                <LiveView
                    fetch=move || credential_uses(id)
                    changes
                    view=move |live| move || live.value().with(|uses: &Vec<Used>| if uses.is_empty() {
                        view! { <p class="soft">{t!(i18n, secrets.unused)}</p> }.into_any()
                    } else {
                        view! { <ul class="credential__uses">{uses.iter().cloned().map(used).collect_view()}</ul> }.into_any()
                    })
                />
            </div>
        </Panel>
    }
}

fn used(used: Used) -> AnyView {
    let i18n = use_i18n();
    let Some(kind) = kind(&used.kind) else {
        return view! { <li>{used.name}</li> }.into_any();
    };
    let address = format!("/{}/{}", kind.plural, used.id);
    view! {
        <li>
            <span class="soft">{move || (kind.one)(i18n.get_locale())}</span> " "
            <a class="reference" href=address>{used.name}</a>
        </li>
    }
    .into_any()
}

/// The button that tries the credential.
pub fn actions(record: Signal<RawRecord>) -> AnyView {
    let kind = kind_of(record);
    view! { <TestButton id=id_of(record) kind whose=whose(record) name=text_of(record, "name") /> }.into_any()
}

#[component]
fn TestButton(
    id: Id<Credential>,
    kind: Memo<CredentialKind>,
    whose: Signal<Option<Option<String>>>,
    name: Memo<String>,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let open = RwSignal::new(false);
    let signs_in = Memo::new(move |_| matches!(kind.get(), CredentialKind::SshKey | CredentialKind::SshPassword));
    let machine = RwSignal::new(Vec::<Pick>::new());
    let problem = RwSignal::new(None::<String>);
    let outcome = RwSignal::new(None::<Tested>);
    let test = Action::new(move |(): &()| {
        let machine = machine.with_untracked(|picked| picked.first().and_then(|pick| pick.id.parse().ok()));
        async move { test_credential(id, machine).await }
    });
    Effect::new(move || {
        let Some(answer): Option<Result<Tested>> = test.value().get() else { return };
        problem.set(None);
        outcome.set(None);
        match answer {
            Ok(tested) => outcome.set(Some(tested)),
            Err(Error::Invalid { problems }) => {
                problem.set(problems.into_iter().next().map(|problem| problem.message));
            }
            Err(error) => toasts.failed(&error),
        }
    });
    Effect::new(move || {
        // What was said about another machine says nothing about this one.
        machine.track();
        problem.set(None);
        outcome.set(None);
    });
    view! {
        <ActionButton
            label=Signal::derive(move || format!("{}…", t_string!(i18n, secrets.test.action)))
            icon=lu::LuPlugZap
            refused=refusal(Verb::Operate, "credential")
            on_press=Callback::new(move |()| {
                outcome.set(None);
                open.set(true);
            })
        />
        <Dialog open title=Signal::derive(move || t_string!(i18n, secrets.test.title, name = name.get()))>
            <form
                class="dialog__body"
                novalidate=true
                on:submit=move |event| {
                    event.prevent_default();
                    if !test.pending().get_untracked() {
                        test.dispatch(());
                    }
                }
            >
                {move || if signs_in.get() {
                    view! {
                        <RecordPicker
                            name="test-machine".to_owned()
                            label=say!(i18n, secrets.test.machine)
                            kind="machine"
                            chosen=machine
                            whose
                            required=true
                            hint=say!(i18n, secrets.test.machine_hint)
                            problem=problem
                        />
                    }
                    .into_any()
                } else {
                    view! { <p>{t!(i18n, secrets.test.open_text)}</p> }.into_any()
                }}
                {move || outcome.get().map(|tested| view! { <Outcome tested /> })}
                <div class="form__actions">
                    <ActionButton
                        label=Signal::derive(move || if signs_in.get() {
                            t_string!(i18n, secrets.test.start)
                        } else {
                            t_string!(i18n, secrets.test.start_open)
                        }.to_owned())
                        look=ButtonLook::Primary
                        kind="submit"
                        busy=test.pending()
                    />
                </div>
            </form>
        </Dialog>
    }
}

#[component]
fn Outcome(tested: Tested) -> impl IntoView {
    let i18n = use_i18n();
    let tone = if tested.is_good { Tone::Good } else { Tone::Bad };
    view! {
        <Notice tone>
            <p>{tested.message}</p>
            {tested.said.map(|said| view! {
                <p class="soft">{t!(i18n, secrets.test.said)} ":"</p>
                <pre class="record__code credential__line"><code>{said}</code></pre>
            })}
        </Notice>
    }
}

/// The input of the secret: lines for a private key, which can be made here as well, or a password.
pub fn secret(input: beside::Input) -> AnyView {
    view! { <SecretInput input /> }.into_any()
}

#[component]
fn SecretInput(input: beside::Input) -> impl IntoView {
    let i18n = use_i18n();
    let beside::Input { name, value, required, is_new, problem, other, .. } = input;
    let kind = other.run("type");
    let is_key = Memo::new(move |_| kind.is_some_and(|kind| kind.with(|kind| kind == CredentialKind::SshKey.name())));
    let is_made = Memo::new(move |_| is_key.get() && value.with(|value| value == NEW_KEY));
    // Another type needs another secret; a key is not sent as a password by mistake.
    Effect::watch(move || is_key.get(), move |_, _, _| value.set(String::new()), false);
    let keep = move || (!is_new).then(|| t_string!(i18n, secrets.private_key_keep).to_owned());
    let key_hint =
        Signal::derive(move || keep().unwrap_or_else(|| t_string!(i18n, secrets.private_key_hint).to_owned()));
    let password_hint = Signal::derive(move || {
        if is_new { t_string!(i18n, secrets.password_hint) } else { t_string!(i18n, records.page.keep_secret) }
            .to_owned()
    });
    let name = StoredValue::new(name);
    move || match (is_key.get(), is_made.get()) {
        (false, _) => view! {
            <TextField
                name=name.get_value()
                label=say!(i18n, secrets.password)
                value
                kind="password"
                autocomplete="new-password"
                required
                hint=password_hint
                problem
            />
        }
        .into_any(),
        (true, false) => view! {
            <div class="credential__input">
                <TextAreaField
                    name=name.get_value()
                    label=say!(i18n, secrets.private_key)
                    value
                    code=true
                    rows=8
                    required
                    hint=key_hint
                    problem
                    placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
                />
                <ActionButton
                    label=say!(i18n, secrets.make)
                    icon=lu::LuSparkles
                    on_press=Callback::new(move |()| value.set(NEW_KEY.to_owned()))
                />
            </div>
        }
        .into_any(),
        (true, true) => view! {
            <div class="credential__input">
                <Notice tone=Tone::Idle>{t!(i18n, secrets.making)}</Notice>
                <ActionButton
                    label=say!(i18n, secrets.paste)
                    icon=lu::LuClipboardPaste
                    on_press=Callback::new(move |()| value.set(String::new()))
                />
            </div>
        }
        .into_any(),
    }
}

/// The input of a key's passphrase, which is never kept.
pub fn passphrase(input: beside::Input) -> AnyView {
    let beside::Input { name, label, value, required, hint, problem, .. } = input;
    view! {
        <TextField name label value kind="password" autocomplete="off" required hint problem />
    }
    .into_any()
}
