//! The work of a run's job: begin it or go on with it, bring what its workspace says into the store, tell how it ended.

use super::{
    facts, galaxy, launch,
    requirements::Requirements,
    seal, store,
    workspace::{Ended, Exit, Workspace, Written},
};
use crate::{
    authentication::server::System,
    error::{Error, Result},
    events::{model::Topic, server::JobNews},
    i18n::{Locale, td_string},
    id::Id,
    jobs::{
        model::{Job, JobState, Progress, Voice},
        server::{self as jobs, Worker},
    },
    platform::{db::sql, state::State},
    provisioning::model::{HostRecap, Numbered, Run, RunEvent, RunState, Tree},
    storage::Machine,
    time::Timestamp,
};
use sea_query::{Alias, OnConflict, Query};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

/// Who runs playbooks.
pub const WORKER: Worker = Worker {
    family: "run",
    // What is under way goes on by itself; whoever comes next looks at it.
    resumes: |_| true,
    grace: GRACE,
    settle: |state, job| {
        let (state, job) = (state.clone(), job.clone());
        Box::pin(async move { super::sweep::settle(&state, job.id, Some(&job)).await })
    },
    work: |run| Box::pin(async move { work(&run).await }),
};

/// How long a cancelled run may take: its supervisor asks, waits 15 s, and kills.
const GRACE: Duration = Duration::from_secs(45);
/// How often events are written, unless there are many or it is the recap, for which people wait.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// How many events are written at once.
const BATCH: usize = 500;
/// How long one look for news takes at most.
const LOOK: Duration = Duration::from_millis(20);
/// How long the store is left alone after it did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest line of console in bytes; a longer one goes on in the next.
const LONGEST_LINE: usize = 64 * 1024;
/// The greatest result that is kept, in bytes.
const RESULT_BYTES: usize = 256 * 1024;
/// Hosts beside those of the target that are remembered with a run.
const FURTHER_HOSTS: usize = 5000;

const WHY: System = System::because("run a playbook");

/// Does the work, from wherever an earlier attempt left it.
async fn work(job: &Arc<jobs::Run>) -> Result<Value> {
    let state = job.state();
    let run = store::run(state, &WHY, job.id).await?;
    if run.state.is_finished() {
        // An earlier attempt came as far as this, and went away before it could say so.
        return Ok(outcome(job, run.state, run.reason, run.recap));
    }
    let workspace = match Workspace::open(state, job.id) {
        Some(workspace) => {
            unhide(job).await;
            workspace
        }
        None if run.started_at.is_some() => {
            let reason = td_string!(job.context.locale, runs.outcome.never_began).to_owned();
            return finish(job, &run, RunState::Lost, Some(reason), &Tree::default(), "").await;
        }
        None => match begin(job, &run).await {
            Ok(workspace) => workspace,
            Err(error) => {
                let (end, reason) = match job.cancelled.is_cancelled() {
                    true => (RunState::Cancelled, None),
                    false => (RunState::Failed, Some(error.message(job.context.locale))),
                };
                settle_row(state, &run, end, reason.as_deref(), &[], "").await?;
                return Err(error);
            }
        },
    };
    let mut follower = Follower::new(job, &run, workspace).await?;
    let exit = follower.follow().await?;
    let console = if follower.tree.plays.is_empty() {
        follower.workspace.console(0).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    let isolation = exit.as_ref().map(|exit| exit.isolation.clone()).unwrap_or_default();
    let locale = job.context.locale;
    let (end, mut reason) = judge(&follower.tree, exit.as_ref(), &String::from_utf8_lossy(&console), locale);
    if follower.is_broken && !end.is_good() {
        reason = Some(joined(reason, td_string!(locale, runs.outcome.events)));
    }
    let told = finish(job, &run, end, reason, &follower.tree, &isolation).await;
    follower.workspace.remove().await;
    told
}

/// Checks everything once more with the rights that the person has now, and starts the supervisor.
async fn begin(job: &Arc<jobs::Run>, run: &Run) -> Result<Workspace> {
    let state = job.state();
    let mut request = run.request.clone();
    for (name, answer) in launch::unsealed(&job.context, job.id, &job.operation)? {
        request.options.variables.insert(name, json!(answer.as_str()));
    }
    let plan = launch::plan(&job.context, &request).await?;
    let hidden = plan.hidden();
    hidden.iter().for_each(|secret| job.secret(secret));
    let plain: Vec<&str> = hidden.iter().map(|secret| secret.as_str()).collect();
    let plain = Zeroizing::new(serde_json::to_vec(&plain).map_err(anyhow::Error::from)?);
    let sealed = seal::seal(state, &purpose(job.id), &plain)?;
    let cancelled = || Error::conflict(td_string!(job.context.locale, runs.outcome.cancelled));
    let requirements = plan.requirements.clone();
    let mut order = plan.order(&job.context).await?;
    order.installed = tokio::select! {
        installed = install(job, &requirements) => installed?,
        () = job.cancelled.cancelled() => return Err(cancelled()),
    };
    if job.cancelled.is_cancelled() {
        return Err(cancelled());
    }
    // Written before anything is done: from here on nobody begins it a second time.
    let begun = sql("update runs
                     set state = 'running', started_at = $1, secrets = $2
                     where id = $3 and finished_at is null");
    state.db.execute(&WHY, begun.bind(Timestamp::now().millis()).bind(sealed).bind(job.id.to_string())).await?;
    tell(state, run, RunState::Running);
    Workspace::start(state, job.context.locale, job.id, order).await
}

/// Installs what the project asks for, and says what came of it in the console; gives the folder.
async fn install(job: &Arc<jobs::Run>, requirements: &Requirements) -> Result<Option<PathBuf>> {
    let locale = job.context.locale;
    let begins = td_string!(locale, playbooks.requirements.begins, path = requirements.path.clone());
    let tell = || job.progress(Progress { fraction: None, note: begins.clone(), parts: Vec::new() });
    let ready = galaxy::ready(job.state(), locale, requirements, galaxy::Wish::Run, tell).await?;
    let Some(ready) = ready else { return Ok(None) };
    if !ready.output.is_empty() {
        job.line(Voice::Out, &format!("{begins}\n{}", ready.output.trim_end())).await;
    }
    if let Some(warning) = &ready.warning {
        job.line(Voice::Err, warning).await;
    }
    Ok(Some(ready.installed.folder))
}

/// What the secrets of one run are sealed for while it is under way: they open for no other.
fn purpose(id: Id<Job>) -> String {
    format!("run/{id}/hidden")
}

/// Learns again what must be hidden, from what an earlier attempt left.
async fn unhide(job: &Arc<jobs::Run>) {
    let read = async {
        let statement = sql("select secrets from runs where id = $1").bind(job.id.to_string());
        let row = job.state().db.row(&WHY, statement).await?;
        let Some(sealed) = row.map(|row| row.opt_text("secrets")).transpose()?.flatten() else { return Ok(()) };
        let plain = seal::open(job.state(), &purpose(job.id), &sealed)?;
        let secrets: Vec<Zeroizing<String>> =
            serde_json::from_slice::<Vec<String>>(&plain)?.into_iter().map(Zeroizing::new).collect();
        secrets.iter().for_each(|secret| job.secret(secret));
        anyhow::Ok(())
    };
    if let Err(error) = read.await {
        tracing::error!(run = %job.id, "what must be hidden in its output cannot be read: {error:#}");
    }
}

/// Reads a workspace to its end.
struct Follower<'a> {
    job: &'a Arc<jobs::Run>,
    workspace: Workspace,
    /// The hosts that are known to belong to it, with their machines.
    hosts: BTreeMap<String, Option<Id<Machine>>>,
    tree: Tree,
    ansible: Option<String>,
    /// How far events were read, and how far of it is in the store.
    offset: u64,
    waiting: Vec<Written>,
    written_at: Option<Instant>,
    /// Whether its events cannot be read further.
    is_broken: bool,
    console: Console,
}

/// What was read of the console and is no whole line yet.
struct Console {
    offset: u64,
    rest: Vec<u8>,
}

impl<'a> Follower<'a> {
    async fn new(job: &'a Arc<jobs::Run>, run: &'a Run, workspace: Workspace) -> Result<Self> {
        let state = job.state();
        let statement = sql("select events_offset from runs where id = $1").bind(job.id.to_string());
        let row = state.db.row(&WHY, statement).await?.ok_or_else(|| Error::not_found("run"))?;
        Ok(Self {
            job,
            workspace,
            hosts: store::hosts(state, &WHY, job.id).await?,
            tree: store::tree(state, &WHY, job.id).await?,
            ansible: run.ansible.clone(),
            offset: u64::try_from(row.int("events_offset")?).unwrap_or(0),
            waiting: Vec::new(),
            written_at: None,
            is_broken: false,
            console: Console { offset: u64::try_from(job.mark).unwrap_or(0), rest: Vec::new() },
        })
    }

    /// Reads until it has ended and everything was read; gives how it ended, `None` when nobody knows.
    async fn follow(&mut self) -> Result<Option<Exit>> {
        let mut asked = false;
        loop {
            if self.job.cancelled.is_cancelled() && !asked {
                self.workspace.cancel().await?;
                asked = true;
            }
            // Looked at before reading, so that nothing is missed that was written before its end; and life
            // before the end, because the end is written last.
            let is_alive = self.workspace.is_alive();
            let exit = self.workspace.exit();
            let has_ended = exit.is_some() || !is_alive;
            let news = self.read_events().await;
            let more = self.read_console().await?;
            let is_due = self.written_at.is_none_or(|at| at.elapsed() >= WRITE_EVERY);
            if !self.waiting.is_empty() && (is_due || has_ended || self.waiting.len() >= BATCH || self.has_recap()) {
                self.write().await;
            }
            if news || more {
                continue;
            }
            if has_ended {
                self.end_line().await;
                // Who learns that it has ended finds all that it said.
                self.job.written().await;
                return Ok(exit);
            }
            let cancelled = self.job.cancelled.clone();
            tokio::select! {
                () = self.workspace.changed(LOOK) => {}
                () = cancelled.cancelled(), if !asked => {}
            }
        }
    }

    /// Whether the recap is among the events that wait.
    fn has_recap(&self) -> bool {
        self.waiting.last().is_some_and(|written| matches!(written.numbered.event, RunEvent::Stats { .. }))
    }

    /// Reads what there is of events; whether there was something.
    async fn read_events(&mut self) -> bool {
        if self.is_broken {
            return false;
        }
        match self.workspace.events(self.offset).await {
            Ok((events, offset)) => {
                let has_news = offset > self.offset;
                self.offset = offset;
                for mut written in events {
                    if written.numbered.sequence <= self.tree.last {
                        continue;
                    }
                    self.hide(&mut written.numbered.event);
                    self.take_in(&written.numbered);
                    self.waiting.push(written);
                }
                has_news
            }
            Err(error) => {
                tracing::warn!(run = %self.job.id, "reading its events: {error:#}");
                self.is_broken = true;
                false
            }
        }
    }

    /// Hides secrets in the words of an event.
    fn hide(&self, event: &mut RunEvent) {
        let hide = |text: &mut String| *text = self.job.redact(text);
        match event {
            RunEvent::Play { name, .. } => hide(name),
            RunEvent::Task { name, .. } => hide(name),
            RunEvent::Result { item, message, .. } => {
                item.iter_mut().for_each(hide);
                message.iter_mut().for_each(hide);
            }
            RunEvent::Warning { message } => hide(message),
            RunEvent::Start { .. }
            | RunEvent::HostStart { .. }
            | RunEvent::Retry { .. }
            | RunEvent::Facts { .. }
            | RunEvent::NoHosts { .. }
            | RunEvent::Stats { .. } => {}
        }
    }

    fn take_in(&mut self, event: &Numbered) {
        self.tree.apply(event);
        match &event.event {
            RunEvent::Start { ansible } => self.ansible = Some(ansible.clone()),
            RunEvent::Task { name, .. } => {
                self.job.progress(Progress { fraction: None, note: name.clone(), parts: Vec::new() });
            }
            _ => {}
        }
    }

    /// Reads what there is of the console, line by line; whether there was something.
    async fn read_console(&mut self) -> Result<bool> {
        let bytes = self.workspace.console(self.console.offset).await?;
        if bytes.is_empty() {
            return Ok(false);
        }
        self.console.offset += bytes.len() as u64;
        self.console.rest.extend(bytes);
        let mut begin = 0;
        let first = self.console.offset - self.console.rest.len() as u64;
        while let Some(length) = self.console.rest[begin..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.console.rest[begin..begin + length]).into_owned();
            begin += length + 1;
            self.say(&line, first + begin as u64, false).await;
        }
        self.console.rest.drain(..begin);
        if self.console.rest.len() >= LONGEST_LINE {
            let rest = self.console.rest.split_off(whole_letters(&self.console.rest));
            let line = String::from_utf8_lossy(&std::mem::replace(&mut self.console.rest, rest)).into_owned();
            let until = self.console.offset - self.console.rest.len() as u64;
            self.say(&line, until, true).await;
        }
        Ok(true)
    }

    /// Says what is left without a line end.
    async fn end_line(&mut self) {
        if !self.console.rest.is_empty() {
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.console.rest)).into_owned();
            self.say(&line, self.console.offset, false).await;
        }
    }

    async fn say(&self, line: &str, until: u64, goes_on: bool) {
        self.job.line_until(Voice::Out, line, i64::try_from(until).unwrap_or(i64::MAX), goes_on).await;
    }

    /// Writes the events that wait. A store that is away is waited for: what is under way must not be given up for it.
    async fn write(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        while let Err(error) = self.try_write(&waiting).await {
            tracing::warn!(run = %self.job.id, "keeping its events: {error:#}");
            sleep(PAUSE).await;
        }
        let is_first = self.written_at.replace(Instant::now()).is_none();
        let events = waiting.into_iter().map(|written| written.numbered).collect();
        self.job.state().bus.publish_job(self.job.id, JobNews::Events(Arc::new(events)));
        if is_first {
            self.job.state().bus.publish_job(self.job.id, JobNews::Run);
        }
    }

    async fn try_write(&mut self, waiting: &[Written]) -> anyhow::Result<()> {
        let (state, id) = (self.job.state(), self.job.id);
        let mut transaction = state.db.begin(&WHY).await?;
        for part in waiting.chunks(BATCH) {
            let mut insert = Query::insert();
            insert
                .into_table(Alias::new("run_events"))
                .columns(["run", "sequence", "at", "event", "result"].map(Alias::new))
                .on_conflict(OnConflict::new().do_nothing().to_owned());
            for written in part {
                let result = written.result.clone().map(|mut result| {
                    self.job.redact_value(&mut result);
                    result.to_string()
                });
                insert.values_panic([
                    id.to_string().into(),
                    written.numbered.sequence.into(),
                    written.numbered.at.millis().into(),
                    serde_json::to_string(&written.numbered.event)?.into(),
                    result.filter(|text| text.len() <= RESULT_BYTES).into(),
                ]);
            }
            transaction.execute(&mut insert).await?;
        }
        let new: Vec<_> = self.tree.hosts.iter().filter(|host| !self.hosts.contains_key(*host)).cloned().collect();
        let room = FURTHER_HOSTS.saturating_sub(self.hosts.len());
        let new: Vec<_> = new.into_iter().take(room).map(|host| (host, None)).collect();
        store::insert_hosts(&mut transaction, id, &new).await?;
        let moved = sql("update runs
                         set last_event = $1, events_offset = $2, recap = $3, ansible = $4
                         where id = $5 and last_event < $1 and finished_at is null");
        transaction
            .execute(
                moved
                    .bind(self.tree.last)
                    .bind(i64::try_from(self.offset).unwrap_or(i64::MAX))
                    .bind(json!(recap(&self.tree, &self.hosts)).to_string())
                    .bind(self.ansible.clone())
                    .bind(id.to_string()),
            )
            .await?;
        transaction.commit().await?;
        self.hosts.extend(new);
        // Only of hosts that are the run's own: what a playbook writes about others is not believed.
        for written in waiting {
            if let (RunEvent::Facts { host, .. }, Some(facts)) = (&written.numbered.event, &written.facts)
                && let Some(Some(machine)) = self.hosts.get(host)
                && let Err(error) = facts::keep(state, &WHY, id, *machine, facts.clone()).await
            {
                tracing::warn!(run = %id, "keeping facts: {error:#}");
            }
        }
        Ok(())
    }
}

/// How many bytes are left without a letter whose end has not come yet (UTF-8).
fn whole_letters(bytes: &[u8]) -> usize {
    let begun = (1..=bytes.len().min(3)).find(|back| bytes[bytes.len() - back] >= 0xc0);
    let open = begun.filter(|back| bytes[bytes.len() - back].leading_ones() as usize > *back);
    bytes.len() - open.unwrap_or(0)
}

/// The recap so far with the machines of the hosts.
fn recap(tree: &Tree, hosts: &BTreeMap<String, Option<Id<Machine>>>) -> Vec<HostRecap> {
    let mut recap = tree.recap_so_far();
    for host in &mut recap {
        host.machine = hosts.get(&host.host).copied().flatten();
    }
    recap
}

/// Tells how a run ended from its events, what its supervisor wrote, and the console where there are no events; with
/// the reason where the state alone does not tell.
fn judge(tree: &Tree, exit: Option<&Exit>, console: &str, locale: Locale) -> (RunState, Option<String>) {
    let under_way = || {
        let hosts = tree.under_way();
        let names = hosts.join(", ");
        (!hosts.is_empty()).then(|| td_string!(locale, runs.outcome.under_way, hosts = names))
    };
    let with_hosts =
        |reason: &str| Some(under_way().map_or_else(|| reason.to_owned(), |more| format!("{reason} {more}")));
    let Some(exit) = exit else {
        return (RunState::Lost, with_hosts(td_string!(locale, runs.outcome.lost)));
    };
    match exit.ended {
        Some(Ended::Cancelled) => return (RunState::Cancelled, under_way()),
        Some(Ended::TooLong) => return (RunState::TimedOut, with_hosts(td_string!(locale, runs.outcome.too_long))),
        Some(Ended::Silent) => return (RunState::TimedOut, with_hosts(td_string!(locale, runs.outcome.too_silent))),
        None => {}
    }
    if let Some(trouble) = &exit.trouble {
        return (RunState::Failed, Some(trouble.clone()));
    }
    if let Some(signal) = exit.signal {
        let signal = signal.to_string();
        return (RunState::Failed, with_hosts(&td_string!(locale, runs.outcome.signal, signal = signal)));
    }
    let recap = tree.recap_so_far();
    if recap.iter().any(|host| host.failed > 0) {
        return (RunState::Failed, None);
    }
    if recap.iter().any(|host| host.unreachable > 0) {
        return (RunState::Unreachable, None);
    }
    let code = exit.code.unwrap_or(-1);
    let console = plain(console);
    if tree.plays.is_empty() && says_nobody(&console)
        || !tree.plays.is_empty() && recap.is_empty() && tree.plays.iter().all(|play| play.nobody)
    {
        return (RunState::NothingMatched, Some(td_string!(locale, runs.outcome.nothing_matched).to_owned()));
    }
    if tree.plays.is_empty() && matches!(code, 1 | 2 | 4) && says_syntax(&console) {
        return (RunState::SyntaxError, Some(td_string!(locale, runs.outcome.syntax_error).to_owned()));
    }
    if code != 0 {
        return (RunState::Failed, Some(td_string!(locale, runs.outcome.code, code = code.to_string())));
    }
    let has_changed = recap.iter().any(|host| host.changed > 0);
    (if has_changed { RunState::Changed } else { RunState::Succeeded }, None)
}

/// A text in lower case, without what colours it.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.extend(letter.to_lowercase());
        }
    }
    plain
}

/// Whether Ansible says that nobody was left to run on. Source: ansible-core 2.14 to 2.19, `cli/playbook.py`.
fn says_nobody(console: &str) -> bool {
    console.contains("leaves us with no hosts to target")
        || console.contains("specified hosts and/or --limit does not match any hosts")
}

/// Whether Ansible says that it cannot read the playbook. Source: the errors of ansible-core's parser.
fn says_syntax(console: &str) -> bool {
    [
        "syntax error",
        "syntax problem",
        "yaml parsing failed",
        "couldn't resolve module/action",
        "could not resolve module/action",
        "no module/action detected",
        "no action detected",
        "conflicting action statements",
        "is not a valid attribute",
        "is not a valid option",
        "was not found", // a role, an imported file
        "could not find or access",
        "unexpected templating type error",
        "must be a dictionary",
        "a playbook must be a list of plays",
        "playbook entries must be",
        "does not appear to be a valid yaml",
        "the error appears to be in",
        "origin: ",
    ]
    .iter()
    .any(|word| console.contains(word))
}

fn joined(reason: Option<String>, more: &str) -> String {
    reason.map_or_else(|| more.to_owned(), |reason| format!("{reason} {more}"))
}

/// Writes how a run ended, tells everybody, and gives the outcome of its job.
async fn finish(
    job: &Arc<jobs::Run>,
    run: &Run,
    end: RunState,
    reason: Option<String>,
    tree: &Tree,
    isolation: &str,
) -> Result<Value> {
    let state = job.state();
    let hosts = store::hosts(state, &WHY, job.id).await?;
    let recap = recap(tree, &hosts);
    let reason = reason.map(|reason| job.redact(&reason));
    while let Err(error) = settle_row(state, run, end, reason.as_deref(), &recap, isolation).await {
        tracing::warn!(run = %job.id, "keeping how it ended: {error:#}");
        sleep(PAUSE).await;
    }
    Ok(outcome(job, end, reason, recap))
}

/// Writes how a run ended, unless that is known already, and tells everybody.
pub(super) async fn settle_row(
    state: &State,
    run: &Run,
    end: RunState,
    reason: Option<&str>,
    recap: &[HostRecap],
    isolation: &str,
) -> anyhow::Result<()> {
    let ended = sql("update runs
                     set state = $1, reason = $2, recap = case when $3 = '[]' then recap else $3 end,
                         isolation = case when $4 = '' then isolation else $4 end, finished_at = $5, secrets = null
                     where id = $6 and finished_at is null");
    let changed = state
        .db
        .execute(
            &WHY,
            ended
                .bind(end.name())
                .bind(reason.map(str::to_owned))
                .bind(json!(recap).to_string())
                .bind(isolation)
                .bind(Timestamp::now().millis())
                .bind(run.id.to_string()),
        )
        .await?;
    if changed > 0 {
        tell(state, run, end);
    }
    Ok(())
}

/// Tells everybody that a run moved on.
fn tell(state: &State, run: &Run, now: RunState) {
    state.bus.publish(Topic::Runs, run.customer, json!({ "id": run.id, "state": now }));
    state.bus.publish_job(run.id, JobNews::Run);
}

/// What the job says: the run's state and recap, and a sentence when it did not end well.
fn outcome(job: &Arc<jobs::Run>, end: RunState, reason: Option<String>, recap: Vec<HostRecap>) -> Value {
    let locale = job.context.locale;
    job.ends_as(match end {
        RunState::Succeeded | RunState::Changed => JobState::Succeeded,
        RunState::Cancelled => JobState::Cancelled,
        RunState::Lost => JobState::Lost,
        RunState::Queued
        | RunState::Running
        | RunState::Failed
        | RunState::Unreachable
        | RunState::NothingMatched
        | RunState::SyntaxError
        | RunState::TimedOut => JobState::Failed,
    });
    let names = |is_one: fn(&&HostRecap) -> bool| {
        recap.iter().filter(is_one).map(|host| host.host.as_str()).collect::<Vec<_>>().join(", ")
    };
    let message = reason.clone().unwrap_or_else(|| match end {
        RunState::Failed => td_string!(locale, runs.outcome.failed, hosts = names(|host| host.failed > 0)),
        RunState::Unreachable => {
            td_string!(locale, runs.outcome.unreachable, hosts = names(|host| host.unreachable > 0))
        }
        RunState::Cancelled => td_string!(locale, runs.outcome.cancelled).to_owned(),
        _ => String::new(),
    });
    let mut outcome = json!({ "state": end, "reason": reason, "recap": recap });
    if !end.is_good() {
        outcome["error"] = json!({ "code": end, "message": message });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::model::TaskState;

    fn exit(code: i32) -> Exit {
        Exit { code: Some(code), signal: None, ended: None, trouble: None, isolation: "none".to_owned() }
    }

    fn tree(events: Vec<RunEvent>) -> Tree {
        let numbered = events.into_iter().zip(1..).map(|(event, sequence)| Numbered {
            sequence,
            at: Timestamp::from_millis(sequence),
            event,
        });
        Tree::of(&numbered.collect::<Vec<_>>())
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_letters() {
        let text = "a€🚢".as_bytes();

        let whole: Vec<_> = (0..=text.len()).map(|length| whole_letters(&text[..length])).collect();

        assert_eq!(whole, [0, 1, 1, 1, 4, 4, 4, 4, 8]);
        assert_eq!(whole_letters(b"\xff\x80\x80\x80\x80"), 5, "nonsense is not waited for");
    }

    fn play() -> RunEvent {
        RunEvent::Play { play: 0, name: "all".to_owned() }
    }

    fn task() -> RunEvent {
        let (name, action) = ("t".to_owned(), "ping".to_owned());
        RunEvent::Task { task: 0, play: 0, name, action, handler: false, path: None }
    }

    fn started(host: &str) -> RunEvent {
        RunEvent::HostStart { task: 0, host: host.to_owned() }
    }

    fn stats(change: impl Fn(&mut HostRecap)) -> RunEvent {
        let mut host = HostRecap { host: "web".to_owned(), ok: 1, ..HostRecap::default() };
        change(&mut host);
        RunEvent::Stats { hosts: vec![host] }
    }

    fn state(tree: &Tree, exit: Option<&Exit>, console: &str) -> RunState {
        judge(tree, exit, console, Locale::en).0
    }

    #[test]
    fn the_state_follows_from_events_and_the_code_confirms() {
        let ended = |change: fn(&mut HostRecap)| tree(vec![play(), stats(change)]);

        assert_eq!(state(&ended(|_| {}), Some(&exit(0)), ""), RunState::Succeeded);
        assert_eq!(state(&ended(|host| host.changed = 1), Some(&exit(0)), ""), RunState::Changed);
        assert_eq!(state(&ended(|host| host.failed = 1), Some(&exit(2)), ""), RunState::Failed);
        assert_eq!(state(&ended(|host| host.unreachable = 1), Some(&exit(4)), ""), RunState::Unreachable);
        assert_eq!(state(&ended(|host| host.rescued = 1), Some(&exit(0)), ""), RunState::Succeeded);
        assert_eq!(state(&ended(|_| {}), Some(&exit(250)), ""), RunState::Failed, "a crash is no success");
    }

    #[test]
    fn a_failed_host_counts_before_an_unreachable_one() {
        let both = tree(vec![play(), stats(|host| (host.failed, host.unreachable) = (1, 1))]);

        assert_eq!(state(&both, Some(&exit(2)), ""), RunState::Failed);
    }

    #[test]
    fn a_playbook_that_cannot_be_read_is_told_from_one_that_fails() {
        let nothing = Tree::default();
        let console = "\u{1b}[0;31m[ERROR]: YAML parsing failed: Mapping values are not allowed\u{1b}[0m";

        assert_eq!(state(&nothing, Some(&exit(4)), console), RunState::SyntaxError);
        assert_eq!(state(&nothing, Some(&exit(4)), "out of memory"), RunState::Failed);
        assert_eq!(state(&tree(vec![play()]), Some(&exit(2)), console), RunState::Failed);
    }

    #[test]
    fn nobody_to_run_on_is_no_success() {
        let skipped = tree(vec![play(), RunEvent::NoHosts { remaining: false }]);
        let refused = "ERROR! Specified inventory, host pattern and/or --limit leaves us with no hosts to target.";

        assert_eq!(state(&skipped, Some(&exit(0)), ""), RunState::NothingMatched);
        assert_eq!(state(&Tree::default(), Some(&exit(1)), refused), RunState::NothingMatched);
    }

    #[test]
    fn who_was_at_work_at_the_end_is_named() {
        let cut_off = tree(vec![play(), task(), started("web-1"), started("web-2")]);
        let ended = |ended| Exit { ended: Some(ended), code: None, signal: Some(15), ..exit(0) };

        for (exit, expected) in [
            (Some(ended(Ended::Cancelled)), RunState::Cancelled),
            (Some(ended(Ended::TooLong)), RunState::TimedOut),
            (Some(ended(Ended::Silent)), RunState::TimedOut),
            (None, RunState::Lost),
        ] {
            let (state, reason) = judge(&cut_off, exit.as_ref(), "", Locale::en);
            let reason = reason.expect("there is one");
            assert_eq!(state, expected);
            assert!(reason.ends_with("A remote command may go on on web-1, web-2."), "{reason}");
        }
    }

    #[test]
    fn every_bad_task_counts_before_ansible_itself_counted() {
        let result = RunEvent::Result {
            task: 0,
            host: "web".to_owned(),
            machine: None,
            state: TaskState::Failed,
            item: None,
            took_ms: 1,
            message: None,
            diff: false,
        };

        assert_eq!(state(&tree(vec![play(), task(), result]), Some(&exit(2)), ""), RunState::Failed);
    }
}
