//! Forgetting old runs, and putting in order what was left behind.

use super::{galaxy, sandbox, store, work, workspace::Workspace};
use crate::{
    authentication::server::System,
    i18n::{Locale, td_string},
    id::Id,
    jobs::model::{Job, JobState},
    platform::{db::sql, state::State},
    provisioning::model::RunState,
    time::Timestamp,
};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);
/// Runs that are forgotten in one go, and events in one transaction.
const RUNS: i64 = 50;
const EVENTS: i64 = 5000;
/// Longer than any question takes.
const QUESTIONS: Duration = Duration::from_secs(3600);

const WHY: System = System::because("forget old runs");

/// Looks now and then until the state stops.
pub(crate) async fn run(state: State) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = sweep(&state).await {
            tracing::warn!("forgetting old runs: {error:#}");
        }
    }
}

/// Looks once: ends runs whose job has ended, removes old runs and workspaces that nobody needs; gives how many runs went.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(state: &State) -> anyhow::Result<u64> {
    let unsettled = sql("select runs.id as id
                         from runs left join jobs on jobs.id = runs.id
                         where runs.finished_at is null and (jobs.id is null or jobs.state not in ('queued', 'running'))");
    for row in state.db.rows(&WHY, unsettled).await? {
        let id = row.parsed("id")?;
        let job = crate::jobs::server::store::job(state, &WHY, id).await.ok();
        settle(state, id, job.as_ref()).await;
    }
    clear_workspaces(state).await?;
    let own = state.clone();
    tokio::task::spawn_blocking(move || galaxy::sweep(&own)).await?;
    forget(state).await
}

/// Ends a run whose job ended without its work: it was cancelled while it waited, refused, or lost.
pub(super) async fn settle(state: &State, id: Id<Job>, job: Option<&Job>) {
    let settled = async {
        let run = store::run(state, &WHY, id).await.map_err(anyhow::Error::from)?;
        if run.state.is_finished() {
            return Ok(());
        }
        let end = match job.map(|job| job.state) {
            Some(JobState::Queued | JobState::Running) => return Ok(()),
            Some(JobState::Cancelled) => RunState::Cancelled,
            Some(JobState::Failed | JobState::Succeeded) => RunState::Failed,
            Some(JobState::Lost) | None => RunState::Lost,
        };
        let said = job.and_then(|job| job.outcome.as_ref()?["error"]["message"].as_str().map(str::to_owned));
        let reason = said.unwrap_or_else(|| td_string!(Locale::en, runs.outcome.lost).to_owned());
        work::settle_row(state, &run, end, Some(&reason), &[], "").await?;
        if let Some(workspace) = Workspace::open(state, id) {
            clear(workspace).await?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = settled.await {
        tracing::warn!(run = %id, "settling a run: {error:#}");
    }
}

/// Ends what still works in a workspace; one in which nothing works any more goes.
async fn clear(workspace: Workspace) -> anyhow::Result<()> {
    if workspace.is_alive() && workspace.exit().is_none() {
        return workspace.cancel().await;
    }
    workspace.remove().await;
    Ok(())
}

/// Clears the workspaces of runs that have ended or are not known, and of questions whose server was killed.
async fn clear_workspaces(state: &State) -> anyhow::Result<()> {
    let Ok(mut folders) = tokio::fs::read_dir(state.config.data.dir.join("runs")).await else {
        // There was no run yet.
        return Ok(());
    };
    while let Some(folder) = folders.next_entry().await? {
        let name = folder.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(sandbox::QUESTION) {
            let age = folder.metadata().await.and_then(|found| found.modified()).map(|at| at.elapsed());
            if age.is_ok_and(|age| age.is_ok_and(|age| age > QUESTIONS)) {
                sandbox::clear(&folder.path());
            }
        }
        let Ok(id) = name.parse::<Id<Job>>() else { continue };
        let statement = sql("select id from runs where id = $1 and finished_at is null").bind(id.to_string());
        if state.db.row(&WHY, statement).await?.is_none()
            && let Some(workspace) = Workspace::open(state, id)
        {
            clear(workspace).await?;
        }
    }
    Ok(())
}

/// Removes ended runs beyond `provisioning.keep_days`, and of each customer beyond `provisioning.keep_count`.
async fn forget(state: &State) -> anyhow::Result<u64> {
    let config = &state.config.provisioning;
    let days = Duration::from_secs(config.keep_days.saturating_mul(24 * 3600));
    let oldest = (Timestamp::now() - days).millis();
    let kept = i64::try_from(config.keep_count).unwrap_or(i64::MAX);
    let mut removed = 0;
    loop {
        let too_old = sql("select id from runs where finished_at < $1 order by id limit $2");
        let too_many = sql("select id from (
                              select id, row_number() over (partition by customer order by id desc) as place
                              from runs
                              where finished_at is not null) as ranked
                            where place > $1
                            order by id
                            limit $2");
        let mut ids = Vec::new();
        for row in state.db.rows(&WHY, too_old.bind(oldest).bind(RUNS)).await? {
            ids.push(row.text("id")?);
        }
        for row in state.db.rows(&WHY, too_many.bind(kept).bind(RUNS)).await? {
            ids.push(row.text("id")?);
        }
        ids.sort();
        ids.dedup();
        if ids.is_empty() || state.stopping.is_cancelled() {
            return Ok(removed);
        }
        for id in ids {
            forget_one(state, &id).await?;
            removed += 1;
        }
    }
}

/// Removes one run: its events in parts, so that nobody waits long for the store, then itself and its job.
async fn forget_one(state: &State, id: &str) -> anyhow::Result<()> {
    loop {
        let part = sql("delete from run_events
                        where run = $1 and sequence in (
                          select sequence from run_events where run = $1 order by sequence limit $2)");
        if state.db.execute(&WHY, part.bind(id).bind(EVENTS)).await? == 0 {
            break;
        }
    }
    loop {
        let part = sql("delete from job_lines
                        where job = $1 and sequence in (
                          select sequence from job_lines where job = $1 order by sequence limit $2)");
        if state.db.execute(&WHY, part.bind(id).bind(EVENTS)).await? == 0 {
            break;
        }
    }
    let mut transaction = state.db.begin(&WHY).await?;
    transaction.execute(sql("delete from runs where id = $1").bind(id)).await?;
    transaction.execute(sql("delete from jobs where id = $1").bind(id)).await?;
    transaction.commit().await
}
