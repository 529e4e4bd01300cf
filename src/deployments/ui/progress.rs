//! A job of an engine as it goes on: what it does, its parts, and how it ended.

use crate::{
    error::Error,
    events::client::use_job_stream,
    i18n::{say, t, td_string, use_i18n},
    id::Id,
    jobs::{
        api::cancel_job,
        model::{Job, JobState},
    },
    ui::{ActionButton, Badge, Tone, bytes, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// Follows one job and shows it; tells when it has ended well.
#[component]
pub(super) fn JobProgress(
    /// The job; nothing is shown without.
    #[prop(into)]
    id: Signal<Option<Id<Job>>>,
    /// What an outcome of success means to a person.
    #[prop(optional)]
    outcome: Option<fn(&serde_json::Value) -> AnyView>,
    /// Called once when it has ended.
    #[prop(optional)]
    on_end: Option<Callback<Job>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let (job, lines) = use_job_stream(id);
    let state = Memo::new(move |_| job.with(|job| job.as_ref().map(|job| job.state)));
    let note = Memo::new(move |_| {
        job.with(|job| job.as_ref().and_then(|job| job.progress.as_ref()).map(|progress| progress.note.clone()))
            .filter(|note| !note.is_empty())
            .or_else(|| lines.with(|lines| lines.last().map(|line| line.text.clone())))
            .unwrap_or_default()
    });
    let fraction = Memo::new(move |_| {
        job.with(|job| job.as_ref().and_then(|job| job.progress.as_ref()).and_then(|it| it.fraction))
    });
    let parts = Memo::new(move |_| {
        job.with(|job| {
            job.as_ref().and_then(|job| job.progress.as_ref()).map(|it| it.parts.clone()).unwrap_or_default()
        })
    });
    let is_finished = Memo::new(move |_| state.get().is_some_and(JobState::is_finished));
    let cancelling = RwSignal::new(false);
    Effect::new(move |told: Option<bool>| {
        let ended = is_finished.get();
        if let (true, false, Some(on_end), Some(job)) = (ended, told.unwrap_or(false), on_end, job.get_untracked()) {
            on_end.run(job);
        }
        ended
    });
    let cancel = Callback::new(move |()| {
        let Some(id) = id.get_untracked() else { return };
        cancelling.set(true);
        leptos::task::spawn_local(async move {
            if let Err(error) = cancel_job(id).await {
                toasts.failed(&error);
                cancelling.try_set(false);
            }
        });
    });
    view! {
        <div class="job-progress" data-state=move || state.get().map(JobState::name)>
            <div class="row">
                <JobBadge state />
                <strong class="job-progress__title">{move || job.with(|job| job.as_ref().map(|job| job.title.clone()))}</strong>
                {move || id.get().map(|id| view! {
                    <a class="link job-progress__more" href=format!("/jobs/{id}")>{t!(i18n, deployments.images.job_page)}</a>
                })}
            </div>
            {move || (!is_finished.get()).then(|| view! {
                <progress class="bar" max="1" value=move || fraction.get() aria-label=t!(i18n, deployments.images.progress)></progress>
            })}
            <p class="soft truncate" role="status">{move || (!is_finished.get()).then(|| note.get())}</p>
            <ul class="parts">
                <For each=move || parts.get().into_iter().map(|part| part.name) key=Clone::clone let:name>
                    {
                        let named = name.clone();
                        let part = Memo::new(move |_| {
                            parts.with(|parts| parts.iter().find(|part| part.name == name).cloned()).unwrap_or_default()
                        });
                        view! {
                            <li class="parts__part">
                                <code>{named}</code>
                                <span class="soft">{move || part.get().note}</span>
                                <progress
                                    class="bar"
                                    max=move || part.get().total.max(1).to_string()
                                    value=move || { let part = part.get(); if part.total > 0 { part.done } else { 0 }.to_string() }
                                    aria-label=move || part.get().name
                                ></progress>
                                <span class="number soft">
                                    {move || {
                                        let part = part.get();
                                        (part.total > 0).then(|| format!("{} / {}", bytes(part.done, i18n.get_locale()), bytes(part.total, i18n.get_locale())))
                                    }}
                                </span>
                            </li>
                        }
                    }
                </For>
            </ul>
            {move || {
                let job = job.get().filter(|job| job.state.is_finished())?;
                let result = job.outcome.unwrap_or_default();
                Some(match job.state {
                    JobState::Succeeded => outcome.map(|outcome| outcome(&result)).into_any(),
                    JobState::Queued | JobState::Running => ().into_any(),
                    JobState::Failed | JobState::Cancelled | JobState::Lost => {
                        let words = failure(&result).map(|error| error.message(i18n.get_locale()));
                        view! { <p class="field__problem" role="alert">{words}</p> }.into_any()
                    }
                })
            }}
            {move || (state.get().is_some() && !is_finished.get()).then(|| view! {
                <div class="row">
                    <ActionButton
                        label=say!(i18n, deployments.images.cancel_job)
                        icon=lu::LuX
                        busy=cancelling
                        on_press=cancel
                    />
                    <span class="soft">{t!(i18n, deployments.images.goes_on)}</span>
                </div>
            })}
        </div>
    }
}

/// The error in an outcome.
fn failure(outcome: &serde_json::Value) -> Option<Error> {
    serde_json::from_value(outcome.get("error")?.clone()).ok()
}

/// Where a job stands.
#[component]
fn JobBadge(state: Memo<Option<JobState>>) -> impl IntoView {
    let i18n = use_i18n();
    let look = move || match state.get() {
        None | Some(JobState::Queued) => (Tone::Idle, lu::LuClock),
        Some(JobState::Running) => (Tone::Busy, lu::LuLoaderCircle),
        Some(JobState::Succeeded) => (Tone::Good, lu::LuCheck),
        Some(JobState::Cancelled) => (Tone::Warn, lu::LuX),
        Some(JobState::Failed | JobState::Lost) => (Tone::Bad, lu::LuCircleAlert),
    };
    let label = Signal::derive(move || {
        let locale = i18n.get_locale();
        match state.get() {
            None | Some(JobState::Queued) => td_string!(locale, deployments.images.job.queued),
            Some(JobState::Running) => td_string!(locale, deployments.images.job.running),
            Some(JobState::Succeeded) => td_string!(locale, deployments.images.job.succeeded),
            Some(JobState::Cancelled) => td_string!(locale, deployments.images.job.cancelled),
            Some(JobState::Failed) => td_string!(locale, deployments.images.job.failed),
            Some(JobState::Lost) => td_string!(locale, deployments.images.job.lost),
        }
        .to_owned()
    });
    view! { <Badge tone=Signal::derive(move || look().0) icon=Signal::derive(move || look().1) label /> }
}
