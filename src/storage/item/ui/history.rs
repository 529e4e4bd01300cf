//! The history of a record: who changed what, when, from what to what.

use super::{
    super::{Change, Kind, Language, Shape, calls},
    value::{Labels, plain},
    words::switch_words,
};
use crate::{
    error::{Error, Result},
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    id::Id,
    json::resource,
    ui::{ActionButton, Ago, Awaited, Badge, Empty, Skeleton, Tone, Trouble, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// Lines read at a time.
const LINES: usize = 50;

/// The history.
#[component]
pub fn History(
    /// The kind.
    kind: &'static Kind,
    /// The record.
    id: Id<()>,
    /// Names of records, for references.
    labels: Signal<Labels>,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let changes = use_changes(vec![Topic::Records(kind.name.to_owned())]);
    let newest = resource(move || changes.get(), move |_| read(kind, id, None));
    let older = RwSignal::new(Vec::<Change>::new());
    let more = RwSignal::new(None::<bool>);
    let ask_more = Action::new(move |before: &Id<Change>| read(kind, id, Some(*before)));
    Effect::new(move || match ask_more.value().get() {
        Some(Ok(lines)) => {
            more.set(Some(lines.len() >= LINES));
            older.update(|older| older.extend(lines));
        }
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let shown = move |answer: Result<Vec<Change>>| match answer {
        Err(error) => trouble(error, Callback::new(move |()| newest.refetch())),
        Ok(lines) if lines.is_empty() => view! {
            <Empty
                icon=lu::LuHistory
                text=say!(i18n, records.page.history_empty)
            />
        }
        .into_any(),
        Ok(lines) => {
            let first_full = lines.len() >= LINES;
            let last = lines.last().map(|line| line.id);
            let all = move || {
                let mut all = lines.clone();
                all.extend(older.get());
                all
            };
            view! {
                <ol class="history">
                    {move || all().into_iter().map(|change| view! { <Line kind change labels /> }).collect_view()}
                </ol>
                {move || more.get().unwrap_or(first_full).then(|| view! {
                    <ActionButton
                        label=say!(i18n, records.page.older)
                        icon=lu::LuChevronDown
                        busy=ask_more.pending()
                        on_press=Callback::new(move |()| {
                            let before = older.with_untracked(|older| older.last().map(|line| line.id)).or(last);
                            if let Some(before) = before {
                                ask_more.dispatch(before);
                            }
                        })
                    />
                })}
            }
            .into_any()
        }
    };
    view! {
        <Awaited
            resource=newest
            fallback=|| view! { <Skeleton rows=4 /> }
            view=move || {
                let answer = Memo::new(move |_| newest.get());
                move || answer.get().map(shown)
            }
        />
    }
}

fn trouble(error: Error, retry: Callback<()>) -> AnyView {
    view! { <Trouble error=Signal::derive(move || error.clone()) retry /> }.into_any()
}

async fn read(kind: &'static Kind, id: Id<()>, before: Option<Id<Change>>) -> Result<Vec<Change>> {
    calls::record_history(kind.name.to_owned(), id.to_string(), before.map(|before| before.to_string())).await
}

/// What was done, as a word.
fn action_name(action: &str, locale: Locale) -> String {
    match action {
        "create" => td_string!(locale, records.page.did_create),
        "update" => td_string!(locale, records.page.did_update),
        "remove" => td_string!(locale, records.page.did_remove),
        "restore" => td_string!(locale, records.page.did_restore),
        "purge" => td_string!(locale, records.page.did_purge),
        "approve_host_key" => td_string!(locale, machines.did.approve),
        "reject_host_key" => td_string!(locale, machines.did.reject),
        "host_key_changed" => td_string!(locale, machines.did.changed),
        "host_key_shown" => td_string!(locale, machines.did.shown),
        "check_connection" => td_string!(locale, machines.did.check),
        "wake" => td_string!(locale, machines.did.wake),
        "change_password" => td_string!(locale, access.did.change_password),
        "reset_link" => td_string!(locale, access.did.reset_link),
        "reset_password" => td_string!(locale, access.did.reset_password),
        "run" => td_string!(locale, schedules.page.did_run),
        "not_run" => td_string!(locale, schedules.page.did_not_run),
        other => return other.to_owned(),
    }
    .to_owned()
}

/// How an action looks.
fn action_look(action: &str) -> (Tone, icondata_core::Icon) {
    match action {
        "create" => (Tone::Good, lu::LuPlus),
        "update" => (Tone::Busy, lu::LuPencil),
        "remove" | "purge" => (Tone::Bad, lu::LuTrash2),
        "restore" => (Tone::Good, lu::LuUndo2),
        "host_key_changed" => (Tone::Warn, lu::LuKeyRound),
        "approve_host_key" | "reject_host_key" | "host_key_shown" => (Tone::Idle, lu::LuKeyRound),
        "change_password" | "reset_link" | "reset_password" => (Tone::Idle, lu::LuKeyRound),
        "run" => (Tone::Busy, lu::LuPlay),
        "not_run" => (Tone::Warn, lu::LuTriangleAlert),
        _ => (Tone::Idle, lu::LuCircleDot),
    }
}

#[component]
fn Line(kind: &'static Kind, change: Change, labels: Signal<Labels>) -> impl IntoView {
    let i18n = use_i18n();
    let (tone, icon) = action_look(&change.action);
    let action = change.action.clone();
    let names: BTreeSet<String> = change.before.keys().chain(change.after.keys()).cloned().collect();
    // The order of the description, then what it does not know.
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| kind.fields.iter().position(|field| field.name == name).unwrap_or(usize::MAX));
    let is_new = change.before.is_empty();
    let rows = names
        .into_iter()
        .map(|name| {
            let field = kind.field(&name);
            let before = change.before.get(&name).cloned().unwrap_or(Value::Null);
            let after = change.after.get(&name).cloned().unwrap_or(Value::Null);
            let is_long = field.is_some_and(|field| matches!(field.shape, Shape::Lines { .. }));
            let is_code =
                field.is_some_and(|field| matches!(field.shape, Shape::Lines { language: Language::Yaml, .. }));
            let class = match (is_code, is_long) {
                (true, _) => "history__value history__value--code",
                (false, true) => "history__value history__value--long",
                (false, false) => "history__value",
            };
            let text = move |value: &Value, locale: Locale| labels.with(|labels| plain(field, value, labels, locale));
            let label = move || {
                let locale = i18n.get_locale();
                match (field, name.as_str()) {
                    (Some(field), _) => (field.label)(locale).to_owned(),
                    (None, "enabled") => (switch_words(kind).on)(locale).to_owned(),
                    (None, "customer") => t_string!(i18n, records.page.customer).to_owned(),
                    (None, other) => other.to_owned(),
                }
            };
            view! {
                <dt>{label}</dt>
                <dd>
                    {(!is_new).then(|| view! {
                        <del class=class>{move || text(&before, i18n.get_locale())}</del>
                        <span class="history__arrow" aria-hidden="true">"→"</span>
                    })}
                    <ins class=class>{move || text(&after, i18n.get_locale())}</ins>
                </dd>
            }
        })
        .collect_view();
    let address = change.address.clone();
    view! {
        <li class="history__line">
            <div class="history__head">
                <Badge tone icon label=Signal::derive(move || action_name(&action, i18n.get_locale())) />
                <strong>{change.person_name.clone()}</strong>
                <span class="soft"><Ago at=change.at /></span>
                {address.map(|address| view! {
                    <span class="soft">{t!(i18n, records.page.from)} " " <span class="mono">{address}</span></span>
                })}
            </div>
            <dl class="history__fields">{rows}</dl>
        </li>
    }
}
