//! What a worker has in hand while it does a job.

use super::{output::Output, queue::Claim};
use crate::{
    authentication::server::Context,
    id::Id,
    jobs::model::{Job, Progress, Voice},
    platform::state::State,
};
use serde_json::Value;
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
    /// Cancelled when somebody asked to end the job. The work then has ten seconds to clean up.
    pub cancelled: CancellationToken,
    /// True when an earlier attempt was cut off: look how far it came before doing anything again.
    pub resumed: bool,
    pub(super) output: Output,
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
            output: Output::new(state, claim),
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

    /// From now on this text is hidden wherever it appears in output, progress and outcome.
    pub fn secret(&self, text: &str) {
        self.output.secret(text);
    }
}
