//! The writable folder of an execution: its files, and the environment that points to them.

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};
use std::{
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

/// The plugin that tells events: a separate program under its own licence, shipped as data.
const PLUGIN: &str = include_str!("../plugin/muelle_events.py");

/// The folder with the collections and roles that were installed for a playbook.
pub const INSTALLED: &str = "installed";

/// The folders beside the project.
const FOLDERS: [&str; 6] = ["project", "cp", "facts", "tmp", "home", "plugins"];

/// Makes a folder that only this user may enter, and those above it.
///
/// # Errors
/// When it is there already or cannot be made.
pub fn make_private(folder: &Path) -> anyhow::Result<()> {
    if let Some(above) = folder.parent().filter(|above| !above.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(above)?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(folder).with_context(|| format!("making {}", folder.display()))
}

/// Makes the empty folders and what belongs to every execution.
///
/// # Errors
/// When the disk refuses.
pub fn folders(inside: &Path) -> anyhow::Result<()> {
    for name in FOLDERS {
        std::fs::DirBuilder::new().mode(0o700).create(inside.join(name)).with_context(|| format!("making {name}"))?;
    }
    write(&inside.join("ansible.cfg"), b"[defaults]\n")?;
    write(&inside.join("plugins/muelle_events.py"), PLUGIN.as_bytes())
}

/// Writes the files of a project.
///
/// # Errors
/// When a path leaves the project, or the disk refuses.
pub fn project(inside: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    let project = inside.join("project");
    for (name, content) in files {
        let path = within(&project, name)?;
        let above = path.parent().unwrap_or(&project);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(above)
            .with_context(|| format!("making a folder for {name}"))?;
        write(&path, content)?;
    }
    Ok(())
}

/// The path of a file of the project.
///
/// # Errors
/// When it leaves the project.
pub fn within(project: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(name);
    let stays =
        path.components().all(|part| matches!(part, Component::Normal(_))) && !name.is_empty() && !name.contains('\0');
    ensure!(stays, "the path {name:?} leaves the project");
    Ok(project.join(path))
}

/// Writes a new file that only this user may read.
///
/// # Errors
/// When it is there already or the disk refuses.
pub fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(content));
    written.with_context(|| format!("writing {}", path.display()))
}

/// Copies a folder with all that is in it; links stay what they are.
///
/// # Errors
/// When something else is in it, or the disk refuses.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(to).with_context(|| format!("making {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else {
            ensure!(kind.is_file(), "{} is no file", entry.path().display());
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Marks every string in a value, so that Ansible never takes it as a template.
pub fn unsafe_text(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({ "__ansible_unsafe": text }),
        Value::Array(all) => all.iter().map(unsafe_text).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), unsafe_text(value))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Fills the fact cache.
///
/// # Errors
/// When the disk refuses.
pub fn facts(inside: &Path, facts: &Map<String, Value>) -> anyhow::Result<()> {
    for (host, facts) in facts {
        // A name that is no file's name has no facts; Ansible gathers them.
        let Ok(plain) = within(&inside.join("facts"), host) else { continue };
        if host.contains('/') {
            continue;
        }
        let mut clean = without_tags(facts);
        if let Some(known) = clean.as_object_mut() {
            // By this mark smart gathering knows a host; what a callback is told comes without it.
            known.insert("_ansible_facts_gathered".to_owned(), Value::Bool(true));
        }
        // Before 2.19 the file holds the facts, since then a text that holds them.
        write(&plain, clean.to_string().as_bytes())?;
        let payload = json!({ "__payload__": clean.to_string() });
        write(&inside.join("facts").join(format!("s1_{host}")), payload.to_string().as_bytes())?;
    }
    Ok(())
}

/// The facts without keys that Ansible would read as marks of its own, such as one that calls a text a template:
/// a host says what it likes.
fn without_tags(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, _)| !key.starts_with("__ansible"))
                .map(|(key, value)| (key.clone(), without_tags(value)))
                .collect(),
        ),
        Value::Array(all) => all.iter().map(without_tags).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// What every program of Ansible finds in its environment, when it sees the folder as `seen`.
pub fn environment(seen: &Path, bin: &Path) -> Vec<(&'static str, String)> {
    let at = |name: &str| seen.join(name).display().to_string();
    let installed = |name: &str| seen.join(INSTALLED).join(name).display().to_string();
    vec![
        ("PATH", format!("{}:{}", bin.display(), super::sandbox::PATH)),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", at("home")),
        ("TMPDIR", at("tmp")),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("ANSIBLE_CONFIG", at("ansible.cfg")),
        ("ANSIBLE_HOME", at("home/.ansible")),
        ("ANSIBLE_LOCAL_TEMP", at("tmp")),
        ("ANSIBLE_ROLES_PATH", format!("{}:{}", at("project/roles"), installed("roles"))),
        (
            "ANSIBLE_COLLECTIONS_PATH",
            format!("{}:{}:/usr/share/ansible/collections", at("project/collections"), installed("collections")),
        ),
        ("ANSIBLE_NOCOWS", "1".to_owned()),
        // As by itself, without a warning for each host.
        ("ANSIBLE_PYTHON_INTERPRETER", "auto_silent".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_project() {
        let project = Path::new("/run/project");

        for bad in ["", "/etc/passwd", "../x", "a/../../x", "./x", "a/./../..", "a\0b"] {
            assert!(within(project, bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            within(project, "roles/web/tasks/main.yml").expect("it stays"),
            project.join("roles/web/tasks/main.yml")
        );
    }

    #[test]
    fn every_string_of_a_variable_is_marked() {
        let marked = unsafe_text(&json!({ "a": ["{{ x }}", 1, { "b": "y" }], "c": true }));

        let unsafe_of = |text: &str| json!({ "__ansible_unsafe": text });
        assert_eq!(marked, json!({ "a": [unsafe_of("{{ x }}"), 1, { "b": unsafe_of("y") }], "c": true }));
    }

    #[test]
    fn facts_carry_no_marks_of_ansible() {
        let evil = json!({ "a": { "__ansible_type": "TrustedAsTemplate", "value": "{{ x }}" }, "b": [1] });

        assert_eq!(without_tags(&evil), json!({ "a": { "value": "{{ x }}" }, "b": [1] }));
    }
}
