//! The parts of a list page: search box, filters, heads, columns, page turns, export. What they change
//! stands in the address; the chosen columns stand in a cookie.

use super::{
    browser,
    button::{ActionButton, ButtonLook, LinkButton},
    icon::Icon,
    menu::{Menu, MenuItem},
    setting::setting,
};
use crate::i18n::{Locale, say, t, t_string, use_i18n};
use icondata_lu as lu;
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use std::time::Duration;

/// How long after the last letter a search of the server begins.
const PAUSE: Duration = Duration::from_millis(250);

/// The sizes of a page to choose from.
pub const PAGE_SIZES: [usize; 4] = [25, 50, 100, 200];

/// Lines on a page until somebody chooses otherwise.
pub const USUAL_SIZE: usize = 50;

/// The size of a page as an address says it; what cannot be chosen counts as not said.
pub fn page_size(text: &str) -> usize {
    text.parse().ok().filter(|size| PAGE_SIZES.contains(size)).unwrap_or(USUAL_SIZE)
}

/// How a size or page stands in an address: empty where it is the usual one.
pub fn unless_usual(value: usize, usual: usize) -> String {
    if value == usual { String::new() } else { value.to_string() }
}

/// A search box. What is typed is told after a short pause, or at once with Enter.
#[component]
pub fn SearchBox(
    /// What it looks for; also shown while it is empty.
    #[prop(into)]
    label: Signal<String>,
    /// What is looked for now, as the address has it.
    #[prop(into)]
    words: Signal<String>,
    /// How long after the last letter.
    #[prop(default = PAUSE)]
    pause: Duration,
    /// Told the words, without space at their ends.
    on_search: Callback<String>,
) -> impl IntoView {
    let typed = RwSignal::new(words.get_untracked());
    let sent = StoredValue::new(words.get_untracked());
    let timer = StoredValue::new(None::<TimeoutHandle>);
    // Going back, or clearing the filters, changes the words from outside.
    Effect::new(move || {
        let words = words.get();
        if words != sent.get_value() {
            sent.set_value(words.clone());
            typed.set(words);
        }
    });
    let stop = move || {
        timer.try_update_value(|timer| timer.take().map(|timer| timer.clear()));
    };
    let send = move || {
        stop();
        let Some(next) = typed.try_get_untracked().map(|typed| typed.trim().to_owned()) else { return };
        if next != words.get_untracked() {
            sent.set_value(next.clone());
            on_search.run(next);
        }
    };
    on_cleanup(stop);
    view! {
        <input
            class="input"
            type="search"
            name="q"
            autocomplete="off"
            aria-label=move || label.get()
            placeholder=move || label.get()
            value=typed.get_untracked()
            prop:value=move || typed.get()
            on:input=move |event| {
                typed.set(event_target_value(&event));
                stop();
                timer.set_value(set_timeout_with_handle(send, pause).ok());
            }
            on:keydown=move |event| {
                if event.key() == "Enter" {
                    send();
                }
            }
        />
    }
}

/// A chip that is a choice: dashed while it lets everything through.
#[component]
pub fn ChoiceChip(
    /// What it chooses by.
    #[prop(into)]
    label: Signal<String>,
    /// What is chosen; empty for any.
    #[prop(into)]
    value: Signal<String>,
    /// The values and their words.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
    /// Told what was chosen.
    on_choose: Callback<String>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <label class="choice-chip" data-chosen=move || (!value.get().is_empty()).then_some("true")>
            <span>{move || label.get()}</span>
            <select prop:value=move || value.get() on:change=move |event| on_choose.run(event_target_value(&event))>
                <option value="" selected=move || value.get().is_empty()>{t!(i18n, common.list.any)}</option>
                {move || {
                    let chosen = value.get();
                    options
                        .get()
                        .into_iter()
                        .map(|(value, words)| {
                            let is_chosen = value == chosen;
                            view! { <option value=value selected=is_chosen>{words}</option> }
                        })
                        .collect_view()
                }}
            </select>
        </label>
    }
}

/// Takes every filter away; stands beside them while there is one.
#[component]
pub fn ClearFilters(
    /// Whether something narrows the list.
    #[prop(into)]
    shown: Signal<bool>,
    /// Takes them away.
    on_press: Callback<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    move || {
        shown.get().then(|| {
            view! {
                <ActionButton
                    label=say!(i18n, common.list.clear_filters)
                    icon=lu::LuX
                    look=ButtonLook::Quiet
                    on_press
                />
            }
        })
    }
}

/// The order of a list as its address has it: `name`, or `-name` for greatest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorting {
    /// The column's name.
    pub by: String,
    /// Greatest first.
    pub descending: bool,
}

impl Sorting {
    /// Reads an order; `usual` stands where none is given.
    pub fn read(text: &str, usual: &str) -> Self {
        let text = if text.is_empty() { usual } else { text };
        let (descending, by) = text.strip_prefix('-').map_or((false, text), |by| (true, by));
        Self { by: by.to_owned(), descending }
    }

    /// The order after the head of a column was pressed, as in the address; empty for the usual one.
    pub fn pressed(&self, by: &str, usual: &str) -> String {
        let next = if self.by == by && !self.descending { format!("-{by}") } else { by.to_owned() };
        if next == usual { String::new() } else { next }
    }
}

/// The head of a column that a list can be sorted by.
#[component]
pub fn SortHead(
    /// The head.
    #[prop(into)]
    label: Signal<String>,
    /// Whether the list is sorted by it, and if so whether greatest first.
    #[prop(into)]
    sorted: Signal<Option<bool>>,
    /// The address of the list sorted by it, or turned round.
    #[prop(into)]
    href: Signal<String>,
) -> impl IntoView {
    let direction = move || sorted.get().map(|descending| if descending { "descending" } else { "ascending" });
    view! {
        <th scope="col" aria-sort=direction>
            <a href=move || href.get() data-noscroll>
                {move || label.get()}
                {move || sorted.get().map(|descending| view! {
                    <Icon icon=if descending { lu::LuArrowDown } else { lu::LuArrowUp } />
                })}
            </a>
        </th>
    }
}

/// A column that can be shown or hidden.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, in the cookie and, where the list can be sorted by it, in the address.
    pub name: &'static str,
    /// Its head.
    pub label: fn(Locale) -> &'static str,
    /// Shown until the person chooses otherwise.
    pub from_start: bool,
    /// The list can be sorted by it.
    pub sorts: bool,
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The columns of a list and the person's choice among them, kept in a cookie so that the server
/// renders it from the start. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Columns {
    all: StoredValue<Vec<Column>>,
    /// Those that are shown, in order.
    pub shown: Memo<Vec<Column>>,
    choose: WriteSignal<Option<String>>,
}

impl Columns {
    /// The columns of a list; `cookie` names the cookie that keeps the choice.
    pub fn kept(cookie: &str, all: Vec<Column>) -> Self {
        let all = StoredValue::new(all);
        let (chosen, choose) = setting(cookie);
        let shown = Memo::new(move |_| {
            let chosen = chosen.get();
            all.with_value(|all| {
                all.iter()
                    .filter(|column| match chosen.as_deref() {
                        Some(names) => names.split('.').any(|name| name == column.name),
                        None => column.from_start,
                    })
                    .copied()
                    .collect()
            })
        });
        Self { all, shown, choose }
    }

    /// Whether the column of that name is shown.
    pub fn has(self, name: &str) -> bool {
        self.shown.with(|shown| shown.iter().any(|column| column.name == name))
    }

    fn switch(self, name: &'static str) {
        let shown = self.shown.get_untracked();
        let chosen: Vec<&str> = self.all.with_value(|all| {
            let is_shown = |column: &&Column| shown.contains(column) != (column.name == name);
            all.iter().filter(is_shown).map(|column| column.name).collect()
        });
        // The cookie must differ from "nothing chosen" when the last column goes.
        self.choose.set(Some(if chosen.is_empty() { "none".to_owned() } else { chosen.join(".") }));
    }
}

/// The menu that chooses the columns.
#[component]
pub fn ColumnMenu(
    /// The menu's id, unique on the page.
    id: &'static str,
    /// The columns.
    columns: Columns,
    /// Further choices of how the list looks.
    #[prop(optional)]
    children: Option<ChildrenFn>,
) -> impl IntoView {
    let i18n = use_i18n();
    let children = StoredValue::new(children);
    view! {
        <Menu
            id=id
            label=say!(i18n, common.list.columns)
            icon=lu::LuColumns3
            with_label=true
            stays=true
        >
            {columns
                .all
                .get_value()
                .into_iter()
                .map(|column| view! {
                    <label class="menu__item">
                        <input
                            type="checkbox"
                            prop:checked=move || columns.has(column.name)
                            on:change=move |_| columns.switch(column.name)
                        />
                        {move || (column.label)(i18n.get_locale())}
                    </label>
                })
                .collect_view()}
            {children.get_value().map(|children| view! { <hr /> {children()} })}
            <hr />
            <button type="button" class="menu__item" on:click=move |_| columns.choose.set(None)>
                {t!(i18n, common.list.columns_reset)}
            </button>
        </Menu>
    }
}

/// The menu that saves the list as a file which the browser makes.
#[component]
pub fn ExportMenu(
    /// The menu's id, unique on the page.
    id: &'static str,
    /// The file's name, without an ending.
    file: &'static str,
    /// The rows as CSV.
    csv: Callback<(), String>,
    /// The rows as JSON.
    json: Callback<(), String>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Menu
            id=id
            label=say!(i18n, common.list.export)
            icon=lu::LuDownload
            with_label=true
        >
            <MenuItem
                label="CSV"
                icon=lu::LuFileSpreadsheet
                on_press=Callback::new(move |()| browser::save(&format!("{file}.csv"), &csv.run(())))
            />
            <MenuItem
                label="JSON"
                icon=lu::LuFileJson
                on_press=Callback::new(move |()| browser::save(&format!("{file}.json"), &json.run(())))
            />
        </Menu>
    }
}

/// Which lines of how many a page shows, how many stand on it, and the way to the other pages.
#[component]
pub fn PageTurns(
    /// The page in sight, from 1.
    #[prop(into)]
    page: Signal<usize>,
    /// Lines on a page, one of [`PAGE_SIZES`].
    #[prop(into)]
    size: Signal<usize>,
    /// Lines on all pages.
    #[prop(into)]
    total: Signal<usize>,
    /// The address of another page.
    to_page: Callback<usize, String>,
    /// The address with another size of page.
    to_size: Callback<usize, String>,
) -> impl IntoView {
    let i18n = use_i18n();
    let last = Memo::new(move |_| total.get().div_ceil(size.get().max(1)).max(1));
    let range = move || {
        let (page, size, total) = (page.get().max(1), size.get(), total.get());
        let from = ((page - 1) * size + 1).min(total).to_string();
        t_string!(
            i18n,
            common.list.range,
            from = from,
            to = (page * size).min(total).to_string(),
            total = total.to_string()
        )
    };
    let no_page = move |is_none: bool| is_none.then(|| t_string!(i18n, common.list.no_page).to_owned());
    view! {
        <nav class="pages" aria-label=t!(i18n, common.list.pages)>
            <span class="number">{range}</span>
            <SizeChoice size to_size />
            {move || (last.get() > 1).then(|| view! {
                <LinkButton
                    href=Signal::derive(move || to_page.run(page.get().saturating_sub(1).max(1)))
                    label=say!(i18n, common.list.previous)
                    icon=lu::LuChevronLeft
                    look=ButtonLook::Icon
                    refused=Signal::derive(move || no_page(page.get() <= 1))
                />
                <span class="number">{move || format!("{} / {}", page.get(), last.get())}</span>
                <LinkButton
                    href=Signal::derive(move || to_page.run((page.get() + 1).min(last.get())))
                    label=say!(i18n, common.list.next)
                    icon=lu::LuChevronRight
                    look=ButtonLook::Icon
                    refused=Signal::derive(move || no_page(page.get() >= last.get()))
                />
            })}
        </nav>
    }
}

/// The way through a list that is paged by its newest lines: back to them, and on to older ones.
#[component]
pub fn OlderTurns(
    /// The address of the first page; `None` when it is in sight.
    #[prop(into)]
    first: Signal<Option<String>>,
    /// The address of the next page; `None` when this is the last.
    #[prop(into)]
    next: Signal<Option<String>>,
    /// Lines on a page, one of [`PAGE_SIZES`].
    #[prop(into)]
    size: Signal<usize>,
    /// The address with another size of page.
    to_size: Callback<usize, String>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <nav class="pages" aria-label=t!(i18n, common.list.pages)>
            <SizeChoice size to_size />
            {move || first.get().map(|href| view! {
                <LinkButton
                    href
                    label=say!(i18n, common.list.first)
                    icon=lu::LuChevronsLeft
                    look=ButtonLook::Quiet
                />
            })}
            {move || next.get().map(|href| view! {
                <LinkButton
                    href
                    label=say!(i18n, common.list.next)
                    icon=lu::LuChevronRight
                    look=ButtonLook::Quiet
                />
            })}
        </nav>
    }
}

/// How many lines stand on a page.
#[component]
fn SizeChoice(size: Signal<usize>, to_size: Callback<usize, String>) -> impl IntoView {
    let i18n = use_i18n();
    let navigate = StoredValue::new(use_navigate());
    view! {
        <select
            class="input"
            aria-label=t!(i18n, common.list.page_size)
            prop:value=move || size.get().to_string()
            on:change=move |event| {
                let address = untrack(|| to_size.run(page_size(&event_target_value(&event))));
                let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
                navigate.with_value(|navigate| navigate(&address, options));
            }
        >
            {PAGE_SIZES.map(|choice| view! {
                <option value=choice.to_string() selected=move || size.get() == choice>
                    {move || t_string!(i18n, common.list.per_page, count = choice.to_string())}
                </option>
            })}
        </select>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_pressed_again_turns_the_order_around() {
        let usual = Sorting::read("", "name");

        assert_eq!(usual.pressed("name", "name"), "-name");
        assert_eq!(usual.pressed("created", "name"), "created");
        assert_eq!(Sorting::read("created", "name").pressed("created", "name"), "-created");
        assert_eq!(Sorting::read("-created", "name").pressed("created", "name"), "created");
        assert_eq!(Sorting::read("-name", "name").pressed("name", "name"), "");
    }

    #[test]
    fn what_is_usual_does_not_stand_in_the_address() {
        assert_eq!([page_size("100"), page_size("7"), page_size("")], [100, USUAL_SIZE, USUAL_SIZE]);
        assert_eq!([unless_usual(1, 1), unless_usual(2, 1)], ["", "2"]);
    }
}
