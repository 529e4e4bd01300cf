//! Pages of jobs: the drawer of what runs, the list of all, and one job live.

mod badge;
mod drawer;
mod list;
mod output;
mod page;
mod progress;

pub use badge::JobBadge;
pub use drawer::JobsDrawer;
pub use list::JobsPage;
pub use output::{line_mark, log_of};
pub use page::OneJobPage;
pub use progress::{Parts, ProgressLine};

use super::model::Job;
use crate::{
    app::{refusal, use_session},
    authentication::policy::Verb,
    i18n::Locale,
    time::Timestamp,
};
use leptos::prelude::*;

/// Why the signed-in person may not cancel a job; `None` when they may. Everybody may cancel their own.
pub fn cancel_refusal(person: Signal<Option<crate::id::Id<crate::storage::User>>>) -> Signal<Option<String>> {
    let me = use_session().map(|session| session.user);
    let others = refusal(Verb::Operate, "job");
    Signal::derive(move || if me.is_some() && person.get() == me { None } else { others.get() })
}

/// How long something took, from its start to its end: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    let millis = to.millis().saturating_sub(from.millis()).max(0);
    match millis {
        0..=999 => format!("{millis} ms"),
        1_000..=59_999 => format!("{} s", millis / 1000),
        60_000..=3_599_999 => format!("{} min {} s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// How long a job has run, once it has ended.
fn took(job: &Job) -> Option<String> {
    Some(span(job.started_at?, job.finished_at?))
}

/// Whether a job is the run of a playbook, which has a page of its own.
pub fn is_run(kind: &str) -> bool {
    kind.starts_with("run.")
}

/// The page that shows a job best: the run's, where it is one.
pub fn page_of(job: &Job) -> String {
    if is_run(&job.kind) { format!("/runs/{}", job.id) } else { format!("/jobs/{}", job.id) }
}

/// Why a job has no good outcome, in the words that were kept with it.
fn failure(job: &Job, locale: Locale) -> Option<String> {
    let error = job.outcome.as_ref()?.get("error")?;
    if error.get("code")?.as_str()? == "internal" {
        // The stored sentence is in the requester's language; the number is what helps.
        let request = error.get("request").and_then(|number| number.as_str()).unwrap_or_default().to_owned();
        return Some(crate::error::Error::Internal { request }.message(locale));
    }
    error.get("message")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_two_units_at_most() {
        let told = |millis| span(Timestamp::from_millis(0), Timestamp::from_millis(millis));

        assert_eq!([told(-5), told(850), told(12_900)], ["0 ms", "850 ms", "12 s"]);
        assert_eq!([told(200_000), told(7_500_000)], ["3 min 20 s", "2 h 5 min"]);
    }
}
