//! How far a job is: one bar for all of it, and a table of its parts.

use crate::{
    i18n::{t, t_string, use_i18n},
    jobs::model::Progress,
    ui::bytes,
};
use leptos::prelude::*;

/// A bar and what is being done.
#[component]
pub fn ProgressLine(
    /// How far it is; nothing known yet when absent.
    #[prop(into)]
    progress: Signal<Option<Progress>>,
    /// Whose progress it is, for a screen reader.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let fraction = Memo::new(move |_| progress.with(|progress| progress.as_ref().and_then(|it| it.fraction)));
    let note = Memo::new(move |_| progress.with(|it| it.as_ref().map(|it| it.note.clone()).unwrap_or_default()));
    view! {
        <div class="job-line">
            <progress class="bar" max="1" value=move || fraction.get().map(|it| it.to_string()) aria-label=move || label.get()></progress>
            <span class="soft truncate">{move || note.get()}</span>
        </div>
    }
}

/// The parts of a job's progress, such as the layers of an image.
#[component]
pub fn Parts(
    /// How far it is.
    #[prop(into)]
    progress: Signal<Option<Progress>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let parts =
        Memo::new(move |_| progress.with(|it| it.as_ref().map(|progress| progress.parts.clone()).unwrap_or_default()));
    let named = move || parts.with(|parts| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>());
    view! {
        <table class="matrix job-parts">
            <thead class="visually-hidden">
                <tr>
                    <th scope="col">{t!(i18n, work.part.name)}</th>
                    <th scope="col">{t!(i18n, work.part.note)}</th>
                    <th scope="col">{t!(i18n, work.part.done)}</th>
                    <th scope="col">{t!(i18n, work.part.size)}</th>
                </tr>
            </thead>
            <tbody>
                <For each=named key=Clone::clone let:name>
                    {
                        let shown = name.clone();
                        let part = Memo::new(move |_| {
                            parts.with(|parts| parts.iter().find(|part| part.name == name).cloned().unwrap_or_default())
                        });
                        view! {
                            <tr>
                                <td class="mono">{shown}</td>
                                <td class="soft">{move || part.get().note}</td>
                                <td>
                                    <progress
                                        class="bar"
                                        max=move || part.get().total.max(1).to_string()
                                        value=move || { let part = part.get(); part.done.min(part.total).max(0).to_string() }
                                        aria-label=move || t_string!(i18n, work.part.progress, name = part.get().name)
                                    ></progress>
                                </td>
                                <td class="number soft">
                                    {move || {
                                        let (part, locale) = (part.get(), i18n.get_locale());
                                        (part.total > 0).then(|| format!("{} / {}", bytes(part.done, locale), bytes(part.total, locale)))
                                    }}
                                </td>
                            </tr>
                        }
                    }
                </For>
            </tbody>
        </table>
    }
}
