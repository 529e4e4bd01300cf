//! The inputs of how a playbook is run, for the form that starts a run and for that of a schedule.

use super::draft::{Draft, Row};
use crate::{
    error::{Problem, Result},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        books_api::{playbook_questions, playbook_tags},
        model::{AnswerKind, Question},
    },
    storage::{Playbook, item::calls::get_record},
    ui::{ActionButton, ButtonLook, CheckField, Icon, Pick, PickerField, SelectField, TextField, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What a playbook asks, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub questions: Vec<Question>,
    /// The customer, or that it is the platform's own; `None` while no playbook is chosen.
    pub customer: Option<Option<String>>,
}

/// Asks the server what a playbook asks.
pub(super) async fn asked(playbook: Id<Playbook>) -> Result<Asked> {
    let record = get_record("playbook".to_owned(), playbook.to_string()).await?.record;
    Ok(Asked {
        questions: playbook_questions(playbook).await?,
        customer: Some(record.base.customer.map(|customer| customer.to_string())),
    })
}

/// Keeps a draft at what its playbook asks, and tells that and the playbook's tags. `known` is what the first
/// playbook asks.
pub(super) fn follow_playbook(draft: Draft, known: Asked) -> (RwSignal<Asked>, RwSignal<Vec<String>>) {
    let toasts = use_toasts();
    let told = RwSignal::new(known);
    let (tags, tags_of) = (RwSignal::new(Vec::<String>::new()), StoredValue::new(None::<Id<Playbook>>));
    let chosen = Memo::new(move |_| draft.playbook_id());
    // An answer about what is not chosen any more comes too late.
    let is_chosen = move |playbook| chosen.try_get_untracked() == Some(Some(playbook));
    // Another playbook asks other questions.
    Effect::watch(
        move || chosen.get(),
        move |chosen, _, _| {
            let Some(playbook) = *chosen else {
                draft.questions.set(Vec::new());
                told.set(Asked::default());
                return;
            };
            leptos::task::spawn_local(async move {
                let answer = asked(playbook).await;
                if !is_chosen(playbook) {
                    return;
                }
                match answer {
                    Ok(asked) => {
                        draft.ask(asked.questions.clone());
                        told.set(asked);
                    }
                    Err(error) => toasts.failed(&error),
                }
            });
        },
        false,
    );
    // Ansible itself is asked for the tags, which may take a second.
    Effect::new(move || {
        let now = chosen.get();
        if tags_of.get_value() == now {
            return;
        }
        tags_of.set_value(now);
        tags.set(Vec::new());
        let Some(playbook) = now else { return };
        leptos::task::spawn_local(async move {
            // Without an answer tags are typed freely.
            if let Ok(found) = playbook_tags(playbook).await
                && is_chosen(playbook)
            {
                tags.set(found);
            }
        });
    });
    (told, tags)
}

/// What the parts of the form share. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    pub draft: Draft,
    pub problems: Memo<Vec<Problem>>,
}

impl Shared {
    /// What is wrong at a field.
    pub fn at(self, field: impl Into<String>) -> Signal<Option<String>> {
        let field = field.into();
        Signal::derive(move || {
            self.problems.with(|all| all.iter().find(|it| it.field == field).map(|it| it.message.clone()))
        })
    }
}

/// Which of the hosts.
#[component]
pub(super) fn LimitField(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <div class="form__wide">
            <TextField
                name="run-limit"
                label=say!(i18n, run_page.form.limit)
                value=shared.draft.limit
                hint=say!(i18n, run_page.form.limit_hint)
                problem=shared.at("options.limit")
            />
        </div>
    }
}

/// The playbook's own questions.
#[component]
pub(super) fn AnswerFields(
    shared: Shared,
    /// Leaves out what must not be written down.
    #[prop(optional)]
    without_secrets: bool,
) -> impl IntoView {
    let draft = shared.draft;
    let asked = move || {
        let mut questions = draft.questions.get();
        questions.retain(|question| !(without_secrets && question.answer == AnswerKind::Secret));
        questions
    };
    view! {
        <For each=asked key=|it| it.variable.clone() let:question>
            <Answer shared question />
        </For>
    }
}

#[component]
fn Answer(shared: Shared, question: Question) -> impl IntoView {
    let i18n = use_i18n();
    let Question { variable, question, answer, choices, required, .. } = question;
    let value = shared.draft.answer(&variable);
    let name = format!("answer-{variable}");
    let problem = shared.at(format!("options.variables.{variable}"));
    let label = Signal::stored(if question.is_empty() { variable.clone() } else { question });
    match answer {
        AnswerKind::Choice => {
            let options = Signal::derive(move || {
                let none = (String::new(), t_string!(i18n, run_page.form.choose).to_owned());
                std::iter::once(none)
                    .chain(choices.iter().map(|choice| (choice.clone(), choice.clone())))
                    .collect::<Vec<_>>()
            });
            view! { <SelectField name label value options required problem /> }.into_any()
        }
        AnswerKind::Secret => view! {
            <TextField
                name
                label
                value
                kind="password"
                autocomplete="new-password"
                required
                hint=say!(i18n, run_page.form.secret_hint)
                problem
            />
        }
        .into_any(),
        AnswerKind::Number | AnswerKind::Text => view! { <TextField name label value required problem /> }.into_any(),
    }
}

/// Which parts of the playbook.
#[component]
pub(super) fn TagFields(shared: Shared, tags: RwSignal<Vec<String>>) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    view! {
        <TagsField
            name="run-tags"
            label=say!(i18n, run_page.form.tags)
            chosen=draft.tags
            tags
            problem=shared.at("options.tags")
        />
        <TagsField
            name="run-skip-tags"
            label=say!(i18n, run_page.form.skip_tags)
            chosen=draft.skip_tags
            tags
            problem=shared.at("options.skip_tags")
        />
    }
}

/// Words of one's own, with those of the playbook offered.
#[component]
fn TagsField(
    name: &'static str,
    label: Signal<String>,
    chosen: RwSignal<Vec<Pick>>,
    tags: RwSignal<Vec<String>>,
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let offers = Memo::new(move |_| {
        let typed = words.get().trim().to_owned();
        let known = tags.get();
        let own = (!typed.is_empty() && !known.contains(&typed)).then(|| typed.clone());
        let found = known.into_iter().filter(|tag| tag.contains(&typed));
        found.chain(own).map(|tag| Pick { id: tag.clone(), label: tag }).collect::<Vec<_>>()
    });
    view! {
        <PickerField
            name
            label
            chosen
            many=true
            words
            offers
            hint=say!(i18n, run_page.form.tags_hint)
            problem
        />
    }
}

/// Further variables.
#[component]
pub(super) fn VariableFields(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    view! {
        <p class="soft">{t!(i18n, run_page.form.variables_hint)}</p>
        <div class="form__rows">
            <For each=move || draft.variables.get() key=|row| row.number let:row>
                <VariableRow shared row />
            </For>
        </div>
        <div>
            <ActionButton
                label=say!(i18n, run_page.form.add_variable)
                icon=lu::LuPlus
                on_press=Callback::new(move |()| draft.add("", ""))
            />
        </div>
    }
}

#[component]
fn VariableRow(shared: Shared, row: Row) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let Row { number, name, value } = row;
    let own = shared.at(format!("variable-{number}"));
    let problem = Signal::derive(move || {
        own.get().or_else(|| {
            let field = format!("options.variables.{}", name.get().trim());
            shared.problems.with(|all| all.iter().find(|it| it.field == field).map(|it| it.message.clone()))
        })
    });
    let place = Memo::new(move |_| {
        draft.variables.with(|rows| rows.iter().position(|row| row.number == number).unwrap_or_default() + 1)
    });
    let (described, problem_id) = (format!("variable-{number}-problem"), format!("variable-{number}-problem"));
    view! {
        <div class="run-variable">
            <div class="form__row">
                <input
                    class="input mono"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=t!(i18n, run_page.form.name)
                    aria-label=move || t_string!(i18n, run_page.form.variable_name, number = place.get().to_string())
                    aria-invalid=move || problem.get().is_some().then_some("true")
                    aria-describedby=move || problem.get().is_some().then(|| described.clone())
                    prop:value=move || name.get()
                    value=name.get_untracked()
                    on:input=move |event| name.set(event_target_value(&event))
                />
                <input
                    class="input mono"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=t!(i18n, run_page.form.value)
                    aria-label=move || t_string!(i18n, run_page.form.variable_value, number = place.get().to_string())
                    prop:value=move || value.get()
                    value=value.get_untracked()
                    on:input=move |event| value.set(event_target_value(&event))
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.form.drop_variable, name = name.get()))
                    icon=lu::LuX
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| draft.variables.update(|rows| rows.retain(|row| row.number != number)))
                />
            </div>
            {move || problem.get().map(|problem| view! {
                <span class="field__problem" id=problem_id.clone()><Icon icon=lu::LuCircleAlert />{problem}</span>
            })}
        </div>
    }
}

/// Whether something stands in [`OptionFields`] that is not usual.
pub(super) fn has_options(draft: Draft) -> bool {
    untrack(|| {
        draft.becomes.get()
            || !draft.forks.with(String::is_empty)
            || !draft.timeout.with(String::is_empty)
            || !draft.credentials.with(Vec::is_empty)
            || draft.verbosity.with(|it| it != "0")
    })
}

/// What is seldom chosen.
#[component]
pub(super) fn OptionFields(shared: Shared) -> impl IntoView {
    let i18n = use_i18n();
    let draft = shared.draft;
    let verbosity = Signal::derive(move || {
        let usual = ("0".to_owned(), t_string!(i18n, run_page.form.verbosity_usual).to_owned());
        let more = (1..=4_usize).map(|level| {
            let flag = format!("-{}", "v".repeat(level));
            (level.to_string(), t_string!(i18n, run_page.form.verbosity_more, flag = flag))
        });
        std::iter::once(usual).chain(more).collect::<Vec<_>>()
    });
    view! {
        <CheckField
            name="run-become"
            label=say!(i18n, run_page.form.becomes)
            value=draft.becomes
            hint=say!(i18n, run_page.form.become_hint)
            problem=shared.at("options.become")
        />
        {move || draft.becomes.get().then(|| view! {
            <TextField
                name="run-become-name"
                label=say!(i18n, run_page.form.become_name)
                value=draft.become_name
                hint=say!(i18n, run_page.form.become_name_hint)
                problem=shared.at("options.become_name")
            />
        })}
        <CheckField
            name="run-diff"
            label=say!(i18n, run_page.form.diff)
            value=draft.diff
            hint=say!(i18n, run_page.form.diff_hint)
        />
        <SelectField
            name="run-verbosity"
            label=say!(i18n, run_page.form.verbosity)
            value=draft.verbosity
            options=verbosity
            required=true
            problem=shared.at("options.verbosity")
        />
        <TextField
            name="run-forks"
            label=say!(i18n, run_page.form.forks)
            value=draft.forks
            hint=say!(i18n, run_page.form.forks_hint)
            problem=shared.at("options.forks")
        />
        <TextField
            name="run-timeout"
            label=say!(i18n, run_page.form.timeout)
            value=draft.timeout
            hint=say!(i18n, run_page.form.timeout_hint)
            problem=shared.at("options.timeout")
        />
    }
}
