//! How a schedule runs its playbook: the inputs of the form that starts a run, kept as a text of YAML.

use super::{
    as_fields::AsFields,
    draft::Draft,
    run_fields::{
        AnswerFields, Asked, LimitField, OptionFields, Shared, TagFields, VariableFields, asked, follow_playbook,
        has_options,
    },
};
use crate::{
    app::beside::Input,
    error::Result,
    i18n::{say, t, use_i18n},
    id::Id,
    provisioning::{
        model::{AnswerKind, Question, RunOptions},
        schedules_api::read_run_options,
    },
    storage::Playbook,
    ui::CheckField,
};
use leptos::prelude::*;

/// The input of a schedule's options.
pub fn control(input: Input) -> AnyView {
    view! { <Options input /> }.into_any()
}

#[component]
fn Options(input: Input) -> impl IntoView {
    let i18n = use_i18n();
    let draft = Draft::of_options(input.picked.run("playbook").unwrap_or_default());
    let check = RwSignal::new(false);
    let (_, tags) = follow_playbook(draft, Asked::default());
    // While somebody types, half a number is no mistake yet.
    let left = RwSignal::new(false);
    let problems = Memo::new(move |_| {
        let mut problems = Vec::new();
        if left.get() {
            draft.read_options(i18n.get_locale(), check.get(), &mut problems);
        }
        problems
    });
    let shared = Shared { draft, problems };
    let read = move |text: String| async move {
        let playbook = untrack(|| draft.playbook_id());
        let options = read_run_options(text).await?;
        // Answers stand among the variables. A playbook that cannot be read asks nothing here.
        let questions = match playbook {
            Some(playbook) => asked(playbook).await.map(|asked| asked.questions).unwrap_or_default(),
            None => Vec::new(),
        };
        Result::Ok((options, playbook, questions))
    };
    let take =
        Callback::new(move |(options, playbook, questions): (RunOptions, Option<Id<Playbook>>, Vec<Question>)| {
            // Another playbook that was chosen meanwhile is asked by itself.
            if untrack(|| draft.playbook_id()) == playbook {
                draft.ask(questions);
            }
            draft.take(&options);
            check.set(options.check);
        });
    view! {
        <div on:focusout=move |_| left.set(true)>
            <AsFields
                input
                to_fields=say!(i18n, schedules.fields.show)
                read
                take
                written=Signal::derive(move || draft.yaml(check.get()))
                fields=move || view! { <Fields shared tags check /> }
            />
        </div>
    }
}

#[component]
fn Fields(shared: Shared, tags: RwSignal<Vec<String>>, check: RwSignal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let has = move |secret: bool| {
        draft.questions.with(|all| all.iter().any(|question| (question.answer == AnswerKind::Secret) == secret))
    };
    let (has_questions, has_secrets) = (Memo::new(move |_| has(false)), Memo::new(move |_| has(true)));
    view! {
        <div class="form__grid">
            <LimitField shared />
            <TagFields shared tags />
            <div class="form__wide">
                <CheckField
                    name="run-check"
                    label=say!(i18n, schedules.fields.check)
                    value=check
                    hint=say!(i18n, schedules.fields.check_hint)
                />
            </div>
            {move || has_questions.get().then(|| view! {
                <fieldset class="form__wide run-options__part">
                    <legend>{t!(i18n, run_page.form.answers)}</legend>
                    <div class="form__grid"><AnswerFields shared without_secrets=true /></div>
                </fieldset>
            })}
            {move || has_secrets.get().then(|| view! {
                <p class="form__wide soft">{t!(i18n, schedules.fields.no_secrets)}</p>
            })}
            <fieldset class="form__wide run-options__part stack">
                <legend>{t!(i18n, run_page.form.variables)}</legend>
                <VariableFields shared />
            </fieldset>
            <details class="form__wide run-options__part" open=has_options(draft)>
                <summary>{t!(i18n, run_page.form.options)}</summary>
                <div class="form__grid"><OptionFields shared /></div>
            </details>
        </div>
    }
}
