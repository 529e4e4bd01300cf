//! What a worker has in hand while it does a job.

use super::{output::Output, queue::Claim};
use crate::{
    authentication::server::Context,
    id::Id,
    jobs::model::{Job, JobState, Progress, Voice},
    platform::state::State,
};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// One attempt at a job, from claim to end.
pub struct Run {
    /// The job.
    pub id: Id<Job>,
    /// What acts on what: `image.pull`.
    pub kind: String,
    /// The operation as it was asked for, secrets too.
    pub operation: Value,
    /// The requester with the rights they have now.
    pub context: Context,
    /// Cancelled when somebody asked to end the job. The work then has its worker's grace to clean up.
    pub cancelled: CancellationToken,
    /// True when an earlier attempt was cut off: look how far it came before doing anything again.
    pub resumed: bool,
    /// How far earlier attempts read the source of the output, as [`Run::line_until`] said.
    pub mark: i64,
    pub(super) output: Output,
    verdict: Mutex<JobState>,
}

impl Run {
    pub(super) fn new(state: &State, claim: &Claim, context: Context) -> Self {
        Self {
            id: claim.job.id,
            kind: claim.job.kind.clone(),
            operation: claim.operation.clone(),
            context,
            cancelled: CancellationToken::new(),
            resumed: claim.fence > 1,
            mark: claim.mark,
            output: Output::new(state, claim),
            verdict: Mutex::new(JobState::Succeeded),
        }
    }

    /// The handles of the running server.
    pub fn state(&self) -> &State {
        &self.context.state
    }

    /// Sets how far the job is. Costs nothing: the newest is stored and told five times a second.
    pub fn progress(&self, progress: Progress) {
        self.output.progress(progress);
    }

    /// Adds to the output; several lines are split, long ones too. Waits while the store is behind.
    pub async fn line(&self, voice: Voice, text: &str) {
        self.output.line(voice, text).await;
    }

    /// Adds a line that was read from a source of one's own, up to the place `mark`. Line and mark are kept together,
    /// so that a later attempt goes on from [`Run::mark`] without gap or repeat. A line that `goes_on` has not ended
    /// there.
    pub async fn line_until(&self, voice: Voice, text: &str, mark: i64, goes_on: bool) {
        self.output.line_until(voice, text, Some(mark), goes_on).await;
    }

    /// Waits until every line that was added is in the store.
    pub async fn written(&self) {
        self.output.written().await;
    }

    /// The text without the secrets that are known.
    pub fn redact(&self, text: &str) -> String {
        self.output.redact(text)
    }

    /// Hides the secrets that are known in all texts of a value.
    pub fn redact_value(&self, value: &mut Value) {
        self.output.redact_value(value);
    }

    /// Sets how the job ends when its work gives an outcome; it succeeds otherwise.
    pub fn ends_as(&self, state: JobState) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(super) fn verdict(&self) -> JobState {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this text is hidden wherever it appears in output, progress and outcome.
    pub fn secret(&self, text: &str) {
        self.output.secret(text);
    }
}
