//! A run while it is being asked for: what was chosen and typed, and the request that it makes.

use super::as_fields::quoted;
use crate::{
    error::Problem,
    i18n::{Locale, td_string},
    id::Id,
    provisioning::model::{AnswerKind, Question, RunOptions, RunRequest},
    storage::Playbook,
    ui::Pick,
};
use leptos::prelude::*;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// What stands in place of a secret in an earlier run.
const MASK: &str = "•••";
/// The most hosts at a time.
const FORKS: u32 = 500;
/// The longest time limit, in seconds: a week.
const TIMEOUT: u32 = 604_800;

/// A variable's row. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Counts the rows; a row keeps its number.
    pub number: usize,
    /// The variable's name.
    pub name: RwSignal<String>,
    /// What was typed as its value.
    pub value: RwSignal<String>,
}

/// A request being written. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub playbook: RwSignal<Vec<Pick>>,
    pub hosts: RwSignal<Vec<Pick>>,
    pub machines: RwSignal<Vec<Pick>>,
    pub limit: RwSignal<String>,
    pub tags: RwSignal<Vec<Pick>>,
    pub skip_tags: RwSignal<Vec<Pick>>,
    /// What the playbook asks.
    pub questions: RwSignal<Vec<Question>>,
    /// What was answered, by variable.
    answers: StoredValue<BTreeMap<String, RwSignal<String>>>,
    pub variables: RwSignal<Vec<Row>>,
    rows: StoredValue<usize>,
    /// Values of an earlier run, for questions that are read later.
    earlier: StoredValue<Map<String, Value>>,
    pub becomes: RwSignal<bool>,
    pub become_name: RwSignal<String>,
    pub diff: RwSignal<bool>,
    pub verbosity: RwSignal<String>,
    pub forks: RwSignal<String>,
    pub timeout: RwSignal<String>,
    pub credentials: RwSignal<Vec<Pick>>,
}

/// A word that is picked is its own id.
fn words(list: &[String]) -> Vec<Pick> {
    list.iter().map(|word| Pick { id: word.clone(), label: word.clone() }).collect()
}

fn picks<T>(ids: &[Id<T>], names: &BTreeMap<String, String>) -> Vec<Pick> {
    let pick = |id: &Id<T>| {
        let id = id.to_string();
        Some(Pick { label: names.get(&id)?.clone(), id })
    };
    ids.iter().filter_map(pick).collect()
}

/// The ids of what was picked.
fn picked<T>(picks: RwSignal<Vec<Pick>>) -> Vec<Id<T>> {
    picks.with(|picks| picks.iter().filter_map(|pick| pick.id.parse().ok()).collect())
}

/// The words that were picked.
fn picked_words(picks: RwSignal<Vec<Pick>>) -> Vec<String> {
    picks.with(|picks| picks.iter().map(|pick| pick.id.clone()).collect())
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            playbook: RwSignal::default(),
            hosts: RwSignal::default(),
            machines: RwSignal::default(),
            limit: RwSignal::default(),
            tags: RwSignal::default(),
            skip_tags: RwSignal::default(),
            questions: RwSignal::default(),
            answers: StoredValue::default(),
            variables: RwSignal::default(),
            rows: StoredValue::default(),
            earlier: StoredValue::default(),
            becomes: RwSignal::default(),
            become_name: RwSignal::default(),
            diff: RwSignal::default(),
            verbosity: RwSignal::new("0".to_owned()),
            forks: RwSignal::default(),
            timeout: RwSignal::default(),
            credentials: RwSignal::default(),
        }
    }
}

impl Draft {
    /// A draft that begins with a request; what has no name is left out, because it is gone.
    pub fn of(
        playbook: Option<Id<Playbook>>,
        request: &RunRequest,
        names: &BTreeMap<String, String>,
        questions: Vec<Question>,
    ) -> Self {
        let draft = Self {
            playbook: RwSignal::new(playbook.map(|id| picks(&[id], names)).unwrap_or_default()),
            hosts: RwSignal::new(picks(&request.hosts, names)),
            machines: RwSignal::new(picks(&request.machines, names)),
            credentials: RwSignal::new(picks(&request.options.credentials, names)),
            ..Self::default()
        };
        draft.ask(questions);
        draft.take(&request.options);
        draft
    }

    /// A draft of options alone, for the playbook that is picked elsewhere.
    pub fn of_options(playbook: RwSignal<Vec<Pick>>) -> Self {
        Self { playbook, ..Self::default() }
    }

    /// Takes in what the playbook asks. What was written for such a variable becomes its answer.
    pub fn ask(self, questions: Vec<Question>) {
        for question in &questions {
            let is_its = |row: &Row| row.name.with_untracked(|name| name.trim() == question.variable);
            let row = self.variables.with_untracked(|rows| rows.iter().copied().find(is_its));
            let written = row.map(|row| row.value.get_untracked());
            let earlier = self.earlier.with_value(|all| all.get(&question.variable).map(shown));
            let first = earlier.or_else(|| question.default.as_ref().map(shown)).unwrap_or_default();
            self.answers.update_value(|answers| {
                answers.entry(question.variable.clone()).or_insert_with(|| RwSignal::new(first));
            });
            if let Some(written) = written {
                self.answer(&question.variable).set(written);
                self.variables.update(|rows| rows.retain(|row| !is_its(row)));
            }
        }
        self.questions.set(questions);
    }

    /// Takes in options, credentials excepted, in place of those that stand.
    pub fn take(self, options: &RunOptions) {
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        self.limit.set(options.limit.clone());
        self.tags.set(words(&options.tags));
        self.skip_tags.set(words(&options.skip_tags));
        self.becomes.set(options.become_user);
        self.become_name.set(options.become_name.clone());
        self.diff.set(options.diff);
        self.verbosity.set(options.verbosity.min(4).to_string());
        self.forks.set(number(options.forks));
        self.timeout.set(number(options.timeout));
        self.earlier.set_value(options.variables.clone());
        let questions = self.questions.get_untracked();
        for question in &questions {
            let value = options.variables.get(&question.variable).or(question.default.as_ref());
            self.answer(&question.variable).set(value.map(shown).unwrap_or_default());
        }
        self.variables.set(Vec::new());
        let is_asked = |name: &str| questions.iter().any(|question| question.variable == name);
        for (name, value) in options.variables.iter().filter(|(name, _)| !is_asked(name)) {
            self.add(name, &shown(value));
        }
    }

    /// The answer to a question.
    pub fn answer(self, variable: &str) -> RwSignal<String> {
        self.answers
            .with_value(|answers| answers.get(variable).copied())
            .unwrap_or_else(|| RwSignal::new(String::new()))
    }

    /// Adds a row for a variable.
    pub fn add(self, name: &str, value: &str) {
        self.rows.update_value(|rows| *rows += 1);
        let row = Row {
            number: self.rows.get_value(),
            name: RwSignal::new(name.to_owned()),
            value: RwSignal::new(value.to_owned()),
        };
        self.variables.update(|rows| rows.push(row));
    }

    /// Which playbook is run.
    pub fn playbook_id(self) -> Option<Id<Playbook>> {
        self.playbook.with(|picks| picks.first().and_then(|pick| pick.id.parse().ok()))
    }

    /// Whether it says where it runs.
    pub fn has_target(self) -> bool {
        !self.hosts.with(Vec::is_empty) || !self.machines.with(Vec::is_empty)
    }

    /// The request as it stands, and everything that is wrong with it; no request without a playbook.
    pub fn read(self, locale: Locale, check: bool) -> (Option<RunRequest>, Vec<Problem>) {
        let mut problems = Vec::new();
        let playbook = self.playbook_id();
        if playbook.is_none() {
            problems.push(Problem::at("playbook", td_string!(locale, run_page.form.no_playbook)));
        }
        if !self.has_target() {
            problems.push(Problem::at("hosts", td_string!(locale, run_page.form.no_target)));
        }
        let options = self.read_options(locale, check, &mut problems);
        let request = playbook.map(|playbook| RunRequest {
            playbook,
            hosts: picked(self.hosts),
            machines: picked(self.machines),
            options,
        });
        (request, problems)
    }

    /// The options as they stand; what is wrong with them is added to the problems.
    pub fn read_options(self, locale: Locale, check: bool, problems: &mut Vec<Problem>) -> RunOptions {
        let mut number = |field: &str, text: String, min: u32, max: u32| match text.trim() {
            "" => None,
            text => {
                let value = text.parse().ok().filter(|value| (min..=max).contains(value));
                if value.is_none() {
                    let (min, max) = (min.to_string(), max.to_string());
                    problems.push(Problem::at(field, td_string!(locale, run_page.form.number, min = min, max = max)));
                }
                value
            }
        };
        let forks = number("options.forks", self.forks.get(), 1, FORKS);
        let timeout = number("options.timeout", self.timeout.get(), 1, TIMEOUT);
        let variables = self.read_variables(locale, problems);
        RunOptions {
            limit: self.limit.get().trim().to_owned(),
            tags: picked_words(self.tags),
            skip_tags: picked_words(self.skip_tags),
            variables,
            check,
            diff: check || self.diff.get(),
            become_user: self.becomes.get(),
            become_name: if self.becomes.get() { self.become_name.get().trim().to_owned() } else { String::new() },
            verbosity: self.verbosity.get().parse().unwrap_or(0),
            forks,
            credentials: picked(self.credentials),
            timeout,
        }
    }

    /// The options as YAML, without what stands there anyway and without secrets and credentials. What cannot be
    /// right is written as it was typed, so that whoever reads it tells.
    pub fn yaml(self, check: bool) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: String| text.push_str(&format!("{name}: {value}\n"));
        let limit = self.limit.get().trim().to_owned();
        if !limit.is_empty() {
            add("limit", quoted(&limit));
        }
        for (name, picks) in [("tags", self.tags), ("skip_tags", self.skip_tags)] {
            let words: Vec<String> = picked_words(picks).iter().map(|word| quoted(word)).collect();
            if !words.is_empty() {
                add(name, format!("[{}]", words.join(", ")));
            }
        }
        for (name, is_on) in [("check", check), ("diff", self.diff.get()), ("become", self.becomes.get())] {
            if is_on {
                add(name, "true".to_owned());
            }
        }
        let become_name = self.become_name.get().trim().to_owned();
        if self.becomes.get() && !become_name.is_empty() {
            add("become_name", quoted(&become_name));
        }
        let verbosity = self.verbosity.get();
        if verbosity != "0" {
            add("verbosity", verbosity);
        }
        for (name, number) in [("forks", self.forks.get()), ("timeout", self.timeout.get())] {
            let number = number.trim();
            if !number.is_empty() {
                add(name, number.parse::<u32>().map_or_else(|_| quoted(number), |number| number.to_string()));
            }
        }
        let variables = self.variables_yaml();
        if !variables.is_empty() {
            text.push_str(&format!("variables:\n{variables}"));
        }
        text
    }

    fn variables_yaml(self) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &Value| text.push_str(&format!("  {}: {value}\n", quoted(name)));
        for question in self.questions.get() {
            let answer = self.answer(&question.variable).get();
            if question.answer == AnswerKind::Secret {
                continue;
            }
            match answered(&question, &answer) {
                Ok(Some(value)) => add(&question.variable, &value),
                Ok(None) => {}
                Err(()) => add(&question.variable, &Value::from(answer)),
            }
        }
        for row in self.variables.get() {
            let (name, value) = (row.name.get().trim().to_owned(), row.value.get());
            if !name.is_empty() || !value.is_empty() {
                add(&name, &typed(&value));
            }
        }
        text
    }

    fn read_variables(self, locale: Locale, problems: &mut Vec<Problem>) -> Map<String, Value> {
        let mut variables = Map::new();
        for question in self.questions.get() {
            let field = format!("options.variables.{}", question.variable);
            match answered(&question, &self.answer(&question.variable).get()) {
                Ok(Some(value)) => drop(variables.insert(question.variable, value)),
                Ok(None) if question.required => {
                    problems.push(Problem::at(field, td_string!(locale, run_page.form.answer_required)));
                }
                Ok(None) => {}
                Err(()) => problems.push(Problem::at(field, td_string!(locale, run_page.form.answer_number))),
            }
        }
        for row in self.variables.get() {
            let (name, value) = (row.name.get().trim().to_owned(), row.value.get());
            if name.is_empty() && value.is_empty() {
                continue;
            }
            let field = format!("variable-{}", row.number);
            if !is_name(&name) {
                problems.push(Problem::at(field, td_string!(locale, run_page.form.name_wrong)));
            } else if variables.contains_key(&name) {
                problems.push(Problem::at(field, td_string!(locale, run_page.form.name_twice)));
            } else {
                variables.insert(name, typed(&value));
            }
        }
        variables
    }
}

/// Whether Ansible takes it for the name of a variable.
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// A value as it is typed; a secret that was masked must be typed anew.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text == MASK => String::new(),
        // Words that would be read as something else keep their quotes.
        Value::String(text) if typed(text) == *value => text.clone(),
        other => other.to_string(),
    }
}

/// What was typed: a number, a truth value, a list or a mapping where it is one, otherwise words.
fn typed(text: &str) -> Value {
    match serde_json::from_str(text.trim()) {
        Ok(Value::Null) | Err(_) => Value::from(text),
        Ok(value) => value,
    }
}

/// What an answer is worth; nothing where none was given, an error where it is no number and should be.
fn answered(question: &Question, text: &str) -> Result<Option<Value>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    match question.answer {
        AnswerKind::Number => {
            let number = text.trim();
            let whole = number.parse::<i64>().ok().map(Number::from);
            whole.or_else(|| number.parse().ok().and_then(Number::from_f64)).map(|it| Some(Value::Number(it))).ok_or(())
        }
        AnswerKind::Text | AnswerKind::Choice | AnswerKind::Secret => Ok(Some(Value::from(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> RunRequest {
        RunRequest { playbook: Id::new(), hosts: vec![Id::new()], machines: Vec::new(), options: RunOptions::default() }
    }

    fn drafted(request: &RunRequest, questions: Vec<Question>) -> Draft {
        let ids = [request.playbook.to_string(), request.hosts[0].to_string()];
        let names = ids.into_iter().map(|id| (id.clone(), id)).collect();
        Draft::of(Some(request.playbook), request, &names, questions)
    }

    #[test]
    fn an_earlier_run_becomes_the_same_request_again() {
        let owner = Owner::new();
        owner.set();
        let mut earlier = request();
        earlier.options.limit = "web*".to_owned();
        earlier.options.tags = vec!["config".to_owned()];
        earlier.options.forks = Some(5);
        let variables = json!({"port": 80, "name": "web", "version": "1.10", "on": true, "list": [1, "2"]});
        earlier.options.variables = variables.as_object().expect("it is a mapping").clone();

        let (read, problems) = drafted(&earlier, Vec::new()).read(Locale::en, false);

        assert_eq!((read, problems), (Some(earlier), Vec::new()));
    }

    #[test]
    fn a_secret_of_an_earlier_run_must_be_given_anew() {
        let owner = Owner::new();
        owner.set();
        let question = Question {
            variable: "token".to_owned(),
            answer: AnswerKind::Secret,
            required: true,
            ..Question::default()
        };
        let mut earlier = request();
        earlier.options.variables.insert("token".to_owned(), json!(MASK));
        let draft = drafted(&earlier, vec![question]);

        let missing = draft.read(Locale::en, true).1;
        draft.answer("token").set("s3cret".to_owned());
        let (read, problems) = draft.read(Locale::en, true);

        assert_eq!(missing[0].field, "options.variables.token");
        assert!(problems.is_empty());
        assert_eq!(read.expect("it can be asked for").options.variables["token"], "s3cret");
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        let owner = Owner::new();
        owner.set();
        let draft = drafted(&request(), Vec::new());
        draft.hosts.set(Vec::new());
        draft.forks.set("many".to_owned());
        draft.add("9lives", "x");
        draft.add("a", "1");
        draft.add("a", "2");

        let fields: Vec<String> = draft.read(Locale::en, false).1.into_iter().map(|it| it.field).collect();

        assert_eq!(fields, ["hosts", "options.forks", "variable-1", "variable-3"]);
    }

    #[test]
    fn options_are_written_as_yaml_and_wrong_ones_as_they_were_typed() {
        let owner = Owner::new();
        owner.set();
        let draft = Draft::default();
        assert_eq!(draft.yaml(false), "");
        let options = RunOptions {
            limit: "web*".to_owned(),
            tags: vec!["config".to_owned(), "1st".to_owned()],
            become_user: true,
            forks: Some(5),
            variables: json!({"port": 80, "name": "a b", "list": [1, "2"]}).as_object().expect("a mapping").clone(),
            ..RunOptions::default()
        };
        draft.ask(vec![Question { variable: "name".to_owned(), ..Question::default() }]);
        draft.take(&options);

        let all = "limit: \"web*\"\ntags: [config, \"1st\"]\ncheck: true\nbecome: true\nforks: 5\n\
                   variables:\n  name: \"a b\"\n  port: 80\n  list: [1,\"2\"]\n";
        assert_eq!(draft.yaml(true), all);

        draft.take(&RunOptions::default());
        draft.forks.set("many".to_owned());
        assert_eq!(draft.yaml(false), "forks: many\n");
    }

    #[test]
    fn what_was_written_for_a_variable_answers_the_question_for_it() {
        let owner = Owner::new();
        owner.set();
        let draft = Draft::default();
        draft.add("port", "8080");
        draft.add("other", "x");

        draft.ask(vec![Question { variable: "port".to_owned(), ..Question::default() }]);

        assert_eq!(draft.answer("port").get_untracked(), "8080");
        assert_eq!(draft.variables.with_untracked(Vec::len), 1);
    }

    #[test]
    fn what_is_written_later_replaces_an_earlier_answer() {
        let owner = Owner::new();
        owner.set();
        let draft = Draft::default();
        let port = Question { variable: "port".to_owned(), default: Some(json!(80)), ..Question::default() };
        draft.ask(vec![port.clone()]);
        draft.ask(Vec::new());
        draft.add("port", "8080");

        draft.ask(vec![port]);

        assert_eq!(draft.answer("port").get_untracked(), "8080");
        assert_eq!(draft.variables.with_untracked(Vec::len), 0);
    }

    #[test]
    fn numbers_and_words_are_told_apart() {
        let kinds = ["80", "true", "[1, 2]", "1.2.3", "yes", "null", "\"80\""].map(typed);

        assert_eq!(
            kinds,
            [json!(80), json!(true), json!([1, 2]), json!("1.2.3"), json!("yes"), json!("null"), json!("80")]
        );
        for value in [json!("80"), json!(80), json!("a b"), json!(null), json!({"a": 1})] {
            let again = typed(&shown(&value));
            assert!(again == value || value.is_null(), "{value}");
        }
        let number = Question { answer: AnswerKind::Number, ..Question::default() };
        assert_eq!(answered(&number, "8.5"), Ok(Some(json!(8.5))));
        assert_eq!(answered(&number, "x"), Err(()));
        assert_eq!(answered(&number, ""), Ok(None));
    }
}
