//! The list of containers.

use super::{
    actions::{ActionDialogs, Actions, Target, is_alive},
    badges::{HealthBadge, StateBadge, health_word, state_word},
    engine_notice::{EngineNotice, NoEngine},
    rows::{Counts, Filter, Line, Order, SortBy, arrange, health_name, page_of, port_texts, short_id, state_name},
    use_engine,
};
use crate::{
    deployments::{
        api::list_containers,
        model::{Container, ContainerOperation, ContainerState, Health, Listing},
    },
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    storage::item::ui::use_names,
    ui::{
        ActionButton, Address, Ago, ButtonLook, ChoiceChip, ClearFilters, Empty, Icon, LinkButton, Live, LiveView,
        Menu, MenuItem, MenuLink, PageHead, PageTurns, SearchBox, SortHead, browser,
        list::{Column, ColumnMenu, Columns, ExportMenu, USUAL_SIZE, page_size, unless_usual},
        use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

/// The list is in the browser already, so a search needs hardly a pause.
const AT_ONCE: Duration = Duration::from_millis(120);

/// The list of containers of the engine in scope.
#[component]
pub fn ContainersPage() -> impl IntoView {
    let engine = use_engine();
    move || view! { <ContainersOf engine=engine.get() /> }
}

#[component]
fn ContainersOf(engine: String) -> impl IntoView {
    let changes = use_changes(vec![Topic::Containers(engine.clone()), Topic::Engine(engine.clone())]);
    let engine = StoredValue::new(engine);
    view! {
        <LiveView
            fetch=move || list_containers(engine.get_value())
            changes
            head=|| view! { <Head counts=Memo::new(|_| None) actions=None /> }
            view=move |live| view! { <ContainerList live engine /> }
        />
    }
}

/// The title, how many there are, and the two things that people come to do.
#[component]
fn Head(counts: Memo<Option<Counts>>, actions: Option<Actions>) -> impl IntoView {
    let i18n = use_i18n();
    let refused = crate::app::refusal(crate::authentication::policy::Verb::Operate, "container");
    let pulling = RwSignal::new(false);
    let part = |count: usize, one: &str, many: String| match count {
        0 => None,
        1 => Some(one.to_owned()),
        _ => Some(many),
    };
    let line = move || {
        let counts = counts.get()?;
        let text = |n: usize| n.to_string();
        let locale = i18n.get_locale();
        let parts = [
            (
                "running",
                part(
                    counts.running,
                    td_string!(locale, deployments.containers.count.running_one),
                    td_string!(locale, deployments.containers.count.running_many, count = text(counts.running)),
                ),
            ),
            (
                "paused",
                part(
                    counts.paused,
                    td_string!(locale, deployments.containers.count.paused_one),
                    td_string!(locale, deployments.containers.count.paused_many, count = text(counts.paused)),
                ),
            ),
            (
                "restarting",
                part(
                    counts.restarting,
                    td_string!(locale, deployments.containers.count.restarting_one),
                    td_string!(locale, deployments.containers.count.restarting_many, count = text(counts.restarting)),
                ),
            ),
            (
                "",
                part(
                    counts.stopped,
                    td_string!(locale, deployments.containers.count.stopped_one),
                    td_string!(locale, deployments.containers.count.stopped_many, count = text(counts.stopped)),
                ),
            ),
        ];
        let mut shown: Vec<AnyView> = Vec::new();
        for (state, words) in parts {
            let Some(words) = words else { continue };
            if !shown.is_empty() {
                shown.push(" · ".into_any());
            }
            shown.push(if state.is_empty() {
                words.into_any()
            } else {
                view! { <a href=format!("/containers?state={state}")>{words}</a> }.into_any()
            });
        }
        if counts.unhealthy > 0 {
            if !shown.is_empty() {
                shown.push(" · ".into_any());
            }
            let words = part(
                counts.unhealthy,
                td_string!(locale, deployments.containers.count.unhealthy_one),
                td_string!(locale, deployments.containers.count.unhealthy_many, count = text(counts.unhealthy)),
            );
            shown.push(
                view! { <a class="tone" data-tone="bad" href="/containers?health=unhealthy">{words}</a> }.into_any(),
            );
        }
        if shown.is_empty() {
            shown.push(td_string!(locale, deployments.containers.count.none).into_any());
        }
        Some(shown.collect_view())
    };
    view! {
        <PageHead title=say!(i18n, deployments.containers.title) line=ViewFn::from(line)>
            <ActionButton
                label=say!(i18n, deployments.containers.pull_image)
                icon=lu::LuDownload
                refused=crate::app::refusal(crate::authentication::policy::Verb::Operate, "image")
                on_press=Callback::new(move |()| pulling.set(true))
            />
            <LinkButton
                href="/containers/new"
                label=say!(i18n, deployments.containers.new)
                icon=lu::LuPlus
                look=ButtonLook::Primary
                refused
            />
        </PageHead>
        {actions.map(|_| view! { <super::pull::PullDialog open=pulling /> })}
    }
}

/// The columns beside the name.
const COLUMNS: [Column; 8] = [
    column("state", |locale| td_string!(locale, deployments.containers.column.state), true),
    column("health", |locale| td_string!(locale, deployments.containers.column.health), true),
    column("image", |locale| td_string!(locale, deployments.containers.column.image), true),
    column("ports", |locale| td_string!(locale, deployments.containers.column.ports), true),
    column("created", |locale| td_string!(locale, deployments.containers.column.created), true),
    column("networks", |locale| td_string!(locale, deployments.containers.column.networks), false),
    column("command", |locale| td_string!(locale, deployments.containers.column.command), false),
    column("customer", |locale| td_string!(locale, deployments.containers.column.customer), false),
];

const fn column(name: &'static str, label: fn(Locale) -> &'static str, from_start: bool) -> Column {
    // What is shown from the start can be sorted by; the others are lists of words.
    Column { name, label, from_start, sorts: from_start }
}

/// What the list and its rows share.
#[derive(Clone, Copy)]
struct List {
    actions: Actions,
    columns: Columns,
    shown: Memo<Vec<Container>>,
    selected: RwSignal<BTreeSet<String>>,
    folded: RwSignal<HashSet<String>>,
    /// Names of customers by id.
    customers: Signal<BTreeMap<String, String>>,
}

#[component]
fn ContainerList(live: Live<Listing<Container>>, engine: StoredValue<String>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let listing = live.value();
    // Of an engine that was never seen, nobody knows that it has none.
    let counts = Memo::new(move |_| {
        listing.with(|listing| (listing.engine.is_up || !listing.items.is_empty()).then(|| Counts::of(&listing.items)))
    });
    let status = Memo::new(move |_| listing.with(|listing| listing.engine.clone()));
    let at = Memo::new(move |_| listing.with(|listing| listing.at));
    let is_empty = Memo::new(move |_| listing.with(|listing| listing.items.is_empty()));
    let retry = Callback::new(move |()| live.again());
    let after = Callback::new(move |_: ContainerOperation| live.again());
    let actions = Actions::new(engine.get_value(), after);

    let (words, state, health) = (address.get("q"), address.get("state"), address.get("health"));
    let (stack, customer) = (address.get("stack"), address.get("customer"));
    let filter = Memo::new(move |_| Filter {
        words: words.get(),
        state: state.get(),
        health: health.get(),
        stack: stack.get(),
        customer: customer.get(),
    });
    let (sort, page, size) = (address.get("sort"), address.get("page"), address.get("size"));
    let order = Memo::new(move |_| Order::read(&sort.get()));
    let size = Memo::new(move |_| page_size(&size.get()));
    let groups = address.get("groups");
    let grouped = Memo::new(move |_| groups.get() != "off");
    let folded = RwSignal::new(HashSet::<String>::new());
    let arranged = Memo::new(move |_| {
        listing.with(|listing| filter.with(|filter| arrange(&listing.items, filter, order.get(), grouped.get())))
    });
    let paged = Memo::new(move |_| {
        let size = size.get();
        arranged.with(|arranged| {
            folded.with(|folded| {
                // A page that is no more, such as after a filter, is the last one there is.
                let wanted = page.get().parse::<usize>().ok().filter(|page| *page > 0).unwrap_or(1);
                let (_, _, total) = page_of(arranged, grouped.get(), folded, 1, size);
                let page = wanted.min(total.div_ceil(size).max(1));
                let (lines, shown, total) = page_of(arranged, grouped.get(), folded, page, size);
                Paged { lines, shown, total, page }
            })
        })
    });
    let shown = Memo::new(move |_| paged.with(|paged| paged.shown.clone()));
    let selected = RwSignal::new(BTreeSet::<String>::new());
    // What is gone cannot be selected any more.
    Effect::new(move || {
        let gone: Vec<String> = listing.with(|listing| {
            selected.with_untracked(|selected| {
                let is_there = |id: &String| listing.items.iter().any(|container| container.id == *id);
                selected.iter().filter(|id| !is_there(id)).cloned().collect()
            })
        });
        if !gone.is_empty() {
            selected.update(|selected| selected.retain(|id| !gone.contains(id)));
        }
    });
    let list = List {
        actions,
        columns: Columns::kept("container-columns", COLUMNS.to_vec()),
        shown,
        selected,
        folded,
        customers: use_names("customer"),
    };
    let nothing_found = Memo::new(move |_| arranged.with(Vec::is_empty));
    view! {
        <Head counts actions=Some(actions) />
        {move || {
            if is_empty.get() && !status.with(|status| status.is_up) {
                return view! { <NoEngine engine=status retry /> }.into_any();
            }
            view! {
                <EngineNotice engine=status at trouble=live.trouble() retry />
                {move || if is_empty.get() {
                    view! { <NothingThere /> }.into_any()
                } else {
                    view! {
                        <Filters listing address filter list arranged />
                        {move || if nothing_found.get() {
                            view! {
                                <Empty icon=lu::LuSearch text=say!(i18n, common.list.nothing_found)>
                                    <ActionButton
                                        label=say!(i18n, common.list.clear_filters)
                                        on_press=Callback::new(move |()| clear_filters(address))
                                    />
                                </Empty>
                            }.into_any()
                        } else {
                            view! {
                                <Table list paged order address />
                                <PageTurns
                                    page=Signal::derive(move || paged.with(|paged| paged.page))
                                    size
                                    total=Signal::derive(move || paged.with(|paged| paged.total))
                                    to_page=Callback::new(move |page| address.with(&[("page", &unless_usual(page, 1))]))
                                    to_size=Callback::new(move |size| {
                                        address.with(&[("size", &unless_usual(size, USUAL_SIZE)), ("page", "")])
                                    })
                                />
                            }.into_any()
                        }}
                    }.into_any()
                }}
            }
                .into_any()
        }}
        <BulkBar list listing />
        <ActionDialogs actions containers=Signal::derive(move || listing.with(|listing| listing.items.clone())) />
    }
}

/// One page of the list.
#[derive(Clone, PartialEq)]
struct Paged {
    lines: Vec<Line>,
    shown: Vec<Container>,
    total: usize,
    page: usize,
}

fn clear_filters(address: Address) {
    address.set(&[("q", ""), ("state", ""), ("health", ""), ("stack", ""), ("customer", ""), ("page", "")]);
}

#[component]
fn NothingThere() -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Empty icon=lu::LuContainer text=say!(i18n, deployments.containers.empty)>
            <LinkButton
                href="/containers/new"
                label=say!(i18n, deployments.containers.new)
                icon=lu::LuPlus
                look=ButtonLook::Primary
                refused=crate::app::refusal(crate::authentication::policy::Verb::Operate, "container")
            />
        </Empty>
    }
}

#[component]
fn Filters(
    listing: RwSignal<Listing<Container>>,
    address: Address,
    filter: Memo<Filter>,
    list: List,
    arranged: Memo<Vec<Container>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let set = move |key: &'static str, value: String| address.set(&[(key, &value), ("page", "")]);
    let groups = address.get("groups");
    let stacks = Memo::new(move |_| {
        let names =
            listing.with(|listing| listing.items.iter().filter_map(|it| it.stack.clone()).collect::<BTreeSet<_>>());
        names.into_iter().map(|name| (name.clone(), name)).collect::<Vec<_>>()
    });
    let customers = Memo::new(move |_| {
        let ids =
            listing.with(|listing| listing.items.iter().filter_map(|it| it.customer.clone()).collect::<BTreeSet<_>>());
        let names = list.customers.get();
        ids.into_iter().map(|id| (id.clone(), names.get(&id).cloned().unwrap_or(id))).collect::<Vec<_>>()
    });
    let is_platform = crate::app::use_session().is_some_and(|session| session.is_platform());
    let states = Signal::derive(move || {
        let locale = i18n.get_locale();
        [
            ContainerState::Running,
            ContainerState::Exited,
            ContainerState::Paused,
            ContainerState::Restarting,
            ContainerState::Created,
            ContainerState::Dead,
        ]
        .map(|state| (state_name(state).to_owned(), state_word(locale, state).to_owned()))
        .to_vec()
    });
    let healths = Signal::derive(move || {
        let locale = i18n.get_locale();
        [Health::Healthy, Health::Unhealthy, Health::Starting, Health::None]
            .map(|health| (health_name(health).to_owned(), health_word(locale, health).to_owned()))
            .to_vec()
    });
    view! {
        <div class="filters" role="search">
            <SearchBox
                label=say!(i18n, deployments.containers.filter_label)
                words=Signal::derive(move || filter.with(|filter| filter.words.clone()))
                pause=AT_ONCE
                on_search=Callback::new(move |words| set("q", words))
            />
            <ChoiceChip
                label=say!(i18n, deployments.containers.column.state)
                value=Signal::derive(move || filter.with(|filter| filter.state.clone()))
                options=states
                on_choose=Callback::new(move |value| set("state", value))
            />
            <ChoiceChip
                label=say!(i18n, deployments.containers.column.health)
                value=Signal::derive(move || filter.with(|filter| filter.health.clone()))
                options=healths
                on_choose=Callback::new(move |value| set("health", value))
            />
            {move || (!stacks.with(Vec::is_empty)).then(|| view! {
                <ChoiceChip
                    label=say!(i18n, deployments.containers.stack)
                    value=Signal::derive(move || filter.with(|filter| filter.stack.clone()))
                    options=stacks
                    on_choose=Callback::new(move |value| set("stack", value))
                />
            })}
            {move || (is_platform && !customers.with(Vec::is_empty)).then(|| view! {
                <ChoiceChip
                    label=say!(i18n, deployments.containers.column.customer)
                    value=Signal::derive(move || filter.with(|filter| filter.customer.clone()))
                    options=customers
                    on_choose=Callback::new(move |value| set("customer", value))
                />
            })}
            <ClearFilters
                shown=Signal::derive(move || !filter.with(Filter::is_empty))
                on_press=Callback::new(move |()| clear_filters(address))
            />
            <div class="filters__end">
                <ActionButton
                    label=say!(i18n, deployments.containers.prune.open)
                    icon=lu::LuEraser
                    look=ButtonLook::Quiet
                    refused=list.actions.refused
                    on_press=Callback::new(move |()| list.actions.ask_prune())
                />
                <ColumnMenu id="container-columns" columns=list.columns>
                    <label class="menu__item">
                        <input
                            type="checkbox"
                            prop:checked=move || groups.get() != "off"
                            on:change=move |event| address.set(&[("groups", if event_target_checked(&event) { "" } else { "off" })])
                        />
                        {t!(i18n, deployments.containers.group_by_stack)}
                    </label>
                </ColumnMenu>
                <ExportMenu
                    id="container-export"
                    file="containers"
                    csv=Callback::new(move |()| as_csv(&arranged.get_untracked()))
                    json=Callback::new(move |()| arranged.with_untracked(serde_json::to_string_pretty).unwrap_or_default())
                />
            </div>
        </div>
    }
}

#[component]
fn Table(list: List, paged: Memo<Paged>, order: Memo<Order>, address: Address) -> impl IntoView {
    let i18n = use_i18n();
    let head = move |by: SortBy, label: Signal<String>| {
        let sorted = Signal::derive(move || {
            let order = order.get();
            (order.by == by).then_some(order.descending)
        });
        let href = Signal::derive(move || address.with(&[("sort", &order.get().pressed(by)), ("page", "")]));
        view! { <SortHead label sorted href /> }
    };
    let heads = move || {
        let head_of = |column: Column| {
            let label = Signal::derive(move || (column.label)(i18n.get_locale()).to_owned());
            match SortBy::named(column.name).filter(|_| column.sorts) {
                Some(by) => head(by, label).into_any(),
                None => view! { <th scope="col">{move || label.get()}</th> }.into_any(),
            }
        };
        list.columns.shown.get().into_iter().map(head_of).collect_view()
    };
    let all_selected = Memo::new(move |_| {
        list.shown.with(|shown| {
            !shown.is_empty() && list.selected.with(|selected| shown.iter().all(|it| selected.contains(&it.id)))
        })
    });
    let select_all = move |on: bool| {
        let ids = list.shown.with_untracked(|shown| shown.iter().map(|it| it.id.clone()).collect::<Vec<_>>());
        list.selected.update(|selected| {
            for id in ids {
                if on {
                    selected.insert(id);
                } else {
                    selected.remove(&id);
                }
            }
        });
    };
    view! {
        <div class="table-wrap">
            <table class="table containers">
                <caption class="visually-hidden">{t!(i18n, deployments.containers.title)}</caption>
                <thead>
                    <tr>
                        <th class="table__check" scope="col">
                            <input
                                type="checkbox"
                                aria-label=t!(i18n, common.list.select_all)
                                prop:checked=move || all_selected.get()
                                on:change=move |event| select_all(event_target_checked(&event))
                            />
                        </th>
                        {head(SortBy::Name, say!(i18n, deployments.containers.column.name))}
                        {heads}
                        <th class="table__actions" scope="col">
                            <span class="visually-hidden">{t!(i18n, common.list.actions)}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    <For
                        each=move || paged.with(|paged| paged.lines.clone())
                        key=Line::key
                        children=move |line| match line {
                            Line::Group { stack, count, running } => view! { <GroupRow list stack count running /> }.into_any(),
                            Line::Container(id) => view! { <ContainerRow list id /> }.into_any(),
                        }
                    />
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn GroupRow(list: List, stack: Option<String>, count: usize, running: usize) -> impl IntoView {
    let i18n = use_i18n();
    let key = StoredValue::new(stack.clone().unwrap_or_default());
    let is_open = move || key.with_value(|key| !list.folded.with(|folded| folded.contains(key)));
    let has_stack = stack.is_some();
    let name = move || match &stack {
        Some(name) => name.clone(),
        None => t_string!(i18n, deployments.containers.no_stack).to_owned(),
    };
    let size = move || match count {
        1 => t_string!(i18n, deployments.containers.group_one, running = running.to_string()),
        _ => {
            t_string!(i18n, deployments.containers.group_many, count = count.to_string(), running = running.to_string())
        }
    };
    view! {
        <tr class="table__group">
            <td colspan=move || (list.columns.shown.with(Vec::len) + 3).to_string()>
                <button
                    type="button"
                    class="group-head"
                    aria-expanded=move || if is_open() { "true" } else { "false" }
                    on:click=move |_| {
                        let key = key.get_value();
                        list.folded.update(|folded| {
                            if !folded.remove(&key) {
                                folded.insert(key);
                            }
                        });
                    }
                >
                    <Icon icon=Signal::derive(move || if is_open() { lu::LuChevronDown } else { lu::LuChevronRight }) />
                    <strong>{name}</strong>
                    <span>
                        {move || has_stack.then(|| format!("{} · ", t_string!(i18n, deployments.containers.stack)))} {size}
                    </span>
                </button>
            </td>
        </tr>
    }
}

#[component]
fn ContainerRow(list: List, id: String) -> impl IntoView {
    let i18n = use_i18n();
    let id = StoredValue::new(id);
    // The row stays while its container changes, so that focus and open menus do too.
    let known = Memo::new(move |last: Option<&Option<Container>>| {
        list.shown
            .with(|shown| id.with_value(|id| shown.iter().find(|it| it.id == *id).cloned()))
            .or_else(|| last.cloned().flatten())
    });
    let with = move |read: fn(&Container) -> String| {
        Signal::derive(move || known.with(|known| known.as_ref().map(read).unwrap_or_default()))
    };
    let name = with(|container| container.name.clone());
    let state = Memo::new(move |_| {
        known.with(|known| known.as_ref().map_or((ContainerState::Created, None), |it| (it.state, it.exit_code)))
    });
    let health = Memo::new(move |_| known.with(|known| known.as_ref().map_or(Health::None, |it| it.health)));
    let created = Memo::new(move |_| {
        known.with(|known| known.as_ref().map_or(crate::time::Timestamp::from_seconds(0), |it| it.created_at))
    });
    let is_selected = Memo::new(move |_| id.with_value(|id| list.selected.with(|selected| selected.contains(id))));
    let href = move || format!("/containers/{}", id.with_value(|id| short_id(id)));
    let cell = move |column: &'static str, class: &'static str, text: Signal<String>| {
        move || {
            list.columns.has(column).then(|| {
                view! { <td class=class title=move || text.get()>{move || Some(text.get()).filter(|text| !text.is_empty()).unwrap_or_else(|| "–".to_owned())}</td> }
            })
        }
    };
    view! {
        <tr aria-selected=move || if is_selected.get() { "true" } else { "false" }>
            <td class="table__check">
                <input
                    type="checkbox"
                    aria-label=move || t_string!(i18n, common.list.select, name = name.get())
                    prop:checked=move || is_selected.get()
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        list.selected.update(|selected| {
                            let id = id.get_value();
                            if on {
                                selected.insert(id);
                            } else {
                                selected.remove(&id);
                            }
                        });
                    }
                />
            </td>
            <td class="table__name">
                <a href=href>{name}</a>
                <small>{id.with_value(|id| short_id(id))}</small>
            </td>
            {move || list.columns.has("state").then(|| view! { <td><StateBadge state /></td> })}
            {move || list.columns.has("health").then(|| view! {
                <td class=move || if health.get() == Health::None { "hide-phone" } else { "" }><HealthBadge health /></td>
            })}
            {move || list.columns.has("image").then(|| {
                let image = with(|container| container.image.clone());
                view! { <td class="mono image" title=move || image.get()>{move || image_name(&image.get())}</td> }
            })}
            {move || list.columns.has("ports").then(|| {
                let ports = with(|container| port_texts(&container.ports).join("\n"));
                view! { <td class="mono hide-phone ports" title=move || ports.get()>{move || short_ports(&ports.get())}</td> }
            })}
            {move || list.columns.has("created").then(|| view! { <td class="hide-phone soft"><Ago at=created /></td> })}
            {cell("networks", "mono hide-phone", with(|container| networks_text(&container.networks)))}
            {cell("command", "mono hide-phone", with(|container| container.command.clone()))}
            {cell("customer", "hide-phone", Signal::derive(move || {
                let id = known.with(|known| known.as_ref().and_then(|known| known.customer.clone())).unwrap_or_default();
                list.customers.with(|names| names.get(&id).cloned()).unwrap_or(id)
            }))}
            <td class="table__actions">
                <RowActions list id name state />
            </td>
        </tr>
    }
}

/// An image whose tag stays in sight where its name is too long.
fn image_name(image: &str) -> AnyView {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    // A digest says nothing at a glance; the whole name stands in the title.
    let image = image[last..].find('@').map_or(image, |at| &image[..last + at]);
    let tag = image[last..].find(':').map_or(image.len(), |colon| last + colon);
    let (name, tag) = if image.len() - tag > LONGEST_TAG { (image, "") } else { image.split_at(tag) };
    view! {
        <span class="image__whole">
            <span class="image__name"><bdi>{name.to_owned()}</bdi></span>
            <span>{tag.to_owned()}</span>
        </span>
    }
    .into_any()
}

/// Letters of a tag that are always shown.
const LONGEST_TAG: usize = 24;

/// The first three ports and how many more.
fn short_ports(ports: &str) -> AnyView {
    let all: Vec<&str> = ports.lines().collect();
    if all.is_empty() {
        return view! { <span class="faint">"–"</span> }.into_any();
    }
    let more = all.len().saturating_sub(3);
    let first = all.into_iter().take(3).collect::<Vec<_>>().join(", ");
    view! { {first} {(more > 0).then(|| view! { <span class="soft">{format!(" +{more}")}</span> })} }.into_any()
}

fn networks_text(networks: &BTreeMap<String, String>) -> String {
    let texts: Vec<String> = networks
        .iter()
        .map(|(name, address)| if address.is_empty() { name.clone() } else { format!("{name} {address}") })
        .collect();
    texts.join(", ")
}

/// Start or stop, the log, and the rest in a menu.
#[component]
fn RowActions(
    list: List,
    id: StoredValue<String>,
    name: Signal<String>,
    state: Memo<(ContainerState, Option<i64>)>,
) -> impl IntoView {
    let i18n = use_i18n();
    let actions = list.actions;
    let target =
        move || Target { id: id.get_value(), name: name.get_untracked(), is_alive: is_alive(state.get_untracked().0) };
    let busy = Signal::derive(move || id.with_value(|id| actions.is_busy(id)));
    let stops = Memo::new(move |_| is_alive(state.get().0) && state.get().0 != ContainerState::Paused);
    let main = Callback::new(move |()| {
        let operation = match state.get_untracked().0 {
            ContainerState::Paused => ContainerOperation::Unpause {},
            state if is_alive(state) => ContainerOperation::Stop { timeout: None },
            _ => ContainerOperation::Start {},
        };
        actions.run(operation, vec![target()]);
    });
    let label = Signal::derive(move || {
        let name = name.get();
        match state.get().0 {
            ContainerState::Paused => t_string!(i18n, deployments.containers.act.unpause_name, name = name),
            state if is_alive(state) => t_string!(i18n, deployments.containers.act.stop_name, name = name),
            _ => t_string!(i18n, deployments.containers.act.start_name, name = name),
        }
    });
    view! {
        <ActionButton
            label
            icon=Signal::derive(move || if stops.get() { lu::LuSquare } else { lu::LuPlay })
            look=ButtonLook::Icon
            refused=actions.refused
            busy
            on_press=main
        />
        <LinkButton
            href=Signal::derive(move || format!("/containers/{}?tab=logs", id.with_value(|id| short_id(id))))
            label=Signal::derive(move || t_string!(i18n, deployments.containers.act.logs_name, name = name.get()))
            icon=lu::LuLogs
            look=ButtonLook::Icon
        />
        <Menu
            id=format!("menu-{}", id.with_value(|id| short_id(id)))
            label=Signal::derive(move || t_string!(i18n, deployments.containers.act.more_name, name = name.get()))
            icon=lu::LuEllipsis
        >
            <ActionMenu actions id name state inspect=true />
        </Menu>
    }
}

/// Everything else that can be done with a container.
#[component]
pub(super) fn ActionMenu(
    actions: Actions,
    id: StoredValue<String>,
    name: Signal<String>,
    state: Memo<(ContainerState, Option<i64>)>,
    /// Whether the menu leads to the container's own page.
    inspect: bool,
) -> impl IntoView {
    let i18n = use_i18n();
    let target =
        move || Target { id: id.get_value(), name: name.get_untracked(), is_alive: is_alive(state.get_untracked().0) };
    let run =
        move |operation: fn() -> ContainerOperation| Callback::new(move |()| actions.run(operation(), vec![target()]));
    let refused = actions.refused;
    view! {
        <MenuItem
            label=say!(i18n, deployments.containers.act.restart)
            icon=lu::LuRotateCcw
            refused
            on_press=run(|| ContainerOperation::Restart { timeout: None })
        />
        {move || match state.get().0 {
            ContainerState::Running => {
                view! {
                    <MenuItem
                        label=say!(i18n, deployments.containers.act.pause)
                        icon=lu::LuPause
                        refused
                        on_press=run(|| ContainerOperation::Pause {})
                    />
                }
                    .into_any()
            }
            ContainerState::Paused => {
                view! {
                    <MenuItem
                        label=say!(i18n, deployments.containers.act.unpause)
                        icon=lu::LuPlay
                        refused
                        on_press=run(|| ContainerOperation::Unpause {})
                    />
                }
                    .into_any()
            }
            _ => ().into_any(),
        }}
        {move || is_alive(state.get().0).then(|| view! {
            <MenuItem
                label=say!(i18n, deployments.containers.act.kill)
                icon=lu::LuZap
                refused
                on_press=Callback::new(move |()| actions.ask_kill(vec![target()]))
            />
        })}
        <MenuItem
            label=say!(i18n, deployments.containers.act.rename)
            icon=lu::LuPencil
            refused
            on_press=Callback::new(move |()| actions.ask_rename(target()))
        />
        <MenuLink
            label=say!(i18n, deployments.containers.act.duplicate)
            icon=lu::LuCopyPlus
            refused
            href=Signal::derive(move || format!("/containers/new?from={}", id.with_value(|id| short_id(id))))
        />
        {inspect.then(|| view! {
            <MenuLink
                label=say!(i18n, deployments.containers.act.inspect)
                icon=lu::LuBraces
                href=Signal::derive(move || format!("/containers/{}?tab=inspect", id.with_value(|id| short_id(id))))
            />
        })}
        <hr />
        <MenuItem
            label=say!(i18n, deployments.containers.act.remove)
            icon=lu::LuTrash2
            danger=true
            refused
            on_press=Callback::new(move |()| actions.ask_remove(vec![target()]))
        />
    }
}

/// What can be done with everything that is selected.
#[component]
fn BulkBar(list: List, listing: RwSignal<Listing<Container>>) -> impl IntoView {
    let i18n = use_i18n();
    let actions = list.actions;
    let targets = Memo::new(move |_| {
        list.selected.with(|selected| {
            listing.with(|listing| {
                listing.items.iter().filter(|it| selected.contains(&it.id)).map(Target::from).collect::<Vec<_>>()
            })
        })
    });
    let run = move |operation: fn() -> ContainerOperation| {
        Callback::new(move |()| actions.run(operation(), targets.get_untracked()))
    };
    let busy = Signal::derive(move || targets.with(|targets| targets.iter().any(|target| actions.is_busy(&target.id))));
    let refused = actions.refused;
    let any = Memo::new(move |_| !targets.with(Vec::is_empty));
    move || {
        any.get().then(|| {
            view! {
                <div class="bulk" role="region" aria-label=t!(i18n, deployments.containers.bulk)>
                    <strong role="status">
                        {move || t_string!(i18n, common.list.selected, count = targets.with(Vec::len).to_string())}
                    </strong>
                    <span class="bulk__names">
                        {move || targets.with(|targets| targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", "))}
                    </span>
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.start)
                        icon=lu::LuPlay
                        refused
                        busy
                        on_press=run(|| ContainerOperation::Start {})
                    />
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.stop)
                        icon=lu::LuSquare
                        refused
                        busy
                        on_press=run(|| ContainerOperation::Stop { timeout: None })
                    />
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.restart)
                        icon=lu::LuRotateCcw
                        refused
                        busy
                        on_press=run(|| ContainerOperation::Restart { timeout: None })
                    />
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.kill)
                        icon=lu::LuZap
                        refused
                        on_press=Callback::new(move |()| actions.ask_kill(targets.get_untracked()))
                    />
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.remove)
                        icon=lu::LuTrash2
                        look=ButtonLook::Danger
                        refused
                        on_press=Callback::new(move |()| actions.ask_remove(targets.get_untracked()))
                    />
                    <ActionButton
                        label=say!(i18n, common.list.clear)
                        icon=lu::LuX
                        look=ButtonLook::Icon
                        on_press=Callback::new(move |()| list.selected.update(BTreeSet::clear))
                    />
                </div>
            }
        })
    }
}

fn as_csv(containers: &[Container]) -> String {
    let head = ["id", "name", "state", "exit_code", "health", "image", "ports", "stack", "customer", "created_at"];
    let rows = containers.iter().map(|it| {
        vec![
            it.id.clone(),
            it.name.clone(),
            state_name(it.state).to_owned(),
            it.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            health_name(it.health).to_owned(),
            it.image.clone(),
            port_texts(&it.ports).join(" "),
            it.stack.clone().unwrap_or_default(),
            it.customer.clone().unwrap_or_default(),
            it.created_at.to_string(),
        ]
    });
    browser::csv(std::iter::once(head.map(str::to_owned).to_vec()).chain(rows))
}
