//! The list of all jobs, newest first.

use super::{JobBadge, ProgressLine, badge::state_word, took};
use crate::{
    events::{
        client::{learn_progress, use_changes, use_progress},
        model::Topic,
    },
    i18n::{Locale, t, t_string, td_string, use_i18n},
    jobs::{
        api::{JobPage, JobQuery, list_jobs},
        model::{Job, JobState},
    },
    ui::{
        ActionButton, Address, Ago, ButtonLook, Empty, LinkButton, Live, LiveView, Notice, PageHead, Tone, use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Jobs in a page.
const PER_PAGE: u32 = 50;

/// What jobs act on: the first word of their kinds, and its name.
const FAMILIES: [(&str, fn(Locale) -> &'static str); 2] = [
    ("container", |locale| td_string!(locale, work.family.container)),
    ("image", |locale| td_string!(locale, work.family.image)),
];

/// The filters of the list, as they stand in the address.
#[derive(Clone, Copy)]
struct Filters {
    address: Address,
    query: Memo<JobQuery>,
}

fn use_filters() -> Filters {
    let address = use_address();
    let (state, kind, mine) = (address.get("state"), address.get("kind"), address.get("mine"));
    let (search, before) = (address.get("q"), address.get("before"));
    let given = |text: String| (!text.is_empty()).then_some(text);
    let query = Memo::new(move |_| JobQuery {
        state: state.get().parse().ok(),
        kind: given(kind.get()),
        mine: mine.get() == "true",
        search: given(search.get()),
        before: before.get().parse().ok(),
        per_page: PER_PAGE,
    });
    Filters { address, query }
}

/// The list of jobs, with its filters in the address.
#[component]
pub fn JobsPage() -> impl IntoView {
    let filters = use_filters();
    let told = use_changes(vec![Topic::Jobs]);
    // Another address asks anew, as a change does.
    let changes = Signal::derive(move || {
        let mut hasher = DefaultHasher::new();
        filters.query.with(|query| format!("{query:?}")).hash(&mut hasher);
        hasher.finish().wrapping_add(told.get())
    });
    view! {
        <Head />
        <FilterBar filters />
        <LiveView
            fetch=move || list_jobs(filters.query.get_untracked())
            changes
            view=move |live| view! { <Listed live filters /> }
        />
    }
}

#[component]
fn Head() -> impl IntoView {
    let i18n = use_i18n();
    view! { <PageHead title=Signal::derive(move || t_string!(i18n, work.title).to_owned()) line=ViewFn::from(move || t!(i18n, work.line)) /> }
}

#[component]
fn FilterBar(filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query } = filters;
    let typed = RwSignal::new(query.with_untracked(|query| query.search.clone().unwrap_or_default()));
    let search =
        leptos_use::use_debounce_fn(move || address.set(&[("q", typed.get_untracked().trim()), ("before", "")]), 300.0);
    let is_filtered = Memo::new(move |_| {
        query.with(|query| query.state.is_some() || query.kind.is_some() || query.mine || query.search.is_some())
    });
    view! {
        <div class="filters" role="search">
            <input
                class="input"
                type="search"
                name="q"
                aria-label=move || t_string!(i18n, work.search)
                placeholder=move || t_string!(i18n, work.search)
                prop:value=move || typed.get()
                on:input=move |event| {
                    typed.set(event_target_value(&event));
                    search();
                }
            />
            <label class="choice-chip" data-chosen=move || query.with(|query| query.state.is_some()).then_some("true")>
                <span>{t!(i18n, work.column.state)}</span>
                <select on:change=move |event| address.set(&[("state", &event_target_value(&event)), ("before", "")])>
                    <option value="" selected=move || query.with(|query| query.state.is_none())>{t!(i18n, work.any)}</option>
                    {JobState::ALL.map(|state| view! {
                        <option value=state.name() selected=move || query.with(|query| query.state == Some(state))>
                            {move || state_word(i18n.get_locale(), state)}
                        </option>
                    }).into_iter().collect_view()}
                </select>
            </label>
            <label class="choice-chip" data-chosen=move || query.with(|query| query.kind.is_some()).then_some("true")>
                <span>{t!(i18n, work.column.kind)}</span>
                <select on:change=move |event| address.set(&[("kind", &event_target_value(&event)), ("before", "")])>
                    <option value="" selected=move || query.with(|query| query.kind.is_none())>{t!(i18n, work.any)}</option>
                    {FAMILIES.map(|(family, word)| view! {
                        <option value=family selected=move || query.with(|query| query.kind.as_deref() == Some(family))>
                            {move || word(i18n.get_locale())}
                        </option>
                    }).into_iter().collect_view()}
                </select>
            </label>
            <ActionButton
                label=Signal::derive(move || t_string!(i18n, work.mine).to_owned())
                icon=lu::LuUserRound
                look=ButtonLook::Quiet
                pressed=Signal::derive(move || query.with(|query| query.mine))
                on_press=Callback::new(move |()| {
                    let mine = query.with_untracked(|query| query.mine);
                    address.set(&[("mine", if mine { "" } else { "true" }), ("before", "")]);
                })
            />
            {move || is_filtered.get().then(|| view! {
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, common.list.clear_filters).to_owned())
                    icon=lu::LuX
                    look=ButtonLook::Quiet
                    on_press=Callback::new(move |()| {
                        typed.set(String::new());
                        address.set(&[("q", ""), ("state", ""), ("kind", ""), ("mine", ""), ("before", "")]);
                    })
                />
            })}
        </div>
    }
}

#[component]
fn Listed(live: Live<JobPage>, filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query } = filters;
    let page = live.value();
    let told = use_progress();
    Effect::new(move || page.with(|page| learn_progress(told, &page.items)));
    let is_empty = Memo::new(move |_| page.with(|page| page.items.is_empty()));
    let is_all =
        Memo::new(move |_| query.with(|query| *query == JobQuery { per_page: PER_PAGE, ..JobQuery::default() }));
    let ids = move || page.with(|page| page.items.iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        {move || live.trouble().get().map(|error| view! {
            <Notice tone=Signal::stored(Tone::Warn)>{error.message(i18n.get_locale())}</Notice>
        })}
        {move || if is_empty.get() {
            let text = move || if is_all.get() { t_string!(i18n, work.empty) } else { t_string!(i18n, common.list.nothing_found) };
            view! { <Empty icon=Signal::stored(lu::LuListChecks) text=Signal::derive(move || text().to_owned()) /> }.into_any()
        } else {
            view! {
                <div class="table-wrap">
                    <table class="table jobs">
                        <thead>
                            <tr>
                                <th scope="col">{t!(i18n, work.column.title)}</th>
                                <th scope="col">{t!(i18n, work.column.state)}</th>
                                <th scope="col">{t!(i18n, work.column.progress)}</th>
                                <th scope="col">{t!(i18n, work.column.person)}</th>
                                <th scope="col">{t!(i18n, work.column.created)}</th>
                                <th scope="col">{t!(i18n, work.column.took)}</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=ids key=|id| *id let:id>
                                {
                                    let first = page.with_untracked(|page| page.items.iter().find(|job| job.id == id).cloned());
                                    first.map(|first| {
                                        let job = Memo::new(move |_| {
                                            page.with(|page| page.items.iter().find(|job| job.id == id).cloned()).unwrap_or_else(|| first.clone())
                                        });
                                        view! { <Row job /> }
                                    })
                                }
                            </For>
                        </tbody>
                    </table>
                </div>
            }.into_any()
        }}
        <nav class="pages" aria-label=move || t_string!(i18n, work.pages)>
            {move || query.with(|query| query.before.is_some()).then(|| view! {
                <LinkButton
                    href=Signal::derive(move || address.with(&[("before", "")]))
                    label=Signal::derive(move || t_string!(i18n, work.newest).to_owned())
                    icon=lu::LuChevronsLeft
                    look=ButtonLook::Quiet
                />
            })}
            {move || page.with(|page| page.next).map(|next| view! {
                <LinkButton
                    href=Signal::derive(move || address.with(&[("before", &next.to_string())]))
                    label=Signal::derive(move || t_string!(i18n, work.older).to_owned())
                    icon=lu::LuChevronRight
                    look=ButtonLook::Quiet
                />
            })}
        </nav>
    }
}

#[component]
fn Row(job: Memo<Job>) -> impl IntoView {
    let (id, created_at) = job.with_untracked(|job| (job.id, job.created_at));
    let told = use_progress();
    let is_running = Memo::new(move |_| job.with(|job| job.state == JobState::Running));
    let progress =
        Memo::new(move |_| told.with(|told| told.get(&id).cloned()).or_else(|| job.with(|job| job.progress.clone())));
    view! {
        <tr>
            <td class="table__name">
                <a href=format!("/jobs/{id}")>{move || job.get().title}</a>
                <small>{move || job.get().kind}</small>
            </td>
            <td><JobBadge state=Signal::derive(move || job.get().state) /></td>
            <td class="jobs__progress">
                {move || is_running.get().then(|| view! { <ProgressLine progress label=Signal::derive(move || job.get().title) /> })}
            </td>
            <td class="soft">{move || job.get().person_name}</td>
            <td class="soft"><Ago at=created_at /></td>
            <td class="number soft hide-phone">{move || job.with(took)}</td>
        </tr>
    }
}
