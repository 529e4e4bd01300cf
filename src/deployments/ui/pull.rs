//! The dialog that pulls an image and shows how far it is.

use super::progress::JobProgress;
use crate::{
    deployments::{
        api::operate_images,
        model::{Answer, ImageOperation, LOCAL},
    },
    i18n::{say, use_i18n},
    id::Id,
    jobs::model::Job,
    ui::{ActionButton, ButtonLook, CheckField, Dialog, TextField},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// Asks for an image's name and pulls it as a job; closing the dialog does not end the job.
#[component]
pub(super) fn PullDialog(
    /// Whether it is shown.
    open: RwSignal<bool>,
    /// The name to begin with, such as one found in a registry.
    #[prop(into, optional)]
    first: Signal<String>,
    /// Called when an image has arrived.
    #[prop(optional)]
    on_end: Option<Callback<Job>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let image = RwSignal::new(String::new());
    let platform = RwSignal::new(String::new());
    let all_tags = RwSignal::new(false);
    let job = RwSignal::new(None::<Id<Job>>);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    Effect::new(move || {
        if open.get() {
            image.set(first.get_untracked());
            job.set(None);
            problem.set(None);
        }
    });
    let pull = move || {
        busy.set(true);
        problem.set(None);
        leptos::task::spawn_local(async move {
            let platform = Some(platform.get_untracked().trim().to_owned()).filter(|platform| !platform.is_empty());
            let operation = ImageOperation::Pull {
                image: image.get_untracked().trim().to_owned(),
                platform,
                all_tags: all_tags.get_untracked(),
            };
            match operate_images(LOCAL.to_owned(), operation, Vec::new()).await {
                Ok(Answer::Job { id }) => {
                    job.try_set(Some(id));
                }
                Ok(Answer::Result(_) | Answer::Results(_)) => {
                    open.try_set(false);
                }
                Err(error) => {
                    problem.try_set(Some(error.message(i18n.get_locale_untracked())));
                }
            }
            busy.try_set(false);
        });
    };
    view! {
        <Dialog open title=say!(i18n, deployments.images.pull.title)>
            {move || match job.get() {
                Some(_) => {
                    view! {
                        <div class="dialog__body">
                            <JobProgress id=job on_end=Callback::new(move |job: Job| if let Some(on_end) = on_end { on_end.run(job) }) />
                        </div>
                        <div class="dialog__actions">
                            <ActionButton
                                label=say!(i18n, common.close)
                                on_press=Callback::new(move |()| open.set(false))
                            />
                        </div>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <form
                            on:submit=move |event| {
                                event.prevent_default();
                                if !busy.get_untracked() {
                                    pull();
                                }
                            }
                        >
                            <div class="dialog__body">
                                <TextField
                                    name="pull-image"
                                    label=say!(i18n, deployments.images.pull.image)
                                    hint=say!(i18n, deployments.images.pull.hint)
                                    placeholder="registry.example.com/team/app:1.2"
                                    value=image
                                    required=true
                                    problem
                                />
                                <TextField
                                    name="pull-platform"
                                    label=say!(i18n, deployments.images.pull.platform)
                                    placeholder="linux/arm64"
                                    value=platform
                                />
                                <CheckField
                                    name="pull-all-tags"
                                    label=say!(i18n, deployments.images.pull.all_tags)
                                    value=all_tags
                                />
                            </div>
                            <div class="dialog__actions">
                                <ActionButton
                                    label=say!(i18n, common.cancel)
                                    on_press=Callback::new(move |()| open.set(false))
                                />
                                <ActionButton
                                    label=say!(i18n, deployments.images.pull.action)
                                    icon=lu::LuDownload
                                    look=ButtonLook::Primary
                                    kind="submit"
                                    busy
                                />
                            </div>
                        </form>
                    }
                        .into_any()
                }
            }}
        </Dialog>
    }
}
