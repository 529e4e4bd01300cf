//! Playbooks as they are written: what pages and the API see of marks, files, versions and modules.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How bad a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot be run like this.
    Error,
    /// It can, and probably should not.
    Warning,
    /// It could be written better.
    Hint,
}

impl Severity {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// Something that is to be said about a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The file; `playbook.yml` is the playbook itself.
    pub path: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1.
    pub column: u32,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub message: String,
    /// The rule of `ansible-lint` that says so.
    pub rule: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What there is to say, the worst first.
    pub marks: Vec<Mark>,
    /// Whether Ansible itself has read it.
    pub by_ansible: bool,
    /// Whether `ansible-lint` has.
    pub by_lint: bool,
}

/// Where a project may say which collections and roles it needs, by path. The folders are where AWX looks.
pub const REQUIREMENTS: [&str; 6] = [
    "requirements.yml",
    "requirements.yaml",
    "collections/requirements.yml",
    "collections/requirements.yaml",
    "roles/requirements.yml",
    "roles/requirements.yaml",
];

/// What is installed for a playbook before it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    /// The file that asks for them; the first where there are several.
    pub path: String,
    /// Why it cannot be read, as a sentence.
    pub problem: Option<String>,
    /// What the project asks for and, once that is installed, what it needs in turn.
    pub items: Vec<Requirement>,
    /// When they were installed; `None` while they are not.
    pub installed_at: Option<Timestamp>,
}

/// A collection or role that a playbook needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// What it is.
    pub kind: RequirementKind,
    /// Its name, or where it comes from while that is all that is known.
    pub name: String,
    /// The version that the project asks for; `None` for any.
    pub wanted: Option<String>,
    /// The version that is installed.
    pub installed: Option<String>,
}

/// What can be installed for a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequirementKind {
    /// A collection of modules, plugins and roles.
    Collection,
    /// A role that stands alone.
    Role,
}

/// A file beside a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFile {
    /// Its path, with `/` between the parts.
    pub path: String,
    /// Its size in bytes.
    pub size: i64,
}

/// The content of a file beside a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileText {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its text; `None` where it holds none, or more than can be edited.
    pub text: Option<String>,
}

/// What came of an archive that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Files that were taken.
    pub files: usize,
    /// Entries that were left out, and are of no use to a playbook: `.git`, `__MACOSX`.
    pub left_out: Vec<String>,
    /// Files that Ansible runs as code when it reads the project.
    pub code: Vec<String>,
    /// Whether the playbook itself was in it.
    pub playbook: bool,
}

/// A playbook and its files as they stood after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1.
    pub number: i64,
    /// The SHA-256 of all of it; equal versions have an equal one.
    pub hash: String,
    /// What was said of the change.
    pub message: Option<String>,
    /// Who made it.
    pub author_name: String,
    /// When.
    pub at: Timestamp,
}

/// One file in the difference of two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// The file; `playbook.yml` is the playbook itself, `survey.yml` its questions.
    pub path: String,
    /// Lines that differ, and some around them; empty where one side is no text.
    pub lines: Vec<DiffLine>,
    /// Lines that were added.
    pub added: u32,
    /// Lines that were removed.
    pub removed: u32,
    /// Whether one side is no text, or too long to be compared.
    pub opaque: bool,
}

/// One line in a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// On which sides it stands.
    pub side: Side,
    /// Its number before, from 1.
    pub before: Option<u32>,
    /// Its number after, from 1.
    pub after: Option<u32>,
    /// Its text.
    pub text: String,
}

/// On which sides a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// On both.
    Both,
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Lines are left out here.
    Gap,
}

/// A module that tasks can call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its full name: `ansible.builtin.copy`.
    pub name: String,
    /// What it does.
    pub description: String,
}

/// An option of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleOption {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its type: `str`, `bool`, `path`.
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// The values to choose from.
    pub choices: Vec<String>,
}

/// A playbook to start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its name in an address: `ping`.
    pub key: String,
    /// What a person calls it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its plays.
    pub content: String,
    /// Its questions.
    pub survey: Option<String>,
}
