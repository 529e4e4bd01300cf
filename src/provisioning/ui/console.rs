//! What a run printed: the job's output, with a search over all of it.

use crate::{
    error::Result,
    events::client::LINES_KEPT,
    i18n::{say, t_string, use_i18n},
    id::Id,
    jobs::{api::search_job, model::Job, ui::line_mark},
    ui::{LogBuffer, LogFound, LogMatch, LogSearch, LogTools, LogView, use_log_look},
};
use leptos::prelude::*;

/// The console of a run.
#[component]
pub(super) fn Console(
    /// The run.
    id: Id<Job>,
    /// Its lines.
    buffer: LogBuffer,
    /// What the run is called.
    title: Signal<String>,
    /// Whether no line will follow.
    is_over: Memo<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let look = use_log_look();
    let marked = RwSignal::new(None::<String>);
    let count = buffer.count();
    view! {
        <div class="filters log-tools">
            <LogTools look download=format!("/api/v1/jobs/{id}/output?download=true") />
        </div>
        <LogSearch
            label=say!(i18n, run_page.console.search)
            search=move |words| search(id, words)
            marked
        />
        {move || (count.get() + 100 > LINES_KEPT).then(|| view! {
            <p class="soft run__older">{t_string!(i18n, run_page.console.older, count = count.get().to_string())}</p>
        })}
        <Output buffer title is_over wrap=Signal::from(look.wrap) times=Signal::from(look.times) marked=Signal::from(marked) />
    }
}

/// Searches the whole output where it is kept.
async fn search(id: Id<Job>, words: String) -> Result<LogFound> {
    let found = search_job(id, words).await?;
    let matches: Vec<LogMatch> = found
        .matches
        .iter()
        .map(|line| LogMatch {
            number: line.sequence.unsigned_abs(),
            mark: Some(line_mark(line)),
            time: None,
            text: line.text.clone(),
        })
        .collect();
    let total = found.total.unsigned_abs();
    // The last ones are given.
    Ok(LogFound { before: total.saturating_sub(matches.len() as u64), matches, total, lines: None, truncated: false })
}

/// The lines alone.
#[component]
pub(super) fn Output(
    /// The lines.
    buffer: LogBuffer,
    /// What the run is called.
    title: Signal<String>,
    /// Whether no line will follow.
    is_over: Memo<bool>,
    /// Long lines go on in the next row.
    wrap: Signal<bool>,
    /// Each line begins with its time.
    times: Signal<bool>,
    /// The line that is looked for.
    #[prop(optional)]
    marked: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let empty = Signal::derive(move || {
        if is_over.get() {
            t_string!(i18n, run_page.console.said_nothing)
        } else {
            t_string!(i18n, run_page.console.says_nothing)
        }
        .to_owned()
    });
    let label = Signal::derive(move || t_string!(i18n, run_page.console.of, title = title.get()));
    view! { <LogView buffer label wrap times marked empty /> }
}
