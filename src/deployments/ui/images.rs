//! The list of images.

use super::{
    engine_notice::{EngineNotice, NoEngine},
    prune::PruneDialog,
    pull::PullDialog,
    rows::{natural, short_id},
    use_engine,
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    deployments::{
        api::{list_images, operate_images, search_images},
        model::{Answer, FoundImage, Image, ImageOperation, Listing},
    },
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{Locale, say, t, t_string, td_string, use_i18n},
    jobs::model::Job,
    ui::{
        ActionButton, Address, Ago, Badge, ButtonLook, Bytes, CheckField, ChoiceChip, ConfirmDialog, Dialog, Empty,
        Icon, Live, LiveView, Menu, MenuItem, MenuLink, PageHead, PageTurns, SearchBox, SortHead, TextField, Toasts,
        Tone, browser, bytes,
        list::{Column, ColumnMenu, Columns, ExportMenu, Sorting, USUAL_SIZE, page_size, unless_usual},
        use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The list is in the browser already, so a search needs hardly a pause.
const AT_ONCE: Duration = Duration::from_millis(120);

/// The order until somebody chooses otherwise.
const USUAL_ORDER: &str = "name";

/// The columns beside the name.
const COLUMNS: [Column; 6] = [
    column("use", |locale| td_string!(locale, deployments.images.column.used), true, true),
    column("size", |locale| td_string!(locale, deployments.images.column.size), true, true),
    column("created", |locale| td_string!(locale, deployments.containers.column.created), true, true),
    column("names", |locale| td_string!(locale, deployments.images.names), false, false),
    column("digests", |locale| td_string!(locale, deployments.images.digests), false, false),
    column("labels", |locale| td_string!(locale, deployments.create.labels), false, false),
];

const fn column(name: &'static str, label: fn(Locale) -> &'static str, from_start: bool, sorts: bool) -> Column {
    Column { name, label, from_start, sorts }
}

/// The list of images of the engine in scope.
#[component]
pub fn ImagesPage() -> impl IntoView {
    let engine = use_engine();
    move || view! { <ImagesOf engine=engine.get() /> }
}

#[component]
fn ImagesOf(engine: String) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![
        Topic::Images(engine.clone()),
        Topic::Containers(engine.clone()),
        Topic::Engine(engine.clone()),
    ]);
    let engine = StoredValue::new(engine);
    view! {
        <LiveView
            fetch=move || list_images(engine.get_value())
            changes
            head=move || view! { <PageHead title=say!(i18n, deployments.images.title) /> }
            view=move |live| view! { <ImageList live engine /> }
        />
    }
}

/// What an image is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Used,
    Unused,
    Dangling,
}

impl Use {
    const fn of(image: &Image) -> Self {
        match (image.containers > 0, image.tags.is_empty()) {
            (true, _) => Self::Used,
            (false, true) => Self::Dangling,
            (false, false) => Self::Unused,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Unused => "unused",
            Self::Dangling => "dangling",
        }
    }
}

/// The operations of the page and the questions before them. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct ImageActions {
    engine: StoredValue<String>,
    i18n: leptos_i18n::I18nContext<Locale>,
    toasts: Toasts,
    targets: RwSignal<Vec<Image>>,
    removing: RwSignal<bool>,
    tagging: RwSignal<bool>,
    after: Callback<bool>,
    /// Why the person may not pull or run.
    pub refused: Signal<Option<String>>,
    /// Why the person may not tag, remove or prune.
    pub kept: Signal<Option<String>>,
}

impl ImageActions {
    /// The actions on an engine; `after` is told whether the images are gone.
    pub fn new(engine: String, after: Callback<bool>) -> Self {
        Self {
            engine: StoredValue::new(engine),
            i18n: use_i18n(),
            toasts: use_toasts(),
            targets: RwSignal::default(),
            removing: RwSignal::new(false),
            tagging: RwSignal::new(false),
            after,
            refused: refusal(Verb::Operate, "image"),
            kept: refusal(Verb::Remove, "image"),
        }
    }

    /// Asks before removing.
    pub fn ask_remove(self, images: Vec<Image>) {
        self.targets.set(images);
        self.removing.set(true);
    }

    /// Asks for a further name.
    pub fn ask_tag(self, image: Image) {
        self.targets.set(vec![image]);
        self.tagging.set(true);
    }

    fn remove(self, force: bool, noprune: bool) {
        let images = self.targets.get_untracked();
        // An image is removed by its names, so that each goes and the last takes the layers along.
        let objects: Vec<String> = images
            .iter()
            .flat_map(|image| if image.tags.is_empty() || force { vec![image.id.clone()] } else { image.tags.clone() })
            .collect();
        leptos::task::spawn_local(async move {
            let locale = self.i18n.get_locale_untracked();
            let operation = ImageOperation::Remove { force, noprune };
            match operate_images(self.engine.get_value(), operation, objects).await {
                Ok(Answer::Results(results)) => {
                    let done = results.iter().filter(|result| result.ok).count();
                    if done > 0 {
                        self.toasts.done(td_string!(locale, deployments.images.removed, what = done.to_string()));
                    }
                    for result in results.iter().filter(|result| !result.ok) {
                        let words = result.error.as_ref().map(|error| error.message(locale)).unwrap_or_default();
                        self.toasts.warn(format!("{}: {words}", short_id(&result.object)));
                    }
                    self.after.try_run(done == results.len());
                }
                Ok(Answer::Result(_) | Answer::Job { .. }) => {
                    let what = images.first().map(display_name).unwrap_or_default();
                    self.toasts.done(td_string!(locale, deployments.images.removed, what = what));
                    self.after.try_run(true);
                }
                Err(error) => self.toasts.failed(&error),
            }
        });
    }
}

/// What an image is called: its first name, or its short identifier.
pub(super) fn display_name(image: &Image) -> String {
    image.tags.first().cloned().unwrap_or_else(|| short_id(&image.id))
}

#[component]
fn ImageList(live: Live<Listing<Image>>, engine: StoredValue<String>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let listing = live.value();
    let status = Memo::new(move |_| listing.with(|listing| listing.engine.clone()));
    let at = Memo::new(move |_| listing.with(|listing| listing.at));
    let is_empty = Memo::new(move |_| listing.with(|listing| listing.items.is_empty()));
    let retry = Callback::new(move |()| live.again());
    let actions = ImageActions::new(engine.get_value(), Callback::new(move |_| live.again()));
    let (words, used, sort, page) = (address.get("q"), address.get("use"), address.get("sort"), address.get("page"));
    let arranged =
        Memo::new(move |_| listing.with(|listing| arrange(&listing.items, &words.get(), &used.get(), &sort.get())));
    let size = address.get("size");
    let size = Memo::new(move |_| page_size(&size.get()));
    let last = Memo::new(move |_| arranged.with(Vec::len).div_ceil(size.get()).max(1));
    let page = Memo::new(move |_| page.get().parse::<usize>().unwrap_or(1).clamp(1, last.get()));
    let shown = Memo::new(move |_| {
        let (page, size) = (page.get(), size.get());
        arranged.with(|all| all.iter().skip((page - 1) * size).take(size).cloned().collect::<Vec<_>>())
    });
    let columns = Columns::kept("image-columns", COLUMNS.to_vec());
    let selected = RwSignal::new(BTreeSet::<String>::new());
    let picked = Memo::new(move |_| {
        selected.with(|selected| {
            listing.with(|listing| {
                listing.items.iter().filter(|image| selected.contains(&image.id)).cloned().collect::<Vec<_>>()
            })
        })
    });
    let pulling = RwSignal::new(false);
    let asked = address.get("pull");
    Effect::new(move || {
        if !asked.get().is_empty() {
            pulling.set(true);
            address.set(&[("pull", "")]);
        }
    });
    let searching = RwSignal::new(false);
    let pruning = RwSignal::new(false);
    let wanted = RwSignal::new(String::new());
    let line = move || {
        listing.with(|listing| {
            // Of an engine that was never seen, nobody knows that it has none.
            if !listing.engine.is_up && listing.items.is_empty() {
                return None;
            }
            let (count, unused) =
                (listing.items.len(), listing.items.iter().filter(|image| image.containers <= 0).count());
            // Layers that images share are counted once by the engine, and so here when it told.
            let size = listing.engine.data_usage.as_ref().map(|usage| usage.images.size);
            let size = size.map(|size| format!(" · {}", bytes(size, i18n.get_locale()))).unwrap_or_default();
            let text = match count {
                1 => t_string!(i18n, deployments.images.count_one, unused = unused.to_string()),
                _ => t_string!(
                    i18n,
                    deployments.images.count_many,
                    count = count.to_string(),
                    unused = unused.to_string()
                ),
            };
            Some(format!("{text}{size}"))
        })
    };
    view! {
        <PageHead title=say!(i18n, deployments.images.title) line=ViewFn::from(line)>
            <ActionButton
                label=say!(i18n, deployments.images.search.open)
                icon=lu::LuSearch
                on_press=Callback::new(move |()| searching.set(true))
            />
            <ActionButton
                label=say!(i18n, deployments.containers.pull_image)
                icon=lu::LuDownload
                look=ButtonLook::Primary
                refused=actions.refused
                on_press=Callback::new(move |()| {
                    wanted.set(String::new());
                    pulling.set(true);
                })
            />
        </PageHead>
        {move || {
            if is_empty.get() && !status.with(|status| status.is_up) {
                return view! { <NoEngine engine=status retry /> }.into_any();
            }
            view! {
                <EngineNotice engine=status at trouble=live.trouble() retry />
                {move || if is_empty.get() {
                    view! {
                        <Empty icon=lu::LuLayers text=say!(i18n, deployments.images.empty)>
                            <ActionButton
                                label=say!(i18n, deployments.containers.pull_image)
                                icon=lu::LuDownload
                                look=ButtonLook::Primary
                                refused=actions.refused
                                on_press=Callback::new(move |()| pulling.set(true))
                            />
                        </Empty>
                    }.into_any()
                } else {
                    view! {
                        <Filters address arranged actions columns pruning />
                        {move || if arranged.with(Vec::is_empty) {
                            view! {
                                <Empty icon=lu::LuSearch text=say!(i18n, common.list.nothing_found)>
                                    <ActionButton
                                        label=say!(i18n, common.list.clear_filters)
                                        on_press=Callback::new(move |()| address.set(&[("q", ""), ("use", ""), ("page", "")]))
                                    />
                                </Empty>
                            }.into_any()
                        } else {
                            view! {
                                <Table shown selected actions columns address />
                                <PageTurns
                                    page
                                    size
                                    total=Signal::derive(move || arranged.with(Vec::len))
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
        <BulkBar picked selected actions />
        <PullDialog open=pulling first=wanted on_end=Callback::new(move |_: Job| live.again()) />
        <SearchDialog open=searching engine refused=actions.refused on_pull=Callback::new(move |name: String| {
            searching.set(false);
            wanted.set(name);
            pulling.set(true);
        }) />
        <PruneImages open=pruning engine listing refused=actions.kept on_end=Callback::new(move |()| live.again()) />
        <ImageDialogs actions />
    }
}

/// The dialogs of the actions; stands once on a page.
#[component]
pub(super) fn ImageDialogs(actions: ImageActions) -> impl IntoView {
    view! {
        <RemoveDialog actions />
        <TagDialog actions />
    }
}

fn arrange(images: &[Image], words: &str, used: &str, sort: &str) -> Vec<Image> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let holds = |image: &Image, word: &str| {
        image.tags.iter().chain(&image.digests).any(|name| name.to_lowercase().contains(word))
            || image.id.trim_start_matches("sha256:").starts_with(word)
            || image.labels.iter().any(|(name, value)| format!("{name}={value}").to_lowercase().contains(word))
    };
    let mut found: Vec<Image> = images
        .iter()
        .filter(|image| used.is_empty() || Use::of(image).name() == used)
        .filter(|image| words.iter().all(|word| holds(image, word)))
        .cloned()
        .collect();
    let sorting = Sorting::read(sort, USUAL_ORDER);
    found.sort_by(|a, b| {
        // What has no name comes last.
        let by_name =
            || a.tags.is_empty().cmp(&b.tags.is_empty()).then_with(|| natural(&display_name(a), &display_name(b)));
        let order = match sorting.by.as_str() {
            "size" => a.size.cmp(&b.size),
            "created" => a.created_at.cmp(&b.created_at),
            "use" => a.containers.cmp(&b.containers),
            _ => by_name(),
        };
        if sorting.descending { order.reverse() } else { order }.then_with(by_name)
    });
    found
}

#[component]
fn Filters(
    address: Address,
    arranged: Memo<Vec<Image>>,
    actions: ImageActions,
    columns: Columns,
    pruning: RwSignal<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let (words, used) = (address.get("q"), address.get("use"));
    let uses = Signal::derive(move || {
        let locale = i18n.get_locale();
        [Use::Used, Use::Unused, Use::Dangling]
            .map(|it| (it.name().to_owned(), use_word(locale, it).to_owned()))
            .to_vec()
    });
    view! {
        <div class="filters" role="search">
            <SearchBox
                label=say!(i18n, deployments.images.filter_label)
                words
                pause=AT_ONCE
                on_search=Callback::new(move |words: String| address.set(&[("q", &words), ("page", "")]))
            />
            <ChoiceChip
                label=say!(i18n, deployments.images.column.used)
                value=used
                options=uses
                on_choose=Callback::new(move |value: String| address.set(&[("use", &value), ("page", "")]))
            />
            <div class="filters__end">
                <ActionButton
                    label=say!(i18n, deployments.containers.prune.open)
                    icon=lu::LuEraser
                    look=ButtonLook::Quiet
                    refused=actions.kept
                    on_press=Callback::new(move |()| pruning.set(true))
                />
                <ColumnMenu id="image-columns" columns />
                <ExportMenu
                    id="image-export"
                    file="images"
                    csv=Callback::new(move |()| as_csv(&arranged.get_untracked()))
                    json=Callback::new(move |()| arranged.with_untracked(serde_json::to_string_pretty).unwrap_or_default())
                />
            </div>
        </div>
    }
}

fn use_word(locale: Locale, it: Use) -> &'static str {
    match it {
        Use::Used => td_string!(locale, deployments.images.used.used),
        Use::Unused => td_string!(locale, deployments.images.used.unused),
        Use::Dangling => td_string!(locale, deployments.images.used.dangling),
    }
}

/// Whether an image is used, by how many.
#[component]
pub(super) fn UseBadge(#[prop(into)] image: Signal<Option<Image>>) -> impl IntoView {
    let i18n = use_i18n();
    let known = move || image.with(|image| image.as_ref().map_or((Use::Unused, 0), |it| (Use::of(it), it.containers)));
    let tone = Signal::derive(move || match known().0 {
        Use::Used => Tone::Good,
        Use::Unused => Tone::Idle,
        Use::Dangling => Tone::Warn,
    });
    let icon = Signal::derive(move || match known().0 {
        Use::Used => lu::LuContainer,
        Use::Unused => lu::LuMinus,
        Use::Dangling => lu::LuUnlink,
    });
    let label = Signal::derive(move || match known() {
        (Use::Used, count) => t_string!(i18n, deployments.images.used_by, count = count.to_string()),
        (it, _) => use_word(i18n.get_locale(), it).to_owned(),
    });
    view! { <Badge tone icon label /> }
}

#[component]
fn Table(
    shown: Memo<Vec<Image>>,
    selected: RwSignal<BTreeSet<String>>,
    actions: ImageActions,
    columns: Columns,
    address: Address,
) -> impl IntoView {
    let i18n = use_i18n();
    let sort = address.get("sort");
    let sorting = Memo::new(move |_| Sorting::read(&sort.get(), USUAL_ORDER));
    let head = move |by: &'static str, label: Signal<String>| {
        let sorted = Signal::derive(move || sorting.with(|sorting| (sorting.by == by).then_some(sorting.descending)));
        let href = Signal::derive(move || {
            address.with(&[("sort", &sorting.with(|sorting| sorting.pressed(by, USUAL_ORDER))), ("page", "")])
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
    let all_selected = Memo::new(move |_| {
        shown.with(|shown| {
            !shown.is_empty() && selected.with(|selected| shown.iter().all(|image| selected.contains(&image.id)))
        })
    });
    view! {
        <div class="table-wrap">
            <table class="table">
                <caption class="visually-hidden">{t!(i18n, deployments.images.title)}</caption>
                <thead>
                    <tr>
                        <th class="table__check" scope="col">
                            <input
                                type="checkbox"
                                aria-label=t!(i18n, common.list.select_all)
                                prop:checked=move || all_selected.get()
                                on:change=move |event| {
                                    let on = event_target_checked(&event);
                                    let ids = shown.with_untracked(|shown| shown.iter().map(|image| image.id.clone()).collect::<Vec<_>>());
                                    selected.update(|selected| {
                                        selected.retain(|id| !ids.contains(id));
                                        if on {
                                            selected.extend(ids);
                                        }
                                    });
                                }
                            />
                        </th>
                        {head("name", say!(i18n, deployments.images.column.name))}
                        {heads}
                        <th class="table__actions" scope="col">
                            <span class="visually-hidden">{t!(i18n, common.list.actions)}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || shown.with(|shown| shown.iter().map(|image| image.id.clone()).collect::<Vec<_>>()) key=Clone::clone let:id>
                        <ImageRow id shown selected actions columns />
                    </For>
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn ImageRow(
    id: String,
    shown: Memo<Vec<Image>>,
    selected: RwSignal<BTreeSet<String>>,
    actions: ImageActions,
    columns: Columns,
) -> impl IntoView {
    let i18n = use_i18n();
    let id = StoredValue::new(id);
    let known = Memo::new(move |last: Option<&Option<Image>>| {
        shown
            .with(|shown| id.with_value(|id| shown.iter().find(|image| image.id == *id).cloned()))
            .or_else(|| last.cloned().flatten())
    });
    let name = Signal::derive(move || known.with(|image| image.as_ref().map(display_name).unwrap_or_default()));
    let is_selected = Memo::new(move |_| id.with_value(|id| selected.with(|selected| selected.contains(id))));
    let href = move || format!("/images/{}", id.with_value(|id| short_id(id)));
    let created = Memo::new(move |_| {
        known.with(|image| image.as_ref().map_or(crate::time::Timestamp::from_seconds(0), |image| image.created_at))
    });
    let size = Memo::new(move |_| known.with(|image| image.as_ref().map_or(0, |image| image.size)));
    let words = move |read: fn(&Image) -> Vec<String>| {
        let words = Signal::derive(move || known.with(|image| image.as_ref().map(read).unwrap_or_default().join(", ")));
        view! { <td class="mono hide-phone truncate" title=move || words.get()>{move || words.get()}</td> }.into_any()
    };
    let cell = move |column: Column| match column.name {
        "use" => view! { <td><UseBadge image=known /></td> }.into_any(),
        "size" => view! { <td><Bytes size /></td> }.into_any(),
        "created" => view! { <td class="hide-phone soft"><Ago at=created /></td> }.into_any(),
        "names" => words(|image| image.tags.clone()),
        "digests" => words(|image| image.digests.clone()),
        _ => words(|image| image.labels.iter().map(|(name, value)| format!("{name}={value}")).collect()),
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
                        selected.update(|selected| {
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
                {move || {
                    let more = known.with(|image| image.as_ref().map_or_else(Vec::new, |image| image.tags.iter().skip(1).cloned().collect()));
                    (!more.is_empty()).then(|| view! { <span class="image-tags mono soft" title=more.join("\n")>{format!("+{}", more.len())}</span> })
                }}
            </td>
            {move || columns.shown.get().into_iter().map(cell).collect_view()}
            <td class="table__actions">
                <Menu
                    id=format!("image-{}", id.with_value(|id| short_id(id)))
                    label=Signal::derive(move || t_string!(i18n, deployments.containers.act.more_name, name = name.get()))
                    icon=lu::LuEllipsis
                >
                    <MenuLink
                        label=say!(i18n, deployments.images.run)
                        icon=lu::LuPlay
                        refused=actions.refused
                        href=Signal::derive(move || format!("/containers/new?image={}", crate::ui::address::escaped(&name.get())))
                    />
                    <MenuItem
                        label=say!(i18n, deployments.images.tag.open)
                        icon=lu::LuTag
                        refused=actions.kept
                        on_press=Callback::new(move |()| if let Some(image) = known.get_untracked() { actions.ask_tag(image) })
                    />
                    <MenuLink
                        label=say!(i18n, deployments.containers.act.inspect)
                        icon=lu::LuBraces
                        href=Signal::derive(move || format!("{}?tab=inspect", href()))
                    />
                    <hr />
                    <MenuItem
                        label=say!(i18n, deployments.containers.act.remove)
                        icon=lu::LuTrash2
                        danger=true
                        refused=actions.kept
                        on_press=Callback::new(move |()| if let Some(image) = known.get_untracked() { actions.ask_remove(vec![image]) })
                    />
                </Menu>
            </td>
        </tr>
    }
}

#[component]
fn BulkBar(picked: Memo<Vec<Image>>, selected: RwSignal<BTreeSet<String>>, actions: ImageActions) -> impl IntoView {
    let i18n = use_i18n();
    let any = Memo::new(move |_| !picked.with(Vec::is_empty));
    move || {
        any.get().then(|| {
            view! {
                <div class="bulk" role="region" aria-label=t!(i18n, deployments.containers.bulk)>
                    <strong role="status">
                        {move || t_string!(i18n, common.list.selected, count = picked.with(Vec::len).to_string())}
                    </strong>
                    <span class="bulk__names">
                        {move || picked.with(|picked| picked.iter().map(display_name).collect::<Vec<_>>().join(", "))}
                    </span>
                    <ActionButton
                        label=say!(i18n, deployments.containers.act.remove)
                        icon=lu::LuTrash2
                        look=ButtonLook::Danger
                        refused=actions.kept
                        on_press=Callback::new(move |()| actions.ask_remove(picked.get_untracked()))
                    />
                    <ActionButton
                        label=say!(i18n, common.list.clear)
                        icon=lu::LuX
                        look=ButtonLook::Icon
                        on_press=Callback::new(move |()| selected.update(BTreeSet::clear))
                    />
                </div>
            }
        })
    }
}

#[component]
fn RemoveDialog(actions: ImageActions) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.removing;
    let force = RwSignal::new(false);
    let keeps_parents = RwSignal::new(false);
    Effect::new(move || {
        if open.get() {
            force.set(false);
            keeps_parents.set(false);
        }
    });
    let names = Signal::derive(move || {
        actions.targets.with(|images| {
            images
                .iter()
                .flat_map(|image| if image.tags.is_empty() { vec![short_id(&image.id)] } else { image.tags.clone() })
                .collect::<Vec<_>>()
        })
    });
    let in_use = Memo::new(move |_| actions.targets.with(|images| images.iter().any(|image| image.containers > 0)));
    let title = Signal::derive(move || {
        actions.targets.with(|images| match images.as_slice() {
            [one] => t_string!(i18n, deployments.containers.remove.title_one, name = display_name(one)),
            many => t_string!(i18n, deployments.images.remove.title_many, count = many.len().to_string()),
        })
    });
    view! {
        <ConfirmDialog
            open
            title
            text=say!(i18n, deployments.images.remove.text)
            names
            action=say!(i18n, common.remove)
            on_confirm=Callback::new(move |()| {
                actions.remove(force.get_untracked(), keeps_parents.get_untracked());
                open.set(false);
            })
        >
            {move || in_use.get().then(|| view! {
                <p class="field__problem"><Icon icon=lu::LuTriangleAlert /> {t!(i18n, deployments.images.remove.in_use)}</p>
            })}
            <CheckField
                name="image-force"
                label=say!(i18n, deployments.images.remove.force)
                hint=say!(i18n, deployments.images.remove.force_hint)
                value=force
            />
            <CheckField
                name="image-noprune"
                label=say!(i18n, deployments.images.remove.noprune)
                hint=say!(i18n, deployments.images.remove.noprune_hint)
                value=keeps_parents
            />
        </ConfirmDialog>
    }
}

#[component]
fn TagDialog(actions: ImageActions) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.tagging;
    let repository = RwSignal::new(String::new());
    let tag = RwSignal::new(String::new());
    let problems = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    Effect::new(move || {
        if open.get() {
            let name =
                actions.targets.with_untracked(|images| images.first().and_then(|image| image.tags.first().cloned()));
            let known =
                name.as_deref().and_then(|name| name.rsplit_once(':')).map(|(repository, _)| repository.to_owned());
            repository.set(known.unwrap_or_default());
            tag.set(String::new());
            problems.set(None);
        }
    });
    let problem_of = move |field: &'static str, is_rest: bool| {
        Signal::derive(move || {
            let error = problems.get()?;
            let found =
                error.problems().iter().find(|problem| problem.field.contains(field)).map(|it| it.message.clone());
            found.or_else(|| (is_rest && error.problems().is_empty()).then(|| error.message(i18n.get_locale())))
        })
    };
    let save = move || {
        busy.set(true);
        leptos::task::spawn_local(async move {
            let operation = ImageOperation::Tag {
                repository: repository.get_untracked().trim().to_owned(),
                tag: tag.get_untracked().trim().to_owned(),
            };
            let objects =
                actions.targets.with_untracked(|images| images.iter().map(|image| image.id.clone()).collect());
            match operate_images(actions.engine.get_value(), operation, objects).await {
                Ok(_) => {
                    open.try_set(false);
                    let name = format!("{}:{}", repository.get_untracked().trim(), tag.get_untracked().trim());
                    let locale = i18n.get_locale_untracked();
                    actions.toasts.done(td_string!(locale, deployments.images.tag.done, name = name));
                    actions.after.try_run(false);
                }
                Err(error) => {
                    problems.try_set(Some(error));
                }
            }
            busy.try_set(false);
        });
    };
    view! {
        <Dialog
            open
            title=Signal::derive(move || {
                let name = actions.targets.with(|images| images.first().map(display_name).unwrap_or_default());
                t_string!(i18n, deployments.images.tag.title, name = name)
            })
        >
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    if !busy.get_untracked() {
                        save();
                    }
                }
            >
                <div class="dialog__body">
                    <TextField name="tag-repository" label=say!(i18n, deployments.images.tag.repository) value=repository required=true problem=problem_of("repository", true) />
                    <TextField name="tag-tag" label=say!(i18n, deployments.images.tag.tag) value=tag required=true placeholder="1.2" problem=problem_of("tag", false) />
                </div>
                <div class="dialog__actions">
                    <ActionButton label=say!(i18n, common.cancel) on_press=Callback::new(move |()| open.set(false)) />
                    <ActionButton label=say!(i18n, deployments.images.tag.action) look=ButtonLook::Primary kind="submit" busy />
                </div>
            </form>
        </Dialog>
    }
}

#[component]
fn SearchDialog(
    open: RwSignal<bool>,
    engine: StoredValue<String>,
    refused: Signal<Option<String>>,
    on_pull: Callback<String>,
) -> impl IntoView {
    let i18n = use_i18n();
    let term = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<Vec<FoundImage>, Error>>);
    let busy = RwSignal::new(false);
    let search = move || {
        let words = term.get_untracked().trim().to_owned();
        if words.is_empty() {
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            let answer = search_images(engine.get_value(), words).await;
            found.try_set(Some(answer));
            busy.try_set(false);
        });
    };
    view! {
        <Dialog open wide=true title=say!(i18n, deployments.images.search.title)>
            <div class="dialog__body">
                <form
                    class="log-search"
                    role="search"
                    on:submit=move |event| {
                        event.prevent_default();
                        search();
                    }
                >
                    <input
                        class="input"
                        type="search"
                        aria-label=t!(i18n, deployments.images.search.term)
                        placeholder="nginx"
                        prop:value=move || term.get()
                        on:input=move |event| term.set(event_target_value(&event))
                    />
                    <ActionButton label=say!(i18n, common.search) icon=lu::LuSearch kind="submit" busy />
                </form>
                <div role="status">
                    {move || found.with(|found| match found {
                        None => ().into_any(),
                        Some(Err(error)) => view! { <p class="field__problem">{error.message(i18n.get_locale())}</p> }.into_any(),
                        Some(Ok(found)) if found.is_empty() => view! { <p class="soft">{t!(i18n, common.list.nothing_found)}</p> }.into_any(),
                        Some(Ok(found)) => view! {
                            <ul class="found">
                                {found.iter().map(|image| {
                                    let name = image.name.clone();
                                    let label = name.clone();
                                    view! {
                                        <li>
                                            <div>
                                                <strong class="mono">{image.name.clone()}</strong>
                                                {image.official.then(|| view! { <Badge tone=Tone::Good icon=Signal::stored(lu::LuBadgeCheck) label=say!(i18n, deployments.images.search.official) /> })}
                                                <span class="soft number">{format!("★ {}", image.stars)}</span>
                                                <p class="soft">{image.description.clone()}</p>
                                            </div>
                                            <ActionButton
                                                label=Signal::derive(move || t_string!(i18n, deployments.images.pull_name, name = label.clone()))
                                                icon=lu::LuDownload
                                                look=ButtonLook::Icon
                                                refused
                                                on_press=Callback::new(move |()| on_pull.run(name.clone()))
                                            />
                                        </li>
                                    }
                                }).collect_view()}
                            </ul>
                        }.into_any(),
                    })}
                </div>
            </div>
        </Dialog>
    }
}

/// Asks before unused images are cleared away: those without a name, or all.
#[component]
fn PruneImages(
    open: RwSignal<bool>,
    engine: StoredValue<String>,
    listing: RwSignal<Listing<Image>>,
    refused: Signal<Option<String>>,
    on_end: Callback<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    let tagged = RwSignal::new(false);
    Effect::new(move || {
        if open.get() {
            tagged.set(false);
        }
    });
    let goes = Memo::new(move |_| {
        listing.with(|listing| {
            let wanted = |image: &&Image| match Use::of(image) {
                Use::Used => false,
                Use::Dangling => true,
                Use::Unused => tagged.get(),
            };
            listing.items.iter().filter(wanted).map(display_name).collect::<Vec<_>>()
        })
    });
    let begin = move || async move {
        let dangling = if tagged.get_untracked() { "false" } else { "true" };
        let filters = BTreeMap::from([("dangling".to_owned(), serde_json::json!([dangling]))]);
        operate_images(engine.get_value(), ImageOperation::Prune { filters }, Vec::new()).await
    };
    view! {
        <PruneDialog
            open
            title=say!(i18n, deployments.images.prune.title)
            text=say!(i18n, deployments.images.prune.text)
            goes
            refused
            begin
            on_end
        >
            <CheckField
                name="prune-tagged"
                label=say!(i18n, deployments.images.prune.tagged)
                hint=say!(i18n, deployments.images.prune.tagged_hint)
                value=tagged
            />
        </PruneDialog>
    }
}

fn as_csv(images: &[Image]) -> String {
    let head = ["id", "tags", "size", "containers", "created_at"];
    let rows = images.iter().map(|image| {
        vec![
            image.id.clone(),
            image.tags.join(" "),
            image.size.to_string(),
            image.containers.to_string(),
            image.created_at.to_string(),
        ]
    });
    browser::csv(std::iter::once(head.map(str::to_owned).to_vec()).chain(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn image(tag: &str, size: i64, containers: i64) -> Image {
        Image {
            id: format!("sha256:{tag}{size}"),
            tags: if tag.is_empty() { Vec::new() } else { vec![tag.to_owned()] },
            digests: Vec::new(),
            size,
            created_at: Timestamp::from_seconds(0),
            containers,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn images_without_a_name_come_last_and_sizes_sort_as_numbers() {
        let images = [image("", 5, 0), image("nginx:1.27", 30, 1), image("nginx:1.9", 200, 0)];
        let told =
            |sort: &str, used: &str| arrange(&images, "", used, sort).iter().map(|it| it.size).collect::<Vec<_>>();

        assert_eq!(told("", ""), [200, 30, 5]);
        assert_eq!(told("-size", ""), [200, 30, 5]);
        assert_eq!(told("size", "unused"), [200]);
        assert_eq!(told("", "dangling"), [5]);
    }
}
