//! How values are shown: in a cell, among the facts, in a line of history.

use super::{
    super::{Field, Language, Shape},
    short,
};
use crate::{
    i18n::{Locale, t, td_string, use_i18n},
    storage,
    time::Timestamp,
    ui::Ago,
};
use leptos::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Names of records by id.
pub type Labels = BTreeMap<String, String>;

/// How many of a list a cell shows.
const IN_CELL: usize = 3;

/// Nothing there.
pub fn nothing() -> AnyView {
    view! { <span class="faint" aria-hidden="true">"–"</span> }.into_any()
}

/// A value in one line of a table.
pub fn cell(field: &'static Field, value: &Value, labels: Signal<Labels>) -> AnyView {
    show(field, value, labels, Some(IN_CELL))
}

/// A value in full.
pub fn full(field: &'static Field, value: &Value, labels: Signal<Labels>) -> AnyView {
    show(field, value, labels, None)
}

fn show(field: &'static Field, value: &Value, labels: Signal<Labels>, most: Option<usize>) -> AnyView {
    let i18n = use_i18n();
    let text = value.as_str().unwrap_or_default().to_owned();
    match (field.shape, value) {
        (_, Value::Null) => nothing(),
        (_, Value::String(text)) if text.is_empty() => nothing(),
        (_, Value::Array(list)) if list.is_empty() => nothing(),
        (Shape::Choice(choices), _) => {
            let choice = choices.iter().find(|choice| choice.value == text).map(|choice| choice.label);
            match choice {
                Some(label) => view! { {move || label(i18n.get_locale())} }.into_any(),
                None => text.into_any(),
            }
        }
        (Shape::Switch, _) => {
            let on = value.as_bool().unwrap_or_default();
            view! { {move || if on { t!(i18n, common.yes).into_any() } else { t!(i18n, common.no).into_any() }} }
                .into_any()
        }
        (Shape::Time, _) => match text.parse::<Timestamp>() {
            Ok(at) => view! { <Ago at /> }.into_any(),
            Err(_) => text.into_any(),
        },
        (Shape::Reference(kind), _) => reference(kind, text, labels),
        (Shape::References { kind, .. }, Value::Array(list)) => several(list, most, |id| reference(kind, id, labels)),
        (Shape::Words, Value::Array(list)) => {
            several(list, most, |word| view! { <span class="tag">{word}</span> }.into_any())
        }
        (Shape::Addresses, Value::Array(list)) => {
            several(list, most, |address| view! { <span class="mono">{address}</span> }.into_any())
        }
        (Shape::Ipv4 | Shape::Ipv6 | Shape::Mac, _) => view! { <span class="mono">{text}</span> }.into_any(),
        (Shape::Lines { .. }, _) if most.is_some() => {
            view! { <span class="soft">{text.lines().next().unwrap_or_default().to_owned()}</span> }.into_any()
        }
        (Shape::Lines { language: Language::Yaml, .. }, _) => {
            view! { <pre class="record__code" tabindex="0"><code>{text}</code></pre> }.into_any()
        }
        (Shape::Lines { language: Language::Plain, .. }, _) => view! { <p class="record__words">{text}</p> }.into_any(),
        (_, Value::String(_)) => text.into_any(),
        (_, other) => view! { <span class="number">{other.to_string()}</span> }.into_any(),
    }
}

fn several(list: &[Value], most: Option<usize>, one: impl Fn(String) -> AnyView) -> AnyView {
    let words: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let shown = most.unwrap_or(words.len()).min(words.len());
    let more = words.len() - shown;
    let rest = words[shown..].join(", ");
    let views = words.into_iter().take(shown).map(one).collect_view();
    view! {
        <span class="several">
            {views}
            {(more > 0).then(|| view! { <span class="soft number" title=rest>{format!("+{more}")}</span> })}
        </span>
    }
    .into_any()
}

/// A link to another record, with its name.
pub fn reference(kind: &'static str, id: String, labels: Signal<Labels>) -> AnyView {
    let Some(target) = storage::kind(kind) else { return short(&id).into_any() };
    let address = format!("/{}/{id}", target.plural);
    // Somebody outside of the reader's reach has no name here, and no page either.
    view! {
        {move || match labels.with(|labels| labels.get(&id).cloned()) {
            Some(name) => view! { <a class="reference" href=address.clone()>{name}</a> }.into_any(),
            None => view! { <span class="mono soft" title=id.clone()>{short(&id)}</span> }.into_any(),
        }}
    }
    .into_any()
}

/// A value as plain text, for a line of history and for what is picked.
pub fn plain(field: Option<&'static Field>, value: &Value, labels: &Labels, locale: Locale) -> String {
    let name = |id: &str| labels.get(id).cloned().unwrap_or_else(|| short(id));
    match (field.map(|field| field.shape), value) {
        (_, Value::Null) => "–".to_owned(),
        (_, Value::Bool(true)) => td_string!(locale, common.yes).to_owned(),
        (_, Value::Bool(false)) => td_string!(locale, common.no).to_owned(),
        (Some(Shape::Choice(choices)), Value::String(text)) => choices
            .iter()
            .find(|choice| choice.value == text)
            .map_or_else(|| text.clone(), |choice| (choice.label)(locale).to_owned()),
        (Some(Shape::Reference(_)), Value::String(id)) => name(id),
        (Some(Shape::References { .. }), Value::Array(list)) if !list.is_empty() => {
            list.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(", ")
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(list)) if list.is_empty() => "–".to_owned(),
        (_, Value::Array(list)) => list
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        (_, other) => other.to_string(),
    }
}
