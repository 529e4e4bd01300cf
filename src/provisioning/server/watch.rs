//! Watching a run: it grows by events.

use super::store;
use crate::{
    authentication::server::Proof,
    error::Result,
    events::server::JobNews,
    id::Id,
    jobs::{
        model::Job,
        server::watch::{Heard, Watched},
    },
    platform::state::State,
    provisioning::model::{Numbered, Run},
};

impl Watched for Run {
    type Part = Numbered;

    async fn whole(state: &State, proof: &dyn Proof, id: Id<Job>) -> Result<Self> {
        store::run(state, proof, id).await
    }

    async fn parts(state: &State, proof: &dyn Proof, id: Id<Job>, after: i64) -> Result<Vec<Numbered>> {
        store::events(state, proof, id, after, store::EVENTS_LIMIT / 2).await
    }

    fn number(event: &Numbered) -> i64 {
        event.sequence
    }

    fn has_ended(&self) -> bool {
        self.state.is_finished()
    }

    fn heard(news: JobNews) -> Heard<Self> {
        match news {
            JobNews::Events(events) => Heard::Parts(events),
            // Its row, or that of its job, changed; or another server wrote.
            JobNews::Run | JobNews::Job(_) | JobNews::Look => Heard::Look,
            JobNews::Lines(_) | JobNews::MoreLines | JobNews::Cancel => Heard::Nothing,
        }
    }
}
