//! The pages of runs: the form that starts one, one live, and all that were; and what the pages of
//! machines, hosts, playbooks, schedules and credentials show beside their fields.

mod as_fields;
mod badge;
mod compare;
mod console;
pub mod credential;
mod diff;
mod draft;
pub mod editor;
pub mod examples;
pub mod files;
mod history;
pub mod host;
mod keys;
pub mod machine;
mod of_record;
mod requirements;
mod result;
mod run;
mod run_fields;
mod run_form;
pub mod schedule;
pub mod schedule_options;
pub mod survey;
mod tree;
pub mod versions;

pub use badge::{RecapBar, RunBadge, TaskBadge, recap_words, state_word};
pub use compare::ComparePage;
pub use history::{RunList, RunsPage};
pub use of_record::{LAST_RUN, RUNS_OF_MACHINE, RUNS_OF_PLAYBOOK, run_playbook};
pub use run::RunPage;
pub use run_form::{NewRunPage, RunPlaybookPage};

use super::model::Run;
use crate::{
    id::Id,
    jobs::{model::Job, ui::span},
    storage::item::RawRecord,
};
use leptos::prelude::*;
use serde_json::Value;

/// The id of a record that is shown; it is always the same one's.
fn id_of<T>(record: Signal<RawRecord>) -> Id<T> {
    record.with_untracked(|record| record.base.id.cast())
}

/// A field of a record that is shown, as it stands; empty where there is none.
fn text_of(record: Signal<RawRecord>, field: &'static str) -> Memo<String> {
    Memo::new(move |_| {
        record.with(|record| record.item.get(field).and_then(Value::as_str).unwrap_or_default().to_owned())
    })
}

/// Whose a record that is shown is, as pickers of other records want it.
fn whose(record: Signal<RawRecord>) -> Signal<Option<Option<String>>> {
    Signal::derive(move || Some(record.with(|record| record.base.customer.map(|customer| customer.to_string()))))
}

/// Shows something of a record unless it is removed.
fn while_live<T: 'static>(record: Signal<RawRecord>, view: fn(Id<T>) -> AnyView) -> AnyView {
    let is_live = Memo::new(move |_| record.with(|record| record.base.deleted_at.is_none()));
    (move || is_live.get().then(|| view(id_of(record)))).into_any()
}

/// The end of a run's number: what people call it by.
pub fn short(id: Id<Job>) -> String {
    let id = id.to_string();
    id.get(id.len().saturating_sub(6)..).unwrap_or(&id).to_owned()
}

/// How long a run took, once it has ended.
fn took(run: &Run) -> Option<String> {
    Some(span(run.started_at?, run.finished_at?))
}

/// How long something took: `0.4 s`, `12.3 s`, `3 min 20 s`.
fn duration(millis: u64) -> String {
    match millis {
        0..=59_999 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        60_000..=3_599_999 => format!("{} min {} s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_to_the_tenth_of_a_second() {
        assert_eq!([duration(0), duration(449), duration(12_340)], ["0.0 s", "0.4 s", "12.3 s"]);
        assert_eq!([duration(200_000), duration(7_500_000)], ["3 min 20 s", "2 h 5 min"]);
    }
}
