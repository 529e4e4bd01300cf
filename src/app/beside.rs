//! What the pages of a record show beside what follows from its description: tabs, buttons and special
//! inputs, by kind. The only place where the base of all records meets the slices that know one of them.

use crate::{
    authentication::ui::user_actions,
    error::{Error, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    provisioning::ui::{
        LAST_RUN, RUNS_OF_PLAYBOOK, credential, editor, examples, files, host, machine, run_playbook, schedule,
        schedule_options, survey, versions,
    },
    storage::item::{Field, Kind, RawRecord, Text, calls::Begun},
    ui::Pick,
};
use leptos::prelude::*;
use serde_json::Value;

/// A part of a record's page beside its overview and its history.
#[derive(Clone, Copy)]
pub struct Tab {
    /// Its name in the address: `?tab=…`.
    pub name: &'static str,
    /// What a person reads.
    pub label: fn(Locale) -> &'static str,
    /// What it shows. Made once for a record, which changes in place while it is open.
    pub view: fn(Signal<RawRecord>) -> AnyView,
}

/// The tabs of a kind, in their order, behind the overview.
pub fn tabs(kind: &'static Kind) -> &'static [Tab] {
    match kind.name {
        "host" => host::TABS,
        "machine" => machine::TABS,
        "playbook" => &[FILES, VERSIONS, RUNS_OF_PLAYBOOK],
        "schedule" => schedule::TABS,
        _ => &[],
    }
}

const FILES: Tab = Tab { name: "files", label: |locale| td_string!(locale, playbooks.tree.tab), view: files::tab };

const VERSIONS: Tab =
    Tab { name: "versions", label: |locale| td_string!(locale, playbooks.versions.tab), view: versions::tab };

/// What stands first on the overview of a record; made once, like a [`Tab`].
pub fn overview(kind: &'static Kind, record: Signal<RawRecord>) -> Option<AnyView> {
    match kind.name {
        "credential" => Some(credential::overview(record)),
        "playbook" => Some(editor::overview(record)),
        "schedule" => Some(schedule::overview(record)),
        _ => None,
    }
}

/// What stands below an empty list, beside the way to make a first record.
pub fn on_empty_list(kind: &'static Kind) -> Option<AnyView> {
    match kind.name {
        "playbook" => Some(examples::on_empty_list()),
        _ => None,
    }
}

/// Whether [`overview`] tells a field already, so that it does not stand among the facts as well.
pub fn is_told(kind: &'static Kind, field: &'static Field) -> bool {
    matches!(
        (kind.name, field.name),
        ("credential", "public_key" | "fingerprint")
            | ("schedule", "cron" | "time_zone" | "language" | "last_at" | "last_run" | "last_result" | "last_reason")
    )
}

/// A column of a list beside those of the fields. The server gives what it shows with the page of the list.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name among the columns that a person chooses.
    pub name: &'static str,
    /// Its head.
    pub label: Text,
    /// Shows what the server gave for one record.
    pub cell: fn(&Value) -> AnyView,
}

/// The further columns of a kind's list.
pub fn columns(kind: &'static Kind) -> &'static [Column] {
    match kind.name {
        "playbook" => LAST_RUN,
        _ => &[],
    }
}

/// What changes the further columns of a kind's list, beside the records themselves.
pub fn changes(kind: &'static Kind) -> Option<Topic> {
    (kind.name == "playbook").then_some(Topic::Runs)
}

/// The cell of a field whose kind shows it better than its shape does.
pub fn cell(kind: &'static Kind, field: &'static Field, record: &RawRecord) -> Option<AnyView> {
    match (kind.name, field.name) {
        ("schedule", "last_result") => schedule::last_result(record),
        _ => None,
    }
}

/// A field that [`cell`] reads beside its own.
pub fn reads_too(kind: &'static Kind, field: &'static str) -> Option<&'static str> {
    match (kind.name, field) {
        ("schedule", "last_result") => Some("last_run"),
        _ => None,
    }
}

/// Buttons at the head of a live record's page, before *Edit*; made once, like a [`Tab`].
pub fn actions(kind: &'static Kind, record: Signal<RawRecord>) -> Option<AnyView> {
    match kind.name {
        "credential" => Some(credential::actions(record)),
        "machine" => Some(machine::actions(record)),
        "playbook" => Some(run_playbook(record)),
        "schedule" => Some(schedule::actions(record)),
        "user" => Some(user_actions(record)),
        _ => None,
    }
}

/// The parameter of `/PLURAL/new` that names what a new record is begun from.
pub fn begins_from(kind: &'static Kind) -> Option<&'static str> {
    match kind.name {
        "schedule" => Some("from_run"),
        _ => None,
    }
}

/// The first values of a new record that is begun from something else.
///
/// # Errors
/// [`Error::NotFound`] when that is not in reach.
pub async fn begin(kind: &'static Kind, from: String) -> Result<Begun> {
    match kind.name {
        "schedule" => schedule::begin(from).await,
        _ => Err(Error::not_found(kind.name)),
    }
}

/// What an input of a form is given.
#[derive(Clone)]
pub struct Input {
    /// The id of the input, `record-FIELD`, by which its label and its problem find it.
    pub name: String,
    /// What a person reads.
    pub label: Signal<String>,
    /// The text; what stands here is saved.
    pub value: RwSignal<String>,
    /// Must have a value.
    pub required: bool,
    /// True for a record that is not yet kept.
    pub is_new: bool,
    /// A line of help.
    pub hint: Signal<Option<String>>,
    /// What is wrong with it.
    pub problem: Signal<Option<String>>,
    /// The texts of the form's other inputs, by the field's name.
    pub other: Callback<&'static str, Option<RwSignal<String>>>,
    /// The records that are picked in the form's other inputs, by the field's name.
    pub picked: Callback<&'static str, Option<RwSignal<Vec<Pick>>>>,
}

/// The input of a field whose kind has a better one than its shape gives.
pub fn control(kind: &'static Kind, field: &'static Field) -> Option<fn(Input) -> AnyView> {
    match (kind.name, field.name) {
        ("credential", "secret") => Some(credential::secret),
        ("credential", "passphrase") => Some(credential::passphrase),
        ("playbook", "content") => Some(editor::content_control),
        ("playbook", "survey") => Some(survey::control),
        ("schedule", "cron") => Some(schedule::cron_input),
        ("schedule", "options") => Some(schedule_options::control),
        ("schedule", "time_zone") => Some(schedule::zone_input),
        _ => None,
    }
}
