//! The files beside a playbook: templates, roles, variables of groups, a list of collections.
//!
//! A file is a path and the SHA-256 of its content; contents are kept once in `blobs`. The playbook itself is
//! no file of the project: it stands in its record, and in a run beside them as [`PLAYBOOK`].

use super::{archive, versions};
use crate::{
    authentication::server::{Context, Permit, Proof, Reading, Updating},
    error::{Error, Problem, Result},
    events::model::Topic,
    i18n::{Locale, td_string},
    id::Id,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    provisioning::books::{FileText, ProjectFile, Unpacked},
    storage::{
        Customer, Playbook,
        item::{
            Fields, Item as _, Kind, Shape,
            server::{audit, store},
        },
    },
    time::Timestamp,
};
use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What the playbook itself is called among its files.
pub const PLAYBOOK: &str = "playbook.yml";

/// The greatest number of files beside a playbook.
pub const FILES_MAX: usize = 2_000;

/// The greatest size of all of them together, in bytes.
pub const TOTAL_MAX: u64 = 20 << 20;

/// The greatest text that is edited in the browser, in bytes.
const TEXT_MAX: usize = 1 << 20;

/// The greatest path in bytes.
const PATH_MAX: usize = 240;

static KIND: &Kind = &Playbook::KIND;

/// The files beside a playbook with their content, by path; the playbook itself is not among them.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's or a removed one.
pub async fn files(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<(String, Vec<u8>)>> {
    reach(state, proof, playbook).await?;
    let rows = state
        .db
        .rows(
            proof,
            sql("select playbook_files.path, blobs.content
                 from playbook_files
                 join blobs on blobs.hash = playbook_files.hash
                 where playbook_files.playbook = $1
                 order by playbook_files.path")
            .bind(playbook.to_string()),
        )
        .await?;
    let file = |row: &Row| Ok((row.text("path")?, bytes_of(row)?));
    Ok(rows.iter().map(file).collect::<anyhow::Result<_>>()?)
}

/// The files beside a playbook, by path.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's or a removed one.
pub async fn list(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<ProjectFile>> {
    reach(state, proof, playbook).await?;
    let rows = state
        .db
        .rows(
            proof,
            sql("select path, size
                 from playbook_files
                 where playbook = $1
                 order by path")
            .bind(playbook.to_string()),
        )
        .await?;
    let file = |row: &Row| Ok(ProjectFile { path: row.text("path")?, size: row.int("size")? });
    Ok(rows.iter().map(file).collect::<anyhow::Result<_>>()?)
}

/// The content of one file.
///
/// # Errors
/// [`Error::NotFound`] when there is none, also for another customer's.
pub async fn content(state: &State, proof: &dyn Proof, playbook: Id<Playbook>, path: &str) -> Result<Vec<u8>> {
    reach(state, proof, playbook).await?;
    let row = state
        .db
        .row(
            proof,
            sql("select blobs.content
                 from playbook_files
                 join blobs on blobs.hash = playbook_files.hash
                 where playbook_files.playbook = $1 and playbook_files.path = $2")
            .bind(playbook.to_string())
            .bind(path),
        )
        .await?
        .ok_or_else(|| Error::not_found("file"))?;
    Ok(bytes_of(&row)?)
}

/// One file as an editor takes it.
///
/// # Errors
/// As [`content`].
pub async fn text(state: &State, proof: &dyn Proof, playbook: Id<Playbook>, path: &str) -> Result<FileText> {
    let content = content(state, proof, playbook, path).await?;
    let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
    let text = text_of(&content).filter(|text| text.len() <= TEXT_MAX).map(str::to_owned);
    Ok(FileText { path: path.to_owned(), size, text })
}

/// The content as a text that a person can edit.
pub(super) fn text_of(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

/// A playbook, its questions and the files beside it as one archive.
///
/// # Errors
/// As [`files`].
pub async fn packed(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<u8>> {
    let written = reach(state, proof, playbook).await?;
    let mut all = files(state, proof, playbook).await?;
    if let Some(survey) = written.survey {
        all.insert(0, (versions::SURVEY.to_owned(), survey.into_bytes()));
    }
    all.insert(0, (PLAYBOOK.to_owned(), written.content.into_bytes()));
    Ok(archive::pack(&all)?)
}

/// Takes in an archive: its files stand beside the playbook then, and `playbook.yml` and `survey.yml` in it become
/// its plays and questions. With `replace` the files that are not in it go.
///
/// # Errors
/// [`Error::Invalid`] at `archive` with what is wrong; nothing has happened then.
pub async fn unpack(
    permit: &Permit<Updating>,
    playbook: Id<Playbook>,
    bytes: Vec<u8>,
    replace: bool,
) -> Result<Unpacked> {
    let locale = permit.locale();
    reach(&permit.context().state, permit, playbook).await?;
    let read = tokio::task::spawn_blocking(move || archive::unpack(&bytes, locale)).await;
    let (mut files, left_out) = read.context("reading an archive")??;
    let mut written = |name: &str| -> Result<Option<String>> {
        let found = files.iter().position(|(path, _)| path == name).map(|place| files.remove(place).1);
        let refused = |_| Error::invalid("archive", td_string!(locale, playbooks.files.playbook_text));
        found.map(String::from_utf8).transpose().map_err(refused)
    };
    let (content, survey) = (written(PLAYBOOK)?, written(versions::SURVEY)?);
    let unpacked = Unpacked {
        files: files.len(),
        left_out,
        code: files.iter().map(|(path, _)| path.clone()).filter(|path| is_code(path)).collect(),
        playbook: content.is_some(),
    };
    let change = Change { put: files, replace, content, survey: survey.map(Some), ..Change::default() };
    apply(permit, playbook, change).await?;
    Ok(unpacked)
}

/// Writes one file, over one that stands there.
///
/// # Errors
/// [`Error::Invalid`] at `path` or `file`.
pub async fn put(permit: &Permit<Updating>, playbook: Id<Playbook>, path: &str, content: Vec<u8>) -> Result<()> {
    let change = Change { put: vec![(path.to_owned(), content)], ..Change::default() };
    apply(permit, playbook, change).await
}

/// Removes files; a path that names a folder takes what is in it.
///
/// # Errors
/// [`Error::NotFound`] when one of them is not there.
pub async fn remove(permit: &Permit<Updating>, playbook: Id<Playbook>, paths: Vec<String>) -> Result<()> {
    apply(permit, playbook, Change { remove: paths, ..Change::default() }).await
}

/// A change of a playbook and its files, which happens as a whole or not at all.
#[derive(Default)]
pub(super) struct Change {
    /// Files that are written.
    pub put: Vec<(String, Vec<u8>)>,
    /// Files and folders that go.
    pub remove: Vec<String>,
    /// Whether all other files go.
    pub replace: bool,
    /// The plays, where they change.
    pub content: Option<String>,
    /// The questions, where they change: `Some(None)` for none.
    pub survey: Option<Option<String>>,
    /// What is said of it among the versions.
    pub message: Option<String>,
}

/// Does it: files, record, version, audit and word to those who look.
pub(super) async fn apply(permit: &Permit<Updating>, playbook: Id<Playbook>, change: Change) -> Result<()> {
    let locale = permit.locale();
    let state = &permit.context().state;
    let problems: Vec<Problem> = change
        .put
        .iter()
        .filter_map(|(path, _)| check_path(path, locale).err().map(|message| Problem::at("path", message)))
        .collect();
    if !problems.is_empty() {
        return Err(Error::Invalid { problems });
    }
    let mut prepared = None;
    if change.content.is_some() || change.survey.is_some() {
        let record = record_of(permit.context(), playbook).await?;
        let mut fields = record.0;
        if let Some(content) = change.content {
            fields.insert("content".to_owned(), content.into());
        }
        if let Some(survey) = change.survey {
            fields.insert("survey".to_owned(), survey.map_or(Value::Null, Value::String));
        }
        fields.insert("revision".to_owned(), record.1.into());
        prepared = Some(store::prepare_change(state, permit, KIND, playbook.cast(), fields).await?);
    }

    let mut transaction = state.db.begin(permit).await?;
    let customer = lock(&mut transaction, permit, playbook).await?;
    let version_before = versions::last(&mut transaction, playbook).await?;
    // One that was written before there were versions gets its first now, so that nothing is lost.
    if version_before.is_none() {
        versions::keep_what_stands(&mut transaction, permit, playbook).await?;
    }
    let mut files = listed(&mut transaction, playbook).await?;
    let before = files.clone();
    if change.replace {
        files.clear();
    }
    for path in &change.remove {
        let folder = format!("{path}/");
        let count = files.len();
        files.retain(|known, _| known != path && !known.starts_with(&folder));
        if files.len() == count {
            return Err(Error::not_found("file"));
        }
    }
    for (path, content) in &change.put {
        let file = (hash_of(content), content.len() as u64);
        files.insert(path.clone(), file);
    }
    check_whole(&files, locale)?;
    for (_, content) in change.put.iter().filter(|(path, _)| before.get(path) != files.get(path)) {
        put_blob(&mut transaction, content).await?;
    }
    let changed = write_files(&mut transaction, playbook, &before, &files).await?;

    let mut pending = None;
    if let Some(prepared) = prepared {
        let done = store::change(state, permit, &mut transaction, KIND, playbook.cast(), prepared).await?;
        pending = done.action.is_some().then_some(done);
    }
    if pending.is_none() && !changed.is_empty() {
        count_change(&mut transaction, permit, playbook).await?;
        versions::keep_what_stands(&mut transaction, permit, playbook).await?;
    }
    if !changed.is_empty() {
        let (was, is) = told_in_audit(&before, &files, &changed);
        let line = audit::Line {
            kind: KIND.name,
            record: &playbook.to_string(),
            customer,
            action: "update",
            before: &was,
            after: &is,
        };
        audit::write(&mut transaction, permit, line).await?;
    }
    if let Some(message) = change.message {
        versions::say(&mut transaction, playbook, version_before, &message).await?;
    }
    transaction.commit().await?;
    match pending {
        Some(pending) => drop(store::told(state, KIND, pending).await),
        None if !changed.is_empty() => {
            let data = json!({ "id": playbook, "action": "update" });
            state.bus.publish(Topic::Records(KIND.name.to_owned()), customer, data);
        }
        None => {}
    }
    Ok(())
}

/// The fields of a playbook as a change sends them, and its revision.
async fn record_of(context: &Context, playbook: Id<Playbook>) -> Result<(Fields, i64)> {
    let permit = context.permit::<Reading>(KIND.name)?;
    let record = store::get(&context.state, &permit, KIND, playbook.cast(), false).await?;
    let is_sent =
        |name: &str| KIND.field(name).is_some_and(|field| !field.read_only && !matches!(field.shape, Shape::Secret));
    let mut fields = record.item;
    fields.retain(|name, _| is_sent(name));
    Ok((fields, record.base.revision))
}

/// Keeps others from changing the playbook until the transaction ends; gives whose it is.
async fn lock(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
) -> Result<Option<Id<Customer>>> {
    let customer = proof.scope().customer().map(|customer| customer.to_string());
    let touched = transaction
        .execute(
            sql("update playbooks
                 set updated_at = updated_at
                 where id = $1 and deleted_at is null and ($2 is null or customer = $2)")
            .bind(playbook.to_string())
            .bind(customer),
        )
        .await?;
    if touched == 0 {
        return Err(Error::not_found("playbook"));
    }
    let row = transaction.row(sql("select customer from playbooks where id = $1").bind(playbook.to_string())).await?;
    Ok(row.map(|row| row.opt_parsed("customer")).transpose()?.flatten())
}

/// Files by path: their hash and size.
pub(super) type Listed = BTreeMap<String, (String, u64)>;

/// The files that stand beside a playbook, within a transaction.
pub(super) async fn listed(transaction: &mut Transaction, playbook: Id<Playbook>) -> anyhow::Result<Listed> {
    let rows = transaction
        .rows(
            sql("select path, hash, size
                 from playbook_files
                 where playbook = $1")
            .bind(playbook.to_string()),
        )
        .await?;
    let file = |row: &Row| {
        let size = u64::try_from(row.int("size")?).context("reading a size")?;
        Ok((row.text("path")?, (row.text("hash")?, size)))
    };
    rows.iter().map(file).collect()
}

/// Writes what differs; gives the paths.
async fn write_files(
    transaction: &mut Transaction,
    playbook: Id<Playbook>,
    before: &Listed,
    after: &Listed,
) -> anyhow::Result<Vec<String>> {
    let mut changed = Vec::new();
    for path in before.keys().chain(after.keys().filter(|path| !before.contains_key(*path))) {
        if before.get(path) == after.get(path) {
            continue;
        }
        changed.push(path.clone());
        if before.contains_key(path) {
            let delete = sql("delete from playbook_files where playbook = $1 and path = $2");
            transaction.execute(delete.bind(playbook.to_string()).bind(path.as_str())).await?;
        }
        if let Some((hash, size)) = after.get(path) {
            let insert = sql("insert into playbook_files (playbook, path, hash, size) values ($1, $2, $3, $4)")
                .bind(playbook.to_string())
                .bind(path.as_str())
                .bind(hash.as_str())
                .bind(i64::try_from(*size).context("writing a size")?);
            transaction.execute(insert).await?;
        }
    }
    Ok(changed)
}

/// Counts a change of files as one of the playbook.
async fn count_change(transaction: &mut Transaction, proof: &dyn Proof, playbook: Id<Playbook>) -> anyhow::Result<u64> {
    transaction
        .execute(
            sql("update playbooks
                 set revision = revision + 1, updated_at = $2, updated_by = $3
                 where id = $1")
            .bind(playbook.to_string())
            .bind(Timestamp::now().millis())
            .bind(proof.person().map(|person| person.to_string())),
        )
        .await
}

/// Which files changed, as the audit trail tells it: paths, and not more than a person reads.
fn told_in_audit(before: &Listed, after: &Listed, changed: &[String]) -> (Fields, Fields) {
    const SHOWN: usize = 50;
    let side = |files: &Listed| {
        let mut paths: Vec<&str> =
            changed.iter().filter(|path| files.contains_key(*path)).map(String::as_str).collect();
        let more = paths.len().saturating_sub(SHOWN);
        paths.truncate(SHOWN);
        let mut text = paths.join(", ");
        if more > 0 {
            text.push_str(&format!(" +{more}"));
        }
        Fields::from_iter([("files".to_owned(), Value::String(text))])
    };
    (side(before), side(after))
}

/// Puts a content where contents are kept; one that is there already is kept anew.
pub(super) async fn put_blob(transaction: &mut Transaction, content: &[u8]) -> anyhow::Result<String> {
    let hash = hash_of(content);
    let insert = sql("insert into blobs (hash, content, size, at)
           values ($1, $2, $3, $4)
         on conflict (hash) do update set at = excluded.at")
    .bind(hash.as_str())
    .bind(BASE64_STANDARD.encode(content))
    .bind(i64::try_from(content.len()).context("writing a size")?)
    .bind(Timestamp::now().millis());
    transaction.execute(insert).await?;
    Ok(hash)
}

/// The contents of these hashes; those that are not there are absent.
pub(super) async fn blobs(
    state: &State,
    proof: &dyn Proof,
    hashes: impl IntoIterator<Item = String>,
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for hash in hashes {
        if found.contains_key(&hash) {
            continue;
        }
        let row = state.db.row(proof, sql("select content from blobs where hash = $1").bind(hash.as_str())).await?;
        if let Some(row) = row {
            found.insert(hash, bytes_of(&row)?);
        }
    }
    Ok(found)
}

/// A live playbook in reach, as it is written.
pub(super) struct Written {
    /// Its plays.
    pub content: String,
    /// Its questions.
    pub survey: Option<String>,
}

/// The playbook of that id, where the proof reaches it.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's or a removed one.
pub(super) async fn reach(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Written> {
    let customer = proof.scope().customer().map(|customer| customer.to_string());
    let row = state
        .db
        .row(
            proof,
            sql("select content, survey
                 from playbooks
                 where id = $1 and deleted_at is null and ($2 is null or customer = $2)")
            .bind(playbook.to_string())
            .bind(customer),
        )
        .await?
        .ok_or_else(|| Error::not_found("playbook"))?;
    Ok(Written { content: row.text("content")?, survey: row.opt_text("survey")? })
}

fn bytes_of(row: &Row) -> anyhow::Result<Vec<u8>> {
    BASE64_STANDARD.decode(row.text("content")?).context("reading a blob")
}

/// The SHA-256 of a content, in hexadecimal.
pub(super) fn hash_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a path may name a file beside a playbook.
///
/// # Errors
/// Why it may not, as a sentence.
pub(super) fn check_path(path: &str, locale: Locale) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    let is_whole = parts.iter().all(|part| !part.is_empty() && *part != "." && *part != ".." && part.trim() == *part);
    let is_plain = !path.chars().any(|letter| letter.is_control() || letter == '\\' || letter == '\u{fffd}');
    let named = || path.chars().filter(|letter| !letter.is_control()).take(PATH_MAX).collect::<String>();
    if path.len() > PATH_MAX || parts.len() > 16 {
        return Err(td_string!(locale, playbooks.files.path_long, path = named()));
    }
    if !is_whole || !is_plain || path.starts_with('~') {
        return Err(td_string!(locale, playbooks.files.path, path = named()));
    }
    if path == PLAYBOOK || path == versions::SURVEY {
        return Err(td_string!(locale, playbooks.files.path_playbook, path = path.to_owned()));
    }
    let name = parts.last().copied().unwrap_or_default();
    if name.eq_ignore_ascii_case("ansible.cfg") || name == ".ansible.cfg" {
        return Err(td_string!(locale, playbooks.files.config).to_owned());
    }
    if parts.contains(&".git") {
        return Err(td_string!(locale, playbooks.files.git).to_owned());
    }
    Ok(())
}

/// Whether Ansible runs a file as code on the machine where it runs: plugins and modules beside a playbook.
fn is_code(path: &str) -> bool {
    const FOLDERS: [&str; 6] =
        ["library", "module_utils", "action_plugins", "callback_plugins", "plugins", "inventory"];
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_program = name.ends_with(".py") || name.ends_with(".sh") || name.ends_with(".ps1");
    is_program && folders.split('/').any(|folder| FOLDERS.contains(&folder) || folder.ends_with("_plugins"))
}

/// Whether the files may stand beside a playbook together.
fn check_whole(files: &Listed, locale: Locale) -> Result<()> {
    if files.len() > FILES_MAX {
        return Err(Error::invalid("file", td_string!(locale, playbooks.files.limit, max = FILES_MAX.to_string())));
    }
    let total: u64 = files.values().map(|(_, size)| size).sum();
    if total > TOTAL_MAX {
        let max = (TOTAL_MAX >> 20).to_string();
        return Err(Error::invalid("file", td_string!(locale, playbooks.files.size, max = max)));
    }
    // What is a file cannot be a folder too.
    for path in files.keys() {
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            if files.contains_key(folder) {
                let message = td_string!(locale, playbooks.files.both, path = folder.to_owned());
                return Err(Error::invalid("path", message));
            }
            above = folder;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_project() {
        for good in ["a", "templates/nginx.conf.j2", "roles/web/tasks/main.yml", ".gitkeep", "files/ü ber.txt", "-x"] {
            assert_eq!(check_path(good, Locale::en), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "..\\x",
            "a\0b",
            "a\nb",
            "~/x",
            " a",
            "a/ b",
            "playbook.yml",
            "survey.yml",
            "ansible.cfg",
            "sub/ANSIBLE.CFG",
            ".git/config",
            "a/.git/x",
            "a\u{fffd}",
        ] {
            assert!(check_path(bad, Locale::en).is_err(), "{bad:?}");
        }
        assert!(check_path(&"x".repeat(300), Locale::en).is_err());
        assert!(check_path(&"x/".repeat(40), Locale::en).is_err());
    }

    #[test]
    fn a_file_is_no_folder_too() {
        let of =
            |paths: &[&str]| -> Listed { paths.iter().map(|path| ((*path).to_owned(), (String::new(), 1))).collect() };

        assert!(check_whole(&of(&["a/b", "a/c", "b"]), Locale::en).is_ok());
        assert!(check_whole(&of(&["a/b", "a"]), Locale::en).is_err());
        assert!(check_whole(&of(&["a", "a/b/c"]), Locale::en).is_err());
    }

    #[test]
    fn code_that_runs_beside_ansible_is_named() {
        assert!(is_code("library/mine.py"));
        assert!(is_code("roles/web/filter_plugins/x.py"));
        assert!(!is_code("files/setup.py"));
        assert!(!is_code("library/README.md"));
    }
}
