//! The versions of a playbook: a list, what differs between two of them, and a way back.

use super::while_live;
use crate::{
    app::refusal,
    authentication::policy::Verb,
    error::Result,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        books::{DiffLine, FileDiff, Side, Version},
        books_api::{playbook_diff, playbook_versions, restore_playbook},
    },
    storage::{Playbook, item::RawRecord},
    ui::{
        ActionButton, Ago, Badge, ButtonLook, Dialog, Empty, Live, LiveView, Panel, SelectField, Skeleton, Tone,
        Trouble, use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;

/// What the server answers to a question, asked in the browser and anew when what it reads changes; `None` until then.
pub(super) fn use_asked<T, F, Fut>(ask: F) -> RwSignal<Option<Result<T>>>
where
    T: Send + Sync + 'static,
    F: Fn() -> Fut + 'static,
    Fut: Future<Output = Result<T>> + 'static,
{
    let found = RwSignal::new(None);
    let turn = StoredValue::new(0_u32);
    Effect::new(move || {
        let question = ask();
        turn.update_value(|turn| *turn += 1);
        let mine = turn.get_value();
        leptos::task::spawn_local(async move {
            let answer = question.await;
            // An older answer may come after a newer question.
            if turn.try_get_value() == Some(mine) {
                found.try_set(Some(answer));
            }
        });
    });
    found
}

/// The tab.
pub fn tab(record: Signal<RawRecord>) -> AnyView {
    while_live(record, |id| view! { <Versions id /> }.into_any())
}

#[component]
fn Versions(id: Id<Playbook>) -> impl IntoView {
    let changes = use_changes(vec![Topic::Records("playbook".to_owned())]);
    view! {
        <LiveView
            fetch=move || playbook_versions(id)
            changes
            view=move |versions| view! { <Found id versions /> }
        />
    }
}

#[component]
fn Found(id: Id<Playbook>, versions: Live<Vec<Version>>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let (before, after) = (address.get("before"), address.get("after"));
    let newest = Memo::new(move |_| versions.value().with(|all| all.first().map_or(0, |version| version.number)));
    // Without a choice the newest version is compared with the one before it.
    let shown_after = Memo::new(move |_| after.get().parse::<i64>().unwrap_or_else(|_| newest.get()));
    let shown_before = Memo::new(move |_| before.get().parse::<i64>().unwrap_or_else(|_| shown_after.get() - 1));
    let asked = RwSignal::new(None::<i64>);
    view! {
        {move || if newest.get() == 0 {
            view! {
                <Empty icon=lu::LuHistory text=say!(i18n, playbooks.versions.empty) />
            }
            .into_any()
        } else {
            view! {
                <div class="versions">
                    <Panel title=say!(i18n, playbooks.versions.title)>
                        <ol class="versions__list">
                            <For
                                each=move || versions.value().get()
                                key=|version| (version.number, version.message.clone())
                                let:version
                            >
                                <VersionLine version newest shown_after asked />
                            </For>
                        </ol>
                    </Panel>
                    <Difference id versions before=shown_before after=shown_after />
                </div>
            }
            .into_any()
        }}
        <RestoreQuestion id asked />
    }
}

#[component]
fn VersionLine(
    version: Version,
    newest: Memo<i64>,
    shown_after: Memo<i64>,
    asked: RwSignal<Option<i64>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let may_update = refusal(Verb::Update, "playbook");
    let number = version.number;
    let title = move || t_string!(i18n, playbooks.versions.number, number = number.to_string());
    let to = move || address.with(&[("after", &number.to_string()), ("before", "")]);
    view! {
        <li class="versions__one" aria-current=move || (shown_after.get() == number).then_some("true")>
            <div>
                <a href=to data-noscroll>{title}</a>
                " "
                {move || (newest.get() == number).then(|| view! {
                    <Badge
                        tone=Tone::Good
                        icon=lu::LuCheck
                        label=say!(i18n, playbooks.versions.current)
                    />
                })}
                <p class="soft">
                    {version.author_name.clone()} " · " <Ago at=version.at />
                    " · " <span class="mono" title=version.hash.clone()>{version.hash.chars().take(8).collect::<String>()}</span>
                </p>
                {version.message.clone().map(|message| view! { <p>{message}</p> })}
            </div>
            {move || (newest.get() != number).then(|| view! {
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, playbooks.versions.restore_version, number = number.to_string()))
                    icon=lu::LuUndo2
                    look=ButtonLook::Icon
                    refused=may_update
                    on_press=Callback::new(move |()| asked.set(Some(number)))
                />
            })}
        </li>
    }
}

#[component]
fn RestoreQuestion(id: Id<Playbook>, asked: RwSignal<Option<i64>>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let open = RwSignal::new(false);
    Effect::new(move || open.set(asked.get().is_some()));
    Effect::new(move || {
        // Telling an empty question anew would open and close without end.
        if !open.get() && asked.with_untracked(Option::is_some) {
            asked.set(None);
        }
    });
    let restore = Action::new(move |number: &i64| {
        let number = *number;
        async move { (number, restore_playbook(id, number).await) }
    });
    Effect::new(move || match restore.value().get() {
        Some((number, Ok(()))) => {
            open.set(false);
            toasts.done(t_string!(i18n, playbooks.versions.restored, number = number.to_string()));
            address.set(&[("before", ""), ("after", "")]);
        }
        Some((_, Err(error))) => toasts.failed(&error),
        None => {}
    });
    let number = move || asked.get().unwrap_or_default().to_string();
    view! {
        <Dialog open title=Signal::derive(move || t_string!(i18n, playbooks.versions.restore_question, number = number()))>
            <div class="dialog__body"><p>{t!(i18n, playbooks.versions.restore_text)}</p></div>
            <div class="dialog__actions">
                <ActionButton
                    label=say!(i18n, common.cancel)
                    on_press=Callback::new(move |()| open.set(false))
                />
                <ActionButton
                    label=say!(i18n, common.restore)
                    icon=lu::LuUndo2
                    look=ButtonLook::Primary
                    busy=restore.pending()
                    on_press=Callback::new(move |()| {
                        if let Some(number) = asked.get_untracked() {
                            restore.dispatch(number);
                        }
                    })
                />
            </div>
        </Dialog>
    }
}

/// What differs between two versions.
#[component]
fn Difference(id: Id<Playbook>, versions: Live<Vec<Version>>, before: Memo<i64>, after: Memo<i64>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let found = use_asked(move || playbook_diff(id, before.get(), after.get()));
    let numbers = move |with_nothing: bool| {
        let nothing = with_nothing.then(|| ("0".to_owned(), t_string!(i18n, playbooks.versions.nothing).to_owned()));
        let all = versions.value().get().into_iter().map(|version| {
            let number = version.number.to_string();
            (number.clone(), t_string!(i18n, playbooks.versions.number, number = number))
        });
        all.chain(nothing).collect::<Vec<_>>()
    };
    let chosen = |side: Memo<i64>, key: &'static str| {
        let value = RwSignal::new(side.get_untracked().to_string());
        Effect::new(move || value.set(side.get().to_string()));
        Effect::watch(
            move || value.get(),
            move |value, _, _| {
                if *value != side.get_untracked().to_string() {
                    address.set(&[(key, value.as_str())]);
                }
            },
            false,
        );
        value
    };
    let (from, to) = (chosen(before, "before"), chosen(after, "after"));
    view! {
        <Panel title=say!(i18n, playbooks.versions.difference)>
            <div class="panel__body">
                <div class="row versions__choice">
                    <SelectField
                        name="version-before"
                        label=say!(i18n, playbooks.versions.from)
                        value=from
                        required=true
                        options=Signal::derive(move || numbers(true))
                    />
                    <SelectField
                        name="version-after"
                        label=say!(i18n, playbooks.versions.to)
                        value=to
                        required=true
                        options=Signal::derive(move || numbers(false))
                    />
                </div>
                {move || match found.get() {
                    None => view! { <Skeleton rows=4 /> }.into_any(),
                    Some(Err(error)) => view! { <Trouble error=Signal::derive(move || error.clone()) /> }.into_any(),
                    Some(Ok(files)) if files.is_empty() => {
                        view! { <p role="status">{t!(i18n, playbooks.versions.same)}</p> }.into_any()
                    }
                    Some(Ok(files)) => files.into_iter().map(|file| view! { <FileDifference file /> }).collect_view().into_any(),
                }}
            </div>
        </Panel>
    }
}

#[component]
fn FileDifference(file: FileDiff) -> impl IntoView {
    let i18n = use_i18n();
    let counts = format!("+{} −{}", file.added, file.removed);
    let title = file.path.clone();
    let (label, heading) = (title.clone(), title.clone());
    view! {
        <section class="diff" aria-label=label>
            <h3 class="diff__head"><span class="mono">{heading}</span> " " <span class="soft number">{counts}</span></h3>
            {if file.opaque {
                view! { <p class="soft">{t!(i18n, playbooks.versions.opaque)}</p> }.into_any()
            } else {
                view! {
                    <div class="diff__lines" tabindex="0" role="region" aria-label=move || t_string!(i18n, playbooks.versions.lines_of, path = title.clone())>
                        <table>
                            <tbody>{file.lines.into_iter().map(|line| view! { <DiffRow line /> }).collect_view()}</tbody>
                        </table>
                    </div>
                }
                .into_any()
            }}
        </section>
    }
}

#[component]
fn DiffRow(line: DiffLine) -> impl IntoView {
    let i18n = use_i18n();
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let (side, sign) = match line.side {
        Side::Both => ("both", " "),
        Side::Added => ("added", "+"),
        Side::Removed => ("removed", "−"),
        Side::Gap => ("gap", "⋯"),
    };
    // A screen reader hears in a word what the colour shows.
    let spoken = move || match side {
        "added" => Some(t_string!(i18n, playbooks.versions.added)),
        "removed" => Some(t_string!(i18n, playbooks.versions.removed)),
        _ => None,
    };
    view! {
        <tr data-side=side>
            <td class="diff__number">{number(line.before)}</td>
            <td class="diff__number">{number(line.after)}</td>
            <td class="diff__sign">
                <span aria-hidden="true">{sign}</span>
                {move || spoken().map(|spoken| view! { <span class="visually-hidden">{spoken}</span> })}
            </td>
            <td class="diff__text">{line.text}</td>
        </tr>
    }
}
