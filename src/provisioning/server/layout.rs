//! The writable folder of an execution: its files, and the environment that points to them.

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use serde_json::{Map, Value, json};
use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt as _,
            fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
        },
    },
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

/// Copies a folder that somebody else may have filled, with all that is in it. No link is followed, not even one that
/// takes the place of a folder meanwhile; links stay what they are.
///
/// # Errors
/// When it is no folder, something else than files, folders and links is in it, or the disk refuses.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder =
        rustix::fs::open(from, FOLDER, Mode::empty()).with_context(|| format!("opening {}", from.display()))?;
    copy_opened(&folder, to).with_context(|| format!("copying {}", from.display()))
}

/// How a folder is opened that must be one itself.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How a file is opened that must be one itself; what is no file may make nobody wait.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn copy_opened(from: &OwnedFd, to: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(to).with_context(|| format!("making {}", to.display()))?;
    for entry in rustix::fs::Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let target = to.join(OsStr::from_bytes(name.to_bytes()));
        match FileType::from_raw_mode(rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) {
            FileType::Directory => copy_opened(&rustix::fs::openat(from, name, FOLDER, Mode::empty())?, &target)?,
            FileType::Symlink => {
                let leads = rustix::fs::readlinkat(from, name, Vec::new())?;
                std::os::unix::fs::symlink(OsStr::from_bytes(leads.to_bytes()), target)?;
            }
            FileType::RegularFile => {
                let mut source = File::from(rustix::fs::openat(from, name, FILE, Mode::empty())?);
                let found = source.metadata()?;
                ensure!(found.is_file(), "{} is no file any more", name.to_string_lossy());
                let mut options = std::fs::OpenOptions::new();
                // Whether it is a program is kept, and nothing else of who may do what.
                options.write(true).create_new(true).mode(0o600 | (found.permissions().mode() & 0o100));
                std::io::copy(&mut source, &mut options.open(target)?)?;
            }
            _ => bail!("{} is no file", name.to_string_lossy()),
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
    fn a_copy_follows_no_link() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("from/bin")).expect("made");
        std::fs::create_dir(at("secret")).expect("made");
        write(&at("secret/key"), b"canary").expect("written");
        write(&at("from/bin/tool"), b"#!/bin/sh\n").expect("written");
        std::fs::set_permissions(at("from/bin/tool"), std::fs::Permissions::from_mode(0o755)).expect("set");
        for (leads, place) in [("../secret", "from/out"), ("bin/tool", "from/in"), ("secret", "link")] {
            std::os::unix::fs::symlink(leads, at(place)).expect("linked");
        }

        copy(&at("from"), &at("to")).expect("copied");

        assert_eq!(std::fs::read_link(at("to/out")).expect("a link"), Path::new("../secret"));
        assert_eq!(std::fs::read_link(at("to/in")).expect("a link"), Path::new("bin/tool"));
        assert_eq!(std::fs::metadata(at("to/bin/tool")).expect("copied").permissions().mode() & 0o777, 0o700);
        copy(&at("link"), &at("stolen")).expect_err("it is a link");
        assert!(!at("stolen").exists());
        rustix::fs::mknodat(rustix::fs::CWD, at("from/pipe"), FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
        copy(&at("from"), &at("again")).expect_err("a pipe is no file");
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
