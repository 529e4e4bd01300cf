//! The search box and the filters of a list, all of them in its address.

use super::{
    super::{Choice, Kind, Query, Shape, Sort, Tenancy, Text, calls},
    address::ListView,
    value::Labels,
    words::switch_words,
};
use crate::{
    app::use_session,
    error::Result,
    i18n::{Locale, say, t, t_string, use_i18n},
    storage, text,
    ui::{Icon, Menu, Pick, PickerField, SearchBox, use_toasts},
};
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use std::time::Duration;

/// How long after the last letter the search begins.
const PAUSE: Duration = Duration::from_millis(250);

/// What a filter offers.
#[derive(Clone, Copy)]
enum Offers {
    Choices(&'static [Choice]),
    YesNo(Text, Text),
    Records(&'static str),
}

/// One field that can be filtered on.
#[derive(Clone, Copy)]
struct Filtering {
    name: &'static str,
    label: Text,
    offers: Offers,
}

/// The filters of a kind.
fn filterings(kind: &'static Kind, is_platform: bool) -> Vec<Filtering> {
    let mut all: Vec<Filtering> = kind
        .fields
        .iter()
        .filter_map(|field| {
            let offers = match field.shape {
                Shape::Choice(choices) => Offers::Choices(choices),
                Shape::Switch => Offers::YesNo(text!(common.yes), text!(common.no)),
                Shape::Reference(kind) | Shape::References { kind, .. } => Offers::Records(kind),
                _ => return None,
            };
            Some(Filtering { name: field.name, label: field.label, offers })
        })
        .collect();
    if is_platform && kind.tenancy == Tenancy::PerCustomer {
        all.push(Filtering {
            name: "customer",
            label: text!(records.page.customer),
            offers: Offers::Records("customer"),
        });
    }
    if !kind.read_only {
        let words = switch_words(kind);
        all.push(Filtering {
            name: "enabled",
            label: text!(records.page.state),
            offers: Offers::YesNo(words.on, words.off),
        });
    }
    all
}

impl Filtering {
    /// What a person reads for one of its values.
    fn reading(self, value: &str, labels: &Labels, locale: Locale) -> String {
        match self.offers {
            Offers::Choices(choices) => choices
                .iter()
                .find(|choice| choice.value == value)
                .map_or_else(|| value.to_owned(), |choice| (choice.label)(locale).to_owned()),
            Offers::YesNo(yes, no) => if value == "true" { yes(locale) } else { no(locale) }.to_owned(),
            Offers::Records(_) => labels.get(value).cloned().unwrap_or_else(|| super::short(value)),
        }
    }
}

/// The row over a list: search box, filters as chips, and what the page puts at its end.
#[component]
pub fn Filters(
    /// The kind.
    kind: &'static Kind,
    /// What the address says.
    view: Memo<ListView>,
    /// Names of the records that filters name.
    labels: Signal<Labels>,
    /// What stands at the end.
    children: Children,
) -> impl IntoView {
    let i18n = use_i18n();
    let is_platform = use_session().is_some_and(|session| session.is_platform());
    let filterings = StoredValue::new(filterings(kind, is_platform));
    let navigate = StoredValue::new(use_navigate());
    let chips = move || {
        let locale = i18n.get_locale();
        let view = view.get();
        let mut chips: Vec<(String, String)> = Vec::new();
        for filter in &view.filter {
            let known = filterings.with_value(|all| all.iter().find(|known| known.name == filter.field).copied());
            let field = kind.field(&filter.field);
            let values: Vec<String> = filter
                .values
                .iter()
                .map(|value| match known {
                    _ if value.is_empty() => t_string!(i18n, common.none).to_owned(),
                    Some(known) => labels.with(|labels| known.reading(value, labels, locale)),
                    None => value.clone(),
                })
                .collect();
            let label = known
                .map(|known| (known.label)(locale))
                .or(field.map(|field| (field.label)(locale)))
                .unwrap_or(&filter.field);
            chips.push((format!("{label}: {}", values.join(", ")), view.filtered(&filter.field, Vec::new()).address()));
        }
        if view.deleted {
            chips.push((t_string!(i18n, records.page.removed_ones).to_owned(), view.removed(false).address()));
        }
        chips
            .into_iter()
            .map(|(text, without)| {
                view! {
                    <a
                        class="chip"
                        href=without
                        data-noscroll
                        aria-label=t_string!(i18n, records.page.drop_filter, filter = text.clone())
                    >
                        {text.clone()}
                        <Icon icon=icondata_lu::LuX />
                    </a>
                }
            })
            .collect_view()
    };
    view! {
        <div class="filters" role="search">
            <SearchBox
                label=Signal::derive(move || {
                    t_string!(i18n, records.page.search_in, what = (kind.many)(i18n.get_locale()).to_lowercase())
                })
                words=Signal::derive(move || view.with(|view| view.search.clone()))
                on_search=Callback::new(move |words: String| {
                    let next = view.get_untracked().searched(&words);
                    let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
                    navigate.with_value(|navigate| navigate(&next.address(), options));
                })
            />
            {chips}
            <Menu
                id="filters"
                label=say!(i18n, common.list.filter)
                icon=icondata_lu::LuPlus
                as_chip=true
                stays=true
            >
                <div class="filters__choices">
                    {filterings
                        .get_value()
                        .into_iter()
                        .map(|filtering| view! { <FilterChoice filtering view labels /> })
                        .collect_view()}
                    {(!kind.read_only).then(|| view! { <RemovedChoice view /> })}
                </div>
            </Menu>
            <div class="filters__end">{children()}</div>
        </div>
    }
}

/// One filter among the choices.
#[component]
fn FilterChoice(filtering: Filtering, view: Memo<ListView>, labels: Signal<Labels>) -> impl IntoView {
    let i18n = use_i18n();
    let navigate = StoredValue::new(use_navigate());
    let choose = move |values: Vec<String>| {
        let next = view.get_untracked().filtered(filtering.name, values);
        let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
        navigate.with_value(|navigate| navigate(&next.address(), options));
    };
    let label = Signal::derive(move || (filtering.label)(i18n.get_locale()).to_owned());
    let options: Vec<(&'static str, Text)> = match filtering.offers {
        Offers::Choices(choices) => choices.iter().map(|choice| (choice.value, choice.label)).collect(),
        Offers::YesNo(yes, no) => vec![("true", yes), ("false", no)],
        Offers::Records(kind) => {
            let chosen = RwSignal::new(view.with_untracked(|view| {
                let label = |id: &String| labels.with_untracked(|labels| labels.get(id).cloned());
                view.filter_on(filtering.name)
                    .iter()
                    .map(|id| Pick { id: id.clone(), label: label(id).unwrap_or_else(|| super::short(id)) })
                    .collect::<Vec<_>>()
            }));
            Effect::watch(
                move || chosen.get(),
                move |chosen, _, _| choose(chosen.iter().map(|pick| pick.id.clone()).collect()),
                false,
            );
            return view! { <RecordPicker name=format!("filter-{}", filtering.name) label kind chosen many=true /> }
                .into_any();
        }
    };
    let id = format!("filter-{}", filtering.name);
    let chosen = move || view.with(|view| view.filter_on(filtering.name).first().cloned().unwrap_or_default());
    view! {
        <div class="field">
            <label class="field__label" for=id.clone()>{move || label.get()}</label>
            <select
                class="input"
                id=id
                prop:value=chosen
                on:change=move |event| {
                    let value = event_target_value(&event);
                    choose(if value.is_empty() { Vec::new() } else { vec![value] });
                }
            >
                <option value="" selected=move || chosen().is_empty()>{t!(i18n, records.page.any)}</option>
                {options
                    .into_iter()
                    .map(|(value, label)| view! {
                        <option value=value selected=move || chosen() == value>
                            {move || label(i18n.get_locale())}
                        </option>
                    })
                    .collect_view()}
            </select>
        </div>
    }
    .into_any()
}

/// Removed records instead of live ones.
#[component]
fn RemovedChoice(view: Memo<ListView>) -> impl IntoView {
    let i18n = use_i18n();
    let navigate = StoredValue::new(use_navigate());
    view! {
        <label class="filters__removed">
            <input
                type="checkbox"
                prop:checked=move || view.with(|view| view.deleted)
                on:change=move |event| {
                    let next = view.get_untracked().removed(event_target_checked(&event));
                    let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
                    navigate.with_value(|navigate| navigate(&next.address(), options));
                }
            />
            {t!(i18n, records.page.removed_ones)}
        </label>
    }
}

/// Picks records of a kind by name.
#[component]
pub fn RecordPicker(
    /// The input's id and name.
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// The kind's name.
    kind: &'static str,
    /// What is picked.
    chosen: RwSignal<Vec<Pick>>,
    /// Only records of the customer that it gives, or of the platform where it gives none; from
    /// everybody in reach where it is absent.
    #[prop(into, optional)]
    whose: Signal<Option<Option<String>>>,
    /// Several can be picked.
    #[prop(optional)]
    many: bool,
    /// Must have a value.
    #[prop(optional)]
    required: bool,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let words = RwSignal::new(String::new());
    let toasts = use_toasts();
    // What was asked last, and what was found.
    let answer = RwSignal::new(None::<(String, Vec<Pick>)>);
    let search = move || {
        let asked = words.get_untracked().trim().to_owned();
        leptos::task::spawn_local(async move {
            let found = match find(kind, asked.clone(), whose.get_untracked()).await {
                Ok(found) => found,
                Err(error) => {
                    toasts.failed(&error);
                    Vec::new()
                }
            };
            let Some(typed) = words.try_get_untracked() else { return };
            // Answers may overtake each other; one to what is typed now is not given up for an older one.
            let has_newer = answer
                .try_with_untracked(|held| held.as_ref().is_some_and(|(held, _)| *held == typed.trim()))
                .unwrap_or(true);
            if asked == typed.trim() || !has_newer {
                answer.try_set(Some((asked, found)));
            }
        });
    };
    let is_answered = Memo::new(move |_| {
        words.with(|words| answer.with(|held| held.as_ref().is_some_and(|(asked, _)| asked == words.trim())))
    });
    let offers = Memo::new(move |_| {
        let found = answer.get().map(|(_, found)| found).unwrap_or_default();
        if is_answered.get() { found } else { words.with(|words| narrowed(found, words)) }
    });
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let stop = move || {
        timer.try_update_value(|timer| timer.take().map(|timer| timer.clear()));
    };
    Effect::watch(
        move || words.get(),
        move |_, _, _| {
            stop();
            timer.set_value(set_timeout_with_handle(search, PAUSE).ok());
        },
        false,
    );
    on_cleanup(stop);
    view! {
        <PickerField
            name
            label
            chosen
            many
            words
            offers
            waiting=Signal::derive(move || !is_answered.get())
            on_open=Callback::new(move |()| search())
            required
            hint
            problem
        />
    }
}

/// Those of an older answer that fit what is typed since, until the answer to it is there.
fn narrowed(found: Vec<Pick>, words: &str) -> Vec<Pick> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let fits = |pick: &Pick| {
        let label = pick.label.to_lowercase();
        words.iter().all(|word| label.contains(word))
    };
    found.into_iter().filter(fits).collect()
}

/// Records of a kind whose names hold the words.
async fn find(kind: &'static str, words: String, whose: Option<Option<String>>) -> Result<Vec<Pick>> {
    if let Some(customer) = whose {
        let found = calls::reference_choices(kind.to_owned(), words, customer).await?;
        return Ok(found.into_iter().map(|found| Pick { id: found.id, label: found.label }).collect());
    }
    let Some(kind) = storage::kind(kind) else { return Ok(Vec::new()) };
    let query = Query {
        search: words,
        sort: vec![Sort::parse(kind.title)],
        fields: vec![kind.title.to_owned()],
        per_page: 20,
        ..Query::default()
    };
    let page = calls::find_records(kind.name.to_owned(), query).await?;
    let pick = |record| Pick { label: super::name_of(kind, &record), id: record.base.id.to_string() };
    Ok(page.items.into_iter().map(pick).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_narrowed_to_what_is_typed_until_the_answer_is_there() {
        let found: Vec<Pick> =
            ["Web-1", "web-2", "db"].map(|label| Pick { id: label.to_owned(), label: label.to_owned() }).to_vec();
        let told = |words: &str| narrowed(found.clone(), words).into_iter().map(|pick| pick.label).collect::<Vec<_>>();

        assert_eq!(told(" web "), ["Web-1", "web-2"]);
        assert_eq!(told("2 WEB"), ["web-2"]);
        assert_eq!(told("webx"), Vec::<String>::new());
    }
}
