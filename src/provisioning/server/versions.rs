//! What a playbook was: each save of its plays, its questions or its files is a version, and none is lost.
//!
//! A version is the hash of a list of contents, and the list and the contents are kept in `blobs`.

use super::project::{self, Change};
use crate::{
    authentication::server::{Permit, Proof, Updating},
    error::{Error, Result},
    i18n::td_string,
    id::Id,
    platform::{
        db::{Row, Transaction, sql},
        state::State,
    },
    provisioning::books::{DiffLine, FileDiff, Side, Version},
    storage::{Playbook, item::RawRecord},
    time::Timestamp,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What the questions are called in a difference.
pub const SURVEY: &str = "survey.yml";

/// Versions in a list, at most.
const LISTED_MAX: i64 = 500;

/// The greatest text that is compared, in bytes.
const COMPARED_MAX: usize = 512 << 10;

/// Lines around a difference.
const AROUND: usize = 3;

/// Lines of differences in one answer, at most.
const LINES_MAX: usize = 5_000;

/// The contents of a version, by their hashes.
#[derive(Default, Serialize, Deserialize)]
struct Contents {
    content: String,
    survey: Option<String>,
    files: BTreeMap<String, String>,
}

impl Contents {
    /// All of it as files, by path.
    fn paths(&self) -> BTreeMap<String, String> {
        let mut paths = self.files.clone();
        paths.insert(project::PLAYBOOK.to_owned(), self.content.clone());
        if let Some(survey) = &self.survey {
            paths.insert(SURVEY.to_owned(), survey.clone());
        }
        paths.retain(|_, hash| !hash.is_empty());
        paths
    }
}

/// The number and hash of the newest version, within a transaction.
pub(super) async fn last(
    transaction: &mut Transaction,
    playbook: Id<Playbook>,
) -> anyhow::Result<Option<(i64, String)>> {
    let row = transaction
        .row(
            sql("select number, hash
                 from playbook_versions
                 where playbook = $1
                 order by number desc
                 limit 1")
            .bind(playbook.to_string()),
        )
        .await?;
    row.map(|row| Ok((row.int("number")?, row.text("hash")?))).transpose()
}

/// Makes a version of what is being saved, unless it is what the last one was. The files are those that stand
/// there within the transaction.
///
/// # Errors
/// When the database refuses.
async fn keep(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
    content: &str,
    survey: Option<&str>,
) -> anyhow::Result<()> {
    let files = project::listed(transaction, playbook).await?;
    let mut contents = Contents {
        content: project::put_blob(transaction, content.as_bytes()).await?,
        survey: None,
        files: files.into_iter().map(|(path, (hash, _))| (path, hash)).collect(),
    };
    if let Some(survey) = survey {
        contents.survey = Some(project::put_blob(transaction, survey.as_bytes()).await?);
    }
    let list = serde_json::to_vec(&contents).context("writing the contents of a version")?;
    let newest = last(transaction, playbook).await?;
    if newest.as_ref().is_some_and(|(_, hash)| *hash == project::hash_of(&list)) {
        return Ok(());
    }
    let hash = project::put_blob(transaction, &list).await?;
    let insert = sql("insert into playbook_versions (playbook, number, hash, message, author, author_name, at)
         values ($1, $2, $3, $4, $5, $6, $7)")
    .bind(playbook.to_string())
    .bind(newest.map_or(1, |(number, _)| number + 1))
    .bind(hash)
    .bind(None::<String>)
    .bind(proof.person().map(|person| person.to_string()))
    .bind(proof.person_name())
    .bind(Timestamp::now().millis());
    transaction.execute(insert).await?;
    Ok(())
}

/// Makes a version of a record that is being saved, and before that one of what it was, where there was none yet.
///
/// # Errors
/// When the database refuses.
pub async fn saved(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    before: Option<&RawRecord>,
    after: &RawRecord,
) -> anyhow::Result<()> {
    let playbook = after.base.id.cast();
    let text = |record: &RawRecord, field: &str| record.item.get(field).and_then(Value::as_str).map(str::to_owned);
    let unkept = before.is_some() && last(transaction, playbook).await?.is_none();
    for record in before.filter(|_| unkept).into_iter().chain([after]) {
        let content = text(record, "content").unwrap_or_default();
        keep(transaction, proof, playbook, &content, text(record, "survey").as_deref()).await?;
    }
    Ok(())
}

/// Makes a version of the playbook as it stands in the transaction.
pub(super) async fn keep_what_stands(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
) -> anyhow::Result<()> {
    let select = sql("select content, survey from playbooks where id = $1").bind(playbook.to_string());
    let row = transaction.row(select).await?.context("reading a playbook that is locked")?;
    keep(transaction, proof, playbook, &row.text("content")?, row.opt_text("survey")?.as_deref()).await
}

/// Says something of the version that was made since `before`, where one was.
pub(super) async fn say(
    transaction: &mut Transaction,
    playbook: Id<Playbook>,
    before: Option<(i64, String)>,
    message: &str,
) -> anyhow::Result<()> {
    let Some((number, _)) = last(transaction, playbook).await? else { return Ok(()) };
    if before.is_some_and(|(before, _)| before >= number) {
        return Ok(());
    }
    let update = sql("update playbook_versions set message = $3 where playbook = $1 and number = $2");
    transaction.execute(update.bind(playbook.to_string()).bind(number).bind(message)).await?;
    Ok(())
}

/// The versions of a playbook, newest first.
///
/// # Errors
/// [`Error::NotFound`], also for another customer's.
pub async fn list(state: &State, proof: &dyn Proof, playbook: Id<Playbook>) -> Result<Vec<Version>> {
    project::reach(state, proof, playbook).await?;
    let rows = state
        .db
        .rows(
            proof,
            sql("select number, hash, message, author_name, at
                 from playbook_versions
                 where playbook = $1
                 order by number desc
                 limit $2")
            .bind(playbook.to_string())
            .bind(LISTED_MAX),
        )
        .await?;
    let version = |row: &Row| {
        Ok(Version {
            number: row.int("number")?,
            hash: row.text("hash")?,
            message: row.opt_text("message")?,
            author_name: row.text("author_name")?,
            at: Timestamp::from_millis(row.int("at")?),
        })
    };
    Ok(rows.iter().map(version).collect::<anyhow::Result<_>>()?)
}

/// The files of a version with their content, the playbook and its questions among them.
///
/// # Errors
/// [`Error::NotFound`] when there is no such version, also for another customer's.
pub async fn files(
    state: &State,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
    number: i64,
) -> Result<BTreeMap<String, Vec<u8>>> {
    project::reach(state, proof, playbook).await?;
    let paths = contents(state, proof, playbook, number).await?.paths();
    let blobs = project::blobs(state, proof, paths.values().cloned()).await?;
    let content = |hash: &String| blobs.get(hash).cloned().unwrap_or_default();
    Ok(paths.iter().map(|(path, hash)| (path.clone(), content(hash))).collect())
}

async fn contents(state: &State, proof: &dyn Proof, playbook: Id<Playbook>, number: i64) -> Result<Contents> {
    let select = sql("select hash from playbook_versions where playbook = $1 and number = $2");
    let row = state.db.row(proof, select.bind(playbook.to_string()).bind(number)).await?;
    let hash = row.ok_or_else(|| Error::not_found("version"))?.text("hash")?;
    let blobs = project::blobs(state, proof, [hash]).await?;
    let list = blobs.into_values().next().ok_or_else(|| Error::not_found("version"))?;
    Ok(serde_json::from_slice(&list).context("reading the contents of a version")?)
}

/// What differs between two versions, file by file; `before` 0 is nothing at all.
///
/// # Errors
/// [`Error::NotFound`] when there is no such version, also for another customer's.
pub async fn diff(
    state: &State,
    proof: &dyn Proof,
    playbook: Id<Playbook>,
    before: i64,
    after: i64,
) -> Result<Vec<FileDiff>> {
    project::reach(state, proof, playbook).await?;
    let was = match before {
        0 => BTreeMap::new(),
        number => contents(state, proof, playbook, number).await?.paths(),
    };
    let is = contents(state, proof, playbook, after).await?.paths();
    let all: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let changed: Vec<&String> = all.into_iter().filter(|path| was.get(*path) != is.get(*path)).collect();
    let mut hashes = Vec::new();
    for path in &changed {
        hashes.extend(was.get(*path).cloned());
        hashes.extend(is.get(*path).cloned());
    }
    let blobs = project::blobs(state, proof, hashes).await?;
    let changed: Vec<(String, Vec<u8>, Vec<u8>)> = changed
        .into_iter()
        .map(|path| {
            let side = |side: &BTreeMap<String, String>| {
                side.get(path).and_then(|hash| blobs.get(hash)).cloned().unwrap_or_default()
            };
            (path.clone(), side(&was), side(&is))
        })
        .collect();
    let compare = move || {
        let mut left = LINES_MAX;
        // What a person came for stands first.
        let mut files: Vec<FileDiff> =
            changed.iter().map(|(path, before, after)| compared(path, before, after, &mut left)).collect();
        files.sort_by_key(|file| (file.path != project::PLAYBOOK, file.path != SURVEY));
        files
    };
    Ok(tokio::task::spawn_blocking(compare).await.context("comparing versions")?)
}

/// The difference of one file; takes the lines that it shows from those that are left.
fn compared(path: &str, before: &[u8], after: &[u8], left: &mut usize) -> FileDiff {
    let mut diff = FileDiff { path: path.to_owned(), lines: Vec::new(), added: 0, removed: 0, opaque: false };
    let texts = project::text_of(before).zip(project::text_of(after));
    let Some((before, after)) = texts.filter(|(a, b)| a.len().max(b.len()) <= COMPARED_MAX) else {
        diff.opaque = true;
        return diff;
    };
    let compared = TextDiff::configure().timeout(Duration::from_secs(2)).diff_lines(before, after);
    let number = |index: Option<usize>| index.and_then(|index| u32::try_from(index + 1).ok());
    for (place, group) in compared.grouped_ops(AROUND).iter().enumerate() {
        if place > 0 {
            diff.lines.push(DiffLine { side: Side::Gap, before: None, after: None, text: String::new() });
        }
        for change in group.iter().flat_map(|op| compared.iter_changes(op)) {
            let side = match change.tag() {
                ChangeTag::Equal => Side::Both,
                ChangeTag::Insert => Side::Added,
                ChangeTag::Delete => Side::Removed,
            };
            diff.added += u32::from(side == Side::Added);
            diff.removed += u32::from(side == Side::Removed);
            if *left == 0 {
                continue;
            }
            *left -= 1;
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            diff.lines.push(DiffLine {
                side,
                before: number(change.old_index()),
                after: number(change.new_index()),
                text,
            });
        }
    }
    diff
}

/// Makes the playbook what it was in that version: plays, questions and files. That is a change like every
/// other, so it makes a version of its own.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when what was right then is not any more.
pub async fn restore(permit: &Permit<Updating>, playbook: Id<Playbook>, number: i64) -> Result<()> {
    let state = &permit.context().state;
    let mut files = files(state, permit, playbook, number).await?;
    let text = |content: Vec<u8>| String::from_utf8(content).context("reading a version");
    let content = text(files.remove(project::PLAYBOOK).unwrap_or_default())?;
    let survey = files.remove(SURVEY).map(text).transpose()?;
    let message = td_string!(permit.locale(), playbooks.versions.restored_from, number = number.to_string());
    let change = Change {
        put: files.into_iter().collect(),
        replace: true,
        content: Some(content),
        survey: Some(survey),
        message: Some(message),
        ..Change::default()
    };
    project::apply(permit, playbook, change).await
}

/// Forgets contents that no playbook and no version holds any more, once they are an hour old.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(state: &State) -> anyhow::Result<()> {
    let system = crate::authentication::server::System::because("forget contents that nothing holds");
    let mut used = BTreeSet::new();
    for row in state.db.rows(&system, sql("select distinct hash from playbook_versions")).await? {
        let hash = row.text("hash")?;
        if let Some(list) = project::blobs(state, &system, [hash.clone()]).await?.remove(&hash) {
            let contents: Contents = serde_json::from_slice(&list).context("reading the contents of a version")?;
            used.extend(contents.paths().into_values());
        }
        used.insert(hash);
    }
    for row in state.db.rows(&system, sql("select distinct hash from playbook_files")).await? {
        used.insert(row.text("hash")?);
    }
    let hour_ago = Timestamp::now().millis() - 3_600_000;
    for row in state.db.rows(&system, sql("select hash from blobs where at < $1").bind(hour_ago)).await? {
        let hash = row.text("hash")?;
        if !used.contains(&hash) {
            // One that came into use since has a new time.
            let delete = sql("delete from blobs where hash = $1 and at < $2").bind(hash).bind(hour_ago);
            state.db.execute(&system, delete).await?;
        }
    }
    let month_ago = Timestamp::now().millis() - 30 * 86_400_000;
    state.db.execute(&system, sql("delete from playbook_checks where at < $1").bind(month_ago)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_changed_and_a_little_around_it() {
        let before: String = (1..=30).map(|number| format!("line {number}\n")).collect();
        let after = before.replace("line 3\n", "line three\n").replace("line 28\n", "");

        let diff = compared("a", before.as_bytes(), after.as_bytes(), &mut 1000);

        assert_eq!((diff.added, diff.removed, diff.opaque), (1, 2, false));
        let sides: Vec<Side> = diff.lines.iter().map(|line| line.side).collect();
        assert_eq!(sides.iter().filter(|side| **side == Side::Gap).count(), 1);
        let removed: Vec<_> = diff.lines.iter().filter(|line| line.side == Side::Removed).collect();
        assert_eq!((removed[0].text.as_str(), removed[0].before, removed[0].after), ("line 3", Some(3), None));
        assert!(diff.lines.len() < 20);
    }

    #[test]
    fn what_is_no_text_is_not_compared() {
        assert!(compared("a", b"\xff\x00", b"x", &mut 10).opaque);
        let long = vec![b'x'; COMPARED_MAX + 1];
        assert!(compared("a", b"", &long, &mut 10).opaque);
    }

    #[test]
    fn a_long_difference_is_cut_and_still_counted() {
        let after = "x\n".repeat(100);

        let diff = compared("a", b"", after.as_bytes(), &mut 10);

        assert_eq!((diff.lines.len(), diff.added), (10, 100));
    }
}
