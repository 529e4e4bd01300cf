//! How a playbook shall be run: every value is checked here and becomes at most one element of a command line.

use super::credentials::{Opened, Secret};
use crate::{
    error::Problem,
    i18n::{Locale, td_string},
    jobs::server::store::MASK,
    platform::config::Provisioning,
    provisioning::model::{AnswerKind, Question, RunOptions},
    storage::Playbook,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// The greatest number of tags in one list, and of variables.
const MOST: usize = 200;
/// The longest tag and the longest name of a variable, in letters.
const LONGEST_NAME: usize = 200;
/// The greatest size of all variables as JSON, in bytes, and how deep they may go.
const VARIABLES_BYTES: usize = 256 * 1024;
const DEEPEST: usize = 20;
/// The greatest number of hosts at a time that anybody may ask for.
const MOST_FORKS: u32 = 500;
/// Hosts at a time unless somebody asks for more, and the memory that each takes.
const USUAL_FORKS: u32 = 20;
const FORK_BYTES: u64 = 20 * 1024 * 1024;

/// The variables of a run, those that are secret apart.
#[derive(Default)]
pub(super) struct Variables {
    pub open: Map<String, Value>,
    pub secret: Vec<(String, Zeroizing<String>)>,
}

/// Checks everything that can be told without the target; adds what is wrong to `problems`.
pub(super) fn check(options: &RunOptions, limits: &Provisioning, locale: Locale, problems: &mut Vec<Problem>) {
    for (field, tags) in [("options.tags", &options.tags), ("options.skip_tags", &options.skip_tags)] {
        if tags.len() > MOST || !tags.iter().all(|tag| is_tag(tag)) {
            problems.push(Problem::at(field, td_string!(locale, runs.problem.tag)));
        }
    }
    if !options.become_name.is_empty() && !is_user(&options.become_name) {
        problems.push(Problem::at("options.become_name", td_string!(locale, runs.problem.user)));
    }
    let mut within = |field: &str, value: Option<u32>, min: u32, max: u32| {
        if value.is_some_and(|value| !(min..=max).contains(&value)) {
            let (min, max) = (min.to_string(), max.to_string());
            problems.push(Problem::at(field, td_string!(locale, errors.field.integer, min = min, max = max)));
        }
    };
    within("options.verbosity", Some(options.verbosity.into()), 0, 4);
    within("options.forks", options.forks, 1, MOST_FORKS);
    within("options.timeout", options.timeout, 1, limits.timeout);
}

/// A tag: begins with a letter or digit, and has nothing in it that parts tags.
fn is_tag(tag: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || "_.-:/ ".contains(letter);
    tag.starts_with(char::is_alphanumeric)
        && !tag.ends_with(' ')
        && tag.chars().count() <= LONGEST_NAME
        && tag.chars().all(is_letter)
}

/// The name of a user on a machine.
pub(super) fn is_user(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_.-$\\@".contains(letter);
    name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        && name.len() <= 64
        && name.chars().all(is_letter)
}

/// Checks the variables, takes the answers to the survey from them, fills in what was not answered, and parts
/// secrets from the rest.
pub(super) fn variables(
    given: &Map<String, Value>,
    questions: &[Question],
    locale: Locale,
    problems: &mut Vec<Problem>,
) -> Variables {
    let field = |name: &str| format!("options.variables.{name}");
    let mut variables = Variables::default();
    let size = serde_json::to_string(given).map_or(usize::MAX, |text| text.len());
    if given.len() > MOST || size > VARIABLES_BYTES {
        problems.push(Problem::at("options.variables", td_string!(locale, runs.problem.variables)));
        return variables;
    }
    for (name, value) in given {
        let short: String = name.chars().take(LONGEST_NAME).collect();
        if !is_name(name) {
            problems.push(Problem::at(field(&short), td_string!(locale, runs.problem.variable_name)));
        } else if is_reserved(name) {
            problems.push(Problem::at(field(&short), td_string!(locale, runs.problem.variable_reserved)));
        } else if !is_plain(value, 0) {
            problems.push(Problem::at(field(&short), td_string!(locale, runs.problem.variable_value)));
        }
    }
    variables.open = given.clone();
    for question in questions {
        let name = &question.variable;
        let answer = variables.open.remove(name).filter(|answer| !is_empty(answer));
        let is_masked = question.answer == AnswerKind::Secret && answer.as_ref().is_some_and(|it| *it == MASK);
        if is_masked {
            problems.push(Problem::at(field(name), td_string!(locale, runs.problem.answer_again)));
            continue;
        }
        let default = question.default.clone().filter(|_| question.answer != AnswerKind::Secret);
        let Some(answer) = answer.or(default) else {
            if question.required {
                problems.push(Problem::at(field(name), td_string!(locale, runs.problem.answer_required)));
            }
            continue;
        };
        match answered(question, answer, locale) {
            Ok(Value::String(text)) if question.answer == AnswerKind::Secret => {
                variables.secret.push((name.clone(), Zeroizing::new(text)));
            }
            Ok(answer) => drop(variables.open.insert(name.clone(), answer)),
            Err(message) => problems.push(Problem::at(field(name), message)),
        }
    }
    variables
}

fn is_empty(answer: &Value) -> bool {
    answer.is_null() || answer.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The answer as the question wants it.
fn answered(question: &Question, answer: Value, locale: Locale) -> Result<Value, String> {
    let text = |answer: Value| match answer {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let wrong_text = || td_string!(locale, errors.field.text).to_owned();
    match question.answer {
        AnswerKind::Text | AnswerKind::Secret => text(answer).map(Value::String).ok_or_else(wrong_text),
        AnswerKind::Number => {
            let number = match &answer {
                Value::Number(_) => Some(answer),
                Value::String(text) => {
                    let text = text.trim();
                    let whole = text.parse::<i64>().ok().map(Value::from);
                    whole.or_else(|| text.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number))
                }
                _ => None,
            };
            number.ok_or_else(|| td_string!(locale, runs.problem.answer_number).to_owned())
        }
        AnswerKind::Choice => {
            let text = text(answer).ok_or_else(wrong_text)?;
            if question.choices.contains(&text) {
                return Ok(Value::String(text));
            }
            let choices = question.choices.join(", ");
            Err(td_string!(locale, errors.field.choice, choices = choices))
        }
    }
}

/// A name that Ansible takes for a variable.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// A name with which Ansible would run something else, connect elsewhere, or take a password in the open.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(rest) = name.strip_prefix("ansible_") else { return name.starts_with("__ansible") };
    let exact = ["connection", "host", "port", "become_flags", "become_method", "ssh_host", "ssh_port", "remote_tmp"];
    let ends = ["_args", "executable", "_exe", "interpreter", "_tmp", "_dir"];
    let within =
        ["plugin", "pass", "private_key", "shell", "sftp", "scp", "control_path", "host_key", "vault", "config"];
    exact.contains(&rest) || ends.iter().any(|end| rest.ends_with(end)) || within.iter().any(|part| rest.contains(part))
}

/// Whether a value holds no mark that Ansible reads as something else than data, no NUL, and is not too deep.
fn is_plain(value: &Value, depth: usize) -> bool {
    let is_good = |text: &str| !text.contains('\0');
    match value {
        _ if depth > DEEPEST => false,
        Value::String(text) => is_good(text),
        Value::Array(items) => items.iter().all(|item| is_plain(item, depth + 1)),
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            is_good(name) && !name.to_ascii_lowercase().starts_with("__ansible") && is_plain(value, depth + 1)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// What the credentials say of each other; adds what is wrong to `problems`.
pub(super) fn check_credentials(opened: &[Opened], locale: Locale, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    let mut users = BTreeSet::new();
    let field = "options.credentials";
    for credential in opened {
        let (kind, signs_in) = match &credential.secret {
            Secret::SshKey { .. } => (("key", String::new()), true),
            Secret::SshPassword(_) => (("password", String::new()), true),
            Secret::BecomePassword(_) => (("become", String::new()), false),
            Secret::VaultPassword { label, .. } => (("vault", label.clone()), false),
        };
        if !seen.insert(kind.clone()) {
            let message = match kind {
                ("vault", label) => td_string!(locale, runs.problem.vault_twice, label = label),
                ("key", _) => td_string!(locale, runs.problem.key_twice).to_owned(),
                ("become", _) => td_string!(locale, runs.problem.become_twice).to_owned(),
                _ => td_string!(locale, runs.problem.password_twice).to_owned(),
            };
            problems.push(Problem::at(field, message));
        }
        if let Some(user) = credential.username.as_deref().filter(|user| signs_in && !user.is_empty()) {
            if !is_user(user) {
                let name = credential.name.clone();
                problems.push(Problem::at(field, td_string!(locale, runs.problem.credential_user, name = name)));
            }
            users.insert(user);
        }
    }
    if users.len() > 1 {
        problems.push(Problem::at(field, td_string!(locale, runs.problem.users_differ)));
    }
}

/// The user to sign in as where neither machine nor group names one.
fn user(opened: &[Opened]) -> Option<&str> {
    let signs_in = |secret: &Secret| matches!(secret, Secret::SshKey { .. } | Secret::SshPassword(_));
    opened
        .iter()
        .filter(|credential| signs_in(&credential.secret))
        .find_map(|credential| credential.username.as_deref().filter(|user| !user.is_empty()))
}

/// The options of `ansible-playbook`: an element each. Everything was checked before.
pub(super) fn arguments(options: &RunOptions, limit: &str, opened: &[Opened]) -> Vec<String> {
    let mut arguments = Vec::new();
    if !limit.is_empty() {
        arguments.push(format!("--limit={limit}"));
    }
    for (name, tags) in [("--tags", &options.tags), ("--skip-tags", &options.skip_tags)] {
        if !tags.is_empty() {
            arguments.push(format!("{name}={}", tags.join(",")));
        }
    }
    if options.check {
        arguments.push("--check".to_owned());
    }
    if options.diff || options.check {
        arguments.push("--diff".to_owned());
    }
    if let Some(user) = user(opened) {
        arguments.push(format!("--user={user}"));
    }
    if options.become_user {
        arguments.push("--become".to_owned());
    }
    if !options.become_name.is_empty() {
        arguments.push(format!("--become-user={}", options.become_name));
    }
    if options.verbosity > 0 {
        arguments.push(format!("-{}", "v".repeat(options.verbosity.min(4).into())));
    }
    arguments
}

/// Hosts at a time: what was asked for, what the playbook says, or what hosts and memory suggest.
pub(super) fn forks(options: &RunOptions, playbook: &Playbook, hosts: usize) -> u32 {
    let hosts = u32::try_from(hosts).unwrap_or(u32::MAX).max(1);
    let usual = || usual_forks(hosts, free_memory());
    options.forks.or(playbook.forks).map_or_else(usual, |forks| forks.clamp(1, MOST_FORKS))
}

fn usual_forks(hosts: u32, free_bytes: u64) -> u32 {
    let memory = u32::try_from(free_bytes / FORK_BYTES).unwrap_or(u32::MAX);
    hosts.min(USUAL_FORKS).min(memory).max(1)
}

/// The bytes of memory that programs may still take; a guess where the kernel does not tell.
fn free_memory() -> u64 {
    let told = std::fs::read_to_string("/proc/meminfo").ok();
    let line = told.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("MemAvailable:")));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(u64::from(USUAL_FORKS) * FORK_BYTES, |kib| kib * 1024)
}

/// The command line as a person would type it, secrets masked.
pub(super) fn command(playbook: &str, arguments: &[String], forks: u32, variables: &Variables) -> String {
    let mut words = vec!["ansible-playbook".to_owned(), "--inventory=inventory.yml".to_owned()];
    words.push(format!("--forks={forks}"));
    words.extend(arguments.iter().cloned());
    for (name, value) in &variables.open {
        words.push("-e".to_owned());
        words.push(match value {
            Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => format!("{name}={text}"),
            other => format!("{{\"{name}\": {other}}}"),
        });
    }
    for (name, _) in &variables.secret {
        words.push("-e".to_owned());
        words.push(format!("{name}={MASK}"));
    }
    words.push(playbook.to_owned());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell wants it.
fn quoted(word: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-•".contains(letter);
    if !word.is_empty() && word.chars().all(is_safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Id, platform::config::Config};
    use serde_json::json;

    fn fields(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.field.as_str()).collect()
    }

    fn problems_of(options: &RunOptions) -> Vec<Problem> {
        let limits = Config::from_text("").expect("the defaults are good").provisioning;
        let mut problems = Vec::new();
        check(options, &limits, Locale::en, &mut problems);
        problems
    }

    fn parted(given: Value, questions: &[Question]) -> (Variables, Vec<Problem>) {
        let Value::Object(given) = given else { panic!("variables are an object") };
        let mut problems = Vec::new();
        let variables = variables(&given, questions, Locale::en, &mut problems);
        (variables, problems)
    }

    #[test]
    fn tags_hold_nothing_that_an_option_or_a_file_would_begin_with() {
        for tag in
            ["-v", "--list-tasks", "@/etc/passwd", "/etc/passwd", "", " a", "a,b", "a\nb", "{{ 1 }}", "$(id)", "a;b"]
        {
            let options =
                RunOptions { tags: vec![tag.to_owned()], skip_tags: vec![tag.to_owned()], ..RunOptions::default() };
            assert_eq!(fields(&problems_of(&options)), ["options.tags", "options.skip_tags"], "{tag:?}");
        }
        let good = ["deploy", "web-1", "ns:part", "v1.2", "añadir"].map(str::to_owned).to_vec();
        assert!(problems_of(&RunOptions { tags: good, ..RunOptions::default() }).is_empty());
    }

    #[test]
    fn numbers_and_users_are_bounded() {
        let options = RunOptions {
            verbosity: 5,
            forks: Some(0),
            timeout: Some(u32::MAX),
            become_name: "-root".to_owned(),
            ..RunOptions::default()
        };

        let problems = problems_of(&options);

        assert_eq!(fields(&problems), ["options.become_name", "options.verbosity", "options.forks", "options.timeout"]);
    }

    #[test]
    fn variables_that_would_run_something_else_are_refused() {
        for name in [
            "ansible_connection",
            "ansible_ssh_common_args",
            "ansible_ssh_executable",
            "ansible_python_interpreter",
            "ansible_shell_type",
            "ansible_become_exe",
            "ansible_password",
            "ansible_become_pass",
            "ansible_ssh_pass",
            "ANSIBLE_CONNECTION",
            "ansible_callback_plugins",
            "ansible_host",
            "ansible_ssh_private_key_file",
            "__ansible_unsafe",
            "a-b",
            "",
            "1a",
            "a b",
            "a.b",
            "-v",
            "é",
        ] {
            let (_, problems) = parted(json!({ name: "x" }), &[]);
            assert_eq!(problems.len(), 1, "{name}");
        }
        for value in [json!({"a": {"__ansible_vault": "x"}}), json!([{"__Ansible_Unsafe": 1}]), json!("a\0b")] {
            assert_eq!(parted(json!({ "name": value }), &[]).1.len(), 1);
        }
        assert!(parted(json!({"ansible_user": "deploy", "port": 80, "list": [1, {"a": null}]}), &[]).1.is_empty());
    }

    #[test]
    fn answers_fit_their_questions_and_secrets_are_kept_apart() {
        let question =
            |variable: &str, answer| Question { variable: variable.to_owned(), answer, ..Question::default() };
        let questions = [
            Question { required: true, ..question("name", AnswerKind::Text) },
            question("count", AnswerKind::Number),
            Question { choices: vec!["a".to_owned(), "b".to_owned()], ..question("size", AnswerKind::Choice) },
            Question { required: true, ..question("token", AnswerKind::Secret) },
            Question { default: Some(json!("here")), ..question("place", AnswerKind::Text) },
        ];

        let (good, none) =
            parted(json!({"name": "web", "count": "4", "size": "b", "token": "s3cret", "x": 1}), &questions);
        let (_, bad) = parted(json!({"name": " ", "count": "many", "size": "c", "token": MASK}), &questions);

        assert!(none.is_empty(), "{none:?}");
        assert_eq!(Value::Object(good.open), json!({"count": 4, "name": "web", "place": "here", "size": "b", "x": 1}));
        assert_eq!((good.secret[0].0.as_str(), good.secret[0].1.as_str()), ("token", "s3cret"));
        let wrong = ["name", "count", "size", "token"].map(|name| format!("options.variables.{name}"));
        assert_eq!(fields(&bad), wrong);
    }

    #[test]
    fn two_credentials_of_one_kind_are_refused() {
        let opened = |secret, user: &str| Opened {
            id: Id::new(),
            name: "one".to_owned(),
            customer: None,
            username: Some(user.to_owned()),
            secret,
        };
        let text = || Zeroizing::new("x".to_owned());
        let vault = |label: &str| Secret::VaultPassword { label: label.to_owned(), password: text() };
        let told = |opened: &[Opened]| {
            let mut problems = Vec::new();
            check_credentials(opened, Locale::en, &mut problems);
            problems.len()
        };

        assert_eq!(
            told(&[opened(vault("a"), ""), opened(vault("b"), ""), opened(Secret::SshPassword(text()), "u")]),
            0
        );
        assert_eq!(told(&[opened(vault("a"), ""), opened(vault("a"), "")]), 1);
        assert_eq!(told(&[opened(Secret::BecomePassword(text()), ""), opened(Secret::BecomePassword(text()), "")]), 1);
        assert_eq!(told(&[opened(Secret::SshPassword(text()), "-oProxyCommand=x")]), 1);
    }

    #[test]
    fn the_command_line_can_be_typed_and_shows_no_secret() {
        let options = RunOptions { check: true, tags: vec!["a b".to_owned()], verbosity: 2, ..RunOptions::default() };
        let questions = [Question { variable: "token".to_owned(), answer: AnswerKind::Secret, ..Question::default() }];
        let (variables, _) = parted(json!({"token": "s3cret", "name": "it's"}), &questions);

        let command = command("deploy.yml", &arguments(&options, "web", &[]), 5, &variables);

        assert_eq!(
            command,
            "ansible-playbook --inventory=inventory.yml --forks=5 --limit=web '--tags=a b' --check --diff -vv \
             -e 'name=it'\\''s' -e token=••• deploy.yml"
        );
    }

    #[test]
    fn hosts_at_a_time_follow_from_their_number_and_the_memory() {
        assert_eq!(usual_forks(3, u64::MAX), 3);
        assert_eq!(usual_forks(300, u64::MAX), 20);
        assert_eq!(usual_forks(300, 100 * 1024 * 1024), 5);
        assert_eq!(usual_forks(300, 0), 1);
    }
}
