//! Playbooks to start from: on the empty list, and on the form of a new one.

use crate::{
    i18n::{t, use_i18n},
    provisioning::{books::Example, books_api::playbook_examples},
    ui::{Icon, use_address},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// The examples as links to the form of a new playbook, for the list that has none.
pub fn on_empty_list() -> AnyView {
    view! { <Links /> }.into_any()
}

#[component]
fn Links() -> impl IntoView {
    let i18n = use_i18n();
    let examples = use_examples();
    view! {
        <section class="examples" aria-label=t!(i18n, playbooks.examples.title)>
            <h2>{t!(i18n, playbooks.examples.title)}</h2>
            <ul>
                {move || examples
                    .get()
                    .into_iter()
                    .map(|example| view! {
                        <li>
                            <a class="examples__one" href=format!("/playbooks/new?example={}", example.key)>
                                <Icon icon=icon_of(&example.key) />
                                <strong>{example.name}</strong>
                                <span class="soft">{example.description}</span>
                            </a>
                        </li>
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}

fn icon_of(key: &str) -> icondata_core::Icon {
    match key {
        "packages" => lu::LuPackage,
        "user" => lu::LuUserPlus,
        "docker" => lu::LuContainer,
        _ => lu::LuRadio,
    }
}

/// The examples in the reader's language; none until the browser has asked.
fn use_examples() -> RwSignal<Vec<Example>> {
    let i18n = use_i18n();
    let examples = RwSignal::new(Vec::new());
    Effect::new(move || {
        i18n.get_locale();
        leptos::task::spawn_local(async move {
            if let Ok(all) = playbook_examples().await {
                examples.try_set(all);
            }
        });
    });
    examples
}

/// A choice of examples above a new playbook's plays; one is put in place of what stands there.
#[component]
pub fn StartFrom(
    /// The plays.
    content: RwSignal<String>,
    /// The questions.
    survey: Option<RwSignal<String>>,
    /// The playbook's name.
    name: Option<RwSignal<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let wanted = use_address().get("example");
    let examples = use_examples();
    let take = move |example: Example| {
        let known = |text: &str| examples.with_untracked(|all| all.iter().any(|other| other.name == text));
        content.set(example.content);
        if let Some(survey) = survey {
            survey.set(example.survey.unwrap_or_default());
        }
        // A name that somebody gave stays.
        if let Some(name) = name.filter(|name| name.with_untracked(|name| name.trim().is_empty() || known(name))) {
            name.set(example.name);
        }
    };
    Effect::new(move || {
        let asked = wanted.get();
        let found = examples.with(|all| all.iter().find(|example| example.key == asked).cloned());
        if let Some(example) = found.filter(|_| content.with_untracked(|content| content.trim().is_empty())) {
            take(example);
        }
    });
    view! {
        <div class="row start-from" role="group" aria-label=t!(i18n, playbooks.examples.start)>
            <span class="soft">{t!(i18n, playbooks.examples.start)}</span>
            {move || examples
                .get()
                .into_iter()
                .map(|example| {
                    let (label, text) = (example.name.clone(), example.description.clone());
                    view! {
                        <button type="button" class="button button--quiet" title=text on:click=move |_| take(example.clone())>
                            <Icon icon=icon_of(&example.key) />
                            {label}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}
