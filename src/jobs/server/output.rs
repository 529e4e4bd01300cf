//! A running job's output and progress, on their way into the store.

use super::store::MASK;
use crate::{
    authentication::server::System,
    events::{model::Topic, server::JobNews},
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::{Job, Line, Progress, Voice},
    platform::{db::sql, state::State},
    storage::Customer,
    time::Timestamp,
};
use sea_query::{Alias, Query};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The longest line in bytes; a longer one goes on in the next.
pub const LINE_BYTES: usize = 16 * 1024;
/// What ends a line that goes on in the next.
const GOES_ON: &str = " …";
/// Lines written at once.
const BATCH: usize = 500;
/// Lines and bytes that may wait; beyond, the work waits until there is room.
const WAITING_LINES: usize = 2000;
const WAITING_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of lines that are handed to those who watch; what is more they read from the store. A channel holds
/// hundreds of such batches for whoever reads slowly.
const TOLD_BYTES: usize = 64 * 1024;
/// How often lists are told about progress.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Where the output of one claim goes.
pub(super) struct Output {
    state: State,
    job: Id<Job>,
    customer: Option<Id<Customer>>,
    fence: i64,
    locale: Locale,
    /// The greatest number of bytes kept.
    limit: i64,
    waiting: Mutex<Waiting>,
    secrets: Mutex<Vec<String>>,
    /// Rung when there is much to write.
    pub crowded: Notify,
    room: Notify,
}

struct Waiting {
    sequence: i64,
    bytes: i64,
    /// Lines, each with the place up to which its source was read.
    lines: Vec<(Line, Option<i64>)>,
    weight: usize,
    progress: Option<Progress>,
    progress_changed: bool,
    told: Option<Instant>,
    /// Whether progress was kept that lists have not been told.
    untold: bool,
    unkept: u64,
    closed: bool,
}

/// Whether the claim still held when its output was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Everything that waited is in the store.
    All,
    /// More waits.
    More,
    /// The job is somebody else's now; nothing was written.
    Gone,
}

impl Output {
    pub fn new(state: &State, claim: &super::queue::Claim) -> Self {
        Self {
            state: state.clone(),
            job: claim.job.id,
            customer: claim.job.customer,
            fence: claim.fence,
            locale: claim.locale,
            limit: i64::try_from(state.config.jobs.output_limit).unwrap_or(i64::MAX),
            waiting: Mutex::new(Waiting {
                sequence: claim.lines,
                bytes: claim.bytes,
                lines: Vec::new(),
                weight: 0,
                progress: claim.job.progress.clone(),
                progress_changed: false,
                told: None,
                untold: false,
                unkept: 0,
                closed: false,
            }),
            secrets: Mutex::default(),
            crowded: Notify::new(),
            room: Notify::new(),
        }
    }

    /// From now on the text is hidden wherever it appears. Each line of it counts for itself.
    pub fn secret(&self, text: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        // Shorter pieces would hide half of every line and protect nothing.
        secrets.extend(text.lines().map(str::trim).filter(|line| line.len() >= 4).map(str::to_owned));
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
    }

    /// The text without secrets.
    pub fn redact(&self, text: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }

    /// The value with no secret in its texts.
    pub fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_value(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Sets how far the job is.
    pub fn progress(&self, mut progress: Progress) {
        progress.note = self.redact(&progress.note);
        for part in &mut progress.parts {
            part.note = self.redact(&part.note);
        }
        let mut waiting = self.waiting();
        if waiting.progress.as_ref() != Some(&progress) {
            waiting.progress = Some(progress);
            waiting.progress_changed = true;
        }
    }

    /// The newest progress.
    pub fn last_progress(&self) -> Option<Progress> {
        self.waiting().progress.clone()
    }

    /// Adds text, line by line; waits while too much is on its way.
    pub async fn line(&self, voice: Voice, text: &str) {
        self.line_until(voice, text, None, false).await;
    }

    /// The same, with the place up to which its source was read; it is kept with the last line. Where the text
    /// `goes_on`, its last line has not ended there.
    pub async fn line_until(&self, voice: Voice, text: &str, mark: Option<i64>, goes_on: bool) {
        let text = self.redact(text);
        let mut pieces = pieces(&text, goes_on).into_iter().peekable();
        while let Some(piece) = pieces.next() {
            let mark = mark.filter(|_| pieces.peek().is_none());
            self.push(voice, piece, mark).await;
        }
    }

    async fn push(&self, voice: Voice, text: String, mark: Option<i64>) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Registered before looking, so that room made in between is not missed.
            room.as_mut().enable();
            {
                let mut waiting = self.waiting();
                if waiting.closed {
                    return;
                }
                if waiting.lines.len() < WAITING_LINES && waiting.weight < WAITING_BYTES {
                    self.add(&mut waiting, voice, text, mark);
                    if waiting.lines.len() >= BATCH || waiting.weight >= WAITING_BYTES / 2 {
                        self.crowded.notify_one();
                    }
                    return;
                }
            }
            self.crowded.notify_one();
            room.await;
        }
    }

    fn add(&self, waiting: &mut Waiting, voice: Voice, text: String, mark: Option<i64>) {
        let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if waiting.unkept > 0 || waiting.bytes.saturating_add(bytes) > self.limit {
            waiting.unkept += 1;
            if waiting.unkept > 1 {
                return;
            }
            let limit = (self.limit / 1024 / 1024).to_string();
            let notice = td_string!(self.locale, work.output_full, limit = limit);
            append(waiting, Voice::Note, notice, None);
            return;
        }
        waiting.bytes += bytes;
        append(waiting, voice, text, mark);
    }

    /// Waits until every line that was added is in the store.
    pub async fn written(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Registered before looking, as in `push`.
            room.as_mut().enable();
            {
                let waiting = self.waiting();
                if waiting.closed || waiting.lines.is_empty() {
                    return;
                }
            }
            self.crowded.notify_one();
            room.await;
        }
    }

    /// No more is taken; what waits is written by [`Output::write`].
    pub fn close(&self) {
        let mut waiting = self.waiting();
        if !waiting.closed && waiting.unkept > 1 {
            let count = (waiting.unkept - 1).to_string();
            let notice = td_string!(self.locale, work.output_unkept, count = count);
            append(&mut waiting, Voice::Note, notice, None);
        }
        waiting.closed = true;
        drop(waiting);
        self.room.notify_waiters();
    }

    /// Writes what waits, at most one batch, and tells those who watch.
    pub async fn write(&self) -> anyhow::Result<Written> {
        self.tell_late();
        let (lines, mark, progress, bytes, tell_lists) = {
            let waiting = self.waiting();
            let count = waiting.lines.len().min(BATCH);
            let batch = &waiting.lines[..count];
            let mark = batch.iter().rev().find_map(|(_, mark)| *mark);
            let progress = waiting.progress_changed.then(|| waiting.progress.clone()).flatten();
            let tell_lists = waiting.told.is_none_or(|at| at.elapsed() >= TOLD_EVERY);
            let lines: Vec<Line> = batch.iter().map(|(line, _)| line.clone()).collect();
            (lines, mark, progress, waiting.bytes, tell_lists)
        };
        if lines.is_empty() && progress.is_none() {
            return Ok(Written::All);
        }
        let proof = System::because("keep a job's output");
        let mut transaction = self.state.db.begin(&proof).await?;
        let last = lines.last().map(|line| line.sequence);
        let held = transaction
            .execute(
                sql("update jobs
                     set lines = coalesce($1, lines), bytes = $2, progress = coalesce($3, progress), mark = coalesce($6, mark)
                     where id = $4 and fence = $5 and state = 'running'")
                .bind(last)
                .bind(bytes)
                .bind(progress.as_ref().map(|progress| json!(progress).to_string()))
                .bind(self.job.to_string())
                .bind(self.fence)
                .bind(mark),
            )
            .await?;
        if held == 0 {
            return Ok(Written::Gone);
        }
        if !lines.is_empty() {
            let mut insert = Query::insert();
            insert
                .into_table(Alias::new("job_lines"))
                .columns(["job", "sequence", "at", "stream", "text"].map(Alias::new));
            for line in &lines {
                insert.values_panic([
                    self.job.to_string().into(),
                    line.sequence.into(),
                    line.at.millis().into(),
                    line.stream.clone().into(),
                    line.text.clone().into(),
                ]);
            }
            transaction.execute(&mut insert).await?;
        }
        transaction.commit().await?;
        let more = {
            let mut waiting = self.waiting();
            let written = waiting.lines.drain(..lines.len()).map(|(line, _)| line.text.len()).sum::<usize>();
            waiting.weight = waiting.weight.saturating_sub(written);
            if progress.is_some() && waiting.progress == progress {
                waiting.progress_changed = false;
            }
            if progress.is_some() {
                waiting.untold = !tell_lists;
                if tell_lists {
                    waiting.told = Some(Instant::now());
                }
            }
            !waiting.lines.is_empty()
        };
        self.room.notify_waiters();
        if !lines.is_empty() {
            let is_small = lines.iter().map(|line| line.text.len()).sum::<usize>() <= TOLD_BYTES;
            let news = if is_small { JobNews::Lines(Arc::new(lines)) } else { JobNews::MoreLines };
            self.state.bus.publish_job(self.job, news);
        }
        if let Some(progress) = progress {
            if tell_lists {
                self.tell(&progress);
            }
            let job = super::store::job(&self.state, &proof, self.job).await.map_err(anyhow::Error::from)?;
            self.state.bus.publish_job(self.job, JobNews::Job(Arc::new(job)));
        }
        Ok(if more { Written::More } else { Written::All })
    }

    /// Tells lists of progress that came too soon after the last telling, once it is time.
    fn tell_late(&self) {
        let late = {
            let mut waiting = self.waiting();
            let is_due = waiting.untold && waiting.told.is_none_or(|at| at.elapsed() >= TOLD_EVERY);
            if is_due {
                waiting.untold = false;
                waiting.told = Some(Instant::now());
            }
            waiting.progress.clone().filter(|_| is_due)
        };
        if let Some(progress) = late {
            self.tell(&progress);
        }
    }

    fn tell(&self, progress: &Progress) {
        let data = json!({"id": self.job, "progress": progress});
        self.state.bus.publish_passing(Topic::Jobs, self.customer, data);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines of a text as they are kept: long ones in pieces that say so, and the last one too where it `goes_on`.
fn pieces(text: &str, goes_on: bool) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let mut rest = line.strip_suffix('\r').unwrap_or(line);
        loop {
            let cut = if rest.len() > LINE_BYTES { rest.floor_char_boundary(LINE_BYTES) } else { rest.len() };
            let (piece, later) = rest.split_at(cut);
            let is_cut = !later.is_empty() || (goes_on && lines.peek().is_none());
            pieces.push(if is_cut { format!("{piece}{GOES_ON}") } else { piece.to_owned() });
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
    }
    pieces
}

fn append(waiting: &mut Waiting, voice: Voice, text: String, mark: Option<i64>) {
    waiting.sequence += 1;
    waiting.weight += text.len();
    let line = Line {
        sequence: waiting.sequence,
        at: Timestamp::now(),
        stream: voice.name().to_owned(),
        // PostgreSQL holds no NUL in a text.
        text: text.replace('\0', "\u{fffd}"),
    };
    waiting.lines.push((line, mark));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_kept_in_pieces_and_each_but_the_last_says_that_it_goes_on() {
        let whole = "x".repeat(LINE_BYTES);
        let marked = format!("{whole}{GOES_ON}");
        let marked = marked.as_str();

        assert_eq!(pieces("a\r\nb", false), ["a", "b"]);
        assert_eq!(pieces("", false), [""]);
        assert_eq!(pieces(&format!("{whole}{whole}y"), false), [marked, marked, "y"]);
        assert_eq!(pieces(&format!("{whole}{whole}"), true), [marked, marked], "no line holds the mark alone");
        assert_eq!(pieces("a\nb", true), ["a", "b …"]);
    }
}
