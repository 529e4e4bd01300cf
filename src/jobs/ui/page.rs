//! One job, live: how far it is, what it says, and how it ended.

use super::{JobBadge, Parts, ProgressLine, cancel_refusal, failure, is_run, log_of, took};
use crate::{
    events::client::use_job_stream,
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    jobs::{
        api::{cancel_job, get_job},
        model::{Job, JobState},
    },
    ui::{
        ActionButton, Ago, ButtonLook, LinkButton, LiveView, LogView, Notice, PageHead, Panel, Tone, Trouble,
        use_toasts,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// One job.
#[component]
pub fn OneJobPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<Id<Job>>().ok())));
    let i18n = use_i18n();
    let head = move || view! { <PageHead title=say!(i18n, work.job) /> };
    move || match id.get() {
        Some(id) => view! {
            <LiveView
                fetch=move || get_job(id)
                // The stream of the job brings what is new.
                changes=Signal::stored(0_u64)
                head=head
                view=move |live| {
                    let first = live.value().get_untracked();
                    view! { <Watched id first /> }
                }
            />
        }
        .into_any(),
        None => {
            let error = crate::error::Error::not_found("job");
            view! { {head()} <Trouble error=Signal::stored(error) /> }.into_any()
        }
    }
}

#[component]
fn Watched(id: Id<Job>, first: Job) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let (streamed, lines) = use_job_stream(Signal::stored(Some(id)));
    let (created_at, is_a_run) = (first.created_at, is_run(&first.kind));
    let job = Memo::new(move |_| streamed.get().unwrap_or_else(|| first.clone()));
    let state = Signal::derive(move || job.with(|job| job.state));
    let is_finished = Memo::new(move |_| state.get().is_finished());
    let progress = Memo::new(move |_| job.with(|job| job.progress.clone()));
    let has_parts = Memo::new(move |_| progress.with(|it| it.as_ref().is_some_and(|it| !it.parts.is_empty())));
    let title = Memo::new(move |_| job.with(|job| job.title.clone()));
    let cancelling = RwSignal::new(false);
    let cancel = Callback::new(move |()| {
        cancelling.set(true);
        leptos::task::spawn_local(async move {
            if let Err(error) = cancel_job(id).await {
                toasts.failed(&error);
            }
            cancelling.try_set(false);
        });
    });
    let busy = Signal::derive(move || cancelling.get() || job.with(|job| job.cancel_requested));
    let line = move || {
        view! {
            <JobBadge state />
            " "
            {move || job.with(|job| job.person_name.clone())}
            " · "
            <Ago at=created_at />
        }
    };

    let buffer = log_of(lines);
    let (wrap, times) = (RwSignal::new(true), RwSignal::new(false));
    let empty = Signal::derive(move || {
        if is_finished.get() { t_string!(i18n, work.said_nothing) } else { t_string!(i18n, work.says_nothing) }
            .to_owned()
    });

    view! {
        <PageHead title line=ViewFn::from(line)>
            {is_a_run.then(|| view! {
                <LinkButton
                    href=format!("/runs/{id}")
                    label=say!(i18n, run_page.to_run)
                    icon=lu::LuPlay
                    look=ButtonLook::Primary
                />
            })}
            {move || (!is_finished.get()).then(|| view! {
                <ActionButton
                    label=Signal::derive(move || {
                        if busy.get() { t_string!(i18n, work.cancelling) } else { t_string!(i18n, work.cancel) }.to_owned()
                    })
                    icon=lu::LuX
                    look=ButtonLook::Danger
                    refused=cancel_refusal(Signal::derive(move || job.with(|job| job.person)))
                    busy
                    on_press=cancel
                />
            })}
            <LinkButton
                href=format!("/api/v1/jobs/{id}/output?download=true")
                label=say!(i18n, work.download)
                icon=lu::LuDownload
                download=true
            />
        </PageHead>
        <div class="stack" aria-live="polite">
            {move || {
                let sentence = job.with(|job| failure(job, i18n.get_locale()))?;
                let tone = if state.get() == JobState::Cancelled { Tone::Warn } else { Tone::Bad };
                Some(view! { <Notice tone=Signal::stored(tone)>{sentence}</Notice> })
            }}
        </div>
        <div class="stack">
            {move || (!is_finished.get() || has_parts.get()).then(|| view! {
                <Panel title=say!(i18n, work.column.progress)>
                    <div class="panel__body stack">
                        {move || (!is_finished.get()).then(|| view! { <ProgressLine progress label=title /> })}
                        {move || has_parts.get().then(|| view! { <Parts progress /> })}
                    </div>
                </Panel>
            })}
            <section class="stack" aria-labelledby="job-output">
                <div class="row">
                    <h2 id="job-output">{t!(i18n, work.output)}</h2>
                    <span class="panel__end">
                        <ActionButton
                            label=say!(i18n, work.wrap)
                            icon=lu::LuWrapText
                            look=ButtonLook::Icon
                            pressed=wrap
                            on_press=Callback::new(move |()| wrap.update(|wrap| *wrap = !*wrap))
                        />
                        <ActionButton
                            label=say!(i18n, work.times)
                            icon=lu::LuClock
                            look=ButtonLook::Icon
                            pressed=times
                            on_press=Callback::new(move |()| times.update(|times| *times = !*times))
                        />
                    </span>
                </div>
                <LogView buffer label=Signal::derive(move || t_string!(i18n, work.output_of, title = title.get())) wrap times empty />
            </section>
            <Panel title=say!(i18n, work.details)>
                <div class="panel__body">
                    <dl class="facts">
                        <dt>{t!(i18n, work.column.kind)}</dt>
                        <dd class="mono">{move || job.with(|job| job.kind.clone())}</dd>
                        <dt>{t!(i18n, work.column.person)}</dt>
                        <dd>{move || job.with(|job| job.person_name.clone())}</dd>
                        <dt>{t!(i18n, work.column.created)}</dt>
                        <dd><Ago at=created_at /></dd>
                        {move || job.with(|job| job.started_at).map(|at| view! { <dt>{t!(i18n, work.started)}</dt> <dd><Ago at /></dd> })}
                        {move || job.with(|job| job.finished_at).map(|at| view! { <dt>{t!(i18n, work.finished)}</dt> <dd><Ago at /></dd> })}
                        {move || job.with(took).map(|took| view! { <dt>{t!(i18n, work.column.took)}</dt> <dd class="number">{took}</dd> })}
                        <dt>{t!(i18n, work.number)}</dt>
                        <dd class="mono">{id.to_string()}</dd>
                    </dl>
                    <details class="job-json">
                        <summary>{t!(i18n, work.operation)}</summary>
                        <pre class="console console--wrap" tabindex="0">{move || job.with(|job| pretty(&job.operation))}</pre>
                    </details>
                    {move || job.with(|job| job.outcome.as_ref().filter(|_| job.state == JobState::Succeeded).map(pretty)).map(|outcome| view! {
                        <details class="job-json">
                            <summary>{t!(i18n, work.outcome)}</summary>
                            <pre class="console console--wrap" tabindex="0">{outcome}</pre>
                        </details>
                    })}
                </div>
            </Panel>
        </div>
    }
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
