//! The drawer of what waits and runs, within reach from every page.

use super::{JobBadge, Parts, ProgressLine, cancel_refusal, page_of};
use crate::{
    events::{
        client::{learn_progress, use_changes, use_progress},
        model::Topic,
    },
    i18n::{t, t_string, use_i18n},
    id::Id,
    jobs::{
        api::{cancel_job, running_jobs},
        model::Job,
    },
    ui::{ActionButton, Ago, ButtonLook, Icon, use_toasts},
};
use icondata_lu as lu;
use leptos::{html, prelude::*};

/// A button with the count of jobs that wait and run, and the drawer that it opens.
///
/// The server renders it without a count: the browser asks once its stream is open.
#[component]
pub fn JobsDrawer() -> impl IntoView {
    let i18n = use_i18n();
    let jobs = RwSignal::new(Vec::<Job>::new());
    let changes = use_changes(vec![Topic::Jobs]);
    let told = use_progress();
    Effect::new(move || {
        changes.track();
        leptos::task::spawn_local(async move {
            // While the server is away the lamp says so; what was last known stays.
            if let Ok(fresh) = running_jobs().await {
                learn_progress(told, &fresh);
                jobs.try_set(fresh);
            }
        });
    });
    let count = Memo::new(move |_| jobs.with(Vec::len));
    let label = Signal::derive(move || match count.get() {
        0 => t_string!(i18n, work.drawer.none).to_owned(),
        1 => t_string!(i18n, work.drawer.one).to_owned(),
        count => t_string!(i18n, work.drawer.many, count = count.to_string()),
    });
    let popover = NodeRef::<html::Div>::new();
    let open = RwSignal::new(false);
    // The row of a job that has ended goes, and with it what had the focus: the drawer takes it.
    Effect::new(move || {
        jobs.track();
        #[cfg(feature = "hydrate")]
        if open.get_untracked() {
            request_animation_frame(move || {
                let is_lost = document().active_element().is_none_or(|element| element.tag_name() == "BODY");
                if let (true, Some(drawer)) = (is_lost, popover.get_untracked()) {
                    drop(drawer.focus());
                }
            });
        }
    });
    view! {
        <button
            type="button"
            class="button button--quiet jobs-button"
            data-tone="busy"
            popovertarget="jobs-drawer"
            aria-haspopup="dialog"
            aria-expanded=move || if open.get() { "true" } else { "false" }
            aria-label=move || label.get()
            title=move || label.get()
        >
            <Icon icon=lu::LuListChecks />
            {move || (count.get() > 0).then(|| view! { <span class="jobs-button__count number">{count.get()}</span> })}
        </button>
        <div
            node_ref=popover
            id="jobs-drawer"
            class="drawer"
            popover="auto"
            role="dialog"
            tabindex="-1"
            aria-label=t!(i18n, work.drawer.title)
            on:click=move |event| {
                // Whoever follows a link is done here.
                #[cfg(feature = "hydrate")]
                {
                    use wasm_bindgen::JsCast as _;

                    let pressed = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
                    let is_link = pressed.and_then(|element| element.closest("a[href]").ok().flatten()).is_some();
                    if let (true, Some(drawer)) = (is_link, popover.get_untracked()) {
                        crate::ui::hide_popover(&drawer);
                    }
                }
                #[cfg(not(feature = "hydrate"))]
                let _ = event;
            }
            on:toggle=move |_| {
                open.set(popover.get_untracked().is_some_and(|popover| popover.matches(":popover-open").unwrap_or(false)));
            }
        >
            {move || open.get().then(|| view! { <Running jobs /> })}
        </div>
    }
}

#[component]
fn Running(jobs: RwSignal<Vec<Job>>) -> impl IntoView {
    let i18n = use_i18n();
    let ids = move || jobs.with(|jobs| jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        <div class="drawer__head">
            <h2>{t!(i18n, work.drawer.title)}</h2>
            <a class="link" href="/jobs">{t!(i18n, work.drawer.all)}</a>
        </div>
        {move || jobs.with(Vec::is_empty).then(|| view! { <p class="drawer__none soft">{t!(i18n, work.drawer.empty)}</p> })}
        <ul class="drawer__list">
            <For each=ids key=|id| *id let:id>
                <Entry jobs id />
            </For>
        </ul>
    }
}

#[component]
fn Entry(jobs: RwSignal<Vec<Job>>, id: Id<Job>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let Some(first) = jobs.with_untracked(|jobs| jobs.iter().find(|job| job.id == id).cloned()) else {
        return ().into_any();
    };
    let (created_at, page) = (first.created_at, page_of(&first));
    // A job that has just ended stands here as it last was until its row goes.
    let job = Memo::new(move |last: Option<&Job>| {
        let now = jobs.with(|jobs| jobs.iter().find(|job| job.id == id).cloned());
        now.or_else(|| last.cloned()).unwrap_or_else(|| first.clone())
    });
    let told = use_progress();
    let progress =
        Memo::new(move |_| told.with(|told| told.get(&id).cloned()).or_else(|| job.with(|job| job.progress.clone())));
    let has_parts = Memo::new(move |_| progress.with(|it| it.as_ref().is_some_and(|it| !it.parts.is_empty())));
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
    view! {
        <li class="drawer__entry">
            <div class="row">
                <a class="drawer__title truncate" href=page>{move || job.get().title}</a>
                <JobBadge state=Signal::derive(move || job.get().state) />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, work.cancel_named, title = job.get().title))
                    icon=lu::LuX
                    look=ButtonLook::Icon
                    refused=cancel_refusal(Signal::derive(move || job.get().person))
                    busy
                    on_press=cancel
                />
            </div>
            <ProgressLine progress label=Signal::derive(move || job.get().title) />
            {move || has_parts.get().then(|| view! {
                <details class="drawer__parts">
                    <summary class="soft">{t!(i18n, work.parts)}</summary>
                    <Parts progress />
                </details>
            })}
            <p class="faint">{move || job.get().person_name} " · " <Ago at=created_at /></p>
        </li>
    }
    .into_any()
}
