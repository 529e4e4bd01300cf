//! The questions of a playbook as rows; what they write is YAML, which can be written by hand as well.

use super::as_fields::{AsFields, quoted};
use crate::{
    app::beside,
    i18n::{say, t, t_string, use_i18n},
    provisioning::{
        books_api::read_survey,
        model::{AnswerKind, Question},
    },
    ui::{ActionButton, ButtonLook, CheckField, SelectField, TextField},
};
use icondata_lu as lu;
use leptos::prelude::*;
use serde_json::Value;

/// One row; cheap to copy.
#[derive(Clone, Copy, PartialEq)]
struct Row {
    id: u32,
    variable: RwSignal<String>,
    question: RwSignal<String>,
    answer: RwSignal<String>,
    choices: RwSignal<String>,
    required: RwSignal<bool>,
    default: RwSignal<String>,
}

impl Row {
    fn of(id: u32, question: &Question) -> Self {
        let default = match &question.default {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Self {
            id,
            variable: RwSignal::new(question.variable.clone()),
            question: RwSignal::new(question.question.clone()),
            answer: RwSignal::new(name_of(question.answer).to_owned()),
            choices: RwSignal::new(question.choices.join(", ")),
            required: RwSignal::new(question.required),
            default: RwSignal::new(default),
        }
    }

    fn yaml(self) -> String {
        let (variable, question) = (self.variable.get(), self.question.get());
        let answer = self.answer.get();
        let mut text = format!("- variable: {}\n", quoted(&variable));
        let mut add = |name: &str, value: String| text.push_str(&format!("  {name}: {value}\n"));
        if !question.trim().is_empty() {
            add("question", quoted(&question));
        }
        if answer != "text" {
            add("answer", answer.clone());
        }
        if answer == "choice" {
            let choices = self.choices.get();
            let choices: Vec<String> =
                choices.split(',').map(str::trim).filter(|choice| !choice.is_empty()).map(quoted).collect();
            add("choices", format!("[{}]", choices.join(", ")));
        }
        if self.required.get() {
            add("required", "true".to_owned());
        }
        let default = self.default.get();
        if !default.is_empty() && answer != "secret" {
            let is_number = answer == "number" && default.trim().parse::<f64>().is_ok();
            add("default", if is_number { default.trim().to_owned() } else { quoted(&default) });
        }
        text
    }
}

const fn name_of(answer: AnswerKind) -> &'static str {
    match answer {
        AnswerKind::Text => "text",
        AnswerKind::Number => "number",
        AnswerKind::Choice => "choice",
        AnswerKind::Secret => "secret",
    }
}

/// The input of a playbook's questions.
pub fn control(input: beside::Input) -> AnyView {
    view! { <SurveyControl input /> }.into_any()
}

#[component]
fn SurveyControl(input: beside::Input) -> impl IntoView {
    let i18n = use_i18n();
    let rows = RwSignal::new(Vec::<Row>::new());
    let count = StoredValue::new(0_u32);
    let next = Callback::new(move |()| {
        count.update_value(|count| *count += 1);
        count.get_value()
    });
    view! {
        <AsFields
            input
            to_fields=say!(i18n, playbooks.questions.as_rows)
            read=read_survey
            take=Callback::new(move |questions: Vec<Question>| {
                rows.set(questions.iter().map(|question| Row::of(next.run(()), question)).collect());
            })
            written=Signal::derive(move || rows.get().into_iter().map(Row::yaml).collect::<String>())
            fields=move || view! { <Rows rows next /> }
        />
    }
}

#[component]
fn Rows(rows: RwSignal<Vec<Row>>, next: Callback<(), u32>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <p class="field__hint">{t!(i18n, playbooks.questions.hint)}</p>
        <ol class="survey__rows">
            <For each=move || rows.get() key=|row| row.id let:row>
                <li><RowFields row rows /></li>
            </For>
        </ol>
        <div>
            <ActionButton
                label=say!(i18n, playbooks.questions.add)
                icon=lu::LuPlus
                on_press=Callback::new(move |()| {
                    let row = Row::of(next.run(()), &Question::default());
                    rows.update(|rows| rows.push(row));
                })
            />
        </div>
    }
}

#[component]
fn RowFields(row: Row, rows: RwSignal<Vec<Row>>) -> impl IntoView {
    let i18n = use_i18n();
    let id = row.id;
    let is = move |kind: &'static str| row.answer.with(|answer| answer == kind);
    let place = move || rows.with(|rows| rows.iter().position(|other| other.id == id));
    let shift = move |by: isize| {
        rows.update(|rows| {
            let Some(from) = rows.iter().position(|other| other.id == id) else { return };
            if let Some(to) = from.checked_add_signed(by).filter(|to| *to < rows.len()) {
                rows.swap(from, to);
            }
        });
    };
    let named = move |text: &str| {
        let name = row.variable.get();
        if name.is_empty() { text.to_owned() } else { format!("{text}: {name}") }
    };
    view! {
        <div class="survey__row">
            <TextField
                name=format!("survey-variable-{id}")
                label=say!(i18n, playbooks.questions.variable)
                value=row.variable
                required=true
            />
            <TextField
                name=format!("survey-question-{id}")
                label=say!(i18n, playbooks.questions.question)
                value=row.question
            />
            <SelectField
                name=format!("survey-answer-{id}")
                label=say!(i18n, playbooks.questions.answer)
                value=row.answer
                required=true
                options=Signal::derive(move || vec![
                    ("text".to_owned(), t_string!(i18n, playbooks.questions.text).to_owned()),
                    ("number".to_owned(), t_string!(i18n, playbooks.questions.number).to_owned()),
                    ("choice".to_owned(), t_string!(i18n, playbooks.questions.choice).to_owned()),
                    ("secret".to_owned(), t_string!(i18n, playbooks.questions.secret).to_owned()),
                ])
            />
            {move || is("choice").then(|| view! {
                <TextField
                    name=format!("survey-choices-{id}")
                    label=say!(i18n, playbooks.questions.choices)
                    value=row.choices
                    required=true
                    hint=Signal::derive(move || Some(t_string!(i18n, playbooks.questions.choices_hint).to_owned()))
                />
            })}
            {move || (!is("secret")).then(|| view! {
                <TextField
                    name=format!("survey-default-{id}")
                    label=say!(i18n, playbooks.questions.default)
                    value=row.default
                />
            })}
            <CheckField
                name=format!("survey-required-{id}")
                label=say!(i18n, playbooks.questions.required)
                value=row.required
            />
            <div class="row survey__moves">
                <ActionButton
                    label=Signal::derive(move || named(t_string!(i18n, playbooks.questions.up)))
                    icon=lu::LuArrowUp
                    look=ButtonLook::Icon
                    refused=Signal::derive(move || {
                        (place() == Some(0)).then(|| t_string!(i18n, playbooks.questions.is_first).to_owned())
                    })
                    on_press=Callback::new(move |()| shift(-1))
                />
                <ActionButton
                    label=Signal::derive(move || named(t_string!(i18n, playbooks.questions.down)))
                    icon=lu::LuArrowDown
                    look=ButtonLook::Icon
                    refused=Signal::derive(move || {
                        (place() == rows.with(Vec::len).checked_sub(1)).then(|| t_string!(i18n, playbooks.questions.is_last).to_owned())
                    })
                    on_press=Callback::new(move |()| shift(1))
                />
                <ActionButton
                    label=Signal::derive(move || named(t_string!(i18n, common.remove)))
                    icon=lu::LuTrash2
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| rows.update(|rows| rows.retain(|other| other.id != id)))
                />
            </div>
        </div>
    }
}
