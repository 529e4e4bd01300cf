//! The pages of runs: the form that starts one, one live, and all that were; and what the pages of
//! machines, hosts, playbooks, schedules and credentials show beside their fields.

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
mod result;
mod run;
mod run_form;
pub mod schedule;
pub mod survey;
mod tree;
pub mod versions;

pub use badge::{RecapBar, RunBadge, TaskBadge, recap_words, state_word};
pub use compare::ComparePage;
pub use history::{RunList, RunsPage};
pub use of_record::{RUNS_OF_MACHINE, RUNS_OF_PLAYBOOK, run_playbook};
pub use run::RunPage;
pub use run_form::{NewRunPage, RunPlaybookPage};

use super::model::Run;
use crate::{
    id::Id,
    jobs::{model::Job, ui::span},
};

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
