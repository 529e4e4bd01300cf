//! The modules that tasks can call, as the installed Ansible tells: names at once, options when they are wanted.
//!
//! Asking takes seconds, so answers are kept: in memory, and in `<data>/catalogue` by Ansible's version.

use super::sandbox::{self, Question};
use crate::{
    authentication::server::secret,
    error::{Error, Result},
    i18n::Locale,
    platform::state::State,
    provisioning::books::{Module, ModuleOption},
};
use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::sync::Mutex;

/// How long Ansible may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What is known, by version; asked for once, while others wait for the same answer.
static MODULES: LazyLock<Mutex<BTreeMap<String, Arc<Vec<Module>>>>> = LazyLock::new(Mutex::default);

/// The modules that are installed, by name; none where Ansible is missing.
///
/// # Errors
/// [`Error::Internal`] when it cannot be asked.
pub async fn modules(state: &State, locale: Locale) -> Result<Arc<Vec<Module>>> {
    let version = version(state);
    let mut known = MODULES.lock().await;
    if let Some(modules) = known.get(&version) {
        return Ok(Arc::clone(modules));
    }
    let modules = match read(state, &version, "modules").await {
        Some(modules) => modules,
        None => {
            let answer = match ask(state, locale, &["-t", "module", "-l", "-j"]).await {
                Err(Error::Unavailable { .. }) => return Ok(Arc::default()),
                other => other?,
            };
            let modules = read_modules(&answer);
            write(state, &version, "modules", &modules).await;
            modules
        }
    };
    let modules = Arc::new(modules);
    // An empty list may be the fault of a moment.
    if !modules.is_empty() {
        known.insert(version, Arc::clone(&modules));
    }
    Ok(modules)
}

/// The options of one module, those that must be given first.
///
/// # Errors
/// [`Error::NotFound`] when there is no such module; [`Error::Unavailable`] when Ansible is missing.
pub async fn options(state: &State, locale: Locale, module: &str) -> Result<Vec<ModuleOption>> {
    let modules = modules(state, locale).await?;
    // Only a name from the list is handed on, so none can be an option of the command.
    let module = modules.iter().find(|known| known.name == module).ok_or_else(|| Error::not_found("module"))?;
    let version = version(state);
    if let Some(options) = read(state, &version, &module.name).await {
        return Ok(options);
    }
    let answer = ask(state, locale, &["-t", "module", "-j", &module.name]).await?;
    let options = read_options(&answer, &module.name);
    write(state, &version, &module.name, &options).await;
    Ok(options)
}

fn version(state: &State) -> String {
    let version = state.ansible.look().version.unwrap_or_default();
    version.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect()
}

async fn ask(state: &State, locale: Locale, arguments: &[&str]) -> Result<String> {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let question = Question { program: "ansible-doc", arguments, limit: LIMIT, ..Question::default() };
    let answer = sandbox::ask(state, locale, question).await?;
    if answer.code != Some(0) {
        let last = answer.stderr.lines().last().unwrap_or_default().to_owned();
        return Err(Error::unavailable("ansible", last));
    }
    Ok(answer.stdout)
}

fn file(state: &State, version: &str, name: &str) -> Option<PathBuf> {
    // Without a version nothing would tell when the answer is old.
    (!version.is_empty()).then(|| state.config.data.dir.join("catalogue").join(version).join(format!("{name}.json")))
}

async fn read<T: DeserializeOwned>(state: &State, version: &str, name: &str) -> Option<T> {
    let text = tokio::fs::read(file(state, version, name)?).await.ok()?;
    serde_json::from_slice(&text).ok()
}

async fn write<T: Serialize + Sync>(state: &State, version: &str, name: &str, answer: &T) {
    let Some(path) = file(state, version, name) else { return };
    let written = async {
        let folder = path.parent().context("finding the folder of the catalogue")?;
        tokio::fs::create_dir_all(folder).await?;
        secret::write_private(&path, &serde_json::to_vec(answer)?)
    };
    if let Err(error) = written.await {
        tracing::warn!("keeping what Ansible told of its modules: {error:#}");
    }
}

/// Reads `ansible-doc -l -j`: names with a short description.
fn read_modules(output: &str) -> Vec<Module> {
    let listed: BTreeMap<String, Option<String>> = serde_json::from_str(output).unwrap_or_default();
    let module = |(name, description): (String, Option<String>)| {
        let description = plain(&description.unwrap_or_default());
        Module { name, description }
    };
    listed.into_iter().map(module).collect()
}

/// Reads `ansible-doc -j NAME`.
fn read_options(output: &str, module: &str) -> Vec<ModuleOption> {
    let told: Value = serde_json::from_str(output).unwrap_or_default();
    let Some(options) = told[module]["doc"]["options"].as_object() else { return Vec::new() };
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let option = |(name, about): (&String, &Value)| {
        let description = match &about["description"] {
            Value::Array(lines) => lines.first().map(words).unwrap_or_default(),
            other => words(other),
        };
        // Choices are a list, or a mapping of each to what it means.
        let choices = match &about["choices"] {
            Value::Array(choices) => choices.iter().map(words).collect(),
            Value::Object(choices) => choices.keys().cloned().collect(),
            _ => Vec::new(),
        };
        ModuleOption {
            name: name.clone(),
            description: plain(&description),
            kind: about["type"].as_str().unwrap_or("str").to_owned(),
            required: about["required"].as_bool().unwrap_or_default(),
            choices,
        }
    };
    let mut options: Vec<ModuleOption> = options.iter().map(option).collect();
    options.sort_by(|a, b| (!a.required, &a.name).cmp(&(!b.required, &b.name)));
    options
}

/// Takes off the markup of Ansible's documentation: `C(code)`, `O(option)`, `V(value)`.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('(') {
        let (before, after) = rest.split_at(place);
        let is_markup = before.ends_with(|letter: char| letter.is_ascii_uppercase())
            && !before[..before.len() - 1].ends_with(|letter: char| letter.is_alphanumeric());
        match after.find(')').filter(|_| is_markup) {
            Some(end) => {
                plain.push_str(&before[..before.len() - 1]);
                plain.push_str(&after[1..end]);
                rest = &after[end + 1..];
            }
            None => {
                plain.push_str(before);
                plain.push('(');
                rest = &after[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_their_options_are_read() {
        let modules = read_modules(r#"{"ansible.builtin.apt": "Manages apt-packages", "a.b.c": null}"#);
        assert_eq!(
            modules[1],
            Module { name: "ansible.builtin.apt".into(), description: "Manages apt-packages".into() }
        );

        let told = r#"{"m": {"doc": {"options": {
            "state": {"choices": ["present", "absent"], "description": ["If V(absent), it goes.", "more"], "type": "str"},
            "dest": {"description": "Where (on the host).", "required": true, "type": "path"}}}}}"#;
        let options = read_options(told, "m");
        assert_eq!(options[0].name, "dest");
        assert!(options[0].required);
        assert_eq!(options[0].description, "Where (on the host).");
        assert_eq!(options[1].choices, ["present", "absent"]);
        assert_eq!(options[1].description, "If absent, it goes.");
        assert_eq!(read_options("no", "m"), []);
    }
}
