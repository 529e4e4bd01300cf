//! Jobs on the server: the queue, the runner and their output.
//!
//! The row of a job is its claim: who runs it, until when, and a fence that counts the claims. Each
//! write of a running job names its fence, so a worker that was frozen past its lease changes nothing
//! any more. A job whose worker is gone is resumed where its kind can be, and is *lost* otherwise.

pub mod openapi;
mod output;
mod queue;
mod requester;
pub mod rest;
mod run;
mod runner;
pub mod store;
mod sweep;
pub mod watch;

pub use queue::{NewJob, announce, cancel, enqueue, enqueue_as, enqueue_in, language, locale};
pub use run::Run;
pub use runner::{Runner, start};

use crate::{error::Result, jobs::model::Job, platform::state::State};
use futures::future::BoxFuture;
use serde_json::Value;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a claim holds unless it is renewed.
pub const LEASE: Duration = Duration::from_secs(15);

/// What does the work of one family of jobs.
#[derive(Clone, Copy)]
pub struct Worker {
    /// The first word of the kinds it does: `image` of `image.pull`. It is the subject of the right, too.
    pub family: &'static str,
    /// Whether a job of this kind may be begun a second time when its first worker is gone.
    pub resumes: fn(&str) -> bool,
    /// How long the work may go on after it was asked to end, before it is dropped.
    pub grace: Duration,
    /// Called after a job has ended, also when its work never began or was dropped: puts in order what belongs to it.
    pub settle: fn(&State, &Job) -> BoxFuture<'static, ()>,
    /// The work: gives the outcome, or why there is none.
    pub work: fn(Arc<Run>) -> BoxFuture<'static, Result<Value>>,
}

/// The queue of a running server: who works, and a bell for them. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    workers: RwLock<Vec<Worker>>,
    bell: Notify,
}

impl Worker {
    /// A worker with the usual grace, and nothing to put in order.
    pub fn new(
        family: &'static str,
        resumes: fn(&str) -> bool,
        work: fn(Arc<Run>) -> BoxFuture<'static, Result<Value>>,
    ) -> Self {
        Self { family, resumes, grace: GRACE, settle: |_, _| Box::pin(std::future::ready(())), work }
    }
}

/// How long work may usually go on after it was asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// Whose places a job takes, so that runs that last for hours never keep short work waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// Runs of playbooks: `provisioning.parallel` at a time. Their work goes on in a process of its own, so that
    /// another server may always take over.
    Runs,
    /// Everything else: `jobs.parallel` at a time.
    Others,
}

impl Lane {
    /// The lane of a kind; the statement that claims says the same in SQL.
    fn of(kind: &str) -> Self {
        if kind.starts_with("run.") { Self::Runs } else { Self::Others }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new()
    }
}

impl Jobs {
    /// The queue with the workers of this program.
    pub fn new() -> Self {
        let containers = Worker::new(
            "container",
            |kind| matches!(kind, "container.run" | "container.prune"),
            |run| Box::pin(async move { crate::deployments::server::jobs::work(&run).await }),
        );
        let images = Worker::new("image", |kind| matches!(kind, "image.pull" | "image.prune"), containers.work);
        let runs = crate::provisioning::server::work::WORKER;
        Self(Arc::new(Inner { workers: RwLock::new(vec![containers, images, runs]), bell: Notify::new() }))
    }

    /// Adds a worker: how a program built on this library, or a test, brings its own.
    pub fn add(&self, worker: Worker) {
        self.0.workers.write().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    /// The worker for jobs of that kind.
    fn worker(&self, kind: &str) -> Option<Worker> {
        let family = kind.split('.').next().unwrap_or(kind);
        self.0
            .workers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .find(|worker| worker.family == family)
    }

    /// Puts in order what belongs to a job that has ended.
    async fn settle(&self, state: &State, job: &Job) {
        if let Some(worker) = self.worker(&job.kind) {
            (worker.settle)(state, job).await;
        }
    }

    /// Tells the runner of this process that something waits.
    pub fn wake(&self) {
        self.0.bell.notify_one();
    }

    async fn woken(&self) {
        self.0.bell.notified().await;
    }
}

/// The present time by which leases are measured: the database's own where several servers share it.
async fn lease_clock(state: &State) -> anyhow::Result<i64> {
    use crate::platform::db::sql;

    if !state.db.is_postgres() {
        return Ok(crate::time::Timestamp::now().millis());
    }
    let proof = crate::authentication::server::System::because("read the clock");
    let statement = sql("select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now");
    state.db.row(&proof, statement).await?.map_or(Ok(0), |row| row.int("now"))
}
