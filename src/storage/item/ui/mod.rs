//! Pages that follow from a description: list, form, details, history and import of any entity.
//!
//! Nothing here knows a single entity: every page is made from a [`Kind`] and values, so a new entity
//! has its pages from the start, and the browser loads their code once.

mod address;
mod columns;
mod details;
mod draft;
mod filters;
mod form;
mod history;
mod import;
mod list;
mod value;
mod words;
mod work;

pub use filters::RecordPicker;

use super::{
    Fields, Kind, RawRecord, Shape,
    calls::{self, Shown},
};
use crate::{
    app::NotHere,
    error::Result,
    events::{client::use_changes, model::Topic},
    id::Id,
    storage::{entry, kind_by_plural},
    ui::part,
};
use leptos::prelude::*;
use leptos_router::{
    components::{Outlet, ParentRoute, Route},
    hooks::use_params_map,
    path,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The routes of every entity. They take any first part of an address and stand after all others.
#[component(transparent)]
pub fn RecordRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!(":plural") view=Outlet>
            <Route path=path!("") view=LIST />
            <Route path=path!("new") view=NEW />
            <Route path=path!("import") view=IMPORT />
            <Route path=path!(":id") view=DETAILS />
            <Route path=path!(":id/edit") view=EDIT />
        </ParentRoute>
    }
    .into_inner()
}

/// Puts every entity's own address in place of the open first part, so that the server knows which
/// addresses are pages and answers all others itself.
#[cfg(feature = "ssr")]
pub fn expand_routes(routes: Vec<leptos_axum::AxumRouteListing>) -> Vec<leptos_axum::AxumRouteListing> {
    const OPEN: &str = "/{plural}";
    let mut expanded = Vec::new();
    for route in routes {
        let Some(rest) = route.path().strip_prefix(OPEN) else {
            expanded.push(route);
            continue;
        };
        for kind in crate::storage::kinds() {
            let path = format!("/{}{rest}", kind.plural);
            let methods: Vec<_> = route.methods().collect();
            expanded.push(leptos_axum::AxumRouteListing::new(path, route.mode().clone(), methods, Vec::new()));
        }
    }
    expanded
}

/// The names of a kind's records by id, kept current; empty until they are known. As many as one page holds.
pub fn use_names(kind: &'static str) -> Signal<BTreeMap<String, String>> {
    let names = RwSignal::new(BTreeMap::new());
    let changes = use_changes(vec![Topic::Records(kind.to_owned())]);
    Effect::new(move || {
        changes.track();
        leptos::task::spawn_local(async move {
            if let Ok(named) = calls::record_names(kind.to_owned()).await {
                names.try_set(named.into_iter().map(|record| (record.id, record.label)).collect());
            }
        });
    });
    names.into()
}

/// Shows a page of the entity that the address names, where it has that page.
fn of_kind(show: fn(&'static Kind, Option<Id<()>>) -> Option<AnyView>) -> AnyView {
    let params = use_params_map();
    let plural = Memo::new(move |_| params.with(|params| params.get("plural")).unwrap_or_default());
    let id = Memo::new(move |_| params.with(|params| params.get("id")).and_then(|id| id.parse().ok()));
    (move || {
        let kind = plural.with(|plural| kind_by_plural(plural));
        kind.and_then(|kind| show(kind, id.get())).unwrap_or_else(|| view! { <NotHere /> }.into_any())
    })
    .into_any()
}

part! { records:
    LIST => of_kind(|kind, _| Some(view! { <list::ListPage kind /> }.into_any())),
    NEW => of_kind(|kind, _| {
        entry(kind.name).filter(|_| !kind.read_only).map(|entry| view! { <form::NewPage entry /> }.into_any())
    }),
    IMPORT => of_kind(|kind, _| kind.importable.then(|| view! { <import::ImportPage kind /> }.into_any())),
    DETAILS => of_kind(|kind, id| id.map(|id| view! { <details::DetailsPage kind id /> }.into_any())),
    EDIT => of_kind(|kind, id| {
        let (entry, id) = (entry(kind.name).filter(|_| !kind.read_only)?, id?);
        Some(view! { <form::EditPage entry id /> }.into_any())
    }),
}

/// The field that stands first in a list and leads to the details: the title where it is listed.
fn leading_field(kind: &Kind) -> &'static str {
    let first = kind.fields.iter().find(|field| field.listed).map_or(kind.title, |field| field.name);
    if kind.read_only { first } else { kind.title }
}

/// What a person calls a record: its title, or the start of its id where it has none.
fn name_of(kind: &Kind, record: &RawRecord) -> String {
    match record.item.get(kind.title).and_then(Value::as_str) {
        Some(title) if !title.is_empty() => title.to_owned(),
        _ => short(&record.base.id.to_string()),
    }
}

/// The end of an id, which tells records apart that were made in the same moment.
fn short(id: &str) -> String {
    id.rsplit('-').next().unwrap_or(id).to_owned()
}

/// One record, live or removed, with the names of what it refers to.
async fn ask(kind: &'static Kind, id: Id<()>) -> Result<Shown> {
    calls::get_record(kind.name.to_owned(), id.to_string()).await
}

/// The fields of a record as a change sends them: without what the system sets.
fn writable(kind: &Kind, record: &RawRecord) -> Fields {
    kind.fields
        .iter()
        .filter(|field| !field.read_only && !matches!(field.shape, Shape::Secret))
        .filter_map(|field| record.item.get(field.name).map(|value| (field.name.to_owned(), value.clone())))
        .collect()
}
