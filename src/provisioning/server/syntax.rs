//! What is wrong with a playbook, and which tags it has, as Ansible tells.
//!
//! Ansible runs apart from the server and takes seconds, so an answer is kept by the hash of all it was asked of.

use super::{
    galaxy,
    project::{self, PLAYBOOK},
    requirements,
    sandbox::{self, Answer, Question},
};
use crate::{
    authentication::server::Proof,
    error::{Error, Result},
    i18n::Locale,
    id::Id,
    platform::{db::sql, state::State},
    provisioning::books::{Checked, Mark, Severity},
    storage::{Playbook, yaml},
    time::Timestamp,
};
use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{path::PathBuf, time::Duration};
use tokio::sync::Semaphore;

/// How long Ansible may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Marks in one answer, at most.
const MARKS_MAX: usize = 200;

/// Looks that are made at a time: each takes a core.
static LOOKS: Semaphore = Semaphore::const_new(2);

/// The tags of a playbook's tasks, sorted; none where Ansible cannot read it.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn tags(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<String>> {
    let content = project::reach(state, proof, playbook).await?.content;
    let files = project::files(state, proof, playbook).await?;
    // Nobody waits for an installation to choose from tags.
    let asked = requirements::read(&files, proof.locale()).unwrap_or_default();
    let installed = galaxy::installed(state, proof.locale(), &asked).await.map(|installed| installed.folder);
    let project = Project { content: &content, files: &files, installed };
    let key = key("tags", state, &project);
    if let Some(tags) = kept(state, proof, &key).await? {
        return Ok(tags);
    }
    match ask(state, proof.locale(), "ansible-playbook", &["--list-tags", "--inventory=localhost,"], &project).await {
        Ok(answer) if answer.code == Some(0) => {
            let tags = read_tags(&answer.stdout);
            keep(state, proof, &key, &tags).await?;
            Ok(tags)
        }
        Ok(_) | Err(Error::Unavailable { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What there is to say about a playbook as it stands.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn check(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Checked> {
    let content = project::reach(state, proof, playbook).await?.content;
    let files = project::files(state, proof, playbook).await?;
    check_text(state, proof, &content, &files).await
}

/// What there is to say about a playbook that is being written; `playbook` is the one whose files it would stand
/// beside. Without `thorough` only its YAML is looked at, which takes no time.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn check_draft(
    state: &State,
    proof: &dyn Proof,
    playbook: Option<Id<Playbook>>,
    content: &str,
    thorough: bool,
) -> Result<Checked> {
    let files = match playbook.filter(|_| thorough) {
        Some(playbook) => project::files(state, proof, playbook).await?,
        None => Vec::new(),
    };
    if thorough {
        return check_text(state, proof, content, &files).await;
    }
    Ok(Checked { marks: of_yaml(content, proof).into_iter().collect(), ..Checked::default() })
}

fn of_yaml(content: &str, proof: &dyn Proof) -> Option<Mark> {
    let fault = yaml::playbook_fault(content, proof.locale())?;
    Some(Mark {
        path: PLAYBOOK.to_owned(),
        line: fault.line,
        column: fault.column,
        severity: Severity::Error,
        message: fault.message,
        rule: None,
    })
}

async fn check_text(state: &State, proof: &dyn Proof, content: &str, files: &[(String, Vec<u8>)]) -> Result<Checked> {
    if let Some(mark) = of_yaml(content, proof) {
        return Ok(Checked { marks: vec![mark], ..Checked::default() });
    }
    let asked = match requirements::read(files, proof.locale()) {
        Ok(asked) => asked,
        Err(marks) => return Ok(Checked { marks, ..Checked::default() }),
    };
    let installed = match galaxy::ready(state, proof.locale(), &asked, galaxy::Wish::Look, || {}).await {
        Ok(ready) => ready.map(|ready| ready.installed.folder),
        Err(Error::Unavailable { service, message }) if service == galaxy::SERVICE => {
            return Ok(Checked { marks: vec![of_whole(&asked.path, message)], ..Checked::default() });
        }
        Err(Error::Unavailable { .. }) => return Ok(Checked::default()),
        Err(error) => return Err(error),
    };
    let project = Project { content, files, installed };
    let key = key("check", state, &project);
    if let Some(checked) = kept(state, proof, &key).await? {
        return Ok(checked);
    }
    let options = ["--syntax-check", "--inventory=localhost,"];
    let syntax = ask(state, proof.locale(), "ansible-playbook", &options, &project).await;
    let mut checked = match syntax {
        Ok(answer) if answer.code.is_some() => {
            Checked { marks: read_syntax(&answer, files), by_ansible: true, by_lint: false }
        }
        // It took too long, or is not there: nothing is known, and it is asked again the next time.
        Ok(_) | Err(Error::Unavailable { .. }) => return Ok(Checked::default()),
        Err(error) => return Err(error),
    };
    let has_lint =
        state.ansible.tools(proof.locale()).await.is_ok_and(|tools| tools.bin.join("ansible-lint").is_file());
    if checked.marks.is_empty() && has_lint {
        let options = ["--offline", "-q", "--nocolor", "-f", "codeclimate"];
        if let Ok(answer) = ask(state, proof.locale(), "ansible-lint", &options, &project).await
            && let Some(marks) = read_lint(&answer.stdout)
        {
            checked.marks = marks;
            checked.by_lint = true;
        }
    }
    checked.marks.sort_by(|a, b| (a.severity, &a.path, a.line, a.column).cmp(&(b.severity, &b.path, b.line, b.column)));
    checked.marks.truncate(MARKS_MAX);
    keep(state, proof, &key, &checked).await?;
    Ok(checked)
}

/// What is looked at: a playbook, the files beside it, and what was installed for it.
struct Project<'a> {
    content: &'a str,
    files: &'a [(String, Vec<u8>)],
    installed: Option<PathBuf>,
}

async fn ask(
    state: &State,
    locale: Locale,
    program: &'static str,
    options: &[&str],
    project: &Project<'_>,
) -> Result<Answer> {
    let mut files = project.files.to_vec();
    files.push((PLAYBOOK.to_owned(), project.content.as_bytes().to_vec()));
    let arguments = options.iter().copied().chain([PLAYBOOK]).map(str::to_owned).collect();
    let installed = project.installed.clone();
    let _place = LOOKS.acquire().await.context("waiting for a look")?;
    let question = Question { program, arguments, files, installed, limit: LIMIT, ..Question::default() };
    sandbox::ask(state, locale, question).await
}

/// The hash of everything that an answer depends on.
fn key(what: &str, state: &State, project: &Project<'_>) -> String {
    let version = state.ansible.look().version.unwrap_or_default();
    let mut all = format!("{what} 1 {version}\n{}\n", project::hash_of(project.content.as_bytes()));
    if let Some(installed) = &project.installed {
        all.push_str(&format!("{}\n", installed.display()));
    }
    for (path, content) in project.files {
        all.push_str(&format!("{} {path}\n", project::hash_of(content)));
    }
    project::hash_of(all.as_bytes())
}

async fn kept<T: DeserializeOwned>(state: &State, proof: &dyn Proof, key: &str) -> Result<Option<T>> {
    let row = state.db.row(proof, sql("select answer from playbook_checks where hash = $1").bind(key)).await?;
    let Some(row) = row else { return Ok(None) };
    // One that an older program wrote may read differently; it is asked anew.
    Ok(serde_json::from_str(&row.text("answer")?).ok())
}

async fn keep<T: Serialize + Sync>(state: &State, proof: &dyn Proof, key: &str, answer: &T) -> Result<()> {
    let answer = serde_json::to_string(answer).context("writing an answer")?;
    let insert = sql("insert into playbook_checks (hash, answer, at)
           values ($1, $2, $3)
         on conflict (hash) do update set answer = excluded.answer, at = excluded.at")
    .bind(key)
    .bind(answer)
    .bind(Timestamp::now().millis());
    state.db.execute(proof, insert).await?;
    Ok(())
}

/// The errors of `--syntax-check`: what stands behind `[ERROR]:`, and the place behind `Origin:` below it.
///
/// Source: ansible-core 2.19; earlier versions write `ERROR!` and the place in words, of which the first line is given.
fn read_syntax(answer: &Answer, files: &[(String, Vec<u8>)]) -> Vec<Mark> {
    if answer.code == Some(0) {
        return Vec::new();
    }
    let mut marks: Vec<Mark> = Vec::new();
    let mut lines = answer.stderr.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("[ERROR]: ").or_else(|| line.strip_prefix("ERROR! ")) else { continue };
        let mut message = first.trim().to_owned();
        let mut place = (PLAYBOOK.to_owned(), 1, 1);
        while let Some(next) = lines.peek() {
            if let Some(origin) = next.strip_prefix("Origin: ") {
                place = read_origin(origin, files).unwrap_or(place);
                break;
            }
            if next.starts_with('[') || next.trim().is_empty() {
                break;
            }
            message.push(' ');
            message.push_str(next.trim());
            lines.next();
        }
        let (path, line, column) = place;
        let mark = Mark { path, line, column, severity: Severity::Error, message: shortened(&message), rule: None };
        // A cause is told once more for every place that led to it.
        if !marks.iter().any(|known| known.message == mark.message && known.line == mark.line) {
            marks.push(mark);
        }
    }
    if marks.is_empty() {
        let last = answer.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("ansible-playbook");
        marks.push(of_whole(PLAYBOOK, shortened(last)));
    }
    marks
}

/// An error of a file that stands at none of its lines.
fn of_whole(path: &str, message: String) -> Mark {
    Mark { path: path.to_owned(), line: 1, column: 1, severity: Severity::Error, message, rule: None }
}

/// Reads `/somewhere/playbook.yml:3:7`; `None` for a place that is no file of the project.
fn read_origin(origin: &str, files: &[(String, Vec<u8>)]) -> Option<(String, u32, u32)> {
    let mut parts = origin.trim().rsplitn(3, ':');
    let (column, line, path) = (parts.next()?, parts.next()?, parts.next()?);
    let own = files.iter().map(|(path, _)| path.as_str()).chain([PLAYBOOK]);
    // The longest that fits, since `tasks/main.yml` ends like `roles/a/tasks/main.yml`.
    let own = own.filter(|own| path.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('/')));
    let path = own.max_by_key(|own| own.len())?;
    Some((path.to_owned(), line.parse().ok()?, column.parse().ok()?))
}

/// The findings of `ansible-lint -f codeclimate`; `None` when it gave none that can be read.
fn read_lint(output: &str) -> Option<Vec<Mark>> {
    // Something may be printed before the list.
    let list: Vec<Value> = serde_json::from_str(&output[output.find('[')?..]).ok()?;
    let mark = |finding: &Value| {
        let rule = finding["check_name"].as_str()?;
        // Ansible itself has read it; what remains of this is a missing collection or role.
        if rule.starts_with("syntax-check") || rule.starts_with("internal-error") {
            return None;
        }
        let place = &finding["location"];
        let begin = [&place["positions"]["begin"], &place["lines"]["begin"]];
        let line = begin.iter().find_map(|begin| begin["line"].as_u64().or_else(|| begin.as_u64())).unwrap_or(1);
        let column = begin[0]["column"].as_u64().unwrap_or(1);
        let style = ["name[", "fqcn", "yaml[", "key-order", "jinja[spacing", "no-free-form", "var-naming"];
        let severity =
            if style.iter().any(|begin| rule.starts_with(begin)) { Severity::Hint } else { Severity::Warning };
        Some(Mark {
            path: place["path"].as_str().unwrap_or(PLAYBOOK).trim_start_matches("./").to_owned(),
            line: u32::try_from(line).ok()?.max(1),
            column: u32::try_from(column).ok()?.max(1),
            severity,
            message: shortened(finding["description"].as_str().unwrap_or(rule)),
            rule: Some(rule.to_owned()),
        })
    };
    Some(list.iter().filter_map(mark).collect())
}

/// The tags in the output of `--list-tags`.
fn read_tags(output: &str) -> Vec<String> {
    let mut tags: Vec<String> = output
        .lines()
        .filter_map(|line| line.split_once("TAGS: [")?.1.rsplit_once(']'))
        .flat_map(|(list, _)| list.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect();
    tags.sort();
    tags.dedup();
    tags
}

fn shortened(message: &str) -> String {
    let plain: String = message.chars().filter(|letter| !letter.is_control()).collect();
    if plain.chars().count() <= 500 { plain } else { plain.chars().take(500).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Answer {
        Answer { code: Some(4), stdout: String::new(), stderr: stderr.to_owned() }
    }

    #[test]
    fn an_error_of_syntax_stands_at_its_line() {
        let said = "[WARNING]: something\n[ERROR]: conflicting action statements: debug, command\nOrigin: /tmp/x/playbook.yml:3:7\n\n1 - hosts: all\n2   tasks:\n3     - name: a\n        ^ column 7\n";

        let marks = read_syntax(&failed(said), &[]);

        let [mark] = marks.as_slice() else { panic!("{marks:?}") };
        assert_eq!((mark.path.as_str(), mark.line, mark.column), ("playbook.yml", 3, 7));
        assert_eq!(mark.message, "conflicting action statements: debug, command");
        assert_eq!(mark.severity, Severity::Error);
    }

    #[test]
    fn an_error_in_a_role_names_its_file() {
        let files = [("tasks/main.yml".to_owned(), Vec::new()), ("roles/a/tasks/main.yml".to_owned(), Vec::new())];

        let marks = read_syntax(&failed("[ERROR]: no\nOrigin: /w/roles/a/tasks/main.yml:2:3\n"), &files);

        assert_eq!((marks[0].path.as_str(), marks[0].line), ("roles/a/tasks/main.yml", 2));
    }

    #[test]
    fn an_error_without_a_place_is_not_lost() {
        let marks = read_syntax(&failed("Traceback\nSomethingError: odd\n"), &[]);

        assert_eq!((marks[0].line, marks[0].message.as_str()), (1, "SomethingError: odd"));
        assert_eq!(read_syntax(&Answer { code: Some(0), ..failed("[WARNING]: x") }, &[]), []);
    }

    #[test]
    fn findings_of_the_linter_are_read_in_both_their_forms() {
        let output = r#"WARNING: PATH altered
[{"check_name": "risky-shell-pipe", "description": "Set pipefail.", "location": {"path": "playbook.yml", "positions": {"begin": {"line": 3, "column": 20}}}},
 {"check_name": "name[missing]", "description": "All tasks should be named.", "location": {"path": "./roles/a/tasks/main.yml", "lines": {"begin": 5}}},
 {"check_name": "syntax-check[specific]", "description": "no", "location": {"path": "playbook.yml", "lines": {"begin": 1}}}]"#;

        let marks = read_lint(output).expect("it is a list");

        assert_eq!(marks.len(), 2);
        assert_eq!((marks[0].line, marks[0].column, marks[0].severity), (3, 20, Severity::Warning));
        assert_eq!(
            (marks[1].path.as_str(), marks[1].line, marks[1].severity),
            ("roles/a/tasks/main.yml", 5, Severity::Hint)
        );
        assert_eq!(read_lint("nothing"), None);
        assert_eq!(read_lint("[]"), Some(Vec::new()));
    }

    #[test]
    fn tags_of_plays_and_tasks_are_read() {
        let output = "\nplaybook: p.yml\n\n  play #1 (all): all\tTAGS: [web]\n      TASK TAGS: [a, b, web]\n\n  play #2 (db): db\tTAGS: []\n      TASK TAGS: []\n";

        assert_eq!(read_tags(output), ["a", "b", "web"]);
    }
}
