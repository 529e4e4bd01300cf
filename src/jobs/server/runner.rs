//! The runner: claims jobs, watches over their work, and leaves a true state behind.

use super::{
    LEASE, Lane, Run, Worker,
    output::Written,
    queue::{self, Claim, Found, Hold},
    requester, sweep,
};
use crate::{
    authentication::server::Operating,
    error::{Error, Result},
    events::server::JobNews,
    i18n::td_string,
    id::Id,
    jobs::model::JobState,
    platform::{state::State, telemetry},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

/// How often the store is looked into without a ring of the bell: for jobs of other servers.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often output and progress are written.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// How often a lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long a stopping server waits for work to let go.
const LET_GO: Duration = Duration::from_secs(3);

/// The runner of one process.
pub struct Runner(JoinHandle<()>);

impl Runner {
    /// Waits until the runner has stopped, which it does after the state was told to stop: nothing
    /// more is claimed, and what runs is given back to be resumed.
    pub async fn stopped(self) {
        if let Err(error) = self.0.await
            && error.is_panic()
        {
            tracing::error!("the runner of jobs ended in a panic");
        }
    }

    /// Ends it as a crash would: nothing is given back.
    pub async fn crash(self) {
        self.0.abort();
        drop(self.0.await);
    }
}

/// Starts running jobs until the state stops: `provisioning.parallel` runs and `jobs.parallel` others at a time.
pub fn start(state: &State) -> Runner {
    Runner(tokio::spawn(run(state.clone())))
}

async fn run(state: State) {
    let worker = Id::<Runner>::new().to_string();
    let place = queue::place(&state.config.data.dir);
    let places = |count: usize| Arc::new(Semaphore::new(count.max(1)));
    let lanes =
        [(Lane::Others, places(state.config.jobs.parallel)), (Lane::Runs, places(state.config.provisioning.parallel))];
    let mut tasks = JoinSet::new();
    tasks.spawn(sweep::run(state.clone()));
    tasks.spawn(crate::provisioning::server::sweep::run(state.clone()));
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !state.stopping.is_cancelled() {
        tokio::select! {
            () = state.stopping.cancelled() => break,
            () = state.jobs.woken() => {}
            _ = look.tick() => {}
        }
        while tasks.try_join_next().is_some() {}
        for (lane, places) in &lanes {
            while let Ok(held) = places.clone().try_acquire_owned() {
                match queue::claim(&state, &worker, &place, *lane).await {
                    Ok(Found::Claim(claim)) => {
                        drop(tasks.spawn(watch_over(state.clone(), *claim, held)));
                    }
                    Ok(Found::Settled) => {}
                    Ok(Found::Nothing) => break,
                    Err(error) => {
                        tracing::warn!("looking for jobs: {error:#}");
                        sleep(LOOK_EVERY).await;
                        break;
                    }
                }
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// How work ended.
enum End {
    /// By itself.
    Returned(Result<Value>),
    /// It panicked.
    Panicked,
    /// It did not end in time after it was asked to, and was dropped.
    Dropped,
    /// The server stops: the job is given back.
    Stopping,
    /// The job is somebody else's now.
    Gone,
}

async fn watch_over(state: State, claim: Claim, place: OwnedSemaphorePermit) {
    let id = claim.job.id;
    queue::tell(&state, claim.job.clone());
    let outcome = match prepare(&state, &claim).await {
        Ok((run, worker)) => {
            let run = Arc::new(run);
            let work = tokio::spawn(in_request((worker.work)(run.clone())));
            let end = drive(&state, &claim, &run, worker.grace, work).await;
            close(&state, &claim, &run, end).await
        }
        Err(error) => {
            let outcome = error_outcome(&error, &claim);
            queue::finish(&state, &claim, JobState::Failed, &outcome, None).await.map(drop)
        }
    };
    if let Err(error) = outcome {
        // The lease runs out and the next claim settles it.
        tracing::error!(job = %id, "ending a job: {error:#}");
    }
    drop(place);
    state.jobs.wake();
}

/// Looks whether the requester may still do it, and finds who does it.
async fn prepare(state: &State, claim: &Claim) -> Result<(Run, Worker)> {
    let worker = state
        .jobs
        .worker(&claim.job.kind)
        .ok_or_else(|| Error::conflict(td_string!(claim.locale, work.no_worker, kind = claim.job.kind.clone())))?;
    let context = requester::context(state, claim).await.map_err(|error| match error {
        Error::Unauthenticated => Error::Forbidden { reason: td_string!(claim.locale, work.person_gone).to_owned() },
        other => other,
    })?;
    if claim.job.person.is_some() {
        context.permit::<Operating>(worker.family)?;
    }
    Ok((Run::new(state, claim, context), worker))
}

/// Gives the work a request number of its own, for the log.
async fn in_request(work: futures::future::BoxFuture<'static, Result<Value>>) -> Result<Value> {
    telemetry::REQUEST.scope(telemetry::new_request_number(), work).await
}

/// Aborts the work when the one who watches over it is dropped.
struct Guard(JoinHandle<Result<Value>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn drive(state: &State, claim: &Claim, run: &Arc<Run>, grace: Duration, work: JoinHandle<Result<Value>>) -> End {
    let id = claim.job.id;
    let mut work = Guard(work);
    let mut news = state.bus.subscribe_job(id);
    let mut write = interval(WRITE_EVERY);
    write.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renew = interval(RENEW_EVERY);
    renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held_until = Instant::now() + LEASE;
    let mut dropped_at = None;
    loop {
        let far = Instant::now() + LEASE;
        tokio::select! {
            result = &mut work.0 => return ended(result),
            () = state.stopping.cancelled() => {
                work.0.abort();
                return match timeout(LET_GO, &mut work.0).await {
                    // It ended in the same moment: that is the truth, and needs no resuming.
                    Ok(Ok(result)) => End::Returned(result),
                    Ok(Err(_)) | Err(_) => End::Stopping,
                };
            }
            () = sleep_until(dropped_at.unwrap_or(far)), if dropped_at.is_some() => return End::Dropped,
            heard = news.recv() => {
                if matches!(heard, Ok(JobNews::Cancel)) {
                    run.cancelled.cancel();
                }
            }
            _ = write.tick() => if write_out(run, false).await == Written::Gone { return End::Gone },
            () = run.output.crowded.notified() => if write_out(run, false).await == Written::Gone { return End::Gone },
            _ = renew.tick() => match queue::renew(state, id, claim.fence).await {
                Ok(Hold::Gone) => return End::Gone,
                Ok(hold) => {
                    held_until = Instant::now() + LEASE;
                    if hold == Hold::CancelRequested {
                        run.cancelled.cancel();
                    }
                }
                Err(error) => {
                    tracing::warn!(job = %id, "renewing a lease: {error:#}");
                    // Without the store the lease cannot be known to hold; another server may begin the job.
                    if Instant::now() + RENEW_EVERY >= held_until {
                        return End::Gone;
                    }
                }
            }
        }
        if run.cancelled.is_cancelled() && dropped_at.is_none() {
            dropped_at = Some(Instant::now() + grace);
        }
    }
}

fn ended(result: Result<Result<Value>, JoinError>) -> End {
    match result {
        Ok(result) => End::Returned(result),
        Err(error) if error.is_panic() => End::Panicked,
        Err(_) => End::Dropped,
    }
}

/// Writes what waits: one batch, or all of it. A store that is away is tried again for a while.
async fn write_out(run: &Run, all: bool) -> Written {
    let until = Instant::now() + if all { LEASE } else { Duration::ZERO };
    loop {
        match run.output.write().await {
            Ok(Written::More) if all => {}
            Ok(written) => return written,
            Err(error) => {
                tracing::warn!(job = %run.id, "keeping output: {error:#}");
                if Instant::now() >= until {
                    return Written::More;
                }
                sleep(WRITE_EVERY).await;
            }
        }
    }
}

async fn close(state: &State, claim: &Claim, run: &Run, end: End) -> anyhow::Result<()> {
    let cancelled = run.cancelled.is_cancelled();
    let (end, mut outcome) = match end {
        End::Gone => {
            run.output.close();
            tracing::warn!(job = %run.id, "the job was taken over; this attempt ends");
            return Ok(());
        }
        End::Stopping => {
            run.output.close();
            write_out(run, true).await;
            return queue::release(state, run.id, claim.fence).await;
        }
        End::Returned(Ok(value)) => (run.verdict(), value),
        End::Returned(Err(_)) | End::Dropped if cancelled => {
            let message = td_string!(claim.locale, work.cancelled_running);
            (JobState::Cancelled, json!({"error": {"code": "cancelled", "message": message}}))
        }
        End::Returned(Err(error)) => (JobState::Failed, error_outcome(&error, claim)),
        End::Panicked | End::Dropped => {
            let request = telemetry::new_request_number();
            tracing::error!(job = %run.id, request, "the work of a job ended in a panic");
            (JobState::Failed, error_outcome(&Error::Internal { request }, claim))
        }
    };
    run.output.close();
    if write_out(run, true).await == Written::Gone {
        return Ok(());
    }
    run.output.redact_value(&mut outcome);
    let progress = run.output.last_progress();
    queue::finish(state, claim, end, &outcome, progress.as_ref()).await?;
    Ok(())
}

fn error_outcome(error: &Error, claim: &Claim) -> Value {
    let mut outcome = json!({"error": {"code": error.code(), "message": error.message(claim.locale)}});
    if !error.problems().is_empty() {
        outcome["error"]["problems"] = json!(error.problems());
    }
    if let Error::Internal { request } = error {
        outcome["error"]["request"] = json!(request);
    }
    outcome
}
