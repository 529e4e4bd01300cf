//! The columns of a list: which there are, and which the person has chosen.

use super::{
    super::{Field, Kind, Shape, Tenancy, Text},
    leading_field,
};
use crate::{
    app::{beside, use_session},
    i18n::{say, t, use_i18n},
    text,
    ui::{Menu, setting},
};
use leptos::prelude::*;

/// What a column shows.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// A field of the entity.
    Field(&'static Field),
    /// What no field holds.
    Beside(beside::Column),
    /// Whose the record is.
    Customer,
    /// Whether it is enabled.
    Enabled,
    /// When it was made.
    Created,
    /// When it was last changed.
    Changed,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the API.
    pub name: &'static str,
    /// Its head.
    pub label: Text,
    /// What it shows.
    pub shows: Shows,
    /// Shown until the person chooses otherwise.
    from_start: bool,
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Column {
    const fn base(name: &'static str, label: Text, shows: Shows, from_start: bool) -> Self {
        Self { name, label, shows, from_start }
    }

    /// Whether sorting by it makes sense to a person: a list of words and another record's id have no order.
    pub fn is_sortable(self) -> bool {
        match self.shows {
            Shows::Field(field) => {
                field.is_column() && !matches!(field.shape, Shape::Words | Shape::Addresses | Shape::Reference(_))
            }
            Shows::Customer | Shows::Beside(_) => false,
            Shows::Enabled | Shows::Created | Shows::Changed => true,
        }
    }
}

/// Every column of a kind, in order; the first one leads to the details and is always shown.
fn all(kind: &'static Kind, is_platform: bool) -> Vec<Column> {
    let of_field = |field: &'static Field| Column {
        name: field.name,
        label: field.label,
        shows: Shows::Field(field),
        from_start: field.listed,
    };
    let lead = leading_field(kind);
    let mut columns: Vec<Column> = kind.field(lead).map(of_field).into_iter().collect();
    columns.extend(kind.fields.iter().filter(|field| field.name != lead && is_shown(field)).map(of_field));
    columns.extend(
        beside::columns(kind)
            .iter()
            .map(|column| Column::base(column.name, column.label, Shows::Beside(*column), true)),
    );
    if is_platform && kind.tenancy == Tenancy::PerCustomer {
        columns.push(Column::base("customer", text!(records.page.customer), Shows::Customer, true));
    }
    if !kind.read_only {
        columns.push(Column::base("enabled", text!(records.page.state), Shows::Enabled, false));
        columns.push(Column::base("created_at", text!(records.page.created_at), Shows::Created, false));
        columns.push(Column::base("updated_at", text!(records.page.updated_at), Shows::Changed, true));
    }
    columns
}

/// Secrets are never read, and YAML says nothing in one line.
fn is_shown(field: &Field) -> bool {
    !matches!(field.shape, Shape::Secret | Shape::Lines { language: super::super::Language::Yaml, .. })
}

/// The columns of a list and the person's choice among them.
#[derive(Clone, Copy)]
pub struct Columns {
    all: StoredValue<Vec<Column>>,
    /// Those that are shown, in order.
    pub shown: Memo<Vec<Column>>,
    choose: WriteSignal<Option<String>>,
}

impl Columns {
    /// The columns of a kind; the choice is kept in a cookie, so that the server renders it from the start.
    pub fn of(kind: &'static Kind) -> Self {
        let is_platform = use_session().is_some_and(|session| session.is_platform());
        let all = StoredValue::new(all(kind, is_platform));
        let (chosen, choose) = setting(&format!("columns-{}", kind.plural));
        let shown = Memo::new(move |_| {
            let chosen = chosen.get();
            let names: Option<Vec<&str>> = chosen.as_deref().map(|chosen| chosen.split('.').collect());
            all.with_value(|all| {
                all.iter()
                    .enumerate()
                    .filter(|(place, column)| match &names {
                        _ if *place == 0 => true,
                        Some(names) => names.contains(&column.name),
                        None => column.from_start,
                    })
                    .map(|(_, column)| *column)
                    .collect()
            })
        });
        Self { all, shown, choose }
    }

    /// The fields that must be asked for: those shown and the one that names a record.
    pub fn fields(self, kind: &'static Kind) -> Vec<String> {
        let mut names = vec![kind.title.to_owned()];
        for column in self.shown.get() {
            if matches!(column.shows, Shows::Field(_)) && column.name != kind.title {
                names.push(column.name.to_owned());
                names.extend(beside::reads_too(kind, column.name).map(str::to_owned));
            }
        }
        names
    }

    /// Whether what stands beside the fields must be asked for.
    pub fn needs_beside(self) -> bool {
        self.shown.with(|shown| shown.iter().any(|column| matches!(column.shows, Shows::Beside(_))))
    }

    fn switch(self, name: &'static str, on: bool) {
        let shown = self.shown.get_untracked();
        let chosen: Vec<&str> = self.all.with_value(|all| {
            all.iter()
                .skip(1)
                .map(|column| column.name)
                .filter(|known| if *known == name { on } else { shown.iter().any(|column| column.name == *known) })
                .collect()
        });
        // The cookie must differ from "nothing chosen" when the last column goes.
        self.choose.set(Some(if chosen.is_empty() { "none".to_owned() } else { chosen.join(".") }));
    }
}

/// Chooses the columns.
#[component]
pub fn ColumnChoice(
    /// The columns.
    columns: Columns,
) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <Menu
            id="columns"
            label=say!(i18n, common.list.columns)
            icon=icondata_lu::LuColumns3
            with_label=true
            stays=true
        >
            {columns
                .all
                .get_value()
                .into_iter()
                .skip(1)
                .map(|column| view! {
                    <label class="menu__item">
                        <input
                            type="checkbox"
                            prop:checked=move || columns.shown.get().contains(&column)
                            on:change=move |event| columns.switch(column.name, event_target_checked(&event))
                        />
                        {move || (column.label)(i18n.get_locale())}
                    </label>
                })
                .collect_view()}
            <hr />
            <button type="button" class="menu__item" on:click=move |_| columns.choose.set(None)>
                {t!(i18n, records.page.columns_reset)}
            </button>
        </Menu>
    }
}
