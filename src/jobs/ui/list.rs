//! The list of all jobs, newest first until somebody sorts it otherwise.

use super::{JobBadge, ProgressLine, badge::state_word, page_of, took};
use crate::{
    app::use_session,
    events::{
        client::{learn_progress, use_changes, use_progress},
        model::Topic,
    },
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    jobs::{
        api::{JobPage, JobQuery, list_jobs},
        model::{Job, JobState},
    },
    storage::item::ui::use_names,
    ui::{
        ActionButton, Address, Ago, ButtonLook, ChoiceChip, ClearFilters, Empty, Live, LiveView, Menu, MenuLink,
        OlderTurns, Outdated, PageHead, SearchBox, SortHead,
        address::escaped,
        list::{Column, ColumnMenu, Columns, Sorting, USUAL_SIZE, page_size, unless_usual},
        use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// What jobs act on: the first word of their kinds, and its name.
const FAMILIES: [(&str, fn(Locale) -> &'static str); 3] = [
    ("container", |locale| td_string!(locale, work.family.container)),
    ("image", |locale| td_string!(locale, work.family.image)),
    ("run", |locale| td_string!(locale, runs.title)),
];

/// The order until somebody chooses otherwise.
const USUAL_ORDER: &str = "-created";

/// The columns beside the title; the last one for people of the platform.
const COLUMNS: [Column; 7] = [
    column("state", |locale| td_string!(locale, work.column.state), true, true),
    column("progress", |locale| td_string!(locale, work.column.progress), true, false),
    column("person", |locale| td_string!(locale, work.column.person), true, true),
    column("created", |locale| td_string!(locale, work.column.created), true, true),
    column("took", |locale| td_string!(locale, work.column.took), true, false),
    column("kind", |locale| td_string!(locale, work.column.kind), false, true),
    column("customer", |locale| td_string!(locale, records.page.customer), false, false),
];

const fn column(name: &'static str, label: fn(Locale) -> &'static str, from_start: bool, sorts: bool) -> Column {
    Column { name, label, from_start, sorts }
}

/// The filters of the list, as they stand in the address.
#[derive(Clone, Copy)]
struct Filters {
    address: Address,
    query: Memo<JobQuery>,
    columns: Columns,
    /// Names of customers by id; empty for the people of one.
    customers: Signal<BTreeMap<String, String>>,
}

fn use_filters() -> Filters {
    let address = use_address();
    let (state, kind, mine) = (address.get("state"), address.get("kind"), address.get("mine"));
    let (search, before, size) = (address.get("q"), address.get("before"), address.get("size"));
    let (customer, sort) = (address.get("customer"), address.get("sort"));
    let given = |text: String| (!text.is_empty()).then_some(text);
    let query = Memo::new(move |_| JobQuery {
        state: state.get().parse().ok(),
        kind: given(kind.get()),
        mine: mine.get() == "true",
        search: given(search.get()),
        customer: customer.get().parse().ok(),
        sort: sort.get(),
        before: before.get().parse().ok(),
        per_page: u32::try_from(page_size(&size.get())).unwrap_or_default(),
    });
    let is_platform = use_session().is_some_and(|session| session.is_platform());
    let columns = COLUMNS[..if is_platform { COLUMNS.len() } else { COLUMNS.len() - 1 }].to_vec();
    let customers = if is_platform { use_names("customer") } else { Signal::stored(BTreeMap::new()) };
    Filters { address, query, columns: Columns::kept("job-columns", columns), customers }
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
    view! { <PageHead title=say!(i18n, work.title) line=ViewFn::from(move || t!(i18n, work.line)) /> }
}

#[component]
fn FilterBar(filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query, columns, customers } = filters;
    let set = move |key: &'static str, value: &str| address.set(&[(key, value), ("before", "")]);
    let states = Signal::derive(move || {
        let locale = i18n.get_locale();
        JobState::ALL.map(|state| (state.name().to_owned(), state_word(locale, state).to_owned())).to_vec()
    });
    let families = Signal::derive(move || {
        let locale = i18n.get_locale();
        FAMILIES.map(|(family, word)| (family.to_owned(), word(locale).to_owned())).to_vec()
    });
    let is_filtered = Memo::new(move |_| {
        query.with(|query| {
            let JobQuery { state, kind, mine, search, customer, .. } = query;
            state.is_some() || kind.is_some() || *mine || search.is_some() || customer.is_some()
        })
    });
    view! {
        <div class="filters" role="search">
            <SearchBox
                label=say!(i18n, work.search)
                words=address.get("q")
                on_search=Callback::new(move |words: String| set("q", &words))
            />
            <ChoiceChip
                label=say!(i18n, work.column.state)
                value=Signal::derive(move || query.with(|query| query.state.map(JobState::name).unwrap_or_default().to_owned()))
                options=states
                on_choose=Callback::new(move |state: String| set("state", &state))
            />
            <ChoiceChip
                label=say!(i18n, work.column.kind)
                value=Signal::derive(move || query.with(|query| query.kind.clone().unwrap_or_default()))
                options=families
                on_choose=Callback::new(move |family: String| set("kind", &family))
            />
            {move || (!customers.with(BTreeMap::is_empty)).then(|| view! {
                <ChoiceChip
                    label=say!(i18n, records.page.customer)
                    value=Signal::derive(move || query.with(|query| query.customer.map(|id| id.to_string()).unwrap_or_default()))
                    options=Signal::derive(move || customers.get().into_iter().collect::<Vec<_>>())
                    on_choose=Callback::new(move |customer: String| set("customer", &customer))
                />
            })}
            <ActionButton
                label=say!(i18n, work.mine)
                icon=lu::LuUserRound
                look=ButtonLook::Quiet
                pressed=Signal::derive(move || query.with(|query| query.mine))
                on_press=Callback::new(move |()| {
                    let mine = query.with_untracked(|query| query.mine);
                    set("mine", if mine { "" } else { "true" });
                })
            />
            <ClearFilters
                shown=is_filtered
                on_press=Callback::new(move |()| {
                    let keys = ["q", "state", "kind", "mine", "customer", "before"];
                    address.set(&keys.map(|key| (key, "")));
                })
            />
            <div class="filters__end">
                <ColumnMenu id="job-columns" columns />
                <Menu
                    id="job-export"
                    label=say!(i18n, common.list.export)
                    icon=lu::LuDownload
                    with_label=true
                >
                    {[("CSV", "csv", lu::LuFileSpreadsheet), ("JSON", "json", lu::LuFileJson)].map(|(label, format, icon)| view! {
                        <MenuLink label icon href=Signal::derive(move || query.with(|query| export(query, format))) download=true />
                    })}
                </Menu>
            </div>
        </div>
    }
}

/// Where the jobs of all pages are given as a file.
fn export(query: &JobQuery, format: &str) -> String {
    let mut parts = vec![format!("format={format}")];
    let mut add = |name: &str, value: Option<String>| {
        parts.extend(value.map(|value| format!("{name}={}", escaped(&value))));
    };
    add("state", query.state.map(|state| state.name().to_owned()));
    add("kind", query.kind.clone());
    add("mine", query.mine.then(|| "true".to_owned()));
    add("search", query.search.clone());
    add("customer", query.customer.map(|customer| customer.to_string()));
    add("sort", Some(query.sort.clone()).filter(|sort| !sort.is_empty()));
    format!("/api/v1/jobs/export?{}", parts.join("&"))
}

#[component]
fn Listed(live: Live<JobPage>, filters: Filters) -> impl IntoView {
    let i18n = use_i18n();
    let Filters { address, query, columns, customers } = filters;
    let page = live.value();
    let told = use_progress();
    Effect::new(move || page.with(|page| learn_progress(told, &page.items)));
    let is_empty = Memo::new(move |_| page.with(|page| page.items.is_empty()));
    let is_all = Memo::new(move |_| {
        query.with(|query| {
            *query == JobQuery { per_page: query.per_page, sort: query.sort.clone(), ..JobQuery::default() }
        })
    });
    let sorting = Memo::new(move |_| query.with(|query| Sorting::read(&query.sort, USUAL_ORDER)));
    let head = move |by: &'static str, label: Signal<String>| {
        let sorted = Signal::derive(move || sorting.with(|sorting| (sorting.by == by).then_some(sorting.descending)));
        let href = Signal::derive(move || {
            address.with(&[("sort", &sorting.with(|sorting| sorting.pressed(by, USUAL_ORDER))), ("before", "")])
        });
        view! { <SortHead label sorted href /> }
    };
    let heads = move || {
        let head_of = |column: Column| {
            let label = Signal::derive(move || (column.label)(i18n.get_locale()).to_owned());
            if column.sorts {
                head(column.name, label).into_any()
            } else {
                view! { <th scope="col">{move || label.get()}</th> }.into_any()
            }
        };
        columns.shown.get().into_iter().map(head_of).collect_view()
    };
    let ids = move || page.with(|page| page.items.iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        <Outdated live />
        {move || if is_empty.get() {
            let text = move || if is_all.get() { t_string!(i18n, work.empty) } else { t_string!(i18n, common.list.nothing_found) };
            view! { <Empty icon=Signal::stored(lu::LuListChecks) text=Signal::derive(move || text().to_owned()) /> }.into_any()
        } else {
            view! {
                <div class="table-wrap">
                    <table class="table jobs">
                        <thead>
                            <tr>
                                {head("title", say!(i18n, work.column.title))}
                                {heads}
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
                                        view! { <Row job columns customers /> }
                                    })
                                }
                            </For>
                        </tbody>
                    </table>
                </div>
            }.into_any()
        }}
        <OlderTurns
            first=Signal::derive(move || query.with(|query| query.before.is_some()).then(|| address.with(&[("before", "")])))
            next=Signal::derive(move || page.with(|page| page.next).map(|next| address.with(&[("before", &next.to_string())])))
            size=Signal::derive(move || query.with(|query| query.per_page as usize))
            to_size=Callback::new(move |size| {
                address.with(&[("size", &unless_usual(size, USUAL_SIZE)), ("before", "")])
            })
        />
    }
}

#[component]
fn Row(job: Memo<Job>, columns: Columns, customers: Signal<BTreeMap<String, String>>) -> impl IntoView {
    let (id, created_at, page) = job.with_untracked(|job| (job.id, job.created_at, page_of(job)));
    let told = use_progress();
    let is_running = Memo::new(move |_| job.with(|job| job.state == JobState::Running));
    let progress =
        Memo::new(move |_| told.with(|told| told.get(&id).cloned()).or_else(|| job.with(|job| job.progress.clone())));
    let customer = move || {
        let id = job.with(|job| job.customer)?.to_string();
        Some(customers.with(|names| names.get(&id).cloned()).unwrap_or(id))
    };
    let cell = move |column: Column| {
        match column.name {
        "state" => view! { <td><JobBadge state=Signal::derive(move || job.get().state) /></td> }.into_any(),
        "progress" => view! {
            <td class="jobs__progress">
                {move || is_running.get().then(|| view! { <ProgressLine progress label=Signal::derive(move || job.get().title) /> })}
            </td>
        }
        .into_any(),
        "person" => view! { <td class="soft">{move || job.get().person_name}</td> }.into_any(),
        "created" => view! { <td class="soft"><Ago at=created_at /></td> }.into_any(),
        "took" => view! { <td class="number soft hide-phone">{move || job.with(took)}</td> }.into_any(),
        "kind" => view! { <td class="mono soft">{move || job.get().kind}</td> }.into_any(),
        _ => view! { <td class="soft">{customer}</td> }.into_any(),
    }
    };
    view! {
        <tr>
            <td class="table__name">
                <a href=page>{move || job.get().title}</a>
                {move || (!columns.has("kind")).then(|| view! { <small>{move || job.get().kind}</small> })}
            </td>
            {move || columns.shown.get().into_iter().map(cell).collect_view()}
        </tr>
    }
}
