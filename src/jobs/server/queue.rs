//! Putting jobs into the queue, claiming them, and moving them on.

use super::{LEASE, Lane, lease_clock, store};
use crate::{
    authentication::server::{Context, Operating, Proof, Reading, System},
    error::{Error, Result},
    events::{model::Topic, server::JobNews},
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::{Job, JobState, Progress},
    platform::{
        db::{Sql, Transaction, sql},
        state::State,
    },
    storage::{
        Customer,
        item::{Fields, server::audit},
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// How often a job may be begun before it counts as one that takes its workers down.
const CLAIMS: i64 = 8;

/// How long a run waits for the server whose folder holds its workspace, before another one says that it is lost.
const AWAY: Duration = Duration::from_secs(600);

/// A job that somebody asks for.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What acts on what: `image.pull`.
    pub kind: &'static str,
    /// What a person calls it: `Pull nginx:1.27`.
    pub title: String,
    /// The operation with everything the work needs, secrets too: they are masked wherever the job is
    /// shown and are gone from the store when it has ended.
    pub operation: Value,
    /// At most one job with this key waits or runs at a time, on all servers.
    pub key: Option<String>,
    /// Whose job it is.
    pub customer: Option<Id<Customer>>,
}

/// Puts a job into the queue.
///
/// # Errors
/// [`Error::Busy`] with the other job's id when one with the same key waits or runs.
pub async fn enqueue(state: &State, proof: &dyn Proof, new: NewJob) -> Result<Id<Job>> {
    let mut transaction = state.db.begin(proof).await?;
    let id = enqueue_in(&mut transaction, proof, new).await?;
    transaction.commit().await?;
    announce(state, id).await;
    Ok(id)
}

/// Puts a job into the queue as part of what causes it. Call [`announce`] after the commit.
///
/// # Errors
/// As [`enqueue`]; the transaction stays usable.
pub async fn enqueue_in(transaction: &mut Transaction, proof: &dyn Proof, new: NewJob) -> Result<Id<Job>> {
    enqueue_as(transaction, proof, Id::new(), new).await
}

/// As [`enqueue_in`], under an identifier that its operation already knows.
///
/// # Errors
/// As [`enqueue`]; the transaction stays usable.
pub async fn enqueue_as(transaction: &mut Transaction, proof: &dyn Proof, id: Id<Job>, new: NewJob) -> Result<Id<Job>> {
    let written = transaction
        .execute(
            sql("insert into jobs
                   (id, customer, kind, title, operation, exclusive_key, state, person, person_name, address, locale,
                    cancel_requested, created_at, fence, lines, bytes, mark)
                 values ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $10, $11, $12, 0, 0, 0, 0)
                 on conflict do nothing")
            .bind(id.to_string())
            .bind(new.customer.map(|customer| customer.to_string()))
            .bind(new.kind)
            .bind(new.title.replace('\0', "").chars().take(300).collect::<String>())
            .bind(new.operation.to_string())
            .bind(new.key.clone())
            .bind(proof.person().map(|person| person.to_string()))
            .bind(proof.person_name().to_owned())
            .bind(proof.address().map(|address| address.to_string()))
            .bind(language(proof.locale()))
            .bind(false)
            .bind(Timestamp::now().millis()),
        )
        .await?;
    if written == 1 {
        return Ok(id);
    }
    let holder = transaction
        .row(
            sql("select id, customer from jobs
                 where exclusive_key = $1 and state in ('queued', 'running')")
            .bind(new.key),
        )
        .await?;
    // Another customer's job may hold the key of a shared thing; its id stays theirs.
    let visible = match &holder {
        Some(row) if proof.scope().reaches(row.opt_parsed("customer")?) => Some(row.text("id")?),
        Some(_) | None => None,
    };
    Err(Error::Busy { message: td_string!(proof.locale(), work.job_busy).to_owned(), job: visible, retry_after: None })
}

/// Tells everybody about a job as it now is, and the runner that there may be work.
pub async fn announce(state: &State, id: Id<Job>) {
    state.jobs.wake();
    let proof = System::because("tell about a job");
    match store::job(state, &proof, id).await {
        Ok(job) => tell(state, job),
        Err(error) => tracing::warn!("a job could not be announced: {error}"),
    }
}

/// Tells everybody about the present state of a job.
pub(super) fn tell(state: &State, job: Job) {
    state.bus.publish(Topic::Jobs, job.customer, json!({"id": job.id, "state": job.state}));
    state.bus.publish_job(job.id, JobNews::Job(Arc::new(job)));
}

/// Asks to end a job: at once when it waits, as soon as its work allows when it runs.
///
/// Everybody may cancel their own; others' need the right to operate on jobs.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], and [`Error::Conflict`] when it has ended already.
pub async fn cancel(context: &Context, id: Id<Job>) -> Result<Job> {
    let permit = context.permit::<Reading>("job")?;
    let state = &context.state;
    let job = store::job(state, &permit, id).await?;
    if job.person != permit.person() {
        context.permit::<Operating>("job")?;
    }
    let mut transaction = state.db.begin(&permit).await?;
    let outcome =
        json!({"error": {"code": "cancelled", "message": td_string!(context.locale, work.cancelled_waiting)}});
    let ended = transaction
        .execute(
            sql("update jobs
                 set state = 'cancelled', cancel_requested = $1, finished_at = $2, outcome = $3, operation = $4
                 where id = $5 and state = 'queued'")
            .bind(true)
            .bind(Timestamp::now().millis())
            .bind(outcome.to_string())
            .bind(job.operation.to_string())
            .bind(id.to_string()),
        )
        .await?;
    let asked = transaction
        .execute(
            sql("update jobs
                 set cancel_requested = $1
                 where id = $2 and state = 'running'")
            .bind(true)
            .bind(id.to_string()),
        )
        .await?;
    if ended + asked == 0 {
        return Err(Error::conflict(td_string!(context.locale, work.ended_already)));
    }
    record(&mut transaction, &permit, &job, "cancel", &Value::Null).await?;
    if ended > 0 {
        record(&mut transaction, &permit, &job, JobState::Cancelled.name(), &outcome).await?;
    }
    transaction.commit().await?;
    if asked > 0 {
        state.bus.publish_job(id, JobNews::Cancel);
    }
    let job = store::job(state, &permit, id).await?;
    if ended > 0 {
        state.jobs.settle(state, &job).await;
    }
    tell(state, job.clone());
    Ok(job)
}

/// Writes into the audit trail what became of a job, or what somebody asked of it.
async fn record(
    transaction: &mut Transaction,
    proof: &dyn Proof,
    job: &Job,
    action: &str,
    outcome: &Value,
) -> anyhow::Result<()> {
    let mut after = Fields::new();
    after.insert("title".to_owned(), json!(job.title));
    if let Some(message) = outcome["error"]["message"].as_str() {
        after.insert("error".to_owned(), json!(message));
    }
    let line = audit::Line {
        kind: "job",
        record: &job.id.to_string(),
        customer: job.customer,
        action,
        before: &Fields::new(),
        after: &after,
    };
    audit::write(transaction, proof, line).await
}

/// One claim of one job, from being taken to its end.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// The job as it was claimed, its operation masked.
    pub job: Job,
    /// The operation as it was asked for.
    pub operation: Value,
    /// Which claim of the job it is, counting from 1.
    pub fence: i64,
    /// The language of the person who asked for it.
    pub locale: Locale,
    /// Where they asked from.
    pub address: Option<std::net::IpAddr>,
    /// The sequence of the last stored line.
    pub lines: i64,
    /// The bytes of all stored lines.
    pub bytes: i64,
    /// How far the source of the stored lines was read; see [`super::Run::line_until`].
    pub mark: i64,
}

/// What looking into the queue gave.
pub(super) enum Found {
    /// A job to run.
    Claim(Box<Claim>),
    /// A job whose worker is gone was ended; there may be more.
    Settled,
    /// Nothing to do.
    Nothing,
}

/// Takes the oldest job of a lane that waits, or one whose lease ran out.
///
/// `place` is the data folder of this server. A run that was under way is left to the server whose folder holds its
/// workspace, unless that one stays away.
pub(super) async fn claim(state: &State, worker: &str, place: &str, lane: Lane) -> anyhow::Result<Found> {
    let proof = System::because("run jobs");
    let now = lease_clock(state).await?;
    let waiting = sql("select id from jobs
                       where state in ('queued', 'running') and (state = 'queued' or lease_until < $1)
                         and (kind like 'run.%') = $2
                         and (state = 'queued' or not $2 or place = $3 or lease_until < $4)
                       limit 1");
    // Looking costs no lock; on SQLite there is one writer for all.
    let (is_run, long_ago) = (lane == Lane::Runs, now - i64::try_from(AWAY.as_millis()).unwrap_or(i64::MAX));
    let bound = |statement: Sql| statement.bind(now).bind(is_run).bind(place).bind(long_ago);
    if state.db.row(&proof, bound(waiting)).await?.is_none() {
        return Ok(Found::Nothing);
    }
    let mut transaction = state.db.begin(&proof).await?;
    let oldest = if state.db.is_postgres() {
        sql("select * from jobs
             where state in ('queued', 'running') and (state = 'queued' or lease_until < $1)
               and (kind like 'run.%') = $2
               and (state = 'queued' or not $2 or place = $3 or lease_until < $4)
             order by id
             limit 1
             for update skip locked")
    } else {
        sql("select * from jobs
             where state in ('queued', 'running') and (state = 'queued' or lease_until < $1)
               and (kind like 'run.%') = $2
               and (state = 'queued' or not $2 or place = $3 or lease_until < $4)
             order by id
             limit 1")
    };
    let Some(row) = transaction.row(bound(oldest)).await? else {
        return Ok(Found::Nothing);
    };
    let mut job = store::read(&row)?;
    let fence = row.int("fence")?;
    let locale = locale(&row.text("locale")?);
    if job.state == JobState::Running {
        let resumes = state.jobs.worker(&job.kind).is_some_and(|worker| (worker.resumes)(&job.kind));
        // What goes on without its worker must be told to end, and counts no servers that went away.
        let end = if Lane::of(&job.kind) == Lane::Runs && resumes {
            None
        } else if job.cancel_requested {
            Some((JobState::Cancelled, "cancelled", td_string!(locale, work.cancelled_gone)))
        } else if !resumes {
            Some((JobState::Lost, "lost", td_string!(locale, work.lost)))
        } else if fence >= CLAIMS {
            Some((JobState::Lost, "lost", td_string!(locale, work.lost_often)))
        } else {
            None
        };
        if let Some((end, code, message)) = end {
            let outcome = json!({"error": {"code": code, "message": message}});
            transaction
                .execute(
                    sql("update jobs
                         set state = $1, outcome = $2, operation = $3, finished_at = $4, fence = fence + 1,
                             worker = null, lease_until = null
                         where id = $5 and state = 'running' and fence = $6")
                    .bind(end.name())
                    .bind(outcome.to_string())
                    .bind(job.operation.to_string())
                    .bind(Timestamp::now().millis())
                    .bind(job.id.to_string())
                    .bind(fence),
                )
                .await?;
            record(&mut transaction, &proof, &job, end.name(), &outcome).await?;
            transaction.commit().await?;
            let job = store::job(state, &proof, job.id).await?;
            state.jobs.settle(state, &job).await;
            tell(state, job);
            return Ok(Found::Settled);
        }
    }
    let started = Timestamp::now();
    let taken = transaction
        .execute(
            sql("update jobs
                 set state = 'running', worker = $1, lease_until = $2, fence = fence + 1, place = $6,
                     started_at = coalesce(started_at, $3)
                 where id = $4 and state in ('queued', 'running') and fence = $5")
            .bind(worker)
            .bind(now + lease_millis())
            .bind(started.millis())
            .bind(job.id.to_string())
            .bind(fence)
            .bind(place),
        )
        .await?;
    transaction.commit().await?;
    if taken == 0 {
        return Ok(Found::Settled);
    }
    job.state = JobState::Running;
    job.started_at.get_or_insert(started);
    Ok(Found::Claim(Box::new(Claim {
        operation: serde_json::from_str(&row.text("operation")?)?,
        fence: fence + 1,
        locale,
        address: row.opt_text("address")?.and_then(|address| address.parse().ok()),
        lines: row.int("lines")?,
        bytes: row.int("bytes")?,
        mark: row.int("mark")?,
        job,
    })))
}

/// What a renewal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// The claim holds.
    Held,
    /// The claim holds, and somebody asked to cancel.
    CancelRequested,
    /// The job is somebody else's now.
    Gone,
}

/// Renews the lease of a claim.
pub(super) async fn renew(state: &State, id: Id<Job>, fence: i64) -> anyhow::Result<Hold> {
    let proof = System::because("run jobs");
    let until = lease_clock(state).await? + lease_millis();
    let renewed = state
        .db
        .execute(
            &proof,
            sql("update jobs
                 set lease_until = $1
                 where id = $2 and fence = $3 and state = 'running'")
            .bind(until)
            .bind(id.to_string())
            .bind(fence),
        )
        .await?;
    if renewed == 0 {
        return Ok(Hold::Gone);
    }
    let row = state.db.row(&proof, sql("select cancel_requested from jobs where id = $1").bind(id.to_string())).await?;
    let asked = row.map(|row| row.bool("cancel_requested")).transpose()?.unwrap_or(false);
    Ok(if asked { Hold::CancelRequested } else { Hold::Held })
}

/// Gives a claim back, so that the next runner resumes the job at once.
pub(super) async fn release(state: &State, id: Id<Job>, fence: i64) -> anyhow::Result<()> {
    let statement = sql("update jobs
                         set lease_until = $3, worker = null
                         where id = $1 and fence = $2 and state = 'running'");
    let just_now = lease_clock(state).await? - 1;
    state.db.execute(&System::because("stop"), statement.bind(id.to_string()).bind(fence).bind(just_now)).await?;
    Ok(())
}

/// What names this server's data folder among those of all servers; made once.
pub(super) fn place(folder: &std::path::Path) -> String {
    let file = folder.join("place");
    let known = std::fs::read_to_string(&file).map(|text| text.trim().to_owned()).unwrap_or_default();
    if !known.is_empty() {
        return known;
    }
    let new = Id::<()>::new().to_string();
    if let Err(error) = std::fs::write(&file, &new) {
        tracing::warn!("writing {}: {error}", file.display());
    }
    new
}

/// Ends a job; false when the claim holds no more and nothing was written.
pub(super) async fn finish(
    state: &State,
    claim: &Claim,
    end: JobState,
    outcome: &Value,
    progress: Option<&Progress>,
) -> anyhow::Result<bool> {
    let proof = System::because("run jobs");
    let mut transaction = state.db.begin(&proof).await?;
    let ended = transaction
        .execute(
            sql("update jobs
                 set state = $1, outcome = $2, progress = $3, operation = $4, finished_at = $5, worker = null, lease_until = null
                 where id = $6 and fence = $7 and state = 'running'")
            .bind(end.name())
            .bind(outcome.to_string())
            .bind(progress.map(|progress| json!(progress).to_string()))
            .bind(claim.job.operation.to_string())
            .bind(Timestamp::now().millis())
            .bind(claim.job.id.to_string())
            .bind(claim.fence),
        )
        .await?;
    if ended == 1 {
        record(&mut transaction, &proof, &claim.job, end.name(), outcome).await?;
        transaction.commit().await?;
        let job = store::job(state, &proof, claim.job.id).await?;
        state.jobs.settle(state, &job).await;
        tell(state, job);
    }
    Ok(ended == 1)
}

fn lease_millis() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}

/// A language as it is kept.
pub const fn language(locale: Locale) -> &'static str {
    match locale {
        Locale::en => "en",
        Locale::es => "es",
    }
}

/// The language that was kept.
pub fn locale(language: &str) -> Locale {
    if language == "es" { Locale::es } else { Locale::en }
}
