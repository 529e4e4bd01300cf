//! The questions of a playbook as rows; what they write is YAML, which can be written by hand as well.

use crate::{
    app::beside,
    i18n::{t, t_string, use_i18n},
    provisioning::{
        books_api::read_survey,
        model::{AnswerKind, Question},
        ui::editor::{CodeEditor, Written},
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

/// A text as YAML takes it: JSON's way of quoting is YAML's too.
fn quoted(text: &str) -> String {
    let mut letters = text.chars();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !["yes", "no", "on", "off", "true", "false", "null", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::to_string(text).unwrap_or_default() }
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
    let beside::Input { name, label, value, hint, problem, .. } = input;
    let rows = RwSignal::new(Vec::<Row>::new());
    // Rows are shown once the browser has read what stands there, and only where it can be read.
    let as_rows = RwSignal::new(false);
    // The text that the rows stand for, and how the rows themselves would write it.
    let written = StoredValue::new(None::<String>);
    let own = StoredValue::new(String::new());
    let count = StoredValue::new(0_u32);
    let unread = RwSignal::new(None::<String>);
    let next = move || {
        count.update_value(|count| *count += 1);
        count.get_value()
    };
    // Which reading is under way; an answer to an older one says nothing.
    let (turn, is_reading) = (StoredValue::new(0_u32), StoredValue::new(false));
    let read = move |text: String| {
        turn.update_value(|turn| *turn += 1);
        is_reading.set_value(true);
        let mine = turn.get_value();
        leptos::task::spawn_local(async move {
            let answer = read_survey(text).await;
            if turn.try_get_value() != Some(mine) {
                return;
            }
            is_reading.try_set_value(false);
            match answer {
                Ok(questions) => {
                    let read: Vec<Row> = questions.iter().map(|question| Row::of(next(), question)).collect();
                    own.try_set_value(untrack(|| read.iter().copied().map(Row::yaml).collect()));
                    rows.try_set(read);
                    unread.try_set(None);
                    as_rows.try_set(true);
                }
                Err(error) => {
                    unread.try_set(Some(error.message(i18n.get_locale_untracked())));
                    as_rows.try_set(false);
                }
            }
        });
    };
    // What stands there from the start, and what an example or a reload puts there.
    Effect::new(move || {
        let text = value.get();
        let is_own = written.with_value(|written| written.as_ref() == Some(&text));
        let is_awaited = written.with_value(Option::is_none) || is_reading.get_value();
        if !is_own && (as_rows.get_untracked() || is_awaited) {
            written.set_value(Some(text.clone()));
            read(text);
        }
    });
    Effect::new(move || {
        if !as_rows.get() {
            return;
        }
        let text: String = rows.get().into_iter().map(Row::yaml).collect();
        // Looking at rows changes nothing of what the person wrote; changing one does.
        if own.with_value(|own| *own != text) {
            own.set_value(text.clone());
            written.set_value(Some(text.clone()));
            value.set(text);
        }
    });
    let heading = format!("{name}-rows");
    let labelled_by = heading.clone();
    let editor_name = StoredValue::new(name);
    view! {
        <div class="survey" role="group" aria-labelledby=labelled_by>
            <div class="row survey__head">
                <span class="field__label" id=heading>{move || label.get()}</span>
                <ActionButton
                    label=Signal::derive(move || {
                        if as_rows.get() { t_string!(i18n, playbooks.questions.as_yaml) } else { t_string!(i18n, playbooks.questions.as_rows) }
                            .to_owned()
                    })
                    look=ButtonLook::Quiet
                    icon=Signal::derive(move || if as_rows.get() { lu::LuCodeXml } else { lu::LuRows3 })
                    on_press=Callback::new(move |()| {
                        if as_rows.get_untracked() {
                            as_rows.set(false);
                        } else {
                            let text = value.get_untracked();
                            written.set_value(Some(text.clone()));
                            read(text);
                        }
                    })
                />
            </div>
            {move || if as_rows.get() {
                view! { <Rows rows problem next=Callback::new(move |()| next()) /> }.into_any()
            } else {
                let problem = Signal::derive(move || problem.get().or_else(|| unread.get()));
                view! { <CodeEditor name=editor_name.get_value() label value written=Written::Yaml hint problem /> }.into_any()
            }}
        </div>
    }
}

#[component]
fn Rows(rows: RwSignal<Vec<Row>>, problem: Signal<Option<String>>, next: Callback<(), u32>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <p class="field__hint">{t!(i18n, playbooks.questions.hint)}</p>
        {move || problem.get().map(|problem| view! { <p class="field__problem" role="alert">{problem}</p> })}
        <ol class="survey__rows">
            <For each=move || rows.get() key=|row| row.id let:row>
                <li><RowFields row rows /></li>
            </For>
        </ol>
        <ActionButton
            label=Signal::derive(move || t_string!(i18n, playbooks.questions.add).to_owned())
            icon=lu::LuPlus
            on_press=Callback::new(move |()| {
                let row = Row::of(next.run(()), &Question::default());
                rows.update(|rows| rows.push(row));
            })
        />
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
                label=Signal::derive(move || t_string!(i18n, playbooks.questions.variable).to_owned())
                value=row.variable
                required=true
            />
            <TextField
                name=format!("survey-question-{id}")
                label=Signal::derive(move || t_string!(i18n, playbooks.questions.question).to_owned())
                value=row.question
            />
            <SelectField
                name=format!("survey-answer-{id}")
                label=Signal::derive(move || t_string!(i18n, playbooks.questions.answer).to_owned())
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
                    label=Signal::derive(move || t_string!(i18n, playbooks.questions.choices).to_owned())
                    value=row.choices
                    required=true
                    hint=Signal::derive(move || Some(t_string!(i18n, playbooks.questions.choices_hint).to_owned()))
                />
            })}
            {move || (!is("secret")).then(|| view! {
                <TextField
                    name=format!("survey-default-{id}")
                    label=Signal::derive(move || t_string!(i18n, playbooks.questions.default).to_owned())
                    value=row.default
                />
            })}
            <CheckField
                name=format!("survey-required-{id}")
                label=Signal::derive(move || t_string!(i18n, playbooks.questions.required).to_owned())
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_them_differently() {
        for (text, yaml) in [
            ("web", "web"),
            ("no", "\"no\""),
            ("1.5", "\"1.5\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("Yes", "\"Yes\""),
        ] {
            assert_eq!(quoted(text), yaml);
        }
    }
}
