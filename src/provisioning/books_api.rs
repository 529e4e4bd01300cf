//! What the browser may call about playbooks as they are written.

#![allow(missing_docs, reason = "the server macro makes a type of each function's arguments")]

use super::{
    books::{Checked, Example, FileDiff, FileText, Module, ModuleOption, ProjectFile, Requirements, Version},
    model::Question,
};
use crate::{error::Result, id::Id, json::Json, storage::Playbook};
use leptos::prelude::server;

#[cfg(feature = "ssr")]
use super::server::{catalogue, examples, galaxy, project, survey, syntax, versions};
#[cfg(feature = "ssr")]
use crate::authentication::server::{Operating, Proof as _, Reading, Updating, context::permit};

/// What a playbook asks before it runs.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_questions", input = Json, output = Json)]
pub async fn playbook_questions(id: Id<Playbook>) -> Result<Vec<Question>> {
    let permit = permit::<Reading>("playbook")?;
    survey::of(&permit.context().state, &permit, id).await
}

/// The tags of a playbook's tasks, sorted; none where Ansible cannot read it.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_tags", input = Json, output = Json)]
pub async fn playbook_tags(id: Id<Playbook>) -> Result<Vec<String>> {
    let permit = permit::<Reading>("playbook")?;
    syntax::tags(&permit.context().state, &permit, id).await
}

/// What Ansible and its linter say about a playbook as it stands.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "check_playbook", input = Json, output = Json)]
pub async fn check_playbook(id: Id<Playbook>) -> Result<Checked> {
    let permit = permit::<Reading>("playbook")?;
    syntax::check(&permit.context().state, &permit, id).await
}

/// What there is to say about plays that are being written; `id` is the playbook whose files they stand beside.
/// Without `thorough` only their YAML is looked at.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "check_draft", input = Json, output = Json)]
pub async fn check_draft(id: Option<Id<Playbook>>, content: String, thorough: bool) -> Result<Checked> {
    let permit = permit::<Updating>("playbook")?;
    syntax::check_draft(&permit.context().state, &permit, id, &content, thorough).await
}

/// The questions in a survey that is being written.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `survey`.
#[server(prefix = "/api/fn", endpoint = "read_survey", input = Json, output = Json)]
pub async fn read_survey(survey: String) -> Result<Vec<Question>> {
    let permit = permit::<Reading>("playbook")?;
    survey::questions(Some(&survey), permit.locale())
}

/// The modules that tasks can call; none where Ansible is missing.
#[server(prefix = "/api/fn", endpoint = "ansible_modules", input = Json, output = Json)]
pub async fn ansible_modules() -> Result<Vec<Module>> {
    let permit = permit::<Reading>("playbook")?;
    Ok(catalogue::modules(&permit.context().state, permit.locale()).await?.to_vec())
}

/// The options of a module.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such module;
/// [`Error::Unavailable`](crate::error::Error::Unavailable) when Ansible is missing.
#[server(prefix = "/api/fn", endpoint = "module_options", input = Json, output = Json)]
pub async fn module_options(module: String) -> Result<Vec<ModuleOption>> {
    let permit = permit::<Reading>("playbook")?;
    catalogue::options(&permit.context().state, permit.locale(), &module).await
}

/// Playbooks to start from.
#[server(prefix = "/api/fn", endpoint = "playbook_examples", input = Json, output = Json)]
pub async fn playbook_examples() -> Result<Vec<Example>> {
    let permit = permit::<Reading>("playbook")?;
    Ok(examples::all(permit.locale()))
}

/// The files beside a playbook.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_files", input = Json, output = Json)]
pub async fn playbook_files(id: Id<Playbook>) -> Result<Vec<ProjectFile>> {
    let permit = permit::<Reading>("playbook")?;
    project::list(&permit.context().state, &permit, id).await
}

/// One file beside a playbook, as an editor takes it.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is none, also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_file", input = Json, output = Json)]
pub async fn playbook_file(id: Id<Playbook>, path: String) -> Result<FileText> {
    let permit = permit::<Reading>("playbook")?;
    project::text(&permit.context().state, &permit, id, &path).await
}

/// Writes a text file beside a playbook.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) at `path` or `file`.
#[server(prefix = "/api/fn", endpoint = "save_playbook_file", input = Json, output = Json)]
pub async fn save_playbook_file(id: Id<Playbook>, path: String, text: String) -> Result<()> {
    let permit = permit::<Updating>("playbook")?;
    project::put(&permit, id, &path, text.into_bytes()).await
}

/// Removes files and folders beside a playbook.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when one is not there.
#[server(prefix = "/api/fn", endpoint = "remove_playbook_files", input = Json, output = Json)]
pub async fn remove_playbook_files(id: Id<Playbook>, paths: Vec<String>) -> Result<()> {
    let permit = permit::<Updating>("playbook")?;
    project::remove(&permit, id, paths).await
}

/// The collections and roles that a playbook asks for, and what of them is installed; `None` where it asks for none.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_requirements", input = Json, output = Json)]
pub async fn playbook_requirements(id: Id<Playbook>) -> Result<Option<Requirements>> {
    let permit = permit::<Reading>("playbook")?;
    galaxy::told(&permit.context().state, &permit, id).await
}

/// Installs the collections and roles that a playbook asks for once more, so that the newest are there.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's;
/// [`Error::Invalid`](crate::error::Error::Invalid) when what it asks for cannot be read;
/// [`Error::Unavailable`](crate::error::Error::Unavailable) when it cannot be installed.
#[server(prefix = "/api/fn", endpoint = "install_requirements", input = Json, output = Json)]
pub async fn install_requirements(id: Id<Playbook>) -> Result<Option<Requirements>> {
    let permit = permit::<Operating>("run")?;
    galaxy::install(&permit.context().state, &permit, id).await
}

/// The versions of a playbook, newest first.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound), also for another customer's.
#[server(prefix = "/api/fn", endpoint = "playbook_versions", input = Json, output = Json)]
pub async fn playbook_versions(id: Id<Playbook>) -> Result<Vec<Version>> {
    let permit = permit::<Reading>("playbook")?;
    versions::list(&permit.context().state, &permit, id).await
}

/// What differs between two versions; `before` 0 is nothing at all.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such version.
#[server(prefix = "/api/fn", endpoint = "playbook_diff", input = Json, output = Json)]
pub async fn playbook_diff(id: Id<Playbook>, before: i64, after: i64) -> Result<Vec<FileDiff>> {
    let permit = permit::<Reading>("playbook")?;
    versions::diff(&permit.context().state, &permit, id, before, after).await
}

/// Makes a playbook what it was in a version.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) when there is no such version.
#[server(prefix = "/api/fn", endpoint = "restore_playbook", input = Json, output = Json)]
pub async fn restore_playbook(id: Id<Playbook>, number: i64) -> Result<()> {
    let permit = permit::<Updating>("playbook")?;
    versions::restore(&permit, id, number).await
}
