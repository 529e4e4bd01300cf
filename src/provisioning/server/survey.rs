//! What a playbook asks before it runs: a list of questions, written as YAML beside it.

use super::project;
use crate::{
    authentication::server::Proof,
    error::{Error, Result},
    i18n::{Locale, td_string},
    id::Id,
    platform::state::State,
    provisioning::model::{AnswerKind, Question},
    storage::{Playbook, yaml},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The greatest number of questions.
const MAX: usize = 100;

/// The greatest number of choices of one question.
const CHOICES_MAX: usize = 200;

/// Reads a survey: the questions in their order; none where there is no survey.
///
/// A default of a text that is written as a number or a switch is given as text.
///
/// # Errors
/// [`Error::Invalid`] at `survey` with line and column of the first thing that is wrong.
pub fn questions(survey: Option<&str>, locale: Locale) -> Result<Vec<Question>> {
    let refused = |message: String| Error::invalid("survey", message);
    let text = survey.unwrap_or_default();
    let listed = yaml::list::<Question>(text, td_string!(locale, playbooks.survey.list), locale).map_err(refused)?;
    if listed.len() > MAX {
        return Err(refused(td_string!(locale, playbooks.survey.limit, max = MAX.to_string())));
    }
    let mut taken = BTreeSet::new();
    let mut questions = Vec::with_capacity(listed.len());
    for mut spanned in listed {
        let problem = problem(&mut spanned.value, locale).or_else(|| {
            let name = spanned.value.variable.clone();
            let message = td_string!(locale, playbooks.survey.twice, name = name.clone());
            (!taken.insert(name)).then_some(message)
        });
        if let Some(message) = problem {
            return Err(refused(yaml::at(&spanned, &message, locale)));
        }
        questions.push(spanned.value);
    }
    Ok(questions)
}

/// What a playbook in reach asks.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn of(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<Question>> {
    let written = project::reach(state, proof, playbook).await?;
    questions(written.survey.as_deref(), proof.locale())
}

/// What is wrong with a question, the first thing first.
fn problem(question: &mut Question, locale: Locale) -> Option<String> {
    let name = question.variable.clone();
    if !is_variable(&name) {
        return Some(td_string!(locale, playbooks.survey.variable, name = name));
    }
    if is_ansibles_own(&name) {
        return Some(td_string!(locale, playbooks.survey.reserved, name = name));
    }
    let is_choice = question.answer == AnswerKind::Choice;
    if is_choice && question.choices.iter().all(|choice| choice.trim().is_empty()) {
        return Some(td_string!(locale, playbooks.survey.choices_missing, name = name));
    }
    if !is_choice && !question.choices.is_empty() {
        return Some(td_string!(locale, playbooks.survey.choices_beside, name = name));
    }
    if question.choices.len() > CHOICES_MAX {
        return Some(td_string!(locale, playbooks.survey.choices_limit, name = name, max = CHOICES_MAX.to_string()));
    }
    let default = question.default.take().filter(|value| !value.is_null())?;
    match fitting(question, default) {
        Some(default) => {
            question.default = Some(default);
            None
        }
        None => Some(match question.answer {
            AnswerKind::Text => td_string!(locale, playbooks.survey.default_text, name = name),
            AnswerKind::Number => td_string!(locale, playbooks.survey.default_number, name = name),
            AnswerKind::Choice => td_string!(locale, playbooks.survey.default_choice, name = name),
            AnswerKind::Secret => td_string!(locale, playbooks.survey.default_secret, name = name),
        }),
    }
}

/// The default as an answer of that kind; `None` when it is none.
fn fitting(question: &Question, default: Value) -> Option<Value> {
    let word = match &default {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match question.answer {
        AnswerKind::Text => word.map(Value::String),
        AnswerKind::Number => default.is_number().then_some(default),
        AnswerKind::Choice => word.filter(|word| question.choices.contains(word)).map(Value::String),
        AnswerKind::Secret => None,
    }
}

/// Whether Ansible takes the text as the name of a variable.
fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    begins && name.len() <= 100 && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Names that Ansible gives a meaning to. An answer to `ansible_connection` or one of its kin would decide
/// what runs on this server.
fn is_ansibles_own(name: &str) -> bool {
    const RESERVED: &[&str] = &[
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "lookup",
        "omit",
        "play_hosts",
        "playbook_dir",
        "query",
        "role_name",
        "role_names",
        "role_path",
        "vars",
    ];
    // Words of Python cannot be variables.
    const PYTHON: &[&str] = &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    name.starts_with("ansible_") || RESERVED.contains(&name) || PYTHON.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Question>> {
        questions(Some(text), Locale::en)
    }

    #[test]
    fn a_survey_is_a_list_of_questions() {
        let text = "---\n- variable: packages\n  question: Which ones?\n  required: true\n- variable: port\n  answer: number\n  default: 8080\n- variable: state\n  answer: choice\n  choices: [present, absent]\n  default: present\n- {variable: word, answer: secret}\n- {variable: version, default: 1.5}\n";

        let questions = read(text).expect("it is a survey");

        let names: Vec<_> = questions.iter().map(|question| question.variable.as_str()).collect();
        assert_eq!(names, ["packages", "port", "state", "word", "version"]);
        assert_eq!(questions[1].default, Some(Value::from(8080)));
        assert_eq!(questions[2].choices, ["present", "absent"]);
        assert_eq!(questions[4].default, Some(Value::from("1.5")));
        for nothing in ["", "# later\n", "---\n"] {
            assert_eq!(read(nothing).expect("nothing is asked"), []);
        }
        assert_eq!(questions_of_none(), []);
    }

    fn questions_of_none() -> Vec<Question> {
        questions(None, Locale::en).expect("nothing is asked")
    }

    #[test]
    fn what_is_wrong_with_a_survey_is_said_with_its_line() {
        for (text, line) in [
            ("variable: a\n", "Line 1"),
            ("- variable: a\n- just words\n", "Line 2"),
            ("- variable: a\n  colour: red\n", "Line 2"),
            ("- variable: a\n- question: Which?\n", "Line 2"),
            ("- variable: a\n- variable: a\n", "Line 2"),
            ("- variable: a-b\n", "Line 1"),
            ("- variable: 1a\n", "Line 1"),
            ("- variable: ansible_connection\n", "Line 1"),
            ("- variable: ansible_ssh_common_args\n", "Line 1"),
            ("- variable: hostvars\n", "Line 1"),
            ("- variable: a\n  answer: choice\n", "Line 1"),
            ("- variable: a\n  choices: [x]\n", "Line 1"),
            ("- variable: a\n  answer: choice\n  choices: [x]\n  default: y\n", "Line 1"),
            ("- variable: a\n  answer: number\n  default: many\n", "Line 1"),
            ("- variable: a\n  answer: secret\n  default: x\n", "Line 1"),
            ("- variable: a\n  default: [x]\n", "Line 1"),
            ("- variable: a\n  answer: magic\n", "Line 2"),
        ] {
            let refused = read(text).expect_err(text);
            let [problem] = refused.problems() else { panic!("{text}: {refused}") };
            assert_eq!(problem.field, "survey");
            assert!(problem.message.starts_with(line), "{text:?}: {}", problem.message);
        }
    }
}
