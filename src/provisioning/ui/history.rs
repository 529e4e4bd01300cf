//! All runs, newest first, with their filters in the address.

use super::{
    badge::{RunBadge, recap_words, state_word, total},
    took,
};
use crate::{
    app::{refusal, use_session},
    authentication::policy::Verb,
    error::{Error, Result},
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    provisioning::{
        api::list_runs,
        model::{HostRecap, Run, RunPage, RunQuery, RunState},
    },
    storage::{
        self,
        item::{calls::get_record, ui::RecordPicker},
    },
    time::Timestamp,
    ui::{
        ActionButton, Address, Ago, ButtonLook, Empty, Icon, LinkButton, Live, LiveView, Menu, Outdated, PageHead,
        Pick, TextField, use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Runs in a page.
const PER_PAGE: u32 = 50;

/// The keys of the address that narrow the list, with what each leads to.
const KEYS: [(&str, Reading); 8] = [
    ("playbook", Reading::Record("playbook")),
    ("machine", Reading::Record("machine")),
    ("person", Reading::Record("user")),
    ("schedule", Reading::Record("schedule")),
    ("host", Reading::Words),
    ("since", Reading::Words),
    ("until", Reading::Words),
    ("state", Reading::State),
];

/// How the value of a filter is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The id of a record of that kind.
    Record(&'static str),
    /// As it stands.
    Words,
    /// A state; it has a chip of its own.
    State,
}

/// What a person calls a filter.
fn label_of(key: &str, locale: Locale) -> &'static str {
    match key {
        "playbook" => td_string!(locale, run_page.column.playbook),
        "machine" => td_string!(locale, run_page.column.machine),
        "person" => td_string!(locale, run_page.column.person),
        "schedule" => td_string!(locale, run_page.list.schedule),
        "host" => td_string!(locale, run_page.column.host),
        "since" => td_string!(locale, run_page.list.since),
        "until" => td_string!(locale, run_page.list.until),
        _ => td_string!(locale, run_page.column.state),
    }
}

/// The name of a record.
///
/// # Errors
/// [`Error::NotFound`] when it is not in reach.
pub(super) async fn name_of(kind: &'static str, id: String) -> Result<String> {
    let title = storage::kind(kind).map(|kind| kind.title).ok_or_else(|| Error::not_found(kind))?;
    let shown = get_record(kind.to_owned(), id).await?;
    Ok(shown.record.item.get(title).and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The filters of the list, as they stand in the address.
#[derive(Clone, Copy)]
struct Filters {
    address: Address,
    query: Memo<RunQuery>,
    /// What the list is narrowed to by its place; it cannot be taken away.
    fixed: StoredValue<RunQuery>,
}

/// The first moment of a day, `2026-11-29`, in UTC.
fn day(text: &str) -> Option<Timestamp> {
    format!("{text}T00:00:00Z").parse().ok()
}

fn use_filters(fixed: RunQuery) -> Filters {
    let address = use_address();
    let fixed = StoredValue::new(fixed);
    let [playbook, machine, person, schedule, host, since, until, state] = KEYS.map(|(key, _)| address.get(key));
    let before = address.get("before");
    let query = Memo::new(move |_| {
        let fixed = fixed.get_value();
        let host = host.get();
        RunQuery {
            state: state.get().parse().ok(),
            playbook: fixed.playbook.or_else(|| playbook.get().parse().ok()),
            machine: fixed.machine.or_else(|| machine.get().parse().ok()),
            host: fixed.host.or_else(|| (!host.is_empty()).then_some(host)),
            person: fixed.person.or_else(|| person.get().parse().ok()),
            schedule: fixed.schedule.or_else(|| schedule.get().parse().ok()),
            since: day(&since.get()),
            until: day(&until.get()),
            before: before.get().parse().ok(),
            per_page: PER_PAGE,
        }
    });
    Filters { address, query, fixed }
}

impl Filters {
    /// Whether the list's place has decided this filter.
    fn is_fixed(self, key: &str) -> bool {
        self.fixed.with_value(|fixed| match key {
            "playbook" => fixed.playbook.is_some(),
            "machine" => fixed.machine.is_some(),
            "host" => fixed.host.is_some(),
            "person" => fixed.person.is_some(),
            "schedule" => fixed.schedule.is_some(),
            _ => false,
        })
    }

    fn set(self, key: &'static str, value: &str) {
        self.address.set(&[(key, value), ("before", "")]);
    }
}

/// The page of all runs.
#[component]
pub fn RunsPage() -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <PageHead
            title=say!(i18n, run_page.runs)
            line=ViewFn::from(move || t!(i18n, run_page.line))
        >
            <LinkButton
                href="/runs/new"
                label=say!(i18n, run_page.new)
                icon=lu::LuPlay
                look=ButtonLook::Primary
                refused=refusal(Verb::Operate, "run")
            />
        </PageHead>
        <RunList />
    }
}

/// The runs that have something in common, such as their playbook, and the filters over them.
#[component]
pub fn RunList(
    /// What all of them have in common.
    #[prop(optional)]
    fixed: RunQuery,
) -> impl IntoView {
    let filters = use_filters(fixed);
    let told = use_changes(vec![Topic::Runs]);
    // Another address asks anew, as a change does.
    let changes = Signal::derive(move || {
        let mut hasher = DefaultHasher::new();
        filters.query.with(|query| format!("{query:?}")).hash(&mut hasher);
        hasher.finish().wrapping_add(told.get())
    });
    view! {
        <FilterBar filters />
        <LiveView
            fetch=move || list_runs(filters.query.get_untracked())
            changes
            view=move |live| view! { <Listed live filters /> }
        />
    }
}

#[component]
fn FilterBar(filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query, .. } = filters;
    let me = use_session().map(|session| session.user);
    let is_mine = Memo::new(move |_| me.is_some() && query.with(|query| query.person == me));
    let values = KEYS.map(|(key, reading)| (key, reading, address.get(key)));
    let is_filtered = Memo::new(move |_| values.iter().any(|(_, _, value)| !value.with(String::is_empty)));
    view! {
        <div class="filters" role="search">
            <label class="choice-chip" data-chosen=move || query.with(|query| query.state.is_some()).then_some("true")>
                <span>{t!(i18n, run_page.column.state)}</span>
                <select on:change=move |event| filters.set("state", &event_target_value(&event))>
                    <option value="" selected=move || query.with(|query| query.state.is_none())>{t!(i18n, run_page.list.any)}</option>
                    {RunState::ALL.map(|state| view! {
                        <option value=state.name() selected=move || query.with(|query| query.state == Some(state))>
                            {move || state_word(i18n.get_locale(), state)}
                        </option>
                    }).into_iter().collect_view()}
                </select>
            </label>
            {values
                .into_iter()
                .filter(|(key, reading, _)| *reading != Reading::State && !filters.is_fixed(key))
                .map(|(key, reading, value)| view! { <FilterChip filters of=key reading value /> })
                .collect_view()}
            <Menu
                id="run-filters"
                label=say!(i18n, common.list.filter)
                icon=lu::LuPlus
                as_chip=true
                stays=true
            >
                <div class="filters__choices">
                    {values
                        .into_iter()
                        .filter(|(key, reading, _)| *reading != Reading::State && !filters.is_fixed(key))
                        .map(|(key, reading, value)| view! { <FilterChoice filters of=key reading value /> })
                        .collect_view()}
                </div>
            </Menu>
            {me.filter(|_| !filters.is_fixed("person")).map(|me| view! {
                <ActionButton
                    label=say!(i18n, run_page.list.mine)
                    icon=lu::LuUserRound
                    look=ButtonLook::Quiet
                    pressed=is_mine
                    on_press=Callback::new(move |()| {
                        let person = if is_mine.get_untracked() { String::new() } else { me.to_string() };
                        filters.set("person", &person);
                    })
                />
            })}
            {move || is_filtered.get().then(|| view! {
                <ActionButton
                    label=say!(i18n, common.list.clear_filters)
                    icon=lu::LuX
                    look=ButtonLook::Quiet
                    on_press=Callback::new(move |()| {
                        let mut none: Vec<(&'static str, &str)> = KEYS.iter().map(|(key, _)| (*key, "")).collect();
                        none.push(("before", ""));
                        address.set(&none);
                    })
                />
            })}
        </div>
    }
}

/// A filter that is set, and the way to drop it.
#[component]
fn FilterChip(filters: Filters, of: &'static str, reading: Reading, value: Memo<String>) -> impl IntoView {
    let i18n = use_i18n();
    let name = RwSignal::new(None::<String>);
    Effect::new(move || {
        let value = value.get();
        name.set(None);
        if let (Reading::Record(kind), false) = (reading, value.is_empty()) {
            leptos::task::spawn_local(async move {
                if let Ok(found) = name_of(kind, value).await {
                    name.try_set(Some(found));
                }
            });
        }
    });
    let text = move || {
        let value = match reading {
            Reading::Record(_) => name.get().unwrap_or_else(|| "…".to_owned()),
            Reading::Words | Reading::State => value.get(),
        };
        format!("{}: {value}", label_of(of, i18n.get_locale()))
    };
    move || {
        (!value.with(String::is_empty)).then(|| {
            view! {
                <a
                    class="chip"
                    href=filters.address.with(&[(of, ""), ("before", "")])
                    data-noscroll
                    aria-label=move || t_string!(i18n, run_page.list.drop, filter = text())
                >
                    {text}
                    <Icon icon=lu::LuX />
                </a>
            }
        })
    }
}

/// One filter among the choices.
#[component]
fn FilterChoice(filters: Filters, of: &'static str, reading: Reading, value: Memo<String>) -> impl IntoView {
    let i18n = use_i18n();
    let label = Signal::derive(move || label_of(of, i18n.get_locale()).to_owned());
    let name = format!("filter-{of}");
    if let Reading::Record(kind) = reading {
        let chosen = RwSignal::new(Vec::<Pick>::new());
        Effect::watch(
            move || chosen.get(),
            move |chosen, _, _| filters.set(of, chosen.last().map_or("", |pick| pick.id.as_str())),
            false,
        );
        return view! { <RecordPicker name label kind chosen /> }.into_any();
    }
    let text = RwSignal::new(value.get_untracked());
    let send = leptos_use::use_debounce_fn(move || filters.set(of, text.get_untracked().trim()), 400.0);
    Effect::watch(move || text.get(), move |_, _, _| drop(send()), false);
    let kind = if of == "host" { "text" } else { "date" };
    let hint = Signal::derive(move || (of == "host").then(|| t_string!(i18n, run_page.list.host_hint).to_owned()));
    view! { <TextField name label value=text kind hint /> }.into_any()
}

#[component]
fn Listed(live: Live<RunPage>, filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query, fixed } = filters;
    let page = live.value();
    let is_empty = Memo::new(move |_| page.with(|page| page.items.is_empty()));
    let is_all = Memo::new(move |_| {
        let all = RunQuery { per_page: PER_PAGE, ..fixed.get_value() };
        query.with(|query| *query == all)
    });
    let ids = move || page.with(|page| page.items.iter().map(|run| run.id).collect::<Vec<_>>());
    let playbook = fixed.with_value(|fixed| fixed.playbook);
    view! {
        <Outdated live />
        {move || match (is_empty.get(), is_all.get()) {
            (true, true) => view! {
                <Empty icon=Signal::stored(lu::LuPlay) text=say!(i18n, run_page.list.empty)>
                    <LinkButton
                        href=playbook.map_or_else(|| "/runs/new".to_owned(), |id| format!("/playbooks/{id}/run"))
                        label=say!(i18n, run_page.list.start)
                        icon=lu::LuPlay
                        refused=refusal(Verb::Operate, "run")
                    />
                </Empty>
            }.into_any(),
            (true, false) => view! {
                <Empty icon=Signal::stored(lu::LuPlay) text=say!(i18n, common.list.nothing_found) />
            }.into_any(),
            (false, _) => view! {
                <div class="table-wrap">
                    <table class="table runs">
                        <thead>
                            <tr>
                                <th scope="col">{t!(i18n, run_page.column.playbook)}</th>
                                <th scope="col">{t!(i18n, run_page.column.state)}</th>
                                <th scope="col">{t!(i18n, run_page.column.target)}</th>
                                <th scope="col">{t!(i18n, run_page.column.recap)}</th>
                                <th scope="col">{t!(i18n, run_page.column.person)}</th>
                                <th scope="col">{t!(i18n, run_page.column.created)}</th>
                                <th scope="col">{t!(i18n, run_page.column.took)}</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=ids key=|id| *id let:id>
                                {
                                    let first = page.with_untracked(|page| page.items.iter().find(|run| run.id == id).cloned());
                                    first.map(|first| {
                                        let run = Memo::new(move |_| {
                                            page.with(|page| page.items.iter().find(|run| run.id == id).cloned()).unwrap_or_else(|| first.clone())
                                        });
                                        view! { <Row run /> }
                                    })
                                }
                            </For>
                        </tbody>
                    </table>
                </div>
            }.into_any(),
        }}
        <nav class="pages" aria-label=t!(i18n, run_page.list.pages)>
            {move || query.with(|query| query.before.is_some()).then(|| view! {
                <LinkButton
                    href=Signal::derive(move || address.with(&[("before", "")]))
                    label=say!(i18n, run_page.list.newest)
                    icon=lu::LuChevronsLeft
                    look=ButtonLook::Quiet
                />
            })}
            {move || page.with(|page| page.next).map(|next| view! {
                <LinkButton
                    href=Signal::derive(move || address.with(&[("before", &next.to_string())]))
                    label=say!(i18n, run_page.list.older)
                    icon=lu::LuChevronRight
                    look=ButtonLook::Quiet
                />
            })}
        </nav>
    }
}

#[component]
fn Row(run: Memo<Run>) -> impl IntoView {
    let i18n = use_i18n();
    let first = run.get_untracked();
    let (id, created_at, check) = (first.id, first.created_at, first.request.options.check);
    let sum = Memo::new(move |_| run.with(|run| total(&run.recap)));
    view! {
        <tr>
            <td class="table__name">
                <a href=format!("/runs/{id}")>{first.playbook_name}</a>
                {check.then(|| view! { " " <span class="chip run-check">{t!(i18n, run_page.list.check)}</span> })}
            </td>
            <td><RunBadge state=Signal::derive(move || run.with(|run| run.state)) /></td>
            <td class="soft">{first.target.join(", ")}</td>
            <td class="number soft" data-tone=move || sum.with(HostRecap::is_bad).then_some("bad")>
                {move || run.with(|run| !run.recap.is_empty()).then(|| sum.with(|sum| recap_words(i18n.get_locale(), sum)))}
            </td>
            <td class="soft">{first.person_name}</td>
            <td class="soft"><Ago at=created_at /></td>
            <td class="number soft hide-phone">{move || run.with(took)}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(day("2026-11-29").map(|at| at.to_string()).as_deref(), Some("2026-11-29T00:00:00Z"));
        assert_eq!(day(""), None);
        assert_eq!(day("soon"), None);
    }
}
