//! The list of a kind: searched, filtered, sorted and paged by the server, live.

use super::{
    super::{Kind, Page, Query, RawRecord, calls},
    address::ListView,
    columns::{Column, ColumnChoice, Columns, Shows},
    filters::Filters,
    leading_field, name_of,
    value::{self, Labels},
    words::switch_words,
    work::{Named, Task, Work, WorkQuestion},
};
use crate::{
    app::{beside, refusal, use_session},
    authentication::policy::Verb,
    error::Result,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    json::{Resource, resource},
    time::Timestamp,
    ui::{
        ActionButton, Ago, Awaited, Badge, ButtonLook, Empty, LinkButton, Menu, MenuItem, MenuLink, Notice, PageHead,
        PageTurns, Skeleton, SortHead, Tone, Trouble, answer_with,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything a list's parts share; cheap to copy.
#[derive(Clone, Copy)]
struct List {
    kind: &'static Kind,
    view: Memo<ListView>,
    columns: Columns,
    labels: Signal<Labels>,
    selected: RwSignal<BTreeMap<Id<()>, String>>,
    work: Work,
}

/// An answer beside its question, so that an older one is not taken for it.
type Answer = (Query, Result<Page>);

/// What the list knows now: the newest good answer, and what went wrong since.
#[derive(Clone, PartialEq)]
struct Known {
    query: Query,
    page: Option<Page>,
    error: Option<crate::error::Error>,
}

/// How the list looks.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Trouble,
    Empty,
    NothingFound,
    Filled,
}

/// The page of a list.
#[component]
pub fn ListPage(
    /// The kind.
    kind: &'static Kind,
) -> impl IntoView {
    let i18n = use_i18n();
    let params = use_query_map();
    let view = Memo::new(move |_| params.with(|params| ListView::read(kind, params)));
    let columns = Columns::of(kind);
    let topics = std::iter::once(Topic::Records(kind.name.to_owned())).chain(beside::changes(kind));
    let changes = use_changes(topics.collect());
    let query = Memo::new(move |_| {
        let query = view.with(|view| view.query(columns.fields(kind)));
        Query { beside: columns.needs_beside(), ..query }
    });
    let found = resource(
        move || (query.get(), changes.get()),
        move |(query, _)| async move {
            let answer = calls::find_records(kind.name.to_owned(), query.clone()).await;
            (query, answer)
        },
    );
    let labels = RwSignal::new(Labels::new());
    let selected = RwSignal::new(BTreeMap::new());
    let work = Work::on(kind, move |_, done| {
        selected.update(|selected| selected.retain(|id, _| done.iter().all(|(gone, _)| gone != id)));
        found.refetch();
    });
    let list = List { kind, view, columns, labels: labels.into(), selected, work };
    view! {
        <PageHead
            title=Signal::derive(move || (kind.many)(i18n.get_locale()).to_owned())
            line=ViewFn::from(move || view! {
                <Awaited
                    resource=found
                    fallback=move || t!(i18n, common.loading)
                    view=move || move || found.get().map(|answer| count_line(list, &answer))
                />
            })
        >
            {kind.importable.then(|| view! {
                <LinkButton
                    href=format!("/{}/import", kind.plural)
                    label=say!(i18n, records.page.import)
                    icon=lu::LuUpload
                    refused=refusal(Verb::Create, kind.name)
                />
            })}
            {(!kind.read_only).then(|| view! { <NewButton kind /> })}
        </PageHead>
        <Filters kind view labels=list.labels>
            <ColumnChoice columns />
            <Menu
                id="export"
                label=say!(i18n, common.list.export)
                icon=lu::LuDownload
                with_label=true
            >
                <MenuLink
                    label=Signal::derive(|| "CSV".to_owned())
                    icon=lu::LuFileSpreadsheet
                    href=Signal::derive(move || view.with(|view| view.export("csv")))
                    download=true
                />
                <MenuLink
                    label=Signal::derive(|| "JSON".to_owned())
                    icon=lu::LuFileJson
                    href=Signal::derive(move || view.with(|view| view.export("json")))
                    download=true
                />
            </Menu>
        </Filters>
        <Awaited resource=found fallback=|| view! { <Skeleton rows=8 /> } view=move || view! { <Found list found labels /> } />
        <BulkBar list />
        <WorkQuestion work />
    }
}

#[component]
fn NewButton(kind: &'static Kind) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <LinkButton
            href=format!("/{}/new", kind.plural)
            label=Signal::derive(move || {
                t_string!(i18n, records.page.new, what = (kind.one)(i18n.get_locale()).to_lowercase())
            })
            icon=lu::LuPlus
            look=ButtonLook::Primary
            refused=refusal(Verb::Create, kind.name)
        />
    }
}

/// "46 machines", or what stands in for it.
fn count_line(list: List, answer: &Answer) -> String {
    let i18n = use_i18n();
    let locale = i18n.get_locale();
    let kind = list.kind;
    match &answer.1 {
        Ok(page) => {
            let what = if page.total == 1 { (kind.one)(locale) } else { (kind.many)(locale) }.to_lowercase();
            let count = format!("{} {what}", page.total);
            match list.view.with(|view| (view.deleted, view.is_narrowed())) {
                (true, _) => t_string!(i18n, records.page.count_removed, count = count),
                (false, true) => t_string!(i18n, records.page.count_found, count = count),
                (false, false) => count,
            }
        }
        Err(_) => "–".to_owned(),
    }
}

/// What was found, in the look that fits.
#[component]
fn Found(list: List, found: Resource<Answer>, labels: RwSignal<Labels>) -> impl IntoView {
    let i18n = use_i18n();
    let List { kind, view, .. } = list;
    let known = Memo::new(move |before: Option<&Option<Known>>| {
        let (query, answer) = found.get()?;
        Some(match answer {
            Ok(page) => Known { query, page: Some(page), error: None },
            Err(error) => {
                // The last good answer stays in sight, but only as the answer to the same question.
                let before = before.and_then(Option::as_ref).filter(|before| before.query == query);
                Known { query, page: before.and_then(|before| before.page.clone()), error: Some(error) }
            }
        })
    });
    let look = Memo::new(move |_| {
        known.with(|known| {
            known.as_ref().map(|known| match &known.page {
                None => Look::Trouble,
                Some(page) if !page.items.is_empty() => Look::Filled,
                Some(_) if view.with(ListView::is_narrowed) => Look::NothingFound,
                Some(_) => Look::Empty,
            })
        })
    });
    let error = Memo::new(move |_| known.with(|known| known.as_ref().and_then(|known| known.error.clone())));
    let page = Memo::new(move |_| known.with(|known| known.as_ref().and_then(|known| known.page.clone())));
    let retry = Callback::new(move |()| found.refetch());
    // When the rows in sight were read; known once the browser runs.
    let read_at = RwSignal::new(None::<Timestamp>);
    Effect::new(move || {
        if let Some(page) = page.get() {
            labels.update(|known| known.extend(page.labels));
            #[cfg(any(feature = "hydrate", feature = "ssr"))]
            read_at.set(Some(Timestamp::now()));
        }
    });
    // The first rendering needs the names before any effect runs.
    let names = Signal::derive(move || {
        let mut names = labels.get();
        page.with(|page| names.extend(page.iter().flat_map(|page| page.labels.clone())));
        names
    });
    let list = List { labels: names, ..list };
    view! {
        {move || {
            let failed = error.get();
            if let Some(error) = &failed {
                answer_with(error);
            }
            (failed.is_some() && look.get() != Some(Look::Trouble)).then(|| view! {
                <Notice tone=Tone::Bad>
                    {failed.map(|error| error.message(i18n.get_locale()))} " "
                    {move || read_at.get().map(|at| view! {
                        <span class="soft">{t!(i18n, records.page.last_read)} " " <Ago at /></span>
                    })}
                    <ActionButton
                        label=say!(i18n, common.retry)
                        look=ButtonLook::Quiet
                        on_press=retry
                    />
                </Notice>
            })
        }}
        {move || match look.get() {
            None => ().into_any(),
            Some(Look::Trouble) => match error.get() {
                Some(error) => view! { <Trouble error=Signal::derive(move || error.clone()) retry /> }.into_any(),
                None => ().into_any(),
            },
            Some(Look::Empty) => view! {
                <Empty icon=icon_of(kind) text=Signal::derive(move || (kind.empty)(i18n.get_locale()).to_owned())>
                    {(!kind.read_only).then(|| view! { <NewButton kind /> })}
                </Empty>
                {beside::on_empty_list(kind)}
            }
            .into_any(),
            Some(Look::NothingFound) => view! {
                <Empty
                    icon=lu::LuSearchX
                    text=say!(i18n, common.list.nothing_found)
                >
                    <LinkButton
                        href=Signal::derive(move || view.with(|view| view.cleared().address()))
                        label=say!(i18n, common.list.clear_filters)
                    />
                </Empty>
            }
            .into_any(),
            Some(Look::Filled) => view! {
                <Table list page />
                <PageTurns
                    page=Signal::derive(move || view.with(|view| view.page as usize))
                    size=Signal::derive(move || view.with(|view| view.per_page as usize))
                    total=Signal::derive(move || {
                        let total = page.with(|page| page.as_ref().map(|page| page.total));
                        usize::try_from(total.unwrap_or_default()).unwrap_or(usize::MAX)
                    })
                    to_page=Callback::new(move |page| view.with(|view| view.on_page(number(page)).address()))
                    to_size=Callback::new(move |size| view.with(|view| view.sized(number(size)).address()))
                />
            }
            .into_any(),
        }}
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The icon of an empty list.
fn icon_of(kind: &Kind) -> icondata_core::Icon {
    if kind.read_only { lu::LuInbox } else { lu::LuFilePlus2 }
}

#[component]
fn Table(list: List, page: Memo<Option<Page>>) -> impl IntoView {
    let i18n = use_i18n();
    let List { kind, view, columns, selected, .. } = list;
    // A removed record's row offers other things than a live one's.
    let key = |record: &RawRecord| (record.base.id, record.base.deleted_at.is_some());
    let rows = move || page.with(|page| page.iter().flat_map(|page| &page.items).map(key).collect::<Vec<_>>());
    let first_of = move |row: (Id<()>, bool)| {
        page.with_untracked(|page| page.iter().flat_map(|page| &page.items).find(|record| key(record) == row).cloned())
    };
    let following = move |row: (Id<()>, bool), first: RawRecord| {
        // A row that has just gone keeps what it showed.
        Memo::new(move |before: Option<&RawRecord>| {
            let now = page.with(|page| page.iter().flat_map(|page| &page.items).find(|it| key(it) == row).cloned());
            now.or_else(|| before.cloned()).unwrap_or_else(|| first.clone())
        })
    };
    let beside_of = move |id: Id<()>| {
        Memo::new(move |_| page.with(|page| page.as_ref().and_then(|page| page.beside.get(&id.to_string()).cloned())))
    };
    let on_page = move || {
        page.with(|page| {
            page.iter()
                .flat_map(|page| &page.items)
                .map(|record| (record.base.id, name_of(kind, record)))
                .collect::<Vec<Named>>()
        })
    };
    let all_selected = move || {
        let on_page = on_page();
        !on_page.is_empty() && selected.with(|selected| on_page.iter().all(|(id, _)| selected.contains_key(id)))
    };
    let head = move |column: Column| {
        let label = move || (column.label)(i18n.get_locale());
        if !column.is_sortable() {
            return view! { <th scope="col">{label}</th> }.into_any();
        }
        let sorted = move || view.with(|view| view.sorted_by(column.name));
        let label = Signal::derive(move || label().to_owned());
        let href = Signal::derive(move || view.with(|view| view.sort_on(column.name).address()));
        view! { <SortHead label sorted=Signal::derive(sorted) href /> }.into_any()
    };
    view! {
        <div class="table-wrap">
            <table class="table records" aria-label=move || (kind.many)(i18n.get_locale())>
                <thead>
                    <tr>
                        <th class="table__check">
                            <input
                                type="checkbox"
                                aria-label=t!(i18n, common.list.select_all)
                                prop:checked=all_selected
                                on:change=move |event| {
                                    let on = event_target_checked(&event);
                                    selected.update(|selected| {
                                        for (id, name) in on_page() {
                                            if on {
                                                selected.insert(id, name);
                                            } else {
                                                selected.remove(&id);
                                            }
                                        }
                                    });
                                }
                            />
                        </th>
                        {move || columns.shown.get().into_iter().map(head).collect_view()}
                        <th class="table__actions">
                            <span class="visually-hidden">{t!(i18n, common.list.actions)}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    <For each=rows key=|row| *row let:row>
                        {first_of(row).map(|first| view! {
                            <Row list record=following(row, first) beside=beside_of(row.0) />
                        })}
                    </For>
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Row(list: List, record: Memo<RawRecord>, beside: Memo<Option<Value>>) -> impl IntoView {
    let i18n = use_i18n();
    let List { kind, columns, selected, labels, .. } = list;
    let id = record.with_untracked(|record| record.base.id);
    let name = Memo::new(move |_| record.with(|record| name_of(kind, record)));
    let is_selected = move || selected.with(|selected| selected.contains_key(&id));
    let lead = leading_field(kind);
    let is_own = kind.name == "login" && use_session().is_some_and(|session| session.login.cast() == id);
    let is_off = Memo::new(move |_| record.with(|record| !record.base.enabled));
    let words = switch_words(kind);
    let cells = move || {
        columns
            .shown
            .get()
            .into_iter()
            .map(|column| {
                if column.name == lead {
                    return view! {
                        <td class="table__name">
                            {record.with(|record| lead_link(list, record))}
                            {is_off.get().then(|| view! {
                                <Badge
                                    tone=Tone::Idle
                                    icon=words.icon_off
                                    label=Signal::derive(move || (words.off)(i18n.get_locale()).to_owned())
                                />
                            })}
                            {is_own.then(|| view! {
                                <Badge
                                    tone=Tone::Busy
                                    icon=lu::LuMapPin
                                    label=say!(i18n, records.page.own_login)
                                />
                            })}
                        </td>
                    }
                    .into_any();
                }
                let shown = record.with(|record| cell(kind, column, record, beside, labels));
                view! { <td data-label=move || (column.label)(i18n.get_locale())>{shown}</td> }.into_any()
            })
            .collect_view()
    };
    view! {
        <tr aria-selected=move || if is_selected() { "true" } else { "false" }>
            <td class="table__check">
                <input
                    type="checkbox"
                    aria-label=move || t_string!(i18n, common.list.select, name = name.get())
                    prop:checked=is_selected
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        selected.update(|selected| {
                            if on {
                                selected.insert(id, name.get_untracked());
                            } else {
                                selected.remove(&id);
                            }
                        });
                    }
                />
            </td>
            {cells}
            <td class="table__actions">
                <RowActions list id name is_off />
            </td>
        </tr>
    }
}

/// The first cell's content: what the record is called, leading to its details.
fn lead_link(list: List, record: &RawRecord) -> AnyView {
    let kind = list.kind;
    let lead = leading_field(kind);
    let address = format!("/{}/{}", kind.plural, record.base.id);
    let text = record.item.get(lead).and_then(Value::as_str).unwrap_or_default().to_owned();
    let fallback = name_of(kind, record);
    let is_reference = kind.field(lead).is_some_and(|field| matches!(field.shape, super::super::Shape::Reference(_)));
    let labels = list.labels;
    let shown = move || match (is_reference, text.is_empty()) {
        (_, true) => fallback.clone(),
        (true, _) => labels.with(|labels| labels.get(&text).cloned()).unwrap_or_else(|| super::short(&text)),
        (false, _) => text.clone(),
    };
    view! { <a class="records__lead" href=address>{shown}</a> }.into_any()
}

fn cell(
    kind: &'static Kind,
    column: Column,
    record: &RawRecord,
    beside: Memo<Option<Value>>,
    labels: Signal<Labels>,
) -> AnyView {
    let i18n = use_i18n();
    let base = &record.base;
    match column.shows {
        Shows::Field(field) => beside::cell(kind, field, record)
            .unwrap_or_else(|| value::cell(field, record.item.get(field.name).unwrap_or(&Value::Null), labels)),
        Shows::Beside(column) => (move || match beside.get() {
            Some(value) => (column.cell)(&value),
            None => value::nothing(),
        })
        .into_any(),
        Shows::Customer => match base.customer {
            Some(customer) => value::reference("customer", customer.to_string(), labels),
            None => view! { <span class="soft">{t!(i18n, records.page.platform)}</span> }.into_any(),
        },
        Shows::Enabled => {
            let word = switch_words(kind).state(base.enabled);
            view! { {move || word(i18n.get_locale())} }.into_any()
        }
        Shows::Created => view! { <span class="soft"><Ago at=base.created_at /></span> }.into_any(),
        Shows::Changed => view! { <span class="soft"><Ago at=base.updated_at /></span> }.into_any(),
    }
}

#[component]
fn RowActions(list: List, id: Id<()>, name: Memo<String>, is_off: Memo<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let List { kind, view, work, .. } = list;
    let may_update = refusal(Verb::Update, kind.name);
    let may_remove = refusal(Verb::Remove, kind.name);
    let start = move |task: Task| Callback::new(move |()| work.start(task, vec![(id, name.get_untracked())]));
    let of = move |verb: &str| format!("{verb} {}", name.get());
    if view.with_untracked(|view| view.deleted) {
        return view! {
            <ActionButton
                label=Signal::derive(move || of(t_string!(i18n, common.restore)))
                icon=lu::LuUndo2
                look=ButtonLook::Icon
                refused=may_remove
                on_press=start(Task::Restore)
            />
            <ActionButton
                label=Signal::derive(move || of(t_string!(i18n, records.page.purge)))
                icon=lu::LuTrash2
                look=ButtonLook::Icon
                refused=may_remove
                on_press=start(Task::Purge)
            />
        }
        .into_any();
    }
    if kind.read_only {
        return view! {
            <ActionButton
                label=Signal::derive(move || of(t_string!(i18n, records.page.end)))
                icon=lu::LuLogOut
                look=ButtonLook::Icon
                refused=may_remove
                on_press=start(Task::Remove)
            />
        }
        .into_any();
    }
    let words = switch_words(kind);
    let [enable, disable] = [Task::Enable, Task::Disable].map(start);
    let switch = Callback::new(move |()| if is_off.get_untracked() { enable } else { disable }.run(()));
    let edit = format!("/{}/{id}/edit", kind.plural);
    let history = format!("/{}/{id}?tab=history", kind.plural);
    view! {
        <LinkButton
            href=edit
            label=Signal::derive(move || of(t_string!(i18n, common.edit)))
            icon=lu::LuPencil
            look=ButtonLook::Icon
            refused=may_update
        />
        <Menu
            id=format!("row-{id}")
            label=Signal::derive(move || of(t_string!(i18n, common.more)))
            icon=lu::LuEllipsis
        >
            <MenuLink
                label=say!(i18n, records.page.history)
                icon=lu::LuHistory
                href=history.clone()
            />
            <MenuItem
                label=Signal::derive(move || words.turn(!is_off.get())(i18n.get_locale()).to_owned())
                icon=Signal::derive(move || words.turn_icon(!is_off.get()))
                refused=may_update
                on_press=switch
            />
            <hr />
            <MenuItem
                label=Signal::derive(move || format!("{}…", t_string!(i18n, common.remove)))
                icon=lu::LuTrash2
                danger=true
                refused=may_remove
                on_press=start(Task::Remove)
            />
        </Menu>
    }
    .into_any()
}

/// What can be done with the selected records: which and how many, and the actions.
#[component]
fn BulkBar(list: List) -> impl IntoView {
    let i18n = use_i18n();
    let List { kind, view, selected, work, .. } = list;
    let named = move || {
        selected.with_untracked(|selected| selected.iter().map(|(id, name)| (*id, name.clone())).collect::<Vec<_>>())
    };
    let may_update = refusal(Verb::Update, kind.name);
    let may_remove = refusal(Verb::Remove, kind.name);
    let is_any = Memo::new(move |_| selected.with(|selected| !selected.is_empty()));
    let deleted = Memo::new(move |_| view.with(|view| view.deleted));
    let words = switch_words(kind);
    // Live and removed records are different things to act on.
    Effect::watch(move || deleted.get(), move |_, _, _| selected.update(BTreeMap::clear), false);
    let button = move |task: Task, label: Signal<String>, icon: icondata_core::Icon| {
        let refused = if matches!(task, Task::Enable | Task::Disable) { may_update } else { may_remove };
        let danger = matches!(task, Task::Remove | Task::Purge);
        view! {
            <ActionButton
                label
                icon=Signal::stored(icon)
                look=if danger { ButtonLook::Danger } else { ButtonLook::Plain }
                refused
                busy=work.busy()
                on_press=Callback::new(move |()| work.start(task, named()))
            />
        }
    };
    let actions = move || {
        let text = |words: &'static str| Signal::stored(words.to_owned());
        if deleted.get() {
            view! {
                {button(Task::Restore, text(t_string!(i18n, common.restore)), lu::LuUndo2)}
                {button(Task::Purge, text(t_string!(i18n, records.page.purge)), lu::LuTrash2)}
            }
            .into_any()
        } else if kind.read_only {
            button(Task::Remove, text(t_string!(i18n, records.page.end)), lu::LuLogOut).into_any()
        } else {
            view! {
                {button(Task::Enable, text((words.turn_on)(i18n.get_locale())), words.icon_turn_on)}
                {button(Task::Disable, text((words.turn_off)(i18n.get_locale())), words.icon_turn_off)}
                {button(Task::Remove, text(t_string!(i18n, common.remove)), lu::LuTrash2)}
            }
            .into_any()
        }
    };
    view! {
        <Show when=move || is_any.get()>
            <section class="bulk" aria-label=t!(i18n, records.page.selection)>
                <strong class="number" role="status">
                    {move || t_string!(i18n, common.list.selected, count = selected.with(BTreeMap::len).to_string())}
                </strong>
                <span class="bulk__names">
                    {move || selected.with(|selected| selected.values().take(5).cloned().collect::<Vec<_>>().join(", "))}
                </span>
                {actions}
                <ActionButton
                    label=say!(i18n, common.list.clear)
                    icon=lu::LuX
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| selected.update(BTreeMap::clear))
                />
            </section>
        </Show>
    }
}
