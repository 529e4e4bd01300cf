//! Clearing away what is not used: the question, what would go, and then the job that does it.

use super::progress::JobProgress;
use crate::{
    deployments::model::Answer,
    error::{Error, Result},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    ui::{ActionButton, ButtonLook, Dialog, bytes},
};
use leptos::prelude::*;

/// The dialog before a prune. It stays while the job runs and then tells what was freed.
#[component]
pub(super) fn PruneDialog<F, Fut>(
    /// Whether it is shown.
    open: RwSignal<bool>,
    /// The question.
    #[prop(into)]
    title: Signal<String>,
    /// What goes, in a sentence.
    #[prop(into)]
    text: Signal<String>,
    /// The names of what would go.
    goes: Memo<Vec<String>>,
    /// Why the person may not.
    refused: Signal<Option<String>>,
    /// Begins it.
    begin: F,
    /// Called when it has ended.
    on_end: Callback<()>,
    /// What narrows or widens it, between the sentence and the names.
    children: ChildrenFn,
) -> impl IntoView
where
    F: Fn() -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer>> + 'static,
{
    let i18n = use_i18n();
    let children = StoredValue::new(children);
    let job = RwSignal::new(None::<Id<Job>>);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<Error>);
    Effect::new(move || {
        if open.get() {
            job.set(None);
            problem.set(None);
        }
    });
    let refused = Signal::derive(move || {
        refused.get().or_else(|| {
            goes.with(Vec::is_empty).then(|| t_string!(i18n, deployments.containers.prune.nothing).to_owned())
        })
    });
    let prune = Callback::new(move |()| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            match begin().await {
                Ok(Answer::Job { id }) => {
                    job.try_set(Some(id));
                }
                Ok(Answer::Result(_) | Answer::Results(_)) => {
                    open.try_set(false);
                    on_end.try_run(());
                }
                Err(error) => {
                    problem.try_set(Some(error));
                }
            }
            busy.try_set(false);
        });
    });
    let close = Callback::new(move |()| open.set(false));
    view! {
        <Dialog open title>
            {move || match job.get() {
                Some(_) => {
                    view! {
                        <div class="dialog__body">
                            <JobProgress id=job outcome=prune_outcome on_end=Callback::new(move |_: Job| on_end.run(())) />
                        </div>
                        <div class="dialog__actions">
                            <ActionButton
                                label=say!(i18n, common.close)
                                on_press=close
                            />
                        </div>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <div class="dialog__body">
                            <p>{move || text.get()}</p>
                            {children.get_value()()}
                            <Going names=goes />
                            {move || problem.get().map(|error| view! {
                                <p class="field__problem" role="alert">{error.message(i18n.get_locale())}</p>
                            })}
                        </div>
                        <div class="dialog__actions">
                            <ActionButton
                                label=say!(i18n, common.cancel)
                                on_press=close
                            />
                            <ActionButton
                                label=Signal::derive(move || {
                                    let count = goes.with(Vec::len).to_string();
                                    t_string!(i18n, deployments.containers.prune.action, count = count)
                                })
                                look=ButtonLook::Destroy
                                refused
                                busy
                                on_press=prune
                            />
                        </div>
                    }
                        .into_any()
                }
            }}
        </Dialog>
    }
}

/// The names of what would go: the first ten and how many more.
#[component]
fn Going(names: Memo<Vec<String>>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <ul class="dialog__names mono" aria-label=t!(i18n, deployments.containers.prune.goes)>
            {move || {
                let names = names.get();
                let more = names.len().saturating_sub(10);
                if names.is_empty() {
                    return view! { <li class="soft">{t!(i18n, deployments.containers.prune.nothing)}</li> }.into_any();
                }
                view! {
                    {names.into_iter().take(10).map(|name| view! { <li>{name}</li> }).collect_view()}
                    {(more > 0).then(|| view! { <li class="soft">{t_string!(i18n, common.and_more, count = more.to_string())}</li> })}
                }
                    .into_any()
            }}
        </ul>
    }
}

/// What a prune removed and freed, from its outcome.
fn prune_outcome(outcome: &serde_json::Value) -> AnyView {
    let i18n = use_i18n();
    let freed = outcome.get("space_reclaimed").and_then(serde_json::Value::as_i64).unwrap_or_default();
    let count = outcome.get("removed").and_then(|removed| removed.as_array()).map_or(0, Vec::len).to_string();
    view! {
        <p class="tone" data-tone="good">
            {move || t_string!(i18n, deployments.containers.prune.done, count = count.clone(), size = bytes(freed, i18n.get_locale()))}
        </p>
    }
    .into_any()
}
